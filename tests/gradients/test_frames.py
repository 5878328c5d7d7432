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


def test_what_reads_more_of_a_site_is_refused():
    for sensor in ("touch", "force", "rangefinder"):
        text = READ.format(integrator="Euler").replace("<gyro site", f'<{sensor} name="it" site="one"/><gyro site')
        with pytest.raises(ValueError, match="got site_pos, but sensor 'it' reads more of a site than its frame"):
            Simulator(load(text), leaves="site_pos")
