"""Spatial vectors as pairs (ang, lin) about one origin (Featherstone, Rigid Body Dynamics Algorithms, 2008, ch. 2).

Rigid inertia about that origin: mass m, centre of mass r, rotational inertia I about the centre of mass.
"""

import taichi as ti

from engine.math.types import mat3, real, vec3


@ti.func
def inertia_mul(m: real, r: vec3, I: mat3, ang: vec3, lin: vec3):  # noqa: E741
    """Momentum (ang, lin) of the motion (ang, lin)."""
    f = m * (lin + ang.cross(r))
    return I @ ang + r.cross(f), f


@ti.func
def cross_force(va: vec3, vl: vec3, fa: vec3, fl: vec3):
    """v x* f."""
    return va.cross(fa) + vl.cross(fl), va.cross(fl)


@ti.func
def cross_motion(va: vec3, vl: vec3, ma: vec3, ml: vec3):
    """v x m."""
    return va.cross(ma), va.cross(ml) + vl.cross(ma)
