"""Worlds with leaves of their own: each is what a simulator of one world with these leaves is, bit for bit, in its
motion and in its gradients."""

import numpy as np
import pytest

import engine
from engine.leaves import COLUMNS, FIELD, OF_EQUALITIES, OF_SITES, OF_TENDONS, owned_buffers
from engine.schema import MODEL, OWN_LEAVES
from engine.theta import LEAF_NAMES

WORLDS, STEPS = 3, 25
ROBOT = """<mujoco><option timestep="0.004" integrator="implicitfast" density="2" viscosity="0.1"/>
<asset><hfield name="ground" nrow="3" ncol="3" size="2 2 .1 .1" elevation="0 .2 .1 .3 .1 .2 0 .4 1"/></asset>
<worldbody><geom name="ground" type="hfield" hfield="ground"/><site name="hook" pos="0 0 1.6"/>
<body name="arm" pos="0 0 1"><joint name="shoulder" type="hinge" axis="0 1 0" range="-10 40" frictionloss=".05"/>
  <geom name="link" type="capsule" size=".04 .2" pos=".2 0 0" quat=".7 0 .7 0"/><site name="side" pos=".3 .3 .1"/>
  <geom name="pulley" type="sphere" size=".05" pos=".3 0 .02" contype="0" conaffinity="0"/>
  <body name="hand" pos=".5 0 0"><joint name="wrist" type="ball" range="0 30"/>
    <geom name="palm" type="box" size=".06 .05 .03" pos=".06 0 0" fluidshape="ellipsoid"/>
    <site name="tip" pos=".12 .01 0" quat=".9 .1 0 .2"/></body></body>
<body name="stuck" pos="0 1 1"><joint type="hinge" axis="1 0 0" frictionloss="50"/>
  <geom name="plate" type="box" size=".1 .1 .01" pos=".1 0 0"/></body>
<body name="ball" pos=".1 .5 .11"><freejoint/><geom name="ball" size=".1" margin=".01"/></body>
<body name="brick" pos=".3 .3 1.03"><freejoint/><geom name="brick" type="box" size=".1 .08 .06" gap=".002"/>
  <site name="top" pos="0 0 .06"/></body>
<body name="rod" pos="-.1 -.5 .12"><freejoint/><geom name="rod" type="cylinder" size=".05 .1"/></body>
<body name="egg" pos=".5 -.5 .07"><freejoint/><geom name="egg" type="ellipsoid" size=".1 .07 .05"/></body></worldbody>
<tendon><spatial name="cord" limited="true" range=".1 .78" frictionloss="9" stiffness="3">
  <site site="hook"/><geom geom="pulley"/><site site="tip"/></spatial></tendon>
<equality><connect name="held" body1="egg" anchor="0 0 .05"/>
  <connect name="tied" site1="top" site2="side" active="true" solref=".2 1"/></equality>
<actuator><general name="pull" site="tip" gear="1 0 0 0 0 1" dyntype="filter" dynprm=".05" gainprm="2"/>
  <muscle name="muscle" tendon="cord" lengthrange=".2 .7" force="4"/></actuator>
<sensor><framepos objtype="site" objname="tip"/><accelerometer site="top"/><framepos objtype="geom" objname="palm"/>
  <framequat objtype="body" objname="brick" reftype="site" refname="tip"/></sensor></mujoco>"""


def test_buffers_of_leaves_are_those_that_follow():
    """What each world has of its own is all that the host fills of leaves."""
    columns = COLUMNS | OF_SITES | OF_TENDONS | OF_EQUALITIES
    real = [b for b in MODEL if b.dtype != "int" and any(c.name in columns for c in b.columns.values())]
    assert [b.name for b in real] == list(OWN_LEAVES)
    assert set(owned_buffers(LEAF_NAMES)) == set(OWN_LEAVES)
    assert not {"hfield_data", "hfield_size"} & set(owned_buffers(set(LEAF_NAMES) - set(FIELD)))
    assert owned_buffers(["body_ipos"]) == ["body_v", "body_q", "sensor_v", "sensor_q"] and owned_buffers([]) == []


def changed(name, value, rng):
    """Leaves of another robot, not far from this one."""
    if name.endswith(("pos", "quat", "axis", "eq_data", "surfacevel")):
        return value + 1e-3 * rng.uniform(0, 1, value.shape)
    scale = rng.uniform(0.98, 1.0, value.shape)
    if name == "geom_size":
        scale[0] = 1.0  # of the height field, which has none
    return value * scale


def test_what_follows_is_what_follows_from_all_leaves():
    """Only what was made of leaves that have changed is filled anew: one by one, they lead where all at once do."""
    model, rng = engine.load(ROBOT), np.random.default_rng(1)
    step_by_step, at_once = (engine.Simulator(model, leaves=LEAF_NAMES) for _ in range(2))
    for name in [*rng.permutation(LEAF_NAMES), *rng.permutation(LEAF_NAMES)]:
        value = step_by_step.params[name]
        value[...] = changed(name, value, rng) if rng.random() < 0.7 else at_once.params[name]
        step_by_step.refresh()
    for name in LEAF_NAMES:
        at_once.params[name][...] = step_by_step.params[name]
    at_once.refresh()
    for kind, block in at_once.model_pack.blocks.items():
        assert (block == step_by_step.model_pack.blocks[kind]).all()


def test_a_world_that_was_left_half_way_is_filled():
    """A bad leaf of one world raises when others are filled already; these are filled again when they are put back."""
    model = engine.load(ROBOT)
    sim, other = (engine.Simulator(model, 2, leaves="geom_pos", own_params=True) for _ in range(2))
    was = sim.params["geom_pos"].copy()
    sim.refresh(), other.refresh()
    sim.params["geom_pos"][0] += 0.1
    sim.params["geom_pos"][1, 1, 0] = np.nan
    with pytest.raises(ValueError, match="geom_pos"):
        sim.refresh()
    sim.params["geom_pos"][...] = was
    sim.refresh()
    assert (sim.model_pack.blocks["real"] == other.model_pack.blocks["real"]).all()


@pytest.fixture(scope="module")
def simulators():
    """(simulators of one world, the one that has all of their worlds), asked for all leaves."""
    model, rng = engine.load(ROBOT), np.random.default_rng(0)
    together = engine.Simulator(model, WORLDS, leaves=LEAF_NAMES, own_params=True)
    ones = [engine.Simulator(model, leaves=LEAF_NAMES) for _ in range(WORLDS)]
    for w, one in enumerate(ones[:-1]):  # the last one stays the model's
        for name in (*LEAF_NAMES, "body_mass", "geom_friction"):
            value = one.params[name]
            value[...] = together.params[name][w] = changed(name, value, rng)
    return ones, together


def rolled(sim, bars):
    sim.reset()
    sim.data.qvel[:] = np.linspace(-0.3, 0.4, sim.model.nv)
    tape = engine.Tape(sim, STEPS)
    u = 0.5 * np.sin(np.arange(STEPS)[:, None, None] + np.zeros((1, sim.worlds, sim.model.nu))) + 0.5
    seen = tape.rollout(u)
    return tape, seen, tape.backward(**{name: np.repeat(bar, sim.worlds, axis=1) for name, bar in bars.items()})


@pytest.mark.slow
def test_worlds_are_simulators_of_one(simulators):
    ones, together = simulators
    m, rng = together.model, np.random.default_rng(1)
    rows = {"qpos": m.nq, "qvel": m.nv, "act": m.na, "sensordata": m.nsensordata}
    bars = {name: rng.normal(size=(STEPS + 1, 1, n)) for name, n in rows.items()}
    _, seen, grads = rolled(together, bars)
    moved = set()
    for w, one in enumerate(ones):
        _, alone, single = rolled(one, bars)
        for name in rows:
            np.testing.assert_array_equal(getattr(seen, name)[:, w], getattr(alone, name)[:, 0], err_msg=name)
        for name in (*LEAF_NAMES, "body_mass", "geom_friction"):
            np.testing.assert_array_equal(grads.model[name][w], single.model[name], err_msg=name)
            moved |= {name} if np.any(single.model[name]) else set()
        assert one.data.ncon[0] == together.data.ncon[w] > 1
    still = {"geom_surfacevel", "pair_solref", "pair_solreffriction", "pair_solimp", "pair_margin", "pair_gap"}
    still |= {"tendon_solref_fri", "tendon_solimp_fri"}  # the cord slides
    assert set(LEAF_NAMES) - moved <= still | {"actuator_dynrest", "geom_gap", "jnt_margin", "tendon_margin"}, moved
    assert np.abs(np.diff(seen.qpos[-1], axis=0)).max(axis=1).min() > 1e-4


@pytest.mark.slow
def test_what_is_made_of_worlds_with_leaves(simulators, tmp_path):
    """linearize, a model of one world, what follows, and a recording."""
    ones, together = simulators
    tape, seen, _ = rolled(together, {"qpos": np.ones((STEPS + 1, 1, together.model.nq))})
    engine.Recording.of(tape).save(tmp_path / "run.npz")
    recording = engine.Recording.load(tmp_path / "run.npz")
    assert recording.differences(recording.replay()) == []
    np.testing.assert_array_equal(recording.tape([1]).trajectory.qpos[:, 0], seen.qpos[:, 1])
    for sim in (together, *ones):
        sim.reset()
    A, B = together.linearize()
    for w, one in enumerate(ones):
        a, b = one.linearize()
        np.testing.assert_array_equal(A[w], a[0])
        np.testing.assert_array_equal(B[w], b[0])
        np.testing.assert_array_equal(together.params.model(w).site_pos, one.params.model().site_pos)
    assert not np.array_equal(A[0], A[1])
    together.set_const([1])
    ones[1].set_const()
    for sim in (together, ones[1]):
        sim.reset()
        sim.step(5)
    np.testing.assert_array_equal(together.data.qpos[1], ones[1].data.qpos[0])
