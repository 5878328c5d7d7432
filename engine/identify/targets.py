"""What the channels of a log are to a robot: measurements of its state or sensors, and controls."""

from typing import NamedTuple

import numpy as np

from engine.model.constants import FREE, HINGE, SLIDE
from engine.words import meant

SCALAR = (HINGE, SLIDE)
WORDS = ("qpos", "qvel", "pose", "sensor", "ctrl")


class Measured(NamedTuple):
    """What a channel measures. kind: qpos, qvel, pose, sensor. first: its dof, or its entry of sensordata. size:
    numbers of its residual. qposadr: of a pose."""

    kind: str
    first: int
    size: int
    label: str
    qposadr: int = -1


class Measurement(NamedTuple):
    """Samples of one thing: times (n,), values (n, k), sd of its noise or None (to be found)."""

    what: Measured
    time: np.ndarray
    values: np.ndarray
    noise: float | None


def interpreted(model, log, noise):
    """(measurements, controls {actuator: Channel}) of a Log. noise: {name or word: standard deviation} or a number.

    A channel is called as a hinge or slide (its position), or WORD:NAME: qpos qvel of one, `pose` of a free joint (7
    numbers: m, quaternion), sensor, ctrl of an actuator. `qpos`, `qvel`, `ctrl` alone are those of all hinges and
    slides, or actuators, in their order. Raises ValueError for a name that the robot has not, or for other numbers of
    columns.
    """
    measured, controls = [], {}
    scalars = [j for j in range(model.njnt) if model.jnt_type[j] in SCALAR]
    for name, channel in log.channels.items():
        word, _, rest = name.partition(":")
        values = channel.values.reshape(len(channel.time), -1)
        if not rest and word in ("qpos", "qvel", "ctrl"):
            names = range(model.nu) if word == "ctrl" else scalars
            _columns(log, name, values, len(names))
            for k, i in enumerate(names):
                if word == "ctrl":
                    _command(model, log, controls, i, channel._replace(values=values[:, k]))
                else:
                    what = Measured(word, int(model.jnt_dofadr[i]), 1, f"{word}:{model.joint_names[i]}")
                    measured.append(Measurement(what, channel.time, values[:, k : k + 1], _sd(noise, what.label, name)))
            continue
        if word not in WORDS or not rest:
            word, rest = "qpos", name
        if word == "ctrl":
            _columns(log, name, values, 1)
            u = _number(model, log, name, "actuator", rest)
            _command(model, log, controls, u, channel._replace(values=values[:, 0]))
            continue
        what = _target(model, log, name, word, rest)
        _columns(log, name, values, 7 if word == "pose" else what.size)
        measured.append(Measurement(what, channel.time, values, _sd(noise, what.label, name)))
    if not measured:
        raise ValueError(f"{log.name}: got no measurement, allowed: channels called as a joint, or WORD:NAME with "
                         f"{', '.join(WORDS[:-1])}; it has: {', '.join(log.channels)}")  # fmt: skip
    return measured, controls


def _command(model, log, controls, u, channel):
    if u in controls:
        raise ValueError(f"{log.name}: two channels are controls of {model.label('actuator', u)}, allowed: one")
    controls[u] = channel


def _target(model, log, name, word, rest):
    if word == "sensor":
        k = _number(model, log, name, "sensor", rest)
        return Measured(word, int(model.sensor_adr[k]), int(model.sensor_dim[k]), name)
    j = _number(model, log, name, "joint", rest)
    free = model.jnt_type[j] == FREE
    if free != (word == "pose") or not free and model.jnt_type[j] not in SCALAR:
        allowed = "a free joint" if word == "pose" else "a hinge or slide (of a free joint: pose)"
        raise ValueError(f"{log.name}: channel {name!r} is of joint {rest!r}, allowed: {allowed}")
    dof, adr = int(model.jnt_dofadr[j]), int(model.jnt_qposadr[j])
    return Measured(word, dof, 6 if free else 1, f"{word}:{rest}", adr)


def _number(model, log, name, kind, wanted):
    names = list(getattr(model, f"{kind}_names"))
    if wanted not in names:
        near, known = meant(wanted, names), ", ".join(n for n in names if n)
        raise ValueError(f"{log.name}: channel {name!r}: the robot has no {kind} {wanted!r}{near}; it has: {known} "
                         "(what is no channel of the robot is left out by Log.without, --ignore)")  # fmt: skip
    return names.index(wanted)


def _columns(log, name, values, allowed):
    if values.shape[1] != allowed:
        raise ValueError(f"{log.name}: channel {name!r} has {values.shape[1]} column(s), allowed: {allowed}")


def _sd(noise, label, name):
    if not isinstance(noise, dict):
        return noise
    for key in (name, label, label.partition(":")[0]):
        if key in noise:
            return noise[key]
    return None


ORDER, GROWTH = 5, 252.0  # of differences, and what the variance of white noise grows by in them: binomial(10, 5)


def noise_of(values):
    """The standard deviation (k,) of white noise in samples (n, k) of something smooth, or 1: of their fifth
    differences, in which 10 Hz sampled at 400 Hz is 1e-4 of its size."""
    if len(values) < 2 * ORDER:
        return np.ones(values.shape[1])
    found = np.median(np.abs(np.diff(values, ORDER, axis=0)), axis=0) / 0.6745 / np.sqrt(GROWTH)
    return np.where(found > 0, found, 1.0)


def turned(quat):
    """Rotation vectors (n, 3) of quaternions (n, 4) against the one before, added up."""
    q = quat / np.linalg.norm(quat, axis=1, keepdims=True)
    steps = turn(q[:-1], q[1:]) if len(q) > 1 else np.zeros((0, 3))
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def turn(a, b):
    """log(a^-1 b) of quaternions (n, 4) of any length: a rotation vector in a's axes, the shorter way round."""
    a, b = (q / np.linalg.norm(q, axis=-1, keepdims=True) for q in (a, b))
    c = (a * b).sum(axis=-1, keepdims=True)
    v = a[..., :1] * b[..., 1:] - b[..., :1] * a[..., 1:] - np.cross(a[..., 1:], b[..., 1:])
    v, c = np.where(c < 0, -v, v), np.abs(c)
    s = np.linalg.norm(v, axis=-1, keepdims=True)
    return v * np.where(s > 1e-12, 2 * np.arctan2(s, c) / np.maximum(s, 1e-300), 2.0)
