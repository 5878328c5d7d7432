"""Which cases of a table the quick tests take."""

import pytest

from tests import zoo


def some(values, every=2):
    """Every second one, or as said; the slow tests take the others."""
    return [v if i % every == 0 else pytest.param(v, marks=pytest.mark.slow) for i, v in enumerate(values)]


def contacts_of_pairs():
    """(kinds of geoms, condim): further rows do not ask which shapes touch, so the quick tests take a few of those."""
    pairs = zoo.PAIRS + zoo.CONVEX + zoo.HULLS
    quick = {1: zoo.PAIRS[::2] + zoo.CONVEX[::4], 3: pairs[::2], 4: zoo.PAIRS[1::8] + zoo.CONVEX[5:6], 6: pairs[5::6]}
    return [
        pytest.param(kinds, condim, id=f"{'-'.join(kinds)}-{condim}", marks=() if kinds in few else pytest.mark.slow)
        for condim, few in quick.items()
        for kinds in pairs
    ]
