"""Springs whose rest yields: trajectories against MuJoCo step by step, the state that they have, gradients."""

import mujoco
import numpy as np
import pytest

import engine
from engine.model import ModelBuilder
from engine.model.errors import ModelError
from engine.model.plastic import names, yielded
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.reference import BEFORE_4
from tests.physics.test_discrete import off_kinks

INTEGRATORS = ("Euler", "RK4", "implicit", "implicitfast", "discrete")
pytestmark = pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0 has no springyield")


@pytest.mark.parametrize("integrator", range(5), ids=INTEGRATORS)
def test_follows_mujoco(simulators, integrator):
    """All of them yield on the way and hold on the way, and the energy is that of springs that have yielded."""
    mj, sim = simulators(zoo.YIELDING, integrator)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    data.qvel[:] = sim.data.qvel[0] = 2 * rng.normal(size=mj.nv)
    moved = []
    for _ in range(150):
        data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        before = data.plastic.copy()
        mujoco.mj_step(mj, data)
        sim.step()
        moved.append(data.plastic != before)
        for name in ("qpos", "qvel", "plastic"):
            np.testing.assert_allclose(getattr(sim.data, name)[0], getattr(data, name), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(sim.data.act[0, :1], data.act, rtol=1e-8)
    share = np.mean(moved, axis=0)
    slack = mj.tendon_plasticadr[2]
    assert (share[np.arange(len(share)) != slack] > 0.02).all() and (share < 0.98).all() and share[slack] == 0
    mujoco.mj_forward(mj, data)
    sim.forward()
    np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-7)
    assert sim.energy().potential[0] == pytest.approx(sim.data.sensordata[0, 0], rel=1e-12)


def state_of(sim, mj, seed, kick=0.4):
    """A random state, whose rests are somewhere near it."""
    rng = np.random.default_rng(seed)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, rng, kick, 3.0)
    return qpos, qvel, np.concatenate([act, 0.1 * rng.normal(size=sim.model.na - len(act))]), ctrl


@pytest.mark.parametrize(
    "integrator", (0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 5))), ids=INTEGRATORS)  # fmt: skip
def test_gradients(simulators, integrator):
    """Of all inputs and parameters, and of where the rests are at the start."""
    mj, sim = simulators(zoo.YIELDING, integrator)
    if mj.opt.integrator == mujoco.mjtIntegrator.mjINT_DISCRETE:
        off_kinks(sim)
    for steps in (1, 20):
        for seed in range(1 if steps == 20 else 3):
            assert_gradients(Rollout(sim, mj, state_of(sim, mj, seed), steps, seed=seed, applied=True).errors())


def test_at_a_yield_exactly(simulators):
    """The derivative is that of the side where nothing moves: of a rest by itself 1, by the coordinate 0."""
    mj, sim = simulators(SLIDE)
    for qpos, moves in ((0.25, 0.0), (0.25 + 1e-9, 1.0), (-0.25, 0.0), (-0.25 - 1e-9, 1.0)):
        sim.reset(qpos=[qpos])
        tape = engine.Tape(sim, 1)
        tape.rollout(np.zeros((1, 1, 0)))
        bar = np.zeros((2, 1, 1))
        bar[1] = 1.0
        grads = tape.backward(act=bar)
        assert grads.act0[0, 0] == 1.0 - moves and grads.qpos0[0, 0] == moves


SLIDE = """<mujoco><option gravity="0 0 0"/><worldbody><body><joint name="j" type="slide" springyield=".25"/>
<geom size=".1" mass="1"/></body></worldbody></mujoco>"""


def test_keyframes_and_files():
    """Of plastic in a keyframe, as MuJoCo reads it from the file that is written."""
    key = ' '.join(str(x) for x in (0.3, 0.9, 0.1, -0.2, 0.3, 0.01, 0.4, 0.7, -0.1, 0.05, 0, 0.8))
    text = zoo.YIELDING.replace("</mujoco>", f'<keyframe><key name="k" plastic="{key}"/></keyframe></mujoco>')
    model = engine.load(text)
    assert model.jnt_springyield[0] == pytest.approx(np.deg2rad(6)) and model.tendon_springyield[0] == 0.15
    assert model.na == 1 + 5 + 6 == 1 + len(names(model))
    mj = mujoco.MjModel.from_xml_string(text)
    again = mujoco.MjModel.from_xml_string(model.to_mjcf())
    for name in ("key_plastic", "jnt_springyield", "tendon_springyield", "tendon_lengthspring", "qpos_spring"):
        np.testing.assert_allclose(getattr(again, name), getattr(mj, name), rtol=0, atol=1e-15)
    sim = engine.Simulator(model)
    sim.reset(keyframe="k")
    np.testing.assert_allclose(sim.data.plastic, mj.key_plastic, rtol=0, atol=1e-15)
    np.testing.assert_allclose(yielded(model, mj.key_plastic), sim.data.act[:, 1:], rtol=0, atol=1e-15)


def test_a_flag_that_disables_springs_ends_it():
    model = engine.load(zoo.YIELDING.replace("</option>", "").replace(
        "<size", '<option><flag spring="disable"/></option><size'))  # fmt: skip
    assert model.na == 1 and not model.jnt_springyield.any() and not model.tendon_springyield.any()


def test_a_builder_has_it():
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j", stiffness=3.0, springyield=0.2)
    b.joint("a", "s", type="slide")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.tendon_fixed({"j": 1.0, "s": 0.5}, "t", stiffness=2.0, springyield=0.1)
    b.key("k")
    model = b.compile()
    assert model.na == 3 and model.key_act.shape == (1, 3)
    assert names(model) == ["joint 'j' yielded[0]", "tendon 't' yielded[0]", "tendon 't' yielded[1]"]
    with pytest.raises(ModelError, match="springyield = 0.1; allowed for a free joint: 0"):
        b.body("b")
        b.joint("b", "f", type="free", springyield=0.1)
    with pytest.raises(ModelError, match="springyield = -1"):
        b.joint("a", "k", springyield=-1)
