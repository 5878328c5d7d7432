"""Actuators of joints and tendons: force = gain * (ctrl or act) + bias, both affine in length and velocity."""

from typing import Any

import numpy as np

from .. import constants as c
from ..arms import ON_SITES, arm_columns, arms, branched
from ..attributes import choice, ends, flag, number, read_attributes, vector
from ..checks import check, follows, one_of, ranges, same_count
from ..errors import ModelError
from ..sensors import SENS
from ..setconst import addresses
from .kind import Kind, boolean, integer, real
from .option import disabled
from .tendon import our_tendon

_DYNTYPES = {"none": c.DYN_NONE, "integrator": c.DYN_INTEGRATOR, "filter": c.DYN_FILTER,
             "filterexact": c.DYN_FILTEREXACT}  # fmt: skip
# what an actuator may be on, in MJCF's words, and the kind of element that they name
_TARGETS = {"joint": c.TRN_JOINT, "jointinparent": c.TRN_JOINTINPARENT, "tendon": c.TRN_TENDON, "site": c.TRN_SITE,
            "cranksite": c.TRN_SLIDERCRANK}  # fmt: skip
_KINDS = {"joint": "joint", "jointinparent": "joint", "tendon": "tendon", "site": "site", "cranksite": "site"}
_ARMS = {c.TRN_JOINTINPARENT: "in the parent's frame", c.TRN_SITE: "on sites", c.TRN_SLIDERCRANK: "on a crank"}
_OF_JOINTS, _SCALAR = (c.TRN_JOINT, c.TRN_JOINTINPARENT), (c.SLIDE, c.HINGE)
_FILTERS = (c.DYN_FILTER, c.DYN_FILTEREXACT)
_NEVER = 1e30  # s, a time constant after which nothing has changed


class Actuator(Kind):
    name, plural, named, counted = "actuator", "actuators", "nu", "nactuator"
    defaulted = True
    fields = {
        "nu": {
            "actuator_trnid": integer("its joint, tendon or site"),
            "actuator_trntype": integer("what it is on: TRN_JOINT, TRN_TENDON, ...", before=c.TRN_JOINT, since=2),
            "actuator_refid": integer("the reference or slider site, or -1", before=-1, since=4),
            "actuator_cranklength": real("m", "length of the rod", before=0, since=4),
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
            "actuator_actearly": boolean("whether the force is that of its state after the step", before=0, since=4),
        },
    }
    attributes = {
        "gear": vector((1.0, 0, 0, 0, 0, 0), 6, partial=True),
        "cranklength": number(0.0, 0),
        "ctrllimited": flag(),
        "ctrlrange": ends(),
        "forcelimited": flag(),
        "forcerange": ends(),
        "actlimited": flag(),
        "actrange": ends(),
        "actearly": flag(False),
        "dyntype": choice("none", _DYNTYPES),
        "dynprm": vector((1.0, 0, 0), 3, partial=True),
        "gainprm": vector((1.0, 0, 0), 3, partial=True),
        "biasprm": vector((0.0, 0, 0), 3, partial=True),
    }
    must_be_zero = (
        ("actuator_damping", "damping"),
        ("actuator_dampingpoly", "second and third damping"),
        ("actuator_armature", "armature"),
        ("actuator_delay", "delay"),
    )

    class Methods:
        def general(
            self, joint: str | None = None, name: str | None = None, *, tendon: str | None = None,
            site: str | None = None, refsite: str | None = None, cranksite: str | None = None,
            slidersite: str | None = None, jointinparent: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """An actuator of a joint (or `jointinparent`, in the axes of what it moves against), of a tendon, of a site
            (with a `refsite` of the way and turn between them) or of a slider-crank (`cranksite`, `slidersite`,
            cranklength): force = gain * (ctrl or act) + bias, both affine in length and velocity."""
            on = {"joint": joint, "jointinparent": jointinparent, "tendon": tendon, "site": site,
                  "cranksite": cranksite}  # fmt: skip
            given = {word: target for word, target in on.items() if target is not None}
            who = _who(name, given)
            if len(given) != 1:
                named = given or {"joint": None}
                words = ", ".join(f"{word} = {target!r}" for word, target in named.items())
                raise ModelError(f"{who}: {words}; allowed: one of {', '.join(on)}")
            ((word, target),) = given.items()
            a = read_attributes(Actuator.attributes, who, attributes, self._defaults["actuator"])
            a.target, a.trntype = self._find(_KINDS[word], target, who), _TARGETS[word]
            a.reference = None
            for other, mate, needed in (("refsite", refsite, False), ("slidersite", slidersite, word == "cranksite")):
                if mate is not None and (word == "site") == (other == "refsite") and word in ("site", "cranksite"):
                    a.reference = self._find("site", mate, who)
                elif mate is not None or needed:
                    allowed = "a site" if needed else "none"
                    raise ModelError(f"{who}: {other} = {mate!r}; allowed: {allowed}")
            if word == "cranksite" and not a.cranklength:
                raise ModelError(f"{who}: cranklength = {a.cranklength}; allowed: more than zero")
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
            _check_gains(_who(name, _on(joint, attributes)), kp=kp, kv=kv)
            return self.general(joint, name, gainprm=kp, biasprm=(0.0, -kp, -kv), **attributes)

        def velocity(
            self, joint: str | None = None, name: str | None = None, kv: float = 1.0, **attributes: Any,
        ) -> str:  # fmt: skip
            """Force = kv (ctrl - velocity)."""
            _check_gains(_who(name, _on(joint, attributes)), kv=kv)
            return self.general(joint, name, gainprm=kv, biasprm=(0.0, 0.0, -kv), **attributes)

    def assembled(self, order, m):
        actuators = order.elements["actuator"]
        return super().assembled(order, m) | {
            "actuator_trnid": [order.of(a.target) for a in actuators],
            "actuator_trntype": [a.trntype for a in actuators],
            "actuator_refid": [-1 if a.reference is None else order.of(a.reference) for a in actuators],
            "actuator_actadr": addresses([a.dyntype != c.DYN_NONE for a in actuators]),
        }

    def read(self, mujoco, mj, m):
        arrays = {name: np.array(getattr(mj, name)) for name in self.fields["nu"] if name != "actuator_refid"}
        on_tendon, trnid = mj.actuator_trntype == int(mujoco.mjtTrn.mjTRN_TENDON), mj.actuator_trnid[:, 0]
        tendons = our_tendon(mujoco, mj)[np.where(on_tendon, trnid, -1)]
        arrays["actuator_trnid"] = np.where(on_tendon, tendons, trnid)
        own_axes = mj.actuator_trntype == c.TRN_JOINTINPARENT
        own_axes[own_axes] = np.isin(mj.jnt_type[trnid[own_axes]], _SCALAR)
        arrays["actuator_trntype"] = np.where(own_axes, c.TRN_JOINT, mj.actuator_trntype)
        on_sites = np.isin(mj.actuator_trntype, ON_SITES)
        arrays["actuator_refid"] = np.where(on_sites, mj.actuator_trnid[:, 1], -1)
        arrays["actuator_cranklength"] = np.where(on_sites, arrays["actuator_cranklength"], 0.0)
        for name in ("dynprm", "gainprm", "biasprm"):
            arrays[f"actuator_{name}"] = np.array(getattr(mj, f"actuator_{name}")[:, :3])
        arrays["actuator_gainprm"][mj.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_FIXED), 1:] = 0
        arrays["actuator_biasprm"][mj.actuator_biastype == int(mujoco.mjtBias.mjBIAS_NONE)] = 0
        off = _silent(mujoco, mj)
        arrays["actuator_gainprm"][off], arrays["actuator_biasprm"][off] = 0, 0
        frozen = off & (mj.actuator_dyntype != int(mujoco.mjtDyn.mjDYN_NONE))
        arrays["actuator_dyntype"][frozen], arrays["actuator_dynprm"][frozen, 0] = c.DYN_FILTER, _NEVER
        if disabled(mujoco, mj, "ACTUATION"):
            arrays["actuator_actlimited"][:] = False
        return arrays

    def refused(self, mujoco, mj):
        if disabled(mujoco, mj, "ACTUATION"):
            beside = {
                "gravity compensation by actuators": mj.jnt_actgravcomp.any(),
                "sensors of actuators' velocity": np.any(mj.sensor_type == int(mujoco.mjtSensor.mjSENS_ACTUATORVEL)),
            }
            for what in (what for what, there in beside.items() if there):
                yield f"option flag actuation = disable beside {what}, which ends with it; allowed: enable"
        felt = np.any(mj.sensor_type == int(mujoco.mjtSensor.mjSENS_JOINTACTFRC))
        for u, words in _clashes(mj, mj.actuator_trnid[:, 1], mj.opt.integrator, felt):
            yield f"{self.who(mujoco, mj, u)}: {words}"
        for a in range(mj.nactuator):
            who = self.who(mujoco, mj, a)
            trn = mujoco.mjtTrn(mj.actuator_trntype[a]).name.removeprefix("mjTRN_").lower()
            if mj.actuator_trntype[a] not in _TARGETS.values():
                yield f"{who}: transmission {trn}; allowed: joint, jointinparent, tendon, site, slidercrank"
            for part, allowed in (("dyn", _DYNTYPES), ("gain", ("fixed", "affine")), ("bias", ("none", "affine"))):
                kind = getattr(mujoco, f"mjt{part.capitalize()}")(getattr(mj, f"actuator_{part}type")[a])
                word = kind.name.split("_")[1].lower()
                if word not in allowed:
                    yield f"{who}: {part}type = {word}; allowed: {', '.join(allowed)}"
            fixed = mj.actuator_gaintype[a] == mujoco.mjtGain.mjGAIN_FIXED and mj.actuator_dyntype[a] != 0
            servo = fixed and mj.actuator_gainprm[a, 0] and mj.actuator_biasprm[a, 1] == -mj.actuator_gainprm[a, 0]
            if servo and "joint" in trn and mj.jnt_type[mj.actuator_trnid[a, 0]] == c.BALL:
                yield f"{who}: position servo of a ball joint with an activation state; allowed: dyntype none"
            if servo and trn == "site" and mj.actuator_trnid[a, 1] >= 0 and not mj.actuator_gear[a, :3].any():
                yield f"{who}: position servo of turns between sites with an activation state; allowed: dyntype none"
            if mj.actuator_history[a].any() and not mj.actuator_delay[a]:
                yield f"{who}: history of {mj.actuator_history[a, 0]} samples; allowed: none"

    def changed(self, mujoco, mj):
        off = np.flatnonzero(_silent(mujoco, mj))
        if off.size:
            why = "flag actuation is disabled" if disabled(mujoco, mj, "ACTUATION") else "actuatorgroupdisable"
            yield f"option {why}: gains and biases of {off.size} actuators set to zero; states of theirs stay"

    def count(self, m):
        m.na = int(np.sum(m.actuator_actadr >= 0))

    def check_indices(self, m):
        one_of(m, "actuator_dyntype", {kind: name for name, kind in _DYNTYPES.items()})
        one_of(m, "actuator_trntype", {kind: word for word, kind in _TARGETS.items()})
        for word, kind in _TARGETS.items():
            element = _KINDS[word]
            n = getattr(m, {"joint": "njnt", "tendon": "ntendon", "site": "nsite"}[element])
            words = f"a {element}, 0 to {n - 1}" if n else f"none, since the model has no {element} to name"
            bad = (m.actuator_trnid < 0) | (m.actuator_trnid >= n)
            check(m, "actuator_trnid", (m.actuator_trntype == kind) & bad, words)
        least = np.where(np.isin(m.actuator_trntype, ON_SITES), m.nsite, 0)
        bad = (m.actuator_refid < -1) | (m.actuator_refid >= least)
        check(m, "actuator_refid", bad, lambda u: f"a site, 0 to {least[u] - 1}, or -1" if least[u] else "-1")
        check(m, "actuator_refid", (m.actuator_trntype == c.TRN_SLIDERCRANK) & (m.actuator_refid < 0), "a site")
        states = m.actuator_dyntype != c.DYN_NONE
        follows(m, "actuator_actadr", addresses(states), "actuator_dyntype")
        same_count(m, "na", np.count_nonzero(states), "actuator_dyntype")

    def check(self, m):
        ranges(m, *((f"actuator_{what}limited", f"actuator_{what}range") for what in ("ctrl", "force", "act")))
        filtered = np.isin(m.actuator_dyntype, _FILTERS)
        check(m, "actuator_cranklength", m.actuator_cranklength < 0, "zero or more")
        felt = np.any(m.sensor_type == SENS.jointactuatorfrc)
        for u, words in _clashes(m, m.actuator_refid, m.opt.integrator, felt):
            raise ModelError(f"{m.label('actuator', u)}: {words}")
        check(m, "actuator_dynprm", filtered & (m.actuator_dynprm[:, 0] <= 0), "a positive time constant first")

    def device(self, m):
        return {"actuator_tau": m.actuator_dynprm[:, 0], "actuator_wrap": _servos(m),
                "actuator_early": m.actuator_actearly & (m.actuator_actadr >= 0), **arm_columns(m)}  # fmt: skip


def _silent(mujoco, mj):
    """Which actuators an option switches off, (nactuator,)."""
    if disabled(mujoco, mj, "ACTUATION"):
        return np.ones(mj.nactuator, bool)
    group = np.asarray(mj.actuator_group)
    return (group >= 0) & (group <= 30) & ((mj.opt.disableactuator >> np.clip(group, 0, 30)) & 1 > 0)


def _clashes(m, refid, integrator, felt):
    """(actuator, what does not go together with its arm, what is allowed); of a Model or an MjModel. felt: whether
    sensors ask what actuators do to a joint."""
    for u, first in zip(*arms(m), strict=True):
        where = _ARMS[int(m.actuator_trntype[u])]
        implicit = integrator in (c.IMPLICIT, c.IMPLICITFAST)
        if implicit and refid[u] >= 0 and branched(m, first, refid[u]):
            word = c.INTEGRATOR_NAMES[int(integrator)]
            yield u, f"{where} on two branches with the integrator {word}; allowed: Euler, RK4"
        if m.jnt_actfrclimited.any():
            yield u, f"{where} beside joints that limit their actuators' force; allowed: no actuatorfrcrange"
        if felt:
            yield u, f"{where} beside sensors jointactuatorfrc; allowed: none of these"


def _servos(m):
    """Which actuators are position servos of turns: OF_BALL, OF_SITES, or 0. Force = kp (input - length) - kv velocity
    + constant."""
    gain, bias = m.actuator_gainprm, m.actuator_biasprm
    servo = (bias[:, 1] == -gain[:, 0]) & (gain[:, 0] != 0) & (gain[:, 1:] == 0).all(axis=1)
    on_ball = np.isin(m.actuator_trntype, _OF_JOINTS)
    on_ball[on_ball] = m.jnt_type[m.actuator_trnid[on_ball]] == c.BALL
    turning = (m.actuator_trntype == c.TRN_SITE) & (m.actuator_refid >= 0) & ~m.actuator_gear[:, :3].any(axis=1)
    return c.OF_BALL * (servo & on_ball) + c.OF_SITES * (servo & turning)


def _who(name, on):
    named = ", ".join(f"{word} {target!r}" for word, target in on.items())
    return f"actuator {name or ''!r} of {named or 'nothing'}"


def _on(joint, attributes):
    found = {"joint": joint} | {word: attributes.get(word) for word in _KINDS if word != "joint"}
    return {word: target for word, target in found.items() if target is not None}


def _check_gains(who, **gains):
    for name, value in gains.items():
        if not np.isscalar(value) or not np.isfinite(value) or value < 0:
            raise ModelError(f"{who}: {name} = {value!r}; allowed: a finite number, 0 or more")
