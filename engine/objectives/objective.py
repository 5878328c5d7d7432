"""Objective: a cost of every world of a recorded rollout, with its cotangents; sums and multiples of them."""

from functools import lru_cache
from typing import Any

import numpy as np

from engine.clocks import times_of

OUTPUTS = ("qpos", "qvel", "act", "ctrl", "sensordata")


class Objective:
    """Base of all costs. A subclass gives `evaluate(trajectory) -> (cost, bars)`.

    cost: (worlds,). bars: {output: d(cost.sum())/d(output)} in the shape of trajectory.output (rows, worlds, .), for
    any subset of qpos, qvel, act, ctrl, sensordata. Cost of world k must depend on world k alone.

    Worlds may have clocks of their own: what depends on the time takes it from `engine.clocks.times_of(trajectory)`,
    (rows, worlds); `trajectory.time` (rows,) exists where all clocks agree.

    Costs over time are integrals (each row weighs the time to the next one, the last row nothing), so the cost of a
    rollout is the sum of the costs of its windows.
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(cost (worlds,), {output: bar}) of a Trajectory: what an objective of one's own defines."""
        raise NotImplementedError

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray] | None:
        """Second derivatives at a trajectory for plans (ILQR), or None where nobody states them, which costs a plan
        more evaluations: {output: d2(cost)/d(output)^2} in the outputs' shapes, of costs that couple no two numbers of
        a row. What couples numbers of different rows is left out."""
        return None

    def __call__(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(cost (worlds,), {output: bar}) of a Trajectory."""
        return self.evaluate(trajectory)

    def total(self, trajectory: Any) -> tuple[float, dict[str, np.ndarray]]:
        """(sum over worlds, bars): what `engine.gradcheck` takes as its loss."""
        cost, bars = self(trajectory)
        return float(np.sum(cost)), bars

    def __add__(self, other: "Objective") -> "Sum":
        return Sum(self, other) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, weight: float) -> "Scaled":
        real = isinstance(weight, (int, float, np.integer, np.floating)) and not isinstance(weight, bool)
        return Scaled(self, weight) if real else NotImplemented

    __rmul__ = __mul__


class Sum(Objective):
    """The sum of its members' costs; a sum of sums is one sum of all."""

    def __init__(self, *members: Objective) -> None:
        for i, m in enumerate(members):
            if not isinstance(m, Objective):
                raise ValueError(f"Sum: member {i} is {m!r}, allowed: objectives")
        self.members = [x for m in members for x in (m.members if isinstance(m, Sum) else [m])]

    def __repr__(self) -> str:
        return f"<{' + '.join(repr(m).strip('<>') for m in self.members)}>"

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        cost, total = 0.0, {}
        for m in self.members:
            c, bars = m(trajectory)
            cost = cost + c
            for name, bar in bars.items():
                total[name] = total[name] + bar if name in total else np.asarray(bar)
        return cost, total

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray] | None:
        total = {}
        for m in self.members:
            found = curvature_of(m, trajectory)
            if found is None:
                return None
            for name, curve in found.items():
                total[name] = total[name] + curve if name in total else curve
        return total


class Scaled(Objective):
    """`weight` times an objective."""

    def __init__(self, objective: Objective, weight: float) -> None:
        if not np.isfinite(weight):
            raise ValueError(f"weight of an objective: got {weight!r}, allowed: a finite number")
        self.objective, self.weight = objective, float(weight)

    def __repr__(self) -> str:
        inner = repr(self.objective).strip("<>")
        return f"<{self.weight:g} ({inner})>" if isinstance(self.objective, Sum) else f"<{self.weight:g} {inner}>"

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        cost, bars = self.objective(trajectory)
        return self.weight * cost, {n: self.weight * np.asarray(bar) for n, bar in bars.items()}

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray] | None:
        found = curvature_of(self.objective, trajectory)
        return None if found is None else {n: self.weight * curve for n, curve in found.items()}


def curvature_of(objective: Objective, trajectory: Any) -> dict[str, np.ndarray] | None:
    """`objective.curvature(trajectory)`; None where a class has changed the cost and says nothing of its curvature."""
    return objective.curvature(trajectory) if _states_curvature(type(objective)) else None


@lru_cache
def _states_curvature(kind):
    """Whether the class that has the cost has its curvature, too: asked for each member in each iteration of a plan."""
    stated, cost, call = (
        next((k for k in kind.__mro__ if n in vars(k)), None) for n in ("curvature", "evaluate", "__call__")
    )
    return stated is cost and call is Objective


def durations(trajectory):
    """Seconds that each row stands for, (rows, worlds): until the next one, and none for the last."""
    times = times_of(trajectory)
    out = np.zeros(times.shape)
    np.subtract(times[1:], times[:-1], out=out[:-1])
    return out


def step_duration(trajectory):
    """Seconds of one control step."""
    times = times_of(trajectory)[:, 0]  # the same for all worlds, whatever their clocks
    return float(times[-1] - times[0]) / len(trajectory.ctrl)
