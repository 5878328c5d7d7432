"""The No-U-Turn sampler (Hoffman and Gelman 2014) with multinomial draws along the path (Betancourt 2017).

Each chain is a generator: it yields a point and is sent its log density and gradient. The chains run on their own,
none waits for the end of another's path, and the points that they ask for are worlds of one launch. A chain works in
y, z = m + L y, with L L' the covariance known so far, so its mass is one: first that about the mode it begins in
(laplace.py), then that of its own draws in windows that double (as Stan does). Steps follow dual averaging.

A chain is its numbers between two draws, so all of them are kept there, and a run that was broken off goes on with the
same bits: only unfinished paths are done again.
"""

import json
import time as clock
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.files import read_arrays, write_arrays
from engine.identify.draws import Draws
from engine.identify.laplace import scale_of
from engine.simulator import whole

DEPTH = 10  # doublings of a path at most
TARGET = 0.8  # mean acceptance that steps are adapted to
TOO_FAR = 1000.0  # error of the energy at which a path has diverged
BLEND = 5  # draws that the first covariance counts for
KEEP = 10.0  # s between two writings of the state
SAME = 1e-6  # of the log density at a point, of one posterior computed twice
STATS = ("logp", "accept", "steps", "diverged", "size")
NUMBERS = ("z", "y", "logp", "grad", "m", "L", "eps", "adapted", "count", "mean", "square", "since")


class Tree(NamedTuple):
    """A part of a path. left, right: its ends (y, r, grad). chosen: a point of it (y, logp, grad). weight: log of the
    sum of its weights. rho: sum of momenta. accept: sum of acceptances over `steps` steps. stop: it turned or diverged.
    """

    left: tuple
    right: tuple
    chosen: tuple
    weight: float
    rho: np.ndarray
    accept: float
    steps: int
    stop: bool
    diverged: bool


def _turned(rho, r_left, r_right):
    return rho @ r_left <= 0 or rho @ r_right <= 0


def _joined(a, b, sign, chosen):
    """Two parts of a path, b behind a in direction `sign`."""
    left, right = (a, b) if sign > 0 else (b, a)
    rho = a.rho + b.rho
    turned = _turned(rho, left.left[1], right.right[1])
    turned = turned or _turned(left.rho + right.left[1], left.left[1], right.left[1])
    turned = turned or _turned(right.rho + left.right[1], left.right[1], right.right[1])
    return Tree(left.left, right.right, chosen, np.logaddexp(a.weight, b.weight), rho, a.accept + b.accept,
                a.steps + b.steps, a.stop or b.stop or turned, a.diverged or b.diverged)  # fmt: skip


def _grown(end, sign, depth, eps, energy, rng):
    """Generator of a path of 2^depth steps from an end."""
    if depth == 0:
        y, r, g = end
        r = r + 0.5 * sign * eps * g
        y = y + sign * eps * r
        logp, g = yield y
        r = r + 0.5 * sign * eps * g
        error = 0.5 * r @ r - logp - energy
        error = error if np.isfinite(error) else np.inf
        diverged = error > TOO_FAR
        return Tree((y, r, g), (y, r, g), (y, logp, g), -error, r, min(1.0, np.exp(-error)), 1, diverged, diverged)
    near = yield from _grown(end, sign, depth - 1, eps, energy, rng)
    if near.stop:
        return near
    far = yield from _grown(near.right if sign > 0 else near.left, sign, depth - 1, eps, energy, rng)
    if far.stop:
        return near._replace(accept=near.accept + far.accept, steps=near.steps + far.steps, stop=True,
                             diverged=far.diverged)  # fmt: skip
    other = np.log(rng.random()) < far.weight - np.logaddexp(near.weight, far.weight)
    return _joined(near, far, sign, far.chosen if other else near.chosen)


def path(y, logp, grad, eps, depth, rng):
    """Generator of one draw: (y, logp, grad), and the Tree of its path."""
    r = rng.normal(size=len(y))
    energy = 0.5 * r @ r - logp
    tree = Tree((y, r, grad), (y, r, grad), (y, logp, grad), 0.0, r, 0.0, 0, False, False)
    for k in range(depth):
        sign = 1 if rng.random() < 0.5 else -1
        more = yield from _grown(tree.right if sign > 0 else tree.left, sign, k, eps, energy, rng)
        if more.stop:
            return tree.chosen, tree._replace(accept=tree.accept + more.accept, steps=tree.steps + more.steps,
                                              diverged=more.diverged)  # fmt: skip
        other = np.log(rng.random()) < more.weight - tree.weight
        tree = _joined(tree, more, sign, more.chosen if other else tree.chosen)
        if tree.stop:
            break
    return tree.chosen, tree


class Steps:
    """Dual averaging of log eps (Nesterov 2009; Hoffman and Gelman 2014, 3.2)."""

    def __init__(self, numbers):
        self.numbers = numbers  # log eps, its mean, sum of errors, count, log of ten times the first

    @staticmethod
    def begun(eps):
        return np.array([np.log(eps), 0.0, 0.0, 0.0, np.log(10 * eps)])

    def told(self, accept):
        n = self.numbers
        n[3] += 1
        n[2] = (1 - 1 / (n[3] + 10)) * n[2] + (TARGET - accept) / (n[3] + 10)
        n[0] = n[4] - np.sqrt(n[3]) / 0.05 * n[2]
        share = n[3] ** -0.75
        n[1] = share * n[0] + (1 - share) * n[1]


def windows_of(warmup):
    """Draws of the warm-up after which the covariance is renewed."""
    first, last = (75, 50) if warmup >= 150 else (int(0.15 * warmup), int(0.1 * warmup))
    ends, at, width = [], first, 25
    while at + width <= warmup - last:
        if at + 3 * width > warmup - last:
            width = warmup - last - at
        ends.append(at + width)
        at, width = at + width, 2 * width
    return first, ends


class Chain:
    """One chain. `kept` is all that its next draw depends on."""

    def __init__(self, warmup, draws, mass, depth, rng, kept=None):
        self.warmup, self.total, self.mass, self.depth, self.rng = warmup, warmup + draws, mass, depth, rng
        self.first, self.ends = windows_of(warmup)
        self.kept = kept

    @classmethod
    def begun(cls, warmup, draws, mass, depth, rng, z, logp, grad, L):
        d = len(z)
        kept = {"z": z, "y": np.zeros(d), "logp": logp, "grad": L.T @ grad, "m": z.copy(), "L": L, "eps": np.zeros(5),
                "adapted": 0, "count": 0, "mean": np.zeros(d), "square": np.zeros((d, d)), "since": 0}  # fmt: skip
        return cls(warmup, draws, mass, depth, rng, kept)

    def run(self):
        """Generator of all that is left: yields z, is sent (logp, gradient by z); `drawn` after each draw."""
        while self.kept["count"] < self.total:
            k = self.kept
            warming = k["count"] < self.warmup
            # what is not finished is not kept: a draw that is broken off begins again with the same random numbers
            rng = np.random.default_rng()
            rng.bit_generator.state = self.rng.bit_generator.state
            if k["since"] == 0 and warming:
                k["eps"] = Steps.begun((yield from self._asked(self._first_step(rng))))
            eps = np.exp(k["eps"][0] if warming else k["eps"][1] if self.warmup else k["eps"][0])
            chosen, tree = yield from self._asked(path(k["y"], k["logp"], k["grad"], eps, self.depth, rng))
            self._drawn(chosen, tree, eps, warming, rng)

    def _asked(self, asking):
        """What a generator of points y returns, its questions asked in z."""
        k, answer = self.kept, None
        try:
            while True:
                y = asking.send(answer)
                logp, grad = yield k["m"] + k["L"] @ y
                answer = logp, k["L"].T @ grad
        except StopIteration as end:
            return end.value

    def _first_step(self, rng):
        """A step whose first acceptance is about a half, by doubling (Hoffman and Gelman 2014, algorithm 4)."""
        k, eps, way = self.kept, 0.5, 0
        r = rng.normal(size=len(k["y"]))
        while 1e-8 < eps < 1e3:
            tree = yield from _grown((k["y"], r, k["grad"]), 1, 0, eps, 0.5 * r @ r - k["logp"], rng)
            up = tree.weight > np.log(0.8)
            if way == 0:
                way = 1 if up else -1
            elif up != (way > 0):
                break
            eps *= 2.0**way
        return eps

    def _drawn(self, chosen, tree, eps, warming, rng):
        k = dict(self.kept)
        k["y"], k["logp"], k["grad"] = chosen
        k["z"] = k["m"] + k["L"] @ k["y"]
        k["count"] += 1
        accept = tree.accept / max(tree.steps, 1)
        if warming:
            k["eps"] = k["eps"].copy()
            Steps(k["eps"]).told(accept)
            k["since"] += 1
            if self.mass != "laplace" and self.ends and self.first < k["count"] <= self.ends[-1]:
                self._learn(k)
        self.rng.bit_generator.state = rng.bit_generator.state
        self.kept = k
        self.drawn(k["z"], {"logp": k["logp"], "accept": accept, "steps": tree.steps, "diverged": tree.diverged,
                            "size": eps})  # fmt: skip

    def _learn(self, k):
        """The draw counts for the covariance, which takes effect at the end of its window."""
        k["adapted"] += 1
        off = k["z"] - k["mean"]
        k["mean"] = k["mean"] + off / k["adapted"]
        k["square"] = k["square"] + np.outer(off, k["z"] - k["mean"])
        if k["count"] in self.ends:
            n, d = k["adapted"], len(off)
            share = n / (n + BLEND + d)  # few draws say little of many coordinates
            before = k["L"] @ k["L"].T
            seen = k["square"] / max(n - 1, 1)
            if self.mass == "diagonal":
                seen, before = np.diag(np.diag(seen)), np.diag(np.diag(before))
            grad = np.linalg.solve(k["L"].T, k["grad"])
            k["L"] = np.linalg.cholesky(share * seen + (1 - share) * before)
            k["m"], k["y"], k["grad"] = k["z"].copy(), np.zeros(d), k["L"].T @ grad
            k["adapted"], k["mean"], k["square"], k["since"] = 0, np.zeros(d), np.zeros((d, d)), 0


def nuts(posterior, draws=1000, warmup=500, chains=4, seed=0, *, init=None, mass="dense", depth=DEPTH, folder=None,
         report=None):  # fmt: skip
    """Draws of a posterior by the No-U-Turn sampler: Draws, with divergences, R-hat and effective sample sizes.

    posterior: a Posterior, or whatever has dim, logp_and_grad and normal. draws, after warmup, of each of `chains`.
    init: coordinates (chains, dim) where they begin; by default each begins in the mode below a draw of the prior.
    mass: "dense" or "diagonal", learned in the warm-up, or "laplace", that of the first point throughout. depth: of
    paths, at most 2^depth steps. folder: where to keep the state (every 10 s, at the end, and when interrupted), and to
    go on from, bit for bit. report: a function of a dict, called after each round of the chains' points.

    Raises ValueError for what means nothing, where no draw of the prior can be simulated, and for a folder of another
    run.
    """
    draws, warmup, chains = whole("draws", draws), whole("warmup", warmup + 1) - 1, whole("chains", chains)
    if mass not in ("dense", "diagonal", "laplace"):
        raise ValueError(f"mass: got {mass!r}, allowed: dense, diagonal, laplace")
    run = _Run(posterior, draws, warmup, chains, seed, mass, whole("depth", depth), folder)
    if not run.resumed():
        run.begin(init)
    run.go(report)
    return Draws(posterior, run.z[:, warmup:], {n: a[:, warmup:] for n, a in run.stats.items()}, "nuts")


class _Run:
    """All chains, their draws, and where these are kept."""

    def __init__(self, posterior, draws, warmup, chains, seed, mass, depth, folder):
        self.posterior, self.folder = posterior, None if folder is None else Path(folder)
        self.chains, self.warmup, self.draws, self.mass, self.depth = chains, warmup, draws, mass, depth
        self.z = np.zeros((chains, warmup + draws, posterior.dim))
        self.stats = {n: np.zeros((chains, warmup + draws)) for n in STATS}
        self.rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(chains)]
        self.asked = json.dumps([list(posterior.names), posterior.dim, draws, warmup, chains, int(seed), mass, depth])

    def _chain(self, c, make, *more):
        chain = make(self.warmup, self.draws, self.mass, self.depth, self.rngs[c], *more)

        def drawn(z, stats):
            at = chain.kept["count"] - 1
            self.z[c, at] = z
            for n, value in stats.items():
                self.stats[n][c, at] = value

        chain.drawn = drawn
        return chain

    def begin(self, init):
        p = self.posterior
        if init is None:
            init = _modes(p, self.chains, int(self.rngs[0].integers(2**31)))
        init = np.array(init, float)
        if init.shape != (self.chains, p.dim):
            raise ValueError(f"init: got shape {init.shape}, allowed: {(self.chains, p.dim)}")
        logp, grad = p.logp_and_grad(init)
        if not np.isfinite(logp).all():
            first = int(np.argmin(np.isfinite(logp)))
            raise ValueError(f"init: chain {first} begins where the robot cannot be simulated")
        scales = [scale_of(H) for H in p.normal(init)[2]]
        if self.mass == "diagonal":
            scales = [np.diag(np.linalg.norm(L, axis=1)) for L in scales]
        self.all = [self._chain(c, Chain.begun, init[c], logp[c], grad[c], scales[c]) for c in range(self.chains)]

    def go(self, report):
        # every chain has its own place in every launch, so what it is told does not hang on the others
        p, running = self.posterior, {c: chain.run() for c, chain in enumerate(self.all)}
        points = np.array([chain.kept["z"] for chain in self.all])
        last, answers = clock.monotonic(), dict.fromkeys(running)
        try:
            while running:
                for c in list(running):
                    try:
                        points[c] = running[c].send(answers[c])
                    except StopIteration:
                        points[c] = self.all[c].kept["z"]
                        del running[c]
                if not running:
                    break
                logp, grad = p.logp_and_grad(points)
                answers = {c: (logp[c], grad[c]) for c in running}
                if report:
                    report({"drawn": [chain.kept["count"] for chain in self.all], "of": self.warmup + self.draws})
                if self.folder is not None and clock.monotonic() - last > KEEP:
                    self.keep()
                    last = clock.monotonic()
        finally:
            if self.folder is not None:
                self.keep()

    # ------------------------------------------------------------------------------------------------------ folder

    def keep(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = {n: np.array([chain.kept[n] for chain in self.all]) for n in NUMBERS}
        states = json.dumps([chain.rng.bit_generator.state for chain in self.all])
        kept = {"asked": np.array(self.asked), "states": np.array(states), "draws": self.z}
        kept |= {f"chain_{n}": a for n, a in arrays.items()} | {f"stat_{n}": a for n, a in self.stats.items()}
        write_arrays(self.folder / "nuts.npz", kept)

    def resumed(self):
        path = None if self.folder is None else self.folder / "nuts.npz"
        if path is None or not path.exists():
            return False
        kept = read_arrays(path)
        if str(kept["asked"]) != self.asked:
            raise ValueError(
                f"{path}: is of another posterior, seed or number of draws; allowed: another folder, or the same"
            )
        self.z[:] = kept["draws"]
        for n in STATS:
            self.stats[n][:] = kept[f"stat_{n}"]
        for rng, state in zip(self.rngs, json.loads(str(kept["states"])), strict=True):
            rng.bit_generator.state = state
        self.all = []
        for c in range(self.chains):
            own = {n: kept[f"chain_{n}"][c] for n in NUMBERS}
            own |= {n: int(own[n]) for n in ("adapted", "count", "since")} | {"logp": float(own["logp"])}
            self.all.append(self._chain(c, Chain, own))
        same_density(self.posterior, kept["chain_z"], kept["chain_logp"], path)
        return True


def same_density(posterior, z, logp, path):
    """Refuse a file of another posterior: other logs, priors or noise have another density at the points z (n, dim)."""
    now = posterior.logp_and_grad(z)[0]
    both = np.isfinite(now) & np.isfinite(logp)
    if not (both.any() and np.allclose(now[both], logp[both], rtol=SAME, atol=SAME)):
        raise ValueError(f"{path}: is of other logs, priors or noise, allowed: another folder, or the same")


def _modes(posterior, count, seed):
    """Coordinates (count, dim) of the modes below draws of the prior. Of draws that cannot be simulated or that end in
    a place that is far less probable than the others', others are taken, as often as there are good ones."""
    z = posterior.descended(posterior.prior_draws(2 * count, seed))
    logp = posterior.logp_and_grad(z)[0]
    good = np.flatnonzero(np.isfinite(logp) & (logp > logp.max() - 10 * posterior.dim - 20))
    if not len(good):
        raise ValueError(f"nuts: all of {2 * count} draws of the prior diverge, allowed: narrower priors, or init")
    return z[good[np.arange(count) % len(good)]]
