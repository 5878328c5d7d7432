"""What sensors of bodies share: which bodies hang on one, and how a force on a point reaches its body."""

import taichi as ti

from engine.math.types import vec3


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
