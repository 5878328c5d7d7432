"""The cost of bringing a body that no actuator drives to a place, by a tool behind it."""

import numpy as np

from engine.model import ModelError
from engine.model.constants import FREE
from engine.objectives import Objective
from engine.objectives.objective import durations
from engine.objectives.ready import Quantity

SEEK = 0.1  # of the body's own weight: that of the tool's place behind it
LATER = 10.0  # s that the body's place and turn at the end count for
ARM = 0.1  # m: a turn of the body of one radian counts as much


class Bring(Objective):
    """Integral of near (|p - p*|^2 + SEEK |tool - p - behind|^2) dt, p the body's place, and for its last row, which
    counts `LATER` seconds, also of near ARM^2 |turn|^2, where `quat` is asked for, and of the body's velocity.

    The second term seeks contact: the tool's place behind the body, wherever that is. body, tool: what Quantity takes.
    place (rows, 3), or (3,): p*, not a number where nothing is asked. behind (3,), or None: no such term. dofs: the
    body's. quat (4,): of a free body, in the world; |turn| is twice the sine of half the angle.
    """

    def __init__(self, model, body, tool, place, behind, dofs, near, quat=None):
        self.body, self.tool, self.place, self.behind = Quantity(model, **body), Quantity(model, **tool), place, behind
        self.dofs, self.near, self.quat = dofs, near, None if quat is None else np.asarray(quat, float)
        j = model.dof_jntid[dofs[0]]
        self.at = int(model.jnt_qposadr[j]) + 3 + np.arange(4) if model.jnt_type[j] == FREE else None
        if quat is not None and (self.at is None or len(dofs) != 6):
            raise ModelError("--task push: --quat: allowed for a body with a free joint")

    def evaluate(self, trajectory):
        t = trajectory
        weight = durations(t)[..., None]
        weight[-1] = LATER
        where = self.body.of(t)
        place = np.asarray(self.place, float)
        off = where - (place[:, None] if place.ndim == 2 else place)
        off = np.where(np.isfinite(off), off, 0.0)
        bar = 2 * self.near * weight * off
        cost = self.near * (weight * off**2).sum(axis=(0, 2))
        bars = {"sensordata": self.body.bars(t, bar)["sensordata"], "qvel": np.zeros_like(t.qvel)}
        if self.behind is not None:
            wide = SEEK * durations(t)[..., None]
            missed = self.tool.of(t) - where - self.behind
            bar = 2 * self.near * wide * missed
            cost = cost + self.near * (wide * missed**2).sum(axis=(0, 2))
            bars["sensordata"] += self.tool.bars(t, bar)["sensordata"] - self.body.bars(t, bar)["sensordata"]
        fast = t.qvel[-1][:, self.dofs]
        cost = cost + np.square(fast).sum(axis=1)
        bars["qvel"][-1][:, self.dofs] = 2 * fast
        if self.quat is not None:
            self._turn(t, cost, bars)
        return cost, bars

    def _turn(self, t, cost, bars):
        """Adds 4 LATER near ARM^2 (1 - (q . q*)^2), which is that of twice the sine of half the angle."""
        q, k = t.qpos[-1][:, self.at], 4 * LATER * self.near * ARM**2
        size = np.sum(q * q, axis=1, keepdims=True)
        dot = (q @ self.quat)[:, None]
        cost += k * (1.0 - dot[:, 0] ** 2 / size[:, 0])
        bars["qpos"] = np.zeros_like(t.qpos)
        bars["qpos"][-1][:, self.at] = 2 * k * (dot**2 / size**2 * q - dot / size * self.quat)
