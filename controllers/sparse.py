"""What the pattern of a symmetric matrix tells: which columns share no row, and which parts have nothing in common."""

import numpy as np


def distinct(pattern):
    """(n,): a number of each column of a square boolean matrix, such that columns of the same number share no row."""
    meet = pattern.T.astype(int) @ pattern.astype(int) > 0
    number = np.full(len(pattern), -1)
    for j, row in enumerate(meet):
        taken = set(number[row].tolist())
        number[j] = next(c for c in range(len(pattern)) if c not in taken)
    return number


def components(pattern):
    """Index arrays: the numbers that a symmetric boolean matrix connects, each in one of them."""
    left, found = set(range(len(pattern))), []
    while left:
        part, open_ = set(), [min(left)]
        while open_:
            i = open_.pop()
            if i not in part:
                part.add(i)
                open_ += np.flatnonzero(pattern[i]).tolist()
        found.append(np.array(sorted(part)))
        left -= part
    return found
