"""The backward pass of box-DDP: a Riccati recursion with a box-constrained minimisation at every step.

Tassa, Mansard, Todorov: Control-limited differential dynamic programming, ICRA 2014. With F = [A B] of a step and the
cost's model 1/2 y'C y + c'y, y = (dx, du), the value V, v of what comes later makes

    Q = C + F' V F,   q = c + F' v,   H = Q_uu + mu B'B + 1e-9,   G = Q_ux + mu B'A
    k = argmin 1/2 k'H k + q_u'k  within  lo <= u + k <= hi,   K = -H^-1 G of the free ones
    v = q_x + K'(Q_uu k + q_u) + Q_ux'k,   V = Q_xx + K'Q_uu K + K'Q_ux + Q_ux'K

with mu as in Tassa, Erez, Todorov: Synthesis and stabilization of complex behaviors, IROS 2012, section II.F. Of a plan
by multiple shooting, whose steps end a gap f away from where the next one begins, v + V f stands for v (Giftthaler,
Neunert, Stauble, Buchli, Diehl: A family of iterative Gauss-Newton shooting methods for nonlinear optimal control, IROS
2018, equation 8).

One kernel serves all robots: sizes are integers of a launch, and all matrices lie in one work array, in rows of whole
blocks of four numbers (rows.py).
"""

import numpy as np
import taichi as ti

from engine.box_qp import factor_free, gradient, guess_limits, newton
from engine.compiler.launch import BoundKernel
from engine.compiler.memory import zeros
from engine.compiler.stages import INTS, REALS
from engine.finite import within
from engine.math.types import real
from engine.rows import Exit, add_product, clear_row, copy_row, put_row, scale_row

GUESSES = 6  # of the limits that hold (primal-dual active set), before Newton's steps
FAR = 1e30  # where there is no limit


@ti.func
def last_value(m: ti.template(), x: ti.template(), slope: ti.template(), curve: ti.template(), places: ti.template(),
               t: ti.i32, V: ti.i32, v: ti.i32, nx: ti.i32, nu: ti.i32, ne: ti.i32):  # fmt: skip
    """V and v behind the last step: the cost's own."""
    lx = (nx + 3) >> 2
    for i in range(nx):
        clear_row(m, x, V + 4 * lx * i, lx)
        x[v + i] = slope[t * (nx + nu) + i]
    for e in range(ne):
        i = places[2 * e]
        j = places[2 * e + 1]
        if i < nx and j < nx:
            x[V + 4 * lx * i + j] = x[V + 4 * lx * i + j] + curve[t * ne + e]
            if i != j:
                x[V + 4 * lx * j + i] = x[V + 4 * lx * j + i] + curve[t * ne + e]


@ti.func
def load_step(m: ti.template(), x: ti.template(), A: ti.template(), B: ti.template(), t: ti.i32, F: ti.i32, ld: ti.i32,
              nx: ti.i32, nu: ti.i32):  # fmt: skip
    """F = [A B] of step t."""
    for i in range(nx):
        copy_row(m, x, F + i * ld, A, (t * nx + i) * nx, nx)
        copy_row(m, x, F + i * ld + nx, B, (t * nx + i) * nu, nu)


@ti.func
def jump_gap(m: ti.template(), x: ti.template(), gaps: ti.template(), t: ti.i32, V: ti.i32, lx: ti.i32, v: ti.i32,
             room: ti.i32, nx: ti.i32):  # fmt: skip
    """v + V f of the gap f behind step t; room: for a vector."""
    for i in range(nx):
        x[room + i] = gaps[t * nx + i]
    add_product(m, x, v, 0, 1.0, room, 0, 1, V, lx, 1, nx, lx >> 2)


@ti.func
def look_ahead(m: ti.template(), x: ti.template(), slope: ti.template(), curve: ti.template(), places: ti.template(),
               t: ti.i32, V: ti.i32, lx: ti.i32, v: ti.i32, F: ti.i32, W: ti.i32, Q: ti.i32, q: ti.i32, ld: ti.i32,
               nx: ti.i32, n: ti.i32, ne: ti.i32):  # fmt: skip
    """W = V F, and of Q = C + F'W what lies at and below its diagonal; q = c + F'v."""
    bn = ld >> 2
    for j in range(n):
        x[q + j] = slope[t * n + j]
    add_product(m, x, q, 0, 1.0, v, 0, 1, F, ld, 1, nx, bn)
    clear_row(m, x, W, nx * bn)
    add_product(m, x, W, ld, 1.0, V, lx, 1, F, ld, nx, nx, bn)
    clear_row(m, x, Q, n * bn)
    add_product(m, x, Q, ld, 1.0, F, 1, ld, W, ld, n, nx, 0)
    for e in range(ne):
        y = Q + places[2 * e] * ld + places[2 * e + 1]
        x[y] = x[y] + curve[t * ne + e]


@ti.func
def regularise(m: ti.template(), x: ti.template(), mu: real, F: ti.i32, Q: ti.i32, G: ti.i32, ld: ti.i32, S: ti.i32,
               H: ti.i32, lu: ti.i32, nx: ti.i32, nu: ti.i32):  # fmt: skip
    """G and H in rows of (x, u), and S = Q_uu and H whole."""
    put_row(m, x, G, Q + nx * ld, nu * (ld >> 2))
    if mu > 0.0:
        add_product(m, x, G, ld, mu, F + nx, 1, ld, F, ld, nu, nx, ld >> 2)
    for i in range(nu):
        r = nx + i
        for j in range(i + 1):
            a = x[Q + r * ld + nx + j]
            x[S + i * lu + j] = a
            x[S + j * lu + i] = a
            a = x[G + i * ld + nx + j] + 1e-9 * ti.cast(i == j, real)
            x[H + i * lu + j] = a
            x[H + j * lu + i] = a


@ti.func
def find_gains(m: ti.template(), x: ti.template(), held: ti.template(), Z: ti.i32, lx: ti.i32, G: ti.i32, ld: ti.i32,
               L: ti.i32, lu: ti.i32, nu: ti.i32):  # fmt: skip
    """Z = -(L'L)^-1 G of the free controls' rows, none of the others'."""
    bx = lx >> 2
    for i in range(nu):
        clear_row(m, x, Z + i * lx, bx)
        if held[i] == 0:
            put_row(m, x, Z + i * lx, G + i * ld, bx)
        add_product(m, x, Z + i * lx, 0, -1.0, L + i, 0, lu, Z, lx, 1, i, bx)
        scale_row(m, x, Z + i * lx, x[L + i * lu + i], bx)
    for e in range(nu):
        i = nu - 1 - e
        add_product(m, x, Z + i * lx, 0, 1.0, L + i * lu + i + 1, 0, 1, Z + (i + 1) * lx, lx, 1, e, bx)
        scale_row(m, x, Z + i * lx, -x[L + i * lu + i], bx)


@ti.func
def go_back(m: ti.template(), x: ti.template(), told: ti.template(), V: ti.i32, v: ti.i32, lx: ti.i32, Q: ti.i32,
            q: ti.i32, ld: ti.i32, S: ti.i32, lu: ti.i32, Z: ti.i32, Y: ti.i32, u: ti.i32, nx: ti.i32,
            nu: ti.i32):  # fmt: skip
    """V and v before the step, Y being S Z + Q_ux, and what the step promises."""
    bx = lx >> 2
    R = Q + nx * ld  # Q_ux
    g = u + lu  # Q_uu u + q_u
    gradient(m, x, g, u, q + nx, S, lu, nu)
    for i in range(nu):
        told[2] = told[2] + x[u + i] * x[q + nx + i]
        told[3] = told[3] + 0.5 * x[u + i] * (x[g + i] - x[q + nx + i])
        put_row(m, x, Y + i * lx, R + i * ld, bx)
    add_product(m, x, Y, lx, 1.0, S, lu, 1, Z, lx, nu, nu, bx)
    put_row(m, x, v, q, bx)
    add_product(m, x, v, 0, 1.0, g, 0, 1, Z, lx, 1, nu, bx)
    add_product(m, x, v, 0, 1.0, u, 0, 1, R, ld, 1, nu, bx)
    for i in range(nx):
        put_row(m, x, V + i * lx, Q + i * ld, (i >> 2) + 1)
    add_product(m, x, V, lx, 1.0, Z, 1, lx, Y, lx, nx, nu, 0)
    add_product(m, x, V, lx, 1.0, R, 1, ld, Z, lx, nx, nu, 0)
    for i in range(nx):
        for j in range(i):
            x[V + j * lx + i] = x[V + i * lx + j]


@ti.func
def put_step(m: ti.template(), x: ti.template(), k: ti.template(), K: ti.template(), t: ti.i32, u: ti.i32, Z: ti.i32,
             lx: ti.i32, nx: ti.i32, nu: ti.i32):  # fmt: skip
    for i in range(nu):
        k[t * nu + i] = x[u + i]
        copy_row(m, K, (t * nu + i) * nx, x, Z + i * lx, nx)


@ti.func
def of_step(m: ti.template(), places: ti.template(), held: ti.template(), A: ti.template(), B: ti.template(),
            slope: ti.template(), curve: ti.template(), now: ti.template(), box: ti.template(), k: ti.template(),
            K: ti.template(), told: ti.template(), gaps: ti.template(), x: ti.template(), t: ti.i32, last: ti.i32,
            nx: ti.i32, nu: ti.i32, ne: ti.i32, guesses: ti.i32, gapped: ti.i32):  # fmt: skip
    """Step t; last: nothing is known of later ones."""
    n = nx + nu
    lx = (nx + 3) >> 2 << 2
    ld = (n + 3) >> 2 << 2
    lu = (nu + 3) >> 2 << 2
    V = 0
    v = V + nx * lx
    F = v + lx
    W = F + nx * ld
    Q = W + nx * ld
    q = Q + n * ld
    G = q + ld
    S = G + nu * ld
    H = S + nu * lu
    L = H + nu * lu
    Z = L + nu * lu
    Y = Z + nu * lx
    u = Y + nu * lx  # the change of the controls, and five vectors more
    if last != 0:
        last_value(m, x, slope, curve, places, t + 1, V, v, nx, nu, ne)
        for i in range(nu):
            held[i] = 0
            held[nu + i] = 0
            x[u + i] = 0.0
        told[1] = 1.0
        told[2] = 0.0
        told[3] = 0.0
    if told[1] > 0.0:
        load_step(m, x, A, B, t, F, ld, nx, nu)
        if gapped != 0:
            jump_gap(m, x, gaps, t, V, lx, v, W, nx)
        look_ahead(m, x, slope, curve, places, t, V, lx, v, F, W, Q, q, ld, nx, n, ne)
        regularise(m, x, told[0], F, Q, G, ld, S, H, lu, nx, nu)
        if factor_free(m, x, held, nu, L, H, lu, nu) == 0:
            told[1] = 0.0
        else:
            for i in range(nu):
                x[u + 4 * lu + i] = x[u + i]
            # the limits that hold a step later are the first guess
            if guess_limits(m, x, held, box, now, t, u, q + nx, L, H, lu, nu, guesses) == 0:
                for i in range(nu):
                    x[u + i] = x[u + 4 * lu + i]
                newton(m, x, held, box, now, t, u, q + nx, L, H, lu, nu)
            find_gains(m, x, held, Z, lx, G, ld, L, lu, nu)
            go_back(m, x, told, V, v, lx, Q, q, ld, S, lu, Z, Y, u, nx, nu)
            put_step(m, x, k, K, t, u, Z, lx, nx, nu)


@ti.real_func
def step_back(table: INTS, places: INTS, held: INTS, A: REALS, B: REALS, slope: REALS, curve: REALS, now: REALS,
              box: REALS, k: REALS, K: REALS, told: REALS, gaps: REALS, x: REALS, t: ti.i32, last: ti.i32, nx: ti.i32,
              nu: ti.i32, ne: ti.i32, guesses: ti.i32, gapped: ti.i32):  # fmt: skip
    """A function of its own, whose arguments, the addresses of arrays, live in registers (COMPILER.md)."""
    of_step(Exit(table), places, held, A, B, slope, curve, now, box, k, K, told, gaps, x, t, last, nx, nu, ne, guesses,
            gapped)  # fmt: skip


@ti.kernel
def backward(table: INTS, places: INTS, held: INTS, A: REALS, B: REALS, slope: REALS, curve: REALS, now: REALS,
             box: REALS, k: REALS, K: REALS, told: REALS, gaps: REALS, x: REALS, steps: ti.i32, nx: ti.i32, nu: ti.i32,
             ne: ti.i32, guesses: ti.i32, gapped: ti.i32):  # fmt: skip
    """See BackwardPass. told: mu; then whether all went well, and the change that a full step promises, its linear and
    its quadratic part."""
    ti.loop_config(serialize=True)
    for back in range(steps):
        step_back(table, places, held, A, B, slope, curve, now, box, k, K, told, gaps, x, steps - 1 - back,
                  ti.cast(back == 0, ti.i32), nx, nu, ne, guesses, gapped)  # fmt: skip


class BackwardPass:
    """The backward pass of one plan of `steps` steps, nx entries of the state, nu controls; one core, the same bits
    each time. Memory and launch are made once.

    A call takes A (steps, nx, nx), B (steps, nx, nu) and of the cost's model slope (steps + 1, nx + nu), places (ne, 2)
    and curve (steps + 1, ne): entries of the Hessian, which add up, those at and below the diagonal; now (steps, nu):
    the controls; lo, hi (nu,): their limits, which may be infinite; mu: of the regularisation; gaps (steps, nx): from
    where the next step begins to where a step ends, of a plan by multiple shooting.
    It returns (k (steps, nu), K (steps, nu, nx), promised (2,)), arrays that the next call writes again, or None where
    an H is not positive definite. A step of length a promises a promised[0] + a^2 promised[1].
    """

    def __init__(self, steps, nx, nu):
        self.sizes, self.guesses = (steps, nx, nu), GUESSES
        lx, ld, lu = (-(-n // 4) * 4 for n in (nx, nx + nu, nu))
        work = (nx + 1 + 2 * nu) * lx + (2 * nx + (nx + nu) + 1 + nu) * ld + 3 * nu * lu + 6 * lu
        self.k, self.K = (zeros(n, np.float64) for n in (steps * nu, steps * nu * nx))
        self.now, self.box, self.told = (zeros(n, np.float64) for n in (steps * nu, 2 * nu, 4))
        held, work = zeros(2 * nu, np.int32), zeros(work, np.float64)
        # what each call brings takes the place of the first of these
        brought = [np.zeros(1, np.int32), held, *np.zeros((4, 1)), self.now, self.box, self.k, self.K, self.told,
                   np.zeros(1), work]  # fmt: skip
        self.kernel = BoundKernel(backward, [], 6, brought)
        self.results = self.k.reshape(steps, nu), self.K.reshape(steps, nu, nx), self.told[2:]

    def __reduce__(self):
        return type(self), self.sizes

    def __call__(self, A, B, slope, places, curve, now, lo, hi, mu, gaps=None):
        steps, nx, nu = self.sizes
        self.now[:] = now.ravel()
        np.clip(lo, -FAR, FAR, out=self.box[:nu])
        np.clip(hi, -FAR, FAR, out=self.box[nu:])
        self.told[0] = mu
        for at, a in ((0, places), (2, A), (3, B), (4, slope), (5, curve)):
            self.kernel.give(at, a)
        if gaps is not None:
            self.kernel.give(11, gaps)
        self.kernel.launch(steps, nx, nu, len(places), self.guesses, int(gaps is not None))
        if self.told[1] != 1.0 or not np.isfinite(self.told).all() or not within(self.K):
            return None
        return self.results
