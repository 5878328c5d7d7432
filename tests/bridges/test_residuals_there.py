"""Residuals and a law of friction through torch and JAX: the numbers of a tape, and a user's own function."""

import numpy as np
import pytest

import engine
from engine import residuals
from engine.diff.tape import Tape
from tests.gradients.test_friction_law import ARM

STEPS = 12


@pytest.fixture(scope="module")
def taped():
    """(tape, start, controls, cotangents of qpos, rows of qpos, gradients)."""
    model = residuals.Friction(engine.load(ARM), ["shoulder", "rail"], 0.3, 0.3, load=0.1).model
    model = residuals.MLP(model, ["qpos", "qvel"], ["rail"], hidden=(4,), seed=1).model
    sim, rng = engine.Simulator(model, 2), np.random.default_rng(0)
    start = rng.uniform(-0.05, 0.05, (2, 2)), 0.3 * rng.normal(size=(2, 2))
    sim.reset(*start)
    ctrl, tape = rng.uniform(-1, 1, (STEPS, 2, 3)), Tape(sim, STEPS)
    rows = tape.rollout(ctrl)
    bar = rng.normal(size=rows.qpos.shape)
    return tape, start, ctrl, bar, rows.qpos.copy(), tape.backward(qpos=bar)


def told(taped, qpos, by_ctrl, by_prm):
    _, _, _, _, rows, grads = taped
    np.testing.assert_array_equal(qpos, rows)
    np.testing.assert_array_equal(by_ctrl, grads.ctrl)
    np.testing.assert_allclose(by_prm, grads.model["residual_prm"], rtol=1e-13, atol=0)
    assert (np.abs(by_prm) > 0).sum() > 10 and np.abs(by_prm[:6]).max() > 0


def test_torch(taped):
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
    import engine.torch

    tape, start, ctrl, bar, _, _ = taped
    ctrl, prm = (torch.tensor(a, requires_grad=True) for a in (ctrl, tape.sim.params.residual_prm))
    found = engine.torch.rollout(tape.sim, *map(torch.tensor, start), None, ctrl, params={"residual_prm": prm})
    (found.qpos * torch.tensor(bar)).sum().backward()
    told(taped, found.qpos.detach().numpy(), ctrl.grad.numpy(), prm.grad.numpy())


def test_jax(taped):
    jax = pytest.importorskip("jax", reason='needs JAX: pip install "pullback[jax]"')
    import engine.jax

    tape, start, ctrl, bar, _, _ = taped

    def loss(ctrl, prm):
        found = engine.jax.rollout(tape.sim, *start, None, ctrl, params={"residual_prm": prm})
        return (found.qpos * bar).sum(), found.qpos

    with jax.enable_x64(True):
        prm = np.array(tape.sim.params.residual_prm)
        (by_ctrl, by_prm), qpos = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(ctrl, prm)
        told(taped, np.asarray(qpos), np.asarray(by_ctrl), np.asarray(by_prm))
