"""Which cases of a table the quick tests take."""

import pytest


def some(values, every=2):
    """Every second one, or as said; the slow tests take the others."""
    return [v if i % every == 0 else pytest.param(v, marks=pytest.mark.slow) for i, v in enumerate(values)]
