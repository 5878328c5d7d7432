"""Sine and cosine of the kernels against NumPy's: to the last place or two of the angle, at any angle."""

import numpy as np
import pytest
import taichi as ti

from engine.math.trig import sin_cos
from tests.kernels import kernel


@kernel
def both(x: ti.types.ndarray(), s: ti.types.ndarray(), c: ti.types.ndarray()):
    for i in range(x.shape[0]):
        a, b = sin_cos(x[i])
        s[i] = a
        c[i] = b


@pytest.mark.parametrize("size", (1e-9, 1e-3, 1.0, 4.0, 100.0, 1e6))
def test_sine_and_cosine(size):
    x = np.random.default_rng(0).uniform(-size, size, 20_000)
    s, c = np.zeros_like(x), np.zeros_like(x)
    both(x, s, c)
    rounding = 4e-16 * np.maximum(np.abs(x), 1)
    assert (np.abs(s - np.sin(x)) <= rounding).all()
    assert (np.abs(c - np.cos(x)) <= rounding).all()
    if size <= 1:
        assert (np.abs(s - np.sin(x)) <= 4e-16 * np.abs(x)).all()


def test_special_angles():
    x = np.concatenate([np.arange(-8, 9) * np.pi / 2, np.nextafter(np.pi / 2, [0, 2]), [0.0]])
    s, c = np.zeros_like(x), np.zeros_like(x)
    both(x, s, c)
    assert np.abs(s - np.sin(x)).max() <= 4e-15 and np.abs(c - np.cos(x)).max() <= 4e-15
    assert s[-1] == 0.0 and c[-1] == 1.0
    assert np.abs(s * s + c * c - 1).max() <= 1e-15


def test_not_a_number_stays_one():
    x = np.array([np.nan, np.inf])
    s, c = np.zeros_like(x), np.zeros_like(x)
    both(x, s, c)
    assert np.isnan(s).all() and np.isnan(c).all()
