"""Residuals: forces that a robot has beyond its file, learned or written by the user, and friction that falls with
speed, inside its step.

    residual = residuals.MLP(model, inputs=[("qvel", "elbow")], outputs=["elbow"], hidden=(16,), passive=True)
    sim = engine.Simulator(residual.model)

A residual is put on a copy of a Model, `residual.model`, whose `residual_prm` are its parameters: they are in
`sim.params`, have gradients and are stored with the robot. A second one is put on that. RESIDUALS.md has it all,
dynamics/residual.py the formulas.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine import parts
from engine.entries import ANGLES, coordinate, layer_shapes, network, observe, start_weights
from engine.model import Model, ModelError, require_model, validate
from engine.model.constants import BIAS_AFFINE, DYN_NONE, GAIN_AFFINE, HINGE, SLIDE, TRN_JOINT
from engine.model.coordinates import quaternions
from engine.words import meant

_ARRAYS = ("kind", "num", "scratch", "intadr", "intnum", "prmadr", "prmnum", "passive", "speed", "power")
_FUNCTIONS = {"force": "m d w p i0 o".split(), "force_vjp": "m d g w p i0 o q b".split()}


class Residual:
    """What MLP and Own have in common.

    model: the robot with it, a copy of the Model that it was made for. params (n,): its parameters there, a live view.
    """

    model: Model

    def _put(self, model, kind, outputs, ints, params, scratch, passive, power, own=None):
        """Onto a copy of `model`; its place among the robot's residuals is `number`."""
        name = type(self).__name__
        if own and model.own_residual is not None:
            raise ValueError(f"{name}: model {model.name!r} has a function of one's own already, allowed: one")
        dofs = _dofs(model, name, outputs)
        # a speed of 1 equals True, and says another force
        switch = isinstance(passive, (bool, np.bool_))
        speed = 0.0 if switch else _positive(f"{name}: passive", passive, "True, False or a speed")
        power = 0.0 if power is None else _positive(f"{name}: power", power, "None or some W")
        m = self.model = model.copy()
        row = {"kind": kind, "num": len(dofs), "scratch": scratch, "intadr": m.nresidualint, "prmadr": m.nresidualprm,
               "intnum": len(dofs) + len(ints), "prmnum": len(params), "passive": bool(passive), "speed": speed,
               "power": power}  # fmt: skip
        for array in _ARRAYS:
            old = getattr(m, f"residual_{array}")
            setattr(m, f"residual_{array}", np.append(old, np.asarray(row[array], old.dtype)))
        m.residual_int = np.append(m.residual_int, np.array([*dofs, *ints], m.residual_int.dtype))
        m.residual_prm = np.append(m.residual_prm, np.asarray(params, float))
        self.number, m.own_residual = m.nresidual, own or m.own_residual
        m.nresidual, m.nresidualint, m.nresidualprm = len(m.residual_kind), len(m.residual_int), len(m.residual_prm)
        self.dofs, self._place = dofs, slice(int(row["prmadr"]), m.nresidualprm)
        validate(m)

    @property
    def params(self) -> np.ndarray:
        return self.of(self.model.residual_prm)

    def of(self, residual_prm: ArrayLike) -> Any:
        """This residual's part of an array of all of a robot's, (..., nresidualprm): of `sim.params.residual_prm`, of
        `grads.model["residual_prm"]`."""
        return residual_prm[..., self._place]

    def view(self, name: str, residual_prm: Any = None) -> Any:
        """A parameter by its name (of an MLP W1, b1, W2, ...), live, of `residual_prm` or the model's: (..., shape)."""
        values, at = self.of(self.model.residual_prm if residual_prm is None else residual_prm), 0
        for known, shape in self._shapes.items():
            n = math.prod(shape)
            if known == name:
                return values[..., at : at + n].reshape(*values.shape[:-1], *shape)
            at += n
        known = ", ".join(self._shapes) or "none"
        raise ValueError(f"{type(self).__name__}: no parameter {name!r}{meant(name, self._shapes)}; it has: {known}")

    def _bounded(self, y, qvel):
        """The forces (..., dofs) that it makes of y."""
        m, k = self.model, self.number
        v = np.asarray(qvel)[..., self.dofs]
        if m.residual_passive[k]:
            s = m.residual_speed[k]
            y = -(y**2) * (v / np.sqrt(v**2 + s**2) if s else v)
        if m.residual_power[k]:
            power = (y * v).sum(axis=-1, keepdims=True)
            y = y * (m.residual_power[k] / np.maximum(power, m.residual_power[k]))
        return y


class MLP(Residual):
    """Forces on dofs by a tanh network of entries of the state and the controls.

    model: the robot, which may have residuals already.
    inputs: what the network sees, a list of
        "qpos", "qvel", "speed", "act", "ctrl"      all entries; "speed" is |qvel|
        ("qpos", joint)         those of a joint, its name or number, also "qvel", "speed"; quaternions count normalised
        ("sin_qpos", joint)     sine of a hinge's angle, also "cos_qpos"
        ("up", joint)           the world's z axis as the body of a ball or free joint sees it, 3 entries
        ("act", actuator)       an actuator's state, also ("ctrl", actuator), as it is set
    outputs: joints, by name or number, on all of whose dofs it acts: N or N m. On a free joint that is a wrench on the
        body: a force in world axes and a torque in the body's, about its frame.
    hidden: sizes of the hidden layers; none makes a linear force.
    passive: True for f_i = -y_i^2 v_i, y the network's output and v the dofs' velocity; with a speed s > 0 (rad/s or
        m/s) f_i = -y_i^2 v_i / sqrt(v_i^2 + s^2), friction that grows to y_i^2. Such a force never puts energy in.
    power: most that the forces together put in, W: f min(1, power / f.v).
    scale: typical size of the inputs, a number or one for each; start weights of the first layer are divided by it.
    seed: of the start weights, normal with variance 1 / inputs (the last layer a tenth of that); biases are zero.

    Raises ModelError for names that the model lacks, ValueError for arguments out of range.
    """

    def __init__(
        self, model: Model, inputs: Sequence[Any], outputs: Sequence[str | int], hidden: Sequence[int] = (16,),
        passive: bool | float = False, power: float | None = None, scale: Any = 1.0, seed: int = 0,
    ) -> None:  # fmt: skip
        require_model(model, "MLP: model")
        self.entries = [e for item in _items("MLP: inputs", inputs) for e in _entries(model, item)]
        for n in hidden:
            if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
                raise ValueError(f"MLP: hidden: got {n!r}, allowed: whole numbers from 1")
        size = np.asarray(scale, float)
        if not (size.shape in ((), (len(self.entries),)) and np.isfinite(size).all() and (size > 0).all()):
            raise ValueError(f"MLP: scale: got {scale!r}, allowed: a number > 0 or one for each of {len(self.entries)}")
        sizes = [len(self.entries), *map(int, hidden), len(_dofs(model, "MLP", outputs))]
        self._shapes, self.layers = layer_shapes(sizes), len(sizes) - 1
        ints = [self.layers, *sizes, *(i for entry in self.entries for i in entry)]
        count = sum(math.prod(shape) for shape in self._shapes.values())
        self._put(model, parts.RESIDUAL_MLP, outputs, ints, np.zeros(count), sum(sizes), passive, power)
        for k, start in enumerate(start_weights(np.random.default_rng(seed), sizes), 1):
            self.view(f"W{k}")[...] = start / (size if k == 1 else 1.0)

    def force(
        self, qpos: ArrayLike, qvel: ArrayLike, act: Any = None, ctrl: Any = None, residual_prm: Any = None,
    ) -> np.ndarray:  # fmt: skip
        """What it exerts in states (..., nq), (..., nv), ... on its `dofs`, (..., dofs), N or N m: the same outside the
        kernel. residual_prm (nresidualprm,): parameters; by default those of its model."""
        state = [None if a is None else np.asarray(a, float) for a in (qpos, qvel, act, ctrl)]
        x = np.stack([observe(e, None, *state) for e in self.entries], axis=-1)
        weights, biases = ([self.view(f"{c}{k}", residual_prm) for k in range(1, self.layers + 1)] for c in "Wb")
        return self._bounded(network(x, weights, biases), state[1])


class Friction(Residual):
    """Dry friction of hinges and slides that falls with speed (Stribeck) and grows with load. A joint holds with

        dof_frictionloss + stribeck exp(-(v / speed)^2) + load |tau|

    model: the robot, which may have residuals already. joints: by name or number. v: the joint's velocity; tau: the sum
    of what its actuators exert on it, both where a step begins. What grows with speed is `dof_damping`.
    stribeck: N m or N, what friction has at rest beyond its own at speed. speed: rad/s or m/s, above zero, at which a
    third of it is left. load: share of the load, or None: it does not count. Each is a number, or one for each joint,
    and a parameter, as `view("stribeck")`, which should not become negative.

    Raises ModelError for joints that the model lacks or that are no hinges or slides, and with a load for actuators
    with an activation, a delay, or laws other than fixed and affine; ValueError for arguments out of range.
    """

    def __init__(
        self, model: Model, joints: Sequence[str | int], stribeck: ArrayLike = 0.0, speed: ArrayLike = 0.1,
        load: Any = None,
    ) -> None:  # fmt: skip
        dofs = _dofs(require_model(model, "Friction: model"), "Friction", joints, "joints")
        of = model.dof_jntid[dofs]
        for j in of[~np.isin(model.jnt_type[of], (HINGE, SLIDE))]:
            raise ModelError(f"Friction: {model.label('joint', j)}, allowed: hinges and slides")
        n = len(dofs)
        values = [_each("Friction: stribeck", stribeck, n), _each("Friction: speed", speed, n, above=True),
                  _each("Friction: load", 0.0 if load is None else load, n)]  # fmt: skip
        self.drives = [[] if load is None else _drives(model, int(j)) for j in of]
        self._shapes = {"stribeck": (n,), "speed": (n,), "load": (n,)}
        ints = [*map(len, self.drives), *(u for own in self.drives for u in own)]
        self._put(model, parts.RESIDUAL_FRICTION, joints, ints, np.concatenate(values), 0, False, None)

    def bound(
        self, qpos: ArrayLike, qvel: ArrayLike, ctrl: Any = None, residual_prm: Any = None, frictionloss: Any = None,
    ) -> np.ndarray:  # fmt: skip
        """What its `dofs` hold with in states (..., nq), (..., nv), with controls (..., nu): (..., dofs), N or N m; the
        same outside the kernel. residual_prm (nresidualprm,), frictionloss (nv,): by default those of its model."""
        m, qpos, qvel = self.model, np.asarray(qpos, float), np.asarray(qvel, float)
        size, speed, share = (self.view(name, residual_prm) for name in self._shapes)
        load = np.zeros(qvel[..., self.dofs].shape)
        for i, own in enumerate(self.drives):
            for u in own:
                gear, j = m.actuator_gear[u, 0], m.actuator_trnid[u]
                x = np.asarray(ctrl, float)[..., u]
                x = np.clip(x, *m.actuator_ctrlrange[u]) if m.actuator_ctrllimited[u] else x
                at = gear * qpos[..., m.jnt_qposadr[j]], gear * qvel[..., m.jnt_dofadr[j]]
                gain, bias = (p[u, 0] + p[u, 1] * at[0] + p[u, 2] * at[1]
                              for p in (m.actuator_gainprm, m.actuator_biasprm))  # fmt: skip
                f = gain * x + bias
                load[..., i] += gear * (np.clip(f, *m.actuator_forcerange[u]) if m.actuator_forcelimited[u] else f)
        dry = (m.dof_frictionloss if frictionloss is None else np.asarray(frictionloss))[self.dofs]
        return dry + size * np.exp(-((qvel[..., self.dofs] / speed) ** 2)) + share * np.abs(load)


def friction_places(model: Model) -> dict:
    """Of each dof with a `Friction`, where residual_prm has its three numbers: {dof: {"stribeck": i, "speed": i,
    "load": i or None}}; of the load none where it does not count. Of several the last."""
    found = {}
    for k in np.flatnonzero(require_model(model).residual_kind == parts.RESIDUAL_FRICTION):
        n, at, p = (int(getattr(model, f"residual_{a}")[k]) for a in ("num", "intadr", "prmadr"))
        dofs, counts = model.residual_int[at : at + n], model.residual_int[at + n : at + 2 * n]
        for i, dof in enumerate(dofs.tolist()):
            found[dof] = {"stribeck": p + i, "speed": p + n + i, "load": p + 2 * n + i if counts[i] else None}
    return found


class Own(Residual):
    """Forces on dofs by a pair of Taichi functions, the formula and its adjoint:

        force(m, d, w, p, i0, o)                  @ti.func; y of its dof k to d.residual[o + k]
        force_vjp(m, d, g, w, p, i0, o, q, b)     @ti.func; its adjoint (below)

    The arguments must have these names. m: model, d: state, g: adjoints, w: world. Read parameter k as
    m.residual_prm[p + k], integer k as m.residual_int[i0 + k], the state as d.qpos[w, k], d.qvel[w, k], d.act[w, k],
    d.ctrl[w, k], and nothing else that changes. The rest of d.residual, `scratch` numbers, is behind the dofs.

    The adjoint is called after `force` in the same state. It finds that of y_k at g.residual_bar[b + k] (behind it
    `scratch` numbers to use freely) and adds to: parameter k, g.residual_prm[w, p + k]; entry k of qpos in its own
    coordinates, g.residual_bar[q + k]; g.qvel_bar[w, k], g.act_bar[w, k], g.ctrl_bar[w, k]. Always as
    `x[i] = x[i] + y`, never `+=`, which is atomic.

    params: {name: start values}, in their order. model, outputs, passive, power: as of MLP. A robot has one such
    residual at most. Whether the adjoint is right is for `engine.gradcheck` to say: run it.
    """

    def __init__(
        self, model: Model, outputs: Sequence[str | int], force: Callable, force_vjp: Callable,
        params: dict[str, ArrayLike] | None = None, ints: Sequence[int] = (), scratch: int = 0,
        passive: bool | float = False, power: float | None = None,
    ) -> None:  # fmt: skip
        require_model(model, "Own: model")
        for name, f in (("force", force), ("force_vjp", force_vjp)):
            if not getattr(f, "_is_taichi_function", False):
                raise ValueError(f"Own: {name}: got {f!r}, allowed: a function decorated with @ti.func")
            got = list(inspect.signature(f).parameters)
            if got != _FUNCTIONS[name]:
                raise ValueError(f"Own: {name}: its arguments are {got}, allowed: {_FUNCTIONS[name]}")
        if isinstance(scratch, bool) or not isinstance(scratch, (int, np.integer)) or scratch < 0:
            raise ValueError(f"Own: scratch: got {scratch!r}, allowed: a whole number from 0")
        values = {name: np.asarray(a, float) for name, a in (params or {}).items()}
        self._shapes = {name: a.shape for name, a in values.items()}
        flat = np.concatenate([a.ravel() for a in values.values()]) if values else ()
        scratch = len(_dofs(model, "Own", outputs)) + scratch
        self._put(model, parts.RESIDUAL_OWN, outputs, list(ints), flat, scratch, passive, power, (force, force_vjp))


def without(model: Model) -> Model:
    """A copy of a Model that has no residuals, as `to_mjcf` and files of runs with a function of one's own need it."""
    made = require_model(model).copy()
    for array in (*_ARRAYS, "int", "prm"):
        setattr(made, f"residual_{array}", getattr(made, f"residual_{array}")[:0])
    made.nresidual = made.nresidualint = made.nresidualprm = 0
    made.own_residual = None
    return validate(made)


def _positive(what, value, allowed):
    if isinstance(value, (bool, str)) or not np.isscalar(value) or not 0 < value < np.inf:
        raise ValueError(f"{what}: got {value!r}, allowed: {allowed}, more than zero")
    return float(value)


def _items(what, items):
    found = [] if isinstance(items, (str, dict)) or not np.iterable(items) else list(items)
    if not found:
        raise ValueError(f"{what}: got {items!r}, allowed: a list with at least one entry")
    return found


def _number(model, kind, name, what):
    """The number of a joint or an actuator, by name or number."""
    if isinstance(name, str):
        return getattr(model, kind)(name)
    n = len(getattr(model, f"{kind}_names"))
    if isinstance(name, bool) or not isinstance(name, (int, np.integer)) or not 0 <= name < n:
        raise ValueError(f"{what}: got {name!r}, allowed: the name of a {kind}, or a number below {n}")
    return int(name)


def _each(what, value, n, above=False):
    """n numbers, of one or one for each joint."""
    try:
        found = np.broadcast_to(np.asarray(value, float), (n,)).copy()
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if not (np.isfinite(found).all() and ((found > 0) if above else (found >= 0)).all()):
        least = "above zero" if above else "from zero on"
        raise ValueError(f"{what}: got {value!r}, allowed: a number {least}, or one for each of {n} joints")
    return found


def _drives(model, j):
    """The actuators of joint j, whose forces are a load. Raises ModelError where one has another law."""
    own = np.flatnonzero((model.actuator_trntype == TRN_JOINT) & (model.actuator_trnid == j)).tolist()
    for u in own:
        plain = model.actuator_dyntype[u] == DYN_NONE and model.actuator_delay[u] == 0
        plain = plain and model.actuator_gaintype[u] <= GAIN_AFFINE and model.actuator_biastype[u] <= BIAS_AFFINE
        if not plain:
            raise ModelError(f"Friction: load: {model.label('actuator', u)} has an activation, a delay or a law of its "
                             "own; allowed: fixed or affine gain and bias, or load=None")  # fmt: skip
    if not own:
        raise ModelError(f"Friction: load: {model.label('joint', j)} has no actuator; allowed: load=None")
    return own


def _dofs(model, name, outputs, what="outputs"):
    """The dofs of joints."""
    joints = [_number(model, "joint", j, f"{name}: {what}") for j in _items(f"{name}: {what}", outputs)]
    if len(set(joints)) < len(joints):
        raise ValueError(f"{name}: {what}: got {list(outputs)}, allowed: every joint once")
    return [int(i) for j in joints for i in np.flatnonzero(model.dof_jntid == j)]


def _entries(model, item):
    """The (kind, index) pairs of one item of `inputs`."""
    word, *rest = item if isinstance(item, (tuple, list)) and item else (item,)
    word = word if isinstance(word, str) else None
    if word in ("act", "ctrl") and len(rest) <= 1:
        kind = parts.OBS_ACT if word == "act" else parts.OBS_CTRL
        if not rest:
            places = range(model.na if word == "act" else model.nu)
        else:
            u = _number(model, "actuator", rest[0], f"inputs {word}")
            places = [int(model.actuator_actadr[u]) if word == "act" else u]
            if places[0] < 0:
                raise ModelError(f"inputs: {model.label('actuator', u)} has no state; allowed: actuators that have one")
        return [(kind, i) for i in places]
    if word in ("qpos", "qvel", "speed") and len(rest) <= 1:
        joints = [_number(model, "joint", j, f"inputs {word}") for j in rest] or range(model.njnt)
        if word != "qpos":
            kind = parts.OBS_QVEL if word == "qvel" else parts.OBS_SPEED
            return [(kind, int(i)) for j in joints for i in np.flatnonzero(model.dof_jntid == j)]
        ends = [*model.jnt_qposadr[1:], model.nq]
        return [coordinate(model, i) for j in joints for i in range(int(model.jnt_qposadr[j]), int(ends[j]))]
    if word in ANGLES and len(rest) == 1:
        j = _number(model, "joint", rest[0], f"inputs {word}")
        if model.jnt_type[j] != HINGE:
            raise ModelError(f"inputs {word}: {model.label('joint', j)} is no hinge; allowed: hinges")
        return [(ANGLES[word], int(model.jnt_qposadr[j]))]
    if word == "up" and len(rest) == 1:
        j = _number(model, "joint", rest[0], "inputs up")
        found = [c.qposadr for c in quaternions(model) if c.joint == j]
        if not found:
            raise ModelError(f"inputs up: {model.label('joint', j)} has no quaternion; allowed: free and ball joints")
        return [(parts.OBS_UP + e, found[0]) for e in range(3)]
    raise ValueError(
        f"inputs: got {item!r}, allowed: 'qpos', 'qvel', 'speed', 'act', 'ctrl', ('qpos', joint), "
        "('qvel', joint), ('speed', joint), ('sin_qpos', joint), ('cos_qpos', joint), ('up', joint), "
        "('act', actuator), ('ctrl', actuator)"
    )
