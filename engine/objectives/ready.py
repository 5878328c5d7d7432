"""Ready costs of what a robot reaches, follows, spends and presses on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.clocks import times_of
from engine.model import Model, ModelError, require_model
from engine.model.constants import DYN_NONE, OBJ_GEOM, OBJ_SITE, OBJ_XBODY, TRN_JOINT
from engine.model.sensors import SENS
from engine.objectives.objective import Objective, durations, step_duration


class Quantity:
    """Which recorded numbers a cost looks at: columns of one output."""

    def __init__(self, model, qpos=None, qvel=None, sensor=None, site=None, body=None, geom=None):
        given = {"qpos": qpos, "qvel": qvel, "sensor": sensor, "site": site, "body": body, "geom": geom}
        given = {k: v for k, v in given.items() if v is not None}
        require_model(model)
        if len(given) != 1:
            raise ValueError(f"got {sorted(given) or 'nothing'}, allowed: one of qpos, qvel, sensor, site, body, geom")
        (kind, value), = given.items()
        if kind in ("qpos", "qvel"):
            size = model.nq if kind == "qpos" else model.nv
            self.output = kind
            try:
                self.columns = np.arange(size)[value if isinstance(value, slice) else np.atleast_1d(value)]
            except (IndexError, TypeError):
                raise ValueError(f"{kind}: got {value!r}, allowed: indices below {size}") from None
        else:
            self.output = "sensordata"
            k = model.sensor(value) if kind == "sensor" else _frame_sensor(model, kind, value)
            self.columns = model.sensor_adr[k] + np.arange(model.sensor_dim[k])
        # columns side by side are a view, whose reading and writing takes a third of the time
        n, first = len(self.columns), int(self.columns[0]) if len(self.columns) else 0
        side_by_side = np.array_equal(self.columns, np.arange(first, first + n))
        self.at = (..., slice(first, first + n) if side_by_side else self.columns)
        self.twice = len(set(self.columns.tolist())) < n  # whether a column is named more than once

    def of(self, trajectory):
        return getattr(trajectory, self.output)[self.at]

    def bars(self, trajectory, bar):
        """{output: cotangent} from that of the columns."""
        out = np.zeros_like(getattr(trajectory, self.output))
        if self.twice:
            np.add.at(out, self.at, bar)
        else:
            out[self.at] = bar
        return {self.output: out}


def _frame_sensor(model, kind, name):
    """The framepos sensor of a site, body or geom."""
    wanted = {"site": OBJ_SITE, "body": OBJ_XBODY, "geom": OBJ_GEOM}[kind]
    index = getattr(model, kind)(name)
    for k in range(model.nsensor):
        if (model.sensor_type[k], model.sensor_objtype[k], model.sensor_objid[k]) == (SENS.framepos, wanted, index):
            return k
    objtype = "xbody" if kind == "body" else kind
    raise ModelError(
        f"{kind} {name!r} has no framepos sensor, through which its place is differentiated; add one: "
        f'b.sensor("framepos", "{name}_pos", objtype="{objtype}", objname="{name}") or <framepos> in the file'
    )


class Reach(Objective):
    """Bring a quantity to a target: terminal |x(T) - target|^2 + running * integral |x - target|^2 dt.

    One of qpos, qvel (indices), sensor (name), site, body or geom (names; their place, m, through a framepos sensor)
    says which quantity. target: its numbers. Units: those of the quantity squared, times s for `running`.
    """

    def __init__(
        self, model: Model, target: ArrayLike, *, qpos: Any | None = None, qvel: Any | None = None,
        sensor: str | None = None, site: str | None = None, body: str | None = None, geom: str | None = None,
        terminal: float = 1.0, running: float = 1.0,
    ) -> None:  # fmt: skip
        self.quantity = Quantity(model, qpos, qvel, sensor, site, body, geom)
        self.target = _numbers("Reach: target", target, (len(self.quantity.columns),))
        self.terminal, self.running = float(terminal), float(running)

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        error, weight = self.quantity.of(trajectory) - self.target, self._weight(trajectory)
        cost = (weight * np.square(error).sum(axis=-1)).sum(axis=0)
        return cost, self.quantity.bars(trajectory, 2 * weight[..., None] * error)

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        return self.quantity.bars(trajectory, 2 * self._weight(trajectory)[..., None])

    def _weight(self, trajectory):
        weight = self.running * durations(trajectory)
        weight[-1] += self.terminal
        return weight


class Track(Objective):
    """Follow a reference: integral of |x - reference|^2 dt, quantities as in Reach.

    reference: (rows, n) with a row for every recorded row of the trajectory, or a function of the time (s, on each
    world's own clock) that returns (n,). weight: number or (n,). Units: those of the quantity squared times s.
    """

    def __init__(
        self, model: Model, reference: ArrayLike, *, qpos: Any | None = None, qvel: Any | None = None,
        sensor: str | None = None, site: str | None = None, body: str | None = None, geom: str | None = None,
        weight: float = 1.0,
    ) -> None:  # fmt: skip
        self.quantity = Quantity(model, qpos, qvel, sensor, site, body, geom)
        n = len(self.quantity.columns)
        self.weight = np.broadcast_to(np.asarray(weight, float), (n,))
        self.reference = reference
        if not callable(reference):
            rows = np.shape(reference)[:1] or ("rows",)
            self.reference = _numbers("Track: reference", reference, (*rows, n))

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        x = self.quantity.of(trajectory)
        error = x - (self._at(times_of(trajectory), x.shape) if callable(self.reference) else self._rows(x.shape))
        weight = durations(trajectory)[..., None] * self.weight
        return (weight * error**2).sum(axis=(0, 2)), self.quantity.bars(trajectory, 2 * weight * error)

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        return self.quantity.bars(trajectory, 2 * durations(trajectory)[..., None] * self.weight)

    def _rows(self, shape):
        """The reference of rows, (rows, 1, n), for outputs of shape (rows, worlds, n)."""
        if self.reference.shape != (shape[0], shape[2]):
            raise ValueError(
                f"Track: reference has shape {self.reference.shape}, the trajectory needs {(shape[0], shape[2])}"
            )
        return self.reference[:, None]

    def _at(self, times, shape):
        """The reference at each world's times, (rows, worlds or 1, n); worlds whose clocks agree share the calls."""
        _, first, clock = np.unique(times[0], return_index=True, return_inverse=True)
        wanted = np.array([[self.reference(float(t)) for t in row] for row in times[:, first]])
        if wanted.shape != (shape[0], len(first), shape[2]):
            raise ValueError(
                f"Track: reference returns shape {wanted.shape[2:]} at a time, the trajectory needs {shape[2:]}"
            )
        return wanted if len(first) == 1 else wanted[:, clock]


class Effort(Objective):
    """Integral of the squared controls, sum u^2 dt; unit: control^2 s."""

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        u, dt = trajectory.ctrl, step_duration(trajectory)
        return dt * np.square(u).sum(axis=(0, 2)), {"ctrl": 2 * dt * u}

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        return {"ctrl": np.full_like(trajectory.ctrl, 2 * step_duration(trajectory))}


class Energy(Objective):
    """Work that actuators put in, J: integral of sum max(force velocity, 0) dt; braking gives nothing back.

    The force is that of an `actuatorfrc` sensor where the actuator has one, else gain * ctrl, which is right for a
    motor without activation, bias and force range (others are refused by name). The control is taken as it is
    recorded, also beyond its range. Control steps and recorded rows must be the same (record_every=1).
    """

    def __init__(self, model: Model) -> None:
        require_model(model)
        for i in np.flatnonzero(model.actuator_trntype != TRN_JOINT):
            raise ModelError(f"Energy: {model.label('actuator', i)} is on no joint, allowed: on a hinge or slide")
        self.gear, self.dof = model.actuator_gear[:, 0].copy(), model.jnt_dofadr[model.actuator_trnid]
        self.gain = model.actuator_gainprm[:, 0].copy()
        self.sensor = np.full(model.nu, -1)
        for k in range(model.nsensor):
            if model.sensor_type[k] == SENS.actuatorfrc:
                self.sensor[model.sensor_objid[k]] = model.sensor_adr[k]
        for i in np.flatnonzero(self.sensor < 0):
            plain = (
                model.actuator_dyntype[i] == DYN_NONE and not model.actuator_biasprm[i].any()
                and not model.actuator_gainprm[i, 1:].any() and not model.actuator_forcelimited[i]
            )  # fmt: skip
            if not plain:
                raise ModelError(f"Energy: {model.label('actuator', i)} is no plain motor: give it an actuatorfrc")
        for i in np.flatnonzero(model.jnt_actfrclimited[model.actuator_trnid]):
            joint = model.label("joint", model.actuator_trnid[i])
            raise ModelError(f"Energy: {joint} limits the force of its actuators, whose share is unknown then; "
                             "allowed: a forcerange of the actuator instead of the joint's actuatorfrcrange")
        if (model.jnt_type[model.actuator_trnid] < 2).any():
            raise ModelError("Energy: actuators on ball and free joints are not supported, allowed: hinge and slide")

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        u, v, s = trajectory.ctrl, trajectory.qvel[:-1][..., self.dof], trajectory.sensordata
        if len(u) != len(v):
            raise ValueError(f"Energy: {len(u)} control steps but {len(v) + 1} recorded rows; record_every must be 1")
        sensed = self.sensor >= 0
        force = self.gain * u
        force[..., sensed] = s[:-1][..., self.sensor[sensed]]
        dt = step_duration(trajectory)
        power = self.gear * force * v
        on = dt * (power > 0)
        bars = {"qvel": np.zeros_like(trajectory.qvel), "ctrl": on * self.gear * self.gain * v * ~sensed}
        np.add.at(bars["qvel"][:-1], (..., self.dof), on * self.gear * force)
        if sensed.any():
            bars["sensordata"] = np.zeros_like(s)
            np.add.at(bars["sensordata"][:-1], (..., self.sensor[sensed]), (on * self.gear * v)[..., sensed])
        return (on * power).sum(axis=(0, 2)), bars


class Smoothness(Objective):
    """Integral of the squared rate of the controls, sum ((u_t - u_(t-1)) / dt)^2 dt; unit: control^2 / s.

    The jump from one window of a rollout to the next is in neither.
    """

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        u, dt = trajectory.ctrl, step_duration(trajectory)
        rate = np.diff(u, axis=0) / dt
        bar = np.zeros_like(u)
        bar[1:] += 2 * rate
        bar[:-1] -= 2 * rate
        return dt * np.square(rate).sum(axis=(0, 2)), {"ctrl": bar}

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        return {}


class ContactForceLimit(Objective):
    """Spare the feet: integral of sum max(f - limit, 0)^2 dt over touch sensors; limit in N, unit N^2 s.

    sensors: names of touch sensors, default all of the model.
    """

    def __init__(self, model: Model, limit: float, sensors: Sequence[str] | None = None) -> None:
        touch = np.flatnonzero(require_model(model).sensor_type == SENS.touch)
        chosen = touch if sensors is None else np.array([model.sensor(n) for n in sensors], int)
        for k in chosen:
            if k not in touch:
                raise ModelError(f"ContactForceLimit: {model.label('sensor', k)} is no touch sensor")
        if not len(chosen):
            raise ModelError("ContactForceLimit: the model has no touch sensor; add one to a site around the contact")
        self.columns, self.limit = model.sensor_adr[chosen], float(limit)

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        over = np.maximum(trajectory.sensordata[..., self.columns] - self.limit, 0.0)
        weight = durations(trajectory)[..., None]
        bar = np.zeros_like(trajectory.sensordata)
        bar[..., self.columns] = 2 * weight * over
        return (weight * over**2).sum(axis=(0, 2)), {"sensordata": bar}

    def curvature(self, trajectory: Any) -> dict[str, np.ndarray]:
        curve = np.zeros_like(trajectory.sensordata)
        pressed = trajectory.sensordata[..., self.columns] > self.limit
        curve[..., self.columns] = 2 * durations(trajectory)[..., None] * pressed
        return {"sensordata": curve}


def _numbers(what, value, shape):
    try:
        a = np.asarray(value, float)
    except (TypeError, ValueError):
        a = np.full((), np.nan)
    if a.shape != shape or not np.isfinite(a).all():
        raise ValueError(f"{what}: got {value!r}, allowed: finite numbers of shape {shape}")
    return a
