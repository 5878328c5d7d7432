"""All ten inertial numbers of a body, so that any ten real numbers are a body that can exist.

With mass m, centre c and the second moments Sigma of the mass about the centre, in the body's axes, what makes a body
possible is that its pseudo-inertia is positive definite,

    J = [[Sigma + m c c', m c], [m c', m]] = U U',    U = [[L sqrt(D), sqrt(m) c], [0, sqrt(m)]]

The numbers are log m, c, log D (D diagonal) and the three entries of L above its diagonal of ones. (Log-Cholesky
parametrisation, Rucker and Wensing 2022, with the triangle's columns divided by their diagonal, so that the three are
slopes and all logarithms those of a mass or a moment.)

Kernels take principal moments I = tr(S) - S and the axes R of Sigma = R diag(S) R'. What changes Sigma turns them by

    dR = R [phi]x,    phi_z = (e_x' dSigma e_y) / (S_x - S_y) and so on

which is no number where two moments are the same, though what a robot does depends on Sigma smoothly. Such two are set
apart by the square root of the precision, which leaves both motion and slopes as they are to half the digits.
"""

from itertools import permutations

import numpy as np

from engine.compiler.backend import np_real
from engine.identify.inertias import DEEP, TO_MOMENTS, Law, second_moments
from engine.model.rotation import mat_to_quat, quat_to_mat

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # entries of a symmetric matrix, in the order of fullinertia
ABOVE = ((0, 1), (0, 2), (1, 2))
NEAR = 0.7  # of itself, as far as which a step goes along a line of pseudo-inertias
TINY = 1e-12  # of its unit, below which a slope is rounding
FAR = 10.0  # radii of gyration about the body's origin, as far as which its centre is sought
MOMENTS = ("m", "m x", "m y", "m z", "Ixx", "Iyy", "Izz", "Ixy", "Ixz", "Iyz")  # about the body's origin


def symmetric(six):
    """The matrix of six entries."""
    out = np.zeros((3, 3))
    for x, (i, j) in zip(six, PAIRS, strict=True):
        out[i, j] = out[j, i] = x
    return out


BASES = np.array([symmetric(row) for row in np.eye(6)])


def six_of(matrix):
    return np.array([matrix[pair] for pair in PAIRS])


class Inertial(Law):
    word, leaves, prior = "inertial", ("body_ipos", "body_iquat"), True
    labels = ("log mass", "x", "y", "z", "log Dx", "log Dy", "log Dz", "Lxy", "Lxz", "Lyz")
    deep = (np.inf,) * 4 + (DEEP,) * 3 + (np.inf,) * 3

    def begin(self, model, body):
        second = second_moments(model, body)
        if second is None:
            return []
        mass, c = model.body_mass[body], np.asarray(model.body_ipos[body], float)
        R = quat_to_mat(model.body_iquat[body])
        sigma = (R * second) @ R.T
        L, D = _triangle(sigma)
        about = np.sqrt((np.trace(sigma) + mass * (c @ c)) / mass)
        free = -np.inf, np.inf
        logs = [(float(np.log(x)), *free, 1.0) for x in (mass, *D)]
        unit = float(np.sqrt(np.trace(sigma) / mass))
        place = [(float(x), float(x - FAR * about), float(x + FAR * about), unit) for x in c]
        units = [float(np.sqrt(sigma[i, i] / sigma[j, j])) for i, j in ABOVE]
        slopes = [(float(L[pair]) if abs(L[pair]) > TINY * u else 0.0, *free, u)
                  for pair, u in zip(ABOVE, units, strict=True)]  # fmt: skip
        return [logs[0], *place, *logs[1:], *slopes]

    def entries(self, layout, body):
        groups = ("body_mass", 1), ("body_ipos", 3), ("body_inertia", 3), ("body_iquat", 4)
        at = [layout[name][0] + width * body + np.arange(width) for name, width in groups]
        return np.concatenate(at)

    def values(self, p, model, body, linear=False):
        mass, c, sigma, by = physical(p)
        value, slope = _frame(mass, c, sigma, quat_to_mat(model.body_iquat[body]))
        return value, slope @ (_by_moments(mass, c) if linear else by)

    def moved(self, p, dp):
        """A small step goes along a line of pseudo-inertias, J = U U' to U (1 + X) U', since forces depend linearly on
        them: what motion tells together, as mass and centre, then lies on no curve. A large one does not leave them."""
        mass, c, sigma, by = physical(p)
        J, dJ = pseudo(mass, c, sigma), pseudo_change(mass, c, by @ dp)
        U = np.linalg.cholesky(J)
        X = np.linalg.solve(U, np.linalg.solve(U, dJ).T)
        if np.abs(np.linalg.eigvalsh(0.5 * (X + X.T))).max() > NEAR:
            return p + dp
        return numbers(J + dJ)

    @staticmethod
    def moments(p):
        """What forces are linear in (10,): m, m c, and Ixx Iyy Izz Ixy Ixz Iyz about the body's origin; kg, m."""
        mass, c, sigma, _ = physical(p)
        about = sigma + mass * np.outer(c, c)
        return np.concatenate([[mass], mass * c, six_of(np.trace(about) * np.eye(3) - about)])


def _triangle(sigma):
    """L, upper, with ones on its diagonal, and D (3,) of sigma = L diag(D) L'."""
    U = np.linalg.cholesky(sigma[::-1, ::-1])[::-1, ::-1]
    root = np.diag(U)
    return U / root, root**2


def physical(p):
    """Mass (kg), centre (3,; m), second moments about it (3, 3; kg m^2), and the slope (10, 10) of mass, centre and
    these six by the numbers p."""
    mass, c, D, L = np.exp(p[0]), p[1:4], np.exp(p[4:7]), np.eye(3)
    for x, pair in zip(p[7:], ABOVE, strict=True):
        L[pair] = x
    by = np.zeros((10, 10))
    by[0, 0], by[1:4, 1:4] = mass, np.eye(3)
    for k in range(3):
        by[4:, 4 + k] = six_of(D[k] * np.outer(L[:, k], L[:, k]))
    for k, (i, j) in enumerate(ABOVE):
        part = D[j] * np.outer(np.eye(3)[i], L[:, j])
        by[4:, 7 + k] = six_of(part + part.T)
    return mass, c, (L * D) @ L.T, by


def pseudo(mass, c, sigma):
    """The pseudo-inertia (4, 4)."""
    h = (mass * c)[:, None]
    return np.block([[sigma + h * c, h], [h.T, np.array([[mass]])]])


def pseudo_change(mass, c, change):
    """Its change with those (10,) of mass, centre and second moments."""
    dm, dc, turned = change[0], change[1:4], mass * np.outer(change[1:4], c)
    h = (mass * dc + dm * c)[:, None]
    return np.block([[symmetric(change[4:]) + dm * np.outer(c, c) + turned + turned.T, h], [h.T, np.array([[dm]])]])


def numbers(J):
    """The ten numbers of a pseudo-inertia."""
    mass, c = J[3, 3], J[:3, 3] / J[3, 3]
    L, D = _triangle(J[:3, :3] - mass * np.outer(c, c))
    return np.concatenate([[np.log(mass)], c, np.log(D), [L[pair] for pair in ABOVE]])


def _by_moments(mass, c):
    """The slope (10, 10) of mass, centre and second moments about it by `Inertial.moments`."""
    by = np.zeros((10, 10))
    for k, row in enumerate(np.eye(10)):
        dm, dc = row[0], (row[1:4] - row[0] * c) / mass
        inertia = symmetric(row[4:])
        moved = mass * np.outer(dc, c)
        second = 0.5 * np.trace(inertia) * np.eye(3) - inertia - dm * np.outer(c, c) - moved - moved.T
        by[:, k] = np.concatenate([[dm], dc, six_of(second)])
    return by


def _frame(mass, c, sigma, file):
    """Entries of theta (11,), and their slope (11, 10) by mass, centre and second moments. file: axes (3, 3) that the
    principal ones, whose order and signs are anybody's, are to be near."""
    S, E = np.linalg.eigh(file.T @ sigma @ file)
    order = np.argsort(S)
    gap = np.sqrt(np.finfo(np_real()).eps) * S[order[2]]
    for a, b in zip(order, order[1:], strict=False):
        S[b] = max(S[b], S[a] + gap)
    near = max(permutations(range(3)), key=lambda of: sum(abs(E[k, of[k]]) for k in range(3)))
    S, E = S[list(near)], E[:, list(near)]
    E = E * np.where(np.diag(E) < 0, -1.0, 1.0)
    if np.linalg.det(E) < 0:
        E[:, np.argmin(np.diag(E))] *= -1.0
    R = file @ E
    quat = mat_to_quat(R)
    slope = np.zeros((11, 10))
    slope[:4, :4] = np.eye(4)
    d = R.T @ BASES @ R
    slope[4:7, 4:] = TO_MOMENTS @ np.diagonal(d, axis1=1, axis2=2).T
    phi = np.stack([d[:, 1, 2] / (S[1] - S[2]), d[:, 2, 0] / (S[2] - S[0]), d[:, 0, 1] / (S[0] - S[1])])
    w, x, y, z = quat
    slope[7:, 4:] = 0.5 * np.array([[-x, -y, -z], [w, -z, y], [z, w, -x], [-y, x, w]]) @ phi  # quat (0, phi)
    return np.concatenate([[mass], c, TO_MOMENTS @ S, quat]), slope
