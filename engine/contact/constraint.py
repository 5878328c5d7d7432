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
from engine.schema import (
    C_B,
    C_BODY1,
    C_BODY2,
    C_BT,
    C_D,
    C_DIM,
    C_DIST,
    C_F,
    C_FBAR,
    C_IMP,
    C_IMPP,
    C_JAR,
    C_JV,
    C_KD,
    C_KO,
    C_KP,
    C_N,
    C_PAIR,
    C_POS,
    C_T1,
    C_T2,
    C_ZONE,
    CONE,
    IMPRATIO,
    J_DIAGA,
    J_MARGIN,
    J_SOLIMP,
    J_SOLREF,
    L_ANG,
    LB_ANG,
    NBAR,
    NBODY,
    NCI,
    NCONMAX,
    NCR,
    NCV,
    NJR,
    NPR,
    NQR,
    NRI,
    NROWMAX,
    NRR,
    NTHETA,
    NV,
    NWI,
    NXV,
    P_DIAGA,
    P_MARGIN,
    P_SOLIMP,
    P_SOLREF,
    P_SOLREFFRICTION,
    QACC,
    R_AREF,
    R_D,
    R_DOF,
    R_F,
    R_FLOSS,
    R_JAR,
    R_K,
    R_KIND,
    R_SIGN,
    R_ZONE,
    REFSAFE,
    T_PAIRFRICTION,
    TIMESTEP,
    U_ANG,
    UB_ANG,
    V_ANG,
    VB_ANG,
    W_NCON,
    W_NEED,
    W_NROW,
    Z,
)  # fmt: skip


@ti.func
def contact_params(m: ti.template(), d: ti.template(), c: ti.i32):
    """D, reference and impedance of contact c; its first row's pos - margin."""
    pair = d.con_i[c * NCI + C_PAIR]
    dist = d.con_r[c * NCR + C_DIST]
    imp = real(0.0)
    slope = real(0.0)
    k = real(0.0)
    b = real(0.0)
    bt = real(0.0)
    R = real(0.0)
    if pair < 0:
        if ti.static(has.ball_limit):
            o = (-1 - pair) * NJR
            dist = dist - m.jnt_r[o + J_MARGIN]
            imp, slope = impedance(m.jnt_r, o + J_SOLIMP, dist)
            k, b = reference(m.jnt_r, o + J_SOLREF, o + J_SOLIMP, m.opt[TIMESTEP], m.opt[REFSAFE])
            R = (1 - imp) / imp * m.jnt_r[o + J_DIAGA]
    else:
        o = pair * NPR
        dist = dist - m.pair_r[o + P_MARGIN]
        imp, slope = impedance(m.pair_r, o + P_SOLIMP, dist)
        k, b = reference(m.pair_r, o + P_SOLREF, o + P_SOLIMP, m.opt[TIMESTEP], m.opt[REFSAFE])
        bt = b
        t = o + P_SOLREFFRICTION
        if m.dims[CONE] == 1 and (m.pair_r[t] != 0 or m.pair_r[t + 1] != 0):
            _, bt = reference(m.pair_r, t, o + P_SOLIMP, m.opt[TIMESTEP], m.opt[REFSAFE])
        R = (1 - imp) / imp * m.pair_r[o + P_DIAGA]
        if d.con_i[c * NCI + C_DIM] > 1 and m.dims[CONE] == 0:
            # all four edges share one regularisation, scaled so that the cone's friction is impratio's
            mu = m.theta[m.dims[T_PAIRFRICTION] + 5 * pair]
            R = R * (1 + mu * mu) * 2 * mu * mu / m.opt[IMPRATIO]
    d.con_r[c * NCR + C_D] = 1.0 / ti.max(MINVAL, R)
    d.con_r[c * NCR + C_B] = b
    d.con_r[c * NCR + C_BT] = bt
    d.con_r[c * NCR + C_KP] = k
    d.con_r[c * NCR + C_IMP] = imp
    d.con_r[c * NCR + C_IMPP] = slope
    return k * imp * dist


@ti.func
def contact_damping(d: ti.template(), c: ti.i32):
    """B of contact c's three rows."""
    bt = d.con_r[c * NCR + C_BT]
    return vec3(d.con_r[c * NCR + C_B], bt, bt)


@ti.func
def detect(m: ti.template(), d: ti.template(), w: ti.i32):
    """Finds the rows and blocks, where the geoms are.

    More contacts than the capacity leave their number in W_NEED; the caller stops the world.
    """
    rows(m, d, w)
    d.world_i[w * NWI + W_NCON] = 0
    collide(m, d, w)
    ball_limits(m, d, w)
    d.world_i[w * NWI + W_NEED] = d.world_i[w * NWI + W_NCON]
    d.world_i[w * NWI + W_NCON] = ti.min(d.world_i[w * NWI + W_NCON], m.dims[NCONMAX])


@serves("block")
@ti.func
def constraint_blocks(m: ti.template(), d: ti.template(), w: ti.i32, ao: ti.i32):
    """The blocks' share of `constraint`; the acceleration lies at dofr[ao:]."""
    nv = m.dims[NV]
    for k in range(d.world_i[w * NWI + W_NCON]):
        c = bounded(w * m.dims[NCONMAX] + k)
        jacobian(m, d, w, c)
        push = contact_params(m, d, c)
        jar = chain_mul(m, d, w, c, d.dofr, ao) + contact_damping(d, c) * chain_mul(m, d, w, c, d.qvel, w * nv)
        jar[0] = jar[0] + push
        d.con_v[c * NCV + C_JAR] = jar
        d.con_v[c * NCV + C_JV] = vec3(0.0, 0.0, 0.0)
        d.con_v[c * NCV + C_FBAR] = vec3(0.0, 0.0, 0.0)


@ti.func
def constraint(m: ti.template(), d: ti.template(), w: ti.i32):
    """What the solver reads of all rows and blocks, with jar = J a - aref for the acceleration QACC."""
    nv = m.dims[NV]
    ao = w * nv * NQR + QACC * nv
    elimination_tree(m, d, w)
    constraint_blocks(m, d, w, ao)
    for k in range(d.world_i[w * NWI + W_NROW]):
        i = bounded(w * m.dims[NROWMAX] + k)
        o = i * NRR
        d.row_r[o + R_JAR] = d.row_r[o + R_SIGN] * d.dofr[ao + d.row_i[i * NRI + R_DOF]] - d.row_r[o + R_AREF]


@ti.func
def evaluate(m: ti.template(), d: ti.template(), w: ti.i32, alpha: real, search: ti.i32):
    """Forces and stiffnesses at jar + alpha J search; returns d/dalpha and d2/dalpha2 of s, and whether a zone changed.

    Zone 64 (a cone's curved part) counts as a change, since the quadratic there is not exact.
    """
    d1 = real(0.0)
    d2 = real(0.0)
    changed = 0
    impratio = m.opt[IMPRATIO]
    for r in range(d.world_i[w * NWI + W_NROW]):
        i = bounded(w * m.dims[NROWMAX] + r)
        o = i * NRR
        jv = d.row_r[o + R_SIGN] * d.dofr[search + d.row_i[i * NRI + R_DOF]]
        f, k, zone = row_law(
            d.row_i[i * NRI + R_KIND], d.row_r[o + R_JAR] + alpha * jv, d.row_r[o + R_D], d.row_r[o + R_FLOSS]
        )
        d.row_r[o + R_F] = f
        d.row_r[o + R_K] = k
        if zone != d.row_i[i * NRI + R_ZONE]:
            changed = 1
        d.row_i[i * NRI + R_ZONE] = zone
        d1 = d1 - f * jv
        d2 = d2 + k * jv * jv
    if ti.static(has.block):
        for r in range(d.world_i[w * NWI + W_NCON]):
            c = bounded(w * m.dims[NCONMAX] + r)
            pair = d.con_i[c * NCI + C_PAIR]
            fr = m.dims[T_PAIRFRICTION] + 5 * ti.max(pair, 0)
            jv = d.con_v[c * NCV + C_JV]
            f, kd, ko, zone = contact_law(
                d.con_v[c * NCV + C_JAR] + alpha * jv, d.con_i[c * NCI + C_DIM], m.dims[CONE], d.con_r[c * NCR + C_D],
                m.theta[fr], m.theta[fr + 1], impratio,
            )  # fmt: skip
            d.con_v[c * NCV + C_F] = f
            d.con_v[c * NCV + C_KD] = kd
            d.con_v[c * NCV + C_KO] = ko
            if zone != d.con_i[c * NCI + C_ZONE] or zone == 64:
                changed = 1
            d.con_i[c * NCI + C_ZONE] = zone
            d1 = d1 - f.dot(jv)
            d2 = d2 + jv.dot(sym_mul(kd, ko, jv))
    return d1, d2, changed


@serves("block")
@ti.func
def constraint_bar(m: ti.template(), d: ti.template(), w: ti.i32, bar: ti.i32):
    """Before the solve: dofr[bar:] gains J^T (-K f_bar), what sensors of contact forces ask of the acceleration."""
    for r in range(d.world_i[w * NWI + W_NCON]):
        c = bounded(w * m.dims[NCONMAX] + r)
        f_bar = d.con_v[c * NCV + C_FBAR]
        if f_bar.dot(f_bar) > 0:
            add_transpose(m, d, w, c, -1.0 * sym_mul(d.con_v[c * NCV + C_KD], d.con_v[c * NCV + C_KO], f_bar), bar)


@ti.func
def relative_velocity(m: ti.template(), d: ti.template(), w: ti.i32, column: ti.i32, b1: ti.i32, b2: ti.i32, pos: vec3):
    """Of body 2 against body 1 at pos, for the motion in columns (column, column + 1): linear and angular."""
    o1 = bounded(w * m.dims[NBODY] + b1) * NXV + column
    o2 = bounded(w * m.dims[NBODY] + b2) * NXV + column
    w1 = d.body[o1]
    w2 = d.body[o2]
    v1 = d.body[o1 + 1] + w1.cross(pos - origin(m, d, w, b1))
    v2 = d.body[o2 + 1] + w2.cross(pos - origin(m, d, w, b2))
    return v2 - v1, w2 - w1


@ti.func
def add_wrench(g: ti.template(), h: ti.i32, r: vec3, f: vec3):
    """Adds the force f at r to the motion adjoint in columns (h, h + 1)."""
    g.body_bar[h] = g.body_bar[h] + r.cross(f)
    g.body_bar[h + 1] = g.body_bar[h + 1] + f


@ti.func
def contact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, y: vec3):
    """The adjoint of contact c's block, from y to its bodies' motions and poses and to friction."""
    pair = d.con_i[c * NCI + C_PAIR]
    f = d.con_v[c * NCV + C_F]
    ky = sym_mul(d.con_v[c * NCV + C_KD], d.con_v[c * NCV + C_KO], y)
    B = contact_damping(d, c)
    imp = d.con_r[c * NCR + C_IMP]
    slope = d.con_r[c * NCR + C_IMPP]
    margin = real(0.0)
    if pair < 0:
        margin = m.jnt_r[(-1 - pair) * NJR + J_MARGIN]
    else:
        margin = m.pair_r[pair * NPR + P_MARGIN]
    dist_bar = ky[0] * d.con_r[c * NCR + C_KP] * (imp + slope * (d.con_r[c * NCR + C_DIST] - margin)) - y.dot(
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
    pair = d.con_i[c * NCI + C_PAIR]
    pos = d.con_v[c * NCV + C_POS]
    n = d.con_v[c * NCV + C_N]
    t1 = d.con_v[c * NCV + C_T1]
    t2 = d.con_v[c * NCV + C_T2]
    b1 = d.con_i[c * NCI + C_BODY1]
    b2 = d.con_i[c * NCI + C_BODY2]
    r1 = pos - origin(m, d, w, b1)
    r2 = pos - origin(m, d, w, b2)
    h1 = bounded(w * m.dims[NBODY] + b1) * NBAR
    h2 = bounded(w * m.dims[NBODY] + b2) * NBAR
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
        u, omega = relative_velocity(m, d, w, ti.static((L_ANG, U_ANG, V_ANG)[x]), b1, b2, pos)
        p_bar = p_bar + G.cross(omega)
        n_bar = n_bar + e[0] * u
        t1_bar = t1_bar + e[1] * u
        t2_bar = t2_bar + e[2] * u
        add_wrench(g, h1 + ti.static((LB_ANG, UB_ANG, VB_ANG)[x]), r1, -1.0 * G)
        add_wrench(g, h2 + ti.static((LB_ANG, UB_ANG, VB_ANG)[x]), r2, G)
    collide_vjp(m, d, g, w, c, dist_bar, p_bar, n_bar, t1_bar, t2_bar)
    if d.con_i[c * NCI + C_DIM] > 1:
        fr = m.dims[T_PAIRFRICTION] + 5 * pair
        mu = m.theta[fr]
        bar0, bar1 = friction_vjp(
            d.con_v[c * NCV + C_JAR], y, m.dims[CONE], d.con_r[c * NCR + C_D], mu, m.theta[fr + 1], m.opt[IMPRATIO]
        )
        if m.dims[CONE] == 0:
            # D ~ 1 / (mu^2 (1 + mu^2)), and f is proportional to D
            bar0 = bar0 - y.dot(f) * (2 / mu + 2 * mu / (1 + mu * mu))
        th = w * m.dims[NTHETA] + fr
        g.theta_bar[th] = g.theta_bar[th] - bar0
        g.theta_bar[th + 1] = g.theta_bar[th + 1] - bar1


@serves("block")
@ti.func
def contacts_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) of the blocks and what sensors ask of f; expects the motions L, U, V and the law at the
    solution."""
    nv = m.dims[NV]
    for r in range(d.world_i[w * NWI + W_NCON]):
        c = w * m.dims[NCONMAX] + r
        y = chain_mul(m, d, w, c, d.dofr, w * nv * NQR + Z * nv) - d.con_v[c * NCV + C_FBAR]
        contact_vjp(m, d, g, w, c, y)
