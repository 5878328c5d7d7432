"""Attributes of the builder's elements: defaults, and readers that accept a value or say what is allowed.

Names, meanings and defaults are MJCF's; angles are radians. None means "not given".
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from engine.words import meant

from .errors import ModelError


class Attribute(NamedTuple):
    """`read` turns a value into what is stored, or raises; `allowed` says in words what it accepts."""

    default: object
    read: object
    allowed: str


def number(default, low=None):
    def read(value):
        value = float(value)
        if not np.isfinite(value) or (low is not None and value < low):
            raise ValueError
        return value

    return Attribute(default, read, "a finite number" if low is None else f"a finite number, {low} or more")


def polynomial():
    """Up to three coefficients (or one number), of which the first may not be negative."""
    three = vector((0.0, 0.0, 0.0), 3, partial=True)

    def read(value):
        value = three.read(value)
        if value[0] < 0:
            raise ValueError
        return value

    return Attribute((0.0, 0.0, 0.0), read, "up to three finite numbers, the first 0 or more")


def vector(default, size, partial=False):
    """`size` numbers; `partial` lets fewer (or one number) replace the first entries of the default."""

    def read(value):
        value = np.atleast_1d(np.asarray(value, float))
        if value.ndim != 1 or not np.isfinite(value).all() or not (1 if partial else size) <= len(value) <= size:
            raise ValueError
        filled = np.zeros(size) if default is None else np.array(default, float)
        filled[: len(value)] = value
        return filled

    return Attribute(default, read, f"{'up to ' if partial else ''}{size} finite numbers")


def direction(default, size, allowed):
    """A vector that is stored with length one."""
    given = vector(default, size)

    def read(value):
        value = given.read(value)
        norm = np.linalg.norm(value)
        if norm < 1e-14:
            raise ValueError
        return value / norm

    return Attribute(default, read, allowed)


def pose():
    """Position and orientation in one: seven numbers, the quaternion stored with length one."""
    given = vector(None, 7)

    def read(value):
        value = given.read(value)
        norm = np.linalg.norm(value[3:])
        if norm < 1e-14:
            raise ValueError
        value[3:] /= norm
        return value

    return Attribute(None, read, "seven finite numbers, the last four not all zero")


def ends():
    """The lower and the upper end of a range."""

    def read(value):
        low, high = (float(end) for end in value)
        if not (np.isfinite((low, high)).all() and low < high):
            raise ValueError
        return np.array([low, high])

    return Attribute(None, read, "two finite numbers, the lower first")


def choice(default, choices):
    def read(value):
        if value not in choices:
            raise ValueError
        return choices[value]

    return Attribute(default, read, ", ".join(choices))


def name_of(what):
    """The name of an element that must exist."""

    def read(value):
        if not isinstance(value, str):
            raise ValueError
        return value

    return Attribute(None, read, f"the name of {what}")


def whole(default, allowed=None):
    def read(value):
        if int(value) != value or (allowed and value not in allowed):
            raise ValueError
        return int(value)

    return Attribute(default, read, "a whole number" if allowed is None else ", ".join(map(str, allowed)))


def flag(default=None):
    def read(value):
        if value not in (True, False):
            raise ValueError
        return bool(value)

    return Attribute(default, read, "True, False")


# What several kinds have.
SOLREF, SOLIMP = vector((0.02, 1.0), 2), vector((0.9, 0.95, 0.001, 0.5, 2.0), 5, partial=True)
RGBA = vector((0.5, 0.5, 0.5, 1.0), 4)
POSE = {
    "pos": vector((0, 0, 0), 3),
    "quat": direction(None, 4, "four finite numbers, not all zero"),
    "euler": vector(None, 3),
}
CONTACT = {
    "condim": whole(3, (1, 3, 4, 6)),
    "solref": SOLREF,
    "solimp": SOLIMP,
    "margin": number(0.0),
    "gap": number(0.0, 0),
}


def read_attributes(table, who, given, defaults=None):
    """Namespace of every attribute of a table: given, else from `defaults`, else MuJoCo's own default."""
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
            raise ModelError(f"{who}: unknown attribute {name!r}{meant(name, known)}; allowed: {', '.join(known)}")


def check_values(table, who, given):
    """Refuse unknown names and unreadable values without building anything."""
    check_known(who, given, table)
    for name, value in given.items():
        _read(who, name, value, table[name])


def _read(who, name, value, attribute):
    try:
        return attribute.read(value)
    except (TypeError, ValueError):
        raise ModelError(f"{who}: {name} = {value!r}; allowed: {attribute.allowed}") from None
