"""What is known about a number before the data, and coordinates in which a bounded number may be anything.

A prior has `value(x) -> (log density, slope, curvature)` up to a constant, `draw(rng, low, high)`, and `support`.
"""

from dataclasses import dataclass

import numpy as np

TRIES = 1000  # draws of a prior before its bounds are said to leave nothing of it


class _Cut:
    """Draws between bounds."""

    def draw(self, rng, low, high):
        for _ in range(TRIES):
            x = self._one(rng)
            if low < x < high:
                return float(x)
        raise ValueError(f"prior {self}: {TRIES} draws were outside of {low:g} to {high:g}, allowed: bounds around it")


@dataclass(frozen=True)
class Normal(_Cut):
    """A normal distribution. mean: None is the guess."""

    mean: float | None
    sd: float
    support = (-np.inf, np.inf)

    def __post_init__(self):
        if not 0 < self.sd < np.inf:
            raise ValueError(f"prior: got a standard deviation of {self.sd}, allowed: a positive one")
        if self.mean is not None and not np.isfinite(self.mean):
            raise ValueError(f"prior: got a mean of {self.mean}, allowed: a finite number, or None, the guess")

    def about(self, guess):
        return self if self.mean is not None else Normal(guess, self.sd)

    def value(self, x):
        y = (x - self.mean) / self.sd
        return -0.5 * y * y, -y / self.sd, -(self.sd**-2.0)

    def _one(self, rng):
        return rng.normal(self.mean, self.sd)


@dataclass(frozen=True)
class LogNormal(_Cut):
    """A number whose logarithm is normal: sd 0.1 is about 10 %. median: None is the guess."""

    median: float | None
    sd: float
    support = (0.0, np.inf)

    def __post_init__(self):
        if not 0 < self.sd < np.inf or self.median is not None and not 0 < self.median < np.inf:
            raise ValueError(f"prior: got LogNormal({self.median}, {self.sd}), allowed: positive numbers")

    def about(self, guess):
        return self if self.median is not None else LogNormal(guess, self.sd)

    def value(self, x):
        if not x > 0:
            return -np.inf, 0.0, 0.0
        y = np.log(x / self.median) / self.sd
        return -0.5 * y * y - np.log(x), -(y / self.sd + 1) / x, (y / self.sd + 1 - self.sd**-2.0) / x**2

    def _one(self, rng):
        return self.median * np.exp(rng.normal(0.0, self.sd))


@dataclass(frozen=True)
class Uniform(_Cut):
    """Any number between two."""

    low: float
    high: float

    def __post_init__(self):
        if not self.low < self.high or not np.isfinite([self.low, self.high]).all():
            raise ValueError(f"prior: got Uniform({self.low}, {self.high}), allowed: two numbers, the lower first")

    @property
    def support(self):
        return self.low, self.high

    def about(self, guess):
        return self

    def value(self, x):
        return (0.0 if self.low <= x <= self.high else -np.inf), 0.0, 0.0

    def _one(self, rng):
        return rng.uniform(self.low, self.high)


KINDS = (Normal, LogNormal, Uniform)


def prior_of(number):
    """The prior of a Number (parameters.py): a (mean, standard deviation) is normal, bounds alone are uniform. Raises
    ValueError where it has neither."""
    given = number.prior
    if given is None:
        if not np.isfinite([number.low, number.high]).all():
            raise ValueError(f"unknown {number.name}: got no prior, allowed: prior=(mean, standard deviation), "
                             "LogNormal, Uniform, or bounds low and high")  # fmt: skip
        return Uniform(number.low, number.high)
    return (given if isinstance(given, KINDS) else Normal(*given)).about(number.guess)


class Coordinates:
    """Numbers x between bounds (d,) by coordinates z that may be anything.

    x = low + e^z                     bounded on one side (or high - e^z)
    x = low + (high - low) s(z)       on both, s the logistic function
    x = unit z                        on none
    """

    def __init__(self, low, high, unit):
        self.low, self.high, self.unit = (np.asarray(a, float) for a in (low, high, unit))
        below, above = np.isfinite(self.low), np.isfinite(self.high)
        self.free, self.both = ~below & ~above, below & above
        self.under, self.over = below & ~above, above & ~below

    def to(self, x):
        """z of numbers (..., d), which lie strictly between the bounds."""
        x = np.asarray(x, float)
        with np.errstate(all="ignore"):
            z = x / self.unit
            z = np.where(self.under, np.log(x - self.low), z)
            z = np.where(self.over, np.log(self.high - x), z)
            return np.where(self.both, np.log((x - self.low) / (self.high - x)), z)

    def back(self, z):
        """(x, dx/dz, d2x/dz2, log |dx/dz|, its slope), each (..., d)."""
        low, high = np.where(np.isfinite(self.low), self.low, 0.0), np.where(np.isfinite(self.high), self.high, 0.0)
        z = np.asarray(z, float)
        with np.errstate(over="ignore"):
            e, s = np.exp(np.where(self.under | self.over, z, 0.0)), 1.0 / (1.0 + np.exp(-z))
        width, t = high - low, 1.0 / (1.0 + np.exp(np.minimum(z, 700.0)))
        x = np.where(self.free, self.unit * z, np.where(self.under, low + e, high - e))
        x = np.where(self.both, low + width * s, x)
        first = np.where(self.free, self.unit, np.where(self.under, e, -e))
        first = np.where(self.both, width * s * t, first)
        second = np.where(self.free, 0.0, np.where(self.both, width * s * t * (t - s), first))
        size = np.where(self.free, np.log(self.unit), z)
        soft = np.log1p(np.exp(-np.abs(z)))
        size = np.where(self.both, np.log(np.where(self.both, width, 1.0)) - np.abs(z) - 2 * soft, size)
        slope = np.where(self.free, 0.0, np.where(self.both, t - s, 1.0))
        return x, first, second, size, slope
