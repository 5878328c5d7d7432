"""A one-legged robot hops along a line: the robot and the task of Gymnasium's Hopper-v5."""

import numpy as np

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, SKY, SLATE, foot_sensors, ground, planar_leg, planar_root, trunk_sensors
from .scene import Scene
from .task import Locomotion

HEIGHT = 1.25  # of the torso's middle when the leg is straight


def build() -> Scene:
    """The hopper, standing with a straight leg."""
    task = Locomotion(
        ctrl_weight=1e-3,
        healthy_reward=1.0,
        healthy_z=(0.7, np.inf),
        healthy_angle=(-0.2, 0.2),
        healthy_state=(-100.0, 100.0),
        velocity_clip=10.0,
        most_tilt=0.5,
        least_height=0.7,
        settle=1.0,
    )
    return Scene(
        name="hopper",
        description="a one-legged robot hops forward as fast as it can without falling",
        model=_model(),
        task=task,
        frame_skip=4,
        duration=8.0,
        trial=5.0,
        reset_noise=5e-3,
        camera={"azimuth": 90.0, "elevation": -10.0},
    )


def _model():
    b = ModelBuilder("hopper", integrator="RK4", timestep=0.002)
    b.default("joint", armature=1, damping=1, axis=(0, -1, 0))
    b.default("geom", condim=1, margin=0.001, solimp=(0.8, 0.8, 0.01), type="capsule", friction=0.9)
    b.default("actuator", ctrlrange=(-1, 1), gear=200)
    ground(b, size=(20, 20, 0.125), condim=3, friction=1.0)
    b.body("torso", pos=(0, 0, HEIGHT))
    planar_root(b, "torso", HEIGHT)
    b.geom("torso", "torso_geom", size=(0.05, 0.2), rgba=BLUE)
    planar_leg(b, "", (SKY, ORANGE, SLATE), toe=0.13, half=0.195, friction=2.0)
    trunk_sensors(b, "torso")
    foot_sensors(b, "foot_site")
    return b.compile()
