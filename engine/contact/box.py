"""Sphere or capsule against a box: one or two points of the capsule's segment, each a ball against the box.

The nearest point of the segment gives the first contact. Where the segment lies along a face or an edge, a second
point is taken where the segment leaves the box's outline, or at its end, so that a capsule rests on two points. The
choice of points follows MuJoCo's rules for this pair, so that contacts compare one to one. How a point's parameter t
depends on the poses is one of

    FIXED    an end of the segment: t does not move
    NEAREST  t makes the distance to the box stationary
    CROSSING coordinate `axis` of the point lies on a face of the box
    OFFSET   the nearest t plus the box's width along `axis`
In the box's frame: q the point, k the nearest point of the box, n from the ball to the box.
"""

import taichi as ti

from engine.contact.segment import clip_params, line_params
from engine.contact.witness import FACE, LINE, POINT
from engine.math.types import MINVAL, real, vec3

FIXED, NEAREST, CROSSING, OFFSET = range(4)


@ti.func
def clamp_to_box(q: vec3, size: vec3):
    """Nearest point of the solid box and the number of coordinates that are outside."""
    k = q
    out = 0
    for i in ti.static(range(3)):
        if q[i] > size[i]:
            k[i] = size[i]
            out = out + 1
        elif q[i] < -size[i]:
            k[i] = -size[i]
            out = out + 1
    return k, out


@ti.func
def capsule_box_params(q: vec3, a: vec3, size: vec3):
    """Parameters of the one or two points: t, near, t_second, kind_second, axis_second (kind -1: no second point).

    q: segment's centre, a: half axis, both in the box's frame. `near` tells what t is nearest to: -1 where t is
    an end of the segment, else the corner's bits + 8 * (the edge's axis, or 3 for the corner itself).
    """
    best = 1e30 + real(0.0)
    t = real(0.0)
    x_edge = real(0.0)  # position along the nearest edge, -1 to 1
    region = 0  # 0 inside, 1 face, 2 corner, 3 edge
    axis = 0  # of the face or edge
    corner = 0  # bits: positive coordinates of the nearest corner
    for e in range(2):
        end = real(2 * e - 1)
        p = q + end * a
        k, out = clamp_to_box(p, size)
        if out <= 1:
            dist = (k - p).dot(k - p)
            if dist < best:
                best = dist
                t = end
                region = out
                for i in ti.static(range(3)):
                    if k[i] != p[i]:
                        axis = i
    for c in range(4):
        for j in ti.static(range(3)):
            mid = vec3(0.0, 0.0, 0.0)
            # bit 0 of c: the next axis' sign, bit 1: the one after
            mid[(j + 1) % 3] = size[(j + 1) % 3] * (2 * (c & 1) - 1)
            mid[(j + 2) % 3] = size[(j + 2) % 3] * (c & 2) - size[(j + 2) % 3]
            dif = mid - q
            edge = vec3(0.0, 0.0, 0.0)
            edge[j] = size[j]
            across = edge.cross(a)
            if across.dot(across) >= MINVAL:
                # MuJoCo still calls it a corner where only the unclipped segment came nearest there
                side, x2 = line_params(edge, a, dif, across)
                x1, x2 = clip_params(side, x2, edge, a, dif)
                if ti.abs(x1) >= 1:
                    side = x1
                gap = dif - x2 * a
                gap[j] = gap[j] + size[j] * x1
                dist = gap.dot(gap)
                if dist < best - MINVAL:
                    best = dist
                    t = x2
                    x_edge = x1
                    axis = j
                    corner = ((c & 1) << ((j + 1) % 3)) + (((c >> 1) & 1) << ((j + 2) % 3))
                    region = 3
                    if ti.abs(side) >= 1:
                        region = 2
                        if side > 0:
                            corner = corner + (1 << j)
    near = -1
    if ti.abs(t) < 1:
        near = corner + 8 * (3 if region == 2 else axis)
    t2, kind2, axis2 = second_point(q, a, size, t, region, axis, corner, x_edge)
    return t, near, t2, kind2, axis2


@ti.func
def second_point(q: vec3, a: vec3, size: vec3, t: real, region: ti.i32, axis: ti.i32, corner: ti.i32, x_edge: real):
    step = real(-1.0)  # how far along the segment from t; negative: none
    way = real(1.0)
    kind = FIXED
    ax = -1
    up = ti.cast(a[0] > 0, ti.i32) + 2 * ti.cast(a[1] > 0, ti.i32) + 4 * ti.cast(a[2] > 0, ti.i32)
    if region == 1:
        # an end lies over a face: go towards the other end until the face's outline
        way = -t
        step = 2.0
        p = q + t * a
        for i in ti.static(range(3)):
            if i != axis and a[i] != 0:
                for s in ti.static((-1, 1)):
                    x = (s * size[i] - p[i]) / a[i] * way
                    if x > 0 and x < step:
                        step = x
                        kind = CROSSING
                        ax = i
    if region == 2:
        # nearest to a corner: along the edge or across the face that the segment lies closest to
        c = up ^ corner
        if c != 0 and c != 7:
            along = 1
            if c == 3 or c == 5 or c == 6:
                along = -1
                c = 7 - c
            one = c >> 1  # the axis whose bit is alone: 1, 2, 4 -> 0, 1, 2
            if a[one] * a[one] > 0.5 * a.dot(a):
                way = real(along)
                step = 1 - way * t
                x = 2 * size[one] / ti.abs(a[one])
                if x < step:
                    step = x
                    kind = OFFSET
                    ax = one
            else:
                way = real(-along)
                step = 1 - way * t
                for i in ti.static(range(3)):
                    if i != one and a[i] != 0:
                        x = 2 * size[i] / ti.abs(a[i])
                        if x < step:
                            step = x
                            kind = OFFSET
                            ax = i
    if region == 3:
        # nearest to the middle of an edge: across the face that the segment is more parallel to
        c = (up ^ corner) & (7 - (1 << axis))
        if c == 1 or c == 2 or c == 4:
            wide = (axis + 1) % 3
            if ti.abs(a[(axis + 2) % 3]) >= ti.abs(a[wide]):
                wide = (axis + 2) % 3
            forward = (c >> wide) & 1
            way = real(2 * forward - 1)
            step = 1 - way * t
            x = 2 * size[wide] / ti.max(ti.abs(a[wide]), MINVAL)
            if x < step:
                step = x
                kind = OFFSET
                ax = wide
            e = 1 + x_edge
            if ((up >> axis) & 1) == forward:
                e = 1 - x_edge
            x = size[axis] * e / ti.max(ti.abs(a[axis]), MINVAL)
            if x < step:
                step = x
                kind = CROSSING
                ax = axis
    t2 = t + way * step
    if step < 0:
        kind = -1
    return t2, kind, ax


@ti.func
def box_feature(q: vec3, size: vec3):
    """Where the box is nearest to q: kind of the feature, its place, and the normal from q to a FACE or the direction
    of a LINE. Inside, it is the nearest face."""
    c, out = clamp_to_box(q, size)
    kind = POINT
    v = vec3(0.0, 0.0, 0.0)
    if out > 1 and (c - q).dot(c - q) > MINVAL * MINVAL:
        if out == 2:
            kind = LINE
            for i in ti.static(range(3)):
                if c[i] == q[i]:
                    v[i] = 1.0
    else:
        kind = FACE
        depth = 2 * (size[0] + size[1] + size[2])
        for i in ti.static(range(3)):
            for s in ti.static((-1, 1)):
                x = size[i] - s * q[i]
                if x < depth:
                    depth = x
                    v = vec3(0.0, 0.0, 0.0)
                    v[i] = -1.0 * s
                    c = q
                    c[i] = s * size[i]
    return kind, c, v


@ti.func
def param_vjp(q0: vec3, a: vec3, size: vec3, t: real, kind: ti.i32, axis: ti.i32, t_near: real, near: ti.i32,
              t_bar: real):  # fmt: skip
    """Adjoints of the segment's centre q0 and half axis a (box's frame) through the parameter t."""
    q_bar = vec3(0.0, 0.0, 0.0)
    a_bar = vec3(0.0, 0.0, 0.0)
    near_bar = real(0.0)
    if kind == NEAREST:
        near_bar = t_bar
    if kind == CROSSING:
        # q0[axis] + t a[axis] stays on the face
        q_bar[axis] = -t_bar / a[axis]
        a_bar[axis] = -t_bar * t / a[axis]
    if kind == OFFSET:
        a_bar[axis] = -t_bar * (t - t_near) / a[axis]
        near_bar = t_bar
    if near >= 0 and near_bar != 0:
        # a . (q - k) = 0 over the coordinates that the edge or corner k holds
        held = a
        gap = q0 + t_near * a
        for i in ti.static(range(3)):
            if near // 8 == i:
                held[i] = 0.0
                gap[i] = 0.0
            else:
                gap[i] = gap[i] - size[i] * (2 * ((near >> i) & 1) - 1)
        ma = held.dot(held)
        weight = near_bar / ma
        q_bar = q_bar - weight * held
        a_bar = a_bar - weight * gap - (weight * t_near) * held
    return q_bar, a_bar


@ti.func
def param_size_vjp(q0: vec3, a: vec3, size: vec3, t: real, kind: ti.i32, axis: ti.i32, t_near: real, near: ti.i32,
                   t_bar: real):  # fmt: skip
    """Adjoint of the box's sizes through the same parameter."""
    bar = vec3(0.0, 0.0, 0.0)
    near_bar = real(0.0)
    if kind == NEAREST or kind == OFFSET:
        near_bar = t_bar
    if kind == CROSSING:
        bar[axis] = t_bar / a[axis]
        if q0[axis] + t * a[axis] < 0:
            bar[axis] = -bar[axis]
    if kind == OFFSET:
        bar[axis] = t_bar * (t - t_near) / size[axis]
    if near >= 0 and near_bar != 0:
        held = a
        for i in ti.static(range(3)):
            if near // 8 == i:
                held[i] = 0.0
        for i in ti.static(range(3)):
            bar[i] = bar[i] + near_bar * held[i] * (2 * ((near >> i) & 1) - 1) / held.dot(held)
    return bar
