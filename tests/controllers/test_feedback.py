"""Linear feedback in the kernel, LQR, time-varying LQR."""

import numpy as np
import pytest

import engine
import scenes
from controllers import LinearFeedback, OpenLoop, load, lqr, tvlqr
from controllers.linear_feedback import _joints
from engine.model import ModelBuilder
from engine.model.coordinates import difference, displace
from tests.controllers.test_controllers import Robot, check_twin

ROBOTS = {"hopper": 1.0, "ant": 1.7}


@pytest.fixture(scope="module")
def robots():
    return {name: Robot(name, stretch) for name, stretch in ROBOTS.items()}


def feedback(robot, rows, every, limits):
    m, rng = robot.model, np.random.default_rng(rows)
    q = displace(m, np.tile(robot.qpos[:1], (rows, 1)), 0.1 * rng.normal(size=(rows, m.nv)))
    return LinearFeedback(
        m, 0.05 * rng.normal(size=(rows, m.nu, 2 * m.nv)), q, 0.1 * rng.normal(size=(rows, m.nv)),
        ctrl=0.1 * rng.normal(size=(rows, m.nu)), every=every, limits=limits,
    )  # fmt: skip


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("rows, every", [(1, 1), (5, 4)])
@pytest.mark.parametrize("name", ROBOTS)
def test_twin_and_gradients(robots, name, rows, every, limited):
    robot = robots[name]
    limit = {"hopper": 0.04, "ant": 0.4}[name]
    limits = (-limit, 0.9 * limit) if limited else None
    controller = feedback(robot, rows, every, limits)
    tape = robot.start().tape(2)
    check_twin(tape, controller)
    if limited:
        assert tape.trajectory.ctrl.max() == 0.9 * limit and tape.trajectory.ctrl.min() == -limit
    robot.start()
    wrt = ("params", "ctrl", "qpos0", "qvel0")
    report = engine.gradcheck(tape, robot.loss, wrt, controller, directions=1, seed=3)
    verdicts = list(report.verdicts.values())
    # limits are kinks, and one of them may lie within the smallest step of a difference
    assert "wrong" not in verdicts and verdicts.count("ok") >= len(verdicts) - limited, f"\n{report}"


@pytest.mark.parametrize("name", ROBOTS)
def test_saved_and_loaded(name, tmp_path):
    m = scenes.load(name).model
    rng = np.random.default_rng(0)
    controller = LinearFeedback(m, rng.normal(size=(3, m.nu, 2 * m.nv)), every=2)
    controller.save(tmp_path / "c.npz")
    again = load(tmp_path / "c.npz")
    at = 3, 0.1, m.qpos0, rng.normal(size=m.nv)
    assert np.array_equal(again.params, controller.params)
    assert np.array_equal(again.control(*at), controller.control(*at))


def test_activations_are_part_of_the_state():
    for integrator in ("Euler", "RK4"):
        b = ModelBuilder("filtered", timestep=0.01, integrator=integrator)
        b.body("arm", pos=(0, 0, 1))
        b.joint("arm", "hinge", axis=(0, 1, 0))
        b.geom("arm", "arm", type="capsule", fromto=(0, 0, 0, 0, 0, -0.5), size=0.05)
        b.general("hinge", "muscle", gainprm=2.0, dyntype="filter", dynprm=0.1)
        m = b.compile()
        sim = engine.Simulator(m)
        tape = engine.Tape(sim, 25, frame_skip=2)
        controller = LinearFeedback(m, [[0.7, 0.2, 0.5]], [0.4], [0.1], [0.3], [0.2])
        sim.reset([0.3], [0.2])
        sim.data.act[:] = 0.1
        weights = np.random.default_rng(0).normal(size=(26, 1, 1))

        def loss(t, w=weights):
            return (w * (t.qpos + t.act**2)).sum(), {"qpos": w, "act": 2 * w * t.act}

        report = engine.gradcheck(tape, loss, ("params", "qpos0", "qvel0", "act0"), controller)
        assert report.ok, f"{integrator}\n{report}"


def test_difference_undoes_displace():
    m, rng = scenes.load("ant").model, np.random.default_rng(0)
    c = LinearFeedback(m, np.zeros((m.nu, 2 * m.nv)))._config
    q = displace(m, m.qpos0, rng.normal(size=m.nv))
    q[3:7] *= 2.5
    for size in (1e-9, 0.1, 0.8):
        way = size * rng.normal(size=m.nv)
        np.testing.assert_allclose(difference(_joints(c), q, displace(m, q, way)), way, rtol=1e-7, atol=1e-15)


def cartpole():
    scene = scenes.load("cartpole")
    sim = engine.Simulator(scene.model)
    sim.reset(scene.model.qpos0)
    A, B = sim.linearize(scene.frame_skip)
    return scene, A[0], B[0]


def test_lqr_solves_the_riccati_equation_and_balances():
    scene, A, B = cartpole()
    Q, R = np.diag([1.0, 10.0, 0.1, 0.1]), 0.1
    K, P = lqr(A, B, Q, R)
    # the value of K is x'Px: P = Q + K'RK + (A - BK)'P(A - BK)
    closed = A - B @ K
    np.testing.assert_allclose(Q + K.T * R @ K + closed.T @ P @ closed, P, rtol=1e-9, atol=1e-9)
    assert np.abs(np.linalg.eigvals(closed)).max() < 1 < np.abs(np.linalg.eigvals(A)).max()
    sim = engine.Simulator(scene.model)
    sim.reset([0.2, 0.15], [0.0, 0.0])
    t = engine.Tape(sim, 300, frame_skip=scene.frame_skip).rollout(LinearFeedback(scene.model, K))
    assert np.abs(t.qpos[-1]).max() < 0.02 and np.abs(t.ctrl).max() <= 3.0


def test_the_riccati_recursion_settles_at_the_same_gain():
    from controllers.riccati import riccati

    _, A, B = cartpole()
    K, _ = lqr(A, B, 1.0, 0.1)
    gains = riccati(np.tile(A, (400, 1, 1)), np.tile(B, (400, 1, 1)), np.eye(4), 0.1 * np.eye(1), np.eye(4))
    np.testing.assert_allclose(gains[0], K, rtol=1e-6)


def test_tvlqr_keeps_a_robot_on_its_way():
    """An open-loop swing drifts away after a push, with feedback it comes back."""
    scene, _, _ = cartpole()
    m = scene.model
    rng = np.random.default_rng(0)
    table = OpenLoop(40, 1)
    table.values = 0.1 * rng.normal(size=(40, 1))
    sim = engine.Simulator(m)
    tape = engine.Tape(sim, 40, frame_skip=1)
    sim.reset([0.0, 0.01])
    t = tape.rollout(table)
    reference = t.qpos.copy()
    tracker = tvlqr(m, t, [10.0, 10.0, 1.0, 1.0], 1e-3)
    ends = []
    for controller in (table, tracker):
        sim.reset([0.02, 0.06])
        ends.append(np.abs(tape.rollout(controller).qpos[-1] - reference[-1]).max())
    assert 5 * ends[1] < ends[0], ends
    sim.reset([0.0, 0.01])
    np.testing.assert_allclose(tape.rollout(tracker).qpos, reference, atol=1e-12)


def test_mistakes_are_named():
    m = scenes.load("cartpole").model
    _, A, B = cartpole()
    for make, message in (
        (lambda: LinearFeedback(m, np.zeros((1, 3))), r"K: got shape \(1, 1, 3\)|K: got shape \(1, 3\)"),
        (lambda: LinearFeedback(m, np.zeros((1, 4)), qpos=np.zeros(3)), "qpos: got shape"),
        (lambda: lqr(A, B, 1.0, 0.0), "positive definite"),
        (lambda: lqr(A, B * 0, 1.0, 1.0), "no stabilising solution"),
        (lambda: lqr(A[0], B, 1.0, 1.0), "allowed"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
