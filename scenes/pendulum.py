"""A pendulum swings up with a motor too weak to lift it at once."""

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, SLATE, STEEL, UNTOUCHED, ground
from .scene import Scene
from .swing_up import SwingUp

LENGTH = 0.6  # of the rod, m
PIVOT = 0.9  # height of the hinge, m
TORQUE = 1.2  # N m, against 3.5 N m of gravity when the rod is level


def build() -> Scene:
    """The pendulum, hanging."""
    return Scene(
        name="pendulum",
        description="a pendulum swings up and stands, with a motor too weak to lift it at once",
        model=_model(),
        task=SwingUp(),
        frame_skip=4,
        duration=5.0,
        reset_noise=0.05,
        camera={"azimuth": 90.0, "elevation": -8.0, "width": 4.0, "lookat": (0.0, 0.0, 0.7)},
    )


def _model():
    b = ModelBuilder("pendulum", timestep=0.005, integrator="RK4")
    b.default("geom", **UNTOUCHED)
    ground(b)
    b.geom("world", "stand", type="capsule", fromto=(0, 0.12, 0, 0, 0.12, PIVOT), size=0.025, rgba=STEEL)
    b.body("pole", pos=(0, 0, PIVOT))
    b.joint("pole", "hinge", axis=(0, 1, 0), damping=0.01)
    b.geom("pole", "axle", type="sphere", size=0.04, mass=0.1, rgba=SLATE)
    b.geom("pole", "rod", type="capsule", fromto=(0, 0, 0, 0, 0, -LENGTH), size=0.02, mass=0.2, rgba=BLUE)
    b.geom("pole", "bob", type="sphere", pos=(0, 0, -LENGTH), size=0.07, mass=0.5, rgba=ORANGE)
    b.site("pole", "tip", pos=(0, 0, -LENGTH))
    b.motor("hinge", "torque", ctrlrange=(-1, 1), gear=TORQUE)
    b.sensor("jointpos", "hinge_pos", objname="hinge")
    b.sensor("jointvel", "hinge_velocity", objname="hinge")
    b.sensor("framepos", "tip_pos", objtype="site", objname="tip")
    return b.compile()
