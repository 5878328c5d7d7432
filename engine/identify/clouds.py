"""Clouds: how windows depend on their starts and on the numbers, as a regression over rollouts as far apart as both are
uncertain.

    y = c + A (p - p0, x - x0) + e,      cov(e) = Omega,      y = (residuals of a window, where it ends)

Through contact a derivative at a point tells of its own side of a kink alone, and nothing of the jump where an impact
moves from one step to the next. A regression over the posterior tells what both do on average, and Omega what a
straight line does not explain there: nothing in free flight, much where an impact is near. (Statistical linear
regression; Arasaratnam, Haykin and Elliott 2007.)

Worlds of one launch are `copies` of all windows, which share the numbers; the next launch has others. Numbers lie at
sigma points, starts are drawn, each with its mirror image.
"""

from typing import NamedTuple

import numpy as np

from engine import schema as s
from engine.errors import ContactOverflowError, DivergenceError
from engine.identify.batch import Copies
from engine.identify.residuals import Residuals
from engine.simulator import Simulator

SAMPLES = 8  # rollouts for each coefficient of the regression
WORLDS = 2048  # of a launch, about
INSIDE = 0.8  # of the way to a bound
RIDGE = 1e-9  # for directions that no sample goes along
LEAST = 1e-10  # of the largest variance of a start, below which a direction is taken for known
AGAIN = ("geom_diaga", "jnt_diaga", "dof_diaga", "tendon_invweight0")  # follow from others, unless they are unknowns


class Regression(NamedTuple):
    """Of each window: value (windows, m + n) at the middle, slope (windows, m + n, np + n) by numbers in their units
    and the start, omega (windows, m + n, m + n). The first m rows are residuals, the others the end as a tangent of
    where the next window begins."""

    value: np.ndarray
    slope: np.ndarray
    omega: np.ndarray


class _Following(Residuals):
    """Residuals for numbers from which others follow, as the softness of contacts from masses."""

    def _set(self, p):
        ctrl = super()._set(p)
        self.sim.set_const()
        return ctrl


class Clouds:
    """Regressions of a Problem's windows."""

    def __init__(self, problem):
        self.problem, self.W = problem, problem.windows.count
        m, P = problem.model, len(problem.unknowns.names)
        self.P, self.n = P, 2 * m.nv + m.na
        half = max(-(-SAMPLES * (1 + P + self.n) // (4 * P)), 1)  # rollouts for one p, as many mirrored
        self.launches = -(-2 * half * self.W // max(WORLDS, self.W))
        self.copies = -(-2 * half // self.launches)  # of a launch
        self.half = -(-self.copies * self.launches // 2)
        self.windows = Copies(problem.windows, self.copies)
        sim = Simulator(m, self.windows.count, leaves=problem.sim.leaves)
        words = {name.partition(":")[0] for name in problem.unknowns.names}
        kind = Residuals if words & set(AGAIN) else _Following
        self.residuals = kind(sim, problem.unknowns, self.windows, self._many(problem.starts))
        self._place()

    def _place(self):
        """For each sample of the problem, in which columns of its window its residuals lie."""
        filled, self.columns = np.zeros(self.W, int), []
        for a in self.problem.windows.samples:
            order = np.argsort(a.window, kind="stable")
            first = np.searchsorted(a.window[order], np.arange(self.W))
            rank = np.empty(len(order), int)
            rank[order] = np.arange(len(order)) - first[a.window[order]]
            self.columns.append((filled[a.window] + a.what.size * rank)[:, None] + np.arange(a.what.size))
            filled += a.what.size * np.bincount(a.window, minlength=self.W)
        self.m = int(filled.max())

    def _many(self, starts):
        return {n: np.tile(a, (self.copies, 1)) for n, a in starts.items()}

    def spread_out(self, blocks):
        """Blocks of something of each residual, (..., samples, k), as (..., windows, m)."""
        out = np.zeros((*np.shape(blocks[0])[:-2], self.W, self.m))
        for a, at, block in zip(self.problem.windows.samples, self.columns, blocks, strict=True):
            out[..., a.window[:, None], at] = block
        return out

    def gathered(self, table):
        """The blocks (samples, k) of a table (windows, m)."""
        return [table[a.window[:, None], at] for a, at in zip(self.problem.windows.samples, self.columns, strict=True)]

    def noise(self):
        """Standard deviations are those of the problem's samples."""
        for mine, a in zip(self.windows.samples, self.problem.windows.samples, strict=True):
            mine.sd = a.sd

    def regression(self, p, starts, covariance, rng):
        """The Regression about numbers p and starts, over covariance (windows, np + n, np + n) of numbers in their
        units and each start, whose first block is the same in all. Raises DivergenceError where no rollout ends."""
        P, n, u = self.P, self.n, self.problem.unknowns
        of_p = covariance[0, :P, :P]
        L, follow = np.linalg.cholesky(of_p), covariance[:, P:, :P] @ np.linalg.inv(of_p)
        left = covariance[:, P:, P:] - follow @ covariance[:, :P, P:]  # of starts for given numbers
        values, axes = np.linalg.eigh(0.5 * (left + np.swapaxes(left, 1, 2)))
        root = np.sqrt(np.maximum(values, LEAST * values[:, -1:]))
        points = np.sqrt(P) * (L @ np.linalg.qr(rng.normal(size=(P, P)))[0]).T
        X, Y, error = [], [], None  # all in standard deviations
        for d in np.concatenate([points, -points]):
            q = within(u, p, d)
            d, xi = (q - p) / u.unit, rng.normal(size=(self.half, self.W, n))
            xi = np.concatenate([xi, -xi])[: self.copies * self.launches]
            try:
                dx = np.einsum("wij,cwj->cwi", axes * root[:, None], xi) + follow @ d
                parts = [self._outputs(q, starts, part) for part in np.split(dx, self.launches)]
            except (DivergenceError, ContactOverflowError) as e:
                error = e
                continue
            y, lost = (np.concatenate(part) for part in zip(*parts, strict=True))
            middle = -np.einsum("wji,wj->wi", axes, follow @ d) / root
            xi = np.where(lost[:, :, None], middle, xi)
            of_d = np.broadcast_to(np.linalg.solve(L, d), (*lost.shape, P))
            X.append(np.concatenate([np.ones((*lost.shape, 1)), of_d, xi], axis=2))
            Y.append(y)
        if sum(map(len, X)) <= 1 + P + n:
            at = (getattr(error, name, 0) for name in ("world", "step", "dof"))
            raise DivergenceError("identify: rollouts about the numbers tried diverge; allowed: other guesses or "
                                  "shorter windows", *at) from error  # fmt: skip
        found, omega = _straight(*(np.swapaxes(np.concatenate(part), 0, 1) for part in (X, Y)))
        by_x = np.swapaxes(found[:, 1 + P :] / root[:, :, None], 1, 2) @ np.swapaxes(axes, 1, 2)
        by_p = np.swapaxes(found[:, 1 : 1 + P], 1, 2) @ np.linalg.inv(L) - by_x @ follow
        return Regression(found[:, 0], np.concatenate([by_p, by_x], axis=2), omega)

    def _outputs(self, p, starts, dx):
        """(residuals and ends (copies, windows, m + n), which rollouts diverged and were done from the middle)."""
        r, W = self.residuals, self.W
        many, lost = self._many(starts), np.zeros((self.copies, W), bool)
        while True:
            try:
                found = r(p, r.moved(many, np.where(lost[:, :, None], 0.0, dx).reshape(-1, self.n)))
                break
            except (DivergenceError, ContactOverflowError):
                status = r.sim.data._status[:, s.start("d", "status")].reshape(lost.shape)
                new = (status != s.OK) & ~lost
                if not new.any():  # these numbers diverge from the middle
                    raise
                lost |= new
        blocks = [b.reshape(self.copies, -1, b.shape[1]) for b in found]
        after = {n: np.roll(a, -1, axis=0) for n, a in starts.items()}
        ends = r.apart(self._many(after), r.ends()).reshape(self.copies, W, -1)
        return np.concatenate([self.spread_out(blocks), ends], axis=2), lost


def within(unknowns, p, d):
    """Numbers p moved by d of their units, but a share of the way to their bounds at most: a robot without mass does
    not move."""
    low, high = (p + INSIDE * (bound - p) for bound in (unknowns.low, unknowns.high))
    return np.clip(p + d * unknowns.unit, low, high)


def _straight(X, Y):
    """Coefficients (windows, columns, outputs) of straight lines through samples (windows, samples, ...), and the
    covariances of what they leave."""
    turned, count = np.swapaxes(X, 1, 2), X.shape[1]
    found = np.linalg.solve(turned @ X + RIDGE * count * np.eye(X.shape[2]), turned @ Y)
    e = Y - X @ found
    return found, np.swapaxes(e, 1, 2) @ e / (count - X.shape[2])
