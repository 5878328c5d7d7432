"""Costs of robots on legs: run forward, stand."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.model import Model, ModelError, require_model
from engine.model.constants import FREE, HINGE, SLIDE
from engine.objectives.objective import Objective, durations, step_duration

SIZE = 1.2  # m, the height of the robot that the weights of Walk are for


@dataclass
class Root:
    """Where the state keeps what running is about: indices into qpos and qvel, -1 where the robot has none."""

    x: int
    vx: int
    z: int
    tilt: list = field(default_factory=list)  # entries of qpos that are 0 when the trunk is as it started


def find_root(model: Model, doing: str = "running") -> Any:
    """The forward, height and tilt coordinates of the first moving body (a free joint, or slides and hinges).

    Raises ModelError where there is none; `doing` is what it says that this is needed for.
    """
    for b in range(1, require_model(model).nbody):
        j0, n = model.body_jntadr[b], model.body_jntnum[b]
        joints = range(j0, j0 + n)
        if n and model.jnt_type[j0] == FREE:
            q, v = int(model.jnt_qposadr[j0]), int(model.jnt_dofadr[j0])
            return Root(q, v, q + 2, [q + 4, q + 5])
        root = Root(-1, -1, -1)
        for j in joints:
            axis, q = model.jnt_axis[j], int(model.jnt_qposadr[j])
            if model.jnt_type[j] == SLIDE and abs(axis[0]) > 0.99:
                root.x, root.vx = q, int(model.jnt_dofadr[j])
            elif model.jnt_type[j] == SLIDE and abs(axis[2]) > 0.99:
                root.z = q
            elif model.jnt_type[j] == HINGE:
                root.tilt.append(q)
        if root.x >= 0:
            return root
    raise ModelError(f"{doing} needs a body with a free joint or a slide joint along x; this model has none")


class RunForward(Objective):
    """Run along +x on one's feet. Cost of a rollout, in metres where the weights are 1:

        - distance, or with `speed` (m/s) the integral of speed (vx / speed - 1)^2 dt
        + integral of  tilt max(|tilt| - 0.3, 0)^2 + height max(low - z, 0)^2 + effort sum u^2  dt
        - momentum vx at the end (what the rest of the run is worth; for windows of a longer rollout)

    low is 60 % of the start's height, or 0.25 below it where that is more. `fall` = (angle, drop, price): a world
    whose tilt went beyond `angle` or whose height sank by more than `drop` (share of the start's height) has fallen;
    from that row on it earns nothing and pays `price` per second, so that toppling forward is worth no more than the
    way until then. A world that has fallen at row 0 pays for all of the window. tilt: a planar robot's pitch, rad, or
    of a free joint the quaternion's x and y (sin of half the angle) from the start's; units of the weights follow.
    """

    def __init__(
        self, model: Model, qpos0: ArrayLike | None = None, *, speed: float | None = None, tilt: float = 6.0,
        height: float = 20.0, effort: float = 0.04, momentum: float = 0.3,
        fall: tuple[float, float, float] | None = None,
    ) -> None:  # fmt: skip
        self.root = find_root(model)
        self.qpos0 = np.array(model.qpos0 if qpos0 is None else qpos0, float)
        self.tilt, self.height, self.effort, self.momentum = tilt, height, effort, momentum
        if speed is not None and not speed > 0:
            raise ValueError(f"RunForward: speed: got {speed!r}, allowed: a positive number, or None")
        self.speed, self.fall = speed, fall

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        q, v, root = trajectory.qpos, trajectory.qvel, self.root
        bars = {"qpos": np.zeros_like(q), "qvel": np.zeros_like(v)}
        up = self.upright(q)
        cost = self._advance(trajectory, up, bars)
        last = up[-1] * self.momentum
        cost = cost - last * v[-1, :, root.vx]
        bars["qvel"][-1, :, root.vx] -= last
        weight = durations(trajectory) * up
        for i in root.tilt:
            tilt = q[:, :, i] - self.qpos0[i]
            over = np.maximum(np.abs(tilt) - 0.3, 0.0)
            cost = cost + self.tilt * (weight * over**2).sum(axis=0)
            bars["qpos"][:, :, i] += 2 * self.tilt * weight * over * np.sign(tilt)
        if root.z >= 0:
            low = np.maximum(self._low() - q[:, :, root.z], 0.0)
            cost = cost + self.height * (weight * low**2).sum(axis=0)
            bars["qpos"][:, :, root.z] -= 2 * self.height * weight * low
        if self.fall:
            cost = cost + self.fall[2] * (durations(trajectory) - weight).sum(axis=0)
        effort = self.effort * step_duration(trajectory)
        bars["ctrl"] = 2 * effort * trajectory.ctrl
        return cost + effort * np.square(trajectory.ctrl).sum(axis=(0, 2)), bars

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        q, root = trajectory.qpos, self.root
        found = {n: np.zeros_like(getattr(trajectory, n)) for n in ("qpos", "qvel", "ctrl")}
        weight = durations(trajectory) * self.upright(q)
        for i in root.tilt:
            found["qpos"][:, :, i] += 2 * self.tilt * weight * (np.abs(q[:, :, i] - self.qpos0[i]) > 0.3)
        if root.z >= 0:
            found["qpos"][:, :, root.z] += 2 * self.height * weight * (q[:, :, root.z] < self._low())
        if self.speed is not None:
            found["qvel"][:, :, root.vx] += 2 / self.speed * weight
        found["ctrl"] += 2 * self.effort * step_duration(trajectory)
        return found

    def _low(self):
        """m, above which height costs nothing."""
        z0 = self.qpos0[self.root.z]
        return z0 - max(0.4 * abs(z0), 0.25)

    def _advance(self, trajectory, up, bars):
        """Cost of the way made on one's feet; adds its cotangents."""
        x, vx = trajectory.qpos[:, :, self.root.x], trajectory.qvel[:, :, self.root.vx]
        if self.speed is None:
            bars["qpos"][1:, :, self.root.x] -= up[:-1]
            bars["qpos"][:-1, :, self.root.x] += up[:-1]
            return -(up[:-1] * np.diff(x, axis=0)).sum(axis=0)
        weight = durations(trajectory) * up
        short = vx / self.speed - 1.0
        bars["qvel"][:, :, self.root.vx] += 2 * weight * short
        return (self.speed * weight * short**2).sum(axis=0)

    def upright(self, qpos: ArrayLike) -> Any:
        """1 where a world has not fallen until then, else 0; (rows, worlds) from qpos (rows, worlds, nq)."""
        up = np.ones(qpos.shape[:2], bool)
        if self.fall:
            angle, drop, _ = self.fall
            for i in self.root.tilt:
                up &= np.abs(qpos[:, :, i] - self.qpos0[i]) < angle
            if self.root.z >= 0:
                z0 = self.qpos0[self.root.z]
                up &= z0 - qpos[:, :, self.root.z] < drop * max(abs(z0), 0.25)
        return np.logical_and.accumulate(up, axis=0).astype(float)

    def distance(self, trajectory: Any) -> np.ndarray:
        """Way made on one's feet, m, (worlds,)."""
        up = self.upright(trajectory.qpos)
        return (up[:-1] * np.diff(trajectory.qpos[:, :, self.root.x], axis=0)).sum(axis=0)


class Stand(Objective):
    """Stand still in a pose: integral over time of

        height (z - z0)^2 + tilt (tilt - tilt0)^2 + pose sum (q - q0)^2 + velocity sum v^2 + effort sum u^2

    pose: over the hinge and slide joints but the root's own (rad, m). z, tilt: as in RunForward. Where the robot
    stands along x and y, and its heading, are free. qpos0: the pose, default the model's. last: seconds that the final
    state counts for, in place of what comes after (for plans).
    """

    doing = "standing"

    def __init__(
        self, model: Model, qpos0: ArrayLike | None = None, *, height: float = 10.0, tilt: float = 10.0,
        pose: float = 1.0, velocity: float = 0.1, effort: float = 0.001, last: float = 0.0,
    ) -> None:  # fmt: skip
        self.root = root = find_root(model, self.doing)
        self.target = np.array(model.qpos0 if qpos0 is None else qpos0, float)
        self.weight, self.v_target = np.zeros(model.nq), np.zeros(model.nv)
        self.weight[model.jnt_qposadr[np.isin(model.jnt_type, (HINGE, SLIDE))]] = pose
        self.weight[[root.x, *root.tilt]] = 0.0
        self.weight[root.tilt] = tilt
        if root.z >= 0:
            self.weight[root.z] = height
        self.v_weight, self.effort, self.last = np.full(model.nv, float(velocity)), effort, last

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        dt, step = durations(trajectory)[..., None], step_duration(trajectory)
        dt[-1] = self.last
        error, off = trajectory.qpos - self.target, trajectory.qvel - self.v_target
        u, slope = self.controls(trajectory.ctrl)
        cost = (dt * (self.weight * error**2)).sum(axis=(0, 2)) + (dt * (self.v_weight * off**2)).sum(axis=(0, 2))
        cost = cost + self.effort * step * np.square(u).sum(axis=(0, 2))
        bars = {"qpos": 2 * dt * self.weight * error, "qvel": 2 * dt * self.v_weight * off,
                "ctrl": 2 * self.effort * step * u * slope}  # fmt: skip
        return cost, bars

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        dt, step = durations(trajectory)[..., None], step_duration(trajectory)
        dt[-1] = self.last
        slope = self.controls(trajectory.ctrl)[1]
        return {"qpos": 2 * dt * self.weight, "qvel": 2 * dt * self.v_weight,
                "ctrl": np.broadcast_to(2 * self.effort * step * slope * slope, trajectory.ctrl.shape)}  # fmt: skip

    def controls(self, ctrl: Any) -> Any:
        """What effort counts of the controls, and its slope."""
        return ctrl, 1.0


class Walk(Stand):
    """Go along +x at `speed` (m/s), upright: Stand's cost, with these in place of those of the root's velocities and of
    the controls:

        forward (vx - speed)^2 + root sum (the root's other velocities)^2 + barrier max(low - z, 0)^2
        + effort sum ((u - ctrl0) / ctrl_scale)^2

    Quadratic, so iLQR and MPC can follow it; how the legs do it is left to them. qpos0: the pose in which it stands on
    the ground, `size` (m) the height of the root above the ground then, default the z of qpos0; ctrl0, ctrl_scale
    (nu,): the controls that cost nothing, and their unit. z is wanted (1 - crouch) size lower than in qpos0, should not
    be lower than by (1 - least) size, and may be higher, which costs `above` times as much as lower. `velocity` counts
    the joints below the root only. Other weights as in Stand, for a robot of a size of 1.2 m: those of height and
    barrier grow with 1 / size^2 and that of forward with 1 / size, so that small robots walk as large ones do.
    """

    doing = "walking"

    def __init__(
        self, model: Model, qpos0: Any = None, speed: float = 1.5, *, size: Any = None, ctrl0: float = 0.0,
        ctrl_scale: float = 1.0, forward: float = 2.0, crouch: float = 0.95, height: float = 20.0, tilt: float = 5.0,
        pose: float = 1.0, velocity: float = 0.003, effort: float = 0.05, last: float = 0.2, root: float = 0.1,
        barrier: float = 200.0, least: float = 0.85, above: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__(model, qpos0, height=height, tilt=tilt, pose=pose, velocity=velocity, effort=effort, last=last)
        z = self.root.z
        size = size or (max(abs(self.target[z]), 0.05) if z >= 0 else SIZE)
        small = SIZE / size
        self.barrier, self.low, self.above = barrier * small**2, -np.inf, above
        self.ctrl0, self.ctrl_scale = np.broadcast_to(ctrl0, model.nu), np.broadcast_to(ctrl_scale, model.nu)
        if z >= 0:
            self.low = self.target[z] - (1 - least) * size
            self.target[z] -= (1 - crouch) * size
            self.weight[z] *= small**2
        body = model.dof_bodyid[self.root.vx]
        self.v_weight[model.dof_bodyid == body] = root
        self.v_weight[self.root.vx], self.v_target[self.root.vx] = forward * small, speed

    def controls(self, ctrl: Any) -> Any:
        return (ctrl - self.ctrl0) / self.ctrl_scale, 1 / self.ctrl_scale

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        cost, bars = super().evaluate(trajectory)
        if self.root.z < 0:
            return cost, bars
        dt, z = durations(trajectory), trajectory.qpos[:, :, self.root.z]
        dt[-1] = self.last
        short, less = np.maximum(self.low - z, 0.0), (1.0 - self.above) * self.weight[self.root.z]
        over = np.maximum(z - self.target[self.root.z], 0.0)
        bars["qpos"][:, :, self.root.z] -= 2 * dt * (self.barrier * short + less * over)
        return cost + (dt * (self.barrier * short**2 - less * over**2)).sum(axis=0), bars

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        found, at = super().curvature(trajectory), self.root.z
        if at < 0:
            return found
        dt, z = durations(trajectory), trajectory.qpos[:, :, at]
        dt[-1] = self.last
        less = (1.0 - self.above) * self.weight[at]
        found["qpos"][:, :, at] += 2 * dt * (self.barrier * (z < self.low) - less * (z > self.target[at]))
        return found
