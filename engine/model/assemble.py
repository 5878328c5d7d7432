"""From the builder's elements to the arrays of a Model, in MuJoCo's order: bodies depth first, the rest along them."""

import copy
from types import SimpleNamespace

import numpy as np

from .derived import set_const
from .elements import KINDS
from .elements.key import keyframes_of
from .errors import UnsupportedError
from .fields import FIELDS, NAMED, SIZED_BY
from .model import Model
from .validate import validate


def assemble(builder):
    """The Model of a ModelBuilder."""
    order = Order(builder)
    m = SimpleNamespace(**{f"{kind}_names": names for kind, names in order.names.items()})
    for kind in KINDS:
        for array, values in kind.assembled(order, m).items():
            _, entry, dtype = FIELDS[array]
            setattr(m, array, np.array(values, dtype).reshape(-1, *entry))
    refused = [line for kind in KINDS for line in kind.lacking(m)]
    if refused:
        raise UnsupportedError(f"model {builder.name!r}", refused)
    arrays = {array: getattr(m, array, None) for array in FIELDS}
    for array, (size, entry, dtype) in FIELDS.items():
        if arrays[array] is None:  # derived below
            arrays[array] = np.zeros((len(arrays[SIZED_BY[size]]), *entry), dtype)
    option = copy.deepcopy(builder.option)
    model = Model(option, arrays, order.names, name=builder.name, keyframes=keyframes_of(builder, m))
    set_const(validate(model))
    return model


class Order:
    """The elements of a builder in the Model's order: {kind: list}; `of` is the number of an element there."""

    def __init__(self, builder):
        self.builder, self.bodies = builder, _depth_first(builder.bodies["world"])
        self.elements = {kind.name: kind.ordered(builder, self.bodies) for kind in KINDS if kind.name in NAMED}
        self.names = {kind: [element.name for element in group] for kind, group in self.elements.items()}
        self._number = {id(element): i for group in self.elements.values() for i, element in enumerate(group)}

    def of(self, element):
        return self._number[id(element)]

    def owners(self, plural):
        """Number of the body of every joint, geom or site."""
        return [i for i, body in enumerate(self.bodies) for _ in body.attached[plural]]


def _depth_first(body):
    return [body] + [below for child in body.children for below in _depth_first(child)]
