"""Identification as a task: find unknown parameters from what sensors recorded. Of sysid_pendulum and sysid_box.

That of robots from logs of their own is engine/identify/.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from engine.model import Model
from engine.objectives import Sum, Track

from .task import Goal, Task


class Unknown(NamedTuple):
    """A parameter to find: entries of one of the model's differentiable arrays that have one common value."""

    name: str
    array: str  # MuJoCo's name, a key of Simulator.params
    entries: tuple  # an index into that array
    guess: float  # where to begin; what the scene's own model has
    unit: str


class Recording(NamedTuple):
    """What was measured: the sensors with noise, (rows, nsensordata), under known controls (steps, nu)."""

    time: np.ndarray
    ctrl: np.ndarray
    sensordata: np.ndarray


@dataclass(frozen=True)
class Identification(Task):
    """Find `unknowns` so that the robot moves as in the recording; there is no reward to earn on the way.

    real        the robot that made the recording; an estimator must not look at it
    ctrl        (steps, nu) the controls of the recording
    noise       standard deviation of each sensor's error
    """

    unknowns: tuple[Unknown, ...]
    real: Model = field(repr=False)
    ctrl: np.ndarray = field(repr=False)
    frame_skip: int
    noise: float
    qpos0: np.ndarray | None = None
    seed: int = 7
    most_error: float = 0.01

    @property
    def goals(self):
        return tuple(Goal(f"error of {u.name}", "of the real value", high=self.most_error) for u in self.unknowns)

    @cached_property
    def recording(self) -> Recording:
        """Rolled out with the real robot on first use; the noise always comes from the same seed."""
        from engine import Simulator, Tape

        sim = Simulator(self.real)
        sim.reset(self.qpos0)
        trajectory = Tape(sim, len(self.ctrl), self.frame_skip).rollout(self.ctrl)
        clean = trajectory.sensordata[:, 0].copy()
        noise = np.random.default_rng(self.seed).normal(scale=self.noise, size=clean.shape)
        return Recording(trajectory.time.copy(), self.ctrl, clean + noise)

    def measure(self, trajectory):
        """Relative errors of the parameters with which the episode was made: `trajectory.params`, as Simulator.params.

        They are shared by all worlds.
        """
        worlds = trajectory.qpos.shape[1]
        errors = []
        for u in self.unknowns:
            true = np.mean(getattr(self.real, u.array)[u.entries])
            errors.append(abs(np.mean(trajectory.params[u.array][u.entries]) / true - 1.0))
        return np.tile(errors, (worlds, 1))

    def objective(self, scene):
        """Squared errors of the sensors in units of their noise, integrated over the time of the recording."""
        r = self.recording
        sensors = [Track(scene.model, r.sensordata[:, k : k + n], sensor=name) for name, k, n in _columns(scene.model)]
        return 1.0 / self.noise**2 * Sum(*sensors)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        nothing = np.zeros(np.shape(qpos_after)[:-1])
        return nothing, {"none": nothing}


def _columns(model):
    """(name, first column, number of columns) of every sensor."""
    return zip(model.sensor_names, model.sensor_adr, model.sensor_dim, strict=True)
