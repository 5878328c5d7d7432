"""DC motors with states, cogging and clamped voltages: steps as MuJoCo's, and their derivatives."""

import mujoco
import numpy as np
import pytest

import engine
from engine.model import ModelBuilder, ModelError, load
from engine.model.constants import DISCRETE, DYN_DCMOTOR
from engine.model.fields import FIELDS
from engine.model.portable import model_from_arrays, model_to_arrays
from engine.model.servos import ours
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.test_discrete import off_kinks

ROLLED = [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3, 4))]
NAMES = ("Euler", "RK4", "implicit", "implicitfast", "discrete")
PULLED = zoo.actuated(
    zoo.HINGE,
    f'<dcmotor tendon="t" {zoo.COIL} saturation=".5 0 0" cogging=".2 3 .3"/><position tendon="t" kp="9" kv="1"/>'
    f'<dcmotor tendon="t" {zoo.COIL} controller="3 0 .4 0 0 0" input="pos" saturation=".5 0 0"/>',
).replace("</actuator>", '''</actuator><tendon><fixed name="t" actuatorfrcrange="-.9 .8"><joint joint="j" coef=".7"/>
<joint joint="k" coef="-.4"/></fixed></tendon>''')


@pytest.mark.parametrize("integrator", range(5), ids=NAMES)
def test_steps_are_mujocos(simulators, integrator):
    """Currents, temperatures, bristles and setpoints, clamped and not, and forces that a range clamps."""
    mj, sim = simulators(zoo.MOTORS, integrator)
    assert mj.nu == sim.model.nu == 10 and mj.na + 3 == sim.model.na
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    sim.reset()
    for step in range(60):
        if step % 10 == 0:
            data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        for name in ("qpos", "qvel", "act"):
            want = getattr(data, name)
            np.testing.assert_allclose(getattr(sim.data, name)[0, : len(want)], want, rtol=1e-10, atol=1e-13)
    mujoco.mj_forward(mj, data)
    sim.forward()
    np.testing.assert_allclose(sim.data.qfrc_actuator[0], data.qfrc_actuator, rtol=1e-10)
    np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-10)


@pytest.mark.parametrize("integrator", ROLLED, ids=NAMES)
def test_gradients(simulators, integrator):
    """By states, controls and all numbers of motors."""
    mj, sim = simulators(zoo.MOTORS, integrator)
    if integrator == DISCRETE:  # whose metric has kinks at no stiffness, cogging included
        off_kinks(sim)
        amplitude = sim.params.actuator_biasprm[..., 0]
        amplitude[(sim.model.actuator_dyntype == DYN_DCMOTOR) & (amplitude == 0)] = 0.05
    for steps, seed in ((1, 3), (8, 1)):
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        state = qpos, qvel, np.concatenate([act, np.full(3, 0.1)]), ctrl
        assert_gradients(Rollout(sim, mj, state, steps, seed=seed).errors(leaves=True))


@pytest.mark.parametrize("integrator", range(5), ids=NAMES)
def test_of_turns_and_without_inputs(simulators, integrator):
    """Setpoints some turns away, too; of a motor without inputs the engine has a control, which nothing reads."""
    mj, sim = simulators(zoo.TURNED, integrator)
    assert mj.nu + 2 == sim.model.nu == 9 and sim.model.na == mj.na == 9
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    data.qpos[:], data.qvel[:], data.act[:], _ = zoo.random_state(mujoco, mj, rng, 0.3, 2.0)
    sim.reset(data.qpos, data.qvel)
    sim.data.act[0], sim.data.ctrl[:] = data.act, 7.0
    for step in range(60):
        if step % 10 == 0:
            data.ctrl[:] = rng.normal(size=mj.nu) * (5 if step < 30 else 1)
            sim.data.ctrl[0, ours(mj, np.ones(mj.nu)) > 0] = data.ctrl
        mujoco.mj_step(mj, data)
        sim.step()
        for name in ("qpos", "qvel", "act"):
            want = getattr(data, name)
            np.testing.assert_allclose(getattr(sim.data, name)[0], want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("integrator", [pytest.param(k, marks=pytest.mark.slow) for k in range(5)], ids=NAMES)
def test_gradients_of_turns(simulators, integrator):
    mj, sim = simulators(zoo.TURNED, integrator)
    if integrator == DISCRETE:
        off_kinks(sim)
    for steps, seed in ((1, 3), (8, 1)):
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        assert_gradients(Rollout(sim, mj, (qpos, qvel, act, ours(mj, 4 * ctrl)), steps, seed=seed).errors(leaves=True))


@pytest.mark.parametrize("integrator", (2, 3), ids=NAMES[2:4])
def test_ranges_on_limited_tendons(simulators, integrator):
    """What the implicit integrators take of a motor whose force its range cuts before its tendon scales it down."""
    mj, sim = simulators(PULLED, integrator)
    data, rng, met = mujoco.MjData(mj), np.random.default_rng(0), 0
    for _ in range(30):
        data.qpos[:], data.qvel[:], _, data.ctrl[:] = zoo.random_state(mujoco, mj, rng, 0.3, 2.0)
        sim.reset(data.qpos, data.qvel)
        sim.data.ctrl[0] = data.ctrl
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.qvel[0], data.qvel, rtol=1e-10, atol=1e-11)
        met += abs(data.actuator_force[2]) < 0.499 and abs(data.actuator_force.sum()) > 0.6
    assert met > 3


def test_linearize(simulators):
    """A and B, of which states of motors feel lengths and velocities, against differences."""
    mj, sim = simulators(zoo.MOTORS, 0)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(5), 0.3)
    x0 = np.concatenate([qpos, qvel, act, np.full(3, 0.1), ctrl])
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
    np.testing.assert_allclose(np.concatenate([A[0], B[0]], axis=1), want, rtol=1e-6, atol=1e-6 * abs(want).max())


def test_a_robot_is_written_and_kept():
    """As MJCF and as arrays: the same numbers; MuJoCo reads the same motors."""
    idle = zoo.TURNED.replace("</mujoco>", "<keyframe><key ctrl='1 2 3 4 5 6 7'/></keyframe></mujoco>")
    for text in (idle, zoo.MOTORS):
        model = load(text)
        again = load(model.to_mjcf()), model_from_arrays(model_to_arrays(model))
        for name in (name for name in FIELDS if name.startswith(("actuator_", "key_"))):
            for other in again:
                np.testing.assert_array_equal(getattr(other, name), getattr(model, name), err_msg=name)
    model.actuator_forcerange[2] = -1, 2
    with pytest.raises(ModelError, match="actuator 'm': forcerange -1 2; allowed in MJCF: -x x"):
        model.to_mjcf()


def test_a_builder_has_motors():
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.dcmotor("j", "m", motorconst=0.3, resistance=2.0, input="pos vel ff voltage", inductance=0.004, thermal=(
        2, 0.05, 0, 0.02, 20, 30), controller=(5, 7, 0.4, 6, 0.02, 1.5), saturation=(0.3, 0, 50))  # fmt: skip
    model, file = b.compile(), load(zoo.MOTORS)
    assert model.na == 4 and model.actuator_names == ["m", "m vel", "m ff", "m voltage"]
    for name in ("gainprm", "gaincurve", "biasprm", "biascurve", "dynprm", "dynrest", "inputs", "forcerange"):
        np.testing.assert_array_equal(
            getattr(model, f"actuator_{name}"), getattr(file, f"actuator_{name}")[2:6], err_msg=name)  # fmt: skip
    assert b.dcmotor("j", "idle", motorconst=0.3, resistance=2.0, input="none") and b.compile().actuator_inputs[-1] == 0
    with pytest.raises(ModelError, match="actuator 'n' of joint 'j': input = 'vel pos'; allowed: none, or some of pos"):
        b.dcmotor("j", "n", motorconst=0.3, resistance=2.0, input="vel pos")
    for more, said in (
        ({"motorconst": ()}, "motorconst = \\(\\); allowed: above zero"),
        ({"resistance": 0}, "resistance = 0; allowed: above zero"),
        ({"resistance": (1, 2)}, "resistance = \\(1, 2\\); allowed: at most 1 finite numbers"),
        ({"input": None}, "input = 'None'; allowed: none, or some of pos"),
        ({"lugre": "x"}, "lugre = 'x'; allowed: at most 5 finite numbers"),
        ({"controller": [[1.0]], "input": "pos"}, "controller = .*; allowed: at most 6 finite numbers"),
    ):
        with pytest.raises(ModelError, match=f"actuator 'n' of joint 'j': {said}"):
            b.dcmotor("j", "n", **{"motorconst": 0.3, "resistance": 2.0} | more)


OFF = f"""<actuator><pid joint="j" kp="3" ki="4" imax=".2" group="1"/>
<pid joint="k" kp="2" slewmax="3" group="1"/><dcmotor joint="j" {zoo.COIL} {zoo.HOT} group="1"/>
<pid joint="k" kp="2" slewmax="3" ki="2" input="pos vel" group="1"/>
<dcmotor joint="k" {zoo.COIL} cogging=".2 6 .3" group="1"/>
<dcmotor joint="j" {zoo.COIL} controller="3 2 .2 0 .3 2" input="pos" group="1"/>
<motor name="on" joint="k" group="2"/></actuator>"""


@pytest.mark.parametrize("option", ('actuatorgroupdisable="1"', "actuation"))
def test_states_that_an_option_switches_off_stay(simulators, option):
    flag = '<option><flag actuation="disable"/></option>' if option == "actuation" else ""
    body = f'<body>{zoo.HINGE}{zoo.BRICK}<body pos=".1 0 -.3"><joint name="k" axis="0 1 .3"/>{zoo.ROD}</body></body>'
    mj, sim = simulators(zoo.model(body, OFF + flag, option="" if flag else option))
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    assert (mj.na, mj.nu) == (sim.model.na, sim.model.nu) == (6, 10)
    data.qvel[:], data.act[:] = rng.normal(size=mj.nv), rng.normal(size=mj.na)
    sim.reset(data.qpos, data.qvel)
    sim.data.act[0] = data.act
    for _ in range(10):
        data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.act[0], data.act, rtol=0, atol=1e-13)
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=0, atol=1e-12)


MANY = f"""<actuator><motor joint="k"/><pid name="s" joint="j" kp="1" ki="2" slewmax="3" input="pos"/>
<dcmotor joint="k" {zoo.COIL} {zoo.HOT} {{}}/><position joint="k" kp="2" timeconst=".1"/></actuator>"""


@pytest.mark.parametrize("option", ("actuation", 'actuatorgroupdisable="0"'))
def test_more_states_than_controls_that_stay(simulators, option):
    """Become actuators of their own, with a control that nothing reads. Bristles stay where all actuation is off, and
    bend where one motor is."""
    off = option == "actuation"
    flag = '<option><flag actuation="disable"/></option>' if off else ""
    body = f'<body>{zoo.HINGE}{zoo.BRICK}<body pos=".1 0 -.3"><joint name="k" axis="0 1 .3"/>{zoo.ROD}</body></body>'
    drives = MANY.format(zoo.STICKY if off else f'{zoo.STICKY} controller="0 3" input="pos" inductance="0 .01"')
    mj, sim = simulators(zoo.model(body, drives + flag, option="" if flag else option))
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    assert mj.na == sim.model.na >= 4 and sim.model.nu > mj.nu
    assert sim.model.actuator_names[1:3] == ["s", ""]
    data.qvel[:], data.act[:] = rng.normal(size=mj.nv), rng.normal(size=mj.na)
    sim.reset(data.qpos, data.qvel)
    sim.data.act[0] = start = data.act.copy()
    for _ in range(10):
        data.ctrl[:] = rng.normal(size=mj.nu)
        sim.data.ctrl[0] = ours(mj, data.ctrl)
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.act[0], data.act, rtol=0, atol=1e-13)
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=0, atol=1e-12)
    assert off or abs(data.act[4] - start[4]) > 1e-3 and np.array_equal(data.act[[2, 3, 5]], start[[2, 3, 5]])


def test_gradients_of_bristles_alone(simulators):
    """Of a motor that is switched off: what bends them, through two steps, and the velocity that does."""
    body = f"<body>{zoo.HINGE}{zoo.BRICK}</body>"
    drive = f'<actuator><dcmotor joint="j" {zoo.COIL} {zoo.STICKY} input="none"/></actuator>'
    mj, sim = simulators(zoo.model(body, drive, option='actuatorgroupdisable="0"'))

    def end(v, z):
        sim.reset(None, [v])
        sim.data.act[0] = z
        sim.step(2)
        return sim.data.act[0, 0]

    sim.reset(None, [0.7])
    sim.data.act[0] = 0.004
    tape = engine.Tape(sim, 2)
    rows = tape.rollout(np.zeros((2, 1)))
    bar = np.zeros_like(rows.act)
    bar[-1] = 1
    found = tape.backward(act=bar)
    by_v, by_z = ((end(0.7 + a, 0.004 + b) - end(0.7 - a, 0.004 - b)) / 2e-6 for a, b in ((1e-6, 0), (0, 1e-6)))
    np.testing.assert_allclose([found.qvel0.ravel()[0], found.act0.ravel()[0]], [by_v, by_z], rtol=1e-6)
    assert min(abs(by_v), abs(by_z)) > 1e-4 and not sim.data.qfrc_actuator.any()
    with pytest.raises(ModelError, match="bristles that push nothing; allowed in MJCF: those of a motor"):
        sim.model.to_mjcf()
