"""The quadratic model of an objective along one rollout, in the tangent space, for iLQR."""

from typing import NamedTuple

import numpy as np

from controllers.pattern import Pattern
from engine.model.constants import OBJ_BODY, OBJ_GEOM, OBJ_SITE, OBJ_XBODY
from engine.model.coordinates import displace
from engine.model.sensors import SENS
from engine.objectives.objective import OUTPUTS, curvature_of
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


class Expansion(NamedTuple):
    """1/2 y'Cy + c'y by y = (dx, du) of each row. slope (T+1, nx+nu): c. places (ne, 2), curve (T+1, ne): entries of C
    at and below its diagonal, which add up. The last row has no du."""

    slope: np.ndarray
    places: np.ndarray
    curve: np.ndarray

    def dense(self, nx):
        """lx (T+1, nx), lu (T, nu), lxx (T+1, nx, nx), luu (T, nu, nu), lux (T, nu, nx)."""
        rows, n = self.slope.shape
        C, T = np.zeros((rows, n, n)), rows - 1
        for (i, j), values in zip(self.places.tolist(), self.curve.T, strict=True):
            C[:, i, j] += values
            if i != j:
                C[:, j, i] += values
        return self.slope[:, :nx], self.slope[:T, nx:], C[:, :nx, :nx], C[:T, nx:, nx:], C[:T, nx:, :nx]


class Quadratic:
    """The quadratic model of an objective by time: `expansion(trajectory)`.

    An objective sees of a row the numbers y = (qpos, qvel, act, ctrl, sensordata), of which it reads some sensors. Its
    gradients by y are exact; Hessians are what it states (`curvature`), else differences of its own cotangents, row by
    row; in the tangent space they are made positive semidefinite. Sensors enter linearised (Gauss-Newton), places of
    points by their Jacobians, others by differences. What couples different rows (Smoothness) enters the gradient and
    not the Hessian.

    Which numbers an objective couples is found by moving each alone. From then on those that have nothing to do with
    each other are moved together (Curtis, Powell, Reid: On the estimation of sparse Jacobian matrices, IMA Journal of
    Applied Mathematics 13, 1974), and all of them at random beside that: where this tells another story, an objective
    has begun to couple what it did not before, and each is moved alone again.
    """

    def __init__(self, model, objective, steps):
        self.model, self.objective, self.steps = model, objective, steps
        self.nx = 2 * model.nv + model.na
        self.n = self.nx + model.nu
        self.sensors = None  # a Simulator, made when the objective asks for sensors
        self.known = None  # which entries the Hessian has had, of all numbers of a row; None: nobody has looked
        self.read = np.zeros(0, int)  # sensordata that the objective reads
        self.pattern = self.stated = None  # the Pattern of `known`, and that of diagonals that are stated

    def expand(self, trajectory):
        """lx (T+1, nx), lu (T, nu), lxx (T+1, nx, nx), luu (T, nu, nu), lux (T, nu, nx) of a one-world trajectory."""
        return self.expansion(trajectory).dense(self.nx)

    def expansion(self, trajectory, bars=None):
        """The Expansion along a one-world trajectory; bars: the objective's cotangents there, where they are known."""
        bars = self.objective(trajectory)[1] if bars is None else bars
        here = self._gradient(trajectory, bars)[:, 0]
        p, curve = self._curve(trajectory, here)
        slope, places, curve = p.in_tangent(trajectory.qpos[:, 0], here, curve)
        if len(self.read):
            slope, places, curve = p.through(self._sensor_slopes(trajectory), slope, curve)
        return Expansion(slope, places, curve)

    def _curve(self, trajectory, here):
        """(Pattern, entries of the Hessian by y that it has)."""
        diagonal = curvature_of(self.objective, trajectory)
        if diagonal is not None:
            return self._stated(here, diagonal)
        curve = None
        if self.pattern is not None and len(self.known) == here.shape[1]:
            curve = self._together(trajectory, here)
        if curve is None:
            curve = self._alone(trajectory, here)
        self.read = self.pattern.y[self._own() :] - self._own()
        return self.pattern, curve

    def _stated(self, here, diagonal):
        """The same of an objective that knows its second derivatives, {output: diagonal}."""
        n, width = self._own(), here.shape[1]
        D = self._in_rows(diagonal, (len(here), 1, width))[:, 0]
        self.read = np.flatnonzero((here[:, n:] != 0).any(axis=0) | (D[:, n:] != 0).any(axis=0))
        y = np.concatenate([np.arange(n), n + self.read])
        p = self.stated
        if p is None or not np.array_equal(p.y, y):
            p = self.stated = Pattern(self.model, np.eye(len(y), dtype=bool), y, n, width)
        return p, D[:, y]

    def _alone(self, trajectory, here):
        """The same, each number moved alone; finds out which there are."""
        n, width = self._own(), here.shape[1]
        if self.known is None or len(self.known) != width:
            self.known = np.eye(width, dtype=bool)
            self.known[n:] = False
        way = np.zeros((1, width))
        way[:, n:] = np.random.default_rng(1).uniform(1, 2, width - n)
        seen = (here != 0) | (self._slopes(trajectory, way)[:, 0] != 0) | self.known.any(axis=0)
        y = np.concatenate([np.arange(n), n + np.flatnonzero(seen[:, n:].any(axis=0))])
        way = np.zeros((len(y), width))
        way[np.arange(len(y)), y] = 1.0
        H = self._slopes(trajectory, way)[:, :, y]
        self.known[np.ix_(y, y)] |= (H != 0).any(axis=0) | np.eye(len(y), dtype=bool)
        self.known |= self.known.T
        p = self.pattern = Pattern(self.model, self.known[np.ix_(y, y)], y, n, width)
        return 0.5 * (H[:, p.rows, p.columns] + H[:, p.columns, p.rows])

    def _together(self, trajectory, here):
        """The same as it was found; None where that is not all of it any more."""
        p, slopes = self.pattern, self._slopes(trajectory, self.pattern.ways)
        curve = 0.5 * (slopes[:, p.colour[p.columns], p.y[p.rows]] + slopes[:, p.colour[p.rows], p.y[p.columns]])
        off = slopes[:, -1].copy()
        off[:, p.y] -= p.times(curve, p.ways[-1:, p.y])
        most = np.abs(slopes).max(initial=0.0) + 1e-2 * np.abs(here).max(initial=0.0)
        if np.abs(off).max(initial=0.0) > AGREE * most or here[:, p.unread].any():
            return None
        return curve

    def _slopes(self, trajectory, ways):
        """Differences of the gradient along `ways` (n, width of `_gradient`): (T+1, n, width)."""
        moved = self._moved(trajectory, np.concatenate([STEP * ways, -STEP * ways]))
        gradient = self._gradient(moved, self.objective(moved)[1])
        return (gradient[:, : len(ways)] - gradient[:, len(ways) :]) / (2 * STEP)

    def _own(self):
        """How many numbers y has without sensors."""
        m = self.model
        return m.nq + m.nv + m.na + m.nu

    def _gradient(self, trajectory, bars):
        """(T+1, worlds, width) by y, from cotangents of the outputs; without sensors where there are none."""
        width = self._own() + (self.model.nsensordata if "sensordata" in bars else 0)
        return self._in_rows(bars, (self.steps + 1, trajectory.qpos.shape[1], width))

    def _in_rows(self, outputs, shape):
        """Arrays of outputs side by side; the last row has no control."""
        m, at = self.model, 0
        out = np.zeros(shape)
        for name, n in zip(OUTPUTS, (m.nq, m.nv, m.na, m.nu, m.nsensordata), strict=True):
            if name in outputs and n and at < shape[-1]:
                out[: self.steps if name == "ctrl" else self.steps + 1, :, at : at + n] = outputs[name]
            at += n
        return out

    def _moved(self, trajectory, way):
        """The trajectory with all rows moved along each row of `way`, a world each."""
        m, at, moved = self.model, 0, {}
        for name, n in zip(OUTPUTS, (m.nq, m.nv, m.na, m.nu, m.nsensordata), strict=True):
            here = getattr(trajectory, name)[:, :1]
            if at < way.shape[1]:
                moved[name] = here + way[:, at : at + n]
            else:
                moved[name] = np.broadcast_to(here, (len(here), len(way), n))
            at += n
        return Sampled(trajectory.time, **moved)

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
