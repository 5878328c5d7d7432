"""The differentiable parameters of a simulator, by name."""

from collections.abc import Iterator

import numpy as np

from engine import schema as s
from engine.arrays import parameter, theta_layout
from engine.compiler.backend import PLAIN
from engine.finite import require_finite
from engine.leaves import unasked
from engine.words import meant, shapes


class Parameters:
    """Live views of the differentiable parameters of a simulator, by MuJoCo's names (`sim.model`-shaped arrays; with
    `own_params` worlds first).

    Writing changes what the next step computes, in every world or in that one.
    """

    def __init__(self, pack, model):
        layout, ntheta = theta_layout(model, pack.leaves)
        views, self.__dict__["_of"] = {}, (pack, model)
        rows = pack["theta"].reshape(-1, ntheta)
        for name, (at, _) in layout.items():
            shape = np.shape(parameter(model, name))
            part = rows[:, at : at + int(np.prod(shape))].reshape(len(rows), *shape)
            views[name] = part if pack.stride else part[0]
        self.__dict__["_views"] = views

    def __getstate__(self):
        return self._of

    def __setstate__(self, of):
        self.__init__(*of)

    def __getattr__(self, name: str) -> np.ndarray:
        views = self.__dict__.get("_views", {})  # absent while a copy is being made
        try:
            return views[name]
        except KeyError:
            known = unasked(name) or f"{meant(name, views)}; there are: {', '.join(views)}"
            raise AttributeError(f"no differentiable parameter {name!r}{known}") from None

    def __getitem__(self, name: str) -> np.ndarray:
        return getattr(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"params.{name}: assign into the array, params.{name}[...] = value")

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __dir__(self):
        return list(self._views)

    def __repr__(self):
        return f"<parameters: {shapes(self._views)}>"


def owned(value, leaves):
    """`own_params` of a Simulator, checked."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"own_params: got {value!r}, allowed: True or False")
    if value and PLAIN:
        raise ValueError("own_params: got True, allowed: False, since kernels are plain ones here (PULLBACK_PLAIN)")
    if value and leaves:
        raise ValueError(f"own_params: got True, allowed: False beside leaves={leaves}, which all worlds share")
    return bool(value)


def check(params):
    """Refuse parameters that mean nothing."""
    for name in params:
        value = params[name]
        require_finite(f"params.{name}", value)
        sign = s.SIGNS[name]
        bad = value <= 0 if sign is s.ABOVE_ZERO else value < 0
        if sign.allowed and bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"params.{name}: entry {at} is {value[at]}, allowed: {sign.allowed}")
