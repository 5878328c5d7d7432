"""Sparse L^T D L factorisation along an elimination tree, and its solve (Featherstone 2008, section 6.5).

A row's pattern is its chain of ancestors in `parent`. For the mass matrix this is the kinematic tree; contacts that
couple two branches merge their chains first (`contact/constraint.py`), which is exactly the fill that elimination
from the tips makes (Liu, SIAM J. Matrix Anal. 11(1), 1990), so one algorithm serves M, M + h D and the solver's H.
A solve has no adjoint of its own: the engine differentiates what it solves, never how.
"""

import taichi as ti


@ti.func
def factor(A: ti.template(), o: ti.i32, n: ti.i32, parent: ti.template(), po: ti.i32, ps: ti.i32):
    """In place: A[o + k n + i], i <= k. parent[po + k ps] is the parent of k, or -1. The diagonal becomes 1 / D."""
    for kk in range(n):
        k = n - 1 - kk
        row = o + k * n
        inv = 1.0 / A[row + k]
        A[row + k] = inv
        i = parent[po + k * ps]
        while i >= 0:
            a = A[row + i] * inv
            irow = o + i * n
            j = i
            while j >= 0:
                A[irow + j] = A[irow + j] - a * A[row + j]
                j = parent[po + j * ps]
            A[row + i] = a
            i = parent[po + i * ps]


@ti.func
def solve(A: ti.template(), o: ti.i32, n: ti.i32, parent: ti.template(), po: ti.i32, ps: ti.i32, x: ti.template(),
          xo: ti.i32):  # fmt: skip
    """x[xo : xo + n] becomes (L^T D L)^-1 x."""
    for kk in range(n):
        k = n - 1 - kk
        xk = x[xo + k]
        i = parent[po + k * ps]
        while i >= 0:
            x[xo + i] = x[xo + i] - A[o + k * n + i] * xk
            i = parent[po + i * ps]
    for k in range(n):
        xk = x[xo + k] * A[o + k * n + k]
        i = parent[po + k * ps]
        while i >= 0:
            xk = xk - A[o + k * n + i] * x[xo + i]
            i = parent[po + i * ps]
        x[xo + k] = xk
