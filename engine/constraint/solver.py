"""Newton's method for the constrained acceleration, and its implicit adjoint.

    a minimises 1/2 (a - a0)^T M (a - a0) + s(J a - aref);  gradient M a - qfrc_smooth - J^T f,  Hessian H = M + J^T K J
(MuJoCo documentation, Computation, "Constraint model"). The line search is exact: it finds the root of the derivative
along the direction by a bracketed Newton iteration. Constraints and line search share one evaluation per trial.

The adjoint never sees an iteration: at the solution, z = -H^-1 a_bar (implicit function theorem).
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.block import add_transpose, chain_mul
from engine.constraint.blocks import constraint_bar
from engine.constraint.islands import block_stands, factor_islands, rank_of, solve_ranked, stands
from engine.constraint.rolling import rolling_forces, rolling_search, rolling_stiffness, turns
from engine.constraint.system import evaluate
from engine.dynamics.crba import diagonal_at, mass_mul
from engine.dynamics.factor import clear_blocks, copy_blocks, factor, solve
from engine.math.index import bounded, vector_at
from engine.math.spatial import sym_mul
from engine.math.types import EPS, HUGE, real


@serves("block")
@ti.func
def merged_row(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32):
    """Row j of H becomes that of M, which has fewer ancestors where a block merged chains."""
    e = w * m.nv + rank_of(m, d, w, j)
    depth = d.tree_depth[e]
    row = ((w * m.nh) >> 2) + d.tree_row[e]
    k = m.tree_depth[j]
    source = ((w * m.nm) >> 2) + m.tree_row[j]
    clear_blocks(m, d.H, row, (depth >> 2) + 1)
    i = j
    while i >= 0:
        d.H[4 * row + d.tree_depth[w * m.nv + rank_of(m, d, w, i)]] = d.M[4 * source + k]
        k = k - 1
        i = m.tree_parent[i]


@ti.func
def hessian(m: ti.template(), d: ti.template(), w: ti.i32, fresh: ti.i32):
    """Factor H = M + J^T K J, on the elimination tree; without `fresh` where it stands no more (islands.py)."""
    oh = w * m.nh
    oe = w * m.nv
    old = 0
    by_row = d.merged[w]
    if ti.static(has.long):
        by_row = ti.max(by_row, 1 - fresh)
    if by_row:
        for j in range(m.nv):
            if ti.static(has.long):
                old = ti.cast(stands(m, d, w, j, fresh), ti.i32)
            if not old:
                merged_row(m, d, w, j)
    else:
        copy_blocks(m, d.H, oh >> 2, d.M, (w * m.nm) >> 2, m.nm >> 2)
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        if ti.static(has.long):
            old = ti.cast(stands(m, d, w, d.row_dof[i], fresh), ti.i32)
        if not old:
            t = oe + rank_of(m, d, w, d.row_dof[i])
            e = oh + 4 * d.tree_row[t] + d.tree_depth[t]
            d.H[e] = d.H[e] + d.row_k[i]
    if ti.static(has.block):
        for r in range(d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            kd = d.con_kd[c]
            ko = d.con_ko[c]
            if ti.static(has.long):
                old = ti.cast(block_stands(m, d, w, c, fresh), ti.i32)
            # every active zone stiffens the normal
            if kd[0] > 0 and not old:
                first = c * m.nchain
                end = first + d.con_ndof[c]
                # the later dofs of its list are ancestors of the earlier ones, since it merged their chains
                for j in range(first, end):
                    kj = sym_mul(kd, ko, d.con_J[vector_at(j)])
                    row = oh + 4 * d.tree_row[oe + rank_of(m, d, w, d.chain_dof[j])]
                    for i in range(j, end):
                        e = row + d.chain_place[i]
                        d.H[e] = d.H[e] + kj.dot(d.con_J[vector_at(i)])
    rolling_stiffness(m, d, w, fresh)
    if ti.static(has.long):
        factor_islands(m, d, w, fresh)
    else:
        factor(m, d.H, oh, d, oe)


@ti.func
def solve_hessian(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template()):
    if ti.static(has.long):
        solve_ranked(m, d, w, x)
    else:
        solve(m, d.H, w * m.nh, d, w * m.nv, x.array, x.at(w, 0))


@ti.func
def gradient(m: ti.template(), d: ti.template(), w: ti.i32):
    """-gradient into search, and |gradient| against the forces in it, both weighted by 1 / diag(M)."""
    nv = m.nv
    for i in range(nv):
        d.qfrc_constraint[w, i] = 0.0
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        k = d.row_dof[i]
        d.qfrc_constraint[w, k] = d.qfrc_constraint[w, k] + d.row_sign[i] * d.row_force[i]
    if ti.static(has.block):
        for r in range(d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            add_transpose(m, d, w, c, d.con_force[c], d.qfrc_constraint)
    rolling_forces(m, d, w)
    g2 = real(0.0)
    f2 = real(0.0)
    for i in range(nv):
        ma = d.ma[w, i]
        fs = d.qfrc_smooth[w, i]
        fc = d.qfrc_constraint[w, i]
        s = fs + fc - ma
        weight = 1.0 / d.M[diagonal_at(m, w, i)]
        d.search[w, i] = s
        g2 = g2 + s * s * weight
        f2 = f2 + (ma * ma + fs * fs + fc * fc) * weight
    return g2, f2


@ti.func
def acceleration(m: ti.template(), d: ti.template(), w: ti.i32):
    """qacc from qfrc_smooth, warm-started with the qacc that `constraint` was given, and ma = M qacc.

    Stops when a full step has stayed in the same quadratic, when the gradient is at the tolerance, or when the step
    no longer moves a in the precision at hand.
    """
    nv = m.nv
    tol = ti.max(m.tolerance, 30 * EPS)
    alpha = real(0.0)
    slope0 = real(0.0)  # derivative along the direction at alpha = 0, and its quadratic part
    quad = real(0.0)
    lo = real(0.0)
    hi = real(-1.0)  # no upper bracket yet
    trials = 0
    moved = 0
    iteration = 0
    done = 0
    free = d.nrow[w] + d.nblock[w] == 0
    if free:
        # nothing constrains: one solve from a = 0
        for i in range(nv):
            d.qacc[w, i] = 0.0
            d.ma[w, i] = 0.0
    else:
        mass_mul(m, d, w, d.qacc, d.ma)
    for i in range(nv):
        d.search[w, i] = 0.0
        d.msearch[w, i] = 0.0
    lin = real(0.0)
    while done == 0:
        d1 = lin + alpha * quad
        d2 = quad
        changed = 0
        if not free:
            e1, e2, changed = evaluate(m, d, w, alpha, d.search)
            d1 = d1 + e1
            d2 = d2 + e2
        if moved and ti.abs(d1) > 1e-3 * ti.abs(slope0) and trials < m.ls_iterations:
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
                    dx = ti.max(dx, ti.abs(alpha * d.search[w, i]))
                    d.qacc[w, i] = d.qacc[w, i] + alpha * d.search[w, i]
                    d.ma[w, i] = d.ma[w, i] + alpha * d.msearch[w, i]
                    xx = ti.max(xx, ti.abs(d.qacc[w, i]))
                small = dx <= 4 * EPS * xx
                for r in range(d.nrow[w]):
                    i = bounded(w * m.nrowmax + r)
                    jv = d.row_sign[i] * d.search[w, d.row_dof[i]]
                    d.row_jar[i] = d.row_jar[i] + alpha * jv
                if ti.static(has.block):
                    for r in range(d.nblock[w]):
                        c = bounded(w * m.nconmax + r)
                        d.con_jar[c] = d.con_jar[c] + alpha * d.con_jv[c]
                        if ti.static(has.rolling):
                            if turns(d, c):
                                d.turn_jar[c] = d.turn_jar[c] + alpha * d.turn_jv[c]
            exact = moved and trials == 0 and changed == 0
            g2 = real(0.0)
            f2 = real(0.0)
            if free:
                for i in range(nv):
                    d.search[w, i] = d.qfrc_smooth[w, i]
                f2 = g2 + HUGE
            elif not (exact or small or iteration >= m.iterations):
                g2, f2 = gradient(m, d, w)
            # an overflow is no convergence: it goes on, to an acceleration that the caller recognises
            if g2 <= tol * tol * f2 and f2 < HUGE:
                done = 1
            else:
                iteration = iteration + 1
                hessian(m, d, w, ti.cast(iteration == 1, ti.i32))
                slope0 = 0.0
                lin = 0.0
                quad = 0.0
                for i in range(nv):
                    d.z[w, i] = -d.search[w, i]
                solve_hessian(m, d, w, d.search)
                if free:
                    for i in range(nv):
                        d.qacc[w, i] = d.search[w, i]
                        d.ma[w, i] = d.qfrc_smooth[w, i]
                    break
                mass_mul(m, d, w, d.search, d.msearch)
                for i in range(nv):
                    s = d.search[w, i]
                    slope0 = slope0 + s * d.z[w, i]
                    lin = lin + s * (d.ma[w, i] - d.qfrc_smooth[w, i])
                    quad = quad + s * d.msearch[w, i]
                if ti.static(has.block):
                    for r in range(d.nblock[w]):
                        c = bounded(w * m.nconmax + r)
                        d.con_jv[c] = chain_mul(m, d, w, c, d.search)
                rolling_search(m, d, w)
                alpha = 1.0
                lo = 0.0
                hi = -1.0
                trials = 0
                moved = 1
    for i in range(nv):
        d.qfrc_constraint[w, i] = d.ma[w, i] - d.qfrc_smooth[w, i]
    d.solver_niter[w] = iteration


@ti.func
def acceleration_vjp(m: ti.template(), d: ti.template(), w: ti.i32, mu_alone: ti.i32):
    """z = -H^-1 (a_bar + what sensors of contact forces ask), with the law evaluated at the stored qacc.

    mu_alone: nothing constrains, so H is M, and a_bar is -M mu, of an implicit integrator, to which no sensor has
    added; so z is mu.
    """
    nv = m.nv
    if mu_alone:
        for i in range(nv):
            d.z[w, i] = d.mu[w, i]
    else:
        constraint_bar(m, d, w)
        hessian(m, d, w, 1)
        for i in range(nv):
            d.z[w, i] = -d.a_bar[w, i]
        solve_hessian(m, d, w, d.z)
