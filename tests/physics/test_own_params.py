"""Worlds with parameters of their own: each is what a simulator of one world with these parameters is, bit for bit."""

import copy
import pickle

import numpy as np
import pytest

import engine
import scenes
from tests.model.model_zoo import CHEETAH

WORLDS, STEPS = 3, 12
CHANGED = ("body_mass", "dof_damping", "dof_armature", "jnt_stiffness", "actuator_gainprm", "geom_friction")


@pytest.fixture(scope="module")
def model():
    return scenes.load("hopper").model


def changed(model, seed):
    rng = np.random.default_rng(seed)
    sim = engine.Simulator(model)
    return {n: sim.params[n] * rng.uniform(0.8, 1.25, np.shape(sim.params[n])) for n in CHANGED} | {
        "gravity": np.array([0.1 * seed, 0.0, -9.81 + seed])
    }


@pytest.fixture(scope="module")
def singles(model):
    """(simulators of one world, the one that has all of their worlds)."""
    ones, together = [], engine.Simulator(model, WORLDS, own_params=True)
    for w in range(WORLDS):
        ones.append(engine.Simulator(model))
        for name, value in changed(model, w).items():
            ones[w].params[name][...] = together.params[name][w] = value
    return ones, together


def started(sim):
    sim.reset()
    sim.data.qpos[:, 1] -= 0.02  # in contact before long
    sim.data.qvel[:] = np.linspace(-0.3, 0.4, sim.model.nv)
    sim.data.ctrl[:] = 0.2
    return sim


def test_shapes(model, singles):
    shared = engine.Simulator(model, WORLDS)
    for name in shared.params:
        assert singles[1].params[name].shape == (WORLDS, *shared.params[name].shape)
    assert not shared.own_params and singles[1].own_params


def test_constants_of_each_world_are_those_of_mujoco():
    """What follows from masses and armature, recomputed world by world: MuJoCo's mj_setConst, and its acceleration."""
    mujoco = pytest.importorskip("mujoco")
    sim = engine.Simulator(engine.load(CHEETAH), WORLDS, own_params=True)
    rng = np.random.default_rng(0)
    for name in ("body_mass", "body_inertia", "dof_armature"):
        value = sim.params[name]  # an inertia's three parts by one factor, or it would be that of no body
        value *= rng.uniform(0.6, 1.6, (*value.shape[:2], *[1] * (value.ndim - 2)))
    for w in range(WORLDS):
        mj = mujoco.MjModel.from_xml_string(CHEETAH)
        old = mj.body_invweight0.copy()
        for name in ("body_mass", "body_inertia", "dof_armature"):
            getattr(mj, name)[:] = sim.params[name][w]
        data = mujoco.MjData(mj)
        mujoco.mj_setConst(mj, data)
        made = sim.params.model(w)
        for name in ("body_invweight0", "dof_invweight0", "body_subtreemass"):
            np.testing.assert_allclose(getattr(made, name), getattr(mj, name), rtol=1e-9, atol=1e-12, err_msg=name)
        assert np.abs(mj.body_invweight0 - old).max() > 0.01
        np.testing.assert_array_equal(sim.model.body_invweight0, engine.load(CHEETAH).body_invweight0)
        one = engine.Simulator(made)
        while not data.ncon and data.qpos[1] > -1.0:  # down to the floor
            data.qpos[1] -= 0.01
            mujoco.mj_forward(mj, data)
        one.reset(data.qpos)
        one.forward()
        assert one.data.ncon[0] == data.ncon > 0
        np.testing.assert_allclose(one.data.qacc[0], data.qacc, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="got world None, allowed: one from 0 to 2"):
        sim.params.model()
    with pytest.raises(ValueError, match="got world 1, allowed: None, since worlds share them"):
        engine.Simulator(sim.model).params.model(1)


def test_constants_are_set_anew_in_some_worlds(tmp_path):
    """A world whose constants were set anew is a simulator of its Model, bit for bit; the others keep theirs; a tape
    from before is stale, linearize takes them, and a recording brings them back."""
    sim = engine.Simulator(engine.load(CHEETAH), WORLDS, own_params=True)
    sim.params.body_mass[:] *= np.linspace(0.7, 1.4, WORLDS)[:, None]
    tape = engine.Tape(sim, STEPS, frame_skip=4)
    controls = np.full((STEPS, WORLDS, sim.model.nu), 0.2)

    def rolled():
        sim.reset()
        sim.data.qpos[:, 1] -= 0.1  # onto the floor
        return tape.rollout(controls).qpos.copy()

    before, slopes = rolled(), sim.linearize()[0].copy()
    assert sim.set_const([1, -1]) is sim
    with pytest.raises(engine.StaleTapeError, match="what follows from parameters changed since the rollout"):
        tape.backward(qpos=np.ones_like(before))
    after = rolled()
    assert np.array_equal(before[:, 0], after[:, 0])
    for w in (1, 2):
        one = engine.Tape(engine.Simulator(sim.params.model(w)), STEPS, frame_skip=4)
        one.sim.data.qpos[:, 1] -= 0.1
        found = one.rollout(controls[:, w]).qpos[:, 0]
        assert np.array_equal(found, after[:, w]) and (before != after)[:, w].any()
        assert np.array_equal(one.sim.linearize()[0][0], sim.linearize()[0][w])
        assert not np.array_equal(slopes[w], sim.linearize()[0][w])
    engine.Recording.of(tape).save(tmp_path / "run.npz")
    loaded = engine.Recording.load(tmp_path / "run.npz")
    assert loaded.differences(loaded.replay()) == []
    twin = copy.deepcopy(sim)
    assert np.array_equal(twin.model_pack["following"], sim.model_pack["following"])


def test_constants_that_all_worlds_share():
    """Set anew in place: a simulator of the new Model, bit for bit, and its recording."""
    model = engine.load(CHEETAH)
    sim = engine.Simulator(model, 2)
    sim.params.body_mass[:] *= 1.5
    sim.set_const()
    twin = engine.Simulator(sim.params.model(), 2)
    assert np.array_equal(sim.model_pack["following"], twin.model_pack["following"])
    tape = engine.Tape(sim, STEPS, frame_skip=4)
    tape.rollout(np.full((STEPS, model.nu), 0.2))
    np.testing.assert_array_equal(engine.Recording.of(tape).model.body_invweight0, twin.model.body_invweight0)
    with pytest.raises(ValueError, match=r"set_const: got worlds=\[0\], allowed: None, since worlds share"):
        sim.set_const([0])
    sim.params.body_mass[1] = -1.0
    then = sim.model_pack["following"].copy()
    with pytest.raises(ValueError, match="body_mass"):
        sim.set_const()
    assert np.array_equal(then, sim.model_pack["following"])


def test_steps_are_those_of_single_simulators(singles):
    ones, together = singles
    started(together).step(300)
    for w, one in enumerate(ones):
        started(one).step(300)
        for name in ("qpos", "qvel", "qacc", "qfrc_constraint", "cfrc_ext", "cinert"):
            theirs, ours = (
                getattr(s.data, name, None) if name[0] == "q" else getattr(s.com_based(), name) for s in (one, together)
            )
            assert np.array_equal(theirs[0], ours[w]), (w, name)
    assert np.any(together.data.qfrc_constraint) and np.ptp(together.data.qpos[:, 0]) > 1e-4


def test_what_is_not_a_step(singles):
    ones, together = singles
    energy, (A, B) = started(together).energy(), together.linearize()
    for w, one in enumerate(ones):
        its, (a, b) = started(one).energy(), one.linearize()
        np.testing.assert_allclose(
            [energy.kinetic[w], energy.potential[w]], [its.kinetic[0], its.potential[0]], rtol=1e-13
        )
        assert np.array_equal(A[w], a[0]) and np.array_equal(B[w], b[0])


def test_gradients_are_those_of_single_simulators(singles):
    ones, together = singles
    found = gradient(together)
    assert found.model["body_mass"].shape == together.params.body_mass.shape
    for w, one in enumerate(ones):
        its = gradient(one)
        for name in its.model:
            assert np.array_equal(its.model[name], found.model[name][w]), name
        assert np.array_equal(its.ctrl[:, 0], found.ctrl[:, w]) and np.array_equal(its.qpos0[0], found.qpos0[w])


def gradient(sim):
    tape = engine.Tape(started(sim), STEPS, frame_skip=4)
    tape.rollout(np.full((STEPS, sim.worlds, sim.model.nu), 0.2))
    bar = np.zeros((STEPS + 1, sim.worlds, sim.model.nq))
    bar[-1] = np.linspace(1.0, 2.0, sim.model.nq)
    return tape.backward(qpos=bar)


def test_gradients_against_differences(singles):
    together = singles[1]
    tape = engine.Tape(started(together), STEPS)
    controls = np.full((STEPS, WORLDS, together.model.nu), 0.2)
    weights = np.linspace(1.0, 2.0, WORLDS)[:, None]

    def loss(t):
        bar = np.zeros_like(t.qpos)
        bar[-1] = weights
        return (weights * t.qpos[-1]).sum(), {"qpos": bar}

    report = engine.gradcheck(tape, loss, ("body_mass", "dof_damping", "geom_friction"), controls)
    assert report.ok, report


def test_copies(singles):
    together = started(singles[1])
    for twin in (copy.deepcopy(together), pickle.loads(pickle.dumps(together))):
        assert twin.own_params
        twin.step(20)
        started(together).step(20)
        assert np.array_equal(twin.data.qpos, together.data.qpos)
        twin.params.body_mass[1] *= 2
        assert not np.array_equal(twin.params.body_mass, together.params.body_mass)
        started(together)


def test_a_recording(singles, tmp_path):
    together = started(singles[1])
    tape = engine.Tape(together, STEPS)
    tape.rollout(np.zeros((STEPS, WORLDS, together.model.nu)))
    engine.Recording.of(tape).save(tmp_path / "run.npz")
    recording = engine.Recording.load(tmp_path / "run.npz")
    assert recording.differences(recording.replay()) == []
    assert np.array_equal(recording.tape([2]).trajectory.qpos[:, 0], tape.trajectory.qpos[:, 2])


def test_a_world_is_named(model):
    sim = engine.Simulator(model, 2, own_params=True)
    sim.params.body_mass[1, 2] = -1
    with pytest.raises(ValueError, match=r"params.body_mass: entry \(1, 2\) is -1"):
        sim.step()
    with pytest.raises(ValueError, match="own_params: got 3, allowed: True or False"):
        engine.Simulator(model, own_params=3)
