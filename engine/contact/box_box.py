"""Two boxes, as a stage of its own: their contacts by MuJoCo's rules (separating axes, then a face clipped or an edge).

The axis along which the boxes overlap least, of 3 + 3 face normals and 9 products of edges, decides. A face: that of
the other box which faces it is clipped at its sides, and each corner that is left is a contact. Two edges: the points
where they come nearest. Features, and how a clipped corner follows both boxes: witness.py.

    a face's box is 'ref', the other 'inc'; N ref's normal towards inc, X, Y its other axes, V inc's normal against N
    a vertex in clip_v: x, y along X, Y from ref's centre, and the height above the face
    its number in clip_i: edge that leaves it + 8 * edge that it was cut from + 64 * (1 + side that cut it, or 0)
    edges 0 to 3 are inc's, 4 to 7 lie in ref's sides (low bit: the negative one)
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.record import add_contact, pair_poses
from engine.contact.segment import clip
from engine.contact.witness import CORNER, CROSS, EDGE, END, FACE, POINT
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, real, vec3, vec4

ROOM = 12  # vertices of a polygon; of a quadrilateral cut four times there are at most 8
TAKEN = 1 << 12
EXACT = EPS < 1e-10  # real numbers of 64 bits
SLACK = 1e-13 if EXACT else 1e-6  # of a separation, relative to the boxes
PARALLEL = 1e-16 if EXACT else 1e-7  # the square of the sine of an angle
EITHER = 1e-9 if EXACT else 1e-5  # of a direction's component: both edges of a box support it
SAME = 1e-14 if EXACT else 1e-10  # of the square of a distance of vertices, relative to the face's


@ti.func
def unit(i: ti.i32):
    return vec3(ti.cast(i == 0, real), ti.cast(i == 1, real), ti.cast(i == 2, real))


@ti.func
def support(q: vec4, size: vec3, v: vec3):
    """How far a box reaches along v from its centre."""
    return ti.abs(rotate_back(q, v)).dot(size)


@ti.func
def least_overlap(x: vec3, q1: vec4, size1: vec3, q2: vec4, size2: vec3, most: real):
    """Number of the axis that parts the boxes most: 0 to 2 faces of the first, 3 to 5 of the second, 6 + 3 i + j edges;
    -1 where it parts them by more than `most`. x: the second's centre from the first's."""
    best = real(-1e30)
    code = -1
    apart = 0
    for i in range(6):
        if not apart:
            e = unit(i % 3)
            sep = real(0.0)
            if i < 3:
                v = rotate(q1, e)
                sep = ti.abs(v.dot(x)) - size1.dot(e) - support(q2, size2, v)
            else:
                v = rotate(q2, e)
                sep = ti.abs(v.dot(x)) - size2.dot(e) - support(q1, size1, v)
            if sep > best:
                best = sep
                code = i
            if sep > most:
                apart = 1
    face = code
    best_face = best
    edge = vec3(0.0, 0.0, 0.0)
    for k in range(9):
        if not apart:
            v = rotate(q1, unit(k // 3)).cross(rotate(q2, unit(k % 3)))
            if v.dot(v) >= PARALLEL:
                v = v / ti.sqrt(v.dot(v))
                sep = ti.abs(v.dot(x)) - support(q1, size1, v) - support(q2, size2, v)
                if sep > most:
                    apart = 1
                # where edges and a face tie, the face has more contacts
                if sep - 1e-6 * ti.abs(sep) > best and sep > best_face:
                    best = sep
                    code = 6 + k
                    edge = v
    if code >= 6:
        # nor may edges that part the boxes along almost the same direction take a face's place for little
        v = rotate(q1, unit(face))
        if face >= 3:
            v = rotate(q2, unit(face - 3))
        if ti.abs(v.dot(edge)) > 0.99 and best < best_face + 0.05 * ti.abs(best_face) + 1e-15:
            code = face
    if apart:
        code = -1
    return code


@ti.func
def edge_corner(local: vec3, along: ti.i32, size: vec3, sign: real, other: ti.i32):
    """Middle of the edge along an axis that supports a direction (box's frame), or with `other` the second one that
    does where a component of the direction is nearly zero; and whether there is a second one."""
    c = vec3(0.0, 0.0, 0.0)
    either = -1
    for k in ti.static(range(3)):
        if k != along:
            c[k] = sign * size[k] * (1.0 if local[k] >= 0 else -1.0)
    for step in ti.static((2, 1)):
        k = (along + step) % 3
        if ti.abs(local.dot(unit(k))) < EITHER:
            either = k
    if other and either >= 0:
        c = c - 2 * c.dot(unit(either)) * unit(either)
    return c, ti.cast(either >= 0, ti.i32)


@ti.func
def edge_contact(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, x1: vec3, q1: vec4, size1: vec3, x2: vec3,
                 q2: vec4, size2: vec3, i: ti.i32, j: ti.i32):  # fmt: skip
    """Where edge i of the first and edge j of the second come nearest."""
    a1 = rotate(q1, unit(i))
    a2 = rotate(q2, unit(j))
    n = a1.cross(a2)
    n = n / ti.sqrt(n.dot(n))
    if n.dot(x2 - x1) < 0:
        n = -n
    half1 = size1.dot(unit(i))
    half2 = size2.dot(unit(j))
    b = a1.dot(a2)
    gap = vec3(1e15, 0.0, 0.0)
    pos = x1
    kind1 = EDGE
    kind2 = EDGE
    for v in range(4):
        o1, two1 = edge_corner(rotate_back(q1, n), i, size1, 1.0, v >> 1)
        o2, two2 = edge_corner(rotate_back(q2, n), j, size2, -1.0, v & 1)
        if (v < 2 or two1) and (v % 2 == 0 or two2):
            c1 = x1 + rotate(q1, o1)
            c2 = x2 + rotate(q2, o2)
            d1 = a1.dot(c2 - c1)
            d2 = a2.dot(c2 - c1)
            s = half1 * clip((d1 - b * d2) / ((1 - b * b) * half1))
            t = half2 * clip((b * s - d2) / half2)
            s = half1 * clip((d1 + b * t) / half1)
            c1 = c1 + s * a1
            c2 = c2 + t * a2
            if (c1 - c2).dot(c1 - c2) < gap.dot(gap):
                gap = c1 - c2
                pos = 0.5 * (c1 + c2)
                kind1 = EDGE if ti.abs(s) < half1 else END
                kind2 = EDGE if ti.abs(t) < half2 else END
    dist = -n.dot(gap)
    if dist < d.felt_within[w]:
        zero = vec3(0.0, 0.0, 0.0)
        ncon = add_contact(m, d, w, p, d.ncon[w], dist, pos, n, zero, kind1, a1, 0.0, kind2, a2, 0.0)
        if ncon <= m.nconmax:
            d.con_gap[bounded(w * m.nconmax + ncon - 1)] = gap
        d.ncon[w] = ncon


@ti.func
def clip_face(d: ti.template(), w: ti.i32, width: real, height: real):
    """Cuts the quadrilateral in clip_v at the four sides of a face; returns where the polygon begins and how many
    vertices it has."""
    begin = w * 2 * ROOM
    into = begin + ROOM
    count = 4
    for s in range(4):
        limit = width if s < 2 else height
        sign = real(1 - 2 * (s & 1))
        n = 0
        cut = 0
        for k in range(count):
            v = d.clip_v[begin + k]
            if sign * (v[0] if s < 2 else v[1]) > limit:
                cut = 1
        if cut:
            for k in range(count):
                a = d.clip_v[begin + k]
                b = d.clip_v[begin + (k + 1) % count]
                tag = d.clip_i[begin + k]
                da = sign * (a[0] if s < 2 else a[1]) - limit
                db = sign * (b[0] if s < 2 else b[1]) - limit
                if da <= 0:
                    d.clip_v[into + n] = a
                    d.clip_i[into + n] = tag
                    n = n + 1
                if (da < 0 and db > 0) or (da > 0 and db < 0):
                    edge = tag & 7
                    leaves = 4 + s if da < 0 else edge
                    d.clip_v[into + n] = a + da / (da - db) * (b - a)
                    d.clip_i[into + n] = leaves + 8 * edge + 64 * (s + 1)
                    n = n + 1
            count = n
            other = begin
            begin = into
            into = other
    return begin, count


@ti.func
def face_contacts(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, first: ti.i32, a: ti.i32, xr: vec3,
                  qr: vec4, sr: vec3, xi: vec3, qi: vec4, si: vec3, margin: real):  # fmt: skip
    """What is left of inc's face over ref's face across its axis a. first: ref is the pair's first geom."""
    N = rotate(qr, unit(a))
    X = rotate(qr, unit((a + 1) % 3))
    Y = rotate(qr, unit((a + 2) % 3))
    if N.dot(xi - xr) < 0:
        N = -N
    l = rotate_back(qi, N)
    facing = 0
    for k in ti.static((1, 2)):
        if ti.abs(l[k]) > ti.abs(l.dot(unit(facing))):
            facing = k
    V = rotate(qi, unit(facing))
    if l.dot(unit(facing)) > 0:
        V = -V
    e1 = rotate(qi, unit((facing + 1) % 3))
    e2 = rotate(qi, unit((facing + 2) % 3))
    half1 = si.dot(unit((facing + 1) % 3)) * e1
    half2 = si.dot(unit((facing + 2) % 3)) * e2
    width = sr.dot(unit((a + 1) % 3))
    height = sr.dot(unit((a + 2) % 3))
    top = sr.dot(unit(a))
    for k in ti.static(range(4)):
        o = xi + si.dot(unit(facing)) * V + ti.static((1, -1, -1, 1)[k]) * half1 + ti.static((1, 1, -1, -1)[k]) * half2
        d.clip_v[w * 2 * ROOM + k] = vec3(X.dot(o - xr), Y.dot(o - xr), N.dot(o - xr) - top)
        d.clip_i[w * 2 * ROOM + k] = k
    begin, count = clip_face(d, w, width, height)
    ncon = d.ncon[w]
    felt = d.felt_within[w]
    for k in range(count):
        v = d.clip_v[begin + k]
        tag = d.clip_i[begin + k]
        take = v[2] <= margin
        for other in range(k):
            apart = d.clip_v[begin + other] - v
            if d.clip_i[begin + other] >= TAKEN:
                if apart[0] * apart[0] + apart[1] * apart[1] < SAME * (width * width + height * height):
                    take = False
        if take:
            d.clip_i[begin + k] = tag + TAKEN
        if take and v[2] < felt:
            kind = POINT
            a1 = N
            a2 = N
            if tag >= 64:
                edge = (tag >> 3) & 7
                kind = CORNER
                a1 = N / N.dot(V)
                a2 = V
                if edge < 4:
                    side = X if (tag >> 6) < 3 else Y
                    a1 = e1 if edge % 2 == 0 else e2
                    over = a1.dot(side)
                    if ti.abs(over) > EITHER:
                        kind = CROSS
                        a1 = a1 / over
                        a2 = side
                    else:
                        # it lies along the side, and only by rounding passes through
                        kind = POINT
                        a1 = N
                        a2 = N
            kind1 = kind
            kind2 = FACE
            n = -N
            if first:
                kind1 = FACE
                kind2 = kind
                n = N
            pos = xr + v[0] * X + v[1] * Y + (top + 0.5 * v[2]) * N
            zero = vec3(0.0, 0.0, 0.0)
            ncon = add_contact(m, d, w, p, ncon, v[2], pos, n, zero, kind1, a1, 0.0, kind2, a2, 0.0)
    d.ncon[w] = ncon


@outline("md", "w p", when="box_box")
@ti.func
def box_box_contacts(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p."""
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    size1 = m.geom_size[m.pair_geom1[p]]
    size2 = m.geom_size[m.pair_geom2[p]]
    margin = d.found_within[w]
    most = margin + SLACK * (size1 + size2).sum()
    code = least_overlap(x2 - x1, q1, size1, q2, size2, most)
    if code >= 6:
        edge_contact(m, d, w, p, x1, q1, size1, x2, q2, size2, (code - 6) // 3, code % 3)
    elif code >= 0:
        first = ti.cast(code < 3, ti.i32)
        xr = x1
        qr = q1
        sr = size1
        xi = x2
        qi = q2
        si = size2
        if not first:
            xr = x2
            qr = q2
            sr = size2
            xi = x1
            qi = q1
            si = size1
        face_contacts(m, d, w, p, first, code % 3, xr, qr, sr, xi, qi, si, margin)
