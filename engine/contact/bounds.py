"""Whether boxes around two geoms lie so far apart that the geoms cannot touch (separating axes, Gottschalk et al.,
OBBTree, 1996). Who is told so needs no search; it is never told so of geoms that are nearer than asked."""

import taichi as ti

from engine.math.quat import quat_mul, quat_to_mat, rotate, rotate_back
from engine.math.types import EPS, real, vec3, vec4

SLACK = 1e3 * EPS  # of lengths, relative to all that are added up


@ti.func
def nth(a: ti.template(), i: ti.template()):
    """Row i of a matrix."""
    return vec3(a[i, 0], a[i, 1], a[i, 2])


@ti.func
def boxes_apart(m: ti.template(), g1: ti.i32, x1: vec3, q1: vec4, g2: ti.i32, x2: vec3, q2: vec4, margin: real):
    """Whether the boxes of geoms g1 and g2 at these poses are farther apart than `margin`, metres: 0 or 1."""
    a = m.geom_half[g1]
    b = m.geom_half[g2]
    t = rotate_back(q1, x2 + rotate(q2, m.geom_center[g2]) - x1) - m.geom_center[g1]
    r = quat_to_mat(quat_mul(vec4(q1[0], -q1[1], -q1[2], -q1[3]), q2))
    s = ti.abs(r)
    most = margin + SLACK * (a.sum() + b.sum() + ti.abs(t).sum())
    over = (ti.abs(t) - a - s @ b).max()
    over = ti.max(over, (ti.abs(r.transpose() @ t) - b - s.transpose() @ a).max())
    apart = ti.cast(over > most, ti.i32)
    # An axis along two edges. It is no longer than a unit vector, so what the margin takes of it is less.
    for i in ti.static(range(3)):
        if not apart:
            k = ti.static((i + 1) % 3)
            l = ti.static((i + 2) % 3)
            along = ti.abs(t[l] * nth(r, k) - t[k] * nth(r, l))
            reach = a[k] * nth(s, l) + a[l] * nth(s, k)
            f = nth(s, i)
            reach = reach + vec3(b[1] * f[2] + b[2] * f[1], b[2] * f[0] + b[0] * f[2], b[0] * f[1] + b[1] * f[0])
            apart = ti.cast((along - reach).max() > most, ti.i32)
    return apart
