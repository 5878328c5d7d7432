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


def mat_to_quat(R):
    """The quaternion of a rotation matrix, w >= 0 (Shepperd 1978)."""
    t = np.trace(R)
    k = int(np.argmax([t, *np.diag(R)]))
    if k == 0:
        q = np.array([1 + t, R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    else:
        i, j, h = k - 1, k % 3, (k + 1) % 3
        q = np.empty(4)
        q[0], q[k] = R[h, j] - R[j, h], 1 + 2 * R[i, i] - t
        q[1 + j], q[1 + h] = R[j, i] + R[i, j], R[h, i] + R[i, h]
    return q / np.linalg.norm(q) * (-1.0 if q[0] < 0 else 1.0)


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
