"""Spheres and capsules against each other: two segments (a sphere's has length 0) and their radii.

    c1 = x1 + t1 s1,  c2 = x2 + t2 s2  (s: scaled half axis, |t| <= 1),  n = (c2 - c1) / |c2 - c1|
The nearest parameters make |c1 - c2|^2 stationary where they are free; their derivative is that of these equations.

    w = s1 x s2,  d = x1 - x2,  t1 = w.(s2 x d) / w.w,  t2 = w.(s1 x d) / w.w    (both free)
This is the solution of the 2x2 system of s1.s1, s1.s2, s2.s2, in other words: the system's determinant is w.w, but as a
difference of products it loses twice as many digits where the axes are nearly parallel.

Capsules whose axes make an angle of less than 1e-4 count as parallel, as in MuJoCo 4.0, and touch at both ends of
their overlap along the first: each is an end of one capsule and the nearest point of the other.
"""

import taichi as ti

from engine.math.types import MINVAL, real, vec3

PARALLEL = 1e-8  # the square of the sine of an angle


@ti.func
def clip(x: real):
    return ti.min(ti.max(x, -1.0), 1.0)


@ti.func
def line_params(s1: vec3, s2: vec3, d: vec3, w: vec3):
    """Nearest parameters of two lines that are not parallel."""
    ww = w.dot(w)
    return w.dot(s2.cross(d)) / ww, w.dot(s1.cross(d)) / ww


@ti.func
def clip_params(t1: real, t2: real, s1: vec3, s2: vec3, d: vec3):
    """Nearest parameters of two segments from those of their lines."""
    ma = s1.dot(s1)
    mb = -s1.dot(s2)
    mc = s2.dot(s2)
    u = -s1.dot(d)
    v = s2.dot(d)
    if ti.abs(t1) > 1:
        t1 = clip(t1)
        t2 = (v - mb * t1) / mc
    if ti.abs(t2) > 1:
        t2 = clip(t2)
        t1 = clip((u - mb * t2) / ma)
    return t1, t2


@ti.func
def overlap_params(s1: vec3, s2: vec3, d: vec3, k: ti.i32):
    """Parameters of the lower (k = 0) or upper end of what two parallel segments share along the first."""
    ma = s1.dot(s1)
    mb = -s1.dot(s2)
    mc = s2.dot(s2)
    u = -s1.dot(d)
    v = s2.dot(d)
    end = real(2 * k - 1)
    t1 = end
    # the second segment's end on that side, which lies the other way where the axes are opposed
    t2 = end if mb < 0 else -end
    if end * (u - mb * t2) < ma:
        t1 = clip((u - mb * t2) / ma)
    else:
        t2 = clip((v - mb * t1) / mc)
    return t1, t2


@ti.func
def segment_params(x1: vec3, s1: vec3, x2: vec3, s2: vec3, k: ti.i32):
    """Parameters of candidate k, whether each is free, and the number of candidates (2 for parallel capsules)."""
    ma = s1.dot(s1)
    mc = s2.dot(s2)
    d = x1 - x2
    w = s1.cross(s2)
    t1 = real(0.0)
    t2 = real(0.0)
    n = 1
    if ma == 0 or mc == 0:
        if mc > 0:
            t2 = clip(s2.dot(d) / mc)
        if ma > 0:
            t1 = clip(-s1.dot(d) / ma)
    elif w.dot(w) >= PARALLEL * ma * mc:
        t1, t2 = line_params(s1, s2, d, w)
        t1, t2 = clip_params(t1, t2, s1, s2, d)
    else:
        n = 2
        t1, t2 = overlap_params(s1, s2, d, k)
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
    """Adjoints of x1, s1, x2, s2 from those of c1 and c2; d = c1 - c2.

    Both free: what moves c1 and c2 along the axes moves the crossing, but for the part w of c1_bar across both.
    """
    w1 = real(0.0)
    w2 = real(0.0)
    both = c1_bar + c2_bar
    x1_bar = c1_bar
    gap = d
    if free1 and free2:
        w = s1.cross(s2)
        ww = w.dot(w)
        sigma = s1.dot(s2)
        w1 = (w.dot(c1_bar.cross(s2)) + sigma * s2.dot(both)) / ww
        w2 = (w.dot(s1.cross(c2_bar)) + sigma * s1.dot(both)) / ww
        # c1_bar + w2 s2 - w1 s1, without the cancelling
        x1_bar = (w.dot(c1_bar) * w - s2.dot(both) * s1.cross(w)) / ww
        # which lies along w, but for the rounding of the parameters
        gap = (w.dot(d) / ww) * w
    elif free1:
        w1 = s1.dot(c1_bar) / s1.dot(s1)
        x1_bar = c1_bar - w1 * s1
    elif free2:
        w2 = s2.dot(c2_bar) / s2.dot(s2)
        x1_bar = c1_bar + w2 * s2
    x2_bar = both - x1_bar
    return x1_bar, t1 * x1_bar - w1 * gap, x2_bar, t2 * x2_bar + w2 * gap
