"""pid and dcmotor without more than a pid, which become an actuator for each control: steps as MuJoCo's."""

import mujoco
import numpy as np
import pytest

from engine.model import UnsupportedError, load
from tests import zoo
from tests.gradients.differences import Rollout

MOTOR = 'motorconst=".3" resistance="2"'
SERVOS = zoo.actuated(
    zoo.HINGE,
    '<pid name="a" joint="j" kp="20" kv="2" gear="1.5" posrange="-1 1"/><motor joint="k" gear=".5"/>'
    '<pid joint="k" kp="3" kv=".3" input="pos vel ff" velrange="-.5 .5"/><pid joint="j" kp="4" input="pos"/>'
    '<pid joint="j" kp="0" kv=".3" input="vel ff"/>'
    f'<dcmotor name="b" joint="k" {MOTOR}/><dcmotor joint="j" {MOTOR} saturation=".2 0 0"/>'
    f'<dcmotor joint="j" {MOTOR} controller="5 0 .4 0 0 0" input="pos vel"/>'
    f'<dcmotor joint="k" {MOTOR} controller="5 0 .4 0 0 0" input="pos ff voltage"/>'
    '<general joint="k" dyntype="filter" dynprm=".05"/>',
).replace("</mujoco>", '<sensor><actuatorpos actuator="b"/><actuatorfrc actuator="b"/></sensor></mujoco>')


TENDON = '</actuator><tendon><fixed name="t"><joint joint="j" coef=".7"/><joint joint="k" coef="-.4"/></fixed></tendon>'
STATES = zoo.actuated(
    zoo.HINGE,
    '<pid joint="j" kp="20" kv="2" ki="30" gear="1.5"/><general joint="k" dyntype="filter" dynprm=".05"/>'
    '<pid joint="k" kp="3" kv=".3" ki="9" imax=".01" slewmax="4" input="pos vel ff" delay=".009" '
    'nsample="3" interp="linear"/>'
    '<pid joint="j" kp="4" slewmax="3" input="pos" forcerange="-2 2" delay=".012" nsample="4"/>'
    '<pid tendon="t" kp="5" ki="8" input="pos"/>'
    f'<dcmotor joint="k" {MOTOR} controller="0 0 .3 20 0 0" input="vel"/>'
    f'<dcmotor joint="k" {MOTOR} controller="5 7 .4 6 .02 0" input="pos vel"/>',
).replace("</actuator>", TENDON)


def test_steps_with_states_are_mujocos(simulators):
    """Setpoints that are followed and that are too fast, integrals that are held at an end and that are not."""
    for integrator in range(5):
        mj, sim = simulators(STATES, integrator)
        assert mj.na == 9 and sim.model.na == 9 + 3 * 3 + 4 and sim.data.actuator(3).act.shape == (1, 2)
        data, rng = mujoco.MjData(mj), np.random.default_rng(0)
        sim.reset()
        for step in range(40):
            if step % 10 == 0:
                data.ctrl[:] = rng.normal(size=mj.nu) * (0.01 if step == 30 else 1)
                sim.data.ctrl[0] = data.ctrl
            mujoco.mj_step(mj, data)
            sim.step()
            for name in ("qpos", "qvel", "act"):
                want = getattr(data, name)
                np.testing.assert_allclose(getattr(sim.data, name)[0, : len(want)], want, rtol=1e-10, atol=1e-12)
        assert 0.009 < abs(data.act[3]) < 0.011  # at imax


@pytest.mark.parametrize("integrator", [
    0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3))
], ids=("Euler", "RK4", "implicit", "implicitfast"))  # fmt: skip
def test_gradients_of_states(simulators, integrator):
    """Through rollouts, and in A and B."""
    mj, sim = simulators(STATES, integrator)
    for steps in (1, 12):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.3)
        state[2][3] = 0.5 * state[2][3] + 0.05  # beyond imax
        state = state[0], state[1], np.concatenate([state[2], np.full(13, 0.1)]), state[3]
        errors = Rollout(sim, mj, state, steps, seed=steps).errors(leaves=True)
        assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("integrator", (0, 3), ids=("Euler", "implicitfast"))
def test_steps_are_mujocos(simulators, integrator):
    mj, sim = simulators(SERVOS, integrator)
    assert mj.nu == sim.model.nu == 17 and mj.nactuator == 10
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    sim.reset()
    for _ in range(15):
        data.ctrl[:] = sim.data.ctrl[0] = rng.normal(size=mj.nu)
        mujoco.mj_step(mj, data)
        sim.step()
        for name in ("qpos", "qvel", "act"):
            np.testing.assert_allclose(getattr(sim.data, name)[0], getattr(data, name), rtol=1e-12, atol=1e-12)
    mujoco.mj_forward(mj, data)
    sim.forward()
    np.testing.assert_allclose(sim.data.qfrc_actuator[0], data.qfrc_actuator, rtol=1e-11)
    np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-11)


def test_of_turns_the_shorter_way_round(simulators):
    xml = zoo.actuated(zoo.BALL, '<pid joint="j" kp="3" kv=".4" gear=".2 -.3 .1"/>')
    mj, sim = simulators(xml)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    for _ in range(10):
        data.qpos[:], data.qvel[:], _, data.ctrl[:] = zoo.random_state(mujoco, mj, rng)
        data.ctrl[0] *= 9
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos, data.qvel)
        sim.data.ctrl[0] = data.ctrl
        sim.forward()
        np.testing.assert_allclose(sim.data.qfrc_actuator[0], data.qfrc_actuator, rtol=1e-10, atol=1e-12)


def test_names_and_what_is_said():
    model = load(SERVOS)
    assert model.actuator_names == ["a", "a vel"] + [""] * 7 + ["b"] + [""] * 7
    assert any("8 of them become 15 actuators, one for each control" in line for line in model.report.changed)


@pytest.mark.parametrize(("xml", "words"), [
    ('<pid name="s" joint="j" forcerange="-1 1"/>', "forcerange of the sum of 2 controls; allowed: one control"),
    ('<pid name="s" joint="i" kp="2" kv="2" input="vel"/>', "pid of turns with kp = 2, that of its input vel"),
])  # fmt: skip
def test_what_is_refused(xml, words):
    body = zoo.HINGE + f'{zoo.BRICK}<body pos="0 0 1"><joint name="i" type="ball"/>{zoo.ROD}</body>'
    with pytest.raises(UnsupportedError, match=f"actuator 's': {words}"):
        load(zoo.model(f"<body>{body}</body>", f"<actuator>{xml}</actuator>"))
