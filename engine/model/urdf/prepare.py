"""What is made of a URDF before MuJoCo reads it, so that files open that it refuses. Nothing is changed in silence."""

import copy
from collections import defaultdict
from typing import NamedTuple
from xml.etree import ElementTree

from .attributes import plain
from .inertia import repaired
from .meshes import Meshes

# What stands once in an element; MuJoCo refuses a second. The first counts, as for the readers of ROS.
_ONCE = {
    "link": {"inertial"}, "inertial": {"origin", "mass", "inertia"}, "collision": {"origin", "geometry"},
    "visual": {"origin", "geometry", "material"}, "material": {"color"},
    "joint": {"parent", "child", "origin", "axis", "dynamics", "limit", "mimic"},
}  # fmt: skip
_INERTIAS = ("balanceinertia", "boundmass", "boundinertia", "inertiafromgeom")


class Prepared(NamedTuple):
    text: str | None  # None where MuJoCo reads the file as it is
    assets: dict
    changed: list


def prepare(title, robot, folder, assets, rounding=0.0, foreign=False):
    """A Prepared URDF: XML text for MuJoCo, meshes {file name: bytes} of it, lines about what was changed.

    robot: the root of its tree, which stays as it is. folder: that of the file, or None for XML text. rounding: that
    of `inertia.repaired`. foreign: the file has another encoding than MuJoCo reads. Raises ModelError for
    meshes that are nowhere and for what is no robot yet, ImportError where a mesh's format needs a package that is not
    there.
    """
    robot = copy.deepcopy(robot)
    changed = [*_once(robot), *plain(title, robot)]
    compilers = robot.findall("mujoco/compiler")
    if not any(compiler.get(name) for compiler in compilers for name in _INERTIAS):
        changed += repaired(robot, rounding)
    meshes = Meshes(title, robot, folder, assets)
    changed += meshes.settle(robot)
    if not (changed or meshes.moved or foreign):
        return Prepared(None, {}, [])
    for compiler in compilers:  # names of meshes are settled
        for name in ("meshdir", "assetdir", "strippath"):
            compiler.attrib.pop(name, None)
    return Prepared(ElementTree.tostring(robot, encoding="unicode"), meshes.assets, changed)


def _once(robot):
    """Leave out what stands a second time where MuJoCo takes one."""
    found = defaultdict(list)
    for element in robot.iter():
        seen = set()
        for child in list(element):
            if child.tag in _ONCE.get(element.tag, ()):
                if child.tag in seen:
                    element.remove(child)
                    found[element.tag, child.tag].append(element)
                seen.add(child.tag)
    for (tag, child), elements in found.items():
        yield f"<{child}> twice in <{tag}>, {len(elements)} times: the first counts"
