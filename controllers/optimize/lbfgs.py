"""L-BFGS through SciPy (extra `scipy`), in a form that can be killed and resumed bit for bit."""

import numpy as np

from controllers.optimize.method import Method


class LBFGS(Method):
    """One set of parameters, whose cost is the mean over the worlds, by SciPy's L-BFGS-B.

    SciPy cannot be stopped and resumed; but it is deterministic, so every evaluation (parameters, cost, gradient) is
    logged, and an iteration runs SciPy again from the start with the log answering for what was already simulated.
    The log is what `state` keeps: two rows of n numbers an evaluation. bounds: (lo, hi), numbers or (n,), or None.
    memory: pairs of vectors that approximate the Hessian.
    """

    kept = ("points", "costs", "grads", "over")
    growing = {"points": 0, "costs": 0, "grads": 0}

    def __init__(self, problem, params=None, *, memory=10, bounds=None, seed=0):
        super().__init__(problem, seed)
        try:
            import scipy.optimize  # noqa: F401
        except ImportError as e:
            raise ImportError('LBFGS needs SciPy: pip install "pullback[scipy]"') from e
        self.start = np.array(problem.first if params is None else params, float) / problem.scale
        self.memory, self.over = memory, False
        self.bounds = None
        if bounds is not None:
            lo, hi = (np.broadcast_to(b, (problem.n,)) / problem.scale for b in bounds)
            self.bounds = list(zip(lo, hi, strict=True))
        self.points, self.costs, self.grads = np.zeros((0, problem.n)), np.zeros(0), np.zeros((0, problem.n))

    @property
    def finished(self):
        return bool(self.over)

    def _iterate(self):
        from scipy.optimize import minimize

        self.asked = 0
        done = minimize(
            self._evaluate, self.start, jac=True, method="L-BFGS-B", bounds=self.bounds,
            options={"maxiter": self.iteration + 1, "maxcor": self.memory, "maxfun": 1 << 30, "ftol": 1e-12,
                     "gtol": 1e-8},
        )  # fmt: skip
        self.over = done.nit < self.iteration + 1  # SciPy ended by itself
        i = int(np.argmin(self.costs))
        if self.costs[i] < self.best:
            self.best, self.best_params = float(self.costs[i]), self.points[i] * self.problem.scale
            self.best_measured = float(np.mean(self.problem.measured))
        return {"cost": float(done.fun), "median": float(done.fun), "measured": float(np.mean(self.problem.measured)),
                "gradient_norm": float(np.linalg.norm(done.jac)), "evaluations": len(self.costs)}  # fmt: skip

    def _evaluate(self, x):
        k, self.asked = self.asked, self.asked + 1
        if k < len(self.costs):
            if not np.array_equal(self.points[k], x):
                raise RuntimeError("LBFGS: SciPy asked for other points than before; was it another version?")
            return float(self.costs[k]), self.grads[k].copy()
        cost, grad = self.problem.gradient(x)
        cost, grad = float(cost.mean()), grad.mean(axis=0)
        if not np.isfinite(cost):
            cost, grad = 1e30, np.zeros_like(grad)  # the line search steps back from there
        self.points, self.costs = np.vstack([self.points, x]), np.append(self.costs, cost)
        self.grads = np.vstack([self.grads, grad])
        return cost, grad.copy()
