"""Built-in scenes: a robot, a state to start from, and a task. `scenes.load("hopper")` builds one, fresh each time."""

from importlib import import_module

from engine.words import meant

from .scene import Scene
from .task import Goal, Locomotion, Task

_NAMES = (
    "pendulum", "double_pendulum", "acrobot", "cartpole", "reacher", "arm_reach", "arm_track", "ball_toss", "billiards",
    "box_push", "sysid_pendulum", "sysid_box", "half_cheetah", "hopper", "walker2d", "ant", "quadruped", "humanoid",
    "humanoid_run",
)  # fmt: skip

__all__ = ["Goal", "Locomotion", "Scene", "Task", "load", "names"]


def names() -> tuple[str, ...]:
    """The scenes that `load` knows, the simpler first."""
    return _NAMES


def load(name: str) -> Scene:
    """Build the scene of this name; its model is the caller's own and may be changed."""
    if name not in _NAMES:
        raise ValueError(f"no scene {name!r}{meant(name, _NAMES)}; there are: {', '.join(_NAMES)}")
    return import_module(f".{name}", __name__).build()
