"""The way that a file prescribes: joint positions over time, or places of a point, as a table.

A CSV file has a line of names, `time` (s) first; an NPZ file arrays of these names. The others are joints' (hinges and
slides, rad or m), or `x y z` (m), where the point is to be. Between rows the way is a cubic curve whose slopes are the
differences of the rows beside (Catmull and Rom, 1974).

A robot that is elsewhere catches up with it: to the joints' way is added what is between them at the start, which goes
to zero by the quintic that begins at rest and ends with the way.
"""

from pathlib import Path

import numpy as np

from controllers.tasks.forces import controls_for, forces_along
from controllers.tasks.kinematics import driven, points, reaching
from controllers.tasks.way import DURATIONS, LITTLE, SHARE, Way
from engine import files
from engine.model import ModelError
from engine.model.constants import FREE, HINGE, SLIDE
from engine.simulator import Simulator

PLACE = ("x", "y", "z")
KNOTS = 60  # places of a path that inverse kinematics goes through one after the other


class Table:
    """time (n,), s, from 0 on; columns {name: (n,)}."""

    def __init__(self, path):
        path = Path(path)
        try:
            found = files.read_arrays(path, "a table") if path.suffix == ".npz" else _csv(path)
            columns = {str(k): np.asarray(v, float) for k, v in found.items()}
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error
        self.time = columns.pop("time", np.zeros(0))
        n = len(self.time) if self.time.ndim == 1 else 0
        if n < 2 or not columns or not (np.diff(self.time) > 0).all():
            raise ValueError(f"{path}: allowed: two rows or more of `time`, which grows, and of joints, or x, y, z")
        for name, a in columns.items():
            if a.shape != (n,) or not np.isfinite(a).all():
                raise ValueError(f"{path}: {name}: got shape {a.shape}, allowed: {n} finite numbers, one for each time")
        self.path, self.time, self.columns = path, self.time - self.time[0], columns

    @property
    def seconds(self):
        return float(self.time[-1])

    @property
    def places(self):
        """Whether it says where a point is to be, and nothing else."""
        return set(PLACE) == set(self.columns)

    def at(self, times):
        """({name: (m,)}, the same of the rates): at these times, held before the first and after the last row."""
        t = np.clip(times, 0.0, self.time[-1])
        k = np.clip(np.searchsorted(self.time, t, side="right") - 1, 0, len(self.time) - 2)
        h = self.time[k + 1] - self.time[k]
        s = (t - self.time[k]) / h
        inside = (times >= 0) & (times <= self.time[-1])
        values, rates = {}, {}
        for name, x in self.columns.items():
            slope = np.gradient(x, self.time)
            a, b, p, q = x[k], x[k + 1], h * slope[k], h * slope[k + 1]
            values[name] = a + s * (p + s * (3 * (b - a) - 2 * p - q + s * (2 * (a - b) + p + q)))
            rate = p + s * (2 * (3 * (b - a) - 2 * p - q) + 3 * s * (2 * (a - b) + p + q))
            rates[name] = np.where(inside, rate / h, 0.0)
        return values, rates


def _csv(path):
    with open(path, encoding="utf-8") as f:
        names = [n.strip() for n in f.readline().split(",")]
    rows = np.genfromtxt(path, delimiter=",", skip_header=1, ndmin=2)
    if len(set(names)) != len(names) or rows.shape[1] != len(names):
        raise ValueError(f"{len(names)} names, {rows.shape[1]} columns; allowed: different names, then numbers")
    return dict(zip(names, rows.T, strict=True))


def tracking(model, tables, name, start, ctrl0, steps, dt, catch=False):
    """(way, place): the Way of a Table in `steps` control steps of `dt` s from its first row on, and where the point
    `name` is to be, (rows, 3), None where the table has joints. Of k points `name` as many tables, and (rows, 3 k).

    catch: it begins at rest in `start`, and at its `arrival` the point is where it is to be, as early as the actuators
    can.
    """
    m, times = model, np.arange(steps + 1) * dt
    tables = [tables] if isinstance(tables, Table) else tables
    table = tables[0]
    if set(PLACE) <= set(table.columns) or catch:
        for each in tables:
            if name is None or not each.places:
                raise ValueError(f"{each.path}: x, y, z of a point: allowed with --site NAME, and no other columns")
        place = _places(tables, times)
        qpos, dofs, away = _through(m, points(m, name), tables, start, times)
        qvel = np.gradient(qpos, dt, axis=0)[:, m.jnt_qposadr[m.dof_jntid[dofs]]]
    elif name is not None:
        raise ValueError(f"--site {name}: {table.path} has no x, y, z of a point, allowed: without --site")
    else:
        qpos, dofs, qvel, away, place = *_joints(m, table, start, times), 0.0, None
    full = np.zeros((len(times), m.nv))
    full[:, dofs] = qvel
    way = _driven(m, Way(qpos, full, None, np.array(dofs), qpos[-1], away, 0.0, 0.0, False), ctrl0, dt)
    return _caught(m, way, np.asarray(start, float), ctrl0, dt) if catch else way, place


def _driven(m, way, ctrl0, dt):
    """The same Way with its controls, and what they take."""
    qpos, qvel = ([0.5 * (a[1:] + a[:-1]) for a in (way.qpos, way.qvel)])  # amid the controls
    states = qpos, qvel, np.diff(way.qvel, axis=0) / dt
    ctrl, share = controls_for(m, forces_along(m, *states), *states, ctrl0)
    return way._replace(ctrl=ctrl, share=float(share.max(initial=0.0)))


def _caught(m, way, start, ctrl0, dt):
    """The Way from rest in `start` onto this one."""
    at = m.jnt_qposadr[m.dof_jntid[way.dofs]]
    still = _driven(m, way._replace(qpos=np.tile(start, (2, 1)), qvel=np.zeros((2, m.nv))), ctrl0, dt).share
    most = max(SHARE, way.share, min(max(way.share, still) + LITTLE, 1.0))
    longest = 0.5 * len(way.ctrl) * dt
    times = np.arange(len(way.qpos)) * dt
    for T in [*DURATIONS[DURATIONS < longest], longest]:
        s, v = _fading(np.minimum(times / T, 1.0), start[at] - way.qpos[0, at], -T * way.qvel[0, way.dofs])
        found = way._replace(qpos=way.qpos.copy(), qvel=way.qvel.copy(), arrival=float(T))
        found.qpos[:, at] += s
        found.qvel[:, way.dofs] += v / T
        found = _driven(m, found, ctrl0, dt)
        if found.share <= most:
            break
    return found


def _fading(x, value, rate):
    """(s, s') at x from 0 to 1 of the quintics from `value` and `rate` (n,), with no curvature, to nothing at all."""
    x = x[:, None]
    a, b = 1 - x**3 * (10 - 15 * x + 6 * x**2), x - x**3 * (6 - 8 * x + 3 * x**2)
    da, db = -30 * x**2 * (1 - x) ** 2, 1 - x**2 * (18 - 32 * x + 15 * x**2)
    return a * value + b * rate, da * value + db * rate


def _places(tables, times):
    """(rows, 3 k), m: where the points are to be at these times."""
    found = [table.at(times)[0] for table in tables]
    return np.stack([values[k] for values in found for k in PLACE], axis=1)


def _joints(m, table, start, times):
    """(qpos, dofs, qvel of these) of a table of joints."""
    values, rates = table.at(times)
    qpos, dofs, qvel = np.tile(np.asarray(start, float), (len(times), 1)), [], []
    for name in table.columns:
        j = m.joint(name)
        if m.jnt_type[j] not in (HINGE, SLIDE):
            raise ModelError(f"{table.path}: joint {name!r}: allowed: hinges and slides")
        qpos[:, m.jnt_qposadr[j]] = values[name]
        dofs.append(int(m.jnt_dofadr[j]))
        qvel.append(rates[name])
    return qpos, dofs, np.stack(qvel, axis=1)


def _through(m, point, tables, start, times):
    """(qpos, dofs, the farthest from its place) of joints with which a point goes through a table's places."""
    dofs = [i for i in point.dofs if i in driven(m)]
    if not dofs or FREE in m.jnt_type[m.dof_jntid[point.dofs]]:
        raise ModelError(f"--task track of a point: allowed: one that joints with an actuator of their own move from a "
                         f"fixed base ({m.name})")  # fmt: skip
    coarse = np.linspace(0.0, times[-1], min(KNOTS, len(times)))
    one, q, knots = Simulator(m), np.array(start, float), []
    for target in _places(tables, coarse):
        q = reaching(one, point, target, q[None], dofs)[0][0]
        knots.append(q)
    knots = np.array(knots)
    first = np.stack([np.interp(times, coarse, k) for k in knots.T], axis=1)
    qpos, away = reaching(Simulator(m, len(times)), point, _places(tables, times), first, dofs)
    return qpos, dofs, float(away.max())
