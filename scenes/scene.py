"""Scene: everything that a demo, a benchmark or an RL environment needs to know about one robot at one task."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.model import Model, require_model
from engine.model.coordinates import displace, normalized
from engine.words import counted

from .task import Task

_NOISES = {"velocity_noise": ("uniform", "normal"), "noise_of": ("tangent", "coordinates")}


@dataclass(repr=False)
class Scene:
    """A robot, the state it starts in, and what it should do.

    frame_skip      physics steps during which one control is held
    duration        length of an episode in simulated seconds
    trial           seconds of the episode that `solved` judges; by default all of it
    qpos0, qvel0    the start state; by default the model's rest position, not moving
    reset_noise     positions start within +- this of qpos0 (m, rad), velocities see velocity_noise
    velocity_noise  "uniform" within +- reset_noise, or "normal" with this standard deviation (m/s, rad/s)
    noise_of        "tangent": a quaternion is turned by the noise of positions; "coordinates": each of its entries has
                    its own, as in Gymnasium, and then it is made a unit again
    camera          keyword arguments of engine.view.Camera from where the scene looks good
    env             name of its Gymnasium environment, by default the scene's own in capitals: HalfCheetah
    """

    name: str
    description: str
    model: Model
    task: Task
    frame_skip: int
    duration: float
    qpos0: np.ndarray | None = None
    qvel0: np.ndarray | None = None
    reset_noise: float = 0.0
    velocity_noise: str = "uniform"
    noise_of: str = "tangent"
    camera: dict = field(default_factory=dict)
    trial: float | None = None
    env: str | None = None

    def __post_init__(self):
        require_model(self.model, f"{self.name}: model")
        self.qpos0 = _state(self.name, "qpos0", self.qpos0, self.model.qpos0)
        self.qvel0 = _state(self.name, "qvel0", self.qvel0, np.zeros(self.model.nv))
        self.trial = self.duration if self.trial is None else self.trial
        self.env = self.env or "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))
        if not 0.0 < self.trial <= self.duration:
            raise ValueError(f"{self.name}: trial={self.trial!r}; allowed: seconds up to the duration {self.duration}")
        if not self.reset_noise >= 0.0:
            raise ValueError(f"{self.name}: reset_noise={self.reset_noise!r}; allowed: zero or more")
        for name, allowed in _NOISES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{self.name}: {name}={getattr(self, name)!r}; allowed: {', '.join(allowed)}")

    def __repr__(self):
        skip = counted(self.frame_skip, "physics step")
        steps = f"{counted(self.steps, 'control')} of {skip}, {self.duration:g} s"
        return f"<Scene {self.name!r}: {self.description}; {self.model!r}, {steps}>"

    @property
    def dt(self) -> float:
        """Seconds between two controls."""
        return self.model.opt.timestep * self.frame_skip

    @property
    def steps(self) -> int:
        """Controls in one episode."""
        return round(self.duration / self.dt)

    @property
    def trial_steps(self) -> int:
        """Controls in the part of an episode that is judged."""
        return round(self.trial / self.dt)

    @property
    def threshold(self) -> str:
        """In words and numbers, what counts as solved."""
        return f"{self.trial:g} s: " + "; ".join(str(goal) for goal in self.task.goals)

    def objective(self) -> Any:
        """A cost of recorded rollouts with its cotangents (engine.objectives), lower where the task is done better."""
        return self.task.objective(self)

    def solved(self, trajectory: Any) -> np.ndarray:
        """Would a person call this recorded trial solved? Booleans (worlds,); see `threshold`."""
        return self.task.solved(trajectory)

    def start(self, rng: Any = None, worlds: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Start states (qpos, qvel) of shapes (worlds, nq) and (worlds, nv).

        Without `rng` all are exactly the start state; with one (a NumPy Generator or a seed) each has its own noise.
        """
        if worlds < 1:
            raise ValueError(f"worlds={worlds!r}; allowed: 1 or more")
        qpos, qvel = np.tile(self.qpos0, (worlds, 1)), np.tile(self.qvel0, (worlds, 1))
        if rng is None:
            return qpos, qvel
        rng, scale = np.random.default_rng(rng), self.reset_noise
        if self.noise_of == "tangent":
            qpos = displace(self.model, qpos, rng.uniform(-scale, scale, qvel.shape))
        else:
            qpos = normalized(self.model, qpos + rng.uniform(-scale, scale, qpos.shape))
        if self.velocity_noise == "normal":
            return qpos, qvel + scale * rng.standard_normal(qvel.shape)
        return qpos, qvel + rng.uniform(-scale, scale, qvel.shape)


def _state(scene: str, what: str, value, default: np.ndarray) -> np.ndarray:
    state = np.array(default if value is None else value, dtype=float)
    if state.shape != default.shape or not np.isfinite(state).all():
        raise ValueError(f"{scene}: {what}={state.tolist()}; allowed: {len(default)} finite numbers")
    return state
