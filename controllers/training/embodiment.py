"""What a policy sees of a robot and what it moves, from the model alone, and the model that it learns on.

A policy sees what a real robot has: joint positions and velocities, the direction of gravity and the angular velocity
in its trunk, what it is told (a command or a target), its last action and a clock. It moves servos: an action is an
offset of their targets from the home pose. A motor of a joint becomes a servo whose gains suit the robot; who runs the
policy makes its force, kp (target - q) - kd v within the motor's range, at each step. What is neither is driven as it
is, about what holds it.
"""

import numpy as np
import torch

from controllers.stance import control_scale, holding
from engine.model import ModelError
from engine.model.constants import BALL, DISCRETE, DYN_NONE, HINGE, IMPLICITFAST, SLIDE, TRN_JOINT
from engine.simulator import Simulator

RATE = 0.02  # s, of a decision
COARSE = 0.005  # s: no longer step of the physics while it learns
TURN, SHARE = 0.5, 0.25  # of an action of one: rad at most, of the joint's range
OMEGA, BEND = 4.0, 0.7  # of servos: natural frequency in pendulums' times; rad at which one asks for all its force
QUICK = 20.0  # rad/s, of a servo of an arm
FIRM = 0.35  # rad, the same of a robot on two feet, which then stands on its ankles
SLOW = 0.12  # of its servos' damping over their stiffness, at least, in pendulums' times
DAMPING = 0.6  # of critical, with the inertia that the joint has in the home pose
SPEEDS = 0.05  # s: joint velocities are seen times this
GYRO = 0.25


class Embodiment:
    """How one robot is learned on.

    model; home (nq,): the pose that actions are about, with the controls `ctrl` (nu,) of the model's own servos.
    carried: kg m^2, what a leg carries, for servos made of motors; None of an arm. base: joints that are no limb's.
    force (nv,): N m or N, what holds the joints at home, which the servos give where an action is zero; default none.
    firm: of a robot that its servos are to hold up on two feet.

    exact: the file's model with servos; learned: the same with a coarse step. substeps, repeat: physics steps of a
    decision, of the learned and of the exact model. center, scale (nu,): an action a asks for the control
    center + scale a of either. slope, yields (nu,): of a servo, its control for a rad or m of its joint, and for a
    N m or N; 0 of what is none. made (nu,): actuators that are servos made of motors, with kp and kd (nu,), N m/rad and
    N m s/rad.
    """

    def __init__(self, model, home, ctrl=None, carried=None, pendulum=None, base=(), force=None, firm=False):
        m, self.model, self.home, self.firm = model, model, np.array(home, float), firm
        self.force = np.zeros(m.nv) if force is None else np.array(force, float)
        if not m.nu:
            raise ModelError("a policy needs actuators; this model has none")
        self.dt = max(1, round(RATE / m.opt.timestep)) * m.opt.timestep
        self.repeat = round(self.dt / m.opt.timestep)
        joints = [j for j in range(m.njnt) if j not in base and m.jnt_type[j] in (HINGE, SLIDE)]
        self.joints = np.array(joints, int)
        self.qposadr, self.dofadr = m.jnt_qposadr[self.joints], m.jnt_dofadr[self.joints]
        self._servos(carried, pendulum)
        self.exact = self._model(coarse=False)
        self.learned = self._model(coarse=True)
        self.substeps = round(self.dt / self.learned.opt.timestep)
        self._actions(ctrl)

    def _servos(self, carried, pendulum):
        """Which actuators become servos, and their gains."""
        m = self.model
        on_joint = np.asarray(m.actuator_trntype) == TRN_JOINT
        kind = np.where(on_joint, m.jnt_type[np.where(on_joint, m.actuator_trnid, 0)], BALL)
        plain = (m.actuator_dyntype == DYN_NONE) & ~m.actuator_biasprm.any(axis=1) & (m.actuator_gainprm[:, 0] != 0)
        plain &= ~m.actuator_gainprm[:, 1:].any(axis=1) & (m.actuator_delay == 0)
        self.made = on_joint & plain & ((kind == HINGE) | (kind == SLIDE)) & (m.actuator_gear[:, 0] != 0)
        self.kp, self.kd = np.zeros(m.nu), np.zeros(m.nu)
        if not self.made.any():
            return
        sim = Simulator(m)
        sim.reset(self.home)
        sim.forward()
        inertia = np.diag(sim.data.mass_matrix(0))
        for u in np.flatnonzero(self.made):
            j = int(m.actuator_trnid[u])
            own = float(inertia[m.jnt_dofadr[j]])
            total = own + (carried or 0.0)
            self.kp[u] = total * (QUICK if pendulum is None else OMEGA / pendulum) ** 2
            self.kp[u] = min(self.kp[u], self.most(u) / (FIRM if self.firm else BEND))
            self.kd[u] = 2 * DAMPING * np.sqrt(self.kp[u] * own)
            if self.firm:
                self.kd[u] = max(self.kd[u], SLOW * pendulum * self.kp[u])

    def most(self, u):
        """The largest force of actuator u on its joint, N m or N; inf where nothing limits it."""
        m, j, most = self.model, int(self.model.actuator_trnid[u]), [np.inf]
        gear = abs(m.actuator_gear[u, 0])
        if m.actuator_forcelimited[u]:
            most.append(gear * np.abs(m.actuator_forcerange[u]).max())
        if m.actuator_ctrllimited[u]:
            most.append(gear * abs(m.actuator_gainprm[u, 0]) * np.abs(m.actuator_ctrlrange[u]).max())
        if m.jnt_actfrclimited[j]:
            most.append(np.abs(m.jnt_actfrcrange[j]).max())
        return float(min(most))

    def _model(self, coarse):
        """A copy with servos for motors; coarse: with the longest step up to COARSE that a decision is a multiple of,
        and an integrator that takes it."""
        m = self.model.copy()
        for u in np.flatnonzero(self.made):
            g, gain = m.actuator_gear[u, 0], m.actuator_gainprm[u, 0]
            if m.actuator_ctrllimited[u]:
                low, high = np.sort(gain * m.actuator_ctrlrange[u])
                if m.actuator_forcelimited[u]:
                    low, high = np.clip((low, high), *m.actuator_forcerange[u])
                m.actuator_forcelimited[u], m.actuator_forcerange[u] = True, (low, high)
                m.actuator_ctrllimited[u], m.actuator_ctrlrange[u] = False, 0.0
            m.actuator_gainprm[u] = self.kp[u] / g, 0.0, 0.0
            m.actuator_biasprm[u] = 0.0, -self.kp[u] / g**2, -self.kd[u] / g**2
        if not coarse:
            return m
        steps = max(1, int(np.ceil(self.dt / max(COARSE, m.opt.timestep) - 1e-9)))
        m.opt.timestep = self.dt / steps
        if m.opt.integrator != DISCRETE:
            m.opt.integrator = IMPLICITFAST
        return m

    def _actions(self, ctrl):
        """What an action of one asks for."""
        m = self.learned
        self.center = holding(m, self.home) if ctrl is None else np.where(self.made, holding(m, self.home), ctrl)
        self.scale, self.slope, self.yields = control_scale(self.model).copy(), *np.zeros((2, m.nu))
        for u in range(m.nu):
            j, gear = int(m.actuator_trnid[u]), m.actuator_gear[u, 0]
            servo = m.actuator_trntype[u] == TRN_JOINT and m.actuator_biasprm[u, 1] != 0 and m.actuator_gainprm[u, 0]
            if not servo or m.jnt_type[j] not in (HINGE, SLIDE):
                continue
            step = TURN if m.jnt_type[j] == HINGE else np.inf
            if m.jnt_limited[j]:
                step = min(step, SHARE * float(np.ptp(m.jnt_range[j])))
            step = step if np.isfinite(step) else 0.1
            self.slope[u] = -m.actuator_biasprm[u, 1] * gear / m.actuator_gainprm[u, 0]
            self.yields[u] = 1.0 / (gear * m.actuator_gainprm[u, 0])
            self.scale[u] = step * abs(self.slope[u])
            self.center[u] += self.yields[u] * self.force[m.jnt_dofadr[j]]
            if m.actuator_ctrllimited[u]:
                self.scale[u] = min(self.scale[u], 0.5 * float(np.ptp(m.actuator_ctrlrange[u])))
                self.center[u] = np.clip(self.center[u], *m.actuator_ctrlrange[u])
        self._center, self._scale = torch.tensor(self.center), torch.tensor(self.scale)
        self._home = torch.tensor(self.home[self.qposadr])
        self._q, self._v = torch.tensor(self.qposadr), torch.tensor(self.dofadr)

    def towards(self, qpos, force):
        """Actions (..., nu) by which servos rest at the joints of qpos (..., nq) where these need force (..., nv), N m
        or N; of other actuators 0."""
        servo = self.slope != 0
        j = np.where(servo, self.model.actuator_trnid, 0)
        at, dof = self.model.jnt_qposadr[j], self.model.jnt_dofadr[j]
        more = (force[..., dof] - self.force[dof]) * self.yields
        return np.where(servo, self.slope * (qpos[..., at] - self.home[at]) + more, 0.0) / self.scale

    def lag(self):
        """s: by which servos follow a target that moves steadily, in the mean; their damping over their stiffness."""
        m = self.learned
        u = np.flatnonzero(self.slope)
        own = m.dof_damping[m.jnt_dofadr[m.actuator_trnid[u]]] / m.actuator_gear[u, 0] ** 2
        lags = (m.actuator_biasprm[u, 2] - own) / m.actuator_biasprm[u, 1]
        return float(np.mean(lags)) if len(u) else 0.0

    def control(self, action):
        """Controls (..., nu) of the learned model for actions (..., nu)."""
        return self._center + self._scale * action

    def joints_seen(self, qpos, qvel):
        """Joint positions from home (rad, m) and velocities times SPEEDS, (..., 2 joints)."""
        return torch.cat([qpos[..., self._q] - self._home, SPEEDS * qvel[..., self._v]], dim=-1)

    def spec(self):
        """What a program needs to run a policy on this robot, by names, as plain values."""
        m, joints = self.model, [self._called("joint", int(j)) for j in self.joints]
        name = [self._called("actuator", u) for u in range(m.nu)]
        moved = [self._called("joint", int(m.actuator_trnid[u])) if self.made[u] else "" for u in range(m.nu)]
        return {
            "dt": self.dt, "joints": joints, "home": self.home[self.qposadr].tolist(), "qpos0": self.home.tolist(),
            "joint_velocity_scale": SPEEDS, "gyro_scale": GYRO, "actuators": name,
            "center": self.center.tolist(), "scale": self.scale.tolist(), "servo_joint": moved,
            "kp": self.kp.tolist(), "kd": self.kd.tolist(),
        }  # fmt: skip

    def _called(self, kind, index):
        """A name; where there is none, "#" and its number."""
        return getattr(self.model, f"{kind}_names")[index] or f"#{index}"
