"""What forces of a fluid on ellipsoids and their slopes do to sizes of geoms, where a simulator is asked for these.

Sizes count by the coefficients of ellipsoid_fluid.py, of which `flow_by_size` has the derivatives by them: A, c, k, K,
B, S, L, T. The gradient of (P . force) by one of these is an expression of omega and u, for

    A_i  n' u_i^2 + 2 a_i d' u_i^2 - K l q p_i u_i,    c_i  -rho P.omega c_i omega_i^2 / |c omega|
    k    p . omega x u      K  l t      B  -s p.u      S  -sqrt(q) p.u      L  -p.u      T  -P.omega

with l = sqrt(n / (q d)), s = sqrt(q d / n), t = p . (n u - q A u), n' and d' its derivatives by n and d; that of
(P . derivative of the force along a change of omega and u) is the derivative of this expression along the change.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.dynamics.ellipsoid_fluid import flow_frame, forms, over, pair_in, seen_by, whole_slope
from engine.math.index import bounded
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE


@ti.func
def size_bars(m: ti.template(), e: ti.i32, omega: vec3, u: vec3, pa: vec3, pl: vec3, ang: vec3, lin: vec3,
              whole: real):  # fmt: skip
    """The gradients by the size of geom e of the table of (pa, pl) . torque and force, and of that of their derivative
    along a change (ang, lin) of (omega, u); with a `whole` of 0 of the drag alone."""
    a = m.flow_area[e]
    n, d, q = forms(a, u)
    b1 = u.dot(lin)
    b2 = (a * u).dot(lin)
    b3 = (a * u).dot(a * lin)
    a1 = pl.dot(u)
    c1 = pl.dot(lin)
    # lift
    lift = whole * ti.sqrt(over(n, q * d))
    lift_d = lift * (over(b2, n) - over(b1, q) - over(b3, d))
    t = n * a1 - q * pl.dot(a * u)
    t_d = 2.0 * (b2 * a1 - b1 * pl.dot(a * u)) + n * c1 - q * pl.dot(a * lin)
    # blunt drag
    s = ti.sqrt(over(q * d, n))
    s_d = s * (over(b1, q) + over(b3, d) - over(b2, n))
    k = m.flow_kutta[e]
    blunt = m.flow_blunt[e]
    kt = k * lift * t
    kt_d = k * (lift_d * t + lift * t_d)
    sa = blunt * s * a1
    sa_d = blunt * (s_d * a1 + s * c1)
    n_bar = 0.5 * over(kt + sa, n) + k * lift * a1
    n_bar_d = 0.5 * over(kt_d + sa_d, n) - over((kt + sa) * b2, n * n) + k * (lift_d * a1 + lift * c1)
    d_bar = -0.5 * over(kt + sa, d)
    d_bar_d = -0.5 * over(kt_d + sa_d, d) + over((kt + sa) * b3, d * d)
    area = (n_bar + 2.0 * d_bar * a) * u * u - k * lift * q * pl * u
    area_d = (n_bar_d + 2.0 * d_bar_d * a) * u * u + 2.0 * (n_bar + 2.0 * d_bar * a) * u * lin
    area_d = area_d - k * ((lift_d * q + 2.0 * lift * b1) * pl * u + lift * q * pl * lin)
    # turning
    c = m.flow_moment[e]
    size = (c * omega).norm()
    felt = pa.dot(omega)
    share = over(m.density, size)
    moment = -share * felt * c * omega * omega
    moment_d = -share * (pa.dot(ang) * omega + 2.0 * felt * ang) * c * omega
    moment_d = moment_d + share * felt * over((c * omega).dot(c * ang), size * size) * c * omega * omega
    speed = ti.sqrt(q)
    magnus = whole * pl.dot(omega.cross(u))
    magnus_d = whole * pl.dot(ang.cross(u) + omega.cross(lin))
    o = 12 * e
    bar = magnus * m.flow_by_size[o + 6] + lift * t * m.flow_by_size[o + 7] - s * a1 * m.flow_by_size[o + 8]
    bar = bar - speed * a1 * m.flow_by_size[o + 9] - a1 * m.flow_by_size[o + 10] - felt * m.flow_by_size[o + 11]
    along = magnus_d * m.flow_by_size[o + 6] + (lift_d * t + lift * t_d) * m.flow_by_size[o + 7]
    along = along - (s_d * a1 + s * c1) * m.flow_by_size[o + 8]
    along = along - (over(b1 * a1, speed) + speed * c1) * m.flow_by_size[o + 9]
    along = along - c1 * m.flow_by_size[o + 10] - pa.dot(ang) * m.flow_by_size[o + 11]
    for i in ti.static(range(3)):
        bar = bar + area[i] * m.flow_by_size[o + i] + moment[i] * m.flow_by_size[o + 3 + i]
        along = along + area_d[i] * m.flow_by_size[o + i] + moment_d[i] * m.flow_by_size[o + 3 + i]
    return bar, along


@outline("mdg", "w b e", when="shape_leaf")
@ti.func
def flow_sizes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, e: ti.i32):
    """Adds to sizes of body b's geoms, where a simulator is asked for these: of all of them -sum of L . dF, where e is
    -1; else of geom e of the table that of P . D E, with P and E in leaf_pa, leaf_pl, leaf_ea and leaf_el."""
    if ti.static(has.ellipsoid_fluid):
        for i in range(m.nflow):
            if m.flow_body[i] == b and (e < 0 or e == i) and m.nshapeleaf > 0 and m.at_geom_size >= 0:
                q, r = flow_frame(m, d, w, i)
                v_ang, v_lin, omega, u = seen_by(m, d, w, b, q, r)
                k = bounded(w * m.nbody + b)
                pa, pl, ea, el = d.l_ang[k], d.l_lin[k], d.l_ang[k], d.l_lin[k]
                whole = real(1.0)
                ways = 1
                if e >= 0:
                    pa, pl, ea, el = d.leaf_pa[w], d.leaf_pl[w], d.leaf_ea[w], d.leaf_el[w]
                    if m.integrator == DISCRETE:
                        whole = 0.0
                    if m.integrator == DISCRETE or not whole_slope(m, b):
                        ways = 2
                xa, xl, ya, yl = pair_in(q, r, pa, pl, ea, el)
                for _ in range(ways):
                    bar, along = size_bars(m, i, omega, u, xa, xl, ya, yl, whole)
                    if e >= 0:
                        bar = along
                    for j in ti.static(range(3)):
                        g.geom_size[w, m.flow_geom[i], j] = g.geom_size[w, m.flow_geom[i], j] - bar[j] / ways
                    za = xa
                    zl = xl
                    xa = ya
                    xl = yl
                    ya = za
                    yl = zl
