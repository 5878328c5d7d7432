"""Controller: flat parameters with named views, parts for the rollout kernel, and a NumPy twin of those parts.

A subclass lists its named parameters (`Named`, and their shapes in `_shapes`), gives its kernel parts in `_parts` and
the same formula in NumPy in `_control`; engine/feedback.py has the formulas. `_config` is what `save` writes and what
the class is made from again.
"""

import copy
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from engine.files import check_array, parse_json, read_arrays, write_arrays
from engine.words import counted

if TYPE_CHECKING:
    from .add import Sum

_classes = {}  # by name, for `load`


class Named:
    """A named piece of `params`: a live view, with the worlds in front where every world has its own row."""

    def __init__(self, meaning):
        self.__doc__ = meaning

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, controller: Any, owner: Any = None) -> Any:
        return self if controller is None else controller.view(self.name)

    def __set__(self, controller: Any, value: ArrayLike) -> None:
        view = controller.view(self.name)
        view[...] = numbers(f"{type(controller).__name__}: {self.name}", value, [view.shape, ()], broadcast=True)


class Controller:
    """Base of all controllers.

    params  flat parameters, (nparam,) shared by all worlds or (worlds, nparam) with a row for every world
    nu      controls that it makes
    """

    def __init_subclass__(cls):
        _classes[cls.__name__] = cls

    def __init__(self, config: Any, shapes: Any, nu: Any) -> None:
        self._config, self._shapes, self.nu = config, shapes, nu
        self.nparam = sum(math.prod(s) for s in shapes.values())
        self._params = np.zeros(self.nparam)
        self._within = None  # the sum that this controller is a member of, which then owns the parameters

    @property
    def params(self) -> np.ndarray:
        """The parameters that are learned, a flat array; what is assigned goes into it."""
        return self._params

    @params.setter
    def params(self, value: ArrayLike) -> None:
        if value is self._params:  # after `controller.params -= ...`
            return
        name = type(self).__name__
        shape, n = np.shape(value), self.nparam
        rows = shape[0] if len(shape) == 2 and shape[0] else 1
        a = numbers(f"{name}: params", value, [(n,), (rows, n)], f"(worlds, {n})")
        if a.shape == self._params.shape:
            self._params[...] = a
        elif self._within is not None:
            raise ValueError(
                f"{name}: params has shape {a.shape}, allowed: {self._params.shape}, because it is a member of a "
                f"{type(self._within).__name__}; set params of that one"
            )
        else:
            self._hold(np.array(a))

    def _hold(self, params):
        """Use `params` itself as storage."""
        self._params = params

    def __getstate__(self):
        """A copy of a member is a controller of its own; a copied sum takes up its copied members (add.py)."""
        return self.__dict__ | {"_within": None}

    def __copy__(self):  # parameters belong to one controller
        return copy.deepcopy(self)

    def view(self, name: str) -> np.ndarray:
        """The parameters called `name`, without copying."""
        if name not in self._shapes:
            raise KeyError(f"{type(self).__name__} has no parameters {name!r}; it has: {', '.join(self._shapes)}")
        at = 0
        for other, shape in self._shapes.items():
            n = math.prod(shape)
            if other == name:
                return self._params[..., at : at + n].reshape((*self._params.shape[:-1], *shape))
            at += n

    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of `params`."""
        return tuple(self._shapes)

    def spread(self, worlds: int) -> "Controller":
        """Give every one of `worlds` worlds its own row of parameters, a copy of the present ones; returns self."""
        if self._params.ndim == 2:
            raise ValueError(f"{type(self).__name__}: params already has {len(self._params)} rows")
        self.params = np.tile(self._params, (whole("worlds", worlds), 1))
        return self

    def parts(self, tape: Any) -> Any:
        """What the rollout kernel of this tape evaluates; refuses a tape of another robot."""
        nu = tape.sim.model.nu
        if self.nu != nu:
            raise ValueError(f"{type(self).__name__}: made for {self.nu} controls, but the model has {nu}")
        return self._parts(tape)

    def control(self, t: int, time: Any, qpos: ArrayLike, qvel: ArrayLike) -> np.ndarray:
        """The same controls outside the kernel: control step t (a number), time in s, qpos (..., nq), qvel (..., nv).

        Returns (..., nu); leading axes are the worlds, or none.
        """
        qpos, qvel, time = np.asarray(qpos, float), np.asarray(qvel, float), np.asarray(time, float)
        u = self._control(whole("t", t, 0), time, qpos, qvel)
        lead = np.broadcast_shapes(qpos.shape[:-1], qvel.shape[:-1], time.shape, self._params.shape[:-1])
        return np.array(np.broadcast_to(u, (*lead, self.nu)))

    def spec(self) -> Any:
        """Class and configuration, without parameters: what `save` writes as text."""
        return {"class": type(self).__name__, "config": self._config}

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The controller that `save` described, without its parameters."""
        return cls(**config)

    def save(self, path: Any) -> None:
        """Write class, configuration and parameters to an npz file."""
        write_arrays(path, {"controller": json.dumps(self.spec()), "params": self._params})

    def __add__(self, other: "Controller") -> "Sum":
        from .add import Sum

        return Sum(self, other) if isinstance(other, Controller) else NotImplemented

    def __repr__(self):
        return f"<{type(self).__name__}: {counted(self.nu, 'control')}, params {self._params.shape}>"


def load(path: Any) -> Any:
    """The controller that `save` wrote. Raises ValueError, which names the file, where it is another one or damaged."""
    data = read_arrays(path, "a controller's file")
    if not {"controller", "params"} <= set(data):
        raise ValueError(f"{path}: holds {sorted(data)}, but a controller's file holds controller and params")
    try:
        made, params = from_spec(parse_json(data["controller"])), data["params"]
        check_array("params", params, "f", (made.nparam,) if params.ndim == 1 else (None, made.nparam))
        made.params = params
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return made


def from_spec(spec):
    """A controller from what `spec` gave, with its default parameters. Raises ValueError where `spec` makes none."""
    kind = spec.get("class") if isinstance(spec, dict) else None
    if not isinstance(kind, str) or kind not in _classes:
        raise ValueError(f"controller class {kind!r} is unknown; there are: {', '.join(sorted(_classes))}")
    try:
        return _classes[kind].from_config(spec["config"])
    except (TypeError, LookupError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"{kind}: config: got {spec.get('config')!r} ({type(error).__name__}: {error})") from error


def numbers(what, value, shapes, shown=None, broadcast=False):
    """`value` as a finite array of one of `shapes`, the last called `shown`; with `broadcast` brought to the first."""
    try:
        a = np.asarray(value, float)
    except (TypeError, ValueError):
        raise ValueError(f"{what}: got {value!r}, allowed: numbers") from None
    if a.shape not in shapes:
        text = [str(s) for s in shapes]
        if shown:
            text[-1] = shown
        raise ValueError(f"{what}: got shape {a.shape}, allowed: {' or '.join(text)}")
    if not np.isfinite(a).all():
        bad = np.argwhere(~np.isfinite(a))[0]
        raise ValueError(f"{what}: entry {tuple(int(i) for i in bad)} is {a[tuple(bad)]}, allowed: finite numbers")
    return np.broadcast_to(a, shapes[0]) if broadcast else a


def whole(what, value, least=1):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{what}: got {value!r}, allowed: a whole number from {least}")
    return int(value)


def stored(what, config, **least):
    """Whole numbers of a stored configuration: of each name in `least` a value that is not below it, or a list of such
    where it is a pair (least, below): every entry from `least`, below `below`. Raises ValueError."""
    for name, bound in least.items():
        if name not in config:
            raise ValueError(f"{what}: config lacks {name}")
        value, where = config[name], f"{what}: config: {name}"
        if not isinstance(bound, tuple):
            whole(where, value, bound)
        elif not isinstance(value, list):
            raise ValueError(f"{where}: got {value!r}, allowed: a list")
        else:
            for x in value:
                if whole(where, x, bound[0]) >= bound[1]:
                    raise ValueError(f"{where}: got {x}, allowed: {bound[0]} to {bound[1] - 1}")
