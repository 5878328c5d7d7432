"""Posterior: what logs say about a robot's unknown numbers, as a density with exact gradients, many points at once.

    log p(x, s | logs) = -1/2 sum (r / noise)^2 + log prior(x) - 1/2 |s|^2 + constant

x are the numbers, s the tangents by which windows begin elsewhere than first guessed, in units of START_SD; with
start="known" there are none. Coordinates z are what x is made of without bounds (`priors.Coordinates`), and s;
densities are those of z, so log |dx/dz| is a part of them. Values and gradients of many z are one rollout and one
reverse pass of as many worlds.
"""

import dataclasses

import numpy as np

from engine.identify.batch import Batch
from engine.identify.draws import Sampler
from engine.identify.fitting import Problem
from engine.identify.laplace import Laplace, descended, laplace_of
from engine.identify.nuts import nuts
from engine.identify.parameters import Unknown
from engine.identify.priors import KINDS, Coordinates, prior_of
from engine.identify.svgd import svgd
from engine.identify.windows import HOLD
from engine.simulator import Simulator, whole
from engine.words import counted

MOST = 1e100  # beyond, a coordinate is no number that a robot has


class Posterior:
    """The posterior of `unknowns` given `logs`.

    robot: Model, or a Simulator, whose parameters of now are the first guess. logs: a Log, a file, or several.
    unknowns: patterns with priors: {pattern: prior}, or `Unknown`s with one. A prior is (mean, standard deviation), a
    `Normal`, `LogNormal` or `Uniform`; bounds on both sides without a prior are uniform. noise: standard deviation of
    measurements, a number or {channel or word: number}; None finds it in the samples' fifth differences. window: s, by
    default the whole log is one. hold, keyframe, start, ctrl0: as for `fit`; start is "free" or "known". particles: how
    many points are worlds of one launch.

    names: of the numbers; dim: coordinates, of which the numbers' are first. Raises ValueError by name for a number
    without a prior, and all that `fit` refuses.
    """

    def __init__(self, robot, logs, unknowns, noise=None, *, window=None, hold=HOLD, keyframe=None, start="free",
                 ctrl0=None, particles=16):  # fmt: skip
        model = robot.params.model() if isinstance(robot, Simulator) else robot
        if isinstance(unknowns, dict):
            unknowns = [Unknown(pattern, prior=prior) for pattern, prior in unknowns.items()]
        unknowns = [_between(Unknown(u) if isinstance(u, str) else u) for u in unknowns]
        problem = Problem(model, logs, unknowns, window=window, noise=noise, hold=hold, held_out=0, keyframe=keyframe,
                          start=start, ctrl0=ctrl0)  # fmt: skip
        self.problem, self.names = problem, list(problem.unknowns.names)
        numbers = problem.unknowns.numbers
        self.priors = [prior_of(n) for n in numbers]
        self.low = np.array([max(n.low, p.support[0]) for n, p in zip(numbers, self.priors, strict=True)])
        self.high = np.array([min(n.high, p.support[1]) for n, p in zip(numbers, self.priors, strict=True)])
        for n, low, high in zip(numbers, self.low, self.high, strict=True):
            if not low < high:
                raise ValueError(
                    f"unknown {n.name}: its prior leaves nothing between its bounds, {n.low:g} and {n.high:g}"
                )
        self.coordinates = Coordinates(self.low, self.high, problem.unknowns.unit)
        self.batch = Batch(problem, whole("particles", particles))
        self.np = len(self.names)
        self.nstart = 0 if start == "known" else problem.windows.count * self.batch.n
        self.dim = self.np + self.nstart

    def __repr__(self):
        return f"<Posterior of {', '.join(self.names)}: {counted(self.dim, 'coordinate')}>"

    # ------------------------------------------------------------------------------------------------- coordinates

    def numbers(self, z):
        """The numbers (..., np) of coordinates (..., dim)."""
        return self.coordinates.back(np.asarray(z, float)[..., : self.np])[0]

    def coordinates_of(self, numbers):
        """Coordinates (..., dim) of numbers (..., np) strictly between their bounds, with starts as first guessed."""
        z = self.coordinates.to(numbers)
        if not np.isfinite(z).all():
            raise ValueError("numbers: got one on its bound or beyond, allowed: strictly between the bounds")
        return np.concatenate([z, np.zeros((*z.shape[:-1], self.nstart))], axis=-1)

    def reach(self):
        """How far a search may step at once, (dim,): of logarithms that laws of bodies make a unit."""
        u = self.problem.unknowns
        return np.concatenate([np.where(self.coordinates.free, u.reach / u.unit, np.inf), np.full(self.nstart, np.inf)])

    def prior_draws(self, n, seed=0):
        """Coordinates (n, dim) of numbers drawn from their priors; starts are where first guessed."""
        rng = np.random.default_rng(seed)
        bounds = list(zip(self.priors, self.low, self.high, strict=True))
        return self.coordinates_of(np.array([[p.draw(rng, low, high) for p, low, high in bounds] for _ in range(n)]))

    def _split(self, z):
        """Of z (n, dim): numbers, starts' tangents (n, windows, nx), dx/dz, and the prior's value, slope, curvature."""
        x, first, second, size, slope = self.coordinates.back(z[:, : self.np])
        value, s, curve = (np.empty(x.shape) for _ in range(3))
        for j, prior in enumerate(self.priors):
            for k in range(len(z)):
                value[k, j], s[k, j], curve[k, j] = prior.value(x[k, j])
        bent = curve * first**2 + s * second - self.coordinates.both * 0.5 * (1 - slope**2)
        starts, sd = z[:, self.np :], self.problem.start_sd
        total = (value + size).sum(axis=1) - 0.5 * (starts**2).sum(axis=1)
        dx = np.zeros((len(z), self.problem.windows.count, self.batch.n))
        if self.nstart:
            dx[:] = starts.reshape(dx.shape) * sd
        return x, dx, first, total, np.concatenate([s * first + slope, -starts], axis=1), bent

    # ------------------------------------------------------------------------------------------------------ density

    def logp_and_grad(self, z):
        """Log density of coordinates z (dim,) or (n, dim), and its gradient: (n,), (n, dim). -inf with a gradient of
        zeros where a rollout diverges or a coordinate is no number."""
        z = np.asarray(z, float)
        one, z = z.ndim == 1, np.atleast_2d(z)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(f"z: got shape {z.shape}, allowed: ({self.dim},) or (n, {self.dim})")
        logp, grad = np.full(len(z), -np.inf), np.zeros(z.shape)
        safe, good = self._safe(z)
        x, dx, first, prior, slope, _ = self._split(safe)
        cost, dp, ddx = self.batch.at(x, dx)
        good &= np.isfinite(cost) & np.isfinite(prior)
        logp[good] = prior[good] - cost[good]
        by_start = (ddx * self.problem.start_sd).reshape(len(z), -1)[:, : self.nstart]
        grad[good] = slope[good] - np.concatenate([dp * first, by_start], axis=1)[good]
        return (logp[0], grad[0]) if one else (logp, grad)

    def _safe(self, z):
        """z with rows that cannot be simulated replaced, and which could be."""
        with np.errstate(all="ignore"):
            x = self.numbers(z)
            inside = (x >= self.low) & (x <= self.high) & np.isfinite(x) & (np.abs(x) < MOST)
        good = np.isfinite(z).all(axis=1) & inside.all(axis=1)
        if good.all():
            return z, good
        inner = self.prior_draws(1)[0] if not good.any() else z[good][0]
        return np.where(good[:, None], z, inner), good

    def normal(self, z):
        """(logp (n,), gradient (n, dim), Gauss-Newton's matrix (n, dim, dim), which is positive) at z (n, dim)."""
        safe, good = self._safe(z)
        x, dx, first, prior, slope, bent = self._split(safe)
        cost, g, H = self.batch.jacobian(x, dx)
        scale = np.ones((len(z), self.np + self.problem.windows.count * self.batch.n))
        scale[:, : self.np] = first
        scale[:, self.np :] = np.tile(self.problem.start_sd, self.problem.windows.count)
        g, H = (g * scale)[:, : self.dim], (H * scale[:, :, None] * scale[:, None])[:, : self.dim, : self.dim]
        weight = np.concatenate([np.maximum(-bent, 1e-8), np.ones((len(z), self.nstart))], axis=1)
        H += weight[:, :, None] * np.eye(self.dim)
        good &= np.isfinite(cost)
        return np.where(good, prior - cost, -np.inf), slope - g, H

    # ------------------------------------------------------------------------------------------------------ what of it

    def descended(self, z, iterations=60):
        """Coordinates (n, dim) of the modes that Gauss-Newton steps reach from z (n, dim); laplace.py."""
        return descended(self, z, iterations)

    def laplace(self, starts=8, seed=0, iterations=60):
        """The posterior as normal distributions about its modes, found from `starts` draws of the prior: a Laplace."""
        return laplace_of(self, starts, seed, iterations)

    def nuts(self, draws=1000, warmup=500, chains=4, seed=0, **more):
        """Draws by the No-U-Turn sampler, each chain from the mode below a draw of the prior; `nuts.nuts`."""
        return nuts(self, draws, warmup, chains, seed, **more)

    def svgd(self, particles=64, iterations=200, seed=0, **more):
        """Particles that repel each other on their way to the posterior; `svgd.svgd`."""
        return svgd(self, particles, iterations, seed, **more)

    def sampler(self, draws):
        """The Sampler of draws: numbers (n, np), Draws, or a Laplace, of which 1,000 are drawn."""
        numbers = draws.sample(1000) if isinstance(draws, Laplace) else getattr(draws, "numbers", draws)
        return Sampler(self.problem.unknowns, numbers)


def _between(unknown):
    """An Unknown with a prior that is one."""
    prior = unknown.prior
    if prior is None or isinstance(prior, KINDS) or isinstance(prior, tuple) and len(prior) == 2:
        return unknown
    try:
        mean, sd = prior
    except (TypeError, ValueError):
        raise ValueError(
            f"unknown {unknown.pattern}: got the prior {prior!r}, allowed: (mean, standard deviation), Normal, "
            "LogNormal, Uniform"
        ) from None
    return dataclasses.replace(unknown, prior=(float(mean), float(sd)))
