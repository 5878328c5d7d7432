"""Residuals of many vectors of numbers at once: particles, each with a copy of the windows and parameters of its own.

World k W + w of the simulator is window w of particle k. Where worlds cannot have parameters of their own, in plain
kernels (PULLBACK_PLAIN), one particle follows the other.
"""

import numpy as np

from engine import schema as s
from engine.compiler.backend import PLAIN
from engine.errors import DivergenceError
from engine.identify.residuals import Residuals
from engine.identify.windows import Samples
from engine.simulator import Simulator


class Copies:
    """`count` copies of Windows, one after the other, as `Residuals` takes windows."""

    def __init__(self, windows, copies):
        self.one, self.copies = windows, copies
        self.steps, self.count = windows.steps, copies * windows.count
        self.samples = [self._tiled(a) for a in windows.samples]
        self._held = None

    def _tiled(self, a):
        k = self.copies
        window = (a.window + self.one.count * np.arange(k)[:, None]).ravel()
        value, rows, weights = (np.tile(x, (k, 1)) for x in (a.value, a.rows, a.weights))
        return Samples(a.what, window, np.tile(a.time, k), value, rows, weights, a.sd, a.given)

    def controls(self, delay):
        """As of Windows, for delays (copies, nu) or, of all, (nu,)."""
        delay = np.atleast_2d(delay)
        if (delay == delay[0]).all():
            if self._held is None or (self._held[0] != delay[0]).any():
                once = self.one.controls(delay[0])
                self._held = delay[0].copy(), [np.tile(a, (1, self.copies, 1)) for a in once]
            return self._held[1]
        parts = [self.one.controls(d) for d in delay]
        return [np.concatenate([p[k] for p in parts], axis=1) for k in (0, 1)]


class _Tiled(Residuals):
    """Residuals whose numbers are (particles, np)."""

    def _set(self, p):
        u, theta = self.unknowns, self.sim.model_pack["theta"].reshape(len(p), -1)
        w = self.windows.one.count
        if self.sim.own_params:
            theta = theta.reshape(len(p), w, -1)
        else:
            theta = theta[:, None]
        slopes = []
        for k, row in enumerate(p):
            slopes.append(u.apply(row, theta[k, 0]))
            theta[k, 1:] = theta[k, :1]
        delays, shown, servo = (np.zeros((len(p), n)) for n in (u.model.nu, u.model.nv, u.model.nu))
        for k, row in enumerate(p):
            delays[k], self.d_delay = u.delays(row)
            shown[k], self.d_shown, servo[k], self.d_servo = u.offsets(row)
        self.slope = np.repeat(slopes, w, axis=0)
        self.shown = np.repeat(shown, w, axis=0)
        ctrl, self.d_ctrl = self.windows.controls(delays)
        return ctrl + np.repeat(servo, w, axis=0)


class Batch:
    """Values and slopes of `problem`'s residuals at (n, np) numbers, `particles` of them in a launch.

    `at(p, dx)`, dx (n, windows, nx) tangents of the starts from the problem's own: costs 0.5 sum (r/sd)^2 (n,),
    infinite where a rollout diverges, and their slopes (n, np), (n, windows, nx). `jacobian(p, dx)`: the normal
    equations of each, (n, D, D) and (n, D), over numbers and all starts.
    """

    def __init__(self, problem, particles):
        own = not PLAIN
        self.problem, self.size, self.W = problem, particles if own else 1, problem.windows.count
        sim = Simulator(problem.model, self.size * self.W, leaves=problem.sim.leaves, own_params=own)
        starts = {n: np.tile(a, (self.size, 1)) for n, a in problem.starts.items()}
        self.residuals = _Tiled(sim, problem.unknowns, Copies(problem.windows, self.size), starts)
        self.n, self.np = self.residuals.n, self.residuals.np
        self.fallback = problem.unknowns.guess

    def _chunks(self, p, dx):
        """(rows, numbers, starts) of full launches, the last one filled up."""
        for first in range(0, len(p), self.size):
            rows = np.arange(first, min(first + self.size, len(p)))
            full = np.append(rows, np.full(self.size - len(rows), rows[-1]))
            yield rows, p[full], dx[full].reshape(-1, self.n)

    def _values(self, p, dx):
        """Residuals at a launch's particles, and which of them diverged."""
        r, bad = self.residuals, np.zeros(self.size, bool)
        while True:
            try:
                return r(p, r.moved(r.starts, dx)), bad
            except DivergenceError:
                status = r.sim.data._status[:, s.start("d", "status")].reshape(self.size, self.W)
                new = (status != s.OK).any(axis=1)
                if not new.any() or (bad & new).any():  # the problem's own guess diverges
                    raise
                bad |= new
                p, dx = p.copy(), dx.reshape(self.size, self.W, self.n).copy()
                p[bad], dx[bad] = self.fallback, 0.0
                dx = dx.reshape(-1, self.n)

    def _by_particle(self, per_sample, block):
        return per_sample.reshape(self.size, len(block.window) // self.size, -1)

    def costs(self, p, dx):
        """Costs alone (n,)."""
        return self.at(p, dx, slopes=False)[0]

    def at(self, p, dx, slopes=True):
        cost, dp, ddx = np.zeros(len(p)), np.zeros(p.shape), np.zeros(dx.shape)
        for rows, numbers, starts in self._chunks(p, dx):
            values, bad = self._values(numbers, starts)
            total = np.zeros(self.size)
            for b, r in zip(self.residuals.windows.samples, values, strict=True):
                total += 0.5 * (self._by_particle(r, b) ** 2).sum(axis=(1, 2))
            total[bad] = np.inf
            cost[rows] = total[: len(rows)]
            if slopes:
                each, of_starts = self.residuals.pulled(values)
                each = each.reshape(self.size, self.W, self.np).sum(axis=1)
                each[bad], of_starts = 0.0, of_starts.reshape(self.size, self.W, self.n)
                of_starts[bad] = 0.0
                dp[rows], ddx[rows] = each[: len(rows)], of_starts[: len(rows)]
        return cost, dp, ddx

    def jacobian(self, p, dx):
        """(costs (n,), J'r (n, D), J'J (n, D, D)), D = np + windows nx; zeros where a rollout diverges."""
        P, n, W = self.np, self.n, self.W
        D = P + W * n
        cost, g, H = np.full(len(p), np.inf), np.zeros((len(p), D)), np.zeros((len(p), D, D))
        for rows, numbers, starts in self._chunks(p, dx):
            values, bad = self._values(numbers, starts)
            blocks = self.residuals.jacobian()
            total = np.zeros(self.size)
            for b, r, J in zip(self.residuals.windows.samples, values, blocks, strict=True):
                total += 0.5 * (self._by_particle(r, b) ** 2).sum(axis=(1, 2))
                per = len(b.window) // self.size
                J, r = J.reshape(self.size, per, -1, P + n), r.reshape(self.size, per, -1)
                for w in range(W):
                    mine = b.window[:per] == w
                    part, left = J[:, mine].reshape(self.size, -1, P + n), r[:, mine].reshape(self.size, -1)
                    at = np.append(np.arange(P), P + w * n + np.arange(n))
                    GG, gg = part.swapaxes(1, 2) @ part, (part.swapaxes(1, 2) @ left[:, :, None])[:, :, 0]
                    for k, row in enumerate(rows):
                        H[row][np.ix_(at, at)] += GG[k]
                        g[row, at] += gg[k]
            for k, row in enumerate(rows):
                cost[row] = np.inf if bad[k] else total[k]
                if bad[k]:
                    g[row], H[row] = 0.0, 0.0
        return cost, g, H
