"""Searches without gradients: random search, the cross-entropy method, antithetic evolution strategies."""

import numpy as np

from controllers.adam import Adam
from controllers.optimize.method import Method


class RandomSearch(Method):
    """Every world tries the best parameters so far plus normal noise; the best of all stays. Uses costs alone.

    An evolution strategy (1+worlds) whose step size follows the 1/5 success rule (Rechenberg 1973; with the constants
    of Kern et al. 2004 it keeps one success in five candidates). rows: the first candidates, (worlds, n) or (n,),
    default the start. sigma: first standard deviation of the noise, in units of scale; a step that has shrunk to a
    thousandth of it begins anew. shared: all worlds try the same candidate, whose cost is the mean over the worlds
    (which differ in their start states, say).
    """

    kept = ("rows", "step")

    def __init__(self, problem, rows=None, *, sigma=0.3, shared=False, seed=0):
        super().__init__(problem, seed)
        first = problem.first if rows is None else rows
        self.rows = np.array(np.broadcast_to(first, (problem.worlds, problem.n)) / problem.scale, float)
        if shared:
            self.rows = self.rows[0]
        self.sigma, self.shared, self.step = float(sigma), shared, float(sigma)

    def _iterate(self):
        before = self.best
        cost = self.problem.cost(self.rows)
        if self.shared:
            cost = np.full_like(cost, cost.mean())
        row = self.note(self.rows, cost)
        if self.iteration:
            self.step *= np.exp((np.mean(cost < before) - 0.2) / 0.8 / 3.0)
            if self.step < 1e-3 * self.sigma:
                self.step = self.sigma
        noise = self.step * self.rng.normal(size=self.rows.shape)
        self.rows = self.best_params / self.problem.scale + noise
        return {**row, "sigma": float(self.step)}


class CEM(Method):
    """Cross-entropy method: the worlds sample a normal distribution that moves to their elite.

    Rubinstein and Kroese, The Cross-Entropy Method (2004), with a diagonal covariance. sigma: start deviation in units
    of scale; elite: share of the worlds (2 at least); smoothing: how much of the old distribution stays; least: the
    deviation never falls below it.
    """

    kept = ("mean", "deviation")

    def __init__(self, problem, params=None, *, sigma=0.3, elite=0.25, smoothing=0.1, least=0.01, seed=0):
        super().__init__(problem, seed)
        if problem.worlds < 4:
            raise ValueError(f"CEM: worlds: got {problem.worlds}, allowed: 4 or more")
        self.mean = np.array(problem.first if params is None else params, float) / problem.scale
        self.deviation = np.full(problem.n, float(sigma))
        self.elite, self.smoothing, self.least = max(2, round(elite * problem.worlds)), smoothing, least

    def _iterate(self):
        rows = self.mean + self.deviation * self.rng.normal(size=(self.problem.worlds, self.problem.n))
        rows[0] = self.mean
        cost = self.problem.cost(rows)
        row = self.note(rows, cost)
        chosen = rows[np.argsort(cost)[: self.elite]]
        s = self.smoothing
        self.mean = s * self.mean + (1 - s) * chosen.mean(axis=0)
        self.deviation = np.maximum(s * self.deviation + (1 - s) * chosen.std(axis=0), self.least)
        return {**row, "sigma": float(self.deviation.mean())}


class EvolutionStrategy(Method):
    """Zeroth-order gradients: antithetic pairs of worlds at params +- sigma e, followed by Adam.

    Salimans et al. (arXiv:1703.03864); costs are replaced by their ranks, from -0.5 to 0.5, so that single
    catastrophes do not decide. The number of worlds must be even.
    """

    kept, members = ("params",), ("adam",)

    def __init__(self, problem, params=None, *, sigma=0.1, lr=0.05, seed=0):
        super().__init__(problem, seed)
        even(problem, "EvolutionStrategy")
        self.params = np.array(problem.first if params is None else params, float) / problem.scale
        self.sigma, self.adam = sigma, Adam(lr=lr, betas=(0.9, 0.98))

    def _iterate(self):
        noise, rows = antithetic(self.rng, self.problem, self.params, self.sigma)
        cost = self.problem.cost(rows)
        row = self.note(rows, cost)
        rank = np.argsort(np.argsort(cost)) / (len(cost) - 1) - 0.5
        n = len(noise)
        grad = (rank[:n] - rank[n:]) @ noise / (2 * n * self.sigma)
        row["gradient_norm"] = float(np.linalg.norm(grad))
        self.adam.step(self.params, grad)
        return row


def antithetic(rng, problem, params, sigma):
    """(noise (worlds / 2, n), rows (worlds, n)): the pairs params + sigma e, then params - sigma e."""
    noise = rng.normal(size=(problem.worlds // 2, problem.n))
    return noise, np.concatenate([params + sigma * noise, params - sigma * noise])


def even(problem, who):
    if problem.worlds < 2 or problem.worlds % 2:
        raise ValueError(f"{who}: worlds: got {problem.worlds}, allowed: an even number, for antithetic pairs")
