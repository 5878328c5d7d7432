"""One trajectory for each log, by windows that double: what a fit through contact needs.

Windows with starts of their own stay near the data, but of a body in contact noisy poses leave the normal force open,
so friction may end anywhere. A rollout of the whole log obeys physics, but from a bad guess it parts from the data. So
the first level has short windows, each next one windows twice as long, which begin where the level before it found that
they do, and the last one is the log: a multiple shooting (Bock 1987) whose gaps are closed by taking starts away.

What follows from parameters when a model is made (`invweight0`, by which MuJoCo measures how soft a contact is) follows
from the numbers of the level before; the last level is done again, so that the model found is the model fitted.

Of a start in contact the cost has kinks, and it jumps where an impact moves from one step to the next: a hundredth of
what the start is uncertain by may do. Gauss-Newton's steps see none of that and end anywhere. So each level hops: many
starts for the same numbers, as far off as they are uncertain, are worlds of one launch, of which each window takes its
best; from there it goes down again. Every second hop moves the numbers, too, along with the starts that go with them.
Minima that are nearly as good are a part of what is not known: each counts by exp(-how much worse it is) or, where the
search was still falling, by as much less as it fell in its later half, and intervals grow by it. `searches.py` begins
the whole of it again.
"""

import numpy as np

from engine import schema as s
from engine.arrays import default_contacts
from engine.errors import ContactOverflowError, DivergenceError
from engine.identify.batch import Copies
from engine.identify.levenberg import loss_of
from engine.identify.residuals import Residuals
from engine.simulator import Simulator

HOPS, LAST = 6, 16  # hops in vain with which a level ends, and the last one
SIZES = 1.0, 0.3, 3.0  # of hops, one after the other, in standard deviations of what the present minimum leaves open
MOST = 0.3  # of a number's unit: standard deviations count up to it
COPIES = 16  # starts that a hop tries
NEAR = 1e-6  # s between starts of windows that are the same
SLOW = 0.05  # share of what is left to a minimum known, that an iteration which goes on falls by
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


def hops(problem, last):
    """Hops in vain with which a level ends. What can touch nothing has few kinks: there the last level alone hops."""
    return LAST if last else HOPS if problem.chained and default_contacts(problem.model) else 0


def hop(problem, solver, iterations, vainly, seed=0):
    """(solver of the best minimum found in hops from that of `solver`, covariance (np, np) of the minima about it).
    iterations: at most, of each hop. vainly: hops that bring nothing, after which it ends."""
    rng, u, vain, of = np.random.default_rng(seed), problem.unknowns, 0, None
    minima, many, costs = [solver.point], Candidates(problem), [solver.point.cost]
    for turn in range(3 * vainly):
        if vain == vainly:
            break
        if of is not solver:
            of, arrow, point = solver, solver.linearized(), solver.point
            ms = 2 * point.cost / max(solver.count(), 1)
            values, axes = np.linalg.eigh(arrow.information())
            axes = axes / np.sqrt(np.maximum(values, MOST**-2))
            follow = np.linalg.solve(arrow.D, arrow.F)
            free = np.swapaxes(np.linalg.inv(np.linalg.cholesky(arrow.D)), 1, 2)
        size, p = SIZES[turn // 2 % len(SIZES)] * np.sqrt(ms), point.p
        if turn % 2:
            p = np.clip(p + size * u.unit * (axes @ rng.normal(size=len(values))), u.low, u.high)
        noise = rng.normal(size=(COPIES, len(free), problem.residuals.n))
        noise[0] = 0.0  # a start that is as good as any stays
        dx = size * np.einsum("wij,kwj->kwi", free, noise) - follow @ ((p - point.p) / u.unit)
        starts, better = many.nearest(p, point.starts, dx)
        tried = _down(problem, p, starts, iterations, point.cost) if turn % 2 or better.any() else None
        minima += [tried.point] if tried is not None else []
        if tried is not None and tried.point.cost < point.cost - BETTER * ms:
            solver, vain = tried, 0
        else:
            vain += 1
        costs.append(solver.point.cost)
    ms = 2 * solver.point.cost / max(solver.count(), 1)
    # what the later half of the hops has brought, as many more might bring: minima so near the best may be the least
    near = max(ms, costs[len(costs) // 2] - costs[-1])
    weights = np.exp([-(max(m.cost - solver.point.cost, 0.0)) / near for m in minima])
    off = np.array([m.p - solver.point.p for m in minima])
    return solver, np.einsum("k,ki,kj->ij", weights / weights.sum(), off, off)


def _down(problem, p, starts, iterations, best):
    """The solver at the minimum below p and starts, or where it was clear that it will not come down to the cost
    `best`; None where they diverge."""
    try:
        solver = problem.levenberg(p, starts)
    except DivergenceError:
        return None
    while solver.iterations < iterations and not solver.done:
        before = solver.point.cost
        solver.iterate()
        if solver.iterations >= 3 and before - solver.point.cost < SLOW * (solver.point.cost - best):
            break
    return solver


class Candidates:
    """Several starts of a problem's windows for the same numbers: worlds of one launch, which share all parameters."""

    def __init__(self, problem):
        self.problem, self.windows = problem, Copies(problem.windows, COPIES)
        sim = Simulator(problem.model, self.windows.count, leaves=problem.sim.leaves)
        starts = {n: np.tile(a, (COPIES, 1)) for n, a in problem.starts.items()}
        self.residuals = Residuals(sim, problem.unknowns, self.windows, starts)

    def nearest(self, p, starts, dx):
        """Of `starts` moved by dx (COPIES, windows, nx), for each window the one whose rollout is nearest the log, and
        which windows took another than the first."""
        count = dx.shape[1]
        which = np.arange(count)
        moved = self.residuals.moved({n: np.tile(a, (COPIES, 1)) for n, a in starts.items()}, np.concatenate(dx))
        cost, given = np.zeros((COPIES, count)), {n: a.copy() for n, a in moved.items()}
        while True:
            try:
                found = self.residuals(p, given)
                break
            except (DivergenceError, ContactOverflowError):
                bad = np.flatnonzero(self.residuals.sim.data._status[:, s.start("d", "status")] != s.OK)
                if np.isinf(cost.ravel()[bad]).any():  # these numbers diverge where the search stands
                    return {n: a[:count] for n, a in moved.items()}, which < 0
                cost.ravel()[bad] = np.inf
                for n, a in given.items():
                    a[bad] = starts[n][bad % count]
        for b, r in zip(self.windows.samples, found, strict=True):
            values = loss_of(r, self.problem.loss)[0].sum(axis=1)
            cost += np.bincount(b.window, values, cost.size).reshape(cost.shape)
        best = cost.argmin(axis=0)
        return {n: a.reshape(COPIES, count, -1)[best, which] for n, a in moved.items()}, best > 0
