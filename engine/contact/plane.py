"""Features of shapes that a plane may touch: sphere centres, capsule ends and box corners, with their radii; rims and
the points of ellipsoids. A pair of a plane and one more shape has its candidates here."""

import taichi as ti

from engine.compiler.features import has
from engine.contact.cylinder import plane_rim
from engine.contact.ellipsoid import plane_point
from engine.contact.witness import POINT, SURFACE
from engine.math.quat import rotate
from engine.math.types import vec3, vec4
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


@ti.func
def plane_feature(type2: ti.i32, n: vec3, q2: vec4, size2: vec3, first1: vec3, first2: vec3, k: ti.i32):
    """Candidate k of a geom of orientation q2 against a plane with normal n: kind, place from the centre in the world,
    radius, and the directions of plane and geom (witness.py), which are first1 and first2 where the kind has none."""
    kind2 = POINT
    a1 = first1
    a2 = first2
    o, r2 = plane_offset(type2, size2, k)
    o = rotate(q2, o)
    if ti.static(has.cylinder or has.distance_sensor):
        if type2 == CYLINDER:
            kind2, o, a1, a2 = plane_rim(n, q2, size2, k)
    if ti.static(has.ellipsoid or has.distance_sensor):
        if type2 == ELLIPSOID:
            kind2 = SURFACE
            o, a1, a2 = plane_point(n, q2, size2)
    return kind2, o, r2, a1, a2
