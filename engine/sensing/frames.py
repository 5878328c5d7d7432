"""The frames that a sensor reads: a point and a quaternion fixed to a body, so that one function serves sites, geoms
and bodies; and how a cotangent gets from a sensor to its body.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.frame_leaves import add_geom_bars, add_inertia_bars, add_site_bars
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.spatial import rotated_inertia
from engine.math.types import vec3, vec4
from engine.model.constants import OBJ_BODY, OBJ_GEOM, OBJ_SITE


@ti.func
def sensor_frame(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Body of sensor s, and position and orientation of its frame."""
    b = m.sensor_bodyid[s]
    o = bounded(w * m.nbody + b)
    p = d.xpos[o] + rotate(d.xquat[o], m.sensor_pos[s])
    q = quat_mul(d.xquat[o], m.sensor_quat[s])
    if ti.static(has.camera):
        if m.sensor_camera[s] >= 0:
            c = bounded(w * m.ncam + m.sensor_camera[s])
            p = d.cam_xpos[c]
            q = d.cam_xquat[c]
    return b, p, q


@ti.func
def reading_frame(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """The same of the frame in whose axes sensor s reads: its own or a reference; its body is -1 for the world's."""
    b = m.sensor_refbodyid[s]
    o = bounded(w * m.nbody + ti.max(b, 0))
    p = d.xpos[o] + rotate(d.xquat[o], m.sensor_refpos[s])
    q = quat_mul(d.xquat[o], m.sensor_refquat[s])
    if ti.static(has.camera):
        if m.sensor_refcamera[s] >= 0:
            c = bounded(w * m.ncam + m.sensor_refcamera[s])
            p = d.cam_xpos[c]
            q = d.cam_xquat[c]
    return b, p, q


@ti.func
def add_sensor_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, reading: ti.i32,
                    force: vec3, torque: vec3):  # fmt: skip
    """add_leaf_bars, and the same to the camera which moves by itself if it is one's (camera.py)."""
    add_leaf_bars(m, d, g, w, s, reading, force, torque)
    if ti.static(has.camera):
        c = m.sensor_camera[s]
        if reading:
            c = m.sensor_refcamera[s]
        if c >= 0:
            k = bounded(w * m.ncam + c)
            g.cam_force[k] = g.cam_force[k] + force
            g.cam_turn[k] = g.cam_turn[k] + torque


@serves("frame_leaf")
@ti.func
def add_leaf_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, reading: ti.i32,
                  force: vec3, torque: vec3):  # fmt: skip
    """From the adjoints of the place and the turn of the frame that sensor s reads, or with `reading` of that in whose
    axes it does, to the site, the geom or the inertia whose it is, if it is one's."""
    if m.nframeleaf > 0:
        d.leaf_force[w] = force
        d.leaf_turn[w] = torque
        sensor_leaves(m, d, g, w, s, reading)


@outline("mdg", "w s reading", when="frame_leaf")
@ti.func
def sensor_leaves(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, reading: ti.i32):
    """The same of what stands in leaf_force and leaf_turn."""
    kind = m.sensor_objtype[s]
    i = m.sensor_objid[s]
    if reading and m.sensor_relative[s]:
        kind = m.sensor_reftype[s]
        i = m.sensor_refid[s]
    if kind == OBJ_SITE:
        add_site_bars(m, d, g, w, i, d.leaf_force[w], d.leaf_turn[w])
    elif kind == OBJ_GEOM:
        add_geom_bars(m, d, g, w, i, d.leaf_force[w], d.leaf_turn[w])
    elif kind == OBJ_BODY and i > 0:
        add_inertia_bars(m, d, g, w, i, d.leaf_force[w], d.leaf_turn[w])


@ti.func
def own_inertia(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """Centre of mass of body b from the origin, and its inertia about it in world axes."""
    o = bounded(w * m.nbody + b)
    q = quat_mul(d.xquat[o], m.body_iquat[b])
    idiag, ioff = rotated_inertia(q, vec3(m.body_inertia[b, 0], m.body_inertia[b, 1], m.body_inertia[b, 2]))
    return d.xipos[o] - origin(m, d, w, b), idiag, ioff


@ti.func
def wide(x: vec3):
    """A value of three numbers where four have room."""
    return vec4(x[0], x[1], x[2], 0.0)


@ti.func
def narrow(x: vec4):
    return vec3(x[0], x[1], x[2])
