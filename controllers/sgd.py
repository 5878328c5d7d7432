"""Stochastic gradient descent with momentum (Polyak's heavy ball) on NumPy arrays."""

import numpy as np


class SGD:
    """params -= lr * m, m = momentum * m + grad.

    lr: step size. momentum: from 0, below 1. clip: gradients of a larger Euclidean norm are scaled down (None: never).
    """

    def __init__(self, lr=1e-2, momentum=0.0, clip=None):
        for name, x, good, allowed in (
            ("lr", lr, lr > 0, "a positive number"), ("momentum", momentum, 0 <= momentum < 1, "from 0, below 1"),
            ("clip", clip, clip is None or clip > 0, "a positive number or None"),
        ):  # fmt: skip
            if not good:
                raise ValueError(f"SGD: {name}: got {x!r}, allowed: {allowed}")
        self.lr, self.momentum, self.clip = lr, momentum, clip
        self._mean = None

    def step(self, params, grad):
        """Move `params` in place against `grad`; returns the gradient's norm before clipping."""
        grad = np.asarray(grad, float)
        if grad.shape != np.shape(params):
            raise ValueError(f"SGD: the gradient has shape {grad.shape}, allowed: {np.shape(params)}")
        if not np.isfinite(grad).all():
            raise ValueError(f"SGD: entry {int(np.argmin(np.isfinite(grad)))} of the gradient is not finite")
        norm = float(np.linalg.norm(grad))
        if self.clip is not None and norm > self.clip:
            grad = grad * (self.clip / norm)
        self._mean = grad.copy() if self._mean is None else self.momentum * self._mean + grad
        params -= self.lr * self._mean
        return norm

    def state(self):
        """Everything that the next step depends on, as a dict of copies."""
        return {"lr": self.lr, "momentum": self.momentum, "clip": self.clip or 0.0,
                "mean": np.zeros(0) if self._mean is None else self._mean.copy()}  # fmt: skip

    def load_state(self, state):
        """Go on exactly where `state` was taken; returns self."""
        missing = set(self.state()) - set(state)
        if missing:
            raise ValueError(f"SGD: the state lacks {sorted(missing)}")
        self.lr, self.momentum = float(state["lr"]), float(state["momentum"])
        self.clip = float(state["clip"]) or None
        mean = np.array(state["mean"])
        self._mean = mean if mean.size else None
        return self
