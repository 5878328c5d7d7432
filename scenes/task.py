"""Tasks: what a robot sees, what it is paid for, and when its episode is over. NumPy, for any number of worlds at once.

All arrays may have leading axes (worlds, steps, ...) before the last one; results have the same leading axes.
"""

from dataclasses import dataclass

import numpy as np

_ANY = (-np.inf, np.inf)


class Task:
    """Base of all tasks: sees the whole state and goes on as long as it is finite; `reward` is up to the task."""

    def observation(self, qpos, qvel):
        """What a policy sees, (..., size)."""
        return np.concatenate([qpos, qvel], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        """(reward, its terms by name), each (...): for holding `ctrl` for `dt` seconds from one state to the next."""
        raise NotImplementedError

    def terminated(self, qpos, qvel):
        """Does the episode end here, before its time is over? Booleans (...)."""
        return ~(np.isfinite(qpos).all(axis=-1) & np.isfinite(qvel).all(axis=-1))

    def position(self, qpos):
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
    """

    horizontal: int = 1
    forward_weight: float = 1.0
    ctrl_weight: float = 0.0
    healthy_reward: float = 0.0
    healthy_z: tuple[float, float] = _ANY
    healthy_angle: tuple[float, float] = _ANY
    healthy_state: tuple[float, float] = _ANY
    velocity_clip: float = np.inf

    def observation(self, qpos, qvel):
        if self.velocity_clip < np.inf:
            qvel = np.clip(qvel, -self.velocity_clip, self.velocity_clip)
        return np.concatenate([np.asarray(qpos)[..., self.horizontal :], qvel], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        velocity = (np.asarray(qpos_after)[..., 0] - np.asarray(qpos_before)[..., 0]) / dt
        terms = {
            "forward": self.forward_weight * velocity,
            "ctrl": -self.ctrl_weight * np.square(ctrl).sum(axis=-1),
        }
        if self.healthy_reward:
            terms["survive"] = self.healthy_reward * self.healthy(qpos_after, qvel_after)
        return sum(terms.values()), terms

    def healthy(self, qpos, qvel):
        """Is the robot still on its feet? Booleans (...); never in a state that is not finite."""
        qpos, state = np.asarray(qpos), np.concatenate([qpos, qvel], axis=-1)
        healthy = np.isfinite(state).all(axis=-1)
        for value, bounds in ((qpos[..., self.horizontal], self.healthy_z), (qpos[..., 2], self.healthy_angle)):
            if bounds != _ANY:
                healthy = healthy & _within(value, bounds)
        if self.healthy_state != _ANY:
            healthy = healthy & _within(state[..., 2:], self.healthy_state).all(axis=-1)
        return healthy

    def terminated(self, qpos, qvel):
        return ~self.healthy(qpos, qvel)

    def position(self, qpos):
        qpos = np.asarray(qpos)
        return {axis: qpos[..., i] for i, axis in enumerate("xy"[: self.horizontal])}


def _within(value, bounds):
    return (bounds[0] < value) & (value < bounds[1])
