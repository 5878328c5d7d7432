"""Newton's method for the constrained acceleration, and its implicit adjoint.

    a minimises 1/2 (a - a0)^T M (a - a0) + s(J a - aref);  gradient M a - qfrc_smooth - J^T f,  Hessian H = M + J^T K J
(MuJoCo documentation, Computation, "Constraint model"). The line search is exact: it finds the root of the derivative
along the direction by a bracketed Newton iteration. Constraints and line search share one evaluation per trial.

The adjoint never sees an iteration: at the solution, z = -H^-1 a_bar (implicit function theorem).
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.contact.constraint import constraint_bar, evaluate
from engine.contact.jacobian import add_transpose, chain_mul
from engine.dynamics.crba import diagonal_at, mass_mul
from engine.dynamics.factor import clear_blocks, copy_blocks, factor, solve
from engine.math.index import bounded, vector_at
from engine.math.spatial import sym_mul
from engine.math.types import EPS, HUGE, real
from engine.schema import (
    A_BAR,
    C_F,
    C_JAR,
    C_JV,
    C_KD,
    C_KO,
    C_NDOF,
    D_DEPTH,
    D_PARENT,
    D_ROW,
    E_DEPTH,
    E_ROW,
    ITERATIONS,
    LS_ITERATIONS,
    MA,
    MSEARCH,
    NCHAIN,
    NCI,
    NCONMAX,
    NCV,
    NDI,
    NEI,
    NH,
    NM,
    NQI,
    NQR,
    NRI,
    NROWMAX,
    NRR,
    NV,
    NWI,
    Q_DOF,
    Q_PLACE,
    QACC,
    QFRC_CONSTRAINT,
    QFRC_SMOOTH,
    R_DOF,
    R_F,
    R_JAR,
    R_K,
    R_SIGN,
    SEARCH,
    TOLERANCE,
    W_MERGED,
    W_NCON,
    W_NITER,
    W_NROW,
    Z,
)  # fmt: skip


@serves("contact")
@ti.func
def merged_row(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32):
    """Row j of H becomes that of M, which has fewer ancestors where a contact merged chains."""
    e = (w * m.dims[NV] + j) * NEI
    depth = d.etree[e + E_DEPTH]
    row = ((w * m.dims[NH]) >> 2) + d.etree[e + E_ROW]
    k = m.dof_i[j * NDI + D_DEPTH]
    source = ((w * m.dims[NM]) >> 2) + m.dof_i[j * NDI + D_ROW]
    clear_blocks(m, d.H, row, (depth >> 2) + 1)
    i = j
    while i >= 0:
        d.H[4 * row + d.etree[(w * m.dims[NV] + i) * NEI + E_DEPTH]] = d.M[4 * source + k]
        k = k - 1
        i = m.dof_i[i * NDI + D_PARENT]


@ti.func
def hessian(m: ti.template(), d: ti.template(), w: ti.i32):
    """Factor H = M + J^T K J, on the elimination tree."""
    oh = w * m.dims[NH]
    oe = w * m.dims[NV]
    if d.world_i[w * NWI + W_MERGED]:
        for j in range(m.dims[NV]):
            merged_row(m, d, w, j)
    else:
        copy_blocks(m, d.H, oh >> 2, d.M, (w * m.dims[NM]) >> 2, m.dims[NM] >> 2)
    for r in range(d.world_i[w * NWI + W_NROW]):
        i = bounded(w * m.dims[NROWMAX] + r)
        t = (oe + d.row_i[i * NRI + R_DOF]) * NEI
        e = oh + 4 * d.etree[t + E_ROW] + d.etree[t + E_DEPTH]
        d.H[e] = d.H[e] + d.row_r[i * NRR + R_K]
    if ti.static(has.block):
        for r in range(d.world_i[w * NWI + W_NCON]):
            c = bounded(w * m.dims[NCONMAX] + r)
            kd = d.con_v[c * NCV + C_KD]
            ko = d.con_v[c * NCV + C_KO]
            # every active zone stiffens the normal
            if kd[0] > 0:
                first = c * m.dims[NCHAIN]
                end = first + d.con_i[c * NCI + C_NDOF]
                # the later dofs of its list are ancestors of the earlier ones, since it merged their chains
                for j in range(first, end):
                    kj = sym_mul(kd, ko, d.con_J[vector_at(j)])
                    row = oh + 4 * d.etree[(oe + d.con_dof[j * NQI + Q_DOF]) * NEI + E_ROW]
                    for i in range(j, end):
                        e = row + d.con_dof[i * NQI + Q_PLACE]
                        d.H[e] = d.H[e] + kj.dot(d.con_J[vector_at(i)])
    factor(m, d.H, oh, d.etree, oe * NEI, NEI)


@ti.func
def solve_hessian(m: ti.template(), d: ti.template(), w: ti.i32, xo: ti.i32):
    nv = m.dims[NV]
    solve(m, d.H, w * m.dims[NH], d.etree, w * nv * NEI, NEI, d.dofr, xo)


@ti.func
def gradient(m: ti.template(), d: ti.template(), w: ti.i32):
    """-gradient into SEARCH, and |gradient| against the forces in it, both weighted by 1 / diag(M)."""
    nv = m.dims[NV]
    o = w * nv * NQR
    for i in range(nv):
        d.dofr[o + QFRC_CONSTRAINT * nv + i] = 0.0
    for r in range(d.world_i[w * NWI + W_NROW]):
        i = bounded(w * m.dims[NROWMAX] + r)
        e = o + QFRC_CONSTRAINT * nv + d.row_i[i * NRI + R_DOF]
        d.dofr[e] = d.dofr[e] + d.row_r[i * NRR + R_SIGN] * d.row_r[i * NRR + R_F]
    if ti.static(has.block):
        for r in range(d.world_i[w * NWI + W_NCON]):
            c = bounded(w * m.dims[NCONMAX] + r)
            add_transpose(m, d, w, c, d.con_v[c * NCV + C_F], o + QFRC_CONSTRAINT * nv)
    g2 = real(0.0)
    f2 = real(0.0)
    for i in range(nv):
        ma = d.dofr[o + MA * nv + i]
        fs = d.dofr[o + QFRC_SMOOTH * nv + i]
        fc = d.dofr[o + QFRC_CONSTRAINT * nv + i]
        s = fs + fc - ma
        weight = 1.0 / d.M[diagonal_at(m, w, i)]
        d.dofr[o + SEARCH * nv + i] = s
        g2 = g2 + s * s * weight
        f2 = f2 + (ma * ma + fs * fs + fc * fc) * weight
    return g2, f2


@ti.func
def acceleration(m: ti.template(), d: ti.template(), w: ti.i32):
    """QACC from QFRC_SMOOTH, warm-started with the QACC that `constraint` was given, and MA = M QACC.

    Stops when a full step has stayed in the same quadratic, when the gradient is at the tolerance, or when the step
    no longer moves a in the precision at hand.
    """
    nv = m.dims[NV]
    o = w * nv * NQR
    tol = ti.max(m.opt[TOLERANCE], 30 * EPS)
    alpha = real(0.0)
    slope0 = real(0.0)  # derivative along the direction at alpha = 0, and its quadratic part
    quad = real(0.0)
    lo = real(0.0)
    hi = real(-1.0)  # no upper bracket yet
    trials = 0
    moved = 0
    iteration = 0
    done = 0
    free = d.world_i[w * NWI + W_NROW] + d.world_i[w * NWI + W_NCON] == 0
    if free:
        # nothing constrains: one solve from a = 0
        for i in range(nv):
            d.dofr[o + QACC * nv + i] = 0.0
            d.dofr[o + MA * nv + i] = 0.0
    else:
        mass_mul(m, d, w, o + QACC * nv, o + MA * nv)
    for i in range(nv):
        d.dofr[o + SEARCH * nv + i] = 0.0
        d.dofr[o + MSEARCH * nv + i] = 0.0
    lin = real(0.0)
    while done == 0:
        d1 = lin + alpha * quad
        d2 = quad
        changed = 0
        if not free:
            e1, e2, changed = evaluate(m, d, w, alpha, o + SEARCH * nv)
            d1 = d1 + e1
            d2 = d2 + e2
        if moved and ti.abs(d1) > 1e-3 * ti.abs(slope0) and trials < m.dims[LS_ITERATIONS]:
            # not yet at the line's minimum
            trials = trials + 1
            if d1 < 0:
                lo = alpha
            else:
                hi = alpha
            step = alpha - d1 / d2
            if hi < 0:
                alpha = ti.min(step, 10 * alpha) if step > lo else 2 * alpha
            elif step > lo and step < hi:
                alpha = step
            else:
                alpha = 0.5 * (lo + hi)
        else:
            small = 0
            if moved:
                dx = real(0.0)
                xx = real(0.0)
                for i in range(nv):
                    dx = ti.max(dx, ti.abs(alpha * d.dofr[o + SEARCH * nv + i]))
                    d.dofr[o + QACC * nv + i] = d.dofr[o + QACC * nv + i] + alpha * d.dofr[o + SEARCH * nv + i]
                    d.dofr[o + MA * nv + i] = d.dofr[o + MA * nv + i] + alpha * d.dofr[o + MSEARCH * nv + i]
                    xx = ti.max(xx, ti.abs(d.dofr[o + QACC * nv + i]))
                small = dx <= 4 * EPS * xx
                for r in range(d.world_i[w * NWI + W_NROW]):
                    i = bounded(w * m.dims[NROWMAX] + r)
                    jv = d.row_r[i * NRR + R_SIGN] * d.dofr[o + SEARCH * nv + d.row_i[i * NRI + R_DOF]]
                    d.row_r[i * NRR + R_JAR] = d.row_r[i * NRR + R_JAR] + alpha * jv
                if ti.static(has.block):
                    for r in range(d.world_i[w * NWI + W_NCON]):
                        c = bounded(w * m.dims[NCONMAX] + r)
                        d.con_v[c * NCV + C_JAR] = d.con_v[c * NCV + C_JAR] + alpha * d.con_v[c * NCV + C_JV]
            exact = moved and trials == 0 and changed == 0
            g2 = real(0.0)
            f2 = real(0.0)
            if free:
                for i in range(nv):
                    d.dofr[o + SEARCH * nv + i] = d.dofr[o + QFRC_SMOOTH * nv + i]
                f2 = g2 + HUGE
            elif not (exact or small or iteration >= m.dims[ITERATIONS]):
                g2, f2 = gradient(m, d, w)
            # an overflow is no convergence: it goes on, to an acceleration that the caller recognises
            if g2 <= tol * tol * f2 and f2 < HUGE:
                done = 1
            else:
                iteration = iteration + 1
                hessian(m, d, w)
                slope0 = 0.0
                lin = 0.0
                quad = 0.0
                for i in range(nv):
                    d.dofr[o + Z * nv + i] = -d.dofr[o + SEARCH * nv + i]
                solve_hessian(m, d, w, o + SEARCH * nv)
                if free:
                    for i in range(nv):
                        d.dofr[o + QACC * nv + i] = d.dofr[o + SEARCH * nv + i]
                        d.dofr[o + MA * nv + i] = d.dofr[o + QFRC_SMOOTH * nv + i]
                    break
                mass_mul(m, d, w, o + SEARCH * nv, o + MSEARCH * nv)
                for i in range(nv):
                    s = d.dofr[o + SEARCH * nv + i]
                    slope0 = slope0 + s * d.dofr[o + Z * nv + i]
                    lin = lin + s * (d.dofr[o + MA * nv + i] - d.dofr[o + QFRC_SMOOTH * nv + i])
                    quad = quad + s * d.dofr[o + MSEARCH * nv + i]
                if ti.static(has.block):
                    for r in range(d.world_i[w * NWI + W_NCON]):
                        c = bounded(w * m.dims[NCONMAX] + r)
                        d.con_v[c * NCV + C_JV] = chain_mul(m, d, w, c, d.dofr, o + SEARCH * nv)
                alpha = 1.0
                lo = 0.0
                hi = -1.0
                trials = 0
                moved = 1
    for i in range(nv):
        d.dofr[o + QFRC_CONSTRAINT * nv + i] = d.dofr[o + MA * nv + i] - d.dofr[o + QFRC_SMOOTH * nv + i]
    d.world_i[w * NWI + W_NITER] = iteration


@ti.func
def acceleration_vjp(m: ti.template(), d: ti.template(), w: ti.i32):
    """Z = -H^-1 (A_BAR + what sensors of contact forces ask), with the law evaluated at the stored QACC."""
    nv = m.dims[NV]
    o = w * nv * NQR
    constraint_bar(m, d, w, o + A_BAR * nv)
    hessian(m, d, w)
    for i in range(nv):
        d.dofr[o + Z * nv + i] = -d.dofr[o + A_BAR * nv + i]
    solve_hessian(m, d, w, o + Z * nv)
