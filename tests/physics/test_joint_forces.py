"""What a joint's limit on actuator forces and compensation of gravity do, step by step against MuJoCo."""

import mujoco
import numpy as np
import pytest

from engine.model import ModelBuilder, load
from tests import zoo
from tests.model.model_zoo import assert_same_model
from tests.physics.reference import skip_older_rk4, skip_older_slopes

NAMES = [n for n in zoo.SMOOTH if n.startswith(("gravcomp", "limits", "polynomial"))]


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
@pytest.mark.parametrize("name", NAMES)
def test_a_trajectory_is_mujocos(simulators, name, integrator):
    mj, sim = simulators(zoo.SMOOTH[name], integrator)
    skip_older_rk4(mj)
    skip_older_slopes(mj)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    qpos, qvel, act, _ = zoo.random_state(mujoco, mj, rng, 0.4)
    data.qpos[:], data.qvel[:], data.act[:] = qpos, qvel, act
    sim.reset(qpos, qvel)
    sim.data.act[0] = act
    ends = np.zeros(mj.njnt, bool)
    for step in range(200):
        data.ctrl[:] = sim.data.ctrl[0] = np.sin(0.1 * step + np.arange(mj.nu))
        mujoco.mj_step(mj, data)
        sim.step()
        for j in np.flatnonzero(mj.jnt_actfrclimited):
            ends[j] |= data.qfrc_actuator[mj.jnt_dofadr[j]] in mj.jnt_actfrcrange[j]
    for ours, theirs in ((sim.data.qpos[0], data.qpos), (sim.data.qvel[0], data.qvel), (sim.data.act[0], data.act)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8 * max(1, np.abs(theirs).max(initial=0)))
    assert not mj.nu or name.startswith(("gravcomp", "polynomial")) or ends[mj.jnt_actfrclimited == 1].all()


def test_compensated_bodies_rest(simulators):
    """A robot whose whole weight is compensated stays where it is; half of it, and it falls half as fast."""
    for share, fall in ((1.0, 0.0), (0.5, 0.5)):
        xml = zoo.model(f'<body gravcomp="{share}"><freejoint/>{zoo.BRICK}</body>')
        mj, sim = simulators(xml)
        sim.reset()
        sim.forward()
        np.testing.assert_allclose(sim.data.qacc[0, :3], fall * mj.opt.gravity, atol=1e-12)


def test_a_builder_says_it_too():
    b = ModelBuilder("arm", timestep=0.004)
    b.body("upper", pos=(0, 0, 1), gravcomp=0.5)
    b.joint("upper", "j", axis=(0, 1, 0), stiffness=(1, 2, 3), damping=(0.1, 0, 0.2), actuatorfrcrange=(-2, 1),
            actuatorgravcomp=True)  # fmt: skip
    b.geom("upper", type="capsule", size=(0.04, 0.2))
    b.motor("j", "m")
    xml = """<mujoco model="arm"><option timestep="0.004"/><worldbody><body name="upper" pos="0 0 1" gravcomp=".5">
    <joint name="j" axis="0 1 0" stiffness="1 2 3" damping=".1 0 .2" actuatorfrcrange="-2 1" actuatorgravcomp="true"/>
    <geom type="capsule" size=".04 .2"/></body></worldbody><actuator><motor name="m" joint="j"/></actuator></mujoco>"""
    assert_same_model(b.compile(), load(xml))
