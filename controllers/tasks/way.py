"""The way to a pose: straight in joint space, smooth in time, as fast as the actuators allow, past what it would hit.

Flash and Hogan: The coordination of arm movements, Journal of Neuroscience 5 (1985): of all motions from rest to rest
in a given time the one with the least jerk, s = 10 x^3 - 15 x^4 + 6 x^5.
"""

from typing import NamedTuple

import numpy as np

from controllers.tasks.forces import controls_for, forces_along, wanted_forces
from controllers.tasks.kinematics import NEAR, driven, points, ranges, reaching
from engine.model.constants import FREE, HINGE
from engine.model.coordinates import difference
from engine.simulator import Simulator

STARTS = 24  # of the inverse kinematics: the start, and random poses
SAMPLES = 24  # of a way, at which it is judged
DURATIONS = np.geomspace(0.25, 4.0, 25)  # s, that are tried
SHARE, LITTLE = 0.8, 0.02  # of the actuators' ranges, at most; and beyond what rest takes
SETTLING = 0.25  # s, at the least, of rest at the end
POSES, DIFFERENT = 5, 0.05  # so many ends are judged, which differ by so much, rad or m
DEEP = 1e-3  # m: less is no collision
DETOURS = 60  # poses that a way is led round by


class Way(NamedTuple):
    """qpos (rows, nq), qvel (rows, nv): the motion of the hinges and slides `dofs`. ctrl (rows - 1, nu): what makes it.
    goal (nq,): where it ends. away: how far (m) the point is from the target there. arrival: s. share: of the
    actuators' ranges, the most. touches: whether it hits something that the start does not touch."""

    qpos: np.ndarray
    qvel: np.ndarray
    ctrl: np.ndarray
    dofs: np.ndarray
    goal: np.ndarray
    away: float
    arrival: float
    share: float
    touches: bool

    def then(self, other, dt, rest):
        """This way, a rest of so many seconds at its end, and another one from there."""
        first = self.cut(min(int(np.ceil((self.arrival + rest) / dt)), len(self.ctrl)))
        arrays = {n: np.concatenate([getattr(first, n)[: len(first.ctrl)], getattr(other, n)]) for n in
                  ("qpos", "qvel", "ctrl")}  # fmt: skip
        return other._replace(**arrays, away=max(self.away, other.away), arrival=len(first.ctrl) * dt + other.arrival,
                              share=max(self.share, other.share), touches=self.touches or other.touches)  # fmt: skip

    def cut(self, steps):
        """The first so many control steps of it."""
        return self._replace(qpos=self.qpos[: steps + 1], qvel=self.qvel[: steps + 1], ctrl=self.ctrl[:steps])


def smooth(x):
    """(s, s', s'') of the motion with the least jerk at shares x of its time, which stays at its ends."""
    x = np.clip(x, 0.0, 1.0)
    return (x**3 * (10 - 15 * x + 6 * x**2), 30 * x**2 * (1 - x) ** 2, 60 * x * (1 - x) * (1 - 2 * x))


def way_to(model, name, target, start, ctrl0, steps, dt, seed=0, quat=None):
    """The Way of the site, body or geom `name` from `start` (nq,) to `target` (3,) in `steps` control steps of `dt` s;
    of a list of k such points, to a target (3 k,).

    ctrl0 (nu,): of the actuators that do not move it. Of the poses that reach the target, from `STARTS` beginnings, the
    one that is there first, without touching anything on the way. None where no joint with an actuator of its own moves
    the point, or where the robot's base is free. quat (4,): how its frame is to be turned there, in the world.
    """
    m, point, actuated = model, points(model, name), driven(model)
    dofs = [i for i in point.dofs if i in actuated]
    if not dofs or FREE in m.jnt_type[m.dof_jntid[point.dofs]]:
        return None
    start, target = np.asarray(start, float), np.asarray(target, float)
    goals, away = poses_to(m, point, target, start, dofs, np.random.default_rng(seed), quat)
    found = [judged(m, start, goal, ctrl0, steps * dt) for goal in goals]
    best = min(found, key=lambda j: (j.touches, j.slow, j.arrival))
    idle = np.zeros((steps, m.nu))
    way = Way(None, None, idle, np.array(dofs), best.goal, away, best.arrival, best.share, best.touches)
    return _timed(m, way, start, ctrl0, dt)


def ways_to(model, name, target, start, ctrl0, steps, dt, seed=0, quat=None):
    """[Way] as `way_to` finds it; where it touches something two of them, by a pose at which the robot rests, if there
    is one from which both are free. None where there is no way to such a point."""
    direct = way_to(model, name, target, start, ctrl0, steps, dt, seed, quat)
    if direct is None or not direct.touches:
        return direct and [direct]
    m, rng, dofs = model, np.random.default_rng(seed), direct.dofs
    goals, away = poses_to(m, points(m, name), np.asarray(target, float), start, dofs, rng, quat, STARTS)
    found = _round(m, np.asarray(start, float), goals, dofs, rng)
    if found is None:
        return [direct]
    legs, idle = [], np.zeros((steps, m.nu))
    for begin, goal in zip(found[:-1], found[1:], strict=True):
        j = judged(m, begin, goal, ctrl0, 0.5 * steps * dt)
        legs.append(_timed(m, Way(None, None, idle, dofs, goal, away, j.arrival, j.share, False), begin, ctrl0, dt))
    return legs


def _round(m, start, goals, dofs, rng):
    """(start, pose, goal), straight between which nothing is touched that the start does not touch; None where none of
    `DETOURS` poses is such. They lie about the middle of the way first, then anywhere."""
    at, low, high = ranges(m, dofs)
    low, high = np.maximum(low, start[at] - np.pi), np.minimum(high, start[at] + np.pi)
    sim, x = Simulator(m, SAMPLES), smooth(np.linspace(0.0, 1.0, SAMPLES))[0][:, None]
    first = _pairs(m, sim, np.tile(start, (SAMPLES, 1)))[0]
    free = [goal for goal in goals if not _pairs(m, sim, np.tile(goal, (SAMPLES, 1)))[0] - first]
    for k in range(DETOURS if free else 0):
        goal, wide = free[k % len(free)], (k + 1) / DETOURS
        pose = 0.5 * (start + goal)
        pose[at] = np.clip(pose[at] + wide * rng.uniform(-0.5, 0.5, len(at)) * (high - low), low, high)
        if all(not found - first for a, b in ((start, pose), (pose, goal))
               for found in _pairs(m, sim, a + x * (b - a))):  # fmt: skip
            return start, pose, goal
    return None


def slowed(model, way, factor, ctrl0, dt):
    """The same Way, `factor` times as long, in as many control steps of `dt` s; share: of these."""
    return _timed(model, way._replace(arrival=factor * way.arrival, share=None), way.qpos[0], ctrl0, dt)


def _timed(m, way, start, ctrl0, dt):
    """A Way from `start` with its motion and controls, of which its goal and arrival are known."""
    x, tangent = np.arange(len(way.ctrl) + 1) * dt / way.arrival, difference(m, start, way.goal)
    qpos, qvel, _ = states_on(start, way.goal, tangent, x, way.arrival)
    states = states_on(start, way.goal, tangent, 0.5 * (x[:-1] + x[1:]), way.arrival)  # amid the controls
    ctrl, share = controls_for(m, forces_along(m, *states), *states, ctrl0)
    most = float(share.max(initial=0.0)) if way.share is None else way.share
    return way._replace(qpos=qpos, qvel=qvel, ctrl=ctrl, share=most)


def poses_to(m, point, target, start, dofs, rng, quat=None, most=POSES):
    """(poses, away): at most so many in which the point is as near to the target as it gets, those next to the start
    first; m."""
    at, low, high = ranges(m, dofs)
    bounded = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(bounded, low, start[at] - np.pi), np.where(bounded, high, start[at] + np.pi)
    starts = np.tile(start, (STARTS, 1))
    starts[1:, at] = rng.uniform(low, high, (STARTS, len(dofs)))[1:]
    goals, away = reaching(Simulator(m, STARTS), point, target, starts, dofs, quat)
    turning = at[(m.jnt_type[m.dof_jntid[dofs]] == HINGE) & ~bounded]
    goals[:, turning] = start[turning] + (goals[:, turning] - start[turning] + np.pi) % (2 * np.pi) - np.pi
    good = np.flatnonzero(away <= max(NEAR, away.min() + NEAR))
    far, kept = np.abs(goals[:, at] - start[at]).max(axis=1), []
    for k in good[np.argsort(far[good], kind="stable")]:
        if all(np.abs(goals[k, at] - other[at]).max() > DIFFERENT for other in kept):
            kept.append(goals[k])
    return kept[:most], float(away.min())


def states_on(start, goal, tangent, x, seconds):
    """qpos, qvel, qacc at shares x of a straight way of so many seconds."""
    s, v, a = (e[:, None] for e in smooth(x))
    return start + s * (goal - start), v / seconds * tangent, a / seconds**2 * tangent


class Judged(NamedTuple):
    """What came of a way: whether it touches something, asks for more than the actuators have; s; share; its end."""

    touches: bool
    slow: bool
    arrival: float
    share: float
    goal: np.ndarray


def judged(m, start, goal, ctrl0, seconds, actuators=slice(None)):
    """The fastest straight way from start to goal that leaves these actuators something, within so many seconds."""
    sim, tangent = Simulator(m, SAMPLES), difference(m, start, goal)
    x = np.linspace(0.0, 1.0, SAMPLES)
    qpos, qvel, qacc = states_on(start, goal, tangent, x, 1.0)
    rest = wanted_forces(sim, qpos, 0 * qvel, 0 * qacc)
    touches = _touching(m, sim)
    moving = wanted_forces(sim, qpos, qvel, qacc) - rest  # grow with the square of the velocity
    longest = max(seconds - SETTLING, 0.5 * seconds)
    # no slowness helps an actuator that is near the end of its range, or beyond, at rest: motion may take half of what
    # is left, or a little
    still = controls_for(m, rest, qpos, 0 * qvel, 0 * qacc, ctrl0)[1][:, actuators].max(axis=0, initial=0.0)
    most = np.maximum(SHARE, np.maximum(0.5 * (1.0 + still), still + LITTLE))
    for T in [*DURATIONS[DURATIONS < longest], longest]:
        share = controls_for(m, rest + moving / T**2, qpos, qvel / T, qacc / T**2, ctrl0)[1][:, actuators]
        if (share.max(axis=0, initial=0.0) < most).all():
            break
    most = float(share.max(initial=0.0))
    return Judged(touches, most > 1.0, float(T), most, goal)


def _touching(m, sim):
    """Whether a row has a contact between bodies that do not touch in the first row."""
    rows = _deep(m, sim)
    return any(r - rows[0] for r in rows)


def _pairs(m, sim, qpos):
    """[{(body, body), ...}, ...]: what touches in each of these poses."""
    sim.reset(qpos)
    sim.forward()
    return _deep(m, sim)


def _deep(m, sim):
    """[{(body, body), ...}, ...]: what lies in each other, of each world."""
    rows = []
    for w in range(sim.worlds):
        c = sim.data.contacts(w)
        deep = c["dist"] < -DEEP
        rows.append({(int(m.geom_bodyid[a]), int(m.geom_bodyid[b])) for a, b in
                     zip(c["geom1"][deep], c["geom2"][deep], strict=True)})  # fmt: skip
    return rows
