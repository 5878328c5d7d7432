"""Gradients of rollouts that stick, through what adhesion pulls at, against differences."""

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

SLOW = pytest.mark.slow


@pytest.mark.parametrize(("cone", "integrator"), [
    ("elliptic", 0), pytest.param("pyramidal", 0, marks=SLOW), pytest.param("pyramidal", 1, marks=SLOW),
])  # fmt: skip
def test_adhesion(simulators, cone, integrator):
    mj, sim = simulators(zoo.adhesive(f'cone="{cone}"'), integrator)
    for seed, steps in ((0, 1), (2, 3)):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.15)
        assert_gradients(Rollout(sim, mj, state, steps, seed=seed).errors())
