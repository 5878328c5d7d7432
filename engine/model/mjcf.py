"""Import of MJCF and URDF: the `mujoco` package compiles the file, this module takes the result over by name.

Nothing is approximated: what a file uses is taken over, translated exactly (and listed as changed), or refused.
"""

import os
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from . import constants as c
from .elements import KEY, KINDS, OPTION
from .elements.mesh import meshes_of
from .elements.option import option_of
from .errors import ModelError, UnsupportedError
from .model import Model
from .report import ImportReport
from .urdf import left_out, mimics, robot_of, unknown_address
from .validate import validate

OLDEST = (3, 17)  # the last for Python 3.10; long before, margins meant something else, and refused arrays were missing

# White space and the mark with which files of some editors begin, in any order where a text was put together.
_BEFORE_XML = re.compile("[\\s\ufeff]*")


def load(source, *, assets=None):
    """Model from an MJCF or URDF file (a path), from XML text, or from a compiled mujoco.MjModel.

    `assets` maps file names to bytes for XML text that refers to meshes. What the engine lacks raises
    UnsupportedError, which lists every such use at once; `model.report` tells what was taken over and what changed.

    An MjModel is taken as it is. Where masses, inertias, armature, sizes or frames of one were changed by hand, call
    mujoco.mj_setConst(mj, mujoco.MjData(mj)) first: body_invweight0, dof_invweight0 and the like follow from them,
    and nothing here recomputes them (nor does MuJoCo's own step).
    """
    mujoco = _mujoco()
    title, mj, robot = _compile(mujoco, source, assets)
    report = ImportReport(title)
    named = [kind for kind in KINDS if kind.named]
    names = {kind.name: kind.names(mujoco, mj) for kind in named}
    m = SimpleNamespace(**{f"{kind}_names": group for kind, group in names.items()})
    report.refused += _refusals(mujoco, mj, robot)
    arrays = {}
    for kind in KINDS:
        arrays |= kind.read(mujoco, mj, m)
        vars(m).update(arrays)
    report.refused += [line for kind in KINDS for line in kind.lacking(m)]
    if report.refused:
        raise UnsupportedError(title, report.refused)
    for array in OPTION.switched_off(mujoco, mj):
        arrays[array] = np.zeros_like(arrays[array])
    model = Model(
        option_of(mujoco, mj), arrays, names, name=_model_name(mj), meshes=meshes_of(mj),
        keyframes=KEY.of(mujoco, mj), report=report,
    )  # fmt: skip
    report.used += _used(model)
    report.changed += [line for kind in KINDS for line in kind.changed(mujoco, mj)]
    report.changed += left_out(robot, model.body_names) if robot is not None else ()
    return validate(model)


def _mujoco():
    try:
        import mujoco
    except ImportError as error:
        raise ImportError('MJCF and URDF need the mujoco package: pip install "pullback[mjcf]"') from error
    if tuple(int(part) for part in mujoco.__version__.split(".")[:2]) < OLDEST:
        raise ImportError(
            f"mujoco {mujoco.__version__} is older than {OLDEST[0]}.{OLDEST[1]}, which the importer reads: "
            'pip install --upgrade "pullback[mjcf]"'
        )
    return mujoco


def _compile(mujoco, source, assets):
    """(title for messages, MjModel, the root of a URDF or None)"""
    if isinstance(source, mujoco.MjModel):
        return "the MjModel", source, None
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"load takes a path, XML text or a mujoco.MjModel, not {type(source).__name__}")
    text = source[_BEFORE_XML.match(source).end() :] if isinstance(source, str) else ""
    if isinstance(source, str) and not text:
        raise ValueError(f"source: got {source!r}, an empty text; allowed: a path of an MJCF or URDF file, or XML text")
    if text.startswith("<"):
        title, robot, compiled, argument = "the XML text", robot_of(text), mujoco.MjModel.from_xml_string, text
    else:
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path} (load takes a path of an MJCF or URDF file, or XML text)")
        title, robot = path.name, robot_of(path.read_bytes())
        compiled, argument = mujoco.MjModel.from_xml_path, str(path)
    try:
        return title, compiled(argument, assets), robot
    except ValueError as error:
        advice = None if robot is None else unknown_address(robot, str(error))
        if advice is None:
            raise
        raise ModelError(f"{title}: {advice}") from error


def _refusals(mujoco, mj, robot):
    """What a file uses and the engine lacks; of a URDF, a joint that mimics another instead of the constraint it is."""
    lines = [line for kind in KINDS for line in kind.refusals(mujoco, mj)]
    following = [] if robot is None else list(mimics(robot))
    return following + [line for line in lines if not (following and line.startswith("equality "))]


def _model_name(mj):
    return mj.names[: mj.names.index(b"\0")].decode()


def _used(model):
    """What was taken over as it is, in four lines."""
    joints = Counter(c.JOINT_NAMES[kind] for kind in model.jnt_type)
    return [
        f"{model.nbody - 1} bodies, {model.njnt} joints ({', '.join(f'{n} {kind}' for kind, n in joints.items())})",
        f"integrator {c.INTEGRATOR_NAMES[model.opt.integrator]}, timestep {model.opt.timestep:g}, "
        f"{c.CONE_NAMES[model.opt.cone]} friction cone",
        f"{model.nu} actuators, {model.nsensor} sensors, {len(model.key_names)} keyframes",
        f"{model.ngeom} geoms in {model.npair} pairs that may touch",
    ]
