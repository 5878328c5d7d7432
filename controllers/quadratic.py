"""The quadratic model of an objective along one rollout, in the tangent space, for iLQR."""

import numpy as np

from engine.model.coordinates import displace, qpos_to_tangent
from engine.objectives.objective import OUTPUTS
from engine.replay import set_inputs
from engine.simulator import Simulator

STEP = 1e-5  # of the differences of cotangents and of sensors, relative to numbers of size one


class Sampled:
    """A trajectory made of arrays, (rows, worlds, .)."""

    def __init__(self, time, **arrays):
        self.time = time
        self.__dict__.update(arrays)


class Quadratic:
    """Gradients and Hessians of an objective by time: `expand(trajectory)`.

    Gradients are exact, but for the sensors' part, which uses differences of the sensors. Hessians are differences of
    the objective's own cotangents, row by row, with the sensors linearised (Gauss-Newton), made positive semidefinite.
    What couples different rows (Smoothness) enters the gradient and not the Hessian.
    """

    def __init__(self, model, objective, steps):
        self.model, self.objective, self.steps = model, objective, steps
        self.nx = 2 * model.nv + model.na
        self.sensors = None  # a Simulator, made when the objective asks for sensors

    def expand(self, trajectory):
        """lx (T+1, nx), lu (T, nu), lxx (T+1, nx, nx), luu (T, nu, nu), lux (T, nu, nx) of a one-world trajectory."""
        m, T, nx = self.model, self.steps, self.nx
        n = nx + m.nu
        bars = self.objective(trajectory)[1]
        S = self._sensor_slopes(trajectory) if "sensordata" in bars else None
        here = self._gradient(trajectory, bars, S)[:, 0]
        moved = self._moved(trajectory, S)
        gradient = self._gradient(moved, self.objective(moved)[1], S)
        hessian = np.moveaxis((gradient[:, :n] - gradient[:, n:]) / (2 * STEP), 1, 2)
        hessian = _positive(0.5 * (hessian + np.swapaxes(hessian, 1, 2)))
        return here[:, :nx], here[:T, nx:], hessian[:, :nx, :nx], hessian[:T, nx:, nx:], hessian[:T, nx:, :nx]

    def _gradient(self, trajectory, bars, S):
        """(T+1, worlds, nx + nu) from cotangents of the outputs."""
        m, T = self.model, self.steps
        zero = {n: np.zeros_like(getattr(trajectory, n)) for n in OUTPUTS if n not in bars}
        bars = {**zero, **bars}
        u = np.zeros((T + 1, *bars["ctrl"].shape[1:]))
        u[:T] = bars["ctrl"]
        q = qpos_to_tangent(m, trajectory.qpos, bars["qpos"])
        out = np.concatenate([q, bars["qvel"], bars["act"], u], axis=-1)
        if S is not None:
            out += np.einsum("tsx,tws->twx", S, bars["sensordata"])
        return out

    def _moved(self, trajectory, S):
        """The trajectory with all rows moved along every coordinate: worlds 0 .. n-1 forth, n .. 2n-1 back."""
        m, nv, na, n = self.model, self.model.nv, self.model.na, self.nx + self.model.nu
        way = STEP * np.concatenate([np.eye(n), -np.eye(n)])
        q = np.broadcast_to(trajectory.qpos[:, :1], (len(trajectory.qpos), 2 * n, m.nq))
        sensordata = np.broadcast_to(trajectory.sensordata[:, :1], (len(q), 2 * n, m.nsensordata))
        if S is not None:
            sensordata = sensordata + np.einsum("tsx,wx->tws", S, way)
        return Sampled(
            trajectory.time, qpos=displace(m, q, way[:, :nv]), qvel=trajectory.qvel[:, :1] + way[:, nv : 2 * nv],
            act=trajectory.act[:, :1] + way[:, 2 * nv : 2 * nv + na], ctrl=trajectory.ctrl[:, :1] + way[:, self.nx :],
            sensordata=sensordata,
        )  # fmt: skip

    def _sensor_slopes(self, trajectory):
        """d(sensordata) / d(tangent state, ctrl), (T+1, nsensordata, nx + nu), by central differences of `forward`.

        The last row's sensors are read with the last control, on which they count as not depending.
        """
        m, nv, na = self.model, self.model.nv, self.model.na
        sim = self.sensors = self.sensors or Simulator(m, self.steps + 1)
        ctrl = np.concatenate([trajectory.ctrl[:, 0], trajectory.ctrl[-1:, 0]])
        out = np.zeros((self.steps + 1, m.nsensordata, self.nx + m.nu))
        for k, e in enumerate(np.eye(self.nx + m.nu)):
            for sign in (1, -1):
                way = sign * STEP * e
                sim.reset(displace(m, trajectory.qpos[:, 0], way[:nv]), trajectory.qvel[:, 0] + way[nv : 2 * nv])
                set_inputs(sim.data, trajectory, np.minimum(np.arange(self.steps + 1), self.steps - 1))
                sim.data.act[:] = trajectory.act[:, 0] + way[2 * nv : 2 * nv + na]
                sim.data.ctrl[:] = ctrl + way[self.nx :]
                sim.forward()
                out[:, :, k] += sign * sim.data.sensordata / (2 * STEP)
        out[-1, :, self.nx :] = 0.0
        return out


def _positive(H):
    """The nearest positive semidefinite matrices."""
    values, vectors = np.linalg.eigh(H)
    return (vectors * np.maximum(values, 0.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
