"""Keyframes: named states to start from."""

from dataclasses import dataclass

import numpy as np

from ..checks import first
from ..errors import ModelError
from .kind import Kind, cast

KEYS = {"qpos": "nq", "qvel": "nv", "act": "na", "ctrl": "nu"}  # key_*: width of a row


@dataclass
class Keyframes:
    """Named states to start from."""

    names: list
    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    ctrl: np.ndarray


class Key(Kind):
    name, plural, counted = "key", "keys", "nkey"

    class Methods:
        def key(self, name, qpos=None, qvel=None, act=None, ctrl=None):
            """A named state to start from; what is left out is the rest position, or zero.

            Sizes are checked by compile.
            """
            self._check_new("key", self.keys, name)
            self.keys[name] = {"qpos": qpos, "qvel": qvel, "act": act, "ctrl": ctrl}
            return name

    def check_indices(self, m):
        if not all(isinstance(name, str) for name in m.key_names):
            raise ModelError(f"key_names = {m.key_names}; allowed: strings")
        for name, size in KEYS.items():
            value, want = getattr(m, f"key_{name}"), (len(m.key_names), getattr(m, size))
            if not isinstance(value, np.ndarray) or value.shape != want or value.dtype.kind not in "biuf":
                raise ModelError(f"key_{name} has shape {np.shape(value)}; allowed: numbers of shape {want}")

    def check(self, m):
        for name in KEYS:
            value = getattr(m, f"key_{name}")
            bad = first(~np.isfinite(value))
            if bad is not None:
                raise ModelError(f"{m.label('key', bad)}: key_{name} = {value[bad]}; allowed: finite numbers")

    def of(self, mujoco, mj):
        """The Keyframes of an MjModel."""
        return Keyframes(self.names(mujoco, mj), mj.key_qpos, mj.key_qvel, mj.key_act, mj.key_ctrl)


def keyframes_of(builder, m):
    """The Keyframes of a builder. m: the arrays made of it."""
    rest = {
        "qpos": m.qpos0,
        "qvel": np.zeros(len(m.dof_jntid)),
        "act": np.zeros(np.sum(m.actuator_actadr >= 0)),
        "ctrl": np.zeros(len(m.actuator_trnid)),
    }
    columns = {name: [] for name in rest}
    for key, given in builder.keys.items():
        for name, value in rest.items():
            chosen = value if given[name] is None else np.asarray(given[name], float)
            if chosen.shape != value.shape:
                raise ModelError(f"key {key!r}: {name} has shape {chosen.shape}; allowed: {value.shape}")
            columns[name].append(chosen)
    return Keyframes(list(builder.keys), **columns)


def take_keyframes(m, keys):
    """Set `key_names` and `key_qpos`, ... (nkey, nq), ... of Model `m`. keys: Keyframes or None."""
    m.key_names = list(keys.names) if keys else []
    nkey = len(m.key_names)
    for name, size in KEYS.items():
        width = getattr(m, size)
        value = cast(f"key_{name}", getattr(keys, name), np.float64) if keys else np.zeros(0)
        if value.shape not in ((nkey, width), (nkey * width,)):
            raise ModelError(f"key_{name} has shape {value.shape}, allowed is {(nkey, width)}")
        setattr(m, f"key_{name}", value.reshape(nkey, width))
