"""What several commands share: finding a robot, writing for machines, exit codes."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.words import meant, neighbours

# 0 is success; argparse ends with 2 itself
DONE, NOT_REACHED, BAD_INPUT, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 130
START = ("home", "stand", "standing", "default")  # keyframes that robots are meant to start in
BEYOND = 0.01  # of its range: farther beyond it a joint was not meant to start
EXIT_CODES = (
    "exit codes: 0 done; 1 done, but the result falls short (a wrong gradient, a target not reached); 2 bad input; "
    "3 the simulation diverged; 130 interrupted (a run folder can be resumed)"
)


class Robot(NamedTuple):
    """A built-in scene or a robot file. scene is None for a file. ctrl0: controls of the keyframe that it starts in."""

    name: str
    model: object
    qpos0: np.ndarray
    qvel0: np.ndarray
    camera: dict
    scene: object = None
    ctrl0: np.ndarray | None = None


def started(chosen, key=None):
    """A file's Robot in the keyframe `key`: by default in one that is called as in START, else in the only one, else as
    the model has it."""
    m = chosen.model
    if key is None:
        names = [name for name in START if name in m.key_names]
        if not names and len(m.key_names) != 1:
            return chosen
        k = m.key(names[0]) if names else 0
    else:
        k = m.key(key)
    ctrl = m.key_ctrl[k]
    return chosen._replace(qpos0=m.key_qpos[k].copy(), qvel0=m.key_qvel[k].copy(), ctrl0=ctrl if ctrl.any() else None)


def within_ranges(chosen):
    """(Robot, names): hinges and slides that begin beyond their ranges begin amid these instead, and which ones."""
    from engine.model.constants import HINGE, SLIDE

    m, qpos = chosen.model, chosen.qpos0.copy()
    at, (low, high) = m.jnt_qposadr, m.jnt_range.T
    beyond = np.maximum(low - qpos[at], qpos[at] - high) > BEYOND * (high - low)
    moved = np.flatnonzero(np.asarray(m.jnt_limited, bool) & np.isin(m.jnt_type, (SLIDE, HINGE)) & beyond)
    qpos[at[moved]] = 0.5 * (low + high)[moved]
    return chosen._replace(qpos0=qpos), [m.joint_names[j] or f"joint {j}" for j in moved]


def robot(name, asked=None):
    """The Robot called `name`: a built-in scene, or the path of an MJCF or URDF file. asked: `wishes`, of a file."""
    import scenes
    from engine.model import load

    if not is_file(name):
        if asked:
            raise ValueError(f"--{', --'.join(asked)}: for a robot file, not for the built-in scene {name!r}")
        scene = scenes.load(name)
        return Robot(name, scene.model, scene.qpos0, scene.qvel0, scene.camera, scene)
    model = load(name, **asked or {})
    return Robot(called(name), model, model.qpos0.copy(), np.zeros(model.nv), {})


def called(name):
    """What a robot file's robot is called: the file's name, of a scene.xml, as many folders have one, the folder's."""
    path = Path(name).resolve()
    return path.parent.name if path.stem == "scene" and path.parent.name else path.stem


def add_wishes(p):
    """Options for what a robot file does not say."""
    group = p.add_argument_group("what a robot file does not say")
    group.add_argument("--floating", nargs="?", const=True, type=float, metavar="HEIGHT",
                       help="the body that stands on the world moves freely, from this height (m)")  # fmt: skip
    group.add_argument("--floor", "--ground", nargs="?", const=True, type=float, metavar="HEIGHT",
                       help="a plane at this height (m), or at 0")  # fmt: skip
    group.add_argument("--actuators", nargs="*", metavar="JOINT",
                       help="on these joints, or on all that have none: motor, position (with --kp)")  # fmt: skip
    group.add_argument("--kp", type=float, help="they are servos with this gain, instead of motors")
    group.add_argument("--kd", type=float, help="and with this damping")
    group.add_argument("--collide", choices=("all", "ground", "none"), help="what meets what (default: as in the file)")
    group.add_argument("--exclude", nargs="+", metavar="BODIES",
                       help="a:b, bodies that do not collide; overlapping: those drawn into each other wherever their "
                       "joints are; none: no others than in the file")  # fmt: skip


def wishes(args):
    """Arguments for `load` from the options of `add_wishes`."""
    given = {name: getattr(args, name) for name in ("floating", "floor", "actuators", "kp", "kd", "collide")}
    given = {name: value for name, value in given.items() if value is not None}
    if args.exclude is not None:
        given |= _excluded(args.exclude)
    if given.get("actuators") in ([], ["motor"], ["position"]):
        given["actuators"] = given["actuators"][0] if given["actuators"] else True
    return given


def _excluded(words):
    if words in (["overlapping"], ["none"]):
        return {"exclude": words[0]} if words != ["none"] else {}
    pairs = [word.split(":") for word in words]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ValueError(f"--exclude: got {' '.join(words)}, allowed: pairs of bodies a:b, overlapping, or none")
    return {"exclude": [tuple(pair) for pair in pairs]}


def is_file(name):
    """Whether a robot is a file; False for a built-in scene. Raises ValueError where it is neither."""
    import scenes

    if name in scenes.names():
        return False
    if not Path(name).exists():
        if ":" in name:  # module:function, a scene of the user's own
            scenes.load(name)
            return False
        near = meant(name, scenes.names()) or meant(name, neighbours(name))
        raise ValueError(f"{name!r} is neither a file nor a built-in scene{near}; scenes: {', '.join(scenes.names())}")
    return True


def positive(args, *names):
    """Refuse options that are not positive and finite; a budget of time may be endless."""
    for name in names:
        value = getattr(args, name)
        if value is not None and not (0 < value < np.inf or name == "budget" and value > 0):
            raise ValueError(f"--{name.replace('_', '-')}: got {value}, allowed: a positive number")


def finite(args, *names, least=-np.inf):
    """Refuse options that are not finite, or less than `least`."""
    for name in names:
        value = getattr(args, name)
        if value is not None and not (np.isfinite(value) and value >= least):
            allowed = "a finite number" if least == -np.inf else f"a number from {least:g} on"
            raise ValueError(f"--{name.replace('_', '-')}: got {value}, allowed: {allowed}")


def seed(text):
    """The type of --seed: what NumPy and torch take."""
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"got {text}, allowed: a whole number from 0 to 2^63 - 1")
    return value


class Output:
    """Lines for people, or one JSON object a line for machines (`--json`); both on standard output."""

    def __init__(self, machine):
        self.machine = machine

    def say(self, text):
        if not self.machine:
            print(text, flush=True)

    def record(self, kind, **values):
        if self.machine:
            print(json.dumps({"event": kind, **{k: _number(v) for k, v in values.items()}}, default=_plain), flush=True)


def interrupted(out, command, folder, kept):
    """Say how an interrupted `command` (its words, before --out) goes on from its folder, and return the exit code.
    kept: the file of the last iteration; without one there is nothing to go on from."""
    if kept.exists():
        again = shlex.join(["pullback", *command, "--out", str(folder), "--resume"])
        out.say(f"\ninterrupted; go on with: {again}, and the same options")
    else:
        out.say("\ninterrupted before the first iteration had ended: there is nothing to go on from")
    out.record("interrupted", folder=folder, resumable=kept.exists())
    return INTERRUPTED


def _number(value):
    """Of numbers that are not finite, which JSON does not have, nothing."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)


def progress(total, title, machine=False):
    """A progress bar on standard error: tqdm's where it is installed and a person looks on, else nothing.

    Use as `with progress(n, "title") as bar: bar.update(1)`.
    """
    if not machine and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            return _Quiet()
        return tqdm(total=total, desc=title, leave=False, dynamic_ncols=True)
    return _Quiet()


class _Quiet:
    """A bar that shows nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def update(self, n=1):
        pass

    def set_postfix_str(self, text):
        pass
