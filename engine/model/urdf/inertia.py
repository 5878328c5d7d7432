"""Masses and inertias that no body can have, which MuJoCo refuses: the nearest that it takes, with a line for each.

An inertia about the centre of mass has positive moments A <= B <= C with A + B >= C. Moments below a bound are raised
to it. Where the triangle fails, all three become their mean, as with MuJoCo's `balanceinertia`; where it fails by
rounding alone, as of a flat body, the largest is what the others allow.
"""

from collections import defaultdict
from xml.etree import ElementTree

import numpy as np

from ..report import shown

# Of links that are only names for frames: far below what a robot weighs, far above rounding.
MASS, INERTIA = 1e-6, 1e-9  # kg, kg m^2
_ROUNDING = 1e-6  # of the sum of the moments
_TENSOR = ("ixx", "iyy", "izz", "ixy", "ixz", "iyz")


def repaired(robot, rounding):
    """Mend the masses and inertias of a URDF in place; a line for each kind of change, with the links.

    rounding: by how much of the largest moment flat bodies must fulfil A + B >= C, where another program's rounding
    decides.
    """
    ends = [(j.get("type"), j.find("parent"), j.find("child")) for j in robot.findall("joint")]
    joints = [(kind, above.get("link"), below.get("link")) for kind, above, below in ends
              if above is not None and below is not None]  # fmt: skip
    moved = {below for kind, _, below in joints if kind != "fixed"}
    weighs = {link.get("name") for link in robot.findall("link") if _weighs(link)}
    for _ in joints:  # what is fixed to a link loads it
        weighs |= {above for kind, above, below in joints if kind == "fixed" and below in weighs}
    found = defaultdict(list)
    for link in robot.findall("link"):
        inertial, name = link.find("inertial"), link.get("name")
        if inertial is not None:
            for kind, text in _repaired(inertial, rounding):
                found[kind].append((repr(name), f": {text}"))
        elif link.find("collision") is not None:
            text = " without <inertial>: mass and inertia are those of its <collision>, at 1000 kg/m^3"
            found["collision"].append((repr(name), text))
        elif name in moved - weighs:
            inertial = ElementTree.SubElement(link, "inertial")
            ElementTree.SubElement(inertial, "mass", value=repr(MASS))
            ElementTree.SubElement(inertial, "inertia", _attributes(np.eye(3) * INERTIA))
            text = f" moves without a mass: now {MASS:g} kg, and moments of inertia of {INERTIA:g} kg m^2"
            found["frame"].append((repr(name), text))
    for lines in found.values():
        names, texts = zip(*lines, strict=True)
        others = ", ..." if len(set(texts)) > 1 else ""  # the first is told of those whose numbers differ
        yield f"link {shown(names)}{texts[0]}{others}"


def _weighs(link):
    return link.find("inertial") is not None or link.find("collision") is not None


def _repaired(inertial, rounding):
    """(kind, text) of each change."""
    mass, inertia = inertial.find("mass"), inertial.find("inertia")
    if mass is None or inertia is None:
        return  # MuJoCo says so
    try:
        kg = float(mass.get("value"))
        xx, yy, zz, xy, xz, yz = (float(inertia.get(name)) for name in _TENSOR)
    except (TypeError, ValueError):
        return
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if not (np.isfinite(tensor).all() and np.isfinite(kg)):
        return
    if kg < MASS and (kg <= 0 or not np.linalg.eigvalsh(tensor)[0] > 0):
        mass.set("value", repr(MASS))
        yield "mass", f"mass {kg:g} kg, now {MASS:g}"
    moments, axes = np.linalg.eigh(tensor)
    possible = _possible(moments, rounding)
    if possible is not moments:
        for name, value in _attributes(axes @ np.diag(possible) @ axes.T).items():
            inertia.set(name, value)
        kind = "bounded" if (possible == np.maximum(moments, INERTIA)).all() else "balanced"
        yield kind, f"moments of inertia {_list(moments)} kg m^2, which no body has, now {_list(possible)}"


def _possible(moments, rounding):
    """Moments that a body can have, from those in rising order; the same array where it can have them for sure."""
    a, b, c = moments
    if a > 1e-14 and a + b >= c * (1 + rounding):  # MuJoCo's mjEPS
        return moments
    bounded = np.maximum(moments, INERTIA)
    a, b, c = bounded
    if a + b >= c * (1 + rounding):
        return bounded
    if a + b >= c - _ROUNDING * (a + b + c):
        return np.array([a, b, (a + b) * (1 - 1e-12)])
    return np.full(3, bounded.mean())


def _attributes(tensor):
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    return {name: repr(float(tensor[i, j])) for name, (i, j) in zip(_TENSOR, pairs, strict=True)}


def _list(moments):
    return "[" + ", ".join(f"{x:.3g}" for x in moments) + "]"
