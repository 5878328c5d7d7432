"""What is asked about the present state: states, energies, Jacobians and inverse dynamics, against MuJoCo's own."""

import pickle

import mujoco
import numpy as np
import pytest

from engine.model.errors import ModelError
from tests import zoo
from tests.physics.random_robots import Robot
from tests.physics.reference import copy_state, set_reference

SEED = 2


@pytest.fixture
def pair(simulators):
    """(MjModel, MjData at a random state, Simulator at the same one)."""
    mj, sim = simulators(Robot(SEED).xml)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.3, 1.0), rng)
    copy_state(sim, data)
    return mj, data, sim


def bits(sim):
    return b"".join(np.ascontiguousarray(a).tobytes() for a in sim.data.arrays().values())


def test_energy(pair):
    mj, data, sim = pair
    mujoco.mj_energyPos(mj, data)
    mujoco.mj_energyVel(mj, data)
    before = bits(sim)
    np.testing.assert_allclose(np.stack(sim.energy())[:, 0], data.energy[::-1], rtol=1e-10)
    assert bits(sim) == before
    sim.params.body_mass[:] *= 2
    assert sim.energy().kinetic[0] > 1.1 * data.energy[1]


def test_jacobians(pair):
    mj, data, sim = pair
    calls = {"body": mujoco.mj_jacBody, "site": mujoco.mj_jacSite, "geom": mujoco.mj_jacGeom}
    for kind, call in calls.items():
        for i in range(getattr(sim.model, f"n{kind}")):
            jacp, jacr = np.zeros((2, 3, mj.nv))
            call(mj, data, jacp, jacr, i)
            ours = sim.jacobian(**{kind: i})
            np.testing.assert_allclose(ours.jacp[0], jacp, atol=1e-10)
            np.testing.assert_allclose(ours.jacr[0], jacr, atol=1e-10)
    point, body = np.array([0.3, -0.2, 0.7]), mj.nbody - 1
    mujoco.mj_jac(mj, data, jacp, jacr, point, body)
    np.testing.assert_allclose(sim.jacobian(body, point=point).jacp[0], jacp, atol=1e-10)
    with pytest.raises(ValueError, match="jacobian: got body, site, allowed: one of body, site, geom"):
        sim.jacobian(0, site=0)
    with pytest.raises(ModelError, match="has no body 'torso'"):
        sim.jacobian("torso")
    with pytest.raises(ValueError, match="point: got shape"):
        sim.jacobian(0, point=(0, 0))


def test_inverse_dynamics(pair):
    mj, data, sim = pair
    sim.forward()
    d = sim.data
    mujoco.mj_inverse(mj, data)
    found = sim.inverse(d.qacc) - d.qfrc_constraint
    scale = np.abs(data.qfrc_bias).max()
    np.testing.assert_allclose(found[0], data.qfrc_inverse, atol=1e-7 * scale)
    other = np.random.default_rng(1).normal(size=mj.nv)
    mass = np.zeros((mj.nv, mj.nv))
    mujoco.mj_fullM(mj, data, mass)
    expected = mass @ other + data.qfrc_bias - data.qfrc_passive
    np.testing.assert_allclose(sim.inverse(other)[0], expected, atol=1e-10 * np.abs(expected).max())


def test_arrays_that_are_worked_out(pair):
    mj, data, sim = pair
    sim.forward()
    for name in ("xmat", "geom_xmat", "site_xpos", "site_xmat", "subtree_com"):
        theirs = getattr(data, name)
        np.testing.assert_allclose(getattr(sim.data, name)[0].reshape(theirs.shape), theirs, atol=1e-10, err_msg=name)
    np.testing.assert_array_equal(sim.data.body(1).subtree_com, sim.data.subtree_com[:, 1])


def test_a_state_goes_on_with_the_same_bits(simulators):
    _, sim = simulators(Robot(SEED).xml, worlds=2)
    rng = np.random.default_rng(0)
    for name in ("ctrl", "qfrc_applied", "xfrc_applied"):
        value = getattr(sim.data, name)
        value[:] = 0.1 * rng.normal(size=value.shape)
    sim.data.time[1] = 3.0
    sim.step(50)
    state = pickle.loads(pickle.dumps(sim.state()))
    sim.step(50)
    after = bits(sim)
    sim.reset()
    sim.data.ctrl[:] = 1.0
    sim.step(3)
    sim.load_state(state).step(50)
    assert bits(sim) == after
    assert state.worlds == 2 and f"qpos (2, {sim.model.nq})" in repr(state)
    sim.load_state(sim.state(worlds=1), worlds=0)
    assert all((sim.data.arrays()[name][0] == sim.data.arrays()[name][1]).all() for name in ("qpos", "qvel", "time"))


def test_states_of_others_are_refused(simulators):
    _, sim = simulators(Robot(SEED).xml, worlds=2)
    _, other = simulators(Robot(SEED + 1).xml)
    before = bits(sim)
    with pytest.raises(ValueError, match="state: one of another model, .*; allowed: one of this simulator's"):
        sim.load_state(other.state())
    with pytest.raises(ValueError, match="state: got one of 2 worlds, allowed: 1 or 1"):
        sim.load_state(sim.state(), worlds=[1])
    with pytest.raises(TypeError, match="state: got dict, allowed: what Simulator.state"):
        sim.load_state({})
    with pytest.raises(ValueError, match="worlds: got"):
        sim.state(worlds=7)
    narrow = sim.state()
    narrow.qpos = narrow.qpos.astype(np.float32)
    with pytest.raises(ValueError, match="state: got one in float32, allowed: float64"):
        sim.load_state(narrow)
    assert bits(sim) == before
