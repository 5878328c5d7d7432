"""Numbers and arrays that a user gives: of the engine's precision, or refused by name."""

import numpy as np

from engine.compiler.backend import np_real
from engine.finite import require_finite


def whole(name, value):
    """`value` as an int, where it is a whole number from 1; else ValueError, which names it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name}: got {value!r}, allowed: a whole number from 1")
    return int(value)


def checked(name, value, shape):
    """A finite array of the engine's precision, broadcast over the first axis; errors name what is allowed."""
    a = numbers(name, value, shape)
    if a.shape not in (shape, shape[1:]):
        raise ValueError(f"{name}: got shape {a.shape}, allowed: {shape} or {shape[1:]}")
    require_finite(name, a)
    return a if a.shape == shape else np.broadcast_to(a, shape)


def numbers(name, value, shape):
    """An array of the engine's precision, of any shape; what is not made of real numbers is refused."""
    a = None
    try:
        a = np.asarray(value)
        if a.dtype.kind == "c":
            raise TypeError
        return a.astype(np_real(), copy=False)
    except (TypeError, ValueError):
        got = type(value).__name__ if a is None else f"an array of {a.dtype}" if a.ndim else repr(value)
        raise ValueError(f"{name}: got {got}, allowed: real numbers of shape {shape}") from None


def steps_number(n):
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"n: got {n!r}, allowed: a whole number from 0")
    return int(n)
