"""Built-in scenes: a robot, a state to start from, and a task. `scenes.load("hopper")` builds one, fresh each time."""

import os
import sys
from collections.abc import Callable
from importlib import import_module

from engine.words import meant

from .scene import Scene
from .state_task import StateTask
from .task import Goal, Locomotion, Task

_NAMES = (
    "pendulum", "double_pendulum", "acrobot", "cartpole", "reacher", "arm_reach", "arm_track", "ball_toss", "billiards",
    "box_push", "sysid_pendulum", "sysid_box", "half_cheetah", "hopper", "walker2d", "ant", "quadruped", "humanoid",
    "humanoid_run",
)  # fmt: skip

__all__ = ["Goal", "Locomotion", "Scene", "StateTask", "Task", "load", "names", "register"]


_OWN: dict[str, Callable[[], Scene]] = {}


def names() -> tuple[str, ...]:
    """The scenes that `load` knows, the simpler first, then those that were registered."""
    return (*_NAMES, *_OWN)


def register(name: str, build: Callable[[], Scene]) -> None:
    """Have `load(name)`, and so the command line, the board and `engine.rl`, know a scene of one's own.

    build() -> Scene is called afresh at each `load`. A process that does not run the line with `register` finds the
    scene by the module that has the function: "my_scenes:crawler" stands wherever a scene's name does. Raises
    ValueError for a name that another scene has, TypeError for what is no function of a Scene.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"register: got the name {name!r}, allowed: letters, digits and _")
    if name in _NAMES or _OWN.get(name, build) is not build:
        raise ValueError(f"register: there is a scene {name!r} already; allowed: another name")
    _built(name, build)
    _OWN[name] = build


def load(name: str) -> Scene:
    """Build the scene of this name, or of a function in a module, "my_scenes:crawler"; its model is the caller's own
    and may be changed."""
    if not isinstance(name, str):
        raise TypeError(f"name: got {type(name).__name__}, allowed: the name of a scene")
    if ":" in name:
        return _built(name, _found(name))
    if name in _OWN:
        return _built(name, _OWN[name])
    if name not in _NAMES:
        known = names()
        raise ValueError(f"no scene {name!r}{meant(name, known)}; there are: {', '.join(known)}, or module:function")
    return import_module(f".{name}", __name__).build()


def _found(name):
    """The function of "module:function"; a module in the working directory is found, too."""
    module, _, function = name.partition(":")
    here, before = os.getcwd(), list(sys.path)
    sys.path.insert(0, here)
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as e:
        raise ValueError(f"no scene {name!r}: {e}; allowed: module:function of a module that Python finds") from e
    finally:
        sys.path[:] = before


def _built(name, build):
    scene = build() if callable(build) else build
    if not isinstance(scene, Scene):
        raise TypeError(f"scene {name!r}: got {type(scene).__name__}, allowed: a function without arguments -> Scene")
    return scene
