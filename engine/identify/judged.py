"""What the data say about the numbers found: intervals, correlations, and in words what they do not say.

The covariance is s^2 times the inverse of the information (levenberg.py), s^2 the mean square residual in units of the
assumed noise, times how much neighbouring residuals go together: where a model does not explain its data they do, and
the intervals are wider. A direction in which the data do not tell is an eigenvector of the information, in units of
the numbers themselves: of two of one sign the ratio is known, of two of opposite sign the product.
"""

from typing import NamedTuple

import numpy as np

SURE = 1.959963984540054  # standard deviations of a 95 % interval
WEAK = 0.5  # relative standard deviation from which a direction is not known
LAGS = 20  # of residuals that are compared


class Judged(NamedTuple):
    """covariance, sd, correlation of the numbers; s2: mean square residual; runs: how much residuals go together (1:
    not at all); unknown: sentences; directions: those sentences' vectors."""

    covariance: np.ndarray
    sd: np.ndarray
    correlation: np.ndarray
    s2: float
    runs: float
    unknown: list
    directions: list

    def wider(self, spread):
        """With a covariance added."""
        covariance = self.covariance + spread
        sd = np.sqrt(np.diag(covariance))
        safe = np.where((sd > 0) & np.isfinite(sd), sd, 1.0)
        return self._replace(covariance=covariance, sd=sd, correlation=covariance / safe / safe[:, None])


def judged(names, size, unit, arrow, square, count, runs, apart=None):
    """The Judged of numbers of these sizes, in shares of which it tells what is unknown, and units.

    arrow: at the solution. square: the sum of squares of residuals, of which `count` are left when what was fitted,
    starts among it, is taken off. runs: `togetherness` of the residuals. apart: numbers (np,) of which no sentence is
    made; the others are judged as if nobody knew them.
    """
    s2 = square / max(count, 1)
    known = arrow.information()
    information = arrow.information(priors=False)
    covariance = inverse(known) * unit * unit[:, None] * s2 * runs
    sd = np.sqrt(np.diag(covariance))
    safe = np.where((sd > 0) & np.isfinite(sd), sd, 1.0)
    information = information * np.outer(size / unit, size / unit)
    rest = np.ones(len(names), bool) if apart is None else ~apart
    if not rest.all():
        information = without(information, ~rest)
    unknown, directions = unseen([n for n, r in zip(names, rest, strict=True) if r], information, s2)
    directions = [_among(rest, v) for v in directions]
    return Judged(covariance, sd, covariance / safe / safe[:, None], s2, runs, unknown, directions)


def _among(rest, v):
    """A vector of some numbers as one of all."""
    out = np.zeros(len(rest))
    out[rest] = v
    return out


def without(information, hidden):
    """The information about the other numbers where nothing is known about the hidden ones (np,)."""
    if hidden.all():
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(information[np.ix_(hidden, hidden)])
    good = values > 1e-13 * max(values[-1], 1e-300)
    F = vectors[:, good].T @ information[np.ix_(hidden, ~hidden)] / np.sqrt(values[good])[:, None]
    return information[np.ix_(~hidden, ~hidden)] - F.T @ F


def inverse(A):
    """The inverse of an information; where there is none, a very large one."""
    values, vectors = np.linalg.eigh(0.5 * (A + A.T))
    return (vectors / np.maximum(values, max(1e-13 * values[-1], 1e-300))) @ vectors.T


def unseen(names, information, s2):
    """Sentences on the directions that data do not tell: information in relative units."""
    if not len(names):
        return [], []
    values, vectors = np.linalg.eigh(0.5 * (information + information.T))
    sentences, found = [], []
    for value, v in zip(values, vectors.T, strict=True):
        sd = np.sqrt(s2 / value) if value > 1e-13 * max(values[-1], 1e-300) else np.inf
        if sd < WEAK:
            break
        v = v * np.sign(v[np.argmax(np.abs(v))])
        sentences.append(sentence(names, v, sd))
        found.append(v)
    return sentences, found


def sentence(names, v, sd):
    """One direction in words."""
    parts = [k for k in np.argsort(-np.abs(v)) if abs(v[k]) > 0.2]
    how = "not at all" if sd > 1e3 else f"within a factor of {1 + sd:.2g}" if sd > 1 else f"within {100 * sd:.0f} %"
    if len(parts) == 1:
        return f"{names[parts[0]]} is known {how} from these data"
    if len(parts) == 2:
        a, b = parts
        even = abs(abs(v[a]) - abs(v[b])) < 0.15
        if even and v[a] * v[b] > 0:
            return f"{names[a]} and {names[b]} are known only as a ratio (both together {how})"
        if even:
            return f"{names[a]} and {names[b]} are known only as a product (each against the other {how})"
    terms = ", ".join(f"{names[k]} by {'+' if v[k] > 0 else '-'}{abs(v[k]) / abs(v[parts[0]]):.2f}" for k in parts[:6])
    more = f" and {len(parts) - 6} others" if len(parts) > 6 else ""
    return f"no data tell apart a common change of {terms}{more} (that much of each, relative; known {how})"


def togetherness(blocks):
    """1 + 2 sum of autocorrelations of residuals, at least 1: what the variance of a mean grows by. blocks: arrays of
    successive residuals. Lags count up to the first whose autocorrelation noise alone might make (Geyer 1992), and up
    to half a block, so short windows tell it, too."""
    top, pairs, bottom, count = np.zeros(LAGS), np.zeros(LAGS), 0.0, 0
    for r in blocks:
        bottom, count = bottom + (r * r).sum(), count + len(r)
        for k in range(1, min(LAGS, len(r) // 2) + 1):
            top[k - 1] += (r[k:] * r[:-k]).sum()
            pairs[k - 1] += len(r) - k
    if count < 4 * LAGS or bottom == 0:
        return 1.0
    together = top / np.maximum(pairs, 1) / (bottom / count)
    end = np.flatnonzero(together < 2 / np.sqrt(np.maximum(pairs, 1)))
    return 1.0 + 2.0 * float(together[: end[0] if len(end) else LAGS].sum())
