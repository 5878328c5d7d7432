"""SwingUp: the task of pendulum, double_pendulum and acrobot."""

from dataclasses import dataclass

import numpy as np

from engine.clocks import times_of
from engine.objectives import Effort, Objective
from engine.objectives.objective import durations

from .task import Goal, Task, last_seconds

STANDING = 1.0  # seconds at the end of an episode in which the pendulum must stand


@dataclass(frozen=True)
class SwingUp(Task):
    """Stand upright and still: quadratic costs of the angle to upright (rad), the velocity (rad/s) and the control.

    The hinges' angles add up along the chain; every link has its own angle to upright. What a policy sees is smooth
    where an angle wraps around: the cosines (1 when upright) and sines, and the velocities.
    """

    angle_weight: float = 1.0
    velocity_weight: float = 0.1
    ctrl_weight: float = 0.001
    most_angle: float = 0.1
    most_speed: float = 0.3
    weight: float = 50.0  # how much standing at the end matters in the objective, against standing early
    power: int = 6  # and how suddenly it begins to

    @property
    def goals(self):
        return (
            Goal("largest angle to upright in the last second", "rad", high=self.most_angle),
            Goal("largest joint speed in the last second", "rad/s", high=self.most_speed),
        )

    def measure(self, trajectory):
        k = last_seconds(trajectory, STANDING)
        angle, speed = np.abs(self.angle(trajectory.qpos[k:])), np.abs(trajectory.qvel[k:])
        return np.stack([angle.max(axis=(0, 2)), speed.max(axis=(0, 2))], axis=-1)

    def objective(self, scene):
        return Upright(scene.trial - 1.2 * STANDING, self.weight, self.power) + 1e-3 * Effort()

    def observation(self, qpos, qvel):
        angle = self.angle(qpos)
        return np.concatenate([np.cos(angle), np.sin(angle), qvel], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        terms = {
            "upright": -self.angle_weight * np.square(self.angle(qpos_after)).sum(axis=-1),
            "still": -self.velocity_weight * np.square(qvel_after).sum(axis=-1),
            "ctrl": -self.ctrl_weight * np.square(ctrl).sum(axis=-1),
        }
        return sum(terms.values()), terms

    @staticmethod
    def angle(qpos):
        """Of every link from upright, in [-pi, pi): the model's own angles are zero when all hang."""
        return np.mod(np.cumsum(np.asarray(qpos), axis=-1), 2.0 * np.pi) - np.pi


class Upright(Objective):
    """Integral of sum (1 + cos angle) (1 + weight w) + sum v^2 w^5 over links and joints, w = min(t / begin, 1)^power.

    The closer to the time (s) at which it must stand, the more it matters; speed only matters then. (1 + cos) is zero
    upright and smooth all around. What the end is like counts for another 0.2 s.
    """

    def __init__(self, begin, weight, power):
        self.begin, self.weight, self.power = begin, weight, power

    def evaluate(self, trajectory):
        late = np.minimum(times_of(trajectory)[..., None] / self.begin, 1.0) ** self.power
        dt = durations(trajectory)[..., None]
        dt[-1] = 0.2
        angle, v = np.cumsum(trajectory.qpos, axis=-1), trajectory.qvel
        weight, still = dt * (1.0 + self.weight * late), dt * late**5
        cost = (weight * (1.0 + np.cos(angle)) + still * v**2).sum(axis=(0, 2))
        angle_bar = -weight * np.sin(angle)
        qpos_bar = np.flip(np.cumsum(np.flip(angle_bar, axis=-1), axis=-1), axis=-1)
        return cost, {"qpos": qpos_bar, "qvel": 2.0 * still * v}
