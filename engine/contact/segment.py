"""Spheres and capsules against each other: two segments (a sphere's has length 0) and their radii.

    c1 = x1 + t1 s1,  c2 = x2 + t2 s2  (s: scaled half axis, |t| <= 1),  n = (c2 - c1) / |c2 - c1|
The nearest parameters make |c1 - c2|^2 stationary where they are free; their derivative is that of these equations.
"""

import taichi as ti

from engine.math.types import MINVAL, real, vec3


@ti.func
def clip(x: real):
    return ti.min(ti.max(x, -1.0), 1.0)


@ti.func
def nearest_params(ma: real, mb: real, mc: real, u: real, v: real):
    """Nearest parameters of two segments that are not parallel: ma = s1.s1, mb = -s1.s2, mc = s2.s2, u, v."""
    det = ma * mc - mb * mb
    t1 = (mc * u - mb * v) / det
    t2 = (ma * v - mb * u) / det
    if ti.abs(t1) > 1:
        t1 = clip(t1)
        t2 = (v - mb * t1) / mc
    if ti.abs(t2) > 1:
        t2 = clip(t2)
        t1 = clip((u - mb * t2) / ma)
    return t1, t2


@ti.func
def segment_params(x1: vec3, s1: vec3, x2: vec3, s2: vec3, k: ti.i32):
    """Parameters of candidate k, whether each is free, and the number of candidates (4 for parallel capsules)."""
    ma = s1.dot(s1)
    mb = -s1.dot(s2)
    mc = s2.dot(s2)
    u = -s1.dot(x1 - x2)
    v = s2.dot(x1 - x2)
    t1 = real(0.0)
    t2 = real(0.0)
    n = 1
    if ma == 0 or mc == 0:
        if mc > 0:
            t2 = clip(v / mc)
        if ma > 0:
            t1 = clip(u / ma)
    elif ti.abs(ma * mc - mb * mb) >= MINVAL:
        t1, t2 = nearest_params(ma, mb, mc, u, v)
    else:
        n = 4
        if k < 2:
            t1 = real(1 - 2 * k)
            t2 = clip((v - mb * t1) / mc)
        else:
            t2 = real(5 - 2 * k)
            t1 = clip((u - mb * t2) / ma)
    free1 = ti.cast(ma > 0 and ti.abs(t1) < 1, ti.i32)
    free2 = ti.cast(mc > 0 and ti.abs(t2) < 1, ti.i32)
    return t1, t2, free1, free2, n


@ti.func
def sphere_sphere(c1: vec3, r1: real, c2: vec3, r2: real, z1: vec3, z2: vec3):
    """dist, pos, n of two balls; where the centres coincide, n is z1 x z2 as in MuJoCo."""
    n = c2 - c1
    length = ti.sqrt(n.dot(n))
    if length > MINVAL:
        n = n / length
    else:
        n = z1.cross(z2)
        l2 = ti.sqrt(n.dot(n))
        if l2 > MINVAL:
            n = n / l2
        else:
            n = vec3(1.0, 0.0, 0.0)
    dist = length - r1 - r2
    return dist, c1 + (r1 + 0.5 * dist) * n, n


@ti.func
def sphere_sphere_vjp(c1: vec3, r1: real, c2: vec3, r2: real, n: vec3, dist_bar: real, p_bar: vec3, n_bar: vec3):
    """Adjoints of c1 and c2."""
    d = c2 - c1
    length = ti.sqrt(d.dot(d))
    nb = n_bar + 0.5 * (length + r1 - r2) * p_bar
    delta_bar = (dist_bar + 0.5 * n.dot(p_bar)) * n
    if length > MINVAL:
        delta_bar = delta_bar + (nb - n.dot(nb) * n) / length
    return p_bar - delta_bar, delta_bar


@ti.func
def segment_vjp(s1: vec3, t1: real, free1: ti.i32, s2: vec3, t2: real, free2: ti.i32, d: vec3, c1_bar: vec3,
                c2_bar: vec3):  # fmt: skip
    """Adjoints of x1, s1, x2, s2 from those of c1 and c2; d = c1 - c2."""
    w1 = real(0.0)
    w2 = real(0.0)
    a = s1.dot(c1_bar)
    b = s2.dot(c2_bar)
    ma = s1.dot(s1)
    mb = -s1.dot(s2)
    mc = s2.dot(s2)
    if free1 and free2:
        det = ma * mc - mb * mb
        if ti.abs(det) >= MINVAL:
            w1 = (mc * a - mb * b) / det
            w2 = (ma * b - mb * a) / det
    elif free1:
        w1 = a / ma
    elif free2:
        w2 = b / mc
    e = w2 * s2 - w1 * s1
    x1_bar = c1_bar + e
    x2_bar = c2_bar - e
    return x1_bar, t1 * x1_bar - w1 * d, x2_bar, t2 * x2_bar + w2 * d
