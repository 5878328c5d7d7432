"""Stochastic gradient descent with momentum (Polyak's heavy ball) on NumPy arrays."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.files import check_array, check_keys


class SGD:
    """params -= lr * m, m = momentum * m + grad.

    lr: step size. momentum: from 0, below 1. clip: gradients of a larger Euclidean norm are scaled down (None: never).
    """

    def __init__(self, lr: float = 1e-2, momentum: float = 0.0, clip: float | None = None) -> None:
        for name, x, good, allowed in (
            ("lr", lr, lr > 0, "a positive number"), ("momentum", momentum, 0 <= momentum < 1, "from 0, below 1"),
            ("clip", clip, clip is None or clip > 0, "a positive number or None"),
        ):  # fmt: skip
            if not good:
                raise ValueError(f"SGD: {name}: got {x!r}, allowed: {allowed}")
        self.lr, self.momentum, self.clip = lr, momentum, clip
        self._mean = None

    def step(self, params: np.ndarray, grad: ArrayLike) -> float:
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

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, as a dict of copies."""
        return {"lr": self.lr, "momentum": self.momentum, "clip": self.clip or 0.0,
                "mean": np.zeros(0) if self._mean is None else self._mean.copy()}  # fmt: skip

    def load_state(self, state: Any) -> None:
        """Go on exactly where `state` was taken; returns self. Raises ValueError, before anything changes."""
        check_keys("SGD: the state", state, self.state())
        a = {name: np.array(value) for name, value in state.items()}
        for name in ("lr", "momentum", "clip", "mean"):
            check_array(f"SGD: {name}", a[name], "f", a["mean"].shape if name == "mean" else ())
        good = SGD(float(a["lr"]), float(a["momentum"]), float(a["clip"]) or None)
        self.lr, self.momentum, self.clip = good.lr, good.momentum, good.clip
        self._mean = a["mean"] if a["mean"].size else None
        return self
