"""Constraint rows: dry friction, joint limits and contacts, their Jacobians, and the adjoint of z^T (-J^T f).

Dry friction and scalar limits are rows with one nonzero, J = sign at one dof. A contact is a block of up to three rows
(normal, two tangents) whose columns are one 3-vector per dof of the two bodies' chains. A limited ball joint is a block
with one row. Reference acceleration: aref = -B J v - K imp (pos - margin), the second part for the normal row alone.

Adjoint, with y = J z - f_bar (f_bar: what sensors ask of the force) and everything evaluated at the solution:
    z^T d(-J^T f) + f_bar . df = -f . d(J z) + K y . (d(J a) + B d(J v)) + K y_n d(K imp (pos - margin)) - y . f dD / D
"""

import taichi as ti

from engine.contact.collide import collide, collide_vjp, geom_poses
from engine.contact.impedance import impedance, reference
from engine.contact.law import contact_law, friction_vjp, sym_mul
from engine.dynamics.kinematics import origin, read_quat, read_vec
from engine.math.quat import jr_inverse_transpose, quat_log
from engine.math.types import EPS, MINVAL, real, vec3
from engine.model.constants import BALL, HINGE, SLIDE
from engine.schema import (
    B_LASTDOF,
    C_B,
    C_BODY1,
    C_BODY2,
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
    C_TOP,
    C_ZONE,
    CONE,
    D_DIAGA,
    D_PARENT,
    D_SOLIMP,
    D_SOLREF,
    IMPRATIO,
    J_DIAGA,
    J_DOFADR,
    J_HI,
    J_LIMITED,
    J_LO,
    J_MARGIN,
    J_QPOSADR,
    J_SOLIMP,
    J_SOLREF,
    J_TYPE,
    L_ANG,
    LB_ANG,
    NBAR,
    NBI,
    NBODY,
    NCI,
    NCONMAX,
    NCR,
    NCV,
    NDI,
    NDR,
    NJI,
    NJNT,
    NJR,
    NPR,
    NQ,
    NQR,
    NRI,
    NROWMAX,
    NRR,
    NSV_DOF,
    NTHETA,
    NV,
    NWI,
    NXV,
    P_DIAGA,
    P_MARGIN,
    P_SOLIMP,
    P_SOLREF,
    QACC,
    R_AREF,
    R_B,
    R_D,
    R_DIST,
    R_DOF,
    R_F,
    R_FLOSS,
    R_IMP,
    R_IMPP,
    R_JAR,
    R_K,
    R_KIND,
    R_KP,
    R_SIGN,
    R_ZONE,
    REFSAFE,
    S_ANG,
    S_LIN,
    T_FRICTIONLOSS,
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
def add_row(m: ti.template(), d: ti.template(), w: ti.i32, n: ti.i32, kind: ti.i32, dof: ti.i32, sign: real, dist: real,
            floss: real, a: ti.template(), ref: ti.i32, simp: ti.i32, diag: real):  # fmt: skip
    """Row n: J = sign at dof; dist is pos - margin (0 for dry friction). Parameters at a[ref], a[simp]."""
    i = w * m.dims[NROWMAX] + n
    imp, slope = impedance(a, simp, dist)
    k, b = reference(a, ref, simp, m.opt[TIMESTEP], m.opt[REFSAFE])
    if kind == 0:
        k = 0.0
    o = i * NRR
    d.row_i[i * NRI + R_DOF] = dof
    d.row_i[i * NRI + R_KIND] = kind
    d.row_i[i * NRI + R_ZONE] = -1
    d.row_r[o + R_SIGN] = sign
    d.row_r[o + R_DIST] = dist
    d.row_r[o + R_FLOSS] = floss
    d.row_r[o + R_D] = 1.0 / ti.max(MINVAL, (1 - imp) / imp * diag)
    d.row_r[o + R_B] = b
    d.row_r[o + R_KP] = k
    d.row_r[o + R_IMP] = imp
    d.row_r[o + R_IMPP] = slope
    d.row_r[o + R_AREF] = -b * sign * d.qvel[w * m.dims[NV] + dof] - k * imp * dist


@ti.func
def rows(m: ti.template(), d: ti.template(), w: ti.i32):
    """Dry friction and scalar limits; the capacity is one row per dof and two per joint, so it always suffices."""
    n = 0
    for i in range(m.dims[NV]):
        floss = m.theta[m.dims[T_FRICTIONLOSS] + i]
        if floss > 0:
            o = i * NDR
            add_row(m, d, w, n, 0, i, 1.0, 0.0, floss, m.dof_r, o + D_SOLREF, o + D_SOLIMP, m.dof_r[o + D_DIAGA])
            n = n + 1
    for j in range(m.dims[NJNT]):
        t = m.jnt_i[j * NJI + J_TYPE]
        if m.jnt_i[j * NJI + J_LIMITED] and (t == SLIDE or t == HINGE):
            o = j * NJR
            q = d.qpos[w * m.dims[NQ] + m.jnt_i[j * NJI + J_QPOSADR]]
            for side in range(2):
                sign = real(1 - 2 * side)
                dist = sign * (q - m.jnt_r[o + (J_LO if side == 0 else J_HI)]) - m.jnt_r[o + J_MARGIN]
                if dist < 0:
                    add_row(
                        m, d, w, n, 1, m.jnt_i[j * NJI + J_DOFADR], sign, dist, 0.0, m.jnt_r, o + J_SOLREF,
                        o + J_SOLIMP, m.jnt_r[o + J_DIAGA],
                    )  # fmt: skip
                    n = n + 1
    d.world_i[w * NWI + W_NROW] = n


@ti.func
def ball_limits(m: ti.template(), d: ti.template(), w: ti.i32):
    """Limited ball joints: a block with the row -axis at the joint's three dofs; C_PAIR holds -1 - joint."""
    ncon = d.world_i[w * NWI + W_NCON]
    for j in range(m.dims[NJNT]):
        if m.jnt_i[j * NJI + J_LIMITED] and m.jnt_i[j * NJI + J_TYPE] == BALL:
            r = quat_log(read_quat(d.qpos, w * m.dims[NQ] + m.jnt_i[j * NJI + J_QPOSADR]))
            most = ti.max(m.jnt_r[j * NJR + J_LO], m.jnt_r[j * NJR + J_HI])
            angle = ti.sqrt(r.dot(r))
            if most - angle < m.jnt_r[j * NJR + J_MARGIN]:
                if ncon < m.dims[NCONMAX]:
                    c = w * m.dims[NCONMAX] + ncon
                    d.con_v[c * NCV + C_N] = (-1.0 / ti.max(angle, MINVAL)) * r
                    d.con_r[c * NCR + C_DIST] = most - angle
                    d.con_i[c * NCI + C_PAIR] = -1 - j
                    d.con_i[c * NCI + C_DIM] = 1
                    d.con_i[c * NCI + C_ZONE] = -1
                ncon = ncon + 1
    d.world_i[w * NWI + W_NCON] = ncon


@ti.func
def merge_chains(m: ti.template(), d: ti.template(), o: ti.i32, last1: ti.i32, last2: ti.i32):
    """One chain of the elimination tree at eparent[o:] from the ancestors of two dofs that a contact couples."""
    a = ti.max(last1, last2)
    b = ti.min(last1, last2)
    while a >= 0 and a != b:
        p = d.eparent[o + a]
        if p < b:
            d.eparent[o + a] = b
            a = b
            b = p
        else:
            a = ti.max(p, b)
            b = ti.min(p, b)


@ti.func
def jacobian(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """Columns of contact c along its chain in the elimination tree."""
    nv = m.dims[NV]
    oe = w * nv
    pos = d.con_v[c * NCV + C_POS]
    n = d.con_v[c * NCV + C_N]
    t1 = d.con_v[c * NCV + C_T1]
    t2 = d.con_v[c * NCV + C_T2]
    pair = d.con_i[c * NCI + C_PAIR]
    if pair < 0:
        dof = m.jnt_i[(-1 - pair) * NJI + J_DOFADR]
        d.con_i[c * NCI + C_TOP] = dof + 2
        k = dof + 2
        while k >= 0:
            d.con_J[c * nv + k] = vec3(0.0, 0.0, 0.0)
            if k >= dof:
                d.con_J[c * nv + k][0] = n[k - dof]
            k = d.eparent[oe + k]
    else:
        b1 = d.con_i[c * NCI + C_BODY1]
        b2 = d.con_i[c * NCI + C_BODY2]
        i1 = m.body_i[b1 * NBI + B_LASTDOF]
        i2 = m.body_i[b2 * NBI + B_LASTDOF]
        r1 = pos - origin(m, d, w, b1)
        r2 = pos - origin(m, d, w, b2)
        k = ti.max(i1, i2)
        d.con_i[c * NCI + C_TOP] = k
        while k >= 0:
            s = (oe + k) * NSV_DOF
            ang = d.dof[s + S_ANG]
            lin = d.dof[s + S_LIN]
            u = vec3(0.0, 0.0, 0.0)
            if k == i2:
                u = lin + ang.cross(r2)
                i2 = m.dof_i[k * NDI + D_PARENT]
                if k == i1:
                    u = vec3(0.0, 0.0, 0.0)
                    i1 = i2
            elif k == i1:
                u = -1.0 * (lin + ang.cross(r1))
                i1 = m.dof_i[k * NDI + D_PARENT]
            d.con_J[c * nv + k] = vec3(n.dot(u), t1.dot(u), t2.dot(u))
            k = d.eparent[oe + k]


@ti.func
def chain_mul(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, x: ti.template(), xo: ti.i32):
    """J x of contact c."""
    nv = m.dims[NV]
    y = vec3(0.0, 0.0, 0.0)
    k = d.con_i[c * NCI + C_TOP]
    while k >= 0:
        y = y + x[xo + k] * d.con_J[c * nv + k]
        k = d.eparent[w * nv + k]
    return y


@ti.func
def contact_params(m: ti.template(), d: ti.template(), c: ti.i32):
    """D, reference and impedance of contact c; its first row's pos - margin."""
    pair = d.con_i[c * NCI + C_PAIR]
    dist = d.con_r[c * NCR + C_DIST]
    imp = real(0.0)
    slope = real(0.0)
    k = real(0.0)
    b = real(0.0)
    R = real(0.0)
    if pair < 0:
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
        R = (1 - imp) / imp * m.pair_r[o + P_DIAGA]
        if d.con_i[c * NCI + C_DIM] > 1 and m.dims[CONE] == 0:
            # all four edges share one regularisation, scaled so that the cone's friction is impratio's
            mu = m.theta[m.dims[T_PAIRFRICTION] + 5 * pair]
            R = R * (1 + mu * mu) * 2 * mu * mu / m.opt[IMPRATIO]
    d.con_r[c * NCR + C_D] = 1.0 / ti.max(MINVAL, R)
    d.con_r[c * NCR + C_B] = b
    d.con_r[c * NCR + C_KP] = k
    d.con_r[c * NCR + C_IMP] = imp
    d.con_r[c * NCR + C_IMPP] = slope
    return k * imp * dist


@ti.func
def constraint(m: ti.template(), d: ti.template(), w: ti.i32):
    """All rows and blocks, with jar = J a - aref for the acceleration QACC.

    More contacts than the capacity leave their number in W_NEED; the caller stops the world.
    """
    nv = m.dims[NV]
    ao = w * nv * NQR + QACC * nv
    geom_poses(m, d, w)
    rows(m, d, w)
    collide(m, d, w)
    ball_limits(m, d, w)
    ncon = ti.min(d.world_i[w * NWI + W_NCON], m.dims[NCONMAX])
    d.world_i[w * NWI + W_NEED] = d.world_i[w * NWI + W_NCON]
    d.world_i[w * NWI + W_NCON] = ncon
    for i in range(nv):
        d.eparent[w * nv + i] = m.dof_i[i * NDI + D_PARENT]
    for k in range(ncon):
        c = w * m.dims[NCONMAX] + k
        if d.con_i[c * NCI + C_PAIR] >= 0:
            merge_chains(
                m, d, w * nv, m.body_i[d.con_i[c * NCI + C_BODY1] * NBI + B_LASTDOF],
                m.body_i[d.con_i[c * NCI + C_BODY2] * NBI + B_LASTDOF],
            )  # fmt: skip
    for k in range(nv):
        d.erun[w * nv + k] = k
        if k > 0 and d.eparent[w * nv + k] == k - 1:
            d.erun[w * nv + k] = d.erun[w * nv + k - 1]
    for k in range(ncon):
        c = w * m.dims[NCONMAX] + k
        jacobian(m, d, w, c)
        push = contact_params(m, d, c)
        jar = chain_mul(m, d, w, c, d.dofr, ao) + d.con_r[c * NCR + C_B] * chain_mul(m, d, w, c, d.qvel, w * nv)
        jar[0] = jar[0] + push
        d.con_v[c * NCV + C_JAR] = jar
        d.con_v[c * NCV + C_JV] = vec3(0.0, 0.0, 0.0)
        d.con_v[c * NCV + C_FBAR] = vec3(0.0, 0.0, 0.0)
    for k in range(d.world_i[w * NWI + W_NROW]):
        i = w * m.dims[NROWMAX] + k
        o = i * NRR
        d.row_r[o + R_JAR] = d.row_r[o + R_SIGN] * d.dofr[ao + d.row_i[i * NRI + R_DOF]] - d.row_r[o + R_AREF]


@ti.func
def row_law(kind: ti.i32, jar: real, D: real, floss: real):
    """Force, stiffness and zone of a scalar row."""
    f = real(0.0)
    k = real(0.0)
    zone = 0
    if kind == 1:
        if jar < 0:
            f = -D * jar
            k = D
            zone = 1
    elif D * jar >= floss:
        f = -floss
        zone = 2
    elif D * jar <= -floss:
        f = floss
        zone = 3
    else:
        f = -D * jar
        k = D
    return f, k, zone


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
        i = w * m.dims[NROWMAX] + r
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
    for r in range(d.world_i[w * NWI + W_NCON]):
        c = w * m.dims[NCONMAX] + r
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


@ti.func
def add_transpose(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, f: vec3, xo: ti.i32):
    """dofr[xo:] += J^T f of contact c."""
    nv = m.dims[NV]
    k = d.con_i[c * NCI + C_TOP]
    while k >= 0:
        d.dofr[xo + k] = d.dofr[xo + k] + d.con_J[c * nv + k].dot(f)
        k = d.eparent[w * nv + k]


@ti.func
def constraint_bar(m: ti.template(), d: ti.template(), w: ti.i32, bar: ti.i32):
    """Before the solve: dofr[bar:] gains J^T (-K f_bar), what sensors of contact forces ask of the acceleration."""
    for r in range(d.world_i[w * NWI + W_NCON]):
        c = w * m.dims[NCONMAX] + r
        f_bar = d.con_v[c * NCV + C_FBAR]
        if f_bar.dot(f_bar) > 0:
            add_transpose(m, d, w, c, -1.0 * sym_mul(d.con_v[c * NCV + C_KD], d.con_v[c * NCV + C_KO], f_bar), bar)


@ti.func
def row_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """The adjoint of row i (`add_row` and `row_law`), to q, v and dry friction."""
    nv = m.dims[NV]
    o = i * NRR
    dof = d.row_i[i * NRI + R_DOF]
    sign = d.row_r[o + R_SIGN]
    y = sign * d.dofr[w * nv * NQR + Z * nv + dof]
    ky = d.row_r[o + R_K] * y
    g.qvel_bar[w * nv + dof] = g.qvel_bar[w * nv + dof] + ky * d.row_r[o + R_B] * sign
    if d.row_i[i * NRI + R_KIND] == 1:
        imp = d.row_r[o + R_IMP]
        slope = d.row_r[o + R_IMPP]
        dist_bar = ky * d.row_r[o + R_KP] * (imp + slope * d.row_r[o + R_DIST]) - y * d.row_r[o + R_F] * slope / (
            imp * (1 - imp)
        )
        g.qpos_bar[w * nv + dof] = g.qpos_bar[w * nv + dof] + sign * dist_bar
    else:
        k = w * m.dims[NTHETA] + m.dims[T_FRICTIONLOSS] + dof
        if d.row_i[i * NRI + R_ZONE] == 2:
            g.theta_bar[k] = g.theta_bar[k] + y
        if d.row_i[i * NRI + R_ZONE] == 3:
            g.theta_bar[k] = g.theta_bar[k] - y


@ti.func
def frictionless_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Dofs without dry friction have no row, but the first bit of it would push against jar = a + B v."""
    nv = m.dims[NV]
    o = w * nv * NQR
    size = real(0.0)
    for i in range(nv):
        size = ti.max(size, ti.abs(d.dofr[o + QACC * nv + i]))
    for i in range(nv):
        k = m.dims[T_FRICTIONLOSS] + i
        if m.theta[k] == 0:
            stiffness, b = reference(
                m.dof_r, i * NDR + D_SOLREF, i * NDR + D_SOLIMP, m.opt[TIMESTEP], m.opt[REFSAFE]
            )
            jar = d.dofr[o + QACC * nv + i] + b * d.qvel[w * nv + i]
            # where jar is zero but for rounding, friction would hold the dof with no force
            if ti.abs(jar) > 1e4 * EPS * size:
                th = w * m.dims[NTHETA] + k
                g.theta_bar[th] = g.theta_bar[th] + ti.math.sign(jar) * d.dofr[o + Z * nv + i]


@ti.func
def relative_velocity(m: ti.template(), d: ti.template(), w: ti.i32, column: ti.i32, b1: ti.i32, b2: ti.i32, pos: vec3):
    """Of body 2 against body 1 at pos, for the motion in columns (column, column + 1): linear and angular."""
    o1 = (w * m.dims[NBODY] + b1) * NXV + column
    o2 = (w * m.dims[NBODY] + b2) * NXV + column
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
def contact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """The adjoint of contact c's block, to its bodies' motions and poses and to friction."""
    nv = m.dims[NV]
    o = w * nv * NQR
    pair = d.con_i[c * NCI + C_PAIR]
    f = d.con_v[c * NCV + C_F]
    y = chain_mul(m, d, w, c, d.dofr, o + Z * nv) - d.con_v[c * NCV + C_FBAR]
    ky = sym_mul(d.con_v[c * NCV + C_KD], d.con_v[c * NCV + C_KO], y)
    B = d.con_r[c * NCR + C_B]
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
        ball_limit_vjp(m, d, g, w, c, -1 - pair, f[0], ky[0], B * ky[0], dist_bar)
    else:
        pos = d.con_v[c * NCV + C_POS]
        n = d.con_v[c * NCV + C_N]
        t1 = d.con_v[c * NCV + C_T1]
        t2 = d.con_v[c * NCV + C_T2]
        b1 = d.con_i[c * NCI + C_BODY1]
        b2 = d.con_i[c * NCI + C_BODY2]
        r1 = pos - origin(m, d, w, b1)
        r2 = pos - origin(m, d, w, b2)
        h1 = (w * m.dims[NBODY] + b1) * NBAR
        h2 = (w * m.dims[NBODY] + b2) * NBAR
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


@ti.func
def ball_limit_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, j: ti.i32, f: real,
                   ky: real, bky: real, dist_bar: real):  # fmt: skip
    """J = -axis(q), dist = range - angle(q): straight to the joint's q and v."""
    nv = m.dims[NV]
    dof = m.jnt_i[j * NJI + J_DOFADR]
    o = w * nv * NQR + dof
    r = quat_log(read_quat(d.qpos, w * m.dims[NQ] + m.jnt_i[j * NJI + J_QPOSADR]))
    angle = ti.max(ti.sqrt(r.dot(r)), MINVAL)
    axis = r / angle
    x = -f * read_vec(d.dofr, o + Z * nv) + ky * read_vec(d.dofr, o + QACC * nv) + bky * read_vec(d.qvel, w * nv + dof)
    q_bar = jr_inverse_transpose(r, (-1.0 / angle) * (x - axis.dot(x) * axis)) - dist_bar * axis
    for k in ti.static(range(3)):
        g.qpos_bar[w * nv + dof + k] = g.qpos_bar[w * nv + dof + k] + q_bar[k]
        g.qvel_bar[w * nv + dof + k] = g.qvel_bar[w * nv + dof + k] - bky * axis[k]


@ti.func
def constraint_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) and what sensors ask of f; expects the motions L, U, V and the law at the solution."""
    frictionless_vjp(m, d, g, w)
    for r in range(d.world_i[w * NWI + W_NROW]):
        row_vjp(m, d, g, w, w * m.dims[NROWMAX] + r)
    for r in range(d.world_i[w * NWI + W_NCON]):
        contact_vjp(m, d, g, w, w * m.dims[NCONMAX] + r)
