"""Gradients of rollouts without contact against differences: every joint, spring, actuator, limit, integrator."""

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.gradients.differences import ROUNDING, STEPS, Rollout, derivative
from tests.physics.test_integrators import LONE

INTEGRATORS = pytest.mark.parametrize("integrator", range(4), ids=("Euler", "RK4", "implicit", "implicitfast"))
MODELS = {"joints that feel": zoo.SENSED, **zoo.SMOOTH, **zoo.ROWS, **zoo.EQUALITIES, "lone free bodies": LONE}
MODELS |= {**zoo.ARMS, **{f"tendon {name}": xml for name, xml in zoo.TENDONS.items()}, **zoo.TAUT}


def assert_gradients(errors, tolerance=1e-6):
    print({k: f"{v:.1e}" for k, v in errors.items()})
    bad = {k: v for k, v in errors.items() if not v < tolerance}
    assert not bad, bad


def cases(models, first):
    """Every model with every integrator. The quick tests take one for each model, in turn; the slow ones the others."""
    return pytest.mark.parametrize(("name", "integrator"), [
        pytest.param(name, k, id=f"{name}-{word}", marks=() if (i + j) % 4 == first else pytest.mark.slow)
        for i, name in enumerate(models)
        for j, (word, k) in enumerate({"Euler": 0, "RK4": 1, "implicit": 2, "implicitfast": 3}.items())
    ])  # fmt: skip


@cases(MODELS | zoo.MUSCLES, 0)
def test_random_start(simulators, name, integrator):
    mj, sim = simulators((MODELS | zoo.MUSCLES)[name], integrator)
    for steps in (1, 20):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.4)
        assert_gradients(Rollout(sim, mj, state, steps, seed=steps, applied=True).errors(leaves=True))


@cases(zoo.MOCAPS, 0)
def test_mocap_bodies(simulators, name, integrator):
    """A way of poses, of which each control step has one, that pull by equalities and push by contact."""
    mj, sim = simulators(zoo.MOCAPS[name], integrator)
    for steps, skip in ((1, 1), (6, 2)):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.03)
        assert_gradients(Rollout(sim, mj, state, steps, seed=steps, frame_skip=skip, applied=True).errors())


@cases(MODELS, 1)
def test_from_exact_rest(simulators, name, integrator):
    """qpos0, no velocity, no control. Dry friction of zero on a dof that does not accelerate has no derivative."""
    mj, sim = simulators(MODELS[name], integrator)
    state = mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), np.zeros((3, mj.nu))
    rollout = Rollout(sim, mj, state, 3)
    names = [n for n in (*rollout.inputs, *rollout.params) if n != "dof_frictionloss"]
    assert_gradients(rollout.errors(names))
    assert np.isfinite(rollout.gradients().model["dof_frictionloss"]).all()


@INTEGRATORS
def test_long_rollout(simulators, integrator):
    mj, sim = simulators(zoo.SMOOTH["chain"], integrator)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.3, 0.5)
    assert_gradients(Rollout(sim, mj, state, 200).errors())


def test_a_ball_limit_that_acts_at_angle_zero(simulators):
    """To the right along x, where the limit's axis stays, there is a derivative; to other sides the row jumps."""
    mj, sim = simulators(zoo.AT_ZERO)
    for steps in (1, 3):
        state = mj.qpos0, np.array([0.3, -0.2, 0.4]), np.zeros(0), np.zeros(0)
        rollout = Rollout(sim, mj, state, steps, applied=True)
        assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if n != "qpos0"]))
        right = np.array([1.0, 0, 0])
        adjoint, size = rollout.adjoint(rollout.gradients(), "qpos0", right)
        found, _ = derivative(rollout.along("qpos0", right), STEPS, ROUNDING * rollout.size, 1)
        assert abs(found - adjoint) < 1e-6 * max(size, rollout.size)
        assert np.abs(rollout.gradients().qpos0).max() < 1e3


@pytest.mark.parametrize("angle", (0.0, 1e-9, 1e-4, 0.3, 1.5, 3.0, 3.14))
def test_angles_of_a_ball_joint(simulators, angle):
    """Rotation vectors of springs, actuators and limits near zero and near half a turn."""
    axis = np.array([0.6, 0.0, 0.8])
    qpos = np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis])
    for xml in (zoo.SMOOTH["ball spring"], zoo.ROWS["ball limit"], zoo.SMOOTH["motor on ball"]):
        mj, sim = simulators(xml)
        state = np.concatenate([qpos, np.zeros(mj.nq - 4)]), np.full(mj.nv, 0.2), np.zeros(0), np.full(mj.nu, 0.1)
        assert_gradients(Rollout(sim, mj, state, 2).errors(["qpos0", "qvel0", "ctrl", "jnt_stiffness"]))
