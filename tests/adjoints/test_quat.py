"""Rotation vectors: jr_transpose, jr_inverse_transpose and jr_inverse_slope against differences."""

import numpy as np
import pytest

from tests.adjoints import leaves

# Zero, the series of the small angles, the angles at which closed forms take over (1e-3 and sqrt(0.1)), half a turn.
ANGLES = (0.0, 1e-13, 1e-9, 1e-4, 0.999e-3, 1.001e-3, 0.01, 0.3162, 0.3163, 1.0, 2.5, 3.1, np.pi - 1e-7, np.pi)
AXES = ((1, 0, 0), (0, -1, 0), (0, 0, 1), (0.6, 0, 0.8), (-0.48, 0.6, 0.64))


@pytest.fixture(scope="module")
def rotations():
    return np.array([angle * np.array(axis) for angle in ANGLES for axis in AXES])


def test_exponential(rotations):
    leaves.check(leaves.exponential, rotations, 3, group=0, h=1e-3, tolerance=1e-9)


def test_exponential_beyond_a_turn():
    x = np.array([angle * np.array(axis) for angle in (4.0, 6.0, 2 * np.pi, 9.0) for axis in AXES])
    leaves.check(leaves.exponential, x, 3, group=0, h=1e-3, tolerance=1e-9)


def test_logarithm(rotations):
    """Beyond half a turn the logarithm jumps to the other side, so half a turn itself is left out."""
    inside = rotations[np.linalg.norm(rotations, axis=1) < 3.13]
    x = np.concatenate([inside, np.zeros_like(inside)], axis=1)
    leaves.check(leaves.logarithm, x, 3, columns=(3, 4, 5), h=1e-3)


def test_logarithm_next_to_half_a_turn():
    x = np.array([(np.pi - 1e-3) * np.array(axis) for axis in AXES])
    x = np.concatenate([x, np.zeros_like(x)], axis=1)
    leaves.check(leaves.logarithm, x, 3, columns=(3, 4, 5), h=1e-4)


def test_slope_of_the_inverse(rotations):
    v = np.random.default_rng(0).normal(size=rotations.shape)
    leaves.check(leaves.tangent_map, np.concatenate([rotations, v], axis=1), 3, h=1e-3, tolerance=2e-8)


def test_slope_of_the_inverse_without_velocity(rotations):
    leaves.check(leaves.tangent_map, np.concatenate([rotations, 0 * rotations], axis=1), 3, h=1e-3)
