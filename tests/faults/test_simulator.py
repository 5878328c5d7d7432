"""Bad input to a simulator: an error that names the thing and what is allowed, before any state changes."""

import copy
import pickle
import threading

import numpy as np
import pytest

import scenes
from engine import Simulator, Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.model import Model, ModelBuilder, ModelError

WORLDS, STEPS = 3, 5


@pytest.fixture
def model():
    return scenes.load("hopper").model


@pytest.fixture
def sim(model):
    return Simulator(model, WORLDS)


STATE = ("qpos", "qvel", "act", "ctrl", "qacc_warmstart", "qfrc_applied", "xfrc_applied", "time")


def unmoved(sim, call, error, match):
    """The call raises, and no array of the state has changed."""
    before = {n: getattr(sim.data, n).copy() for n in STATE}
    with pytest.raises(error, match=match):
        call()
    for n, a in before.items():
        assert np.array_equal(getattr(sim.data, n), a, equal_nan=True), n


def calls(sim):
    """Everything that starts a kernel."""
    tape = Tape(sim, STEPS)
    u = np.zeros((STEPS, WORLDS, sim.model.nu))
    return lambda: sim.step(2), sim.forward, lambda: tape.rollout(u), sim.linearize


@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf))
@pytest.mark.parametrize("name", [n for n in STATE if n != "act"])
def test_state_that_is_not_finite(sim, name, value):
    getattr(sim.data, name)[1:2] = value
    for call in calls(sim):
        unmoved(sim, call, ValueError, rf"data\.{name}: entry \(1.*allowed: finite")


BAD_PARAMS = (
    ("body_mass", -1.0), ("body_inertia", -1e-3), ("dof_damping", -0.1), ("dof_frictionloss", -0.1),
    ("geom_friction", -0.5), ("gravity", np.inf), ("jnt_stiffness", np.nan),
    ("dof_armature", np.nan), ("actuator_gear", np.inf), ("actuator_gainprm", np.nan), ("actuator_biasprm", np.nan),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD_PARAMS)
def test_parameters_that_mean_nothing(sim, name, value):
    sim.step()  # so that good parameters have been checked once
    good = sim.params[name].copy()
    sim.params[name].flat[-1] = value
    for call in calls(sim):
        unmoved(sim, call, ValueError, rf"params\.{name}: entry \(.*\) is {value}, allowed")
    sim.params[name][...] = good
    sim.step()


def test_parameters_that_do_not_exist(sim):
    with pytest.raises(AttributeError, match="no differentiable parameter 'geom_rgba'; there are: gravity, body_mass"):
        _ = sim.params.geom_rgba
    with pytest.raises(AttributeError, match=r"params\.body_mass: assign into the array"):
        sim.params.body_mass = 3
    with pytest.raises(AttributeError, match="data has no array 'velocity'; it has: time, qpos"):
        _ = sim.data.velocity
    with pytest.raises(AttributeError, match=r"data\.qpos: assign into the array"):
        sim.data.qpos = 3


CHANGES = {
    "body_mass": (lambda m: m.body_mass.__setitem__(1, -3), "body 'torso': body_mass = -3"),
    "body_inertia": (lambda m: m.body_inertia.__setitem__(1, np.nan), "body 'torso': body_inertia.*finite"),
    "jnt_axis": (lambda m: m.jnt_axis.__setitem__(2, 0), "joint 'rooty': jnt_axis.*length one"),
    "body_parentid": (lambda m: m.body_parentid.__setitem__(1, 2), "'torso': body_parentid = 2; allowed: a body b"),
    "geom_pos": (lambda m: m.geom_pos.__setitem__(0, np.inf), "geom 'floor': geom_pos.*finite"),
    "geom_size": (lambda m: m.geom_size.__setitem__(1, 0), "geom_size.*positive"),
    "shape": (lambda m: setattr(m, "body_mass", m.body_mass[:2]), r"body_mass has shape \(2,\).*\(5,\)"),
    "type": (lambda m: setattr(m, "body_mass", list(m.body_mass)), "body_mass is a list; allowed: a NumPy array"),
    "words": (lambda m: setattr(m, "body_mass", m.body_mass.astype(str)), "body_mass has shape .* numbers"),
    "timestep": (lambda m: setattr(m.opt, "timestep", 0.0), "option timestep = 0.0; allowed: more than zero"),
    "negative": (lambda m: setattr(m.opt, "timestep", -0.1), "option timestep = -0.1; allowed: more than zero"),
    "nan": (lambda m: setattr(m.opt, "timestep", np.nan), "option timestep = nan; allowed: more than zero"),
    "integrator": (lambda m: setattr(m.opt, "integrator", 5), "option integrator = 5; allowed: 0"),
    "gravity": (lambda m: setattr(m.opt, "gravity", np.zeros(2)), "option gravity.*three finite"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_model_that_was_spoilt_after_it_was_made(model, what):
    change, match = CHANGES[what]
    change(model)
    with pytest.raises(ModelError, match=match):
        Simulator(model)


ARGUMENTS = {
    "no model": (lambda m, s: Simulator(None), TypeError, "model: got NoneType, allowed: a Model"),
    "a name": (lambda m, s: Simulator("hopper"), TypeError, "model: got str, allowed: a Model"),
    "a scene": (lambda m, s: Simulator(scenes.load("hopper")), TypeError, "allowed: a Model"),
    "worlds 0": (lambda m, s: Simulator(m, 0), ValueError, "worlds: got 0, allowed: a whole number from 1"),
    "worlds 10**9": (lambda m, s: Simulator(m, 10**9), ValueError, "worlds: got 1000000000, allowed: at most"),
    "worlds True": (lambda m, s: Simulator(m, True), ValueError, "worlds: got True"),
    "ncon": (lambda m, s: Simulator(m, ncon=-1), ValueError, "ncon: got -1, allowed: a whole number from 1"),
    "ncon that nothing can number": (lambda m, s: Simulator(m, ncon=10**12), ValueError,
                                     r"ncon: got 1000000000000, allowed: .*candidate pairs make at most \d+"),
    "steps back": (lambda m, s: s.step(-1), ValueError, "n: got -1, allowed: a whole number from 0"),
    "half a step": (lambda m, s: s.step(0.5), ValueError, "n: got 0.5"),
    "qpos shape": (lambda m, s: s.reset(np.zeros(3)), ValueError, r"qpos: got shape \(3,\), allowed: \(3, 6\)"),
    "qpos words": (lambda m, s: s.reset("rest"), ValueError, "qpos: got 'rest', allowed: real numbers"),
    "complex": (lambda m, s: s.reset(m.qpos0 * 1j), ValueError, "qpos: .*allowed: real numbers"),
    "qvel nan": (lambda m, s: s.reset(qvel=m.qpos0 * np.nan), ValueError, r"qvel: entry \(0,\) is nan"),
    "world 7": (lambda m, s: s.reset(worlds=7), ValueError, "worlds: got 7, allowed: numbers from 0 to 2"),
    "world 0.5": (lambda m, s: s.reset(worlds=[0.5]), ValueError, r"worlds: got \[0.5\], allowed: numbers"),
    "short mask": (lambda m, s: s.reset(worlds=[True, False]), ValueError, "a mask of 3"),
    "world a": (lambda m, s: s.reset(worlds="a"), ValueError, "worlds: got 'a', allowed"),
    "tape of a model": (lambda m, s: Tape(m, 3), TypeError, "sim: got Model, allowed: a Simulator"),
    "no steps": (lambda m, s: Tape(s, 0), ValueError, "steps: got 0, allowed: a whole number from 1"),
    "frame_skip": (lambda m, s: Tape(s, 2, frame_skip=0), ValueError, "frame_skip: got 0"),
    "record_every": (lambda m, s: Tape(s, 4, record_every=3), ValueError, "record_every: got 3, allowed: a divisor"),
    "memory": (lambda m, s: Tape(s, 4, memory="lots"), ValueError, "memory='lots' is not a size"),
    "too little": (lambda m, s: Tape(s, 4, memory=10), ValueError, "memory: got 10 B, but .* needs at least"),
    "linearize": (lambda m, s: s.linearize(0), ValueError, "frame_skip: got 0"),
}  # fmt: skip


@pytest.mark.parametrize("what", ARGUMENTS)
def test_arguments(model, sim, what):
    call, error, match = ARGUMENTS[what]
    sim.data.qpos[:] += 0.1
    unmoved(sim, lambda: call(model, sim), error, match)


def test_reset_of_no_world(sim):
    sim.data.qpos[:] += 0.1
    before = sim.data.qpos.copy()
    for none in ([], np.zeros(WORLDS, bool)):
        sim.reset(worlds=none)
        assert np.array_equal(sim.data.qpos, before)
    sim.reset(worlds=[False, True, False])
    assert np.array_equal(sim.data.qpos[1], sim.model.qpos0)
    assert np.array_equal(sim.data.qpos[[0, 2]], before[[0, 2]])


# ------------------------------------------------------------------------------------------ divergence, overflow


def test_divergence_in_a_batch(sim):
    """One world flies apart: it is named, the others' data is what it would have been without it."""
    alone = Simulator(sim.model, WORLDS)
    alone.step(4)
    sim.data.qvel[1] = 1e9
    with pytest.raises(DivergenceError, match="world 1, control step 0: .*dof 0, joint 'rootx'") as caught:
        sim.step(4)
    assert (caught.value.world, caught.value.dof) == (1, 0)
    for w in (0, 2):
        assert np.array_equal(sim.data.qpos[w], alone.data.qpos[w])
        assert np.array_equal(sim.data.qvel[w], alone.data.qvel[w])
        assert np.array_equal(sim.data.qacc[w], alone.data.qacc[w])
        sim.data.contacts(w)
    sim.reset(worlds=1)
    sim.step(4)
    assert np.array_equal(sim.data.qpos[1], alone.data.qpos[1])


def test_a_coordinate_beyond_the_largest(model):
    """A position too large to mean anything is a divergence, though velocity and acceleration are not yet."""
    model.opt.timestep = 1e6
    model.opt.gravity[:] = 0, 0, 0
    sim = Simulator(model)
    sim.data.qvel[0, 0] = 1e8
    with pytest.raises(DivergenceError, match="world 0.*joint 'rootx'"):
        sim.step()


def balls(count):
    b = ModelBuilder("balls")
    b.geom("world", type="plane", size=(2, 2, 0.1))
    for i in range(count):
        b.body(f"ball {i}", pos=(0.5 * i, 0, 0.09 if i < 3 else 3.0))
        b.joint(f"ball {i}", type="free")
        b.geom(f"ball {i}", size=0.1, mass=1.0)
    return b.compile()


def test_contact_overflow():
    """It names the number that is needed; with that number it runs."""
    model = balls(5)
    sim = Simulator(model, WORLDS, ncon=2)
    with pytest.raises(ContactOverflowError, match="world 0.*: 3 contacts, but the capacity is 2.*ncon=3"):
        sim.step()
    assert np.isfinite(sim.data.qpos).all()
    tape = Tape(sim.reset(), STEPS)
    with pytest.raises(ContactOverflowError, match="ncon=3"):
        tape.rollout(np.zeros((STEPS, 0)))
    with pytest.raises(ContactOverflowError, match="ncon=3"):
        sim.reset().forward()
    Simulator(model, WORLDS, ncon=3).step()


# ------------------------------------------------------------------------------------------- copies, threads, two


@pytest.mark.parametrize("how", (copy.copy, copy.deepcopy, Model.copy, lambda m: pickle.loads(pickle.dumps(m))))
def test_copies_of_a_model(model, how):
    other = how(model)
    sims = Simulator(model), Simulator(other)
    for s in sims:
        s.step(20)
    assert np.array_equal(sims[0].data.qpos, sims[1].data.qpos)
    if how is not copy.copy:
        other.body_mass[1] = 99.0
        assert model.body_mass[1] != 99.0


def rollouts(sim, tapes, u):
    out = []
    for tape in tapes:
        sim.reset()
        tape.rollout(u[: tape.steps])
        out.append(tape.backward(qpos=np.ones((tape.rows, sim.worlds, sim.model.nq))).ctrl)
    return out


def test_simulators_and_tapes_interleaved():
    """Two robots and two tapes of each, used in turn, give what each gives alone; so do two threads."""
    models = scenes.load("hopper").model, scenes.load("pendulum").model
    controls = [np.random.default_rng(0).normal(size=(8, WORLDS, m.nu)) * 0.3 for m in models]
    alone = [rollouts(s, (Tape(s, 8), Tape(s, 5)), u) for s, u in
             ((Simulator(m, WORLDS), u) for m, u in zip(models, controls, strict=True))]  # fmt: skip
    sims = [Simulator(m, WORLDS) for m in models]
    tapes = [(Tape(s, 8), Tape(s, 5)) for s in sims]
    for k in (0, 1):  # all rollouts first, then all reverse passes
        for s, pair, u in zip(sims, tapes, controls, strict=True):
            s.reset()
            pair[k].rollout(u[: pair[k].steps])
    for s, pair, expected in zip(sims, tapes, alone, strict=True):
        for tape, bar in zip(pair, expected, strict=True):
            ones = np.ones((tape.rows, WORLDS, s.model.nq))
            assert np.array_equal(tape.backward(qpos=ones).ctrl, bar)
    results = [[], []]

    def work(i):
        for _ in range(20):
            results[i].append(rollouts(sims[i], tapes[i], controls[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in (0, 1):
        assert len(results[i]) == 20
        for found in results[i]:
            assert all(np.array_equal(a, b) for a, b in zip(found, alone[i], strict=True))
