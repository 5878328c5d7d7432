"""How a Model's values are written as MJCF attributes: by a table of arrays, without MJCF's own defaults, read back bit
for bit."""

import numpy as np

from .elements import KINDS

IDENTITY = (1.0, 0.0, 0.0, 0.0)
OF = {kind.name: kind.attributes for kind in KINDS}


def entry(m, kind, table, i):
    """{attribute: text} of entry i, by a table of arrays, without MJCF's own defaults."""
    values = {}
    for name, arrays in table.items():
        parts = [np.atleast_1d(getattr(m, array)[i]) for array in arrays.split()]
        values[name] = np.concatenate(parts) if len(parts) > 1 or parts[0].size > 1 else parts[0][0]
    return attributes(values, OF[kind])


def attributes(values, known):
    """{attribute: text} of the values that are not the default of their attribute."""
    given = {}
    for name, value in values.items():
        default = known[name].default if name in known else None
        if name == "quat":
            default = IDENTITY
        if default is not None and np.array_equal(np.broadcast_to(default, np.shape(value)), value):
            continue
        if default is None and not np.any(value):  # ranges of what is not limited, flags
            continue
        if name in ("stiffness", "damping"):  # polynomials
            value = value[: max(1, 1 + max(np.flatnonzero(value), default=0))]
        given[name] = text_of(value)
        if name.endswith("range"):  # a range alone is refused
            given.setdefault(name.replace("range", "limited"), "false")
    return given


def text_of(value):
    """Numbers as they are read back bit for bit; booleans as MJCF has them."""
    value = np.asarray(value)
    if value.dtype == bool:
        return " ".join("true" if x else "false" for x in value.ravel())
    return " ".join(repr(x).removesuffix(".0") for x in value.ravel().tolist())


def unique_names(kind, names):
    """A name for each, its own where that is no other's."""
    taken, unique = set(filter(None, names)), []
    for i, name in enumerate(names):
        new, k = name, i
        while not new or (not name and new in taken):
            new, k = f"{kind}_{k}", k + len(names)
        taken.add(new)
        unique.append(new)
    return unique
