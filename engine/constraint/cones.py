"""The convex function s(jar) of one contact, by its force f = -grad s and its Hessian K (MuJoCo documentation,
Computation, "Constraint model"; Todorov, ICRA 2014).

    frictionless          s = D/2 min(0, j_n)^2
    pyramidal cone        the sum of that over the four edges j_n +- mu_k j_k
    elliptic cone         zero in the dual cone, D/2 |j|^2 (weighted) in the polar cone, and between them
                          s = Dm/2 (N - mu T)^2,  N = mu j_n, T = |fr_k j_k|, Dm = D / (mu^2 (1 + mu^2))
fr are the friction coefficients, mu = fr_0 / sqrt(impratio). The force is proportional to D in every zone.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.types import real, vec3


@ti.func
def contact_law(jar: vec3, dim: ti.i32, elliptic: ti.i32, D: real, fr0: real, fr1: real, impratio: real):
    """Force, K as diagonal and off-diagonal (01, 02, 12), and the zone (equal zones: the same quadratic; 64: none)."""
    f = vec3(0.0, 0.0, 0.0)
    kd = vec3(0.0, 0.0, 0.0)
    ko = vec3(0.0, 0.0, 0.0)
    zone = 0
    if dim == 1:
        if jar[0] < 0:
            zone = 1
            f[0] = -D * jar[0]
            kd[0] = D
    elif elliptic == 0:
        if ti.static(has.pyramidal):
            for e in ti.static(range(4)):
                mu = fr0 if ti.static(e < 2) else fr1
                s = mu * ti.static(1 - 2 * (e % 2))
                x = jar[0] + s * jar[ti.static(1 + e // 2)]
                if x < 0:
                    zone = zone + ti.static(1 << e)
                    f[0] = f[0] - D * x
                    f[ti.static(1 + e // 2)] = f[ti.static(1 + e // 2)] - D * s * x
                    kd[0] = kd[0] + D
                    kd[ti.static(1 + e // 2)] = kd[ti.static(1 + e // 2)] + D * s * s
                    ko[ti.static(e // 2)] = ko[ti.static(e // 2)] + D * s
    else:
        if ti.static(has.elliptic):
            mu = fr0 / ti.sqrt(impratio)
            u = vec3(mu * jar[0], fr0 * jar[1], fr1 * jar[2])
            T = ti.sqrt(u[1] * u[1] + u[2] * u[2])
            if u[0] >= mu * T:
                zone = 0
            elif mu * u[0] + T <= 0:
                zone = 1
                kd = elliptic_stiffness(D, fr0, fr1, impratio)
                f = -1.0 * kd * jar
            else:
                zone = 64
                Dm = D / (mu * mu * (1 + mu * mu))
                gap = u[0] - mu * T
                t1 = u[1] / T
                t2 = u[2] / T
                f = -Dm * gap * vec3(mu, -mu * t1 * fr0, -mu * t2 * fr1)
                c = Dm * mu * gap / T
                kd = Dm * vec3(mu * mu, mu * mu * t1 * t1 * fr0 * fr0, mu * mu * t2 * t2 * fr1 * fr1)
                kd[1] = kd[1] - c * (1 - t1 * t1) * fr0 * fr0
                kd[2] = kd[2] - c * (1 - t2 * t2) * fr1 * fr1
                ko = vec3(
                    -Dm * mu * mu * t1 * fr0, -Dm * mu * mu * t2 * fr1, (Dm * mu * mu + c) * t1 * t2 * fr0 * fr1
                )
    return f, kd, ko, zone


@ti.func
def elliptic_stiffness(D: real, fr0: real, fr1: real, impratio: real):
    """The three D's of an elliptic contact: friction rows weigh impratio, and fr_k^2 among themselves."""
    return D * vec3(1.0, impratio, impratio * (fr1 * fr1) / (fr0 * fr0))


@ti.func
def friction_vjp(jar: vec3, y: vec3, elliptic: ti.i32, D: real, fr0: real, fr1: real, impratio: real):
    """(y . df/dfr0, y . df/dfr1) at fixed jar and D."""
    b0 = real(0.0)
    b1 = real(0.0)
    if elliptic == 0:
        if ti.static(has.pyramidal):
            for e in ti.static(range(4)):
                mu = fr0 if ti.static(e < 2) else fr1
                sign = ti.static(1 - 2 * (e % 2))
                x = jar[0] + sign * mu * jar[ti.static(1 + e // 2)]
                if x < 0:
                    # f -= D x (e_n + sign mu e_t)
                    yt = sign * y[ti.static(1 + e // 2)]
                    b = -D * (sign * jar[ti.static(1 + e // 2)] * (y[0] + mu * yt) + x * yt)
                    if ti.static(e < 2):
                        b0 = b0 + b
                    else:
                        b1 = b1 + b
    else:
        if ti.static(has.elliptic):
            mu = fr0 / ti.sqrt(impratio)
            u = vec3(mu * jar[0], fr0 * jar[1], fr1 * jar[2])
            T = ti.sqrt(u[1] * u[1] + u[2] * u[2])
            if u[0] < mu * T:
                if mu * u[0] + T <= 0:
                    f2 = -elliptic_stiffness(D, fr0, fr1, impratio)[2] * jar[2]
                    b1 = 2 * f2 * y[2] / fr1
                    b0 = -2 * f2 * y[2] / fr0
                else:
                    Dm = D / (mu * mu * (1 + mu * mu))
                    gap = u[0] - mu * T
                    for i in ti.static(range(2)):
                        # derivative along fr_i of  f = -Dm gap mu (1, -w),  w_k = u_k fr_k / T
                        dmu = ti.static(1.0 - i) * mu / fr0
                        dT = u[ti.static(1 + i)] * jar[ti.static(1 + i)] / T
                        dgap = dmu * jar[0] - dmu * T - mu * dT
                        dDm = -Dm * dmu * (2 / mu + 2 * mu / (1 + mu * mu))
                        fn = -Dm * gap * mu
                        dfn = -(dDm * gap * mu + Dm * dgap * mu + Dm * gap * dmu)
                        w1 = u[1] * fr0 / T
                        w2 = u[2] * fr1 / T
                        b = dfn * (y[0] - w1 * y[1] - w2 * y[2]) + fn * dT / T * (w1 * y[1] + w2 * y[2])
                        if ti.static(i == 0):
                            b0 = b - fn * 2 * u[1] / T * y[1]
                        else:
                            b1 = b - fn * 2 * u[2] / T * y[2]
    return b0, b1
