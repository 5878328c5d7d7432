"""What losses in PyTorch and in JAX share: costs of rollouts by a function of their outputs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.model.model import Model
from engine.objectives.check import check_objective
from engine.objectives.objective import OUTPUTS, Objective


def outputs_of(trajectory: Any) -> list[np.ndarray]:
    """The arrays of a Trajectory that have cotangents, in the order of OUTPUTS."""
    return [np.asarray(getattr(trajectory, name)) for name in OUTPUTS]


def require_cost(shape: Any, worlds: int, allowed: str = "") -> None:
    """ValueError where what a loss returned is neither one number nor one for each world. allowed: what it may be."""
    if shape not in ((), (worlds,)):
        got = shape if isinstance(shape, str) else f"shape {shape}"
        raise ValueError(f"loss: f returned {got}, allowed: {allowed}() or (worlds,) = ({worlds},)")


def answer(cost: np.ndarray, bars: Mapping[str, Any]) -> tuple[Any, dict[str, np.ndarray]]:
    """(cost, cotangents) as `loss` returns them: one number is a float."""
    return cost if cost.ndim else float(cost), {name: np.asarray(bar) for name, bar in bars.items()}


class FunctionCost(Objective):
    """An objective (engine.objectives) from f(Outputs) -> (worlds,); it adds up with others and scales.

    model: whose trajectories it is for. Checked once: raises ValueError where a world's cost depends on another world
    or is not differentiable.
    """

    def __init__(self, model: Model, f: Callable[[Any], Any]) -> None:
        self.function = f
        check_objective(self, model)

    @staticmethod
    def loss(trajectory: Any, f: Callable[[Any], Any]) -> tuple[Any, dict[str, np.ndarray]]:
        """(cost, cotangents) of f."""
        raise NotImplementedError

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self.loss(trajectory, self.function)
