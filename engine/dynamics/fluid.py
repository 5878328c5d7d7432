"""Forces of the fluid around the robot on bodies that are taken for boxes (MuJoCo documentation, Computation, "Passive
forces": the model of the inertia box). Those whose geoms are taken for ellipsoids have theirs in ellipsoid_fluid.py;
wrenches and slopes of either are of the whole body, about the origin, so that what follows from them is here.

The box has the body's mass and inertia: b_i^2 = 6 (I_j + I_k - I_i) / mass. With omega and u, the angular velocity of
the body and that of its centre of mass relative to the wind, in its principal axes, torque and force there are

    -(pi d^3 beta + rho b_i (b_j^4 + b_k^4) |omega_i| / 64) omega_i,    -(3 pi d beta + rho b_j b_k |u_i| / 2) u_i

d the mean of the box's sides, beta the fluid's viscosity, rho its density.

The implicit integrators take D = sum of J^T B J for it, B minus the derivative of F by V, which is symmetric.

Adjoint of -sum of L . F, L a body's motion by z: F is fixed to the body but for the wind, which is taken off V.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.crba import diagonal_at, pulled_above, pulled_above_vjp
from engine.dynamics.ellipsoid_fluid import (
    body_drag,
    by_ellipsoids,
    ellipsoid_flows,
    even_slope,
    matrix_mul,
    matrix_mul_back,
    whole_slope,
)
from engine.dynamics.ellipsoid_frames import ellipsoid_slopes_vjp, flow_frames_vjp
from engine.dynamics.frame_leaves import add_inertia_bars, moved_frame
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.spatial import cross_force
from engine.math.types import MINVAL, vec3
from engine.model.constants import DISCRETE

AXES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))  # each with the two others


@ti.func
def wind(m: ti.template()):
    return vec3(m.wind_x, m.wind_y, m.wind_z)


@ti.func
def box_of(m: ti.template(), b: ti.i32):
    """Sides of body b's box."""
    sides = vec3(0.0, 0.0, 0.0)
    for i, j, k in ti.static(AXES):
        square = m.body_inertia[b, j] + m.body_inertia[b, k] - m.body_inertia[b, i]
        sides[i] = ti.sqrt(ti.max(MINVAL, square) / m.body_mass[b] * 6.0)
    return sides


@ti.func
def drag_of(m: ti.template(), box: vec3):
    """Torque over -omega and force over -u at rest, and how they grow with |omega_i| and |u_i|."""
    d = (box[0] + box[1] + box[2]) / 3.0
    turn = ti.math.pi * m.viscosity * d * d * d
    slide = 3.0 * ti.math.pi * m.viscosity * d
    turns = vec3(0.0, 0.0, 0.0)
    slides = vec3(0.0, 0.0, 0.0)
    for i, j, k in ti.static(AXES):
        turns[i] = m.density / 64.0 * box[i] * (box[j] ** 4 + box[k] ** 4)
        slides[i] = m.density / 2.0 * box[j] * box[k]
    return turn, slide, turns, slides


@ti.func
def in_fluid(m: ti.template(), b: ti.i32):
    """Whether there is one that does something to body b: b moves, and MuJoCo leaves out what weighs nothing."""
    return (m.density > 0 or m.viscosity > 0) and m.body_lastdof[b] >= 0 and m.body_mass[b] >= MINVAL


@ti.func
def in_box(m: ti.template(), b: ti.i32):
    """Whether body b's inertia is taken for a box, not its geoms for ellipsoids."""
    r = True
    if ti.static(has.ellipsoid_fluid):
        r = by_ellipsoids(m, b) == 0
    return r


@ti.func
def axes(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """Principal axes of body b and its centre of mass from the origin."""
    k = bounded(w * m.nbody + b)
    return quat_mul(d.xquat[k], m.body_iquat[b]), d.xipos[k] - origin(m, d, w, b)


@ti.func
def about_origin(q, r: vec3, torque: vec3, force: vec3):
    """The wrench about the origin, in the world's axes, of one at the centre of mass in principal axes."""
    f = rotate(q, force)
    return rotate(q, torque) + r.cross(f), f


@ti.func
def flows(m: ti.template(), d: ti.template(), w: ti.i32):
    """Of each body its box, omega and u, the wrench F, and minus the derivatives of torque and force by omega and u; of
    one of ellipsoids the wrench and columns of slopes."""
    ellipsoid_flows(m, d, w, wind(m))
    for b in range(1, m.nbody):
        if in_fluid(m, b) and in_box(m, b):
            k = bounded(w * m.nbody + b)
            q, r = axes(m, d, w, b)
            box = box_of(m, b)
            omega = rotate_back(q, d.vel_ang[k])
            u = rotate_back(q, d.vel_lin[k] + d.vel_ang[k].cross(r) - wind(m))
            turn, slide, turns, slides = drag_of(m, box)
            turns = turns * ti.abs(omega)
            slides = slides * ti.abs(u)
            fa, fl = about_origin(q, r, -(turn + turns) * omega, -(slide + slides) * u)
            d.fluid_box[k] = box
            d.fluid_omega[k] = omega
            d.fluid_u[k] = u
            d.fluid_ang[k] = fa
            d.fluid_lin[k] = fl
            d.fluid_turn[k] = turn + 2.0 * turns
            d.fluid_slide[k] = slide + 2.0 * slides


@ti.func
def slope_of(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, q, r: vec3, ang: vec3, lin: vec3,
             back: ti.i32):  # fmt: skip
    """B times a change (ang, lin) of V or, with `back`, its transpose, which differs for ellipsoids."""
    k = bounded(w * m.nbody + b)
    turn = d.fluid_turn[k] * rotate_back(q, ang)
    a, l = about_origin(q, r, turn, d.fluid_slide[k] * rotate_back(q, lin + ang.cross(r)))
    if ti.static(has.ellipsoid_fluid):
        if by_ellipsoids(m, b):
            if back:
                a, l = matrix_mul_back(d.flow_ang, d.flow_lin, k, ang, lin)
            else:
                a, l = matrix_mul(d.flow_ang, d.flow_lin, k, ang, lin)
    return a, l


@ti.func
def implicit_slope_of(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, q, r: vec3, ang: vec3, lin: vec3,
                      side: ti.i32):  # fmt: skip
    """The same of what the integrators take: 0 of its symmetric part, else of all of it, with -1 of its transpose. Of
    ellipsoids the integrator discrete takes the drag alone."""
    a, l = slope_of(m, d, w, b, q, r, ang, lin, side < 0)
    if ti.static(has.ellipsoid_fluid):
        if by_ellipsoids(m, b):
            if m.integrator == DISCRETE:
                if ti.static(has.discrete):
                    a, l = body_drag(m, d, w, b, wind(m), ang, lin)
            elif side == 0 or not whole_slope(m, b):
                a, l = even_slope(d, bounded(w * m.nbody + b), ang, lin)
    return a, l


@ti.func
def drags(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_passive gains the fluid's forces."""
    for b in range(1, m.nbody):
        if in_fluid(m, b):
            k = bounded(w * m.nbody + b)
            i = m.body_lastdof[b]
            while i >= 0:
                s = bounded(w * m.nv + i)
                f = d.cdof_ang[s].dot(d.fluid_ang[k]) + d.cdof_lin[s].dot(d.fluid_lin[k])
                d.qfrc_passive[w, i] = d.qfrc_passive[w, i] + f
                i = m.tree_parent[i]


@outline("mdg", "w", when="fluid")
@ti.func
def fluid_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds -sum of L . dF to the adjoints of the bodies' motions and poses, masses and inertias."""
    for b in range(1, m.nbody):
        if in_fluid(m, b):
            k = bounded(w * m.nbody + b)
            q, r = axes(m, d, w, b)
            fa = d.fluid_ang[k]
            fl = d.fluid_lin[k]
            g.l_ang[k] = g.l_ang[k] - fa
            g.l_lin[k] = g.l_lin[k] - fl
            va, vl = slope_of(m, d, w, b, q, r, d.l_ang[k], d.l_lin[k], 1)
            g.vel_ang[k] = g.vel_ang[k] + va
            g.vel_lin[k] = g.vel_lin[k] + vl
            p1a, p1l = cross_force(d.l_ang[k], d.l_lin[k], fa, fl)
            p2a, p2l = cross_force(d.vel_ang[k], d.vel_lin[k] - wind(m), va, vl)
            g.pose_ang[k] = g.pose_ang[k] + p1a - p2a
            g.pose_lin[k] = g.pose_lin[k] + p1l - p2l
            if in_box(m, b):
                turn = d.fluid_omega[k] * rotate_back(q, d.l_ang[k])
                slide = d.fluid_u[k] * rotate_back(q, d.l_lin[k] + d.l_ang[k].cross(r))
                box_vjp(m, d, g, w, b, turn, slide, ti.abs(d.fluid_omega[k]) * turn, ti.abs(d.fluid_u[k]) * slide)
                if ti.static(has.inertia_leaf):
                    x1, t1 = moved_frame(r, d.l_ang[k], d.l_lin[k], -fa, -fl)
                    x2, t2 = moved_frame(r, d.vel_ang[k], d.vel_lin[k] - wind(m), va, vl)
                    add_inertia_bars(m, d, g, w, b, x1 + x2, t1 + t2)
            else:
                flow_frames_vjp(m, d, g, w, b)


@ti.func
def box_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, turn: vec3, slide: vec3,
            turns: vec3, slides: vec3):  # fmt: skip
    """From the adjoints of what `drag_of` gives (of the first two, their summands) to mass and inertia."""
    box = d.fluid_box[bounded(w * m.nbody + b)]
    side = (box[0] + box[1] + box[2]) / 3.0
    mean = ti.math.pi * m.viscosity * (side * side * turn.sum() + slide.sum())
    bar = vec3(mean, mean, mean)
    for i, j, k in ti.static(AXES):
        x = m.density / 64.0 * turns[i]
        bar[i] = bar[i] + x * (box[j] ** 4 + box[k] ** 4)
        bar[j] = bar[j] + 4.0 * x * box[i] * box[j] ** 3
        bar[k] = bar[k] + 4.0 * x * box[i] * box[k] ** 3
        y = m.density / 2.0 * slides[i]
        bar[j] = bar[j] + y * box[k]
        bar[k] = bar[k] + y * box[j]
    mass = m.body_mass[b]
    for i, j, k in ti.static(AXES):
        g.body_mass[w, b] = g.body_mass[w, b] - bar[i] * box[i] / (2.0 * mass)
        if m.body_inertia[b, j] + m.body_inertia[b, k] - m.body_inertia[b, i] > MINVAL:
            x = bar[i] * 3.0 / (mass * box[i])
            g.body_inertia[w, b, i] = g.body_inertia[w, b, i] - x
            g.body_inertia[w, b, j] = g.body_inertia[w, b, j] + x
            g.body_inertia[w, b, k] = g.body_inertia[w, b, k] + x


@ti.func
def fluid_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD gains h D, or its symmetric part; of the integrator discrete M, which is its metric."""
    for b in range(1, m.nbody):
        if in_fluid(m, b):
            q, r = axes(m, d, w, b)
            i = m.body_lastdof[b]
            while i >= 0:
                s = bounded(w * m.nv + i)
                ang, lin = implicit_slope_of(m, d, w, b, q, r, d.cdof_ang[s], d.cdof_lin[s], 0)
                e = diagonal_at(m, w, i)
                j = i
                end = -1
                if ti.static(has.discrete):
                    if m.integrator == DISCRETE and m.body_simple[b]:
                        end = m.tree_parent[i]  # of M MuJoCo has the diagonal alone, and there is room for no more
                while j != end:
                    t = bounded(w * m.nv + j)
                    x = m.timestep * (d.cdof_ang[t].dot(ang) + d.cdof_lin[t].dot(lin))
                    if m.integrator == DISCRETE:
                        d.M[e] = d.M[e] + x
                    else:
                        d.MhD[e] = d.MhD[e] + x
                    e = e - 1
                    j = m.tree_parent[j]
                i = m.tree_parent[i]


@ti.func
def slope_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, pa: vec3, pl: vec3, ea: vec3,
              el: vec3):  # fmt: skip
    """From P . B E of body b, P = (pa, pl) and E = (ea, el) motions of its own, to its velocity, pose, mass and
    inertia; returns the adjoints of P and E."""
    k = bounded(w * m.nbody + b)
    q, r = axes(m, d, w, b)
    b1a, b1l = implicit_slope_of(m, d, w, b, q, r, ea, el, 1)
    b2a, b2l = implicit_slope_of(m, d, w, b, q, r, pa, pl, -1)
    va = vec3(0.0, 0.0, 0.0)
    vl = vec3(0.0, 0.0, 0.0)
    if in_box(m, b):
        turn = rotate_back(q, pa) * rotate_back(q, ea)
        slide = rotate_back(q, pl + pa.cross(r)) * rotate_back(q, el + ea.cross(r))
        still, calm, turns, slides = drag_of(m, d.fluid_box[k])
        omega = d.fluid_omega[k]
        u = d.fluid_u[k]
        turns = 2.0 * turns * ti.math.sign(omega) * turn
        va, vl = about_origin(q, r, turns, 2.0 * slides * ti.math.sign(u) * slide)
        box_vjp(m, d, g, w, b, turn, slide, 2.0 * ti.abs(omega) * turn, 2.0 * ti.abs(u) * slide)
        if ti.static(has.inertia_leaf):
            u = d.vel_lin[k] - wind(m)
            for ya, yl, ba, bl in ti.static(((pa, pl, b1a, b1l), (ea, el, b2a, b2l), (d.vel_ang[k], u, va, vl))):
                place, twist = moved_frame(r, ya, yl, ba, bl)
                add_inertia_bars(m, d, g, w, b, place, twist)
    else:
        if ti.static(has.ellipsoid_fluid):
            va, vl = ellipsoid_slopes_vjp(m, d, g, w, b, wind(m), pa, pl, ea, el)
    g.vel_ang[k] = g.vel_ang[k] + va
    g.vel_lin[k] = g.vel_lin[k] + vl
    x1a, x1l = cross_force(pa, pl, b1a, b1l)
    x2a, x2l = cross_force(ea, el, b2a, b2l)
    x3a, x3l = cross_force(d.vel_ang[k], d.vel_lin[k] - wind(m), va, vl)
    g.pose_ang[k] = g.pose_ang[k] - x1a - x2a - x3a
    g.pose_lin[k] = g.pose_lin[k] - x1l - x2l - x3l
    return b1a, b1l, b2a, b2l


LU, PQ, PUQ, AXES_OF_DOFS = range(4)  # which motions `fluid_slopes_vjp` is at


@ti.func
def fluid_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, turned: ti.i32):
    """Adds h mu^T dD a_eff = sum of P . dB E, P and E the motions by h mu and by a_eff = a + (a_eff - a), of which the
    latter lies in Q; expects the adjoints of P and Q.

    For the integrator discrete: z^T h dD a, of the motions L and U, with `turned` mu^T h dD (a_eff - a), and what the
    diagonal of h D, whose adjoint is metric_bar, or with the flag diagexact all of it asks of the dofs' axes.
    """
    h = m.timestep
    pulled = m.diagexact and d.nblock[w] + d.nrow[w] > 0
    for b in range(1, m.nbody):
        if in_fluid(m, b):
            k = bounded(w * m.nbody + b)
            i = -1
            own = -1
            step = PUQ
            alone = 0
            if ti.static(has.discrete):
                if m.integrator == DISCRETE:
                    step = LU
                    i = m.body_lastdof[b]
                    alone = m.body_simple[b]
                    if alone:  # of a matrix that is diagonal
                        step = AXES_OF_DOFS
            while step < AXES_OF_DOFS or i >= 0:
                s = bounded(w * m.nv + ti.max(i, 0))
                f = h
                pa, pl, ea, el = d.p_ang[k], d.p_lin[k], d.q_ang[k], d.q_lin[k]
                if step == PUQ:
                    ea = ea + d.u_ang[k]
                    el = el + d.u_lin[k]
                if ti.static(has.discrete):
                    if step == LU:
                        pa, pl, ea, el = d.l_ang[k], d.l_lin[k], d.u_ang[k], d.u_lin[k]
                    elif step == PQ:
                        f = h * turned
                    elif step == AXES_OF_DOFS:
                        f = h * d.metric_bar[w, i]
                        if alone:
                            f = f + h * (d.z[w, i] * d.qacc[w, i] + turned * d.mu[w, i] * d.ma[w, i])
                        ea, el = d.cdof_ang[s], d.cdof_lin[s]
                        pa, pl = ea, el
                        if ti.static(has.diagexact):
                            if pulled and not alone:  # of all of it
                                f = h
                                pa, pl = pulled_above(m, d, w, i)
                        own = i
                        i = m.tree_parent[i]
                if f != 0:
                    b1a, b1l, b2a, b2l = slope_vjp(m, d, g, w, b, f * pa, f * pl, ea, el)
                    if step == PQ or step == PUQ:
                        g.p_ang[k] = g.p_ang[k] + f * b1a
                        g.p_lin[k] = g.p_lin[k] + f * b1l
                        g.q_ang[k] = g.q_ang[k] + b2a
                        g.q_lin[k] = g.q_lin[k] + b2l
                    if step == LU or step == PUQ:
                        g.u_ang[k] = g.u_ang[k] + b2a
                        g.u_lin[k] = g.u_lin[k] + b2l
                    if ti.static(has.discrete):
                        if step == LU:
                            g.l_ang[k] = g.l_ang[k] + f * b1a
                            g.l_lin[k] = g.l_lin[k] + f * b1l
                        elif step == AXES_OF_DOFS:
                            g.axis_ang[s] = g.axis_ang[s] + b2a
                            g.axis_lin[s] = g.axis_lin[s] + b2l
                            if pulled and not alone:
                                if ti.static(has.diagexact):
                                    pulled_above_vjp(m, d, g, w, own, f * b1a, f * b1l)
                            else:
                                g.axis_ang[s] = g.axis_ang[s] + f * b1a
                                g.axis_lin[s] = g.axis_lin[s] + f * b1l
                if step == LU:
                    step = PQ
                elif step < AXES_OF_DOFS:
                    step = AXES_OF_DOFS


@serves("fluid")
@ti.func
def fluid_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32, width: ti.i32):
    """The rows at lin_rows[o:], `width` numbers each, gain d(-qfrc)/dq and, behind m.ld, /dv of the fluid's forces.

    Seen from the body, dof j changes V less the wind W by psi_j + S_j x W (derivatives.py).
    """
    for b in range(1, m.nbody):
        if in_fluid(m, b):
            h = bounded(w * m.nbody + b)
            q, r = axes(m, d, w, b)
            j = m.body_lastdof[b]
            while j >= 0:
                t = bounded(w * m.nv + j)
                ta = d.cdof_ang[t]
                tl = d.cdof_lin[t]
                va, vl = slope_of(m, d, w, b, q, r, ta, tl, 0)
                pa, pl = slope_of(m, d, w, b, q, r, l.psi_ang[t], l.psi_lin[t] + ta.cross(wind(m)), 0)
                ca, cl = cross_force(ta, tl, d.fluid_ang[h], d.fluid_lin[h])
                i = m.body_lastdof[b]
                while i >= 0:
                    s = bounded(w * m.nv + i)
                    x = o + i * width + j
                    by_q = d.cdof_ang[s].dot(pa) + d.cdof_lin[s].dot(pl)
                    if i < j and m.dof_group[i] != m.dof_group[j]:  # axis i stays, the force moves
                        by_q = by_q - d.cdof_ang[s].dot(ca) - d.cdof_lin[s].dot(cl)
                    l.lin_rows[x] = l.lin_rows[x] + by_q
                    l.lin_rows[x + m.ld] = l.lin_rows[x + m.ld] + d.cdof_ang[s].dot(va) + d.cdof_lin[s].dot(vl)
                    i = m.tree_parent[i]
                j = m.tree_parent[j]
