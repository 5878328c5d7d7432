"""A two-link arm moves over a table and brings its hand to a target."""

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, RED, SKY, STEEL, UNTOUCHED, ground, link
from .reach import Chain, Reach
from .scene import Scene

HEIGHT = 0.3  # of the arm above the floor, m
LENGTH = 0.4  # of each link, m
TARGET = (-0.25, 0.5, HEIGHT)


def build() -> Scene:
    """The arm stretched out along x, at rest."""
    model = _model()
    return Scene(
        name="reacher",
        description="a two-link arm brings its hand to a target and stops there",
        model=model,
        task=Reach(Chain.of(model, "hand"), TARGET),
        frame_skip=2,
        duration=2.0,
        reset_noise=0.1,
        camera={"azimuth": 90.0, "elevation": -60.0, "width": 3.2, "lookat": (0.0, 0.2, 0.3)},
    )


def _model():
    b = ModelBuilder("reacher", timestep=0.01)
    b.default("geom", **UNTOUCHED)
    b.default("joint", axis=(0, 0, 1), damping=0.05, armature=0.005)
    b.default("actuator", ctrlrange=(-1, 1))
    ground(b)
    b.geom("world", "post", type="capsule", fromto=(0, 0, 0, 0, 0, HEIGHT), size=0.04, rgba=STEEL)
    b.geom("world", "mark", type="sphere", pos=TARGET, size=0.03, rgba=RED)
    link(b, "upper", "world", (LENGTH, 0, 0), {"shoulder": {}}, (0, 0, HEIGHT), size=0.03, mass=0.6, rgba=BLUE)
    elbow = {"elbow": {"range": (-2.8, 2.8)}}
    link(b, "forearm", "upper", (LENGTH, 0, 0), elbow, (LENGTH, 0, 0), size=0.025, mass=0.4, rgba=SKY)
    b.geom("forearm", "hand", type="sphere", pos=(LENGTH, 0, 0), size=0.035, mass=0.1, rgba=ORANGE)
    b.site("forearm", "hand", pos=(LENGTH, 0, 0))
    b.motor("shoulder", "shoulder", gear=2.0)
    b.motor("elbow", "elbow", gear=1.0)
    b.sensor("framepos", "hand_pos", objtype="site", objname="hand")
    b.sensor("framelinvel", "hand_velocity", objtype="site", objname="hand")
    return b.compile()
