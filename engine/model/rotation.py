"""Rotations for building models: NumPy, quaternions [w, x, y, z], not differentiated."""

import numpy as np


def quat_mul(p, q):
    """Hamilton product."""
    pw, qw, pv, qv = p[0], q[0], np.asarray(p[1:]), np.asarray(q[1:])
    return np.concatenate([[pw * qw - pv @ qv], pw * qv + qw * pv + np.cross(pv, qv)])


def quat_to_mat(q):
    w, x, y, z = q
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )


def axis_angle(axis, angle):
    """Quaternion of a rotation by `angle` about the unit vector `axis`."""
    return np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * np.asarray(axis, float)])


def euler_to_quat(euler):
    """Rotations about the moving x, y and z axes in this order: MuJoCo's default eulerseq "xyz"."""
    q = np.array([1.0, 0.0, 0.0, 0.0])
    for axis, angle in zip(np.eye(3), euler, strict=True):
        q = quat_mul(q, axis_angle(axis, angle))
    return q


def z_to_quat(direction):
    """Shortest rotation that turns the z axis into `direction`."""
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    axis = np.cross([0.0, 0.0, 1.0], direction)
    sine = np.linalg.norm(axis)
    if sine < 1e-12:
        axis = np.array([1.0, 0.0, 0.0])  # any horizontal axis turns z into -z
    else:
        axis = axis / sine
    return axis_angle(axis, np.arctan2(sine, direction[2]))
