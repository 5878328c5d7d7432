"""The plan that makes a robot walk, from its model alone: BacktrackingMPC on the cost Walk."""

from typing import Any

import numpy as np

from controllers.backtracking import BacktrackingMPC
from controllers.stance import Stance
from engine.model import Model, ModelError, require_model
from engine.objectives import Walk, find_root

PERIOD = 0.02  # s, of one control, as far as the robot's timestep allows
CARRIED_OUT = 0.1  # s, of each plan
HORIZON = 0.8  # s
ITERATIONS = 4  # of iLQR for each plan, at most
CAUTIOUS = (0.75, 0.5, 0.3)  # of the speed, where the robot fell once, twice, ...
SPARK = 0.2  # standard deviation of the first controls, of half their range


def plan_period(model):
    """Physics steps with one control."""
    return max(1, round(PERIOD / model.opt.timestep))


def walk_plan(
    model: Model, start: Any, seconds: Any, speed: Any = None, *, horizon: Any = HORIZON, seed: int = 0,
    measure: Any = None, stance: Any = None,
) -> Any:  # fmt: skip
    """BacktrackingMPC that makes `model` walk along +x for at least so many seconds, in whole pieces of `CARRIED_OUT`.

    start: (qpos, qvel). speed: m/s, 0: it stands; default what suits the robot's size. horizon: s. seed: of all noise.
    measure: as in MPC. stance: the robot's Stance, default that under its start. The robot needs a root to walk with
    (`engine.objectives.find_root`) and actuators, else ModelError.
    """
    if not require_model(model).nu:
        raise ModelError("walking needs actuators; this model has none")
    find_root(model, "walking")
    s = stance or Stance(model, start[0])
    speed = s.walking_speed() if speed is None else speed
    frame_skip = plan_period(model)
    dt = frame_skip * model.opt.timestep
    every, rows = max(1, round(CARRIED_OUT / dt)), max(2, round(horizon / dt))
    pieces = int(np.ceil(round(seconds / dt) / every))
    noise = SPARK * np.random.default_rng(seed).normal(size=(rows, model.nu))
    costs = [walk_cost(s, share * speed) if speed else stand_cost(s) for share in (1.0, *CAUTIOUS)]
    return BacktrackingMPC(model, costs[0], rows, pieces * every, frame_skip, min(every, rows), ITERATIONS, start,
                           s.ctrl + s.scale * noise, measure=measure, upright=s.upright, cautious=costs[1:],
                           seed=seed)  # fmt: skip


def walk_cost(stance, speed):
    """Walk, at `speed` (m/s), of a robot that stands so."""
    s = stance
    return Walk(s.model, s.qpos, speed, size=s.height, ctrl0=s.ctrl, ctrl_scale=s.scale)


def stand_cost(stance):
    """The same for standing where it is: no way of moving is cheaper than another."""
    s = stance
    return Walk(s.model, s.qpos, 0.0, size=s.height, ctrl0=s.ctrl, ctrl_scale=s.scale, root=1.0, crouch=1.0)
