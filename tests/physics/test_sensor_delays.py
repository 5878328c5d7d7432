"""Sensors that tell what was: values against MuJoCo, the state that they have, gradients through them."""

import mujoco
import numpy as np
import pytest

from engine.diff.tape import Tape
from engine.model import ModelBuilder, ModelError, UnsupportedError, load
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

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


@pytest.mark.parametrize("integrator", (0, 2, 3), ids=("Euler", "implicit", "implicitfast"))
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


def test_linearize(simulators):
    mj, sim = simulators(LATE, 0)
    rng = np.random.default_rng(5)
    qpos, qvel, _, ctrl = zoo.random_state(mujoco, mj, rng, 0.3)
    x0 = np.concatenate([qpos, qvel, rng.normal(size=sim.model.na), ctrl])
    sizes = np.cumsum([mj.nq, mj.nv, sim.model.na])

    def place(x):
        sim.data.qpos[0], sim.data.qvel[0], sim.data.act[0], sim.data.ctrl[0] = np.split(x, sizes)

    def stepped(x):
        place(x)
        sim.step()
        return np.concatenate([sim.data.qpos[0], sim.data.qvel[0], sim.data.act[0]])

    eps = 1e-6
    want = np.stack([(stepped(x0 + eps * e) - stepped(x0 - eps * e)) / (2 * eps) for e in np.eye(len(x0))], axis=1)
    place(x0)
    A, B = sim.linearize()
    np.testing.assert_allclose(np.concatenate([A[0], B[0]], axis=1), want, rtol=1e-6, atol=1e-7 * abs(want).max())


def test_a_robot_is_written():
    model = load(LATE)
    again = load(model.to_mjcf())
    for name in ("sensor_delay", "sensor_history", "key_act"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    assert again.na == model.na and again.sensor_history.tolist()[:2] == [[2, 0], [3, 1]]


def test_a_builder_has_delays():
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.sensor("jointpos", "s", objname="j", delay=0.01, nsample=5, interp="linear")
    b.key("k")
    m = b.compile()
    assert m.na == 5 and m.key_act.shape == (1, 5) and m.sensor_history.tolist() == [[5, 1]]
    with pytest.raises(ModelError, match="nsample = 0; allowed: one or more with a delay, 0 without"):
        b.sensor("jointpos", "n", objname="j", delay=0.01)


@pytest.mark.parametrize(("attributes", "option", "words"), [
    ('delay=".01" nsample="2"', 'integrator="RK4"', "the integrator RK4; allowed: the other integrators"),
    ('interval=".02" nsample="2"', "", "interval = .*; allowed: 0"),
])  # fmt: skip
def test_what_is_refused(attributes, option, words):
    sensor = f'<sensor><jointpos name="s" joint="j" {attributes}/></sensor>'
    with pytest.raises(UnsupportedError, match=f"sensor 's': .*{words}"):
        load(zoo.model(f"<body>{zoo.HINGE}{zoo.BRICK}</body>", sensor, option=option))
