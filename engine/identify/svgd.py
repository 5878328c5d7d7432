"""Stein variational gradient descent (Liu and Wang 2016): particles move along

    x_i += step H^-1 sum_j (k(x_j, x_i) g_j + d k(x_j, x_i)/dx_j) / sum_j k(x_j, x_i),   g the log density's gradient,

up the density, and away from each other. The mean is taken with the kernel as weight, not over all particles: where
they come to rest is the same, and one that is far from the others is not slower for it. The kernel exp(-d' H d / 2 h)
and the step are measured by the mean H of Gauss-Newton's matrices at the particles (Wang, Tang, Bajaj, Liu 2019), h the
median of all d' H d over 2 log(n + 1).
"""

import json
from pathlib import Path

import numpy as np

from engine.files import read_arrays, write_arrays
from engine.identify.draws import Draws
from engine.identify.nuts import same_density
from engine.simulator import whole

RENEW = 10  # iterations with one H
LONGEST = 2.0  # of a step, in standard deviations of H


def direction(z, grad, H):
    """The step of particles z (n, d) with gradients grad, in the metric H: (n, d)."""
    n = len(z)
    L = np.linalg.cholesky(H)
    y, g = z @ L, np.linalg.solve(L, grad.T).T  # of whitened particles, y = L' z
    apart = y[:, None] - y[None]
    square = (apart**2).sum(axis=2)
    h = np.median(square[~np.eye(n, dtype=bool)]) / (2 * np.log(n + 1)) if n > 1 else 1.0
    k = np.exp(-0.5 * square / max(h, 1e-12))
    move = (k @ g + (k[:, :, None] * apart).sum(axis=1) / max(h, 1e-12)) / k.sum(axis=1, keepdims=True)
    return move, L


def svgd(posterior, particles=64, iterations=200, seed=0, *, step=0.5, init=None, folder=None, report=None):
    """Particles of a posterior, as Draws of one chain.

    init: coordinates (particles, dim), by default draws of the prior that have descended into the modes below them, and
    moved at random as far as the modes are wide. step: of the preconditioned direction. folder: where to keep each
    tenth iteration, and to go on from, bit for bit. report: a function of a dict, called after each iteration.
    """
    n, iterations = whole("particles", particles), whole("iterations", iterations)
    if not step > 0:
        raise ValueError(f"step: got {step}, allowed: a positive number")
    path = None if folder is None else Path(folder) / "svgd.npz"
    asked = json.dumps([list(posterior.names), posterior.dim, n, int(seed), float(step)])
    first = 0

    def keep(iteration, z, H, logp):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = {"asked": np.array(asked), "iteration": np.array(iteration)}
            write_arrays(path, numbers | {"z": z, "H": H, "logp": logp})

    if path is not None and path.exists():
        kept = read_arrays(path)
        if str(kept["asked"]) != asked:
            raise ValueError(f"{path}: is of another posterior, seed or step; allowed: another folder, or the same")
        z, H, first = kept["z"], kept["H"], int(kept["iteration"])
        same_density(posterior, z, kept["logp"], path)
    else:
        z = _begun(posterior, n, seed) if init is None else np.array(init, float)
        if z.shape != (n, posterior.dim):
            raise ValueError(f"init: got shape {z.shape}, allowed: {(n, posterior.dim)}")
        H = np.eye(posterior.dim)
    for iteration in range(first, iterations):
        if iteration % RENEW == 0:
            logp, grad, each = posterior.normal(z)
            keep(iteration, z, H, logp)
            good = np.isfinite(logp)
            if not good.any():
                raise ValueError("svgd: every particle diverges, allowed: narrower priors, or init")
            H = each[good].mean(axis=0)
        else:
            logp, grad = posterior.logp_and_grad(z)
        move, L = direction(z, grad, H)
        size = np.linalg.norm(move, axis=1, keepdims=True)
        move *= np.minimum(1.0, LONGEST / np.maximum(step * size, 1e-300))
        z = z + step * np.linalg.solve(L.T, move.T).T
        if report:
            report({"iteration": iteration + 1, "logp": float(logp.mean()), "moved": float(size.mean())})
    logp = posterior.logp_and_grad(z)[0]
    keep(max(first, iterations), z, H, logp)
    return Draws(posterior, z[None], {"logp": logp[None]}, "svgd")


def _begun(posterior, n, seed):
    z = posterior.descended(posterior.prior_draws(n, seed))
    logp, _, H = posterior.normal(z)
    good = np.flatnonzero(np.isfinite(logp))
    if not len(good):
        raise ValueError(f"svgd: all of {n} draws of the prior diverge, allowed: narrower priors, or init")
    z, H, rng = z[good[np.arange(n) % len(good)]], H[good[np.arange(n) % len(good)]], np.random.default_rng(seed)
    noise = rng.normal(size=z.shape)
    return z + np.array([np.linalg.solve(np.linalg.cholesky(h).T, e) for h, e in zip(H, noise, strict=True)])
