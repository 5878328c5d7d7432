"""Gradients by frames of sites and joints: of sensors that read them, alone and in one another's axes, and of actuators
that pull at them."""

import mujoco
import numpy as np
import pytest

from engine import Simulator, load
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

READ = """<mujoco><option timestep="0.005" integrator="{integrator}"/><default><geom contype="0"/></default>
<worldbody>
<site name="fixed" pos=".3 -.2 .4" quat=".8 .1 -.5 .2"/>
<body pos="0 0 1"><joint name="a" axis=".3 1 .2" pos=".05 .02 -.1"/><joint name="s" type="slide" axis="0 .6 .8"/>
<geom type="capsule" size=".04" fromto="0 0 0 .3 .1 0" mass=".8"/><site name="one" pos=".1 .2 .05" quat=".6 -.3 .7 .1"/>
<body pos=".3 .1 0" quat=".9 .2 0 -.3"><joint name="b" type="ball" pos="0 .06 .03"/>
<geom type="box" size=".05 .1 .03" mass=".5"/><site name="two" pos="-.1 .1 .02" quat=".2 .5 .4 -.7"/>
<body pos="0 .2 0"><joint name="c" axis="1 0 -.2" pos=".02 0 .04"/><joint name="d" axis="0 0 1" pos="0 -.03 0"/>
<geom size=".06" mass=".3" pos="0 .1 .05"/><site name="three" pos=".07 .1 0" quat=".3 .3 -.2 .9"/></body></body></body>
</worldbody>
<sensor>
<framepos objtype="site" objname="two"/><framepos objtype="site" objname="two" reftype="site" refname="one"/>
<framequat objtype="site" objname="three"/><framequat objtype="site" objname="one" reftype="site" refname="three"/>
<framexaxis objtype="site" objname="two" reftype="site" refname="fixed"/><framezaxis objtype="site" objname="three"/>
<framelinvel objtype="site" objname="three" reftype="site" refname="one"/>
<frameangvel objtype="site" objname="two" reftype="site" refname="three"/>
<framepos objtype="xbody" objname="world" reftype="site" refname="two"/>
<gyro site="two"/><velocimeter site="three"/><accelerometer site="one"/><magnetometer site="three"/>
<framelinacc objtype="site" objname="three"/><frameangacc objtype="site" objname="two"/></sensor>
<actuator><general site="one" gear="1 .4 0 .2 .1 -.3"/>
<general site="three" refsite="one" gear="0 1 .5 .3 0 .2" biastype="affine" biasprm="0 -3 -.4"/>
<general cranksite="two" slidersite="fixed" cranklength=".9" biastype="affine" biasprm=".1 -2 -.2"/></actuator>
</mujoco>"""
NAMES = "site_pos site_quat jnt_pos jnt_axis body_pos body_quat body_ipos body_iquat".split()


@pytest.mark.slow
@pytest.mark.parametrize("integrator", ("Euler", "RK4", "implicitfast", "discrete"))
def test_of_sites_and_joints(integrator):
    mj = mujoco.MjModel.from_xml_string(READ.format(integrator=integrator))
    model = load(mj)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    sim = Simulator(model, leaves=NAMES)
    for name in ("site_quat", "jnt_axis"):  # of any length
        sim.params[name][...] *= 1.3
    for steps in (1, 6):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.4)
        rollout = Rollout(sim, mj, state, steps, seed=steps)
        errors = rollout.errors(NAMES)
        print(errors)
        assert set(errors) == set(NAMES)
        assert_gradients(errors)


SEEN = """<mujoco><option timestep="0.004" integrator="{integrator}"/><default><geom contype="0"/></default>
<worldbody><geom type="plane" size="2 2 .1" quat=".9 .1 .1 0"/>
<body pos="0 0 1" quat=".8 .3 .1 -.4"><freejoint/><geom type="box" size=".05 .08 .06" mass=".4" pos=".02 .03 0"/>
<site name="ray" pos=".2 .2 .5" quat=".3 .9 .1 .2"/><body pos=".1 .05 .2" quat=".9 .2 -.3 .1">
<site name="a" pos=".1 .05 0"/><geom type="capsule" size=".03 .1" mass=".3" quat=".7 .1 .2 .3"/></body>
</body><body pos="1 0 1"><joint axis="0 1 .2" damping=".2"/><site name="b" pos=".1 .02 .03" quat=".5 .2 .3 .4"/>
<geom name="g1" type="box" size=".05 .1 .03" mass=".5" pos=".1 .05 0"/>
<body pos=".2 .1 0" quat=".9 .1 .2 .3"><joint type="ball" pos="0 .03 .02"/>
<geom name="g2" type="box" size=".02 .05 .09" mass=".4" pos=".03 .1 .04" quat=".5 .1 .2 .3"/></body></body>
</worldbody>
<sensor><framepos objtype="geom" objname="g1"/><framequat objtype="geom" objname="g2" reftype="geom" refname="g1"/>
<framelinvel objtype="geom" objname="g2" reftype="site" refname="a"/><frameangacc objtype="geom" objname="g2"/>
<framelinacc objtype="geom" objname="g1"/><framezaxis objtype="geom" objname="g2"/>
<frameangvel objtype="site" objname="b" reftype="geom" refname="g2"/><force site="a"/><torque site="a"/>
<force site="b"/><torque site="b"/><rangefinder site="ray"/></sensor></mujoco>"""
FRAMES = "site_pos site_quat geom_pos geom_quat body_pos body_quat".split()
READERS = ["Euler", *(pytest.param(n, marks=pytest.mark.slow) for n in ("RK4", "implicitfast", "discrete"))]


@pytest.mark.parametrize("integrator", READERS)
def test_of_what_sensors_read(integrator):
    """Frames of geoms, forces and torques, and rays, whose sites and geoms move."""
    mj = mujoco.MjModel.from_xml_string(SEEN.format(integrator=integrator))
    sim = Simulator(load(mj), leaves=FRAMES)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.3, 2.0)
    rollout = Rollout(sim, mj, state, 1)
    errors = rollout.errors([*FRAMES, "qpos0"])
    assert set(errors) == {*FRAMES, "qpos0"}
    assert_gradients(errors)
    assert np.abs(rollout.gradients().model["site_pos"]).max(axis=1).min() > 1e-6  # of all of them


def test_geoms_that_sensors_read_are_those_of_now():
    mj = mujoco.MjModel.from_xml_string(SEEN.format(integrator="Euler"))
    model, sim = load(mj), Simulator(load(mj), leaves=FRAMES)
    for name in ("geom_pos", "site_pos"):
        getattr(model, name)[1:] += 0.03
        sim.params[name][1:] += 0.03
    found = []
    for s in (sim, Simulator(model), Simulator(load(mj))):
        s.forward()
        found.append(s.data.sensordata.copy())
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-12)
    assert np.abs(found[0] - found[2]).max() > 1e-3


SWIMS = zoo.SMOOTH["ellipsoids in a fluid"]


@pytest.mark.slow
@pytest.mark.parametrize("integrator", range(5), ids=("Euler", "RK4", "implicit", "implicitfast", "discrete"))
def test_of_sizes_in_a_fluid(integrator):
    """Of geoms that are taken for ellipsoids there; a changed size is felt as in MuJoCo, where masses stay."""
    mj = mujoco.MjModel.from_xml_string(SWIMS)
    mj.opt.integrator = integrator
    model, kept = load(mj), mj.geom_size.copy()
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    sim = Simulator(model, leaves="geom_size")
    state = zoo.random_state(mujoco, mj, np.random.default_rng(1), 0.5, 2.0)
    rollout = Rollout(sim, mj, state, 4, seed=1)
    assert_gradients(rollout.errors(["geom_size"]))
    assert np.abs(rollout.gradients().model["geom_size"]).max() > 1e-3
    mj.geom_size[:] = sim.params.geom_size[...] = kept * (1.3, 0.8, 1.1)
    data = mujoco.MjData(mj)
    data.qpos[:], data.qvel[:] = state[:2]
    mujoco.mj_forward(mj, data)
    sim.reset(*state[:2])
    sim.forward()
    np.testing.assert_allclose(sim.data.qfrc_passive[0], data.qfrc_passive, rtol=1e-9, atol=1e-9)
