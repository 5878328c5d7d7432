"""The quadratic model of an objective along one rollout, in the tangent space, for iLQR."""

import numpy as np

from controllers.sparse import components, distinct
from engine.model.constants import OBJ_BODY, OBJ_GEOM, OBJ_SITE, OBJ_XBODY
from engine.model.coordinates import displace, qpos_to_tangent
from engine.model.sensors import SENS
from engine.objectives.objective import OUTPUTS
from engine.quantities import jacobian
from engine.replay import set_inputs
from engine.simulator import Simulator

STEP = 1e-5  # of the differences of cotangents and of sensors, relative to numbers of size one
AGREE = 1e-6  # of the largest entry: differences along several numbers at once and along one direction


class Sampled:
    """A trajectory made of arrays, (rows, worlds, .)."""

    def __init__(self, time, **arrays):
        self.time = time
        self.__dict__.update(arrays)


class Quadratic:
    """Gradients and Hessians of an objective by time: `expand(trajectory)`.

    An objective sees of a row the numbers y = (x, u, s): tangent state, controls and those sensors that it reads.
    Gradients by y are exact; Hessians are differences of the objective's own cotangents, row by row, made positive
    semidefinite. Sensors enter linearised (Gauss-Newton), places of points by their Jacobians, others by differences.
    What couples different rows (Smoothness) enters the gradient and not the Hessian.

    Which numbers an objective couples is found by moving each alone. From then on those that have nothing to do with
    each other are moved together (Curtis, Powell, Reid: On the estimation of sparse Jacobian matrices, IMA Journal of
    Applied Mathematics 13, 1974), and all of them at random beside that: where this tells another story, an objective
    has begun to couple what it did not before, and each is moved alone again.
    """

    def __init__(self, model, objective, steps):
        self.model, self.objective, self.steps = model, objective, steps
        self.nx = 2 * model.nv + model.na
        self.sensors = None  # a Simulator, made when the objective asks for sensors
        self.known = None  # which entries the Hessian has had, of all numbers of a row; None: nobody has looked
        self.read = np.zeros(0, int)  # sensordata that the objective reads

    def expand(self, trajectory):
        """lx (T+1, nx), lu (T, nu), lxx (T+1, nx, nx), luu (T, nu, nu), lux (T, nu, nx) of a one-world trajectory."""
        T, nx = self.steps, self.nx
        n = nx + self.model.nu
        bars = self.objective(trajectory)[1]
        here = self._gradient(trajectory, bars)[:, 0]
        H = self._together(trajectory, here)
        if H is None:
            H = self._alone(trajectory, here)
        g = here[:, :n]
        if len(self.read):
            S = self._sensor_slopes(trajectory)
            g = g + np.einsum("tsx,ts->tx", S, here[:, n + self.read])
            cross = H[:, :n, n:] @ S
            H = H[:, :n, :n] + np.swapaxes(S, 1, 2) @ (H[:, n:, n:] @ S) + cross + np.swapaxes(cross, 1, 2)
        return g[:, :nx], g[:T, nx:], H[:, :nx, :nx], H[:T, nx:, nx:], H[:T, nx:, :nx]

    def _alone(self, trajectory, here):
        """The Hessian by y, each number moved alone; finds out which there are."""
        n, width = self.nx + self.model.nu, here.shape[1]
        if self.known is None or len(self.known) != width:
            self.known = np.eye(width, dtype=bool)
            self.known[n:] = False
        way = np.zeros((1, width))
        way[:, n:] = np.random.default_rng(1).uniform(1, 2, width - n)
        seen = (here != 0) | (self._slopes(trajectory, way)[:, 0] != 0) | self.known.any(axis=0)
        self.read = np.flatnonzero(seen[:, n:].any(axis=0))
        y = np.concatenate([np.arange(n), n + self.read])
        way = np.zeros((len(y), width))
        way[np.arange(len(y)), y] = 1.0
        H = self._slopes(trajectory, way)[:, :, y]
        self.known[np.ix_(y, y)] |= (H != 0).any(axis=0) | np.eye(len(y), dtype=bool)
        self.known |= self.known.T
        pattern = self.known[np.ix_(y, y)]
        self.y, self.colour, self.parts, self.entries = y, distinct(pattern), components(pattern), np.nonzero(pattern)
        # the last way is all at once
        self.ways = np.zeros((self.colour.max(initial=0) + 2, width))
        self.ways[self.colour, y] = 1.0
        self.ways[-1] = np.random.default_rng(0).uniform(0.5, 1.5, width)
        return self._positive(H)

    def _together(self, trajectory, here):
        """The Hessian by y as it was found; None where that is not all of it any more."""
        if self.known is None or len(self.known) != here.shape[1]:
            return None
        slopes, y, (i, j) = self._slopes(trajectory, self.ways), self.y, self.entries
        H = np.zeros((len(here), len(y), len(y)))
        H[:, i, j] = slopes[:, self.colour[j], y[i]]
        off = slopes[:, -1].copy()
        off[:, y] -= H @ self.ways[-1, y]
        most = np.abs(slopes).max(initial=0.0) + 1e-2 * np.abs(here).max(initial=0.0)
        if np.abs(off).max(initial=0.0) > AGREE * most or np.delete(here, y, axis=1).any():
            return None
        return self._positive(H)

    def _positive(self, H):
        """The nearest positive semidefinite matrices, part by part of what is coupled."""
        H = 0.5 * (H + np.swapaxes(H, 1, 2))
        alone = np.array([part[0] for part in self.parts if len(part) == 1], int)
        H[:, alone, alone] = np.maximum(H[:, alone, alone], 0.0)
        for part in self.parts:
            if len(part) > 1:
                block = H[:, part[:, None], part]
                rows = np.flatnonzero(block.any(axis=(1, 2)))
                H[rows[:, None, None], part[:, None], part] = _positive(block[rows])
        return H

    def _slopes(self, trajectory, ways):
        """Differences of the gradient along `ways` (n, width of `_gradient`): (T+1, n, width)."""
        moved = self._moved(trajectory, np.concatenate([STEP * ways, -STEP * ways]))
        gradient = self._gradient(moved, self.objective(moved)[1])
        return (gradient[:, : len(ways)] - gradient[:, len(ways) :]) / (2 * STEP)

    def _gradient(self, trajectory, bars):
        """(T+1, worlds, nx + nu + nsensordata) from cotangents of the outputs; without sensors where there are none."""
        m, T = self.model, self.steps
        zero = {n: np.zeros_like(getattr(trajectory, n)) for n in OUTPUTS[:-1] if n not in bars}
        bars = {**zero, **bars}
        u = np.zeros((T + 1, *bars["ctrl"].shape[1:]))
        u[:T] = bars["ctrl"]
        parts = [qpos_to_tangent(m, trajectory.qpos, bars["qpos"]), bars["qvel"], bars["act"], u]
        if "sensordata" in bars:
            parts.append(bars["sensordata"])
        return np.concatenate(parts, axis=-1)

    def _moved(self, trajectory, way):
        """The trajectory with all rows moved along each row of `way`, a world each."""
        m, nv, na = self.model, self.model.nv, self.model.na
        n = self.nx + m.nu
        q = np.broadcast_to(trajectory.qpos[:, :1], (len(trajectory.qpos), len(way), m.nq))
        sensordata = np.broadcast_to(trajectory.sensordata[:, :1], (len(q), len(way), m.nsensordata))
        if way.shape[1] > n:
            sensordata = sensordata + way[:, n:]
        return Sampled(
            trajectory.time, qpos=displace(m, q, way[:, :nv]), qvel=trajectory.qvel[:, :1] + way[:, nv : 2 * nv],
            act=trajectory.act[:, :1] + way[:, 2 * nv : 2 * nv + na], ctrl=trajectory.ctrl[:, :1] + way[:, self.nx : n],
            sensordata=sensordata,
        )  # fmt: skip

    def _sensor_slopes(self, trajectory):
        """d(sensordata that is read) / d(tangent state, ctrl), (T+1, len(read), nx + nu).

        The last row's sensors are read with the last control, on which they count as not depending.
        """
        m = self.model
        sim = self.sensors = self.sensors or Simulator(m, self.steps + 1)
        owners = self._owners()
        if owners is None:
            return self._sensor_differences(sim, trajectory)
        self._put(sim, trajectory, np.zeros(self.nx + m.nu))
        out = np.zeros((self.steps + 1, len(self.read), self.nx + m.nu))
        for (k, body), rows in owners.items():
            place = sim.data.sensordata[:, m.sensor_adr[k] : m.sensor_adr[k] + 3]
            slope = jacobian(m, sim.data, body, place).jacp
            out[:, rows, : m.nv] = slope[:, self.read[rows] - m.sensor_adr[k]]
        return out

    def _owners(self):
        """{(sensor, body): rows of what is read} where all of that are places of points on bodies, in the world; else
        None."""
        m, owners = self.model, {}
        for row, at in enumerate(self.read):
            k = int(np.flatnonzero(m.sensor_adr <= at)[-1])
            body = {
                OBJ_SITE: m.site_bodyid, OBJ_GEOM: m.geom_bodyid, OBJ_BODY: range(m.nbody), OBJ_XBODY: range(m.nbody),
            }.get(int(m.sensor_objtype[k]))  # fmt: skip
            plain = m.sensor_type[k] == SENS.framepos and m.sensor_refid[k] < 0 and m.sensor_cutoff[k] == 0
            if not plain or body is None:
                return None
            owners.setdefault((k, int(body[m.sensor_objid[k]])), []).append(row)
        return owners

    def _put(self, sim, trajectory, way):
        """Evaluate the rows of a trajectory, moved along `way`, a world each."""
        m, nv, na, last = self.model, self.model.nv, self.model.na, self.steps - 1
        ctrl = np.concatenate([trajectory.ctrl[:, 0], trajectory.ctrl[-1:, 0]])
        sim.reset(displace(m, trajectory.qpos[:, 0], way[:nv]), trajectory.qvel[:, 0] + way[nv : 2 * nv])
        set_inputs(sim.data, trajectory, np.minimum(np.arange(self.steps + 1), last))
        sim.data.act[:] = trajectory.act[:, 0] + way[2 * nv : 2 * nv + na]
        sim.data.ctrl[:] = ctrl + way[self.nx :]
        sim.forward()

    def _sensor_differences(self, sim, trajectory):
        out = np.zeros((self.steps + 1, len(self.read), self.nx + self.model.nu))
        for k, e in enumerate(np.eye(self.nx + self.model.nu)):
            for sign in (1, -1):
                self._put(sim, trajectory, sign * STEP * e)
                out[:, :, k] += sign * sim.data.sensordata[:, self.read] / (2 * STEP)
        out[-1, :, self.nx :] = 0.0
        return out


def _positive(H):
    """The nearest positive semidefinite matrices."""
    values, vectors = np.linalg.eigh(H)
    return (vectors * np.maximum(values, 0.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
