"""Which cases of a table the quick tests take."""

import pytest

from tests import zoo


def some(values, every=2):
    """Every second one, or as said; the slow tests take the others."""
    return [v if i % every == 0 else pytest.param(v, marks=pytest.mark.slow) for i, v in enumerate(values)]


def contacts_of_pairs():
    """(kinds of geoms, condim, cone): further rows and the cone do not ask which shapes touch, so the quick tests take
    a few of the former, and the cones in turn."""
    pairs, few = zoo.PAIRS + zoo.CONVEX + zoo.HULLS, {}
    few[1], few[3] = zoo.PAIRS[::4], pairs[::3]
    few[4], few[6] = zoo.PAIRS[1::8], pairs[5::12]
    found = []
    for condim, chosen in few.items():
        for k, kinds in enumerate(pairs):
            for cone in zoo.CONES:
                quick = kinds in chosen and cone == zoo.CONES[(k // 2 + condim // 3) % 2]
                name = f"{'-'.join(kinds)}-{condim}-{cone}"
                found.append(pytest.param(kinds, condim, cone, id=name, marks=() if quick else pytest.mark.slow))
    return found
