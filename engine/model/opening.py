"""Opening a robot file: MuJoCo's compiler, after what it needs to read URDFs and files of its older versions."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.words import meant, neighbours

from . import older
from .urdf import prepare, robot_of

OLDEST = (3, 17)  # the last for Python 3.10; long before, margins meant something else, and refused arrays were missing

# White space and the mark with which files of some editors begin, in any order where a text was put together.
_BEFORE_XML = re.compile("[\\s\ufeff]*")

_NO_FILE = re.compile("opening file '([^']*)'")  # of MuJoCo's errors

_THIN = re.compile(r"mesh volume is too small: (\S+)")

_SHOWN = 200  # characters of what is no file


class Opened(NamedTuple):
    title: str  # what messages call it
    mj: object  # the mujoco.MjModel
    robot: object  # the root of a URDF, or None
    changed: list  # lines


def the_mujoco():
    """The mujoco package. Raises ImportError with what to install."""
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


def opened(mujoco, source, assets, wishes):
    """An Opened path, XML text or MjModel, with what was asked for at load (wishes.py)."""
    if isinstance(source, mujoco.MjModel):
        if wishes:
            raise TypeError(f"load of a compiled MjModel with {wishes.names()}; allowed: with a path or XML text")
        return Opened("the MjModel", source, None, [])
    _check(assets)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"load takes a path, XML text or a mujoco.MjModel, not {type(source).__name__}")
    text = source[_BEFORE_XML.match(source).end() :] if isinstance(source, str) else ""
    if isinstance(source, str) and not text:
        raise ValueError(f"source: got {source!r}, an empty text; allowed: a path of an MJCF or URDF file, or XML text")
    path, title, content = None, "the XML text", text
    if not text.startswith("<"):
        path = Path(source).expanduser()
        if _is(path, "folder"):
            raise IsADirectoryError(f"{path} is a folder (load takes a path of an MJCF or URDF file, or XML text)")
        if not _is(path, "file"):
            named = str(path)
            named = f"{named[:_SHOWN]}..." if len(named) > _SHOWN else f"{named}{meant(named, neighbours(path))}"
            raise FileNotFoundError(f"no such file: {named} (load takes a path of an MJCF or URDF file, or XML text)")
        title, content = path.name, path.read_bytes()
    try:
        return _read(mujoco, title, path, text, assets, wishes, content)
    except ValueError as error:
        said = str(error).strip()
        if path is None or not said.startswith(("XML", "Error")) or (title in said and not _NO_FILE.search(said)):
            raise
        said = said if title in said else f"{title}: {said}"  # MuJoCo's own words do not say which file
        raise ValueError(said + _near(path.parent, said)) from error


def _check(assets):
    if assets is not None and not isinstance(assets, Mapping):
        raise TypeError(f"assets: got {type(assets).__name__}; allowed: {{file name: bytes}}")
    for name, content in (assets or {}).items():
        if not isinstance(content, bytes):
            raise TypeError(f"assets: got {type(content).__name__} of {name!r}; allowed: {{file name: bytes}}")


def _near(folder, said):
    """What MuJoCo may not have found: whose name is like that of a file beside it."""
    for name in _NO_FILE.findall(said):
        places = neighbours(folder / name) if name else ()
        return meant(name, [os.path.relpath(place, folder) for place in places])
    return ""


def _read(mujoco, title, path, text, assets, wishes, content):
    robot = robot_of(content)
    if robot is None:
        return _mjcf(mujoco, title, path, text, assets, wishes)
    rounding, hollow = 0.0, []
    while True:
        try:
            return _urdf(mujoco, title, path, text, assets, wishes, robot, rounding, hollow, not _is_utf8(content))
        except ValueError as error:
            thin = _THIN.search(str(error))
            if "balanceinertia" in str(error) and not rounding:
                rounding = 1e-13
            elif thin and thin[1] not in hollow:
                hollow.append(thin[1])
            else:
                raise


def _is(path, kind):
    """Whether there is a file, or a folder, of this name."""
    try:
        return path.is_file() if kind == "file" else path.is_dir()
    except (OSError, ValueError):  # a text that is no XML: a name too long, or with characters that none has
        return False


def _is_utf8(content):
    try:
        return isinstance(content, str) or content.decode() is not None
    except UnicodeDecodeError:
        return False


def _urdf(mujoco, title, path, text, assets, wishes, robot, rounding, hollow, foreign):
    prepared = prepare(title, robot, path and path.parent, assets, rounding, foreign)
    if prepared.text is not None:
        path, text, assets = None, prepared.text, prepared.assets
    return Opened(title, *_compiled(mujoco, title, path, text, assets, wishes, robot, prepared.changed, hollow))


def _mjcf(mujoco, title, path, text, assets, wishes):
    try:
        return Opened(title, *_compiled(mujoco, title, path, text, assets, wishes, None, []))
    except ValueError as error:
        if "Schema violation" not in str(error):
            raise
        stripped, changed = older.stripped(path, text, assets)
        if not changed:
            raise
    spec = mujoco.MjSpec.from_string(stripped, assets=assets)
    if path is not None:
        spec.modelfiledir = str(path.parent)
    changed += wishes.granted(mujoco, title, spec)
    mj, more = wishes.compiled(mujoco, spec)
    return Opened(title, mj, None, changed + more)


def _compiled(mujoco, title, path, text, assets, wishes, robot, changed, hollow=()):
    """The rest of an Opened. hollow: names of meshes that have too little volume for an inertia."""
    if not wishes and not hollow:
        compiled = mujoco.MjModel.from_xml_string if path is None else mujoco.MjModel.from_xml_path
        return compiled(text if path is None else str(path), assets), robot, changed
    read = mujoco.MjSpec.from_string if path is None else mujoco.MjSpec.from_file
    spec = read(text if path is None else str(path), assets=assets)
    for name in hollow:
        spec.mesh(name).inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        changed = [*changed, f"mesh {name!r} has no volume: an inertia made of it is that of its surface"]
    changed = changed + wishes.granted(mujoco, title, spec, robot is not None)
    mj, more = wishes.compiled(mujoco, spec)
    return mj, robot, changed + more
