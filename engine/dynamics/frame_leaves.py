"""The adjoint of a frame in its body, of a site, a geom or a body's inertia, where a simulator is asked for it."""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.math.index import bounded
from engine.math.quat import quat_bar, quat_mul, rotate_back
from engine.math.types import real, vec3, vec4


@ti.func
def add_frame_bars(m: ti.template(), place: ti.template(), turn: ti.template(), w: ti.i32, i: ti.i32, at_place: ti.i32,
                   at_turn: ti.i32, body: vec4, own: vec4, force: vec3, torque: vec3):  # fmt: skip
    """From the adjoints of the place of frame i and of its turn about itself, in world axes, to where its body has it.

    place, turn: adjoints of the leaves of its place and quaternion; at_place, at_turn: where they begin in theta, or
    -1; body, own: orientations of the body, and of the frame in it.
    """
    if at_place >= 0:
        x = rotate_back(body, force)
        for k in ti.static(range(3)):
            place[w, i, k] = place[w, i, k] + x[k]
    if at_turn >= 0:
        t = rotate_back(quat_mul(body, own), torque)
        a = at_turn + 4 * i
        y = quat_bar(vec4(m.theta[a], m.theta[a + 1], m.theta[a + 2], m.theta[a + 3]), t)
        for k in ti.static(range(4)):
            turn[w, i, k] = turn[w, i, k] + y[k]


@serves("site_leaf")
@ti.func
def add_site_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, site: ti.i32, force: vec3,
                  torque: vec3):  # fmt: skip
    """The same of a site; -1: none."""
    if m.nsiteleaf > 0 and site >= 0:
        d.leaf_force[w] = force
        d.leaf_turn[w] = torque
        site_leaves(m, d, g, w, site)


@outline("mdg", "w site", when="site_leaf")
@ti.func
def site_leaves(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, site: ti.i32):
    """The same of what stands in leaf_force and leaf_turn."""
    if site >= 0:
        body = d.xquat[bounded(w * m.nbody + m.site_bodyid[site])]
        add_frame_bars(m, g.site_pos, g.site_quat, w, site, m.at_site_pos, m.at_site_quat, body, m.site_quat[site],
                       d.leaf_force[w], d.leaf_turn[w])  # fmt: skip


@serves("shape_leaf")
@ti.func
def add_geom_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, force: vec3,
                  torque: vec3):  # fmt: skip
    """The same of geom i."""
    if m.nshapeleaf > 0:
        d.leaf_force[w] = force
        d.leaf_turn[w] = torque
        geom_leaves(m, d, g, w, i)


@outline("mdg", "w i", when="shape_leaf")
@ti.func
def geom_leaves(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """The same of what stands in leaf_force and leaf_turn."""
    if i >= 0:
        body = d.xquat[bounded(w * m.nbody + m.geom_bodyid[i])]
        add_frame_bars(m, g.geom_pos, g.geom_quat, w, i, m.at_geom_pos, m.at_geom_quat, body, m.geom_quat[i],
                       d.leaf_force[w], d.leaf_turn[w])  # fmt: skip


@serves("shape_leaf")
@ti.func
def add_radius_bar(m: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, bar: real):
    """From the adjoint of geom i's radius to its size."""
    if m.nshapeleaf > 0 and m.at_geom_size >= 0:
        g.geom_size[w, i, 0] = g.geom_size[w, i, 0] + bar


@ti.func
def moved_frame(r: vec3, ang: vec3, lin: vec3, ang_bar: vec3, lin_bar: vec3):
    """From a motion about the origin and its adjoint, of what reads it in the axes of a frame at r: the adjoints of the
    frame's place and turn."""
    turn = ang.cross(ang_bar - r.cross(lin_bar)) + (lin + ang.cross(r)).cross(lin_bar)
    return lin_bar.cross(ang), -1.0 * turn


@serves("inertia_leaf")
@ti.func
def add_inertia_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, force: vec3,
                     torque: vec3):  # fmt: skip
    """The same of body b's centre of mass and principal axes."""
    if m.ninertialeaf > 0:
        d.leaf_force[w] = force
        d.leaf_turn[w] = torque
        inertia_leaves(m, d, g, w, b)


@outline("mdg", "w b", when="inertia_leaf")
@ti.func
def inertia_leaves(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32):
    """The same of what stands in leaf_force and leaf_turn."""
    if b > 0:
        body = d.xquat[bounded(w * m.nbody + b)]
        add_frame_bars(m, g.body_ipos, g.body_iquat, w, b, m.at_body_ipos, m.at_body_iquat, body, m.body_iquat[b],
                       d.leaf_force[w], d.leaf_turn[w])  # fmt: skip
