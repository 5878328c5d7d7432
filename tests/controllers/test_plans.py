"""iLQR and MPC: box QP and plans by their optimality conditions, a linear problem by its known solution."""

import numpy as np
import pytest

import engine
import scenes
from controllers import GNMS, ILQR, MPC, LinearFeedback
from controllers.backward import DensePass
from controllers.box_qp import box_qp, guessed
from controllers.quadratic import Quadratic
from controllers.riccati import riccati
from engine.box_ddp import BackwardPass
from engine.model import ModelBuilder
from engine.model.coordinates import displace, quaternions
from engine.objectives import ContactForceLimit, Effort, Reach, RunForward, Smoothness, Stand, Track, Walk
from engine.objectives.objective import Objective, curvature_of

PENDULUM = scenes.load("pendulum")


@pytest.mark.parametrize("seed", range(20))
def test_box_qp_meets_its_optimality_conditions(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 7)
    L = rng.normal(size=(n, n))
    H, g = L @ L.T + 0.1 * np.eye(n), 3 * rng.normal(size=n)
    lo, hi = -rng.uniform(0.05, 1, n), rng.uniform(0.05, 1, n)
    x, free = box_qp(H, g, lo, hi, np.zeros(n))
    slope = g + H @ x
    at_lo, at_hi = x <= lo, x >= hi
    assert (lo <= x).all() and (x <= hi).all()
    assert np.abs(slope[~at_lo & ~at_hi]).max(initial=0.0) < 1e-6
    assert (slope[at_lo & ~free] > -1e-9).all() and (slope[at_hi & ~free] < 1e-9).all()
    with pytest.raises(np.linalg.LinAlgError):
        box_qp(-H, g, lo, hi, np.zeros(n))
    follow = rng.normal(size=(n, 3))
    found = guessed(H, np.column_stack([g, follow]), lo, hi, rng.integers(-1, 2, n))
    assert found is not None
    np.testing.assert_allclose(found[0], x, atol=1e-7)
    held = found[2] != 0
    assert (held == ~free).all() and (found[1][held] == 0).all()
    np.testing.assert_allclose(H[np.ix_(free, free)] @ found[1][free], -follow[free], atol=1e-9)


def linear_problem(steps, nx, nu, seed=0):
    """What a backward pass takes but for limits and mu: entries of the curvature in any order, some of them twice."""
    rng, n = np.random.default_rng(seed), nx + nu
    A = np.eye(nx) + 0.1 * rng.normal(size=(steps, nx, nx))
    B, slope = rng.normal(size=(steps, nx, nu)), rng.normal(size=(steps + 1, n))
    places = [(i, i) for i in reversed(range(n))] + [(i, i // 2) for i in range(n)] + [(n - 1, 0), (0, 0)]
    curve = 0.1 * rng.normal(size=(steps + 1, len(places)))
    curve[:, :n] = rng.uniform(1.0, 2.0, size=(steps + 1, n))
    return A, B, slope, np.array(places, np.int32), curve, rng.uniform(-1, 1, size=(steps, nu))


@pytest.mark.parametrize("steps, nx, nu", [(1, 1, 1), (3, 2, 5), (6, 9, 4), (4, 14, 8), (5, 21, 13)])
def test_the_compiled_backward_pass_is_that_in_numpy(steps, nx, nu):
    """Every remainder of blocks of four; limits that hold nothing, something and nearly everything."""
    compiled, dense, problem = BackwardPass(steps, nx, nu), DensePass(steps, nx, nu), linear_problem(steps, nx, nu)
    held = []
    for lim, mu in ((np.inf, 0.0), (np.inf, 0.3), (1.5, 0.0), (1.5, 0.3), (1.01, 0.1)):
        lo, hi = np.full(nu, -lim), np.full(nu, lim)
        lo[0] = -np.inf
        k, K, promised = (a.copy() for a in compiled(*problem, lo, hi, mu))
        for got, wanted in zip((k, K, promised), dense(*problem, lo, hi, mu), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
        again = compiled(*problem, lo, hi, mu)
        assert all((a == b).all() for a, b in zip((k, K, promised), again, strict=True))
        gaps = np.random.default_rng(2).normal(size=(steps, nx))
        across = [a.copy() for a in compiled(*problem, lo, hi, mu, gaps)]
        assert not np.array_equal(across[0], k)
        for got, wanted in zip(across, dense(*problem, lo, hi, mu, gaps), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
        held.append((~K.any(axis=2)).mean())
    assert held[0] == 0.0 and (0.0 < held[-1] < 1.0 or nu < 2)


def test_a_backward_pass_says_where_nothing_is_definite():
    *problem, curve, now = linear_problem(4, 6, 3)
    for backward in (BackwardPass(4, 6, 3), DensePass(4, 6, 3)):
        assert backward(*problem, curve, now, np.full(3, -1.0), np.full(3, 1.0), 0.0) is not None
        assert backward(*problem, -curve, now, np.full(3, -1.0), np.full(3, 1.0), 0.0) is None
        assert backward(*problem, curve * np.nan, now, np.full(3, -1.0), np.full(3, 1.0), 0.0) is None


def test_newton_finds_the_limits_without_guesses():
    T, nx, nu = 6, 9, 4
    guessing, searching, problem = BackwardPass(T, nx, nu), BackwardPass(T, nx, nu), linear_problem(T, nx, nu)
    searching.guesses = 0
    for lim in (np.inf, 1.5, 1.01):
        lo, hi = np.full(nu, -lim), np.full(nu, lim)
        found = zip(searching(*problem, lo, hi, 0.1), guessing(*problem, lo, hi, 0.1), strict=True)
        for got, wanted in found:
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


def slider():
    b = ModelBuilder("slider", gravity=(0, 0, 0), timestep=0.02)
    b.body("cart")
    b.joint("cart", "x", type="slide", axis=(1, 0, 0))
    b.geom("cart", "cart", size=0.1, mass=1.0)
    b.motor("x", "force")
    return b.compile()


def test_a_linear_problem_is_solved_in_one_iteration_by_the_riccati_gains():
    m, T, dt = slider(), 30, 0.02
    objective = Reach(m, [0.0], qpos=[0]) + Effort()
    plan = ILQR(m, objective, T, 1, ([1.0], [0.5]), limits=None)
    plan.mu = 0.0
    plan.iterate()
    A, B = np.array([[1.0, dt], [0.0, 1.0]]), np.array([[dt * dt], [dt]])
    gains = riccati(np.tile(A, (T, 1, 1)), np.tile(B, (T, 1, 1)), np.diag([dt, 0.0]), dt * np.eye(1), np.diag([1.0, 0]))
    np.testing.assert_allclose(plan.K, -gains, atol=1e-5)
    x = np.array([1.0, 0.5])
    for t in range(T):
        u = -gains[t] @ x
        np.testing.assert_allclose(plan.controls[t], u, atol=1e-5)
        x = A @ x + B @ u


def test_a_finished_plan_is_optimal_within_its_limits():
    """The tape's own gradient of the objective: zero inside the limits, pushing outwards at them."""
    m, T = PENDULUM.model, 40
    objective = Reach(m, [2.0], qpos=[0], terminal=5.0) + Effort() * 0.01
    plan = ILQR(m, objective, T, 4, (PENDULUM.qpos0, PENDULUM.qvel0), tolerance=1e-12)
    for _ in range(60):
        plan.iterate()
        if plan.finished:
            break
    sim = engine.Simulator(m)
    sim.reset(PENDULUM.qpos0)
    tape = engine.Tape(sim, T, frame_skip=4)
    cost, bars = objective(tape.rollout(plan.controls))
    np.testing.assert_allclose(cost[0], plan.cost, rtol=1e-12)
    grad = tape.backward(**bars).ctrl[:, 0, 0]
    u = plan.controls[:, 0]
    at_lo, at_hi = u <= -1.0, u >= 1.0
    assert (at_lo | at_hi).any() and np.abs(u).max() <= 1.0
    size = np.abs(grad).max()
    assert (grad[at_lo] > -1e-3 * size).all() and (grad[at_hi] < 1e-3 * size).all()
    assert np.abs(grad[~at_lo & ~at_hi]).max(initial=0.0) < 0.02 * size


def test_the_quadratic_model_has_the_objectives_gradient():
    """lx, lu against the gradient that the engine returns for a rollout of no steps beyond a row: sensors included."""
    scene = scenes.load("hopper")
    m, T = scene.model, 6
    rng = np.random.default_rng(0)
    q0 = scene.qpos0.copy()
    q0[3:] = -0.3
    q0[1] -= 0.12
    sim = engine.Simulator(m)
    sim.reset(q0, 0.2 * rng.normal(size=m.nv))
    tape = engine.Tape(sim, T, frame_skip=2)
    objective = Walk(m, q0) + 1e-6 * ContactForceLimit(m, 10.0) + Reach(m, [1.0, 0, 1.0], sensor="com")
    t = tape.rollout(0.2 * rng.normal(size=(T, m.nu)))
    lx, lu, lxx, luu, lux = Quadratic(m, objective, T).expand(t)
    bars = objective(t)[1]
    first = {n: np.zeros_like(b) for n, b in bars.items()}
    for n in first:
        first[n][0] = bars[n][0]
    grads = tape.backward(**first)
    np.testing.assert_allclose(lx[0, : m.nv], grads.qpos0[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(lx[0, m.nv :], grads.qvel0[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(lu[0], grads.ctrl[0, 0], rtol=1e-5, atol=1e-7)
    assert np.linalg.eigvalsh(lxx).min() > -1e-9 and np.linalg.eigvalsh(luu).min() > -1e-9
    assert lux.shape == (T, m.nu, 2 * m.nv)


@pytest.mark.parametrize("quaternions", [False, True])
def test_a_stated_curvature_is_what_differences_say(quaternions):
    """With a free joint, whose quaternion bends, and without."""
    scene = scenes.load("quadruped" if quaternions else "hopper")
    m, T, rng = scene.model, 5, np.random.default_rng(0)
    q0 = scene.qpos0.copy()
    sim = engine.Simulator(m)
    sim.reset(q0, 0.2 * rng.normal(size=m.nv))
    t = engine.Tape(sim, T, frame_skip=2).rollout(0.2 * rng.normal(size=(T, m.nu)))
    reference = rng.normal(size=(T + 1, m.nv))
    costs = [Walk(m, q0), Walk(m, q0 - 0.05), Stand(m, q0), RunForward(m, q0), RunForward(m, q0, speed=1.0),
             Track(m, reference, qvel=slice(None)), Reach(m, q0, qpos=slice(None)) + 3.0 * Effort() + Smoothness()]
    if not quaternions:
        costs.append(1e-6 * ContactForceLimit(m, 10.0) + Reach(m, [1.0, 0, 1.0], sensor="com"))
    for cost in costs:
        assert curvature_of(cost, t) is not None
        stated, asked = Quadratic(m, cost, T), Quadratic(m, Unstated(cost), T)
        for got, wanted in zip(stated.expand(t), asked.expand(t), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8 * (1 + np.abs(wanted).max()))


class Unstated(Objective):
    def __init__(self, cost):
        self.cost = cost

    def evaluate(self, trajectory):
        return self.cost(trajectory)


def test_who_changes_a_cost_has_to_state_its_curvature_anew():
    class Louder(Effort):
        def evaluate(self, trajectory):
            cost, bars = super().evaluate(trajectory)
            return 2 * cost, {"ctrl": 2 * bars["ctrl"]}

    sim = engine.Simulator(PENDULUM.model)
    t = engine.Tape(sim, 3).rollout(np.zeros((3, 1)))
    assert curvature_of(Effort(), t) is not None
    assert curvature_of(Louder(), t) is None and curvature_of(Effort() + 2.0 * Louder(), t) is None


def test_mpc_runs_and_its_controller_runs_the_same_again():
    m = PENDULUM.model
    objective = Reach(m, [0.25], qpos=[0], running=5.0) + 0.1 * Reach(m, [0.0], qvel=[0]) + Effort() * 0.01
    mpc = MPC(m, objective, 20, 48, 2, every=4, start=(PENDULUM.qpos0, PENDULUM.qvel0))
    while not mpc.finished:
        mpc.iterate()
    assert mpc.done_qpos.shape == (49, 1) and len(mpc.controller().K) == 48
    assert abs(mpc.done_qpos[-1, 0] - 0.25) < 0.05
    sim = engine.Simulator(m)
    sim.reset(PENDULUM.qpos0)
    again = engine.Tape(sim, 48, frame_skip=2).rollout(mpc.controller())
    np.testing.assert_allclose(again.qpos[:, 0], mpc.done_qpos, atol=1e-9)


@pytest.mark.parametrize("named, tried", [({}, 1), ({"searches": 3}, 3), ({"together": (1,), "searches": 2}, 2)])
def test_an_iteration_of_mpc_takes_no_longer_than_it_is_allowed(monkeypatch, named, tried):
    """Where no step gains anything, so many line searches are made, of so many steps."""
    m, lengths = PENDULUM.model, []
    mpc = MPC(m, Effort() + Reach(m, [0.25], qpos=[0]), 6, 6, start=(PENDULUM.qpos0, PENDULUM.qvel0), **named)
    mpc.planner.rollout()

    def no_gain(controls, K):
        lengths.append(len(controls))
        return np.full(len(controls), np.inf), None, None

    monkeypatch.setattr(mpc.planner, "_try", no_gain)
    mpc.planner.iterate()
    assert lengths == tried * list(named.get("together", (1, 3)))


def test_mistakes_are_named():
    m = PENDULUM.model
    with pytest.raises(ValueError, match="controls: got shape"):
        ILQR(m, Effort() + Smoothness(), 5, controls=np.zeros((4, 1)))
    with pytest.raises(ValueError, match="every: got 9"):
        MPC(m, Effort(), 5, 20, every=9)


# ------------------------------------------------------------------------------------------------ multiple shooting


def gapped(m, interval, steps=6, seed=0):
    """A plan of GNMS whose nodes are no motion, after its intervals have run."""
    rng = np.random.default_rng(seed)
    qpos = displace(m, np.tile(m.qpos0, (steps + 1, 1)), 0.2 * rng.normal(size=(steps + 1, m.nv)))
    nodes = qpos, 0.3 * rng.normal(size=(steps + 1, m.nv))
    controls = 0.3 * rng.normal(size=(steps, m.nu))
    objective = Reach(m, m.qpos0, qpos=slice(None)) + Effort()
    start = nodes[0][0], nodes[1][0]
    plan = GNMS(m, objective, steps, 2, start, controls, limits=None, nodes=nodes, interval=interval)
    plan._shoot_nodes()
    return plan


@pytest.mark.parametrize("interval", [1, 2])
def test_the_model_of_a_gap_is_its_derivative(interval):
    """A node after a gap and the states before it, moved: central differences against A, B and the identity."""
    m = scenes.load("quadruped").model
    plan, rng = gapped(m, interval), np.random.default_rng(1)
    node = plan.node
    ends = [(t + 1) % interval == 0 and t < 5 for t in range(6)]
    assert node.apart > 0.1 and (np.abs(node.gaps).max(axis=1) > 0).tolist() == ends
    A, B = plan._linearize_at(node)
    dx = np.zeros((7, 2 * m.nv))
    dx[::interval] = rng.normal(size=dx[::interval].shape)
    du = rng.normal(size=(6, m.nu))
    for t in range(6):
        if (t + 1) % interval:
            dx[t + 1] = A[t] @ dx[t] + B[t] @ du[t]
    wanted = [A[t] @ dx[t] + B[t] @ du[t] - dx[t + 1] for t in range(5)]
    found = []
    for h in (1e-5, -1e-5):
        moved = plan._moved(h * dx, h * du)
        found.append(plan._shoot([moved], moved, None)[0].gaps)
    got, far = (found[0] - found[1]) / 2e-5, []
    for t in range(interval - 1, 5, interval):
        for c in quaternions(m):  # to first order the gap's own axes: log(exp(-d) exp(f) exp(e))
            at = slice(c.dofadr, c.dofadr + 3)
            wanted[t][at] = left_inverse(node.gaps[t, at]) @ wanted[t][at]
        far.append(np.abs(got[t] - wanted[t]).max() / np.abs(wanted[t]).max())
    assert max(far) < 1e-6


def left_inverse(f):
    """J_l(f)^-1 of a rotation vector."""
    S = np.array([[0, -f[2], f[1]], [f[2], 0, -f[0]], [-f[1], f[0], 0]])
    a = np.linalg.norm(f)
    return np.eye(3) - 0.5 * S + (1 / a**2 - (1 + np.cos(a)) / (2 * a * np.sin(a))) * S @ S


def test_a_linear_problem_with_gaps_is_solved_in_one_iteration():
    m, T = slider(), 30
    objective = Reach(m, [0.0], qpos=[0]) + Effort()
    plans = [ILQR(m, objective, T, 1, ([1.0], [0.5]), limits=None)]
    for interval in (1, 7, T):
        nodes = np.linspace(1.0, -2.0, T + 1)[:, None], np.full((T + 1, 1), 0.7)
        plans.append(GNMS(m, objective, T, 1, ([1.0], [0.5]), limits=None, nodes=nodes, interval=interval))
    for plan in plans:
        plan.mu = 0.0
        plan.iterate()
        np.testing.assert_allclose(plan.controls, plans[0].controls, atol=1e-8)
        np.testing.assert_allclose(plan.K, plans[0].K, atol=1e-8)
    assert plans[1].gap < 1e-9 and plans[1].held


def test_one_interval_is_single_shooting():
    m, T = PENDULUM.model, 40
    objective = Reach(m, [2.0], qpos=[0], terminal=5.0) + Effort() * 0.01
    start, controls = (PENDULUM.qpos0, PENDULUM.qvel0), 0.1 * np.ones((T, 1))
    single = ILQR(m, objective, T, 4, start, controls)
    whole = GNMS(m, objective, T, 4, start, controls, interval=T)
    for _ in range(3):
        assert single.iterate()["cost"] == whole.iterate()["cost"]
    assert np.array_equal(single.K, whole.K)


def two_poles():
    """A cart with a pole, and a pole on that; both hang where their hinges are at zero."""
    b = ModelBuilder("two_poles", timestep=0.005, integrator="RK4")
    b.body("cart")
    b.joint("cart", "x", type="slide", axis=(1, 0, 0), damping=0.1)
    b.geom("cart", "cart", size=0.1, mass=1.0, contype=0, conaffinity=0)
    for name, parent, z in (("lower", "cart", 0.0), ("upper", "lower", -0.6)):
        b.body(name, parent, pos=(0, 0, z))
        b.joint(name, f"{name}_hinge", axis=(0, 1, 0), damping=0.002)
        b.geom(name, name, type="capsule", fromto=(0, 0, 0, 0, 0, -0.6), size=0.02, mass=0.2, contype=0, conaffinity=0)
    b.motor("x", "force", ctrlrange=(-1, 1), gear=20.0)
    return b.compile()


def test_multiple_shooting_balances_two_poles_that_single_shooting_lets_fall():
    """Two seconds, in which what is off grows a millionfold: without the gaps' price, or with one linear model for all
    lengths of a step, it takes hardly a step."""
    m, T, skip = two_poles(), 100, 4
    goal, start = np.array([0.0, np.pi, 0.0]), np.array([0.3, np.pi + 0.15, -0.1])
    objective = 10 * Reach(m, goal, qpos=slice(None), running=0.1, terminal=10) + 0.01 * Effort()
    objective = objective + Reach(m, np.zeros(3), qvel=slice(None), running=0.0)
    nodes = start + np.linspace(0.0, 1.0, T + 1)[:, None] * (goal - start), np.zeros((T + 1, 3))
    for seed in range(2):
        controls = 0.1 * np.random.default_rng(seed).normal(size=(T, 1))
        plans = [ILQR(m, objective, T, skip, (start, np.zeros(3)), controls),
                 GNMS(m, objective, T, skip, (start, np.zeros(3)), controls, nodes=nodes)]  # fmt: skip
        for plan in plans:
            while plan.iteration < 12:
                plan.iterate()
        single, multiple = plans
        assert multiple.cost < 0.3 < 100.0 < single.cost
        assert np.abs(multiple.trajectory.qpos[-1, 0] - goal).max() < 0.05


def test_a_plan_that_is_run_again_has_the_bits_of_a_rollout_and_no_gradient():
    m, T = PENDULUM.model, 12
    sim = engine.Simulator(m)
    sim.reset(PENDULUM.qpos0)
    tape = engine.Tape(sim, T, frame_skip=2)
    feedback = LinearFeedback(m, np.tile([[-0.3, -0.1]], (T, 1, 1)), PENDULUM.qpos0 + 0.4)
    first = tape.rollout(feedback)
    sim.reset(PENDULUM.qpos0)
    again = tape.again()
    for name in ("qpos", "qvel", "ctrl", "times"):
        assert np.array_equal(getattr(again, name), getattr(first, name)), name
    with pytest.raises(engine.StaleTapeError, match="no finished rollout"):
        tape.backward(qpos=np.zeros_like(again.qpos))


@pytest.mark.slow
def test_multiple_shooting_swings_a_double_pendulum_up():
    """Along the straight way, which its weak motors cannot follow: runs of the plan are good before its gaps close."""
    scene = scenes.load("double_pendulum")
    m, T, skip, goal = scene.model, 100, 4, np.array([np.pi, 0.0])
    objective = 10 * Reach(m, goal, qpos=slice(None), running=0.1, terminal=10) + 0.01 * Effort()
    objective = objective + Reach(m, np.zeros(2), qvel=slice(None), running=0.0)
    way = np.linspace(0.0, 1.0, T + 1)[:, None] * goal
    nodes = way, np.tile(goal / (T * skip * m.opt.timestep), (T + 1, 1))
    controls = 0.1 * np.random.default_rng(0).normal(size=(T, m.nu))
    plans = [ILQR(m, objective, T, skip, (scene.qpos0, scene.qvel0), controls),
             GNMS(m, objective, T, skip, (scene.qpos0, scene.qvel0), controls, nodes=nodes)]  # fmt: skip
    for plan in plans:
        while plan.iteration < 60:
            plan.iterate()
    single, multiple = plans
    assert multiple.held and multiple.cost < 10.0 < single.cost


@pytest.mark.slow
def test_multiple_shooting_swings_an_acrobot_up_in_fewer_iterations():
    """From the straight way to the top, which is no motion; single shooting is still far away by then."""
    scene = scenes.load("acrobot")
    m, T, skip = scene.model, 100, 4
    goal = np.array([np.pi, 0.0])
    objective = 10 * Reach(m, goal, qpos=slice(None), running=0.1, terminal=10) + 0.01 * Effort()
    objective = objective + Reach(m, np.zeros(2), qvel=slice(None), running=0.0)
    way = np.linspace(0.0, 1.0, T + 1)[:, None] * goal
    nodes = way, np.tile(goal / (T * skip * m.opt.timestep), (T + 1, 1))
    controls = 0.1 * np.random.default_rng(0).normal(size=(T, 1))
    plans = [ILQR(m, objective, T, skip, (scene.qpos0, scene.qvel0), controls),
             GNMS(m, objective, T, skip, (scene.qpos0, scene.qvel0), controls, nodes=nodes)]  # fmt: skip
    for plan in plans:
        while plan.iteration < 50:
            plan.iterate()
    single, multiple = plans
    assert multiple.held and multiple.cost < 30.0 < 60.0 < single.cost
    sim = engine.Simulator(m)
    sim.reset(scene.qpos0, scene.qvel0)
    again = engine.Tape(sim, T, frame_skip=skip).rollout(multiple.controller())
    np.testing.assert_allclose(again.qpos, multiple.trajectory.qpos, atol=1e-7)
