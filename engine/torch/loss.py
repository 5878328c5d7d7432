"""A loss of a recorded rollout as a function of tensors: PyTorch finds the cotangents that `Tape.backward` takes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from engine.clocks import times_of
from engine.objectives.function import FunctionCost, answer, outputs_of, require_cost
from engine.objectives.objective import OUTPUTS


class Outputs(NamedTuple):
    """What a loss sees of a rollout: qpos (rows, worlds, nq), qvel (rows, worlds, nv), act (rows, worlds, na), ctrl
    (steps, worlds, nu), sensordata (rows, worlds, nsensordata), times (rows, worlds; s, without gradient)."""

    qpos: torch.Tensor
    qvel: torch.Tensor
    act: torch.Tensor
    ctrl: torch.Tensor
    sensordata: torch.Tensor
    times: torch.Tensor


def loss(trajectory: Any, f: Callable[[Outputs], torch.Tensor]) -> tuple[Any, dict[str, np.ndarray]]:
    """(cost, cotangents) of a Trajectory of a Tape, by autograd.

        cost, cotangents = engine.torch.loss(tape.rollout(controls), lambda t: -t.qpos[-1, :, 0].sum())
        grads = tape.backward(**cotangents)          # by controls, start, controller, parameters of the robot

    f(Outputs) gives a tensor, a single number or one for each world. cost: the same in NumPy, a float or (worlds,).
    cotangents: d(sum of costs)/d(output), arrays in the outputs' shapes, of those that the cost depends on. Tensors of
    the caller's own in f get no gradient here. Raises TypeError for the trajectory of `engine.torch.rollout`, which
    torch differentiates by itself, ValueError where f gives something else or depends on no output.
    """
    if torch.is_tensor(trajectory.qpos):
        raise TypeError("loss: got a trajectory of tensors; allowed: one of a Tape. Call f(trajectory).backward()")
    with torch.inference_mode(False), torch.enable_grad():  # whatever the caller is about
        leaves = [torch.tensor(array, requires_grad=True) for array in outputs_of(trajectory)]
        value = f(Outputs(*leaves, torch.as_tensor(times_of(trajectory).copy())))
        shape = tuple(value.shape) if torch.is_tensor(value) else type(value).__name__
        require_cost(shape, trajectory.qpos.shape[1], "a tensor of shape ")
        if not value.requires_grad:
            raise ValueError(f"loss: f depends on none of {', '.join(OUTPUTS)}; allowed: torch operations on them")
        bars = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    return answer(value.detach().numpy(), {n: bar for n, bar in zip(OUTPUTS, bars, strict=True) if bar is not None})


class TorchCost(FunctionCost):
    """An objective (engine.objectives) from f(Outputs) -> (worlds,) in torch: see FunctionCost."""

    loss = staticmethod(loss)
