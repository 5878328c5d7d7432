"""Ways to refuse an entry of an array by name, which the kinds of elements share."""

import numpy as np

from .errors import ModelError


def refuse(m, array, index, allowed):
    """Raise ModelError for an entry of Model `m`."""
    value = np.array2string(np.asarray(getattr(m, array)[index]))
    raise ModelError(f"{m.entry(array, index)}: {array} = {value}; allowed: {allowed}")


def first(mask):
    """Index of the first entity with a true entry, or None."""
    mask = np.asarray(mask, bool)
    rows = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1)) if mask.size else ()
    return int(rows[0]) if len(rows) else None


def check(m, array, bad, allowed):
    """Refuse the first entity for which `bad` (n, ...) is true. allowed: words, or a function of its index."""
    index = first(bad)
    if index is not None:
        refuse(m, array, index, allowed(index) if callable(allowed) else allowed)


def unit_quaternions(m, *arrays):
    for array in arrays:
        check(m, array, abs(np.linalg.norm(getattr(m, array), axis=1) - 1) > 1e-6, "a quaternion of length one")


def ranges(m, *pairs):
    """(array of booleans, array of ranges): where the first is true, the range must have a lower and an upper end."""
    for limited, array in pairs:
        low, high = getattr(m, array).T
        check(m, array, getattr(m, limited) & (low >= high), "lower end below upper end")


def solref(m, array, used):
    """Reference parameters of a constraint are of one of two formats; asked where `used` (n,)."""
    one, two = getattr(m, array).T
    words = "both positive (time constant, damping ratio) or neither (-stiffness, -damping)"
    check(m, array, used & ((one > 0) != (two > 0)), words)


def one_of(m, array, names):
    """The entries must be among the keys of `names`, {number: word}."""
    check(m, array, ~np.isin(getattr(m, array), list(names)), ", ".join(f"{k} ({name})" for k, name in names.items()))


def below(m, array, size, word, low=0):
    """The entries must be numbers of a `word`, from `low` up to the count `size`."""
    value, n = getattr(m, array), getattr(m, size)
    words = f"a {word}, {low} to {n - 1}" if n > low else f"none, since the model has no {word} to name"
    check(m, array, (value < low) | (value >= n), words)


def follows(m, array, want, source):
    check(m, array, getattr(m, array) != want, lambda i: f"{want[i]}, which follows from {source}")


def same_count(m, size, want, source):
    if getattr(m, size) != want:
        raise ModelError(f"{size} = {getattr(m, size)}; allowed: {want}, which follows from {source}")
