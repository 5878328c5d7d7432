"""The facet of an uneven face of a mesh that is touched, where its corners are not quite in one plane (refine.py).

MuJoCo's faces are facets of a hull that lean against each other by little. What touches one touches a facet: of the
planes through three corners, which have all others below, that which lies farthest out at the place. It is found as the
simplex method does: a corner that lies above the plane takes the place of one of the three, so that the place stays
between them. The place moves with the normal, so it is asked for once more.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.facing import SEEN
from engine.contact.feature import WITHIN, face_of, pose_of, swollen, vertex_at
from engine.contact.gjk import FEATURE, ccd_support
from engine.math.index import bounded
from engine.math.quat import rotate
from engine.math.types import EPS, real, vec3
from engine.model.constants import BOX, MESH

TURNS = 4  # of the place by the normal
ABOVE = 1e-13 if EPS < 1e-10 else 1e-6  # of a corner over a plane, relative to the shapes


@ti.func
def least_share(a: vec3, b: vec3, e: vec3, c: vec3):
    """The least of the three shares of corners in c, which lies in or over their plane: not negative between them."""
    n = (b - a).cross(e - a)
    return ti.min(n.dot((b - c).cross(e - c)), n.dot((e - c).cross(a - c)), n.dot((a - c).cross(b - c))) / n.dot(n)


@ti.func
def plane_of(a: vec3, b: vec3, e: vec3, out: vec3):
    """The normal of three corners, on the side of out."""
    n = (b - a).cross(e - a)
    n = n / ti.sqrt(n.dot(n))
    return n if n.dot(out) > 0 else -n


@outline("md", "w p", when="convex")
@ti.func
def facet(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """From a face of a mesh, ccd_face, that ccd_n is across to its facet: ccd_n, ccd_c1, ccd_c2 and ccd_length. What is
    flat against the face stays, and so does all where no facet is found."""
    first = bounded(w * m.nccdvert)
    side = d.ccd_face[w] - 1
    sign = real(-1.0) if side else real(1.0)
    x, q, _ = pose_of(d, w, side)
    out = sign * d.ccd_n[w]
    c = d.ccd_c2[w] if side else d.ccd_c1[w]
    v, _ = vertex_at(d, first + SEEN, side)
    above = ABOVE * d.ccd_scale[w]
    if out.dot(v - c) > above:
        _, i = vertex_at(d, first + FEATURE, side)
        _, j = vertex_at(d, first + FEATURE + 1, side)
        _, k = vertex_at(d, first + FEATURE + 2, side)
        face = face_of(m, i, j, k)
        begin = 0
        if face > 0:
            begin = m.face_vertend[face - 1]
        count = 0
        if face >= 0:
            count = m.face_vertend[face] - begin
        turn = 0 if count > 3 else TURNS
        while turn < TURNS:
            turn = turn + 1
            a = x + rotate(q, m.hull_vert[m.face_vert[begin]])
            b = a
            e = a
            best = real(-1e9)
            last = b
            for at in range(1, count):
                v = x + rotate(q, m.hull_vert[m.face_vert[begin + at]])
                if at > 1:
                    share = least_share(a, last, v, c)
                    if share > best:
                        best = share
                        b = last
                        e = v
                last = v
            n = plane_of(a, b, e, out)
            pivots = 0
            while pivots < 2 * count:
                pivots = pivots + 1
                most = above
                over = a
                for at in range(count):
                    v = x + rotate(q, m.hull_vert[m.face_vert[begin + at]])
                    if n.dot(v - a) > most:
                        most = n.dot(v - a)
                        over = v
                if most > above:
                    # one of the three leaves
                    sa = least_share(over, b, e, c)
                    sb = least_share(a, over, e, c)
                    se = least_share(a, b, over, c)
                    if sa >= sb and sa >= se:
                        a = over
                    elif sb >= se:
                        b = over
                    else:
                        e = over
                    n = plane_of(a, b, e, out)
                else:
                    pivots = 2 * count + 1
            other = swollen(m, d, w, p, 1 - side, sign * n)
            c = other - n.dot(other - a) * n
            if pivots > 2 * count and least_share(a, b, e, c) >= -WITHIN:
                turn = TURNS
                d.ccd_dir[w] = sign * n
                ccd_support(m, d, w, p, SEEN)
                v, _ = vertex_at(d, first + SEEN, 1 - side)
                kind = m.geom_type[m.pair_geom1[p] if side else m.pair_geom2[p]]
                # of corners another one may be nearer then
                if (kind != MESH and kind != BOX) or n.dot(other - v) <= above:
                    d.ccd_n[w] = sign * n
                    d.ccd_c1[w] = other if side else c
                    d.ccd_c2[w] = c if side else other
                    d.ccd_length[w] = n.dot(other - c)
