"""Environments of a robot with residuals and a law of friction: they step as its simulator does."""

import numpy as np

import engine
import engine.rl
import scenes
from engine import residuals


def test_a_vector_environment_has_them():
    """The same observations as by a simulator of that model, bit for bit, and others than of the bare robot."""
    found = []
    for bare in (True, False):
        scene = scenes.load("hopper")
        if not bare:
            rubs = residuals.Friction(scene.model, ["foot_joint"], 0.5, 0.3)
            scene.model = residuals.MLP(rubs.model, ["qvel"], ["leg_joint"], hidden=(4,), passive=True, seed=2).model
            scene.model.residual_prm[3:] *= 20
        envs = engine.rl.VectorEnv(scene, 2)
        first, _ = envs.reset(seed=4)
        actions = np.random.default_rng(1).uniform(-1, 1, (5, 2, 3))
        qpos, qvel = envs.sim.data.qpos.copy(), envs.sim.data.qvel.copy()
        for a in actions:
            last = envs.step(a)[0].copy()
        sim = engine.Simulator(scene.model, 2)
        sim.reset(qpos, qvel)
        for a in actions:
            sim.data.ctrl[:] = a
            sim.step(scene.frame_skip)
        np.testing.assert_array_equal(envs.sim.data.qpos, sim.data.qpos)
        found.append((first.copy(), last))
    assert np.array_equal(found[0][0], found[1][0]) and np.abs(found[0][1] - found[1][1]).max() > 1e-3
