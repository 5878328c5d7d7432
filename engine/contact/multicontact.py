"""Several contacts of two polytopes, meshes or boxes, as stages of their own: a face clipped at another, or an edge.

The search between convex shapes (convex.py) ends with a simplex: up to three vertices of each shape. Of the faces
that meet in them two look at each other most; if they do so within ACROSS, the second's is clipped at the sides of
the first's. Else an edge of one that lies within ALONG of a face of the other is clipped there, of the shape first
that has fewer vertices in the simplex. Every corner that is left, no higher above the face than the margin, is a
contact; of more than four those of a large quadrilateral are, of an edge's the two that are farthest apart. These are
MuJoCo's rules, as version 4.0 shows them.

    'ref' the shape at whose face is clipped (polygon.py), 'inc' the other; N ref's normal, b inc's, both outwards

A vertex p of the clipped face has the height t = (p - r) . N < 0 over ref's face, which r is in, and its foot there
p - t N. MuJoCo takes the distance from this foot to inc's face along b:

    dist = -t (N . b),   n = -b (from 1 to 2),   pos = p - t N - b dist / 2

The vertex is inc's (POINT), or where an edge of inc passes through a side of ref, whose normal is s (CROSS), or where
the line along N through a corner of ref passes through inc's face (CORNER). Its adjoint acts on what carries it.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.faces import corner_vertex, edge_end, face_at, faces_at, outward, place, sides, touches
from engine.contact.frame import contact_frame_vjp
from engine.contact.mixing import found_within_vjp, set_margins
from engine.contact.polygon import (
    CLIPPED,
    INC,
    REF,
    below,
    clip_at,
    farthest_two,
    passes,
    polygon_at,
    quadrilateral,
    side_normal,
)  # fmt: skip
from engine.contact.record import add_contact, add_pose_bar
from engine.contact.search import features_vjp, look
from engine.contact.size_vjp import FRAME_ALONE, radius_bars, tell_geom, tell_line
from engine.contact.witness import CORNER, CROSS, FACE, POINT, RULED, TILTED, witness_vjp
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, MINVAL, real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, SPHERE

ACROSS = 0.9959999918937683  # of the cosine between faces: 0.996 in 32 bits, as MuJoCo compares
ALONG = 0.08879999816417694  # of the sine between an edge and a face: 0.0888
LINED = 1e-9 if EPS < 1e-10 else 1e-4  # of the sine of an angle: a cylinder touches along its side
ANY, NONE = -2, -1  # every face of a simplex, no face
SIDE = -3  # the ends of an edge: those of the line of a round side along which it was found to touch

@ti.func
def prepare(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """side_* of both geoms: how many different vertices of each the simplex has, the first two, and the faces that meet
    in all of them: of one vertex those from side_begin on, else side_only and side_other. side_only: ANY; or of a box
    whose vertices are no edge and no three of a face, the face that looks along the normal, or NONE; or of a cylinder
    the cap that it touches with, unless it does so along its side."""
    first = bounded(w * m.nccdvert)
    n = d.ccd_nsimplex[w]
    for side in range(2):
        g = m.pair_geom1[p]
        q = d.ccd_quat1[w]
        dir = d.ccd_n[w]
        v0 = d.ccd_index1[first]
        v1 = d.ccd_index1[first + 1]
        v2 = d.ccd_index1[first + 2]
        if side:
            g = m.pair_geom2[p]
            q = d.ccd_quat2[w]
            dir = -dir
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
        v = rotate_back(q, dir)
        only = ANY
        other = NONE
        begin, count = faces_at(m, g, v0)
        if m.geom_type[g] == CYLINDER:
            only = NONE
            if ti.abs(v[2]) > LINED:
                only = ti.cast(v[2] < 0, ti.i32)
        elif m.geom_type[g] == BOX and dim > 1:
            same = ~(v0 ^ v1) & 7
            if dim == 3:
                same = same & ~(v0 ^ v2)
            if (same & 1) + ((same >> 1) & 1) + ((same >> 2) & 1) != 4 - dim:
                only = NONE
                for k in ti.static(range(3)):
                    if ti.abs(v[k]) > ACROSS:
                        only = 2 * k + ti.cast(v[k] < 0, ti.i32)
        if only == ANY and dim > 1:
            # of a mesh more than two may share an edge, of which MuJoCo takes the first two
            only = NONE
            both = 0
            for k in range(count):
                face = face_at(m, g, v0, begin, k)
                if both < 2 and touches(m, g, face, v1):
                    if both == 0:
                        only = face
                    else:
                        other = face
                    both = both + 1
            if dim == 3:
                if both > 0 and not touches(m, g, only, v2):
                    only = other
                    if both == 2 and not touches(m, g, only, v2):
                        only = NONE
                other = NONE
            count = 2
        s = bounded(2 * w + side)
        d.side_dim[s] = dim
        d.side_v0[s] = v0
        d.side_v1[s] = v1
        d.side_only[s] = only
        d.side_other[s] = other
        d.side_begin[s] = begin
        d.side_count[s] = count


@outline("md", "w p side k", when="clipped")
@ti.func
def candidate(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, side: ti.i32, k: ti.i32):
    """ccd_candidate: face number k of those in which a side's vertices lie, or NONE."""
    s = bounded(2 * w + side)
    face = NONE
    if k == 0:
        face = d.side_only[s]
    if k == 1:
        face = d.side_other[s]
    if d.side_only[s] == ANY:
        face = face_at(m, m.pair_geom2[p] if side else m.pair_geom1[p], d.side_v0[s], d.side_begin[s], k)
    d.ccd_candidate[w] = face


@outline("md", "w p", when="clipped")
@ti.func
def choose_faces(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """ccd_face1 and ccd_face2: two faces, or one and an edge of the other from ccd_start to ccd_end, or both NONE.
    ccd_ref: 0 or 1, the geom with the face at which is clipped."""
    prepare(m, d, w, p)
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    q1 = d.ccd_quat1[w]
    q2 = d.ccd_quat2[w]
    two = bounded(2 * w)
    face1 = NONE
    face2 = NONE
    best = real(-ACROSS)
    for i in range(d.side_count[two]):
        candidate(m, d, w, p, 0, i)
        f = d.ccd_candidate[w]
        if f != NONE:
            a = rotate_back(q2, rotate(q1, outward(m, g1, f)))
            for j in range(d.side_count[two + 1]):
                candidate(m, d, w, p, 1, j)
                h = d.ccd_candidate[w]
                if h != NONE:
                    x = a.dot(outward(m, g2, h))
                    if x < best:
                        best = x
                        face1 = f
                        face2 = h
    # else an edge of the first, or of the second, where that has fewer vertices before the first
    ref = 0
    start = NONE
    end = NONE
    other_first = ti.cast(d.side_dim[two] > d.side_dim[two + 1], ti.i32)
    for turn in range(2):
        side = turn ^ other_first
        s = two + side
        if face1 == NONE and face2 == NONE and d.side_dim[s] < 3:
            gi = g2 if side else g1
            gr = g1 if side else g2
            rolls = m.geom_type[gi] == CAPSULE or m.geom_type[gi] == CYLINDER
            nedge = d.side_count[s]
            if d.side_dim[s] == 2 or rolls:
                nedge = 1
            for j in range(d.side_count[two + 1 - side]):
                candidate(m, d, w, p, 1 - side, j)
                h = d.ccd_candidate[w]
                if h != NONE and start == NONE:
                    N = rotate(q1, outward(m, gr, h)) if side else rotate(q2, outward(m, gr, h))
                    # a face that does not look at the other shape is none that it touches with
                    looks = N.dot(d.ccd_n[w]) * (2 * side - 1) > MINVAL
                    N = rotate_back(q2, N) if side else rotate_back(q1, N)
                    for i in range(nedge):
                        other = SIDE
                        v = vec3(0.0, 0.0, 1.0)
                        if not rolls:
                            other = edge_end(m, gi, d.side_dim[s], d.side_v0[s], d.side_v1[s], d.side_begin[s], i)
                            v = place(m, gi, other) - place(m, gi, d.side_v0[s])
                        if start == NONE and looks and ti.abs(v.dot(N)) < ALONG * ti.sqrt(v.dot(v)):
                            start = d.side_v0[s] if other != SIDE else SIDE
                            end = other
                            ref = 1 - side
                            # the order of the contacts must not depend on the search
                            if d.side_dim[s] == 2 and start > end:
                                start = end
                                end = d.side_v0[s]
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
    d.ccd_ref[w] = ref
    d.ccd_face1[w] = face1
    d.ccd_face2[w] = face2
    d.ccd_start[w] = start
    d.ccd_end[w] = end


@ti.func
def multicontact(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p by its simplex, ccd_nsimplex vertices, and ccd_n; ccd_found is zero if there are
    any."""
    type1 = m.geom_type[m.pair_geom1[p]]
    if m.multiccd and type1 != SPHERE and type1 != ELLIPSOID and m.geom_type[m.pair_geom2[p]] != ELLIPSOID:
        choose_faces(m, d, w, p)
        if d.ccd_face1[w] != NONE or d.ccd_face2[w] != NONE:
            add_clipped(m, d, w, p)


@ti.func
def ruled_line(m: ti.template(), g: ti.i32, x: vec3, q: vec4, dir: vec3, more: real):
    """Ends of the line of a cylinder's side that lies farthest along dir, first the upper one; of a capsule, whose
    radius is `more` greater, of its axis moved as far across it as the point is that lies farthest along dir."""
    size = m.geom_size[g]
    z = rotate(q, vec3(0.0, 0.0, 1.0))
    e = dir - z.dot(dir) * z
    if m.geom_type[g] == CYLINDER:
        e = e / ti.sqrt(e.dot(e))
    e = (size[0] + more) * e
    return x + e + size[1] * z, x + e - size[1] * z


@outline("md", "w p", when="clipped")
@ti.func
def add_clipped(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Contacts of what choose_faces found."""
    ref = d.ccd_ref[w]
    start = d.ccd_start[w]
    poly = polygon_at(m, w, CLIPPED)
    at_ref = polygon_at(m, w, REF)
    at_inc = polygon_at(m, w, INC)
    nref = 0
    inc = 2
    more = real(0.0)
    N = vec3(0.0, 0.0, 0.0)
    b = N
    # the first geom's, then the second's
    for side in range(2):
        g = m.pair_geom1[p]
        x = d.ccd_pos1[w]
        q = d.ccd_quat1[w]
        face = d.ccd_face1[w]
        dir = d.ccd_n[w]
        if side:
            g = m.pair_geom2[p]
            x = d.ccd_pos2[w]
            q = d.ccd_quat2[w]
            face = d.ccd_face2[w]
            dir = -dir
        at = at_ref if side == ref else at_inc
        if face != NONE:
            n = rotate(q, outward(m, g, face))
            first, count = sides(m, g, face)
            for k in range(count):
                d.poly_v[at + k] = x + rotate(q, place(m, g, corner_vertex(m, g, face, first, count, k)))
            if side == ref:
                N = n
                nref = count
            else:
                b = n
                inc = count
        elif start == SIDE:
            # MuJoCo inflates a capsule by half the margin along the search's normal, and takes it off along the face's
            if m.geom_type[g] == CAPSULE:
                more = 0.5 * ti.max(d.found_within[w], 0.0)
            low, high = ruled_line(m, g, x, q, dir, more)
            d.poly_v[at] = low
            d.poly_v[at + 1] = high
        else:
            d.poly_v[at] = x + rotate(q, place(m, g, start))
            d.poly_v[at + 1] = x + rotate(q, place(m, g, d.ccd_end[w]))
    for k in range(inc):
        d.poly_v[poly + k] = d.poly_v[at_inc + k]
        d.poly_leave[poly + k] = k
        d.poly_side[poly + k] = -1
    r = d.poly_v[at_ref]
    edge = d.poly_v[at_inc + 1] - d.poly_v[at_inc]
    begin, n = clip_at(m, d, w, nref, N, inc)
    n = below(d, begin, n, r, N, d.found_within[w] - more)
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
    margin = d.felt_within[w]
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
            s = d.poly_lean[i]
            e = d.poly_twist[i]
            cut = d.poly_cut[i]
            if cut < inc or start != NONE:
                kind = CROSS
                s = side_normal(d, at_ref, nref, d.poly_side[i], N)
                e = edge
                if start == NONE:
                    e = d.poly_v[at_inc + (cut + 1) % inc] - d.poly_v[at_inc + cut]
                over = e.dot(s)
                if passes(e, over):
                    e = e / over
                else:
                    # it lies along the side, and only by rounding passes through
                    kind = POINT
                    s = zero
                    e = zero
        if start == NONE:
            dist = -t * N.dot(b)
            if dist < margin:
                pos = v - t * N - 0.5 * dist * b
                ncon = add_contact(m, d, w, p, ncon, dist, pos, -b, zero, TILTED + kind, N, 0.0, TILTED, s, 0.0)
                if ncon <= m.nconmax:
                    d.con_gap[bounded(w * m.nconmax + ncon - 1)] = e
        elif t + more < margin:
            pos = v - 0.5 * (t - more) * N
            ruled = RULED if start == SIDE else 0
            if ref:
                ncon = add_contact(
                    m, d, w, p, ncon, t + more, pos, -N, zero, kind + ruled, e, -more, FACE + ruled, s, 0.0
                )
            else:
                ncon = add_contact(
                    m, d, w, p, ncon, t + more, pos, N, zero, FACE + ruled, e, 0.0, kind + ruled, s, -more
                )
    d.ncon[w] = ncon


@outline("mdg", "w c", when="clipped")
@ti.func
def multicontact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From the adjoints of a corner's contact, bar_dist, bar_pos, ..., to the poses of its bodies."""
    n = d.con_normal[c]
    N = d.con_axis1[c]
    kind = d.con_kind1[c] - TILTED
    dist = d.con_dist[c]
    b = -n
    cos = N.dot(b)
    t = -dist / cos
    foot = d.con_pos[c] + 0.5 * dist * b
    v = foot + t * N
    p_bar = d.bar_pos[w]
    n_bar, _ = contact_frame_vjp(
        n, d.con_y[c], d.con_tangent1[c], d.bar_normal[w], d.bar_tangent1[w], d.bar_tangent2[w]
    )
    dist_bar = d.bar_dist[w] - 0.5 * b.dot(p_bar)
    cos_bar = -t * dist_bar
    v_bar = p_bar - (cos * dist_bar + N.dot(p_bar)) * N
    # what of the vertex's force acts on ref's body
    hand = vec3(0.0, 0.0, 0.0)
    twist = vec3(0.0, 0.0, 0.0)
    if kind == CROSS:
        hand = d.con_gap[c].dot(v_bar) * d.con_axis2[c]
    if kind == CORNER:  # polygon.corner
        along = N.dot(v_bar)
        hand = v_bar - along * d.con_axis2[c]
        twist = along * d.con_gap[c]
    foot_bar = p_bar - v_bar
    turn1 = N.cross(cos_bar * b - t * p_bar) + twist
    turn2 = b.cross(cos_bar * N - 0.5 * dist * p_bar - n_bar) - twist
    add_pose_bar(m, d, g, w, d.con_body1[c], foot, foot_bar, turn1)
    add_pose_bar(m, d, g, w, d.con_body1[c], v, hand, vec3(0.0, 0.0, 0.0))
    add_pose_bar(m, d, g, w, d.con_body2[c], v, v_bar - hand, turn2)
    p = d.con_pair[c]
    tell_geom(m, d, g, w, m.pair_geom1[p], foot, foot_bar, turn1, 0.0, 0.0)
    tell_geom(m, d, g, w, m.pair_geom1[p], v, hand, vec3(0.0, 0.0, 0.0), 0.0, 0.0)
    tell_geom(m, d, g, w, m.pair_geom2[p], v, v_bar - hand, turn2, 0.0, 0.0)


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
    r1 = d.con_r1[c]
    r2 = d.con_r2[c]
    kind1 = d.con_kind1[c] - RULED
    kind2 = d.con_kind2[c] - RULED
    dist_bar = d.bar_dist[w]
    p_bar = d.bar_pos[w]
    zero = vec3(0.0, 0.0, 0.0)
    nb, _ = contact_frame_vjp(n, d.con_y[c], d.con_tangent1[c], d.bar_normal[w], d.bar_tangent1[w], d.bar_tangent2[w])
    c1_bar, turn1, c2_bar, turn2 = witness_vjp(
        kind1, d.con_axis1[c], r1, kind2, d.con_axis2[c], r2, 0.0, n, d.con_dist[c], dist_bar, p_bar, nb
    )
    at1 = d.con_pos[c] - (r1 + half) * n
    at2 = d.con_pos[c] + (r2 + half) * n
    add_pose_bar(m, d, g, w, d.con_body1[c], at1, c1_bar, turn1)
    add_pose_bar(m, d, g, w, d.con_body2[c], at2, c2_bar, turn2)
    tell_geom(m, d, g, w, m.pair_geom1[p], at1, c1_bar, turn1, 0.0 if kind1 == FACE else FRAME_ALONE, 0.0)
    tell_geom(m, d, g, w, m.pair_geom2[p], at2, c2_bar, turn2, FRAME_ALONE if kind1 == FACE else 0.0, 0.0)
    set_margins(m, d, w, p)
    look(m, d, w, p)
    # the line's side, and the force on it
    b = d.con_body1[c]
    gi = m.pair_geom1[p]
    q = d.ccd_quat1[w]
    x = d.ccd_pos1[w]
    dir = d.ccd_n[w]
    force = c1_bar
    at = at1
    if kind1 == FACE:
        at = at2
        b = d.con_body2[c]
        gi = m.pair_geom2[p]
        q = d.ccd_quat2[w]
        x = d.ccd_pos2[w]
        dir = -dir
        force = c2_bar
    z = rotate(q, vec3(0.0, 0.0, 1.0))
    dir_bar = (m.geom_size[gi][0] - r1 - r2) * (force - z.dot(force) * z)
    if m.geom_type[gi] == CYLINDER:
        u = z.cross(dir)
        norm = ti.sqrt(u.dot(u))
        u = u / norm
        dir_bar = m.geom_size[gi][0] / norm * u.dot(force) * u
    add_pose_bar(m, d, g, w, b, x, zero, dir_bar.cross(dir))
    tell_geom(m, d, g, w, gi, x, zero, dir_bar.cross(dir), FRAME_ALONE, 0.0)
    # an inflated capsule's line is farther out than its size says, by half of margin and gap
    if ti.static(has.contact_leaf):
        if m.geom_type[gi] == CAPSULE and d.found_within[w] > 0:
            r1_bar, r2_bar = radius_bars(n, dist_bar, p_bar)
            e = dir - z.dot(dir) * z
            found_within_vjp(m, g, w, p, 0.5 * (e.dot(force) - (r2_bar if kind1 == FACE else r1_bar)))
    radius = m.geom_size[gi][0]
    tell_line(m, g, w, gi, rotate_back(q, at - x), rotate_back(q, force), radius / (radius - r1 - r2))
    d.bar_dist[w] = 0.0
    d.bar_pos[w] = zero
    d.bar_normal[w] = dir_bar if kind1 != FACE else -dir_bar
    features_vjp(m, d, g, w, p)
