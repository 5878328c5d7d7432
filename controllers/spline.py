"""Spline: smooth open-loop controls through few knots."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine import parts

from .controller import Controller, Named, whole


class Spline(Controller):
    """Cubic Hermite curve through `values[k]` at control step k * every, with Catmull-Rom tangents.

    A knot before the first or after the last one counts as equal to it; the curve stays there. nu: controls.
    knots: number of knots, see `knots_for`. every: control steps between knots. params: start values, default zero.
    """

    values = Named("controls at the knots, (knots, nu)")

    def __init__(self, nu: int, knots: int, every: int, params: ArrayLike | None = None) -> None:
        nu, self.knots = whole("Spline: nu", nu), whole("Spline: knots", knots)
        self.every = whole("Spline: every", every)
        super().__init__({"nu": nu, "knots": self.knots, "every": self.every}, {"values": (self.knots, nu)}, nu)
        if params is not None:
            self.params = params

    @staticmethod
    def knots_for(steps: int, every: Any) -> Any:
        """The fewest knots whose last one is not before the last of `steps` control steps."""
        return -(-(whole("steps", steps) - 1) // whole("every", every)) + 1

    def _parts(self, tape):
        return [parts.Part(parts.SPLINE, parts.TO_CTRL, self.nparam, size=self.knots, step=self.every)]

    def _control(self, t, time, qpos, qvel):
        k, x = t // self.every, t % self.every / self.every
        near = np.clip(np.arange(k - 1, k + 3), 0, self.knots - 1)
        x2, x3 = x * x, x * x * x
        weights = [-0.5 * x + x2 - 0.5 * x3, 1 - 2.5 * x2 + 1.5 * x3, 0.5 * x + 2 * x2 - 1.5 * x3, 0.5 * (x3 - x2)]
        return np.einsum("k,...ku->...u", weights, self.values[..., near, :])
