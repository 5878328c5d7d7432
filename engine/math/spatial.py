"""Spatial vectors as pairs (ang, lin) about one origin (Featherstone, Rigid Body Dynamics Algorithms, 2008, ch. 2).

Rigid inertia about that origin: mass m, centre of mass r, rotational inertia about the centre of mass. A symmetric
matrix is two vectors, the diagonal d and what is off it, o (01, 02, 12).
"""

import taichi as ti

from engine.math.types import real, vec3, vec4


@ti.func
def sym_mul(d: vec3, o: vec3, x: vec3):
    return vec3(
        d[0] * x[0] + o[0] * x[1] + o[1] * x[2],
        o[0] * x[0] + d[1] * x[1] + o[2] * x[2],
        o[1] * x[0] + o[2] * x[1] + d[2] * x[2],
    )


@ti.func
def point_inertia(m: real, r: vec3):
    """Rotational inertia about the origin of a mass m at r: m (r.r 1 - r r^T)."""
    p = m * r
    xx = p[0] * r[0]
    yy = p[1] * r[1]
    zz = p[2] * r[2]
    return vec3(yy + zz, xx + zz, xx + yy), vec3(-p[0] * r[1], -p[0] * r[2], -p[1] * r[2])


@ti.func
def rotated_inertia(q: vec4, i: vec3):
    """R diag(i) R^T = i_2 1 + (i_0 - i_2) a a^T + (i_1 - i_2) b b^T with R's first two columns a and b."""
    x = q[1]
    y = q[2]
    z = q[3]
    a = vec3(1 - 2 * (y * y + z * z), 2 * (x * y + q[0] * z), 2 * (x * z - q[0] * y))
    b = vec3(2 * (x * y - q[0] * z), 1 - 2 * (x * x + z * z), 2 * (y * z + q[0] * x))
    u = (i[0] - i[2]) * a
    v = (i[1] - i[2]) * b
    return (
        vec3(i[2] + u[0] * a[0] + v[0] * b[0], i[2] + u[1] * a[1] + v[1] * b[1], i[2] + u[2] * a[2] + v[2] * b[2]),
        vec3(u[0] * a[1] + v[0] * b[1], u[0] * a[2] + v[0] * b[2], u[1] * a[2] + v[1] * b[2]),
    )


@ti.func
def inertia_mul(m: real, r: vec3, d: vec3, o: vec3, ang: vec3, lin: vec3):
    """Momentum (ang, lin) of the motion (ang, lin)."""
    f = m * (lin + ang.cross(r))
    return sym_mul(d, o, ang) + r.cross(f), f


@ti.func
def cross_force(va: vec3, vl: vec3, fa: vec3, fl: vec3):
    """v x* f."""
    return va.cross(fa) + vl.cross(fl), va.cross(fl)


@ti.func
def cross_motion(va: vec3, vl: vec3, ma: vec3, ml: vec3):
    """v x m."""
    return va.cross(ma), va.cross(ml) + vl.cross(ma)
