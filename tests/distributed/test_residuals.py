"""Robots with residuals and a law of friction in Ray workers."""

import numpy as np
import pytest
import taichi as ti

ray = pytest.importorskip("ray", reason='needs Ray: pip install "pullback[ray]"')

import engine  # noqa: E402
from engine import residuals  # noqa: E402
from engine.distributed import Workers, started_ray  # noqa: E402
from tests.gradients.test_friction_law import ARM  # noqa: E402

WORLDS, STEPS = 3, 12


@pytest.fixture(scope="module", autouse=True)
def cluster():
    started_ray(2)
    yield
    ray.shutdown()


def goal(trajectory):
    return float((trajectory.qpos**2).sum()), {"qpos": 2.0 * trajectory.qpos}


@ti.func
def dragged(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, i0: ti.i32, o: ti.i32):
    v = d.qvel[w, m.residual_int[i0]]
    d.residual[o] = -m.residual_prm[p] * v * v * v


@ti.func
def dragged_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, i0: ti.i32, o: ti.i32,
                q: ti.i32, b: ti.i32):  # fmt: skip
    i = m.residual_int[i0]
    v = d.qvel[w, i]
    bar = g.residual_bar[b]
    g.residual_prm[w, p] = g.residual_prm[w, p] - bar * v * v * v
    g.qvel_bar[w, i] = g.qvel_bar[w, i] - 3.0 * bar * m.residual_prm[p] * v * v


@pytest.mark.slow
def test_workers_give_one_processs_gradient():
    model = residuals.Friction(engine.load(ARM), ["shoulder", "rail"], 0.3, 0.3, load=0.1).model
    same_as_one_process(residuals.MLP(model, ["qpos", "qvel"], ["rail"], hidden=(4,), seed=1).model)


@pytest.mark.slow
def test_a_pair_of_ones_own_reaches_the_workers():
    """Whose code no file of the robot holds: it goes there by pickle."""
    model = residuals.Own(engine.load(ARM), ["shoulder"], dragged, dragged_vjp, {"k": 2.0}, ints=[0]).model
    same_as_one_process(model)


def same_as_one_process(model):
    rng = np.random.default_rng(0)
    start = rng.uniform(-0.05, 0.05, (WORLDS, 2)), 0.3 * rng.normal(size=(WORLDS, 2))
    ctrl = rng.uniform(-1, 1, (STEPS, WORLDS, 3))
    sim = engine.Simulator(model, WORLDS)
    tape = engine.Tape(sim, STEPS)
    sim.reset(*start)
    value, bars = goal(tape.rollout(ctrl))
    grads = tape.backward(**bars)
    with Workers(model, WORLDS, STEPS, workers=2) as workers:
        ours, found = workers.gradient(lambda t: (float((t.qpos**2).sum()), {"qpos": 2.0 * t.qpos}), ctrl, *start)
    assert ours == pytest.approx(value, rel=1e-13)
    a, b = found.model["residual_prm"], grads.model["residual_prm"]
    assert np.abs(b).max() > 0
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12 * np.abs(b).max())
    np.testing.assert_allclose(found.ctrl, grads.ctrl, rtol=1e-11, atol=1e-12 * np.abs(grads.ctrl).max())
