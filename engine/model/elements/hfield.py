"""Height fields: elevations on a grid, of which a geom makes ground."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import Attribute, read_attributes, vector
from ..checks import check
from ..errors import ModelError
from .kind import Kind, integer, real


def _grid(value):
    value = np.array(value, float)
    if value.ndim != 2 or min(value.shape) < 2 or not (abs(value) <= np.finfo(np.float32).max / 2).all():
        raise ValueError  # of numbers of 32 bits, as `normalized` makes them, the range, too
    return value


class HField(Kind):
    name, plural, named = "hfield", "hfields", "nhfield"
    fields = {
        "nhfield": {
            "hfield_size": real("m", "half lengths along x and y, height of an elevation of 1, depth below 0", 4),
            "hfield_nrow": integer("points along y"),
            "hfield_ncol": integer("points along x"),
            "hfield_adr": integer("its first point in hfield_data"),
        },
        "nhfielddata": {"hfield_data": real("1", "elevation, 0 to 1, row after row from the least y", least=0)},
    }
    attributes = {
        "size": vector(None, 4),
        "elevation": Attribute(None, _grid, "finite numbers, two rows of two or more, of 32 bits"),
    }

    class Methods:
        def hfield(self, name: str, **attributes: Any) -> str:
            """Ground for geoms of the type hfield. size: half lengths along x and y, height and depth, m, (4,).
            elevation: of its points, (nrow, ncol), the first row at the least y (in MJCF's text it is the last); of any
            scale, since it is brought to 0 to 1 as MuJoCo's compiler does."""
            who = f"hfield {name!r}"
            a = read_attributes(HField.attributes, who, attributes)
            if a.size is None or (a.size <= 0).any():
                raise ModelError(f"{who}: size = {a.size}; allowed: four positive numbers")
            if a.elevation is None:
                raise ModelError(f"{who}: no elevation; allowed: {HField.attributes['elevation'].allowed}")
            a.elevation = normalized(a.elevation)
            return self._add("hfield", name, a)

    def assembled(self, order, m):
        fields = order.elements[self.name]
        counts = [field.elevation.size for field in fields]
        return {
            "hfield_size": [field.size for field in fields],
            "hfield_nrow": [field.elevation.shape[0] for field in fields],
            "hfield_ncol": [field.elevation.shape[1] for field in fields],
            "hfield_adr": np.cumsum([0, *counts])[:-1],
            "hfield_data": np.concatenate([field.elevation.ravel() for field in fields] or [()]),
        }

    def check_indices(self, m):
        for array in ("hfield_nrow", "hfield_ncol"):
            check(m, array, getattr(m, array) < 2, "2 or more")
        end = m.hfield_adr + m.hfield_nrow.astype(np.int64) * m.hfield_ncol
        check(m, "hfield_adr", (m.hfield_adr < 0) | (end > m.nhfielddata), "a grid within hfield_data")

    def check(self, m):
        check(m, "hfield_size", m.hfield_size <= 0, "four positive numbers")
        check(m, "hfield_data", m.hfield_data > 1, "0 to 1")
        for side in ("pair_geom1", "pair_geom2"):
            geoms = getattr(m, side)
            bare = (m.geom_type[geoms] == c.HFIELD) & (m.geom_dataid[geoms] < 0)
            check(m, side, bare, "a height field with elevations")

    def label(self, m, array, index):
        return f"{array} {index}"


def normalized(elevation):
    """Elevations from 0 to 1, in numbers of 32 bits, as MuJoCo's compiler makes them; of a level field all are 0."""
    low = np.float32(elevation.min())
    scale = np.float32(elevation.max()) - low
    return ((elevation.astype(np.float32) - low) / scale if scale > 0 else np.zeros(elevation.shape)).astype(float)


def geom_size_of(size):
    """What `geom_size` has of a geom on a height field of this size: nothing reads it but who draws or measures."""
    return np.array([size[0], size[1], 0.25 * size[2] + 0.5 * size[3]])


def elevations(m, k):
    """Elevations of height field k of Model `m`, (nrow, ncol)."""
    first = m.hfield_adr[k]
    shape = m.hfield_nrow[k], m.hfield_ncol[k]
    return m.hfield_data[first : first + shape[0] * shape[1]].reshape(shape)


def surface(m, k):
    """Height field k as triangles, for who draws it: vertices in the frame of its geom (n, 3), m, and faces (n, 3): its
    surface, divided as in contact, and sides and bottom."""
    z = elevations(m, k) * m.hfield_size[k, 2]
    nrow, ncol = z.shape
    x, y = (np.linspace(-s, s, n) for s, n in zip(m.hfield_size[k, :2], (ncol, nrow), strict=True))
    top = np.stack([*np.meshgrid(x, y), z], axis=-1).reshape(-1, 3)
    at = np.arange(nrow * ncol).reshape(nrow, ncol)
    a, b, c_, d = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    faces = [np.stack([a, b, d], axis=-1), np.stack([a, d, c_], axis=-1)]
    rim = np.concatenate([at[0], at[1:, -1], at[-1, -2::-1], at[-2:0:-1, 0]])
    low = top[rim] * [1.0, 1.0, 0.0] - [0.0, 0.0, m.hfield_size[k, 3]]
    below = len(top) + np.arange(len(rim))
    after, under = np.roll(rim, -1), np.roll(below, -1)
    sides = [np.stack([rim, below, after], axis=-1), np.stack([after, below, under], axis=-1)]
    corners = len(top) + np.array([0, ncol - 1, ncol + nrow - 2, 2 * ncol + nrow - 3])
    bottom = [corners[[0, 2, 1]], corners[[0, 3, 2]]]
    return np.concatenate([top, low]), np.concatenate([f.reshape(-1, 3) for f in (*faces, *sides, *bottom)])
