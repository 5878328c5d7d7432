"""Where two convex shapes touch, exactly: what the search found to a tolerance is solved for by Newton's method.

Along the normal n, from the first shape to the second, each has a *feature*: up to three vertices (a point, an edge, a
face; the centre of a sphere or an ellipsoid, the ends of the axis of a capsule or a cylinder), and what swells them, a
smooth function s of the direction: the disc of a cylinder, an ellipsoid. Its other side is a cap: a face.

    c1 = o1 + s1(n) + t1 a1 + ...,   c2 = o2 + s2(-n) + t2 a2 + ...,   c2 - c1 = L n,   a . n = 0 for every edge

n is stationary: with G = o2 + s2(-n) - o1 - s1(n) and bends H = ds/dn, a step is dn = (H1 + H2 + L)^-1 G across n and
the edges. Faces, and edges that cross, have n without a step. A feature is right where c lies in it and no vertex of
its shape lies beyond it; else a vertex joins or leaves it, a few times, or what the search found stays.

Shapes that are flat against each other touch in more points than one. Then that which the search found stays, and
what is not needed to tell the normal counts as a point of its shape.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.gjk import FEATURE, ccd_support
from engine.contact.witness import CURVE, FACE, LINE, POINT, SURFACE
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, HUGE, real, vec3, vec4
from engine.model.constants import CYLINDER, ELLIPSOID, MESH

SEEN = FEATURE + 3  # slot of the vertices along n
CHANGES, STEPS = 12, 30
EXACT = EPS < 1e-10  # real numbers of 64 bits
SLACK = 1e-12 if EXACT else 1e-5  # of a vertex beyond a feature, relative to the shapes
UNEVEN = 1e-7 if EXACT else 1e-5  # the same of a vertex of a mesh, whose faces are not quite even
WITHIN = 1e-9 if EXACT else 1e-4  # of a share of a feature
FLAT = 1e-9 if EXACT else 1e-4  # of the sine of an angle
NEARLY = 1e-2  # of the sine of an angle to a cylinder's axis or cap: its cap or side is tried
STRAY = 0.95, 1e-2  # of the cosine between two normals, and of a distance relative to the shapes


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
        for end in range(2):
            # at first both where it may be the side
            if (end and up > -NEARLY) or (end == 0 and up < NEARLY):
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
def face_of(m: ti.template(), d: ti.template(), first: ti.i32, side: ti.i32):
    """The face of a mesh that three vertices of a side's feature share, or -1."""
    _, i = vertex_at(d, first + FEATURE, side)
    _, j = vertex_at(d, first + FEATURE + 1, side)
    _, k = vertex_at(d, first + FEATURE + 2, side)
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
    its first corner across its normal.
    """
    first = bounded(w * m.nccdvert)
    x, q, _ = pose_of(d, w, side)
    o, _ = vertex_at(d, first + FEATURE, side)
    a = vec3(0.0, 0.0, 0.0)
    b = vec3(0.0, 0.0, 0.0)
    extent = count - 1
    if cap:
        a = rotate(q, vec3(1.0, 0.0, 0.0))
        b = rotate(q, vec3(0.0, 1.0, 0.0))
        extent = 2
    elif count > 1:
        v, _ = vertex_at(d, first + FEATURE + 1, side)
        a = v - o
        a = a / ti.sqrt(a.dot(a))
        if count > 2:
            v, _ = vertex_at(d, first + FEATURE + 2, side)
            b = v - o - a.dot(v - o) * a
            norm = ti.sqrt(b.dot(b))
            if norm > 0:
                b = b / norm
            else:
                extent = 1
            if kind == MESH:
                face = face_of(m, d, first, side)
                if face >= 0:
                    n = rotate(q, m.face_normal[face])
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


@outline("md", "w p", when="convex")
@ti.func
def refine(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """From the simplex, ccd_n, ccd_x1, ccd_x2 and ccd_dist to the features' own, their kinds and directions."""
    first = bounded(w * m.nccdvert)
    type1 = m.geom_type[m.pair_geom1[p]]
    type2 = m.geom_type[m.pair_geom2[p]]
    q1 = d.ccd_quat1[w]
    q2 = d.ccd_quat2[w]
    size1 = d.ccd_size1[w]
    size2 = d.ccd_size2[w]
    found = d.ccd_n[w]
    n = found
    count1 = gather(m, d, w, type1, 0, n)
    count2 = gather(m, d, w, type2, 1, n)
    z1 = rotate(q1, vec3(0.0, 0.0, 1.0))
    z2 = rotate(q2, vec3(0.0, 0.0, 1.0))
    cap1 = ti.cast(type1 == CYLINDER and count1 == 1 and z1.cross(n).dot(z1.cross(n)) < NEARLY * NEARLY, ti.i32)
    cap2 = ti.cast(type2 == CYLINDER and count2 == 1 and z2.cross(n).dot(z2.cross(n)) < NEARLY * NEARLY, ti.i32)
    scale = size1.sum() + size2.sum() + ti.abs(d.ccd_dist[w])
    slack = SLACK * scale
    if type1 == MESH or type2 == MESH:
        slack = UNEVEN * scale
    done = 0
    change = 0
    extent1 = 0
    extent2 = 0
    kind1 = POINT
    kind2 = POINT
    a1 = vec3(0.0, 0.0, 0.0)
    a2 = vec3(0.0, 0.0, 0.0)
    while not done and change < CHANGES:
        change = change + 1
        o1, extent1, a1, b1 = span(m, d, w, type1, 0, count1, cap1)
        o2, extent2, a2, b2 = span(m, d, w, type2, 1, count2, cap2)
        n = found
        flat = 0
        face = 0
        steps = STEPS
        n1 = a1.cross(b1)
        n2 = a2.cross(b2)
        lost = 0
        if extent1 == 2:
            face = 1
        if extent2 == 2 and (extent1 < 2 or ti.abs(n2.dot(n)) > ti.abs(n1.dot(n))):
            face = 2
        if face:
            steps = 0
            turn = n1 if face == 1 else n2
            n = turn if turn.dot(n) > 0 else -turn
            if face == 1 and extent2 > 0:
                flat = ti.cast(ti.max(ti.abs(a2.dot(n)), ti.abs(b2.dot(n))) < FLAT, ti.i32)
                if not flat:
                    keep_farthest(d, first, 1, count2, -n)
                    count2 = 1
                    cap2 = 0
                    lost = 1
            if face == 2 and extent1 > 0:
                flat = ti.cast(ti.max(ti.abs(a1.dot(n)), ti.abs(b1.dot(n))) < FLAT, ti.i32)
                if not flat:
                    keep_farthest(d, first, 0, count1, n)
                    count1 = 1
                    cap1 = 0
                    lost = 1
        elif extent1 == 1 and extent2 == 1:
            turn = a1.cross(a2)
            norm = ti.sqrt(turn.dot(turn))
            flat = ti.cast(norm < FLAT, ti.i32)
            if not flat:
                steps = 0
                turn = turn / norm
                n = turn if turn.dot(n) > 0 else -turn
        if lost:
            continue
        along = a1
        lined = ti.cast(extent1 == 1, ti.i32)
        if extent1 != 1 and extent2 == 1:
            along = a2
            lined = 1
        step = 0
        while step < steps:
            if lined:
                n = n - along.dot(n) * along
                n = n / ti.sqrt(n.dot(n))
            G = o2 + swelling(type2, q2, size2, -n) - o1 - swelling(type1, q1, size1, n)
            L = n.dot(G)
            # any two unit vectors across n and each other, the second across an edge
            v = along
            if not lined:
                v = vec3(0.0, 1.0, 0.0)
                if n[1] >= 0.5 or n[1] <= -0.5:
                    v = vec3(0.0, 0.0, 1.0)
                v = v - n.dot(v) * n
                v = v / ti.sqrt(v.dot(v))
            u = n.cross(v)
            hu = bending(type1, q1, size1, n, u) + bending(type2, q2, size2, -n, u) + L * u
            hv = bending(type1, q1, size1, n, v) + bending(type2, q2, size2, -n, v) + L * v
            du = u.dot(G) / u.dot(hu)
            dv = real(0.0)
            if not lined:
                det = u.dot(hu) * v.dot(hv) - u.dot(hv) * v.dot(hu)
                du = (v.dot(hv) * u.dot(G) - u.dot(hv) * v.dot(G)) / det
                dv = (u.dot(hu) * v.dot(G) - v.dot(hu) * u.dot(G)) / det
            dn = du * u + dv * v
            norm = ti.sqrt(dn.dot(dn))
            step = step + 1
            if norm < 0.3:
                n = n + dn
                n = n / ti.sqrt(n.dot(n))
                if norm < 4 * EPS:
                    step = steps
            elif norm >= 0.3:
                n = n + 0.3 / norm * dn
                n = n / ti.sqrt(n.dot(n))
            else:
                # not a number: the shapes meet in points
                step = steps
                change = CHANGES
        if change < CHANGES:
            c1 = o1
            c2 = o2
            if not cap1:
                c1 = o1 + swelling(type1, q1, size1, n)
            if not cap2:
                c2 = o2 + swelling(type2, q2, size2, -n)
            G = c2 - c1
            L = n.dot(G)
            kind1 = feature_kind(type1, extent1)
            kind2 = feature_kind(type2, extent2)
            if face == 1:
                if flat:
                    c2 = d.ccd_x2[w] + n.dot(c2 - d.ccd_x2[w]) * n
                    kind2 = POINT if cap2 else feature_kind(type2, 0)
                c1 = c2 - L * n
            elif face == 2:
                if flat:
                    c1 = d.ccd_x1[w] + n.dot(c1 - d.ccd_x1[w]) * n
                    kind1 = POINT if cap1 else feature_kind(type1, 0)
                c2 = c1 + L * n
            elif extent1 == 1 and extent2 == 1:
                if flat:
                    c2 = c2 + a2.dot(d.ccd_x2[w] - c2) * a2
                    kind2 = feature_kind(type2, 0)
                    c1 = c2 - L * n
                else:
                    w12 = n.dot(a1.cross(a2))
                    c1 = c1 + n.dot(G.cross(a2)) / w12 * a1
                    c2 = c1 + L * n
            elif extent1 == 1:
                c1 = c2 - L * n
            elif extent2 == 1:
                c2 = c1 + L * n
            # is it?
            done = 1
            if n.dot(found) < STRAY[0] or L < d.ccd_dist[w] - STRAY[1] * scale:
                # somewhere else; of a rim it is the side
                done = 0
                if type1 == CYLINDER and count1 == 1 and not cap1:
                    count1 = beyond(d, first, 0, type1, d.ccd_pos1[w], z1, size1, count1, c1)
                elif type2 == CYLINDER and count2 == 1 and not cap2:
                    count2 = beyond(d, first, 1, type2, d.ccd_pos2[w], z2, size2, count2, c2)
                else:
                    change = CHANGES
            if done:
                if cap1:
                    e = c1 - o1
                    if e.dot(e) > (1 + WITHIN) * size1[0] * size1[0]:
                        cap1 = 0
                        done = 0
                else:
                    out = outside(d, first, 0, count1, c1 - swelling(type1, q1, size1, n))
                    if out >= 0 and not (flat and face != 1):
                        leave(d, first, 0, out, count1)
                        count1 = count1 - 1
                        done = 0
                if cap2:
                    e = c2 - o2
                    if e.dot(e) > (1 + WITHIN) * size2[0] * size2[0]:
                        cap2 = 0
                        done = 0
                else:
                    out = outside(d, first, 1, count2, c2 - swelling(type2, q2, size2, -n))
                    if out >= 0 and not (flat and face != 2):
                        leave(d, first, 1, out, count2)
                        count2 = count2 - 1
                        done = 0
                if done:
                    d.ccd_dir[w] = n
                    ccd_support(m, d, w, p, SEEN)
                    if n.dot(d.ccd_vert1[first + SEEN] - c1) > slack:
                        count1 = beyond(d, first, 0, type1, d.ccd_pos1[w], z1, size1, count1, c1)
                        done = 0
                    if n.dot(c2 - d.ccd_vert2[first + SEEN]) > slack:
                        count2 = beyond(d, first, 1, type2, d.ccd_pos2[w], z2, size2, count2, c2)
                        done = 0
                    if ti.max(count1, count2) > 3:
                        change = CHANGES
                        done = 0
                if done:
                    d.ccd_n[w] = n
                    d.ccd_x1[w] = c1
                    d.ccd_x2[w] = c2
                    d.ccd_dist[w] = L
    if not done:
        kind1 = feature_kind(type1, extent1)
        kind2 = feature_kind(type2, extent2)
        if extent1 + extent2 > 2:
            # of faces that do not fit each other the search's normal is the first's
            kind2 = POINT
            if extent1 < 2:
                kind1 = POINT
                kind2 = FACE
    d.ccd_kind1[w] = kind1
    d.ccd_kind2[w] = kind2
    d.ccd_axis1[w] = a1
    d.ccd_axis2[w] = a2


@ti.func
def beyond(d: ti.template(), first: ti.i32, side: ti.i32, kind: ti.i32, x: vec3, z: vec3, size: vec3, count: ti.i32,
           c: vec3):  # fmt: skip
    """A vertex that lies beyond a side's feature joins it: returns how many it has, or 4 where it cannot. Beyond a face
    it takes the place of a corner, so that c still lies within."""
    more = count + 1
    v, i = vertex_at(d, first + SEEN, side)
    if kind == CYLINDER:
        # the other end of its axis
        _, end = vertex_at(d, first + FEATURE, side)
        i = 1 - end
        v = x + (2 * i - 1) * size[1] * z
    if kind == ELLIPSOID:
        more = 4
    if more <= 3:
        put_vertex(d, first + FEATURE + count, side, v, i)
    elif kind != ELLIPSOID:
        for k in range(3):
            if more > 3:
                old, number = vertex_at(d, first + FEATURE + k, side)
                put_vertex(d, first + FEATURE + k, side, v, i)
                more = 3
                if outside(d, first, side, 3, c) >= 0:
                    put_vertex(d, first + FEATURE + k, side, old, number)
                    more = 4
    return more


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
