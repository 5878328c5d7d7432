"""MLP: a small neural network from chosen entries of the state and the clock to the controls."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine import parts
from engine.entries import ANGLES, coordinate, layer_shapes, network, observe, start_weights
from engine.model import Model, require_model
from engine.model.constants import HINGE
from engine.model.coordinates import quaternions

from .controller import Controller, stored, whole
from .pd import same_robot

_CLOCKS = {"sin": parts.OBS_SIN, "cos": parts.OBS_COS}


class MLP(Controller):
    """u = W_L tanh(... tanh(W_1 o + b_1) ...) + b_L, with o the observed entries.

    hidden: sizes of the hidden layers; none makes a linear parts. observe: what it sees, a list of
        "qpos", "qvel"      all entries
        ("qpos", i)         one entry, also "qvel"; entries of quaternions are seen as of the unit quaternion
        ("sin", period)     the clock, sin(2 pi time / period), also "cos"; the period in s, to the microsecond
        ("sin_qpos", i)     sine of a hinge's angle, also "cos_qpos": smooth where the angle wraps around
        ("up", joint)       the world's z axis as the body of a ball or free joint sees it, 3 entries
    seed: of the start weights, normal with variance 1 / inputs (the last layer a tenth of that); biases are zero.
    """

    def __init__(
        self, model: Model, hidden: Sequence[int] = (32, 32), observe: Any = ("qpos", "qvel"), seed: int = 0,
    ) -> None:  # fmt: skip
        require_model(model, "MLP: model")
        if isinstance(hidden, (str, bytes)) or not isinstance(hidden, Iterable):
            raise ValueError(f"MLP: hidden: got {hidden!r}, allowed: a list of sizes, as (32, 32)")
        entries = [e for item in _items(observe) for e in _entries(model, item)]
        sizes = [len(entries), *(whole("MLP: hidden", n) for n in hidden), model.nu]
        self._make({"nq": model.nq, "nv": model.nv, "sizes": sizes, "entries": entries})
        for k, start in enumerate(start_weights(np.random.default_rng(seed), sizes), 1):
            self.view(f"W{k}")[...] = start

    def _make(self, config):
        self._sizes = config["sizes"]
        self.layers = len(self._sizes) - 1
        self._entries = [tuple(e) for e in config["entries"]]
        super().__init__(config, layer_shapes(self._sizes), self._sizes[-1])

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The controller that `save` described; ValueError where the description means nothing."""
        stored("MLP", config, nq=0, nv=0, sizes=(0, 1 << 31))
        sizes, entries = config["sizes"], config["entries"]
        if not isinstance(entries, list) or len(sizes) < 2 or sizes[0] != len(entries):
            raise ValueError(f"MLP: config: sizes: got {sizes}, allowed: its {len(entries)} entries, then layers")
        for entry in entries:
            _check_entry(entry, config["nq"], config["nv"])
        made = cls.__new__(cls)
        made._make(config)
        return made

    @property
    def weights(self) -> Any:
        """Live views of the layers' matrices, (rows, inputs) each."""
        return [self.view(f"W{k}") for k in range(1, self.layers + 1)]

    @property
    def biases(self) -> Any:
        """Live views of the layers' biases, (rows,) each."""
        return [self.view(f"b{k}") for k in range(1, self.layers + 1)]

    def _parts(self, tape):
        same_robot(self, tape.sim.model)
        ints = [self.layers, *self._sizes, *(i for entry in self._entries for i in entry)]
        return [parts.Part(parts.MLP, parts.TO_CTRL, self.nparam, ints, scratch=sum(self._sizes))]

    def observation(self, time: Any, qpos: ArrayLike, qvel: ArrayLike) -> Any:
        """What the network sees, (..., inputs)."""
        lead = np.broadcast_shapes(qpos.shape[:-1], qvel.shape[:-1], np.shape(time))
        columns = [np.broadcast_to(observe(e, time, qpos, qvel), lead) for e in self._entries]
        return np.stack(columns, axis=-1)

    def _control(self, t, time, qpos, qvel):
        return network(self.observation(time, qpos, qvel), self.weights, self.biases)


class FeaturePolicy(MLP):
    """A policy of features that you choose (MLP's `observe`): linear, u = W f + b, or with `hidden` tanh layers."""

    def __init__(self, model: Model, features: Any, hidden: Sequence[int] = (), seed: int = 0) -> None:
        super().__init__(model, hidden, features, seed)


def _items(observe):
    if isinstance(observe, str) or not isinstance(observe, (list, tuple)) or not observe:
        raise ValueError(f"MLP: observe: got {observe!r}, allowed: a list with at least one entry")
    return observe


def _entries(model, item):
    """The kernel's (kind, index) pairs of one item of `observe`."""
    name, *rest = item if isinstance(item, (list, tuple)) and item else (item,)
    if name in ("qpos", "qvel") and len(rest) <= 1:
        size = model.nq if name == "qpos" else model.nv
        chosen = [whole(f"MLP: observe {name}", i, 0) for i in rest] or range(size)
        if len(rest) and chosen[0] >= size:
            raise ValueError(f"MLP: observe {name}: got {chosen[0]}, allowed: 0 to {size - 1}")
        return [coordinate(model, i) if name == "qpos" else (parts.OBS_QVEL, i) for i in chosen]
    if name in ANGLES and len(rest) == 1:
        i = whole(f"MLP: observe {name}", rest[0], 0)
        if i not in model.jnt_qposadr[model.jnt_type == HINGE]:
            raise ValueError(f"MLP: observe {name}: got {i}, allowed: the index of a hinge's angle in qpos")
        return [(ANGLES[name], i)]
    if name == "up" and len(rest) == 1:
        j = model.joint(rest[0]) if isinstance(rest[0], str) else whole("MLP: observe up", rest[0], 0)
        found = [c.qposadr for c in quaternions(model) if c.joint == j]
        if not found:
            raise ValueError(f"MLP: observe up: got {rest[0]!r}, allowed: a free or ball joint, its name or index")
        return [(parts.OBS_UP + e, found[0]) for e in range(3)]
    if name in _CLOCKS and len(rest) == 1:
        micro = round(float(rest[0]) * 1e6) if np.isfinite(rest[0]) else 0
        if not 1 <= micro < 2**31:
            raise ValueError(f"MLP: observe {name}: period {rest[0]!r}, allowed: 1e-6 to 2147 s")
        return [(_CLOCKS[name], micro)]
    raise ValueError(
        f"MLP: observe: got {item!r}, allowed: 'qpos', 'qvel', ('qpos', index), ('qvel', index), ('sin', period), "
        f"('cos', period), ('sin_qpos', index), ('cos_qpos', index), ('up', joint)"
    )


def _check_entry(entry, nq, nv):
    """Refuse a stored (kind, index) pair that would read beside the state."""
    kind, i = (whole("MLP: config: entries", x, 0) for x in entry)
    ends = {parts.OBS_QPOS: nq, parts.OBS_QVEL: nv, parts.OBS_SIN_QPOS: nq, parts.OBS_COS_QPOS: nq}
    ends |= dict.fromkeys((parts.OBS_SIN, parts.OBS_COS), 1 << 31)
    ends |= dict.fromkeys([*range(parts.OBS_QUAT, parts.OBS_QUAT + 4), *range(parts.OBS_UP, parts.OBS_UP + 3)], nq - 3)
    if i >= ends.get(kind, 0) or i == 0 and kind in _CLOCKS.values():
        raise ValueError(f"MLP: config: entries: got {entry}, allowed: what a model with nq={nq}, nv={nv} has")
