"""Levenberg-Marquardt for unknowns that all windows share and starts that each has for itself.

The normal equations have the shape of an arrow,

    [H  F_1' F_2' ..] [dp  ]     [g  ]
    [F_1  D_1       ] [dx_1] = - [g_1]
    [F_2       D_2  ] [dx_2]     [g_2]

so the starts are eliminated window by window: (H - sum F' D^-1 F) dp = -g + sum F' D^-1 g_w. What is left before dp
is the information about p that remains when nobody knows the starts; its inverse is the covariance. A window that is
held out finds its own start for the present p, and tells p nothing.
(Marquardt 1963; Nocedal and Wright 2006, 10.3; bounds by an active set: who would leave them is held.)
"""

from typing import NamedTuple

import numpy as np

from engine.errors import DivergenceError
from engine.identify.judged import togetherness

LOSSES = ("squares", "huber", "cauchy")
KNEE = {"huber": 1.345, "cauchy": 2.385}  # 95 % as efficient as squares where noise is normal


class Point(NamedTuple):
    """p, starts, residuals, the cost of the windows that count, and of each window (windows,)."""

    p: np.ndarray
    starts: dict
    residuals: list
    cost: float
    costs: np.ndarray


def loss_of(r, loss):
    """rho(r) and the weight rho'(r)/r of residuals."""
    if loss == "huber":
        k = KNEE[loss]
        a = np.abs(r)
        return np.where(a <= k, 0.5 * r * r, k * (a - 0.5 * k)), np.where(a <= k, 1.0, k / np.maximum(a, k))
    if loss == "cauchy":
        k = KNEE[loss]
        return 0.5 * k * k * np.log1p((r / k) ** 2), 1.0 / (1.0 + (r / k) ** 2)
    return 0.5 * r * r, np.ones_like(r)


class Arrow:
    """The normal equations at a point, in units of the unknowns. Of the Jacobian only columns that are not zero are
    taken: a joint feels its own leg."""

    def __init__(self, windows, jacobian, unit, used, start_sd, prior):
        P, n, W = len(unit), len(start_sd), windows.count
        self.unit, self.used, self.size = unit, used, (P, n, W)
        scale = np.concatenate([unit, np.ones(n)])
        self.parts = []
        for s, J in zip(windows.samples, jacobian, strict=True):
            J = J.reshape(-1, P + n)
            columns = np.flatnonzero(J.any(axis=0))
            ends = s.what.size * np.searchsorted(s.window, np.arange(W + 1))
            self.parts.append((J[:, columns] * scale[columns], columns, ends))
        self.start_weight = start_sd**-2.0
        self.mean, self.sd = prior
        self.prior = (unit / self.sd) ** 2

    def weigh(self, residuals, loss):
        """The matrices, for the weights that a loss gives these residuals."""
        P, n, W = self.size
        G = np.zeros((W, P + n, P + n))
        for (K, columns, ends), r in zip(self.parts, residuals, strict=True):
            weight = loss_of(r.ravel(), loss)[1][:, None] if loss != "squares" else None
            at = np.ix_(columns, columns)
            for w in range(W):
                k = K[ends[w] : ends[w + 1]]
                G[w][at] += k.T @ (k if weight is None else k * weight[ends[w] : ends[w + 1]])
        self.blocks = G[:, :P, :P]
        self.H = self.blocks[self.used].sum(axis=0)
        self.F, self.D = G[:, P:, :P], G[:, P:, P:] + np.diag(self.start_weight)

    def pull(self, residuals, loss, p, moved):
        """The right side, of these residuals at p and starts so far from the first ones."""
        P, n, W = self.size
        c = np.zeros((W, P + n))
        for (K, columns, ends), r in zip(self.parts, residuals, strict=True):
            r = r.ravel()
            r = r * loss_of(r, loss)[1]
            for w in range(W):
                c[w, columns] += r[ends[w] : ends[w + 1]] @ K[ends[w] : ends[w + 1]]
        self.g = c[self.used, :P].sum(axis=0) + (p - self.mean) / self.sd**2 * self.unit
        self.gx = c[:, P:] + moved * self.start_weight

    def step(self, lam, held, damping, reach=np.inf, together=()):
        """(dp, dx, how much the cost should fall) with damping lam of p and `damping` (windows,) of starts. held:
        entries of p that stay. reach (np,): how far each may go, beyond which all go less far. together: those that
        are damped alike, several arrays of numbers."""
        D = self.D + (damping[:, None] * np.einsum("wii->wi", self.D))[:, :, None] * np.eye(self.D.shape[1])
        solved = np.linalg.solve(D, np.concatenate([self.F, self.gx[:, :, None]], axis=2))
        E, e = solved[:, :, :-1], solved[:, :, -1]
        S = self.H + np.diag(self.prior) - np.einsum("wni,wnj->ij", self.F[self.used], E[self.used])
        # of what is left, not of H: a number that the starts nearly explain would hardly move
        size = np.diag(S).copy()
        for numbers in together:
            size[numbers] = size[numbers].max()
        S = S + lam * np.diag(np.maximum(size, 1e-12 * max(size.max(initial=0), 1e-300)))
        b = self.g - np.einsum("wni,wn->i", self.F[self.used], e[self.used])
        free = ~held
        dz = np.zeros(len(b))
        if free.any():
            dz[free] = -_solve(S[np.ix_(free, free)], b[free])
            dz /= max(1.0, (np.abs(dz) * self.unit / reach).max())
        dx = -e - E @ dz
        fall = -0.5 * (self.g @ dz + (self.gx[self.used] * dx[self.used]).sum())
        return dz * self.unit, dx, fall

    def each(self):
        """What each window alone tells about p in its units, (windows, np, np), its start being unknown."""
        return self.blocks - np.swapaxes(self.F, 1, 2) @ np.linalg.solve(self.D, self.F)

    def information(self, priors=True):
        """What is known about p in its units, (np, np), the starts being unknown."""
        E = np.linalg.solve(self.D[self.used], self.F[self.used])
        found = self.H - np.einsum("wni,wnj->ij", self.F[self.used], E)
        return 0.5 * (found + found.T) + (np.diag(self.prior) if priors else 0.0)


def _solve(S, b):
    """S^-1 b of a matrix that may be singular: then nothing moves along what is not determined."""
    values, vectors = np.linalg.eigh(0.5 * (S + S.T))
    good = values > 1e-14 * max(values[-1], 1e-300)
    return vectors[:, good] @ ((vectors[:, good].T @ b) / values[good])


class Levenberg:
    """One problem's iterations, each of which moves on until its step is far below what noise decides (`done`).

    residuals: Residuals. used: windows that count, booleans. start_sd (nx,): how well the first starts are known, a
    weak prior. known: starts are exact and stay.
    """

    ENOUGH = 1e-2  # fall of the cost, in units of the mean square residual, that is not worth a step
    CHORDS = 3
    MOST = 1e8  # damping beyond which no step helps

    def __init__(self, residuals, used, loss, start_sd, prior, p, starts, known=False):
        self.residuals, self.used, self.loss, self.known = residuals, used, loss, known
        self.start_sd, self.prior = start_sd, prior
        self.lam, self.iterations, self.done, self.arrow = 1e-3, 0, False, None
        self.damping = np.full(residuals.windows.count, 1e-3)  # of each window's start
        self.moved = np.zeros((residuals.windows.count, residuals.n))  # from the first starts, for their prior
        self.point = self.last = self.evaluated(p, starts, self.moved)
        if not np.isfinite(self.point.cost):
            e = self.error
            if e is None:
                raise ValueError("identify: the first guess is so far from the logs that no sum of squares is finite")
            raise DivergenceError("identify: the first guess diverges; allowed: other guesses or shorter windows",
                                  e.world, e.step, e.dof) from e  # fmt: skip

    def evaluated(self, p, starts, moved):
        """The Point there, with an infinite cost where a rollout diverges."""
        windows, self.error = self.residuals.windows, None
        try:
            found = self.residuals(p, starts)
        except DivergenceError as error:
            self.error = error
            self.last = Point(p, starts, None, np.inf, np.full(windows.count, np.inf))
            return self.last
        costs = np.zeros(windows.count)
        for s, r in zip(windows.samples, found, strict=True):
            costs += np.bincount(s.window, loss_of(r, self.loss)[0].sum(axis=1), windows.count)
        mean, sd = self.prior
        cost = costs[self.used].sum() + 0.5 * ((moved[self.used] / self.start_sd) ** 2).sum()
        self.last = Point(p, starts, found, cost + 0.5 * (((p - mean) / sd) ** 2).sum(), costs)
        return self.last

    def again(self):
        """The present point's rollout is the last one, and its residuals are those of the present noise."""
        self.point = self.evaluated(self.point.p, self.point.starts, self.moved)

    def linearized(self):
        """The Arrow at the present point."""
        if self.last is not self.point:
            self.again()
        sd = np.full_like(self.start_sd, 1e-12) if self.known else self.start_sd
        jacobian, windows = self.residuals.jacobian(), self.residuals.windows
        arrow = Arrow(windows, jacobian, self.residuals.unknowns.unit, self.used, sd, self.prior)
        arrow.weigh(self.point.residuals, self.loss)
        arrow.pull(self.point.residuals, self.loss, self.point.p, self.moved)
        return arrow

    def count(self):
        """Numbers measured in the windows that count."""
        return sum(int(s.what.size * s.of(self.used).sum()) for s in self.residuals.windows.samples)

    def left(self):
        """(sum of squares, how many of the residuals are left when what was fitted is taken off, how much they go
        together), of the windows that count."""
        windows, used, rows = self.residuals.windows, np.flatnonzero(self.used), []
        for s, r in zip(windows.samples, self.point.residuals, strict=True):
            for w in used:
                a, b = np.searchsorted(s.window, [w, w + 1])
                rows += list(r[a:b].T)
        fitted = len(self.point.p) + (0 if self.known else len(used) * self.residuals.n)
        return 2 * self.point.costs[used].sum(), self.count() - fitted, togetherness(rows)

    def iterate(self, still=False):
        """Steps with one Jacobian: an accepted one, and up to CHORDS more, which cost a rollout each; none where none
        is worth it (`done`). still: p stays, the starts move."""
        self.arrow = self.linearized()
        self.iterations += 1
        if not self._step(still):
            self.done = True
            return self.point
        for _ in range(self.CHORDS):
            cost = self.point.cost
            self.arrow.pull(self.point.residuals, self.loss, self.point.p, self.moved)
            if not self._step(still, once=True) or self.point.cost > 0.7 * cost:
                break
        return self.point

    def _step(self, still, once=False):
        """Whether a step with the present arrow was worth it. once: no second try with more damping."""
        u, arrow = self.residuals.unknowns, self.arrow
        held = np.ones(len(self.point.p), bool)
        if not still:
            held = (self.point.p <= u.least) & (arrow.g > 0) | (self.point.p >= u.high) & (arrow.g < 0)
        worth = max(self.ENOUGH * 2 * self.point.cost / max(self.count(), 1), 1e-15 * self.point.cost)
        while self.lam < self.MOST:
            dp, dx, fall = arrow.step(self.lam, held, self.damping, u.reach, u.together)
            if fall <= worth:
                return False
            p = np.clip(u.moved(self.point.p, dp), u.least, u.high)
            good = self._tried(p, dx, 1e-4 * fall)
            if good is not None:
                if not once:
                    better = self.lam * (0.01 if good > 0.9 * fall else 0.1 if good > 0.5 * fall else 1.0)
                    self.lam = max(better, 1e-9)
                return True
            if once:
                return False
            self.lam = max(10.0 * self.lam, 1e-6)
        return False

    def _tried(self, p, dx, least):
        """How far the cost fell, by at least so much, on the way to p and starts moved by dx; None where it did not,
        and nothing moved. A start that makes its own window worse stays where it is: the step of one window, which may
        meet a contact, decides nothing for the others."""
        old = self.point
        new = self.residuals.moved(old.starts, dx)
        tried = self.evaluated(p, new, self.moved + dx)
        worse = tried.costs > old.costs
        self.damping = np.clip(np.where(worse, 10 * self.damping, 0.1 * self.damping), 1e-9, self.MOST)
        if old.cost - tried.cost > least and not (worse & ~self.used).any():
            self.point, self.moved = tried, self.moved + dx
            return old.cost - tried.cost
        starts = {n: np.where(worse[:, None], old.starts[n], a) for n, a in new.items()}
        moved = np.where(worse[:, None], self.moved, self.moved + dx)
        for q in (p, old.p):
            mixed = self.evaluated(q, starts, moved)
            if old.cost - mixed.cost > least:
                self.point, self.moved = mixed, moved
                return old.cost - mixed.cost
            if not worse[self.used].any():
                break
        return None

    def joined(self):
        """Whether windows fit clearly better that begin where the one before them ended. Of a start that is found in
        noise, a contact may be on the wrong side, which no small step tells; the end of a window obeys physics."""
        if self.known:
            return False
        before = self.point.cost
        for _ in range(self.CHORDS):
            if self.last is not self.point:
                self.again()
            ends = self.residuals.ends()
            follows = self.residuals.windows.follows
            starts = {n: a.copy() for n, a in self.point.starts.items()}
            for n, a in starts.items():
                a[follows] = ends[n][np.flatnonzero(follows) - 1]
            moved = self.moved + self.residuals.apart(self.point.starts, starts)
            old, tried = self.point, self.evaluated(self.point.p, starts, moved)
            better = follows & (tried.costs < old.costs)
            if not better.any():
                break
            starts = {n: np.where(better[:, None], a, old.starts[n]) for n, a in starts.items()}
            self.moved = np.where(better[:, None], moved, self.moved)
            self.point = self.evaluated(old.p, starts, self.moved)
        return self.point.cost < 0.99 * before
