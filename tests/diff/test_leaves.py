"""Leaves: parameters of geometry and contact, which a simulator has where it is asked for them."""

import pickle

import numpy as np
import pytest

import engine
from engine.diff.arguments import Values, theta_slots
from engine.diff.pure import pure_rollout
from engine.model import ModelError
from engine.theta import LEAF_NAMES, LEAVES

STEPS = 30
NAMES = ("geom_size", "geom_pos", "geom_quat", "geom_solref", "geom_solimp", "geom_margin", "pair_margin")


def robot():
    """A box and a capsule that fall onto a floor and onto each other, and a ball that has a pair with the floor."""
    b = engine.ModelBuilder("shapes", timestep=0.004)
    b.geom("world", "floor", type="plane", size=(1, 1, 0.1))
    b.body("box", pos=(0, 0, 0.1))
    b.joint("box", "x", type="free")
    b.geom("box", "brick", type="box", size=(0.1, 0.15, 0.08), mass=1.0, margin=0.004, solref=(0.03, 0.9))
    b.body("rod", pos=(0.02, 0.01, 0.27))
    b.joint("rod", "y", type="free")
    b.geom("rod", "stick", type="capsule", size=(0.04, 0.2), quat=(0.9, 0.1, 0.4, 0.1), mass=0.5)
    b.body("ball", pos=(0.5, 0, 0.055))
    b.joint("ball", "z", type="free")
    b.geom("ball", "ball", type="sphere", size=(0.05,), mass=0.3)
    b.pair("floor", "ball", margin=0.01, condim=4)
    return b.compile()


@pytest.fixture(scope="module")
def tape():
    return engine.Tape(engine.Simulator(robot(), leaves=NAMES), STEPS)


def falls(tape):
    """Positions, after a fall from the model's own state."""
    tape.sim.reset()
    return tape.rollout(np.zeros((STEPS, 0))).qpos.copy()


def loss(trajectory):
    weights = np.sin(np.arange(trajectory.qpos.size)).reshape(trajectory.qpos.shape)
    return float((weights * trajectory.qpos).sum()), {"qpos": weights}


def test_they_are_there_where_asked_for(tape):
    assert tape.sim.leaves == NAMES
    assert set(NAMES) < set(tape.sim.params) and "pair_solref" not in tape.sim.params
    report = engine.gradcheck(tape, loss, wrt=NAMES, directions=1)
    assert report.ok, str(report)
    assert all(verdict == "ok" for verdict in report.verdicts.values()), str(report)


@pytest.mark.parametrize("name", LEAF_NAMES)
def test_one_that_nobody_asked_for_is_no_zero(name):
    sim = engine.Simulator(robot())
    assert sim.leaves == () and name not in sim.params
    told = f"is asked for it has it: Simulator\\(model, leaves=\\['{name}'\\]\\)"
    with pytest.raises(AttributeError, match=told):
        sim.params[name]
    tape = engine.Tape(sim, 1)
    tape.rollout(np.zeros((1, 0)))
    with pytest.raises(KeyError, match=told):
        tape.backward(qpos=np.ones((2, 1, 21))).model[name]
    with pytest.raises(ValueError, match=told):
        engine.gradcheck(tape, loss, wrt=name)


def test_a_change_is_that_of_a_robot_made_so(tape):
    """Bounds, boxes, who is alike: all that follows is that of a model with these numbers."""
    rng, params, before = np.random.default_rng(0), tape.sim.params, falls(tape)
    kept = {name: params[name].copy() for name in NAMES}
    model = robot()
    for name in NAMES:
        value = params[name] * np.exp(0.1 * rng.normal(size=params[name].shape))
        params[name][...] = value
        getattr(model, name)[...] = value
    model.geom_quat /= np.linalg.norm(model.geom_quat, axis=1, keepdims=True)
    size = model.geom_size
    model.geom_rbound[1:] = np.linalg.norm(size[1]), size[2, :2].sum(), size[3, 0]
    changed = falls(tape)
    other = engine.Tape(engine.Simulator(model), STEPS)
    np.testing.assert_allclose(changed, falls(other), rtol=0, atol=1e-12)
    assert np.abs(changed - before).max() > 1e-3
    np.testing.assert_array_equal(falls(pickle.loads(pickle.dumps(tape))), changed)
    for name, value in kept.items():
        params[name][...] = value
    np.testing.assert_array_equal(falls(tape), before)


def test_a_recording_keeps_them(tape, tmp_path):
    kept = tape.sim.params.geom_size.copy(), tape.sim.params.geom_quat.copy()
    tape.sim.params.geom_size[1] *= 0.9
    tape.sim.params.geom_quat[2] *= 3
    falls(tape)
    again = engine.Recording.load(engine.Recording.of(tape).save(tmp_path / "run.npz"))
    assert again.differences(again.replay()) == []
    np.testing.assert_array_equal(again.model.geom_size, tape.sim.params.geom_size)
    tape.sim.params.geom_size[...], tape.sim.params.geom_quat[...] = kept


def test_what_was_in_force_in_between_leaves_nothing(tape):
    """Kernels read buffers that follow the leaves; a rollout's are those of its own parameters when it goes back."""
    bar = {"qpos": np.ones_like(falls(tape))}
    grads = tape.backward(**bar)
    kept = tape.sim.params.geom_size.copy()
    for ask in (lambda: tape.backward(**bar), lambda: tape.push(qvel0=np.ones((1, 18)))):
        falls(tape)
        before = ask()
        tape.sim.params.geom_size[1:] *= 1.2
        tape.sim.step()
        tape.sim.params.geom_size[...] = kept
        after = ask()
        names = ("qpos0", "qvel0") if hasattr(after, "qpos0") else ("qpos", "qvel")
        for name in names:
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    np.testing.assert_array_equal(tape.backward(**bar).model["geom_size"], grads.model["geom_size"])


def test_quantities_of_others_leave_nothing(tape):
    """They are evaluated in a second set of work arrays, on the same parameters."""
    falls(tape)
    sim, kept = tape.sim, tape.sim.params.geom_pos.copy()
    start = sim.state()
    sim.step(5)
    expected, found = sim.data.qpos.copy(), []
    for _ in range(2):
        sim.load_state(start)
        sim.params.geom_pos[1] = 0.05, 0.02, 0.0
        found.append(sim.jacobian(geom="brick").jacp)
        sim.params.geom_pos[...] = kept
        sim.step(5)
        np.testing.assert_array_equal(sim.data.qpos, expected)
    np.testing.assert_array_equal(*found)


def test_lengths_of_quaternions_do_not_count(tape):
    before = falls(tape)
    grads = tape.backward(qpos=np.ones_like(before)).model
    along = np.einsum("gk,gk->g", grads["geom_quat"], tape.sim.params.geom_quat)
    assert np.abs(along).max() < 1e-12 * np.abs(grads["geom_quat"]).max()
    tape.sim.params.geom_quat[...] *= 2
    np.testing.assert_allclose(falls(tape), before, rtol=0, atol=1e-12)
    np.testing.assert_allclose(2 * tape.backward(qpos=np.ones_like(before)).model["geom_quat"], grads["geom_quat"],
                               rtol=1e-9, atol=1e-12)  # fmt: skip
    tape.sim.params.geom_quat[...] /= 2


@pytest.mark.parametrize(("name", "value", "kind", "words"), (
    ("geom_size", -0.1, ValueError, "params.geom_size: entry .1, 0. is -0.1, allowed: zero or more"),
    ("geom_size", 0.0, ModelError, "brick.*3 positive number"),
    ("geom_size", np.nan, ValueError, "params.geom_size: entry .1, 0. is nan, allowed: finite numbers"),
    ("geom_quat", 0.0, ValueError, "params.geom_quat: geom 'brick' has a quaternion of zeros"),
    ("geom_solref", -0.1, ModelError, "solref"),
    ("geom_margin", -0.2, ModelError, "margin"),
))  # fmt: skip
def test_what_means_nothing_is_refused(tape, name, value, kind, words):
    live = tape.sim.params[name]
    kept = live.copy()
    live.reshape(len(live), -1)[1, : 1 if name != "geom_quat" else 4] = value
    try:
        with pytest.raises(kind, match=words):
            falls(tape)
    finally:
        live[...] = kept
    falls(tape)


MESH = """<mujoco><asset><mesh name="r" vertex="0 0 0  .1 0 0  0 .1 0  0 0 .1"/></asset><worldbody>
<geom type="plane" size="1 1 .1"/><body pos="0 0 .1"><freejoint/><geom name="rock" type="mesh" mesh="r"/>
</body></worldbody>{}</mujoco>"""


def test_the_size_of_a_mesh_is_none():
    sim = engine.Simulator(engine.load(MESH.format("")), leaves="geom_size")
    sim.params.geom_size[1] *= 1.1
    with pytest.raises(ValueError, match="params.geom_size: geom 'rock' is a mesh, which has no size to change"):
        sim.refresh()


def test_what_cannot_be_asked_for():
    with pytest.raises(ValueError, match=r"leaves: got \['geom_colour'\].*, allowed: body_pos, body_quat, geom_size"):
        engine.Simulator(robot(), leaves=("geom_size", "geom_colour"))
    wet = MESH.format("").replace('name="rock"', 'name="rock" fluidshape="ellipsoid"')
    wet = engine.load(wet.replace("<mujoco>", '<mujoco><option density="1000"/>'))
    sim = engine.Simulator(wet, leaves=("geom_size", "geom_pos"))
    sim.params.geom_size[1] *= 1.1
    with pytest.raises(ValueError, match="params.geom_size: geom 'rock' is a mesh, which has no size to change"):
        sim.refresh()


@pytest.mark.slow
def test_a_belt_from_rest():
    """By the velocity of a surface that stands, to which features and A and B of one that moves belong."""
    text = """<mujoco><worldbody><geom name="belt" type="box" size="2 1 .1"/><body pos="0 0 .149"><freejoint/>
<geom size=".05"/></body></worldbody></mujoco>"""
    sim = engine.Simulator(engine.load(text), leaves="geom_surfacevel")
    tape, bar = engine.Tape(sim, 20), np.zeros((21, 1, 7))
    bar[-1, 0, :3] = 1

    def moved(speed):
        sim.params.geom_surfacevel[0, 0] = speed
        sim.reset()
        return float((tape.rollout(np.zeros((20, 1, 0))).qpos * bar).sum())

    for speed in (0.0, 0.3):
        want = (moved(speed + 1e-5) - moved(speed - 1e-5)) / 2e-5
        moved(speed)
        found = tape.backward(qpos=bar).model["geom_surfacevel"][0, 0]
        assert abs(want) > 1e-3
        np.testing.assert_allclose(found, want, rtol=1e-6)


def test_a_pure_call_takes_them_as_arguments(tape):
    """Which is what torch and JAX ask for."""
    sim, bar = tape.sim, np.ones((1, tape.sim.model.nq))
    before = falls(tape)
    grads = tape.backward(qpos=np.concatenate([np.zeros((STEPS, *bar.shape)), bar[None]])).model
    theta, start = sim.model_pack["theta"].copy(), sim.reset().data
    pure = pure_rollout(sim, 1, steps=STEPS)
    given = start.qpos.copy(), start.qvel.copy(), np.zeros((1, 0)), np.zeros((STEPS, 1, 0))
    values, kept, _ = pure(*given, theta)
    np.testing.assert_allclose(values.qpos, before[-1], rtol=0, atol=1e-9)
    found = pure.reverse(pure.saved(kept), Values(bar, None, None, None)).theta[0]
    for name, (where, shape) in theta_slots(sim.model, NAMES, sim.leaves).items():
        scale = np.abs(grads[name]).max()
        np.testing.assert_allclose(found[where].reshape(shape), grads[name], rtol=0, atol=1e-6 * scale)
    where, shape = theta_slots(sim.model, ("geom_size",), sim.leaves)["geom_size"]
    theta[where] *= 1.1
    values, _, _ = pure(*given, theta)
    sim.params.geom_size[...] *= 1.1
    np.testing.assert_allclose(values.qpos, falls(tape)[-1], rtol=0, atol=1e-9)
    sim.params.geom_size[...] = sim.model.geom_size


def test_each_says_what_it_is():
    assert all(p.meaning and (p.unit or "solimp" in p.name) for p in LEAVES)
