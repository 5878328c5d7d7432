"""Which tests are quick, and which cases of a table those take that are not slow."""

import pytest

from tests import zoo

EVERY = 12
# What starts processes, compiles kernels of its own, or takes long for what it tells.
LONG = (
    "tests/demos/", "tests/papers/", "tests/random_files/", "tests/test_process.py", "tests/test_cache.py",
    "tests/view/test_browser", "tests/distributed/",
)  # fmt: skip


def mark_quick(items):
    """Mark what `pytest -m quick` takes: of each test that is not slow the first case and each EVERY-th after it."""
    seen = {}
    for item in items:
        if item.get_closest_marker("slow") or item.nodeid.startswith(LONG):
            continue
        test = item.nodeid.partition("[")[0]
        seen[test] = seen.get(test, -1) + 1
        if seen[test] % EVERY == 0:
            item.add_marker(pytest.mark.quick)


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
