"""Sparse L^T D L factorisation along an elimination tree, and its solve (Featherstone 2008, section 6.5).

A row's pattern is its chain of ancestors in `parent`. For the mass matrix this is the kinematic tree; contacts that
couple two branches merge their chains first (`contact/constraint.py`), which is exactly the fill that elimination
from the tips makes (Liu, SIAM J. Matrix Anal. 11(1), 1990), so one algorithm serves M, M + h D and the solver's H.
A solve has no adjoint of its own: the engine differentiates what it solves, never how.
"""

import taichi as ti


@ti.func
def factor(A: ti.template(), o: ti.i32, n: ti.i32, parent: ti.template(), po: ti.i32, run: ti.template(), ro: ti.i32,
           stride: ti.i32):  # fmt: skip
    """In place: A[o + k n + i], i <= k; the diagonal becomes 1 / D.

    parent[po + k stride] is the parent of k, or -1. run[ro + k stride] is the first of the dofs that lead to k with
    no gap in their numbers: along a run the inner loops count instead of following parents, and vectorise.
    """
    for kk in range(n):
        k = n - 1 - kk
        row = o + k * n
        inv = 1.0 / A[row + k]
        A[row + k] = inv
        i = parent[po + k * stride]
        while i >= 0:
            a = A[row + i] * inv
            irow = o + i * n
            j = i
            while j >= 0:
                first = run[ro + j * stride]
                for q in range(first, j + 1):
                    A[irow + q] = A[irow + q] - a * A[row + q]
                j = parent[po + first * stride]
            A[row + i] = a
            i = parent[po + i * stride]


@ti.func
def solve(A: ti.template(), o: ti.i32, n: ti.i32, parent: ti.template(), po: ti.i32, run: ti.template(), ro: ti.i32,
          stride: ti.i32, x: ti.template(), xo: ti.i32):  # fmt: skip
    """x[xo : xo + n] becomes (L^T D L)^-1 x."""
    for kk in range(n):
        k = n - 1 - kk
        xk = x[xo + k]
        i = parent[po + k * stride]
        while i >= 0:
            first = run[ro + i * stride]
            for q in range(first, i + 1):
                x[xo + q] = x[xo + q] - A[o + k * n + q] * xk
            i = parent[po + first * stride]
    for k in range(n):
        xk = x[xo + k] * A[o + k * n + k]
        i = parent[po + k * stride]
        while i >= 0:
            first = run[ro + i * stride]
            for q in range(first, i + 1):
                xk = xk - A[o + k * n + q] * x[xo + q]
            i = parent[po + first * stride]
        x[xo + k] = xk
