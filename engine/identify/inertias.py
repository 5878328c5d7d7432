"""Inertias that stay possible: a body's mass m and principal moments by the logarithms of the mass and of the second
moments of its mass about the principal axes,

    I_x = S_y + S_z and so on,    S = exp(s),    m = exp(c)

This is the log-Cholesky parametrisation of the pseudo-inertia (Rucker and Wensing 2022) where centre of mass and
principal axes are held: its triangle is then diagonal. Any real numbers are a body that can exist: positive mass, and
no moment greater than the sum of the others.
"""

import numpy as np

TO_MOMENTS = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
FLOOR = 1e-12  # of the greatest second moment, of a body that is thin or a point
STEP = 1.0  # by which a logarithm may change at once: of a small one the linear model promises any rise
DEEP = 7.0  # by which the logarithm of a second moment may fall below the first guess's while a fit is sought


def inertia_entries(layout, body):
    """Entries of theta: mass and three moments."""
    at = layout["body_inertia"][0] + 3 * body
    return layout["body_mass"][0] + body, at, at + 1, at + 2


class INERTIA:
    """The word `inertia` of unknowns: four numbers for a body, log mass and log second moments."""

    @staticmethod
    def numbers(model, body, name, Number):
        """Those of a body, as its file has them; none of one without mass."""
        mass, moments = model.body_mass[body], np.asarray(model.body_inertia[body])
        if mass <= 0 or moments.max() <= 0:
            return []
        second = moments.sum() / 2 - moments
        logs = np.log([mass, *np.maximum(second, FLOOR * moments.max())])
        what = ("log mass", "log Sx", "log Sy", "log Sz")
        return [
            Number(f"inertia:{name}.{w}", float(x), -np.inf, np.inf, 1.0, None, inertia=(body, k))
            for k, (w, x) in enumerate(zip(what, logs, strict=True))
        ]

    @staticmethod
    def apply(unknowns, p, theta, slope, where):
        """Mass and moments of all such bodies into theta, and their derivatives into slope."""
        for j, n in enumerate(unknowns.numbers):
            if not n.inertia or n.inertia[1] != 0:
                continue
            mass, *moments = inertia_entries(unknowns.layout, n.inertia[0])
            theta[mass] = slope[where[mass], j] = np.exp(p[j])
            second = np.exp(p[j + 1 : j + 4])
            theta[moments] = TO_MOMENTS @ second
            slope[np.ix_([where[e] for e in moments], range(j + 1, j + 4))] = TO_MOMENTS * second
