"""Adhesion: forces, contacts within the gap and what they pull, against MuJoCo."""

import mujoco
import numpy as np
import pytest

from engine.model import ModelBuilder
from engine.model.errors import ModelError
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.reference import BEFORE_4, worst
from tests.physics.test_discrete import off_kinks
from tests.physics.test_integrators import difference


@pytest.mark.parametrize("cone", zoo.CONES)
def test_pulls_at_contacts_and_within_the_gap(simulators, cone):
    mj, sim = simulators(zoo.adhesive(f'cone="{cone}"'))
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    states, felt = [], set()
    while len(states) < 30:
        state = zoo.random_state(mujoco, mj, rng, 0.15)
        data.qpos[:] = state[0]
        mujoco.mj_forward(mj, data)
        if data.ncon:
            states.append(state)
            felt |= set(data.contact.exclude.tolist())
    assert felt == {0, 1}
    found = worst(mj, sim, states)
    print({k: float(f"{v:.1e}") for k, v in found.items()})
    assert found.pop("ncon") == 0
    assert max(v for n, v in found.items() if n not in ("qacc", "qfrc_constraint", "sensordata")) < 1e-10
    assert found["qacc"] < 1e-8 and found["qfrc_constraint"] < 1e-8 and found["sensordata"] < 1e-8


@pytest.mark.parametrize("integrator", range(5), ids=("Euler", "RK4", "implicit", "implicitfast", "discrete"))
def test_steps_are_mujocos(simulators, integrator):
    """By a force that depends on the velocity, which the implicit integrators have the slope of where M has entries and
    discrete everywhere, and beside a joint that limits what actuators do to it."""
    mj, sim = simulators(zoo.adhesive(most=".025"), integrator)
    if BEFORE_4 and integrator > 1:
        pytest.skip("slopes of limited forces, and the integrator discrete, are compared with MuJoCo 4.0 or later")
    # with islands MuJoCo ends at pulls within the gap, which join none, where discrete has their slope in its metric
    mj.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    data, cut = mujoco.MjData(mj), 0
    for state in touching(mj, 4):
        mujoco.mj_resetData(mj, data)
        data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = state
        for _ in range(5):
            mujoco.mj_forward(mj, data)
            cut += abs(data.qfrc_actuator[0]) == 0.025
            sim.reset(data.qpos, data.qvel)
            sim.data.act[0], sim.data.ctrl[0] = data.act, data.ctrl
            sim.data.qacc_warmstart[0] = data.qacc_warmstart[:] = data.qacc
            sim.step()
            mujoco.mj_step(mj, data)
            assert difference(sim, data) < 1e-9
    assert 0 < cut < 20


def touching(mj, n):
    """n states in which the box, whose force depends on its velocity, touches something."""
    rng, data, found = np.random.default_rng(0), mujoco.MjData(mj), []
    while len(found) < n:
        state = zoo.random_state(mujoco, mj, rng, 0.15)
        data.qpos[:] = state[0]
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_collision(mj, data)
        if (mj.geom_bodyid[data.contact.geom] == mj.body("box").id).any():
            found.append(state)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("integrator", (0, 2, 3, 4), ids=("Euler", "implicit", "implicitfast", "discrete"))
def test_gradients(simulators, integrator):
    mj, sim = simulators(zoo.adhesive(most=".025"), integrator)
    off_kinks(sim)
    for state in touching(mj, 3):
        rollout = Rollout(sim, mj, state, 4)
        assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if n != "dof_frictionloss"]))


def test_a_builder_has_it():
    b = ModelBuilder()
    b.body("ball")
    b.joint("ball", "f", type="free")
    b.geom("ball", type="sphere", size=0.1, mass=1.0, gap=0.1)
    b.geom("world", type="plane", size=(1, 1, 0.1))
    b.adhesion("ball", "a", gain=3, ctrlrange=(0, 1))
    m = b.compile()
    assert (m.actuator_trntype[0], m.actuator_trnid[0], m.actuator_gainprm[0, 0]) == (5, 1, 3)
    with pytest.raises(ModelError, match="ctrlrange.0. = -1; allowed: zero or more"):
        b.adhesion("ball", "b", ctrlrange=(-1, 1))
