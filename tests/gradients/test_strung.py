"""Gradients by frames of bodies, joints, sites and geoms beside tendons through space and compensated weight, and by
the numbers of limits and dry friction of tendons, of dry friction of dofs and of equalities: of a robot that has all
of it."""

import mujoco
import numpy as np
import pytest

from engine import Simulator, load
from engine.theta import EQUALITY_LEAVES, FRICTION_LEAVES, TENDON_LEAVES
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

ARM = """<mujoco><option timestep="0.004" integrator="{integrator}"/><default><geom contype="0"/></default>
<worldbody><site name="w" pos=".1 -.2 .8"/><site name="peg" pos=".35 .2 .7" quat=".8 .1 -.5 .2"/>
<body name="hand" mocap="true" pos=".2 .5 1.1"><site name="h" pos=".02 0 .03"/></body>
<body name="upper" pos="0 0 1" quat=".9 .1 .2 0" gravcomp=".7"><joint name="a" axis=".3 1 .2" pos=".03 .02 -.05"
 frictionloss=".2"/><joint name="s" type="slide" axis="0 .6 .8" damping=".3" frictionloss="60" solreffriction="-20 -9"
 solimpfriction=".6 .8 .1 .5 2"/>
<geom type="capsule" size=".04" fromto="0 0 0 .3 .1 0" mass=".8"/><site name="u" pos=".1 .12 .05" quat=".6 -.3 .7 .1"/>
<geom name="elbow" type="cylinder" size=".06 .1" pos=".3 .1 0" euler="70 20 0"/><site name="side" pos=".3 0 0"/>
<body pos=".02 0 .08"><geom size=".03" mass=".1"/><site name="v" pos=".05 .06 .02"/></body>
<body name="fore" pos=".3 .1 0" quat=".9 .2 0 -.3" gravcomp="1.2"><joint name="b" type="ball" pos="0 .03 .02"/>
<geom type="box" size=".05 .1 .03" pos=".1 .05 0" mass=".5"/><site name="f" pos=".15 .1 .04" quat=".2 .5 .4 -.7"/>
<geom name="roll" size=".05" pos=".2 .05 .02" mass=".1"/><site name="core" pos=".2 .06 .03"/>
<body pos=".2 .1 0"><joint name="c" axis="1 0 -.2" pos=".02 0 .04" range="-2 2" ref="5"/>
<joint name="d" axis="0 0 1" pos="0 -.03 0"/><geom size=".06" mass=".3" pos="0 .1 .05"/>
<site name="t" pos=".07 .1 0" quat=".3 .3 -.2 .9"/></body></body></body>
<body name="free" pos=".7 .2 1.1" quat=".8 .3 .1 -.4"><freejoint/><geom type="box" size=".05 .08 .06" mass=".4"/>
<site name="x" pos="-.05 .08 0" quat=".5 .5 .3 -.6"/></body></worldbody>
<tendon><spatial name="long" stiffness="20" damping=".3" springlength=".4 .5">
<site site="w"/><geom geom="elbow" sidesite="side"/><site site="f"/><pulley divisor="1.6"/><site site="v"/>
<site site="t"/></spatial>
<spatial name="within" range=".1 .25" margin=".05" frictionloss=".4" solreffriction=".03 .8" solreflimit=".05 1.3">
<site site="u"/><geom geom="roll" sidesite="core"/><site site="t"/></spatial>
<spatial name="heavy" armature=".3" range=".9 2" solreflimit="-90 -11" solimplimit=".5 .9 .4 .3 3"><site site="h"/>
<site site="f"/><site site="x"/></spatial>
<spatial name="held" frictionloss="30" solreffriction="-10 -6" solimpfriction=".5 .9 .1 .5 2"><site site="w"/>
<site site="x"/></spatial>
<fixed name="sum"><joint joint="c" coef=".5"/><joint joint="d" coef="-.7"/></fixed></tendon>
<equality><weld site1="x" site2="peg" torquescale=".7" solref=".2 1.1" solimp=".4 .8 .3 .4 2.5"/>
<connect site1="v" site2="h" solref="-40 -9"/><connect body1="free" body2="fore" anchor=".1 .05 .02" solref=".15 .8"/>
<weld body1="fore" body2="upper" anchor=".05 0 .1" relpose=".2 .1 0 .8 .3 -.4 .2" torquescale="1.3" solref=".3 1"/>
<joint joint1="c" joint2="a" polycoef=".1 .6 .3 -.2 .1" solref=".1 .9"/>
<tendon tendon1="sum" tendon2="long" polycoef="-.1 .4 .2 .1 0" solimp=".3 .7 .2 .6 3"/></equality>
<actuator><muscle tendon="long" lengthrange=".5 1.3" range=".75 1.05" force="40" ctrllimited="false"/>
<position tendon="within" kp="15" kv="1"/></actuator>
<sensor><tendonpos tendon="long"/><tendonlimitpos tendon="within"/><tendonlimitfrc tendon="heavy"/>
<tendonlimitvel tendon="heavy"/></sensor></mujoco>"""
FRAMES = ("body_pos body_quat jnt_pos jnt_axis site_pos site_quat geom_size geom_pos geom_quat body_ipos "
          "body_iquat").split()  # fmt: skip
ROWS = [p.name for p in FRICTION_LEAVES + TENDON_LEAVES + EQUALITY_LEAVES]
OTHERS = "RK4", "implicit", "implicitfast", "discrete"
INTEGRATORS = ["Euler", *(pytest.param(n, marks=pytest.mark.slow) for n in OTHERS)]


def asked(integrator):
    """(MjModel, Simulator), asked for all of these."""
    mj = mujoco.MjModel.from_xml_string(ARM.format(integrator=integrator))
    model = load(mj)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    return mj, Simulator(model, leaves=(*FRAMES, *ROWS))


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_every_one_of_them(integrator):
    mj, sim = asked(integrator)
    lengths = sim.params.eq_data[3, 6:10], sim.params.site_quat, sim.params.jnt_axis  # which do not count
    for quat in lengths:
        quat *= 1.3
    for steps in (1,) if integrator == "Euler" else (1, 8):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.15)
        errors = Rollout(sim, mj, state, steps, seed=steps).errors(sim.leaves)
        assert set(errors) == set(sim.leaves)
        assert_gradients(errors)


def test_all_of_them_decide_something():
    mj, sim = asked("Euler")
    state = zoo.random_state(mujoco, mj, np.random.default_rng(1), 0.15)
    grads = Rollout(sim, mj, state, 1, seed=1).gradients().model
    assert all(np.abs(grads[name]).max() > 1e-6 for name in sim.leaves), {n: grads[n] for n in sim.leaves}
    moved = np.abs(grads["eq_data"]) > 0
    assert moved[2, :6].all() and moved[3].all() and moved[4, :5].all() and moved[5, :5].all() and moved[0, 10]
    assert not moved[:2, :10].any()


def test_a_change_is_that_of_a_robot_made_so():
    """Anchors follow sites, legs of tendons follow sites and geoms, rows their numbers."""
    mj, sim = asked("Euler")
    rng, model = np.random.default_rng(0), load(mj)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    for name in sim.leaves:
        value = sim.params[name]
        if "solimp" in name:
            value *= 1 + 0.05 * rng.uniform(-1, 1, value.shape)
        else:
            value += 0.02 * rng.normal(size=value.shape) * (np.abs(value) + (name[:4] in ("body", "site")))
        array = value.copy()
        if name.endswith(("quat", "axis")):
            array /= np.linalg.norm(array, axis=1, keepdims=True)
        if name == "eq_data":
            array[3, 6:10] /= np.linalg.norm(array[3, 6:10])
        getattr(model, name)[...] = array
    state = zoo.random_state(mujoco, mj, np.random.default_rng(1), 0.15)
    other, found = Simulator(model), []
    for s in (sim, other, Simulator(load(mj))):
        s.reset(state[0], state[1])
        s.data.mocap_pos[:], s.data.mocap_quat[:] = (0.2, 0.5, 1.1), (1, 0, 0, 0)  # else where the body is by default
        s.step(5)
        found.append(s.data.qpos.copy())
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-10)
    assert np.abs(found[0] - found[2]).max() > 1e-4


def test_a_relative_orientation_of_zeros_is_refused():
    _, sim = asked("Euler")
    sim.params.eq_data[3, 6:10] = 0
    with pytest.raises(ValueError, match="params.eq_data: equality .* has a quaternion of zeros"):
        sim.refresh()


GRAZING = """<mujoco><option timestep="0.004"/><default><geom contype="0" conaffinity="0"/></default><worldbody>
<site name="w" pos="0 0 .5"/><geom name="g" type="cylinder" size=".05 .2" zaxis="0 1 .2"/>
<site name="in" pos=".02 0 0"/><body pos="0 0 -.4"><joint type="slide" axis="1 0 0"/>
<joint type="slide" axis="0 .3 1"/><geom size=".05"/><site name="b"/></body></worldbody>
<tendon><spatial stiffness="30" damping=".5"><site site="w"/><geom geom="g" sidesite="in"/>
<site site="b"/></spatial></tendon></mujoco>"""


def place_of(share):
    """x of the body where the line between the ends passes the cylinder's axis in so many of its radii."""
    n = np.array([0, 1, 0.2]) / np.linalg.norm([0, 1, 0.2])
    low, high = 0.0, 1.0
    for _ in range(60):
        x = (low + high) / 2
        a, b = (v - n * (n @ v) for v in (np.array([0, 0, 0.5]), np.array([x, 0, -0.4])))
        d = b - a
        near = a - d * (d @ a) / (d @ d)
        low, high = (x, high) if np.linalg.norm(near) < 0.05 * share else (low, x)
    return x


def test_a_tendon_that_grazes_a_geom_from_within(simulators):
    """Its place there, from a line that only just misses the geom on, is the one of the shortest way."""
    mj, sim = simulators(GRAZING)
    data = mujoco.MjData(mj)
    for share in (0.9, 1.0 + 1e-9, 1.0 + 1e-6, 1.0004, 1.01, 1.3, 2.0):
        data.qpos[:] = place_of(share), 0.0
        mujoco.mj_forward(mj, data)
        assert data.ten_wrapnum[0] == (2 if share < 1 else 4), share
        sim.reset(data.qpos)
        sim.forward()
        np.testing.assert_allclose(sim.data.ten_length[0], data.ten_length, rtol=0, atol=1e-11, err_msg=str(share))
        np.testing.assert_allclose(sim.data.qacc[0], data.qacc, rtol=1e-6, atol=1e-6, err_msg=str(share))
        if share > 1.0001:
            state = data.qpos.copy(), np.array([0.05, -0.1]), np.zeros(0), np.zeros(0)
            assert_gradients(Rollout(sim, mj, state, 3).errors())
