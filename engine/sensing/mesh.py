"""Where a ray meets a mesh: the nearest of its own triangles from either side, as MuJoCo's does (engine_ray's), not of
its hull. `model/triangles.py` lays out the trees of boxes that spare most of them."""

import taichi as ti

from engine.compiler.features import serves
from engine.math.types import EPS, HUGE, MINVAL, real, vec3
from engine.model.triangles import CORNERS, NODE


@ti.func
def three(a: ti.template(), i: ti.i32):
    return vec3(a[i], a[i + 1], a[i + 2])


@ti.func
def reach(number: ti.template(), at: ti.i32, p: vec3, slowness: vec3):
    """(from, to) along a ray in the box whose numbers begin at `at`: no box where from > to."""
    near = real(0.0)
    far = real(HUGE)
    for k in ti.static(range(3)):
        a = (number[at + k] - p[k]) * slowness[k]
        b = (number[at + 3 + k] - p[k]) * slowness[k]
        near = ti.max(near, ti.min(a, b))
        far = ti.min(far, ti.max(a, b))
    return near, far * (1 + 8 * EPS)


@ti.func
def corners_hit(a: vec3, b: vec3, c: vec3, v: vec3):
    """Along the ray t v, t >= 0, to a triangle, -1 where it misses it, and the triangle's normal, of any length. On
    which side of an edge the ray passes has the same number, but for its sign, for both triangles at the edge."""
    n = (b - a).cross(c - a)
    t = real(-1.0)
    slope = n.dot(v)
    e0 = v.dot(a.cross(b))
    e1 = v.dot(b.cross(c))
    e2 = v.dot(c.cross(a))
    if ti.abs(slope) >= MINVAL and (ti.min(e0, e1, e2) >= 0 or ti.max(e0, e1, e2) <= 0):
        t = n.dot(a) / slope
    return t, n


@serves("mesh_range")
@ti.func
def mesh_hit(node: ti.template(), number: ti.template(), first: ti.i32, end: ti.i32, p: vec3, v: vec3):
    """Along the ray p + t v, t >= 0, in the frame of a mesh, to where it first meets it, -1 where it does not, and a
    normal, of any length, there. node[first:end]: the boxes of its tree."""
    x = real(-1.0)
    n = vec3(0.0, 0.0, 1.0)
    slowness = vec3(1e30, 1e30, 1e30)
    for k in ti.static(range(3)):
        if ti.abs(v[k]) > 1e-30:
            slowness[k] = 1.0 / v[k]
    i = first
    while i < end:
        near, far = reach(number, node[i + 1], p, slowness)
        if near <= far and (x < 0 or near <= x):
            for j in range(node[i + 3]):
                at = node[i + 2] + CORNERS * j
                t, normal = corners_hit(
                    three(number, at) - p, three(number, at + 3) - p, three(number, at + 6) - p, v
                )  # fmt: skip
                if t >= 0 and (x < 0 or t < x):
                    x = t
                    n = normal
            i += NODE
        else:
            i = node[i]
    return x, n
