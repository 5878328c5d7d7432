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

PUSHES, SWINGS = 192, 64  # worlds of a batch
BATCHES = 8  # at most, until one is near enough
EAGER = 1.0, 20.0  # of the full force for all that lacks: where pumping eases off
STRONG = 0.4, 1.0  # of the largest force
KICK = 0.1, 0.5  # s, with full force, since nothing moves yet
SWING = 0.6, 2.0  # rad, of a driven hinge, to both sides
STIFF = 0.5, 8.0  # of the largest force, for a rad beside that
SLOW = 0.3  # rad/s or m/s: below this the force is less than full
CANDIDATES, ENDS = 6, 24  # ways that end at one time, or each at its own
AS_NEAR = 4.0  # times the least distance of all times is as good, where it is earlier


def pumped(model, goal, start, frame_skip, steps, P, tail=None, enough=np.inf, seed=0, counter=None):
    """(goal, [controls (n, nu), ...]): ways from `start`, (qpos, qvel), of which the first ends nearest to the goal by
    x'Px, or nearly so and earlier, of all times and worlds within `steps` control steps; the others are of its length.
    The goal, whole turns of hinges without limits added, is the one that the first comes to. None where no hinge or
    slide is driven. tail: where the first is longer, those that come nearest of all from so many steps on, each as long
    as it takes. enough: of x'Px, with which nothing more is tried. counter: to which the physics steps are added."""
    if not driven(model):
        return None
    rng, batches = np.random.default_rng(seed), []
    while len(batches) < BATCHES and (not batches or min(b[1].min() for b in batches) > enough):
        batches.append(_batch(model, goal, start, frame_skip, steps, P, rng))
        if counter is not None:
            counter.steps += batches[-1][1].size * frame_skip
    ctrl, off, turns = (np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True))
    begun = max(1, round(KICK[1] / (frame_skip * model.opt.timestep)))
    t = begun + int(np.argmax(off[begun:].min(axis=1) <= AS_NEAR * off[begun:].min()))
    w = int(np.argmin(off[t]))
    if tail is not None and t > tail:
        t, w = np.unravel_index(np.argmin(off[tail:]), off[tail:].shape)
        return goal + 2 * np.pi * turns[tail + t, w], _ends(ctrl, off, turns, turns[tail + t, w], tail)
    others = np.argsort(off[t] + 1e12 * (turns[t] != turns[t, w]).any(axis=1), kind="stable")
    return goal + 2 * np.pi * turns[t, w], [ctrl[:t, k] for k in others[:CANDIDATES]]


def _batch(m, goal, start, frame_skip, steps, P, rng):
    """(ctrl (steps, worlds, nu), off, turns (., nq)): runs that pump energy, and how far they are from the goal."""
    act = driven(m)
    dofs, actuators = list(act), list(act.values())
    loose = [i for i in m.jnt_dofadr[m.jnt_type == HINGE] if i not in act]
    first, worlds = PUSHES, PUSHES + SWINGS * bool(loose)
    eager, swing, stiff = (np.exp(rng.uniform(*np.log(x), (worlds, 1))) for x in (EAGER, SWING, STIFF))
    strong, kick = (rng.uniform(*x, (worlds, 1)) for x in (STRONG, KICK))
    swing, stiff = swing[first:], stiff[first:]
    sim, dt = Simulator(m, worlds), frame_skip * m.opt.timestep
    sim.reset(*start)
    sign = np.sign(m.actuator_gear[actuators, 0])
    full = control_scale(m)[actuators]
    sim.forward()
    inertia = np.diag(sim.data.mass_matrix())[dofs]
    force = full * np.abs(m.actuator_gainprm[actuators, 0] * m.actuator_gear[actuators, 0])
    damping = 1.4 * np.sqrt(stiff * inertia / np.maximum(force, 1e-9))
    wanted, low = (height_of(m, Simulator(m), q)[0] for q in (goal, start[0]))
    free = m.jnt_qposadr[(m.jnt_type == HINGE) & ~np.asarray(m.jnt_limited, bool)]
    ctrl, off = np.zeros((steps, worlds, m.nu)), np.zeros((steps, worlds))
    turns = np.zeros((steps, worlds, m.nq))
    for t in range(steps):
        sim.forward()
        d = sim.data
        away = d.qpos - goal
        turns[t][:, free] = np.round(away[:, free] / (2 * np.pi))
        x = np.concatenate([away - 2 * np.pi * turns[t], d.qvel], axis=1)
        off[t] = np.einsum("wi,wi->w", x @ P, x)
        moving = 0.5 * np.einsum("wi,wij,wj->w", d.qvel, d.mass_matrices(), d.qvel)
        lack = (wanted - moving - _potential(m, d)) / max(wanted - low, 1e-9)
        want = np.clip(eager[:, 0] * lack, -1.0, 1.0)[:, None]
        push = want * np.tanh(d.qvel[:, dofs] / SLOW)
        if loose:
            to = swing * want[first:] * np.tanh(d.qvel[first:, loose[:1]] / 1.0)
            q = np.remainder(d.qpos[first:, m.jnt_qposadr[m.dof_jntid[dofs]]] + np.pi, 2 * np.pi) - np.pi
            bent = goal[m.jnt_qposadr[m.dof_jntid[dofs]]]
            push[first:] = np.clip(stiff * (to + bent - q) - damping * d.qvel[first:, dofs], -1.0, 1.0)
        ctrl[t][:, actuators] = full * strong * sign * np.where(t * dt > kick, push, 1.0)
        d.ctrl[:] = ctrl[t]
        sim.step(frame_skip)
    return ctrl, off, turns


def _ends(ctrl, off, turns, same, tail):
    """[controls (n, nu), ...] of the worlds that come nearest to the goal with these whole turns (nq,), nearest first,
    each to when it does."""
    off = np.where((turns == same).all(axis=2), off, np.inf)
    times = tail + np.argmin(off[tail:], axis=0)
    least = off[times, np.arange(off.shape[1])]
    return [ctrl[: times[w], w] for w in np.argsort(least, kind="stable")[:ENDS] if np.isfinite(least[w])]


def _potential(m, d):
    return -(d.xipos @ np.asarray(m.opt.gravity)) @ np.asarray(m.body_mass)
