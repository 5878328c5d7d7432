"""Nested plain values (dicts, lists, tuples, arrays, numbers, text) as arrays that need no pickle, and back."""

import json

import numpy as np

from engine import files

_TREE = "tree"
_ATOMS = (bool, int, float, str, type(None))


def to_arrays(value):
    """{name: array} of a nested value: "tree" is JSON, in which arrays are named.

    Dicts (keys: text), lists, tuples, NumPy arrays and scalars of numbers, truth values or text, Python's numbers, text
    and None. Raises ValueError, which says where, for anything else.
    """
    arrays = {}
    tree = _taken_apart(value, "", arrays)
    return {_TREE: np.array(json.dumps(tree)), **arrays}


def from_arrays(arrays):
    """The value that `to_arrays` took apart. Raises ValueError where something is missing or does not fit."""
    files.check_keys("it", arrays, [_TREE])
    try:
        return _put_together(files.parse_json(arrays[_TREE], (list, *_ATOMS)), arrays)
    except (TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"{_TREE}: it is not what this program writes ({type(error).__name__}: {error})") from error


def _taken_apart(value, where, arrays):
    """A JSON value; every list in it is [kind, content], so that nothing is mistaken for something else."""
    if type(value) in _ATOMS:
        return value
    if type(value) is dict and all(type(k) is str for k in value):
        return ["dict", {k: _taken_apart(v, f"{where}[{k!r}]", arrays) for k, v in value.items()}]
    if type(value) in (list, tuple):
        return [type(value).__name__, [_taken_apart(v, f"{where}[{i}]", arrays) for i, v in enumerate(value)]]
    if type(value) is np.ndarray and not value.dtype.hasobject or isinstance(value, np.generic):
        name = f"array.{len(arrays)}"
        arrays[name] = np.asarray(value)
        return ["array" if type(value) is np.ndarray else "scalar", name]
    kind = "a dict with keys that are not text" if type(value) is dict else f"{type(value).__name__} {value!r}"
    raise ValueError(f"{where or 'the value'}: got {kind}, allowed: dicts, lists, tuples, arrays, numbers, text, None")


def _put_together(tree, arrays):
    if not isinstance(tree, list):
        return tree
    kind, content = tree
    if kind == "dict":
        return {k: _put_together(v, arrays) for k, v in content.items()}
    if kind in ("list", "tuple"):
        parts = [_put_together(v, arrays) for v in content]
        return parts if kind == "list" else tuple(parts)
    if kind in ("array", "scalar"):
        return arrays[content] if kind == "array" else arrays[content][()]
    raise ValueError(f"{_TREE}: got a {kind!r}, allowed: dict, list, tuple, array, scalar")
