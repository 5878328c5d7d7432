"""Copies, by `copy` and by pickle, stepped or not: memory of their own, and the bits of the original from there on."""

import copy
import importlib
import multiprocessing
import pickle
import pkgutil

import numpy as np
import pytest

import controllers
import engine
import scenes
from controllers import CPG, MLP, PD
from engine import ContactOverflowError, DivergenceError, Simulator, StaleTapeError, Tape
from engine.arrays import Pack
from engine.diff.pure import pure_rollout
from engine.lock import FolderInUseError, FolderLock
from engine.model import ModelError, UnsupportedError

WORLDS, STEPS = 3, 12
HOW = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


@pytest.fixture(scope="module")
def model():
    return scenes.load("hopper").model


@pytest.fixture(params=HOW)
def how(request):
    return HOW[request.param]


def started(model, steps):
    """Falling, with parameters of its own, after `steps` steps; never stepped with none."""
    sim = Simulator(model, WORLDS, ncon=9)
    sim.params.body_mass[1] *= 1.5
    sim.data.qvel[:] = np.random.default_rng(0).normal(size=sim.data.qvel.shape)
    sim.data.ctrl[:], sim.data.time[1] = 0.3, 2.0
    if steps:
        sim.step(steps)
    return sim


def everything(sim, steps=0):
    if steps:
        sim.step(steps)
    arrays = {**sim.data.arrays(), "ncon": sim.data.ncon, **{f"params {n}": sim.params[n] for n in sim.params}}
    contacts = [a for w in range(sim.worlds) for a in sim.data.contacts(w).values()]
    return b"".join(np.ascontiguousarray(a).tobytes() for a in (*arrays.values(), *contacts))


def overlap(a, b):
    return any(np.shares_memory(x, y) for x, y in zip(a.blocks.values(), b.blocks.values(), strict=True))


@pytest.mark.parametrize("steps", (0, 40))
def test_a_simulator(model, how, steps):
    sim = started(model, steps)
    sim.note = "mine"
    pure_rollout(sim, 2)  # kept on the simulator, with a lock
    other = how(sim)
    assert everything(other) == everything(sim)
    assert not overlap(sim.pack, other.pack) and not overlap(sim.model_pack, other.model_pack)
    assert other.ncon_max == 9 and other.note == "mine" and other.model.joint_names == model.joint_names
    before = everything(sim)
    moved = everything(other, 30)
    assert everything(sim) == before != moved
    assert everything(sim, 30) == moved
    np.testing.assert_array_equal(other.linearize()[0], sim.linearize()[0])
    np.testing.assert_array_equal(other.cfrc_ext(), sim.cfrc_ext())
    other.params.body_mass[2] *= 2.0
    other.reset()
    assert everything(other, 5) != everything(sim.reset(), 5)


def test_the_data_alone(model, how):
    """Its copy is the state as it was; copied with its simulator it is live there."""
    sim = started(model, 5)
    qpos = sim.data.qpos.copy()
    if how is not copy.copy:  # of which the arrays are the same, as of any object
        kept, params = how((sim.data, sim.params))
        sim.step(5)
        assert np.array_equal(kept.qpos, qpos) and kept.mass_matrix(1).shape == (6, 6)
        assert np.array_equal(params.body_mass, sim.params.body_mass)
        with pytest.raises(AttributeError, match="data has no array"):
            _ = kept.velocity
        other, data, params = how((sim, sim.data, sim.params))
        assert data is other.data and params is other.params


def controller(model):
    both = CPG(model.nu) + PD(model, kp=3.0)
    return both + MLP(model, hidden=(4,), seed=2)


def grads_of(tape):
    g = tape.backward(qpos=np.ones((tape.rows, WORLDS, tape.sim.model.nq)))
    parts = (g.ctrl, g.qpos0, g.qvel0, g.model.theta_bar, 0.0 if g.params is None else g.params)
    return np.concatenate([np.ravel(a) for a in parts])


@pytest.mark.parametrize("small", (False, True))
def test_a_tape(model, how, small):
    """Before a rollout, after one, after one with a controller, and after a gradient that used up its snapshots."""
    sim = started(model, 20)
    tape = Tape(sim, STEPS, 2)
    if small:
        tape = Tape(sim, STEPS, 2, memory=tape.fixed_bytes + tape.traj["record"].nbytes // 2)
    assert bool(tape.schedule.slots) == small
    fresh = how(tape)
    with pytest.raises(StaleTapeError, match="no finished rollout"):
        fresh.backward()
    u = np.random.default_rng(3).normal(size=(STEPS, WORLDS, model.nu))
    for controls in (u, controller(model)):
        start = tape.sim.data.qpos.copy()
        qpos = tape.rollout(controls).qpos.copy()
        other = how(tape)
        assert other.sim is not sim and not overlap(other.traj, tape.traj)
        assert np.array_equal(other.trajectory.qpos, qpos) and np.array_equal(other.start["qpos"], start)
        used = how(other)
        expected = grads_of(tape)
        assert np.array_equal(grads_of(used), expected)
        assert np.array_equal(grads_of(how(used)), expected)  # the second gradient of one rollout
        sim.params.body_mass[1] *= 1.01
        assert np.array_equal(grads_of(other), expected)
        with pytest.raises(StaleTapeError, match="changed since"):
            tape.backward()
        sim.params.body_mass[1] = other.sim.params.body_mass[1]
        assert np.array_equal(other.rollout(controls).qpos, tape.rollout(controls).qpos)
        assert np.array_equal(grads_of(other), grads_of(tape))
    fresh.rollout(u)
    assert np.array_equal(fresh.trajectory.qpos[0], fresh.start["qpos"])


def test_a_sum_of_controllers(model, how):
    """Its members' parameters are views of its own, in a copy too; the copy of a member belongs to nobody."""
    mine = controller(model)
    other, member = how(mine), how(mine.members[1])
    for c in (mine, other):
        assert all(np.shares_memory(m.params, c.params) for m in c.members)
    other.members[1].kp = 7.0
    assert 7.0 in other.params and 7.0 not in mine.params and 7.0 not in member.params
    q, v = np.ones(model.nq), np.ones(model.nv)
    other.params = mine.params
    assert np.array_equal(other.control(2, 0.1, q, v), mine.control(2, 0.1, q, v))
    member.spread(2)
    assert mine.members[1].params.ndim == 1 and (member + CPG(model.nu)).nparam > member.nparam


def errors_of(package):
    """Every kind of error that a package defines."""
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            module = importlib.import_module(info.name)
        except ImportError:  # an extra that is not installed
            continue
        yield from (c for c in vars(module).values() if isinstance(c, type) and issubclass(c, BaseException)
                    and c.__module__ == info.name)  # fmt: skip


def test_errors_arrive(how, tmp_path):
    """One that cannot be unpickled ends the thread of a multiprocessing.Pool that takes results: it waits for ever."""
    with FolderLock(tmp_path), pytest.raises(FolderInUseError) as held:
        FolderLock(tmp_path)
    errors = [
        DivergenceError("world 1 ...", 1, 2, 3), ContactOverflowError("world 1 ...", 1, 2, 3), StaleTapeError("a"),
        ModelError("b"), UnsupportedError("c", ["d"] * 50), held.value,
    ]  # fmt: skip
    for error in errors:
        error.note = "kept"
        other = how(error)
        assert type(other) is type(error) and str(other) == str(error) and vars(other) == vars(error)
    known = {c for package in (engine, scenes, controllers) for c in errors_of(package)}
    assert known == {type(error) for error in errors}


def test_another_precision_is_refused(model):
    state = started(model, 0).pack.__getstate__()
    state["blocks"] = {kind: a.astype(np.float32) if kind == "real" else a for kind, a in state["blocks"].items()}
    with pytest.raises(ValueError, match=r'data pack: was copied in f32, .* f64; call engine.init\(precision="f32"'):
        Pack.__new__(Pack).__setstate__(state)


# ------------------------------------------------------------------------------------------------- environments


def played(env, steps=8):
    """What an environment does from here on."""
    size = env.action_space.shape
    actions = np.random.default_rng(5).uniform(-1, 1, (steps, *size)).astype(np.float32)
    found = []
    for a in actions:
        observation, reward, *_ = env.step(a)
        found += [np.ravel(observation), np.ravel(reward)]
    return np.concatenate(found)


@pytest.mark.parametrize("steps", (0, 5))
def test_environments(steps):
    gymnasium = pytest.importorskip("gymnasium")
    import engine.rl

    engine.rl.register_scenes()
    for env in (
        gymnasium.make("Pullback/Hopper-v0", render_mode="rgb_array"), gymnasium.make("Pullback/Ant-v0"),
        gymnasium.make_vec("Pullback/Hopper-v0", 3),
    ):  # fmt: skip
        env.reset(seed=4)
        if steps:
            played(env, steps)
        copies = [HOW["deepcopy"](env), HOW["pickle"](env)]
        if env.render_mode:
            pictures = [e.render() for e in (env, *copies)]
            assert all(np.array_equal(p, pictures[0]) for p in pictures)
        for other in copies:
            assert other.unwrapped.worlds.sim is other.unwrapped.sim
        first = played(copies[0])
        assert np.array_equal(played(copies[1]), first) and np.array_equal(played(env), first)
        again = [e.reset()[0] for e in (env, *copies)]  # from each one's own random numbers
        assert all(np.array_equal(a, again[0]) for a in again)
        assert np.ptp(first) > 0


# ---------------------------------------------------------------------------------------------- another process


def in_another_process(sim, tape, env):
    return everything(sim, 30), grads_of(tape), played(env)


def diverging(sim):
    sim.data.qvel[1] = 1e9
    sim.step(4)


@pytest.mark.slow  # which compiles all anew
def test_another_process(model):
    pytest.importorskip("gymnasium")
    from engine.rl.env import Env

    sim, other, env = started(model, 0), started(model, 10), Env("hopper")
    tape = Tape(other, STEPS)
    tape.rollout(controller(model))
    env.reset(seed=1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply_async(in_another_process, (sim, tape, env)).get(300)
        with pytest.raises(DivergenceError, match="world 1"):
            pool.apply_async(diverging, (sim,)).get(300)
    here = in_another_process(sim, tape, env)
    assert found[0] == here[0]
    assert np.array_equal(found[1], here[1]) and np.array_equal(found[2], here[2])
