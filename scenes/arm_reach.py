"""A seven-joint arm brings its hand to a target at its side and stops there."""

from engine.model import ModelBuilder

from .parts import ARM_BENT, RED, arm, ground
from .reach import Chain, Reach
from .scene import Scene

TARGET = (0.25, 0.5, 0.75)


def build() -> Scene:
    """The arm bent forward, at rest; its motors must carry its weight from the first moment on."""
    model = _model()
    return Scene(
        name="arm_reach",
        description="an arm with seven joints brings its hand to a target and holds it there",
        model=model,
        task=Reach(Chain.of(model, "hand"), TARGET),
        frame_skip=2,
        duration=2.0,
        qpos0=ARM_BENT,
        reset_noise=0.02,
        camera={"azimuth": 125.0, "elevation": -15.0, "width": 3.6, "lookat": (0.2, 0.2, 0.55)},
    )


def _model():
    b = ModelBuilder("arm_reach", timestep=0.005)
    ground(b)
    arm(b)
    b.geom("world", "mark", type="sphere", pos=TARGET, size=0.03, rgba=RED)
    return b.compile()
