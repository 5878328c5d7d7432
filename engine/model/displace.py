"""A step in the tangent space of the coordinates: what `qpos + tangent` means where there are quaternions."""

import numpy as np

from .constants import BALL, FREE


def displace(model, qpos, tangent):
    """`qpos` (..., nq) moved by `tangent` (..., nv): a quaternion is turned by a rotation vector in its own axes.

    Lengths of quaternions stay.
    """
    moved = np.empty(np.broadcast_shapes(qpos.shape[:-1], tangent.shape[:-1]) + qpos.shape[-1:])
    for kind, q, v in zip(model.jnt_type, model.jnt_qposadr, model.jnt_dofadr, strict=True):
        if kind == FREE:
            moved[..., q : q + 3] = qpos[..., q : q + 3] + tangent[..., v : v + 3]
            q, v = q + 3, v + 3
        if kind in (FREE, BALL):
            moved[..., q : q + 4] = _turned(qpos[..., q : q + 4], tangent[..., v : v + 3])
        else:
            moved[..., q] = qpos[..., q] + tangent[..., v]
    return moved


def direction(model, qpos, tangent):
    """d(qpos) along `tangent`, (..., nq): the derivative of `displace` at zero, q (0, tangent / 2) for quaternions."""
    out = np.empty(np.broadcast_shapes(qpos.shape[:-1], tangent.shape[:-1]) + qpos.shape[-1:])
    for kind, q, v in zip(model.jnt_type, model.jnt_qposadr, model.jnt_dofadr, strict=True):
        if kind == FREE:
            out[..., q : q + 3] = tangent[..., v : v + 3]
            q, v = q + 3, v + 3
        if kind in (FREE, BALL):
            out[..., q : q + 4] = _times(qpos[..., q : q + 4], 0.0, 0.5 * tangent[..., v : v + 3])
        else:
            out[..., q] = tangent[..., v]
    return out


def _turned(quat, rotvec):
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # sinc: the same as sin(angle / 2) / angle, and right at zero
    return _times(quat, np.cos(0.5 * angle), 0.5 * np.sinc(angle / (2.0 * np.pi)) * rotvec)


def _times(quat, c, x):
    """quat (c, x)."""
    w, u = quat[..., :1], quat[..., 1:]
    return np.concatenate([w * c - (u * x).sum(axis=-1, keepdims=True), w * x + c * u + np.cross(u, x)], axis=-1)
