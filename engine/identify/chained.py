"""One trajectory for each log, by windows that double: what a fit through contact needs.

Windows with starts of their own stay near the data, but of a body in contact noisy poses leave the normal force open,
so friction may end anywhere. A rollout of the whole log obeys physics, but from a bad guess it parts from the data. So
the first level has short windows, each next one windows twice as long, which begin where the level before it found that
they do, and the last one is the log: a multiple shooting (Bock 1987) whose gaps are closed by taking starts away.

What follows from parameters when a model is made (`invweight0`, by which MuJoCo measures how soft a contact is) follows
from the numbers of the level before; the last level is done again, so that the model found is the model fitted.

A start in contact has kinks, and Gauss-Newton's steps end in the minimum between two. The last level therefore hops: it
moves numbers and starts at random, as far as they are uncertain, goes down again, and keeps what is better. Minima that
are nearly as good are a part of what is not known: each counts by exp(-how much worse it is), and intervals grow by it.
"""

import numpy as np

HOPS, MOST = 10, 30  # hops in vain, and hops in all
NEAR = 1e-6  # s between starts of windows that are the same
BETTER = 1.0  # of the cost's fall, in units of the mean square residual, that counts as another minimum


def lengths(problem):
    """Steps of the windows of each level: doubled, up to the shortest log."""
    whole, steps = problem.longest, problem.windows.steps
    found = [steps]
    while 3 * found[-1] < whole:  # what is left over would be most of another window
        found.append(2 * found[-1])
    return found + [whole] * (found[-1] < whole)


def carried(problem, before):
    """Starts of a problem, those that the Fit before it found where a window begins at the same time."""
    starts, old, new = {n: a.copy() for n, a in problem.starts.items()}, before.problem.windows, problem.windows
    for w in range(new.count):
        same = np.flatnonzero((old.log == new.log[w]) & (np.abs(old.start - new.start[w]) < NEAR))
        for n, a in starts.items():
            if len(same):
                a[w] = before.point.starts[n][same[0]]
    return starts


def levels(problem, solve):
    """The Fit of the last level. solve(problem, p, starts, level, last) -> Fit; p, starts: where to begin."""
    steps, first = lengths(problem), problem.unknowns.guess
    fit = solve(problem, first.copy(), problem.starts, 0, False)
    for level, count in enumerate([*steps[1:], steps[-1]], 1):
        problem = problem.again(fit.model(), count)
        problem.unknowns.guess = first
        fit = solve(problem, fit.values, carried(problem, fit), level, level == len(steps))
    return fit


def hop(problem, solver, go_down, seed=0):
    """(solver of the best minimum found in hops from that of `solver`, covariance (np, np) of the minima about it).
    go_down(p, starts) -> solver or None."""
    rng, u, vain = np.random.default_rng(seed), problem.unknowns, 0
    minima = [solver.point]
    for _ in range(MOST):
        if vain == HOPS:
            break
        arrow, point = solver.linearized(), solver.point
        ms = 2 * point.cost / max(solver.count(), 1)
        noise = rng.normal(size=(len(point.starts["qpos"]), problem.residuals.n))
        free = np.array([np.linalg.solve(np.linalg.cholesky(D).T, e) for D, e in zip(arrow.D, noise, strict=True)])
        sd = np.sqrt(np.diag(np.linalg.pinv(arrow.information(), hermitian=True)))
        size = 2 * rng.random() * np.sqrt(ms)
        p = np.clip(point.p + size * u.unit * np.minimum(sd, 1.0) * rng.normal(size=len(sd)), u.low, u.high)
        starts = point.starts if solver.known else problem.residuals.moved(point.starts, size * free)
        tried = go_down(p, starts)
        minima += [tried.point] if tried is not None else []
        better = tried is not None and tried.point.cost < point.cost - BETTER * ms
        solver, vain = (tried, 0) if better else (solver, vain + 1)
    ms = 2 * solver.point.cost / max(solver.count(), 1)
    weights = np.exp([-(max(m.cost - solver.point.cost, 0.0)) / ms for m in minima])
    off = np.array([m.p - solver.point.p for m in minima])
    return solver, np.einsum("k,ki,kj->ij", weights / weights.sum(), off, off)
