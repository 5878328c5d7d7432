"""Clipping of gradients: long ones are scaled down, never bent."""

import numpy as np


def clip_rows(grad, limit):
    """Every row (..., n) scaled down to norm `limit` where it is longer; None: as it is.

    Rows of a window's gradient: per-window clipping. Rows of `grads.ctrl` (steps, worlds, nu): per-step clipping.
    """
    if limit is None:
        return grad
    norm = np.linalg.norm(grad, axis=-1, keepdims=True)
    return grad * np.minimum(1.0, limit / np.maximum(norm, 1e-300))


def clip_global(grad, limit):
    """The whole array scaled down to norm `limit` if it is longer; None: as it is."""
    norm = float(np.linalg.norm(grad))
    return grad if limit is None or norm <= limit else grad * (limit / norm)
