"""Follow: stay on a way in joint space, and at its end at a target."""

import numpy as np

from engine.clocks import times_of
from engine.objectives import Objective
from engine.objectives.objective import durations, step_duration
from engine.objectives.ready import Quantity

JOINTS, SPEED, CONTROLS = 1.0, 0.01, 0.01  # weights of the way, the velocities and the controls


class Follow(Objective):
    """Integral of JOINTS |q - q*|^2 + SPEED |v - v*|^2 + CONTROLS |(u - u*) / range|^2, and once the way has arrived of
    near |place - target|^2, of each of several points; the last row counts `last` seconds.

    way: a Way, whose `dofs` move, from time zero on: a rollout that begins later, as a plan of MPC does, follows what
    is left of it, and stays at its end. place: what `Quantity` takes, a list of such for k points, or None; target
    (3 k,) or (rows, 3 k), in which a row that is not a number asks for nothing. limits (nu,): half the range of each
    control, 1 where there is none.
    """

    def __init__(self, model, way, place, target, near, limits, last=0.1):
        self.at, self.dofs = model.jnt_qposadr[model.dof_jntid[way.dofs]], way.dofs
        places = [place] if isinstance(place, dict) else place or []
        self.way, self.quantities, self.target = way, [Quantity(model, **p) for p in places], target
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
        if self.quantities:
            weight = weight * self._near(k, step)[:, None]
        for quantity, target in self._wanted(k):
            missed = quantity.of(t) - target
            missed = np.where(np.isfinite(missed), missed, 0.0)
            bars["sensordata"] += quantity.bars(t, 2 * weight[..., None] * missed)["sensordata"]
            cost = cost + (weight * np.square(missed).sum(axis=-1)).sum(axis=0)
        return cost, bars

    def curvature(self, trajectory):
        t = trajectory
        weight, step = durations(t), step_duration(t)
        weight[-1] = self.last
        found = {name: np.zeros_like(getattr(t, name)) for name in ("qpos", "qvel", "sensordata")}
        found["qpos"][..., self.at] = 2 * JOINTS * weight[..., None]
        found["qvel"][..., self.dofs] = 2 * SPEED * weight[..., None]
        found["ctrl"] = np.broadcast_to(2 * CONTROLS * step / np.square(self.limits), t.ctrl.shape)
        k = self._rows(t, step)
        for quantity, target in self._wanted(k):
            near = (weight * self._near(k, step)[:, None])[..., None]
            found["sensordata"] += quantity.bars(t, 2 * near * np.isfinite(target))["sensordata"]
        return found

    def _wanted(self, k):
        """(Quantity, target (3,) or (rows, 1, 3)) of each point, in these rows."""
        target = np.asarray(self.target, float)
        for i, quantity in enumerate(self.quantities):
            own = target[..., 3 * i : 3 * i + 3]
            yield quantity, own[k][:, None] if own.ndim == 2 else own

    def _rows(self, t, step):
        """Which row of the way each row of a rollout is about, (rows,): by the first world's clock."""
        return np.clip(np.rint(times_of(t)[:, 0] / step).astype(int), 0, len(self.way.qpos) - 1)

    def _near(self, k, step):
        """What being near the target counts in each row, (rows,): nothing before the way has arrived."""
        return self.near * ((k * step >= self.way.arrival - 1e-9) | (k == len(self.way.qpos) - 1))
