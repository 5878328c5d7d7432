"""A seven-joint arm draws a figure of eight with its hand."""

import numpy as np

from engine.model import ModelBuilder

from .parts import ARM_BENT, RED, arm, ground
from .reach import Chain, Track
from .scene import Scene

MIDDLE = (0.5, 0.0, 0.7)


def build() -> Scene:
    """The arm bent forward, at rest; its motors must carry its weight from the first moment on."""
    model = _model()
    return Scene(
        name="arm_track",
        description="an arm with seven joints follows a figure of eight with its hand",
        model=model,
        task=Track(Chain.of(model, "hand"), MIDDLE),
        frame_skip=2,
        duration=5.0,
        qpos0=ARM_BENT,
        reset_noise=0.02,
        camera={"azimuth": 150.0, "elevation": -12.0, "width": 3.6, "lookat": (0.2, 0.0, 0.55)},
    )


def _model():
    b = ModelBuilder("arm_track", timestep=0.005)
    ground(b)
    arm(b)
    path = Track(None, MIDDLE)
    for point in path.target(path.period * np.arange(32) / 32):
        b.geom("world", type="sphere", pos=point, size=0.01, rgba=RED)
    return b.compile()
