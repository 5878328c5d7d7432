"""The frame that a sensor reads: a point and a quaternion fixed to a body, so that one function serves sites, geoms and
bodies; and how a cotangent gets from a sensor to its body.
"""

import taichi as ti

from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.types import vec3, vec4


@ti.func
def sensor_frame(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Body of sensor s, and position and orientation of its frame."""
    b = m.sensor_bodyid[s]
    o = bounded(w * m.nbody + b)
    q = d.xquat[o]
    return b, d.xpos[o] + rotate(q, m.sensor_pos[s]), quat_mul(q, m.sensor_quat[s])


@ti.func
def in_subtree(m: ti.template(), b: ti.i32, top: ti.i32):
    k = b
    while k > top:
        k = m.body_parentid[k]
    return k == top


@ti.func
def add_point(ang: ti.template(), lin: ti.template(), h: ti.i32, r: vec3, f: vec3, torque: vec3):
    """Adds a force at r (from the origin) and a torque to body h's motion or pose adjoint in columns (ang, lin)."""
    ang[h] = ang[h] + torque + r.cross(f)
    lin[h] = lin[h] + f


@ti.func
def wide(x: vec3):
    """A value of three numbers where four have room."""
    return vec4(x[0], x[1], x[2], 0.0)


@ti.func
def narrow(x: vec4):
    return vec3(x[0], x[1], x[2])
