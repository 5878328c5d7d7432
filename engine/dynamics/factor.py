"""Sparse L^T D L factorisation along an elimination tree, and its solve (Featherstone 2008, section 6.5).

A row's pattern is its chain of ancestors in the tree. For the mass matrix this is the kinematic tree; contacts that
couple two branches merge their chains first (`contact/jacobian.py`), which is exactly the fill that elimination
from the tips makes (Liu, SIAM J. Matrix Anal. 11(1), 1990), so one algorithm serves M, M + h D and the solver's H.
A solve has no adjoint of its own: the engine differentiates what it solves, never how.

A matrix holds its pattern and nothing else. Row k lies from block tree_row on, a block being four entries; in it the
ancestor i stands at place tree_depth of i, which is the same place in every row, and the diagonal at that of k. So rows
that meet are added from their first entry on, without gaps, and what follows the diagonal in its block is never used.
tree_run is the first of the dofs that lead to k with no gap in their numbers: along it, vectors over dofs have no gap
either. A tree is these four columns, of the model or of Data: t.tree_...[to + k].

Blocks are worked on as one vector instruction, which LLVM makes if it sees that an index plus three does not overflow:
hence the masks. (x // 4 is written x >> 2: Taichi rounds down with a division.)
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.types import real

FOUR = 12  # ancestors from which it pays to eliminate four rows together


@ti.func
def block_at(q: ti.i32):
    """4 q, the index where block q begins."""
    return (4 * q) & 0x7FFFFFFC


@ti.func
def four_at(i: ti.i32):
    """i, where four entries begin that lie anywhere."""
    return i & 0x3FFFFFFF


@ti.func
def clear_blocks(m: ti.template(), A: ti.template(), x: ti.i32, n: ti.i32):
    """Zero the n blocks from block x on."""
    for q in range(n):
        i = block_at(x + q)
        for c in ti.static(range(4)):
            A[i + c] = 0.0


@ti.func
def copy_blocks(m: ti.template(), B: ti.template(), y: ti.i32, A: ti.template(), x: ti.i32, n: ti.i32):
    """The n blocks of B from block y on become those of A from block x on."""
    for q in range(n):
        i = block_at(x + q)
        j = block_at(y + q)
        b = ti.Vector([A[i + c] for c in range(4)])
        for c in ti.static(range(4)):
            B[j + c] = b[c]


@ti.func
def subtract_row(m: ti.template(), A: ti.template(), y: ti.i32, a: real, x: ti.i32, n: ti.i32):
    """The n blocks from block y on lose a times those from block x on; of each, all is read before any is written."""
    for q in range(n):
        i = block_at(x + q)
        j = block_at(y + q)
        b = ti.Vector([A[j + c] - a * A[i + c] for c in range(4)])
        for c in ti.static(range(4)):
            A[j + c] = b[c]


@ti.func
def scale_row(m: ti.template(), A: ti.template(), y: ti.i32, a: real, n: ti.i32):
    """The n blocks from block y on times a."""
    for q in range(n):
        j = block_at(y + q)
        b = ti.Vector([A[j + c] * a for c in range(4)])
        for c in ti.static(range(4)):
            A[j + c] = b[c]


@ti.func
def factor(m: ti.template(), A: ti.template(), o: ti.i32, t: ti.template(), to: ti.i32):
    """In place, of order nv, from entry o on; the diagonal becomes 1 / D."""
    o4 = o >> 2
    stop = -1  # up to which ancestor a row takes its share of the others; four rows together the rest
    for kk in range(m.nv):
        k = m.nv - 1 - kk
        e = to + k
        row = o4 + t.tree_row[e]
        p = t.tree_depth[e]
        if ti.static(has.long):
            if k <= stop or stop < 0:
                stop = -1
                if p >= FOUR and k - t.tree_run[e] >= 3:
                    stop = k - 4
        diagonal = 4 * row + p
        blocks = (p >> 2) + 1
        inv = 1.0 / A[diagonal]
        i = t.tree_parent[e]
        while i > stop:
            p = p - 1
            e = to + i
            subtract_row(m, A, o4 + t.tree_row[e], A[4 * row + p] * inv, row, (p >> 2) + 1)
            i = t.tree_parent[e]
        # only now, since a processor stalls that reads four entries together of which it has just written one
        scale_row(m, A, row, inv, blocks)
        A[diagonal] = inv
        if ti.static(has.long):
            if stop >= 0 and k == stop + 1:
                subtract_four(m, A, o4, t, to, k)


@ti.func
def subtract_four(m: ti.template(), A: ti.template(), o4: ti.i32, t: ti.template(), to: ti.i32,
                  k: ti.i32):  # fmt: skip
    """The ancestors of k lose the shares of rows k to k + 3, which are eliminated: each is read and written once."""
    x = ti.Vector([o4 + t.tree_row[to + k + s] for s in range(4)])
    p = t.tree_depth[to + k]
    D = ti.Vector([1.0 / A[4 * x[s] + p + s] for s in range(4)])
    i = t.tree_parent[to + k]
    while i >= 0:
        p = p - 1
        a = ti.Vector([A[4 * x[s] + p] * D[s] for s in range(4)])
        y = o4 + t.tree_row[to + i]
        for q in range((p >> 2) + 1):
            j = block_at(y + q)
            b = ti.Vector([A[j + c] for c in range(4)])
            for s in ti.static(range(4)):
                i4 = block_at(x[s] + q)
                for c in ti.static(range(4)):
                    b[c] = b[c] - a[s] * A[i4 + c]
            for c in ti.static(range(4)):
                A[j + c] = b[c]
        i = t.tree_parent[to + i]


@ti.func
def solve(m: ti.template(), A: ti.template(), o: ti.i32, t: ti.template(), to: ti.i32,
          x: ti.template(), xo: ti.i32):  # fmt: skip
    """x[xo : xo + nv] becomes (L^T D L)^-1 x."""
    n = m.nv
    o4 = o >> 2
    for kk in range(n):
        k = n - 1 - kk
        a = 4 * (o4 + t.tree_row[to + k]) + t.tree_depth[to + k]
        xk = x[xo + k]
        j = t.tree_parent[to + k]
        while j >= 0:
            first = t.tree_run[to + j]
            number = j - first + 1
            a = a - number
            b = xo + first
            for q in range(number >> 2):
                ai = four_at(a + 4 * q)
                bi = four_at(b + 4 * q)
                for c in ti.static(range(4)):
                    x[bi + c] = x[bi + c] - A[ai + c] * xk
            for c in ti.static(range(3)):
                q = (number >> 2 << 2) + c
                if q < number:
                    x[b + q] = x[b + q] - A[a + q] * xk
            j = t.tree_parent[to + first]
    for k in range(n):
        a = 4 * (o4 + t.tree_row[to + k]) + t.tree_depth[to + k]
        s0 = x[xo + k] * A[a]
        s1 = real(0.0)
        j = t.tree_parent[to + k]
        while j >= 0:
            first = t.tree_run[to + j]
            number = j - first + 1
            a = a - number
            b = xo + first
            for q in range(number >> 2):
                ai = four_at(a + 4 * q)
                bi = four_at(b + 4 * q)
                s0 = s0 - (A[ai] * x[bi] + A[ai + 1] * x[bi + 1])
                s1 = s1 - (A[ai + 2] * x[bi + 2] + A[ai + 3] * x[bi + 3])
                # a store keeps LLVM from vectorising a loop of one or two iterations
                x[xo + k] = s0
            for c in ti.static(range(3)):
                q = (number >> 2 << 2) + c
                if q < number:
                    s1 = s1 - A[a + q] * x[b + q]
            j = t.tree_parent[to + first]
        x[xo + k] = s0 + s1
