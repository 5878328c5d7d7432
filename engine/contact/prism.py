"""A prism of a height field, in the frame of the field: one of the two triangles of a cell, above the field's bottom.

A strip of cells between two rows of points is a row of triangles, each of which shares two corners with the last one:

    row + 1    0   2   4            corner s stands in column s / 2, rounded down
               | / | / |
    row        1   3   5            triangle t has the corners t, t + 1, t + 2

In `prism` of the world are the corners below, 0 to 2, the same above, 3 to 5, and half lengths of the box around them.

Adjoint. A contact's feature is a corner, an edge or a face of it, on which the wrench of `features_vjp` acts: a force f
at its point x and a torque t, that of the constraint that holds the normal n along the feature. With l_i the shares of
the corners in x and g_i their slopes along a face, e an edge from corner A to corner B, the corners' forces are

    corner   f
    edge     l_A f - m n, l_B f + m n,      m = t . (e x n) / |e x n|^2, the multiplier of e . n = 0
    face     l_i f - ((t x n) . g_i) n,     since n moves by -sum of g_i (n . dv_i)
of which elevations and sizes have what lies along the axes of the field.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.contact.record import pair_poses
from engine.contact.witness import FACE, GENERAL, LINE
from engine.math.index import bounded
from engine.math.quat import rotate_back
from engine.math.types import MINVAL, real, vec3

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


# ------------------------------------------------------------------------------------------------ the adjoint


@serves("field_leaf")
@ti.func
def move_corner(m: ti.template(), g: ti.template(), w: ti.i32, field: ti.i32, row: ti.i32, col: ti.i32, t: ti.i32,
                i: ti.i32, force: vec3):  # fmt: skip
    """Adds the force at corner i of that prism, in the field's frame, to what says where the corner is."""
    s = t + i % 3
    c = col + (s >> 1)
    r = row + 1 - (s & 1)
    z = m.hfield_adr[field] + r * m.hfield_ncol[field] + c
    if m.at_hfield_data >= 0:
        if i >= 3:
            g.hfield_data[w, z] = g.hfield_data[w, z] + force[2] * m.hfield_size[field, 2]
    if m.at_hfield_size >= 0:
        x = 2.0 * ti.cast(c, real) / (m.hfield_ncol[field] - 1) - 1.0
        y = 2.0 * ti.cast(r, real) / (m.hfield_nrow[field] - 1) - 1.0
        g.hfield_size[w, field, 0] = g.hfield_size[w, field, 0] + force[0] * x
        g.hfield_size[w, field, 1] = g.hfield_size[w, field, 1] + force[1] * y
        if i >= 3:
            g.hfield_size[w, field, 2] = g.hfield_size[w, field, 2] + force[2] * m.hfield_data[z]
        else:
            g.hfield_size[w, field, 3] = g.hfield_size[w, field, 3] - force[2]


@ti.func
def edge_ends(k: ti.i32):
    """The corners of edge k: three below, three above, three upright."""
    a = k
    b = k + 1
    if k == 2 or k == 5:
        b = k - 2
    if k >= 6:
        a = k - 6
        b = k - 3
    return a, b


@ti.func
def face_corners(k: ti.i32):
    """Three corners of face k: below, above, three sides."""
    a = 0
    b = 1
    c = 2
    if k == 1:
        a = 3
        b = 4
        c = 5
    if k >= 2:
        a = k - 2
        b = (k - 1) % 3
        c = k + 1
    return a, b, c


@outline("mdg", "w c", when="field_leaf")
@ti.func
def prism_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From the wrench of contact c at field_at, field_force and field_turn, in the world, to elevations and sizes; of a
    contact of corners alone (corners.py) from the force at one."""
    p = d.con_pair[c]
    field = m.geom_dataid[m.pair_geom1[p]]
    row = d.con_row[c]
    col = d.con_col[c]
    t = d.con_triangle[c]
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    x = rotate_back(q1, d.field_at[w] - x1)
    f = rotate_back(q1, d.field_force[w])
    turn = rotate_back(q1, d.field_turn[w])
    n = rotate_back(q1, d.con_normal[c])
    axis = rotate_back(q1, d.con_axis1[c])
    set_prism(m, d, w, field, row, col, t)
    v = bounded(w * m.nprism)
    kind = d.con_kind1[c] - GENERAL
    scale = d.prism[v + CORNERS].dot(d.prism[v + CORNERS])
    best = 0
    least = real(1e30)
    if kind == LINE:
        for k in range(9):
            a, b = edge_ends(k)
            e = d.prism[v + b] - d.prism[v + a]
            share = e.dot(x - d.prism[v + a]) / e.dot(e)
            off = x - d.prism[v + a] - ti.min(ti.max(share, 0.0), 1.0) * e
            across = axis.cross(e)
            apart = off.dot(off) / scale + across.dot(across) / (axis.dot(axis) * e.dot(e))
            if apart < least:
                least = apart
                best = k
        a, b = edge_ends(best)
        e = d.prism[v + b] - d.prism[v + a]
        share = e.dot(x - d.prism[v + a]) / e.dot(e)
        across = e.cross(n)
        lean = turn.dot(across) / ti.max(across.dot(across), MINVAL) * n
        move_corner(m, g, w, field, row, col, t, a, (1.0 - share) * f - lean)
        move_corner(m, g, w, field, row, col, t, b, share * f + lean)
    elif kind == FACE:
        for k in range(5):
            a, b, e = face_corners(k)
            normal = (d.prism[v + b] - d.prism[v + a]).cross(d.prism[v + e] - d.prism[v + a])
            normal = normal / ti.sqrt(normal.dot(normal))
            off = normal.dot(x - d.prism[v + a])
            apart = 1.0 - ti.abs(normal.dot(n)) + off * off / scale
            if apart < least:
                least = apart
                best = k
        a, b, e = face_corners(best)
        u1 = d.prism[v + b] - d.prism[v + a]
        u2 = d.prism[v + e] - d.prism[v + a]
        area = n.dot(u1.cross(u2))
        g1 = u2.cross(n) / area
        g2 = n.cross(u1) / area
        l1 = g1.dot(x - d.prism[v + a])
        l2 = g2.dot(x - d.prism[v + a])
        n_bar = turn.cross(n)
        move_corner(m, g, w, field, row, col, t, a, (1.0 - l1 - l2) * f + n_bar.dot(g1 + g2) * n)
        move_corner(m, g, w, field, row, col, t, b, l1 * f - n_bar.dot(g1) * n)
        move_corner(m, g, w, field, row, col, t, e, l2 * f - n_bar.dot(g2) * n)
    else:
        for i in range(CORNERS):
            off = x - d.prism[v + i]
            if off.dot(off) < least:
                least = off.dot(off)
                best = i
        move_corner(m, g, w, field, row, col, t, best, f)
