"""PlanAndHold: the regulator it ends with, the controls that balance, its cost to go, and where it must refuse."""

import numpy as np
import pytest

import engine
import scenes
from controllers import PlanAndHold, lqr
from controllers.plan_and_hold import CostToGo, balance
from controllers.riccati import settled, uncontrolled
from engine.objectives.check import check_objective

PENDULUM, ACROBOT = scenes.load("pendulum"), scenes.load("acrobot")


@pytest.mark.parametrize("angle", [0.15, np.pi - 0.2])
def test_balance_finds_the_torque_that_carries_the_weight(angle):
    m = PENDULUM.model
    sim = engine.Simulator(m)
    ctrl, A, B, (steps, reverse) = balance(sim, [angle], 4)
    sim.reset([angle])
    sim.data.ctrl[:] = ctrl
    sim.step(4)
    assert abs(sim.data.qpos[0, 0] - angle) < 1e-12 and abs(ctrl[0]) < 1.0
    weight = 9.81 * sum(mass * (m.body_ipos[b, 2]) for b, mass in enumerate(m.body_mass) if b)
    np.testing.assert_allclose(ctrl[0] * m.actuator_gear[0, 0], -weight * np.sin(angle), rtol=1e-9)
    np.testing.assert_allclose(A, sim.linearize(4)[0][0], atol=1e-8)
    # four rounds of 2 nv copies over 4 physics steps, and a step of 4
    assert (steps, reverse) == (4 * (2 + 1) * 4, 4 * 2 * 4)


def test_the_recursion_settles_at_the_solution_of_the_riccati_equation():
    sim = engine.Simulator(ACROBOT.model)
    _, A, B, _ = balance(sim, [np.pi, 0.0], 4)
    K, P = settled(A, B, np.eye(4), np.eye(1))
    gain, value = lqr(A, B, 1.0, 1.0)
    np.testing.assert_allclose(K, gain, rtol=1e-6)
    np.testing.assert_allclose(P, value, rtol=1e-6)


def test_what_nothing_drives_leaves_the_rest_its_regulator():
    """Two poles that fall at the same rate, so that any mix of them is an eigenvector, and a motor at one of them."""
    sim = engine.Simulator(ACROBOT.model)
    _, A, B, _ = balance(sim, [np.pi, 0.0], 4)
    none = np.zeros_like(A)
    both, driven = np.block([[A, none], [none, A]]), np.concatenate([B, 0.0 * B])
    falls = uncontrolled(both, driven)
    assert falls.shape == (8, 2) and np.abs(falls[:4]).max() < 1e-9 and uncontrolled(A, B).shape == (4, 0)
    np.testing.assert_allclose(falls.T @ falls, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(falls.T @ both, falls.T @ both @ falls @ falls.T, atol=1e-9)  # they go by themselves
    K = settled(both - both @ falls @ falls.T, driven, np.eye(8), np.eye(1))[0]
    np.testing.assert_allclose(K, np.concatenate([lqr(A, B, 1.0, 1.0)[0], np.zeros((1, 4))], axis=1), atol=1e-5)


def test_cost_to_go_has_right_cotangents():
    A = np.random.default_rng(0).normal(size=(4, 4))
    check_objective(CostToGo(ACROBOT.model, [np.pi, 0.0], A @ A.T), ACROBOT.model)


def test_the_regulator_spends_what_its_cost_to_go_says():
    """Close to the top, where the robot is linear: sum of x'Qx + u'Ru along the run is x'Px at its start."""
    m, dt = ACROBOT.model, 4
    start = np.array([np.pi + 2e-5, -1e-5]), np.array([1e-5, -2e-5])
    search = PlanAndHold(m, [np.pi, 0.0], ACROBOT.objective(), 0, 500, dt, start)
    search.iterate()
    assert search.finished
    t = search.trajectory
    x = np.concatenate([t.qpos[:-1, 0] - (np.pi, 0.0), t.qvel[:-1, 0]], axis=-1)
    _, A, B, _ = balance(engine.Simulator(m), [np.pi, 0.0], dt)
    P = settled(A, B, np.eye(4), np.eye(1))[1]
    np.testing.assert_allclose((x**2).sum() + (t.ctrl**2).sum(), x[0] @ P @ x[0], rtol=1e-3)


def test_what_it_cannot_do_is_refused():
    make = {"model": PENDULUM.model, "objective": PENDULUM.objective(), "trial": 20}
    with pytest.raises(ValueError, match="goal: got shape"):
        PlanAndHold(goal=[0.0, 0.0], steps=10, **make)
    with pytest.raises(ValueError, match="steps: got 30, allowed: 0 to the trial's 20"):
        PlanAndHold(goal=[0.0], steps=30, **make)
    ball = scenes.load("ball_toss")
    with pytest.raises(ValueError, match="joint 'ball': allowed: hinge and slide"):
        PlanAndHold(ball.model, ball.qpos0, ball.objective(), 5, 10)
