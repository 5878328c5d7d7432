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
from engine.contact.face_edges import off_face
from engine.contact.facet import facet
from engine.contact.facing import SEEN, beside_cap, face_along
from engine.contact.feature import (
    EXACT,
    FLAT,
    NEARLY,
    WITHIN,
    bends,
    feature_kind,
    gather,
    keep_farthest,
    leave,
    outside,
    pose_of,
    put_vertex,
    span,
    swollen,
    vertex_at,
)
from engine.contact.frame import tangent_hint
from engine.contact.gjk import FEATURE, POLYTOPE, ccd_support, copy_vertex
from engine.contact.witness import FACE, POINT
from engine.math.index import bounded
from engine.math.quat import rotate
from engine.math.types import EPS, real, vec3
from engine.model.constants import CYLINDER, ELLIPSOID, MESH

CHANGES, STEPS = 12, 30
SLACK = 1e-12 if EXACT else 1e-5  # of a vertex beyond a feature, relative to the shapes
UNEVEN = 1e-7 if EXACT else 1e-5  # the same of a vertex of a mesh, whose faces are not quite even
STRAY = 0.95, 1e-2  # of the cosine between two normals, and of a distance relative to the shapes


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


@outline("md", "w p", when="convex")
@ti.func
def begin(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """The features of both sides that the simplex and the search's normal, ccd_guess, tell. ccd_told: of a cylinder the
    simplex alone, which has both ends of its axis where its side touches, ccd_ends."""
    n = d.ccd_guess[w]
    for side in range(2):
        kind = m.geom_type[m.pair_geom2[p] if side else m.pair_geom1[p]]
        _, q, _ = pose_of(d, w, side)
        across = rotate(q, vec3(0.0, 0.0, 1.0)).cross(n)
        count = gather(m, d, w, kind, side, n)
        cap = kind == CYLINDER and count == 1 and across.dot(across) < NEARLY * NEARLY
        set_count(d, w, side, count, ti.cast(cap, ti.i32))


@outline("md", "w p", when="convex")
@ti.func
def stationary(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Newton's method for ccd_n, across an edge if there is one (ccd_lined). ccd_fits: 1 where it came to rest where
    overlap is least, 2 where it did not, 0 where it had no steps."""
    n = d.ccd_n[w]
    along = d.ccd_axis1[w]
    if d.ccd_extent1[w] != 1:
        along = d.ccd_axis2[w]
    lined = d.ccd_lined[w]
    d.ccd_fits[w] = 1
    slack = SLACK * d.ccd_scale[w]
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
        least = u.dot(hu) >= -slack
        if not lined:
            hv = bends(m, d, w, p, n, v) + L * v
            det = u.dot(hu) * v.dot(hv) - u.dot(hv) * v.dot(hu)
            least = least and v.dot(hv) >= -slack and det >= -slack * d.ccd_scale[w]
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
        if step == STEPS and d.ccd_fits[w] and not (norm < WITHIN and least):
            d.ccd_fits[w] = 2
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
    # not so either of what is no number
    if not (n.dot(d.ccd_guess[w]) >= STRAY[0] and L >= d.ccd_dist[w] - STRAY[1] * d.ccd_scale[w]):
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
        # a cylinder first: where its side was but a guess, the other's place says nothing yet
        last = ti.cast(m.geom_type[m.pair_geom1[p]] != CYLINDER, ti.i32)
        rounds = 1 - last + ti.cast(m.geom_type[m.pair_geom2[p]] == CYLINDER, ti.i32)
        guessed = 0
        for k in range(2):
            side = k ^ last
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
            elif not held and not guessed:
                at = c - swollen(m, d, w, p, side, n) + o
                out = outside(d, first, side, count, at)
                left = 0
                if out >= 0 and count == 3:
                    left = off_face(m, d, w, m.pair_geom2[p] if side else m.pair_geom1[p], side, at)
                if out >= 0 and left < 3:
                    if left == 0:
                        leave(d, first, side, out, count)
                    count = count - 1
                    d.ccd_fits[w] = 0
                    guessed = ti.cast(rounds == 1 and k == 0, ti.i32)
            set_count(d, w, side, count, cap)
    if not stray and d.ccd_fits[w] > 0:
        d.ccd_dir[w] = n
        ccd_support(m, d, w, p, SEEN)
    joined = 0
    if stray and d.ccd_face[w] == 0 and d.ccd_flat[w] == 0 and d.ccd_extent1[w] == 1 and d.ccd_extent2[w] == 1:
        # edges that are nearly parallel and would cross elsewhere: towards there, of one its end that is beside the
        # other one
        a1 = d.ccd_axis1[w]
        a2 = d.ccd_axis2[w]
        closer = d.ccd_guess[w].dot(a1 - a2 if a1.dot(a2) > 0 else a1 + a2) > 0
        end, i = vertex_at(d, first + FEATURE + ti.cast(closer, ti.i32), 0)
        side = ti.cast(outside(d, first, 1, 2, end) >= 0, ti.i32)
        keep_farthest(d, first, side, 2, a1 if closer else -a1)
        set_count(d, w, side, 1, 0)
        d.ccd_fits[w] = 0
    elif stray or d.ccd_fits[w] > 0:
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
    """From the simplex, ccd_n, ccd_x1, ccd_x2 and ccd_dist to the features' own, their kinds and directions. ccd_fits:
    more than 0, or these stay as the search has them."""
    first = bounded(w * m.nccdvert)
    found = d.ccd_n[w]
    d.ccd_guess[w] = found
    scale = ti.abs(d.ccd_dist[w])
    d.ccd_told[w] = 0
    d.ccd_ends[w] = 0
    for side in range(2):
        x, q, size = pose_of(d, w, side)
        scale = scale + size.sum()
        z = rotate(q, vec3(0.0, 0.0, 1.0))
        for k in range(3):
            v, _ = vertex_at(d, first + k, side)
            d.ccd_ends[w] = d.ccd_ends[w] | 1 << (2 * side + ti.cast(z.dot(v - x) > 0, ti.i32))
    d.ccd_scale[w] = scale
    type1 = m.geom_type[m.pair_geom1[p]]
    type2 = m.geom_type[m.pair_geom2[p]]
    swells = type1 == CYLINDER or type1 == ELLIPSOID or type2 == CYLINDER or type2 == ELLIPSOID
    done = 0
    tries = 0
    while not done and tries < 2:
        if tries:
            # a polytope that did not come close: its direction is nearer than its vertices, and a face across it
            d.ccd_dir[w] = found
            ccd_support(m, d, w, p, SEEN)
            for k in range(3):
                copy_vertex(d, first + POLYTOPE + k, first + k)
                copy_vertex(d, first + k, first + SEEN)
            face_along(m, d, w, p)
        d.ccd_told[w] = tries
        tries = tries + 1 if swells and d.ccd_dist[w] < 0 else 2
        begin(m, d, w, p)
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
                # a face and an edge that is not in its plane: of that the vertex which is nearer; where this lies
                # beyond the rim of a cap, the edge passes over the rim
                side = 2 - face
                num = d.ccd_num2[w] if side else d.ccd_num1[w]
                if num == 2 and beside_cap(m, d, w, p, side, -n if side else n):
                    set_count(d, w, 1 - side, 1, 0)
                else:
                    keep_farthest(d, first, side, num, -n if side else n)
                    set_count(d, w, side, 1, 0)
            else:
                d.ccd_fits[w] = 1
                if not known:
                    stationary(m, d, w, p)
                rests = d.ccd_fits[w] < 2
                if d.ccd_fits[w]:
                    meet(m, d, w, p)
                    if not known and not swells and d.ccd_length[w] < 0:
                        # corners overlap along a face's normal or one of two edges; any other is stationary, but no
                        # least
                        d.ccd_fits[w] = -1
                    fit(m, d, w, p)
                    if d.ccd_fits[w] > 0 and not rests:
                        d.ccd_fits[w] = -1
                    done = ti.cast(d.ccd_fits[w] > 0, ti.i32)
                    if d.ccd_fits[w] < 0:
                        change = CHANGES
                else:
                    change = CHANGES
    lone = d.ccd_index1[first] == d.ccd_index1[first + 1] and d.ccd_index2[first] == d.ccd_index2[first + 1]
    if swells and tries == 2 and d.ccd_dist[w] < 0 and (lone or not done):
        # the simplex is the search's again: which faces meet in it decides on further contacts
        for k in range(3):
            copy_vertex(d, first + k, first + POLYTOPE + k)
    if done:
        uneven = d.ccd_face[w] > 0 and d.ccd_flat[w] == 0
        if uneven and m.geom_type[m.pair_geom2[p] if d.ccd_face[w] == 2 else m.pair_geom1[p]] == MESH:
            facet(m, d, w, p)
        d.ccd_x1[w] = d.ccd_c1[w]
        d.ccd_x2[w] = d.ccd_c2[w]
        d.ccd_dist[w] = d.ccd_length[w]
    else:
        d.ccd_fits[w] = ti.min(d.ccd_fits[w], 0)
        d.ccd_n[w] = found
        d.ccd_told[w] = 1
        begin(m, d, w, p)
        spans(m, d, w, p)
        kind1 = feature_kind(type1, d.ccd_extent1[w])
        kind2 = feature_kind(type2, d.ccd_extent2[w])
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
