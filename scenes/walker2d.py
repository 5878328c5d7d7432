"""A two-legged robot walks along a line: the robot and the task of Gymnasium's Walker2d-v5."""

from engine.model import ModelBuilder

from .parts import APRICOT, BLUE, ORANGE, PLUM, SKY, SLATE, foot_sensors, ground, planar_leg, planar_root, trunk_sensors
from .scene import Scene
from .task import Locomotion

HEIGHT = 1.25  # of the torso's middle when the legs are straight


def build() -> Scene:
    """The walker, standing with both legs straight."""
    task = Locomotion(
        ctrl_weight=1e-3,
        healthy_reward=1.0,
        healthy_z=(0.8, 2.0),
        healthy_angle=(-1.0, 1.0),
        velocity_clip=10.0,
        most_tilt=0.8,
        least_height=0.8,
        settle=1.0,
    )
    return Scene(
        name="walker2d",
        description="a two-legged robot walks forward as fast as it can without falling",
        model=_model(),
        task=task,
        frame_skip=4,
        duration=8.0,
        trial=5.0,
        reset_noise=5e-3,
        camera={"azimuth": 90.0, "elevation": -10.0},
    )


def _model():
    b = ModelBuilder("walker2d", integrator="RK4", timestep=0.002)
    b.default("joint", armature=0.01, damping=0.1, axis=(0, -1, 0))
    b.default("geom", conaffinity=0, type="capsule", friction=(0.9, 0.1, 0.1))
    b.default("actuator", ctrlrange=(-1, 1), gear=100)
    ground(b, conaffinity=1, friction=(0.7, 0.1, 0.1))
    b.body("torso", pos=(0, 0, HEIGHT))
    planar_root(b, "torso", HEIGHT)
    b.geom("torso", "torso_geom", size=(0.05, 0.2), rgba=SLATE)
    foot = {"toe": 0.2, "half": 0.1, "friction": (1.9, 0.1, 0.1)}
    planar_leg(b, "", (BLUE, SKY, PLUM), **foot)
    planar_leg(b, "_left", (ORANGE, APRICOT, PLUM), **foot)
    trunk_sensors(b, "torso")
    foot_sensors(b, "foot_site")
    foot_sensors(b, "foot_left_site")
    return b.compile()
