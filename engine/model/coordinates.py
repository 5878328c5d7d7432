"""qpos as a list of scalars and quaternions, and the algebra of both: the one place that knows what a joint's type
means for coordinates.

A hinge or slide is a scalar, a ball joint a quaternion, a free joint three scalars and a quaternion. A scalar has one
degree of freedom; a quaternion three, a rotation vector in its own axes. Arrays lead with any axes, "tangent" ones end
with nv; those of the functions with `out` may also be another library's.
"""

import functools
from typing import NamedTuple

import numpy as np

from .constants import BALL, FREE

SCALAR, QUATERNION = range(2)
# Of a quaternion (w, x, y, z): the vector's entries stand together, so do those after each, and those after these.
ROLLED = np.array([0, 1, 2, 3, 1, 2])


class Coordinate(NamedTuple):
    """kind: SCALAR or QUATERNION. qposadr, dofadr: where its entries begin in qpos and qvel. joint: whose it is."""

    kind: int
    qposadr: int
    dofadr: int
    joint: int


def coordinates(model):
    """The coordinates of a Model (or of what has its jnt_type, jnt_qposadr, jnt_dofadr), in the order of qpos."""
    return _coordinates(*(np.asarray(a, np.int64).tobytes() for a in
                          (model.jnt_type, model.jnt_qposadr, model.jnt_dofadr)))  # fmt: skip


@functools.lru_cache(maxsize=64)
def _coordinates(*joints):
    """A gradient asks several times, of a robot that does not change: a loop over joints takes longer than its step."""
    found = []
    kinds, places, dofs = (np.frombuffer(a, np.int64).tolist() for a in joints)
    for j, (kind, q, v) in enumerate(zip(kinds, places, dofs, strict=True)):
        if kind == FREE:
            found += [Coordinate(SCALAR, q + k, v + k, j) for k in range(3)]
            q, v = q + 3, v + 3
        found.append(Coordinate(QUATERNION if kind in (FREE, BALL) else SCALAR, q, v, j))
    return tuple(found)


def stretches(model):
    """The same with neighbouring scalars together: (kind, qposadr, dofadr, number of entries of qpos)."""
    return _stretches(coordinates(model))


@functools.lru_cache(maxsize=64)
def _stretches(found):
    joined = []
    for kind, q, v, _ in found:
        if kind == SCALAR and joined and joined[-1][0] == SCALAR:
            joined[-1][3] += 1
        else:
            joined.append([kind, q, v, 1 if kind == SCALAR else 4])
    return joined


def quaternions(model):
    """The quaternions among them."""
    return [c for c in coordinates(model) if c.kind == QUATERNION]


def normalized(model, qpos):
    """The same states (..., nq), in place, their quaternions divided by their lengths."""
    for c in quaternions(model):
        quat = qpos[..., c.qposadr : c.qposadr + 4]
        quat /= np.linalg.norm(quat, axis=-1, keepdims=True)
    return qpos


def displace(model, qpos, tangent):
    """`qpos` (..., nq) moved by `tangent`: a quaternion is turned by a rotation vector in its own axes.

    Lengths of quaternions stay.
    """
    moved = np.empty(np.broadcast_shapes(qpos.shape[:-1], tangent.shape[:-1]) + qpos.shape[-1:])
    for kind, q, v, _ in coordinates(model):
        if kind == QUATERNION:
            moved[..., q : q + 4] = turned(qpos[..., q : q + 4], tangent[..., v : v + 3])
        else:
            moved[..., q] = qpos[..., q] + tangent[..., v]
    return moved


def difference(model, qpos, goal):
    """The tangent vector that moves `qpos` to `goal`, both (..., nq): quaternions the shorter way round."""
    out = np.empty((*np.broadcast_shapes(qpos.shape[:-1], goal.shape[:-1]), model.nv))
    for kind, q, v, _ in coordinates(model):
        if kind == QUATERNION:
            out[..., v : v + 3] = quat_log(qpos[..., q : q + 4], goal[..., q : q + 4])
        else:
            out[..., v] = goal[..., q] - qpos[..., q]
    return out


def direction(model, qpos, tangent):
    """d(qpos) along `tangent`, (..., nq): the derivative of `displace` at zero, q (0, tangent / 2) for quaternions."""
    out = np.empty(np.broadcast_shapes(qpos.shape[:-1], tangent.shape[:-1]) + qpos.shape[-1:])
    for kind, q, v, _ in coordinates(model):
        if kind == QUATERNION:
            out[..., q : q + 4] = _times(qpos[..., q : q + 4], 0.0, 0.5 * tangent[..., v : v + 3])
        else:
            out[..., q] = tangent[..., v]
    return out


def tangent_along(model, qpos, dot):
    """The tangent (..., nv) of a d(qpos) (..., nq), inverse to `direction`: 2 Im(q* dot) / |q|^2 of a quaternion."""
    out = qpos_to_tangent(model, qpos, dot)
    for c in quaternions(model):
        quat = qpos[..., c.qposadr : c.qposadr + 4]
        out[..., c.dofadr : c.dofadr + 3] *= 4.0 / (quat * quat).sum(axis=-1, keepdims=True)
    return out


def qpos_to_tangent(model, qpos, bar, out=None):
    """Cotangents of qpos in its own coordinates (..., nq) to the tangent space: 1/2 Im(q* q_bar) for quaternions."""
    out = np.empty((*bar.shape[:-1], model.nv), bar.dtype) if out is None else out
    for kind, qa, va, n in stretches(model):
        if kind == QUATERNION:
            q, b = _rolled(qpos[..., qa : qa + 4]), _rolled(bar[..., qa : qa + 4])
            turn = q[2:5] * b[3:6] - q[3:6] * b[2:5]
            found = 0.5 * (q[0] * b[1:4] - b[0] * q[1:4] - turn)
            out[..., va : va + 3] = found.T.reshape(*bar.shape[:-1], 3)
        else:
            out[..., va : va + n] = bar[..., qa : qa + n]
    return out


def tangent_to_qpos(model, qpos, bar, out=None):
    """Gradients in the tangent space to qpos' own coordinates (..., nq): 2 q (0, bar) / |q|^2 for quaternions."""
    out = np.empty((*bar.shape[:-1], model.nq), bar.dtype) if out is None else out
    for kind, qa, va, n in stretches(model):
        if kind == QUATERNION:
            quat_gradient(qpos[..., qa : qa + 4], bar[..., va : va + 3], out[..., qa : qa + 4])
        else:
            out[..., qa : qa + n] = bar[..., va : va + n]
    return out


def quat_gradient(quat, bar, out=None):
    """The gradient by a turn about the own axes, bar (..., 3), to that by a quaternion of any length, (..., 4), which
    counts normalised: 2 q (0, bar) / |q|^2."""
    out = np.empty(quat.shape, bar.dtype) if out is None else out
    if isinstance(quat, np.ndarray) and quat.dtype == bar.dtype == float and quat.size == 4:
        entries = quat.ravel().tolist()
        if any(entries):  # in Python's own numbers: the same bits in a tenth of the time
            out[...] = _gradient(entries, bar.ravel().tolist())
            return out
    found = _gradient([quat[..., k] for k in range(4)], [bar[..., k] for k in range(3)])
    for k in range(4):
        out[..., k] = found[k]
    return out


def _gradient(quat, bar):
    """quat_gradient of the components."""
    (w, x, y, z), (a, b, c) = quat, bar
    n2 = w * w + x * x + y * y + z * z
    return (
        -2 * (x * a + y * b + z * c) / n2, 2 * (w * a + (y * c - z * b)) / n2, 2 * (w * b + (z * a - x * c)) / n2,
        2 * (w * c + (x * b - y * a)) / n2,
    )  # fmt: skip


def _rolled(quat):
    """Quaternions (..., 4) as rows of numbers in the order ROLLED: few operations on rows, not many on short ones."""
    rows = quat.reshape(-1, 4).T
    return rows.take(ROLLED, 0) if isinstance(rows, np.ndarray) else rows[ROLLED]


def turned(quat, rotvec):
    """quat exp(rotvec): turned by a rotation vector in its own axes."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # sinc: the same as sin(angle / 2) / angle, and right at zero
    return _times(quat, np.cos(0.5 * angle), 0.5 * np.sinc(angle / (2.0 * np.pi)) * rotvec)


def _times(quat, c, x):
    """quat (c, x)."""
    w, u = quat[..., :1], quat[..., 1:]
    return np.concatenate([w * c - (u * x).sum(axis=-1, keepdims=True), w * x + c * u + np.cross(u, x)], axis=-1)


def quat_log(a, b):
    """log(a^-1 b) of quaternions of any length, the shorter way round."""
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    w = (a * b).sum(axis=-1, keepdims=True)
    u = a[..., :1] * b[..., 1:] - b[..., :1] * a[..., 1:] - np.cross(a[..., 1:], b[..., 1:])
    sign = np.where(w < 0, -1.0, 1.0)
    w, u = sign * w, sign * u
    s = np.linalg.norm(u, axis=-1, keepdims=True)
    return u * np.where(s > 1e-12, 2 * np.arctan2(s, w) / np.maximum(s, 1e-300), 2.0)
