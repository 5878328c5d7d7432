"""Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1) on NumPy arrays."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.files import check_array, check_keys


class Adam:
    """Gradient descent with a step size of its own for every parameter.

    lr: step size. betas: decay of the means of the gradient and of its square. eps: added to the root.
    clip: gradients of a larger Euclidean norm are scaled down to this one (None: never).
    """

    def __init__(
        self, lr: float = 1e-2, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        clip: float | None = None,
    ) -> None:  # fmt: skip
        for name, x, good in (
            ("lr", lr, lr > 0), ("betas", betas, all(0 <= b < 1 for b in betas) and len(betas) == 2),
            ("eps", eps, eps > 0), ("clip", clip, clip is None or clip > 0),
        ):  # fmt: skip
            if not good:
                allowed = "two numbers from 0, below 1" if name == "betas" else "a positive number"
                raise ValueError(f"Adam: {name}: got {x!r}, allowed: {allowed}")
        self.lr, self.betas, self.eps, self.clip = lr, tuple(betas), eps, clip
        self.t, self._mean, self._square = 0, None, None

    def step(self, params: np.ndarray, grad: ArrayLike) -> float:
        """Move `params` in place against `grad`; returns the gradient's norm before clipping."""
        if not isinstance(params, np.ndarray) or params.dtype.kind != "f":
            raise ValueError(f"Adam: params: got {type(params).__name__}, allowed: an array of floats")
        grad = np.asarray(grad, params.dtype)
        if grad.shape != params.shape:
            raise ValueError(f"Adam: the gradient has shape {grad.shape}, allowed: {params.shape}")
        if not np.isfinite(grad).all():
            raise ValueError(f"Adam: entry {int(np.argmin(np.isfinite(grad)))} of the gradient is not finite")
        if self._mean is None:
            self._mean, self._square = np.zeros_like(params), np.zeros_like(params)
        elif self._mean.shape != params.shape:
            raise ValueError(f"Adam: params has shape {params.shape}, before it had {self._mean.shape}")
        norm = float(np.linalg.norm(grad))
        if self.clip is not None and norm > self.clip:
            grad = grad * (self.clip / norm)
        self.t += 1
        b1, b2 = self.betas
        self._mean += (1 - b1) * (grad - self._mean)
        self._square += (1 - b2) * (grad * grad - self._square)
        mean, square = self._mean / (1 - b1**self.t), self._square / (1 - b2**self.t)
        params -= self.lr * mean / (np.sqrt(square) + self.eps)
        return norm

    def forget(self, row: int) -> None:
        """Start anew for one row of the parameters: its means are those of a zero gradient."""
        if self._mean is not None:
            self._mean[row], self._square[row] = 0.0, 0.0

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, as a dict of copies; `np.savez(path, **state)` keeps it."""
        empty = np.zeros(0)
        return {
            "lr": self.lr, "betas": np.array(self.betas), "eps": self.eps, "clip": self.clip or 0.0, "t": self.t,
            "mean": empty if self._mean is None else self._mean.copy(),
            "square": empty if self._square is None else self._square.copy(),
        }  # fmt: skip

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state` was taken; returns self. Raises ValueError, before anything changes."""
        check_keys("Adam: the state", state, self.state())
        a = {name: np.asarray(value) for name, value in state.items()}
        for name in ("lr", "eps", "clip"):
            check_array(f"Adam: {name}", a[name], "f", ())
        check_array("Adam: betas", a["betas"], "f", (2,))
        check_array("Adam: t", a["t"], "i", ())
        for name in ("mean", "square"):
            check_array(f"Adam: {name}", a[name], "f", a["mean"].shape)
        good = Adam(float(a["lr"]), tuple(a["betas"].tolist()), float(a["eps"]), float(a["clip"]) or None)
        if a["t"] < 0:
            raise ValueError(f"Adam: t: got {a['t']}, allowed: zero or more")
        self.lr, self.betas, self.eps, self.clip, self.t = good.lr, good.betas, good.eps, good.clip, int(a["t"])
        self._mean, self._square = (None if self.t == 0 else a[n].copy() for n in ("mean", "square"))
        return self
