"""What a contact's witness says about the sizes and the frame of a geom: the end of the chain that witness.py begins.

Nothing in a step asks for it but a reverse step of a simulator with `leaves`. It takes one side's wrench, force and
turn at the feature's point c, into the geom's frame:

    geom_pos     the force, turned into the frame of the body
    geom_quat    the torque about the geom's centre, R^T (turn + (c - x) x force): the adjoint of a small turn
    geom_size    size_vjp, where c = x + R l and l follows the sizes at a fixed direction, angle, or share of a length
"""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.dynamics.frame_leaves import add_geom_bars
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, SPHERE

FRAME_ALONE = -1.0  # in place of a radius: not a feature's wrench, so the sizes have none of it


@ti.func
def radius_bars(n: vec3, dist_bar: real, p_bar: vec3):
    """Adjoints of r1 and r2 of two features (witness.py)."""
    return 0.5 * n.dot(p_bar) - dist_bar, -0.5 * n.dot(p_bar) - dist_bar


@ti.func
def size_vjp(kind: ti.i32, size: vec3, l: vec3, force: vec3, r: real, r_bar: real):
    """Adjoint of geom_size of a geom of this type, from the force at its feature's point l, both in the geom's frame,
    and from the adjoint of the feature's radius r."""
    bar = vec3(0.0, 0.0, 0.0)
    if kind == SPHERE or kind == CAPSULE or kind == CYLINDER:
        # what has a radius has its centre at l; points of rims and caps have none, nor has a capsule's line that
        # lies on its surface
        bar[0] = (force[0] * l[0] + force[1] * l[1]) / size[0]
        if r > 0:
            bar[0] = r_bar
    if kind == CAPSULE or kind == CYLINDER:
        bar[1] = force[2] * l[2] / size[1]
    if kind == BOX:
        bar = force * l / size
    if kind == ELLIPSOID:
        # the point where the normal is a given one
        bar = 2.0 * force * l / size - l.dot(force) * l * l / (size * size * size)
    return bar


@serves("shape_leaf")
@ti.func
def tell_geom(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, at: vec3, force: vec3,
              turn: vec3, r: real, r_bar: real):  # fmt: skip
    """Adds one side's wrench, of a feature of radius r, to the frame and the sizes of geom i, if anybody asks."""
    if m.nshapeleaf > 0:
        d.leaf_at[w] = at
        d.leaf_force[w] = force
        d.leaf_turn[w] = turn
        d.leaf_radius[w] = r
        d.leaf_bar[w] = r_bar
        geom_vjp(m, d, g, w, i)


@serves("shape_leaf")
@ti.func
def tell_pair(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, at1: vec3, force1: vec3,
              turn1: vec3, r1: real, at2: vec3, force2: vec3, turn2: vec3, r2: real, n: vec3, dist_bar: real,
              p_bar: vec3):  # fmt: skip
    """The same of both geoms of pair p, whose witness has these adjoints."""
    r1_bar, r2_bar = radius_bars(n, dist_bar, p_bar)
    tell_geom(m, d, g, w, m.pair_geom1[p], at1, force1, turn1, r1, r1_bar)
    tell_geom(m, d, g, w, m.pair_geom2[p], at2, force2, turn2, r2, r2_bar)


@outline("mdg", "w i", when="shape_leaf")
@ti.func
def geom_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """The same of what stands in leaf_...."""
    b = bounded(w * m.nbody + m.geom_bodyid[i])
    force = d.leaf_force[w]
    arm = d.leaf_at[w] - d.xpos[b] - rotate(d.xquat[b], m.geom_pos[i])
    q = quat_mul(d.xquat[b], m.geom_quat[i])
    add_geom_bars(m, d, g, w, i, force, d.leaf_turn[w] + arm.cross(force))
    if d.leaf_radius[w] >= 0:
        add_size_bar(m, g, w, i, size_vjp(
            m.geom_type[i], m.geom_size[i], rotate_back(q, arm), rotate_back(q, force), d.leaf_radius[w], d.leaf_bar[w]
        ))  # fmt: skip


@serves("shape_leaf")
@ti.func
def tell_line(m: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, l: vec3, force: vec3, share: real):
    """Adds the force at l, a point on a line of a round side, to the sizes of geom i, both in its frame. share: what
    its radius is of the distance to the axis."""
    l = vec3(share * l[0], share * l[1], l[2])
    add_size_bar(m, g, w, i, size_vjp(m.geom_type[i], m.geom_size[i], l, force, 0.0, 0.0))


@serves("shape_leaf")
@ti.func
def add_size_bar(m: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, bar: vec3):
    if m.at_geom_size >= 0:
        for k in ti.static(range(3)):
            g.geom_size[w, i, k] = g.geom_size[w, i, k] + bar[k]
