"""A contact of a box or a mesh with a prism of a height field: on a face of the search's polytope, as it was left.

MuJoCo does not tell a prism's corners from each other, so it takes a new vertex of the polytope (epa.py) for one that
it has seen as soon as the other shape's corner is the same, and ends there. The depth is then that of a face within the
difference of the shapes: less than the true one, as a rule, and along no direction that two features would give. Such a
face often lies along an edge of a shape, whose ends are then equally far along its normal: in MuJoCo rounding decides
which of them is met, here it is the first (TIE in gjk.py), so that contacts have a derivative.

Of the face's vertices w_i = a_i - b_i, i = 1 to 3, a_i is a corner of the prism and b_i one of the other shape. With f
the point of their plane that is nearest to the origin, l_i its shares of the vertices and g_i the slopes of these
shares along the plane (sum of l_i w_i = f, g_i . (w_j - f) = (i == j) - l_i):

    dist = -|f|,   n = f / |f|,   pos = sum of l_i a_i - f / 2

Adjoint, v_i = n . dw_i:  d|f| = sum of l_i v_i,  dn = -sum of g_i v_i,  dl_i = g_i . (|f| dn - sum of l_j dw_j).
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.frame import contact_frame_vjp
from engine.contact.prism import prism_vjp
from engine.contact.record import add_contact, add_pose_bar
from engine.contact.size_vjp import tell_geom
from engine.contact.witness import NETTED, POINT
from engine.math.index import bounded
from engine.math.quat import rotate
from engine.math.types import vec3, vec4


@ti.func
def add_netted_contact(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, x1: vec3, q1: vec4):
    """The contact that was found, from the frame of the field at x1, turned by q1, into the world's."""
    first = bounded(w * m.nccdvert)
    if d.ncon[w] < m.nconmax:
        at = bounded(w * m.nnetted + 6 * d.ncon[w])
        for i in range(3):
            d.con_corner[at + i] = x1 + rotate(q1, d.ccd_vert1[first + i])
            d.con_corner[at + 3 + i] = x1 + rotate(q1, d.ccd_vert2[first + i])
    pos = x1 + rotate(q1, 0.5 * (d.ccd_x1[w] + d.ccd_x2[w]))
    zero = vec3(0.0, 0.0, 0.0)
    d.ncon[w] = add_contact(
        m, d, w, p, d.ncon[w], d.ccd_dist[w], pos, rotate(q1, d.ccd_n[w]), zero, NETTED + POINT, zero, 0.0,
        NETTED + POINT, zero, 0.0,
    )  # fmt: skip


@outline("mdg", "w c", when="hfield")
@ti.func
def netted_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From the adjoints of contact c, bar_dist, bar_pos, ..., to the poses of its bodies and the geoms' sizes."""
    at = bounded(6 * c)
    n = d.con_normal[c]
    p_bar = d.bar_pos[w]
    nb, _ = contact_frame_vjp(n, d.con_y[c], d.con_tangent1[c], d.bar_normal[w], d.bar_tangent1[w], d.bar_tangent2[w])
    deep = -d.con_dist[c]
    w0 = d.con_corner[at] - d.con_corner[at + 3]
    w1 = d.con_corner[at + 1] - d.con_corner[at + 4]
    w2 = d.con_corner[at + 2] - d.con_corner[at + 5]
    # across n, with the sense of the corners
    area = n.dot((w1 - w0).cross(w2 - w0))
    g0 = n.cross(w2 - w1) / area
    g1 = n.cross(w0 - w2) / area
    g2 = n.cross(w1 - w0) / area
    f = deep * n
    l1 = g1.dot(f - w0)
    l2 = g2.dot(f - w0)
    u = p_bar.dot(d.con_corner[at]) * g0 + p_bar.dot(d.con_corner[at + 1]) * g1 + p_bar.dot(d.con_corner[at + 2]) * g2
    nb = nb + deep * u - 0.5 * deep * p_bar
    deep_bar = -d.bar_dist[w] - 0.5 * n.dot(p_bar)
    for i in range(3):
        slope = g0
        share = 1 - l1 - l2
        if i == 1:
            slope = g1
            share = l1
        if i == 2:
            slope = g2
            share = l2
        w_bar = (share * deep_bar - slope.dot(nb)) * n - share * u
        for side in range(2):
            force = -w_bar
            b = d.con_body2[c]
            geom = m.pair_geom2[d.con_pair[c]]
            if side == 0:
                force = w_bar + share * p_bar
                b = d.con_body1[c]
                geom = m.pair_geom1[d.con_pair[c]]
            x = d.con_corner[at + i + 3 * side]
            zero = vec3(0.0, 0.0, 0.0)
            add_pose_bar(m, d, g, w, b, x, force, zero)
            tell_geom(m, d, g, w, geom, x, force, zero, 0.0, 0.0)
            if ti.static(has.field_leaf):
                if m.nfieldleaf > 0 and side == 0:
                    d.field_at[w] = x
                    d.field_force[w] = force
                    prism_vjp(m, d, g, w, c)
