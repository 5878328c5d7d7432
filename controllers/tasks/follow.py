"""Follow: stay on a way in joint space, and at its end at a target."""

import numpy as np

from engine.clocks import times_of
from engine.objectives import Objective
from engine.objectives.objective import durations, step_duration
from engine.objectives.ready import Quantity

JOINTS, SPEED, CONTROLS = 1.0, 0.01, 0.01  # weights of the way, the velocities and the controls


class Follow(Objective):
    """Integral of JOINTS |q - q*|^2 + SPEED |v - v*|^2 + CONTROLS |(u - u*) / range|^2, and once the way has arrived of
    near |place - target|^2; the last row counts `last` seconds.

    way: a Way, whose `dofs` move, from time zero on: a rollout that begins later, as a plan of MPC does, follows what
    is left of it, and stays at its end. place: what `Quantity` takes, or None; target (3,) or (rows, 3), in which
    a row that is not a number asks for nothing. limits (nu,): half the range of each control, 1 where there is none.
    """

    def __init__(self, model, way, place, target, near, limits, last=0.1):
        self.at, self.dofs = model.jnt_qposadr[model.dof_jntid[way.dofs]], way.dofs
        self.way, self.quantity, self.target = way, place and Quantity(model, **place), target
        self.near, self.limits, self.last = near, limits, last

    def evaluate(self, trajectory):
        t, way = trajectory, self.way
        weight, step = durations(t), step_duration(t)
        weight[-1] = self.last
        k = self._rows(t, step)
        bars = {name: np.zeros_like(getattr(t, name)) for name in ("qpos", "qvel", "sensordata")}
        off = t.qpos[..., self.at] - way.qpos[k][:, None, self.at]
        fast = t.qvel[..., self.dofs] - way.qvel[k][:, None, self.dofs]
        cost = (weight * (JOINTS * np.square(off).sum(axis=-1) + SPEED * np.square(fast).sum(axis=-1))).sum(axis=0)
        bars["qpos"][..., self.at] = 2 * JOINTS * weight[..., None] * off
        bars["qvel"][..., self.dofs] = 2 * SPEED * weight[..., None] * fast
        u = (t.ctrl - way.ctrl[np.minimum(k[:-1], len(way.ctrl) - 1)][:, None]) / self.limits
        bars["ctrl"] = 2 * CONTROLS * step * u / self.limits
        cost = cost + CONTROLS * step * np.square(u).sum(axis=(0, 2))
        if self.quantity is None:
            return cost, bars
        weight = weight * self._near(k, step)[:, None]
        target = np.asarray(self.target, float)
        missed = self.quantity.of(t) - (target[k][:, None] if target.ndim == 2 else target)
        missed = np.where(np.isfinite(missed), missed, 0.0)
        bars["sensordata"] = self.quantity.bars(t, 2 * weight[..., None] * missed)["sensordata"]
        return cost + (weight * np.square(missed).sum(axis=-1)).sum(axis=0), bars

    def curvature(self, trajectory):
        t = trajectory
        weight, step = durations(t), step_duration(t)
        weight[-1] = self.last
        found = {name: np.zeros_like(getattr(t, name)) for name in ("qpos", "qvel", "sensordata")}
        found["qpos"][..., self.at] = 2 * JOINTS * weight[..., None]
        found["qvel"][..., self.dofs] = 2 * SPEED * weight[..., None]
        found["ctrl"] = np.broadcast_to(2 * CONTROLS * step / np.square(self.limits), t.ctrl.shape)
        if self.quantity is not None:
            k = self._rows(t, step)
            weight = (weight * self._near(k, step)[:, None])[..., None]
            wanted = np.isfinite(np.asarray(self.target, float))
            wanted = wanted[k][:, None] if wanted.ndim == 2 else wanted
            found["sensordata"] = self.quantity.bars(t, 2 * weight * wanted)["sensordata"]
        return found

    def _rows(self, t, step):
        """Which row of the way each row of a rollout is about, (rows,): by the first world's clock."""
        return np.clip(np.rint(times_of(t)[:, 0] / step).astype(int), 0, len(self.way.qpos) - 1)

    def _near(self, k, step):
        """What being near the target counts in each row, (rows,): nothing before the way has arrived."""
        return self.near * ((k * step >= self.way.arrival - 1e-9) | (k == len(self.way.qpos) - 1))
