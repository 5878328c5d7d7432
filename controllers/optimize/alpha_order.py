"""Blended gradients: first order where it can be trusted, zeroth order where contact makes it useless.

Suh, Simchowitz, Zhang, Tedrake: Do differentiable simulators give better policy gradients? (ICML 2022), the alpha-order
batched gradient estimator and definition 6 of alpha.
"""

import numpy as np

from controllers.adam import Adam
from controllers.optimize.method import Method
from controllers.optimize.population import antithetic, even


class AlphaOrder(Method):
    """Minimises the cost smoothed by normal noise of size `sigma` on the parameters, in units of scale.

    From one batch of antithetic worlds two estimates of the same gradient are made: g1, the mean of their own
    gradients, and g0 from the costs alone, (cost+ - cost-) e / (2 sigma). The step follows
    alpha g1 + (1 - alpha) g0 with

        alpha = v0 / (v0 + v1)                   (the least variance; v: empirical variances of the means), or
        alpha = (gamma - bound) / |g1 - g0|      where that is less: the bias of g1 may be gamma at most

    bound: confidence bound on g0's error, `confidence` standard deviations. gamma: number, in units of the gradient;
    None puts it at |g0| / 2 + bound, so that what is wrong in g1 can at most halve the step, not turn it round.
    """

    kept, members = ("params", "alpha"), ("adam",)

    def __init__(self, problem, params=None, *, sigma=0.05, lr=0.02, gamma=None, confidence=1.0, seed=0):
        super().__init__(problem, seed)
        even(problem, "AlphaOrder")
        self.params = np.array(problem.first if params is None else params, float) / problem.scale
        self.sigma, self.gamma, self.confidence, self.alpha = sigma, gamma, confidence, 0.0
        self.adam = Adam(lr=lr, betas=(0.9, 0.98))

    def _iterate(self):
        noise, rows = antithetic(self.rng, self.problem, self.params, self.sigma)
        cost, grads = self.problem.gradient(rows)
        row = self.note(rows, cost)
        grad = self.blend(noise, cost, grads)
        row |= {"alpha": float(self.alpha), "gradient_norm": float(np.linalg.norm(grad))}
        self.adam.step(self.params, grad)
        return row

    def blend(self, noise, cost, grads):
        """The blended gradient of a batch; sets `alpha`. Pairs with a world that diverged are left out."""
        n = len(noise)
        good = np.isfinite(cost[:n]) & np.isfinite(cost[n:])
        if good.sum() < 2:
            self.alpha = 0.0
            return np.zeros(self.problem.n)
        zeroth = ((cost[:n] - cost[n:]) / (2 * self.sigma))[:, None] * noise
        first = 0.5 * (grads[:n] + grads[n:])
        (g0, v0), (g1, v1) = (_mean(x[good]) for x in (zeroth, first))
        self.alpha = v0 / (v0 + v1) if v0 + v1 > 0 else 1.0
        bound = self.confidence * np.sqrt(v0)
        gamma = 0.5 * np.linalg.norm(g0) + bound if self.gamma is None else self.gamma
        bias = np.linalg.norm(g1 - g0)
        if self.alpha * bias > max(gamma - bound, 0.0):
            self.alpha = max(gamma - bound, 0.0) / bias
        return self.alpha * g1 + (1 - self.alpha) * g0


def _mean(samples):
    """Mean of (batch, n), and the variance of that mean, summed over entries."""
    return samples.mean(axis=0), float(samples.var(axis=0, ddof=1).sum() / len(samples))
