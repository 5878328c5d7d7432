"""Sensors that tell what was: values against MuJoCo, the state that they have, gradients through them."""

import mujoco
import numpy as np
import pytest

import engine
from engine.diff.pure import pure_rollout
from engine.diff.tape import Tape
from engine.model import ModelBuilder, ModelError, load
from engine.model.delays import joined
from tests import zoo
from tests.gradients.differences import Rollout, clock_entries
from tests.gradients.test_smooth import assert_gradients
from tests.random_files.quantities import act_of, state_of

LATE = zoo.model(
    f"""<body pos="0 0 1"><joint name="j" axis="1 .4 0" damping=".2"/>{zoo.BRICK}<site name="s" pos=".1 .2 .3"/>
    <body pos=".1 0 -.3"><joint name="k" axis="0 1 .3"/>{zoo.ROD}<site name="t" pos="0 .1 -.3" euler="10 30 0"/></body>
    </body>""",
    """<actuator><motor name="a" joint="k" delay=".008" nsample="2"/><motor joint="j"/></actuator><sensor>
    <jointpos joint="j" delay=".008" nsample="2"/><accelerometer site="t" delay=".0065" nsample="3" interp="linear"/>
    <framequat objtype="site" objname="t" delay=".009" nsample="4" interp="cubic"/><gyro site="s"/>
    <actuatorfrc actuator="a" delay=".05" nsample="2"/>
    <framelinvel objtype="site" objname="s" delay=".001" nsample="1"/>
    <jointvel joint="k" cutoff=".4" delay=".007" nsample="4" interp="cubic"/><gyro site="t" cutoff=".5" delay=".004"
    nsample="2"/>
    <jointvel joint="k" nsample="3"/></sensor>""",
)

# Ticks between steps and at them, late by rounding as MuJoCo's are, with and without a delay; one at every step.
PERIODIC = zoo.model(
    f"""<body pos="0 0 1"><joint name="j" axis="1 .4 0" damping=".2"/>{zoo.BRICK}<site name="s" pos=".1 .2 .3"/>
    <body pos=".1 0 -.3"><joint name="k" axis="0 1 .3"/>{zoo.ROD}<site name="t" pos="0 .1 -.3" euler="10 30 0"/></body>
    </body>""",
    """<actuator><motor name="a" joint="k"/><general joint="j" dyntype="filter" dynprm=".05"/></actuator><sensor>
    <jointpos joint="j" interval=".0073" nsample="1"/><gyro site="s" interval=".02 -.011" nsample="2" cutoff=".4"/>
    <jointvel joint="k" interval=".01" nsample="3" interp="cubic" cutoff=".4"/><gyro site="t"/>
    %s<jointvel joint="j" nsample="3"/><actuatorfrc actuator="a" interval=".012" nsample="4"/></sensor>""",
)
LATER = """<accelerometer site="t" interval=".0091" delay=".0135" nsample="4" interp="cubic"/>
    <framequat objtype="site" objname="t" interval=".006" delay=".0045" nsample="5" interp="linear"/>
    <jointvel joint="k" interval=".001" delay=".0062" nsample="3" interp="linear"/>
    <framelinvel objtype="site" objname="s" interval=".009 -.002" delay=".02" nsample="3" cutoff=".5"/>"""


@pytest.mark.parametrize("integrator", range(4), ids=("Euler", "RK4", "implicit", "implicitfast"))
def test_follows_mujoco(simulators, integrator):
    mj, sim = simulators(LATE, integrator)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    assert sim.model.na == 2 + 2 + 3 * 3 + 4 * 4 + 2 + 3 + 4 + 2 * 3
    assert "1 sensor" in str(sim.model.report or load(LATE).report)
    data.qvel[:], cut = (0.5, -0.6), [False, False]
    sim.reset(data.qpos, data.qvel)
    for _ in range(20):
        data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-10, atol=1e-12)
        cut = cut[0] or abs(data.sensordata[-5]) == 0.4, cut[1] or 0.5 in np.abs(data.sensordata[-4:-1])
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=1e-12, atol=1e-13)
    mujoco.mj_forward(mj, data)
    sim.forward()
    np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-10, atol=1e-12)
    assert all(cut)


@pytest.mark.parametrize("integrator", (0, 1), ids=("Euler", "RK4"))
def test_ticks_are_mujocos(simulators, integrator):
    """What is told, and every number of the clocks; some ticks at a step, by rounding, are late by one."""
    mj, sim = simulators(PERIODIC % LATER, integrator)
    data, rng, shown = mujoco.MjData(mj), np.random.default_rng(0), []
    data.qvel[:] = 0.5, -0.6
    sim.reset(data.qpos, data.qvel)
    for k in range(150):
        if k % 7 == 0:
            data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-10, atol=1e-12)
        ours, theirs = act_of(sim.model, sim.data.act[0]), state_of(sim.model, mj, data)
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
        shown.append(data.sensordata[:4].copy())
    assert 0.2 < np.mean(np.diff(shown, axis=0)[:, 0] != 0) < 0.8 and np.abs(shown)[:, 1:].max() == 0.4


@pytest.mark.slow
@pytest.mark.parametrize("how", ({}, {"frame_skip": 3}, {"record_every": 2}), ids=("rows", "skipped", "sparse"))
@pytest.mark.parametrize("integrator", (0, 1), ids=("Euler", "RK4"))
def test_gradients_with_ticks(simulators, integrator, how):
    mj, sim = simulators(PERIODIC % LATER, integrator)
    rng = np.random.default_rng(1)
    qpos, qvel, _, ctrl = zoo.random_state(mujoco, mj, rng, 0.4)
    act = np.where(clock_entries(sim.model), 0.0, rng.normal(size=sim.model.na))
    assert_gradients(Rollout(sim, mj, (qpos, qvel, act, ctrl), 12, seed=1, **how).errors())


@pytest.mark.parametrize("how", ({}, {"frame_skip": 3}, {"record_every": 2}), ids=("rows", "skipped", "sparse"))
@pytest.mark.parametrize("integrator", (0, pytest.param(3, marks=pytest.mark.slow)))
def test_gradients(simulators, integrator, how):
    """Of outputs by the state, the values of the past that it has, and controls."""
    mj, sim = simulators(LATE, integrator)
    rng = np.random.default_rng(1)
    qpos, qvel, _, ctrl = zoo.random_state(mujoco, mj, rng, 0.4)
    rollout = Rollout(sim, mj, (qpos, qvel, rng.normal(size=sim.model.na), ctrl), 6, seed=1, **how)
    assert_gradients(rollout.errors())


def test_rows_of_a_rollout_are_those_of_steps(simulators):
    mj, sim = simulators(LATE, 0)
    ctrl = np.random.default_rng(0).normal(size=(8, 1, mj.nu))
    rows = Tape(sim, 8).rollout(ctrl).sensordata.copy()
    sim.reset()
    for t in range(8):
        sim.data.ctrl[:] = ctrl[t]
        sim.step()
        np.testing.assert_array_equal(sim.data.sensordata, rows[t])


@pytest.mark.parametrize("xml", (LATE, pytest.param(PERIODIC % LATER, marks=pytest.mark.slow)), ids=("late", "ticks"))
def test_linearize(simulators, xml):
    mj, sim = simulators(xml, 0)
    rng = np.random.default_rng(5)
    qpos, qvel, _, ctrl = zoo.random_state(mujoco, mj, rng, 0.3)
    x0 = np.concatenate([qpos, qvel, rng.normal(size=sim.model.na), ctrl])
    sizes = np.cumsum([mj.nq, mj.nv, sim.model.na])

    def place(x):
        sim.data.qpos[0], sim.data.qvel[0], sim.data.act[0], sim.data.ctrl[0] = np.split(x, sizes)
        sim.data.time[0] = 0.0

    def stepped(x):
        place(x)
        sim.step()
        return np.concatenate([sim.data.qpos[0], sim.data.qvel[0], sim.data.act[0]])

    eps = 1e-6
    want = np.stack([(stepped(x0 + eps * e) - stepped(x0 - eps * e)) / (2 * eps) for e in np.eye(len(x0))], axis=1)
    place(x0)
    A, B = sim.linearize()
    np.testing.assert_allclose(np.concatenate([A[0], B[0]], axis=1), want, rtol=1e-6, atol=1e-7 * abs(want).max())


def test_calls_that_begin_at_no_time_refuse_clocks():
    with pytest.raises(ValueError, match="a call of torch or JAX: each begins at time 0, and sensors with an interval"):
        pure_rollout(engine.Simulator(load(PERIODIC % "")), 1, steps=2)


def test_a_robot_is_written():
    for text in (PERIODIC % LATER, LATE):
        model = load(text)
        again = load(model.to_mjcf())
        for name in ("sensor_delay", "sensor_history", "sensor_interval", "key_act"):
            np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
        assert again.na == model.na == len(joined(model))
    assert again.sensor_history.tolist()[:2] == [[2, 0], [3, 1]]


def test_a_builder_has_delays():
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.sensor("jointpos", "s", objname="j", delay=0.01, nsample=5, interp="linear")
    b.sensor("jointvel", "t", objname="j", interval=(0.02, -0.01), nsample=3)
    b.key("k")
    m = b.compile()
    assert m.na == 5 + 3 + 4 and m.key_act.shape == (1, 12) and m.sensor_history.tolist() == [[5, 1], [3, 0]]
    assert joined(m)[-5:] == ["t[0] 1 ticks ago", "t tick", *(f"t time {k} ticks ago" for k in (3, 2, 1))]
    for given in ({"delay": 0.01}, {"interval": 0.01}, {"nsample": 2}):
        with pytest.raises(ModelError, match="nsample = .; allowed: one or more with a delay or an interval"):
            b.sensor("jointpos", "n", objname="j", **given)
    m.sensor_interval[1] = 0.02, -0.02
    with pytest.raises(ModelError, match="sensor_interval.*; allowed: a period of zero or more, and a phase above"):
        engine.Simulator(m)
