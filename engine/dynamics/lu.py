"""Sparse factorisation of an unsymmetric matrix along the kinematic tree, and its solve; each triangle has M's pattern.

The lower triangle lies in `L` as M does (factor.py), the upper one, transposed, in `U` likewise. Elimination from the
tips fills nothing in. For dof k with ancestors i, j and pivot p = A_kk, which becomes 1 / p,

    A_ij = A_ij - A_ik A_kj / p
"""

import taichi as ti

from engine.dynamics.factor import subtract_row
from engine.math.types import real


@ti.func
def factor_lu(m: ti.template(), L: ti.template(), U: ti.template(), o: ti.i32):
    """In place, of order nv, from entry o on; U's own diagonal counts for nothing."""
    o4 = o >> 2
    for kk in range(m.nv):
        k = m.nv - 1 - kk
        row = o4 + m.tree_row[k]
        p = m.tree_depth[k]
        diagonal = 4 * row + p
        inv = 1.0 / L[diagonal]
        i = m.tree_parent[k]
        while i >= 0:
            p = p - 1
            to = o4 + m.tree_row[i]
            below = L[4 * row + p] * inv
            above = U[4 * row + p] * inv
            subtract_row(m, L, to, above, row, (p >> 2) + 1)
            subtract_row(m, U, to, below, row, (p >> 2) + 1)
            i = m.tree_parent[i]
        L[diagonal] = inv


@ti.func
def solve_lu(m: ti.template(), L: ti.template(), U: ti.template(), w: ti.i32, x: ti.template()):
    """x of world w becomes A^-1 x; with L and U changed for each other A^-T x, if U has L's diagonal."""
    for kk in range(m.nv):
        k = m.nv - 1 - kk
        e = w * m.nm + 4 * m.tree_row[k] + m.tree_depth[k]
        xk = x[w, k] * L[e]
        i = m.tree_parent[k]
        while i >= 0:
            e = e - 1
            x[w, i] = x[w, i] - U[e] * xk
            i = m.tree_parent[i]
    for k in range(m.nv):
        e = w * m.nm + 4 * m.tree_row[k] + m.tree_depth[k]
        inv = L[e]
        s = real(x[w, k])
        i = m.tree_parent[k]
        while i >= 0:
            e = e - 1
            s = s - L[e] * x[w, i]
            i = m.tree_parent[i]
        x[w, k] = s * inv
