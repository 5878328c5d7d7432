"""Whether a place in the plane of a face lies within the face, or beyond which of its edges (refine.py).

A shape's feature has three corners of a face. A mesh's face may have more; one of a box has four, as has a side of a
height field's prism. A place may lie beside the triangle and yet within the face. Where it lies beyond the face, it
does so beyond an edge, not beyond a diagonal.
"""

import taichi as ti

from engine.compiler.features import has
from engine.contact.faces import place, sides
from engine.contact.feature import EVEN, WITHIN, face_of, pose_of, put_vertex, vertex_at
from engine.contact.gjk import FEATURE
from engine.math.index import bounded
from engine.math.quat import rotate
from engine.math.types import vec3
from engine.model.constants import BOX, HFIELD, MESH


@ti.func
def face_on(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32, side: ti.i32, i: ti.i32, j: ti.i32, k: ti.i32):
    """The face on which a feature's three vertices lie, as `corner` needs it, and how many corners that has: 0 where it
    has three, or where they are not in its plane."""
    face = -1
    count = 0
    if m.geom_type[g] == MESH:
        face = face_of(m, i, j, k)
        if face >= 0:
            _, q, _ = pose_of(d, w, side)
            n = rotate(q, m.face_normal[face])
            a = d.ccd_axis2[w] if side else d.ccd_axis1[w]
            b = d.ccd_across2[w] if side else d.ccd_across1[w]
            if ti.max(ti.abs(n.dot(a)), ti.abs(n.dot(b))) < EVEN:
                _, count = sides(m, g, face)
    elif m.geom_type[g] == BOX:
        # the bit that all three share, and how it is set
        free = (i ^ j) | (i ^ k)
        face = 7 ^ free | (i & ~free) << 3
        count = 0 if free == 7 else 4
    if ti.static(has.hfield):
        if m.geom_type[g] == HFIELD and (i % 3 == j % 3 or j % 3 == k % 3 or k % 3 == i % 3):
            # the side without the edge between the third of below and the third of above
            face = 3 - i % 3 - (k if i % 3 == j % 3 else j) % 3
            count = 4
    return face, count if count > 3 else 0


@ti.func
def corner(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32, side: ti.i32, face: ti.i32, at: ti.i32):
    """Corner `at` of such a face, in order around it: where it is, and its number."""
    x, q, _ = pose_of(d, w, side)
    v = 0
    if m.geom_type[g] == MESH:
        begin, _ = sides(m, g, face)
        v = m.face_vert[begin + at]
    elif m.geom_type[g] == BOX:
        fixed = face & 7
        one = 2 if fixed == 1 else 1
        other = 7 ^ fixed ^ one
        v = face >> 3
        if at == 1 or at == 2:
            v = v | one
        if at > 1:
            v = v | other
    c = x + rotate(q, place(m, g, v))
    if ti.static(has.hfield):
        if m.geom_type[g] == HFIELD:
            v = (face + 1) % 3 if at == 0 or at == 3 else (face + 2) % 3
            if at > 1:
                v = v + 3
            c = d.prism[bounded(w * m.nprism) + v]
    return c, v


@ti.func
def off_face(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32, side: ti.i32, c: vec3):
    """c lies in the plane of a feature of three vertices, beside these. 3: it lies within a face of more corners, of
    which these are three. 2: it lies beyond an edge of that face, whose ends are the feature then. Else 0."""
    first = bounded(w * m.nccdvert)
    a, i = vertex_at(d, first + FEATURE, side)
    b, j = vertex_at(d, first + FEATURE + 1, side)
    e, k = vertex_at(d, first + FEATURE + 2, side)
    face, count = face_on(m, d, w, g, side, i, j, k)
    n = (b - a).cross(e - a)
    middle = (a + b + e) / 3
    left = 3 if count else 0
    most = WITHIN * ti.sqrt(ti.sqrt(n.dot(n)))
    for at in range(count + 1 if count else 0):
        b, j = corner(m, d, w, g, side, face, at % count)
        if at > 0:
            out = n.cross(b - a)
            out = out / ti.sqrt(out.dot(out))
            over = out.dot(c - a) if out.dot(middle - a) < 0 else out.dot(a - c)
            if over > most:
                most = over
                left = 2
                put_vertex(d, first + FEATURE, side, a, i)
                put_vertex(d, first + FEATURE + 1, side, b, j)
        a = b
        i = j
    return left
