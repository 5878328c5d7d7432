"""Polygons: clipped at the sides of a face (Sutherland and Hodgman), and reduced to what contacts are made of.

    a vertex in poly_v, in the world. poly_leave: the edge that leaves it; poly_cut: the edge that it was cut from;
    poly_side: the side of the face that cut it, or -1. Edges from `inc` on lie in sides of the face, the others are
    the polygon's own. poly_lean, poly_twist: how a vertex that two sides cut moves along N, see `corner`
"""

import taichi as ti

from engine.math.types import EPS, MINVAL, real, vec3

INSIDE = -MINVAL if EPS < 1e-10 else -1e-8  # metres over a side from which a vertex is within
PASSES = 1e-9 if EPS < 1e-10 else 1e-5  # of the sine of an angle between an edge and a side
CLIPPED, REF, INC = 0, 4, 5  # where polygons lie in poly_v, in as many vertices as a face has at most


@ti.func
def polygon_at(m: ti.template(), w: ti.i32, which: ti.i32):
    return w * m.npoly + which * (m.npoly // 6)


@ti.func
def side_normal(d: ti.template(), at: ti.i32, count: ti.i32, e: ti.i32, N: vec3):
    """The inward normal of side e of a face with the normal N."""
    s = (d.poly_v[at + (e + 1) % count] - d.poly_v[at + e]).cross(N)
    return s / ti.sqrt(s.dot(s))


@ti.func
def passes(e: vec3, over: real):
    """Whether an edge e passes through a side, whose normal it has the component `over` along, and does not lie along
    it and pass by rounding alone."""
    return over * over > PASSES * PASSES * e.dot(e)


@ti.func
def corner(m: ti.template(), d: ti.template(), w: ti.i32, nref: ti.i32, N: vec3, inc: ti.i32, s: vec3, one: ti.i32,
           other: ti.i32, t: real):  # fmt: skip
    """Lean b and twist q of the vertex v between two of a polygon, one and t of the way to the other, that lie in one
    side of the face and are cut at another with the normal s: against the face's body, v goes along N by

        -b . x + q . w,    x, w: how the face's body moves at v and turns, less how the polygon's does.

    The ends move likewise, and where an edge e of the polygon's own passes through a side, by the part of -x in that
    side. Of a plane polygon b is its normal over that along N and q is zero; a mesh's face is not quite even.
    """
    at = polygon_at(m, w, REF)
    at_inc = polygon_at(m, w, INC)
    u = d.poly_v[other] - d.poly_v[one]
    v = d.poly_v[one] + t * u
    along = N
    over = s.dot(u)
    if passes(u, over):
        along = N - N.dot(u) / over * s
    lean = vec3(0.0, 0.0, 0.0)
    twist = vec3(0.0, 0.0, 0.0)
    for k in range(2):
        i = other if k else one
        share = t if k else 1 - t
        b = d.poly_lean[i]
        q = d.poly_twist[i]
        cut = d.poly_cut[i]
        if cut < inc:
            e = d.poly_v[at_inc + (cut + 1) % inc] - d.poly_v[at_inc + cut]
            side = side_normal(d, at, nref, d.poly_side[i], N)
            b = along
            over = side.dot(e)
            if passes(e, over):
                b = along - along.dot(e) / over * side
            q = vec3(0.0, 0.0, 0.0)
        lean = lean + share * b
        twist = twist + share * (q - (d.poly_v[i] - v).cross(b))
    return lean, twist


@ti.func
def clip_at(m: ti.template(), d: ti.template(), w: ti.i32, nref: ti.i32, N: vec3, inc: ti.i32):
    """Clips the polygon of `inc` vertices at CLIPPED at the sides of the face of `nref` vertices at REF, whose normal
    is N; returns where it begins and how many vertices it has."""
    room = m.npoly // 3
    begin = polygon_at(m, w, CLIPPED)
    into = begin + room
    at = polygon_at(m, w, REF)
    count = inc
    for e in range(nref):
        a = d.poly_v[at + e]
        s = side_normal(d, at, nref, e, N)
        n = 0
        for k in range(count):
            i = begin + k
            j = begin + (k + 1) % count
            one = d.poly_v[i]
            other = d.poly_v[j]
            high = s.dot(one - a)
            low = s.dot(other - a)
            leave = d.poly_leave[i]
            if (high > INSIDE) != (low > INSIDE):
                t = high / (high - low)
                if t >= 0 and t <= 1 and n < room:
                    d.poly_v[into + n] = one + t * (other - one)
                    d.poly_leave[into + n] = inc + e if high > INSIDE else leave
                    d.poly_cut[into + n] = leave
                    d.poly_side[into + n] = e
                    if leave >= inc:
                        lean, twist = corner(m, d, w, nref, N, inc, s, i, j, t)
                        d.poly_lean[into + n] = lean
                        d.poly_twist[into + n] = twist
                    n = n + 1
            if low > INSIDE and n < room:
                d.poly_v[into + n] = other
                d.poly_leave[into + n] = d.poly_leave[j]
                d.poly_cut[into + n] = d.poly_cut[j]
                d.poly_side[into + n] = d.poly_side[j]
                d.poly_lean[into + n] = d.poly_lean[j]
                d.poly_twist[into + n] = d.poly_twist[j]
                n = n + 1
        count = n
        swap = begin
        begin = into
        into = swap
    return begin, count


@ti.func
def below(d: ti.template(), begin: ti.i32, count: ti.i32, r: vec3, N: vec3, most: real):
    """Leaves out the vertices that are higher than `most` over a face; returns how many stay."""
    n = 0
    for k in range(count):
        if N.dot(d.poly_v[begin + k] - r) <= most:
            if n < k:
                d.poly_v[begin + n] = d.poly_v[begin + k]
                d.poly_leave[begin + n] = d.poly_leave[begin + k]
                d.poly_cut[begin + n] = d.poly_cut[begin + k]
                d.poly_side[begin + n] = d.poly_side[begin + k]
                d.poly_lean[begin + n] = d.poly_lean[begin + k]
                d.poly_twist[begin + n] = d.poly_twist[begin + k]
            n = n + 1
    return n


@ti.func
def spread(d: ti.template(), begin: ti.i32, n: ti.i32, a: ti.i32, b: ti.i32, c: ti.i32, e: ti.i32):
    """Twice the area of four vertices of a polygon; it is exactly that of a triangle where two of them are one."""
    o = d.poly_v[begin + a]
    r = d.poly_v[begin + c % n] - o
    v = (d.poly_v[begin + b % n] - o).cross(r) + r.cross(d.poly_v[begin + e % n] - o)
    return ti.sqrt(v.dot(v))


@ti.func
def quadrilateral(d: ti.template(), begin: ti.i32, n: ti.i32):
    """Four of a polygon's n vertices, more than four, of large area: the last, the third and the second are moved on
    while it grows, for each first one."""
    best = ti.Vector([0, 1, 2, 3])
    b = 1
    c = 2
    e = 3
    most = spread(d, begin, n, 0, 1, 2, 3)
    for a in range(n):
        # 0: the last, 1: the third, 2: the second
        turn = 0
        grown = 1
        while turn < 3 and grown:
            one = b + ti.cast(turn == 2, ti.i32)
            other = c + ti.cast(turn == 1, ti.i32)
            last = e + ti.cast(turn == 0, ti.i32)
            x = spread(d, begin, n, a, one, other, last)
            if x > most:
                most = x
                b = one % n
                c = other % n
                e = last % n
                best = ti.Vector([a, b, c, e])
                if turn == 0:
                    turn = 1
            elif turn == 0:
                grown = 0
            else:
                turn = (turn + 1) % 3
        if b == a:
            b = (b + 1) % n
            if c == b:
                c = (c + 1) % n
                if e == c:
                    e = (e + 1) % n
    return best


@ti.func
def farthest_two(d: ti.template(), begin: ti.i32, n: ti.i32, along: vec3):
    """The two of n vertices that are farthest apart, that which lies less far along a direction first: two vertices
    may lie in one place, and rounding must not decide about the order."""
    best = ti.Vector([0, 1, 0, 0])
    most = real(0.0)
    for i in range(n):
        for j in range(n):
            v = d.poly_v[begin + j] - d.poly_v[begin + i]
            if v.dot(v) > most and v.dot(along) > 0:
                most = v.dot(v)
                best[0] = i
                best[1] = j
    return best
