"""Rows of derivatives, a matrix of which is solved at once.

A row has nv entries by q and nv by v, both filled up to a multiple of four, na by act and nu by ctrl, and is filled up
to a multiple of eight, a strip.
"""

import taichi as ti

from engine.dynamics.crba import diagonal_at
from engine.math.types import real
from engine.model.constants import RK4

STRIP = 8


@ti.func
def row_strips(m: ti.template()):
    """Strips in a row of derivatives."""
    return (2 * m.ld + m.na + m.nu + STRIP - 1) >> 3


@ti.func
def rows_at(m: ti.template(), w: ti.i32, slot: ti.i32):
    """The first strip of a matrix of rows: of the stages of RK4, or of d r / dx (0) and what is implicit (1)."""
    slots = 2
    if m.integrator == RK4:
        slots = 4
    return (w * slots + slot) * m.nv * row_strips(m)


@ti.func
def strip_at(m: ti.template(), q: ti.i32):
    """Where strip q begins, of which LLVM knows that the next indices do not overflow (factor.block_at)."""
    return (STRIP * q) & 0x7FFFFFF8


@ti.func
def clear_rows(m: ti.template(), l: ti.template(), first: ti.i32, count: ti.i32):
    for q in range(count * row_strips(m)):
        i = strip_at(m, first + q)
        for c in ti.static(range(STRIP)):
            l.lin_rows[i + c] = 0.0


@ti.func
def scale_row(m: ti.template(), l: ti.template(), y: ti.i32, a: real):
    """The row that begins at strip y times a."""
    for q in range(row_strips(m)):
        i = strip_at(m, y + q)
        for f in ti.static((0, 4)):
            b = ti.Vector([l.lin_rows[i + f + c] * a for c in range(4)])
            for c in ti.static(range(4)):
                l.lin_rows[i + f + c] = b[c]


@ti.func
def add_to_strip(m: ti.template(), l: ti.template(), y: ti.i32, a: real, x: ti.i32):
    """Strip y gains a times strip x; of four entries all is read before any is written (factor.py)."""
    i = strip_at(m, y)
    j = strip_at(m, x)
    for f in ti.static((0, 4)):
        b = ti.Vector([l.lin_rows[i + f + c] + a * l.lin_rows[j + f + c] for c in range(4)])
        for c in ti.static(range(4)):
            l.lin_rows[i + f + c] = b[c]


@ti.func
def add_to_row(m: ti.template(), l: ti.template(), y: ti.i32, a: real, x: ti.i32):
    """The row that begins at strip y gains a times the one at x."""
    n = row_strips(m)
    for q in range(n >> 1):
        for s in ti.static(range(2)):
            add_to_strip(m, l, y + 2 * q + s, a, x + 2 * q + s)
    if n & 1:
        add_to_strip(m, l, y + n - 1, a, x + n - 1)


@ti.func
def add_four_to_row(m: ti.template(), l: ti.template(), y: ti.i32, a: ti.template(), x: ti.template()):
    """The row that begins at strip y gains a[s] times the one at x[s] for s = 0 .. 3: it is read and written once."""
    for q in range(row_strips(m)):
        i = strip_at(m, y + q)
        j = ti.Vector([strip_at(m, x[s] + q) for s in range(4)])
        for f in ti.static((0, 4)):
            b = ti.Vector([l.lin_rows[i + f + c] for c in range(4)])
            for s in ti.static(range(4)):
                for c in ti.static(range(4)):
                    b[c] = b[c] + a[s] * l.lin_rows[j[s] + f + c]
            for c in ti.static(range(4)):
                l.lin_rows[i + f + c] = b[c]


@ti.func
def solve_rows(m: ti.template(), l: ti.template(), A: ti.template(), o: ti.i32, t: ti.template(), to: ti.i32,
               first: ti.i32):  # fmt: skip
    """The rows from strip `first` on become (L^T D L)^-1 times them: factor.solve for all their columns."""
    n = m.nv
    ns = row_strips(m)
    k = n - 1
    while k >= 0:
        # rows k, k - 1, .. of a run, four at most, which have the same ancestors beyond it
        number = ti.min(k - t.tree_run[to + k] + 1, 4)
        for s in range(number - 1):
            e = o + 4 * t.tree_row[to + k - s] + t.tree_depth[to + k - s]
            for r in range(s + 1, number):
                add_to_row(m, l, first + (k - r) * ns, -A[e - r + s], first + (k - s) * ns)
        i = t.tree_parent[to + k - number + 1]
        if i >= 0:
            x = ti.Vector([first + ti.max(k - s, k - number + 1) * ns for s in range(4)])
            e = ti.Vector([o + 4 * t.tree_row[to + ti.max(k - s, k - number + 1)] for s in range(4)])
            while i >= 0:
                p = t.tree_depth[to + i]
                # without a row there is no share of it
                a = ti.Vector([-A[e[s] + p] * ti.cast(s < number, real) for s in range(4)])
                add_four_to_row(m, l, first + i * ns, a, x)
                i = t.tree_parent[to + i]
        k = k - number
    for j in range(n):
        e = o + 4 * t.tree_row[to + j] + t.tree_depth[to + j]
        scale_row(m, l, first + j * ns, A[e])
        i = t.tree_parent[to + j]
        left = t.tree_depth[to + j]
        while left >= 4:
            x = ti.Vector([i, 0, 0, 0])
            for s in ti.static(range(1, 4)):
                x[s] = t.tree_parent[to + x[s - 1]]
            i = t.tree_parent[to + x[3]]
            e = e - 4
            a = ti.Vector([-A[e + 3 - s] for s in range(4)])
            add_four_to_row(m, l, first + j * ns, a, first + ns * x)
            left = left - 4
        while i >= 0:
            e = e - 1
            add_to_row(m, l, first + j * ns, -A[e], first + i * ns)
            i = t.tree_parent[to + i]


@ti.func
def add_mass_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, y: ti.i32, x: ti.i32):
    """The rows from strip y on gain M times those from x on."""
    ns = row_strips(m)
    for j in range(m.nv):
        k = diagonal_at(m, w, j)
        add_to_row(m, l, y + j * ns, d.M[k], x + j * ns)
        i = m.tree_parent[j]
        while i >= 0:
            k = k - 1
            e = d.M[k]
            add_to_row(m, l, y + j * ns, e, x + i * ns)
            add_to_row(m, l, y + i * ns, e, x + j * ns)
            i = m.tree_parent[i]
