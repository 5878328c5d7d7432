"""Actuators of joints and tendons: force = gain * (ctrl or act) + bias, both affine in length and velocity or those of
a muscle."""

from typing import Any

import numpy as np

from engine.words import counted

from .. import constants as c
from .. import plastic, servos, sleeping
from ..arms import ON_SITES, arm_columns, muscles
from ..attributes import choice, ends, flag, number, read_attributes, vector, whole
from ..checks import check, follows, one_of, ranges, same_count
from ..delays import INTERPOLATIONS, delay_columns, past
from ..errors import ModelError
from ..motors import check_motors, motor, motor_columns, read_motor, states_of_motor
from ..orientations import (
    CHARTS,
    INPUTS,
    axes_of,
    check_orientations,
    is_orientation,
    orientation_columns,
    read_orientation,
)  # fmt: skip
from ..setconst import addresses
from .kind import Kind, boolean, integer, real
from .option import disabled
from .tendon import our_tendon

_DYNTYPES = {"none": c.DYN_NONE, "integrator": c.DYN_INTEGRATOR, "filter": c.DYN_FILTER,
             "filterexact": c.DYN_FILTEREXACT}  # fmt: skip
DYNTYPES = _DYNTYPES | {"muscle": c.DYN_MUSCLE}
_OURS = DYNTYPES | {"pid": c.DYN_PID, "dcmotor": c.DYN_DCMOTOR}  # that a Model may have
_GAINS, _BIASES = ("fixed", "affine", "muscle"), ("none", "affine", "muscle")
# of gains and of biases
_LAWS = {c.GAIN_AFFINE: "affine", c.GAIN_MUSCLE: "muscle", c.GAIN_DCMOTOR: "dcmotor", c.GAIN_SO3: "so3"}
# what an actuator may be on, in MJCF's words, and the kind of element that they name
TARGETS = {"joint": c.TRN_JOINT, "jointinparent": c.TRN_JOINTINPARENT, "tendon": c.TRN_TENDON, "site": c.TRN_SITE,
           "cranksite": c.TRN_SLIDERCRANK, "body": c.TRN_BODY}  # fmt: skip
_KIND_OF = {kind: c.DRIVEN.get(kind, "joint") for kind in (*TARGETS.values(), c.TRN_SO3)}
_KINDS = {"joint": "joint", "jointinparent": "joint", "tendon": "tendon", "site": "site", "cranksite": "site",
          "body": "body"}
NEEDING = (c.TRN_SLIDERCRANK, c.TRN_SO3)  # a second site
_OF_JOINTS, _SCALAR = (c.TRN_JOINT, c.TRN_JOINTINPARENT), (c.SLIDE, c.HINGE)
_FILTERS = (c.DYN_FILTER, c.DYN_FILTEREXACT)


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
            "actuator_dynprm": real("s", "time constant of a filter first; of a muscle also tausmooth", 3),
            "actuator_gainprm": real("N per unit", "[0] + [1] length + [2] velocity; of a muscle its range, and its "
                                     "peak force, which MuJoCo's -1 leaves to scale", 3, differentiable=True),
            "actuator_biasprm": real("N", "the same of the bias", 3, differentiable=True),
            "actuator_ctrllimited": boolean("whether ctrl is clamped"),
            "actuator_ctrlrange": real("of ctrl", "lower and upper end", 2),
            "actuator_forcelimited": boolean("whether the force is clamped"),
            "actuator_forcerange": real("N", "lower and upper end", 2),
            "actuator_actlimited": boolean("whether its state is clamped"),
            "actuator_actrange": real("of act", "lower and upper end", 2),
            "actuator_actadr": integer("its state in act, or -1"),
            "actuator_actearly": boolean("whether the force is that of its state after the step", before=0, since=4),
            "actuator_delay": real("s", "how old the control is that it acts on", least=0, before=0, since=5),
            "actuator_history": integer("controls of the past, and how they are read", 2, before=0, since=5),
            "actuator_gaintype": integer("GAIN_AFFINE, as fixed ones, or GAIN_MUSCLE", before=c.GAIN_AFFINE, since=5),
            "actuator_biastype": integer("BIAS_AFFINE, also of none, or BIAS_MUSCLE", before=c.BIAS_AFFINE, since=5),
            "actuator_lengthrange": real("m or rad", "of a muscle, least and greatest length", 2, before=0, since=5),
            "actuator_gaincurve": real("1", "of a muscle, scale lmin lmax vmax fpmax fvmax", 6, before=0, since=5),
            "actuator_biascurve": real("1", "the same of its bias", 6, before=0, since=5),
            "actuator_dynrest": real("mixed", "of a dcmotor, what of MuJoCo's dynprm is behind the first three", 6,
                                     before=0, since=7),
            "actuator_inputs": integer("of a dcmotor, its controls: bits of pos, vel, ff, voltage; of an orientation "
                                       "servo, 1 (expmap) or 2 (quat); all but the first are those of the actuators "
                                       "behind it", before=0, since=7),
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
        "delay": number(0.0, 0),
        "nsample": whole(0),
        "interp": choice("zoh", INTERPOLATIONS),
        "dyntype": choice("none", _DYNTYPES),
        "dynprm": vector((1.0, 0, 0), 3, partial=True),
        "gainprm": vector((1.0, 0, 0), 3, partial=True),
        "biasprm": vector((0.0, 0, 0), 3, partial=True),
    }
    must_be_zero = (
        ("actuator_damping", "damping"),
        ("actuator_dampingpoly", "second and third damping"),
        ("actuator_armature", "armature"),
    )

    class Methods:
        def general(
            self, joint: str | None = None, name: str | None = None, *, tendon: str | None = None,
            site: str | None = None, refsite: str | None = None, cranksite: str | None = None,
            slidersite: str | None = None, jointinparent: str | None = None, body: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """An actuator of a joint (or `jointinparent`, in the axes of what it moves against), of a tendon, of a site
            (with a `refsite` of the way and turn between them), of a slider-crank (`cranksite`, `slidersite`,
            cranklength) or of a `body` at all that it touches: force = gain * (ctrl or act) + bias, both affine in
            length and velocity."""
            on = {"joint": joint, "jointinparent": jointinparent, "tendon": tendon, "site": site,
                  "cranksite": cranksite, "body": body}  # fmt: skip
            given = {word: target for word, target in on.items() if target is not None}
            who = _who(name, given)
            if len(given) != 1:
                named = given or {"joint": None}
                words = ", ".join(f"{word} = {target!r}" for word, target in named.items())
                raise ModelError(f"{who}: {words}; allowed: one of {', '.join(on)}")
            ((word, target),) = given.items()
            a = read_attributes(Actuator.attributes, who, attributes, self._defaults["actuator"])
            a.target, a.trntype = self._find(_KINDS[word], target, who), TARGETS[word]
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
            a.history = a.nsample, a.interp
            if (a.nsample > 0) != (a.delay > 0) or a.nsample < 0:
                raise ModelError(f"{who}: nsample = {a.nsample}; allowed: one or more with a delay, 0 without")
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

        def adhesion(self, body: str, name: str | None = None, gain: float = 1.0, **attributes: Any) -> str:
            """Force = gain ctrl, which pulls a body at all that it touches or, within a gap, might; ctrlrange: needed,
            of zero or more."""
            _check_gains(_who(name, {"body": body}), gain=gain)
            low = np.min(attributes.get("ctrlrange", -1))
            if not low >= 0:
                raise ModelError(f"{_who(name, {'body': body})}: ctrlrange[0] = {low}; allowed: zero or more")
            return self.general(name=name, body=body, gainprm=gain, biasprm=0.0, **attributes)

        def muscle(
            self, joint: str | None = None, name: str | None = None, *, lengthrange: Any, force: float,
            range: Any = (0.75, 1.05), timeconst: Any = (0.01, 0.04), tausmooth: float = 0.0, lmin: float = 0.5,
            lmax: float = 1.6, vmax: float = 1.5, fpmax: float = 1.3, fvmax: float = 1.2, **attributes: Any,
        ) -> str:  # fmt: skip
            """Pulls with at most `force` (N) times its activation, which follows ctrl, by the curves of its length and
            velocity (dynamics/muscle.py). lengthrange: its lengths at the ends of `range`."""
            given = (*np.ravel(range), force), (*np.ravel(timeconst), tausmooth)
            name = self.general(joint, name, dyntype="filter", gainprm=given[0], dynprm=given[1], **attributes)
            a = list(self.actuators.values())[-1]
            a.dyntype, a.gaintype, a.biastype, a.biasprm = c.DYN_MUSCLE, c.GAIN_MUSCLE, c.BIAS_MUSCLE, a.gainprm
            a.lengthrange, a.curve = lengthrange, (0.0, lmin, lmax, vmax, fpmax, fvmax)
            return name

        def dcmotor(
            self, joint: str | None = None, name: str | None = None, *, motorconst: Any, resistance: float,
            input: str = "voltage", inductance: Any = 0.0, thermal: Any = None, lugre: Any = None,
            cogging: Any = None, saturation: Any = None, controller: Any = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """A DC motor with MuJoCo's attributes (dynamics/dcmotor.py), and for each further word of `input` an
            actuator behind it, whose control is that input; with "none" nothing reads the control. motorconst: K, or
            those of torque and back-EMF."""
            words = input.split() if isinstance(input, str) else [str(input)]
            words = [] if words == ["none"] else words or [""]
            who = _who(name, _on(joint, attributes))
            prm = motor(who, words, motorconst, resistance, inductance, thermal, lugre, cogging, saturation,
                               controller)  # fmt: skip
            if prm.most:
                attributes = {"forcerange": (-prm.most, prm.most)} | attributes
            given = {"gainprm": prm.gain[:3], "biasprm": prm.bias[:3], "dynprm": prm.dyn[:3]}
            name = self.general(joint, name, **given, **attributes)
            a = list(self.actuators.values())[-1]
            a.dyntype, a.gaintype, a.biastype, a.curve = c.DYN_DCMOTOR, c.GAIN_DCMOTOR, c.BIAS_DCMOTOR, prm.gain[3:]
            a.biascurve, a.dynrest, a.inputs = prm.bias[3:], prm.dyn[3:], prm.bits
            attributes = {k: x for k, x in attributes.items() if not k.startswith("force")}
            for word in words[1:]:
                self.general(joint, f"{name} {word}", gainprm=0.0, biasprm=0.0, dynprm=0.0, **attributes)
            return name

        def orientation(
            self, joint: str | None = None, name: str | None = None, *, kp: float = 1.0, kv: float = 0.0,
            input: str = "expmap", bias: float = 0.0, **attributes: Any,
        ) -> str:  # fmt: skip
            """Torque = kp log(q^-1 p) - kv velocity + bias, jointly about the three axes of a ball joint, or of a
            `site` against its `refsite` (dynamics/orientation.py). Its controls are p as a rotation vector or, with the
            input "quat", a quaternion: an actuator for each, of which all but the first have its name and their own.
            dyntype: "integrator", whose states are p; forcerange: zero, and the largest torque."""
            who = _who(name, _on(joint, attributes))
            _check_gains(who, kp=kp, kv=kv)
            if input not in CHARTS:
                raise ModelError(f"{who}: input = {input!r}; allowed: {', '.join(CHARTS)}")
            if "gear" in attributes:
                raise ModelError(f"{who}: gear = {attributes['gear']!r}; allowed: none")
            for k, word in enumerate(INPUTS[CHARTS[input]]):
                if k == 0:
                    prm = {"gainprm": (kp, 0.0, 0.0), "biasprm": (bias, -kp, -kv)}
                    name = self.general(joint, name, **prm, **attributes)
                    attributes = {key: x for key, x in attributes.items() if not key.startswith("force")}
                else:
                    self.general(joint, f"{name} {word}", gainprm=0.0, biasprm=0.0, **attributes)
                a = list(self.actuators.values())[-1]
                a.gaintype, a.biastype, a.inputs = c.GAIN_SO3, c.BIAS_SO3, 0 if k else CHARTS[input]
                a.trntype = c.TRN_SO3 if a.trntype == c.TRN_SITE else a.trntype
                a.gear = axes_of(a.trntype, 4)[k]
            return name

    def assembled(self, order, m):
        actuators = order.elements["actuator"]
        laws = {
            "actuator_gaintype": ("gaintype", c.GAIN_AFFINE), "actuator_biastype": ("biastype", c.BIAS_AFFINE),
            "actuator_delay": ("delay", 0.0), "actuator_history": ("history", (0, 0)),
            "actuator_lengthrange": ("lengthrange", (0.0, 0.0)), "actuator_gaincurve": ("curve", (0.0,) * 6),
            "actuator_dynrest": ("dynrest", (0.0,) * 6), "actuator_inputs": ("inputs", 0),
        }  # fmt: skip
        return super().assembled(order, m) | {
            "actuator_trnid": [order.of(a.target) for a in actuators],
            "actuator_trntype": [a.trntype for a in actuators],
            "actuator_refid": [-1 if a.reference is None else order.of(a.reference) for a in actuators],
            "actuator_actadr": addresses([states_of_motor((*a.dynprm, *a.dynrest), a.curve)
                                          if a.dyntype == c.DYN_DCMOTOR else a.dyntype != c.DYN_NONE
                                          for a in actuators]),
            **{array: [getattr(a, *law) for a in actuators] for array, law in laws.items()},
            "actuator_biascurve": [getattr(a, "biascurve", getattr(a, "curve", (0.0,) * 6)) for a in actuators],
        }

    def read(self, mujoco, mj, m):
        ours = ("actuator_refid", "actuator_gaincurve", "actuator_biascurve", "actuator_dynrest", "actuator_inputs")
        arrays = {name: _each(mj, name) for name in self.fields["nu"] if name not in ours}
        on_tendon, trnid = mj.actuator_trntype == int(mujoco.mjtTrn.mjTRN_TENDON), mj.actuator_trnid[:, 0]
        tendons = our_tendon(mujoco, mj)[np.where(on_tendon, trnid, -1)]
        arrays["actuator_trnid"] = np.where(on_tendon, tendons, trnid)
        own_axes = (mj.actuator_trntype == c.TRN_JOINTINPARENT) & _joined(mj, trnid, _SCALAR)
        arrays["actuator_trntype"] = np.where(own_axes, c.TRN_JOINT, mj.actuator_trntype)
        on_sites = np.isin(mj.actuator_trntype, ON_SITES)
        arrays["actuator_refid"] = np.where(on_sites, mj.actuator_trnid[:, 1], -1)
        arrays["actuator_cranklength"] = np.where(on_sites, arrays["actuator_cranklength"], 0.0)
        arrays["actuator_dynprm"] = mj.actuator_dynprm[:, :3].copy()
        arrays["actuator_dynrest"], arrays["actuator_inputs"] = np.zeros((mj.nactuator, 6)), np.zeros(mj.nactuator, int)
        for part, kind in (("gain", c.GAIN_MUSCLE), ("bias", c.BIAS_MUSCLE)):
            _read_law(mj, part, kind, arrays)
        muscle = (arrays["actuator_gaintype"] == c.GAIN_MUSCLE) | (arrays["actuator_biastype"] == c.BIAS_MUSCLE)
        arrays["actuator_lengthrange"][~muscle] = 0
        arrays["actuator_gainprm"][mj.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_FIXED), 1:] = 0
        arrays["actuator_biasprm"][mj.actuator_biastype == int(mujoco.mjtBias.mjBIAS_NONE)] = 0
        arrays["actuator_history"][mj.actuator_delay == 0] = 0
        off = servos.silent(mujoco, mj)
        arrays["actuator_gainprm"][off], arrays["actuator_biasprm"][off] = 0, 0
        arrays["actuator_gaintype"][off], arrays["actuator_biastype"][off] = c.GAIN_AFFINE, c.BIAS_AFFINE
        frozen = off & (mj.actuator_dyntype != int(mujoco.mjtDyn.mjDYN_NONE))
        arrays["actuator_dyntype"][frozen], arrays["actuator_dynprm"][frozen, 0] = c.DYN_FILTER, servos.NEVER
        if disabled(mujoco, mj, "ACTUATION"):
            arrays["actuator_actlimited"][:] = False
        return self._apart(mujoco, mj, arrays, off)

    @staticmethod
    def _apart(mujoco, mj, arrays, off):
        """The same with one of ours for each control, as pid, dcmotor and orientation have several."""
        rows, first = servos.rows_of(mj), servos.first_rows(mj)
        arrays = {name: servos.ours(mj, a.T).T if "_ctrl" in name else a[rows] for name, a in arrays.items()}
        for a in (a for a in range(mj.nactuator) if servos.kind_of(mujoco, mj, a)):
            if off[a]:
                servos.freeze(mujoco, mj, a, np.flatnonzero(rows == a), arrays)
                continue
            if servos.is_motor(mujoco, mj, a):
                read_motor(mj, a, first[a], max(len(servos.tokens(mj, a)), 1), arrays)
                continue
            for i, (gain, bias) in enumerate(servos.laws(mujoco, mj, a), first[a]):
                arrays["actuator_dyntype"][i], arrays["actuator_actearly"][i] = c.DYN_NONE, False
                if servos.kind_of(mujoco, mj, a) == servos.DCMOTOR:  # whose states no range clamps
                    arrays["actuator_actlimited"][i] = False
                prm = servos.controller(mujoco, mj, a)
                if i == first[a] and max(prm[1:]) > 0:
                    arrays["actuator_dyntype"][i], arrays["actuator_dynprm"][i] = c.DYN_PID, np.maximum(prm, 0)
                else:
                    arrays["actuator_actadr"][i] = -1
                arrays["actuator_gainprm"][i], arrays["actuator_biasprm"][i] = (gain, 0, 0), bias
        still = disabled(mujoco, mj, "ACTUATION")
        for a in (a for a in range(mj.nactuator) if is_orientation(mujoco, mj, a)):
            read_orientation(mj, a, first[a], int(mj.actuator_ctrlnum[a]), arrays, still)
        return arrays

    def names(self, mujoco, mj):
        return servos.names_of(mujoco, mj, super().names(mujoco, mj))

    def refused(self, mujoco, mj):
        if disabled(mujoco, mj, "ACTUATION"):
            beside = {
                "gravity compensation by actuators": mj.jnt_actgravcomp.any(),
                "sensors of actuators' velocity": np.any(mj.sensor_type == int(mujoco.mjtSensor.mjSENS_ACTUATORVEL)),
            }
            for what in (what for what, there in beside.items() if there):
                yield f"option flag actuation = disable beside {what}, which ends with it; allowed: enable"
        for a in range(mj.nactuator):
            who = self.who(mujoco, mj, a)
            if is_orientation(mujoco, mj, a):
                continue
            trn = mujoco.mjtTrn(mj.actuator_trntype[a]).name.removeprefix("mjTRN_").lower()
            if mj.actuator_trntype[a] not in TARGETS.values():
                yield f"{who}: transmission {trn}; allowed: joint, jointinparent, tendon, site, slidercrank, body"
            if servos.kind_of(mujoco, mj, a):
                for what, allowed in servos.lacking(mujoco, mj, a, servos.silent(mujoco, mj)[a]):
                    yield f"{who}: {what}; allowed: {allowed}"
                continue
            for part, allowed in (("dyn", DYNTYPES), ("gain", _GAINS), ("bias", _BIASES)):
                kind = getattr(mujoco, f"mjt{part.capitalize()}")(getattr(mj, f"actuator_{part}type")[a])
                word = kind.name.split("_")[1].lower()
                if word not in allowed:
                    yield f"{who}: {part}type = {word}; allowed: {', '.join(allowed)}"

    def changed(self, mujoco, mj):
        unread = np.count_nonzero((mj.actuator_history[:, 0] > 0) & (mj.actuator_delay == 0))
        if unread:
            yield f"nsample: left out of {counted(unread, 'actuator')} without a delay, which do not read it"
        made = [a for a in range(mj.nactuator) if servos.kind_of(mujoco, mj, a)]
        idle = [a for a in made if not servos.tokens(mj, a)]
        if idle:
            yield f"dcmotor: {len(idle)} without inputs become actuators with a control that nothing reads"
        if made:
            controls = np.isin(servos.rows_of(mj), made).sum()
            each = "one for each control or, where switched off, each state"
            yield f"pid and dcmotor: {len(made)} of them become {controls} actuators, {each}"
        off = np.flatnonzero(servos.silent(mujoco, mj))
        turning = sum(is_orientation(mujoco, mj, a) for a in range(mj.nactuator))
        if turning:
            yield f"orientation: {counted(turning, 'servo')}, each of which becomes an actuator for each control"
        if off.size:
            why = "flag actuation is disabled" if disabled(mujoco, mj, "ACTUATION") else "actuatorgroupdisable"
            who = counted(off.size, "actuator")
            yield f"option {why}: gains and biases of {who} set to zero; states of theirs stay"

    def count(self, m):
        m.na = int(np.sum(servos.states_of(m)) + past(m) + sleeping.count(m) + plastic.count(m))

    def check_indices(self, m):
        one_of(m, "actuator_dyntype", {kind: name for name, kind in _OURS.items()})
        for part in ("gain", "bias"):
            one_of(m, f"actuator_{part}type", _LAWS)
        one_of(m, "actuator_trntype", {kind: word for word, kind in TARGETS.items()} | {c.TRN_SO3: "so3"})
        for kind, element in _KIND_OF.items():
            n = getattr(m, {"joint": "njnt", "tendon": "ntendon", "site": "nsite", "body": "nbody"}[element])
            words = f"a {element}, 0 to {n - 1}" if n else f"none, since the model has no {element} to name"
            bad = (m.actuator_trnid < 0) | (m.actuator_trnid >= n)
            check(m, "actuator_trnid", (m.actuator_trntype == kind) & bad, words)
        least = np.where(np.isin(m.actuator_trntype, ON_SITES), m.nsite, 0)
        bad = (m.actuator_refid < -1) | (m.actuator_refid >= least)
        check(m, "actuator_refid", bad, lambda u: f"a site, 0 to {least[u] - 1}, or -1" if least[u] else "-1")
        check(m, "actuator_refid", np.isin(m.actuator_trntype, NEEDING) & (m.actuator_refid < 0), "a site")
        states = servos.states_of(m)
        follows(m, "actuator_actadr", addresses(states), "actuator_dyntype")
        pid = m.actuator_dyntype == c.DYN_PID
        check(m, "actuator_dynprm", pid & ((m.actuator_dynprm < 0).any(axis=1) | (states == 0)),
              "imax, slewmax and ki of a pid, zero or more, one of the latter above")  # fmt: skip
        motor = m.actuator_dyntype == c.DYN_DCMOTOR
        most = np.where(motor, 15, np.where(m.actuator_gaintype == c.GAIN_SO3, 2, 0))
        bits = (m.actuator_inputs >= 0) & (m.actuator_inputs <= most)
        words = "bits of pos, vel, ff, voltage of a dcmotor, 0 to 15; of an orientation servo 0 to 2; else 0"
        check(m, "actuator_inputs", ~bits, words)
        n, interp = m.actuator_history.T
        check(m, "actuator_history", (n < 0) | (interp < 0) | (interp > 2), "samples of zero or more, and 0, 1 or 2")
        check(m, "actuator_history", (n > 0) != (m.actuator_delay > 0), "samples where there is a delay, else none")
        numbers = "actuator_dyntype, actuator_history, sensor_history, body_sleep, springyield of joints and tendons"
        same_count(m, "na", np.sum(states) + past(m) + sleeping.count(m) + plastic.count(m), numbers)
        check_orientations(m)

    def check(self, m):
        ranges(m, *((f"actuator_{what}limited", f"actuator_{what}range") for what in ("ctrl", "force", "act")))
        filtered = np.isin(m.actuator_dyntype, _FILTERS)
        check(m, "actuator_cranklength", m.actuator_cranklength < 0, "zero or more")
        check(m, "actuator_dynprm", filtered & (m.actuator_dynprm[:, 0] <= 0), "a positive time constant first")
        check_muscles(m)
        check_motors(m)
        follows(m, "actuator_actadr", addresses(servos.states_of(m)), "actuator_dyntype")

    def device(self, m):
        columns = ("dynprm", "lengthrange", "gaincurve", "biascurve")
        n = m.nu if muscles(m).any() else 0  # without muscles the device has none of these
        prm = m.actuator_dynprm[: m.nu if (m.actuator_dyntype == c.DYN_PID).any() else 0]
        driven = m.nu * np.any(m.actuator_dyntype == c.DYN_DCMOTOR)
        special = {f"pid_{name}": prm[:, k] for k, name in enumerate(("imax", "slew", "ki"))}
        special |= {f"muscle_{name}": getattr(m, f"actuator_{name}")[:n] for name in columns}
        special |= motor_columns(m, driven) | orientation_columns(m)
        return {**special, **delay_columns(m), "actuator_tau": m.actuator_dynprm[:, 0],
                "actuator_wrap": turning_servos(m),
                "actuator_early": m.actuator_actearly & (m.actuator_actadr >= 0), **arm_columns(m)}  # fmt: skip


def _each(mj, name):
    """A copy of an array of an MjModel; of what it has for each force of an actuator, as of orientations, the first."""
    value = np.array(getattr(mj, name))
    several = "_ctrl" not in name and len(value) > mj.nactuator
    return value[mj.actuator_outadr] if several else value


def _read_law(mj, part, muscle, arrays):
    """Parameters of gains or biases: the first three, and of muscles the rest and the peak force."""
    prm = np.array(getattr(mj, f"actuator_{part}prm"))
    on = getattr(mj, f"actuator_{part}type") == muscle
    scaled = on & (prm[:, 2] < 0)
    prm[scaled, 2] = prm[scaled, 3] / np.maximum(1e-15, _each(mj, "actuator_acc0")[scaled])
    arrays[f"actuator_{part}prm"] = prm[:, :3]
    arrays[f"actuator_{part}curve"] = np.where(on[:, None], prm[:, 3:9], 0.0)
    arrays[f"actuator_{part}type"] = np.where(on, muscle, c.GAIN_AFFINE)


def check_muscles(m):
    """Curves that mean nothing are refused."""
    check(m, "actuator_dynprm", (m.actuator_dyntype == c.DYN_MUSCLE) & (m.actuator_dynprm[:, :2] <= 0).any(axis=1),
          "two positive time constants")  # fmt: skip
    check(m, "actuator_dynprm", (m.actuator_dyntype == c.DYN_MUSCLE) & (m.actuator_dynprm[:, 2] < 0),
          "a tausmooth of zero or more")  # fmt: skip
    for part in ("gain", "bias"):
        on = getattr(m, f"actuator_{part}type") == c.GAIN_MUSCLE
        low, high = m.actuator_lengthrange.T
        check(m, "actuator_lengthrange", on & (low >= high), "the least length below the greatest")
        prm, (_, lmin, lmax, *rest) = getattr(m, f"actuator_{part}prm"), getattr(m, f"actuator_{part}curve").T
        check(m, f"actuator_{part}prm", on & ((prm[:, 0] >= prm[:, 1]) | (prm[:, 2] < 0)),
              "a range of two rising numbers, a peak force of zero or more")  # fmt: skip
        bad = (lmin >= 1) | (lmax <= 1) | (np.min(rest, axis=0) <= 0)
        check(m, f"actuator_{part}curve", on & bad, "lmin below 1 below lmax; vmax, fpmax, fvmax above zero")


def _joined(m, trnid, kinds):
    """Which actuators are on joints of these kinds; of a Model or an MjModel, which may have no joint."""
    found = np.isin(m.actuator_trntype, _OF_JOINTS)
    found[found] = np.isin(m.jnt_type[trnid[found]], kinds)
    return found


def turning_servos(m):
    """Which actuators are position servos of turns: OF_BALL, OF_SITES, or 0. Force = kp (input - length) - kv velocity
    + constant."""
    gain, bias = m.actuator_gainprm, m.actuator_biasprm
    pid = m.actuator_dyntype == c.DYN_PID  # which may have the gain of its integral alone
    servo = (bias[:, 1] == -gain[:, 0]) & ((gain[:, 0] != 0) | pid) & (gain[:, 1:] == 0).all(axis=1) & ~muscles(m)
    servo &= ~np.isin(m.actuator_gaintype, (c.GAIN_DCMOTOR, c.GAIN_SO3))
    on_ball = _joined(m, m.actuator_trnid, (c.BALL,))
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
