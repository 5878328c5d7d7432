"""How heavy is this box, and how rough is the floor under it? Its recorded motion under a known pull tells.

The mass alone could not be told from a box that only slides to a stop: there it cancels out.
"""

import numpy as np

from engine.model import ModelBuilder

from .identify import Identification, Unknown
from .parts import BLUE, ORANGE, UNTOUCHED, ground
from .scene import Scene

HALF = (0.15, 0.12, 0.08)  # m
FRAME_SKIP, DURATION = 2, 4.0
GUESS = {"mass": 1.0, "friction": 0.6}
REAL = {"mass": 1.64, "friction": 0.37}


def build() -> Scene:
    """The box at rest, with guesses of its parameters."""
    model, real = _model(**GUESS), _model(**REAL)
    unknowns = (
        Unknown("mass", "body_mass", (1,), GUESS["mass"], "kg"),
        Unknown("friction coefficient", "geom_friction", (slice(0, 2), 0), GUESS["friction"], "1"),
    )
    time = np.arange(round(DURATION / (FRAME_SKIP * model.opt.timestep))) * FRAME_SKIP * model.opt.timestep
    # Enough to slide the box, and too little to tip it, which would make its motion chaotic.
    pull = np.stack([5.4 * np.sin(2 * np.pi * 0.5 * time) + 2.4, 4.2 * np.sin(2 * np.pi * 0.8 * time)], axis=-1)
    return Scene(
        name="sysid_box",
        description="a sliding box's mass and friction are found from its recorded motion under a known pull",
        model=model,
        task=Identification(unknowns, real, pull, FRAME_SKIP, noise=0.002),
        frame_skip=FRAME_SKIP,
        duration=DURATION,
        camera={"azimuth": 90.0, "elevation": -35.0},
    )


def _model(mass, friction):
    b = ModelBuilder("sysid_box", timestep=0.005)
    b.default("geom", friction=friction)
    ground(b)
    b.body("box", pos=(0, 0, HALF[2]))
    b.inertial("box", mass, pos=(0, 0, -0.03), diaginertia=(0.02, 0.02, 0.02))
    b.freejoint("box", "box")
    b.geom("box", "box", type="box", size=HALF, rgba=ORANGE)
    stripe = {"type": "box", "pos": (0.1, 0, 0.081), "size": (0.02, 0.12, 0.002), "rgba": BLUE}
    b.geom("box", "stripe", **stripe, **UNTOUCHED)
    for k, axis in enumerate("xy"):
        b.motor("box", f"pull_{axis}", ctrlrange=(-20, 20), gear=np.eye(6)[k])
    b.sensor("framepos", "box_pos", objtype="xbody", objname="box")
    return b.compile()
