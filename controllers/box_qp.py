"""Box-constrained quadratic program by projected Newton steps (Tassa, Mansard, Todorov: Control-limited differential
dynamic programming, ICRA 2014, section IV and algorithm 1); before that, where it is tried, by guesses of the bounds
that hold (Hintermueller, Ito, Kunisch: The primal-dual active set strategy as a semismooth Newton method, SIAM Journal
on Optimization 13, 2002)."""

import numpy as np

ITERATIONS, ARMIJO, STEP, LEAST = 100, 0.1, 0.6, 1e-20
GUESSES = 6


def box_qp(H, g, lo, hi, x0):
    """(x, free): minimises x'Hx / 2 + g'x with lo <= x <= hi; `free`, booleans, says which entries no bound holds.

    H (n, n) positive definite, else numpy.linalg.LinAlgError; infinite bounds are allowed. x0: where to start.
    """
    np.linalg.cholesky(H)
    inside = np.linalg.solve(H, -g)
    if (inside >= lo).all() and (inside <= hi).all():
        return inside, np.ones(len(g), bool)
    return newton(H, g, lo, hi, x0)


def newton(H, g, lo, hi, x0):
    """The same where H is known to be positive definite and a bound to hold something."""
    x = np.clip(x0, lo, hi)
    value = g @ x + 0.5 * x @ H @ x
    free = np.ones(len(g), bool)
    for _ in range(ITERATIONS):
        slope = g + H @ x
        free = ~((x <= lo) & (slope > 0) | (x >= hi) & (slope < 0))
        if not free.any() or np.linalg.norm(slope[free]) < 1e-9 * (1 + np.linalg.norm(g)):
            break
        newton = np.zeros_like(x)
        newton[free] = -np.linalg.solve(H[np.ix_(free, free)], slope[free])
        step = 1.0
        while step > LEAST:
            there = np.clip(x + step * newton, lo, hi)
            new = g @ there + 0.5 * there @ H @ there
            if new <= value + ARMIJO * slope @ (there - x):
                break
            step *= STEP
        gain, value = value - new, min(new, value)
        x = there
        if gain < 1e-12 * (1 + abs(value)):
            slope = g + H @ x
            free = ~((x <= lo) & (slope > 0) | (x >= hi) & (slope < 0))
            break
    return x, free


def guessed(H, wanted, lo, hi, side):
    """(x, gains, side) of min x'Hx / 2 + x'g within bounds, or None where `GUESSES` guesses find no minimum.

    wanted (n, 1 + m): g, and what follows x linearly: where no bound holds x = -H^-1 g and gains = -H^-1 wanted[:, 1:].
    side (n,): -1 or 1 where the lower or the upper bound is taken to hold, else 0.
    """
    for _ in range(GUESSES):
        free = side == 0
        held = np.where(side < 0, lo, hi)
        held[free] = 0.0
        rows = free[:, None] * wanted
        rows[:, 0] += free * (H @ held) - held
        square = H * (free[:, None] & free)
        square[~free, ~free] = 1.0
        found = -np.linalg.solve(square, rows)
        x = found[:, 0]
        slope = wanted[:, 0] + H @ x
        low, high = (x < lo) | (side < 0) & (slope > 0), (x > hi) | (side > 0) & (slope < 0)
        new = high.astype(int) - low
        if (new == side).all():
            return x, found[:, 1:], side
        side = new
    return None
