"""ModelBuilder: a robot written in Python, with MJCF's elements and attributes; needs no MuJoCo.

    b = ModelBuilder("pendulum", timestep=0.002)
    pole = b.body("pole", pos=(0, 0, 1))
    b.joint(pole, "swing", axis=(0, 1, 0), damping=0.1)
    b.geom(pole, type="capsule", fromto=(0, 0, 0, 0, 0, -0.5), size=0.05)
    b.motor("swing", ctrlrange=(-1, 1))
    model = b.compile()

Angles are radians, `euler` turns about the moving x, y, z axes. An element must exist before it is referred to; every
call checks everything before it changes the builder. Bodies end up in the order MuJoCo gives them: depth first.
"""

from typing import Any

import numpy as np

from engine.words import meant

from .assemble import assemble
from .attributes import check_values, read_attributes
from .elements import KINDS, OPTION, Methods
from .elements.option import Option
from .errors import ModelError
from .model import Model

_KINDS = {kind.name: kind for kind in KINDS}
_DEFAULTED = [kind.name for kind in KINDS if kind.defaulted]


class ModelBuilder(Methods):
    """Collects elements; `compile` makes the Model. Methods that add an element, one file a kind, return its name."""

    def __init__(self, name: str = "model", *, settotalmass: float | None = None, **option: Any) -> None:
        self.name, self.settotalmass = name, settotalmass
        if settotalmass is not None and not (np.isfinite(settotalmass) and settotalmass > 0):
            raise ModelError(f"{name}: settotalmass = {settotalmass!r}; allowed: a positive number")
        self.option = Option(**vars(read_attributes(OPTION.attributes, f"options of {name!r}", option)))
        for kind in KINDS:
            vars(self).update(kind.start())
        self._defaults = {kind: {} for kind in _DEFAULTED}

    def default(self, kind: str, **attributes: Any) -> None:
        """Attributes of elements of a kind (joint, geom, site, actuator, pair) that are added from now on."""
        if kind not in _DEFAULTED:
            raise ModelError(f"default {kind!r}; allowed: {', '.join(_DEFAULTED)}")
        check_values(_KINDS[kind].attributes, f"default {kind}", attributes)
        self._defaults[kind].update(attributes)

    def compile(self) -> Model:
        """The Model of everything added so far; the builder can go on being used."""
        return assemble(self)

    # -------------------------------------------------------------------------------------------- checks

    def _add(self, kind, name, element, body=None):
        plural = _KINDS[kind].plural
        table = getattr(self, plural)
        self._check_new(kind, table, name)
        element.name = name or ""
        table[name or (kind, len(table))] = element  # unnamed elements get a key that nobody can ask for
        if body is not None:
            body.attached[plural].append(element)
        return name

    @staticmethod
    def _check_new(kind, table, name):
        if name is not None and not isinstance(name, str):
            raise ModelError(f"{kind} {name!r}: the name is a {type(name).__name__}; allowed: a string")
        if name and name in table:
            raise ModelError(f"{kind} {name!r} exists already; allowed: a new name")

    def _find(self, kind, name, who):
        table = getattr(self, _KINDS[kind].plural)
        if not isinstance(name, str) or name not in table:
            known = ", ".join(repr(n) for n in table if isinstance(n, str)) or "none has a name"
            raise ModelError(f"{who}: no {kind} {name!r}{meant(name, table)}; there are: {known}")
        return table[name]

    @staticmethod
    def _set_limits(who, a, range_, limited):
        """A range given means limited, as with MuJoCo's autolimits."""
        if getattr(a, limited) is None:
            setattr(a, limited, getattr(a, range_) is not None)
        if getattr(a, limited) and getattr(a, range_) is None:
            raise ModelError(f"{who}: {limited} = True without {range_}; allowed: with {range_}")
        if getattr(a, range_) is None:
            setattr(a, range_, np.zeros(2))
