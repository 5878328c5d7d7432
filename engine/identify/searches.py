"""Searches: a chain begun several times, with first windows of other lengths, whose cuts fall elsewhere among impacts.

Through contact the cost jumps wherever an impact moves from one step to the next, so a search ends beside the least
minimum, and nothing in its own minimum says how far. Another search ends elsewhere. The best one counts; where the
second best ends says how far above the least the best may be, and ends that are no worse than that by much are a part
of what is not known.
"""

import numpy as np

from engine.errors import DivergenceError

GOLDEN = 0.6180339887498949
LEAST = 1.0  # of the fall of the cost that decides anything


def others(steps, count, longest):
    """Steps of the first windows of `count` searches: the first as asked, others from half to twice of it."""
    factors = [1.0, *(2.0 ** (2 * (GOLDEN * k % 1) - 1) for k in range(1, count))]
    return [int(np.clip(round(steps * f), 1, longest)) for f in factors]


def cost(fit):
    """How badly a Fit explains its windows, minus the logarithm of a likelihood: with a channel's noise where it is
    given, else with what its residuals are."""
    total = 0.0
    for s, r in zip(fit.problem.windows.samples, fit.point.residuals, strict=True):
        r = r[s.of(fit.problem.used)] * s.sd
        if s.given:
            total += 0.5 * ((r / s.sd) ** 2).sum()
        else:
            total += 0.5 * len(r) * np.log(np.maximum((r * r).mean(axis=0), 1e-300)).sum()
    return float(total)


def searched(problem, solve, count):
    """The best Fit of `count` searches, whose intervals have the spread of their ends. solve(problem, number) -> Fit.
    Raises DivergenceError where all of them diverge."""
    found, error = [], None
    for k, steps in enumerate(others(problem.windows.steps, count, problem.longest)):
        try:
            found.append(solve(problem if k == 0 else problem.again(problem.model, steps), k))
        except DivergenceError as e:
            error = e
    if not found:
        raise error
    costs = np.array([cost(fit) for fit in found])
    best = found[int(np.argmin(costs))]
    excess = costs - costs.min()
    if len(found) > 1:
        weights = np.exp(-excess / max(LEAST, np.sort(excess)[1]))
        off = np.array([fit.values - best.values for fit in found])
        best.spread(np.einsum("k,ki,kj->ij", weights / weights.sum(), off, off))
    best.excess = np.sort(excess)
    return best
