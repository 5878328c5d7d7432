"""Levenberg-Marquardt for unknowns that all windows share and starts that each has for itself.

The normal equations have the shape of an arrow,

    [H  F_1' F_2' ..] [dp  ]     [g  ]
    [F_1  D_1       ] [dx_1] = - [g_1]
    [F_2       D_2  ] [dx_2]     [g_2]

so the starts are eliminated window by window: (H - sum F' D^-1 F) dp = -g + sum F' D^-1 g_w. What is left in front of dp
is the information about p that remains when nobody knows the starts; its inverse is the covariance. A window that is
held out finds its own start for the present p, and tells p nothing.
(Marquardt 1963; Nocedal and Wright 2006, 10.3; bounds by an active set: who would leave them is held.)
"""

from typing import NamedTuple

import numpy as np

from engine.errors import DivergenceError

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
    """The normal equations at a point, in units of the unknowns."""

    def __init__(self, windows, residuals, jacobian, unit, loss, used, start_sd, prior, p, dx):
        P, n, W = len(unit), len(start_sd), windows.count
        self.H, self.g = np.zeros((P, P)), np.zeros(P)
        self.D, self.F, self.gx = np.zeros((W, n, n)), np.zeros((W, n, P)), np.zeros((W, n))
        ends = [np.searchsorted(s.window, np.arange(W + 1)) for s in windows.samples]
        for w in range(W):
            parts = [(r[e[w] : e[w + 1]].ravel(), J[e[w] : e[w + 1]].reshape(-1, P + n))
                     for r, J, e in zip(residuals, jacobian, ends, strict=True)]  # fmt: skip
            r, J = np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])
            weight = loss_of(r, loss)[1]
            K = np.concatenate([J[:, :P] * unit, J[:, P:]], axis=1)
            G, c = K.T @ (K * weight[:, None]), K.T @ (weight * r)
            self.D[w], self.F[w], self.gx[w] = G[P:, P:], G[P:, :P], c[P:]
            if used[w]:
                self.H += G[:P, :P]
                self.g += c[:P]
        self.used = used
        self.D += np.diag(start_sd**-2.0)
        self.gx += dx * start_sd**-2.0
        mean, sd = prior
        self.prior = (unit / sd) ** 2
        self.g += (p - mean) / sd**2 * unit
        self.unit = unit

    def step(self, lam, held):
        """(dp, dx, how much the cost should fall) with damping lam; held: entries of p that stay."""
        D = self.D + lam * np.einsum("wii->wi", self.D)[:, :, None] * np.eye(self.D.shape[1])
        solved = np.linalg.solve(D, np.concatenate([self.F, self.gx[:, :, None]], axis=2))
        E, e = solved[:, :, :-1], solved[:, :, -1]
        H = self.H + np.diag(self.prior)
        H = H + lam * np.diag(np.maximum(np.diag(H), 1e-12 * max(np.diag(H).max(initial=0), 1e-300)))
        S = H - np.einsum("wni,wnj->ij", self.F[self.used], E[self.used])
        b = self.g - np.einsum("wni,wn->i", self.F[self.used], e[self.used])
        free = ~held
        dz = np.zeros(len(b))
        if free.any():
            dz[free] = -_solve(S[np.ix_(free, free)], b[free])
        dx = -e - E @ dz
        fall = -0.5 * (self.g @ dz + (self.gx[self.used] * dx[self.used]).sum())
        return dz * self.unit, dx, fall

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

    residuals: Residuals. used: windows that count, booleans. start_sd (nx,): how well the first starts are known, a weak
    prior. known: starts are exact and stay.
    """

    ENOUGH = 1e-3  # fall of the cost, in units of the mean square residual, that is not worth a step
    MOST = 1e8  # damping beyond which no step helps

    def __init__(self, residuals, used, loss, start_sd, prior, p, starts, known=False):
        self.residuals, self.used, self.loss, self.known = residuals, used, loss, known
        self.start_sd, self.prior = start_sd, prior
        self.lam, self.iterations, self.done, self.arrow = 1e-3, 0, False, None
        self.moved = np.zeros((residuals.windows.count, residuals.n))  # from the first starts, for their prior
        self.point = self.last = self.evaluated(p, starts, self.moved)
        if not np.isfinite(self.point.cost):
            raise DivergenceError("identify: the first guess diverges; allowed: other guesses or shorter windows")

    def evaluated(self, p, starts, moved):
        """The Point there, with an infinite cost where a rollout diverges."""
        windows = self.residuals.windows
        try:
            found = self.residuals(p, starts)
        except DivergenceError:
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
        jacobian, u = self.residuals.jacobian(), self.residuals.unknowns
        sd = np.full_like(self.start_sd, 1e-12) if self.known else self.start_sd
        return Arrow(self.residuals.windows, self.point.residuals, jacobian, u.unit, self.loss, self.used, sd,
                     self.prior, self.point.p, self.moved)  # fmt: skip

    def count(self):
        """Numbers measured in the windows that count."""
        return sum(int(s.what.size * s.of(self.used).sum()) for s in self.residuals.windows.samples)

    def iterate(self, still=False):
        """One accepted step, or none where none is worth it (`done`). still: p stays, the starts move."""
        u, held = self.residuals.unknowns, np.ones(len(self.point.p), bool)
        self.arrow = self.linearized()
        if not still:
            at_low, at_high = self.point.p <= u.low, self.point.p >= u.high
            held = at_low & (self.arrow.g > 0) | at_high & (self.arrow.g < 0)
        worth = max(self.ENOUGH * 2 * self.point.cost / max(self.count(), 1), 1e-15 * self.point.cost)
        self.iterations += 1
        while self.lam < self.MOST:
            dp, dx, fall = self.arrow.step(self.lam, held)
            if fall <= worth:
                break
            p, moved = np.clip(self.point.p + dp, u.low, u.high), self.moved + dx
            tried = self.evaluated(p, self.residuals.moved(self.point.starts, dx), moved)
            gained = self.point.cost - tried.cost
            if gained > 1e-4 * fall:
                self.lam = max(self.lam * (0.1 if gained > 0.5 * fall else 1.0), 1e-9)
                self.point, self.moved = tried, moved
                return self.point
            self.lam = max(10.0 * self.lam, 1e-6)
        self.done = True
        return self.point
