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


class Shaped(Push):
    """The same with leaves of each world."""

    leaves = "body_ipos", "geom_size", "site_pos"

    def observe(self, s):
        return np.concatenate([s.data.qpos, s.data.sensordata[:, :3], s.params.site_pos[:, 0]], axis=1)


def test_each_episode_has_leaves_of_its_own():
    """Where a site is, as logs leave it possible: its sensor tells, in each world of its own, what a simulator of that
    robot's does, bit for bit."""
    xml = two_masses.XML.replace('<geom size=".05"', '<site name="tip"/><geom size=".05"', 1).replace(
        "</mujoco>", '<sensor><framepos objtype="site" objname="tip"/></sensor></mujoco>')  # fmt: skip
    model = engine.load(two_masses.mujoco.MjModel.from_xml_string(xml))
    sim = engine.Simulator(model, leaves=("site_pos",))
    unknowns = Unknowns(model, sim, [Unknown("site_pos:tip[1]"), Unknown("body_mass:left")])
    numbers = np.array([[0.01, 0.9], [0.02, 0.7], [-0.03, 0.6]])
    task = Shaped(Sampler(unknowns, numbers))
    scene = scenes.Scene("cart", "a cart with two masses", model, task, 1, 1.0, model.qpos0)
    envs = engine.rl.VectorEnv(scene, num_envs=6, autoreset_mode="SameStep")
    envs.reset(seed=0)
    first = envs.worlds.sim.params.site_pos[:, 0, 1].copy()
    seen = [envs.step(np.ones((6, 1)))[0] for _ in range(6)]
    assert set(first) <= set(numbers[:, 0]) and len(set(first)) > 1
    assert np.array_equal(seen[3][:, -2], first) and not np.array_equal(seen[5][:, -2], first)
    own = envs.worlds.sim
    for w in range(6):
        sim.params.site_pos[0, 1], sim.params.body_mass[2] = own.params.site_pos[w, 0, 1], own.params.body_mass[w, 2]
        assert (sim.params.site_pos[0, 1], sim.params.body_mass[2]) in set(map(tuple, numbers))
        sim.load_state(own.state([w]))
        sim.forward()
        own.forward()
        assert np.array_equal(sim.data.sensordata[0], own.data.sensordata[w])
        assert np.array_equal(sim.data.qacc[0], own.data.qacc[w])
    with pytest.raises(ValueError, match=r"site_pos is a leaf, which this simulator has not; .*leaves=\['site"):
        task.sampler.put(engine.Simulator(model, 3, own_params=True), numbers)


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
