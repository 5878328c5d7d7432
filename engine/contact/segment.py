"""Spheres and capsules against each other: the nearest points of two segments (a sphere's has length 0).

    c1 = x1 + t1 s1,  c2 = x2 + t2 s2      (s: scaled half axis, |t| <= 1)
Each is an end of its segment or, where |t| < 1, the point of a line.

    w = s1 x s2,  d = x1 - x2,  t1 = w.(s2 x d) / w.w,  t2 = w.(s1 x d) / w.w    (both free)
This is the solution of the 2x2 system of s1.s1, s1.s2, s2.s2, in other words: the system's determinant is w.w, but as a
difference of products it loses twice as many digits where the axes are nearly parallel.

Capsules whose axes make an angle of less than 1e-4 count as parallel, as in MuJoCo 4.0, and touch at both ends of
their overlap along the first: each is an end of one capsule and the nearest point of the other.
"""

import taichi as ti

from engine.contact.witness import LINE, POINT
from engine.math.types import real, vec3

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
    """Parameters of candidate k, the kinds of both features, and the number of candidates (2 for parallel capsules)."""
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
    kind1 = POINT
    if ma > 0 and ti.abs(t1) < 1:
        kind1 = LINE
    kind2 = POINT
    if mc > 0 and ti.abs(t2) < 1:
        kind2 = LINE
    return t1, t2, kind1, kind2, n
