"""Forces of the fluid on geoms that are taken for ellipsoids (MuJoCo documentation, Computation, "Passive forces": the
ellipsoidal model).

With omega and u, the geom's angular velocity and that of its centre relative to the wind, in its axes; c, I the
fluid's moments and M its masses that move along; A = diag(a), a_i the square of the product of the two other
semi-axes, the greatest one 1; n = u.A u, d = u.A^2 u, q = u.u:

    torque = M u x u + I omega x omega - (T + rho |c omega|) omega
    force  = M u x omega + k omega x u + K sqrt(n / (q d)) (n u - q A u) - (L + sqrt(q) (B sqrt(d / n) + S)) u

The implicit integrators take D, minus its derivative by (omega, u); implicitfast the symmetric part of D alone, but of
a free body alone in its tree; discrete that of the last term of torque and force alone. So there are the derivative in
a direction, and the gradient of such a one.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.crba import diagonal_at
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import IMPLICIT, LONE_FLOW


@ti.func
def over(x: real, y: real):
    """x / y, and 0 where y is none."""
    r = real(0.0)
    if y > 0:
        r = x / y
    return r


@ti.func
def forms(a: vec3, u: vec3):
    """n, d, q."""
    x = u * u
    return a.dot(x), (a * a).dot(x), x.sum()


@ti.func
def ellipsoid_force(m: ti.template(), e: ti.i32, omega: vec3, u: vec3):
    """Torque and force on geom e of the table, in its axes."""
    a = m.flow_area[e]
    n, d, q = forms(a, u)
    lift = m.flow_kutta[e] * ti.sqrt(over(n, q * d))
    drag = m.flow_slide[e] + ti.sqrt(q) * (m.flow_blunt[e] * ti.sqrt(over(d, n)) + m.flow_slender[e])
    momentum = m.flow_mass[e] * u
    turning = m.flow_moment[e] * omega
    torque = momentum.cross(u) + (m.flow_inertia[e] * omega).cross(omega)
    torque = torque - (m.flow_turn[e] + m.density * turning.norm()) * omega
    force = momentum.cross(omega) + m.flow_magnus[e] * omega.cross(u)
    return torque, force + lift * (n * u - q * a * u) - drag * u


@ti.func
def ellipsoid_slope(m: ti.template(), e: ti.i32, omega: vec3, u: vec3, ang: vec3, lin: vec3):
    """Its derivative times a change (ang, lin) of (omega, u)."""
    mass = m.flow_mass[e]
    inertia = m.flow_inertia[e]
    torque = (mass * lin).cross(u) + (mass * u).cross(lin) + (inertia * ang).cross(omega) + (inertia * omega).cross(ang)
    force = (mass * lin).cross(omega) + (mass * u).cross(ang)
    force = force + m.flow_magnus[e] * (ang.cross(u) + omega.cross(lin))
    c = m.flow_moment[e]
    size = (c * omega).norm()
    torque = torque - (m.flow_turn[e] + m.density * size) * ang
    torque = torque - m.density * over((c * omega).dot(c * ang), size) * omega
    a = m.flow_area[e]
    n, d, q = forms(a, u)
    b1 = u.dot(lin)
    b2 = (a * u).dot(lin)
    b3 = (a * u).dot(a * lin)
    lift = m.flow_kutta[e] * ti.sqrt(over(n, q * d))
    grown = lift * (over(b2, n) - over(b1, q) - over(b3, d))
    force = force + grown * (n * u - q * a * u) + lift * (2.0 * (b2 * u - b1 * a * u) + n * lin - q * a * lin)
    speed = ti.sqrt(q)
    shadow = m.flow_blunt[e] * ti.sqrt(over(d, n))
    drag = shadow + m.flow_slender[e]
    grown = over(b1, speed) * drag + speed * shadow * (over(b3, d) - over(b2, n))
    return torque, force - (m.flow_slide[e] + speed * drag) * lin - grown * u


@ti.func
def drag_slope(m: ti.template(), e: ti.i32, omega: vec3, u: vec3, ang: vec3, lin: vec3):
    """The symmetric part of minus the derivative of the drag alone, times a change (ang, lin) of (omega, u): what the
    integrator discrete takes, in which lift, Magnus and added mass have no part."""
    c = m.flow_moment[e]
    turn = c * c * omega
    size = (c * omega).norm()
    half = 0.5 * over(m.density, size)
    torque = (m.flow_turn[e] + m.density * size) * ang + half * (turn.dot(ang) * omega + omega.dot(ang) * turn)
    a = m.flow_area[e]
    n, d, q = forms(a, u)
    speed = ti.sqrt(q)
    shadow = m.flow_blunt[e] * ti.sqrt(over(d, n))
    across = shadow + m.flow_slender[e]
    grows = over(across, speed) * u + speed * shadow * (over(1.0, d) * a - over(1.0, n)) * a * u
    force = (m.flow_slide[e] + speed * across) * lin + 0.5 * (grows.dot(lin) * u + u.dot(lin) * grows)
    return torque, force


@ti.func
def ellipsoid_slope_vjp(m: ti.template(), e: ti.i32, omega: vec3, u: vec3, pa: vec3, pl: vec3, ang: vec3, lin: vec3,
                        whole: real):  # fmt: skip
    """The gradient by omega and u of (pa, pl) . what `ellipsoid_slope` gives; with a `whole` of 0 of the drag alone."""
    mass = whole * m.flow_mass[e]
    inertia = whole * m.flow_inertia[e]
    k = whole * m.flow_magnus[e]
    omega_bar = pa.cross(inertia * ang) + inertia * ang.cross(pa) + pl.cross(mass * lin) + k * lin.cross(pl)
    u_bar = pa.cross(mass * lin) + mass * (lin.cross(pa) + ang.cross(pl)) + k * pl.cross(ang)
    # torque:  -rho (size pa.ang + (pa.omega) (c omega . c ang) / size)
    c = m.flow_moment[e]
    cc = c * c
    size = (c * omega).norm()
    both = pa.dot(ang)
    felt = (cc * omega).dot(ang)
    share = over(m.density, size)
    omega_bar = omega_bar - share * (both * cc * omega + felt * pa + pa.dot(omega) * cc * ang)
    omega_bar = omega_bar + over(share * pa.dot(omega) * felt, size * size) * cc * omega
    # lift:  lift (y t1 + t2),  y = b2 / n - b1 / q - b3 / d,  the derivative of log lift
    a = m.flow_area[e]
    n, d, q = forms(a, u)
    a1 = pl.dot(u)
    a2 = pl.dot(a * u)
    b1 = u.dot(lin)
    b2 = (a * u).dot(lin)
    b3 = (a * u).dot(a * lin)
    c1 = pl.dot(lin)
    c2 = pl.dot(a * lin)
    lift = whole * m.flow_kutta[e] * ti.sqrt(over(n, q * d))
    y = over(b2, n) - over(b1, q) - over(b3, d)
    t1 = n * a1 - q * a2
    t2 = 2.0 * (b2 * a1 - b1 * a2) + n * c1 - q * c2
    y_bar = lift * t1
    half = 0.5 * lift * (y * t1 + t2)
    a1_bar = lift * (y * n + 2.0 * b2)
    a2_bar = -lift * (y * q + 2.0 * b1)
    n_bar = lift * (y * a1 + c1) + over(half, n) - over(y_bar * b2, n * n)
    q_bar = -lift * (y * a2 + c2) - over(half, q) + over(y_bar * b1, q * q)
    d_bar = over(y_bar * b3, d * d) - over(half, d)
    b1_bar = -2.0 * lift * a2 - over(y_bar, q)
    b2_bar = 2.0 * lift * a1 + over(y_bar, n)
    b3_bar = -over(y_bar, d)
    # drag:  -slide c1 - across t3 - grown a1,  across = shadow + slender,  grown = speed shadow z
    speed = ti.sqrt(q)
    shadow = m.flow_blunt[e] * ti.sqrt(over(d, n))
    across = shadow + m.flow_slender[e]
    t3 = over(b1 * a1, speed) + speed * c1
    z = over(b3, d) - over(b2, n)
    grown = speed * shadow * z
    shadow_bar = -t3 - speed * z * a1
    z_bar = -speed * shadow * a1
    speed_bar = -across * (c1 - over(b1 * a1, q)) - shadow * z * a1
    a1_bar = a1_bar - across * over(b1, speed) - grown
    b1_bar = b1_bar - across * over(a1, speed)
    b3_bar = b3_bar + over(z_bar, d)
    b2_bar = b2_bar - over(z_bar, n)
    d_bar = d_bar - over(z_bar * b3, d * d) + over(0.5 * shadow_bar * shadow, d)
    n_bar = n_bar + over(z_bar * b2, n * n) - over(0.5 * shadow_bar * shadow, n)
    q_bar = q_bar + over(0.5 * speed_bar, speed)
    u_bar = u_bar + a1_bar * pl + a2_bar * a * pl + b1_bar * lin + b2_bar * a * lin + b3_bar * a * a * lin
    return omega_bar, u_bar + 2.0 * (n_bar * a + d_bar * a * a + q_bar) * u


# ------------------------------------------------------------------------------------------------- of a whole body


@ti.func
def by_ellipsoids(m: ti.template(), b: ti.i32):
    """Whether body b's geoms are taken for ellipsoids, not its inertia for a box: 0, 1 or LONE_FLOW."""
    r = 0
    if m.nflow > 0:
        r = m.body_flows[b]
    return r


@ti.func
def whole_slope(m: ti.template(), b: ti.i32):
    """Whether the integrator takes body b's D as it is, not the symmetric part."""
    return m.integrator == IMPLICIT or m.body_flows[b] == LONE_FLOW


@ti.func
def flow_frame(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """The axes of geom e of the table, and its centre from the origin."""
    b = m.flow_body[e]
    k = bounded(w * m.nbody + b)
    x = m.flow_geom[e]
    q = quat_mul(d.xquat[k], m.geom_quat[x])
    return q, d.xpos[k] + rotate(d.xquat[k], m.geom_pos[x]) - origin(m, d, w, b)


@ti.func
def seen_by(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, q: ti.template(), r: vec3):
    """The velocity of body b about the origin relative to the wind, and omega and u of a geom in the axes q at r."""
    k = bounded(w * m.nbody + b)
    v = d.vel_lin[k] - vec3(m.wind_x, m.wind_y, m.wind_z)
    return d.vel_ang[k], v, rotate_back(q, d.vel_ang[k]), rotate_back(q, v + d.vel_ang[k].cross(r))


@ti.func
def pair_in(q: ti.template(), r: vec3, pa: vec3, pl: vec3, ea: vec3, el: vec3):
    """Two motions about the origin in the axes q at r."""
    return rotate_back(q, pa), rotate_back(q, pl + pa.cross(r)), rotate_back(q, ea), rotate_back(q, el + ea.cross(r))


@ti.func
def unit(i: ti.i32):
    return vec3(ti.cast(i == 0, real), ti.cast(i == 1, real), ti.cast(i == 2, real))


@serves("ellipsoid_fluid")
@ti.func
def ellipsoid_flows(m: ti.template(), d: ti.template(), w: ti.i32, wind: vec3):
    """fluid_ang, fluid_lin of such bodies: the wrench about the origin, and D about it by its columns."""
    zero = vec3(0.0, 0.0, 0.0)
    for e in range(m.nflow):
        b = m.flow_body[e]
        k = bounded(w * m.nbody + b)
        if m.flow_first[e]:
            d.fluid_ang[k] = zero
            d.fluid_lin[k] = zero
            for i in range(6):
                for column in ti.static((d.flow_ang, d.flow_lin)):
                    column[6 * k + i] = zero
        q, r = flow_frame(m, d, w, e)
        omega = rotate_back(q, d.vel_ang[k])
        u = rotate_back(q, d.vel_lin[k] + d.vel_ang[k].cross(r) - wind)
        torque, force = ellipsoid_force(m, e, omega, u)
        f = rotate(q, force)
        d.fluid_ang[k] = d.fluid_ang[k] + rotate(q, torque) + r.cross(f)
        d.fluid_lin[k] = d.fluid_lin[k] + f
        for i in range(6):
            ang = unit(i)
            lin = rotate_back(q, unit(i - 3) + ang.cross(r))
            ang = rotate_back(q, ang)
            c = 6 * k + i
            torque, force = ellipsoid_slope(m, e, omega, u, ang, lin)
            f = rotate(q, force)
            d.flow_ang[c] = d.flow_ang[c] - rotate(q, torque) - r.cross(f)
            d.flow_lin[c] = d.flow_lin[c] - f


@ti.func
def matrix_mul(ang: ti.template(), lin: ti.template(), k: ti.i32, x: vec3, y: vec3):
    """The matrix with columns (ang, lin) from 6 k on, times (x, y)."""
    ra = vec3(0.0, 0.0, 0.0)
    rl = vec3(0.0, 0.0, 0.0)
    for i in ti.static(range(3)):
        ra = ra + x[i] * ang[6 * k + i] + y[i] * ang[6 * k + 3 + i]
        rl = rl + x[i] * lin[6 * k + i] + y[i] * lin[6 * k + 3 + i]
    return ra, rl


@ti.func
def matrix_mul_back(ang: ti.template(), lin: ti.template(), k: ti.i32, x: vec3, y: vec3):
    """Its transpose, times (x, y)."""
    ra = vec3(0.0, 0.0, 0.0)
    rl = vec3(0.0, 0.0, 0.0)
    for i in ti.static(range(3)):
        ra[i] = x.dot(ang[6 * k + i]) + y.dot(lin[6 * k + i])
        rl[i] = x.dot(ang[6 * k + 3 + i]) + y.dot(lin[6 * k + 3 + i])
    return ra, rl


@ti.func
def even_slope(d: ti.template(), k: ti.i32, x: vec3, y: vec3):
    """The symmetric part of D, times (x, y)."""
    a, l = matrix_mul(d.flow_ang, d.flow_lin, k, x, y)
    ta, tl = matrix_mul_back(d.flow_ang, d.flow_lin, k, x, y)
    return 0.5 * (a + ta), 0.5 * (l + tl)


@ti.func
def odd_slope(d: ti.template(), k: ti.i32, x: vec3, y: vec3):
    """The antisymmetric part of D, times (x, y)."""
    a, l = matrix_mul(d.flow_ang, d.flow_lin, k, x, y)
    ta, tl = matrix_mul_back(d.flow_ang, d.flow_lin, k, x, y)
    return 0.5 * (a - ta), 0.5 * (l - tl)


@serves("ellipsoid_fluid")
@ti.func
def add_odd_flows(m: ti.template(), d: ti.template(), w: ti.i32):
    """For `implicit`: MhD gains h times the antisymmetric parts of D below the diagonal, MhU above it."""
    for e in range(m.nflow):
        b = m.flow_body[e]
        if m.flow_first[e] and m.body_mass[b] >= MINVAL:
            i = m.body_lastdof[b]
            while i >= 0:
                s = bounded(w * m.nv + i)
                ang, lin = odd_slope(d, bounded(w * m.nbody + b), d.cdof_ang[s], d.cdof_lin[s])
                at = diagonal_at(m, w, i)
                j = m.tree_parent[i]
                while j >= 0:
                    at = at - 1
                    t = bounded(w * m.nv + j)
                    x = m.timestep * (d.cdof_ang[t].dot(ang) + d.cdof_lin[t].dot(lin))
                    d.MhU[at] = d.MhU[at] + x
                    d.MhD[at] = d.MhD[at] - x
                    j = m.tree_parent[j]
                i = m.tree_parent[i]


@ti.func
def body_drag(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, wind: vec3, ang: vec3, lin: vec3):
    """What the drag's slopes on body b make of a change (ang, lin) of V, about the origin."""
    k = bounded(w * m.nbody + b)
    a = vec3(0.0, 0.0, 0.0)
    l = vec3(0.0, 0.0, 0.0)
    for e in range(m.nflow):
        if m.flow_body[e] == b:
            q, r = flow_frame(m, d, w, e)
            omega = rotate_back(q, d.vel_ang[k])
            u = rotate_back(q, d.vel_lin[k] + d.vel_ang[k].cross(r) - wind)
            turn, slide = drag_slope(m, e, omega, u, rotate_back(q, ang), rotate_back(q, lin + ang.cross(r)))
            f = rotate(q, slide)
            a = a + rotate(q, turn) + r.cross(f)
            l = l + f
    return a, l
