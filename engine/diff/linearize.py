"""linearize: the derivative of a physics step, all of its rows by one reverse pass.

Row k of the Jacobian is the gradient of entry k of the next state. Every world is copied 2 nv + na times, copy k gets
the unit cotangent of entry k, and one backward pass over one control step returns the rows.
"""

import numpy as np

from engine.backend import np_real
from engine.diff.tape import Tape
from engine.model.coordinates import qpos_to_tangent, tangent_to_qpos
from engine.simulator import Simulator, whole

_COPIED = ("qpos", "qvel", "act", "ctrl", "qacc_warmstart", "qfrc_applied", "xfrc_applied", "time")


def linearize(sim, frame_skip=1):
    """A (worlds, 2nv+na, 2nv+na), B (worlds, 2nv+na, nu): dx' = A dx + B du at the simulator's state and controls.

    x = (dq, qvel, act), dq in the tangent space, as in MuJoCo's mjd_transitionFD. One control step is `frame_skip`
    physics steps. The simulator does not move. Where a contact or a limit is just being made or broken the derivative
    is one-sided, that of the present contacts.
    """
    frame_skip = whole("frame_skip", frame_skip)
    m, n = sim.model, 2 * sim.model.nv + sim.model.na
    sim.check_state()
    if n == 0:  # nothing can move: the matrices are there, and empty
        return np.zeros((sim.worlds, 0, 0), np_real()), np.zeros((sim.worlds, 0, m.nu), np_real())
    tape = _tape(sim, frame_skip, n)
    copies = tape.sim
    for name in _COPIED:
        getattr(copies.data, name)[:] = np.repeat(getattr(sim.data, name), n, axis=0)
    start = copies.data.qpos.copy()
    final = tape.rollout(copies.data.ctrl[None].copy()).qpos[-1]
    grads = tape.backward(**_unit_cotangents(m, final, sim.worlds))
    rows = [qpos_to_tangent(m, start, grads.qpos0), grads.qvel0, grads.act0]
    shape = (sim.worlds, n)
    return np.concatenate(rows, axis=-1).reshape(*shape, n), grads.ctrl[0].reshape(*shape, m.nu)


def _tape(sim, frame_skip, n):
    """A tape of one control step over n copies of every world, kept on the simulator; it shares the parameters."""
    kept = getattr(sim, "_linearizers", None)
    if kept is None:
        kept = sim._linearizers = {}
    if frame_skip not in kept:
        copies = Simulator(sim.model, sim.worlds * n, sim.ncon_max)
        copies.model_pack, copies.params = sim.model_pack, sim.params
        # one control step stores everything: there is nothing to choose for a budget
        kept[frame_skip] = Tape(copies, steps=1, frame_skip=frame_skip, memory=1 << 50)
    return kept[frame_skip]


def _unit_cotangents(model, final, worlds):
    """Cotangents of the outputs (two rows: start and end) that ask copy k of every world for entry k of the state."""
    nv, na = model.nv, model.na
    unit = np.zeros((2, worlds * (2 * nv + na), 2 * nv + na))
    unit[1] = np.tile(np.eye(2 * nv + na), (worlds, 1))
    qpos = np.zeros((2, *final.shape))
    qpos[1] = tangent_to_qpos(model, final, unit[1, :, :nv])
    return {"qpos": qpos, "qvel": unit[..., nv : 2 * nv], "act": unit[..., 2 * nv :]}
