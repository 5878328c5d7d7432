"""Actuators of joints and tendons: force = gain * (ctrl or act) + bias, both affine in length and velocity."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import choice, ends, flag, read_attributes, vector
from ..checks import check, follows, one_of, ranges, same_count
from ..errors import ModelError
from ..setconst import addresses
from .kind import Kind, boolean, integer, real
from .option import disabled
from .tendon import our_tendon

_DYNTYPES = {"none": c.DYN_NONE, "integrator": c.DYN_INTEGRATOR, "filter": c.DYN_FILTER,
             "filterexact": c.DYN_FILTEREXACT}  # fmt: skip
_FILTERS = (c.DYN_FILTER, c.DYN_FILTEREXACT)


class Actuator(Kind):
    name, plural, named, counted = "actuator", "actuators", "nu", "nactuator"
    defaulted = True
    fields = {
        "nu": {
            "actuator_trnid": integer("its joint or tendon"),
            "actuator_trntype": integer("which of the two: TRN_JOINT, TRN_TENDON", before=c.TRN_JOINT, since=2),
            "actuator_gear": real("1 or m", "force on it for each unit of its own", 6, differentiable=True),
            "actuator_dyntype": integer("what becomes of ctrl: DYN_NONE, or a state of its own"),
            "actuator_dynprm": real("s", "time constant of a filter first", 3),
            "actuator_gainprm": real("N per unit", "[0] + [1] length + [2] velocity", 3, differentiable=True),
            "actuator_biasprm": real("N", "[0] + [1] length + [2] velocity", 3, differentiable=True),
            "actuator_ctrllimited": boolean("whether ctrl is clamped"),
            "actuator_ctrlrange": real("of ctrl", "lower and upper end", 2),
            "actuator_forcelimited": boolean("whether the force is clamped"),
            "actuator_forcerange": real("N", "lower and upper end", 2),
            "actuator_actlimited": boolean("whether its state is clamped"),
            "actuator_actrange": real("of act", "lower and upper end", 2),
            "actuator_actadr": integer("its state in act, or -1"),
        },
    }
    attributes = {
        "gear": vector((1.0, 0, 0, 0, 0, 0), 6, partial=True),
        "ctrllimited": flag(),
        "ctrlrange": ends(),
        "forcelimited": flag(),
        "forcerange": ends(),
        "actlimited": flag(),
        "actrange": ends(),
        "dyntype": choice("none", _DYNTYPES),
        "dynprm": vector((1.0, 0, 0), 3, partial=True),
        "gainprm": vector((1.0, 0, 0), 3, partial=True),
        "biasprm": vector((0.0, 0, 0), 3, partial=True),
    }
    must_be_zero = (
        ("actuator_actearly", "actearly"),
        ("actuator_damping", "damping"),
        ("actuator_dampingpoly", "second and third damping"),
        ("actuator_armature", "armature"),
        ("actuator_delay", "delay"),
    )

    class Methods:
        def general(
            self, joint: str | None = None, name: str | None = None, *, tendon: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """An actuator of a joint, or of a tendon: force = gain * (ctrl or act) + bias, both affine in length and
            velocity."""
            who = _who(name, joint, tendon)
            if (joint is None) == (tendon is None):
                raise ModelError(f"{who}: joint = {joint!r}, tendon = {tendon!r}; allowed: one of them")
            target = self._find("joint", joint, who) if tendon is None else self._find("tendon", tendon, who)
            a = read_attributes(Actuator.attributes, who, attributes, self._defaults["actuator"])
            a.target, a.trntype = target, c.TRN_JOINT if tendon is None else c.TRN_TENDON
            for limited in ("ctrl", "force", "act"):
                self._set_limits(who, a, f"{limited}range", f"{limited}limited")
            if a.dyntype in _FILTERS and a.dynprm[0] <= 0:
                raise ModelError(f"{who}: dynprm = {a.dynprm}; allowed: a positive time constant first")
            return self._add("actuator", name, a)

        actuator = general

        def motor(self, joint: str | None = None, name: str | None = None, **attributes: Any) -> str:
            """Force = ctrl (times gear)."""
            return self.general(joint, name, gainprm=1.0, biasprm=0.0, **attributes)

        def position(
            self, joint: str | None = None, name: str | None = None, kp: float = 1.0, kv: float = 0.0,
            **attributes: Any,
        ) -> str:  # fmt: skip
            """Force = kp (ctrl - length) - kv velocity."""
            _check_gains(_who(name, joint, attributes.get("tendon")), kp=kp, kv=kv)
            return self.general(joint, name, gainprm=kp, biasprm=(0.0, -kp, -kv), **attributes)

        def velocity(
            self, joint: str | None = None, name: str | None = None, kv: float = 1.0, **attributes: Any,
        ) -> str:  # fmt: skip
            """Force = kv (ctrl - velocity)."""
            _check_gains(_who(name, joint, attributes.get("tendon")), kv=kv)
            return self.general(joint, name, gainprm=kv, biasprm=(0.0, 0.0, -kv), **attributes)

    def assembled(self, order, m):
        actuators = order.elements["actuator"]
        return super().assembled(order, m) | {
            "actuator_trnid": [order.of(a.target) for a in actuators],
            "actuator_trntype": [a.trntype for a in actuators],
            "actuator_actadr": addresses([a.dyntype != c.DYN_NONE for a in actuators]),
        }

    def read(self, mujoco, mj, m):
        arrays = super().read(mujoco, mj, m)
        on_tendon, trnid = mj.actuator_trntype == int(mujoco.mjtTrn.mjTRN_TENDON), mj.actuator_trnid[:, 0]
        tendons = our_tendon(mujoco, mj)[np.where(on_tendon, trnid, -1)]
        arrays["actuator_trnid"] = np.where(on_tendon, tendons, trnid)
        arrays["actuator_trntype"] = np.where(on_tendon, c.TRN_TENDON, c.TRN_JOINT)
        for name in ("dynprm", "gainprm", "biasprm"):
            arrays[f"actuator_{name}"] = np.array(getattr(mj, f"actuator_{name}")[:, :3])
        arrays["actuator_gainprm"][mj.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_FIXED), 1:] = 0
        arrays["actuator_biasprm"][mj.actuator_biastype == int(mujoco.mjtBias.mjBIAS_NONE)] = 0
        return arrays

    def refused(self, mujoco, mj):
        if disabled(mujoco, mj, "ACTUATION"):
            yield "option flag actuation = disable; allowed: enable (leave the actuators out)"
        for a in range(mj.nactuator):
            who = self.who(mujoco, mj, a)
            trn = mujoco.mjtTrn(mj.actuator_trntype[a]).name.removeprefix("mjTRN_").lower()
            if trn not in ("joint", "jointinparent", "tendon"):
                yield f"{who}: transmission {trn}; allowed: joint, tendon, and jointinparent for hinge and slide"
            elif trn == "jointinparent" and mj.jnt_type[mj.actuator_trnid[a, 0]] not in (c.SLIDE, c.HINGE):
                yield f"{who}: transmission jointinparent of a ball or free joint; allowed: hinge and slide"
            for part, allowed in (("dyn", _DYNTYPES), ("gain", ("fixed", "affine")), ("bias", ("none", "affine"))):
                kind = getattr(mujoco, f"mjt{part.capitalize()}")(getattr(mj, f"actuator_{part}type")[a])
                word = kind.name.split("_")[1].lower()
                if word not in allowed:
                    yield f"{who}: {part}type = {word}; allowed: {', '.join(allowed)}"
            fixed = mj.actuator_gaintype[a] == mujoco.mjtGain.mjGAIN_FIXED and mj.actuator_dyntype[a] != 0
            servo = fixed and mj.actuator_gainprm[a, 0] and mj.actuator_biasprm[a, 1] == -mj.actuator_gainprm[a, 0]
            if servo and "joint" in trn and mj.jnt_type[mj.actuator_trnid[a, 0]] == c.BALL:
                yield f"{who}: position servo of a ball joint with an activation state; allowed: dyntype none"
            if mj.actuator_history[a].any() and not mj.actuator_delay[a]:
                yield f"{who}: history of {mj.actuator_history[a, 0]} samples; allowed: none"

    def count(self, m):
        m.na = int(np.sum(m.actuator_actadr >= 0))

    def check_indices(self, m):
        one_of(m, "actuator_dyntype", {kind: name for name, kind in _DYNTYPES.items()})
        one_of(m, "actuator_trntype", {c.TRN_JOINT: "joint", c.TRN_TENDON: "tendon"})
        for kind, size in ((c.TRN_JOINT, "njnt"), (c.TRN_TENDON, "ntendon")):
            n, bad = getattr(m, size), (m.actuator_trnid < 0) | (m.actuator_trnid >= getattr(m, size))
            word = "joint" if kind == c.TRN_JOINT else "tendon"
            words = f"a {word}, 0 to {n - 1}" if n else f"none, since the model has no {word} to name"
            check(m, "actuator_trnid", (m.actuator_trntype == kind) & bad, words)
        states = m.actuator_dyntype != c.DYN_NONE
        follows(m, "actuator_actadr", addresses(states), "actuator_dyntype")
        same_count(m, "na", np.count_nonzero(states), "actuator_dyntype")

    def check(self, m):
        ranges(m, *((f"actuator_{what}limited", f"actuator_{what}range") for what in ("ctrl", "force", "act")))
        filtered = np.isin(m.actuator_dyntype, _FILTERS)
        check(m, "actuator_dynprm", filtered & (m.actuator_dynprm[:, 0] <= 0), "a positive time constant first")

    def device(self, m):
        return {"actuator_tau": m.actuator_dynprm[:, 0], "actuator_wrap": _servo_on_ball(m)}


def _servo_on_ball(m):
    """Which actuators are position servos of ball joints: force = kp (input - length) - kv velocity + constant."""
    gain, bias = m.actuator_gainprm, m.actuator_biasprm
    servo = (bias[:, 1] == -gain[:, 0]) & (gain[:, 0] != 0) & (gain[:, 1:] == 0).all(axis=1)
    on_joint = m.actuator_trntype == c.TRN_JOINT
    return servo & on_joint & (m.jnt_type[np.where(on_joint, m.actuator_trnid, 0)] == c.BALL)


def _who(name, joint, tendon):
    return f"actuator {name or ''!r} of " + (f"joint {joint!r}" if tendon is None else f"tendon {tendon!r}")


def _check_gains(who, **gains):
    for name, value in gains.items():
        if not np.isscalar(value) or not np.isfinite(value) or value < 0:
            raise ModelError(f"{who}: {name} = {value!r}; allowed: a finite number, 0 or more")
