"""A Model as plain arrays and back, bit for bit: what a run file stores so that it needs no other file."""

import json
from dataclasses import asdict, fields

import numpy as np

from engine.files import check_array, check_keys, check_whole, parse_json

from .errors import ModelError
from .fields import FIELDS
from .model import Keyframes, Model, Option
from .validate import validate

# kinds of elements that have names, and their numbers
_KINDS = {"body": "nbody", "joint": "njnt", "geom": "ngeom", "site": "nsite", "actuator": "nu", "sensor": "nsensor"}
_KEYS = ("qpos", "qvel", "act", "ctrl")


def model_to_arrays(model):
    """{name: array} of everything that a Model holds but its import report; "header" is JSON."""
    opt = {name: np.asarray(value).tolist() for name, value in asdict(model.opt).items()}
    names = {kind: getattr(model, f"{kind}_names") for kind in _KINDS}
    header = {"name": model.name, "opt": opt, "names": names, "keys": model.key_names, "meshes": len(model.mesh_vert)}
    arrays = {name: getattr(model, name) for name in FIELDS}
    arrays |= {f"key_{name}": getattr(model, f"key_{name}") for name in _KEYS}
    for i, (vert, face) in enumerate(zip(model.mesh_vert, model.mesh_face, strict=True)):
        arrays |= {f"mesh_vert.{i}": vert, f"mesh_face.{i}": face}
    return arrays | {"header": np.array(json.dumps(header))}


def model_from_arrays(arrays):
    """The Model that `model_to_arrays` took apart. Raises ModelError where something is missing or does not fit."""
    missing = {"header", *FIELDS, *(f"key_{name}" for name in _KEYS)} - set(arrays)
    if missing:
        raise ModelError(f"the stored model lacks {', '.join(sorted(missing))}")
    try:
        header = _header(parse_json(arrays["header"]))
        for name, (_, entry, dtype) in FIELDS.items():
            check_array(name, arrays[name], np.dtype(dtype).kind, (None, *entry))
        for name in _KEYS:
            check_array(f"key_{name}", arrays[f"key_{name}"], "f", (None, None))
        meshes = [_mesh(arrays, i) for i in range(header["meshes"])]
    except ValueError as error:
        raise ModelError(f"the stored model: {error}") from error
    opt = Option(**header["opt"] | {"gravity": np.array(header["opt"]["gravity"], float)})
    keys = Keyframes(header["keys"], *(arrays[f"key_{name}"] for name in _KEYS))
    own = {name: arrays[name] for name in FIELDS}
    model = Model(opt, own, header["names"], name=header["name"], meshes=meshes, keyframes=keys)
    for kind, size in _KINDS.items():
        got, allowed = len(getattr(model, f"{kind}_names")), getattr(model, size)
        if got != allowed:
            raise ModelError(f"the stored model: names of {kind}s: got {got}, allowed: {allowed}")
    for name in (f"key_{name}" for name in _KEYS):
        got, allowed = arrays[name].shape, getattr(model, name).shape
        if got != allowed:
            raise ModelError(f"the stored model: {name}: got shape {got}, allowed: {allowed}")
    return validate(model)


def _header(header):
    """The JSON part of a stored model, when all in it is of the right kind."""
    known = {f.name: f.type for f in fields(Option)}
    check_keys("its header", header, ("name", "opt", "names", "keys", "meshes"))
    opt, names = header["opt"], header["names"]
    if not isinstance(opt, dict) or set(opt) != set(known):
        raise ValueError(f"options: got {opt!r}, allowed: {', '.join(known)}")
    for name, kind in known.items():
        value = opt[name]
        number = type(value) in (bool, int, float) and (kind is float or value == value // 1)
        if name != "gravity" and (not number or kind is bool and value not in (0, 1)):
            raise ValueError(f"option {name}: got {value!r}, allowed: a {kind.__name__}")
    if not isinstance(opt["gravity"], list) or not all(type(x) in (int, float) for x in opt["gravity"]):
        raise ValueError(f"option gravity: got {opt['gravity']!r}, allowed: three numbers")
    if not isinstance(names, dict) or set(names) != set(_KINDS) or not all(map(_texts, names.values())):
        raise ValueError(f"names: got {names!r}, allowed: a list of words for each of {', '.join(_KINDS)}")
    if not isinstance(header["name"], str) or not _texts(header["keys"]):
        got = f"{header['name']!r}, {header['keys']!r}"
        raise ValueError(f"name, keys: got {got}, allowed: a word, and a list of words")
    check_whole("meshes", header["meshes"])
    return header


def _texts(x):
    return isinstance(x, list) and all(isinstance(word, str) for word in x)


def _mesh(arrays, i):
    check_keys("it", arrays, (f"mesh_vert.{i}", f"mesh_face.{i}"))
    vert, face = arrays[f"mesh_vert.{i}"], arrays[f"mesh_face.{i}"]
    check_array(f"mesh_vert.{i}", vert, "f", (None, 3))
    check_array(f"mesh_face.{i}", face, "i", (None, 3))
    if face.size and not 0 <= face.min() <= face.max() < len(vert):
        raise ValueError(f"mesh_face.{i}: got {face.min()} to {face.max()}, allowed: 0 to {len(vert) - 1}")
    return vert, face
