"""Which controls make a motion: inverse dynamics, then each actuator's affine law turned round."""

import numpy as np

from controllers.tasks.kinematics import driven
from engine.model.constants import EULER, RK4
from engine.simulator import Simulator

PERIODS = (0.01, 0.02)  # s
PIECE = 24
STIFF, DAMPED = 0.25, 1.0  # of the feedback along a motion: its turn in a control's time, rad; of critical


def wanted_forces(sim, qpos, qvel, qacc):
    """(rows, nv): the generalised forces that actuators must make for accelerations (rows, nv) of states (rows, .).

    sim: a Simulator with as many worlds, which is left in these states. What constrains the robot is left out. The
    damping that the integrator takes implicitly acts on the velocity after the step, which is added.
    """
    m = sim.model
    sim.reset(qpos, qvel)
    sim.forward()
    h = m.opt.timestep
    damping = sim.params.dof_damping[0] if np.ndim(sim.params.dof_damping) == 2 else m.dof_damping
    force = sim.data.qfrc_bias - sim.data.qfrc_passive + h * np.asarray(damping) * qacc
    for k, a in enumerate(qacc):
        force[k] += sim.data.mass_matrix(k) @ a
    return force


def forces_along(model, qpos, qvel, qacc):
    """The same of any number of rows, `PIECE` at a time: for so few worlds no thread is woken, nor a kernel for several
    loaded."""
    sim, found = Simulator(model, PIECE), []
    for first in range(0, len(qpos), PIECE):
        rows = np.minimum(first + np.arange(PIECE), len(qpos) - 1)  # the last ones more than once
        found.append(wanted_forces(sim, qpos[rows], qvel[rows], qacc[rows]))
    return np.concatenate(found)[: len(qpos)]


def controls_for(model, force, qpos, qvel, qacc, hold):
    """(ctrl (rows, nu), share (rows, nu)): controls with which the actuators make `force` (rows, nv) at these states,
    and how much of what each can do (control and force ranges) that takes; beyond 1 it cannot.

    hold (nu,): of the actuators that act on no joint of their own.
    """
    m = model
    ctrl = np.tile(np.asarray(hold, float), (len(force), 1))
    share = np.zeros_like(ctrl)
    for i, u in driven(m).items():
        j, gear = m.actuator_trnid[u], m.actuator_gear[u, 0]
        length, velocity = gear * qpos[:, m.jnt_qposadr[j]], gear * qvel[:, i]
        # implicit integrators take a servo's damping, too, at the end of the step
        after = velocity + (m.opt.integrator not in (EULER, RK4)) * m.opt.timestep * gear * qacc[:, i]
        gain, bias = ((p[0] + p[1] * length + p[2] * v) for p, v in
                      ((m.actuator_gainprm[u], velocity), (m.actuator_biasprm[u], after)))  # fmt: skip
        own = force[:, i] / gear
        gain = np.where(np.abs(gain) > 1e-9, gain, 1e-9)
        ctrl[:, u] = (own - bias) / gain
        lows_highs = [(ctrl[:, u], m.actuator_ctrllimited[u], m.actuator_ctrlrange[u]),
                      (own, m.actuator_forcelimited[u], m.actuator_forcerange[u]),
                      (force[:, i], m.jnt_actfrclimited[j], m.jnt_actfrcrange[j])]  # fmt: skip
        for value, limited, (low, high) in lows_highs:
            if limited:
                half = max(0.5 * (high - low), 1e-9)
                share[:, u] = np.maximum(share[:, u], np.abs(value - 0.5 * (low + high)) / half)
    lo, hi = np.where(np.asarray(m.actuator_ctrllimited, bool)[:, None], m.actuator_ctrlrange, (-np.inf, np.inf)).T
    return np.clip(ctrl, lo, hi), share


def gains_along(model, qpos, qvel, dt):
    """(rows, nu, 2 nv + na): how much the controls grow with a deviation from these states, by K (x* - x).

    Each driven joint is to come back like an oscillator that turns by `STIFF` in a control's time and is damped as
    `DAMPED` says: M (w^2 dq + 2 w dv), through the actuator's gain (computed torque; Murray, Li, Sastry: A
    Mathematical Introduction to Robotic Manipulation, 1994, section 4.5.2, with gravity and M of the reference). What
    its own servo does of that is left out.
    """
    m, act, w = model, driven(model), STIFF / dt
    sim, dofs = Simulator(m, PIECE), list(act)
    K = np.zeros((len(qpos), m.nu, 2 * m.nv + m.na))
    for first in range(0, len(qpos), PIECE):
        rows = np.minimum(first + np.arange(PIECE), len(qpos) - 1)
        sim.reset(qpos[rows])
        sim.forward()
        for k, row in enumerate(rows):
            M = sim.data.mass_matrix(k)
            for i, u in act.items():
                gear, at = m.actuator_gear[u, 0], m.jnt_qposadr[m.actuator_trnid[u]]
                gain = m.actuator_gainprm[u, :3] @ [1.0, gear * qpos[row, at], gear * qvel[row, i]]
                own = -m.actuator_biasprm[u, 1] * gear**2
                share = max(0.0, 1.0 - own / (w * w * M[i, i]))
                if share and abs(gain * gear) > 1e-9:
                    K[row, u, dofs] = share * w * w * M[i, dofs] / (gain * gear)
                    K[row, u, np.add(dofs, m.nv)] = 2 * DAMPED / w * K[row, u, dofs]
    return K


def servo_gains(model):
    """(nu, nv): how much a control must grow for its own servo to hold a joint further by one; zero of motors."""
    m, out = model, np.zeros((model.nu, model.nv))
    for i, u in driven(m).items():
        slope = m.actuator_gainprm[u, 0] * m.actuator_gear[u, 0]
        if abs(slope) > 1e-9:
            out[u, i] = -m.actuator_biasprm[u, 1] * m.actuator_gear[u, 0] ** 2 / slope
    return out


def period(model, qpos, dofs):
    """s: of the controls that move these dofs, a fifth of the turn of their fastest servo, within `PERIODS`."""
    m, sim, fastest = model, Simulator(model), 0.0
    sim.reset(qpos)
    sim.forward()
    mass = sim.data.mass_matrix()
    for i, u in driven(m).items():
        if i in dofs:
            stiffness = -m.actuator_biasprm[u, 1] * m.actuator_gear[u, 0] ** 2
            fastest = max(fastest, np.sqrt(max(stiffness, 0.0) / mass[i, i]))
    return float(np.clip(0.4 * np.pi / max(fastest, 1e-9), *PERIODS))
