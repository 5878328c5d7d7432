"""Ways to targets, one after the other, that a robot keeps to: what it cannot follow is tried more slowly."""

from typing import NamedTuple

import numpy as np

from controllers.linear_feedback import LinearFeedback
from controllers.tasks.forces import gains_along
from controllers.tasks.kinematics import points
from controllers.tasks.way import SETTLING, Way, slowed, ways_to
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.simulator import Simulator

BETWEEN = 0.1  # s at a target before the next one
SLOWER = 1.0, 1.4, 2.0, 2.8, 4.0  # times as long
NEAR, STILL = 1e-3, 0.02  # m, rad/s or m/s: the way has led to its goal


class Aim(NamedTuple):
    """way: to all targets. place (steps + 1, 3 k): where the points are to be, not a number where they are on their
    way; None of one target. gains (steps, nu, 2 nv + na): feedback about the way, as LinearFeedback's K. missed: m, how
    far from its goal the way leads where it is simulated; inf where the robot does not rest there. tried: physics
    steps."""

    way: Way
    place: np.ndarray | None
    gains: np.ndarray
    missed: float
    tried: int


def aim_at(model, name, targets, quat, start, ctrl0, steps, dt, frame_skip, seed, needed):
    """The Aim at `targets` (n, 3 k) with k points `name`, a name or a list of them; None where there is no way to such
    points. The fastest way that the robot keeps to where it is simulated, in `steps` control steps of `dt` s at most;
    where it keeps to none the one that ends nearest. start (nq,); ctrl0, quat, seed: as in `way_to`. needed: a function
    of the arrival, s, that says how many steps the run has."""
    ways, begin, each = [], start, steps // len(targets)
    for target in targets:
        ways.append(ways_to(model, name, target, begin, ctrl0, each, dt, seed, quat))
        if ways[-1] is None:
            return None
        begin = ways[-1][-1].goal
    found, tried = [], 0
    for factor in SLOWER:
        slower = ways if factor == 1 else [[slowed(model, w, factor, ctrl0, dt) for w in legs] for legs in ways]
        if found and max(sum(leg.arrival for leg in legs) for legs in slower) + SETTLING > each * dt:
            break
        way, place = _in_turn(slower, targets, dt, needed)
        gains = gains_along(model, way.qpos[:-1], way.qvel[:-1], dt)
        missed = _missed(model, points(model, name), way, gains, frame_skip)
        tried += len(way.ctrl) * frame_skip
        found.append(Aim(way, place, gains, missed, tried))
        if missed <= NEAR:
            break
    return min(found, key=lambda aim: aim.missed)._replace(tried=tried)


def _in_turn(ways, targets, dt, needed):
    """(Way, place of an Aim) of [Way, ...] to each target, one after the other."""
    way, held = None, []
    for legs in ways:
        for k, leg in enumerate(legs):
            way = leg if way is None else way.then(leg, dt, 0.0 if k else BETWEEN)
        held.append(way.arrival)
    steps = min(needed(way.arrival), len(way.ctrl))
    way = way.cut(steps)
    if len(ways) == 1:
        return way, None
    time = np.arange(steps + 1) * dt
    place = np.full((steps + 1, targets.shape[1]), np.nan)
    for target, there in zip(targets, held, strict=True):
        place[(time >= there) & (time <= there + BETWEEN)] = target
    place[time >= there] = target
    return way._replace(arrival=0.0), place


def _missed(model, point, way, gains, frame_skip):
    """How far from the goal of a way the robot is that follows it."""
    follow = LinearFeedback(model, gains, way.qpos[:-1], way.qvel[:-1], ctrl=way.ctrl)
    sim = Simulator(model)
    places = []
    try:
        sim.reset(way.qpos[0])
        end = Tape(sim, len(way.ctrl), frame_skip).rollout(follow)
        for qpos in (end.qpos[-1, 0], way.qpos[-1]):
            sim.reset(qpos)
            sim.forward()
            places.append(point.place(sim.data)[0].copy())
    except (DivergenceError, ContactOverflowError):
        return np.inf
    rests = np.abs(end.qvel[-1, 0, way.dofs]).max() < STILL
    return float(np.linalg.norm(places[0] - places[1])) if rests else np.inf
