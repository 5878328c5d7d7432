"""Cylinders: the points of the rims that a plane touches, and what of a cylinder is nearest to a ball's centre.

    z   axis,  e   unit vector across it to the lowest point of a rim, which the plane's normal decides
Which points touch, and when the side, a cap or a rim does, are MuJoCo's rules for these pairs.
"""

import taichi as ti

from engine.contact.witness import CURVE, FACE, LINE, POINT
from engine.math.quat import rotate
from engine.math.types import MINVAL, real, vec3, vec4


@ti.func
def plane_rim(n: vec3, q: vec4, size: vec3, k: ti.i32):
    """Candidate k of a cylinder (orientation q) against a plane: the lowest points of the rim that is nearer to the
    plane and of the other one, then two that make a triangle with the first.

    (kind, its place from the centre, how it turns: see witness.py on a CURVE against a FACE)
    """
    z = rotate(q, vec3(0.0, 0.0, 1.0))
    if n.dot(z) > 0:
        z = -z
    e = n.dot(z) * z - n
    sine = ti.sqrt(e.dot(e))
    kind = CURVE
    a1 = vec3(0.0, 0.0, 0.0)
    if sine >= MINVAL:
        e = e / sine
        a1 = e.cross(z) / sine
    else:
        # flat on the plane: every point of the rim is the lowest one
        kind = POINT
        e = rotate(q, vec3(1.0, 0.0, 0.0))
    o = size[0] * e + size[1] * z
    if k == 1:
        o = size[0] * e - size[1] * z
    if k > 1:
        o = size[1] * z + size[0] * (ti.sqrt(real(0.75)) * (5 - 2 * k) * e.cross(z) - 0.5 * e)
    return kind, o, a1, z.cross(o)


@ti.func
def ball_cylinder(p: vec3, q: vec4, size: vec3):
    """Nearest of a cylinder (orientation q) to p, both from its centre: kind of the feature, its place and radius, its
    direction or a FACE's normal, and a CURVE's bend."""
    z = rotate(q, vec3(0.0, 0.0, 1.0))
    x = z.dot(p)
    across = p - x * z
    far = ti.sqrt(across.dot(across))
    top = real(1.0)
    if x <= 0:
        top = -1.0
    side = ti.abs(x) < size[1]
    cap = far < size[0]
    if side and cap:
        # the centre is inside: out through what is nearer
        side = size[1] - ti.abs(x) >= size[0] - far
        cap = not side
    kind = LINE
    c = x * z
    r = size[0]
    v = z
    bend = real(0.0)
    if not side:
        r = 0.0
        if cap:
            kind = FACE
            c = top * size[1] * z
            v = -top * z
        else:
            kind = CURVE
            e = across / far
            c = top * size[1] * z + size[0] * e
            v = z.cross(e)
            bend = far / size[0] - 1.0
    return kind, c, r, v, bend
