"""One trajectory for each log: what a fit through contact needs.

Windows with starts of their own stay near the data, but of a body in contact noisy poses leave the normal force open,
so friction may end anywhere. A rollout of the whole log obeys physics, but its cost jumps wherever an impact moves
from one step to the next: minima lie side by side, a search by slopes ends in any of them, and the curvature there
says nothing of how far the next one is.

So a log is cut into pieces of a few samples, each begins where the one before it ends, and how a piece depends on its
start and on the numbers is a regression over a cloud as wide as both are uncertain (`clouds.py`). What a straight
line does not explain counts as noise, in the pieces in which an impact is near. One least-squares solve over the
chain of pieces (`smoother.py`) gives numbers, starts and what is left uncertain, which is the next cloud's width:
wide clouds see over the kinks, narrow ones tell to the data's precision, and the fixed point is that straight line
and normal distribution that fit the posterior best. (Iterated posterior linearisation smoother; Garcia-Fernandez,
Svensson and Sarkka 2017. Here with numbers that all pieces share, and clouds that narrow slowly.)

No derivative of a step is taken. Clouds are drawn, so each iteration ends a little elsewhere: the last ones are
averaged, and how far they scatter is a part of the intervals.
"""

from typing import NamedTuple

import numpy as np

from engine.identify.clouds import Clouds, within
from engine.identify.judged import inverse, togetherness
from engine.identify.levenberg import loss_of
from engine.identify.smoother import smoothed

PIECE = 2  # samples of a piece, about
WIDE = 0.5  # standard deviation of the first cloud, in units of the numbers
NOT_SEEN = 0.1, 1.0, 0.1  # rad or m, rad/s or m/s, of an activation: of starts that no sample measures directly
SPEED = 2.0  # standard deviation of a speed first found in samples, by their noise and the time between them
SLOWLY = 0.5  # how much of a cloud's width stays in the next one
FAR = 2.5  # standard deviations of a cloud, as far as which its straight line is believed
NARROW, NEAR = 1.4, 4.0  # of a cloud that has done its work: its width by the posterior's; the step, squared
AVERAGED = 8  # last iterations
GAP = 0.02  # of a start's standard deviation, that a piece may always end beside it
LEFT = 0.1  # of a residual, at least, when what was fitted is taken off
SCATTER = 1.0  # of the last iterations, in standard deviations, from which a search has not settled


def piece(logs, h, longest):
    """Steps of h s of a piece of logs, each [times of samples of a channel]."""
    apart = [np.median(np.diff(t)) / h for t in (np.unique(np.concatenate(log).round(9)) for log in logs) if len(t) > 1]
    return int(np.clip(round(PIECE * min(apart, default=1.0)), 1, longest))


def not_seen(model):
    """Standard deviations (n,) of a start that nothing measures, as wide as clouds may be."""
    return np.repeat(NOT_SEEN, (model.nv, model.nv, model.na))


def width(problem):
    """Standard deviations of the first cloud's numbers, in their units, and of its starts (n,)."""
    m, u = problem.model, problem.unknowns
    sd = not_seen(m)
    for s in problem.windows.samples:
        at, kind = s.what.first, s.what.kind
        if kind in ("qpos", "pose"):
            apart = np.median(np.diff(np.unique(s.time))) if len(np.unique(s.time)) > 1 else 1.0
            dofs = slice(at, at + s.what.size)
            sd[dofs] = s.sd
            speed = slice(m.nv + dofs.start, m.nv + dofs.stop)
            sd[speed] = np.minimum(sd[speed], SPEED * s.sd / apart)
        elif kind == "qvel":
            sd[m.nv + at] = s.sd[0]
    return np.minimum(WIDE, u.priors()[1] / u.unit), sd


def carried(problem, chain):
    """Starts of a problem's windows, each where a piece of the Chain begins."""
    windows, pieces = problem.windows, chain.problem.windows
    first = np.searchsorted(pieces.log, windows.log)
    at = first + np.rint((windows.start - pieces.start[first]) / (pieces.steps * pieces.h)).astype(int)
    return {n: a[at].copy() for n, a in chain.starts.items()}


class Known(NamedTuple):
    """What a chain says about the numbers in their units, with priors and without."""

    known: np.ndarray
    prior: np.ndarray

    def information(self, priors=True):
        return self.known - (0.0 if priors else np.diag(self.prior))


class Chain:
    """A Problem of pieces on its way: numbers p, starts, and the covariances of both, as `iterate` changes them.

    known: what the last iterations said about the numbers; ends: where they would have ended, of which the mean counts;
    fits: of the residuals there, (sum of squares, how many are left when what was fitted is taken off, how much they go
    together). done: all iterations that count are there.
    """

    def __init__(self, problem):
        self.problem, self.clouds = problem, Clouds(problem)
        self.unit, self.priors = problem.unknowns.unit, problem.unknowns.priors()
        self.prior = (self.unit / self.priors[1]) ** 2
        self.p, self.starts = problem.unknowns.guess.copy(), {n: a.copy() for n, a in problem.starts.items()}
        sd, self.most = np.concatenate(width(problem)), not_seen(problem.model)
        self.covariance = np.tile(np.diag(sd**2), (self.clouds.W, 1, 1))
        self.iterations, self.known, self.ends, self.fits = 0, [], [], []

    @property
    def done(self):
        return len(self.ends) >= AVERAGED

    def iterate(self):
        """One cloud, one solve."""
        c, P = self.clouds, self.clouds.P
        rng = np.random.default_rng([0, self.iterations])  # a run that was broken off goes on with the same bits
        c.noise()
        found = c.regression(self.p, self.starts, self.covariance, rng)
        weight = loss_of(found.value[:, : c.m], self.problem.loss)[1]
        gap = GAP**2 * np.roll(np.diagonal(self.covariance[:, P:, P:], axis1=1, axis2=2), -1, axis=0)
        noise, rows = found.omega.copy(), np.arange(c.m + c.n)
        noise[:, rows, rows] += np.concatenate([1.0 / np.maximum(weight, 1e-12), gap], axis=1)
        windows, mean, sd = self.problem.windows, *self.priors
        pull = (self.p - mean) / sd**2 * self.unit
        # numbers that the data do not tell stay, and no cloud grows wider than the first one
        one = smoothed(found.value, found.slope, noise, windows.follows, self.problem.used, self.prior + WIDE**-2, pull,
                       self.problem.start_sd**-2.0)  # fmt: skip
        known, before = one.known - WIDE**-2 * np.eye(P), self.covariance[0, :P, :P]
        self._judge(found, one)
        if not self.ends:  # all but the last of those that do not count are forgotten
            self.known, self.fits = [], []
        self.known.append(known)
        self.fits.append(self._fit())
        far = np.sqrt(one.dp @ np.linalg.solve(before, one.dp) / P)
        share = min(1.0, FAR / max(far, 1e-300))
        narrow = (np.diag(before) < NARROW**2 * np.diag(one.covariance[0])[:P]).all()
        if self.ends or narrow and one.dp @ one.known @ one.dp < NEAR * P:
            self.ends.append(self.p + one.dp * self.unit)
            share = min(share, 1.0 / len(self.ends))
            self._find_noise()
        self.p = within(self.problem.unknowns, self.p, share * one.dp)
        self.starts = c.residuals.moved(self.starts, share * one.dx)
        wider = 0.0 if self.ends else SLOWLY**2 * self.covariance
        self.covariance = self._within(one.covariance + wider)
        self.iterations += 1

    def _within(self, covariance):
        """With starts no farther apart than `most`."""
        P = self.clouds.P
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        scale = np.ones(sd.shape)
        scale[:, P:] = np.minimum(1.0, self.most / np.maximum(sd[:, P:], 1e-300))
        return covariance * scale[:, :, None] * scale[:, None, :]

    def _judge(self, found, one):
        """The residuals where the solve ends, by the straight lines, and what share of each is left when what was
        fitted is taken off, as blocks of the problem's samples."""
        c = self.clouds
        A, z = found.slope[:, : c.m], np.concatenate([np.broadcast_to(one.dp, (c.W, c.P)), one.dx], axis=1)
        self.residuals = c.gathered(found.value[:, : c.m] + np.einsum("wij,wj->wi", A, z))
        share = np.einsum("wij,wjk,wik->wi", A, one.covariance, A)
        self.free = c.gathered(np.clip(1.0 - share, LEFT, 1.0))

    def _counted(self):
        """For each block of samples: it, its residuals and free of the windows that tell the numbers."""
        for s, r, free in zip(self.problem.windows.samples, self.residuals, self.free, strict=True):
            k = s.of(self.problem.used)
            if k.any():
                yield s, r[k], free[k]

    def _find_noise(self):
        """Standard deviations that are not given, by the residuals."""
        for s, r, free in self._counted():
            if not s.given:
                size = np.sqrt((r**2).sum(axis=0) / free.sum(axis=0))
                if self.problem.loss != "squares":
                    size = np.median(np.abs(r), axis=0) / 0.6745
                s.sd = s.sd * np.where(size > 1e-9, size, 1.0) ** (1.0 / len(self.ends))  # a mean, too

    def _fit(self):
        windows, rows = self.problem.windows, []
        for s, r in zip(windows.samples, self.residuals, strict=True):
            of = windows.log[s.window]
            rows += [row for i in np.unique(windows.log[self.problem.used]) for row in r[of == i].T]
        square = 2 * sum(loss_of(r, self.problem.loss)[0].sum() for _, r, _ in self._counted())
        return square, sum(free.sum() for *_, free in self._counted()), togetherness(rows)

    @property
    def cost(self):
        """Of the residuals that count."""
        return 0.5 * float(self.fits[-1][0])

    def left(self):
        """(sum of squares, how many residuals are left of it, how much they go together): a cloud that just misses an
        impact spoils its own iteration's, so of each the median."""
        return tuple(np.median(self.fits, axis=0))

    @property
    def settled(self):
        """Whether all iterations that count are there, and end no farther apart than what is uncertain."""
        if not self.done:
            return False
        sd = self.unit * np.sqrt(np.diag(inverse(self.arrow().known)))
        return bool((np.sqrt(np.diag(self.scatter())) <= SCATTER * sd).all())

    def arrow(self):
        """What is Known."""
        return Known(np.mean(self.known, axis=0), self.prior)

    def scatter(self):
        """Covariance of what one of the last iterations ends at."""
        many = len(self.ends) > 1
        return np.atleast_2d(np.cov(np.array(self.ends).T)) if many else np.zeros((self.clouds.P,) * 2)
