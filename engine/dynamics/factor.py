"""Sparse L^T D L factorisation along an elimination tree, and its solve (Featherstone 2008, section 6.5).

A row's pattern is its chain of ancestors in `parent`. For the mass matrix this is the kinematic tree; contacts that
couple two branches merge their chains first (`contact/constraint.py`), which is exactly the fill that elimination
from the tips makes (Liu, SIAM J. Matrix Anal. 11(1), 1990), so one algorithm serves M, M + h D and the solver's H.
A solve has no adjoint of its own: the engine differentiates what it solves, never how.

Matrices are stored by rows of ld entries, a multiple of four (x // 4 is written x >> 2: Taichi rounds down with
a division), and worked on in blocks of four columns, which LLVM then
turns into vector instructions. Left of the diagonal, what is not in the pattern must be zero; what stands right of it
in the diagonal's block is never used and may be anything. run[ro + k stride] is the first of the dofs that lead to k
with no gap in their numbers: the blocks of a row are those of its runs.
"""

import taichi as ti

from engine.math.types import real
from engine.schema import LD, NMAT, NV


@ti.func
def matrix_at(m: ti.template(), w: ti.i32, which: ti.i32):
    """Where matrix `which` (M_...) of a world begins."""
    return (w * NMAT + which) * m.dims[NV] * m.dims[LD]


@ti.func
def clear_row(m: ti.template(), A: ti.template(), o: ti.i32, k: ti.i32):
    """Row k of the matrix at o: zero up to the end of the diagonal's block."""
    row = (o + k * m.dims[LD]) >> 2
    for q in range((k >> 2) + 1):
        i = block_at(m, row + q)
        for c in ti.static(range(4)):
            A[i + c] = 0.0


@ti.func
def copy_row(m: ti.template(), A: ti.template(), src: ti.i32, dst: ti.i32, k: ti.i32):
    """Row k from the matrix at src to the one at dst, up to the end of the diagonal's block."""
    x = (src + k * m.dims[LD]) >> 2
    y = (dst + k * m.dims[LD]) >> 2
    for q in range((k >> 2) + 1):
        i = block_at(m, x + q)
        j = block_at(m, y + q)
        a0 = A[i]
        a1 = A[i + 1]
        a2 = A[i + 2]
        a3 = A[i + 3]
        A[j] = a0
        A[j + 1] = a1
        A[j + 2] = a2
        A[j + 3] = a3


@ti.func
def block_at(m: ti.template(), q: ti.i32):
    """4 q. The zero that LLVM cannot see keeps it from making this a counter of the loop around: only as a multiple of
    four does it know that the next three indices do not overflow, and that four loads are one."""
    return 4 * (q + (m.dims[LD] & 3))


@ti.func
def subtract_block(m: ti.template(), A: ti.template(), y: ti.i32, a: real, x: ti.i32):
    """Four entries from 4 y on lose a times those from 4 x on; all are read before any is written."""
    i = block_at(m, x)
    j = block_at(m, y)
    y0 = A[j] - a * A[i]
    y1 = A[j + 1] - a * A[i + 1]
    y2 = A[j + 2] - a * A[i + 2]
    y3 = A[j + 3] - a * A[i + 3]
    A[j] = y0
    A[j + 1] = y1
    A[j + 2] = y2
    A[j + 3] = y3


@ti.func
def scale_block(m: ti.template(), A: ti.template(), y: ti.i32, a: real):
    """Four entries from 4 y on times a."""
    j = block_at(m, y)
    y0 = A[j] * a
    y1 = A[j + 1] * a
    y2 = A[j + 2] * a
    y3 = A[j + 3] * a
    A[j] = y0
    A[j + 1] = y1
    A[j + 2] = y2
    A[j + 3] = y3


@ti.func
def factor(m: ti.template(), A: ti.template(), o: ti.i32, parent: ti.template(), po: ti.i32, run: ti.template(),
           ro: ti.i32, stride: ti.i32):  # fmt: skip
    """In place: A[o + k ld + i], i <= k, of order nv; the diagonal becomes 1 / D.

    parent[po + k stride] is the parent of k, or -1.
    """
    n = m.dims[NV]
    ld = m.dims[LD] >> 2
    o4 = o >> 2
    for kk in range(n):
        k = n - 1 - kk
        row = o4 + k * ld
        inv = 1.0 / A[4 * row + k]
        i = parent[po + k * stride]
        while i >= 0:
            a = A[4 * row + i] * inv
            other = o4 + i * ld
            j = i
            top = i >> 2
            while j >= 0:
                first = run[ro + j * stride]
                for q in range(first >> 2, top + 1):
                    subtract_block(m, A, other + q, a, row + q)
                j = parent[po + first * stride]
                top = ti.min(j >> 2, (first >> 2) - 1)
            i = parent[po + i * stride]
        # only now, since a processor stalls that reads four entries together of which it has just written one
        for q in range((k >> 2) + 1):
            scale_block(m, A, row + q, inv)
        A[4 * row + k] = inv


@ti.func
def solve(m: ti.template(), A: ti.template(), o: ti.i32, parent: ti.template(), po: ti.i32, run: ti.template(),
          ro: ti.i32, stride: ti.i32, x: ti.template(), xo: ti.i32):  # fmt: skip
    """x[xo : xo + nv] becomes (L^T D L)^-1 x."""
    n = m.dims[NV]
    ld = m.dims[LD] >> 2
    o4 = o >> 2
    for kk in range(n):
        k = n - 1 - kk
        row = o4 + k * ld
        xk = x[xo + k]
        # the diagonal's block by elements, then the others
        for c in ti.static(range(3)):
            q = (k >> 2 << 2) + c
            if q < k:
                x[xo + q] = x[xo + q] - A[4 * row + q] * xk
        j = parent[po + k * stride]
        top = ti.min(j >> 2, (k >> 2) - 1)
        while j >= 0:
            first = run[ro + j * stride]
            for q in range(first >> 2, top + 1):
                for c in ti.static(range(4)):
                    i = xo + 4 * q + c
                    x[i] = x[i] - A[4 * (row + q) + c] * xk
            j = parent[po + first * stride]
            top = ti.min(j >> 2, (first >> 2) - 1)
    for k in range(n):
        row = o4 + k * ld
        s0 = x[xo + k] * A[4 * row + k]
        s1 = real(0.0)
        for c in ti.static(range(3)):
            q = (k >> 2 << 2) + c
            if q < k:
                s0 = s0 - A[4 * row + q] * x[xo + q]
        j = parent[po + k * stride]
        top = ti.min(j >> 2, (k >> 2) - 1)
        while j >= 0:
            first = run[ro + j * stride]
            for q in range(first >> 2, top + 1):
                a = 4 * (row + q)
                i = xo + 4 * q
                s0 = s0 - (A[a] * x[i] + A[a + 1] * x[i + 1])
                s1 = s1 - (A[a + 2] * x[i + 2] + A[a + 3] * x[i + 3])
                # a store keeps LLVM from vectorising a loop of one or two iterations
                x[xo + k] = s0
            j = parent[po + first * stride]
            top = ti.min(j >> 2, (first >> 2) - 1)
        x[xo + k] = s0 + s1
