"""What are this pendulum's mass, damping and dry friction? Its recorded swing under a known torque tells."""

import numpy as np

from engine.model import ModelBuilder

from .identify import Identification, Unknown
from .parts import BLUE, ORANGE, SLATE, STEEL, UNTOUCHED, ground
from .scene import Scene

LENGTH, PIVOT = 0.6, 0.9  # m
FRAME_SKIP, DURATION = 2, 5.0
START = (1.2,)  # rad
GUESS = {"mass": 0.5, "damping": 0.02, "friction": 0.02}
REAL = {"mass": 0.83, "damping": 0.047, "friction": 0.061}


def build() -> Scene:
    """The pendulum held aside, with guesses of its parameters."""
    model, real = _model(**GUESS), _model(**REAL)
    unknowns = (
        Unknown("mass", "body_mass", (1,), GUESS["mass"], "kg"),
        Unknown("damping", "dof_damping", (0,), GUESS["damping"], "N m s"),
        Unknown("dry friction", "dof_frictionloss", (0,), GUESS["friction"], "N m"),
    )
    time = np.arange(round(DURATION / (FRAME_SKIP * model.opt.timestep))) * FRAME_SKIP * model.opt.timestep
    torque = 0.6 * np.sin(2 * np.pi * 0.7 * time) + 0.4 * np.sin(2 * np.pi * 1.9 * time)
    return Scene(
        name="sysid_pendulum",
        description="a pendulum's mass, damping and dry friction are found from a recorded swing",
        model=model,
        task=Identification(unknowns, real, torque[:, None], FRAME_SKIP, noise=0.005, qpos0=np.array(START)),
        frame_skip=FRAME_SKIP,
        duration=DURATION,
        qpos0=START,
        camera={"azimuth": 90.0, "elevation": -8.0, "width": 4.0, "lookat": (0.0, 0.0, 0.7)},
    )


def _model(mass, damping, friction):
    b = ModelBuilder("sysid_pendulum", timestep=0.005)
    b.default("geom", **UNTOUCHED)
    ground(b)
    b.geom("world", "stand", type="capsule", fromto=(0, 0.12, 0, 0, 0.12, PIVOT), size=0.025, rgba=STEEL)
    b.body("pole", pos=(0, 0, PIVOT))
    b.inertial("pole", mass, pos=(0, 0, -0.45), diaginertia=(0.02, 0.02, 0.002))
    b.joint("pole", "hinge", axis=(0, 1, 0), damping=damping, frictionloss=friction)
    b.geom("pole", "axle", type="sphere", size=0.04, rgba=SLATE)
    b.geom("pole", "rod", type="capsule", fromto=(0, 0, 0, 0, 0, -LENGTH), size=0.02, rgba=BLUE)
    b.geom("pole", "bob", type="sphere", pos=(0, 0, -LENGTH), size=0.07, rgba=ORANGE)
    b.motor("hinge", "torque", ctrlrange=(-2, 2))
    b.sensor("jointpos", "hinge_pos", objname="hinge")
    return b.compile()
