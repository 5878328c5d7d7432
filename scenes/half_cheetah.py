"""A planar cat runs along a line: the robot and the task of Gymnasium's HalfCheetah-v5."""

from typing import NamedTuple

from engine.model import ModelBuilder

from .parts import APRICOT, BLUE, ORANGE, SKY, SLATE, foot_sensors, ground, planar_root, trunk_sensors
from .scene import Scene
from .task import Locomotion

RADIUS = 0.046  # of every capsule


class Segment(NamedTuple):
    """One link of a leg: where it hangs on the link above, its capsule, its joint, and its motor."""

    name: str
    x: float
    z: float
    middle: tuple[float, float]  # of the capsule, (x, z)
    tilt: float  # of the capsule, rad about y
    half: float  # length of the capsule
    range: tuple[float, float]
    stiffness: float
    damping: float
    gear: float


BACK_LEG = (
    Segment("bthigh", -0.5, 0.0, (0.1, -0.13), -3.8, 0.145, (-0.52, 1.05), 240, 6.0, 120),
    Segment("bshin", 0.16, -0.25, (-0.14, -0.07), -2.03, 0.15, (-0.785, 0.785), 180, 4.5, 90),
    Segment("bfoot", -0.28, -0.14, (0.03, -0.097), -0.27, 0.094, (-0.4, 0.785), 120, 3.0, 60),
)
FRONT_LEG = (
    Segment("fthigh", 0.5, 0.0, (-0.07, -0.12), 0.52, 0.133, (-1.0, 0.7), 180, 4.5, 120),
    Segment("fshin", -0.14, -0.24, (0.065, -0.09), -0.6, 0.106, (-1.2, 0.87), 120, 3.0, 60),
    Segment("ffoot", 0.13, -0.18, (0.045, -0.07), -0.6, 0.07, (-0.5, 0.5), 60, 1.5, 30),
)


def build() -> Scene:
    """The cheetah, standing on both feet; it may run upside down, its episode never ends early."""
    return Scene(
        name="half_cheetah",
        description="a two-legged planar cat runs forward as fast as it can",
        model=_model(),
        task=Locomotion(ctrl_weight=0.1, least_speed=1.0, most_tilt=1.0),
        frame_skip=5,
        duration=50.0,
        trial=5.0,
        reset_noise=0.1,
        velocity_noise="normal",
        camera={"azimuth": 90.0, "elevation": -12.0},
    )


def _model():
    b = ModelBuilder("half_cheetah", timestep=0.01, settotalmass=14)
    b.default("joint", armature=0.1, solimplimit=(0, 0.8, 0.03), axis=(0, 1, 0))
    b.default("geom", conaffinity=0, friction=(0.4, 0.1, 0.1), solimp=(0, 0.8, 0.01), type="capsule")
    b.default("actuator", ctrlrange=(-1, 1))
    ground(b, conaffinity=1)
    b.body("torso", pos=(0, 0, 0.7))
    planar_root(b, "torso")
    b.geom("torso", "torso", fromto=(-0.5, 0, 0, 0.5, 0, 0), size=RADIUS, rgba=ORANGE)
    b.geom("torso", "head", pos=(0.6, 0, 0.1), euler=(0, 0.87, 0), size=(RADIUS, 0.15), rgba=APRICOT)
    _leg(b, BACK_LEG, colours=(BLUE, SKY, SLATE))
    _leg(b, FRONT_LEG, colours=(BLUE, SKY, SLATE))
    trunk_sensors(b, "torso")
    foot_sensors(b, "bfoot_site")
    foot_sensors(b, "ffoot_site")
    return b.compile()


def _leg(b, segments, colours):
    above = "torso"
    for s, colour in zip(segments, colours, strict=True):
        b.body(s.name, above, pos=(s.x, 0, s.z))
        b.joint(s.name, s.name, range=s.range, stiffness=s.stiffness, damping=s.damping)
        along = {"pos": (s.middle[0], 0, s.middle[1]), "euler": (0, s.tilt, 0), "type": "capsule"}
        b.geom(s.name, s.name, size=(RADIUS, s.half), rgba=colour, **along)
        b.motor(s.name, s.name, gear=s.gear)
        above = s.name
    b.site(above, f"{above}_site", size=(RADIUS + 0.01, s.half), **along)
