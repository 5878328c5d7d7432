"""Several contacts of two polytopes, meshes or boxes, as stages of their own: a face clipped at another, or an edge.

The search between convex shapes (convex.py) ends with a simplex: up to three vertices of each shape. Of the faces that
meet in them two look at each other most; if they do so within ACROSS, the second's is clipped at the sides of the
first's. Else an edge of one that lies within ALONG of a face of the other is clipped there. Every corner that is left,
no higher above the face than the margin, is a contact; of more than four those of a large quadrilateral are, of an
edge's the two that are farthest apart. These are MuJoCo's rules, as version 4.0 shows them.

    'ref' the shape at whose face is clipped (polygon.py), 'inc' the other; N ref's normal, b inc's, both outwards

A vertex p of the clipped face has the height t = (p - r) . N < 0 over ref's face, which r is in, and its foot there
p - t N. MuJoCo takes the distance from this foot to inc's face along b:

    dist = -t (N . b),   n = -b (from 1 to 2),   pos = p - t N - b dist / 2

The vertex is inc's (POINT), or where an edge of inc passes through a side of ref, whose normal is s (CROSS), or where
the line along N through a corner of ref passes through inc's face (CORNER). Its adjoint acts on what carries it.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.faces import corner_vertex, edge_end, face_at, faces_at, outward, place, sides, touches
from engine.contact.frame import contact_frame_vjp
from engine.contact.polygon import below, clip_at, farthest_two, quadrilateral
from engine.contact.record import add_contact, add_pose_bar, pair_poses
from engine.contact.search import features_vjp, look
from engine.contact.witness import CORNER, CROSS, FACE, POINT, RULED, TILTED, witness_vjp
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, SPHERE

ACROSS = 0.9959999918937683  # of the cosine between faces: 0.996 in 32 bits, as MuJoCo compares
ALONG = 0.08879999816417694  # of the sine between an edge and a face: 0.0888
LINED = 1e-9 if EPS < 1e-10 else 1e-4  # of the sine of an angle: a cylinder touches along its side
ANY, NONE = -2, -1  # every face of a simplex, no face
SIDE = -3  # the ends of an edge: those of the line of a round side along which it was found to touch

@ti.func
def simplex(d: ti.template(), first: ti.i32, n: ti.i32, side: ti.i32):
    """How many different vertices of a side n vertices of the search are, and these: dim, v0, v1, v2."""
    v0 = d.ccd_index1[first]
    v1 = d.ccd_index1[first + 1]
    v2 = d.ccd_index1[first + 2]
    if side:
        v0 = d.ccd_index2[first]
        v1 = d.ccd_index2[first + 1]
        v2 = d.ccd_index2[first + 2]
    if n < 2:
        v1 = v0
    if n < 3:
        v2 = v1
    dim = 3
    if v0 == v1:
        v1 = v2
        dim = 1 if v0 == v2 else 2
    elif v2 == v0 or v2 == v1:
        dim = 2
    # the order of the ends of an edge, and with it that of its contacts, must not depend on the search
    if dim == 2 and v0 > v1:
        v2 = v0
        v0 = v1
        v1 = v2
    return dim, v0, v1, v2


@ti.func
def only_face(m: ti.template(), g: ti.i32, dim: ti.i32, v0: ti.i32, v1: ti.i32, v2: ti.i32, v: vec3):
    """ANY; or of a box whose vertices are no edge and no three of a face, the face that looks along v, in its frame, or
    NONE; or of a cylinder the cap that it touches with, unless it does so along its side."""
    only = ANY
    if m.geom_type[g] == CYLINDER:
        only = NONE
        if ti.abs(v[2]) > LINED:
            only = ti.cast(v[2] < 0, ti.i32)
    elif m.geom_type[g] == BOX and dim > 1:
        same = ~(v0 ^ v1) & 7
        if dim == 3:
            same = same & ~(v0 ^ v2)
        count = (same & 1) + ((same >> 1) & 1) + ((same >> 2) & 1)
        if count != 4 - dim:
            only = NONE
            for k in ti.static(range(3)):
                if ti.abs(v[k]) > ACROSS:
                    only = 2 * k + ti.cast(v[k] < 0, ti.i32)
    return only


@ti.func
def candidate(m: ti.template(), g: ti.i32, dim: ti.i32, v0: ti.i32, v1: ti.i32, v2: ti.i32, only: ti.i32,
              begin: ti.i32, k: ti.i32):  # fmt: skip
    """Face number k of vertex v0 if the others lie in it, too, or NONE."""
    face = NONE if k > 0 else only
    if only == ANY:
        face = face_at(m, g, v0, begin, k)
        if dim > 1:
            if not touches(m, g, face, v1):
                face = NONE
        if dim > 2 and face != NONE:
            if not touches(m, g, face, v2):
                face = NONE
    return face


@outline("md", "w p", when="clipped")
@ti.func
def multicontact(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p by its simplex, ccd_nsimplex vertices, and ccd_n; ccd_found is zero if there are
    any."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    type1 = m.geom_type[g1]
    type2 = m.geom_type[g2]
    if m.multiccd and type1 != SPHERE and type1 != ELLIPSOID and type2 != ELLIPSOID:
        x1, q1, x2, q2 = pair_poses(m, d, w, p)
        first = bounded(w * m.nccdvert)
        dim1, u0, u1, u2 = simplex(d, first, d.ccd_nsimplex[w], 0)
        dim2, v0, v1, v2 = simplex(d, first, d.ccd_nsimplex[w], 1)
        only1 = only_face(m, g1, dim1, u0, u1, u2, rotate_back(q1, d.ccd_n[w]))
        only2 = only_face(m, g2, dim2, v0, v1, v2, rotate_back(q2, -d.ccd_n[w]))
        begin1, count1 = faces_at(m, g1, u0)
        begin2, count2 = faces_at(m, g2, v0)
        # two faces
        face1 = NONE
        face2 = NONE
        best = real(-ACROSS)
        for i in range(count1):
            f = candidate(m, g1, dim1, u0, u1, u2, only1, begin1, i)
            if f != NONE:
                a = rotate_back(q2, rotate(q1, outward(m, g1, f)))
                for j in range(count2):
                    h = candidate(m, g2, dim2, v0, v1, v2, only2, begin2, j)
                    if h != NONE:
                        x = a.dot(outward(m, g2, h))
                        if x < best:
                            best = x
                            face1 = f
                            face2 = h
        # else an edge of the first, or of the second
        ref = 0
        start = NONE
        end = NONE
        for side in range(2):
            if face1 == NONE and face2 == NONE:
                dim = dim2 if side else dim1
                gi = g2 if side else g1
                gr = g1 if side else g2
                rolls = m.geom_type[gi] == CAPSULE or m.geom_type[gi] == CYLINDER
                if dim < 3:
                    s0 = v0 if side else u0
                    begin = begin2 if side else begin1
                    nedge = count2 if side else count1
                    if dim == 2 or rolls:
                        nedge = 1
                    for j in range(count1 if side else count2):
                        h = NONE
                        if side:
                            h = candidate(m, g1, dim1, u0, u1, u2, only1, begin1, j)
                        else:
                            h = candidate(m, g2, dim2, v0, v1, v2, only2, begin2, j)
                        if h != NONE and start == NONE:
                            N = outward(m, gr, h)
                            N = rotate_back(q2, rotate(q1, N)) if side else rotate_back(q1, rotate(q2, N))
                            for i in range(nedge):
                                other = SIDE
                                v = vec3(0.0, 0.0, 1.0)
                                if not rolls:
                                    other = edge_end(m, gi, dim, s0, v1 if side else u1, begin, i)
                                    v = place(m, gi, other) - place(m, gi, s0)
                                if start == NONE and ti.abs(v.dot(N)) < ALONG * ti.sqrt(v.dot(v)):
                                    start = s0 if other != SIDE else SIDE
                                    end = other
                                    ref = 1 - side
                                    if side:
                                        face1 = h
                                    else:
                                        face2 = h
        if start == SIDE:
            # which line it is is not told where the normal is the axis
            u = rotate_back(q1, d.ccd_n[w]) if ref else rotate_back(q2, d.ccd_n[w])
            if u[0] * u[0] + u[1] * u[1] < LINED * LINED:
                face1 = NONE
                face2 = NONE
        if face1 != NONE or face2 != NONE:
            add_clipped(m, d, w, p, ref, face1, face2, start, end)


@ti.func
def ruled_line(m: ti.template(), g: ti.i32, x: vec3, q: vec4, dir: vec3):
    """Ends of the line of a cylinder's side that lies farthest along dir, first the one that does so more; of a
    capsule, of its axis moved as far across it as the point is that lies farthest along dir."""
    size = m.geom_size[g]
    z = rotate(q, vec3(0.0, 0.0, 1.0))
    e = dir - z.dot(dir) * z
    if m.geom_type[g] == CYLINDER:
        e = e / ti.sqrt(e.dot(e))
    up = size[1] if z.dot(dir) >= 0 else -size[1]
    return x + size[0] * e + up * z, x + size[0] * e - up * z


@ti.func
def add_clipped(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, ref: ti.i32, face1: ti.i32, face2: ti.i32,
                start: ti.i32, end: ti.i32):  # fmt: skip
    """Contacts of two faces, or of a face and an edge from `start` to `end`. ref: 0 or 1, the geom with the face at
    which is clipped."""
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    gr = m.pair_geom1[p]
    gi = m.pair_geom2[p]
    face = face1
    if ref:
        gr = m.pair_geom2[p]
        gi = m.pair_geom1[p]
        face = face2
    xr = x2 if ref else x1
    qr = q2 if ref else q1
    xi = x1 if ref else x2
    qi = q1 if ref else q2
    N = rotate(qr, outward(m, gr, face))
    b = vec3(0.0, 0.0, 0.0)
    poly = w * m.npoly
    inc = 2
    if start == SIDE:
        dir = -d.ccd_n[w] if ref == 0 else d.ccd_n[w]
        low, high = ruled_line(m, gi, xi, qi, dir)
        d.poly_v[poly] = low
        d.poly_v[poly + 1] = high
    elif start != NONE:
        d.poly_v[poly] = xi + rotate(qi, place(m, gi, start))
        d.poly_v[poly + 1] = xi + rotate(qi, place(m, gi, end))
    else:
        b = rotate(qi, outward(m, gi, face2))
        first, inc = sides(m, gi, face2)
        for k in range(inc):
            d.poly_v[poly + k] = xi + rotate(qi, place(m, gi, corner_vertex(m, gi, face2, first, inc, k)))
    for k in range(inc):
        d.poly_leave[poly + k] = k
        d.poly_side[poly + k] = -1
    first, nside = sides(m, gr, face)
    r = xr + rotate(qr, place(m, gr, corner_vertex(m, gr, face, first, nside, 0)))
    edge = d.poly_v[poly + 1] - d.poly_v[poly]
    begin, n = clip_at(m, d, w, gr, xr, qr, face, N, inc)
    n = below(d, begin, n, r, N, m.pair_margin[p] + m.pair_gap[p])
    chosen = ti.Vector([0, 1, 2, 3])
    most = n
    if start == NONE and n > 4:
        chosen = quadrilateral(d, begin, n)
        most = 4
    if start != NONE and n > 2:
        chosen = farthest_two(d, begin, n, edge)
        most = 2
    if n > 0:
        d.ccd_found[w] = 0
    ncon = d.ncon[w]
    zero = vec3(0.0, 0.0, 0.0)
    for k in range(most):
        number = chosen[0]
        for other in ti.static(range(1, 4)):
            if k == other:
                number = chosen[other]
        i = begin + number
        v = d.poly_v[i]
        t = N.dot(v - r)
        kind = POINT
        s = zero
        e = zero
        if d.poly_side[i] >= 0:
            kind = CORNER
            cut = d.poly_cut[i]
            if cut < inc or start != NONE:
                kind = CROSS
                a = place(m, gr, corner_vertex(m, gr, face, first, nside, d.poly_side[i]))
                o = place(m, gr, corner_vertex(m, gr, face, first, nside, d.poly_side[i] + 1))
                s = rotate(qr, o - a).cross(N)
                s = s / ti.sqrt(s.dot(s))
                e = edge
                if start == NONE:
                    begun, _ = sides(m, gi, face2)
                    o = place(m, gi, corner_vertex(m, gi, face2, begun, inc, cut + 1))
                    e = rotate(qi, o - place(m, gi, corner_vertex(m, gi, face2, begun, inc, cut)))
                e = e / e.dot(s)
        if start == NONE:
            dist = -t * N.dot(b)
            if dist < m.pair_margin[p]:
                pos = v - t * N - 0.5 * dist * b
                ncon = add_contact(m, d, w, p, ncon, dist, pos, -b, zero, TILTED + kind, N, 0.0, TILTED, s, 0.0)
                if ncon <= m.nconmax:
                    d.con_gap[bounded(w * m.nconmax + ncon - 1)] = e
        elif t < m.pair_margin[p]:
            pos = v - 0.5 * t * N
            more = RULED if start == SIDE else 0
            if ref:
                ncon = add_contact(
                    m, d, w, p, ncon, t, pos, -N, zero, kind + more, e, 0.0, FACE + more, s, 0.0
                )
            else:
                ncon = add_contact(
                    m, d, w, p, ncon, t, pos, N, zero, FACE + more, e, 0.0, kind + more, s, 0.0
                )
    d.ncon[w] = ncon


@outline("mdg", "w c", when="clipped")
@ti.func
def multicontact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From the adjoints of a corner's contact, ccd_distbar, ccd_pbar, ..., to the poses of its bodies."""
    n = d.con_normal[c]
    N = d.con_axis1[c]
    kind = d.con_kind1[c] - TILTED
    dist = d.con_dist[c]
    b = -n
    cos = N.dot(b)
    t = -dist / cos
    foot = d.con_pos[c] + 0.5 * dist * b
    v = foot + t * N
    p_bar = d.ccd_pbar[w]
    n_bar, _ = contact_frame_vjp(n, d.con_y[c], d.con_tangent1[c], d.ccd_nbar[w], d.ccd_t1bar[w], d.ccd_t2bar[w])
    dist_bar = d.ccd_distbar[w] - 0.5 * b.dot(p_bar)
    cos_bar = -t * dist_bar
    v_bar = p_bar - (cos * dist_bar + N.dot(p_bar)) * N
    # what of the vertex's force acts on ref's body
    hand = vec3(0.0, 0.0, 0.0)
    if kind == CROSS:
        hand = d.con_gap[c].dot(v_bar) * d.con_axis2[c]
    if kind == CORNER:
        hand = v_bar - N.dot(v_bar) / cos * b
    foot_bar = p_bar - v_bar
    turn1 = N.cross(cos_bar * b - t * p_bar)
    turn2 = b.cross(cos_bar * N - 0.5 * dist * p_bar - n_bar)
    add_pose_bar(m, d, g, w, d.con_body1[c], foot, foot_bar, turn1)
    add_pose_bar(m, d, g, w, d.con_body1[c], v, hand, vec3(0.0, 0.0, 0.0))
    add_pose_bar(m, d, g, w, d.con_body2[c], v, v_bar - hand, turn2)


@outline("mdg", "w c", when="clipped")
@ti.func
def ruled_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """The same of a contact on a line of a round side against a face. Which line it is the search's normal says
    (ruled_line): a capsule's moves by radius times the part of dn across the axis, a cylinder's by radius / |e| u
    (u . dn), e being the normal's part across the axis and u that across both. The search is done once more, for its
    own adjoint."""
    p = d.con_pair[c]
    n = d.con_normal[c]
    half = 0.5 * d.con_dist[c]
    kind1 = d.con_kind1[c] - RULED
    kind2 = d.con_kind2[c] - RULED
    dist_bar = d.ccd_distbar[w]
    p_bar = d.ccd_pbar[w]
    zero = vec3(0.0, 0.0, 0.0)
    nb, _ = contact_frame_vjp(n, d.con_y[c], d.con_tangent1[c], d.ccd_nbar[w], d.ccd_t1bar[w], d.ccd_t2bar[w])
    c1_bar, turn1, c2_bar, turn2 = witness_vjp(
        kind1, d.con_axis1[c], 0.0, kind2, d.con_axis2[c], 0.0, 0.0, n, d.con_dist[c], dist_bar, p_bar, nb
    )
    add_pose_bar(m, d, g, w, d.con_body1[c], d.con_pos[c] - half * n, c1_bar, turn1)
    add_pose_bar(m, d, g, w, d.con_body2[c], d.con_pos[c] + half * n, c2_bar, turn2)
    look(m, d, w, p)
    # the line's side, and the force on it
    b = d.con_body1[c]
    gi = m.pair_geom1[p]
    q = d.ccd_quat1[w]
    x = d.ccd_pos1[w]
    dir = d.ccd_n[w]
    force = c1_bar
    if kind1 == FACE:
        b = d.con_body2[c]
        gi = m.pair_geom2[p]
        q = d.ccd_quat2[w]
        x = d.ccd_pos2[w]
        dir = -dir
        force = c2_bar
    z = rotate(q, vec3(0.0, 0.0, 1.0))
    dir_bar = m.geom_size[gi][0] * (force - z.dot(force) * z)
    if m.geom_type[gi] == CYLINDER:
        u = z.cross(dir)
        norm = ti.sqrt(u.dot(u))
        u = u / norm
        dir_bar = m.geom_size[gi][0] / norm * u.dot(force) * u
    add_pose_bar(m, d, g, w, b, x, zero, dir_bar.cross(dir))
    d.ccd_distbar[w] = 0.0
    d.ccd_pbar[w] = zero
    d.ccd_nbar[w] = dir_bar if kind1 != FACE else -dir_bar
    features_vjp(m, d, g, w, p)
