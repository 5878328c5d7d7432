"""Random robots against MuJoCo: accelerations, forces, sensors, steps, and linearize; gradients of short rollouts."""

import mujoco
import numpy as np
import pytest

from engine import DivergenceError
from engine.model.sensors import ROWS
from tests import zoo
from tests.diff.test_linearize import differences, relative
from tests.gradients.differences import Rollout
from tests.physics.random_robots import Robot
from tests.physics.reference import resting_accelerometer, skip_older_rk4, worst
from tests.physics.test_integrators import run
from tests.quick import some

QUICK, SLOW = range(12), range(12, 300)
ELSEWHERE = ("distance", "image", "inside")  # levels of sensors that zoo.apart and zoo.sensing have


def kicked(mj, rng, spread, speed):
    return zoo.random_state(mujoco, mj, rng, spread, speed)


def check_motion(mj, sim, seed):
    rng = np.random.default_rng(seed)
    found = worst(mj, sim, [kicked(mj, rng, spread, 2.0) for spread in (0.05, 0.3, 1.0) for _ in range(8)], seed)
    loose = {"qacc", "qfrc_constraint", "sensordata"}
    bad = {k: v for k, v in found.items() if not v < (1e-6 if k in loose else 1e-10)}
    assert not bad, bad
    free, stepwise, _, _ = run(mj, sim, 100, rng.uniform(-1, 1, (100, mj.nu)), kicked(mj, rng, 0.1, 0.5)[:2])
    assert free < 1e-6
    assert stepwise < 1e-7


def check_linearize(mj, sim, seed):
    """Against MuJoCo's steps; where two sizes of differences disagree a contact begins or ends in between."""
    rng, data, settled = np.random.default_rng(seed), mujoco.MjData(mj), 0
    for _ in range(3):
        data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = kicked(mj, rng, 0.1, 0.5)
        for _ in range(20):
            mujoco.mj_step(mj, data)
        if data.warning.number.any():  # it went through the roof, and MuJoCo put it back, with controls of zero
            mujoco.mj_resetData(mj, data)
            continue
        state = [x.copy() for x in (data.qpos, data.qvel, data.act, data.ctrl)]
        sim.reset(*state[:2])
        sim.data.act[0], sim.data.ctrl[0] = state[2:]
        ours = np.hstack([x[0] for x in sim.linearize()])
        fine, coarse = (np.hstack(differences(mj, mujoco.MjData(mj), state, eps)) for eps in (1e-6, 3e-6))
        if relative(fine, coarse) < 1e-6:
            settled += 1
            assert relative(ours, fine) < 1e-5
    assert settled


def check_gradient(mj, sim, seed):
    """Judged where the differences are known to a tenth of the tolerance: deep contacts magnify rounding errors."""
    rng, settled = np.random.default_rng(seed), set()
    for _ in range(6):
        rollout = Rollout(sim, mj, kicked(mj, rng, 0.1, 0.3), 12, seed=seed)
        names = [n for n in (*rollout.inputs, *rollout.params) if not n.endswith("frictionloss")]
        try:
            errors = rollout.errors(names)
        except DivergenceError:  # from another start
            continue
        errors = {k: v for k, v in errors.items() if rollout.known[k] < 1e-7}
        bad = {k: v for k, v in errors.items() if not v < 1e-6}
        assert not bad, bad
        settled |= set(errors)
        if len(settled) > 6:
            return
    raise AssertionError("no start along which the loss is smooth")


def check(simulators, seed):
    mj, sim = simulators(Robot(seed).xml)
    skip_older_rk4(mj)
    check_motion(mj, sim, seed)
    check_linearize(mj, sim, seed)
    check_gradient(mj, sim, seed)


@resting_accelerometer
@pytest.mark.parametrize("seed", some(QUICK))
def test_robot(simulators, seed):
    check(simulators, seed)


@pytest.mark.slow
@resting_accelerometer
@pytest.mark.parametrize("seed", SLOW)
def test_many_robots(simulators, seed):
    check(simulators, seed)


def test_robots_use_everything():
    """Of what the engine has, the quick robots leave nothing out."""
    models = [mujoco.MjModel.from_xml_string(Robot(seed).xml) for seed in QUICK]
    joined = {name: np.concatenate([getattr(m, name) for m in models]) for name in (
        "jnt_type", "geom_type", "actuator_dyntype", "actuator_gaintype", "actuator_biastype", "sensor_type",
        "sensor_objtype", "sensor_refid", "geom_condim", "pair_dim", "exclude_signature", "site_type",
        "jnt_actfrclimited", "jnt_actgravcomp", "body_gravcomp", "tendon_limited", "tendon_actfrclimited", "eq_type",
        "actuator_trntype", "eq_active0", "eq_objtype",
    )}  # fmt: skip
    values = {name: set(np.unique(array).tolist()) for name, array in joined.items()}
    assert values["jnt_type"] == {0, 1, 2, 3}
    assert {0, 2, 3, 4, 5, 6} <= values["geom_type"]
    assert values["actuator_dyntype"] == {0, 1, 2, 3}
    assert len(values["sensor_type"]) == len(ROWS) - sum(row.level in ELSEWHERE for row in ROWS)
    dims = {1, 3, 4, 6}
    assert values["geom_condim"] == dims and values["pair_dim"] == dims and values["exclude_signature"]
    assert values["jnt_actfrclimited"] == values["jnt_actgravcomp"] == {0, 1} and len(values["body_gravcomp"]) > 9
    assert values["tendon_limited"] == values["tendon_actfrclimited"] == {0, 1} and 3 in values["actuator_trntype"]
    assert values["eq_type"] == {0, 1, 2, 3} and values["eq_active0"] == {0, 1} and len(values["eq_objtype"]) > 2
    assert any(m.jnt_stiffnesspoly.any() for m in models) and any(m.dof_dampingpoly.any() for m in models)
    assert {m.opt.integrator for m in models} == {0, 1, 2, 3, 4} and {m.opt.cone for m in models} == {0, 1}
