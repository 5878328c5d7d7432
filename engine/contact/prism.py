"""A prism of a height field, in the frame of the field: one of the two triangles of a cell, above the field's bottom.

A strip of cells between two rows of points is a row of triangles, each of which shares two corners with the last one:

    row + 1    0   2   4            corner s stands in column s / 2, rounded down
               | / | / |
    row        1   3   5            triangle t has the corners t, t + 1, t + 2

In `prism` of the world are the corners below, 0 to 2, the same above, 3 to 5, and half lengths of the box around them.
"""

import taichi as ti

from engine.math.index import bounded
from engine.math.types import real, vec3

CORNERS = 6


@ti.func
def set_prism(m: ti.template(), d: ti.template(), w: ti.i32, field: ti.i32, row: ti.i32, col: ti.i32, t: ti.i32):
    """Writes triangle t of the strip that begins at this row and column. Returns the height of its highest corner."""
    at = bounded(w * m.nprism)
    ncol = m.hfield_ncol[field]
    half = vec3(m.hfield_size[field, 0], m.hfield_size[field, 1], 0.0)
    cell = 2.0 * half / vec3(ncol - 1, m.hfield_nrow[field] - 1, 1.0)
    top = -m.hfield_size[field, 3]
    for j in range(3):
        s = t + j
        c = col + (s >> 1)
        r = row + 1 - (s & 1)
        corner = vec3(cell[0] * c, cell[1] * r, 0.0) - half
        z = m.hfield_data[m.hfield_adr[field] + r * ncol + c] * m.hfield_size[field, 2]
        d.prism[at + j] = vec3(corner[0], corner[1], -m.hfield_size[field, 3])
        d.prism[at + 3 + j] = vec3(corner[0], corner[1], z)
        top = ti.max(top, z)
    d.prism[at + CORNERS] = 0.5 * vec3(cell[0], cell[1], top + m.hfield_size[field, 3])
    return top


@ti.func
def prism_centre(m: ti.template(), d: ti.template(), w: ti.i32):
    """The mean of its corners."""
    at = bounded(w * m.nprism)
    x = vec3(0.0, 0.0, 0.0)
    for i in range(CORNERS):
        x = x + d.prism[at + i]
    return x / CORNERS


@ti.func
def prism_support(m: ti.template(), d: ti.template(), w: ti.i32, dir: vec3, tie: real):
    """The corner that lies farthest along dir, in the field's frame, and its number; the first of those that are
    equally far. tie: by how much they may differ, a share of the prism's size."""
    at = bounded(w * m.nprism)
    slack = tie * d.prism[at + CORNERS].sum()
    first = 3
    if dir[2] < -tie:
        first = 0
    best = first
    most = dir.dot(d.prism[at + first])
    for i in range(first + 1, first + 3):
        x = dir.dot(d.prism[at + i])
        if x > most + slack:
            most = x
            best = i
    return d.prism[at + best], best
