"""Bodies whose poses are inputs, and equality constraints that are switched, along the way against MuJoCo."""

import copy

import mujoco
import numpy as np
import pytest

import engine
from controllers.riccati import linearization
from engine import DivergenceError
from engine.diff.arguments import Values, check_simulator
from engine.diff.gradcheck import gradcheck
from engine.diff.pure import pure_rollout
from engine.model.portable import AGE
from engine.replay import replay
from tests import zoo
from tests.physics.reference import BEFORE_4

pytestmark = pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0 leaves out dJ/dt v")
INTEGRATORS = pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
SEVERAL = zoo.EQUALITIES["several equalities"]


def same(sim, data):
    pairs = [(getattr(sim.data, n)[0], getattr(data, n)) for n in ("qpos", "qvel")]
    return max(float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) for a, b in pairs)


@INTEGRATORS
@pytest.mark.parametrize("name", ("sites, of what hangs on it", "contact"))
def test_a_hand_that_is_led(simulators, name, integrator):
    mj, sim = simulators(zoo.MOCAPS[name], integrator)
    data, rng, worst, touched = mujoco.MjData(mj), np.random.default_rng(0), 0.0, 0
    for t in range(80):
        data.mocap_pos[:] = mj.body_pos[1] + 0.05 * np.sin(0.1 * t * np.array([1.0, 1.3, 1.7]))
        data.mocap_quat[:] = rng.normal() * (mj.body_quat[1] + 0.2 * np.sin(0.1 * t) * np.array([0, 1, 0.5, -0.3]))
        sim.reset(data.qpos, data.qvel)
        for n in ("mocap_pos", "mocap_quat", "qacc_warmstart"):
            getattr(sim.data, n)[0] = getattr(data, n)
        mujoco.mj_step(mj, data)
        sim.step()
        worst = max(worst, same(sim, data))
        touched += data.ncon
        assert sim.data.ncon[0] == data.ncon or name != "contact"
    assert worst < 1e-10 and (touched > 20 or name != "contact")


@INTEGRATORS
def test_equalities_are_switched(simulators, integrator):
    """Each by itself, also one that does not act at first; the others' trees are coupled anew each time."""
    mj, sim = simulators(SEVERAL, integrator)
    data, rng, worst = mujoco.MjData(mj), np.random.default_rng(0), 0.0
    assert mj.eq_active0.tolist() == [1] * 4 + [0] == sim.data.eq_active[0].tolist()
    assert sim.ncon_max == 7  # a weld makes two blocks
    for t in range(60):
        if t % 4 == 0:
            data.eq_active[:] = rng.random(mj.neq) < (0.5 if t < 40 else 0)
        sim.reset(data.qpos, data.qvel)
        sim.data.eq_active[0], sim.data.qacc_warmstart[0] = data.eq_active, data.qacc_warmstart
        mujoco.mj_step(mj, data)
        sim.step()
        worst = max(worst, same(sim, data))
    assert worst < 1e-10
    assert sim.reset().data.eq_active[0].tolist() == [1] * 4 + [0]


def test_worlds_and_keyframes(simulators):
    mj, one = simulators(zoo.MOCAPS["weld"])
    sim = engine.Simulator(one.model, 3)
    sim.data.mocap_pos[1] += 0.1
    sim.data.eq_active[2] = 0
    sim.step(5)
    q = sim.data.qpos
    assert (q[0] != q[1]).any() and (q[0] != q[2]).any()
    sim.reset(worlds=[1, 2])
    sim.step(5)
    fresh = one.reset()
    fresh.step(5)
    for w in (1, 2):
        np.testing.assert_array_equal(sim.data.qpos[w], fresh.data.qpos[0])
    twin = copy.deepcopy(sim)
    for s in (sim, twin):
        s.data.mocap_quat[0] = (1, 0.1, 0, 0)
        s.step(3)
    np.testing.assert_array_equal(sim.data.qpos, twin.data.qpos)
    sim.data.mocap_pos[1, 0, 2] = np.nan
    with pytest.raises(ValueError, match="data.mocap_pos"):
        sim.step()


def test_a_keyframe_is_where_a_rollout_starts(simulators):
    key = '<keyframe><key name="k" mpos="0 0 1.1" mquat="1 0 0 .2" time="2" qpos=".1 0 .5 1 1 0 0 0"/></keyframe>'
    mj, sim = simulators(zoo.MOCAPS["weld"].replace("</mujoco>", f"{key}</mujoco>"))
    data = mujoco.MjData(mj)
    mujoco.mj_resetDataKeyframe(mj, data, 0)
    for keyframe in ("k", 0):
        sim.reset(keyframe=keyframe)
        for n in ("qpos", "qvel", "mocap_pos", "mocap_quat", "time", "eq_active"):
            np.testing.assert_array_equal(getattr(sim.data, n)[0], getattr(data, n))


# ----------------------------------------------------------------------------------------------- rollouts


def led(sim, steps, seed=0):
    """A way of poses, (steps, 1, nmocap, .)."""
    rng = np.random.default_rng(seed)
    pos = sim.data.mocap_pos + np.cumsum(0.003 * rng.normal(size=(steps, 1, sim.model.nmocap, 3)), axis=0)
    quat = sim.data.mocap_quat + np.cumsum(0.01 * rng.normal(size=(steps, 1, sim.model.nmocap, 4)), axis=0)
    return pos, quat


def test_a_rollout_is_those_steps(simulators):
    mj, sim = simulators(zoo.MOCAPS["weld"])
    pos, quat = led(sim, 6)
    tape = engine.Tape(sim, 6, frame_skip=2)
    trajectory = tape.rollout(np.zeros((6, 0)), pos, quat)
    np.testing.assert_array_equal(sim.data.mocap_pos, pos[-1])  # and is where the simulator ends
    np.testing.assert_array_equal(trajectory.mocap_quat, quat)
    end = sim.data.qpos.copy()
    sim.reset()
    for t in range(6):
        sim.data.mocap_pos[:], sim.data.mocap_quat[:] = pos[t], quat[t]
        sim.step(2)
    np.testing.assert_array_equal(sim.data.qpos, end)
    for wrong in (pos[:5], pos[..., :2], pos[:, 0, 0]):
        with pytest.raises(ValueError, match="mocap_pos: got shape"):
            tape.rollout(np.zeros((6, 0)), wrong)
    with pytest.raises(ValueError, match="mocap_quat"):
        tape.rollout(np.zeros((6, 0)), pos, quat * np.nan)


def test_schedules_have_the_same_bits(simulators):
    mj, sim = simulators(zoo.MOCAPS["contact"])
    rich = engine.Tape(sim, 16)
    poor = engine.Tape(sim, 16, memory=rich.fixed_bytes + rich.traj["record"].nbytes // 3)
    assert poor.schedule.slots > 1
    pos, quat = led(sim, 16)
    found = []
    for tape in (rich, poor):
        sim.reset()
        bar = np.random.default_rng(0).normal(size=tape.rollout(np.zeros((16, 0)), pos, quat[:, 0]).qpos.shape)
        sim.data.mocap_pos[:] = 7  # what the reverse must not read
        found.append(tape.backward(qpos=bar))
    for n in ("mocap_pos", "mocap_quat", "qpos0", "qvel0"):
        np.testing.assert_array_equal(getattr(found[0], n), getattr(found[1], n))
        assert getattr(found[0], n).any()


def test_what_acts_is_held_over_a_rollout(simulators):
    """A tape keeps it, whatever is switched afterwards."""
    mj, sim = simulators(SEVERAL)
    tape, found = engine.Tape(sim, 5), []
    for active in ([0, 1, 0, 0, 1], [1, 1, 1, 1, 0]):
        sim.reset()
        sim.data.eq_active[:] = active
        sim.data.qvel[:] = 0.3
        trajectory = tape.rollout(np.zeros((5, 0)))
        assert trajectory.eq_active.tolist() == [active]
        sim.data.eq_active[:] = 0
        found.append(tape.backward(qvel=np.ones_like(trajectory.qvel)).qvel0)
    assert (found[0] != found[1]).any()
    sim.reset()
    sim.data.eq_active[:], sim.data.qvel[:] = [0, 1, 0, 0, 1], 0.3

    def loss(t):
        return t.qvel[-1].sum(), {"qvel": np.where(np.arange(6)[:, None, None] == 5, np.ones_like(t.qvel), 0)}

    assert gradcheck(tape, loss, wrt=("qvel0", "qpos0")).ok


def test_gradcheck_of_held_poses(simulators):
    mj, sim = simulators(zoo.MOCAPS["connect"])
    tape = engine.Tape(sim, 4)

    def loss(t):
        return float((t.qpos**2).sum()), {"qpos": 2 * t.qpos}

    report = gradcheck(tape, loss, wrt=("mocap_pos", "mocap_quat"))
    assert report.ok and {e.input for e in report.entries} == {"mocap_pos", "mocap_quat"}, report
    sim.data.mocap_quat[:] = 0  # counts as no turn, from which no step leads
    sim.data.qpos[:] = sim.model.qpos0
    assert not tape.backward(qpos=np.ones_like(tape.rollout(np.zeros((4, 0))).qpos)).mocap_quat.any()


def test_linearize_where_the_hand_is(simulators):
    """The derivative at another pose, and with another constraint, against differences of steps."""
    for name, active in (("contact", None), ("sites, of what hangs on it", [0, 1])):
        mj, sim = simulators(zoo.MOCAPS[name])
        sim.data.mocap_pos[0, 0] += (0.01, 0.02, -0.01)
        if active:
            sim.data.eq_active[0] = active
        saved = {n: getattr(sim.data, n).copy() for n in ("qpos", "qvel", "mocap_pos")}
        A, _ = sim.linearize()
        along, t = np.random.default_rng(0).normal(size=mj.nv), 1e-6
        ends = []
        for sign in (1, -1):
            for n, a in saved.items():
                getattr(sim.data, n)[:] = a
            sim.data.qacc_warmstart[:], sim.data.qvel[0] = 0, saved["qvel"][0] + sign * t * along
            sim.step()
            ends.append(sim.data.qvel[0].copy())
        found = (ends[0] - ends[1]) / (2 * t)
        assert np.abs(found - A[0, mj.nv :, mj.nv :] @ along).max() < 1e-6 * np.abs(found).max()


def test_linearization_along_a_rollout_is_where_the_hand_was(simulators):
    mj, sim = simulators(zoo.MOCAPS["contact"])
    pos, quat = led(sim, 4)
    trajectory = engine.Tape(sim, 4).rollout(np.zeros((4, 0)), pos + [0.02, 0.0, -0.02], quat)
    A, _ = linearization(sim.model, trajectory)
    sim.reset(trajectory.qpos[2, 0], trajectory.qvel[2, 0])
    at_rest = sim.linearize()[0][0]
    sim.data.mocap_pos[:], sim.data.mocap_quat[:] = trajectory.mocap_pos[2], quat[2]
    np.testing.assert_allclose(A[2], sim.linearize()[0][0], rtol=1e-9, atol=1e-9)
    assert np.abs(A[2] - at_rest).max() > 1e-4


def test_a_recording_has_all_of_it(simulators, tmp_path):
    mj, sim = simulators(zoo.MOCAPS["sites, of what hangs on it"])
    sim.data.eq_active[0] = 0, 1
    pos, quat = led(sim, 5)
    tape = engine.Tape(sim, 5)
    tape.rollout(np.zeros((5, 0)), pos, quat)
    path = engine.Recording.of(tape).save(tmp_path / "led.npz")
    found = engine.Recording.load(path)
    assert found.differences(found.replay()) == []
    np.testing.assert_array_equal(found.mocap_pos, pos)
    assert found.eq_active.tolist() == [[0, 1]]
    seen = replay(found.model, found)
    sim.reset(found.qpos[3, 0], found.qvel[3, 0])
    sim.data.mocap_pos[0], sim.data.mocap_quat[0] = pos[3, 0], quat[3, 0]
    sim.forward()
    np.testing.assert_array_equal(seen.xpos[3], sim.data.xpos[0])
    arrays = dict(np.load(path))
    for lost in ("mocap_quat", "start.eq_active"):
        damaged = tmp_path / "damaged.npz"
        np.savez(damaged, **{n: a for n, a in arrays.items() if n != lost})
        with pytest.raises(ValueError, match=f"its arrays: got .*allowed: .*{lost}"):
            engine.Recording.load(damaged)


def test_a_recording_from_before_there_was_a_choice(simulators, tmp_path):
    mj, sim = simulators(SEVERAL)
    tape = engine.Tape(sim, 3)
    tape.rollout(np.zeros((3, 0)))
    arrays = dict(np.load(engine.Recording.of(tape).save(tmp_path / "now.npz")))
    header = str(arrays["model.header"]).replace(f', "age": {AGE}', "")
    arrays["model.header"] = np.array(header)
    young = ("start.eq_active", "model.body_mocapid", "model.key_mpos", "model.key_mquat", "model.key_time")
    path = tmp_path / "before.npz"
    np.savez(path, **{n: a for n, a in arrays.items() if n not in young})
    found = engine.Recording.load(path)
    assert found.eq_active.tolist() == [[1, 1, 1, 1, 0]]
    assert found.differences(found.replay()) == []


def test_a_pure_call_holds_what_the_model_says(simulators):
    """What torch and JAX stand on; a simulator that says otherwise is refused."""
    mj, sim = simulators(zoo.MOCAPS["sites, of what hangs on it"])
    pure = pure_rollout(sim, 1, steps=4)
    given = sim.data.qpos.copy(), sim.data.qvel.copy(), np.zeros((1, 0)), np.zeros((4, 1, 0))
    values, kept, _ = pure(*given, sim.model_pack["theta"].copy())
    tape = engine.Tape(sim, 4)
    trajectory = tape.rollout(given[3])
    np.testing.assert_allclose(values.qpos, trajectory.qpos[-1], rtol=1e-9, atol=1e-9)
    bar = np.ones_like(values.qvel)
    rows = np.zeros((5, *bar.shape))
    rows[-1] = bar
    found = pure.reverse(pure.saved(kept), Values(None, bar, None, None))
    np.testing.assert_allclose(found.qvel, tape.backward(qvel=rows).qvel0, rtol=1e-6, atol=1e-9)
    check_simulator(sim.reset())
    for name in ("mocap_pos", "mocap_quat", "eq_active"):
        getattr(sim.reset().data, name)[0, 0] = 0
        with pytest.raises(ValueError, match=f"sim.data.{name} is not the model's own"):
            check_simulator(sim)


def test_a_hand_torn_away_is_named(simulators):
    mj, sim = simulators(zoo.MOCAPS["weld"])
    sim.data.mocap_pos[:] = 1e15
    with pytest.raises(DivergenceError, match="world 0"):
        sim.step(20)
