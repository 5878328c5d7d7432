"""Gradients by centres of mass and principal axes, and by the frames of bodies that hang on a free body: with all
integrators, in a fluid, and beside sensors that read where mass is."""

import mujoco
import numpy as np
import pytest

from engine import Simulator, load
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

HUNG = """<mujoco><option integrator="{integrator}" timestep=".004" gravity=".3 -.2 -9.81" {fluid}/>
<default><geom contype="0"/></default><worldbody>
<body pos="0 0 1" quat=".8 .3 .1 -.4"><freejoint/><geom type="box" size=".05 .08 .06" mass=".4" pos=".02 .03 0"/>
<site name="a" pos=".1 .05 0"/><body pos=".1 .05 .2" quat=".9 .2 -.3 .1">
<geom type="capsule" size=".03 .1" mass=".3" pos="0 .05 .02" quat=".7 .1 .2 .3"/>
<body name="c" pos="-.05 .12 .1" quat=".6 .2 .5 .1">
<geom type="box" size=".02 .05 .09" mass=".2" pos=".03 0 .04" quat=".5 .1 .2 .3"/></body></body></body>
<body pos="1 0 1"><joint axis="0 1 .2" damping=".2" range="-.1 .1" limited="{limited}"/>
<geom type="box" size=".05 .1 .03" mass=".5" pos=".1 .05 0"/>
<body name="d" pos=".2 .1 0" quat=".9 .1 .2 .3"><joint type="ball" pos="0 .03 .02"/>
<geom type="box" size=".02 .05 .09" mass=".4" pos=".03 .1 .04" quat=".5 .1 .2 .3"/></body></body></worldbody>
<sensor><framepos objtype="body" objname="c"/><framequat objtype="body" objname="d"/>
<framelinvel objtype="body" objname="d" reftype="body" refname="c"/><frameangvel objtype="body" objname="c"/>
<framelinacc objtype="body" objname="d"/><frameangacc objtype="body" objname="c"/>
<framexaxis objtype="body" objname="d" reftype="body" refname="c"/><subtreecom body="d"/><subtreelinvel body="c"/>
<subtreeangmom body="d"/><e_kinetic/><e_potential/><force site="a"/><torque site="a"/></sensor></mujoco>"""
FLUID = 'density="60" viscosity=".5" wind=".4 .2 -.1"'
NAMES = "body_pos body_quat body_ipos body_iquat".split()
CASES = [
    pytest.param(n, fluid, marks=() if (n, fluid) == ("discrete", FLUID) else pytest.mark.slow, id=f"{n}-{word}")
    for n in ("Euler", "RK4", "implicit", "implicitfast", "discrete") for word, fluid in (("dry", ""), ("wet", FLUID))
]  # fmt: skip


@pytest.mark.parametrize(("integrator", "fluid"), CASES)
def test_of_what_hangs_and_what_swings(integrator, fluid):
    """A limit is felt in one of two robots, so that the integrator discrete has a constraint in its metric."""
    for limited, steps in (("false", 1), ("true", 6)):
        mj = mujoco.MjModel.from_xml_string(HUNG.format(integrator=integrator, fluid=fluid, limited=limited))
        model = load(mj)
        model.opt.tolerance, model.opt.iterations = 1e-14, 100
        sim = Simulator(model, leaves=NAMES)
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.5, 4.0)
        rollout = Rollout(sim, mj, (qpos, qvel, act, ctrl), steps, seed=steps, applied=steps > 1)
        errors = rollout.errors([*NAMES, "qpos0", "qvel0", "body_mass"])
        assert len(errors) == 7
        assert_gradients(errors)
        grads = rollout.gradients().model
        assert all(np.abs(grads[name][[2, 3]]).max(axis=1).min() > 1e-6 for name in NAMES)
        assert not grads["body_pos"][1].any()  # of a free body


def test_sensors_follow_their_inertias():
    """What reads the frame of an inertia reads that of now."""
    mj = mujoco.MjModel.from_xml_string(HUNG.format(integrator="Euler", fluid="", limited="false"))
    model, sim = load(mj), Simulator(load(mj), leaves=NAMES)
    model.body_ipos[2:] += 0.03
    sim.params.body_ipos[2:] += 0.03
    found = []
    for s in (sim, Simulator(model), Simulator(load(mj))):
        s.forward()
        found.append(s.data.sensordata.copy())
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-12)
    assert np.abs(found[0] - found[2]).max() > 1e-3
