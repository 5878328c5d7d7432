"""The adjoint of the state at every control step of a rollout: where along the way a gradient grows.

`Tape.backward` passes the adjoint of the state back through the rollout and keeps what reaches the start. Here every
value on the way is kept. With x_k the state before control step k and L_k the part of the loss that the output rows
from k on decide,

    qpos[k], qvel[k], act[k] = dL_k / d x_k,    so |qvel[k]| against k shows at which steps the gradient explodes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engine.clocks import one_clock, row_times
from engine.diff.gradients import Gradients
from engine.diff.schedule import Reverse
from engine.diff.tape import Tape
from engine.model.coordinates import qpos_to_tangent
from engine.words import required


@dataclass(frozen=True)
class Adjoint:
    """Derivatives of the loss with respect to the state before each control step.

    times (steps + 1, worlds): s, each world's own clock; time (steps + 1,): the clock that all share, ValueError where
    they do not. qpos (steps + 1, worlds, nv): loss per m or rad, in the tangent space. qvel, the same shape: loss per
    m/s or rad/s. act (steps + 1, worlds, na). ctrl (steps, worlds, nu): loss per unit of control.
    gradients: what `Tape.backward` returns for the same cotangents.
    """

    times: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    gradients: Gradients

    @property
    def time(self) -> np.ndarray:
        return one_clock(self.times)

    @property
    def ctrl(self) -> np.ndarray:
        return self.gradients.ctrl

    def norms(self) -> dict[str, np.ndarray]:
        """{"qpos": (steps + 1, worlds), "qvel": ..., "act": ..., "ctrl": (steps, worlds)}: Euclidean norms."""
        return {name: np.linalg.norm(getattr(self, name), axis=-1) for name in ("qpos", "qvel", "act", "ctrl")}


def adjoint(
    tape: Tape, qpos: ArrayLike | None = None, qvel: ArrayLike | None = None, act: ArrayLike | None = None,
    ctrl: ArrayLike | None = None, sensordata: ArrayLike | None = None,
) -> Adjoint:  # fmt: skip
    """Differentiate the tape's last rollout as `tape.backward` does, one launch for each control step.

    Cotangents and errors are those of `Tape.backward`; so are the values at the start and of `gradients`, bit for bit.
    """
    required("tape", tape, Tape, "engine.Tape(sim, steps)")
    bars = tape.begin_backward({"qpos": qpos, "qvel": qvel, "act": act, "ctrl": ctrl, "sensordata": sensordata})
    model, worlds = tape.sim.model, tape.sim.worlds
    widths = {"qpos": model.nv, "qvel": model.nv, "act": model.na}
    dtype = tape.adj["qpos_bar"].dtype
    rows = {name: np.zeros((tape.steps + 1, worlds, width), dtype) for name, width in widths.items()}

    def keep(step):
        for name, width in widths.items():
            rows[name][step] = tape.adj[f"{name}_bar"][: worlds * width].reshape(worlds, width)

    for action in tape.schedule.reverse:
        if not isinstance(action, Reverse):
            tape.carry_out(action)
            continue
        if action.stop == tape.steps:
            # no step, only the cotangents of the last row; the launch of the last step takes them up again
            tape.reverse(tape.steps, tape.steps, (tape.steps - action.start) * tape.frame_skip)
            keep(tape.steps)
            tape.clear_adjoint()
        for step in reversed(range(action.start, action.stop)):
            tape.reverse(step, step + 1, (step - action.start) * tape.frame_skip)
            keep(step)
    if bars["qpos"] is not None:  # the first row's own goes to gradients.qpos0 directly, not through the kernel
        rows["qpos"][0] += qpos_to_tangent(model, tape.start["qpos"], bars["qpos"][0])
    times = row_times(tape.start["time"], tape.steps + 1, tape.frame_skip * model.opt.timestep)
    return Adjoint(times, gradients=tape.collect(bars), **rows)
