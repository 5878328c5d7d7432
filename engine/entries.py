"""What a small network sees and how its parameters lie, in NumPy: the twin of dynamics/network.py, for controllers and
residuals. An entry is a pair (kind, index) of engine/parts.py."""

import numpy as np

from engine import parts
from engine.model.coordinates import quaternions

ANGLES = {"sin_qpos": parts.OBS_SIN_QPOS, "cos_qpos": parts.OBS_COS_QPOS}
LAST_SCALE = 0.1  # of the last layer's start weights: a new network hardly moves the robot


def coordinate(model, i):
    """One entry of qpos; one of a quaternion is (OBS_QUAT + entry, where the quaternion begins)."""
    for quat in (c.qposadr for c in quaternions(model)):
        if quat <= i < quat + 4:
            return parts.OBS_QUAT + i - quat, quat
    return parts.OBS_QPOS, i


def observe(entry, time, qpos, qvel, act=None, ctrl=None):
    """An entry of states (..., nq), (..., nv), ...; (...)."""
    kind, i = entry
    if kind == parts.OBS_QPOS:
        return qpos[..., i]
    if kind == parts.OBS_QVEL:
        return qvel[..., i]
    if kind == parts.OBS_SPEED:
        return np.abs(qvel[..., i])
    if kind == parts.OBS_ACT:
        return act[..., i]
    if kind == parts.OBS_CTRL:
        return ctrl[..., i]
    if kind in ANGLES.values():
        return (np.sin if kind == parts.OBS_SIN_QPOS else np.cos)(qpos[..., i])
    if kind >= parts.OBS_UP:
        q = qpos[..., i : i + 4]
        w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
        return (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y))[kind - parts.OBS_UP]
    if kind >= parts.OBS_QUAT:
        return qpos[..., i + kind - parts.OBS_QUAT] / np.linalg.norm(qpos[..., i : i + 4], axis=-1)
    wave = np.sin if kind == parts.OBS_SIN else np.cos
    return wave(2e6 * np.pi * time / i)


def layer_shapes(sizes):
    """{name: shape} of a network's parameters, in their order: W1, b1, W2, ..."""
    shapes = {}
    for k, (n, rows) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), 1):
        shapes |= {f"W{k}": (rows, n), f"b{k}": (rows,)}
    return shapes


def start_weights(rng, sizes):
    """(rows, n) of each layer, normal with variance 1 / inputs; the last one's a tenth of that."""
    for k, n in enumerate(sizes[:-1], 1):
        yield rng.normal(size=(sizes[k], n)) * (1.0 if k < len(sizes) - 1 else LAST_SCALE) / np.sqrt(n)


def network(x, weights, biases):
    """The output (..., n_L) for inputs (..., n_0)."""
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), 1):
        x = (W @ x[..., None])[..., 0] + b
        if k < len(weights):
            x = np.tanh(x)
    return x
