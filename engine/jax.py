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
"""

from typing import NamedTuple

import numpy as np

from engine.backend import np_real
from engine.diff.pure import Saved, Values, check_simulator, pure_rollout, theta_slots
from engine.diff.schedule import parse_bytes

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('engine.jax needs JAX: pip install "pullback[jax]"') from error


class State(NamedTuple):
    """What `step` returns: qpos (..., nq), qvel (..., nv), act (..., na), sensordata (..., nsensordata) or None."""

    qpos: jax.Array
    qvel: jax.Array
    act: jax.Array
    sensordata: jax.Array | None


def step(sim, qpos, qvel, act=None, ctrl=None, *, params=None, frame_skip=1, sensordata=False):
    """The state after one control step: `frame_skip` physics steps under the same control. Returns a State.

    qpos (..., nq), qvel (..., nv), act (..., na), ctrl (..., nu): the same leading axes, which are worlds; act and ctrl
    may be None where the model has none. params: {name: array} of differentiable parameters of the model (the names of
    `sim.params`, the model's shapes) to be used instead of the simulator's, the same in all worlds.
    sensordata: also return the sensors of the new state, under the same control.

    Raises ValueError for shapes or names that are not allowed, RuntimeError where JAX has no float64.
    """
    return _call(sim, (qpos, qvel, act, ctrl), params, None, (1, frame_skip, 0, bool(sensordata), "1GiB"))


def rollout(sim, qpos, qvel, act=None, ctrl=None, *, params=None, frame_skip=1, record_every=1, sensordata=False,
            memory="1GiB"):  # fmt: skip
    """All control steps of ctrl (steps, ..., nu) in one launch. Returns a State whose arrays have rows first.

    Rows are the states before steps 0, record_every, ... and after the last. Other arguments are as in `step`. memory:
    bytes of what is kept for the gradient; a longer rollout is repeated there, on a checkpointed tape of this size.
    Under vmap it holds for each mapped call.
    The sensors of a row are those of its state and its control, at the last row of the last control.
    """
    if ctrl is None:
        raise TypeError("ctrl: got None, allowed: an array (steps, ..., nu); nu may be 0")
    steps = jnp.shape(ctrl)[0] if jnp.ndim(ctrl) else 0
    options = steps, frame_skip, record_every, bool(sensordata), memory
    return _call(sim, (qpos, qvel, act, ctrl), params, steps, options)


def _call(sim, arguments, params, steps, options):
    check_simulator(sim)
    if np_real() == np.float64 and not jax.config.jax_enable_x64:
        raise RuntimeError(
            "engine.jax: the engine computes in float64, and JAX is set to float32: call "
            'jax.config.update("jax_enable_x64", True), or engine.init(precision="f32") before the first simulator'
        )
    m, params = sim.model, params or {}
    slots = theta_slots(m, params)
    batch, arrays = jnp.shape(arguments[0])[:-1], []
    for name, value, size in zip(("qpos", "qvel", "act", "ctrl"), arguments, (m.nq, m.nv, m.na, m.nu), strict=True):
        shape = (*batch, size) if name != "ctrl" or steps is None else (steps, *batch, size)
        if value is None and size == 0:
            value = jnp.zeros(shape, np_real())
        arrays.append(_checked(name, value, shape))
    theta = jnp.asarray(sim.model_pack["theta"].copy())
    for name, (where, shape) in slots.items():
        theta = theta.at[where].set(_checked(f"params[{name!r}]", params[name], shape).ravel())
    if 0 in batch:
        raise ValueError(f"qpos: got shape {jnp.shape(arguments[0])}, allowed: at least one world")
    functions = sim.__dict__.setdefault("_jax", {})
    key = (batch, options)
    if key not in functions:
        functions[key] = _Function(sim, batch, options).function
    values = functions[key](*arrays, theta)
    return State(*values, *([None] * (4 - len(values))))


def _checked(name, value, shape):
    if value is None or jnp.shape(value) != shape:
        got = "None" if value is None else f"shape {jnp.shape(value)}"
        raise ValueError(f"{name}: got {got}, allowed: shape {shape}")
    return jnp.asarray(value, np_real())


class _Function:
    """A custom_vjp function of qpos, qvel, act, ctrl and theta for one shape, and the three launches behind it."""

    def __init__(self, sim, batch, options):
        self.sim, self.batch = sim, batch
        self.options = dict(zip(("steps", "frame_skip", "record_every", "sensors", "memory"), options, strict=True))
        self.options["memory"] = parse_bytes(self.options["memory"])
        one = self.pure(int(np.prod(batch)))  # refuses options that are not allowed, now rather than inside a callback
        self.rows = (one.rows,) if one.output_every else ()
        m = sim.model
        self.widths = [m.nq, m.nv, m.na] + [m.nsensordata] * one.sensors
        self.record = (one.record_shape[0] * (not one.repeats), *batch, one.record_shape[-1])
        self.steps = (one.steps,) if self.rows else ()
        values = [_shape(*self.rows, *batch, n) for n in self.widths]
        given = [_shape(*batch, n) for n in (m.nq, m.nv, m.na)] + [_shape(*self.steps, *batch, m.nu)]
        theta = _shape(sim.sizes["ntheta"])

        recorded = _callback(self.recorded, [*values, _shape(*self.record)])
        reverse = _callback(self.reverse, [*given, theta])
        function = jax.custom_vjp(_callback(self.primal, values))

        def forward(*args):
            *out, record = recorded(*args)
            return out, (args, out[0], record)

        function.defvjp(forward, lambda saved, bars: tuple(reverse(*saved[0], *saved[1:], *bars)))
        self.function = jax.jit(function)

    def pure(self, worlds):
        """For a call of this many worlds; every mapped one has the budget for itself."""
        memory = self.options["memory"] * (worlds // int(np.prod(self.batch)))
        return pure_rollout(self.sim, worlds, **{**self.options, "memory": memory})

    # -------------------------------------------------------------- on the host; mapped axes come before the others

    def primal(self, *args):
        def launch(pure, *a):
            return list(pure(*a, record=False)[0])[: len(self.widths)]

        return self.launches(args, self.inner(), launch)

    def recorded(self, *args):
        def launch(pure, *a):
            values, kept = pure(*a)
            record = pure.saved(kept).record.reshape(-1, pure.worlds, self.record[-1])
            return [*values[: len(self.widths)], record]

        return self.launches(args, self.inner(), launch, rows=[len(self.rows)] * len(self.widths) + [1])

    def reverse(self, *args):
        def launch(pure, qpos, qvel, act, ctrl, theta, out, record, *bars):
            start = np.concatenate([qpos, qvel, act], axis=1) if pure.repeats else np.zeros(0)
            ctrl = ctrl.reshape(pure.steps, pure.worlds, ctrl.shape[-1])
            saved = Saved(ctrl, theta, out, record, start)
            gradient = pure.reverse(saved, Values(*bars, *([None] * (4 - len(bars)))))
            return [*gradient[:3], gradient.ctrl if self.steps else gradient.ctrl[0], gradient.theta]

        rows, s = len(self.rows), len(self.steps)
        inner = [*self.inner(), rows, 1, *([rows] * len(self.widths))]
        return self.launches(args, inner, launch, rows=[0, 0, 0, s, None])

    def inner(self):
        """Axes before the worlds of qpos, qvel, act, ctrl; None for theta, which has no worlds."""
        return [0, 0, 0, len(self.steps), None]

    def launches(self, args, inner, launch, rows=None):
        """launch(pure, *arrays) on arrays with all worlds in one axis, and its results with the mapped axes again.

        inner, rows: for each argument and each result the number of axes before the worlds' (None: theta).
        """
        rows = rows or [len(self.rows)] * len(self.widths)
        n = len(self.batch)
        args = [np.asarray(a) for a in args]
        prefixes = [a.shape[: a.ndim - (1 if k is None else k + n + 1)] for a, k in zip(args, inner, strict=True)]
        mapped = np.broadcast_shapes(*prefixes)
        theta_prefix = prefixes[inner.index(None)]
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
