"""A two-legged robot walks along a line: the robot and the task of Gymnasium's Walker2d-v5."""

import numpy as np

from engine.model import ModelBuilder

from .parts import APRICOT, BLUE, ORANGE, PLUM, SKY, SLATE, foot_sensors, ground, planar_root, trunk_sensors
from .scene import Scene
from .task import Locomotion

HEIGHT = 1.25  # of the torso's middle when the legs are straight
FLEXION = np.radians((-150, 0))
ANKLE = np.radians((-45, 45))


def build() -> Scene:
    """The walker, standing with both legs straight."""
    task = Locomotion(
        ctrl_weight=1e-3,
        healthy_reward=1.0,
        healthy_z=(0.8, 2.0),
        healthy_angle=(-1.0, 1.0),
        velocity_clip=10.0,
    )
    return Scene(
        name="walker2d",
        description="a two-legged robot walks forward as fast as it can without falling",
        model=_model(),
        task=task,
        frame_skip=4,
        duration=8.0,
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
    _leg(b, "", colours=(BLUE, SKY, PLUM))
    _leg(b, "_left", colours=(ORANGE, APRICOT, PLUM))
    trunk_sensors(b, "torso")
    foot_sensors(b, "foot_site")
    foot_sensors(b, "foot_left_site")
    return b.compile()


def _leg(b, side, colours):
    """Thigh, leg and foot with their motors; `side` is the end of their names."""
    thigh, leg, foot = (f"{part}{side}" for part in ("thigh", "leg", "foot"))
    b.body(thigh, "torso", pos=(0, 0, -0.2))
    b.joint(thigh, f"{thigh}_joint", range=FLEXION)
    b.geom(thigh, f"{thigh}_geom", pos=(0, 0, -0.225), size=(0.05, 0.225), rgba=colours[0])
    b.body(leg, thigh, pos=(0, 0, -0.7))
    b.joint(leg, f"{leg}_joint", pos=(0, 0, 0.25), range=FLEXION)
    b.geom(leg, f"{leg}_geom", size=(0.04, 0.25), rgba=colours[1])
    b.body(foot, leg, pos=(0.2, 0, -0.35))
    b.joint(foot, f"{foot}_joint", pos=(-0.2, 0, 0.1), range=ANKLE)
    along = {"pos": (-0.1, 0, 0.1), "euler": (0, -np.pi / 2, 0), "type": "capsule"}
    b.geom(foot, f"{foot}_geom", size=(0.06, 0.1), friction=(1.9, 0.1, 0.1), rgba=colours[2], **along)
    b.site(foot, f"{foot}_site", size=(0.07, 0.1), **along)
    for part in (thigh, leg, foot):
        b.motor(f"{part}_joint", f"{part}_joint")
