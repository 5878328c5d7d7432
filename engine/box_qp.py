"""The minimum of 1/2 u'H u + q'u within bounds, in a kernel: guesses of the bounds that hold, then Newton's steps.

Hintermueller, Ito, Kunisch: The primal-dual active set strategy as a semismooth Newton method, SIAM Journal on
Optimization 13, 2002; Tassa, Mansard, Todorov: Control-limited differential dynamic programming, ICRA 2014, section IV.

Vectors and matrices lie in one work array x, in rows of whole blocks of four numbers (rows.py), rows of `lu` numbers.
`held` says which bounds hold: -1 the lower, 1 the upper one, 0 none. box: lower and upper limits of the controls, of
which step t has the values `now`.
"""

import taichi as ti

from engine.math.types import real
from engine.rows import add_product, scale_row

NEWTON, ARMIJO, SHORTER, LEAST = 100, 0.1, 0.6, 1e-20


@ti.func
def factor_free(m: ti.template(), x: ti.template(), held: ti.template(), o: ti.i32, L: ti.i32, H: ti.i32, lu: ti.i32,
                n: ti.i32):  # fmt: skip
    """L'L = H, L upper triangular, in which the rows and columns that held[o:] holds are those of the identity; 1 where
    that is positive definite. The diagonal becomes 1 / L_ii."""
    good = 1
    for i in range(n):
        row = L + i * lu
        for j in range(i, n):
            a = ti.cast(i == j, real)
            if held[o + i] == 0 and held[o + j] == 0:
                a = x[H + i * lu + j]
            x[row + j] = a
        first = i >> 2 << 2
        add_product(m, x, row + first, 0, -1.0, L + i, 0, lu, L + first, lu, 1, i, (lu - first) >> 2)
        a = x[row + i]
        if a <= 0.0:
            good = 0
            a = 1.0
        a = 1.0 / ti.sqrt(a)
        scale_row(m, x, row + first, a, (lu - first) >> 2)
        x[row + i] = a
    return good


@ti.func
def solve_free(m: ti.template(), x: ti.template(), L: ti.i32, lu: ti.i32, v: ti.i32, n: ti.i32):
    """The vector at v becomes (L'L)^-1 times itself. (Sums that are stored each time LLVM leaves as they are.)"""
    for i in range(n):
        for j in range(i):
            x[v + i] = x[v + i] - x[L + j * lu + i] * x[v + j]
        x[v + i] = x[v + i] * x[L + i * lu + i]
    for e in range(n):
        i = n - 1 - e
        for j in range(i + 1, n):
            x[v + i] = x[v + i] - x[L + i * lu + j] * x[v + j]
        x[v + i] = x[v + i] * x[L + i * lu + i]


@ti.func
def gradient(m: ti.template(), x: ti.template(), y: ti.i32, v: ti.i32, q: ti.i32, H: ti.i32, lu: ti.i32,
             n: ti.i32):  # fmt: skip
    """q + H v into x[y:]."""
    for i in range(n):
        x[y + i] = x[q + i]
    add_product(m, x, y, 0, 1.0, v, 0, 1, H, lu, 1, n, lu >> 2)


@ti.func
def guess_limits(m: ti.template(), x: ti.template(), held: ti.template(), box: ti.template(), now: ti.template(),
                 t: ti.i32, u: ti.i32, q: ti.i32, L: ti.i32, H: ti.i32, lu: ti.i32, n: ti.i32,
                 guesses: ti.i32):  # fmt: skip
    """Minimise at x[u:] with the limits that are taken to hold, and take others, until they are right; 1 if they are.
    The factor at L is then that of the free ones; at first it is that of all."""
    found = 0
    g = u + 3 * lu
    for guess in range(guesses):
        if found == 0:
            some = guess
            for i in range(n):
                some = some | held[i]
                x[u + i] = 0.0
                if held[i] < 0:
                    x[u + i] = box[i] - now[t * n + i]
                if held[i] > 0:
                    x[u + i] = box[n + i] - now[t * n + i]
            gradient(m, x, g, u, q, H, lu, n)
            if some != 0:
                factor_free(m, x, held, 0, L, H, lu, n)
            for i in range(n):
                if held[i] == 0:
                    x[u + i] = -x[g + i]
            solve_free(m, x, L, lu, u, n)
            gradient(m, x, g, u, q, H, lu, n)
            found = 1
            for i in range(n):
                side = 0
                if x[u + i] > box[n + i] - now[t * n + i] or (held[i] > 0 and x[g + i] < 0.0):
                    side = 1
                if x[u + i] < box[i] - now[t * n + i] or (held[i] < 0 and x[g + i] > 0.0):
                    side = side - 1
                if side != held[i]:
                    found = 0
                held[i] = side
    return found


@ti.func
def clipped(x: real, lo: real, hi: real):
    return ti.min(ti.max(x, lo), hi)


@ti.func
def find_free(m: ti.template(), x: ti.template(), held: ti.template(), box: ti.template(), now: ti.template(),
              t: ti.i32, u: ti.i32, q: ti.i32, H: ti.i32, lu: ti.i32, n: ti.i32):  # fmt: skip
    """Which limits hold at x[u:], and the gradient there, into x[u + 3 lu:]; returns its square over the free ones."""
    g = u + 3 * lu
    gradient(m, x, g, u, q, H, lu, n)
    size = real(0.0)
    for i in range(n):
        held[i] = 0
        if x[u + i] <= box[i] - now[t * n + i] and x[g + i] > 0.0:
            held[i] = -1
        elif x[u + i] >= box[n + i] - now[t * n + i] and x[g + i] < 0.0:
            held[i] = 1
        else:
            size = size + x[g + i] * x[g + i]
    return size


@ti.func
def cost_of(m: ti.template(), x: ti.template(), v: ti.i32, y: ti.i32, q: ti.i32, H: ti.i32, lu: ti.i32, n: ti.i32):
    """v'(q + H v / 2); y: room for a vector."""
    gradient(m, x, y, v, q, H, lu, n)
    total = real(0.0)
    for i in range(n):
        total = total + 0.5 * x[v + i] * (x[q + i] + x[y + i])
        x[y + i] = total
    return total


@ti.func
def newton(m: ti.template(), x: ti.template(), held: ti.template(), box: ti.template(), now: ti.template(), t: ti.i32,
           u: ti.i32, q: ti.i32, L: ti.i32, H: ti.i32, lu: ti.i32, n: ti.i32):  # fmt: skip
    """The same by projected Newton steps from x[u:] on, whose limits need no guess (the paper's algorithm 1).

    The vectors behind it are the next point, the direction, the gradient; that of the last but one is room.
    """
    there, way, g, room = u + lu, u + 2 * lu, u + 3 * lu, u + 5 * lu
    wanted = real(0.0)
    for i in range(n):
        wanted = wanted + x[q + i] * x[q + i]
        x[u + i] = clipped(x[u + i], box[i] - now[t * n + i], box[n + i] - now[t * n + i])
    wanted = 1e-9 * (1.0 + ti.sqrt(wanted))
    value = cost_of(m, x, u, room, q, H, lu, n)
    steps = NEWTON
    while steps > 0:
        size = find_free(m, x, held, box, now, t, u, q, H, lu, n)
        steps = steps - 1
        if ti.sqrt(size) < wanted:
            steps = -1
        if steps > 0:
            factor_free(m, x, held, 0, L, H, lu, n)
            for i in range(n):
                x[way + i] = 0.0
                if held[i] == 0:
                    x[way + i] = -x[g + i]
            solve_free(m, x, L, lu, way, n)
            step = real(1.0)
            new = value
            while step > LEAST:
                promised = real(0.0)
                for i in range(n):
                    a = clipped(x[u + i] + step * x[way + i], box[i] - now[t * n + i], box[n + i] - now[t * n + i])
                    x[there + i] = a
                    promised = promised + x[g + i] * (a - x[u + i])
                new = cost_of(m, x, there, room, q, H, lu, n)
                if new <= value + ARMIJO * promised:
                    break
                step = step * SHORTER
            for i in range(n):
                x[u + i] = x[there + i]
            if value - new < 1e-12 * (1.0 + ti.abs(ti.min(new, value))):
                steps = 1  # a last look at which limits hold
            value = ti.min(new, value)
    factor_free(m, x, held, 0, L, H, lu, n)
