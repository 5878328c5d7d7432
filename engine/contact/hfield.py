"""Contacts of a height field with a convex shape, which are those of its prisms (prism.py), at most one of each.

The cells under the box around the shape and its margin are gone through row by row, the search (search.py) is asked of
each prism that is high enough, and the first MOST_OF_FIELD contacts are kept: MuJoCo's rule (its documentation, XML
reference, "asset/hfield"). All of that is in the frame of the field, so a tie is decided as it is there; what is kept
of a contact is in the world's, where the search's adjoint holds as it does of any two shapes.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.corners import add_netted_contact
from engine.contact.prism import prism_centre, set_prism
from engine.contact.record import add_contact, pair_poses
from engine.contact.search import core, penetration
from engine.contact.support import support
from engine.contact.witness import GENERAL
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.pairs import MOST_OF_FIELD


@ti.func
def box_around(m: ti.template(), g: ti.i32, x: vec3, q: vec4):
    """The lower and the upper end of geom g, at x and turned by q, along each axis."""
    low = x
    high = x
    for i in range(6):
        k = i >> 1
        side = 1 - 2 * (i & 1)
        axis = side * vec3(ti.cast(k == 0, real), ti.cast(k == 1, real), ti.cast(k == 2, real))
        point, _ = support(m, g, x, q, m.geom_size[g], axis, -1, 0.0)
        for j in ti.static(range(3)):
            if j == k:
                if side > 0:
                    high[j] = point[j]
                else:
                    low[j] = point[j]
    return low, high


@ti.func
def cells(low: real, high: real, half: real, n: ti.i32):
    """The first cell of a row of n points over these half lengths that an interval reaches over, and the one after the
    last."""
    first = ti.cast(ti.floor((low + half) / (2.0 * half) * (n - 1)), ti.i32)
    end = ti.cast(ti.ceil((high + half) / (2.0 * half) * (n - 1)), ti.i32)
    return ti.max(first, 0), ti.min(end, n - 1)


@outline("md", "w p", when="hfield")
@ti.func
def field_contacts(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p, whose first geom is a height field."""
    g = m.pair_geom2[p]
    field = m.geom_dataid[m.pair_geom1[p]]
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    x = rotate_back(q1, x2 - x1)
    q = quat_mul(vec4(q1[0], -q1[1], -q1[2], -q1[3]), q2)
    low, high = box_around(m, g, x, q)
    low = low - ti.max(d.found_within[w], 0.0)
    high = high + ti.max(d.found_within[w], 0.0)
    apart = low[2] > m.hfield_size[field, 2] or high[2] < -m.hfield_size[field, 3]
    for k in ti.static(range(2)):
        if low[k] > m.hfield_size[field, k] or high[k] < -m.hfield_size[field, k]:
            apart = True
    if not apart:
        col, colend = cells(low[0], high[0], m.hfield_size[field, 0], m.hfield_ncol[field])
        row, rowend = cells(low[1], high[1], m.hfield_size[field, 1], m.hfield_nrow[field])
        _, r2 = core(m.geom_type[g], m.geom_size[g])
        d.ccd_pos2[w] = x
        d.ccd_quat2[w] = q
        d.ccd_quat1[w] = vec4(1.0, 0.0, 0.0, 0.0)
        found = 0
        while row < rowend and found < MOST_OF_FIELD:
            t = 0
            while t < 2 * (colend - col) and found < MOST_OF_FIELD:
                top = set_prism(m, d, w, field, row, col, t)
                t = t + 1
                if top >= low[2]:
                    d.ccd_pos1[w] = prism_centre(m, d, w)
                    d.ccd_near1[w] = -1
                    d.ccd_near2[w] = -1
                    penetration(m, d, w, p)
                    if d.ccd_found[w]:
                        found = found + 1
                        if d.ccd_dist[w] < d.felt_within[w]:
                            if d.ccd_discrete[w] > 1:
                                add_netted_contact(m, d, w, p, x1, q1)
                            else:
                                add_field_contact(m, d, w, p, x1, q1, r2)
                            if ti.static(has.field_leaf):
                                if m.nfieldleaf > 0 and d.ncon[w] <= m.nconmax:
                                    c = bounded(w * m.nconmax + d.ncon[w] - 1)
                                    d.con_row[c] = row
                                    d.con_col[c] = col
                                    d.con_triangle[c] = t - 1
            row = row + 1


@ti.func
def add_field_contact(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, x1: vec3, q1: vec4, r2: real):
    """The contact that was found, from the frame of the field at x1, turned by q1, into the world's."""
    n = d.ccd_n[w]
    pos = x1 + rotate(q1, 0.5 * (d.ccd_x1[w] + d.ccd_x2[w] - r2 * n))
    zero = vec3(0.0, 0.0, 0.0)
    d.ncon[w] = add_contact(
        m, d, w, p, d.ncon[w], d.ccd_dist[w], pos, rotate(q1, n), zero, GENERAL + d.ccd_kind1[w],
        rotate(q1, d.ccd_axis1[w]), 0.0, GENERAL + d.ccd_kind2[w], rotate(q1, d.ccd_axis2[w]), r2,
    )  # fmt: skip
