"""How a robot with legs stands: a linear regulator about the pose in which its legs carry it.

The regulator minimises energies: of the velocities, of where it is turned and moved by as if that swung like a pendulum
of its height, and of the controls a share of what lifts the robot by its height.
"""

import numpy as np

from controllers.riccati import settled
from controllers.tasks.trot import Pace
from engine.model.coordinates import difference, displace
from engine.simulator import Simulator

SETTLING = 0.3  # s, in which it sinks onto its feet
FIRM = Pace(0.0, lift=0.0, crouch=0.0, push=1.0, stiff=2.0)
SHARE = 1e-3  # of the controls' price
ROUNDS = 1500
STEP = 1e-6  # of differences


def hold(stepper, frame_skip):
    """(qpos, ctrl, gains (nu, nx)) of the regulator with which the robot of a Stepper stands."""
    s, m = stepper, stepper.model
    (qpos, ctrl), firm = s.rest(FIRM), s.gait(FIRM).gains[0]
    sim = Simulator(m)
    sim.reset(qpos)
    for _ in range(max(1, round(SETTLING / (frame_skip * m.opt.timestep)))):
        x = np.concatenate([difference(m, sim.data.qpos[0], qpos), -sim.data.qvel[0], np.zeros(m.na)])
        sim.data.ctrl[0] = ctrl + firm @ x
        sim.step(frame_skip)
    qpos, ctrl = sim.data.qpos[0].copy(), sim.data.ctrl[0].copy()
    A, B = slopes(m, qpos, ctrl, frame_skip)
    sim.reset(qpos)
    sim.forward()
    mass, Q = sim.data.mass_matrix(0), np.zeros_like(A)
    Q[: m.nv, : m.nv], Q[m.nv : 2 * m.nv, m.nv : 2 * m.nv] = mass / s.time**2, mass
    most = s.most_controls()
    R = SHARE * s.weight * s.stance.height / most**2
    return qpos, ctrl, settled(A, B, Q, np.diag(R), ROUNDS)[0]


def slopes(m, qpos, ctrl, frame_skip):
    """A (nx, nx), B (nx, nu) of a control step at rest in `qpos`, as `sim.linearize`, by central differences: once for
    a robot, where a linearised step would be a kernel to compile."""
    nv, n = m.nv, 2 * m.nv + m.na + m.nu
    way = STEP * np.concatenate([np.eye(n), -np.eye(n)])
    sim = Simulator(m, 2 * n)
    sim.reset(displace(m, qpos, way[:, :nv]), way[:, nv : 2 * nv])
    sim.data.act[:] = way[:, 2 * nv : n - m.nu]
    sim.data.ctrl[:] = ctrl + way[:, n - m.nu :]
    sim.step(frame_skip)
    d = sim.data
    x = np.concatenate([difference(m, qpos, d.qpos), d.qvel, d.act], axis=1)
    D = (x[:n] - x[n:]).T / (2 * STEP)
    return D[:, : n - m.nu], D[:, n - m.nu :]
