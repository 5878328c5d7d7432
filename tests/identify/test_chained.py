"""Chains of pieces: their least squares, their clouds, and boxes through contact, which free windows do not find."""

import re
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest

import engine
from engine.identify import Log, Problem, fit
from engine.identify.chained import Chain, carried, piece
from engine.identify.smoother import smoothed

from . import boxes

STOPPED = (  # a slide that runs against a soft stop
    "<mujoco><option timestep='0.002'/><worldbody><body name='load'><joint name='x' type='slide' damping='{}' "
    "limited='true' range='-.2 .1' solreflimit='.02 .4'/><geom size='.1' mass='1'/></body></worldbody>"
    "<actuator><motor name='push' joint='x' ctrlrange='-30 30'/></actuator></mujoco>"
)
STEPS = 250


def stopped(damping=2.0, seed=0, noise=1e-4):
    """Its Log."""
    t, real = 0.002 * np.arange(STEPS), engine.load(STOPPED.format(damping))
    force = 12 * np.sin(13 * t + seed)[:, None]
    places = engine.Tape(engine.Simulator(real), STEPS).rollout(force[:, None]).qpos[:STEPS, 0]
    places = places + noise * np.random.default_rng(seed).normal(size=places.shape)
    return Log({"qpos": (t[::2], places[::2]), "ctrl": (t, force)}, "slide")


def test_pieces_have_two_samples():
    t = np.arange(0, 1, 0.008)
    assert piece([[t]], 0.002, 500) == 8 and piece([[t]], 0.002, 5) == 5
    assert piece([[t, t[::3]], [t + 0.1]], 0.002, 500) == 8
    assert piece([[0.01 * t]], 0.002, 500) == 1 and piece([[np.zeros(1)]], 0.002, 500) == 2
    pieces = SimpleNamespace(log=np.array([0, 0, 0, 1, 1]), start=np.array([0, 0.1, 0.2, 5, 5.1]), steps=50, h=0.002)
    chain = SimpleNamespace(problem=SimpleNamespace(windows=pieces), starts={"qpos": np.arange(5.0)[:, None]})
    windows = SimpleNamespace(log=np.array([0, 0, 1]), start=np.array([0.0, 0.2, 5.0]))
    assert carried(SimpleNamespace(windows=windows), chain)["qpos"].ravel().tolist() == [0.0, 2.0, 3.0]


def test_a_chain_is_the_least_squares_of_all_its_pieces():
    """Steps, covariances and what is known as a dense matrix has them; a log that is held out follows."""
    rng, W, m, n, P = np.random.default_rng(0), 7, 5, 3, 2
    value, slope = rng.normal(size=(W, m + n)), rng.normal(size=(W, m + n, P + n))
    root = rng.normal(size=(W, m + n, m + n))
    noise = root @ np.swapaxes(root, 1, 2) + np.eye(m + n)
    follows = np.array([False, True, True, False, True, False, True])
    prior, pull, weak = np.array([0.3, 0.0]), np.array([0.2, 0.0]), np.full(n, 0.1)

    def dense(which):
        A, b = np.diag(np.concatenate([prior, np.tile(weak, W)])), np.concatenate([pull, np.zeros(W * n)])
        for w in which:
            K, y, R = np.zeros((m + n, P + W * n)), value[w], noise[w]
            mine = P + n * w + np.arange(n)
            K[:, :P], K[:, mine] = slope[w, :, :P], slope[w, :, P:]
            if w + 1 < W and follows[w + 1]:
                K[m:, mine + n] = -np.eye(n)
            else:
                K, y, R = K[:m], y[:m], R[:m, :m]
            A, b = A + K.T @ np.linalg.solve(R, K), b + K.T @ np.linalg.solve(R, y)
        return A, b

    got = smoothed(value, slope, noise, follows, np.ones(W, bool), prior, pull, weak)
    A, b = dense(range(W))
    cov, x = np.linalg.inv(A), -np.linalg.solve(A, b)
    assert np.allclose(got.dp, x[:P]) and np.allclose(got.dx.ravel(), x[P:])
    assert np.allclose(got.known, np.linalg.inv(cov[:P, :P]))
    for w in range(W):
        at = np.append(np.arange(P), P + n * w + np.arange(n))
        assert np.allclose(got.covariance[w], cov[np.ix_(at, at)])
    held = smoothed(value, slope, noise, follows, np.arange(W) < 5, prior, pull, weak)
    A, b = dense(range(5))
    assert np.allclose(held.dp, -np.linalg.solve(A, b)[:P])
    A, b = dense((5, 6))
    rest = -np.linalg.solve(A[-2 * n :, -2 * n :], b[-2 * n :] + A[-2 * n :, :P] @ held.dp)
    assert np.allclose(held.dx[5:].ravel(), rest)


@pytest.fixture(scope="module")
def clouds():
    """Those of a slide in pieces of 4 steps, and the regression about its true motion."""
    log = stopped(noise=0.0)
    problem = Problem(engine.load(STOPPED.format(2)), log, ["dof_damping:x"], window=0.008, chained=True, noise=1e-4)
    chain = Chain(problem)
    tape = engine.Tape(engine.Simulator(problem.model), STEPS)
    rows = tape.rollout(log.channels["ctrl"].values[:, None])
    at = np.rint(problem.windows.start / 0.002).astype(int)
    chain.starts["qpos"][:], chain.starts["qvel"][:] = rows.qpos[at, 0], rows.qvel[at, 0]
    found = chain.clouds.regression(chain.p, chain.starts, chain.covariance, np.random.default_rng(0))
    return problem, chain, found, rows.qpos[:, 0, 0]


def test_a_cloud_has_the_derivatives_where_motion_is_smooth(clouds):
    """Away from the stop the regression is the exact Jacobian, and explains all; at the stop it explains less."""
    problem, chain, found, places = clouds
    c = chain.clouds
    problem.residuals(chain.p, chain.starts)
    exact = c.problem.residuals.jacobian()
    away = np.array([(places[4 * w : 4 * w + 5] < 0.095).all() and (places[4 * w : 4 * w + 5] > -0.195).all()
                     for w in range(c.W)])  # fmt: skip
    assert 10 < away.sum() < c.W - 10
    want = np.stack([c.spread_out([J[:, :, k] for J in exact]) for k in range(3)], axis=2) * [chain.unit[0], 1, 1]
    near = c.regression(chain.p, chain.starts, 1e-6 * chain.covariance, np.random.default_rng(0))
    size = np.abs(want).max(axis=(0, 1))
    assert np.abs((near.slope[:, : c.m] - want)[away] / size).max() < 1e-3
    assert np.abs((found.slope[:, : c.m] - want)[~away] / size).max() > 0.02
    left = np.sqrt(np.diagonal(found.omega[:, c.m :, c.m :], axis1=1, axis2=2))[:, 1]  # m/s
    assert left[~away].max() > 10 * left[away].max()


def test_a_cloud_leaves_out_what_diverges(clouds, monkeypatch):
    """Rollouts that end nowhere count as those from the middle; where all do, the error says so."""
    problem, chain, found, _ = clouds
    c = chain.clouds
    wide = chain.covariance
    with pytest.raises(engine.DivergenceError, match="rollouts about the numbers tried diverge"):
        starts = {n: a + (1e12 if n == "qvel" else 0) for n, a in chain.starts.items()}
        c.regression(chain.p, starts, wide, np.random.default_rng(0))
    dx = np.zeros((c.copies, c.W, 2))
    dx[3, 5, 1] = 1e12
    outputs, lost = c._outputs(chain.p, chain.starts, dx)
    assert np.argwhere(lost).tolist() == [[3, 5]] and np.array_equal(outputs[3, 5], outputs[0, 5])


def test_a_slide_against_its_stop_is_found(tmp_path):
    """Damping and mass, from a guess that is up to twice off; a run that was broken off ends with the same bits."""
    asked = {"chained": True, "window": 0.1, "noise": 1e-4, "held_out": 0}
    unknowns = ["dof_damping:x", "body_mass:load"]
    guess = engine.load(STOPPED.format(1).replace("mass='1'", "mass='1.5'"))
    log, rows = stopped(), []

    def stop(row):
        rows.append(row["iteration"])
        if len(rows) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(guess, log, unknowns, folder=tmp_path / "new", report=stop, **asked)
    found = fit(guess, log, unknowns, folder=tmp_path / "new", **asked)
    assert found.history[0]["iteration"] == 12 and found.converged and found.problem.windows.steps == 48
    once = fit(guess, log, unknowns, **asked)
    assert np.array_equal(once.values, found.values) and np.array_equal(once.sd, found.sd)
    again = fit(guess, log, unknowns, folder=tmp_path / "new", **asked)
    assert not again.history and np.array_equal(again.sd, found.sd) and again.runs == found.runs
    assert (np.abs(found.values - [2.0, 1.0]) < 3 * found.sd).all() and (found.sd < 0.02).all()
    (error, _), (first, _) = found.after["qpos:x"], found.before["qpos:x"]
    assert error < 1.2e-4 < first / 3 and 0.8 < found.judged.s2 < 1.25
    few = fit(guess, log, unknowns, iterations=2, **asked)
    assert not few.converged and "the search has not settled after 2 iterations" in str(few)


def test_whole_logs_are_held_out():
    """Their starts are found for the numbers of the others."""
    logs = [stopped(seed=k) for k in range(3)] + [stopped(damping=6.0, seed=3)]
    problem = Problem(engine.load(STOPPED.format(1)), logs, ["dof_damping:x"], window=0.1, chained=True, held_out=0.25)
    assert [bool(problem.used[problem.windows.log == k].all()) for k in range(4)] == [True, True, False, True]
    problem.used = problem.windows.log < 3
    chain = Chain(problem)
    chain.problem.used = problem.used
    while not chain.done:
        chain.iterate()
    sd = chain.unit / np.sqrt(chain.arrow().information()[0, 0])
    assert abs(chain.p[0] - 2.0) < 4 * sd[0] < 0.2


def test_known_starts_have_no_chain():
    case = boxes.CASES["pulled, sliding"]
    with pytest.raises(ValueError, match="chained: got windows whose starts are known"):
        fit(engine.load(boxes.model()), boxes.log(case)[0], case.unknowns, window=None, start="known", chained=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ("pulled, sliding", "pulled, tumbling", "tossed, bouncing"))
def test_boxes_are_found(name):
    """Each number within 2 % of the truth or its interval, better than by free windows."""
    case = boxes.CASES[name]
    log, _ = boxes.log(case)
    asked = {"window": 0.1, "held_out": 0}
    got = fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, chained=True, **asked)
    off = np.abs(got.values - case.values)
    assert ((off < 0.02 * np.abs(case.values)) | (off < 1.96 * got.sd)).all() and (off < 3 * got.sd).all()
    assert got.converged and got.runs < 1.5
    free = fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, **asked)
    assert np.abs(free.values / case.values - 1).max() > 2 * np.abs(got.values / case.values - 1).max()


@pytest.mark.slow
@pytest.mark.parametrize("friction, mass", ((1.0, 3.5), (0.1, 0.4)))
def test_a_chain_ends_at_the_same_numbers_whatever_the_guess(friction, mass):
    """Of a tossed box whose friction is 0.3 and mass 1.4, from guesses up to 3.5 times off."""
    case = boxes.CASES["tossed"]
    asked = {"window": 0.1, "held_out": 0, "chained": True}
    ends = [fit(engine.load(boxes.model(**(case.guess | more))), boxes.log(case)[0], case.unknowns, **asked)
            for more in ({}, {"friction": friction, "mass": mass})]  # fmt: skip
    assert (np.abs(ends[0].values - ends[1].values) < 0.4 * ends[0].sd).all() and ends[1].converged
    assert (np.abs(ends[0].sd / ends[1].sd - 1) < 0.1).all()


@pytest.mark.slow
def test_a_hopper_that_falls_is_found():
    """Dampings and the torso's mass from noisy joints, through footfalls and a fall: within 1 %, and the intervals."""
    from tests.benchmarks.common import gymnasium_asset

    mj = mujoco.MjModel.from_xml_path(gymnasium_asset("hopper"))
    guess, data, rng = engine.load(mj), mujoco.MjData(mj), np.random.default_rng(0)
    mj.dof_damping[3:], mj.body_mass[1] = (1.3, 0.7, 1.6), 1.3 * mj.body_mass[1]
    mujoco.mj_setConst(mj, data)
    mujoco.mj_resetData(mj, data)
    t = mj.opt.timestep * np.arange(1000)
    u, q = 0.35 * np.sin(2 * np.pi * np.outer(t, [1.3, 1.9, 2.3])), np.empty((1000, mj.nq))
    for k in range(1000):
        q[k], data.ctrl[:] = data.qpos, u[k]
        mujoco.mj_step(mj, data)
    log = Log({"qpos": (t[::4], q[::4] + 1e-3 * rng.normal(size=q[::4].shape)), "ctrl": (t, u)}, "hopper")
    unknowns, true = ["dof_damping:*_joint", "body_mass:torso"], [1.3, 0.7, 1.6, mj.body_mass[1]]
    got = fit(guess, log, unknowns, window=0.2, chained=True, held_out=0)
    assert (np.abs(got.values / true - 1) < 0.01).all() and (np.abs(got.values - true) < 3 * got.sd).all()
    assert got.converged and (got.sd < 0.003 * np.array(true)).all() and got.runs < 1.5


@pytest.mark.slow
def test_eight_tosses_tell_the_bounce():
    """Of which one tells 5 %."""
    from tests.benchmarks.boxes import often

    off = [float(word) for word in re.findall(r"([+-]\d+\.\d+) %", often())]
    assert len(off) == 4 and np.abs(off).max() < 2


@pytest.mark.slow
def test_masses_that_hit_each_other_are_a_ratio():
    """Nobody pulls: if all masses were twice as great, the motion would be nearly the same."""
    case = boxes.CASES["hit by a ball of 0.5 kg"]
    unknowns, model = [*case.unknowns, "body_mass:ball"], engine.load(boxes.model(**case.guess))
    got = fit(model, boxes.log(case)[0], unknowns, window=0.1, held_out=0, chained=True)
    assert abs(got.values[1] / got.values[2] / (1.3 / 0.5) - 1) < 0.02
    assert got.correlation[1, 2] > 0.9 and got.sd[1] > 0.02 * got.values[1]


def test_a_motion_is_suggested_after_a_chain():
    """As long as a window, or longer."""
    found = fit(engine.load(STOPPED.format(1)), stopped(), ["dof_damping:x"], window=0.1, chained=True, noise=1e-4)
    with pytest.raises(ValueError, match=r"seconds: got 0.05, allowed: a window \(0.096 s\)"):
        found.suggest(0.05)
    assert found.suggest(0.3, drives=1, bands=1).ctrl.shape[1] == 1
