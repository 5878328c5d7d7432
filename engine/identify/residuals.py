"""Residuals of all samples in units of their noise, and their exact Jacobian by the unknowns and the windows' starts.

    r = (sum of w_k y(row k) + offset - value) / sd,        y of a rollout of all windows at once
    J = dr/d(p, x0),   rows of S (`steps.py`) at the rows of the samples

x0 = (dq, qvel, act) is a start in its tangent space. Errors of a pose are a difference of places and a rotation vector
in the body's own axes.
"""

import numpy as np

from engine.compiler.backend import np_real
from engine.identify.steps import Steps
from engine.identify.targets import turn
from engine.model.constants import RK4
from engine.model.coordinates import QUATERNION, coordinates, difference, displace


class Residuals:
    """Residuals of `windows` for a simulator whose worlds they are.

    unknowns: Unknowns; windows: Windows. `starts` are the states in which the windows begin: {"qpos": (worlds, nq),
    "qvel", "act"}.
    """

    def __init__(self, sim, unknowns, windows, starts):
        self.sim, self.unknowns, self.windows, self.starts = sim, unknowns, windows, starts
        m = sim.model
        self.nv, self.n, self.np = m.nv, 2 * m.nv + m.na, len(unknowns.numbers)
        self.machine = Steps(sim, windows.steps, unknowns.theta)
        self.outputs = None
        self._plan = self._rows_of_samples()

    def _rows_of_samples(self):
        """For each row of a window: [(block of samples, which of them, their column of weights)]."""
        plan = [[] for _ in range(self.windows.steps + 1)]
        for b, s in enumerate(self.windows.samples):
            for k in range(4):
                used = np.flatnonzero(s.weights[:, k])
                order = used[np.argsort(s.rows[used, k], kind="stable")]
                rows = s.rows[order, k]
                ends = np.flatnonzero(np.append(np.diff(rows), 1)) + 1
                for part in np.split(order, ends[:-1]) if len(order) else ():
                    plan[s.rows[part[0], k]].append((b, part, k))
        return plan

    # ---------------------------------------------------------------------------------------------------- values

    def __call__(self, p, starts):
        """A list with the residuals of each block of samples, (n, k). Raises DivergenceError."""
        m = self.sim.model
        ctrl = self._set(p)
        out = self.machine.rollout(starts["qpos"], starts["qvel"], starts["act"], ctrl)
        self.outputs = out
        found = []
        for s in self.windows.samples:
            r = np.zeros((len(s.window), s.what.size))
            for k in range(4):
                used = np.flatnonzero(s.weights[:, k])
                r[used] += s.weights[used, k, None] * self._differences(m, out, s, used, s.rows[used, k])
            if s.what.kind == "qpos":
                r += self.shown[..., s.what.first, None][() if self.shown.ndim == 1 else s.window]
            found.append(r / s.sd)
        return found

    def _set(self, p):
        """Numbers p to parameters, controls and offsets, whose slopes are kept; the controls of all steps."""
        u = self.unknowns
        self.slope = u.apply(p, self.sim.model_pack["theta"])
        delay, self.d_delay = u.delays(p)
        self.shown, self.d_shown, servo, self.d_servo = u.offsets(p)
        ctrl, self.d_ctrl = self.windows.controls(delay)
        return ctrl + servo

    def _differences(self, m, out, s, which, rows):
        """How far the outputs at rows are from samples `which` of a block, (n, k)."""
        kind, first, window = s.what.kind, s.what.first, s.window[which]
        if kind == "pose":
            q = out["qpos"][rows, window, s.what.qposadr : s.what.qposadr + 7]
            value = s.value[which]
            return np.concatenate([q[:, :3] - value[:, :3], turn(value[:, 3:], q[:, 3:])], axis=1)
        if kind == "sensor":
            return out["sensordata"][rows, window, first : first + s.what.size] - s.value[which]
        at = first if kind == "qvel" else m.jnt_qposadr[m.dof_jntid[first]]
        return out["qpos" if kind == "qpos" else "qvel"][rows, window, at, None] - s.value[which]

    # -------------------------------------------------------------------------------------------------- Jacobian

    def jacobian(self):
        """That of the last values: a list with those of each block, (n, k, np + nx)."""
        w, P, n = self.sim.worlds, self.np, self.n
        found = [np.zeros((len(s.window), s.what.size, P + n), np_real()) for s in self.windows.samples]
        S = np.zeros((w, n, P + n), np_real())
        S[:, :, P:] = np.eye(n)
        sensors = sorted({s.what.first + k for s in self.windows.samples if s.what.kind == "sensor"
                          for k in range(s.what.size)})  # fmt: skip
        integrated = self._integrated()
        last = self.windows.steps
        du = self.d_delay
        for steps, rows in self.machine.pieces():
            seen = None
            if sensors:
                count = len(steps) + int(steps.stop == last and (last + 1 - steps.start) <= self.machine.per)
                seen = self.machine.sensor_rows(steps.start, count, sensors)
            for i, t in enumerate(steps):
                dU = self.d_ctrl[t][:, :, None] * du + self.d_servo  # (worlds, nu, np)
                self._take(found, t, S, dU, seen[:, :, :][i] if sensors else None, sensors)
                S = self._next(rows[i], S, dU, integrated)
            if sensors and steps.stop == last:
                if seen.shape[0] == len(steps):
                    seen = self.machine.sensor_rows(last, 1, sensors)
                self._take(found, last, S, dU, seen[-1], sensors)
        if not sensors:
            self._take(found, last, S, None, None, ())
        for s, block in zip(self.windows.samples, found, strict=True):
            if s.what.kind == "qpos":
                block[:, 0, :P] += self.d_shown[s.what.first]
            block /= s.sd[:, None]
        return found

    def _integrated(self):
        """How rows of qpos' are made: dofs whose rows are those of scalars under q' = q + h v', or none."""
        m = self.sim.model
        if m.opt.integrator == RK4:
            return np.arange(0)
        return np.array([c.dofadr for c in coordinates(m) if c.kind != QUATERNION], int)

    def _next(self, rows, S, dU, scalars):
        """S after a step: rows (worlds, rows, columns) of qvel', act', and of the qpos' that need them."""
        m, P, n, nv = self.sim.model, self.np, self.n, self.nv
        made = rows[:, :, :n] @ S
        if m.nu:
            made[:, :, :P] += rows[:, :, n : n + m.nu] @ dU
        if len(self.unknowns.theta):
            made[:, :, :P] += rows[:, :, n + m.nu :] @ self.slope  # of all worlds, or of each
        out = np.empty_like(S)
        out[:, nv:] = made[:, : n - nv]
        out[:, scalars] = S[:, scalars] + m.opt.timestep * made[:, scalars]
        turning = self.machine.turning
        out[:, turning] = made[:, n - nv :]
        return out

    def _take(self, found, row, S, dU, seen, sensors):
        """What the samples at a row have of S."""
        P, n, m = self.np, self.n, self.sim.model
        for b, which, k in self._plan[row]:
            s = self.windows.samples[b]
            window, weight = s.window[which], s.weights[which, k]
            kind, first = s.what.kind, s.what.first
            if kind == "sensor":
                at = sensors.index(first)
                rows = seen[window, at : at + s.what.size]
                part = rows[:, :, :n] @ S[window]
                slope = self.slope if self.slope.ndim == 2 else self.slope[window]
                part[:, :, :P] += rows[:, :, n : n + m.nu] @ dU[window] + rows[:, :, n + m.nu :] @ slope
            elif kind == "pose":
                part = S[window, first : first + 6].copy()
                quat = self.outputs["qpos"][row, window, s.what.qposadr + 3 : s.what.qposadr + 7]
                part[:, 3:] = turn_slope(turn(s.value[which, 3:], quat)) @ part[:, 3:]
            else:
                at = first if kind == "qpos" else self.nv + first
                part = S[window, at : at + 1]
            found[b][which] += weight[:, None, None] * part

    # --------------------------------------------------------------------------------------------------- gradient

    def pulled(self, bars):
        """J' of the last values times cotangents, a list of those of each block, by one reverse pass: of the numbers
        (worlds, np), each world's share, and of the starts (worlds, nx)."""
        m, nv, w = self.sim.model, self.nv, self.sim.worlds
        rows = self.windows.steps + 1
        q, v, y = (np.zeros((rows, w, k), np_real()) for k in (nv, nv, m.nsensordata))
        p_bar = np.zeros((w, self.np))
        for s, bar in zip(self.windows.samples, bars, strict=True):
            bar, kind, first = bar / s.sd, s.what.kind, s.what.first
            target = {"qvel": v, "sensor": y}.get(kind, q)
            columns = np.arange(first, first + s.what.size)
            for k in range(4):
                used = np.flatnonzero(s.weights[:, k])
                at, window, part = s.rows[used, k], s.window[used], s.weights[used, k, None] * bar[used]
                if kind == "pose":
                    quat = self.outputs["qpos"][at, window, s.what.qposadr + 3 : s.what.qposadr + 7]
                    slope = turn_slope(turn(s.value[used, 3:], quat))
                    part[:, 3:] = np.einsum("nij,ni->nj", slope, part[:, 3:])
                np.add.at(target, (at[:, None], window[:, None], columns), part)
            if kind == "qpos" and self.d_shown[first].any():
                p_bar += np.bincount(s.window, bar[:, 0], w)[:, None] * self.d_shown[first]
        found = self.machine.pulled(q, v, y)
        p_bar += (found["theta"][:, None, :] @ self.slope)[:, 0]
        if m.nu:
            p_bar += (found["ctrl"] * self.d_ctrl).sum(axis=0) @ self.d_delay + found["ctrl"].sum(axis=0) @ self.d_servo
        return p_bar, np.concatenate([found["qpos"], found["qvel"], found["act"]], axis=1)

    def ends(self):
        """The states in which the windows of the last rollout ended, as starts."""
        return {n: self.outputs[n][-1].copy() for n in ("qpos", "qvel", "act")}

    def apart(self, starts, others):
        """Tangents (worlds, nx) that move starts to others."""
        parts = [difference(self.sim.model, starts["qpos"], others["qpos"])]
        return np.concatenate(parts + [others[n] - starts[n] for n in ("qvel", "act")], axis=1)

    def moved(self, starts, dx):
        """Starts moved by tangents dx (worlds, nx)."""
        nv = self.nv
        qpos = displace(self.sim.model, starts["qpos"], dx[:, :nv])
        return {"qpos": qpos, "qvel": starts["qvel"] + dx[:, nv : 2 * nv], "act": starts["act"] + dx[:, 2 * nv :]}


def turn_slope(r):
    """d log(exp(r) exp(x))/dx at x = 0, (n, 3, 3): the inverse of the right Jacobian of rotations."""
    angle = np.linalg.norm(r, axis=-1)[:, None, None]
    small = angle < 1e-4
    a = np.where(small, 1.0, angle)
    factor = np.where(small, 1 / 12.0 + angle**2 / 720.0, 1 / a**2 - 0.5 / (a * np.tan(0.5 * a)))
    x = np.zeros((*r.shape[:-1], 3, 3))
    x[:, 0, 1], x[:, 0, 2], x[:, 1, 2] = -r[:, 2], r[:, 1], -r[:, 0]
    x -= np.swapaxes(x, 1, 2).copy()
    return np.eye(3) + 0.5 * x + factor * (x @ x)
