"""An acrobot swings up and stands: two rods and one motor, between them."""

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, SKY, SLATE, STEEL, UNTOUCHED, ground, pole
from .scene import Scene
from .swing_up import SwingUp

LENGTH = 0.5  # of each rod, m
PIVOT = 1.3  # height of the upper hinge, m
ELBOW = 6.0  # N m


def build() -> Scene:
    """Both rods hanging; the hinge at the stand turns freely."""
    return Scene(
        name="acrobot",
        description="two rods swing up and stand, with a motor between them alone",
        model=_model(),
        task=SwingUp(most_speed=0.5, weight=100.0, power=60),
        frame_skip=4,
        duration=5.0,
        reset_noise=0.05,
        camera={"azimuth": 90.0, "elevation": -8.0, "width": 6.0, "lookat": (0.0, 0.0, 1.2)},
    )


def _model():
    b = ModelBuilder("acrobot", timestep=0.005, integrator="RK4")
    b.default("geom", **UNTOUCHED)
    ground(b)
    b.geom("world", "stand", type="capsule", fromto=(0, 0.12, 0, 0, 0.12, PIVOT), size=0.025, rgba=STEEL)
    pole(b, "upper", "world", LENGTH, (BLUE, SLATE), (0, 0, PIVOT), bob=0.3)
    pole(b, "lower", "upper", LENGTH, (SKY, ORANGE), (0, 0, -LENGTH), bob=0.3)
    b.motor("lower_hinge", "elbow", ctrlrange=(-1, 1), gear=ELBOW)
    return b.compile()
