"""Contact frame: normal n (from geom 1 to geom 2) and two tangents, from n and a hint y for the first tangent."""

import taichi as ti

from engine.math.types import vec3


@ti.func
def tangent_hint(n: vec3):
    """Where a pair gives no hint: the world's y axis, or z where n is close to y."""
    y = vec3(0.0, 1.0, 0.0)
    if n[1] >= 0.5 or n[1] <= -0.5:
        y = vec3(0.0, 0.0, 1.0)
    return y


@ti.func
def has_hint(n: vec3, y: vec3):
    """Whether y (a unit vector or zero) has a direction across n."""
    return y.dot(y) > 0.25 and n.dot(y) * n.dot(y) < 1.0 - 1e-14


@ti.func
def contact_frame(n: vec3, y: vec3):
    t = y - n.dot(y) * n
    t1 = t / ti.sqrt(t.dot(t))
    return t1, n.cross(t1)


@ti.func
def contact_frame_vjp(n: vec3, y: vec3, t1: vec3, n_bar: vec3, t1_bar: vec3, t2_bar: vec3):
    """Adjoints of n and y."""
    t = y - n.dot(y) * n
    nb = n_bar + t1.cross(t2_bar)
    tb = t1_bar + t2_bar.cross(n)
    tb = (tb - t1.dot(tb) * t1) / ti.sqrt(t.dot(t))
    return nb - n.dot(y) * tb - n.dot(tb) * y, tb - n.dot(tb) * n
