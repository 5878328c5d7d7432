"""Attributes that other readers of URDF take and MuJoCo does not: made what they mean, with a line for each kind.

What is no robot yet, or no number, is refused by name here, where MuJoCo would pass it over or blame something else.
"""

import math
import re
from collections import defaultdict
from xml.etree import ElementTree

from ..errors import ModelError
from ..report import shown

# Element: {attribute: how many numbers it has}.
_NUMBERS = {
    "origin": {"xyz": 3, "rpy": 3}, "axis": {"xyz": 3}, "mass": {"value": 1},
    "inertia": dict.fromkeys(("ixx", "iyy", "izz", "ixy", "ixz", "iyz"), 1),
    "box": {"size": 3}, "sphere": {"radius": 1}, "cylinder": {"radius": 1, "length": 1},
    "capsule": {"radius": 1, "length": 1}, "mesh": {"scale": 3}, "color": {"rgba": 4},
    "limit": {"lower": 1, "upper": 1, "effort": 1}, "dynamics": {"damping": 1, "friction": 1},
    "mimic": {"multiplier": 1, "offset": 1},
}  # fmt: skip
_PRODUCTS = ("ixy", "ixz", "iyz")
_XACRO = re.compile(r"\{[^}]*\bxacro\}(.*)")
_DEFINITIONS = {"property", "arg", "macro"}  # of xacro: what nothing uses any more changes nothing


def plain(title, robot):
    """Mend a URDF in place; lines about it. Raises ModelError for what xacro has not read yet, and for nan."""
    found = defaultdict(list)
    for owner, element in _owned(robot, f"robot {robot.get('name')!r}"):
        tag = _XACRO.fullmatch(element.tag)
        if tag and tag[1] not in _DEFINITIONS:
            raise ModelError(f"{title}: <xacro:{tag[1]}> of {owner}: {_unread(title)}")
        for name, count in _NUMBERS.get(element.tag, {}).items():
            if element.get(name) is not None:
                _mend(title, element, name, count, owner, found)
    for link in robot.findall("link"):
        _complete(link, found)
    names = [joint.get("name") for joint in robot.findall("joint")]
    twice = [repr(name) for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ModelError(f"{title}: joint {shown(twice)}: more than one of that name; allowed: a name for each")
    for joint in robot.findall("joint"):
        limit = joint.find("limit")
        if joint.get("type") == "spherical" and limit is not None:
            ends = [limit.attrib.pop(end, None) for end in ("lower", "upper")]
            if any(ends):
                found["limits of a spherical joint",].append(f"joint {joint.get('name')!r}")
    for (words, *names), owners in found.items():
        yield f"{words.format(*names)}, of {shown(list(dict.fromkeys(owners)))}: {_DONE[words]}"


_DONE = {
    "commas in {} {}": "taken as spaces",
    "more than {} numbers in {} {}": "the first count",
    "<inertial> without <mass>": "left out",
    "<inertial> without <inertia>": "now zero",
    "inertia without {}": "now 0",
    "limits of a spherical joint": "left out",
}


def _mend(title, element, name, count, owner, found):
    text = element.get(name)
    if "${" in text or "$(" in text:
        raise ModelError(f"{title}: {owner}: {element.tag} {name} = {text!r}: {_unread(title)}")
    if "," in text and count > 1:
        found["commas in {} {}", element.tag, name].append(owner)
        text = text.replace(",", " ")
        element.set(name, text)
    numbers = text.split()
    if any(_is_nan(number) for number in numbers):
        raise ModelError(f"{title}: {owner}: {element.tag} {name} = {text!r}; allowed: finite numbers")
    if len(numbers) > count > 1:
        found["more than {} numbers in {} {}", count, element.tag, name].append(owner)
        element.set(name, " ".join(numbers[:count]))


def _complete(link, found):
    """Give an <inertial> what MuJoCo asks of it; one without a mass is none."""
    owner = f"link {link.get('name')!r}"
    inertial = link.find("inertial")
    if inertial is None:
        return
    if inertial.find("mass") is None:
        found["<inertial> without <mass>",].append(owner)
        link.remove(inertial)
        return
    inertia = inertial.find("inertia")
    if inertia is None:
        found["<inertial> without <inertia>",].append(owner)
        inertia = ElementTree.SubElement(inertial, "inertia", dict.fromkeys(_NUMBERS["inertia"], "0"))
    missing = [name for name in _PRODUCTS if inertia.get(name) is None]
    if missing:
        found["inertia without {}", ", ".join(missing)].append(owner)
        inertia.attrib.update(dict.fromkeys(missing, "0"))


def _owned(element, owner):
    """(the link or joint that an element belongs to, the element), of all elements."""
    if element.tag in ("link", "joint"):
        owner = f"{element.tag} {element.get('name')!r}"
    yield owner, element
    for child in element:
        if isinstance(child.tag, str) and not (_XACRO.fullmatch(child.tag) and child.tag.endswith("macro")):
            yield from _owned(child, owner)


def _unread(title):
    return f"xacro has not read this file yet; allowed: what it makes of it, `xacro {title} > robot.urdf`"


def _is_nan(text):
    try:
        return math.isnan(float(text))
    except ValueError:
        return False
