"""Draws of a posterior: how well chains agree, how many draws they are worth, and worlds whose parameters they are.

R-hat and effective sample sizes are those of ranks, of chains cut in halves (Vehtari, Gelman, Simpson, Carpenter,
Buerkner 2021); autocorrelations are summed as long as pairs are positive and fall (Geyer 1992).
"""

import json
from pathlib import Path
from statistics import NormalDist

import numpy as np

from engine.arrays import theta_layout
from engine.files import write_arrays, write_text
from engine.identify.parameters import KIND
from engine.words import shapes

AGREE = 1.01  # R-hat up to which chains agree
FEW = 100  # effective draws for each chain, fewer than which are said


def ranked(x):
    """Normal scores of the ranks of draws (chains, n)."""
    order = np.empty(x.size)
    flat = x.ravel()
    values, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    order = (last - 0.5 * (counts - 1))[inverse]
    quantile = NormalDist().inv_cdf
    return np.array([quantile((r - 0.375) / (x.size + 0.25)) for r in order]).reshape(x.shape)


def _halves(x):
    n = x.shape[1] // 2
    return np.concatenate([x[:, :n], x[:, x.shape[1] - n :]])


def _rhat(x):
    """Of chains (m, n)."""
    within = x.var(axis=1, ddof=1).mean()
    if not within > 0:
        return 1.0 if np.ptp(x) == 0 else np.inf
    n = x.shape[1]
    return float(np.sqrt(((n - 1) / n * within + x.mean(axis=1).var(ddof=1)) / within))


def rhat(x):
    """R-hat of draws (chains, n): the greater of that of ranks and that of how far they lie from the median."""
    if x.shape[1] < 4:
        return np.nan
    return max(_rhat(_halves(ranked(y))) for y in (x, np.abs(x - np.median(x))))


def ess(x):
    """Effective sample size of draws (chains, n)."""
    if x.shape[1] < 8:
        return np.nan
    x = _halves(ranked(x))
    m, n = x.shape
    size = 1 << (2 * n - 1).bit_length()
    f = np.fft.rfft(x - x.mean(axis=1, keepdims=True), size)
    covariance = np.fft.irfft(f * f.conj(), size)[:, :n] / n
    within = (covariance[:, 0] * n / (n - 1)).mean()
    total = (n - 1) / n * within + (x.mean(axis=1).var(ddof=1) if m > 1 else 0.0)
    if not total > 0:
        return float(m * n)
    rho = 1 - (within - covariance.mean(axis=0) * n / (n - 1)) / total
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    stop = np.flatnonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: stop[0] if len(stop) else len(pairs)])
    return float(m * n / max(2 * pairs.sum() - 1, 1 / np.log10(m * n)))


class Draws:
    """Draws of a posterior.

    z (chains, n, dim), numbers (chains, n, np), names (np,); stats {name: (chains, n)}: of the No-U-Turn sampler logp,
    accept, steps, diverged, size. rhat, ess (np,): of each number. divergent: paths that lost energy. values, sd, low,
    high (np,): means, standard deviations, and the interval of 95 %. `str(draws)` is a table, with warnings in words.
    """

    def __init__(self, posterior, z, stats, how):
        self.names, self.z, self.stats, self.how = list(posterior.names), z, stats, how
        self.numbers = posterior.numbers(z)
        flat = self.numbers.reshape(-1, self.numbers.shape[-1])
        self.values, self.sd = flat.mean(axis=0), flat.std(axis=0)
        self.low, self.high = np.quantile(flat, (0.025, 0.975), axis=0)
        if how == "nuts":
            parts = [self.numbers[:, :, j] for j in range(len(self.names))]
            self.rhat, self.ess = np.array([rhat(a) for a in parts]), np.array([ess(a) for a in parts])
            self.divergent = int(stats["diverged"].sum())
        else:  # points that repel each other are no chain
            self.rhat = self.ess = np.full(len(self.names), np.nan)
            self.divergent = 0

    def warnings(self):
        """Sentences on what is wrong with these draws."""
        found = [f"{n}: the chains do not agree (R-hat {r:.3f}): more draws, or several modes"
                 for n, r in zip(self.names, self.rhat, strict=True) if r > AGREE]  # fmt: skip
        few = FEW * len(self.z)
        for n, e in zip(self.names, self.ess, strict=True):
            found += [f"{n}: {e:.0f} effective draws, of {few} wanted"] if e < few else []
        if self.divergent:
            found.append(f"{self.divergent} paths diverged: the draws may miss a narrow part")
        return found

    def as_dict(self):
        """All but the draws in plain numbers, for JSON."""
        keys = ("values", "sd", "low", "high", "rhat", "ess")
        return {"names": self.names, "how": self.how, "divergent": self.divergent, "warnings": self.warnings(),
                **{k: getattr(self, k).tolist() for k in keys}}  # fmt: skip

    def save(self, folder):
        """`posterior.json` and `draws.npz` (numbers, z, stats) into a folder, which is returned."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "posterior.json", json.dumps(self.as_dict(), indent=1) + "\n")
        names = np.array(self.names)
        write_arrays(folder / "draws.npz", {"names": names, "numbers": self.numbers, "z": self.z, **self.stats})
        return folder

    def __repr__(self):
        return f"<Draws by {self.how}: {shapes({'z': self.z, 'numbers': self.numbers})} of {', '.join(self.names)}>"

    def __str__(self):
        width = max(len(n) for n in self.names)
        rows = [f"{'':{width}}  {'mean':>12} {'sd':>10} {'2.5 %':>12} {'97.5 %':>12} {'R-hat':>7} {'ESS':>7}"]
        for k, n in enumerate(self.names):
            rows.append(f"{n:{width}}  {self.values[k]:12.6g} {self.sd[k]:10.3g} {self.low[k]:12.6g} "
                        f"{self.high[k]:12.6g} {self.rhat[k]:7.3f} {self.ess[k]:7.0f}")  # fmt: skip
        return "\n".join(rows + self.warnings())


class Sampler:
    """Robots as logs leave them possible: draws of numbers, written into worlds with parameters of their own.

    numbers (n, np): draws, of which each is as likely as the others. names: what they are.
    """

    def __init__(self, unknowns, numbers):
        self.unknowns, self.names = unknowns, list(unknowns.names)
        self.numbers = np.asarray(numbers, float).reshape(-1, len(self.names))
        if not len(self.numbers) or not np.isfinite(self.numbers).all():
            raise ValueError("sampler: got no draws, or some that are not finite; allowed: finite numbers (n, np)")
        self._entries = {}

    def __repr__(self):
        return f"<Sampler: numbers {self.numbers.shape} of {', '.join(self.names)}>"

    def draw(self, rng, n=None):
        """Numbers (np,), or (n, np), of draws chosen at random."""
        return self.numbers[rng.integers(len(self.numbers), size=n)]

    def put(self, sim, numbers, rows=None):
        """Write numbers (worlds or len(rows), np) into the parameters of a simulator's worlds, or of those in `rows`.

        sim: made with own_params, of any model that has the elements, by name. Delays and offsets are no parameters:
        they stay what the caller makes of `numbers`. Raises ValueError where the worlds share their parameters, or
        lack an element or a leaf.
        """
        rows = np.arange(sim.worlds) if rows is None else np.asarray(rows, int)
        numbers = np.asarray(numbers, float)
        if numbers.shape != (len(rows), len(self.names)):
            raise ValueError(f"numbers: got shape {numbers.shape}, allowed: {(len(rows), len(self.names))}")
        if not sim.own_params:
            raise ValueError("sampler: the worlds share their parameters; allowed: Simulator(..., own_params=True), or "
                             "a task with own_params")  # fmt: skip
        at = self._places(sim)
        theta = sim.model_pack["theta"].reshape(sim.worlds, -1)
        one = self.unknowns.first.copy()
        for row, p in zip(rows, numbers, strict=True):
            self.unknowns.apply(p, one)
            theta[row, at] = one[self.unknowns.theta]

    def apply(self, sim, rng, rows=None):
        """`put` draws chosen at random, which are returned: (worlds or len(rows), np)."""
        numbers = self.draw(rng, sim.worlds if rows is None else len(rows))
        self.put(sim, numbers, rows)
        return numbers

    def _places(self, sim):
        """Where another simulator's parameters have the entries of these numbers."""
        key = id(sim.model), sim.leaves
        if key not in self._entries:
            self._entries[key] = sim.model, np.array([self._place(sim, e) for e in self.unknowns.theta], int)
        return self._entries[key][1]

    def _place(self, sim, entry):
        u, there = self.unknowns, theta_layout(sim.model, sim.leaves)[0]
        name = next(n for n, (at, shape) in u.layout.items() if at <= entry < at + int(np.prod(shape)))
        at, shape = u.layout[name]
        if name not in there:
            raise ValueError(f"sampler: {name} is a leaf, which this simulator has not; allowed: Simulator(..., leaves="
                             f"[{name!r}], own_params=True), or a task with leaves and own_params")  # fmt: skip
        kind, width = KIND.get(name.partition("_")[0]), int(np.prod(shape[1:]))
        element, column = divmod(int(entry - at), width)
        if kind is None:
            return there[name][0] + int(entry - at)
        own, other = ([*getattr(m, f"{kind}_names")] for m in (u.model, sim.model))
        if name.startswith("dof_"):
            joint = u.model.dof_jntid[element]
            label, more = own[joint], element - u.model.jnt_dofadr[joint]
        else:
            label, more = own[element], 0
        if not label or label not in other:
            raise ValueError(f"sampler: the robot of {name} has a {kind} {label!r}, this simulator's has not; allowed: "
                             "a model whose elements have the same names")  # fmt: skip
        found = other.index(label)
        element = sim.model.jnt_dofadr[found] + more if name.startswith("dof_") else found
        return there[name][0] + width * int(element) + column
