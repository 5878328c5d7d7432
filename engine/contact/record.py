"""What is kept of a contact: distance, place and frame, and the two features of which they are made (witness.py)."""

import taichi as ti

from engine.compiler.features import has
from engine.contact.box import FIXED
from engine.contact.frame import contact_frame, has_hint, tangent_hint
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import real, vec3


@ti.func
def pair_poses(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Place and orientation of the first geom of pair p, then of the second."""
    i1 = bounded(w * m.ngeom + m.pair_geom1[p])
    i2 = bounded(w * m.ngeom + m.pair_geom2[p])
    return d.geom_xpos[i1], d.geom_xquat[i1], d.geom_xpos[i2], d.geom_xquat[i2]


@ti.func
def add_contact(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, ncon: ti.i32, dist: real, pos: vec3, n: vec3,
                hint: vec3, kind1: ti.i32, a1: vec3, r1: real, kind2: ti.i32, a2: vec3, r2: real):  # fmt: skip
    """Contact number ncon, of pair p, where there is room. hint: a direction for the first tangent that the second
    geom carries, or zero. Returns the next number."""
    if ncon < m.nconmax:
        c = bounded(w * m.nconmax + ncon)
        y = hint
        # a capsule that stands upright on the plane gives no hint
        hinted = ti.cast(has_hint(n, y), ti.i32)
        if not hinted:
            y = tangent_hint(n)
        tangent1, tangent2 = contact_frame(n, y)
        d.con_pos[c] = pos
        d.con_normal[c] = n
        d.con_tangent1[c] = tangent1
        d.con_tangent2[c] = tangent2
        d.con_y[c] = y
        d.con_hinted[c] = hinted
        d.con_dist[c] = dist
        d.con_kind1[c] = kind1
        d.con_kind2[c] = kind2
        d.con_axis1[c] = a1
        d.con_axis2[c] = a2
        d.con_r1[c] = r1
        d.con_r2[c] = r2
        # who has others writes them afterwards
        if ti.static(has.box):
            d.con_rule[c] = FIXED
        if ti.static(has.cylinder):
            d.con_bend[c] = 0.0
        d.con_pair[c] = p
        d.con_body1[c] = m.geom_bodyid[m.pair_geom1[p]]
        d.con_body2[c] = m.geom_bodyid[m.pair_geom2[p]]
        d.con_zone[c] = -1
    return ncon + 1


@ti.func
def add_pose_bar(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, x: vec3, x_bar: vec3,
                 torque: vec3):  # fmt: skip
    """Adds the adjoint of a point x and of an orientation, both fixed to body b, to the body's pose adjoint."""
    h = bounded(w * m.nbody + b)
    g.pose_ang[h] = g.pose_ang[h] + torque + (x - origin(m, d, w, b)).cross(x_bar)
    g.pose_lin[h] = g.pose_lin[h] + x_bar
