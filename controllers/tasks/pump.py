"""How a swing-up begins: energy is pumped into the robot until it has that of its goal at rest.

Astrom and Furuta: Swinging up a pendulum by energy control, Automatica 36 (2000): what an actuator gives is force times
velocity, so it pushes the way that its joint moves while energy lacks, and against it where there is too much. Where a
hinge is not driven a driven one would only spin; it then also swings to and fro with that hinge's velocity (Spong: The
swing up control problem for the acrobot, IEEE Control Systems 15, 1995).
"""

import numpy as np

from controllers.stance import control_scale
from controllers.tasks.kinematics import driven
from controllers.tasks.upright import height_of
from engine.model.constants import HINGE
from engine.simulator import Simulator

WORLDS = 64  # the first half pushes, the second swings
EAGER = np.geomspace(1.0, 20.0, 8)  # of the full force for all that lacks: where pumping eases off
STRONG = (1.0, 0.8, 0.6, 0.4)  # of the largest force
KICK = 0.2  # s, with full force, since nothing moves yet
SWING = (0.6, 1.0, 1.5, 2.0)  # rad, of a driven hinge, to both sides
STIFF = np.geomspace(0.5, 8.0, 8)  # of the largest force, for a rad beside that
SLOW = 0.3  # rad/s or m/s: below this the force is less than full
CANDIDATES, ENDS = 6, 24  # ways that end at one time, or each at its own
PARTS = 3  # of the time, in each of which every world has an end
AS_NEAR = 4.0  # times the least distance of all times is as good, where it is earlier


def pumped(model, goal, start, frame_skip, steps, P, tail=None):
    """(goal, [controls (n, nu), ...]): ways from `start`, (qpos, qvel), of which the first ends nearest to the goal by
    x'Px, or nearly so and earlier, of all times and worlds within `steps` control steps; the others are of its length.
    The goal, whole turns of hinges without limits added, is the one that the first comes to. None where no hinge or
    slide is driven. tail: where the first is longer, the others are those that come nearest of all from so many steps
    on, each as long as it takes."""
    m, act = model, driven(model)
    if not act:
        return None
    dofs, actuators = list(act), list(act.values())
    sim, dt = Simulator(m, WORLDS), frame_skip * m.opt.timestep
    sim.reset(*start)
    sign = np.sign(m.actuator_gear[actuators, 0])
    full, half = control_scale(m)[actuators], WORLDS // 2
    scale = full * np.tile(np.repeat(STRONG, len(EAGER)), 2)[:, None]
    eager = np.tile(EAGER, 2 * len(STRONG))
    loose = [i for i in m.jnt_dofadr[m.jnt_type == HINGE] if i not in act]
    swing, stiff = np.repeat(SWING, len(STIFF))[:, None], np.tile(STIFF, len(SWING))[:, None]
    sim.forward()
    inertia = np.diag(sim.data.mass_matrix())[dofs]
    force = full * np.abs(m.actuator_gainprm[actuators, 0] * m.actuator_gear[actuators, 0])
    damping = 1.4 * np.sqrt(stiff * inertia / np.maximum(force, 1e-9))
    wanted, low = (height_of(m, Simulator(m), q)[0] for q in (goal, start[0]))
    free = m.jnt_qposadr[(m.jnt_type == HINGE) & ~np.asarray(m.jnt_limited, bool)]
    ctrl, off = np.zeros((steps, WORLDS, m.nu)), np.zeros((steps, WORLDS))
    turns = np.zeros((steps, WORLDS, m.nq))
    for t in range(steps):
        sim.forward()
        d = sim.data
        away = d.qpos - goal
        turns[t][:, free] = np.round(away[:, free] / (2 * np.pi))
        x = np.concatenate([away - 2 * np.pi * turns[t], d.qvel], axis=1)
        off[t] = np.einsum("wi,ij,wj->w", x, P, x)
        moving = np.array([0.5 * v @ d.mass_matrix(w) @ v for w, v in enumerate(d.qvel)])
        lack = (wanted - moving - _potential(m, d)) / max(wanted - low, 1e-9)
        want = np.clip(eager * lack, -1.0, 1.0)[:, None]
        push = want * np.tanh(d.qvel[:, dofs] / SLOW)
        if loose:
            to = swing * want[half:] * np.tanh(d.qvel[half:, loose[:1]] / 1.0)
            q = np.remainder(d.qpos[half:, m.jnt_qposadr[m.dof_jntid[dofs]]] + np.pi, 2 * np.pi) - np.pi
            bent = goal[m.jnt_qposadr[m.dof_jntid[dofs]]]
            push[half:] = np.clip(stiff * (to + bent - q) - damping * d.qvel[half:, dofs], -1.0, 1.0)
        ctrl[t][:, actuators] = scale * sign * (push if t * dt > KICK else 1.0)
        d.ctrl[:] = ctrl[t]
        sim.step(frame_skip)
    first = max(1, round(KICK / dt))
    t = first + int(np.argmax(off[first:].min(axis=1) <= AS_NEAR * off[first:].min()))
    w = int(np.argmin(off[t]))
    if tail is not None and t > tail:
        return goal + 2 * np.pi * turns[t, w], _ends(ctrl, off, turns, (t, w), tail)
    others = np.argsort(off[t] + 1e12 * (turns[t] != turns[t, w]).any(axis=1), kind="stable")
    return goal + 2 * np.pi * turns[t, w], [ctrl[:t, k] for k in others[:CANDIDATES]]


def _ends(ctrl, off, turns, best, tail):
    """[controls (n, nu), ...] of the world and time `best`, then of others that come near to the same goal."""
    off = np.where((turns == turns[best]).all(axis=2), off, np.inf)
    found = []
    for rows in np.array_split(np.arange(tail, len(off)), PARTS):
        times = rows[np.argmin(off[rows], axis=0)]
        found += [(off[t, w], t, w) for w, t in enumerate(times) if np.isfinite(off[t, w])]
    return [ctrl[:t, w] for t, w in [best, *((t, w) for _, t, w in sorted(found)[:ENDS])]]


def _potential(m, d):
    return -(d.xipos @ np.asarray(m.opt.gravity)) @ np.asarray(m.body_mass)
