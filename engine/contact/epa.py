"""How deep two convex shapes overlap: a polytope within their Minkowski difference grows towards its surface
(expanding polytope algorithm: van den Bergen, Proceedings of the Game Developers Conference, 2001).

    a vertex    in the slots from POLYTOPE on (gjk.py)
    a face      ccd_corner, three vertices; ccd_next, the faces across its edges 0-1, 1-2, 2-0; ccd_foot, the point of
                its plane that is nearest to the origin, outwards; ccd_foot2, its square; ccd_place, where it stands in
                ccd_open, the faces that may still be nearest, or LATER: it is not among them, or GONE
    the rim     of the faces that a new vertex sees: ccd_rim, a face that stays, and ccd_rimedge, its edge

Of shapes with corners a vertex that is there already ends the search; where ccd_discrete is 2, the first shape's count
as one there (corners.py). The simplex that gjk.py ends with begins it. The order of faces and decisions and the
tolerances are MuJoCo's.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.gjk import POLYTOPE, ccd_support, copy_vertex
from engine.math.index import bounded
from engine.math.types import EPS, HUGE, MINVAL, real, vec3

LATER, GONE = -1, -2
EXACT = EPS < 1e-10  # real numbers of 64 bits
ON_FACE = MINVAL * MINVAL if EXACT else 1e-10  # of the square of a face's distance: the origin lies on it
ON_TETRAHEDRON = MINVAL * MINVAL if EXACT else 1e-17
LEAST = MINVAL if EXACT else 1e-7  # of the depth that another vertex of polytopes adds
BEYOND = 1e-6 if EXACT else 1e-3  # of a depth
BESIDE = 1e-9 if EXACT else 1e-4  # of a triangle, by which a line passes it by
LAST_SLACK = 1e-10 if EXACT else 1e-6
EQUALLY = 1 + (1e-12 if EXACT else 1e-5)  # of squares of distances, which rounding alone tells apart


def packed(*rows):
    """Three numbers below eight a row, in octal: three rows in a number."""
    numbers = [0, 0]
    for k, row in enumerate(rows):
        numbers[k // 3] += sum(x << 9 * (k % 3) + 3 * j for j, x in enumerate(row))
    return numbers


# Corners of the first faces, and the faces across their edges: of two vertices with three around them, of three
# vertices with one above and one below (the fifth, the fourth), of four.
TWO, TWO_MORE = packed((0, 2, 3), (0, 4, 2), (0, 3, 4), (1, 3, 2), (1, 2, 4), (1, 4, 3))
THREE, THREE_MORE = packed((4, 0, 1), (4, 2, 0), (4, 1, 2), (3, 1, 0), (3, 0, 2), (3, 2, 1))
SIX, SIX_MORE = packed((1, 3, 2), (2, 4, 0), (0, 5, 1), (5, 0, 4), (3, 1, 5), (4, 2, 3))
FOUR, FOUR_MORE = packed((0, 1, 2), (0, 3, 1), (0, 2, 3), (3, 2, 1))
AROUND, AROUND_MORE = packed((1, 3, 2), (2, 3, 0), (0, 3, 1), (2, 0, 1))


@ti.func
def listed(numbers: ti.i32, more: ti.i32, row: ti.i32, j: ti.i32):
    n = numbers
    if row >= 3:
        n = more
    return (n >> (9 * (row % 3) + 3 * j)) & 7


@ti.func
def foot_of(a: vec3, b: vec3, c: vec3):
    """The point nearest to the origin of the plane through three points; zero where they lie in a line."""
    n = (c - b).cross(b - a)
    x = n.dot(b)
    nn = n.dot(n)
    flat = ti.cast(nn == 0, ti.i32)
    if x == 0 or nn <= MINVAL:
        n = (b - a).cross(c - a)
        x = n.dot(a)
        nn = n.dot(n)
        flat = ti.max(flat, ti.cast(nn == 0, ti.i32))
    if x == 0 or nn <= MINVAL:
        n = (a - c).cross(b - c)
        x = n.dot(c)
        nn = n.dot(n)
        flat = ti.max(flat, ti.cast(nn == 0, ti.i32))
    foot = vec3(0.0, 0.0, 0.0)
    if not flat:
        foot = (x / nn) * n
    return foot


@ti.func
def attach(m: ti.template(), d: ti.template(), w: ti.i32, face: ti.i32, a: ti.i32, b: ti.i32, c: ti.i32, ab: ti.i32,
           bc: ti.i32, ca: ti.i32):  # fmt: skip
    """Face with these corners and neighbours; returns the square of its plane's distance, 0 where it has none."""
    f = bounded(w * m.nccdface + face)
    at = w * m.nccdvert + POLYTOPE
    d.ccd_corner[f, 0] = a
    d.ccd_corner[f, 1] = b
    d.ccd_corner[f, 2] = c
    d.ccd_next[f, 0] = ab
    d.ccd_next[f, 1] = bc
    d.ccd_next[f, 2] = ca
    va = d.ccd_vert[bounded(at + a)]
    foot = foot_of(d.ccd_vert[bounded(at + c)], d.ccd_vert[bounded(at + b)], va)
    if foot.dot(va - d.ccd_centre[w]) < 0:
        foot = -foot
    d.ccd_foot[f] = foot
    d.ccd_foot2[f] = foot.dot(foot)
    d.ccd_place[f] = LATER
    return foot.dot(foot)


@ti.func
def support_along(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, vertex: ti.i32, v: vec3):
    """Vertex of the polytope: farthest along v, of any length."""
    norm = ti.sqrt(v.dot(v))
    dir = vec3(1.0, 0.0, 0.0)
    if norm > MINVAL:
        dir = v / norm
    d.ccd_dir[w] = dir
    ccd_support(m, d, w, p, POLYTOPE + vertex)


@ti.func
def same_side(a: vec3, b: vec3, c: vec3, x: vec3):
    """Whether the origin and x are on one side of the plane through a, b, c."""
    n = (b - a).cross(c - a)
    here = n.dot(x - a)
    there = -n.dot(a)
    return (here > 0 and there > 0) or (here < 0 and there < 0)


@ti.func
def within_triangle(a: vec3, b: vec3, c: vec3, x: vec3):
    """Whether x lies in the triangle a, b, c."""
    n = (b - a).cross(c - a)
    nn = n.dot(n)
    share = vec3(n.dot((b - x).cross(c - x)), n.dot((c - x).cross(a - x)), n.dot((a - x).cross(b - x))) / nn
    off = share[0] * a + share[1] * b + share[2] * c - x
    return share[0] >= 0 and share[1] >= 0 and share[2] >= 0 and ti.sqrt(off.dot(off)) < MINVAL


@ti.func
def filled(d: ti.template(), first: ti.i32, v: vec3):
    """Of three vertices with one on either side, the last along v: whether the line between these two passes the
    triangle by, so that six faces leave out some of what the five span, and four that have the origin among them are
    now the simplex."""
    at = first + POLYTOPE
    v3 = d.ccd_vert[at + 3]
    v4 = d.ccd_vert[at + 4]
    along = v4 - v3
    edge = -1
    for k in range(3):
        one = d.ccd_vert[at + k] - v3
        if along.dot(one.cross(d.ccd_vert[at + (k + 1) % 3] - v3)) < -BESIDE * along.dot(v):
            edge = k
    found = 0
    if edge >= 0:
        for k in range(2):
            one = at + (edge + k) % 3
            across = at + (edge + 2) % 3
            if found == 0 and same_side(d.ccd_vert[across], v3, v4, d.ccd_vert[one]):
                if same_side(d.ccd_vert[across], d.ccd_vert[one], v3, v4):
                    copy_vertex(d, first, across)
                    copy_vertex(d, first + 1, one)
                    copy_vertex(d, first + 2, at + 3)
                    copy_vertex(d, first + 3, at + 4)
                    found = 1
    return found


@outline("md", "w p", when="convex")
@ti.func
def polytope(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """The first polytope, with the origin in it, of a simplex of two, three or four vertices. ccd_count: its faces, or
    0 where there is none; its vertices are one more than half of them and one."""
    first = bounded(w * m.nccdvert)
    at = first + POLYTOPE
    f = bounded(w * m.nccdface)
    d.ccd_count[w] = 0
    n = d.ccd_nsimplex[w]
    twice = 0
    while n >= 2:
        middle = vec3(0.0, 0.0, 0.0)
        for i in range(n):
            copy_vertex(d, at + i, first + i)
            middle = middle + d.ccd_vert[first + i]
        d.ccd_centre[w] = middle / n
        a = d.ccd_vert[at]
        b = d.ccd_vert[at + 1]
        c = d.ccd_vert[at + 2]
        faces = 6
        corners = TWO
        more_corners = TWO_MORE
        around = SIX
        more_around = SIX_MORE
        least = real(ON_FACE)
        good = True
        new = 2
        v = (b - a).cross(c - a)
        if n == 2:
            along = b - a
            e = vec3(1.0, 0.0, 0.0)
            if ti.abs(along[1]) < ti.abs(along[0]):
                e = vec3(0.0, 1.0, 0.0)
            if ti.abs(along[2]) < ti.min(ti.abs(along[0]), ti.abs(along[1])):
                e = vec3(0.0, 0.0, 1.0)
            v = e.cross(along)
            new = 3
        if n == 3:
            corners = THREE
            more_corners = THREE_MORE
            good = ti.sqrt(v.dot(v)) >= MINVAL
        if n == 4:
            faces = 4
            corners = FOUR
            more_corners = FOUR_MORE
            around = AROUND
            more_around = AROUND_MORE
            least = ON_TETRAHEDRON
            new = 0
        if good:
            for k in range(new):
                if n == 2:
                    # a third of a turn about the two
                    if k > 0:
                        u = (b - a) / ti.sqrt((b - a).dot(b - a))
                        v = -0.5 * v + 0.86602540378 * u.cross(v) + 1.5 * u.dot(v) * u
                else:
                    v = -v
                support_along(m, d, w, p, n + k, v)
            if n == 3:
                for k in range(2):
                    if within_triangle(a, b, c, d.ccd_vert[at + 3 + k]):
                        good = False
        bad = -1
        again = 0
        if good and n == 3 and not twice:
            again = filled(d, first, v)
        if good and not again:
            for k in range(faces):
                if bad < 0:
                    far = attach(
                        m, d, w, k, listed(corners, more_corners, k, 0), listed(corners, more_corners, k, 1),
                        listed(corners, more_corners, k, 2), listed(around, more_around, k, 0),
                        listed(around, more_around, k, 1), listed(around, more_around, k, 2),
                    )  # fmt: skip
                    if far < least:
                        bad = k
        if again:
            twice = 1
            n = 4
        elif bad >= 0 and n != 3:
            # the origin lies on a face: it is the simplex
            for j in range(3):
                copy_vertex(d, first + j, at + d.ccd_corner[f + bad, j])
            n = 3
        else:
            if bad >= 0:
                good = False
            if good:
                v3 = d.ccd_vert[at + 3]
                if n == 2:
                    c = d.ccd_vert[at + 2]
                    along = b - a
                    one = along.dot((c - a).cross(v3 - a))
                    two = along.dot((v3 - a).cross(d.ccd_vert[at + 4] - a))
                    three = along.dot((d.ccd_vert[at + 4] - a).cross(c - a))
                    good = (one >= 0 and two >= 0 and three >= 0) or (one <= 0 and two <= 0 and three <= 0)
                if n == 4:
                    for k in range(4):
                        one = d.ccd_vert[at + k]
                        other = d.ccd_vert[at + (k + 1) % 4]
                        if not same_side(one, other, d.ccd_vert[at + (k + 2) % 4], d.ccd_vert[at + (k + 3) % 4]):
                            good = False
            if good:
                d.ccd_count[w] = faces
                for k in range(faces):
                    d.ccd_open[f + k] = k
                    d.ccd_place[f + k] = k
            n = 0


@ti.func
def edge_at(d: ti.template(), f: ti.i32, vertex: ti.i32):
    """The edge of face f that begins at a vertex."""
    edge = 2
    if d.ccd_corner[f, 1] == vertex:
        edge = 1
    if d.ccd_corner[f, 0] == vertex:
        edge = 0
    return edge


@ti.func
def close_face(d: ti.template(), f0: ti.i32, face: ti.i32, nopen: ti.i32):
    """Face is no more; returns how many stay open."""
    left = nopen
    place = d.ccd_place[f0 + face]
    if place >= 0:
        left = left - 1
        last = d.ccd_open[f0 + left]
        d.ccd_open[f0 + place] = last
        d.ccd_place[f0 + last] = place
    d.ccd_place[f0 + face] = GONE
    return left


@ti.func
def find_rim(d: ti.template(), f0: ti.i32, face: ti.i32, s: vec3, nopen: ti.i32, most: ti.i32):
    """Closes the faces that vertex s sees, from one of them on, and writes their rim, edge after edge around them.
    Returns how many edges it has, and how many faces stay open."""
    left = close_face(d, f0, face, nopen)
    rim = 0
    # what is still to look at: a face, the edge by which it was reached, and the next one
    deep = 1
    d.ccd_stack[f0] = face * 16
    while deep > 0:
        top = d.ccd_stack[f0 + deep - 1]
        k = top & 3
        if k == 3:
            deep = deep - 1
        else:
            d.ccd_stack[f0 + deep - 1] = top + 1
            this = top >> 4
            i = (((top >> 2) & 3) + k) % 3
            other = d.ccd_next[f0 + this, i]
            if d.ccd_place[f0 + other] > GONE:
                edge = edge_at(d, f0 + other, d.ccd_corner[f0 + this, (i + 1) % 3])
                if d.ccd_foot[f0 + other].dot(s) - d.ccd_foot2[f0 + other] > MINVAL and deep < most:
                    left = close_face(d, f0, other, left)
                    d.ccd_stack[f0 + deep] = other * 16 + edge * 4 + 1
                    deep = deep + 1
                else:
                    if rim < most:
                        d.ccd_rim[f0 + rim] = other
                        d.ccd_rimedge[f0 + rim] = edge
                    rim = rim + 1
    return rim, left


@outline("md", "w p", when="convex")
@ti.func
def epa(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """ccd_found: whether the depth is known, ccd_dist its negative, with the points of both and the direction between
    them, ccd_n; the three vertices of the face that gives them become the simplex. ccd_count becomes 0 where a vertex
    lies beyond a face that it should have closed: the first polytope was none, by rounding."""
    first = bounded(w * m.nccdvert)
    at = first + POLYTOPE
    f0 = bounded(w * m.nccdface)
    most = m.nccdface
    nfaces = d.ccd_count[w]
    nopen = nfaces
    nvert = 4
    if nfaces == 6:
        nvert = 5
    enough = d.ccd_enough[w]
    if d.ccd_discrete[w]:
        enough = LEAST
    face = -1
    # the face whose direction is the one with the least depth so far: the depth lies between its and the nearest face's
    best = -1
    upper = real(HUGE)
    k = 0
    running = nfaces > 0
    while running and k < m.ccd_iterations:
        before = face
        nearest = real(HUGE)
        for i in range(nopen):
            x = d.ccd_foot2[f0 + d.ccd_open[f0 + i]]
            if x < nearest:
                nearest = x
                face = d.ccd_open[f0 + i]
        if face < 0 or (before >= 0 and nearest > EQUALLY * upper * upper):
            face = best
            break
        if nearest <= 0:
            break
        lower = ti.sqrt(nearest)
        foot = d.ccd_foot[f0 + face]
        support_along(m, d, w, p, nvert, foot)
        s = d.ccd_vert[at + nvert]
        own = foot.dot(s) / lower
        if own < upper:
            upper = own
            best = face
        if upper - lower < enough:
            if k == 0 and upper < lower - LAST_SLACK:
                face = -1
            elif own - lower >= enough:
                # the depth is known, and it is not this face's
                face = best
            break
        if d.ccd_discrete[w]:
            for i in range(nvert):
                if d.ccd_discrete[w] > 1 or d.ccd_index1[at + i] == d.ccd_index1[at + nvert]:
                    if d.ccd_index2[at + i] == d.ccd_index2[at + nvert]:
                        running = False
            if not running:
                if own - lower > BEYOND * own:
                    d.ccd_count[w] = 0
                break
        rim, nopen = find_rim(d, f0, face, s, nopen, most)
        if rim < 3:
            # rounding: no polytope is left, but what it has told stays
            face = best
            break
        if rim > most - nfaces:
            break
        for i in range(rim):
            other = d.ccd_rim[f0 + i]
            edge = d.ccd_rimedge[f0 + i]
            new = nfaces + i
            d.ccd_next[f0 + other, edge] = new
            x = attach(
                m, d, w, new, nvert, d.ccd_corner[f0 + other, (edge + 1) % 3], d.ccd_corner[f0 + other, edge],
                nfaces + (i + rim - 1) % rim, other, nfaces + (i + 1) % rim,
            )  # fmt: skip
            if x == 0:
                running = False
            elif x >= nearest and x <= EQUALLY * upper * upper:
                d.ccd_open[f0 + nopen] = new
                d.ccd_place[f0 + new] = nopen
                nopen = nopen + 1
        nfaces = nfaces + rim
        nvert = nvert + 1
        if not running:
            face = best
        if nopen == 0:
            break
        k = k + 1
        if running and k == m.ccd_iterations:
            face = best
    d.ccd_found[w] = 0
    if face >= 0:
        foot = d.ccd_foot[f0 + face]
        depth = ti.sqrt(foot.dot(foot))
        if depth > 0:
            for j in range(3):
                copy_vertex(d, first + j, at + d.ccd_corner[f0 + face, j])
            a = d.ccd_vert[first]
            b = d.ccd_vert[first + 1]
            c = d.ccd_vert[first + 2]
            n = (b - a).cross(c - a)
            share = vec3(n.dot(b.cross(c)), n.dot(c.cross(a)), n.dot(a.cross(b))) / n.dot(n)
            x1 = share[0] * d.ccd_vert1[first] + share[1] * d.ccd_vert1[first + 1] + share[2] * d.ccd_vert1[first + 2]
            d.ccd_x1[w] = x1
            d.ccd_x2[w] = x1 - foot
            d.ccd_n[w] = foot / depth
            d.ccd_dist[w] = -depth
            d.ccd_nsimplex[w] = 3
            d.ccd_found[w] = 1
