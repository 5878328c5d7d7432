"""push: the forward twin of the tape's reverse pass.

A tangent of the start and of the controls goes through the steps as dx' = A dx + B du. `linearize` makes A and B beside
the step; it costs some six of them, whatever the number of directions.
"""

from typing import NamedTuple

import numpy as np

from engine.arguments import checked
from engine.compiler.backend import np_real
from engine.model.coordinates import direction, tangent_along
from engine.simulator import Simulator


class Tangents(NamedTuple):
    """Derivatives of a Trajectory's qpos (rows, worlds, nq), qvel, act along one direction, and that of ctrl."""

    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    ctrl: np.ndarray


def pushed(tape, controls, qpos0, qvel0, act0, ctrl):
    """The Tangents of a tape's last rollout, whose controls are given; the others: `Tape.push`."""
    sim, start = tape.sim, tape.start
    model, worlds, nv = sim.model, sim.worlds, sim.model.nv
    dq, v, a = (_dot(name, value, (worlds, n)) for name, value, n in
                (("qpos0", qpos0, model.nq), ("qvel0", qvel0, nv), ("act0", act0, model.na)))  # fmt: skip
    du = _dot("ctrl", ctrl, (tape.steps, worlds, model.nu))
    x = np.concatenate([tangent_along(model, start["qpos"], dq), v, a], axis=-1)
    rows = [(dq, v, a)]
    steps = Simulator(model, worlds, sim.ncon_max, sim.features, sim.leaves, sim.own_params)
    steps.model_pack, steps.params = sim.model_pack, sim.params
    for name, value in start.items():
        getattr(steps.data, name)[:] = value
    for t in range(tape.steps):
        steps.data.ctrl[:] = controls[t]
        A, B = steps.linearize(tape.frame_skip)
        x = np.einsum("wij,wj->wi", A, x) + np.einsum("wij,wj->wi", B, du[t])
        steps.step(tape.frame_skip)
        if (t + 1) % tape.every == 0:
            rows.append((direction(model, steps.data.qpos, x[:, :nv]), x[:, nv : 2 * nv], x[:, 2 * nv :]))
    return Tangents(*(np.array(row, np_real()) for row in zip(*rows, strict=True)), du)


def _dot(name, value, shape):
    return np.zeros(shape, np_real()) if value is None else checked(f"push: direction of {name}", value, shape)
