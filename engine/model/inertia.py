"""Mass and inertia of geoms, and the principal axes of a body made of several."""

import numpy as np

from . import constants as c
from .rotation import quat_mul, quat_to_mat

MINVAL = 1e-15  # MuJoCo's mjMINVAL: a mass below it counts as none


def volume(kind, size):
    """Volume of a geom; a plane and a height field have none."""
    x, y, z = size
    if kind in (c.PLANE, c.HFIELD):
        return 0.0
    return (
        np.pi
        * {
            c.SPHERE: 4 / 3 * x**3,
            c.CAPSULE: 4 / 3 * x**3 + 2 * x**2 * y,
            c.CYLINDER: 2 * x**2 * y,
            c.ELLIPSOID: 4 / 3 * x * y * z,
            c.BOX: 8 / np.pi * x * y * z,
        }[kind]
    )


def unit_inertia(kind, size):
    """Diagonal inertia of a geom of mass one about its centre, in its own axes."""
    x, y, z = size
    if kind in (c.PLANE, c.HFIELD):
        return np.zeros(3)
    if kind == c.SPHERE:
        return np.full(3, 0.4 * x**2)
    if kind == c.CYLINDER:
        side = x**2 / 4 + y**2 / 3
        return np.array([side, side, x**2 / 2])
    if kind == c.CAPSULE:
        ball = 2 * x / (2 * x + 3 * y)  # share of the two half balls in the mass; the rest is the cylinder
        side = (1 - ball) * (x**2 / 4 + y**2 / 3) + ball * (0.4 * x**2 + y**2 + 0.75 * x * y)
        return np.array([side, side, (1 - ball) * x**2 / 2 + ball * 0.4 * x**2])
    share = 1 / 3 if kind == c.BOX else 1 / 5  # box, ellipsoid
    return share * np.array([y**2 + z**2, x**2 + z**2, x**2 + y**2])


def combine(parts):
    """(mass, ipos, iquat, inertia) of a body from its geoms' (mass, pos, quat, inertia)."""
    parts = [part for part in parts if part[0] > MINVAL]
    if not parts:
        return 0.0, np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3)
    if len(parts) == 1:
        return parts[0]
    mass = sum(part[0] for part in parts)
    com = sum(part[0] * part[1] for part in parts) / mass
    full = np.zeros((3, 3))
    for m, pos, quat, inertia in parts:
        R, r = quat_to_mat(quat), pos - com
        full += R @ np.diag(inertia) @ R.T + m * (r @ r * np.eye(3) - np.outer(r, r))
    quat, inertia = principal_axes(full)
    return mass, com, quat, inertia


def principal_axes(full):
    """(quat, moments) with moments in falling order and full = R diag(moments) R^T, by Jacobi's rotations.

    eigh would do, but Jacobi's rotations, carried as a quaternion from the identity, choose the signs of the axes as
    MuJoCo's compiler does, so that a built robot equals the compiled one number by number.
    """
    quat = np.array([1.0, 0.0, 0.0, 0.0])
    for _ in range(100):
        R = quat_to_mat(quat)
        D = R.T @ full @ R
        i, j = max(((0, 1), (0, 2), (1, 2)), key=lambda ij: abs(D[ij]))
        if abs(D[i, j]) < 1e-12 * np.trace(np.abs(D)):
            break
        quat = _turn(quat, i, j, _jacobi_angle(D[i, i], D[j, j], D[i, j]))
    moments = np.diag(D).copy()
    for i in (0, 1, 0):  # bubble sort
        if moments[i] < moments[i + 1]:
            moments[[i, i + 1]] = moments[[i + 1, i]]
            quat = _turn(quat, i, i + 1, np.pi / 2)
    return quat, moments


def _jacobi_angle(a, b, off):
    """Angle of the rotation in a plane that makes [[a, off], [off, b]] diagonal, at most 45 degrees."""
    return 0.5 * np.arctan(2 * off / (a - b)) if a != b else np.copysign(np.pi / 4, off)


def _turn(quat, i, j, angle):
    """Turn the axes i and j by `angle`, from i towards j."""
    k = 3 - i - j
    turn = np.zeros(4)
    turn[0], turn[1 + k] = np.cos(angle / 2), np.sin(angle / 2) * (1 if (j - i) % 3 == 1 else -1)
    quat = quat_mul(quat, turn)
    return quat / np.linalg.norm(quat)
