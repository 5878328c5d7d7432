"""Model: the constants of one robot, as NumPy arrays with MuJoCo's names."""

import copy
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.words import meant, required

from .elements import KINDS
from .elements.key import take_keyframes
from .elements.kind import cast
from .elements.mesh import take_meshes
from .elements.option import Option
from .errors import ModelError
from .fields import FIELDS, NAMED, OWNERS, SIZED_BY, fields_of
from .writing import to_mjcf


class Model:
    """Arrays and sizes of one robot; `elements/` has the arrays of each kind of element and what they mean.

    `body(name)` is the index of the body called so, and likewise `joint geom site actuator sensor key`; ModelError
    where there is none.

    Beyond MuJoCo: `pair_geom1 pair_geom2` are all pairs of geoms that may ever touch (MuJoCo finds them at run time).
    `pair_own` says which of them have contact parameters of their own: it is a row of `pair_dim pair_friction ...`,
    which are MuJoCo's arrays of explicit pairs, or -1. An actuator is always affine in length and velocity (MuJoCo's
    gain "fixed" is `gainprm = [g, 0, 0]`, its bias "none" is `biasprm = 0`).
    """

    if TYPE_CHECKING:  # what the kinds of elements give it
        name: str
        opt: Option
        nq: int
        nv: int
        nu: int
        na: int
        nbody: int
        njnt: int
        ngeom: int
        nsite: int
        nsensor: int
        nsensordata: int
        nmocap: int
        neq: int
        ntendon: int
        npair: int
        report: Any

        def body(self, name: str) -> int: ...
        def joint(self, name: str) -> int: ...
        def geom(self, name: str) -> int: ...
        def site(self, name: str) -> int: ...
        def actuator(self, name: str) -> int: ...
        def sensor(self, name: str) -> int: ...
        def key(self, name: str) -> int: ...
        def __getattr__(self, name: str) -> Any: ...

    else:

        def __getattr__(self, name):
            near = "" if name.startswith("__") else meant(name, [*vars(self), *dir(type(self))])
            raise AttributeError(f"a Model has no {name!r}{near}")

    def __init__(self, opt, arrays, names=None, *, name="", meshes=(), keyframes=None, report=None):
        self.opt, self.name, self.report = opt, name, report
        self.own_residual = None  # a user's pair of functions (engine/residuals.py)
        self.regular = None  # the arrays for which validate has found the mass matrix regular, as bytes
        _take_arrays(self, arrays)
        for kind in KINDS:
            kind.count(self)
        take_meshes(self, meshes)
        for kind, size in NAMED.items():
            default = [""] * getattr(self, size)
            setattr(self, f"{kind}_names", list((names or {}).get(kind, default)))
        take_keyframes(self, keyframes)
        self._made = True

    def __setattr__(self, name: str, value: Any) -> None:
        # an array whose name is written wrongly would change nothing, without a sign
        if name not in vars(self) and not name.startswith("_") and "_made" in vars(self):
            raise AttributeError(f"a Model has no {name!r}{meant(name, [*vars(self), *dir(type(self))])}")
        super().__setattr__(name, value)

    def copy(self) -> "Model":
        """An independent copy: changing its arrays leaves this one alone."""
        return copy.deepcopy(self)

    def to_mjcf(self, path: str | PathLike[str] | None = None) -> str:
        """The model as MJCF, a text that MuJoCo and its viewers open; written to `path` as well, where one is given.

        Numbers are read back bit for bit, but for what MuJoCo makes of them anew: unit quaternions and frames of
        meshes. Names that other elements need are made up where the model has none. Elevations of a height field
        are written from 0 to 1, with a height that makes up for it. Raises ModelError where MJCF has no words for what
        the model has, as for an armature that differs between the dofs of a ball joint.
        """
        text = to_mjcf(self)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def label(self, kind: str, index: int) -> str:
        """How error messages call an element: its name, or its number where it has none.

        kind: body, joint, geom, site, actuator, sensor, key, ... Raises ModelError where there is no such element.
        """
        names = getattr(self, f"{kind}_names", None) if isinstance(kind, str) else None
        if names is None:
            kinds = [name.removesuffix("_names") for name in vars(self) if name.endswith("_names")]
            raise ModelError(f"kind: got {kind!r}{meant(kind, kinds)}, allowed: {', '.join(kinds)}")
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index < len(names):
            none = f"{self.name or 'model'} has no {kind}"
            raise ModelError(f"{kind}: got {index!r}, allowed: 0 to {len(names) - 1}" if names else none)
        return f"{kind} '{names[index]}'" if names[index] else f"{kind} {index}"

    def entry(self, array, index):
        """How error messages call an entry of an array; of an index without asking others, since any may be wrong."""
        kind, (size, _, dtype) = OWNERS[array], FIELDS[array]
        if size == kind.named:
            return self.label(kind.name, index)
        return f"{array.split('_')[0]} {index}" if dtype is np.int32 else kind.label(self, array, index)

    def _index(self, kind, name):
        names = getattr(self, f"{kind}_names")
        if name and name in names:
            return names.index(name)
        known = ", ".join(repr(n) for n in names if n) or "none has a name"
        raise ModelError(f"{self.name or 'model'} has no {kind} {name!r}{meant(name, names)}; it has: {known}")

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: nq={self.nq} nv={self.nv} nu={self.nu} nbody={self.nbody} npair={self.npair}>"


def require_model(model, name="model", like=None):
    """`model`, where it is one; else TypeError, which says where Models come from. like: an array, with which anything
    serves, as it does for pictures."""
    if like is not None and hasattr(model, like):
        return model
    return required(name, model, Model, "engine.load, ModelBuilder.compile, scenes.load(name).model")


def _index_of(kind):
    def index(self, name):
        return self._index(kind, name)

    index.__name__, index.__doc__ = kind, f"Index of the {kind} called `name`."
    return index


for _kind in (*NAMED, "key"):
    setattr(Model, _kind, _index_of(_kind))


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
            if value.shape == (0,) and want[0] == 0:  # an empty list
                value = value.reshape(want)
            if value.shape != want:
                raise ModelError(f"{name} has shape {value.shape}, allowed is {want}: ({size}, ...)")
            setattr(model, name, value)
