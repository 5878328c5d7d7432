"""Friction without slip: what MuJoCo's NoSlip does after the solver (MuJoCo documentation, Computation, "Algorithms").

The solver's friction is soft: what holds a body lets it creep. Here dry friction and the friction of contacts are found
once more, one after the other and without that softness; all other forces stay:

    f minimises 1/2 f^T A f + f^T (J a - aref)   within its bounds,   A = J M^-1 J^T,   a the acceleration without f

    dry friction       |f| <= frictionloss
    pyramidal cone     each f_k by itself: |f_k| <= mu_k times the two edges' sum, which stays
    elliptic cone      all at once: sum of (f_k / mu_k)^2 <= f_n^2, a quadratic programme with one multiplier

A sweep asks all of them in MuJoCo's order. Sweeps end with the iterations or, for each island (dofs that constraints
couple), where one gains less than the tolerance times the trace of its part of M; with the flag island disabled all are
one. What comes out minimises nothing, so it has no adjoint: a tape refuses it.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import TWO_SIDED, add_transpose, chain_mul, is_contact, is_equality, is_metric
from engine.constraint.cones import elliptic_stiffness
from engine.constraint.discrete import follows_diagonal
from engine.constraint.islands import dof_at
from engine.constraint.noslip_cone import TINY, across, ellipsoid, load_contact, pyramid
from engine.constraint.rolling import add_turn_transpose, turn_mul
from engine.constraint.rolling_cone import five
from engine.constraint.row import FRICTION
from engine.constraint.solver import hessian, solve_hessian
from engine.dynamics.crba import diagonal_at
from engine.dynamics.factor import copy_blocks, factor, solve
from engine.math.index import bounded
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import DISCRETE


@ti.func
def softness(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """1/2 f^T R f of block c."""
    f = d.con_force[c]
    D = ti.max(d.con_d[c], MINVAL)  # none of what is found within a gap alone
    x = 0.5 * f.dot(f) / D
    if ti.static(has.diagonal and has.equality):
        if is_equality(d.con_pair[c]) and follows_diagonal(m):  # whose rows have D of their own
            x = 0.0
            for k in ti.static(range(3)):
                x = x + 0.5 * f[k] * f[k] / d.con_dd[c][k]
    if is_contact(d.con_pair[c]) and d.con_dim[c] > 1:
        load_contact(d, w, c)
        x = 0.5 * m.cone * f[0] * f[0] / D
        for k in range(d.con_dim[c] - 1):
            fk = d.slip_f[w, k]
            mu = d.slip_mu[w, k]
            mean = d.slip_mean[w, k]
            if m.cone == 0:
                x = x + (mean * mean + fk * fk / (4 * mu * mu)) / D
            else:
                x = x + 0.5 * fk * fk / elliptic_stiffness(D, d.con_mu1[c], mu, m.impratio)[2]
    return x


@outline("md", "w", when="noslip")
@ti.func
def solve_mass(m: ti.template(), d: ti.template(), w: ti.i32):
    """search becomes M^-1 search."""
    solve(m, d.H, w * m.nh, m, 0, d.search.array, d.search.at(w, 0))


@ti.func
def pushed(m: ti.template(), d: ti.template(), w: ti.i32, f: real):
    """The acceleration gains f times search."""
    for i in range(m.nv):
        d.qacc[w, i] = d.qacc[w, i] + f * d.search[w, i]


@ti.func
def clear_search(m: ti.template(), d: ti.template(), w: ti.i32):
    for i in range(m.nv):
        d.search[w, i] = 0.0


@ti.func
def island_of_block(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """Which island block c is in: the number of its first dof over all worlds; or -1 of a block that moves nothing."""
    o = -1
    if d.con_ndof[c] > 0:
        o = w * m.nv + d.island_of[w * m.nv + d.chain_dof[c * m.nchain]]
    return o


@ti.func
def find_islands(m: ti.template(), d: ti.template(), w: ti.i32):
    """The roots of the elimination tree, or the first dof of all, the trace of M of each, and what the first sweep is
    credited with."""
    for k in range(m.nv):  # first, since the island of all is that of dof 0, which may come late
        e = w * m.nv + k
        d.island_active[e] = 0
        d.island_trace[e] = 0.0
        d.island_gain[e] = 0.0
    for r in range(m.nv):
        k = dof_at(m, d, w, r)
        e = w * m.nv + k
        d.island_of[e] = k
        p = d.tree_parent[w * m.nv + r]
        if p >= 0:
            d.island_of[e] = d.island_of[w * m.nv + dof_at(m, d, w, p)]
        if m.noslip_apart == 0:
            d.island_of[e] = 0
        o = w * m.nv + d.island_of[e]
        weight = d.M[diagonal_at(m, w, k)]
        if ti.static(has.discrete):
            if m.integrator == DISCRETE:  # d.M is the metric then
                weight = d.mass_diag[w, k]
        d.island_trace[o] = d.island_trace[o] + weight
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        o = w * m.nv + d.island_of[w * m.nv + d.row_dof[i]]
        d.island_active[o] = 1
        d.island_gain[o] = d.island_gain[o] + 0.5 * d.row_force[i] * d.row_force[i] / d.row_d[i]
    for r in range(d.nblock[w]):
        c = bounded(w * m.nconmax + r)
        o = island_of_block(m, d, w, c)
        if o >= 0 and not is_metric(d.con_pair[c]):
            d.island_active[o] = 1
            d.island_gain[o] = d.island_gain[o] + softness(m, d, w, c)


@ti.func
def contact_matrix(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """A of the rows across the normal of contact c."""
    first = c * m.nchain
    end = first + d.con_ndof[c]
    for k in range(d.con_dim[c] - 1):
        clear_search(m, d, w)
        for q in range(first, end):
            d.search[w, d.chain_dof[q]] = across(d, q, k)
        solve_mass(m, d, w)
        for j in range(k + 1):
            a = real(0.0)
            for q in range(first, end):
                a = a + across(d, q, j) * d.search[w, d.chain_dof[q]]
            if j == k and m.cone != 0:  # a pyramid keeps the forces of edges between which nothing moves
                a = ti.max(TINY, a)
            d.slip_A[c, 5 * j + k] = a
            d.slip_A[c, 5 * k + j] = a


@ti.func
def start(m: ti.template(), d: ti.template(), w: ti.i32):
    """M factored, islands, the matrices of contacts, and of each jar what is not J a."""
    copy_blocks(m, d.H, (w * m.nh) >> 2, d.M, (w * m.nm) >> 2, m.nm >> 2)
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:  # of whose metric MuJoCo takes what it has factored
            copy_blocks(m, d.H, (w * m.nh) >> 2, d.M_factored, (w * m.nm) >> 2, m.nm >> 2)
    factor(m, d.H, w * m.nh, m, 0)
    find_islands(m, d, w)
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        d.row_jv[i] = d.row_jar[i] - d.row_sign[i] * d.qacc[w, d.row_dof[i]]
    if ti.static(has.block):
        for r in range(d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            d.con_jv[c] = d.con_jar[c] - chain_mul(m, d, w, c, d.qacc)
            if ti.static(has.rolling):
                if r < d.ncon[w] and d.con_dim[c] > 3:
                    d.turn_jv[c] = d.turn_jar[c] - turn_mul(m, d, w, c, d.qacc)
        for r in range(d.ncon[w]):
            c = bounded(w * m.nconmax + r)
            if d.con_force[c][0] > MINVAL:
                contact_matrix(m, d, w, c)


@ti.func
def dry_step(d: ti.template(), o: ti.i32, f: real, floss: real, res: real, a: real):
    """What dry friction f gains where it leaves the residual res, and a is A of its row; credited to island o."""
    curve = ti.max(MINVAL, a)
    delta = ti.min(ti.max(f - res / curve, -floss), floss) - f
    d.island_gain[o] = d.island_gain[o] - (0.5 * delta * curve + res) * delta
    return delta


@ti.func
def dry_friction(m: ti.template(), d: ti.template(), w: ti.i32):
    """A sweep over the dry friction of dofs, then over that of tendons."""
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        k = d.row_dof[i]
        o = w * m.nv + d.island_of[w * m.nv + k]
        if d.row_kind[i] == FRICTION and d.island_active[o]:
            clear_search(m, d, w)
            d.search[w, k] = 1.0
            solve_mass(m, d, w)
            delta = dry_step(d, o, d.row_force[i], d.row_floss[i], d.row_jv[i] + d.qacc[w, k], d.search[w, k])
            d.row_force[i] = d.row_force[i] + delta
            d.qfrc_constraint[w, k] = d.qfrc_constraint[w, k] + delta
            pushed(m, d, w, delta)
    if ti.static(has.tendon):
        for r in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            o = island_of_block(m, d, w, c)
            if d.con_law[c] == TWO_SIDED and o >= 0:
                if d.island_active[o]:
                    clear_search(m, d, w)
                    add_transpose(m, d, w, c, vec3(1.0, 0.0, 0.0), d.search)
                    solve_mass(m, d, w)
                    a = chain_mul(m, d, w, c, d.search)[0]
                    res = d.con_jv[c][0] + chain_mul(m, d, w, c, d.qacc)[0]
                    f = vec3(dry_step(d, o, d.con_force[c][0], d.con_mu1[c], res, a), 0.0, 0.0)
                    d.con_force[c] = d.con_force[c] + f
                    add_transpose(m, d, w, c, f, d.qfrc_constraint)
                    pushed(m, d, w, f[0])


@ti.func
def contact_friction(m: ti.template(), d: ti.template(), w: ti.i32):
    """A sweep over the friction of contacts."""
    for r in range(d.ncon[w]):
        c = bounded(w * m.nconmax + r)
        n = d.con_dim[c] - 1
        o = island_of_block(m, d, w, c)
        active = n > 0 and o >= 0 and d.con_force[c][0] > MINVAL
        if active:
            active = d.island_active[o] != 0
        if active:
            jar = d.con_jv[c] + chain_mul(m, d, w, c, d.qacc)
            turn = vec3(0.0, 0.0, 0.0)
            if ti.static(has.rolling):
                if n > 2:
                    turn = d.turn_jv[c] + turn_mul(m, d, w, c, d.qacc)
            load_contact(d, w, c)
            res = five(jar[1], jar[2], turn)
            for k in ti.static(range(5)):
                d.slip_r[w, k] = res[k]
            gain = real(0.0)
            if m.cone == 0:
                gain = pyramid(m, d, w, c, n)
            else:
                gain = ellipsoid(m, d, w, c, n)
            d.island_gain[o] = d.island_gain[o] + gain
            f = vec3(0.0, d.slip_x[w, 0], d.slip_x[w, 1])
            d.con_force[c] = d.con_force[c] + f
            clear_search(m, d, w)
            add_transpose(m, d, w, c, f, d.search)
            if ti.static(has.rolling):
                if n > 2:
                    turn = vec3(d.slip_x[w, 2], 0.0, 0.0)
                    if n == 5:
                        turn = vec3(d.slip_x[w, 2], d.slip_x[w, 3], d.slip_x[w, 4])
                    d.turn_force[c] = d.turn_force[c] + turn
                    add_turn_transpose(m, d, w, c, turn, d.search)
            for i in range(m.nv):
                d.qfrc_constraint[w, i] = d.qfrc_constraint[w, i] + d.search[w, i]
            solve_mass(m, d, w)
            pushed(m, d, w, 1.0)


@ti.func
def still_gaining(m: ti.template(), d: ti.template(), w: ti.i32):
    """Whether an island is worth another sweep; none is credited with anything yet."""
    some = 0
    for k in range(m.nv):
        o = w * m.nv + k
        if d.island_active[o]:
            if d.island_gain[o] < m.noslip_tolerance * d.island_trace[o]:
                d.island_active[o] = 0
            else:
                some = 1
        d.island_gain[o] = 0.0
    return some


@outline("md", "w", when="discrete")
@ti.func
def pushed_by_all(m: ti.template(), d: ti.template(), w: ti.i32):
    """search becomes what constraint forces add to the acceleration in the whole metric of the integrator discrete."""
    for r in range(d.nrow[w]):
        d.row_k[bounded(w * m.nrowmax + r)] = 0.0
    if ti.static(has.block):
        for r in range(d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            if not is_metric(d.con_pair[c]):
                d.con_kd[c] = vec3(0.0, 0.0, 0.0)
                d.con_ko[c] = vec3(0.0, 0.0, 0.0)
    hessian(m, d, w, 1)
    for i in range(m.nv):
        d.search[w, i] = d.qfrc_constraint[w, i]
    solve_hessian(m, d, w, d.search)


@outline("md", "w", when="noslip")
@ti.func
def without_slip(m: ti.template(), d: ti.template(), w: ti.i32):
    """After the solver: friction, the acceleration (also that of the next warm start) and `ma` without slip.

    Of the integrator discrete MuJoCo's sweeps know the metric that it factors, of tendons and actuators the diagonal
    alone, and what comes before and after them the whole one.
    """
    if m.noslip_iterations > 0 and d.nrow[w] + d.nblock[w] > 0:
        if m.integrator == DISCRETE:
            pushed_by_all(m, d, w)
            for i in range(m.nv):
                d.qacc_eff[w, i] = d.qacc_eff[w, i] - d.search[w, i]
        start(m, d, w)
        if m.integrator == DISCRETE:
            for i in range(m.nv):
                d.search[w, i] = d.qfrc_constraint[w, i]
            solve_mass(m, d, w)
            for i in range(m.nv):
                d.qacc[w, i] = d.qacc_eff[w, i] + d.search[w, i]
        sweeps = 0
        some = 1
        while some and sweeps < m.noslip_iterations:
            dry_friction(m, d, w)
            contact_friction(m, d, w)
            some = still_gaining(m, d, w)
            sweeps = sweeps + 1
        if m.integrator == DISCRETE:
            pushed_by_all(m, d, w)
            for i in range(m.nv):
                d.qacc_eff[w, i] = d.qacc_eff[w, i] + d.search[w, i]
                d.qacc[w, i] = d.qacc_eff[w, i]
        for i in range(m.nv):
            d.ma[w, i] = d.qfrc_smooth[w, i] + d.qfrc_constraint[w, i]
            d.qacc_warmstart[w * m.nv + i] = d.qacc[w, i]
