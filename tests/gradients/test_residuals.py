"""Gradients of rollouts with residuals against differences, for every integrator, with contact; and what residuals are
to a robot: bits, files, worlds, energy."""

import pickle

import mujoco
import numpy as np
import pytest

import engine
from engine import ModelError, Simulator
from engine.model.portable import model_from_arrays, model_to_arrays
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.zoo.residuals import JOINTS, LIMBS, limbs

INTEGRATORS = ("Euler", "RK4", "implicitfast", "implicit", "discrete")


def random_state(seed, kick=0.3):
    mj = mujoco.MjModel.from_xml_string(LIMBS.format(integrator="Euler"))
    return mj, zoo.random_state(mujoco, mj, np.random.default_rng(seed), kick, 0.7)


def exact(integrator="Euler", **which):
    model = limbs(integrator, **which)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    return model


@pytest.mark.parametrize("integrator", [
    n if n in ("RK4", "discrete") else pytest.param(n, marks=pytest.mark.slow) for n in INTEGRATORS
])  # fmt: skip
def test_rollouts(integrator):
    """By start, controls, forces, all parameters and the weights together; the ball rests on the floor and rolls."""
    sim = Simulator(exact(integrator))
    for seed, steps in ((0, 1), (1, 15)):
        mj, state = random_state(seed, 0.05)
        errors = Rollout(sim, mj, state, steps, seed=seed, applied=True).errors()
        assert "residual_prm" in errors
        assert_gradients(errors)
    assert sim.data.ncon[0] > 0


def test_weights_of_zero_give_the_bits_of_none():
    _, (qpos, qvel, act, ctrl) = random_state(2)
    found = []
    for bare in (True, False):
        sim = Simulator(limbs(bare=bare))
        if not bare:
            sim.params.residual_prm[:] = 0
        sim.reset(qpos, qvel)
        sim.data.act[:], sim.data.ctrl[:] = act, ctrl
        tape = engine.Tape(sim, 20)
        rows = tape.rollout(np.tile(ctrl, (20, 1)))
        grads = tape.backward(qpos=np.ones_like(rows.qpos))
        found.append([rows.qpos.copy(), rows.qvel.copy(), rows.act.copy(), grads.qpos0, grads.ctrl])
    for a, b in zip(*found, strict=True):
        assert np.array_equal(a, b)


def test_forces_are_those_of_the_twin():
    model = limbs()
    made = engine.residuals.MLP(model, ["qpos", "qvel", "act", ("up", "ball")], ["ball", "elbow"], (6, 3), seed=4)
    sim, before = Simulator(made.model, worlds=3), Simulator(model, worlds=3)
    for w in range(3):
        _, state = random_state(w)
        for s in (sim, before):
            s.data.qpos[w], s.data.qvel[w], s.data.act[w], s.data.ctrl[w] = state
    sim.forward(), before.forward()
    found = (sim.data.qfrc_passive - before.data.qfrc_passive)[:, made.dofs]
    d = sim.data
    np.testing.assert_allclose(found, made.force(d.qpos, d.qvel, d.act, d.ctrl), rtol=1e-12, atol=1e-13)
    assert np.abs(found).max() > 1e-3
    other = sim.params.residual_prm * 2
    assert np.array_equal(made.view("W1", other), 2 * made.view("W1"))


def test_passive_forces_take_energy_away():
    """Whatever the weights and the state."""
    rng = np.random.default_rng(8)
    bare = exact(bare=True)
    bare.dof_damping[:] = 0
    for passive, speed in ((True, 0.0), (0.2, 0.2), (1.0, 1.0)):
        made = engine.residuals.MLP(bare, ["qpos", "qvel", "act", "ctrl"], JOINTS, (5,), passive=passive)
        assert made.model.residual_speed.tolist() == [speed]
        sim = Simulator(made.model, worlds=40)
        sim.params.residual_prm[:] = rng.normal(size=made.params.shape)
        for w in range(40):
            sim.data.qpos[w], sim.data.qvel[w], sim.data.act[w], sim.data.ctrl[w] = random_state(w, 1.0)[1]
        sim.forward()
        power = (sim.data.qfrc_passive * sim.data.qvel).sum(axis=1)
        assert power.max() <= 0 and power.min() < -0.1
        assert (sim.data.qfrc_passive * sim.data.qvel).max() <= 0


def test_power_is_bounded():
    rng = np.random.default_rng(9)
    bare = exact(bare=True)
    bare.dof_damping[:] = 0
    made = engine.residuals.MLP(bare, ["qpos", "qvel"], JOINTS, (5,), power=0.3)
    sim = Simulator(made.model, worlds=40)
    sim.params.residual_prm[:] = rng.normal(size=made.params.shape)
    for w in range(40):
        sim.data.qpos[w], sim.data.qvel[w], sim.data.act[w], sim.data.ctrl[w] = random_state(w, 1.0)[1]
    sim.forward()
    power = (sim.data.qfrc_passive * sim.data.qvel).sum(axis=1)
    assert power.max() <= 0.3 * (1 + 1e-12) and power.min() < -0.3
    assert 1 < (power > 0.3 * (1 - 1e-9)).sum() < 39


def test_a_recording_replays(tmp_path):
    sim = Simulator(limbs())
    _, state = random_state(3)
    sim.reset(*state[:2])
    sim.params.residual_prm[:] *= 1.1  # the file has what was in force
    tape = engine.Tape(sim, 12)
    rng = np.random.default_rng(0)
    tape.rollout(rng.normal(size=(12, 1, 2)))
    path = engine.Recording.of(tape).save(tmp_path / "run.npz")
    again = engine.Recording.load(path)
    assert again.differences(again.replay()) == []
    assert np.array_equal(again.model.residual_prm, sim.params.residual_prm)
    goes_on, copied = sim.state(), pickle.loads(pickle.dumps(sim))
    other = Simulator(model_from_arrays(model_to_arrays(sim.model))).load_state(goes_on)
    other.params.residual_prm[:] = sim.params.residual_prm
    for s in (sim, copied, other):
        s.step(5)
    assert np.array_equal(sim.data.qpos, copied.data.qpos) and np.array_equal(sim.data.qpos, other.data.qpos)


def test_worlds_with_weights_of_their_own():
    sim = Simulator(limbs(), worlds=2, own_params=True)
    sim.params.residual_prm[1] *= 0.5
    tape = engine.Tape(sim, 5)
    rows = tape.rollout(np.zeros((5, 2, 2)))
    bar = np.ones_like(rows.qpos)
    found = rows.qpos.copy(), tape.backward(qpos=bar).model["residual_prm"]
    for w, factor in enumerate((1.0, 0.5)):
        one = Simulator(limbs())
        one.params.residual_prm[:] *= factor
        tape = engine.Tape(one, 5)
        assert np.array_equal(tape.rollout(np.zeros((5, 1, 2))).qpos[:, 0], found[0][:, w])
        np.testing.assert_array_equal(tape.backward(qpos=bar[:, :1]).model["residual_prm"], found[1][w])
    assert not np.array_equal(found[0][:, 0], found[0][:, 1])


def test_what_is_refused():
    model = limbs(bare=True)
    MLP = engine.residuals.MLP
    for arguments, error in (
        ((["qpos"], ["ankle"]), "no joint 'ankle'"),
        ((["qpos"], []), "outputs: got \\[\\], allowed: a list"),
        ((["qpos"], ["elbow", "elbow"]), "every joint once"),
        (("qpos", ["elbow"]), "inputs: got 'qpos', allowed: a list"),
        ((["sensordata"], ["elbow"]), "inputs: got 'sensordata', allowed: 'qpos'"),
        (([("act", "quick")], ["elbow"]), "actuator 'quick' has no state"),
        (([("sin_qpos", "rail")], ["elbow"]), "joint 'rail' is no hinge"),
        (([("up", "rail")], ["elbow"]), "joint 'rail' has no quaternion"),
        ((["qpos"], ["elbow"], (0,)), "hidden: got 0"),
        ((["qpos"], ["elbow"], (4,), -0.1), "passive: got -0.1, allowed: True, False or a speed"),
        ((["qpos"], ["elbow"], (4,), 0), "passive: got 0, allowed: True, False or a speed"),
        (([3], ["elbow"]), "inputs: got 3, allowed: 'qpos'"),
        (([()], ["elbow"]), "inputs: got \\(\\), allowed: 'qpos'"),
        ((["qpos"], None), "outputs: got None, allowed: a list"),
        ((["qpos"], ["elbow"], (4,), False, 0), "power: got 0, allowed: None or some W"),
        ((["qvel"], ["elbow"], (4,), False, None, [1, 2]), "scale: got"),
    ):
        with pytest.raises((ModelError, ValueError), match=error):
            MLP(model, *arguments)
    with pytest.raises(TypeError, match="MLP: model: got str, allowed: a Model"):
        MLP("arm.xml", ["qpos"], ["elbow"])
    assert MLP(model, ["qpos"], ["elbow"], passive=np.False_).model.residual_passive.tolist() == [0]
    with pytest.raises(ValueError, match="force: got <function"):
        engine.residuals.Own(model, ["elbow"], lambda m: None, lambda m: None)
    made = limbs()
    with pytest.raises(ModelError, match="6 residuals; allowed in MJCF: none"):
        made.to_mjcf()
    engine.residuals.without(made).to_mjcf()
    for array, value in (("residual_int", -1), ("residual_prmnum", 3), ("residual_kind", 1), ("residual_num", 200),
                         ("residual_scratch", 1), ("residual_intadr", 5), ("residual_power", np.nan)):  # fmt: skip
        bad = made.copy()
        getattr(bad, array)[0] = value
        with pytest.raises(ModelError, match="residual"):
            Simulator(bad)
