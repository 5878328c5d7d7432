"""Modes of a Posterior, and the normal distributions about them (MacKay 2003, ch. 27).

Modes are found by Levenberg-Marquardt from several points at once, whose Jacobians come in the same launches. About
each, minus the log density has its Hessian from central differences of the exact gradient, in units in which
Gauss-Newton's matrix is one; where these are not positive, as on a kink, Gauss-Newton's stands.
"""

from typing import NamedTuple

import numpy as np

from engine.words import counted

ENOUGH = 1e-6  # fall of -log p that is not worth a step
MOST = 1e12  # damping beyond which no step helps
STEP = 1e-3  # of differences, in standard deviations
APART = 1.0  # standard deviations between modes that are two
LEAST = 0.05  # of the Hessian's eigenvalues in Gauss-Newton's units


class Mode(NamedTuple):
    """z (dim,), its log density, covariance (dim, dim) and its triangle L, covariance = L L'."""

    z: np.ndarray
    logp: float
    covariance: np.ndarray
    scale: np.ndarray


class Laplace:
    """Normal distributions about the modes of a posterior, in its coordinates.

    modes: Mode objects, the heaviest first; weights (modes,): their share of the probability, by this approximation.
    names; values, sd (np,): the numbers of the heaviest mode, and their standard deviations to first order.
    log_evidence: of the data, up to the priors' and the noise's constants.
    """

    def __init__(self, posterior, modes):
        mass = np.array([m.logp + np.log(np.diag(m.scale)).sum() for m in modes])
        mass += 0.5 * posterior.dim * np.log(2 * np.pi)
        order = np.argsort(-mass, kind="stable")
        self.posterior, self.modes = posterior, [modes[k] for k in order]
        top = mass.max()
        self.log_evidence = float(top + np.log(np.exp(mass - top).sum()))
        self.weights = np.exp(mass[order] - self.log_evidence)
        self.names = list(posterior.names)
        z = self.modes[0].z
        self.values = posterior.numbers(z)
        first = posterior.coordinates.back(z[: posterior.np])[1]
        n = posterior.np
        self.covariance = self.modes[0].covariance[:n, :n] * first * first[:, None]
        self.sd = np.sqrt(np.diag(self.covariance))

    def draws(self, n, seed=0):
        """Coordinates (n, dim) drawn from it."""
        rng = np.random.default_rng(seed)
        which = rng.choice(len(self.modes), n, p=self.weights / self.weights.sum())
        y = rng.normal(size=(n, self.posterior.dim))
        return np.array([self.modes[k].z + self.modes[k].scale @ a for k, a in zip(which, y, strict=True)])

    def sample(self, n, seed=0):
        """Numbers (n, np) drawn from it."""
        return self.posterior.numbers(self.draws(n, seed))

    def __repr__(self):
        return f"<Laplace: {counted(len(self.modes), 'mode')} of {', '.join(self.names)}>"

    def __str__(self):
        width = max(len(n) for n in self.names)
        rows = []
        for k, (mode, weight) in enumerate(zip(self.modes, self.weights, strict=True)):
            rows.append(f"mode {k}: {100 * weight:.3g} % of the probability")
            first = self.posterior.coordinates.back(mode.z[: self.posterior.np])[1]
            sd = np.sqrt(np.diag(mode.covariance)[: self.posterior.np]) * np.abs(first)
            rows += [f"  {n:{width}}  {v:12.6g} +- {s:.3g}"
                     for n, v, s in zip(self.names, self.posterior.numbers(mode.z), sd, strict=True)]  # fmt: skip
        return "\n".join(rows)


def descended(posterior, z, iterations=60):
    """Where Levenberg-Marquardt's steps from z (n, dim) lead."""
    z = np.array(z, float)
    n, lam = len(z), np.full(len(z), 1e-3)
    active = np.ones(n, bool)
    logp, grad, H = posterior.normal(z)
    active &= np.isfinite(logp)
    reach = posterior.reach()
    for _ in range(iterations):
        if not active.any():
            break
        step = np.zeros(z.shape)
        for k in np.flatnonzero(active):
            damped = H[k] + lam[k] * np.diag(np.diag(H[k]))
            step[k] = np.linalg.solve(damped, grad[k])
            if 0.5 * step[k] @ grad[k] < ENOUGH:
                active[k], step[k] = False, 0.0
            step[k] /= max(1.0, (np.abs(step[k]) / reach).max())
        if not active.any():
            break
        tried = z + step
        new, new_grad, new_H = posterior.normal(tried)
        better = active & (new > logp)
        z[better], logp[better], grad[better], H[better] = tried[better], new[better], new_grad[better], new_H[better]
        lam = np.where(better, np.maximum(0.1 * lam, 1e-9), np.where(active, 10 * lam, lam))
        active &= lam < MOST
    return z


def laplace_of(posterior, starts, seed, iterations):
    """The Laplace of a Posterior from `starts` draws of its prior. Raises ValueError where all of them diverge."""
    z = descended(posterior, posterior.prior_draws(starts, seed), iterations)
    logp, _, H = posterior.normal(z)
    order = [k for k in np.argsort(-logp, kind="stable") if np.isfinite(logp[k])]
    if not order:
        raise ValueError(
            f"laplace: all of {starts} draws of the prior diverge, allowed: narrower priors or more starts"
        )
    kept = []
    for k in order:
        if all((z[k] - z[j]) @ H[j] @ (z[k] - z[j]) > APART**2 for j in kept):
            kept.append(k)
    return Laplace(posterior, [mode_at(posterior, z[k], logp[k], H[k]) for k in kept])


def mode_at(posterior, z, logp, H):
    """The Mode of a point with Gauss-Newton's matrix H there."""
    L = scale_of(H)
    ends = z + STEP * np.concatenate([L.T, -L.T])
    slope = posterior.logp_and_grad(ends)[1] @ L
    d = len(z)
    bent = -(slope[:d] - slope[d:]) / (2 * STEP)
    bent = 0.5 * (bent + bent.T)
    if np.isfinite(bent).all() and np.linalg.eigvalsh(bent)[0] > LEAST:
        L = L @ scale_of(bent)
        L = np.linalg.cholesky(L @ L.T)
    return Mode(z, float(logp), L @ L.T, L)


def scale_of(H):
    """The lower triangle L of H^-1 = L L'."""
    inverse = np.linalg.inv(H)
    return np.linalg.cholesky(0.5 * (inverse + inverse.T))
