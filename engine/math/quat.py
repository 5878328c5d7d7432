"""Unit quaternions [w, x, y, z] and rotation vectors.

Tangent vectors of a quaternion q are local: q * exp(delta) with delta in the rotated frame, as MuJoCo's qvel of ball
and free joints. Jr is the right Jacobian of SO(3), d exp(r): exp(r + dr) = exp(r) exp(Jr(r) dr)
(Chirikjian, Stochastic Models, Information Theory, and Lie Groups, vol. 2, 2012; Sola, arXiv:1812.01537, eq. 143).
"""

import taichi as ti

from engine.math.types import mat3, real, vec3, vec4


@ti.func
def quat_mul(a: vec4, b: vec4):
    return vec4(
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )


@ti.func
def quat_to_mat(q: vec4):
    return mat3(
        [
            [1 - 2 * (q[2] * q[2] + q[3] * q[3]), 2 * (q[1] * q[2] - q[0] * q[3]), 2 * (q[1] * q[3] + q[0] * q[2])],
            [2 * (q[1] * q[2] + q[0] * q[3]), 1 - 2 * (q[1] * q[1] + q[3] * q[3]), 2 * (q[2] * q[3] - q[0] * q[1])],
            [2 * (q[1] * q[3] - q[0] * q[2]), 2 * (q[2] * q[3] + q[0] * q[1]), 1 - 2 * (q[1] * q[1] + q[2] * q[2])],
        ]
    )


@ti.func
def rotate(q: vec4, v: vec3):
    u = vec3(q[1], q[2], q[3])
    t = 2 * u.cross(v)
    return v + q[0] * t + u.cross(t)


@ti.func
def rotate_back(q: vec4, v: vec3):
    u = vec3(q[1], q[2], q[3])
    t = 2 * v.cross(u)
    return v + q[0] * t + t.cross(u)


@ti.func
def quat_normalize(q: vec4):
    n = ti.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    r = vec4(1.0, 0.0, 0.0, 0.0)
    if n > 1e-15:
        r = q / n
    return r


@ti.func
def quat_bar(q: vec4, turn_bar: vec3):
    """The adjoint by a turn about the own axes as one by a quaternion of any length, which counts normalised."""
    return (2.0 / q.dot(q)) * quat_mul(q, vec4(0.0, turn_bar[0], turn_bar[1], turn_bar[2]))


@ti.func
def quat_exp(r: vec3):
    """The quaternion of a rotation vector."""
    angle = ti.sqrt(r.dot(r))
    k = real(0.5)
    if angle > 1e-12:
        k = ti.sin(0.5 * angle) / angle
    return vec4(ti.cos(0.5 * angle), k * r[0], k * r[1], k * r[2])


@ti.func
def quat_log(q: vec4):
    """The rotation vector of a unit quaternion, angle in [-pi, pi] (mju_quat2Vel)."""
    u = vec3(q[1], q[2], q[3])
    s = ti.sqrt(u.dot(u))
    r = 2 * u if q[0] >= 0 else -2 * u
    if s > 1e-12:
        angle = 2 * ti.atan2(s, q[0])
        if angle > 3.141592653589793:
            angle = angle - 6.283185307179586
        r = u * (angle / s)
    return r


@ti.func
def shortest(r: vec3):
    """How much of a rotation vector r is the shortest one of the same rotation, which turns back where this is
    negative: k r = r - 2 pi n r / |r|."""
    k = real(1.0)
    a = ti.sqrt(r.dot(r))
    if a > 3.141592653589793:
        k = 1.0 - 6.283185307179586 * ti.floor(a / 6.283185307179586 + 0.5) / a
    return k


@ti.func
def jr_transpose(r: vec3, x: vec3):
    """Jr(r)^T x = x + (1-cos)/a^2 r x x + (a-sin)/a^3 r x (r x x)."""
    a2 = r.dot(r)
    c1 = 0.5 - a2 / 24.0
    c2 = (1.0 - a2 / 20.0) / 6.0
    if a2 > 1e-6:
        a = ti.sqrt(a2)
        c1 = (1.0 - ti.cos(a)) / a2
        c2 = (a - ti.sin(a)) / (a2 * a)
    rx = r.cross(x)
    return x + c1 * rx + c2 * r.cross(rx)


@ti.func
def jr_inverse_transpose(r: vec3, x: vec3):
    """Jr(r)^-T x = x - 1/2 r x x + (1/a^2 - (1 + cos) / (2 a sin)) r x (r x x)."""
    a2 = r.dot(r)
    c = 1.0 / 12.0 + a2 / 720.0
    if a2 > 1e-6:
        a = ti.sqrt(a2)
        # (1 + cos a) / sin a = 1 / tan(a / 2)
        c = (1.0 - 0.5 * a / ti.tan(0.5 * a)) / a2
    rx = r.cross(x)
    return x - 0.5 * rx + c * r.cross(rx)


@ti.func
def jr_inverse_slope(r: vec3, v: vec3, x: vec3):
    """Gradient by r of x . Jr(r)^-1 v = x . (v + 1/2 r x v + c r x (r x v)), c = (1 - a/2 cot a/2) / a^2."""
    a2 = r.dot(r)
    # Bernoulli series of c and dc/d(a^2): the closed forms cancel at small angles
    c = 1.0 / 12.0 + a2 * (1.0 / 720.0 + a2 * (1.0 / 30240.0 + a2 * (1.0 / 1209600.0 + a2 / 47900160.0)))
    dc = 1.0 / 720.0 + a2 * (1.0 / 15120.0 + a2 * (1.0 / 403200.0 + a2 * (1.0 / 11975040.0 + a2 * 2.64217e-9)))
    if a2 > 0.1:
        a = ti.sqrt(a2)
        cot = 1.0 / ti.tan(0.5 * a)
        sin = ti.sin(0.5 * a)
        c = (1.0 - 0.5 * a * cot) / a2
        dc = (-0.25 * a * cot + 0.125 * a2 / (sin * sin) - a2 * c) / (a2 * a2)
    xr = x.dot(r)
    rv = r.dot(v)
    return 0.5 * v.cross(x) + c * (rv * x + xr * v - 2 * x.dot(v) * r) + 2 * dc * (xr * rv - a2 * x.dot(v)) * r
