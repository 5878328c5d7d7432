"""Searches: each lowers the cost, each resumes bit for bit, also after a kill; clipping, counting, stopping."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import scenes
from controllers.optimize import AlphaOrder, FittedValue, Folder, Stop, clip_global, clip_rows, run, soften
from engine.objectives.check import check_objective
from tests.optimize.cases import MODEL, SEARCHES, SKIP, STEPS, WORLDS, problem, rows

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SEARCHES)
def test_lowers_the_cost_and_resumes_bit_for_bit(name, tmp_path):
    """Seven iterations in one go, and three, a new process' worth of new objects, and four."""
    whole = SEARCHES[name]()
    run(whole, tmp_path / "whole", Stop(iterations=7))
    run(SEARCHES[name](), tmp_path / "parts", Stop(iterations=3))
    resumed = SEARCHES[name]()
    run(resumed, tmp_path / "parts", Stop(iterations=7))
    a, b = whole.state(), resumed.state()
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=f"{name}: {key}")
    first = [json.loads(str(np.load(tmp_path / p / "checkpoint.npz")["metrics"]))[0] for p in ("whole", "parts")]
    assert first[0]["cost"] == first[1]["cost"]
    if name not in ("mpc", "backtracking"):  # whose cost grows with the time that it has run
        assert whole.best < first[0]["cost"] or whole.best == first[0]["best"] and name == "random"


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_numbers(tmp_path):
    """SIGKILL in the middle of `pullback optimize`, then --resume, against a run that was left alone."""
    command = [sys.executable, "-m", "engine.cli", "optimize", "half_cheetah", "--worlds", "2", "--seconds", "0.2",
               "--window", "0.1", "--iterations", "12", "--budget", "600", "--out"]  # fmt: skip
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    env = {**os.environ, "MPLBACKEND": "Agg"}
    process = subprocess.Popen([*command, str(killed)], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    deadline = time.time() + 300
    while not (killed / "checkpoint.npz").exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with np.load(killed / "checkpoint.npz") as state:
        assert 1 <= int(state["iteration"]) < 12
    # in processes as the killed one: kernels for the robot alone and for all features may differ in the last bit
    for out in ([str(killed), "--resume"], [str(whole)]):
        subprocess.run([*command, *out], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=True, timeout=600)
    with np.load(killed / "checkpoint.npz") as a, np.load(whole / "checkpoint.npz") as b:
        for key in set(a.files) - {"metrics"}:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_gradients_of_a_problem_are_right():
    """Against central differences of its own costs, every world by itself."""
    p, x = problem(scale=2.0), rows()
    _, grad = p.gradient(x)
    rng = np.random.default_rng(0)
    along = rng.normal(size=x.shape)
    h = 1e-5
    slope = (p.cost(x + h * along) - p.cost(x - h * along)) / (2 * h)
    np.testing.assert_allclose((grad * along).sum(axis=1), slope, rtol=1e-6)


def test_steps_are_counted_in_one_way():
    p = problem()
    p.cost(rows())
    assert (p.counter.steps, p.counter.reversed) == (WORLDS * STEPS * SKIP, 0)
    p.gradient(rows())
    assert (p.counter.steps, p.counter.reversed) == (2 * WORLDS * STEPS * SKIP, WORLDS * STEPS * SKIP)
    assert p.rollout_steps == STEPS * SKIP


def test_a_world_that_diverges_costs_infinity_and_the_others_go_on():
    p, x = problem(), rows()
    good = p.gradient(x)
    p.tape.sim.params.actuator_gear[:] = 1e14
    try:
        x[:] = 0.0
        x[1] = 1.0
        cost, grad = p.gradient(x)
    finally:
        p.tape.sim.params.actuator_gear[:] = MODEL.actuator_gear
    assert np.isinf(cost[1]) and np.isfinite(np.delete(cost, 1)).all() and not grad[1].any()
    again = p.gradient(rows())
    assert np.array_equal(good[0], again[0]) and np.array_equal(good[1], again[1])


def test_clipping_scales_and_does_not_bend():
    g = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(clip_rows(g, 1.0), [[0.6, 0.8], [0.3, 0.4], [0, 0]])
    assert clip_rows(g, None) is g
    np.testing.assert_allclose(np.linalg.norm(clip_global(g, 2.0)), 2.0)
    assert clip_global(g, 100.0) is g


def test_alpha_trusts_the_gradient_where_it_is_right_and_not_where_it_lies():
    """On a quadratic both estimates agree; where the gradient misses a jump's drift, costs decide."""
    search = AlphaOrder(problem(), sigma=0.1, seed=0)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 6))
    x = np.concatenate([1.0 + 0.1 * noise, 1.0 - 0.1 * noise])
    smooth = search.blend(noise, 0.5 * (x**2).sum(axis=1), x)
    assert search.alpha > 0.9
    np.testing.assert_allclose(smooth, np.ones(6), atol=0.05)
    steps = search.blend(noise, np.sign(x - 1.0).sum(axis=1), np.full_like(x, -50.0))  # steps up, says falling steeply
    assert search.alpha < 0.1 and (steps > 0).all()


def test_a_fitted_value_has_right_cotangents_and_fits():
    rng = np.random.default_rng(0)
    value = FittedValue(MODEL, ridge=1e-6)
    x = rng.normal(size=(200, 2))
    value.fit(x, 1.0 + x[:, 0] - 2 * x[:, 1] ** 2)
    check_objective(value, MODEL)

    class End:
        qpos, qvel = np.array([[[0.5], [-1.0]]]), np.array([[[0.2], [1.0]]])

    np.testing.assert_allclose(value(End)[0], [1 + 0.5 - 2 * 0.04, 1 - 1 - 2], atol=1e-3)


def test_softer_ground_gives_way_more():
    import engine

    hopper = scenes.load("hopper")
    depth = []
    for factor in (1.0, 4.0):
        sim = engine.Simulator(soften(hopper.model, factor))
        sim.reset(hopper.qpos0)
        deepest = 0.0
        for _ in range(20):
            sim.step(20)
            deepest = max(deepest, -sim.data.contacts()["dist"].min(initial=0.0))
        depth.append(deepest)
    assert depth[1] > 2 * depth[0] > 0
    with pytest.raises(ValueError, match="factor"):
        soften(hopper.model, 0.0)


def test_reasons_to_stop(tmp_path):
    method = SEARCHES["cem"]()
    assert run(method, tmp_path / "a", Stop(iterations=2)) == "2 iterations"
    assert run(method, tmp_path / "b", Stop(target=1e9)).startswith("target")
    assert run(method, tmp_path / "c", Stop(steps=1)).startswith("budget of 1 steps")
    assert run(method, tmp_path / "d", Stop(seconds=0.0)).startswith("budget of 0 s")
    assert "no gain" in run(SEARCHES["random"](), tmp_path / "e", Stop(plateau=1, iterations=200))
    with pytest.raises(FileNotFoundError, match="--resume"):
        Folder(tmp_path / "nothing", {}, resume=True)
