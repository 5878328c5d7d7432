"""A cart balances a pole: the robot and the task of Gymnasium's InvertedPendulum-v5."""

from dataclasses import dataclass

import numpy as np

from engine.model import ModelBuilder
from engine.objectives import Effort, Objective
from engine.objectives.objective import durations

from .parts import ORANGE, SLATE, STEEL, TEAL, UNTOUCHED, ground
from .scene import Scene
from .task import Goal, Task

GROUND_HEIGHT = -0.35  # of the floor, which nothing touches


@dataclass(frozen=True)
class Balance(Task):
    """One unit of reward for each control step that ends with the pole within `max_angle` of upright."""

    max_angle: float = 0.2

    @property
    def goals(self):
        return (Goal("largest angle of the pole", "rad", high=self.max_angle),)

    def measure(self, trajectory):
        return np.abs(trajectory.qpos[:, :, 1]).max(axis=0)[:, None]

    def objective(self, scene):
        return UntilItFalls(self.max_angle) + 1e-3 * Effort()

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        survive = np.where(self.terminated(qpos_after, qvel_after), 0.0, 1.0)
        return survive, {"survive": survive}

    def terminated(self, qpos, qvel):
        return super().terminated(qpos, qvel) | (np.abs(np.asarray(qpos)[..., 1]) > self.max_angle)


class UntilItFalls(Objective):
    """Integral of x^2 + (10 angle)^2 while the pole is within `max_angle`; afterwards every second costs 10.

    x is the cart's place, m. What happens after a fall says nothing about how to prevent it, and has no gradient.
    """

    def __init__(self, max_angle):
        self.max_angle = max_angle

    def evaluate(self, trajectory):
        q = trajectory.qpos
        up = np.logical_and.accumulate(np.abs(q[:, :, 1:]) < self.max_angle, axis=0)
        dt = durations(trajectory)[..., None]
        weight = dt * up * (1.0, 100.0)
        cost = (weight * q**2).sum(axis=(0, 2)) + (10.0 * dt * ~up).sum(axis=(0, 2))
        return cost, {"qpos": 2 * weight * q}


def build() -> Scene:
    """The cart in the middle of its rail, the pole upright."""
    return Scene(
        name="cartpole",
        description="a cart on a rail keeps a pole upright",
        model=_model(),
        task=Balance(),
        frame_skip=2,
        duration=40.0,
        reset_noise=0.01,
        camera={"azimuth": 90.0, "elevation": -8.0, "width": 3.4, "lookat": (0.0, 0.0, 0.2)},
    )


def _model():
    b = ModelBuilder("cartpole", integrator="RK4", timestep=0.02)
    b.default("joint", damping=1)
    b.default("geom", type="capsule", **UNTOUCHED)
    ground(b, pos=(0, 0, GROUND_HEIGHT))
    sideways = {"euler": (0, np.pi / 2, 0)}
    b.geom("world", "rail", size=(0.02, 1), rgba=STEEL, **sideways)
    b.body("cart")
    b.joint("cart", "slider", type="slide", axis=(1, 0, 0), range=(-1, 1))
    b.geom("cart", "cart", size=(0.1, 0.1), rgba=SLATE, **sideways)
    b.body("pole", "cart")
    b.joint("pole", "hinge", axis=(0, 1, 0), range=np.radians((-90, 90)))
    b.geom("pole", "cpole", fromto=(0, 0, 0, 0.001, 0, 0.6), size=0.049, rgba=ORANGE)
    b.site("pole", "tip", pos=(0.001, 0, 0.6), size=0.02, rgba=TEAL)
    b.motor("slider", "slide", ctrlrange=(-3, 3), gear=100)
    b.sensor("jointpos", "slider_pos", objname="slider")
    b.sensor("jointpos", "hinge_pos", objname="hinge")
    b.sensor("framepos", "tip_pos", objtype="site", objname="tip")
    return b.compile()
