"""Scalar constraint rows: dry friction and the limits of hinges and slides, J = sign at one dof, and their adjoint.

Reference acceleration: aref = -B J v - K imp (pos - margin), the second part for limits alone. The adjoint's formula
stands in constraint.py.
"""

import taichi as ti

from engine.contact.impedance import impedance, reference
from engine.math.index import bounded
from engine.math.types import EPS, MINVAL, real
from engine.model.constants import HINGE, SLIDE


@ti.func
def add_row(m: ti.template(), d: ti.template(), w: ti.i32, n: ti.i32, kind: ti.i32, dof: ti.i32, sign: real, dist: real,
            floss: real, solref: ti.template(), solimp: ti.template(), p: ti.i32, diag: real):  # fmt: skip
    """Row n: J = sign at dof; dist is pos - margin (0 for dry friction). Its parameters are those numbered p."""
    i = bounded(w * m.nrowmax + n)
    imp, slope = impedance(solimp, p, dist)
    k, b = reference(solref, solimp, p, m.timestep, m.refsafe)
    if kind == 0:
        k = 0.0
    d.row_dof[i] = dof
    d.row_kind[i] = kind
    d.row_zone[i] = -1
    d.row_sign[i] = sign
    d.row_dist[i] = dist
    d.row_floss[i] = floss
    d.row_d[i] = 1.0 / ti.max(MINVAL, (1 - imp) / imp * diag)
    d.row_b[i] = b
    d.row_kp[i] = k
    d.row_imp[i] = imp
    d.row_impp[i] = slope
    d.row_aref[i] = -b * sign * d.qvel[w * m.nv + dof] - k * imp * dist


@ti.func
def rows(m: ti.template(), d: ti.template(), w: ti.i32):
    """Dry friction and scalar limits; the capacity is one row per dof and two per joint, so it always suffices."""
    n = 0
    for i in range(m.nv):
        floss = m.dof_frictionloss[i]
        if floss > 0:
            add_row(m, d, w, n, 0, i, 1.0, 0.0, floss, m.dof_solref, m.dof_solimp, i, m.dof_diaga[i])
            n = n + 1
    for j in range(m.njnt):
        t = m.jnt_type[j]
        if m.jnt_limited[j] and (t == SLIDE or t == HINGE):
            q = d.qpos[w * m.nq + m.jnt_qposadr[j]]
            for side in range(2):
                sign = real(1 - 2 * side)
                dist = sign * (q - m.jnt_range[j, side]) - m.jnt_margin[j]
                if dist < 0:
                    add_row(
                        m, d, w, n, 1, m.jnt_dofadr[j], sign, dist, 0.0, m.jnt_solref, m.jnt_solimp, j,
                        m.jnt_diaga[j],
                    )  # fmt: skip
                    n = n + 1
    d.nrow[w] = n


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
    nv = m.nv
    dof = d.row_dof[i]
    sign = d.row_sign[i]
    y = sign * d.z[w, dof]
    ky = d.row_k[i] * y
    g.qvel_bar[w * nv + dof] = g.qvel_bar[w * nv + dof] + ky * d.row_b[i] * sign
    if d.row_kind[i] == 1:
        imp = d.row_imp[i]
        slope = d.row_impp[i]
        dist_bar = ky * d.row_kp[i] * (imp + slope * d.row_dist[i]) - y * d.row_force[i] * slope / (
            imp * (1 - imp)
        )
        g.qpos_bar[w * nv + dof] = g.qpos_bar[w * nv + dof] + sign * dist_bar
    else:
        if d.row_zone[i] == 2:
            g.dof_frictionloss[w, dof] = g.dof_frictionloss[w, dof] + y
        if d.row_zone[i] == 3:
            g.dof_frictionloss[w, dof] = g.dof_frictionloss[w, dof] - y


@ti.func
def frictionless_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Dofs without dry friction have no row, but the first bit of it would push against jar = a + B v."""
    nv = m.nv
    size = real(0.0)
    for i in range(nv):
        size = ti.max(size, ti.abs(d.qacc[w, i]))
    for i in range(nv):
        if m.dof_frictionloss[i] == 0:
            stiffness, b = reference(m.dof_solref, m.dof_solimp, i, m.timestep, m.refsafe)
            jar = d.qacc[w, i] + b * d.qvel[w * nv + i]
            # where jar is zero but for rounding, friction would hold the dof with no force
            if ti.abs(jar) > 1e4 * EPS * size:
                g.dof_frictionloss[w, i] = g.dof_frictionloss[w, i] + ti.math.sign(jar) * d.z[w, i]


@ti.func
def rows_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) of the scalar rows; expects the law at the solution."""
    frictionless_vjp(m, d, g, w)
    for r in range(d.nrow[w]):
        row_vjp(m, d, g, w, w * m.nrowmax + r)
