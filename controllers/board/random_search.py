"""The board's baseline: random search, which uses costs alone.

An evolution strategy (1+n) with the step size adapted by the 1/5 success rule (Rechenberg 1973; with the constants of
Kern et al. 2004 it keeps one success in five candidates): every world tries the best parameters so far plus normal
noise; the best of all is kept.
"""

import numpy as np

from controllers.optimize.method import Method


class RandomSearch(Method):
    """rows: the first candidates (worlds, n), drawn as the starts of the gradient methods are.
    policy: all worlds try the same candidate, whose cost is the mean over their different start states.

    sigma: first standard deviation of the noise, in units of scale.
    """

    kept = ("rows", "sigma")

    def __init__(self, problem, rows, *, sigma=0.1, policy=False, seed=0):
        super().__init__(problem, seed)
        self.policy = policy
        self.rows = np.array(np.broadcast_to(rows, (problem.worlds, problem.n)), float) / problem.scale
        if policy:
            self.rows = self.rows[0]
        self.sigma = float(sigma)

    def _iterate(self):
        before = self.best
        cost = self.problem.cost(self.rows)
        if self.policy:
            cost = np.full_like(cost, cost.mean())
        row = self.note(self.rows, cost)
        if self.iteration:
            better = np.mean(cost < before)
            self.sigma *= np.exp((better - 0.2) / 0.8 / 3.0)
        noise = self.sigma * self.rng.normal(size=self.rows.shape)
        self.rows = self.best_params / self.problem.scale + noise
        return row
