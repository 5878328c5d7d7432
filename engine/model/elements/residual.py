"""Residuals: generalised forces that a network, a law of friction, or a function of the user's makes of the state
(engine/residuals.py).

No file has them; they are put on a finished Model.
"""

import numpy as np

from engine.parts import (
    OBS_ACT,
    OBS_COS_QPOS,
    OBS_CTRL,
    OBS_QPOS,
    OBS_QUAT,
    OBS_QVEL,
    OBS_SIN_QPOS,
    OBS_SPEED,
    OBS_UP,
    RESIDUAL_FRICTION,
    RESIDUAL_KINDS,
    RESIDUAL_MLP,
    RESIDUAL_OWN,
)

from ..checks import check
from ..constants import BIAS_AFFINE, DYN_NONE, GAIN_AFFINE, HINGE, SLIDE, TRN_JOINT
from ..errors import ModelError
from .kind import Kind, boolean, integer, real


class Residual(Kind):
    name = "residual"
    fields = {
        "nresidual": {
            "residual_kind": integer("RESIDUAL_MLP, RESIDUAL_OWN or RESIDUAL_FRICTION (parts.py)", before=0, since=7),
            "residual_num": integer("dofs that it acts on", before=0, since=7),
            "residual_scratch": integer("numbers that it needs to compute", before=0, since=7),
            "residual_intadr": integer("its first whole number in residual_int", before=0, since=7),
            "residual_intnum": integer("and how many it has", before=0, since=7),
            "residual_prmadr": integer("its first parameter in residual_prm", before=0, since=7),
            "residual_prmnum": integer("and how many it has", before=0, since=7),
            "residual_passive": boolean("whether it only takes energy away", before=0, since=7),
            "residual_speed": real("rad/s or m/s", "beyond which passive damping is friction; 0: never", least=0,
                                   before=0, since=7),
            "residual_power": real("W", "most that it puts in; 0: no bound", least=0, before=0, since=7),
        },
        "nresidualint": {
            "residual_int": integer("dofs that it acts on; layers, sizes, entries, or drives", before=0, since=7),
        },
        "nresidualprm": {
            "residual_prm": real("1", "weights and biases, or a function's parameters", differentiable=True, before=0,
                                 since=7),
        },
    }  # fmt: skip

    def assembled(self, order, m):
        return {array: np.zeros(0) for group in self.fields.values() for array in group}

    def read(self, mujoco, mj, m):
        return self.assembled(None, m)

    def label(self, m, array, index):
        return f"{array} {index}" if array == "residual_prm" else f"residual {index}"

    def check_indices(self, m):
        owns = int((m.residual_kind == RESIDUAL_OWN).sum())
        for k in range(m.nresidual):
            _refuse(m, k, "residual_kind", m.residual_kind[k] in RESIDUAL_KINDS, f"one of {RESIDUAL_KINDS}")
        if owns != (m.own_residual is not None):
            allowed = "one of these at a time, put there by engine.residuals.Own" if owns else "none"
            raise ModelError(f"residual: {owns} with a user's function; allowed: {allowed}")
        for what in ("int", "prm"):
            adr, num = getattr(m, f"residual_{what}adr"), getattr(m, f"residual_{what}num")
            for k in range(m.nresidual):
                _refuse(m, k, f"residual_{what}num", num[k] >= 0, "0 or more")
                _refuse(m, k, f"residual_{what}adr", adr[k] == num[:k].sum(), "behind those before it")
            if num.sum() != getattr(m, f"nresidual{what}"):
                raise ModelError(f"residual_{what}: got {getattr(m, f'nresidual{what}')} numbers, allowed: {num.sum()}")
        for k in range(m.nresidual):
            self._check_one(m, k)

    def _check_one(self, m, k):
        at, num, n = m.residual_intadr[k], m.residual_intnum[k], m.residual_num[k]
        _refuse(m, k, "residual_num", 1 <= n <= num, "1 or more, with a dof for each in residual_int")
        least = 0 if m.residual_kind[k] == RESIDUAL_FRICTION else n
        _refuse(m, k, "residual_scratch", least <= m.residual_scratch[k] < 1 << 20, f"{least} to a million")
        dofs, ints = m.residual_int[at : at + n], m.residual_int[at + n : at + num]
        good = len(set(dofs.tolist())) == n and (0 <= dofs).all() and (dofs < m.nv).all()
        _refuse(m, k, "residual_int", good, f"different dofs below {m.nv}")
        if m.residual_kind[k] == RESIDUAL_FRICTION:
            self._check_friction(m, k, dofs, ints)
        if m.residual_kind[k] != RESIDUAL_MLP:
            return
        layers = int(ints[0]) if len(ints) else 0
        sizes = ints[1 : layers + 2].astype(int)
        good = layers >= 1 and len(sizes) == layers + 1 and (sizes >= 1).all() and (sizes < 1 << 20).all()
        good = good and sizes[-1] == n and len(ints) == layers + 2 + 2 * sizes[0]
        _refuse(m, k, "residual_int", good, "layers, their sizes to that of the dofs, entries")
        _refuse(m, k, "residual_scratch", m.residual_scratch[k] == sizes.sum(), f"{sizes.sum()}, the sizes' sum")
        weights = (sizes[1:] * (sizes[:-1] + 1)).sum()
        _refuse(m, k, "residual_prmnum", m.residual_prmnum[k] == weights, f"{weights}, weights and biases")
        most = {OBS_QPOS: m.nq, OBS_QVEL: m.nv, OBS_SIN_QPOS: m.nq, OBS_COS_QPOS: m.nq, OBS_ACT: m.na, OBS_CTRL: m.nu,
                OBS_SPEED: m.nv}  # fmt: skip
        most |= {first + e: m.nq - 3 for first, n in ((OBS_QUAT, 4), (OBS_UP, 3)) for e in range(n)}
        for kind, i in ints[layers + 2 :].reshape(-1, 2).tolist():
            _refuse(m, k, "residual_int", 0 <= i < most.get(kind, 0), "entries of the state and the controls")

    def _check_friction(self, m, k, dofs, ints):
        """Scalar joints, each with a count and so many of its own actuators, which have no state."""
        n, scalar = len(dofs), np.isin(m.jnt_type[m.dof_jntid[dofs]], (HINGE, SLIDE))
        counts, drives = ints[:n], ints[n:]
        good = scalar.all() and len(counts) == n and (counts >= 0).all() and counts.sum() == len(drives)
        good = good and (0 <= drives).all() and (drives < m.nu).all()
        _refuse(m, k, "residual_int", good, "hinges and slides, how many actuators each has, and which")
        own = m.actuator_trnid[drives] == np.repeat(m.dof_jntid[dofs], counts)
        own &= (m.actuator_trntype[drives] == TRN_JOINT) & (m.actuator_dyntype[drives] == DYN_NONE)
        own &= (m.actuator_gaintype[drives] <= GAIN_AFFINE) & (m.actuator_biastype[drives] <= BIAS_AFFINE)
        _refuse(m, k, "residual_int", own.all() and (m.actuator_delay[drives] == 0).all(),
                "actuators of the same joint, without an activation or a delay, of fixed or affine laws")  # fmt: skip
        _refuse(m, k, "residual_prmnum", m.residual_prmnum[k] == 3 * n, f"{3 * n}")
        forceless = not m.residual_passive[k] and m.residual_power[k] == 0
        _refuse(m, k, "residual_passive", forceless, "not passive, without power: a row of dry friction")

    def check(self, m):
        check(m, "residual_speed", (m.residual_speed > 0) & ~m.residual_passive, "0 where it is not passive")


def _refuse(m, k, array, good, allowed):
    if not good:
        raise ModelError(f"residual {k}: {array} does not fit; allowed: {allowed}")
