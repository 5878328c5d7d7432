"""Annealed contact stiffness: first on soft ground, where gradients are smooth, then on ever harder ground."""

import numpy as np

from controllers.optimize.method import Method
from engine.model import require_model


def soften(model, factor):
    """A copy of the model whose contacts are `factor` times slower: solref's time constant times factor.

    Stiffness falls with factor^2 and damping with factor (MuJoCo's solref = (timeconst, dampratio); of its direct form
    (-stiffness, -damping), these are divided accordingly). factor 1 is the model itself.
    """
    if not factor > 0:
        raise ValueError(f"soften: factor: got {factor!r}, allowed: a positive number")
    soft = require_model(model).copy()
    for name in ("geom_solref", "pair_solref", "pair_solreffriction"):
        a = getattr(soft, name)
        direct = a[:, 0] < 0
        slow = ~direct & (a[:, 0] > 0)
        a[slow, 0] *= factor
        a[direct] /= np.array([factor**2, factor])
    return soft


class Annealed(Method):
    """The same search on a list of problems, one after the other, each from where the one before ended.

    problems: of the same parameters, softest ground first (`soften`), the real one last. make: problem, params ->
    Method. each: iterations of every problem but the last. Costs of different grounds do not compare, so `best` is
    that of the last problem from when it begins, and of the current one until then.
    """

    kept = ("stage", "within")

    def __init__(self, problems, make, each=10, seed=0):
        self.problems, self.make, self.each = list(problems), make, each
        self.stage, self.within = 0, 0
        self.inner = make(self.problems[0], self.problems[0].first)
        super().__init__(self.problems[0], seed)

    @property
    def finished(self):
        return self.stage == len(self.problems) - 1 and self.inner.finished

    def _iterate(self):
        if self.within >= self.each and self.stage < len(self.problems) - 1:
            self._next()
        row = self.inner.iterate()
        self.within += 1
        self.best, self.best_measured = self.inner.best, self.inner.best_measured
        self.best_params = self.inner.best_params
        return {**row, "stage": self.stage}

    def _next(self):
        before = self.problem.counter
        self.stage, self.within = self.stage + 1, 0
        self.problem = self.problems[self.stage]
        self.problem.counter = before  # work of all stages is counted together
        self.inner = self.make(self.problem, self.inner.best_params)

    def state(self):
        return {**super().state(), **{f"inner_{k}": v for k, v in self.inner.state().items()}}

    def load_state(self, state):
        stage = np.asarray(state.get("stage", -1))
        if stage.dtype.kind != "i" or stage.ndim or not 0 <= stage < len(self.problems):
            raise ValueError(f"Annealed: stage: got {stage}, allowed: 0 to {len(self.problems) - 1}")
        self.stage = int(stage)
        self.problem = self.problems[self.stage]
        self.inner = self.make(self.problem, self.problem.first)
        super().load_state(state)
        self.inner.load_state({k[6:]: state[k] for k in state if k.startswith("inner_")})
        return self
