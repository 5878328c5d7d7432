"""What a rollout hands out belongs to the caller, and every world has its own clock."""

import pickle

import numpy as np
import pytest

import engine
import scenes
from engine.errors import StaleTapeError
from engine.objectives import Reach, Track
from engine.recording import Recording
from engine.replay import replay
from engine.view.quantities import columns

STEPS, WORLDS = 24, 2
OUTPUTS = ("qpos", "qvel", "act", "sensordata", "ctrl")


@pytest.fixture(scope="module")
def scene():
    return scenes.load("quadruped")  # a robot with a quaternion, position servos and sensors


@pytest.fixture(scope="module")
def tapes(scene):
    """One that stores everything, one that computes stretches of the rollout again."""
    sim = engine.Simulator(scene.model, WORLDS)
    whole = engine.Tape(sim, STEPS, scene.frame_skip)
    records = whole.traj["record"].nbytes
    part = engine.Tape(sim, STEPS, scene.frame_skip, memory=whole.fixed_bytes + records // 2)
    assert whole.schedule.slots == 0 and part.schedule.slots > 0
    return {"whole": whole, "part": part}


def rolled(scene, tape, seed=0):
    tape.sim.reset(*scene.start(np.random.default_rng(1), WORLDS))
    home = np.array(scene.task.home)
    return tape.rollout(home + 0.2 * np.random.default_rng(seed).normal(size=(STEPS, WORLDS, scene.model.nu)))


def gradient(tape):
    m, rng = tape.sim.model, np.random.default_rng(3)
    weights = {"qpos": rng.normal(size=(tape.rows, WORLDS, m.nq)), "ctrl": rng.normal(size=(STEPS, WORLDS, m.nu))}
    g = tape.backward(**weights)
    return np.concatenate([np.ravel(a) for a in (g.ctrl, g.qpos0, g.qvel0, g.model.theta_bar)])


@pytest.mark.parametrize("name", ["whole", "part"])
def test_writing_into_a_trajectory_leaves_the_gradient_alone(scene, tapes, name):
    tape = tapes[name]
    rolled(scene, tape)
    expected = gradient(tape)
    t = rolled(scene, tape)
    t.ctrl **= 2
    t.qpos -= 0.3
    for output in OUTPUTS:
        getattr(t, output)[:] += 1.0
    assert np.array_equal(gradient(tape), expected)
    kept = engine.adjoint(tape, qpos=np.ones_like(t.qpos))
    assert np.array_equal(kept.gradients.qpos0, tape.backward(qpos=np.ones_like(t.qpos)).qpos0)
    assert tape.trajectory is t


@pytest.mark.parametrize("looked", [(), ("qpos",)])
def test_a_second_rollout_leaves_the_first_trajectory_alone(scene, tapes, looked):
    """Whether or not somebody had looked at it; also one that ends in an error, or uses the first one's controls."""
    tape = tapes["whole"]
    expected = {n: getattr(rolled(scene, tape), n).copy() for n in OUTPUTS}
    first = rolled(scene, tape)
    for n in looked:
        getattr(first, n)
    second = rolled(scene, tape, seed=5)
    for n, a in expected.items():
        assert np.array_equal(getattr(first, n), a), n
    assert not np.array_equal(first.qpos, second.qpos) and tape.trajectory is second
    tape.sim.data.qvel[:] = 1e9
    with pytest.raises(engine.DivergenceError):
        tape.rollout(first.ctrl)
    with pytest.raises(StaleTapeError, match="no finished rollout"):
        _ = tape.trajectory
    assert not np.array_equal(second.ctrl, first.ctrl) and np.isfinite(second.qvel).all()
    tape.sim.reset(first.qpos[0], first.qvel[0])
    assert np.array_equal(tape.rollout(first.ctrl).qpos, expected["qpos"])


def test_nothing_is_copied_that_nobody_asks_for(scene, tapes):
    tape = tapes["whole"]
    rolled(scene, tape)
    assert set(vars(tape.trajectory)) & {*OUTPUTS, "times"} == set()
    t = tape.trajectory
    assert t.qvel is t.qvel and t.qvel.base is None and "sensordata" not in vars(t)
    with pytest.raises(AttributeError, match="trajectory has no 'velocity'; it has: qvel, qpos, act, sensordata, ctrl"):
        _ = t.velocity
    again = pickle.loads(pickle.dumps(t))
    for n in (*OUTPUTS, "times"):
        assert np.array_equal(getattr(again, n), getattr(t, n)), n


# --------------------------------------------------------------------------------------------------------- clocks


@pytest.fixture(scope="module")
def cartpole():
    return scenes.load("cartpole").model


def run(model, clocks, every=1):
    sim = engine.Simulator(model, len(clocks))
    sim.data.time[:] = clocks
    tape = engine.Tape(sim, 40, record_every=every)
    tape.rollout(np.zeros((40, model.nu)))
    return tape


def moving(time):
    return [np.sin(3.0 * time)]


def costs(model):
    from engine.objectives import TaichiCost
    from tests.objectives.costs import follow

    swing = scenes.load("pendulum")
    reacher = scenes.load("reacher")
    return {
        "TaichiCost": (model, TaichiCost(model, follow)),
        "Track": (model, Track(model, moving, qpos=[0])),
        "Reach": (model, Reach(model, [0.1], qpos=[0])),
        "cartpole": (model, scenes.load("cartpole").objective()),
        "pendulum": (swing.model, swing.objective()),
        "reacher": (reacher.model, reacher.objective()),
    }


def test_a_cost_sees_each_worlds_own_clock(cartpole):
    """Worlds together cost what each costs alone, to the bit; so do their cotangents."""
    for name, (model, cost) in costs(cartpole).items():
        clocks = [0.0, 1.0, 8.9, 0.0]
        together, bars = cost(run(model, clocks).trajectory)
        for w, clock in enumerate(clocks):
            alone, bar = cost(run(model, [clock]).trajectory)
            np.testing.assert_allclose(together[w], alone[0], rtol=1e-14, err_msg=name)
            for n in bar:
                np.testing.assert_allclose(bars[n][:, w], bar[n][:, 0], rtol=1e-13, atol=1e-15, err_msg=f"{name} {n}")
        if name == "TaichiCost":
            np.testing.assert_allclose(together[:2], [0.47942601, 0.4515058], rtol=1e-6)


def test_one_clock_for_all_exists_where_there_is_one(cartpole):
    t = run(cartpole, [0.5, 0.5], every=4).trajectory
    assert t.times.shape == (11, 2) and t.time.shape == (11,)
    np.testing.assert_allclose(t.time, 0.5 + 0.08 * np.arange(11), rtol=1e-15)
    tape = run(cartpole, [0.0, 1.0])
    t, sim = tape.trajectory, tape.sim
    np.testing.assert_allclose(t.times[-1], sim.data.time, rtol=1e-13)
    for asked in (t, engine.adjoint(tape), Recording.of(tape)):
        assert asked.times.shape == (41, 2) and asked.times[0, 1] == 1.0
        with pytest.raises(ValueError, match=r"time: .* world 0 is at 0 s, world 1 at 1 s\), allowed: `times`"):
            _ = asked.time
    assert np.array_equal(columns(cartpole, "qpos", t, world=1)[0].times, t.times[:, 1])
    assert replay(cartpole, t, world=1, every=10).time[1] == t.times[10, 1]


def test_a_run_file_keeps_the_clocks(cartpole, tmp_path):
    """Its format is that of before: world 0's time, and the clocks at the start."""
    for clocks in ([0.25, 0.25], [0.0, 1.0]):
        r = Recording.of(run(cartpole, clocks))
        again = Recording.load(r.save(tmp_path / "run.npz"))
        assert np.array_equal(again.times, r.times) and again.differences(again.replay()) == []
        with np.load(tmp_path / "run.npz") as file:
            assert np.array_equal(file["time"], clocks[0] + 0.02 * np.arange(41))
