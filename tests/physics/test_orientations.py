"""Orientation servos: steps as MuJoCo's, and their derivatives."""

import mujoco
import numpy as np
import pytest

import engine
from controllers.stance import holding
from engine.diff.linearize import AdjointRows, Linearizer, linearization
from engine.model import ModelBuilder, ModelError, load
from engine.model.constants import IMPLICITFAST
from engine.model.fields import FIELDS
from engine.model.orientations import behind_first
from engine.model.portable import model_from_arrays, model_to_arrays
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

NAMES = ("Euler", "RK4", "implicit", "implicitfast", "discrete")
ROLLED = [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3, 4))]
FREE = zoo.ORIENTED.replace('forcerange="0 1"', "").replace('forcerange="0 .7"', "")
PAIR = '<orientation name="a" joint="j" kp="3" kv=".2"/><orientation joint="j" kp="2" kv=".1" input="quat"/>'
ON_BALL = zoo.actuated(zoo.BALL, PAIR)
WHOLE = zoo.actuated(
    zoo.BALL, '<general joint="j" gaintype="so3" biastype="so3" gainprm="3" biasprm="0 -3 -.2" dyntype="integrator"/>'
    '<general joint="j" gaintype="so3" biastype="so3" gainprm="1" biasprm="0 -1 -.1" dyntype="integrator" '
    'actearly="true" group="2"/>')


def steps_are_mujocos(mj, sim, steps=60, reach=1.0):
    """Trajectories and what sensors tell along them."""
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    sim.reset()
    np.testing.assert_array_equal(sim.data.ctrl[0], data.ctrl)
    most = 0.0
    for step in range(steps):
        if step % 10 == 0:
            data.ctrl[:] = sim.data.ctrl[0] = reach * rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        for name in ("qpos", "qvel", "act"):
            want = getattr(data, name)
            np.testing.assert_allclose(getattr(sim.data, name)[0, : len(want)], want, rtol=1e-9, atol=1e-12)
        most = max(most, np.abs(data.act).max(initial=0.0))
        if step % 10 == 9:
            mujoco.mj_forward(mj, data)
            sim.forward()
            np.testing.assert_allclose(sim.data.qfrc_actuator[0], data.qfrc_actuator, rtol=1e-8, atol=1e-11)
            np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-8, atol=1e-11)
    return data, most


@pytest.mark.parametrize("integrator", range(5), ids=NAMES)
def test_steps_are_mujocos(simulators, integrator):
    """Between sites, as quaternions, delayed. Ranges clamp forces where no slope of theirs is asked for: there MuJoCo's
    rounding decides whether it counts."""
    mj, sim = simulators(zoo.ORIENTED if integrator < 2 else FREE, integrator)
    assert mj.nu == sim.model.nu == 16 and mj.nsensordata == sim.model.nsensordata
    data, _ = steps_are_mujocos(mj, sim, reach=2.0)
    if integrator < 2:
        assert abs(np.linalg.norm(data.actuator_force[mj.actuator_outadr[2] :][:3]) - 1) < 1e-12  # clamped


def test_states_stay_within_half_a_turn(simulators):
    mj, sim = simulators(WHOLE)
    _, most = steps_are_mujocos(mj, sim, 40, 300.0)
    assert 3 < most < np.pi + 1e-9


@pytest.mark.parametrize("integrator", (2, 3, 4), ids=NAMES[2:])
def test_a_clamped_servo_has_no_slope(simulators, integrator):
    """As in MuJoCo where what it has clamped is not rounded to below the range."""
    mj, sim = simulators(zoo.actuated(zoo.BALL, PAIR.replace("/>", ' forcerange="0 .4"/>')), integrator)
    data, rng, found = mujoco.MjData(mj), np.random.default_rng(0), 0
    for _ in range(12):
        mujoco.mj_resetData(mj, data)
        data.qpos[:], data.qvel[:], _, data.ctrl[:] = zoo.random_state(mujoco, mj, rng)
        sim.reset(data.qpos, data.qvel)
        sim.data.ctrl[0] = data.ctrl
        mujoco.mj_step(mj, data)
        sim.step()
        sizes = np.sqrt((data.actuator_force.reshape(2, 3) ** 2).sum(axis=1))
        if not ((sizes < 0.4) & (sizes > 0.4 - 1e-12)).any():
            found += (sizes >= 0.4).all()
            np.testing.assert_allclose(sim.data.qvel[0], data.qvel, rtol=1e-9, atol=1e-11)
    assert found > 2


@pytest.mark.parametrize("integrator", ROLLED, ids=NAMES)
def test_gradients(simulators, integrator):
    mj, sim = simulators(zoo.ORIENTED, integrator)
    for steps, seed in ((1, 3), (8, 1)):
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        state = qpos, qvel, np.concatenate([act, np.full(12, 0.1)]), ctrl
        assert_gradients(Rollout(sim, mj, state, steps, seed=seed).errors(leaves=True))


@pytest.mark.parametrize("integrator", ROLLED, ids=NAMES)
def test_gradients_beyond_half_a_turn(simulators, integrator):
    """Through steps that take states back within half a turn."""
    mj, sim = simulators(WHOLE, integrator)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.3)
    act *= np.repeat(3.13 / np.linalg.norm(act.reshape(2, 3), axis=1), 3)
    for steps in (1, 8):
        assert_gradients(Rollout(sim, mj, (qpos, qvel, act, 40 * act), steps).errors())


@pytest.mark.parametrize("integrator", (0, IMPLICITFAST), ids=("Euler", "implicitfast"))
def test_linearize(simulators, integrator):
    """Of servos on ball joints by rows of the joint, as by adjoints of steps."""
    mj, sim = simulators(ON_BALL, integrator)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(0))
    sim.reset(*state[:2])
    sim.data.ctrl[0] = state[3]
    assert isinstance(linearization(sim), Linearizer)
    for a, b in zip(sim.linearize(), AdjointRows(sim)(sim, 1), strict=True):
        assert np.abs(a).max() > 0.01
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert isinstance(linearization(simulators(WHOLE, integrator)[1]), AdjointRows)


def test_a_quaternion_of_zeros_has_no_derivative(simulators):
    """It stands for no turn, as the identity does, with which a simulator begins."""
    mj, sim = simulators(ON_BALL)
    assert sim.data.ctrl[0].tolist() == [0, 0, 0, 1, 0, 0, 0]
    tape, found = engine.Tape(sim, 1), []
    for scalar in (0.0, 1.0):
        sim.reset()
        rows = tape.rollout([[0.1, 0.2, 0.3, scalar, 0, 0, 0]])
        found.append((rows.qvel.copy(), tape.backward(qvel=np.ones_like(rows.qvel)).ctrl[0, 0]))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1][:3], found[1][1][:3])
    assert not found[0][1][3:].any() and found[1][1][4:].all()


@pytest.mark.parametrize("option", [
    '<flag clampctrl="disable"/>', '<flag actuation="disable"/>', "disable group",
], ids=("clampctrl", "actuation", "group"))  # fmt: skip
def test_switched_off(simulators, option):
    """States that are kept are taken within half a turn all the same where MuJoCo steps any at all."""
    xml = WHOLE.replace("<actuator>", '<actuator><orientation joint="j" input="quat" ctrlrange="-.5 .5"/>')
    how = '<option actuatorgroupdisable="2">' if "group" in option else f"<option>{option}"
    mj, sim = simulators(xml.replace("</mujoco>", f"{how}</option></mujoco>"))
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    data.act[:] = sim.data.act[0] = 3 * rng.normal(size=6)
    for _ in range(5):
        data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        for name in ("qpos", "qvel", "act"):
            np.testing.assert_allclose(getattr(sim.data, name)[0], getattr(data, name), rtol=1e-11, atol=1e-14)


def test_controls_that_hold_a_pose(simulators):
    mj, sim = simulators(ON_BALL.replace("</actuator>", '<position joint="j" kp="2" gear=".3 .2 .1"/></actuator>'))
    qpos, *_ = zoo.random_state(mujoco, mj, np.random.default_rng(0))
    sim.reset(qpos)
    sim.data.ctrl[0] = holding(sim.model, qpos)
    sim.forward()
    assert np.abs(sim.data.ctrl).min() > 0.01 and np.abs(sim.data.actuator_force).max() < 1e-12


def test_names_keyframes_and_what_is_said():
    keyed = ON_BALL.replace("</mujoco>", "<keyframe><key ctrl='1 2 3 4 5 6 7'/></keyframe></mujoco>")
    model = load(keyed)
    assert model.actuator_names == ["a", "a ry", "a rz", "", "", "", ""]
    assert any("orientation: 2 servos, each of which becomes" in line for line in model.report.changed)
    assert model.key_ctrl[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert load(model.to_mjcf()).key_ctrl.tolist() == model.key_ctrl.tolist()


@pytest.mark.parametrize("xml", [zoo.ORIENTED, WHOLE], ids=("oriented", "whole"))
def test_written_and_stored(xml):
    model = load(xml)
    for again in (load(model.to_mjcf()), model_from_arrays(model_to_arrays(model))):
        for name in (n for n in FIELDS if n.startswith(("actuator_", "sensor_"))):
            np.testing.assert_array_equal(getattr(again, name), getattr(model, name), err_msg=name)


def test_built():
    b = ModelBuilder("servo")
    b.body("arm", pos=(0, 0, 1))
    b.joint("arm", "shoulder", type="ball")
    b.geom("arm", size=0.1)
    b.site("world", "base")
    b.site("arm", "tip")
    assert b.orientation("shoulder", "s", kp=3, kv=0.2, forcerange=(0, 2), dyntype="integrator") == "s"
    b.orientation(name="t", site="tip", refsite="base", kp=2, input="quat")
    b.sensor("actuatorfrc", "felt", objname="s")
    model = b.compile()
    assert model.actuator_names == ["s", "s ry", "s rz", "t", "t qx", "t qy", "t qz"]
    assert model.nsensordata == 3 and behind_first(model).tolist() == [False, True, True, False, True, True, True]
    again = load(model.to_mjcf())
    for name in (n for n in FIELDS if n.startswith(("actuator_", "sensor_"))):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name), err_msg=name)


@pytest.mark.parametrize(("given", "words"), [
    ({"input": "euler"}, "input = 'euler'; allowed: expmap, quat"),
    ({"kp": -1}, "kp = -1; allowed: a finite number, 0 or more"),
    ({"gear": 2}, "gear = 2; allowed: none"),
    ({"forcerange": (-1, 1)}, "forcerange = .*allowed: 0 and the largest torque"),
    ({"input": "quat", "dyntype": "integrator"}, "what it is on and its dynamics; allowed: those of the first one"),
    ({"joint": "hinge"}, "what it is on and its dynamics; allowed: .* a ball joint, or a site and its refsite"),
    ({"joint": None, "site": "tip"}, "actuator_refid = -1; allowed: a site"),
])  # fmt: skip
def test_what_is_refused(given, words):
    b = ModelBuilder("servo")
    b.body("arm", pos=(0, 0, 1))
    b.joint("arm", "shoulder", type="ball")
    b.geom("arm", size=0.1)
    b.site("arm", "tip")
    b.body("hand", "arm")
    b.joint("hand", "hinge")
    b.geom("hand", size=0.1)
    with pytest.raises(ModelError, match=words):
        b.orientation(**{"joint": "shoulder", "name": "s"} | given)
        b.compile()


@pytest.mark.parametrize(("array", "index", "value", "words"), [
    ("actuator_inputs", 0, 0, "actuator_inputs = 0; allowed: 1 .expmap. or 2"),
    ("actuator_inputs", 1, 1, "of an orientation servo; allowed: 3 of them for each"),
    ("actuator_inputs", 3, 1, "number 3 of an orientation servo; allowed: 3 of them for each"),
    ("actuator_gaintype", 1, 1, "of an orientation servo; allowed: 3|kinds of gain and bias"),
    ("actuator_gainprm", 1, 3, "gains, bias and forcerange; allowed: those of the first one alone"),
    ("actuator_gear", 6, 1, "numbers of its turn, and none of the fourth"),
    ("actuator_trntype", 1, 6, "no site to name"),
    ("sensor_objid", 0, 1, "the first actuator of an orientation servo"),
])  # fmt: skip
def test_arrays_that_mean_nothing_are_refused(array, index, value, words):
    model = load(ON_BALL.replace("</mujoco>", '<sensor><actuatorpos actuator="a"/></sensor></mujoco>'))
    getattr(model, array)[index] = value
    with pytest.raises(ModelError, match=words):
        engine.Simulator(model)


def test_what_mjcf_has_no_words_for():
    model = load(ON_BALL)
    for array, index, value, words in (
        ("actuator_gear", (0, 1), 0.5, "gear of an orientation servo"),
        ("actuator_biasprm", (0, 2), 0.5, "kv = -0.5"),
        ("actuator_ctrllimited", (0,), True, "ctrllimited .*one for all controls"),
    ):
        changed = model.copy()
        getattr(changed, array)[index] = value
        with pytest.raises(ModelError, match=words):
            changed.to_mjcf()
