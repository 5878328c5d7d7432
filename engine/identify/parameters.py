"""What is to be found: unknowns by pattern, and how they make the numbers that a simulator steps with.

`Unknown("dof_armature:leg*")` is one number for each joint whose name fits, with tied=True one for all. Besides the
differentiable parameters of `Simulator.params` (and its leaves) there are

    kp:ACTUATOR     gain of a position servo: gainprm[0] and -biasprm[1] together
    kv:ACTUATOR     its damping, or the gain of a velocity servo: -biasprm[2]
    delay:ACTUATOR  s, by which its logged control acts later
    offset:JOINT    what its encoder shows beyond its position (rad or m); a position servo reads the same encoder
    bias:JOINT      the same of the log alone
    inertia:BODY    mass and principal moments together, so that they stay possible (`inertias.py`)
    inertial:BODY   the same with the centre of mass and the axes, all ten numbers (`inertial.py`)
    stribeck:JOINT  friction at rest beyond that at speed, with stribeck_speed:JOINT, and load_friction:JOINT, the share
                    of the load (`residuals.Friction`, which a robot without one is given)

A name ends with [k] where an array has several numbers for an element.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from engine.arrays import parameter, theta_layout
from engine.identify.arguments import number
from engine.identify.inertial import Inertial
from engine.identify.inertias import STEP, Inertia, Law
from engine.identify.priors import LogNormal, Normal, Uniform, prior_of
from engine.identify.targets import SCALAR
from engine.model.constants import TRN_JOINT
from engine.residuals import Friction, friction_places
from engine.theta import ABOVE_ZERO, LEAF_NAMES, SIGNS
from engine.words import meant

FRICTION = {"stribeck": "stribeck", "stribeck_speed": "speed", "load_friction": "load"}  # of residuals.Friction
LAWS = {law.word: law for law in (Inertia(), Inertial())}  # of all numbers of a body
OWN = {"kp": "actuator", "kv": "actuator", "delay": "actuator", "offset": "joint", "bias": "joint",
       **dict.fromkeys(LAWS, "body"), **dict.fromkeys(FRICTION, "joint")}  # fmt: skip
KIND = {"dof": "joint", "jnt": "joint", "body": "body", "actuator": "actuator", "geom": "geom", "pair": "pair",
        "tendon": "tendon", "site": "site"}  # fmt: skip
SHAPE = re.compile(r"^(\w+)(?::([^\[\]]*))?(?:\[(\d+)\])?$")


@dataclass(frozen=True)
class Unknown:
    """A pattern of parameters to find: `name:element` with * and ?, as `dof_damping:*_hip_joint`.

    tied: one number for all that fit, instead of one for each. low, high: bounds; by default those that the parameter
    has. guess: where to begin, by default the robot's own. prior: (mean, standard deviation), what is known before.
    unit: the size of a change, by default that of the guess. Raises ValueError for what means nothing.
    """

    pattern: str
    tied: bool = False
    low: float | None = None
    high: float | None = None
    guess: float | None = None
    prior: tuple[float, float] | Normal | LogNormal | Uniform | None = None
    unit: float | None = None

    def __post_init__(self):
        who = f"unknown {self.pattern!r}"
        if not isinstance(self.pattern, str):
            raise ValueError(f"unknown: got {self.pattern!r}, allowed: NAME:PATTERN or NAME:PATTERN[k]")
        if not isinstance(self.tied, (bool, np.bool_)):
            raise ValueError(f"{who}: tied: got {self.tied!r}, allowed: True, False")
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                number(f"{who}: {name}", getattr(self, name), "a number", lambda x: x == x)
        if self.guess is not None:
            number(f"{who}: guess", self.guess, "a finite number")
        if self.unit is not None:
            number(f"{who}: unit", self.unit, "a positive number", lambda x: 0 < x < np.inf)
        if self.prior is not None:
            allowed = "(mean, standard deviation), Normal, LogNormal, Uniform"
            if not isinstance(self.prior, (Normal, LogNormal, Uniform)):
                if not isinstance(self.prior, (tuple, list)) or len(self.prior) != 2:
                    raise ValueError(f"{who}: prior: got {self.prior!r}, allowed: {allowed}")
                number(f"{who}: mean of the prior", self.prior[0], allowed)
                number(f"{who}: standard deviation of the prior", self.prior[1], "a positive standard deviation",
                       lambda x: x > 0)  # fmt: skip
        if None not in (self.low, self.high) and self.low > self.high:
            raise ValueError(f"{who}: low {self.low:g} is above high {self.high:g}, allowed: low to high")


def with_friction(model, unknowns):
    """The Model, with a `Friction` of the hinges and slides of which numbers are asked for that it has not: a first
    guess is half the dry friction, 0.5 rad/s or m/s, and a twentieth of the load."""
    asked = {}
    for unknown in unknowns:
        shape = SHAPE.match(unknown.pattern)
        if shape and shape[1] in FRICTION and shape[2] is not None:
            asked.setdefault(shape[1], []).append(shape[2])
    there = friction_places(model) if asked else {}
    fits = [{word for word, patterns in asked.items() for p in patterns if fnmatchcase(name or str(j), p)}
            for j, name in enumerate(model.joint_names)]  # fmt: skip
    new = [j for j, words in enumerate(fits)
           if words and model.jnt_type[j] in SCALAR and int(model.jnt_dofadr[j]) not in there]  # fmt: skip
    for load in (False, True):
        joints = [j for j in new if ("load_friction" in fits[j]) == load]
        if joints:
            size = np.maximum(0.5 * model.dof_frictionloss[model.jnt_dofadr[joints]], 0.01)
            peak = np.where([bool(fits[j] - {"load_friction"}) for j in joints], size, 0.0)
            model = Friction(model, joints, peak, 0.5, 0.05 if load else None).model
    return model


def leaves_of(unknowns):
    """Leaves that a simulator must be asked for so that it has what these Unknowns make."""
    words = {u.pattern.partition(":")[0].partition("[")[0] for u in unknowns}
    words |= {leaf for word in words & set(LAWS) for leaf in LAWS[word].leaves}
    return [n for n in LEAF_NAMES if n in words]


class Number(NamedTuple):
    """One number to find. entries: those of theta that it makes, with factors; actuators: whose delay it is; joint:
    whose encoder it shifts; servo: and the servos' on it; law: the one of all numbers of a body, with the body, and
    which of its numbers it is."""

    name: str
    guess: float
    low: float
    high: float
    unit: float
    prior: tuple | None
    entries: tuple = ()
    factors: tuple = ()
    actuators: tuple = ()
    joints: tuple = ()
    servo: bool = False
    law: Law | None = None
    body: int = 0
    part: int = 0


def _prior(unknown, number):
    """The prior of a Number: of a law's the standard deviation is in its units, one where nothing is given but numbers
    would be left open."""
    law = number.law
    if law is None:
        return unknown.prior
    sd = unknown.prior.sd if unknown.prior else 1.0 if law.prior else None
    return None if sd is None else Normal(None, sd * number.unit)


class Unknowns:
    """All numbers to find, for a simulator: `numbers`, and what a vector of them means.

    unknowns: Unknown objects, or their patterns. Raises ValueError for a pattern that nothing fits, and where two
    numbers make the same parameter.
    """

    def __init__(self, model, sim, unknowns):
        self.model, self.sim = model, sim
        self.layout = theta_layout(model, sim.leaves)[0]
        self.numbers = []
        for unknown in unknowns:
            self.numbers += self._found(Unknown(unknown) if isinstance(unknown, str) else unknown)
        if not self.numbers:
            raise ValueError("unknowns: got none, allowed: one or more")
        self._check()
        self.theta = np.unique([e for n in self.numbers for e in (*n.entries, *self._of_law(n))]).astype(int)
        self.names = [n.name for n in self.numbers]
        self.guess, self.low, self.high, self.unit = (
            np.array([getattr(n, what) for n in self.numbers]) for what in ("guess", "low", "high", "unit")
        )  # fmt: skip
        # how far a search may step, and where it may go: further down, a second moment is nothing, and no slope of its
        # logarithm leads back
        self.reach = np.array([STEP * n.unit if n.law else np.inf for n in self.numbers])
        self.deep = np.array([n.law.deep[n.part] if n.law else np.inf for n in self.numbers])
        # of which bodies a law makes all numbers, and what slopes are by instead of them (base_inertias.py)
        self.bodies = [(k, n) for k, n in enumerate(self.numbers) if n.law and n.part == 0]
        self.linear = False
        # small moments, which motion hardly tells, would step far while the large ones are still wrong
        self.together = [own for own, n in self._own() if n.law.prior]
        self.first = np.asarray(sim.model_pack["theta"])[: sim.sizes["ntheta"]].copy()

    @property
    def least(self):
        """Where a search may go down to, (np,): `low`, which may have been changed, or how deep second moments go."""
        return np.maximum(self.low, self.guess - self.deep)

    def size(self, p, least=1.0):
        """What numbers p (np,) are measured by where a share of them is told: logarithms and what else a law makes by
        their units, others by themselves, and by so much of their units at least."""
        law = np.array([n.law is not None for n in self.numbers])
        return np.where(law, self.unit, np.maximum(np.abs(p), least * self.unit))

    def _of_law(self, number):
        return number.law.entries(self.layout, number.body).tolist() if number.law else []

    def _check(self):
        owners = {}
        for k, n in enumerate(self.numbers):
            made = [*n.entries, *self._of_law(n)]
            made += [("delay", u) for u in n.actuators] + [("shown", j) for j in n.joints]
            owner = (n.law.word, n.body) if n.law else k
            for entry in made:
                first, name = owners.setdefault(entry, (owner, n.name))
                if first != owner:
                    raise ValueError(f"unknowns: {n.name} and {name} are the same parameter, allowed: one of them")

    # ---------------------------------------------------------------------------------------------- from patterns

    def _found(self, unknown):
        shape = SHAPE.match(unknown.pattern)
        if shape is None:
            raise ValueError(f"unknown: got {unknown.pattern!r}, allowed: NAME:PATTERN or NAME:PATTERN[k]")
        word, pattern, column = shape[1], shape[2], None if shape[3] is None else int(shape[3])
        if word not in OWN and word not in self.layout:
            known = {**OWN, **self.layout}
            raise ValueError(f"unknown: nothing is called {word!r}{meant(word, known)}; there are: {', '.join(known)}")
        kind = OWN.get(word) or KIND.get(word.split("_")[0])
        if kind is None or pattern is None:
            if kind is None and pattern is None:  # gravity, wrap_prm
                return self._tie(unknown, [self._entry(word, k, None, column) for k in self._indices(word, column)])
            allowed = f"{word} or {word}[k]" if kind is None else f"{word}:PATTERN, such as {word}:*"
            raise ValueError(f"unknown: got {unknown.pattern!r}, allowed: {allowed}")
        about = unknown.prior is None or isinstance(unknown.prior, Normal) and unknown.prior.mean is None
        given = [unknown.guess, unknown.low, unknown.high, unknown.unit, column]
        if word in LAWS and (unknown.tied or not about or any(x is not None for x in given)):
            raise ValueError(
                f"unknown: {unknown.pattern!r} is {len(LAWS[word].labels)} numbers for each body, which take no tie, "
                "guess, bounds, unit and [k], and as a prior Normal(None, sd), about what the robot has"
            )
        names = list(getattr(self.model, f"{kind}_names"))
        hit = [i for i, name in enumerate(names) if fnmatchcase(name or str(i), pattern)]
        made = [n for i in hit for n in self._of(word, kind, i, names[i] or str(i), column)]
        if not made:
            named = ", ".join(n for n in names if n) or "none has a name"
            raise ValueError(f"unknown: {unknown.pattern!r} fits nothing; {kind}s: {named}")
        return self._tie(unknown, made)

    def _indices(self, word, column):
        size = int(np.prod(self.layout[word][1]))
        if size == 0 or column is not None and column >= size:
            allowed = f"from 0 to {size - 1}" if size else "none, since the model has none"
            raise ValueError(f"unknown: {word}{'' if column is None else f'[{column}]'}, allowed: {allowed}")
        return range(size) if column is None else [column]

    def _of(self, word, kind, i, name, column):
        """Numbers of element i, each as a Number."""
        m = self.model
        if word in ("kp", "kv"):
            at = {k: self.layout[f"actuator_{k}"][0] + 3 * i for k in ("gainprm", "biasprm")}
            gain, bias = m.actuator_gainprm[i, 0], m.actuator_biasprm[i]
            if word == "kp" and bias[1] == 0 or word == "kv" and bias[2] == 0:
                return []
            speed = word == "kv" and bias[1] == 0  # of a velocity servo
            entries = (at["biasprm"] + (1 if word == "kp" else 2),) + (
                (at["gainprm"],) if word == "kp" or speed else ()
            )
            value = -bias[1] if word == "kp" else -bias[2]
            factors = (-1.0,) + ((gain / value,) if len(entries) > 1 else ())
            return [Number(f"{word}:{name}", value, 0.0, np.inf, value, None, entries, factors)]
        if word == "delay":
            h = m.opt.timestep
            return [Number(f"delay:{name}", 0.0, 0.0, np.inf, 4 * h, None, actuators=(i,))]
        if word in ("offset", "bias"):
            if m.jnt_type[i] not in SCALAR:
                return []
            return [Number(f"{word}:{name}", 0.0, -np.inf, np.inf, 0.02, None, joints=(i,), servo=word == "offset")]
        if word in LAWS:
            law = LAWS[word]
            many = zip(law.labels, law.begin(m, i), strict=False)
            return [Number(f"{word}:{name}.{label}", *began, None, law=law, body=i, part=k)
                    for k, (label, began) in enumerate(many)]  # fmt: skip
        if word in FRICTION:
            index = friction_places(m).get(int(m.jnt_dofadr[i]), {}).get(FRICTION[word])
            if index is None:
                return []
            value = m.residual_prm[index]
            low = 0.1 * value if word == "stribeck_speed" else 0.0  # below what the data show it is any speed
            at = self.layout["residual_prm"][0] + index
            return [Number(f"{word}:{name}", value, low, np.inf, abs(value), None, (at,), (1.0,))]
        if kind == "joint" and word.startswith("dof_"):
            dofs = np.flatnonzero(m.dof_jntid == i)
            return [self._entry(word, d, name if len(dofs) == 1 else f"{name}.{k}", None) for k, d in enumerate(dofs)]
        at, shape = self.layout[word]
        width = shape[1] if len(shape) > 1 else 1
        if width == 1:
            return [self._entry(word, i, name, None)]
        columns = range(width) if column is None else [column]
        if max(columns) >= width:
            raise ValueError(f"unknown: {word}[{column}], allowed: from 0 to {width - 1}")
        return [self._entry(word, width * i + k, f"{name}[{k}]", None) for k in columns]

    def _entry(self, word, index, name, column):
        value = float(np.ravel(parameter(self.model, word))[index])
        allowed = SIGNS[word].allowed
        low = 0.0 if allowed or word == "dof_armature" else -np.inf
        if allowed == ABOVE_ZERO.allowed:
            low = 1e-9
        label = f"{word}[{index}]" if name is None else f"{word}:{name}"
        return Number(label, value, low, np.inf, abs(value), None, (self.layout[word][0] + int(index),), (1.0,))

    def _tie(self, unknown, made):
        if unknown.tied and len(made) > 1:
            joined = {name: sum((getattr(n, name) for n in made), ())
                      for name in ("entries", "factors", "actuators", "joints")}  # fmt: skip
            guess = float(np.mean([n.guess for n in made]))
            unit = float(np.mean([n.unit for n in made]))
            made = [made[0]._replace(name=unknown.pattern, guess=guess, unit=unit, **joined)]
        given = {k: getattr(unknown, k) for k in ("low", "high", "guess", "unit") if getattr(unknown, k) is not None}
        word = SHAPE.match(unknown.pattern)[1]
        least = made[0].low if word in self.layout and SIGNS[word].allowed else -np.inf
        if given.get("low", least) < least:
            raise ValueError(f"unknown {unknown.pattern!r}: low {given['low']:g}, allowed: from {least:g} on")
        made = [n._replace(prior=_prior(unknown, n), **given) for n in made]
        for k, n in enumerate(made):
            if not n.low <= n.guess <= n.high:
                raise ValueError(f"unknown {n.name}: guess {n.guess:g}, allowed: from {n.low:g} to {n.high:g}")
            if isinstance(n.prior, tuple) and not n.prior[1] > 0:
                raise ValueError(
                    f"unknown {n.name}: prior {n.prior}, allowed: a mean and a positive standard deviation"
                )
            made[k] = n._replace(unit=n.unit or (n.prior[1] if isinstance(n.prior, tuple) else 0.01))
        return made

    # ---------------------------------------------------------------------------------------------- what they mean

    def apply(self, p, theta=None):
        """Numbers p to the simulator's parameters, or to those of one world. Returns d(theta[self.theta])/dp,
        (ntheta, np)."""
        theta = self.sim.model_pack["theta"] if theta is None else theta
        slope = np.zeros((len(self.theta), len(p)))
        where = {e: k for k, e in enumerate(self.theta.tolist())}
        theta[:] = self.first
        for j, n in enumerate(self.numbers):
            for entry, factor in zip(n.entries, n.factors, strict=True):
                theta[entry] = factor * p[j]
                slope[where[entry], j] = factor
        for own, n in self._own():
            entries = n.law.entries(self.layout, n.body)
            theta[entries], by = n.law.values(p[own], self.model, n.body, self.linear)
            slope[np.ix_([where[e] for e in entries.tolist()], own)] = by
        return slope

    def _own(self):
        """(which numbers, the first of them) of each body whose numbers a law makes."""
        return [(np.arange(k, k + len(n.law.labels)), n) for k, n in self.bodies]

    def moved(self, p, dp):
        """Numbers after a step dp of a search."""
        new = p + dp
        for own, n in self._own():
            new[own] = n.law.moved(p[own], dp[own])
        return new

    def delays(self, p):
        """s, of each actuator, and d(delay)/dp, (nu, np)."""
        delay, slope = np.zeros(self.model.nu), np.zeros((self.model.nu, len(p)))
        for j, n in enumerate(self.numbers):
            for u in n.actuators:
                delay[u], slope[u, j] = p[j], 1.0
        return delay, slope

    def offsets(self, p):
        """What the encoders of dofs show too much, (nv,), with its slope (nv, np), and what servos read of it, (nu,),
        with its slope (nu, np)."""
        m = self.model
        shown, servo = np.zeros(m.nv), np.zeros(m.nu)
        d_shown, d_servo = np.zeros((m.nv, len(p))), np.zeros((m.nu, len(p)))
        for j, n in enumerate(self.numbers):
            for joint in n.joints:
                dof = m.jnt_dofadr[joint]
                shown[dof], d_shown[dof, j] = p[j], 1.0
                for u in range(m.nu) if n.servo else ():
                    on = m.actuator_trntype[u] == TRN_JOINT and m.actuator_trnid[u] == joint
                    if on and m.actuator_biasprm[u, 1] != 0 and m.actuator_gainprm[u, 0] != 0:
                        # kp u - kp g (q + b) = kp (u - g b) - kp g q
                        factor = m.actuator_biasprm[u, 1] / m.actuator_gainprm[u, 0] * m.actuator_gear[u, 0]
                        servo[u], d_servo[u, j] = factor * p[j], factor
        return shown, d_shown, servo, d_servo

    def priors(self):
        """Means and standard deviations of those that have a prior; infinite of the others."""
        mean, sd = self.guess.copy(), np.full(len(self.guess), np.inf)
        for j, n in enumerate(self.numbers):
            if n.prior:
                prior = prior_of(n)
                if not isinstance(prior, Normal):
                    raise ValueError(f"unknown {n.name}: got the prior {prior}, allowed in a fit: Normal")
                mean[j], sd[j] = prior.mean, prior.sd
        return mean, sd
