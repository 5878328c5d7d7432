"""The attributes of the builder's elements: defaults, and readers that accept a value or say what is allowed.

Names, meanings and defaults are MJCF's; angles are radians. None means "not given".
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from . import constants as c
from .errors import ModelError

_SOLREF = (0.02, 1.0)
_SOLIMP = (0.9, 0.95, 0.001, 0.5, 2.0)
_RGBA = (0.5, 0.5, 0.5, 1.0)
_DYNTYPES = {"none": c.DYN_NONE, "integrator": c.DYN_INTEGRATOR, "filter": c.DYN_FILTER,
             "filterexact": c.DYN_FILTEREXACT}  # fmt: skip


class Attribute(NamedTuple):
    """`read` turns a value into what is stored, or raises; `allowed` says in words what it accepts."""

    default: object
    read: object
    allowed: str


def _number(default, low=None):
    def read(value):
        value = float(value)
        if not np.isfinite(value) or (low is not None and value < low):
            raise ValueError
        return value

    return Attribute(default, read, "a finite number" if low is None else f"a finite number, {low} or more")


def _vector(default, size, partial=False):
    """`size` numbers; `partial` lets fewer (or one number) replace the first entries of the default."""

    def read(value):
        value = np.atleast_1d(np.asarray(value, float))
        if value.ndim != 1 or not np.isfinite(value).all() or not (1 if partial else size) <= len(value) <= size:
            raise ValueError
        filled = np.zeros(size) if default is None else np.array(default, float)
        filled[: len(value)] = value
        return filled

    return Attribute(default, read, f"{'up to ' if partial else ''}{size} finite numbers")


def _direction(default, size, allowed):
    """A vector that is stored with length one."""
    vector = _vector(default, size)

    def read(value):
        value = vector.read(value)
        norm = np.linalg.norm(value)
        if norm < 1e-14:
            raise ValueError
        return value / norm

    return Attribute(default, read, allowed)


def _range():
    def read(value):
        low, high = (float(end) for end in value)
        if not (np.isfinite((low, high)).all() and low < high):
            raise ValueError
        return np.array([low, high])

    return Attribute(None, read, "two finite numbers, the lower first")


def _choice(default, choices):
    def read(value):
        if value not in choices:
            raise ValueError
        return choices[value]

    return Attribute(default, read, ", ".join(choices))


def _whole(default, allowed=None):
    def read(value):
        if int(value) != value or (allowed and value not in allowed):
            raise ValueError
        return int(value)

    return Attribute(default, read, "a whole number" if allowed is None else ", ".join(map(str, allowed)))


def _flag():
    def read(value):
        if value not in (True, False):
            raise ValueError
        return bool(value)

    return Attribute(None, read, "True, False")


_JOINTS = {name: kind for kind, name in c.JOINT_NAMES.items()}
_GEOMS = {c.GEOM_NAMES[k]: k for k in (c.PLANE, c.SPHERE, c.CAPSULE, c.ELLIPSOID, c.CYLINDER, c.BOX)}
_SITES = {name: kind for name, kind in _GEOMS.items() if kind != c.PLANE}

_POSE = {
    "pos": _vector((0, 0, 0), 3),
    "quat": _direction(None, 4, "four finite numbers, not all zero"),
    "euler": _vector(None, 3),
}
_CONTACT = {
    "condim": _whole(3, (1, 3, 4, 6)),
    "solref": _vector(_SOLREF, 2),
    "solimp": _vector(_SOLIMP, 5, partial=True),
    "margin": _number(0.0),
    "gap": _number(0.0, 0),
}

ELEMENTS = {
    "body": _POSE,
    "inertial": {
        **_POSE,
        "mass": _number(None, 0),
        "diaginertia": _vector(None, 3),
        "fullinertia": _vector(None, 6),
    },
    "joint": {
        "type": _choice("hinge", _JOINTS),
        "pos": _vector((0, 0, 0), 3),
        "axis": _direction((0, 0, 1), 3, "three finite numbers, not all zero"),
        "stiffness": _number(0.0, 0),
        "damping": _number(0.0, 0),
        "armature": _number(0.0, 0),
        "frictionloss": _number(0.0, 0),
        "ref": _number(0.0),
        "springref": _number(0.0),
        "range": _range(),
        "limited": _flag(),
        "margin": _number(0.0),
        "solreflimit": _vector(_SOLREF, 2),
        "solimplimit": _vector(_SOLIMP, 5, partial=True),
        "solreffriction": _vector(_SOLREF, 2),
        "solimpfriction": _vector(_SOLIMP, 5, partial=True),
    },
    "geom": {
        **_POSE,
        **_CONTACT,
        "type": _choice("sphere", _GEOMS),
        "size": _vector(None, 3, partial=True),
        "fromto": _vector(None, 6),
        "mass": _number(None, 0),
        "density": _number(1000.0, 0),
        "friction": _vector((1.0, 0.005, 0.0001), 3, partial=True),
        "contype": _whole(1),
        "conaffinity": _whole(1),
        "priority": _whole(0),
        "solmix": _number(1.0, 0),
        "rgba": _vector(_RGBA, 4),
        "group": _whole(0),
    },
    "site": {
        **_POSE,
        "type": _choice("sphere", _SITES),
        "size": _vector((0.005, 0.005, 0.005), 3, partial=True),
        "fromto": _vector(None, 6),
        "rgba": _vector(_RGBA, 4),
    },
    "actuator": {
        "gear": _vector((1.0, 0, 0, 0, 0, 0), 6, partial=True),
        "ctrllimited": _flag(),
        "ctrlrange": _range(),
        "forcelimited": _flag(),
        "forcerange": _range(),
        "actlimited": _flag(),
        "actrange": _range(),
        "dyntype": _choice("none", _DYNTYPES),
        "dynprm": _vector((1.0, 0, 0), 3, partial=True),
        "gainprm": _vector((1.0, 0, 0), 3, partial=True),
        "biasprm": _vector((0.0, 0, 0), 3, partial=True),
    },
    "pair": {
        **_CONTACT,
        "friction": _vector((1.0, 1.0, 0.005, 0.0001, 0.0001), 5, partial=True),
        "solreffriction": _vector((0.0, 0.0), 2),
    },
    "sensor": {"cutoff": _number(0.0, 0)},
    "option": {
        "timestep": _number(0.002),
        "gravity": _vector((0, 0, -9.81), 3),
        "integrator": _choice("Euler", {n: k for k, n in c.INTEGRATOR_NAMES.items() if k != c.IMPLICIT}),
        "cone": _choice("pyramidal", {name: kind for kind, name in c.CONE_NAMES.items()}),
        "impratio": _number(1.0),
        "tolerance": _number(1e-8, 0),
        "iterations": _whole(100),
        "ls_iterations": _whole(50),
        "eulerdamp": _flag()._replace(default=True),
        "refsafe": _flag()._replace(default=True),
    },
}


def read_attributes(kind, who, given, defaults=None):
    """Namespace of every attribute of an element: given, else from `defaults`, else MuJoCo's own default."""
    table = ELEMENTS[kind]
    check_known(who, given, table)
    values = {}
    for name, attribute in table.items():
        value = given.get(name)
        if value is None:
            value = (defaults or {}).get(name, attribute.default)
        values[name] = None if value is None else _read(who, name, value, attribute)
    return SimpleNamespace(**values)


def check_known(who, given, known):
    """Refuse names of attributes that do not exist."""
    for name in given:
        if name not in known:
            raise ModelError(f"{who}: unknown attribute {name!r}; allowed: {', '.join(known)}")


def check_values(kind, who, given):
    """Refuse unknown names and unreadable values without building anything."""
    check_known(who, given, ELEMENTS[kind])
    for name, value in given.items():
        _read(who, name, value, ELEMENTS[kind][name])


def _read(who, name, value, attribute):
    try:
        return attribute.read(value)
    except (TypeError, ValueError):
        raise ModelError(f"{who}: {name} = {value!r}; allowed: {attribute.allowed}") from None
