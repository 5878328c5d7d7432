"""External forces on bodies against MuJoCo's cfrc_ext: contacts between bodies and with the world, applied forces."""

import copy

import mujoco
import numpy as np
import pytest

from tests.physics.reference import gymnasium_asset

XML = """
<mujoco>
  <option cone="{cone}"/>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body pos="0 0 0.19"> <freejoint/> <geom type="box" size="0.3 0.3 0.2"/>
      <body pos="0.5 0 0"> <joint axis="0 1 0"/> <geom type="capsule" fromto="0 0 0 0.4 0 -0.18" size="0.05"/> </body>
    </body>
    <body pos="0.05 0.1 0.48"> <freejoint/> <geom size="0.1"/> </body>
    <body pos="0 2 1"> <freejoint/> <geom size="0.1"/> </body>
  </worldbody>
</mujoco>
"""


# A ball rests on a massless block that is fixed to the world; a limited ball joint pushes nobody.
STILL = """
<mujoco>
  <worldbody>
    <body pos="1 1 0"> <geom type="box" size="0.3 0.3 0.2" pos="0.1 0 0" mass="0"/> </body>
    <body pos="1.1 1 0.29"> <freejoint/> <geom size="0.1"/> </body>
    <body pos="0 0 2">
      <joint type="ball" range="0 10" limited="true"/>
      <geom type="capsule" fromto="0 0 0 0 0 -0.5" size="0.05" contype="0" conaffinity="0"/>
    </body>
  </worldbody>
</mujoco>
"""


def mujocos(mj, data, qpos, qvel, applied):
    data.qpos, data.qvel, data.xfrc_applied = qpos, qvel, applied
    mujoco.mj_forward(mj, data)
    mujoco.mj_rnePostConstraint(mj, data)
    return data.cfrc_ext[1:]


@pytest.mark.parametrize("heavier", [False, True])
@pytest.mark.parametrize("cone", ["pyramidal", "elliptic"])
def test_cfrc_ext(cone, heavier, simulators):
    """In both worlds, of which one is pushed; also with masses that were changed after the simulator was made."""
    mj, sim = simulators(XML.format(cone=cone), worlds=2)
    if heavier:
        mj = copy.copy(mj)
        mj.body_subtreemass[:3] += 3.0 * mj.body_mass[2]
        mj.body_mass[2] *= 4.0
        sim.params.body_mass[2] *= 4.0
    rng = np.random.default_rng(0)
    md = mujoco.MjData(mj)
    sim.reset(qvel=0.3 * rng.normal(size=(2, mj.nv)))
    sim.data.xfrc_applied[1] = rng.normal(size=(mj.nbody, 6))
    touching = 0
    for _ in range(20):
        sim.step(3)
        before = {n: getattr(sim.data, n).copy() for n in ("qpos", "qvel")}
        sim.forward()
        ours = sim.cfrc_ext()
        for w in range(2):
            theirs = mujocos(mj, md, before["qpos"][w], before["qvel"][w], sim.data.xfrc_applied[w])
            np.testing.assert_allclose(ours[w, 1:], theirs, rtol=0, atol=1e-6 * max(np.abs(theirs).max(), 1.0))
            touching += md.ncon
        assert not ours[:, 0].any()
    assert touching > 100


def test_fixed_bodies_and_limits(simulators):
    """What is fixed to the world is pushed about its own centre, massless or not; a limit is no contact with a body."""
    mj, sim = simulators(STILL)
    angle = np.radians(8.0)
    qpos = mj.qpos0.copy()
    qpos[-4:] = np.cos(angle), np.sin(angle), 0.0, 0.0
    sim.reset(qpos)
    sim.forward()
    theirs = mujocos(mj, mujoco.MjData(mj), qpos, np.zeros(mj.nv), np.zeros((mj.nbody, 6)))
    assert sim.data.ncon[0] == 2 and np.abs(theirs[0]).max() > 1.0 and not theirs[2].any()
    np.testing.assert_allclose(sim.cfrc_ext()[0, 1:], theirs, rtol=1e-9, atol=1e-9)


def test_a_world_does_not_depend_on_others(simulators):
    """Bit for bit, with contacts of several bodies of one tree and with those of several trees."""
    for xml in (XML.format(cone="elliptic"), gymnasium_asset("ant")):
        (mj, many), (_, one) = simulators(xml, worlds=3), simulators(xml)
        rng = np.random.default_rng(1)
        many.reset(qvel=0.3 * rng.normal(size=(3, mj.nv)))
        seen = 0
        for _ in range(30):
            many.step(5)
            many.data.qacc_warmstart[:] = 0.0
            state = many.data.qpos.copy(), many.data.qvel.copy()
            many.forward()
            for w in range(3):
                one.reset(state[0][w], state[1][w])
                one.forward()
                np.testing.assert_array_equal(one.cfrc_ext()[0], many.cfrc_ext()[w])
                seen += one.data.ncon[0]
        assert seen > 100
