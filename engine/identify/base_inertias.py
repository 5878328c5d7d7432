"""What motion tells of bodies' inertial numbers: those sums of them that the data know, the base parameters.

Forces are linear in m, m c and the inertias about the bodies' origins (`Inertial.moments`), and most of these nobody
can know: a link that turns about one axis shows its inertia about it, and its mass in sums alone. In the
information about all of them, each in units of its body's mass and size, the eigenvectors that data tell span what can
be known; elimination with pivots makes of these as many sums, each led by a number that the others lack. (Gautier and
Khalil 1990; here of the data's own information, so what was not excited is not known either.)
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from engine.identify.inertial import MOMENTS, Inertial, physical
from engine.identify.judged import SURE, WEAK
from engine.words import counted

OTHERS = 0.3  # how much a number that is no inertial one counts as the one that leads
SHOWN = 0.02  # share of the leading number, from which words have another


class Combination(NamedTuple):
    """A sum that data tell. coefficients: {name: factor}, of numbers of the fit or "m x of link"; value; sd; scale: the
    size of the leading number's body, or of the number, in the same unit."""

    coefficients: dict
    value: float
    sd: float
    scale: float

    def words(self):
        """As `Iyy of upper + 0.09 m of lower`, without what hardly counts."""
        parts = [(name, x) for name, x in self.coefficients.items() if x]
        text = ""
        for name, x in parts:
            sign = "" if not text and x > 0 else " - " if x < 0 else " + "
            factor = f"{abs(x):.3g}"
            text += f"{sign}{'' if factor == '1' else f'{factor} '}{name}"
        return text.strip()

    def __str__(self):
        return f"{self.words()} = {self.value:.6g} ± {SURE * self.sd:.2g}"


class Body(NamedTuple):
    """A body as found: name, mass (kg), centre (3,; m), inertia about it (xx yy zz xy xz yz; kg m^2), each with its
    standard deviation."""

    name: str
    value: np.ndarray
    sd: np.ndarray

    def __str__(self):
        v, h = self.value, SURE * self.sd
        centre = ", ".join(f"{x:.4g} ± {d:.2g}" for x, d in zip(v[1:4], h[1:4], strict=True))
        return f"{self.name}: mass {v[0]:.5g} ± {h[0]:.2g} kg, centre ({centre}) m"


def whole_bodies(unknowns):
    """[(first number, name)] of bodies of which all ten numbers are looked for."""
    names = unknowns.model.body_names
    return [(k, names[n.body] or str(n.body)) for k, n in unknowns.bodies if isinstance(n.law, Inertial)]


def apart(problem):
    """Which numbers (np,) of a Problem are those of such bodies; none through contact, where `combinations` are not."""
    found = np.zeros(len(problem.unknowns.names), bool)
    for k, _ in whole_bodies(problem.unknowns):
        found[k : k + 10] = not problem.chained
    return found


def sentence(fit):
    """How much a Fit tells of such bodies."""
    if fit.problem.chained:
        return "what the data do not tell of these bodies stays near the first guess"
    many = counted(len(fit.combinations), "combination")
    return (f"the data tell {many} of these {10 * len(fit.bodies)} numbers (m mass, m x mass times centre, I about the "
            "body's origin, in its axes; kg, m); what they do not tell stays near the first guess")  # fmt: skip


def told_of_bodies(fit):
    """Lines on such bodies of a Fit."""
    return [*map(str, fit.bodies), sentence(fit), *(f"  {c}" for c in fit.combinations)]


def bodies(fit):
    """[Body] of a Fit."""
    found = []
    for k, name in whole_bodies(fit.problem.unknowns):
        p, own = fit.values[k : k + 10], slice(k, k + 10)
        mass, c, sigma, by = physical(p)
        T = np.eye(10)
        T[4:7, 4:7] -= 1.0  # of second moments, their trace less each
        T[4:, 4:] *= -1.0
        second = np.concatenate([[mass], c, sigma[np.triu_indices(3)][[0, 3, 5, 1, 2, 4]]])
        slope = T @ by
        found.append(Body(name, T @ second, np.sqrt(np.diag(slope @ fit.covariance[own, own] @ slope.T))))
    return found


def combinations(fit):
    """[Combination] of a Fit in which whole bodies were looked for: what its data tell, the best known first. None of
    one through contact, which has no slopes."""
    problem, u = fit.problem, fit.problem.unknowns
    whole = whole_bodies(u)
    if not whole or problem.chained:
        return []
    u.linear = True
    try:
        solver = problem.levenberg(fit.values, fit.point.starts)
        information = solver.linearized().information(priors=False) / np.outer(u.unit, u.unit)
    finally:
        u.linear = False
    solver.again()
    names, values, size = list(u.names), fit.values.copy(), u.size(fit.values)
    lead = np.full(len(names), OTHERS)
    for k, name in whole:
        own, (mass, c, sigma, _) = slice(k, k + 10), physical(fit.values[k : k + 10])
        values[own], lead[own] = Inertial.moments(fit.values[own]), 1.0
        reach = np.sqrt(np.trace(sigma) / mass + c @ c)
        size[own] = mass * reach ** np.repeat((0, 1, 2), (1, 3, 6))
        names[own] = [f"{m} of {name}" for m in MOMENTS]
    information *= np.outer(size, size) / (fit.judged.s2 * fit.runs)
    weights, vectors = np.linalg.eigh(0.5 * (information + information.T))
    known = weights > max(WEAK**-2, 1e-13 * weights[-1])
    K, order = _plainest(vectors[:, known].T, lead, [np.arange(k, k + 10) for k, _ in whole])
    # K = T V', so the sums' covariance is that of the eigenvectors' coordinates, 1 / weights, by T
    T = K @ vectors[:, known]
    covariance = (T / weights[known]) @ T.T
    found = []
    for row, at, variance in zip(K, order, np.diag(covariance), strict=True):
        row = np.where(np.abs(row) < SHOWN, 0.0, row)
        factors = row * size[at] / size
        if np.count_nonzero(row) == 1 and lead[at] < 1:
            continue  # a number of the fit that is known alone stands among these
        terms = sorted(np.flatnonzero(row), key=lambda k: (k != at, -abs(row[k])))
        coefficients = {names[k]: float(factors[k]) for k in terms}
        found.append(Combination(coefficients, float(factors @ values), float(size[at] * np.sqrt(variance)), size[at]))
    return sorted(found, key=lambda one: one.sd / one.scale)


def _plainest(K, lead, bodies):
    """What `_led` gives where numbers of those that may lead have the fewest others beside them: masses seldom lead, of
    the others now first moments come before inertias and now not, bodies near the base before those far from it."""
    found = []
    for of_mass, of_first, of_inertia, farther in product((0.2, 1.0), (0.6, 1.0), (0.6, 1.0), (0.8, 1.0, 1.25)):
        weight = lead.copy()
        for depth, own in enumerate(bodies):
            weight[own] *= np.repeat((of_mass, of_first, of_inertia), (1, 3, 6)) * farther**depth
        found.append(_led(K, weight))
    return min(found, key=lambda one: (np.abs(one[0]) > SHOWN).sum())


def _led(K, lead):
    """(rows, which number leads each): combinations of rows K (n, numbers), each with a one where the others have
    zeros."""
    K, order = K.copy(), []
    for i in range(len(K)):
        size = np.abs(K[i:]) * lead
        size[:, order] = 0.0
        r, at = np.unravel_index(np.argmax(size), size.shape)
        K[[i, i + r]] = K[[i + r, i]]
        K[i] /= K[i, at]
        others = np.arange(len(K)) != i
        K[others] -= np.outer(K[others, at], K[i])
        order.append(int(at))
    return K, order
