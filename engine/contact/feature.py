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
from engine.contact.frame import tangent_hint
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
def spans(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """ccd_o, ccd_extent, ccd_axis and ccd_across of both sides, from their vertices: see `span`."""
    for side in range(2):
        kind = m.geom_type[m.pair_geom2[p] if side else m.pair_geom1[p]]
        count = d.ccd_num2[w] if side else d.ccd_num1[w]
        cap = d.ccd_cap2[w] if side else d.ccd_cap1[w]
        o, extent, a, b = span(m, d, w, kind, side, count, cap)
        if side:
            d.ccd_o2[w] = o
            d.ccd_extent2[w] = extent
            d.ccd_axis2[w] = a
            d.ccd_across2[w] = b
        else:
            d.ccd_o1[w] = o
            d.ccd_extent1[w] = extent
            d.ccd_axis1[w] = a
            d.ccd_across1[w] = b


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


@outline("md", "w p", when="convex")
@ti.func
def stationary(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Newton's method for ccd_n, across an edge if there is one (ccd_lined); ccd_fits: whether it had steps."""
    n = d.ccd_n[w]
    along = d.ccd_axis1[w]
    if d.ccd_extent1[w] != 1:
        along = d.ccd_axis2[w]
    lined = d.ccd_lined[w]
    d.ccd_fits[w] = 1
    step = 0
    while step < STEPS:
        step = step + 1
        if lined:
            n = n - along.dot(n) * along
            n = n / ti.sqrt(n.dot(n))
        G = swollen(m, d, w, p, 1, n) - swollen(m, d, w, p, 0, n)
        L = n.dot(G)
        # any two unit vectors across n and each other, the second along an edge
        v = along
        if not lined:
            v = tangent_hint(n)
            v = v - n.dot(v) * n
            v = v / ti.sqrt(v.dot(v))
        u = n.cross(v)
        hu = bends(m, d, w, p, n, u) + L * u
        du = u.dot(G) / u.dot(hu)
        dv = real(0.0)
        if not lined:
            hv = bends(m, d, w, p, n, v) + L * v
            det = u.dot(hu) * v.dot(hv) - u.dot(hv) * v.dot(hu)
            du = (v.dot(hv) * u.dot(G) - u.dot(hv) * v.dot(G)) / det
            dv = (u.dot(hu) * v.dot(G) - v.dot(hu) * u.dot(G)) / det
        dn = du * u + dv * v
        norm = ti.sqrt(dn.dot(dn))
        if norm < 0.3:
            n = n + dn
        elif norm >= 0.3:
            n = n + 0.3 / norm * dn
        else:
            # not a number: the shapes meet in points
            d.ccd_fits[w] = 0
            step = STEPS
        n = n / ti.sqrt(n.dot(n))
        if norm < 4 * EPS:
            step = STEPS
    d.ccd_n[w] = n


@outline("md", "w p", when="convex")
@ti.func
def meet(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """The places of both features, ccd_c1 and ccd_c2, their distance ccd_length and kinds for the normal ccd_n.
    ccd_fits: 1, or less than 0 where they are not near what the search found."""
    type1 = m.geom_type[m.pair_geom1[p]]
    type2 = m.geom_type[m.pair_geom2[p]]
    n = d.ccd_n[w]
    a1 = d.ccd_axis1[w]
    a2 = d.ccd_axis2[w]
    extent1 = d.ccd_extent1[w]
    extent2 = d.ccd_extent2[w]
    flat = d.ccd_flat[w]
    c1 = swollen(m, d, w, p, 0, n)
    c2 = swollen(m, d, w, p, 1, n)
    G = c2 - c1
    L = n.dot(G)
    kind1 = feature_kind(type1, extent1)
    kind2 = feature_kind(type2, extent2)
    if d.ccd_face[w] == 1:
        if flat:
            c2 = d.ccd_x2[w] + n.dot(c2 - d.ccd_x2[w]) * n
            kind2 = POINT if d.ccd_cap2[w] else feature_kind(type2, 0)
        c1 = c2 - L * n
    elif d.ccd_face[w] == 2:
        if flat:
            c1 = d.ccd_x1[w] + n.dot(c1 - d.ccd_x1[w]) * n
            kind1 = POINT if d.ccd_cap1[w] else feature_kind(type1, 0)
        c2 = c1 + L * n
    elif extent1 == 1 and extent2 == 1:
        if flat:
            c2 = c2 + a2.dot(d.ccd_x2[w] - c2) * a2
            kind2 = feature_kind(type2, 0)
            c1 = c2 - L * n
        else:
            c1 = c1 + n.dot(G.cross(a2)) / n.dot(a1.cross(a2)) * a1
            c2 = c1 + L * n
    elif extent1 == 1:
        c1 = c2 - L * n
    elif extent2 == 1:
        c2 = c1 + L * n
    d.ccd_c1[w] = c1
    d.ccd_c2[w] = c2
    d.ccd_length[w] = L
    d.ccd_kind1[w] = kind1
    d.ccd_kind2[w] = kind2
    d.ccd_fits[w] = 1
    if n.dot(d.ccd_guess[w]) < STRAY[0] or L < d.ccd_dist[w] - STRAY[1] * d.ccd_scale[w]:
        d.ccd_fits[w] = -1


@outline("md", "w p", when="convex")
@ti.func
def fit(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Whether the places lie within the features and no vertex lies beyond them: ccd_fits, 0 where a vertex has joined
    or left a feature, -1 where none can."""
    first = bounded(w * m.nccdvert)
    n = d.ccd_n[w]
    stray = d.ccd_fits[w] < 0
    d.ccd_fits[w] = 1
    slack = SLACK * d.ccd_scale[w]
    if m.geom_type[m.pair_geom1[p]] == MESH or m.geom_type[m.pair_geom2[p]] == MESH:
        slack = UNEVEN * d.ccd_scale[w]
    if not stray:
        for side in range(2):
            count = d.ccd_num2[w] if side else d.ccd_num1[w]
            cap = d.ccd_cap2[w] if side else d.ccd_cap1[w]
            c = d.ccd_c2[w] if side else d.ccd_c1[w]
            o = d.ccd_o2[w] if side else d.ccd_o1[w]
            _, q, size = pose_of(d, w, side)
            # what is flat against the other one's face is where the search found it
            held = d.ccd_flat[w] > 0 and d.ccd_face[w] != side + 1
            if cap:
                if (c - o).dot(c - o) > (1 + WITHIN) * size[0] * size[0]:
                    cap = 0
                    d.ccd_fits[w] = 0
            elif not held:
                out = outside(d, first, side, count, c - swollen(m, d, w, p, side, n) + o)
                if out >= 0:
                    leave(d, first, side, out, count)
                    count = count - 1
                    d.ccd_fits[w] = 0
            set_count(d, w, side, count, cap)
    if not stray and d.ccd_fits[w] > 0:
        d.ccd_dir[w] = n
        ccd_support(m, d, w, p, SEEN)
    joined = 0
    if stray or d.ccd_fits[w] > 0:
        for side in range(2):
            kind = m.geom_type[m.pair_geom2[p] if side else m.pair_geom1[p]]
            count = d.ccd_num2[w] if side else d.ccd_num1[w]
            cap = d.ccd_cap2[w] if side else d.ccd_cap1[w]
            more = kind == CYLINDER and count == 1 and cap == 0 and joined == 0
            if not stray:
                v, _ = vertex_at(d, first + SEEN, side)
                c = d.ccd_c2[w] if side else d.ccd_c1[w]
                more = n.dot(v - c) * (1 - 2 * side) > slack
            if more:
                # somewhere else than what was found, of a rim it is the side
                count = beyond(m, d, w, kind, side, count)
                set_count(d, w, side, count, cap)
                d.ccd_fits[w] = ti.min(d.ccd_fits[w], 0 if count <= 3 else -1)
                joined = 1
        if stray and joined == 0:
            d.ccd_fits[w] = -1


@ti.func
def set_count(d: ti.template(), w: ti.i32, side: ti.i32, count: ti.i32, cap: ti.i32):
    if side:
        d.ccd_num2[w] = count
        d.ccd_cap2[w] = cap
    else:
        d.ccd_num1[w] = count
        d.ccd_cap1[w] = cap


@outline("md", "w p", when="convex")
@ti.func
def refine(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """From the simplex, ccd_n, ccd_x1, ccd_x2 and ccd_dist to the features' own, their kinds and directions."""
    first = bounded(w * m.nccdvert)
    found = d.ccd_n[w]
    d.ccd_guess[w] = found
    scale = ti.abs(d.ccd_dist[w])
    for side in range(2):
        kind = m.geom_type[m.pair_geom2[p] if side else m.pair_geom1[p]]
        _, q, size = pose_of(d, w, side)
        across = rotate(q, vec3(0.0, 0.0, 1.0)).cross(found)
        count = gather(m, d, w, kind, side, found)
        cap = kind == CYLINDER and count == 1 and across.dot(across) < NEARLY * NEARLY
        set_count(d, w, side, count, ti.cast(cap, ti.i32))
        scale = scale + size.sum()
    d.ccd_scale[w] = scale
    done = 0
    change = 0
    while not done and change < CHANGES:
        change = change + 1
        spans(m, d, w, p)
        extent1 = d.ccd_extent1[w]
        extent2 = d.ccd_extent2[w]
        a1 = d.ccd_axis1[w]
        a2 = d.ccd_axis2[w]
        n1 = a1.cross(d.ccd_across1[w])
        n2 = a2.cross(d.ccd_across2[w])
        n = found
        face = 0
        turn = n1
        known = 0
        flat = 0
        lost = 0
        if extent1 == 2:
            face = 1
        if extent2 == 2 and (extent1 < 2 or ti.abs(n2.dot(n)) > ti.abs(n1.dot(n))):
            face = 2
            turn = n2
        if face:
            known = 1
            a = a2 if face == 1 else a1
            b = d.ccd_across2[w] if face == 1 else d.ccd_across1[w]
            if (extent2 if face == 1 else extent1) > 0:
                flat = ti.cast(ti.max(ti.abs(a.dot(turn)), ti.abs(b.dot(turn))) < FLAT, ti.i32)
                lost = 1 - flat
        elif extent1 == 1 and extent2 == 1:
            turn = a1.cross(a2)
            norm = ti.sqrt(turn.dot(turn))
            flat = ti.cast(norm < FLAT, ti.i32)
            known = 1 - flat
            turn = turn / norm
        if known:
            n = turn if turn.dot(found) > 0 else -turn
        d.ccd_n[w] = n
        d.ccd_face[w] = face
        d.ccd_flat[w] = flat
        d.ccd_lined[w] = ti.cast(extent1 == 1 or extent2 == 1, ti.i32)
        if lost:
            # a face and an edge that is not in its plane: of that the vertex which is nearer
            side = 2 - face
            keep_farthest(d, first, side, d.ccd_num2[w] if side else d.ccd_num1[w], -n if side else n)
            set_count(d, w, side, 1, 0)
        else:
            d.ccd_fits[w] = 1
            if not known:
                stationary(m, d, w, p)
            if d.ccd_fits[w]:
                meet(m, d, w, p)
                fit(m, d, w, p)
                done = ti.cast(d.ccd_fits[w] > 0, ti.i32)
                if d.ccd_fits[w] < 0:
                    change = CHANGES
            else:
                change = CHANGES
    if done:
        d.ccd_x1[w] = d.ccd_c1[w]
        d.ccd_x2[w] = d.ccd_c2[w]
        d.ccd_dist[w] = d.ccd_length[w]
    else:
        d.ccd_n[w] = found
        kind1 = feature_kind(m.geom_type[m.pair_geom1[p]], d.ccd_extent1[w])
        kind2 = feature_kind(m.geom_type[m.pair_geom2[p]], d.ccd_extent2[w])
        if d.ccd_extent1[w] + d.ccd_extent2[w] > 2:
            # of faces that do not fit each other the search's normal is the first's
            kind2 = POINT
            if d.ccd_extent1[w] < 2:
                kind1 = POINT
                kind2 = FACE
        d.ccd_kind1[w] = kind1
        d.ccd_kind2[w] = kind2


@ti.func
def beyond(m: ti.template(), d: ti.template(), w: ti.i32, kind: ti.i32, side: ti.i32, count: ti.i32):
    """A vertex that lies beyond a side's feature joins it: returns how many it has, or 4 where it cannot. Beyond a face
    it takes the place of a corner, so that the place still lies within."""
    first = bounded(w * m.nccdvert)
    more = count + 1
    v, i = vertex_at(d, first + SEEN, side)
    x, q, size = pose_of(d, w, side)
    if kind == CYLINDER:
        # the other end of its axis
        _, end = vertex_at(d, first + FEATURE, side)
        i = 1 - end
        v = x + rotate(q, vec3(0.0, 0.0, (2 * i - 1) * size[1]))
    if kind == ELLIPSOID:
        more = 4
    if more <= 3:
        put_vertex(d, first + FEATURE + count, side, v, i)
    elif kind != ELLIPSOID:
        c = d.ccd_c2[w] if side else d.ccd_c1[w]
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
