"""The features of convex shapes (refine.py): what their vertices span, what swells them, and which vertices they have.

In slots FEATURE to FEATURE + 2 (gjk.py) are up to three vertices of each side: ends of a capsule's or a cylinder's
axis, corners, or a centre. A cylinder's disc and an ellipsoid swell them: by s(dir), which bends by H = ds/d dir.
"""

import taichi as ti

from engine.contact.gjk import FEATURE
from engine.contact.witness import CURVE, FACE, LINE, POINT, SURFACE
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, HUGE, real, vec3, vec4
from engine.model.constants import CYLINDER, ELLIPSOID, MESH

EXACT = EPS < 1e-10  # real numbers of 64 bits
WITHIN = 1e-9 if EXACT else 1e-4  # of a share of a feature
FLAT = 1e-9 if EXACT else 1e-4  # of the sine of an angle
EVEN = 1e-6 if EXACT else 1e-4  # the same, between a mesh's face and three of its corners
NEARLY = 1e-2  # of the sine of an angle to a cylinder's axis or cap: its cap or side is tried


@ti.func
def swelling(kind: ti.i32, q: vec4, size: vec3, dir: vec3):
    """s of a shape of this type along dir."""
    s = vec3(0.0, 0.0, 0.0)
    if kind == CYLINDER:
        z = rotate(q, vec3(0.0, 0.0, 1.0))
        e = dir - z.dot(dir) * z
        norm = ti.sqrt(e.dot(e))
        if norm > FLAT:
            s = size[0] / norm * e
    if kind == ELLIPSOID:
        v = rotate_back(q, dir) * size
        s = rotate(q, size * v / ti.sqrt(v.dot(v)))
    return s


@ti.func
def bending(kind: ti.i32, q: vec4, size: vec3, dir: vec3, v: vec3):
    """How the same moves where dir moves by v, which is across it: H v, a symmetric map."""
    moved = vec3(0.0, 0.0, 0.0)
    if kind == CYLINDER:
        z = rotate(q, vec3(0.0, 0.0, 1.0))
        t = z.cross(dir)
        norm = ti.sqrt(t.dot(t))
        if norm > FLAT:
            t = t / norm
            moved = size[0] / norm * t.dot(v) * t
    if kind == ELLIPSOID:
        s = rotate_back(q, dir) * size
        u = rotate_back(q, v) * size
        norm2 = s.dot(s)
        moved = rotate(q, size * (u - s.dot(u) / norm2 * s)) / ti.sqrt(norm2)
    return moved


@ti.func
def pose_of(d: ti.template(), w: ti.i32, side: ti.i32):
    q = d.ccd_quat1[w]
    size = d.ccd_size1[w]
    x = d.ccd_pos1[w]
    if side:
        q = d.ccd_quat2[w]
        size = d.ccd_size2[w]
        x = d.ccd_pos2[w]
    return x, q, size


@ti.func
def vertex_at(d: ti.template(), k: ti.i32, side: ti.i32):
    v = d.ccd_vert1[k]
    i = d.ccd_index1[k]
    if side:
        v = d.ccd_vert2[k]
        i = d.ccd_index2[k]
    return v, i


@ti.func
def put_vertex(d: ti.template(), k: ti.i32, side: ti.i32, v: vec3, i: ti.i32):
    if side:
        d.ccd_vert2[k] = v
        d.ccd_index2[k] = i
    else:
        d.ccd_vert1[k] = v
        d.ccd_index1[k] = i


@ti.func
def gather(m: ti.template(), d: ti.template(), w: ti.i32, kind: ti.i32, side: ti.i32, n: vec3):
    """Writes the vertices of a side's feature, those of the simplex; returns how many they are."""
    first = bounded(w * m.nccdvert)
    x, q, size = pose_of(d, w, side)
    count = 0
    if kind == ELLIPSOID:
        put_vertex(d, first + FEATURE, side, x, 0)
        count = 1
    elif kind == CYLINDER:
        h = rotate(q, vec3(0.0, 0.0, size[1]))
        up = h.dot(n) * (1 - 2 * side) / size[1]
        told = d.ccd_told[w] and d.ccd_nsimplex[w] == 3
        for end in range(2):
            # at first both where it may be the side; where that does not fit, the ends that the simplex has
            there = (end and up > -NEARLY) or (end == 0 and up < NEARLY)
            if told:
                there = (d.ccd_ends[w] >> (2 * side + end)) & 1
            if there:
                put_vertex(d, first + FEATURE + count, side, x + (2 * end - 1) * h, end)
                count = count + 1
    else:
        for k in range(d.ccd_nsimplex[w]):
            v, i = vertex_at(d, first + k, side)
            new = 1
            for j in range(count):
                _, other = vertex_at(d, first + FEATURE + j, side)
                if other == i:
                    new = 0
            if new and count < 3:
                put_vertex(d, first + FEATURE + count, side, v, i)
                count = count + 1
    return count


@ti.func
def face_of(m: ti.template(), i: ti.i32, j: ti.i32, k: ti.i32):
    """The face of a mesh that three of its vertices share, or -1."""
    begin = 0
    if i > 0:
        begin = m.hull_faceend[i - 1]
    face = -1
    for at in range(begin, m.hull_faceend[i]):
        one = 0
        other = 0
        for e in range(m.hull_faceend[j - 1] if j > 0 else 0, m.hull_faceend[j]):
            if m.hull_face[e] == m.hull_face[at]:
                one = 1
        for e in range(m.hull_faceend[k - 1] if k > 0 else 0, m.hull_faceend[k]):
            if m.hull_face[e] == m.hull_face[at]:
                other = 1
        if one and other:
            face = m.hull_face[at]
    return face


@ti.func
def span(m: ti.template(), d: ti.template(), w: ti.i32, kind: ti.i32, side: ti.i32, count: ti.i32, cap: ti.i32):
    """A side's first vertex, by how many directions its feature extends, and these, unit vectors across each other.

    The corners of a mesh's face are numbers of 32 bits and not quite in a plane: all of it counts as the plane through
    its first corner across its normal. MuJoCo takes triangles for one face that lean against each other by up to 4
    milliradians, though: these stay what they are.
    """
    first = bounded(w * m.nccdvert)
    x, q, _ = pose_of(d, w, side)
    o, i = vertex_at(d, first + FEATURE, side)
    a = vec3(0.0, 0.0, 0.0)
    b = vec3(0.0, 0.0, 0.0)
    extent = count - 1
    if cap:
        a = rotate(q, vec3(1.0, 0.0, 0.0))
        b = rotate(q, vec3(0.0, 1.0, 0.0))
        extent = 2
    elif count > 1:
        v, j = vertex_at(d, first + FEATURE + 1, side)
        a = v - o
        a = a / ti.sqrt(a.dot(a))
        if count > 2:
            v, k = vertex_at(d, first + FEATURE + 2, side)
            b = v - o - a.dot(v - o) * a
            norm = ti.sqrt(b.dot(b))
            if norm > 0:
                b = b / norm
            else:
                extent = 1
            if kind == MESH:
                face = face_of(m, i, j, k)
                n = vec3(0.0, 0.0, 0.0)
                if face >= 0:
                    n = rotate(q, m.face_normal[face])
                if face >= 0 and ti.max(ti.abs(n.dot(a)), ti.abs(n.dot(b))) < EVEN:
                    b = n.cross(a)
                    b = b / ti.sqrt(b.dot(b))
                    a = b.cross(n)
                    corner = 0
                    if face > 0:
                        corner = m.face_vertend[face - 1]
                    o = x + rotate(q, m.hull_vert[m.face_vert[corner]])
    return o, extent, a, b


@ti.func
def leave(d: ti.template(), first: ti.i32, side: ti.i32, out: ti.i32, count: ti.i32):
    """Vertex `out` leaves a side's feature."""
    v, i = vertex_at(d, first + FEATURE + count - 1, side)
    put_vertex(d, first + FEATURE + out, side, v, i)


@ti.func
def keep_farthest(d: ti.template(), first: ti.i32, side: ti.i32, count: ti.i32, dir: vec3):
    """Of a side's vertices that which lies farthest along dir comes to be the first."""
    best = real(-HUGE)
    for k in range(count):
        v, i = vertex_at(d, first + FEATURE + k, side)
        if v.dot(dir) > best:
            best = v.dot(dir)
            put_vertex(d, first + FEATURE, side, v, i)


@ti.func
def outside(d: ti.template(), first: ti.i32, side: ti.i32, count: ti.i32, c: vec3):
    """The vertex of a side's feature without which it comes nearer to c, which lies in its line or plane; or -1."""
    out = -1
    a, _ = vertex_at(d, first + FEATURE, side)
    b, _ = vertex_at(d, first + FEATURE + 1, side)
    if count == 2:
        t = (c - a).dot(b - a) / (b - a).dot(b - a)
        if t < -WITHIN:
            out = 1
        if t > 1 + WITHIN:
            out = 0
    if count == 3:
        e, _ = vertex_at(d, first + FEATURE + 2, side)
        n = (b - a).cross(e - a)
        share = vec3(n.dot((b - c).cross(e - c)), n.dot((e - c).cross(a - c)), n.dot((a - c).cross(b - c))) / n.dot(n)
        least = real(-WITHIN)
        for k in ti.static(range(3)):
            if share[k] < least:
                least = share[k]
                out = k
    return out


@ti.func
def swollen(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, side: ti.i32, n: vec3):
    """Where a side's feature is for the normal n but for its extent."""
    g = m.pair_geom1[p]
    o = d.ccd_o1[w]
    dir = n
    cap = d.ccd_cap1[w]
    if side:
        g = m.pair_geom2[p]
        o = d.ccd_o2[w]
        dir = -n
        cap = d.ccd_cap2[w]
    _, q, size = pose_of(d, w, side)
    s = vec3(0.0, 0.0, 0.0)
    if not cap:
        s = swelling(m.geom_type[g], q, size, dir)
    return o + s


@ti.func
def bends(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, n: vec3, v: vec3):
    """(H1 + H2) v."""
    moved = vec3(0.0, 0.0, 0.0)
    for side in range(2):
        g = m.pair_geom2[p] if side else m.pair_geom1[p]
        _, q, size = pose_of(d, w, side)
        moved = moved + bending(m.geom_type[g], q, size, -n if side else n, v)
    return moved


@ti.func
def feature_kind(kind: ti.i32, extent: ti.i32):
    """Of a shape of this type, which extends by so many directions."""
    r = POINT
    if kind == CYLINDER:
        r = CURVE
    if kind == ELLIPSOID:
        r = SURFACE
    if extent == 1:
        r = LINE
    if extent == 2:
        r = FACE
    return r
