"""A Model as plain arrays and back, bit for bit: what a run file stores so that it needs no other file."""

import json
from dataclasses import asdict, fields

import numpy as np

from .errors import ModelError
from .fields import FIELDS
from .model import Keyframes, Model, Option
from .validate import validate

_KINDS = ("body", "joint", "geom", "site", "actuator", "sensor")
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
    header = json.loads(str(arrays["header"]))
    known = {f.name for f in fields(Option)}
    if set(header["opt"]) != known:
        raise ModelError(f"the stored options are {sorted(header['opt'])}; this version has {sorted(known)}")
    opt = Option(**header["opt"] | {"gravity": np.array(header["opt"]["gravity"], float)})
    keys = Keyframes(header["keys"], *(arrays[f"key_{name}"] for name in _KEYS))
    meshes = [(arrays[f"mesh_vert.{i}"], arrays[f"mesh_face.{i}"]) for i in range(header["meshes"])]
    own = {name: arrays[name] for name in FIELDS}
    return validate(Model(opt, own, header["names"], name=header["name"], meshes=meshes, keyframes=keys))
