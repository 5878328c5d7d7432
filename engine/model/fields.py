"""The arrays of a Model, from the kinds of elements: for each name its leading size, the shape of one entry, its dtype.

The builder, the importer and the Model's own shape check all read this one table.
"""

from .elements import KINDS
from .elements.kind import Field

_TABLE = {size: group for kind in KINDS for size, group in kind.fields.items()}

# name -> Field, with unit and meaning
TABLE: dict[str, Field] = {name: field for group in _TABLE.values() for name, field in group.items()}
# name -> (leading size, shape of one entry, dtype)
FIELDS = {name: (size, field.shape, field.dtype) for size, group in _TABLE.items() for name, field in group.items()}
# The kind of element that an array belongs to.
OWNERS = {name: kind for kind in KINDS for group in kind.fields.values() for name in group}
# The array whose length defines each leading size.
SIZED_BY = {size: next(iter(group)) for size, group in _TABLE.items()}
# The leading size that counts the elements of each kind whose names a Model keeps.
NAMED = {kind.name: kind.named for kind in KINDS if kind.named}


def fields_of(size):
    """Names of the arrays with leading size `size`, for example "ngeom"."""
    return tuple(_TABLE[size])
