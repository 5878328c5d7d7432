"""The convex function s(jar) of a contact with torsional or rolling friction (condim 4 and 6); cones.py has the rest.

Rows are the normal and two tangents (jar, f), and the relative rotation about the three of them (turn, g). The cones
are those of cones.py with three more friction coefficients fr, of which condim 4 has the first; the others are zero.
Where friction is curved, with v_k = t_k fr_k of the unit vector t along the scaled slip,

    f = fn (1, -v),  K = fn' (1, -v)(1, -v)^T + c v v^T - c diag(fr_k^2),  fn' = Dm mu^2,  c = Dm mu (N - mu T) / T
K's part that couples the two triples is one outer product, p q^T, in every zone.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.cones import elliptic_stiffness
from engine.math.types import real, vec3


@ti.func
def five(a: real, b: real, c: vec3):
    """What there is across the normal."""
    return ti.Vector([a, b, c[0], c[1], c[2]])


@ti.func
def rolling_law(jar: vec3, turn: vec3, dim: ti.i32, elliptic: ti.i32, D: real, fr0: real, fr1: real, fr: vec3,
                impratio: real):  # fmt: skip
    """Forces of both triples, K (diagonal and off-diagonal (01, 02, 12) of both, p and q), and the zone as of
    contact_law."""
    f = vec3(0.0, 0.0, 0.0)
    g = f
    kd = f
    ko = f
    kd2 = f
    ko2 = f
    p = f
    q = f
    zone = 0
    if elliptic == 0:
        if ti.static(has.pyramidal):
            p[0] = 1.0
            frs = five(fr0, fr1, fr)
            across = five(jar[1], jar[2], turn)
            for k in ti.static(range(5)):
                mu = frs[k]
                push = real(0.0)
                stiff = real(0.0)
                mixed = real(0.0)
                for side in ti.static(range(2)):
                    s = ti.static(1 - 2 * side) * mu
                    edge = jar[0] + s * across[k]
                    if edge < 0 and k < dim - 1:
                        zone = zone + ti.static(128 << (2 * k + side))  # 64 stands for a cone's curved part
                        f[0] = f[0] - D * edge
                        kd[0] = kd[0] + D
                        push = push - D * s * edge
                        stiff = stiff + D * s * s
                        mixed = mixed + D * s
                if ti.static(k < 2):
                    f[1 + k] = push
                    kd[1 + k] = stiff
                    ko[k] = mixed
                else:
                    g[k - 2] = push
                    kd2[k - 2] = stiff
                    q[k - 2] = mixed
    else:
        if ti.static(has.elliptic):
            mu = fr0 / ti.sqrt(impratio)
            u = vec3(mu * jar[0], fr0 * jar[1], fr1 * jar[2])
            T = slip(u, fr * turn)
            if u[0] >= mu * T:
                zone = 0
            elif mu * u[0] + T <= 0:
                zone = 1
                kd = elliptic_stiffness(D, fr0, fr1, impratio)
                kd2 = (D * impratio / (fr0 * fr0)) * fr * fr
                f = -1.0 * kd * jar
                g = -1.0 * kd2 * turn
            else:
                zone = 64
                Dm = D / (mu * mu * (1 + mu * mu))
                gap = u[0] - mu * T
                v = vec3(0.0, u[1] * fr0 / T, u[2] * fr1 / T)
                q = (fr * turn) * fr / T
                f = (-Dm * gap * mu) * vec3(1.0, -v[1], -v[2])
                g = (Dm * gap * mu) * q
                c = Dm * mu * gap / T
                slope = Dm * mu * mu
                kd = (slope + c) * v * v - c * vec3(0.0, fr0 * fr0, fr1 * fr1)
                kd[0] = slope
                ko = vec3(-slope * v[1], -slope * v[2], (slope + c) * v[1] * v[2])
                kd2 = (slope + c) * q * q - c * fr * fr
                ko2 = (slope + c) * vec3(q[0] * q[1], q[0] * q[2], q[1] * q[2])
                p = vec3(-slope, (slope + c) * v[1], (slope + c) * v[2])
    return f, g, kd, ko, kd2, ko2, p, q, zone


@ti.func
def slip(u: vec3, turn: vec3):
    """Length of what is across the normal, in the scaled space of the cone."""
    return ti.sqrt(u[1] * u[1] + u[2] * u[2] + turn.dot(turn))


@ti.func
def rolling_friction_vjp(jar: vec3, turn: vec3, y: vec3, z: vec3, dim: ti.i32, elliptic: ti.i32, D: real, fr0: real,
                         fr1: real, fr: vec3, impratio: real):  # fmt: skip
    """(y, z) . d(f, g)/d(fr0, fr1, fr) at fixed jar and D: two numbers and three."""
    b0 = real(0.0)
    b1 = real(0.0)
    b = vec3(0.0, 0.0, 0.0)
    if elliptic == 0:
        if ti.static(has.pyramidal):
            frs = five(fr0, fr1, fr)
            across = five(jar[1], jar[2], turn)
            bars = five(y[1], y[2], z)
            for k in ti.static(range(5)):
                mu = frs[k]
                x = across[k]
                bar = bars[k]
                total = real(0.0)
                for side in ti.static((1, -1)):
                    edge = jar[0] + side * mu * x
                    if edge < 0 and k < dim - 1:
                        total = total - D * side * (x * (y[0] + side * mu * bar) + edge * bar)
                if ti.static(k == 0):
                    b0 = total
                elif ti.static(k == 1):
                    b1 = total
                else:
                    b[k - 2] = total
    else:
        if ti.static(has.elliptic):
            mu = fr0 / ti.sqrt(impratio)
            u = vec3(mu * jar[0], fr0 * jar[1], fr1 * jar[2])
            T = slip(u, fr * turn)
            if mu * u[0] + T <= 0:
                across = -2 * D * impratio / (fr0 * fr0)
                b1 = across * fr1 * jar[2] * y[2]
                b = across * fr * turn * z
                b0 = -(fr1 * b1 + fr.dot(b)) / fr0
            elif u[0] < mu * T:
                Dm = D / (mu * mu * (1 + mu * mu))
                gap = u[0] - mu * T
                fn = -Dm * gap * mu
                # f = fn (1, -v): y . f = fn (y_0 - along), v_k = fr_k^2 j_k / T, and dT/dfr_k = fr_k j_k^2 / T
                along = (fr0 * u[1] * y[1] + fr1 * u[2] * y[2] + (fr * fr * turn).dot(z)) / T
                a = (Dm * mu * mu * (y[0] - along) + fn * along / T) / T
                b0 = a * u[1] * jar[1] - 2 * fn * u[1] * y[1] / T
                b0 = b0 - fn * (y[0] - along) * 2 * mu * mu / ((1 + mu * mu) * fr0)
                b1 = a * u[2] * jar[2] - 2 * fn * u[2] * y[2] / T
                b = (a * turn - (2 * fn / T) * z) * fr * turn
    return b0, b1, b
