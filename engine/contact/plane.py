"""Points of shapes that a plane may touch: sphere centres, capsule ends, box corners, with their radii."""

import taichi as ti

from engine.math.types import vec3
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID


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
    if type2 == CYLINDER:
        n = 4
        most = 4
    return n, most


@ti.func
def plane_offset(type2: ti.i32, size2: vec3, k: ti.i32):
    """Candidate k in the other geom's frame, and its radius."""
    o = vec3(0.0, 0.0, 0.0)
    r = size2[0]
    if type2 == CYLINDER or type2 == ELLIPSOID:
        r = 0.0
    if type2 == CAPSULE:
        o[2] = size2[1] * (1 - 2 * k)
    if type2 == BOX:
        r = 0.0
        for i in ti.static(range(3)):
            o[i] = size2[i] * (2 * ((k >> i) & 1) - 1)
    return o, r
