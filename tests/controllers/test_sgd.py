"""SGD: its formula, clipping, resuming, refusals."""

import numpy as np
import pytest

from controllers import SGD


def test_momentum_by_hand():
    x = np.array([1.0, -2.0])
    sgd = SGD(lr=0.1, momentum=0.5)
    for _ in range(2):
        sgd.step(x, np.array([1.0, 2.0]))
    np.testing.assert_allclose(x, [1.0 - 0.1 - 0.15, -2.0 - 0.2 - 0.3])


def test_clip_and_resume():
    x, sgd = np.zeros(2), SGD(lr=1.0, momentum=0.9, clip=1.0)
    assert sgd.step(x, np.array([3.0, 4.0])) == 5.0
    np.testing.assert_allclose(x, [-0.6, -0.8])
    other, y = SGD().load_state(sgd.state()), x.copy()
    sgd.step(x, np.ones(2))
    other.step(y, np.ones(2))
    assert np.array_equal(x, y)


def test_mistakes_are_named():
    for make, message in (
        (lambda: SGD(lr=0), "lr: got 0"), (lambda: SGD(momentum=1.0), "momentum"), (lambda: SGD(clip=-1), "clip"),
        (lambda: SGD().step(np.zeros(2), np.zeros(3)), "shape"), (lambda: SGD().step(np.zeros(1), [np.nan]), "finite"),
        (lambda: SGD().load_state({}), "lacks"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            make()
