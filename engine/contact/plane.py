"""Plane against a point with a radius: sphere centres, capsule ends, box corners.

    n = plane's z axis,  dist = n . (c - x1) - r,  pos = c - n (r + dist / 2)
"""

import taichi as ti

from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE


@ti.func
def plane_count(type2: ti.i32):
    """Candidate points of the other geom and how many contacts may come of them."""
    n = 1
    most = 1
    if type2 == CAPSULE:
        n = 2
        most = 2
    if type2 == BOX:
        n = 8
        most = 4
    return n, most


@ti.func
def plane_offset(type2: ti.i32, size2: vec3, k: ti.i32):
    """Candidate k in the other geom's frame, and its radius."""
    o = vec3(0.0, 0.0, 0.0)
    r = size2[0]
    if type2 == CAPSULE:
        o[2] = size2[1] * (1 - 2 * k)
    if type2 == BOX:
        r = 0.0
        for i in ti.static(range(3)):
            o[i] = size2[i] * (2 * ((k >> i) & 1) - 1)
    return o, r


@ti.func
def plane_point(n: vec3, x1: vec3, c: vec3, r: real):
    """dist and pos of the contact of the point c with radius r."""
    dist = n.dot(c - x1) - r
    return dist, c - (r + 0.5 * dist) * n


@ti.func
def plane_point_vjp(n: vec3, x1: vec3, c: vec3, r: real, dist: real, dist_bar: real, p_bar: vec3):
    """Adjoints of n and of c; that of x1 is -n s, returned as the third value s."""
    s = dist_bar - 0.5 * n.dot(p_bar)
    return s * (c - x1) - (r + 0.5 * dist) * p_bar, p_bar + s * n, s
