"""Which attributes of a Model a function reads, so that its results are known to hold while none of those changes."""

import copy

from .model import Model


class _Told(Model):
    """A Model that takes down the names of what is read of it."""

    def __getattribute__(self, name):
        get = super().__getattribute__
        get("__dict__")["_reads"].add(name)
        return get(name)


def told(model):
    """(a copy of the Model that shares its arrays, the set of names that it fills as they are read).

    Whatever reads `__dict__`, as a copy does, may have read all: that name is among them then.
    """
    made, reads = copy.copy(model), set()
    vars(made)["_reads"] = reads
    made.__class__ = _Told
    return made, reads
