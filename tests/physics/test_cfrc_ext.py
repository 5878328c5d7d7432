"""Quantities about the centre of mass of each tree against MuJoCo's: cfrc_ext (contacts between bodies and with the
world, applied forces), cinert, cvel, subtree_com."""

import copy

import mujoco
import numpy as np
import pytest

from engine.views import column
from tests.physics.reference import gymnasium_asset, skip_older_rk4

XML = """
<mujoco>
  <option cone="{cone}"/>
  <default> <geom condim="{condim}" friction="1 0.2 0.1"/> </default>
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


@pytest.mark.parametrize(("heavier", "condim"), [(False, 3), (True, 3), (False, 6)])
@pytest.mark.parametrize("cone", ["pyramidal", "elliptic"])
def test_cfrc_ext(cone, heavier, condim, simulators):
    """In both worlds, of which one is pushed; also with masses that were changed after the simulator was made."""
    mj, sim = simulators(XML.format(cone=cone, condim=condim), worlds=2)
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


# Of the only pair the first geom's body is the one that moves: a sphere comes before a box.
BLOCK = """
<mujoco>
  <worldbody>
    <geom type="box" size="0.3 0.3 0.2"/>
    <body pos="0.1 0 0.29"> <freejoint/> <geom size="0.1"/> </body>
  </worldbody>
</mujoco>
"""


def test_the_first_of_a_pair_alone_moves(simulators):
    mj, sim = simulators(BLOCK)
    qvel = np.array([0.3, 0.1, -0.2, 0.0, 0.0, 1.0])
    sim.reset(qvel=qvel)
    sim.forward()
    theirs = mujocos(mj, mujoco.MjData(mj), mj.qpos0, qvel, np.zeros((mj.nbody, 6)))
    assert theirs[0, 5] > 1.0
    np.testing.assert_allclose(sim.cfrc_ext()[0, 1:], theirs, rtol=1e-9, atol=1e-9)


def test_fixed_bodies_and_limits(simulators):
    """What is fixed to the world is pushed about its own centre, massless or not; a limit is no contact with a body."""
    mj, sim = simulators(STILL)
    angle = np.radians(8.0)
    qpos = mj.qpos0.copy()
    qpos[-4:] = np.cos(angle), np.sin(angle), 0.0, 0.0
    sim.reset(qpos)
    sim.forward()
    theirs = mujocos(mj, mujoco.MjData(mj), qpos, np.zeros(mj.nv), np.zeros((mj.nbody, 6)))
    assert column(sim.pack, sim.sizes, 1, "nblock")[0] == 2 and np.abs(theirs[0]).max() > 1.0 and not theirs[2].any()
    np.testing.assert_allclose(sim.cfrc_ext()[0, 1:], theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("robot", ["humanoid", "ant", "trees", "still"])
def test_cinert_and_cvel(robot, changed, simulators):
    """At kicked states of two worlds; also with masses and inertias that were changed in the simulator."""
    own = {"trees": XML.format(cone="elliptic", condim=3), "still": STILL}
    mj, sim = simulators(own.get(robot) or gymnasium_asset(robot), worlds=2)
    rng = np.random.default_rng(2)
    if changed:
        mj = copy.copy(mj)
        factor = rng.uniform(0.5, 2.0, mj.nbody)
        mj.body_mass[:] *= factor
        mj.body_inertia[:] *= factor[:, None]
        parents = mj.body_parentid
        mj.body_subtreemass[:] = mj.body_mass
        for b in range(mj.nbody - 1, 0, -1):
            mj.body_subtreemass[parents[b]] += mj.body_subtreemass[b]
        sim.params.body_mass[:] = mj.body_mass
        sim.params.body_inertia[:] = mj.body_inertia
    md = mujoco.MjData(mj)
    for _ in range(10):
        for w in range(2):
            md.qpos[:] = mj.qpos0
            mujoco.mj_integratePos(mj, md.qpos, rng.normal(size=mj.nv), 0.7)
            sim.data.qpos[w], sim.data.qvel[w] = md.qpos, 3.0 * rng.normal(size=mj.nv)
        sim.forward()
        com, inertia, velocity, _ = sim.com_based()
        for w in range(2):
            md.qpos[:], md.qvel[:] = sim.data.qpos[w], sim.data.qvel[w]
            mujoco.mj_forward(mj, md)
            centres = md.subtree_com[mj.body_rootid[1:]]
            for ours, theirs in ((inertia[w], md.cinert), (velocity[w], md.cvel), (com[w, 1:], centres)):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(theirs).max()))


def test_after_a_step_they_are_those_of_its_last_evaluation(simulators):
    """Of Runge-Kutta's last stage, as in MuJoCo, and not of where the step ends."""
    mj, sim = simulators(gymnasium_asset("humanoid"))
    md, rng = mujoco.MjData(mj), np.random.default_rng(3)
    skip_older_rk4(mj)
    for _ in range(40):
        sim.reset(md.qpos, md.qvel)
        md.ctrl[:] = sim.data.ctrl[0] = rng.uniform(-0.4, 0.4, mj.nu)
        sim.step()
        mujoco.mj_step(mj, md)
        mujoco.mj_rnePostConstraint(mj, md)
        com, inertia, velocity, forces = sim.com_based()
        forces = forces[0]
        for ours, theirs in ((inertia[0], md.cinert), (velocity[0], md.cvel), (com[0, 1], md.subtree_com[0])):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(forces, md.cfrc_ext, rtol=0, atol=1e-6 * max(1.0, np.abs(md.cfrc_ext).max()))
    sim.forward()
    assert np.abs(com - sim.com_based().com).max() > 1e-6


def test_held_worlds_are_not_evaluated(simulators):
    mj, sim = simulators(gymnasium_asset("ant"), worlds=3)
    sim.forward()
    before = {name: sim.pack[name].copy() for name in ("body", "dofr", "qacc_warmstart", "world_i")}
    sim.data.qpos[:, 2] += 0.5
    held = np.array([True, False, True])
    sim.forward(held)
    moved = sim.data.xpos[:, 1, 2] - before["body"].reshape(sim.data.xpos.shape[0], mj.nbody, -1, 3)[:, 1, 0, 2]
    np.testing.assert_allclose(moved, [0.0, 0.5, 0.0], atol=1e-12)
    for name, array in before.items():
        rows, now = array.reshape(3, -1), sim.pack[name].reshape(3, -1)
        np.testing.assert_array_equal(rows[held], now[held])


def test_a_world_does_not_depend_on_others(simulators):
    """Bit for bit, with contacts of several bodies of one tree and with those of several trees."""
    for xml in (XML.format(cone="elliptic", condim=3), gymnasium_asset("ant")):
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
                for alone, among in zip(one.com_based(), many.com_based(), strict=True):
                    np.testing.assert_array_equal(alone[0], among[w])
                seen += one.data.ncon[0]
        assert seen > 100
