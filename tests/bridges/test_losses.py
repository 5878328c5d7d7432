"""Losses as functions of tensors and arrays: the cotangents of torch and JAX, and what they refuse. No kernel runs."""

import numpy as np
import pytest

import scenes
from engine.objectives import Effort
from engine.objectives.check import Sample


class Torch:
    def __init__(self):
        self.np = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
        from engine.torch import TorchCost, loss

        self.loss, self.cost, self.array = loss, TorchCost, self.np.as_tensor


class Jax:
    def __init__(self):
        jax = pytest.importorskip("jax", reason='needs JAX: pip install "pullback[jax]"')
        from engine.jax import JaxCost, loss

        self.np, self.loss, self.cost, self.array = jax.numpy, loss, JaxCost, jax.numpy.asarray
        self.x64 = jax.enable_x64


@pytest.fixture(params=(Torch, Jax))
def bridge(request):
    made = request.param()
    if hasattr(made, "x64"):
        with made.x64(True):
            yield made
    else:
        yield made


@pytest.fixture(scope="module")
def trajectory():
    return Sample(scenes.load("arm_reach").model, np.random.default_rng(0), 1.0)


def test_cotangents_are_those_of_the_formula(bridge, trajectory):
    weights = np.random.default_rng(1).normal(size=trajectory.qpos.shape)
    t = trajectory

    def f(out):
        assert tuple(out.times.shape) == t.qpos.shape[:2]
        return (out.qpos * bridge.array(weights)).sum() + (out.ctrl**2).sum()

    cost, bars = bridge.loss(t, f)
    assert cost == pytest.approx((weights * t.qpos).sum() + (t.ctrl**2).sum(), rel=1e-13)
    np.testing.assert_allclose(bars["qpos"], weights, rtol=1e-14)
    np.testing.assert_allclose(bars["ctrl"], 2 * t.ctrl, rtol=1e-14)
    assert not np.any(bars.get("qvel", 0.0))


def test_an_objective(bridge, trajectory):
    model = scenes.load("arm_reach").model
    objective = bridge.cost(model, lambda t: (t.sensordata[-1] ** 2).sum(-1)) + 2 * Effort()
    cost, bars = objective(trajectory)
    assert cost.shape == (2,) and bars["ctrl"].any()
    np.testing.assert_allclose(bars["sensordata"][-1], 2 * trajectory.sensordata[-1], rtol=1e-13)
    with pytest.raises(ValueError, match="changes the cost of another world"):
        bridge.cost(model, lambda t: (t.qpos[-1] ** 2).sum() + 0 * t.qpos[-1, :, 0])


@pytest.mark.parametrize("f", (lambda t: t.qpos, lambda t: t.qpos[0]))
def test_what_is_no_cost_is_refused(bridge, trajectory, f):
    with pytest.raises(ValueError, match=r"loss: f returned shape .*, allowed: .*\(worlds,\) = \(2,\)"):
        bridge.loss(trajectory, f)


def test_what_torch_cannot_differentiate(trajectory):
    bridge = Torch()
    with pytest.raises(ValueError, match="loss: f depends on none of qpos, qvel"):
        bridge.loss(trajectory, lambda t: t.times.sum())
    with pytest.raises(ValueError, match="loss: f returned float"):
        bridge.loss(trajectory, lambda t: 1.0)
    tensors = type("Tensors", (), {"qpos": bridge.np.zeros(2, 2)})
    with pytest.raises(TypeError, match="trajectory of tensors"):
        bridge.loss(tensors, lambda t: t.qpos.sum())


def test_jax_without_float64(trajectory):
    bridge = Jax()
    with bridge.x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        bridge.loss(trajectory, lambda t: t.qpos.sum())


@pytest.mark.parametrize("mode", ("no_grad", "inference_mode"))
def test_tensors_have_gradients_where_the_caller_wants_none(trajectory, mode):
    """Cotangents are asked for by name, so a loop under no_grad has them, too."""
    bridge = Torch()
    f = lambda t: t.qpos.square().sum()  # noqa: E731
    with getattr(bridge.np, mode)():
        _, bars = bridge.loss(trajectory, f)
    np.testing.assert_allclose(bars["qpos"], 2 * trajectory.qpos, rtol=1e-14)
