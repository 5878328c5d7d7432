"""Are all numbers of an array finite, or small? Asked before and after every step, so asked quickly."""

import math

import numpy as np

# Entries that one sum of squares is made of. BLAS makes long ones with threads (OpenBLAS: above 10,000), which then
# wait for more by spinning on the cores that the worlds need.
FEW = 4000


def pieces(a):
    """The entries of an array as flat arrays of at most FEW, views where it is contiguous."""
    flat = a.reshape(-1)
    return [flat] if flat.size <= FEW else [flat[i : i + FEW] for i in range(0, flat.size, FEW)]


def within(a, limit=math.inf):
    """Are all entries finite and smaller in size than `limit`? False may be wrong, True never is.

    No entry is larger than the root of the sum of all squares, which costs a fifth of a look at each of a few numbers.
    """
    if a.size <= FEW:
        return np.vdot(a, a) < limit * limit  # unlike dot, silent about an overflow
    return all([np.vdot(piece, piece) < limit * limit for piece in pieces(a)])


def require_finite(name, a):
    """Raise ValueError for the first entry that is not finite."""
    if not within(a) and not np.isfinite(a).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        raise ValueError(f"{name}: entry {bad} is {a[bad]}, allowed: finite numbers")
