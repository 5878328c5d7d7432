"""Search by gradient from many starts at once, or of one set of parameters over many worlds."""

import numpy as np

from controllers.adam import Adam
from controllers.optimize.clip import clip_global
from controllers.optimize.method import Method


class Restarts(Method):
    """Every world follows the gradient from its own start; the best rollout of all is the result.

    rows: start parameters (worlds, n). A world that fell more than `patience` behind its own best goes back to it with
    half the step. Every `exchange` iterations (0: never) the worse `share` of the worlds is replaced by copies of the
    better half, moved by normal noise of size `spread` (in units of scale): a population with gradients.
    """

    kept, members = ("rows", "own", "own_cost", "pace"), ("adam",)

    def __init__(self, problem, rows, *, lr=0.012, betas=(0.9, 0.98), patience=0.5, exchange=0, share=0.25, spread=0.1,
                 seed=0):  # fmt: skip
        super().__init__(problem, seed)
        self.rows = np.array(np.broadcast_to(rows, (problem.worlds, problem.n)) / problem.scale, float)
        self.adam = Adam(lr=lr, betas=betas)
        self.patience, self.exchange, self.share, self.spread = patience, exchange, share, spread
        self.own, self.own_cost = self.rows.copy(), np.full(problem.worlds, np.inf)
        self.pace = np.ones(problem.worlds)

    def _iterate(self):
        cost, grad = self.problem.gradient(self.rows)
        row = self.note(self.rows, cost)
        row["gradient_norm"] = float(np.median(self.problem.window_norms))
        self._move(cost, grad)
        if self.exchange and (self.iteration + 1) % self.exchange == 0:
            self._exchange()
        return row

    def _move(self, cost, grad):
        better = cost < self.own_cost
        self.own[better], self.own_cost[better] = self.rows[better], cost[better]
        lost = ~(cost <= self.own_cost + self.patience)
        self.pace[lost] *= 0.5
        before = self.rows.copy()
        self.adam.step(self.rows, grad)
        self.rows = before + self.pace[:, None] * (self.rows - before)
        self.rows[lost] = self.own[lost]

    def _exchange(self):
        order = np.argsort(self.own_cost)
        n = int(self.share * len(order))
        parents = self.rng.choice(order[: max(len(order) // 4, 1)], n)
        for child, parent in zip(order[len(order) - n :], parents, strict=True):
            self.rows[child] = self.own[parent] + self.spread * self.rng.normal(size=self.problem.n)
            self.own[child], self.own_cost[child], self.pace[child] = self.own[parent], self.own_cost[parent], 1.0
            self.adam.forget(child)


class Descent(Method):
    """One set of parameters, whose cost is the mean over the worlds (which differ in their start, say).

    optimizer: Adam or SGD. clip: of the mean gradient's norm.
    """

    kept, members = ("params",), ("optimizer",)

    def __init__(self, problem, params=None, *, optimizer=None, clip=None, seed=0):
        super().__init__(problem, seed)
        self.params = np.array(problem.first if params is None else params, float) / problem.scale
        self.optimizer, self.clip = optimizer or Adam(lr=0.01), clip

    def _iterate(self):
        cost, grad = self.problem.gradient(self.params)
        mean = np.full_like(cost, cost.mean())
        row = self.note(self.params, mean)
        grad = grad.mean(axis=0)
        row["gradient_norm"] = float(np.linalg.norm(grad))
        self.optimizer.step(self.params, clip_global(grad, self.clip))
        return row
