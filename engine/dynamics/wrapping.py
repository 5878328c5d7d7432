"""How a tendon goes round a sphere or a cylinder, on which side, or touches it from within (MuJoCo documentation, XML
reference, "tendon/spatial/geom").

All happens in the plane of a circle of radius r: of a sphere that through the centre and both ends x1, x2, of a
cylinder that across the axis. n is its normal, y1 and y2 are the ends in it, s = y.y, t = sqrt(s - r^2) the length of a
tangent.

    round     q = (r^2 y -/+ sense r t n x y) / s,   the arc from q1 to q2 against n (sense 1) or about it (-1);
              its angle is that from y1 to y2, over the side where there is one, less atan(t / r) at either end:
              where that leaves nothing the tendon passes by
    inside    one point q at the angle u - asin(A sin u) from y1 (or from y2), u the root of
              asin(A sin u) + asin(B sin u) - 2 u + G,   A = r / |y1|, B = r / |y2|, G the angle between them
    cylinder  the height rises in proportion to the way in the plane: L1, arc, L2
Newton's method goes on to rounding, so that J is the derivative of L; MuJoCo's stops within 1e-6. Which way is taken is
a choice, and held. Degenerate, and finite: a tangent of no length and a plane that the ends do not tell (on one line
with the centre) are held, too; where the ends lie in one direction, q does.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, MINVAL, real, vec3, vec4

PAST, ROUND, INSIDE = range(3)  # how a span takes its geom: not at all, on the outside, from within


@ti.func
def unit(x: vec3):
    """x at length 1, along the first axis where it has none, and its length."""
    size = ti.sqrt(x.dot(x))
    y = vec3(1.0, 0.0, 0.0)
    if size >= MINVAL:
        y = x / size
    return y, size


@ti.func
def unit_vjp(u: vec3, size: real, bar: vec3):
    y = vec3(0.0, 0.0, 0.0)
    if size >= MINVAL:
        y = (bar - u.dot(bar) * u) / size
    return y


@ti.func
def plane_of(cylinder: ti.i32, quat: vec4, x1: vec3, x2: vec3):
    """n, y1, y2, and the size of x1 x x2, 0 where n does not depend on them."""
    n = rotate(quat, vec3(0.0, 0.0, 1.0))
    y1 = x1
    y2 = x2
    size = real(0.0)
    if cylinder:
        y1 = x1 - n.dot(x1) * n
        y2 = x2 - n.dot(x2) * n
    else:
        n, size = unit(x1.cross(x2))
        if size < MINVAL:
            size = 0.0
            e, length = unit(x1)
            local = rotate_back(quat, e)
            other = vec3(1.0, 1.0, 1.0)
            k = 0
            if ti.abs(local[1]) > ti.abs(local[0]) and ti.abs(local[1]) > ti.abs(local[2]):
                k = 1
            if ti.abs(local[2]) > ti.abs(local[0]) and ti.abs(local[2]) > ti.abs(local[1]):
                k = 2
            for i in ti.static(range(3)):
                if i == k:
                    other[i] = 0.0
            n, length = unit(e.cross(rotate(quat, other)))
    return n, y1, y2, size


# ------------------------------------------------------------------------------------------------ outside


@ti.func
def tangent(y: vec3, n: vec3, r: real, sense: real):
    """Where a tangent from y touches the circle."""
    s = y.dot(y)
    return (r * r * y - sense * r * ti.sqrt(ti.max(s - r * r, 0.0)) * n.cross(y)) / s


@ti.func
def tangent_vjp(y: vec3, n: vec3, r: real, sense: real, q: vec3, bar: vec3):
    """From the adjoint of that place to those of y and n."""
    s = y.dot(y)
    t = ti.sqrt(ti.max(s - r * r, 0.0))
    c = -sense * r
    y_bar = (r * r * bar + c * t * bar.cross(n)) / s
    s_bar = -q.dot(bar) / s
    if t > MINVAL:
        s_bar = s_bar + c * n.cross(y).dot(bar) / (2.0 * t * s)
    return y_bar + 2.0 * s_bar * y, c * t / s * y.cross(bar)


@ti.func
def tangent_radius_bar(y: vec3, n: vec3, r: real, sense: real, bar: vec3):
    """From the adjoint of that place to that of r."""
    s = y.dot(y)
    t = ti.sqrt(ti.max(s - r * r, 0.0))
    run = t
    if t > MINVAL:
        run = t - r * r / t
    return (2.0 * r * y - sense * run * n.cross(y)).dot(bar) / s


@ti.func
def angle_between(n: vec3, a: vec3, b: vec3):
    """From a to b about n, between -pi and pi."""
    return ti.atan2(n.dot(a.cross(b)), a.dot(b))


@ti.func
def outside(n: vec3, y1: vec3, y2: vec3, r: real, sided: ti.i32, side: vec3):
    """The way round: PAST or ROUND, its sense, both places, and the arc. side: a direction in the plane."""
    kind = PAST
    sense = real(1.0)
    q1 = y1
    q2 = y2
    arc = real(0.0)
    s1 = y1.dot(y1)
    s2 = y2.dot(y2)
    if ti.min(s1, s2) >= r * r and r >= MINVAL:
        turn = angle_between(n, y1, y2)
        if sided:
            turn = angle_between(n, y1, side) + angle_between(n, side, y2)
        angle = ti.abs(turn) - ti.atan2(ti.sqrt(s1 - r * r), r) - ti.atan2(ti.sqrt(s2 - r * r), r)
        if angle > 0:
            kind = ROUND
            arc = r * angle
            if turn >= 0:
                sense = -1.0
            q1 = tangent(y1, n, r, sense)
            q2 = tangent(y2, n, r, -sense)
    return kind, sense, q1, q2, arc


# ------------------------------------------------------------------------------------------------ from within


@ti.func
def slope_of(k: real, u: real):
    """d asin(k sin u) / d(k sin u)."""
    x = k * ti.sin(u)
    return 1.0 / ti.max(MINVAL, ti.sqrt(1.0 - x * x))


@ti.func
def root(A: real, B: real, G: real):
    """u, between 0 and pi / 2. The left-hand side is concave, and negative at pi / 2 where the straight way is free, so
    Newton's method comes down to the root from there. (In sin u, as MuJoCo used to have it, that end is singular: there
    the tendon only just touches the circle.)"""
    u = real(0.5 * ti.math.pi)
    f = ti.asin(A) + ti.asin(B) - 2.0 * u + G
    turns = 0
    while turns < 60 and f < -4.0 * EPS:
        slope = ti.cos(u) * (A * slope_of(A, u) + B * slope_of(B, u)) - 2.0
        u = ti.max(u + f / ti.max(-slope, MINVAL), 0.0)
        f = ti.asin(A * ti.sin(u)) + ti.asin(B * ti.sin(u)) - 2.0 * u + G
        turns = turns + 1
    return u


@ti.func
def from_within(n: vec3, y1: vec3, y2: vec3, r: real):
    """PAST or INSIDE; the place; and of what it is made: a sense, whether it is at an angle from y1 (1) or y2 (-1),
    or in the direction of both (0), and u."""
    kind = PAST
    q = y1
    sense = real(0.0)
    u = real(0.0)
    e1, len1 = unit(y1)
    e2, len2 = unit(y2)
    d = y2 - y1
    dd = d.dot(d)
    if ti.min(len1, len2) > r and r >= MINVAL:
        kind = INSIDE
        if dd > MINVAL:
            a = -d.dot(y1) / dd
            near = y1 + a * d
            if a > 0 and a < 1 and near.dot(near) <= r * r:
                kind = PAST
        cosine = e1.dot(e2)
        if cosine < MINVAL - 1.0:
            kind = PAST
        middle, size = unit(y1 + y2)
        q = r * middle
        if kind == INSIDE and cosine <= 1.0 - MINVAL:
            across = e1.cross(e2)
            u = root(r / len1, r / len2, ti.atan2(ti.sqrt(across.dot(across)), cosine))
            sense = 1.0
            e = e1
            k = r / len1
            if n.dot(y1.cross(y2)) <= 0:
                sense = -1.0
                e = e2
                k = r / len2
            angle = u - ti.asin(k * ti.sin(u))
            q = r * (ti.cos(angle) * e + ti.sin(angle) * n.cross(e))
    return kind, q, sense, u


@ti.func
def from_within_vjp(n: vec3, y1: vec3, y2: vec3, r: real, sense: real, u: real, bar: vec3):
    """From the adjoint of the place to those of y1, y2, n and r."""
    e1, len1 = unit(y1)
    e2, len2 = unit(y2)
    r_bar = real(0.0)
    n_bar = vec3(0.0, 0.0, 0.0)
    y1_bar = vec3(0.0, 0.0, 0.0)
    y2_bar = vec3(0.0, 0.0, 0.0)
    if sense == 0:
        middle, size = unit(y1 + y2)
        y1_bar = unit_vjp(middle, size, r * bar)
        y2_bar = y1_bar
        r_bar = middle.dot(bar)
    else:
        e = e1
        k = r / len1
        if sense < 0:
            e = e2
            k = r / len2
        angle = u - ti.asin(k * ti.sin(u))
        sine = ti.sin(angle)
        cosine = ti.cos(angle)
        e_bar = r * (cosine * bar + sine * bar.cross(n))
        n_bar = r * sine * e.cross(bar)
        angle_bar = r * (cosine * n.cross(e) - sine * e).dot(bar)
        a = slope_of(r / len1, u)
        b = slope_of(r / len2, u)
        z = ti.sin(u)
        c = ti.cos(u)
        # of the left-hand side that u makes zero
        f_bar = angle_bar * (1.0 - k * c * slope_of(k, u)) / (2.0 - c * r * (a / len1 + b / len2))
        k1_bar = f_bar * z * a
        k2_bar = f_bar * z * b
        e1_bar = -sense * f_bar * n.cross(e1)
        e2_bar = sense * f_bar * n.cross(e2)
        if sense > 0:
            k1_bar = k1_bar - angle_bar * z * a
            e1_bar = e1_bar + e_bar
        else:
            k2_bar = k2_bar - angle_bar * z * b
            e2_bar = e2_bar + e_bar
        y1_bar = unit_vjp(e1, len1, e1_bar) - k1_bar * r / (len1 * len1) * e1
        y2_bar = unit_vjp(e2, len2, e2_bar) - k2_bar * r / (len2 * len2) * e2
        r_bar = (cosine * e + sine * n.cross(e)).dot(bar) + k1_bar / len1 + k2_bar / len2
    return y1_bar, y2_bar, n_bar, r_bar


# ------------------------------------------------------------------------------------------------ both, in space


@ti.func
def sided_way(cylinder: ti.i32, quat: vec4, n: vec3, x1: vec3, side: vec3):
    """The direction of the side's place in the plane."""
    y, size = unit(side - n.dot(side) * n)
    if size < MINVAL:
        y, size = unit(x1)
        if cylinder:
            y = rotate(quat, vec3(1.0, 0.0, 0.0))
    return y


@ti.func
def wrap(cylinder: ti.i32, quat: vec4, r: real, x1: vec3, x2: vec3, sided: ti.i32, side: vec3):
    """PAST, ROUND or INSIDE; the places where the tendon meets the geom, from its centre; the way between them, and
    that in the plane; and what `wrap_vjp` is told of a choice: a sense, and z."""
    kind = PAST
    p1 = x1
    p2 = x2
    arc = real(0.0)
    sense = real(0.0)
    z = real(0.0)
    long = real(0.0)
    if ti.min(x1.dot(x1), x2.dot(x2)) >= MINVAL * MINVAL:
        n, y1, y2, size = plane_of(cylinder, quat, x1, x2)
        if sided and side.dot(side) < r * r:
            kind, p1, sense, z = from_within(n, y1, y2, r)
            p2 = p1
        else:
            kind, sense, p1, p2, arc = outside(n, y1, y2, r, sided, sided_way(cylinder, quat, n, x1, side))
        long = arc
        if cylinder and kind != PAST:
            e, first = unit(y1 - p1)
            e, last = unit(y2 - p2)
            low = n.dot(x1)
            steep = (n.dot(x2) - low) / (first + arc + last)
            p1 = p1 + (low + steep * first) * n
            p2 = p2 + (low + steep * (first + arc)) * n
            long = arc * ti.sqrt(1.0 + steep * steep)
    return kind, p1, p2, long, arc, sense, z


@ti.func
def wrap_vjp(cylinder: ti.i32, quat: vec4, r: real, x1: vec3, x2: vec3, kind: ti.i32, p1: vec3, p2: vec3, arc: real,
             sense: real, z: real, bar1: vec3, bar2: vec3):  # fmt: skip
    """From the adjoints of the places to those of x1, x2 and r, where the tendon is not PAST. (That of r is zero where
    nobody asks for sizes.)"""
    n, y1, y2, size = plane_of(cylinder, quat, x1, x2)
    zero = vec3(0.0, 0.0, 0.0)
    q1 = p1
    q2 = p2
    q1_bar = bar1
    q2_bar = bar2
    r_bar = real(0.0)
    x1_bar, x2_bar, y1_bar, y2_bar, n_bar = zero, zero, zero, zero, zero
    if cylinder:
        q1 = p1 - n.dot(p1) * n
        q2 = p2 - n.dot(p2) * n
        e1, first = unit(y1 - q1)
        e2, last = unit(y2 - q2)
        h1 = n.dot(bar1)
        h2 = n.dot(bar2)
        total = first + arc + last
        f1 = first / total
        f2 = (first + arc) / total
        rise = n.dot(x2 - x1)
        x1_bar = (h1 * (1.0 - f1) + h2 * (1.0 - f2)) * n
        x2_bar = (h1 * f1 + h2 * f2) * n
        last_bar = -rise * (h1 * f1 + h2 * f2) / total
        arc_bar = rise * h2 / total + last_bar
        y1_bar = (rise * h1 / total + arc_bar) * e1
        y2_bar = last_bar * e2
        q1_bar = bar1 - h1 * n - y1_bar
        q2_bar = bar2 - h2 * n - y2_bar
        if kind == ROUND:
            q1_bar = q1_bar + sense * arc_bar / r * n.cross(q1)
            q2_bar = q2_bar - sense * arc_bar / r * n.cross(q2)
            r_bar = arc_bar * arc / r
    if kind == INSIDE:
        a1, a2, n_bar, r_bar = from_within_vjp(n, y1, y2, r, sense, z, q1_bar + q2_bar)
        y1_bar = y1_bar + a1
        y2_bar = y2_bar + a2
    else:
        a1, n_bar = tangent_vjp(y1, n, r, sense, q1, q1_bar)
        a2, n2_bar = tangent_vjp(y2, n, r, -sense, q2, q2_bar)
        y1_bar = y1_bar + a1
        y2_bar = y2_bar + a2
        n_bar = n_bar + n2_bar
        if ti.static(has.shape_leaf):
            r_bar = r_bar + tangent_radius_bar(y1, n, r, sense, q1_bar) + tangent_radius_bar(y2, n, r, -sense, q2_bar)
    if cylinder:
        x1_bar = x1_bar + y1_bar - n.dot(y1_bar) * n
        x2_bar = x2_bar + y2_bar - n.dot(y2_bar) * n
    else:
        x1_bar = y1_bar
        x2_bar = y2_bar
        if size > 0:
            c_bar = unit_vjp(n, size, n_bar)
            x1_bar = x1_bar + x2.cross(c_bar)
            x2_bar = x2_bar + c_bar.cross(x1)
    return x1_bar, x2_bar, r_bar
