"""Inertias that stay possible: numbers of a body of which any are a body that can exist, with positive mass and no
moment greater than the sum of the others. Each word of unknowns here is a `Law`.

    inertia   mass m and principal moments, by the logarithms of the mass and of the second moments of its mass about
              the principal axes: I_x = S_y + S_z and so on, S = exp(s), m = exp(c). Centre and axes are held.
    inertial  all ten numbers (`inertial.py`)
"""

import numpy as np

TO_MOMENTS = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
FLOOR = 1e-12  # of the greatest second moment, of a body that is thin or a point
STEP = 1.0  # by which a logarithm may change at once: of a small one the linear model promises any rise
DEEP = 7.0  # by which the logarithm of a second moment may fall below the first guess's while a fit is sought


class Law:
    """How so many numbers of a body make entries of theta.

    labels (size,): what each is. deep (size,): how far below its guess a search may go. leaves: what a simulator must
    be asked for. prior: whether what a user does not say is known weakly, to a unit.
    """

    word: str
    labels: tuple
    deep: tuple
    leaves: tuple = ()
    prior = False

    def begin(self, model, body):
        """[(value, low, high, unit)] of the numbers, as a file has them; none of a body without mass."""
        raise NotImplementedError

    def entries(self, layout, body):
        """Those of theta, an array."""
        raise NotImplementedError

    def values(self, p, model, body, linear):
        """Their values, and the slope (entries, size) by the numbers p (size,); linear: by the moments of
        `Inertial.moments` instead."""
        raise NotImplementedError

    def moved(self, p, dp):
        """Numbers after a step dp of a search."""
        return p + dp


def second_moments(model, body):
    """Those about the principal axes, (3,), none of them nothing; or None of a body without mass."""
    mass, moments = model.body_mass[body], np.asarray(model.body_inertia[body], float)
    if mass <= 0 or moments.max() <= 0:
        return None
    return np.maximum(moments.sum() / 2 - moments, FLOOR * moments.max())


class Inertia(Law):
    word, labels, deep = "inertia", ("log mass", "log Sx", "log Sy", "log Sz"), (np.inf, DEEP, DEEP, DEEP)

    def begin(self, model, body):
        second = second_moments(model, body)
        if second is None:
            return []
        return [(float(np.log(x)), -np.inf, np.inf, 1.0) for x in (model.body_mass[body], *second)]

    def entries(self, layout, body):
        return np.append(layout["body_mass"][0] + body, layout["body_inertia"][0] + 3 * body + np.arange(3))

    def values(self, p, model, body, linear=False):
        mass, second = np.exp(p[0]), np.exp(p[1:])
        slope = np.zeros((4, 4))
        slope[0, 0], slope[1:, 1:] = mass, TO_MOMENTS * second
        return np.append(mass, TO_MOMENTS @ second), slope
