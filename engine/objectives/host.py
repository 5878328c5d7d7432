"""A cost from a NumPy function that returns its own cotangents."""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.model import Model, require_model
from engine.objectives.check import check_objective, checked_result
from engine.objectives.objective import Objective


class HostCost(Objective):
    """`function(trajectory) -> (cost (worlds,), {output: cotangent})`, checked once against central differences.

    model: whose trajectories it is for. Raises ValueError, naming the output, when a cotangent is wrong, when a world's
    cost depends on another world, or when shapes are wrong.
    """

    def __init__(self, model: Model, function: Callable[[Any], tuple[np.ndarray, dict[str, np.ndarray]]]) -> None:
        require_model(model, "HostCost: model")
        if not callable(function):
            raise ValueError(f"HostCost: function: got {function!r}, allowed: a callable")
        self.function = function
        check_objective(self, model)

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return checked_result(self.function, trajectory)
