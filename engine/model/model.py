"""Model: the constants of one robot, as NumPy arrays with MuJoCo's names."""

import copy
from dataclasses import dataclass, field

import numpy as np

from . import constants as c
from .errors import ModelError
from .fields import FIELDS, SIZED_BY, cast, fields_of
from .indices import KEYS, NAMED


@dataclass
class Option:
    """Simulation options, MuJoCo's mjOption; `integrator` and `cone` are the numbers of constants.py."""

    timestep: float = 0.002
    gravity: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, -9.81]))
    integrator: int = c.EULER
    cone: int = c.PYRAMIDAL
    impratio: float = 1.0
    tolerance: float = 1e-8
    iterations: int = 100
    ls_iterations: int = 50
    eulerdamp: bool = True
    refsafe: bool = True


@dataclass
class Keyframes:
    """Named states to start from."""

    names: list
    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    ctrl: np.ndarray


class Model:
    """Arrays and sizes of one robot; fields.py has the table of arrays, MuJoCo's reference has their meaning.

    Beyond MuJoCo: `pair_*` holds every pair of geoms that may ever touch, with its contact parameters already mixed
    (MuJoCo finds and mixes them at run time), and an actuator is always affine in length and velocity (MuJoCo's gain
    "fixed" is `gainprm = [g, 0, 0]`, its bias "none" is `biasprm = 0`).
    """

    def __init__(self, opt, arrays, names=None, *, name="", meshes=(), keyframes=None, report=None):
        self.opt, self.name, self.report = opt, name, report
        self.regular = None  # the arrays for which validate has found the mass matrix regular, as bytes
        _take_arrays(self, arrays)
        self.na = int(np.sum(self.actuator_actadr >= 0))
        self.nsensordata = int(np.sum(self.sensor_dim))
        self.mesh_vert = [cast(f"mesh_vert of mesh {i}", vert, np.float64) for i, (vert, _) in enumerate(meshes)]
        self.mesh_face = [cast(f"mesh_face of mesh {i}", face, np.int32) for i, (_, face) in enumerate(meshes)]
        for kind, size in NAMED.items():
            default = [""] * getattr(self, size)
            setattr(self, f"{kind}_names", list((names or {}).get(kind, default)))
        _take_keyframes(self, keyframes)

    def body(self, name):
        """Index of the body called `name`; the same for the five methods below."""
        return self._index("body", name)

    def joint(self, name):
        return self._index("joint", name)

    def geom(self, name):
        return self._index("geom", name)

    def site(self, name):
        return self._index("site", name)

    def actuator(self, name):
        return self._index("actuator", name)

    def sensor(self, name):
        return self._index("sensor", name)

    def key(self, name):
        return self._index("key", name)

    def copy(self):
        """An independent copy: changing its arrays leaves this one alone."""
        return copy.deepcopy(self)

    def label(self, kind, index):
        """How error messages call an element: its name, or its number where it has none."""
        name = getattr(self, f"{kind}_names")[index]
        return f"{kind} '{name}'" if name else f"{kind} {index}"

    def _index(self, kind, name):
        names = getattr(self, f"{kind}_names")
        if name and name in names:
            return names.index(name)
        known = ", ".join(repr(n) for n in names if n) or "none has a name"
        raise ModelError(f"{self.name or 'model'} has no {kind} {name!r}; it has: {known}")

    def __repr__(self):
        return f"<Model {self.name!r}: nq={self.nq} nv={self.nv} nu={self.nu} nbody={self.nbody} npair={self.npair}>"


def _take_arrays(model, arrays):
    """Copy every array of the table into `model`, with its dtype, and refuse a missing one or a wrong shape."""
    unknown, missing = set(arrays) - set(FIELDS), set(FIELDS) - set(arrays)
    if unknown or missing:
        raise ModelError(f"arrays of a Model: unknown {sorted(unknown)}, missing {sorted(missing)}")
    for size, first in SIZED_BY.items():
        setattr(model, size, len(np.atleast_1d(cast(first, arrays[first], FIELDS[first][2]))))
        for name in fields_of(size):
            _, entry, dtype = FIELDS[name]
            value = cast(name, arrays[name], dtype)
            want = (getattr(model, size), *entry)
            if value.size == 0 and want[0] == 0:
                value = value.reshape(want)
            if value.shape != want:
                raise ModelError(f"{name} has shape {value.shape}, allowed is {want}: ({size}, ...)")
            setattr(model, name, value)


def _take_keyframes(model, keys):
    model.key_names = list(keys.names) if keys else []
    nkey = len(model.key_names)
    for name, size in KEYS.items():
        width = getattr(model, size)
        value = cast(f"key_{name}", getattr(keys, name), np.float64) if keys else np.zeros(0)
        if value.size != nkey * width:
            raise ModelError(f"key_{name} has shape {value.shape}, allowed is {(nkey, width)}")
        setattr(model, f"key_{name}", value.reshape(nkey, width))
