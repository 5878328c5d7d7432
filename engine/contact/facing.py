"""Which faces look along the normal where the search's simplex does not tell (refine.py): of a box or a mesh, from its
normals, of a height field's prism from its corners; and whether an edge passes over a cap or over its rim."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.contact.faces import faces_at, place, sides
from engine.contact.feature import NEARLY, WITHIN, pose_of, put_vertex, swelling, vertex_at
from engine.contact.gjk import FEATURE
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import real, vec3
from engine.model.constants import BOX, HFIELD, MESH

SEEN = FEATURE + 3  # slot of the vertices along n
LOOKS = 1 - NEARLY * NEARLY  # cosine


@ti.func
def face_along(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Where a face of the second shape, or of a prism, looks along ccd_guess: of the simplex three corners of that
    face, between which the place lies. A polytope that is refined along a round shape may end with two of them."""
    first = bounded(w * m.nccdvert)
    g = m.pair_geom2[p]
    x, q, _ = pose_of(d, w, 1)
    dir = rotate_back(q, -d.ccd_guess[w])
    at = rotate_back(q, d.ccd_x2[w] - x)
    found = 0
    one = 0
    two = 0
    three = 0
    if m.geom_type[g] == BOX:
        # the corner that is nearest to the place, and its neighbours
        for k in ti.static(range(3)):
            one = one | (ti.cast(at[k] > 0, ti.i32) << k)
        for k in ti.static(range(3)):
            if ti.abs(dir[k]) > LOOKS:
                found = 1
                one = (one & ~(1 << k)) | (ti.cast(dir[k] > 0, ti.i32) << k)
                two = one ^ (1 << ((k + 1) % 3))
                three = one ^ (1 << ((k + 2) % 3))
    elif m.geom_type[g] == MESH:
        _, seen = vertex_at(d, first + SEEN, 1)
        begin, count = faces_at(m, g, seen)
        for k in range(count):
            face = m.hull_face[begin + k]
            n = m.face_normal[face]
            if not found and n.dot(dir) > LOOKS:
                start, corners = sides(m, g, face)
                a = m.hull_vert[m.face_vert[start]]
                for j in range(1, corners - 1):
                    b = m.hull_vert[m.face_vert[start + j]]
                    e = m.hull_vert[m.face_vert[start + j + 1]]
                    over = vec3(n.dot((b - a).cross(at - a)), n.dot((e - b).cross(at - b)), 0.0)
                    over[2] = n.dot((a - e).cross(at - e))
                    slack = WITHIN * ti.abs((b - a).cross(e - a).dot(n))
                    if not found and (over.min() > -slack or over.max() < slack):
                        found = 1
                        one = m.face_vert[start]
                        two = m.face_vert[start + j]
                        three = m.face_vert[start + j + 1]
    if found:
        for j in range(3):
            v = one
            one = two
            two = three
            put_vertex(d, first + j, 1, x + rotate(q, place(m, g, v)), v)
    if ti.static(has.hfield):
        if m.geom_type[m.pair_geom1[p]] == HFIELD:
            prism_face(m, d, w)


@serves("hfield")
@ti.func
def prism_face(m: ti.template(), d: ti.template(), w: ti.i32):
    """The same of the prism: below, above, and its sides, each of which is two triangles."""
    at = bounded(w * m.nprism)
    n = d.ccd_guess[w]
    most = real(LOOKS)
    one = -1
    two = 0
    three = 0
    for face in range(5):
        a = 0
        b = 1
        c = 2
        if face == 1:
            a = 3
            b = 4
            c = 5
        if face > 1:
            a = face - 2
            b = (face - 1) % 3
            c = b + 3
        x = d.prism[at + a]
        across = (d.prism[at + b] - x).cross(d.prism[at + c] - x)
        cosine = ti.abs(n.dot(across)) / ti.sqrt(across.dot(across))
        if cosine > most and n.dot(x - d.ccd_pos1[w]) > 0:
            most = cosine
            one = a
            two = b
            three = c
            diagonal = n.cross(d.prism[at + c] - x)
            if face > 1 and diagonal.dot(d.prism[at + b] - x) * diagonal.dot(d.ccd_x1[w] - x) < 0:
                two = a + 3
    if one >= 0:
        first = bounded(w * m.nccdvert)
        for j in range(3):
            v = one
            one = two
            two = three
            put_vertex(d, first + j, 0, d.prism[at + v], v)


@ti.func
def beside_cap(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, side: ti.i32, dir: vec3):
    """Whether the other side's feature is a cap, and that of an edge's two vertices which lies farthest along dir, the
    cap's normal, is not over it."""
    first = bounded(w * m.nccdvert)
    x, q, size = pose_of(d, w, side)
    radius = d.ccd_size1[w][0] if side else d.ccd_size2[w][0]
    a, i = vertex_at(d, first + FEATURE, side)
    b, i = vertex_at(d, first + FEATURE + 1, side)
    if b.dot(dir) > a.dot(dir):
        a = b
    kind = m.geom_type[m.pair_geom2[p] if side else m.pair_geom1[p]]
    x = a + swelling(kind, q, size, dir) - (d.ccd_o1[w] if side else d.ccd_o2[w])
    x = x - dir.dot(x) * dir
    return (d.ccd_cap1[w] if side else d.ccd_cap2[w]) and x.dot(x) > (1 + WITHIN) * radius * radius
