"""What the end of a window is worth to the rest of the rollout, learned from the rollouts themselves.

Truncated backpropagation cuts the rest off; a terminal value puts it back in, as the critic does in SHAC (Xu et
al., arXiv:2204.07137). Here the value is quadratic in the state and fitted by ridge regression, which needs no training
loop.
"""

import numpy as np

from engine.files import check_array
from engine.model import require_model
from engine.objectives import Objective


class FittedValue(Objective):
    """V(x) = c + g'z + z'z-terms of the state z = (qpos, qvel) standardised, fitted to costs-to-go. Pass as `value`.

    skip: entries of qpos that it must not see (a distance travelled). ridge: of the regression. Before the first `fit`
    it is zero.
    """

    def __init__(self, model, skip=(), ridge=1.0):
        self.nq = require_model(model).nq
        self.columns = np.array([i for i in range(model.nq + model.nv) if i not in set(skip)])
        self.ridge = ridge
        n = len(self.columns)
        self.center, self.spread, self.weights = np.zeros(n), np.ones(n), np.zeros(2 * n + 1)

    def fit(self, states, togo):
        """states (samples, nq + nv) at ends of windows, togo (samples,): the cost of what came after."""
        x = np.asarray(states)[:, self.columns]
        self.center, self.spread = x.mean(axis=0), x.std(axis=0) + 1e-6
        F = self._features((x - self.center) / self.spread)
        penalty = self.ridge * np.eye(F.shape[1])
        penalty[0, 0] = 0.0
        self.weights = np.linalg.solve(F.T @ F + penalty, F.T @ np.asarray(togo))
        return self

    @staticmethod
    def _features(z):
        return np.concatenate([np.ones((*z.shape[:-1], 1)), z, z**2], axis=-1)

    def evaluate(self, trajectory):
        """(cost (worlds,), {output: bar}) of a Trajectory: the value of its last state."""
        x = np.concatenate([trajectory.qpos[-1], trajectory.qvel[-1]], axis=-1)[:, self.columns]
        # beyond what was seen the value goes on along its slope at the edge, not along a parabola
        z = (x - self.center) / self.spread
        inside = np.clip(z, -3.0, 3.0)
        n = len(self.columns)
        slope = self.weights[1 : n + 1] + 2 * self.weights[n + 1 :] * inside
        cost = self._features(inside) @ self.weights + (slope * (z - inside)).sum(axis=-1)
        bar = np.zeros((len(x), trajectory.qpos.shape[-1] + trajectory.qvel.shape[-1]))
        bar[:, self.columns] = slope / self.spread
        bars = {"qpos": np.zeros_like(trajectory.qpos), "qvel": np.zeros_like(trajectory.qvel)}
        bars["qpos"][-1], bars["qvel"][-1] = bar[:, : self.nq], bar[:, self.nq :]
        return cost, bars

    def state(self):
        """What was fitted, as arrays for `np.savez`."""
        return {"center": self.center, "spread": self.spread, "weights": self.weights}

    def load_state(self, state):
        """Go on with what was fitted when `state` was taken. Raises ValueError for arrays of other shapes."""
        for name, own in self.state().items():
            check_array(f"FittedValue: {name}", np.asarray(state[name]), "f", own.shape)
        for name in self.state():
            setattr(self, name, np.array(state[name]))
        return self
