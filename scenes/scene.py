"""Scene: everything that a demo, a benchmark or an RL environment needs to know about one robot at one task."""

from dataclasses import dataclass, field

import numpy as np

from engine.model import Model
from engine.model.constants import BALL, FREE

from .task import Task

_VELOCITY_NOISES = ("uniform", "normal")


@dataclass
class Scene:
    """A robot, the state it starts in, and what it should do.

    frame_skip      physics steps during which one control is held
    duration        length of an episode in simulated seconds
    qpos0, qvel0    the start state; by default the model's rest position, not moving
    reset_noise     positions start within +- this of qpos0 (m, rad), velocities see velocity_noise
    velocity_noise  "uniform" within +- reset_noise, or "normal" with this standard deviation (m/s, rad/s)
    camera          keyword arguments of engine.view.Camera from where the scene looks good
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
    camera: dict = field(default_factory=dict)

    def __post_init__(self):
        self.qpos0 = _state(self.name, "qpos0", self.qpos0, self.model.qpos0)
        self.qvel0 = _state(self.name, "qvel0", self.qvel0, np.zeros(self.model.nv))
        if not self.reset_noise >= 0.0:
            raise ValueError(f"{self.name}: reset_noise={self.reset_noise!r}; allowed: zero or more")
        if self.velocity_noise not in _VELOCITY_NOISES:
            allowed = ", ".join(_VELOCITY_NOISES)
            raise ValueError(f"{self.name}: velocity_noise={self.velocity_noise!r}; allowed: {allowed}")

    @property
    def dt(self) -> float:
        """Seconds between two controls."""
        return self.model.opt.timestep * self.frame_skip

    @property
    def steps(self) -> int:
        """Controls in one episode."""
        return round(self.duration / self.dt)

    def start(self, rng=None, worlds: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Start states (qpos, qvel) of shapes (worlds, nq) and (worlds, nv).

        Without `rng` all are exactly the start state; with one (a NumPy Generator or a seed) each has its own noise.
        """
        if worlds < 1:
            raise ValueError(f"worlds={worlds!r}; allowed: 1 or more")
        qpos, qvel = np.tile(self.qpos0, (worlds, 1)), np.tile(self.qvel0, (worlds, 1))
        if rng is None:
            return qpos, qvel
        rng, scale = np.random.default_rng(rng), self.reset_noise
        qpos = displace(self.model, qpos, rng.uniform(-scale, scale, qvel.shape))
        if self.velocity_noise == "normal":
            return qpos, qvel + scale * rng.standard_normal(qvel.shape)
        return qpos, qvel + rng.uniform(-scale, scale, qvel.shape)


def displace(model: Model, qpos: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """`qpos` (..., nq) moved by `tangent` (..., nv): a quaternion is turned by a rotation vector in its own axes."""
    moved = np.empty_like(qpos)
    for kind, q, v in zip(model.jnt_type, model.jnt_qposadr, model.jnt_dofadr, strict=True):
        if kind == FREE:
            moved[..., q : q + 3] = qpos[..., q : q + 3] + tangent[..., v : v + 3]
            q, v = q + 3, v + 3
        if kind in (FREE, BALL):
            moved[..., q : q + 4] = _turned(qpos[..., q : q + 4], tangent[..., v : v + 3])
        else:
            moved[..., q] = qpos[..., q] + tangent[..., v]
    return moved


def _turned(quat: np.ndarray, rotvec: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    x = 0.5 * np.sinc(angle / (2.0 * np.pi)) * rotvec  # sinc: the same as sin(angle / 2) / angle, and right at zero
    w, u, c = quat[..., :1], quat[..., 1:], np.cos(0.5 * angle)
    turned = np.concatenate([w * c - (u * x).sum(axis=-1, keepdims=True), w * x + c * u + np.cross(u, x)], axis=-1)
    return turned / np.linalg.norm(turned, axis=-1, keepdims=True)


def _state(scene: str, what: str, value, default: np.ndarray) -> np.ndarray:
    state = np.array(default if value is None else value, dtype=float)
    if state.shape != default.shape or not np.isfinite(state).all():
        raise ValueError(f"{scene}: {what}={state.tolist()}; allowed: {len(default)} finite numbers")
    return state
