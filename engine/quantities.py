"""Quantities that no step needs, in NumPy from what an evaluation left: energies, Jacobians, inverse dynamics.

Of all worlds; `data` are the views of worlds that were evaluated at their state (`forward`), `params` the parameters.
"""

from typing import NamedTuple

import numpy as np

from engine.model.coordinates import difference
from engine.model.plastic import rest_lengths, rest_positions


class Energy(NamedTuple):
    """J, of each world, (worlds,)."""

    kinetic: np.ndarray
    potential: np.ndarray


class Jacobian(NamedTuple):
    """For a unit of each qvel the velocity of a point, jacp, and the angular velocity, jacr: (worlds, 3, nv) each."""

    jacp: np.ndarray
    jacr: np.ndarray


def energy(model, params, data):
    """Kinetic energy v^T M v / 2; potential energy of gravity, zero at the origin, and of springs, as in MuJoCo."""
    kinetic = 0.5 * np.einsum("wi,wij,wj->w", data.qvel, data.mass_matrices(), data.qvel)
    return Energy(kinetic, potential(model, params, data))


def potential(model, params, data):
    """Of gravity and of the springs of joints and tendons, (worlds,), J. A spring of a ball turns by its angle."""
    gravity, mass, stiffness, tendon_stiffness = (
        a if params.gravity.ndim == 2 else a[None]  # (worlds or 1, ...)
        for a in (params.gravity, params.body_mass, params.jnt_stiffness, params.tendon_stiffness)
    )
    energy = -(np.einsum("wbi,wi->wb", data.xipos, np.broadcast_to(gravity, (len(data.xipos), 3))) * mass).sum(axis=1)
    stretch = difference(model, rest_positions(model, data.act), data.qpos)  # of a free joint, MuJoCo adds both parts
    energy += 0.5 * (stretch**2 * stiffness[:, model.dof_jntid]).sum(axis=1)
    for j in np.flatnonzero(np.any(model.jnt_stiffnesspoly, axis=1)):
        x = stretch[:, model.dof_jntid == j]
        x = x[:, 0] if x.shape[1] == 1 else np.linalg.norm(x, axis=1)
        energy += np.stack([x**3 / 3, x**4 / 4], axis=1) @ model.jnt_stiffnesspoly[j]
    low, high = np.moveaxis(rest_lengths(model, params.tendon_lengthspring, data.act), -1, 0)
    x = data.ten_length - np.clip(data.ten_length, low, high)
    energy += (x**2 / 2 * tendon_stiffness).sum(axis=1)
    for k, power in enumerate((3, 4)):
        energy += x**power / power @ model.tendon_stiffnesspoly[:, k]
    return energy


def chain(model, body):
    """The dofs that move a body."""
    found, b = [], body
    while b > 0 and not model.body_dofnum[b]:
        b = model.body_parentid[b]
    i = model.body_dofadr[b] + model.body_dofnum[b] - 1 if b > 0 else -1
    while i >= 0:
        found.append(i)
        i = model.dof_parentid[i]
    return np.array(found[::-1], int)


def jacobian(model, data, body, point):
    """That of a point (worlds, 3) that moves with a body."""
    jac = Jacobian(*(np.zeros((len(point), 3, model.nv), data.qpos.dtype) for _ in range(2)))
    dofs = chain(model, body)
    arm = point - data.xpos[:, model.body_rootid[body]]
    angular = data.dof_ang[:, dofs]
    jac.jacr[:, :, dofs] = np.moveaxis(angular, 1, 2)
    jac.jacp[:, :, dofs] = np.moveaxis(data.dof_lin[:, dofs] + np.cross(angular, arm[:, None]), 1, 2)
    return jac


def inverse(data, qacc):
    """M qacc + qfrc_bias - qfrc_passive, (worlds, nv)."""
    return np.einsum("wij,wj->wi", data.mass_matrices(), qacc) + data.qfrc_bias - data.qfrc_passive
