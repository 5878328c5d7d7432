"""Scalar constraint rows: dry friction and the limits of hinges and slides, J = sign at one dof, and their adjoint.

Reference acceleration: aref = -B J v - K imp (pos - margin), the second part for limits alone. The adjoint's formula
stands in constraint.py.
"""

import taichi as ti

from engine.contact.impedance import impedance, reference
from engine.math.index import bounded
from engine.math.types import EPS, MINVAL, real
from engine.model.constants import HINGE, SLIDE
from engine.schema import (
    D_DIAGA,
    D_SOLIMP,
    D_SOLREF,
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
    NDR,
    NJI,
    NJNT,
    NJR,
    NQ,
    NQR,
    NRI,
    NROWMAX,
    NRR,
    NTHETA,
    NV,
    NWI,
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
    R_K,
    R_KIND,
    R_KP,
    R_SIGN,
    R_ZONE,
    REFSAFE,
    T_FRICTIONLOSS,
    TIMESTEP,
    W_NROW,
    Z,
)  # fmt: skip


@ti.func
def add_row(m: ti.template(), d: ti.template(), w: ti.i32, n: ti.i32, kind: ti.i32, dof: ti.i32, sign: real, dist: real,
            floss: real, a: ti.template(), ref: ti.i32, simp: ti.i32, diag: real):  # fmt: skip
    """Row n: J = sign at dof; dist is pos - margin (0 for dry friction). Parameters at a[ref], a[simp]."""
    i = bounded(w * m.dims[NROWMAX] + n)
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
def rows_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) of the scalar rows; expects the law at the solution."""
    frictionless_vjp(m, d, g, w)
    for r in range(d.world_i[w * NWI + W_NROW]):
        row_vjp(m, d, g, w, w * m.dims[NROWMAX] + r)
