"""Where does a ray meet a convex shape, and is a point in it? For touch sensors the ray starts at the contact point,
along its normal force; contact sensors of a site ask for the point."""

import taichi as ti

from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, PLANE, SPHERE

FAR = 1e20


@ti.func
def ball_interval(p: vec3, v: vec3, radius: real):
    """Where p + t v is in a ball at the origin: (t0, t1), empty if t0 > t1."""
    a = v.dot(v)
    b = p.dot(v)
    det = b * b - a * (p.dot(p) - radius * radius)
    t0 = real(FAR)
    t1 = real(-FAR)
    if det >= 0 and a > 0:
        t0 = (-b - ti.sqrt(det)) / a
        t1 = (-b + ti.sqrt(det)) / a
    return t0, t1


@ti.func
def slab_interval(p: real, v: real, half: real):
    t0 = real(-FAR)
    t1 = real(FAR)
    if ti.abs(v) > 1e-15:
        t0 = (-half * ti.math.sign(v) - p) / v
        t1 = (half * ti.math.sign(v) - p) / v
    elif ti.abs(p) > half:
        t0 = FAR
        t1 = -FAR
    return t0, t1


@ti.func
def ray_interval(kind: ti.i32, size: vec3, p: vec3, v: vec3):
    """Where p + t v is in the shape at the origin of its own frame: (t0, t1), empty if t0 > t1."""
    t0 = real(FAR)
    t1 = real(-FAR)
    if kind == SPHERE:
        t0, t1 = ball_interval(p, v, size[0])
    elif kind == ELLIPSOID:
        t0, t1 = ball_interval(p / size, v / size, 1.0)
    elif kind == BOX:
        t0 = -FAR
        t1 = FAR
        for i in ti.static(range(3)):
            s0, s1 = slab_interval(p[i], v[i], size[i])
            t0 = ti.max(t0, s0)
            t1 = ti.min(t1, s1)
    elif kind == CYLINDER or kind == CAPSULE:
        flat = vec3(1.0, 1.0, 0.0)
        t0, t1 = ball_interval(p * flat, v * flat, size[0])
        if v[0] * v[0] + v[1] * v[1] < 1e-30 and p[0] * p[0] + p[1] * p[1] <= size[0] * size[0]:
            t0 = -FAR
            t1 = FAR
        s0, s1 = slab_interval(p[2], v[2], size[1])
        t0 = ti.max(t0, s0)
        t1 = ti.min(t1, s1)
        if kind == CAPSULE:
            if t0 > t1:
                t0 = FAR
                t1 = -FAR
            for e in range(2):
                c0, c1 = ball_interval(p - vec3(0.0, 0.0, size[1] * (2 * e - 1)), v, size[0])
                if c0 <= c1:
                    t0 = ti.min(t0, c0)
                    t1 = ti.max(t1, c1)
    return t0, t1


@ti.func
def ray_hits(kind: ti.i32, size: vec3, p: vec3, v: vec3):
    """Whether the ray p + t v, t >= 0, meets the shape at the origin of its own frame."""
    t0, t1 = ray_interval(kind, size, p, v)
    return t0 <= t1 and t1 >= 0


@ti.func
def normal_at(kind: ti.i32, size: vec3, p: vec3):
    """A normal, of any length and outwards, of the shape's surface at its point p."""
    n = p
    if kind == PLANE:
        n = vec3(0.0, 0.0, 1.0)
    elif kind == ELLIPSOID:
        n = p / (size * size)
    elif kind == BOX:
        side = 0
        for i in ti.static(range(1, 3)):
            if ti.abs(p[i]) - size[i] > ti.abs(p[side]) - size[side]:
                side = i
        n = vec3(0.0, 0.0, 0.0)
        for i in ti.static(range(3)):
            if i == side:
                n[i] = ti.math.sign(p[i])
    elif kind == CAPSULE:
        n[2] = p[2] - ti.min(ti.max(p[2], -size[1]), size[1])
    elif kind == CYLINDER:
        n[2] = 0.0
        if ti.abs(p[2]) - size[1] > n.norm() - size[0]:
            n = vec3(0.0, 0.0, ti.math.sign(p[2]))
    return n


@ti.func
def normal_vjp(kind: ti.i32, size: vec3, p: vec3, bar: vec3):
    """From the adjoint of the normal of length one at p, in the shape's frame, to p and the sizes: both move what
    `normal_at` makes it of. Planes, sides of boxes, caps, meshes and height fields are even."""
    n = normal_at(kind, size, p)
    r = n.norm()
    u = n / r
    p_bar = (bar - u.dot(bar) * u) / r
    size_bar = vec3(0.0, 0.0, 0.0)
    if kind == ELLIPSOID:
        p_bar = p_bar / (size * size)
        size_bar = -2.0 * p * p_bar / size
    elif kind == CAPSULE and ti.abs(p[2]) > size[1]:
        size_bar[1] = -ti.math.sign(p[2]) * p_bar[2]
    elif kind == CAPSULE or (kind == CYLINDER and n[2] == 0):
        p_bar[2] = 0.0
    elif kind != SPHERE:
        p_bar = vec3(0.0, 0.0, 0.0)
    return p_bar, size_bar


@ti.func
def inside(kind: ti.i32, size: vec3, p: vec3):
    """Whether the point p is in the shape at the origin of its own frame."""
    flat = p[0] * p[0] + p[1] * p[1]
    hit = False
    if kind == SPHERE:
        hit = p.dot(p) < size[0] * size[0]
    elif kind == ELLIPSOID:
        hit = (p / size).dot(p / size) < 1
    elif kind == BOX:
        hit = ti.abs(p[0]) < size[0] and ti.abs(p[1]) < size[1] and ti.abs(p[2]) < size[2]
    elif kind == CYLINDER:
        hit = flat < size[0] * size[0] and ti.abs(p[2]) < size[1]
    elif kind == CAPSULE:
        beyond = ti.max(ti.abs(p[2]) - size[1], 0.0)
        hit = flat + beyond * beyond < size[0] * size[0]
    return hit
