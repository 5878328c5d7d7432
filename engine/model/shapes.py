"""Pose and size of a geom or site from the ways a person may give them."""

import numpy as np

from . import constants as c
from .errors import ModelError
from .rotation import euler_to_quat, z_to_quat

_FROMTO = {c.CAPSULE: 1, c.CYLINDER: 1, c.BOX: 2, c.ELLIPSOID: 2}  # where the half length stands in `size`
# How many numbers of `size` a shape has.
COUNT = {c.PLANE: 3, c.SPHERE: 1, c.CAPSULE: 2, c.ELLIPSOID: 3, c.CYLINDER: 2, c.BOX: 3}


def quat_of(who, a):
    """Orientation from `quat` or `euler` (not both), else none."""
    if a.quat is not None and a.euler is not None:
        raise ModelError(f"{who}: both quat and euler; allowed: one of them")
    if a.euler is not None:
        return euler_to_quat(a.euler)
    return np.array([1.0, 0.0, 0.0, 0.0]) if a.quat is None else a.quat


def place(who, a, given):
    """(pos, quat, size) of attributes `a`, of which the caller wrote `given`."""
    count = COUNT[a.type]
    size = np.zeros(3) if a.size is None else a.size.copy()
    if a.fromto is None:
        pos, quat = a.pos, quat_of(who, a)
    else:
        pos, quat, size = _place_fromto(who, a, given, size)
    if a.type != c.PLANE and (size[:count] <= 0).any():
        raise ModelError(f"{who}: size = {size[:count]}; allowed: {count} positive numbers for this type")
    if a.type == c.PLANE and (size < 0).any():
        raise ModelError(f"{who}: size = {size}; allowed: numbers of zero (infinite) or more for a plane")
    return pos, quat, size


def _place_fromto(who, a, given, size):
    clash = [name for name in ("pos", "quat", "euler") if given.get(name) is not None]
    if clash:
        raise ModelError(f"{who}: both fromto and {clash[0]}; allowed: one of them")
    if a.type not in _FROMTO:
        allowed = ", ".join(c.GEOM_NAMES[kind] for kind in _FROMTO)
        raise ModelError(f"{who}: fromto with type {c.GEOM_NAMES[a.type]}; allowed with: {allowed}")
    start, end = a.fromto[:3], a.fromto[3:]
    length = np.linalg.norm(start - end)
    if length < 1e-14:
        raise ModelError(f"{who}: fromto = {a.fromto}; allowed: two different points")
    half = _FROMTO[a.type]
    size[1:half] = size[0]  # a box or ellipsoid has a square or round section
    size[half] = length / 2
    return (start + end) / 2, z_to_quat(start - end), size
