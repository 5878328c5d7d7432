"""Ellipsoids: the point that comes nearest to a plane, and how it moves along the surface as the plane tilts.

    c = centre - S^2 n / |S n|      (S the half axes, n the plane's normal, in the ellipsoid's frame)
    dc = -S (1 - u u^T) S dn / |S n|,  u = S n / |S n|
"""

import taichi as ti

from engine.math.quat import rotate, rotate_back
from engine.math.types import vec3, vec4


@ti.func
def plane_point(n: vec3, q: vec4, size: vec3):
    """(o, a1, a2): the place of the nearest point from the centre of an ellipsoid of orientation q, and
    dc = -(a1 a1^T + a2 a2^T) dn."""
    s = size * rotate_back(q, n)
    norm = ti.sqrt(s.dot(s))
    u = s / norm
    # any two unit vectors across u and each other
    x = vec3(1.0, 0.0, 0.0)
    if u[0] * u[0] > 0.5:
        x = vec3(0.0, 1.0, 0.0)
    e = u.cross(x)
    e = e / ti.sqrt(e.dot(e))
    scale = 1.0 / ti.sqrt(norm)
    return rotate(q, -(size * u)), rotate(q, scale * (size * e)), rotate(q, scale * (size * u.cross(e)))
