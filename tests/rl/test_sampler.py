"""Environments whose worlds are robots that logs leave possible: another one in each episode."""

import numpy as np
import pytest

pytest.importorskip("gymnasium")

import engine  # noqa: E402
import engine.rl  # noqa: E402
import scenes  # noqa: E402
from engine.identify import Sampler, Unknown  # noqa: E402
from engine.identify.parameters import Unknowns  # noqa: E402
from tests.identify import two_masses  # noqa: E402

NUMBERS = np.array([[0.3, 1.2], [0.5, 1.0], [0.4, 1.1], [0.2, 1.4]])


class Push(scenes.StateTask):
    """Keep the cart where it is."""

    own_params = True

    def __init__(self, sampler):
        self.sampler = sampler

    def begin(self, s, rows):
        self.sampler.put(s.sim, s.draw(self.sampler.draw, rows), rows)

    def observe(self, s):
        return np.concatenate([s.data.qpos, s.params.body_mass[:, 2:]], axis=1)

    def terms(self, s):
        return {"place": -np.abs(s.data.qpos[:, 0])}

    def ended(self, s):
        return s.time > 0.045


def test_each_episode_has_a_robot_of_its_own():
    model = two_masses.model()
    unknowns = Unknowns(model, engine.Simulator(model), [Unknown("body_mass:left"), Unknown("body_mass:right")])
    task = Push(Sampler(unknowns, NUMBERS))
    scene = scenes.Scene("cart", "a cart with two masses", model, task, 1, 1.0, model.qpos0)
    envs = engine.rl.VectorEnv(scene, num_envs=6, autoreset_mode="SameStep")
    first = envs.reset(seed=0)[0][:, -2:]
    assert all(row in NUMBERS.tolist() for row in first.tolist()) and len(np.unique(first[:, 0])) > 1
    seen = [envs.step(np.ones((6, 1)))[0][:, -2:] for _ in range(6)]
    assert np.array_equal(seen[3], first) and not np.array_equal(seen[5], first)  # after the end, others
    assert all(row in NUMBERS.tolist() for row in seen[5].tolist())
    masses = envs.worlds.sim.params.body_mass
    assert np.array_equal(masses[:, :2], np.tile(model.body_mass[:2], (6, 1)))  # and nothing else
    again = engine.rl.VectorEnv(scene, num_envs=6, autoreset_mode="SameStep").reset(seed=0)[0][:, -2:]
    assert np.array_equal(again, first)
