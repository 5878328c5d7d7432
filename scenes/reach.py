"""Reach and Track: the tasks of a hand at the end of a chain of hinges, for reacher, arm_reach and arm_track."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine import objectives
from engine.clocks import times_of
from engine.objectives.objective import durations

from .task import Goal, Task, elapsed, last_seconds, sum_of_squares


@dataclass(frozen=True)
class Chain:
    """A chain of hinges and the hand at its end, all as in the model: where the hand is for given angles."""

    axes: np.ndarray  # (n, 3), in the frame of the link that the hinge moves
    steps: np.ndarray  # (n, 3): from one hinge to the next in the frame before; the first one from the world's origin
    hand: np.ndarray  # (3,) in the last frame

    @classmethod
    def of(cls, model, site):
        """The chain that ends in a site; every joint of the model must be a hinge at the origin of its body."""
        s = model.site(site)
        steps = np.zeros((model.njnt, 3))
        for body in range(1, model.nbody):
            steps[model.body_jntadr[body]] = model.body_pos[body]
        return cls(model.jnt_axis.copy(), steps, model.site_pos[s].copy())

    def place(self, qpos):
        """Where the hand is, (..., 3) m, for angles (..., n): Rodrigues' formula from the hand back to the root.

        By components, which are Python's floats where there is one state: its hundreds of operations then take the
        time of a few NumPy calls.
        """
        turns = np.cos(qpos), np.sin(qpos)
        cosines, sines = (np.moveaxis(x, -1, 0) if x.ndim > 1 else x.tolist() for x in turns)
        x, y, z = self.hand.tolist()
        for (a, b, c), step, cos, sin in zip(*self._numbers, cosines[::-1], sines[::-1], strict=True):
            along = (1.0 - cos) * (a * x + b * y + c * z)
            x, y, z = (
                step[0] + along * a + cos * x + sin * (b * z - c * y),
                step[1] + along * b + cos * y + sin * (c * x - a * z),
                step[2] + along * c + cos * z + sin * (a * y - b * x),
            )
        return np.stack([x, y, z], axis=-1) if np.ndim(x) else np.array([x, y, z])

    @cached_property
    def _numbers(self):
        """Axes and steps, from the hand to the root."""
        return self.axes[::-1].tolist(), self.steps[::-1].tolist()


class Stay(objectives.Objective):
    """Integral of the hand's squared distance to the target, m^2 s: tenfold from a tenth of a second before `begin` (s)
    on. The last row counts for another tenth of a second.
    """

    def __init__(self, target, begin, sensor):
        self.target, self.begin, self.columns = np.asarray(target), begin - 0.1, slice(sensor, sensor + 3)

    def evaluate(self, trajectory):
        away = trajectory.sensordata[:, :, self.columns] - self.target
        weight = durations(trajectory)
        weight[-1] = 0.1
        weight *= np.where(times_of(trajectory) >= self.begin, 10.0, 1.0)
        bar = np.zeros_like(trajectory.sensordata)
        bar[:, :, self.columns] = 2 * weight[..., None] * away
        return (weight * np.square(away).sum(axis=-1)).sum(axis=0), {"sensordata": bar}


@dataclass(frozen=True)
class Reach(Task):
    """Bring the hand to the target and keep it there: costs of the distance (m), the joints' speed, the control."""

    chain: Chain
    target: tuple[float, float, float]
    distance_weight: float = 1.0
    velocity_weight: float = 1e-3
    ctrl_weight: float = 1e-3
    most_distance: float = 0.01
    staying: float = 0.5  # seconds at the end in which the hand must stay at the target
    sensor: int = 0  # where hand_pos begins in sensordata

    @property
    def goals(self):
        name = f"largest distance of the hand to the target in the last {self.staying:g} s"
        return (Goal(name, "m", high=self.most_distance),)

    def measure(self, trajectory):
        hand = trajectory.sensordata[last_seconds(trajectory, self.staying) :, :, self.sensor : self.sensor + 3]
        return np.linalg.norm(hand - self.target, axis=-1).max(axis=0)[:, None]

    def objective(self, scene):
        m = scene.model
        hand = Stay(self.target, scene.trial - self.staying, self.sensor)
        still = objectives.Reach(m, np.zeros(m.nv), qvel=slice(None), terminal=0.01, running=0.0)
        return hand + still + 1e-4 * objectives.Effort()

    def observation(self, qpos, qvel):
        """Angles, the way from the hand to the target, and velocities."""
        return np.concatenate([qpos, self.target - self.chain.place(np.asarray(qpos)), qvel], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        away = self.chain.place(np.asarray(qpos_after)) - self.target
        terms = {
            "distance": -self.distance_weight * np.sqrt(sum_of_squares(away)),
            "still": -self.velocity_weight * sum_of_squares(qvel_after),
            "ctrl": -self.ctrl_weight * sum_of_squares(ctrl),
        }
        return sum(terms.values()), terms


@dataclass(frozen=True)
class Track(Task):
    """Follow a figure of eight with the hand: x stays, y swings once and z twice in `period` seconds.

    A state does not know the time; what a single reward is about is the distance to the nearest point of the path.
    """

    chain: Chain
    middle: tuple[float, float, float]
    size: tuple[float, float] = (0.2, 0.12)  # half width (y) and half height (z), m
    period: float = 4.0
    ctrl_weight: float = 1e-3
    most_distance: float = 0.02
    settle: float = 1.0  # seconds until the hand must be on the path
    sensor: int = 0

    @property
    def goals(self):
        name = f"largest distance of the hand to the moving target after {self.settle:g} s"
        return (Goal(name, "m", high=self.most_distance),)

    def target(self, time):
        """Where the hand should be at `time` (s), (..., 3) m."""
        angle = 2.0 * np.pi * np.asarray(time) / self.period
        way = np.stack([0 * angle, self.size[0] * np.sin(angle), self.size[1] * np.sin(2 * angle)], axis=-1)
        return np.add(self.middle, way)

    @cached_property
    def _path(self):
        """Points of the path, close together."""
        return self.target(self.period * np.arange(80) / 80)

    def measure(self, trajectory):
        time = elapsed(trajectory)
        k = int(np.searchsorted(time, self.settle - 1e-9))
        hand = trajectory.sensordata[k:, :, self.sensor : self.sensor + 3]
        away = hand - self.target(time[k:])[:, None]
        return np.linalg.norm(away, axis=-1).max(axis=0)[:, None]

    def objective(self, scene):
        return 10.0 * objectives.Track(scene.model, self.target, site="hand") + 1e-4 * objectives.Effort()

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        away = sum_of_squares(self.chain.place(np.asarray(qpos_after))[..., None, :] - self._path)
        terms = {
            "distance": -np.sqrt(np.minimum.reduce(away, axis=-1)),
            "ctrl": -self.ctrl_weight * sum_of_squares(ctrl),
        }
        return sum(terms.values()), terms
