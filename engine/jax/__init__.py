"""JAX: steps and rollouts as differentiable functions of arrays on the CPU (extra `jax`).

    def loss(ctrl):
        t = engine.jax.rollout(sim, qpos, qvel, None, ctrl)
        return t.qpos[-1, 0]
    jax.jit(jax.vmap(jax.grad(loss)))(controls)

`jax.custom_vjp` functions that work under `jit`, `grad`, `vmap` and `lax.scan`; what is vmapped becomes worlds of
one launch (parameters that are vmapped: one launch for each). They are pure: the simulator gives the model, its
parameters and the contact capacity, and its own state is neither read nor moved. Parameters that are not in `params`
are taken from `sim.params` when a function is traced, so under `jit` they are constants.

Arrays are converted to the engine's precision, which is float64 by default, and that needs
`jax.config.update("jax_enable_x64", True)`. Where qpos holds quaternions, gradients are in its own coordinates, as
those of `engine.Tape`. The solver starts every call afresh, so the same arguments give the same numbers, bit for bit.
Forward-mode and second derivatives do not exist and raise. An error inside a call (a value that is not finite,
DivergenceError) reaches the caller as JAX's own error with its message.

`loss` finds the cotangents of a rollout that a Tape recorded; `JaxCost` is an objective made so.

JAX keeps what it compiled, and that refers to its simulator only weakly: a compiled function of yours that outlives the
simulator raises ReferenceError when it is called.
"""

import weakref
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from engine.compiler.backend import np_real
from engine.diff.arguments import Saved, Values, check_own, check_simulator, theta_slots
from engine.diff.pure import KEPT, followed, pure_rollout
from engine.diff.schedule import parse_bytes
from engine.diff.tape import APPLIED
from engine.simulator import Simulator

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('engine.jax needs JAX: pip install "pullback[jax]"') from error

from engine.jax.loss import JaxCost, Outputs, loss  # which needs JAX

__all__ = ["JaxCost", "Outputs", "State", "loss", "rollout", "step"]


class State(NamedTuple):
    """What `step` returns: qpos (..., nq), qvel (..., nv), act (..., na), sensordata (..., nsensordata) or None."""

    qpos: jax.Array
    qvel: jax.Array
    act: jax.Array
    sensordata: jax.Array | None


def step(
    sim: Simulator, qpos: jax.typing.ArrayLike, qvel: jax.typing.ArrayLike, act: jax.typing.ArrayLike | None = None,
    ctrl: jax.typing.ArrayLike | None = None, *, params: dict[str, jax.typing.ArrayLike] | None = None,
    frame_skip: int = 1, sensordata: bool = False, qfrc_applied: jax.typing.ArrayLike | None = None,
    xfrc_applied: jax.typing.ArrayLike | None = None, on_divergence: str = "raise",
) -> Any:  # fmt: skip
    """The state after one control step: `frame_skip` physics steps under the same control. Returns a State.

    qpos (..., nq), qvel (..., nv), act (..., na), ctrl (..., nu): the same leading axes, which are worlds; act and ctrl
    may be None where the model has none. params: {name: array} of differentiable parameters of the model (the names of
    `sim.params`, the model's shapes) to be used instead of the simulator's, the same in all worlds, or
    with the worlds' leading axes one for each.
    sensordata: also return the sensors of the new state, under the same control. qfrc_applied (..., nv; N m or N) and
    xfrc_applied (..., nbody, 6; force in N, torque in N m at the body's centre of mass, world axes): forces that act
    all the while, as in `sim.data`; None: no forces. Mocap bodies stay where the model has them, and equality
    constraints act as they do at first; a simulator whose data says otherwise is refused.

    on_divergence="mask": returns (State, diverged), booleans (...). A world that diverges then ends nobody else's step:
    it has the state that it was given, sensors of zero, and the gradient zero.

    Raises ValueError for shapes or names that are not allowed, RuntimeError where JAX has no float64.
    """
    options = 1, frame_skip, 0, bool(sensordata), "1GiB", on_divergence
    return _call(sim, (qpos, qvel, act, ctrl, qfrc_applied, xfrc_applied), params, None, options)


def rollout(
    sim: Simulator, qpos: jax.typing.ArrayLike, qvel: jax.typing.ArrayLike, act: jax.typing.ArrayLike | None = None,
    ctrl: jax.typing.ArrayLike | None = None, *, params: dict[str, jax.typing.ArrayLike] | None = None,
    frame_skip: int = 1, record_every: int = 1, sensordata: bool = False, memory: int | str = "1GiB",
    qfrc_applied: jax.typing.ArrayLike | None = None, xfrc_applied: jax.typing.ArrayLike | None = None,
    on_divergence: str = "raise",
) -> Any:  # fmt: skip
    """All control steps of ctrl (steps, ..., nu) in one launch. Returns a State whose arrays have rows first.

    Rows are the states before steps 0, record_every, ... and after the last. Other arguments are as in `step`. memory:
    bytes of what is kept for the gradient; a longer rollout is repeated there, on a checkpointed tape of this size.
    Under vmap it holds for each mapped call.
    The sensors of a row are those of its state and its control, at the last row of the last control.

    on_divergence="mask": returns (State, diverged), booleans (...). A world that diverges stays in the last row before
    that, with sensors of zero, and has the gradient zero in all its rows.
    """
    if ctrl is None:
        raise TypeError("ctrl: got None, allowed: an array (steps, ..., nu); nu may be 0")
    steps = jnp.shape(ctrl)[0] if jnp.ndim(ctrl) else 0
    options = steps, frame_skip, record_every, bool(sensordata), memory, on_divergence
    return _call(sim, (qpos, qvel, act, ctrl, qfrc_applied, xfrc_applied), params, steps, options)


def _call(sim, arguments, params, steps, options):
    *arguments, qfrc, xfrc = arguments
    forces = {name: a for name, a in zip(APPLIED, (qfrc, xfrc), strict=True) if a is not None}
    check_simulator(sim, forces)
    if np_real() == np.float64 and not jax.config.jax_enable_x64:
        raise RuntimeError(
            "engine.jax: the engine computes in float64, and JAX is set to float32: call "
            'jax.config.update("jax_enable_x64", True), or engine.init(precision="f32") before the first simulator'
        )
    m, params = sim.model, params or {}
    slots = theta_slots(m, params, sim.leaves)
    batch, arrays = jnp.shape(arguments[0])[:-1], []
    for name, value, size in zip(("qpos", "qvel", "act", "ctrl"), arguments, (m.nq, m.nv, m.na, m.nu), strict=True):
        shape = (*batch, size) if name != "ctrl" or steps is None else (steps, *batch, size)
        if value is None and size == 0:
            value = jnp.zeros(shape, np_real())
        arrays.append(_checked(name, value, shape))
    if 0 in batch:
        raise ValueError(f"qpos: got shape {jnp.shape(arguments[0])}, allowed: at least one world")
    theta, own = _theta(sim, batch, params, slots)
    widths = {"qfrc_applied": (m.nv,), "xfrc_applied": (m.nbody, 6)}
    given = [_checked(name, a, (*batch, *widths[name])).reshape(*batch, -1) for name, a in forces.items()]
    values = _function(sim, (batch, tuple(forces), options, own, followed(sim)))(*arrays, theta, *given)
    masked = options[-1] == "mask"
    state = values[: len(values) - masked]
    state = State(*state, *([None] * (4 - len(state))))
    return (state, values[-1]) if masked else state


def _theta(sim, batch, params, slots):
    """All parameters, (ntheta,), or where worlds have their own, the simulator's or the call's, (*batch, ntheta); and
    whether they have."""
    each = {name: batch != () and jnp.shape(params[name]) == (*batch, *shape) for name, (_, shape) in slots.items()}
    own = check_own(sim, int(np.prod(batch))) or any(each.values())
    n, leading = sim.sizes["ntheta"], batch if own else ()
    theta = jnp.asarray(sim.model_pack["theta"].copy()).reshape(*(batch if sim.own_params else ()), n)
    theta = jnp.broadcast_to(theta, (*leading, n))
    for name, (where, shape) in slots.items():
        before = batch if each[name] else ()
        value = _checked(f"params[{name!r}]", params[name], (*before, *shape)).reshape(*before, -1)
        theta = theta.at[..., where].set(value)
    return theta, own


def _function(sim, key):
    """The function of this batch, forces, options, kind of parameters and what follows from them; the simulator keeps
    the last few."""
    kept = sim.__dict__.setdefault("_jax", OrderedDict())
    if key not in kept:
        kept[key] = _Function(sim, *key).function
    kept.move_to_end(key)
    while len(kept) > KEPT:
        kept.popitem(last=False)
    return kept[key]


def _checked(name, value, shape):
    if value is None or jnp.shape(value) != shape:
        got = "None" if value is None else f"shape {jnp.shape(value)}"
        raise ValueError(f"{name}: got {got}, allowed: shape {shape}")
    if jnp.iscomplexobj(value):
        raise ValueError(f"{name}: got {jnp.result_type(value)}, allowed: real numbers")
    return jnp.asarray(value, np_real())


class _Function:
    """A custom_vjp function of qpos, qvel, act, ctrl, theta and forces for one shape, and the three launches behind it.

    Compiled code, which JAX keeps, refers to this object, and this object to its simulator weakly.
    """

    def __init__(self, sim, batch, forces, options, own, following):
        self.sim, self.batch, self.forces, self.own = weakref.ref(sim), batch, forces, own
        names = "steps", "frame_skip", "record_every", "sensors", "memory", "on_divergence"
        self.options = dict(zip(names, options, strict=True)) | {"forces": forces, "own": own}
        self.options["following"] = following
        self.options["memory"] = parse_bytes(self.options["memory"])
        one = self.pure(int(np.prod(batch)))  # refuses options that are not allowed, now rather than inside a callback
        self.rows = (one.rows,) if one.output_every else ()
        self.masked = one.masked
        m = sim.model
        self.widths = [m.nq, m.nv, m.na] + [m.nsensordata] * one.sensors
        self.record = (one.record_shape[0] * (not one.repeats), *batch, one.record_shape[-1])
        self.steps = (one.steps,) if self.rows else ()
        values = [_shape(*self.rows, *batch, n) for n in self.widths]
        values += [jax.ShapeDtypeStruct((*batch, 1), bool)] * self.masked
        given = [_shape(*batch, n) for n in (m.nq, m.nv, m.na)] + [_shape(*self.steps, *batch, m.nu)]
        given += [_shape(*(batch if own else ()), sim.sizes["ntheta"])]
        given += [_shape(*batch, {"qfrc_applied": m.nv, "xfrc_applied": 6 * m.nbody}[name]) for name in forces]

        recorded = _callback(self.recorded, [*values, _shape(*self.record)])
        reverse = _callback(self.reverse, given)
        function = jax.custom_vjp(_callback(self.primal, values))

        def forward(*args):
            *out, record = recorded(*args)
            return out, (*args, out[0], record, *out[len(self.widths) :])

        # whether a world diverged has no cotangent
        function.defvjp(forward, lambda saved, bars: tuple(reverse(*saved, *bars[: len(self.widths)])))
        self.function = jax.jit(lambda *args: self.told(function(*args)))

    def told(self, values):
        """The flags without the axis that they have in common with the other outputs."""
        return [*values[:-1], values[-1][..., 0]] if self.masked else values

    def pure(self, worlds):
        """For a call of this many worlds; every mapped one has the budget for itself."""
        sim = self.sim()
        if sim is None:
            raise ReferenceError(
                "engine.jax: the simulator of this compiled function does not exist any more; keep it as long as the "
                "function is called"
            )
        memory = self.options["memory"] * (worlds // int(np.prod(self.batch)))
        return pure_rollout(sim, worlds, **{**self.options, "memory": memory})

    # -------------------------------------------------------------- on the host; mapped axes come before the others

    def primal(self, *args):
        return self.launches(args, self.inner(), lambda pure, *a: self.run(pure, *a, record=False)[0])

    def recorded(self, *args):
        def launch(pure, *a):
            values, kept = self.run(pure, *a)
            return [*values, pure.saved(kept).record.reshape(-1, pure.worlds, self.record[-1])]

        return self.launches(args, self.inner(), launch, rows=[*self.outer(), 1])

    def run(self, pure, qpos, qvel, act, ctrl, theta, *forces, record=True):
        """(outputs, what is kept) of a launch."""
        forces = [a.reshape(len(a), *shape) for a, shape in zip(forces, self.shapes(pure), strict=True)]
        values, kept, diverged = pure(qpos, qvel, act, ctrl, theta, forces, record)
        return [*values[: len(self.widths)], *([diverged[:, None]] if self.masked else [])], kept

    def shapes(self, pure):
        """Of one world's forces."""
        return [{"qfrc_applied": (-1,), "xfrc_applied": (pure.model.nbody, 6)}[name] for name in self.forces]

    def reverse(self, *args):
        n = len(self.forces)

        def launch(pure, qpos, qvel, act, ctrl, theta, *more):
            forces, (out, record, *more) = more[:n], more[n:]
            diverged, bars = (more[0][:, 0], more[1:]) if self.masked else (np.zeros(0), more)
            start = np.concatenate([qpos, qvel, act], axis=1) if pure.repeats else np.zeros(0)
            ctrl = ctrl.reshape(pure.steps, pure.worlds, ctrl.shape[-1])
            forces = {
                name: a.reshape(len(a), *shape)
                for name, a, shape in zip(self.forces, forces, self.shapes(pure), strict=True)
            }
            forces = dict.fromkeys(APPLIED, np.zeros(0)) | forces
            saved = Saved(ctrl, theta.reshape(-1), out, record, start, **forces, diverged=diverged)
            gradient = pure.reverse(saved, Values(*bars, *([None] * (4 - len(bars)))))
            ctrl = gradient.ctrl if self.steps else gradient.ctrl[0]
            forces = [getattr(gradient, name).reshape(pure.worlds, -1) for name in self.forces]
            return [*gradient[:3], ctrl, gradient.theta, *forces]

        rows = len(self.rows)
        inner = [*self.inner(), rows, 1, *[0] * self.masked, *([rows] * len(self.widths))]
        return self.launches(args, inner, launch, rows=self.inner())

    def inner(self):
        """Axes before the worlds of qpos, qvel, act, ctrl, theta and forces; None for a theta that they share."""
        return [0, 0, 0, len(self.steps), 0 if self.own else None, *[0] * len(self.forces)]

    def outer(self):
        """Axes before the worlds of the outputs."""
        return [len(self.rows)] * len(self.widths) + [0] * self.masked

    def launches(self, args, inner, launch, rows=None):
        """launch(pure, *arrays) on arrays with all worlds in one axis, and its results with the mapped axes again.

        inner, rows: for each argument and each result the number of axes before the worlds' (None: theta).
        """
        rows = rows or self.outer()
        n = len(self.batch)
        args = [np.asarray(a) for a in args]
        prefixes = [a.shape[: a.ndim - (1 if k is None else k + n + 1)] for a, k in zip(args, inner, strict=True)]
        mapped = np.broadcast_shapes(*prefixes)
        theta_prefix = () if self.own else prefixes[inner.index(None)]
        if int(np.prod(theta_prefix)) == 1:
            return self.one_launch(args, inner, launch, rows, prefixes, mapped)
        # parameters of their own for each: theta is shared by the worlds of a launch
        found = []
        for i in np.ndindex(mapped):
            parts = [np.broadcast_to(a, (*mapped, *a.shape[len(p) :]))[i] for a, p in zip(args, prefixes, strict=True)]
            found.append(self.one_launch(parts, inner, launch, rows, [()] * len(parts), ()))
        return [np.stack(r).reshape(*mapped, *r[0].shape) for r in zip(*found, strict=True)]

    def one_launch(self, args, inner, launch, rows, prefixes, mapped):
        worlds, flat = int(np.prod((*mapped, *self.batch))), []
        for a, k, prefix in zip(args, inner, prefixes, strict=True):
            core = a.shape[len(prefix) :]
            if k is None:
                flat.append(a.reshape(core))
                continue
            a = np.broadcast_to(a, (*mapped, *core))
            a = np.moveaxis(a, range(len(mapped), len(mapped) + k), range(k))
            flat.append(a.reshape(*core[:k], worlds, core[-1]))
        found = launch(self.pure(worlds), *flat)
        out = []
        for a, k in zip(found, rows, strict=True):
            if k is None:  # theta: of every mapped entry, summed over the worlds in it
                out.append(a.reshape(*mapped, -1, a.shape[-1]).sum(axis=-2))
                continue
            a = a.reshape(*a.shape[:k], *mapped, *self.batch, a.shape[-1])
            out.append(np.moveaxis(a, range(k), range(len(mapped), len(mapped) + k)))
        return out


def _callback(host, shapes):
    """A call of `host` from compiled code, which nobody may differentiate: gradients go through custom_vjp alone."""

    @jax.custom_jvp
    def call(*args):
        return jax.pure_callback(host, shapes, *args, vmap_method="expand_dims")

    @call.defjvp
    def derivative(primals, tangents):
        raise NotImplementedError("engine.jax: second derivatives of the simulator do not exist")

    return call


def _shape(*shape):
    return jax.ShapeDtypeStruct(shape, np_real())
