"""A one-legged robot hops along a line: the robot and the task of Gymnasium's Hopper-v5."""

import numpy as np

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, SKY, SLATE, foot_sensors, ground, planar_root, trunk_sensors
from .scene import Scene
from .task import Locomotion

HEIGHT = 1.25  # of the torso's middle when the leg is straight
FLEXION = np.radians((-150, 0))
ANKLE = np.radians((-45, 45))


def build() -> Scene:
    """The hopper, standing with a straight leg."""
    task = Locomotion(
        ctrl_weight=1e-3,
        healthy_reward=1.0,
        healthy_z=(0.7, np.inf),
        healthy_angle=(-0.2, 0.2),
        healthy_state=(-100.0, 100.0),
        velocity_clip=10.0,
    )
    return Scene(
        name="hopper",
        description="a one-legged robot hops forward as fast as it can without falling",
        model=_model(),
        task=task,
        frame_skip=4,
        duration=8.0,
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
    _leg(b)
    for joint in ("thigh_joint", "leg_joint", "foot_joint"):
        b.motor(joint, joint)
    trunk_sensors(b, "torso")
    foot_sensors(b, "foot_site")
    return b.compile()


def _leg(b):
    """Thigh, leg and foot; every joint bends with a negative angle."""
    b.body("thigh", "torso", pos=(0, 0, -0.2))
    b.joint("thigh", "thigh_joint", range=FLEXION)
    b.geom("thigh", "thigh_geom", pos=(0, 0, -0.225), size=(0.05, 0.225), rgba=SKY)
    b.body("leg", "thigh", pos=(0, 0, -0.7))
    b.joint("leg", "leg_joint", pos=(0, 0, 0.25), range=FLEXION)
    b.geom("leg", "leg_geom", size=(0.04, 0.25), rgba=ORANGE)
    b.body("foot", "leg", pos=(0.13, 0, -0.35))
    b.joint("foot", "foot_joint", pos=(-0.13, 0, 0.1), range=ANKLE)
    along = {"pos": (-0.065, 0, 0.1), "euler": (0, -np.pi / 2, 0), "type": "capsule"}
    b.geom("foot", "foot_geom", size=(0.06, 0.195), friction=2.0, rgba=SLATE, **along)
    b.site("foot", "foot_site", size=(0.07, 0.195), **along)
