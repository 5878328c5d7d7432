"""The constraints of a step: what the solver reads of them, their law, and the adjoint of z^T (-J^T f).

Dry friction and scalar limits are rows with one nonzero (rows.py). A contact is a block of up to three rows
(normal, two tangents) whose columns are one 3-vector per dof of the two bodies' chains. A limited ball joint is a block
with one row (ball_limit.py). Reference acceleration: aref = -B J v - K imp (pos - margin), the second part for the
normal row alone; an elliptic cone's tangents have the B of solreffriction, where the pair has one.

Adjoint, with y = J z - f_bar (f_bar: what sensors ask of the force) and everything evaluated at the solution:
    z^T d(-J^T f) + f_bar . df = -f . d(J z) + K y . (d(J a) + B d(J v)) + K y_n d(K imp (pos - margin)) - y . f dD / D
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.contact.ball_limit import ball_limit_vjp, ball_limits
from engine.contact.collide import collide, collide_vjp
from engine.contact.impedance import impedance, reference
from engine.contact.jacobian import add_transpose, chain_mul, elimination_tree, jacobian
from engine.contact.law import contact_law, friction_vjp
from engine.contact.rows import row_law, rows
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.spatial import sym_mul
from engine.math.types import MINVAL, real, vec3


@ti.func
def contact_params(m: ti.template(), d: ti.template(), c: ti.i32):
    """D, reference and impedance of contact c; its first row's pos - margin."""
    pair = d.con_pair[c]
    dist = d.con_dist[c]
    imp = real(0.0)
    slope = real(0.0)
    k = real(0.0)
    b = real(0.0)
    bt = real(0.0)
    R = real(0.0)
    if pair < 0:
        if ti.static(has.ball_limit):
            j = -1 - pair
            dist = dist - m.jnt_margin[j]
            imp, slope = impedance(m.jnt_solimp, j, dist)
            k, b = reference(m.jnt_solref, m.jnt_solimp, j, m.timestep, m.refsafe)
            R = (1 - imp) / imp * m.jnt_diaga[j]
    else:
        dist = dist - m.pair_margin[pair]
        imp, slope = impedance(m.pair_solimp, pair, dist)
        k, b = reference(m.pair_solref, m.pair_solimp, pair, m.timestep, m.refsafe)
        bt = b
        if m.cone == 1 and (m.pair_solreffriction[pair, 0] != 0 or m.pair_solreffriction[pair, 1] != 0):
            _, bt = reference(m.pair_solreffriction, m.pair_solimp, pair, m.timestep, m.refsafe)
        R = (1 - imp) / imp * m.pair_diaga[pair]
        if d.con_dim[c] > 1 and m.cone == 0:
            # all four edges share one regularisation, scaled so that the cone's friction is impratio's
            mu = m.pair_friction[pair, 0]
            R = R * (1 + mu * mu) * 2 * mu * mu / m.impratio
    d.con_d[c] = 1.0 / ti.max(MINVAL, R)
    d.con_b[c] = b
    d.con_bt[c] = bt
    d.con_kp[c] = k
    d.con_imp[c] = imp
    d.con_impp[c] = slope
    return k * imp * dist


@ti.func
def contact_damping(d: ti.template(), c: ti.i32):
    """B of contact c's three rows."""
    bt = d.con_bt[c]
    return vec3(d.con_b[c], bt, bt)


@ti.func
def detect(m: ti.template(), d: ti.template(), w: ti.i32):
    """Finds the rows and blocks, where the geoms are.

    More contacts than the capacity leave their number in nneed; the caller stops the world.
    """
    rows(m, d, w)
    d.ncon[w] = 0
    collide(m, d, w)
    ball_limits(m, d, w)
    d.nneed[w] = d.ncon[w]
    d.ncon[w] = ti.min(d.ncon[w], m.nconmax)


@serves("block")
@ti.func
def constraint_blocks(m: ti.template(), d: ti.template(), w: ti.i32):
    """The blocks' share of `constraint`."""
    for k in range(d.ncon[w]):
        c = bounded(w * m.nconmax + k)
        jacobian(m, d, w, c)
        push = contact_params(m, d, c)
        jar = chain_mul(m, d, w, c, d.qacc) + contact_damping(d, c) * chain_mul(m, d, w, c, d.qvel)
        jar[0] = jar[0] + push
        d.con_jar[c] = jar
        d.con_jv[c] = vec3(0.0, 0.0, 0.0)
        d.con_fbar[c] = vec3(0.0, 0.0, 0.0)


@ti.func
def constraint(m: ti.template(), d: ti.template(), w: ti.i32):
    """What the solver reads of all rows and blocks, with jar = J a - aref for the acceleration qacc."""
    elimination_tree(m, d, w)
    constraint_blocks(m, d, w)
    for k in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + k)
        d.row_jar[i] = d.row_sign[i] * d.qacc[w, d.row_dof[i]] - d.row_aref[i]


@ti.func
def evaluate(m: ti.template(), d: ti.template(), w: ti.i32, alpha: real, search: ti.template()):
    """Forces and stiffnesses at jar + alpha J search; returns d/dalpha and d2/dalpha2 of s, and whether a zone changed.

    Zone 64 (a cone's curved part) counts as a change, since the quadratic there is not exact.
    """
    d1 = real(0.0)
    d2 = real(0.0)
    changed = 0
    impratio = m.impratio
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        jv = d.row_sign[i] * search[w, d.row_dof[i]]
        f, k, zone = row_law(d.row_kind[i], d.row_jar[i] + alpha * jv, d.row_d[i], d.row_floss[i])
        d.row_force[i] = f
        d.row_k[i] = k
        if zone != d.row_zone[i]:
            changed = 1
        d.row_zone[i] = zone
        d1 = d1 - f * jv
        d2 = d2 + k * jv * jv
    if ti.static(has.block):
        for r in range(d.ncon[w]):
            c = bounded(w * m.nconmax + r)
            pair = d.con_pair[c]
            jv = d.con_jv[c]
            f, kd, ko, zone = contact_law(
                d.con_jar[c] + alpha * jv, d.con_dim[c], m.cone, d.con_d[c],
                m.pair_friction[ti.max(pair, 0), 0], m.pair_friction[ti.max(pair, 0), 1], impratio,
            )  # fmt: skip
            d.con_force[c] = f
            d.con_kd[c] = kd
            d.con_ko[c] = ko
            if zone != d.con_zone[c] or zone == 64:
                changed = 1
            d.con_zone[c] = zone
            d1 = d1 - f.dot(jv)
            d2 = d2 + jv.dot(sym_mul(kd, ko, jv))
    return d1, d2, changed


@serves("block")
@ti.func
def constraint_bar(m: ti.template(), d: ti.template(), w: ti.i32):
    """Before the solve: a_bar gains J^T (-K f_bar), what sensors of contact forces ask of the acceleration."""
    for r in range(d.ncon[w]):
        c = bounded(w * m.nconmax + r)
        f_bar = d.con_fbar[c]
        if f_bar.dot(f_bar) > 0:
            add_transpose(m, d, w, c, -1.0 * sym_mul(d.con_kd[c], d.con_ko[c], f_bar), d.a_bar)


@ti.func
def relative_velocity(m: ti.template(), d: ti.template(), w: ti.i32, ang: ti.template(), lin: ti.template(), b1: ti.i32,
                      b2: ti.i32, pos: vec3):  # fmt: skip
    """Of body 2 against body 1 at pos, for the motion in columns (ang, lin): linear and angular."""
    o1 = bounded(w * m.nbody + b1)
    o2 = bounded(w * m.nbody + b2)
    w1 = ang[o1]
    w2 = ang[o2]
    v1 = lin[o1] + w1.cross(pos - origin(m, d, w, b1))
    v2 = lin[o2] + w2.cross(pos - origin(m, d, w, b2))
    return v2 - v1, w2 - w1


@ti.func
def add_wrench(ang: ti.template(), lin: ti.template(), h: ti.i32, r: vec3, f: vec3):
    """Adds the force f at r to body h's motion adjoint in columns (ang, lin)."""
    ang[h] = ang[h] + r.cross(f)
    lin[h] = lin[h] + f


@ti.func
def contact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, y: vec3):
    """The adjoint of contact c's block, from y to its bodies' motions and poses and to friction."""
    pair = d.con_pair[c]
    f = d.con_force[c]
    ky = sym_mul(d.con_kd[c], d.con_ko[c], y)
    B = contact_damping(d, c)
    imp = d.con_imp[c]
    slope = d.con_impp[c]
    margin = real(0.0)
    if pair < 0:
        margin = m.jnt_margin[-1 - pair]
    else:
        margin = m.pair_margin[pair]
    dist_bar = ky[0] * d.con_kp[c] * (imp + slope * (d.con_dist[c] - margin)) - y.dot(
        f
    ) * slope / (imp * (1 - imp))
    if pair < 0:
        ball_limit_vjp(m, d, g, w, c, -1 - pair, f[0], ky[0], B[0] * ky[0], dist_bar)
    else:
        pair_contact_vjp(m, d, g, w, c, y, f, ky, B, dist_bar)


@serves("contact")
@ti.func
def pair_contact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, y: vec3, f: vec3,
                     ky: vec3, B: vec3, dist_bar: real):  # fmt: skip
    """That of a pair's contact, from y, f, K y, B and the distance's own."""
    pair = d.con_pair[c]
    pos = d.con_pos[c]
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    t2 = d.con_tangent2[c]
    b1 = d.con_body1[c]
    b2 = d.con_body2[c]
    r1 = pos - origin(m, d, w, b1)
    r2 = pos - origin(m, d, w, b2)
    h1 = bounded(w * m.nbody + b1)
    h2 = bounded(w * m.nbody + b2)
    p_bar = vec3(0.0, 0.0, 0.0)
    n_bar = vec3(0.0, 0.0, 0.0)
    t1_bar = vec3(0.0, 0.0, 0.0)
    t2_bar = vec3(0.0, 0.0, 0.0)
    for x in ti.static(range(3)):
        # the three motions that J multiplies: test vector, acceleration, velocity
        e = ti.static((-1.0, 1.0, 1.0)[x]) * f
        if ti.static(x == 1):
            e = ky
        if ti.static(x == 2):
            e = B * ky
        G = e[0] * n + e[1] * t1 + e[2] * t2
        ang, lin = ti.static(((d.l_ang, d.l_lin), (d.u_ang, d.u_lin), (d.vel_ang, d.vel_lin))[x])
        u, omega = relative_velocity(m, d, w, ang, lin, b1, b2, pos)
        p_bar = p_bar + G.cross(omega)
        n_bar = n_bar + e[0] * u
        t1_bar = t1_bar + e[1] * u
        t2_bar = t2_bar + e[2] * u
        ang_bar, lin_bar = ti.static(((g.l_ang, g.l_lin), (g.u_ang, g.u_lin), (g.vel_ang, g.vel_lin))[x])
        add_wrench(ang_bar, lin_bar, h1, r1, -1.0 * G)
        add_wrench(ang_bar, lin_bar, h2, r2, G)
    collide_vjp(m, d, g, w, c, dist_bar, p_bar, n_bar, t1_bar, t2_bar)
    if d.con_dim[c] > 1:
        mu = m.pair_friction[pair, 0]
        bar0, bar1 = friction_vjp(
            d.con_jar[c], y, m.cone, d.con_d[c], mu, m.pair_friction[pair, 1], m.impratio
        )
        if m.cone == 0:
            # D ~ 1 / (mu^2 (1 + mu^2)), and f is proportional to D
            bar0 = bar0 - y.dot(f) * (2 / mu + 2 * mu / (1 + mu * mu))
        g.pair_friction[w, pair, 0] = g.pair_friction[w, pair, 0] - bar0
        g.pair_friction[w, pair, 1] = g.pair_friction[w, pair, 1] - bar1


@serves("block")
@ti.func
def contacts_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) of the blocks and what sensors ask of f; expects the motions L, U, V and the law at the
    solution."""
    for r in range(d.ncon[w]):
        c = w * m.nconmax + r
        y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
        contact_vjp(m, d, g, w, c, y)
