"""A Model as plain arrays and back, bit for bit: what a run file stores so that it needs no other file."""

import hashlib
import json
from dataclasses import asdict, fields

import numpy as np

from .elements.key import KEYS, YOUNGER, Keyframes, row_shape
from .elements.kind import cast
from .elements.option import Option
from .errors import ModelError
from .fields import FIELDS, NAMED, OWNERS, SIZED_BY, TABLE
from .model import Model
from .validate import validate

# The parts of the header, and what tells one that is damaged.
AGE = 11  # of what is stored now; the header says it from 2 on
# than age 0
_YOUNGER_OPTIONS = set(
    "magnetic ccd_tolerance ccd_iterations multiccd density viscosity wind noslip_iterations noslip_tolerance "
    "island diagexact sleep sleep_tolerance speculative solver".split()
)
_HEADER = {"name": str, "opt": dict, "names": dict, "keys": list, "meshes": int}


def model_to_arrays(model):
    """{name: array} of everything that a Model holds but its import report; "header" is JSON."""
    opt = {name: np.asarray(value).tolist() for name, value in asdict(model.opt).items()}
    names = {kind: getattr(model, f"{kind}_names") for kind in NAMED}
    header = {"name": model.name, "opt": opt, "names": names, "keys": model.key_names, "meshes": len(model.mesh_vert),
              "age": AGE}  # fmt: skip
    arrays = {name: getattr(model, name) for name in FIELDS}
    arrays |= {f"key_{name}": getattr(model, f"key_{name}") for name in KEYS}
    for i, (vert, face) in enumerate(zip(model.mesh_vert, model.mesh_face, strict=True)):
        arrays |= {f"mesh_vert.{i}": vert, f"mesh_face.{i}": face}
    return arrays | {"header": np.array(json.dumps(header))}


def fingerprint(model):
    """A short text that tells a Model from others, whose numbers differ by more than rounding."""
    told = hashlib.sha1()
    for function in model.own_residual or ():
        told.update(function.__qualname__.encode())
    for name, a in sorted(model_to_arrays(model).items()):
        with np.errstate(over="ignore"):
            rounded = a.astype(np.float32) + np.float32(0.0) if a.dtype.kind == "f" else a  # -0 is 0
        told.update(f"{name} {a.shape} ".encode() + np.ascontiguousarray(rounded).tobytes())
    return told.hexdigest()[:16]


def model_from_arrays(arrays):
    """The Model that `model_to_arrays` took apart. Raises ModelError where something is missing or does not fit.

    Of a kind of element that is younger than the file, the robot has none; of an array or an option that is younger, it
    has what it had before there was one.
    """
    header = _header(arrays["header"], arrays) if "header" in arrays else {"names": NAMED}
    younger = {array for array, kind in OWNERS.items() if kind.named and kind.name not in header["names"]}
    if "opt" in header:
        arrays = _before(arrays, younger, age_of(header), len(header["keys"]))
    _require({"header", *FIELDS, *(f"key_{name}" for name in KEYS)} - younger, arrays)
    said = range(min(header["meshes"], len(arrays)))
    _require({f"mesh_{part}.{i}" for part in ("vert", "face") for i in said}, arrays)
    known = {f.name for f in fields(Option)}
    if not known - _YOUNGER_OPTIONS <= set(header["opt"]) <= known:
        raise ModelError(f"the stored options are {sorted(header['opt'])}; this version has {sorted(known)}")
    vectors = [name for name in ("gravity", "magnetic", "wind") if name in header["opt"]]
    opt = Option(**header["opt"] | {name: cast(f"option {name}", header["opt"][name], np.float64) for name in vectors})
    keys = Keyframes(header["keys"], *(arrays[f"key_{name}"] for name in KEYS))
    meshes = [(arrays[f"mesh_vert.{i}"], arrays[f"mesh_face.{i}"]) for i in range(header["meshes"])]
    own = {name: () if name in younger else arrays[name] for name in FIELDS}
    for name in own.keys() - younger:
        size, entry, _ = FIELDS[name]
        if own[name].shape[1:] != entry or own[name].ndim == 0:
            got, wanted = own[name].shape, str((size, *entry)).replace("'", "")
            raise ModelError(f"the stored model: {name}: got shape {got}, allowed: {wanted}")
    model = validate(Model(opt, own, header["names"], name=header["name"], meshes=meshes, keyframes=keys))
    for name in KEYS:
        got, allowed = arrays[f"key_{name}"].shape, (len(header["keys"]), *row_shape(model, name))
        if got != allowed:
            raise ModelError(f"the stored model: key_{name}: got shape {got}, allowed: {allowed}")
    return model


def age_of(header):
    """The age of the engine that stored a robot, by the header. What an addition brought is there as a whole."""
    return header.get("age", int("magnetic" in header["opt"]))


def stored_age(header):
    """The same of a header as it is stored."""
    return age_of(json.loads(str(header)))


def _before(arrays, younger, age, nkey):
    """The arrays of a file and, of kinds that it knows, those that are younger than it (Field.before)."""
    lacking = {n: f.before for n, f in TABLE.items()
               if f.before is not None and f.since > age and n not in arrays and n not in younger}  # fmt: skip
    if age < 3 and "pair_geom1" in arrays:  # every pair had its own contact parameters
        arrays = {"pair_own": np.arange(np.size(arrays["pair_geom1"]))} | arrays
    if age < 2:
        arrays = {f"key_{name}": np.zeros((nkey,) if name == "time" else (nkey, 0)) for name in YOUNGER} | arrays
    first = {name: arrays.get(SIZED_BY[FIELDS[name][0]], ()) for name in lacking}
    return arrays | {n: np.full((*np.shape(first[n])[:1], *TABLE[n].shape), value) for n, value in lacking.items()}


def _require(needed, arrays):
    missing = sorted(needed - set(arrays))
    if missing:
        raise ModelError(f"the stored model lacks {', '.join(missing)}")


def _header(text, arrays):
    """The header as a dictionary with the parts of `_HEADER`, each of its type, and names of each kind in `arrays`."""
    try:
        header = json.loads(str(text))
    except ValueError as error:
        raise ModelError(f"the stored model's header is no JSON ({error})") from None
    for part, kind in _HEADER.items():
        if not isinstance(header, dict) or not isinstance(header.get(part), kind):
            raise ModelError(f"the stored model's header has no {part}; allowed: {part} of type {kind.__name__}")
    age = header.get("age", AGE)
    if not isinstance(age, int) or not 0 <= age <= AGE:
        raise ModelError(f"the stored model's header has age {age!r}; allowed: whole numbers to {AGE}")
    if header["meshes"] < 0:
        raise ModelError(f"the stored model's header counts {header['meshes']} meshes; allowed: 0 or more")
    names, stored = header["names"], {kind.name for array, kind in OWNERS.items() if kind.named and array in arrays}
    if not stored <= set(names) <= set(NAMED) or not all(isinstance(group, list) for group in names.values()):
        raise ModelError(f"the stored model's header names {sorted(names)}; allowed: lists of {', '.join(NAMED)}")
    return header
