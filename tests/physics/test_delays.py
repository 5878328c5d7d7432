"""Actuators that act on controls of the past: trajectories against MuJoCo, the state that they have, gradients."""

import mujoco
import numpy as np
import pytest

from engine.model import ModelBuilder
from engine.model.delays import reading
from engine.model.errors import ModelError
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
def test_follows_mujoco(simulators, integrator):
    mj, sim = simulators(zoo.DELAYED, integrator)
    data, rng, model = mujoco.MjData(mj), np.random.default_rng(0), sim.model
    assert mj.na == 1 and model.na == 1 + 2 + 3 + 4 + 2
    sim.reset()
    for _ in range(30):
        data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        for name in ("qpos", "qvel"):
            np.testing.assert_allclose(getattr(sim.data, name)[0], getattr(data, name), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sim.data.act[0, :1], data.act, rtol=1e-12)
    assert (sim.data.act[0, [2, 5, 9, 11]] == data.ctrl[:4]).all()  # the newest of each


@pytest.mark.parametrize("integrator", (0, pytest.param(1, marks=pytest.mark.slow), 3))
def test_gradients(simulators, integrator):
    """Of controls and of those of the past that the start has."""
    mj, sim = simulators(zoo.DELAYED, integrator)
    for steps in (1, 6):
        rng = np.random.default_rng(steps)
        qpos, qvel, _, ctrl = zoo.random_state(mujoco, mj, rng, 0.4)
        rollout = Rollout(sim, mj, (qpos, qvel, rng.normal(size=sim.model.na), ctrl), steps, seed=steps)
        assert_gradients(rollout.errors())


@pytest.mark.parametrize("interp", range(3))
def test_weights_read_what_mujoco_reads(interp):
    n, h = 5, 0.25  # samples at times that floating point has
    values = np.random.default_rng(0).normal(size=n)
    words = ("zoh", "linear", "cubic")
    mj = mujoco.MjModel.from_xml_string(zoo.actuated(
        zoo.HINGE, f'<motor joint="j" delay="1" nsample="{n}" interp="{words[interp]}"/>'))  # fmt: skip
    data = mujoco.MjData(mj)
    mujoco.mj_initCtrlHistory(mj, data, 0, h * np.arange(n), values)
    for place in (-1, 0, 0.3, 1, 1.75, 2.5, 3.2, 4, 7.5):
        first, weights = reading(n, interp, place)
        ours = sum(w * values[first + k] for k, w in enumerate(weights) if w)
        theirs = mujoco.mj_readCtrl(mj, data, 0, h * place + 1, np.zeros((1, 1)), interp)
        assert ours == pytest.approx(np.ravel(theirs)[0], rel=1e-13)


def test_a_builder_has_delays():
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.motor("j", "m", delay=0.01, nsample=5, interp="linear")
    b.key("k")
    m = b.compile()
    assert m.na == 5 and m.key_act.shape == (1, 5) and m.actuator_history.tolist() == [[5, 1]]
    with pytest.raises(ModelError, match="nsample = 0; allowed: one or more with a delay, 0 without"):
        b.motor("j", "n", delay=0.01)
