"""The differentiable parameters of a simulator, by name."""

from collections.abc import Iterator

import numpy as np

from engine.arrays import fill_following, parameter, theta_layout
from engine.compiler.backend import PLAIN
from engine.finite import require_finite
from engine.leaves import Leaves, unasked
from engine.model import Model, set_const
from engine.schema import STRIDES
from engine.theta import ABOVE_ZERO, SIGNS
from engine.words import meant, shapes

CONSTANTS = "body_invweight0 body_subtreemass dof_invweight0 tendon_length0 tendon_invweight0".split()


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
            views[name] = part if pack.owners else part[0]
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

    def model(self, world: int | None = None) -> Model:
        """A Model with these parameters, of world `world` where each has its own, and with all that follows from them
        (`body_invweight0 dof_invweight0 body_subtreemass`, ...), as after MuJoCo's mj_setConst.

        The simulator itself goes on with what followed from its model when that was made, as MuJoCo does until
        mj_setConst, which is `sim.set_const()` here. Raises ValueError for parameters that mean nothing, or where
        `world` is missing, out of range or beside the point.
        """
        pack, given = self._of
        worlds = pack.owners
        if not (world is None if worlds == 0 else world is not None and 0 <= world < worlds):
            allowed = f"one from 0 to {worlds - 1}, which have their own" if worlds else "None, since worlds share them"
            raise ValueError(f"params.model: got world {world}, allowed: {allowed}")
        check(self)
        made = Leaves(given, pack).changed_model(world).copy()
        for name, value in self._views.items():
            if name not in pack.leaves:
                parameter(made, name)[...] = value[world] if worlds else value
        made.report = None
        set_const(made)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __dir__(self):
        return list(self._views)

    def __repr__(self):
        return f"<parameters: {shapes(self._views)}>"


def renew(params, rows):
    """Write what follows from the parameters of these worlds, or with () from those that all share, where kernels read
    it: MuJoCo's mj_setConst."""
    pack, _ = params._of
    made = {world: params.model(world) for world in (rows if pack.owners else (None,))}
    for world, model in made.items():  # all could be made, so that none is left half changed
        fill_following(pack, model, world)
        pack.constants = {name: getattr(model, name).copy() for name in CONSTANTS}


def owned_rows(sim, rows):
    """What worlds have of their own, {buffer: numbers of each of `rows`}: parameters, and what follows from them."""
    return {name: sim.model_pack[name].reshape(sim.worlds, -1)[rows].copy() for name in STRIDES}


def put_rows(sim, rows, values):
    """Give worlds what `owned_rows` told of others."""
    for name, value in values.items():
        sim.model_pack[name].reshape(sim.worlds, -1)[rows] = value
    sim._forget_following()


def owned(value):
    """`own_params` of a Simulator, checked."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"own_params: got {value!r}, allowed: True or False")
    if value and PLAIN:
        raise ValueError("own_params: got True, allowed: False, since kernels are plain ones here (PULLBACK_PLAIN)")
    return bool(value)


OF_THE_WORLD = {"body_mass": (..., 0), "body_inertia": (..., 0, slice(None))}


def check(params):
    """Refuse parameters that mean nothing. The world has no mass: whoever takes differences may shift it."""
    for name in params:
        value = params[name]
        require_finite(f"params.{name}", value)
        sign = SIGNS[name]
        bad = value <= 0 if sign is ABOVE_ZERO else value < 0
        if name in OF_THE_WORLD:
            bad[OF_THE_WORLD[name]] = False
        if sign.allowed and bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"params.{name}: entry {at} is {value[at]}, allowed: {sign.allowed}")
