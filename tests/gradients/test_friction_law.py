"""Dry friction that falls with speed and grows with load: its formula in NumPy, steps of MuJoCo whose frictionloss is
set before each of them, its slopes against differences (beside residuals in test_residuals.py), and what is refused."""

import mujoco
import numpy as np
import pytest

import engine
from engine import ModelError, Simulator
from engine.residuals import Friction, friction_places
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.zoo.residuals import LIMBS

ARM = """
<mujoco><option timestep="0.002" integrator="Euler"/><worldbody>
 <body><joint name="shoulder" axis="0 1 0" damping="0.1" frictionloss="0.2"/>
  <geom type="capsule" size=".03" fromto="0 0 0 .3 0 0" contype="0" conaffinity="0"/>
  <body pos=".3 0 0"><joint name="rail" type="slide" axis="1 0 0" damping="0.4" range="-.1 .1" limited="true"/>
   <geom type="capsule" size=".02" fromto="0 0 0 .3 0 0" contype="0" conaffinity="0"/></body></body>
</worldbody><actuator>
 <position name="shoulder" joint="shoulder" kp="30" kv="1" forcerange="-7 7" ctrlrange="-1 1" ctrllimited="true"/>
 <motor name="also" joint="shoulder" gear="2"/>
 <general name="rail" joint="rail" gear="-1.5" gainprm="3 0.5 0.2" gaintype="affine" biastype="affine"
   biasprm="0.3 -4 -0.5"/></actuator></mujoco>
"""
NUMBERS = {"stribeck": (0.4, 0.9), "speed": (0.3, 0.2), "load": (0.05, 0.1)}


def arm():
    """The robot with its law of friction on both joints, of which one has two actuators."""
    return Friction(engine.load(ARM), ["shoulder", "rail"], *NUMBERS.values())


def formula(mj, qpos, qvel, ctrl):
    """What the joints hold with, written anew for this robot."""
    angle, rail = qpos
    u = np.clip(ctrl[0], -1, 1)
    kp, kv = mj.actuator_gainprm[0, 0], -mj.actuator_biasprm[0, 2]
    first = np.clip(kp * (u - angle) - kv * qvel[0], -7, 7) + 2 * ctrl[1]
    length, rate = -1.5 * rail, -1.5 * qvel[1]
    second = -1.5 * ((3 + 0.5 * length + 0.2 * rate) * ctrl[2] + 0.3 - 4 * length - 0.5 * rate)
    size, speed, share = (np.array(NUMBERS[n]) for n in NUMBERS)
    return np.array([0.2, 0.0]) + size * np.exp(-((qvel / speed) ** 2)) + share * np.abs([first, second])


def state(seed, fast=0.3):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.3, 0.3, 2) * (1, 0.3), fast * rng.normal(size=2), rng.uniform(-1.3, 1.3, 3)


def test_the_bound_is_the_formula():
    """At random states, beyond the ranges of force and control among them, and at rest."""
    made, mj = arm(), mujoco.MjModel.from_xml_string(ARM)
    sim = Simulator(made.model, worlds=6)
    for w in range(6):
        sim.data.qpos[w], sim.data.qvel[w], sim.data.ctrl[w] = state(w, 0.3 * (w > 0))
    sim.forward()
    d = sim.data
    twin = made.bound(d.qpos, d.qvel, d.ctrl)
    for w in range(6):
        np.testing.assert_allclose(twin[w], formula(mj, d.qpos[w], d.qvel[w], d.ctrl[w]), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(sim.pack["rub"].reshape(6, 2) + (0.2, 0.0), twin, rtol=1e-12, atol=1e-13)
    assert twin.min() > 0.1


@pytest.mark.parametrize("integrator", ("Euler", "implicitfast"))
def test_steps_are_those_of_mujoco_whose_frictionloss_is_set(integrator):
    """Sticking and sliding, and into a limit, 500 steps."""
    xml = ARM.replace("Euler", integrator)
    made, mj = Friction(engine.load(xml), ["shoulder", "rail"], *NUMBERS.values()), mujoco.MjModel.from_xml_string(xml)
    sim, data = Simulator(made.model), mujoco.MjData(mj)
    held = 0
    for k in range(500):
        data.ctrl[:] = sim.data.ctrl[0] = (0.3, 0.9, 1.2) * np.sin(2 * np.pi * k * 0.002 * np.array([0.7, 2.0, 1.3]))
        mj.dof_frictionloss[:] = formula(mj, data.qpos, data.qvel, data.ctrl)
        mujoco.mj_step(mj, data)
        sim.step()
        held += (np.abs(data.efc_force[:2]) < 0.99 * mj.dof_frictionloss).any()
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=1e-6, atol=1e-8)
    assert 50 < held < 450 and np.ptp(data.qpos) > 0.01


@pytest.mark.parametrize("case", ("random", "at rest", "no load"))
def test_slopes(case):
    """Of rollouts by states, controls, all parameters (those of the law and of the actuators among them)."""
    made, mj = arm(), mujoco.MjModel.from_xml_string(ARM)
    if case == "no load":
        made = Friction(engine.load(ARM), ["rail"], 0.9, 0.2)
    made.model.opt.tolerance, made.model.opt.iterations = 1e-14, 100
    qpos, qvel, ctrl = state(3, 0.0 if case == "at rest" else 0.3)
    begin = qpos, qvel, np.zeros(0), ctrl
    errors = Rollout(Simulator(made.model), mj, begin, 1 if case == "at rest" else 10, seed=1).errors()
    assert {"residual_prm", "actuator_gear", "actuator_gainprm", "actuator_biasprm"} <= set(errors)
    assert_gradients(errors)


def test_what_is_refused():
    model, limbs = engine.load(ARM), engine.load(LIMBS.format(integrator="Euler"))
    for arguments, error in (
        ((model, ["knee"]), "no joint 'knee'"),
        ((limbs, ["shoulder"]), "joint 'shoulder', allowed: hinges and slides"),
        ((limbs, ["elbow"], 0.1, 0.1, 0.1), "actuator 'slow' has an activation"),
        ((limbs, ["rail"], -0.1), "stribeck: got -0.1, allowed: a number from zero on"),
        ((limbs, ["rail"], 0.1, 0.0), "speed: got 0.0, allowed: a number above zero"),
        ((limbs, ["rail"], [0.1, 0.2]), "one for each of 1 joints"),
    ):
        with pytest.raises((ModelError, ValueError), match=error):
            Friction(*arguments)
    with pytest.raises(ModelError, match="1 residuals; allowed in MJCF: none"):
        arm().model.to_mjcf()
    assert friction_places(arm().model)[1] == {"stribeck": 1, "speed": 3, "load": 5}
    for array, value in (("residual_prmnum", 5), ("residual_power", 1.0), ("residual_passive", True)):
        bad = arm().model
        getattr(bad, array)[0] = value
        with pytest.raises(ModelError, match="residual"):
            Simulator(bad)
    bad = arm().model
    bad.residual_int[-1] = 0  # the other joint's actuator
    with pytest.raises(ModelError, match="actuators of the same joint"):
        Simulator(bad)
