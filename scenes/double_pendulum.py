"""A double pendulum swings up: both hinges have motors, the lower one strong, the upper one too weak to lift it."""

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, SKY, SLATE, STEEL, UNTOUCHED, ground, pole
from .scene import Scene
from .swing_up import SwingUp

LENGTH = 0.45  # of each rod, m
PIVOT = 1.2  # height of the upper hinge, m
SHOULDER, ELBOW = 5.0, 2.0  # N m, against 8.4 and 2.6 N m of gravity when the rods are level


def build() -> Scene:
    """Both rods hanging."""
    return Scene(
        name="double_pendulum",
        description="a double pendulum swings up and stands, with motors too weak to lift it at once",
        model=_model(),
        task=SwingUp(weight=100.0, power=60),
        frame_skip=4,
        duration=5.0,
        reset_noise=0.05,
        camera={"azimuth": 90.0, "elevation": -8.0, "width": 5.6, "lookat": (0.0, 0.0, 1.1)},
    )


def _model():
    b = ModelBuilder("double_pendulum", timestep=0.005, integrator="RK4")
    b.default("geom", **UNTOUCHED)
    ground(b)
    b.geom("world", "stand", type="capsule", fromto=(0, 0.12, 0, 0, 0.12, PIVOT), size=0.025, rgba=STEEL)
    pole(b, "upper", "world", LENGTH, (BLUE, SLATE), (0, 0, PIVOT))
    pole(b, "lower", "upper", LENGTH, (SKY, ORANGE), (0, 0, -LENGTH))
    b.motor("upper_hinge", "shoulder", ctrlrange=(-1, 1), gear=SHOULDER)
    b.motor("lower_hinge", "elbow", ctrlrange=(-1, 1), gear=ELBOW)
    return b.compile()
