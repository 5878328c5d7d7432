"""A loss of a recorded rollout as a function of arrays: JAX finds the cotangents that `Tape.backward` takes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from engine.clocks import times_of
from engine.objectives.function import FunctionCost, answer, outputs_of, require_cost
from engine.objectives.objective import OUTPUTS


class Outputs(NamedTuple):
    """What a loss sees of a rollout: qpos (rows, worlds, nq), qvel (rows, worlds, nv), act (rows, worlds, na), ctrl
    (steps, worlds, nu), sensordata (rows, worlds, nsensordata), times (rows, worlds; s, without gradient)."""

    qpos: jax.Array
    qvel: jax.Array
    act: jax.Array
    ctrl: jax.Array
    sensordata: jax.Array
    times: jax.Array


def loss(trajectory: Any, f: Callable[[Outputs], jax.Array]) -> tuple[Any, dict[str, np.ndarray]]:
    """(cost, cotangents) of a Trajectory of a Tape, by JAX.

        cost, cotangents = engine.jax.loss(tape.rollout(controls), lambda t: -t.qpos[-1, :, 0].sum())
        grads = tape.backward(**cotangents)          # by controls, start, controller, parameters of the robot

    f(Outputs) gives an array, a single number or one for each world; it may be compiled by `jax.jit`. cost: the same in
    NumPy, a float or (worlds,). cotangents: d(sum of costs)/d(output), arrays in the outputs' shapes. Raises ValueError
    where f gives something else, RuntimeError where JAX has no float64 and the trajectory has.
    """
    given = outputs_of(trajectory)
    if given[0].dtype == np.float64 and not jax.config.jax_enable_x64:
        raise RuntimeError(
            "loss: the rollout is in float64, and JAX is set to float32: call "
            'jax.config.update("jax_enable_x64", True), or engine.init(precision="f32") before the first simulator'
        )
    times, worlds = jnp.asarray(times_of(trajectory)), given[0].shape[1]

    def total(*outputs):
        value = f(Outputs(*outputs, times))
        require_cost(jnp.shape(value), worlds)
        return jnp.sum(value), value

    every = tuple(range(len(OUTPUTS)))
    (_, value), bars = jax.value_and_grad(total, every, has_aux=True)(*map(jnp.asarray, given))
    return answer(np.asarray(value), dict(zip(OUTPUTS, bars, strict=True)))


class JaxCost(FunctionCost):
    """An objective (engine.objectives) from f(Outputs) -> (worlds,) in JAX: see FunctionCost."""

    loss = staticmethod(loss)
