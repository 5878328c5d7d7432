"""PD: a spring and a damper between every actuated joint and its target."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine import parts
from engine.model import Model, require_model
from engine.model.constants import HINGE, JOINT_NAMES, SLIDE, TRN_JOINT

from .add import Composite
from .controller import Controller, Named, stored, whole


class PD(Controller):
    """u_i = kp_i (target_i - qpos_i) - kd_i qvel_i, with qpos_i and qvel_i of joint i.

    joints: one hinge or slide joint for every actuator, names or indices; default those that the actuators act on.
    kp, kd: gains (number or nu of them). target: m or rad; default the joints' qpos0. `tracking` adds a moving target.
    """

    kp = Named("control per m or rad, (nu,)")
    kd = Named("control per m/s or rad/s, (nu,)")
    target = Named("m or rad, (nu,)")

    def __init__(
        self, model: Model, joints: Sequence[str | int] | None = None, kp: ArrayLike = 1.0, kd: ArrayLike = 0.1,
        target: ArrayLike | None = None,
    ) -> None:  # fmt: skip
        joints = _joints(require_model(model, "PD: model"), joints)
        qadr, vadr = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        self._make({"nq": model.nq, "nv": model.nv, "qposadr": qadr.tolist(), "dofadr": vadr.tolist()})
        self.kp, self.kd = kp, kd
        self.target = model.qpos0[qadr] if target is None else target

    def _make(self, config):
        nu = len(config["qposadr"])
        super().__init__(config, {"kp": (nu,), "kd": (nu,), "target": (nu,)}, nu)
        self._qadr, self._vadr = config["qposadr"], config["dofadr"]

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The controller that `save` described; ValueError where the description means nothing."""
        stored("PD", config, nq=0, nv=0)
        stored("PD", config, qposadr=(0, config["nq"]), dofadr=(0, config["nv"]))
        if len(config["qposadr"]) != len(config["dofadr"]):
            raise ValueError(f"PD: config: got {config!r}, allowed: as many places in qvel as in qpos")
        made = cls.__new__(cls)
        made._make(config)
        return made

    def tracking(self, reference: Controller) -> "Tracking":
        """This PD with what `reference` makes added to its target."""
        return Tracking(reference, self)

    def _parts(self, tape):
        same_robot(self, tape.sim.model)
        ints = [i for pair in zip(self._qadr, self._vadr, strict=True) for i in pair]
        return [parts.Part(parts.PD, parts.TO_CTRL, self.nparam, ints)]

    def _control(self, t, time, qpos, qvel, reference=0.0):
        goal = self.target + reference
        return self.kp * (goal - qpos[..., self._qadr]) - self.kd * qvel[..., self._vadr]


class Tracking(Composite):
    """PD whose target is its own plus what another controller makes: `pd.tracking(reference)`."""

    def __init__(self, reference: Controller, pd: PD) -> None:
        if not isinstance(pd, PD):
            raise ValueError(f"Tracking: the tracker is {pd!r}, allowed: a PD")
        super().__init__(reference, pd)

    def _parts(self, tape):
        reference, pd = self.members
        made = reference.parts(tape)
        if any(p.kind == parts.PD for p in made):
            raise ValueError(f"Tracking: the reference {reference!r} has a PD in it, allowed: controllers without one")
        for p in made:
            p.output = parts.TO_TARGET
        last = pd.parts(tape)
        last[0].size = len(made)
        return made + last

    def _control(self, t, time, qpos, qvel):
        reference, pd = self.members
        return pd._control(t, time, qpos, qvel, reference._control(t, time, qpos, qvel))


def same_robot(controller, model, sizes=("nq", "nv")):
    """Refuse a model whose state is not of the size that the controller was made for."""
    for size in sizes:
        made, has = controller._config[size], getattr(model, size)
        if made != has:
            raise ValueError(f"{type(controller).__name__}: made for a model with {size}={made}, this one has {has}")


def _joints(model, joints):
    """Indices of one scalar joint for every actuator."""
    if joints is None:
        for u in np.flatnonzero(model.actuator_trntype != TRN_JOINT):
            raise ValueError(f"PD: {model.label('actuator', u)} is on no joint; allowed: with `joints`, one for each")
        joints = model.actuator_trnid
    elif isinstance(joints, str):
        raise ValueError(f"PD: joints: got {joints!r}, allowed: a list of {model.nu} names or indices")
    joints = [model.joint(j) if isinstance(j, str) else whole("PD: joint", j, 0) for j in joints]
    if len(joints) != model.nu:
        raise ValueError(f"PD: joints: got {len(joints)}, allowed: {model.nu}, one for every actuator")
    for j in joints:
        if j >= model.njnt:
            raise ValueError(f"PD: joint: got {j}, allowed: 0 to {model.njnt - 1}")
        if model.jnt_type[j] not in (HINGE, SLIDE):
            kind = JOINT_NAMES[int(model.jnt_type[j])]
            raise ValueError(f"PD: {model.label('joint', j)} is a {kind} joint, allowed: hinge and slide joints")
    return np.array(joints, int)
