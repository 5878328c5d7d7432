"""Tasks: what a robot sees, what it is paid for, when its episode is over, and what counts as solved.

NumPy, for any number of worlds at once: arrays may have leading axes (worlds, steps, ...) before the last one, and
results have the same. `measure` and `solved` judge a whole recorded episode, (rows, worlds, ...), of engine.Tape.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from engine.clocks import times_of
from engine.objectives import RunForward

_ANY = (-np.inf, np.inf)
_FEW = 4000  # numbers; longer sums of squares BLAS makes with threads, which then wait by spinning


class Goal(NamedTuple):
    """One number of an episode that must lie within [low, high] for the task to count as solved."""

    name: str
    unit: str
    low: float = -np.inf
    high: float = np.inf

    def __str__(self):
        ends = [f"at least {self.low:g}"] if np.isfinite(self.low) else []
        ends += [f"at most {self.high:g}"] if np.isfinite(self.high) else []
        return f"{self.name} {' and '.join(ends)} {self.unit}".strip()


class Task:
    """Base of all tasks: sees the whole state and goes on as long as it is finite; `reward` is up to the task.

    goals   what `measure` returns must keep all of these
    """

    goals: tuple[Goal, ...] = ()

    def measure(self, trajectory: Any) -> Any:
        """The numbers that `goals` are about, (worlds, goals), of a recorded episode from the scene's start state."""
        raise NotImplementedError(f"{type(self).__name__} has no measure(trajectory), the numbers of its goals")

    def objective(self, scene: Any) -> Any:
        """What a gradient follows: an engine.objectives.Objective of recorded rollouts of this scene."""
        raise NotImplementedError(f"{type(self).__name__} has no objective(scene), which plans and gradients follow")

    def solved(self, trajectory: Any) -> Any:
        """Would a person call this episode solved? Booleans (worlds,): every goal is kept."""
        low, high = (np.array([getattr(g, end) for g in self.goals]) for end in ("low", "high"))
        measured = self.measure(trajectory)
        return ((low <= measured) & (measured <= high)).all(axis=-1)

    def observation(self, qpos: Any, qvel: Any) -> Any:
        """What a policy sees, (..., size)."""
        return np.concatenate([qpos, qvel], axis=-1)

    def reward(self, qpos_before: Any, qvel_before: Any, ctrl: Any, qpos_after: Any, qvel_after: Any, dt: float) -> Any:
        """(reward, its terms by name), each (...): for holding `ctrl` for `dt` seconds from one state to the next."""
        raise NotImplementedError(f"{type(self).__name__} has no reward(...), what a policy is paid for")

    def terminated(self, qpos: Any, qvel: Any) -> Any:
        """Does the episode end here, before its time is over? Booleans (...)."""
        return ~finite(qpos, qvel)

    def outcome(
        self, qpos_before: Any, qvel_before: Any, ctrl: Any, qpos_after: Any, qvel_after: Any, dt: float,
    ) -> Any:  # fmt: skip
        """(reward, its terms, terminated) of a step, for those who need them all: they may have work in common."""
        reward, terms = self.reward(qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt)
        return reward, terms, self.terminated(qpos_after, qvel_after)

    def position(self, qpos: Any) -> dict[str, Any]:
        """Where the robot is, {axis: (...)} in metres, for people who watch; nothing where there is no such thing."""
        return {}


@dataclass(frozen=True)
class Locomotion(Task):
    """Run along +x, stay upright, spare the motors: Gymnasium's locomotion tasks (version 5) as one with numbers.

    horizontal      leading coordinates of qpos that say where the robot is; not seen, so that the way does not matter
    forward_weight  reward of a metre per second along x
    ctrl_weight     cost of the squared controls
    healthy_reward  reward of a control step that ends in a healthy state
    healthy_z       range of the height, the coordinate after the horizontal ones, in a healthy state
    healthy_angle   range of the trunk's pitch qpos[2] there, for planar robots
    healthy_state   range of every coordinate and velocity but the first two there
    velocity_clip   velocities are seen within +- this
    least_speed     of a solved episode along x, m/s, on average from second `settle` to the end
    most_tilt       of the trunk at any time of a solved episode, rad
    least_height    of the trunk, the coordinate after the horizontal ones, at any time of a solved episode
    settle          seconds in which a solved episode may gather speed
    """

    horizontal: int = 1
    forward_weight: float = 1.0
    ctrl_weight: float = 0.0
    healthy_reward: float = 0.0
    healthy_z: tuple[float, float] = _ANY
    healthy_angle: tuple[float, float] = _ANY
    healthy_state: tuple[float, float] = _ANY
    velocity_clip: float = np.inf
    least_speed: float = 1.0
    most_tilt: float = 1.0
    least_height: float = -np.inf
    settle: float = 0.0

    def __init_subclass__(cls, **kwargs):
        """A reward or an end of a task's own counts in its `outcome`."""
        super().__init_subclass__(**kwargs)
        if {"reward", "terminated"} & set(vars(cls)) and "outcome" not in vars(cls):
            cls.outcome = Task.outcome

    @property
    def goals(self) -> Any:
        since = f" after {self.settle:g} s" if self.settle else ""
        height = (Goal("lowest trunk", "m", low=self.least_height),) if np.isfinite(self.least_height) else ()
        return (
            Goal(f"mean speed{since}", "m/s", low=self.least_speed),
            Goal("largest tilt of the trunk", "rad", high=self.most_tilt),
            *height,
        )

    def measure(self, trajectory: Any) -> Any:
        q, time = trajectory.qpos, elapsed(trajectory)
        k = int(np.searchsorted(time, self.settle - 1e-9))
        speed = (q[-1, :, 0] - q[k, :, 0]) / (time[-1] - time[k])
        measured = [speed, tilt(q, self.horizontal).max(axis=0), q[:, :, self.horizontal].min(axis=0)]
        return np.stack(measured[: len(self.goals)], axis=-1)

    def objective(self, scene: Any) -> Any:
        """Speed along x while the robot is on its feet; one that has fallen pays for the time that is left."""
        drop = 0.6 if np.isinf(self.least_height) else 1.0 - self.least_height / scene.qpos0[self.horizontal]
        fall = (self.most_tilt if self.horizontal == 1 else np.sin(self.most_tilt / 2), drop, 1.0)
        return RunForward(scene.model, scene.qpos0, fall=fall)

    def observation(self, qpos: ArrayLike, qvel: ArrayLike) -> Any:
        if self.velocity_clip < np.inf:
            qvel = np.minimum(np.maximum(qvel, -self.velocity_clip), self.velocity_clip)  # half the time of np.clip
        return np.concatenate([np.asarray(qpos)[..., self.horizontal :], qvel], axis=-1)

    def reward(self, qpos_before: Any, qvel_before: Any, ctrl: Any, qpos_after: Any, qvel_after: Any, dt: Any) -> Any:
        healthy = self.healthy(qpos_after, qvel_after) if self.healthy_reward else None
        return self._paid(qpos_before, ctrl, qpos_after, dt, healthy)

    def outcome(self, qpos_before: Any, qvel_before: Any, ctrl: Any, qpos_after: Any, qvel_after: Any, dt: Any) -> Any:
        healthy = self.healthy(qpos_after, qvel_after)
        return *self._paid(qpos_before, ctrl, qpos_after, dt, healthy), ~healthy

    def _paid(self, qpos_before, ctrl, qpos_after, dt, healthy):
        velocity = (coordinate(qpos_after, 0) - coordinate(qpos_before, 0)) / dt
        terms = {
            "forward": self.forward_weight * velocity,
            "ctrl": -self.ctrl_weight * sum_of_squares(ctrl),
        }
        if self.healthy_reward:
            # a float64 times a number is eight times as fast as a bool_ times a number
            terms["survive"] = self.healthy_reward * healthy.astype(float)
        return sum(terms.values()), terms

    def healthy(self, qpos: ArrayLike, qvel: ArrayLike) -> Any:
        """Is the robot still on its feet? Booleans (...); never in a state that is not finite."""
        qpos, qvel = np.asarray(qpos), np.asarray(qvel)
        if qpos.ndim == 1:
            return np.bool_(self._one_healthy(qpos.tolist(), qvel.tolist()))
        size = squares(qpos, qvel)
        healthy = finite(qpos, qvel, size)
        for i, bounds in ((self.horizontal, self.healthy_z), (2, self.healthy_angle)):
            if bounds != _ANY:
                healthy = healthy & _within(qpos[..., i], bounds)
        low, high = self.healthy_state
        # nearly always the sum of all squares tells that each is small enough
        if not size < min(-low, high) ** 2:
            state = np.concatenate([qpos[..., 2:], qvel], axis=-1)
            healthy = healthy & _within(state, (low, high)).all(axis=-1)
        return healthy

    def _one_healthy(self, qpos, qvel):
        """The same of one state, as lists: ten numbers are compared in the time of one NumPy call."""
        (z_low, z_high), (least, most) = self.healthy_z, self.healthy_angle
        if not (z_low < qpos[self.horizontal] < z_high and least < qpos[2] < most):
            return False
        state = qpos[2:] + qvel
        if not abs(qpos[0] + qpos[1] + sum(state)) < np.inf:  # as it is where one of them is not finite
            return False
        low, high = self.healthy_state
        return self.healthy_state == _ANY or low < min(state) and max(state) < high

    def terminated(self, qpos: ArrayLike, qvel: ArrayLike) -> Any:
        return ~self.healthy(qpos, qvel)

    def position(self, qpos: ArrayLike) -> Any:
        return {axis: coordinate(qpos, i) for i, axis in enumerate("xy"[: self.horizontal])}


def coordinate(state, i):
    """Entry i of states (..., n), (...); of one state a number, which NumPy calculates with faster than with arrays."""
    state = np.asarray(state)
    return state[i] if state.ndim == 1 else state[..., i]


def tilt(qpos, horizontal):
    """Angle (rad) of a trunk to upright, (...): of the pitch in qpos[2], or of the quaternion in qpos[3:7]."""
    if horizontal == 1:
        return np.abs(qpos[..., 2])
    quat = qpos[..., 3:7] / np.linalg.norm(qpos[..., 3:7], axis=-1, keepdims=True)
    return np.arccos(np.clip(1.0 - 2.0 * (quat[..., 1] ** 2 + quat[..., 2] ** 2), -1.0, 1.0))


def elapsed(trajectory):
    """Seconds since the first row, (rows,): the same in all worlds, whatever their clocks."""
    time = times_of(trajectory)[:, 0]
    return time - time[0]


def last_seconds(trajectory, seconds):
    """Index of the first row that lies within the last `seconds` of the episode."""
    time = elapsed(trajectory)
    return int(np.searchsorted(time, time[-1] - seconds - 1e-9))


def sum_of_squares(a):
    """Over the last axis; what np.square(a).sum(axis=-1) calls, without the layer between."""
    return np.add.reduce(np.square(a), axis=-1)


def squares(qpos, qvel):
    """Sum of the squares of all numbers. Not finite where one of them is not, or where there are too many to ask so.

    Nearly always it tells that all are finite, or small, in a fifth of the time that a look at each takes.
    """
    if qpos.size > _FEW or qvel.size > _FEW:
        return np.inf
    return np.vdot(qpos, qpos) + np.vdot(qvel, qvel)  # unlike dot, silent about an overflow


def finite(qpos, qvel, size=None):
    """Which states are finite, booleans (...). size: their `squares`, where the caller has them."""
    qpos, qvel = np.asarray(qpos), np.asarray(qvel)
    if (squares(qpos, qvel) if size is None else size) < np.inf:
        return ~np.zeros(qpos.shape[:-1], bool)
    return np.isfinite(qpos).all(axis=-1) & np.isfinite(qvel).all(axis=-1)


def _within(value, bounds):
    return (bounds[0] < value) & (value < bounds[1])
