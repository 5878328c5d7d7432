"""Keyframes: named states to start from."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import plastic, sleeping
from ..checks import first
from ..delays import clocks, late, past
from ..errors import ModelError
from ..orientations import rest_controls
from ..servos import ours, rows_of, states_of
from .body import mocap_bodies
from .kind import Kind, cast
from .option import disabled
from .tendon import taken_tendons

# key_*: numbers of a row, as a count and how many of each, or one number
KEYS = {
    "qpos": ("nq", 1), "qvel": ("nv", 1), "act": ("na", 1), "ctrl": ("nu", 1), "mpos": ("nmocap", 3),
    "mquat": ("nmocap", 4), "time": None,
}  # fmt: skip
YOUNGER = ("mpos", "mquat", "time")  # than the first stored robots


@dataclass
class Keyframes:
    """Named states to start from."""

    names: list
    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    ctrl: np.ndarray
    mpos: np.ndarray
    mquat: np.ndarray
    time: np.ndarray


def row_shape(m, name):
    """The shape of a keyframe's array: () of its time, else one axis."""
    return () if KEYS[name] is None else (getattr(m, KEYS[name][0]) * KEYS[name][1],)


class Key(Kind):
    name, plural, counted = "key", "keys", "nkey"

    class Methods:
        def key(
            self, name: str, qpos: ArrayLike | None = None, qvel: ArrayLike | None = None,
            act: ArrayLike | None = None, ctrl: ArrayLike | None = None, mpos: ArrayLike | None = None,
            mquat: ArrayLike | None = None, time: float | None = None,
        ) -> str:  # fmt: skip
            """A named state to start from; what is left out is the rest position, the mocap bodies' own pose, or zero.

            mpos (nmocap, 3), m, and mquat (nmocap, 4): the mocap bodies' poses; time: s. Sizes are checked by compile.
            """
            self._check_new("key", self.keys, name)
            self.keys[name] = dict(qpos=qpos, qvel=qvel, act=act, ctrl=ctrl, mpos=mpos, mquat=mquat, time=time)
            return name

    def check_indices(self, m):
        if not all(isinstance(name, str) for name in m.key_names):
            raise ModelError(f"key_names = {m.key_names}; allowed: strings")
        for name in KEYS:
            value, want = getattr(m, f"key_{name}"), (len(m.key_names), *row_shape(m, name))
            if not isinstance(value, np.ndarray) or value.shape != want or value.dtype.kind not in "biuf":
                raise ModelError(f"key_{name} has shape {np.shape(value)}; allowed: numbers of shape {want}")

    def check(self, m):
        for name in KEYS:
            value = getattr(m, f"key_{name}")
            bad = first(~np.isfinite(value))
            if bad is not None:
                raise ModelError(f"{m.label('key', bad)}: key_{name} = {value[bad]}; allowed: finite numbers")

    def of(self, mujoco, mj, m):
        """The Keyframes of an MjModel, whose numbers of the past are zeros. m: what has the arrays made of it."""
        values = {name: getattr(mj, f"key_{name}") for name in KEYS}
        values["ctrl"] = ours(mj, values["ctrl"])
        count = (mj.actuator_history[:, 0] * (mj.actuator_delay > 0))[rows_of(mj)].sum()
        if mj.nsensor and not disabled(mujoco, mj, "SENSOR"):
            n = np.where(late(mj), mj.sensor_history[:, 0], 0)
            count += np.sum(n * mj.sensor_dim) + np.sum((1 + n)[clocks(mj)])
        values["act"] = np.pad(values["act"], ((0, 0), (0, count + sleeping.count(m))))
        if plastic.count(m):  # which MuJoCo before 4.0 has no word for
            moved = plastic.taken(mj, m, taken_tendons(mujoco, mj), mj.key_plastic)
            values["act"] = np.concatenate([values["act"], moved], axis=1)
        return Keyframes(self.names(mujoco, mj), **values)


def keyframes_of(builder, m):
    """The Keyframes of a builder. m: the arrays made of it."""
    mocap = mocap_bodies(m)
    rest = {
        "qpos": m.qpos0,
        "qvel": np.zeros(len(m.dof_jntid)),
        "act": np.zeros(np.sum(states_of(m)) + past(m) + sleeping.count(m) + plastic.count(m)),
        "ctrl": np.zeros(len(m.actuator_trnid)),
        "mpos": m.body_pos[mocap],
        "mquat": m.body_quat[mocap],
        "time": np.zeros(()),
    }
    columns = {name: [] for name in rest}
    for key, given in builder.keys.items():
        for name, value in rest.items():
            chosen = value if given[name] is None else np.asarray(given[name], float)
            if chosen.shape != value.shape:
                raise ModelError(f"key {key!r}: {name} has shape {chosen.shape}; allowed: {value.shape}")
            if name == "mquat":
                length = np.linalg.norm(chosen, axis=1, keepdims=True)
                if not (length > 0).all():
                    raise ModelError(f"key {key!r}: mquat = {chosen.tolist()}; allowed: quaternions other than zero")
                chosen = chosen / length
            columns[name].append(chosen if name == "time" else chosen.ravel())
    return Keyframes(list(builder.keys), **columns)


def take_keyframes(m, keys):
    """Set `key_names` and `key_qpos`, ... (nkey, nq), ... of Model `m`. keys: Keyframes or None."""
    m.key_names = list(keys.names) if keys else []
    nkey = len(m.key_names)
    for name in KEYS:
        want = (nkey, *row_shape(m, name))
        value = cast(f"key_{name}", getattr(keys, name), np.float64) if keys else np.zeros(0)
        if value.shape not in (want, (math.prod(want),)):
            raise ModelError(f"key_{name} has shape {value.shape}, allowed is {want}")
        setattr(m, f"key_{name}", value.reshape(want))


def start_state(m, keyframe=None, qpos=None, qvel=None):
    """The state of a keyframe by MuJoCo's names, or that of the model with these qpos and qvel, each None or given."""
    mocap = mocap_bodies(m)
    if keyframe is None:
        return {
            "qpos": m.qpos0 if qpos is None else qpos, "qvel": np.zeros(m.nv) if qvel is None else qvel, "act": 0,
            "ctrl": rest_controls(m), "time": 0, "mocap_pos": m.body_pos[mocap], "mocap_quat": m.body_quat[mocap],
            "eq_active": m.eq_active0,
        }  # fmt: skip
    if qpos is not None or qvel is not None:
        raise ValueError("reset: keyframe with qpos or qvel; allowed: one or the other, since a keyframe has both")
    k, nkey = m.key(keyframe) if isinstance(keyframe, str) else keyframe, len(m.key_names)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 0 <= k < nkey:
        numbers = f"0 to {nkey - 1}, or a name of {m.key_names}" if nkey else "none, since the model has no keyframe"
        raise ValueError(f"reset: keyframe: got {keyframe!r}, allowed: {numbers}")
    state = {name: getattr(m, f"key_{name}")[k] for name in ("qpos", "qvel", "act", "ctrl", "time")}
    poses = {"mocap_pos": m.key_mpos[k].reshape(-1, 3), "mocap_quat": m.key_mquat[k].reshape(-1, 4)}
    return state | poses | {"eq_active": m.eq_active0}
