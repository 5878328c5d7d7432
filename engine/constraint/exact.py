"""The exact diagonal of J M^-1 J^T, of which the flag diagexact has the softness of constraints made, and the adjoint.

    D = 1 / max(MINVAL, (1 - imp) / imp A),      A = j M^-1 j^T of a row j at the state
(MuJoCo documentation, Computation, "Diagonal approximation"). The row is the constraint's own: of a contact with an
elliptic cone the normal's, of one with a pyramid that of its first edge; each row of an equality has its A. Of the
integrator discrete M is the metric as MuJoCo factors it, of tendons and actuators the diagonal alone. Sources give D
for an A of one.

Adjoint: with Y the sum of y f of the rows that share an A (blocks.py), -Y d(log D) = Y / A dA and x = M^-1 j^T

    dA = 2 x . dj - x^T dM x
The first goes to chain_bar, from which contact_diagonal_vjp and others in discrete.py take it; the second to M_bar, the
adjoint of M's entries, and of the integrator discrete its diagonal to metric_bar.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import add_transpose, is_equality, is_metric
from engine.constraint.discrete import along, mix_of
from engine.constraint.impedance import is_exact
from engine.dynamics.crba import diagonal_at
from engine.dynamics.factor import clear_blocks, copy_blocks, factor, solve
from engine.math.index import bounded, vector_at
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import DISCRETE


@ti.func
def factor_exact(m: ti.template(), d: ti.template(), w: ti.i32):
    o = (w * m.nm) >> 2
    if m.integrator == DISCRETE:
        if ti.static(has.discrete):
            copy_blocks(m, d.M_exact, o, d.M_factored, o, m.nm >> 2)
    else:
        copy_blocks(m, d.M_exact, o, d.M, o, m.nm >> 2)
    factor(m, d.M_exact, w * m.nm, m, 0)


@ti.func
def squared(m: ti.template(), d: ti.template(), w: ti.i32, last: ti.i32):
    """x^T M^-1 x of x, which lies in search, with nothing behind dof `last`, and leaves it zero: the first half of a
    solve alone, and of that the dofs on the way from x to the root."""
    A = real(0.0)
    k = last
    while k >= 0:
        x = d.search[w, k]
        if x != 0:
            e = diagonal_at(m, w, k)
            A = A + x * x * d.M_exact[e]
            d.search[w, k] = 0.0
            i = m.tree_parent[k]
            while i >= 0:
                e = e - 1
                d.search[w, i] = d.search[w, i] - d.M_exact[e] * x
                i = m.tree_parent[i]
        k = k - 1
    return A


@ti.func
def counted(A: real, imp: real):
    """The A that counts: MuJoCo keeps (1 - imp) / imp A from zero."""
    return ti.max(A, MINVAL * imp / (1 - imp))


@ti.func
def rows_of(d: ti.template(), c: ti.i32):
    """How many rows of block c have an A."""
    return 3 if is_equality(d.con_pair[c]) else 1


@outline("md", "w", when="diagexact")
@ti.func
def exact_diagonals(m: ti.template(), d: ti.template(), w: ti.i32):
    """D of all rows and blocks, whose Jacobians are there."""
    if is_exact(m) and d.nrow[w] + d.nblock[w] > 0:
        factor_exact(m, d, w)
        for i in range(m.nv):
            d.search[w, i] = 0.0
        blocks = d.nblock[w]
        for k in range(d.nrow[w] + blocks):
            c = bounded(w * m.nconmax + k)
            i = bounded(w * m.nrowmax + k - blocks)
            number = 1
            if ti.static(has.block):
                if k < blocks:
                    number = rows_of(d, c) * ti.cast(not is_metric(d.con_pair[c]) and d.con_ndof[c] > 0, ti.i32)
            A = vec3(1.0, 1.0, 1.0)
            for r in range(number):
                last = -1
                if k < blocks:
                    if ti.static(has.block):
                        mix = mix_of(m, d, c, r)
                        for q in range(c * m.nchain, c * m.nchain + d.con_ndof[c]):
                            dof = d.chain_dof[q]
                            d.search[w, dof] = mix.dot(d.con_J[vector_at(q)])
                            last = ti.max(last, dof)
                else:
                    last = d.row_dof[i]
                    d.search[w, last] = 1.0
                a = squared(m, d, w, last)
                for s in ti.static(range(3)):
                    if s == r:
                        A[s] = a
            if k >= blocks:
                d.row_d[i] = d.row_d[i] / counted(A[0], d.row_imp[i])
                d.row_jv[i] = 0.0  # what sensors ask of its force, as con_fbar
            else:
                if ti.static(has.block):
                    if number > 0:
                        for s in ti.static(range(3)):
                            A[s] = counted(A[s], d.con_imp[c])
                        if is_equality(d.con_pair[c]):
                            d.con_dd[c] = vec3(d.con_d[c] / A[0], d.con_d[c] / A[1], d.con_d[c] / A[2])
                        d.con_d[c] = d.con_d[c] / A[0]


# ------------------------------------------------------------------------------------------------ the adjoint


@ti.func
def pulled_mass(m: ti.template(), d: ti.template(), w: ti.i32, a: real):
    """M_bar loses a x x^T of x, which is in search, where M has entries."""
    for k in range(m.nv):
        xk = a * d.search[w, k]
        if xk != 0:
            e = diagonal_at(m, w, k)
            d.M_bar[e] = d.M_bar[e] - xk * d.search[w, k]
            i = m.tree_parent[k]
            while i >= 0:
                e = e - 1
                d.M_bar[e] = d.M_bar[e] - xk * d.search[w, i]
                i = m.tree_parent[i]


@outline("md", "w", when="diagexact")
@ti.func
def exact_vjp(m: ti.template(), d: ti.template(), w: ti.i32):
    """M_bar and, of all blocks, chain_bar; expects z, the law at the solution and `exact_diagonals`."""
    if is_exact(m) and d.nrow[w] + d.nblock[w] > 0:
        clear_blocks(m, d.M_bar, (w * m.nm) >> 2, m.nm >> 2)
        blocks = d.nblock[w]
        for k in range(d.nrow[w] + blocks):
            c = bounded(w * m.nconmax + k)
            i = bounded(w * m.nrowmax + k - blocks)
            number = 0
            bars = vec3(0.0, 0.0, 0.0)
            imp = real(0.5)
            if k >= blocks:
                imp = d.row_imp[i]
                if d.row_zone[i] <= 1:  # else dry friction that slides, whatever D is
                    bars[0] = (d.row_sign[i] * d.z[w, d.row_dof[i]] - d.row_jv[i]) * d.row_force[i]
                    number = 1
            else:
                if ti.static(has.block):
                    imp = d.con_imp[c]
                    for q in range(c * m.nchain, c * m.nchain + d.con_ndof[c]):
                        d.chain_bar[vector_at(q)] = vec3(0.0, 0.0, 0.0)
                    if not is_metric(d.con_pair[c]) and d.con_ndof[c] > 0:
                        bars = along(m, d, w, c)
                        number = rows_of(d, c)
            for r in range(number):
                bar = bars[0] if r == 0 else (bars[1] if r == 1 else bars[2])
                if bar != 0:
                    for j in range(m.nv):
                        d.search[w, j] = 0.0
                    mix = vec3(0.0, 0.0, 0.0)
                    if k >= blocks:
                        d.search[w, d.row_dof[i]] = 1.0
                    else:
                        if ti.static(has.block):
                            mix = mix_of(m, d, c, r)
                            add_transpose(m, d, w, c, mix, d.search)
                    solve(m, d.M_exact, w * m.nm, m, 0, d.search.array, d.search.at(w, 0))
                    A = real(0.0)
                    if k >= blocks:
                        A = d.search[w, d.row_dof[i]]
                    else:
                        if ti.static(has.block):
                            for q in range(c * m.nchain, c * m.nchain + d.con_ndof[c]):
                                A = A + mix.dot(d.con_J[vector_at(q)]) * d.search[w, d.chain_dof[q]]
                    if A > MINVAL * imp / (1 - imp):
                        bar = bar / A
                        pulled_mass(m, d, w, bar)
                        if ti.static(has.block):
                            if k < blocks:
                                for q in range(c * m.nchain, c * m.nchain + d.con_ndof[c]):
                                    j = vector_at(q)
                                    d.chain_bar[j] = d.chain_bar[j] + 2.0 * bar * d.search[w, d.chain_dof[q]] * mix
        if ti.static(has.discrete):
            if m.integrator == DISCRETE:
                for i in range(m.nv):
                    d.metric_bar[w, i] = d.M_bar[diagonal_at(m, w, i)]
