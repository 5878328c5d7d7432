"""A robot and a log of its motion: when they part first, and which of the robot's numbers would explain it.

Windows of the log begin where the log says, as found with the robot's own numbers. What then differs beyond the noise
is the robot's. Of all numbers that might be wrong each is asked how far the sum of squares would fall if it alone
moved (the score test: Rao 1948), the starts and those already found moving, too,

    fall_k = (b_k - S_kA S_AA^-1 b_A)^2 / (S_kk - S_kA S_AA^-1 S_Ak),      S the information, b the slope;

That is of second order, and a number far off bends it: so the TRIED best are fitted, one at a time, and the one with
the least squares is the cause. Those that chance alone keeps from being as good are named beside it (`alike`). Then the
others are asked again.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.identify.arguments import number, whole
from engine.identify.fitting import Problem
from engine.identify.parameters import Unknown
from engine.identify.windows import HOLD
from engine.model import require_model
from engine.model.constants import SLIDE
from engine.words import counted, meant

SURE = 5.0  # standard deviations beyond which a sample differs
TRIED = 4  # numbers of the greatest promise, which are fitted
LIKELY = 5.99  # difference of two numbers' squares, in units of the noise, that chance makes in 5 % (chi^2, 2 of them)
WORTH = 0.1  # share of what is unexplained, that a number must explain
TERMS = {
    "dof_armature": "inertia of a rotor, in M", "body_mass": "mass, in M, gravity and bias", "dof_damping": "damping",
    "dof_frictionloss": "dry friction", "jnt_stiffness": "spring", "kp": "gain of a servo", "kv": "damping of a servo",
    "actuator_gear": "gear of an actuator", "delay": "delay of the control", "offset": "offset of an encoder",
    "gravity": "gravity",
}  # fmt: skip


@dataclass
class Cause:
    """A number that explains a difference: the term, its name, the robot's value, what the log says, its standard
    deviation, and the share of the squares beyond the noise that it explains. alike: other numbers that explain it as
    well, alone."""

    term: str
    name: str
    robot: float
    log: float
    sd: float
    share: float
    alike: tuple = ()

    def __str__(self):
        more = f"; {' or '.join(self.alike)} would as well" if self.alike else ""
        return (f"{self.term}: {self.name} {self.robot:.6g} against {self.log:.6g} ± {1.96 * self.sd:.2g} "
                f"(explains {100 * self.share:.0f} %{more})")  # fmt: skip


@dataclass(repr=False)
class LogComparison:
    """What `compare` found. `bool(...)` is whether robot and log are the same but for noise.

    step, time: the first sample that differs, of the robot's steps since the log begins and s of the log; channel,
    robot, log: which, and its two values; None where none does. excess: mean square residual in units of the noise, 1
    where the robot explains its log; left: after the causes are in. causes: [Cause], the one that explains most first.
    """

    names: tuple
    step: int | None
    time: float | None
    channel: str | None
    robot: float | None
    log: float | None
    excess: float
    left: float
    causes: list

    def __bool__(self):
        return self.step is None

    def __repr__(self):
        parts = f"they part at step {self.step}, {counted(len(self.causes), 'cause')}"
        found = "the same but for noise" if self else parts
        return f"<LogComparison of {self.names[0]} and {self.names[1]}: {found}>"

    @property
    def first(self):
        """The Cause that explains most, or None."""
        return self.causes[0] if self.causes else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self):
        a, b = self.names
        if self:
            return f"{a} against {b}: the same but for noise ({self.excess:.2f} of its square)"
        rows = [f"{a} against {b}: squares are {self.excess:.3g} times those of noise",
                f"first difference: step {self.step} ({self.time:.4g} s): {self.channel} {self.robot:.6g} against "
                f"{self.log:.6g}"]  # fmt: skip
        rows += [f"{'then' if k else 'what explains most'}: {cause}" for k, cause in enumerate(self.causes)]
        if not self.causes:
            rows.append("no number of the robot explains it: another structure, contact, or a wrong channel")
        elif self.left > 2:
            rows.append(f"with these the squares are {self.left:.3g} times those of noise: something else differs, too")
        return "\n".join(rows)


def compare(model, log, *, window=0.2, noise=None, hold=HOLD, keyframe=None, most=4, terms=None):
    """Compare a Model with a Log of its robot, or a file: a LogComparison.

    window: s, pieces that the log is cut into. noise, hold, keyframe: as for `fit`. most: how many numbers are looked
    for at most. terms: which of TERMS may differ, by default all. Raises ValueError for what does not fit together,
    DivergenceError where the robot diverges within a window.
    """
    require_model(model)
    whole("most", most)
    number("window", window, "a length above zero", lambda x: 0 < x < np.inf)
    for term in terms or ():
        if term not in TERMS:
            raise ValueError(f"terms: got {term!r}{meant(term, TERMS)}, allowed: {', '.join(TERMS)}")
    patterns = [u for word in TERMS if terms is None or word in terms for u in _patterns(model, word)]
    if not patterns:
        raise ValueError("terms: the robot has none of these; allowed: others")
    problem = Problem(model, log, patterns, window=window, noise=noise, hold=hold, held_out=0, keyframe=keyframe)
    return _Search(problem).found(most)


def _patterns(m, word):
    """Unknowns of a term, those that the robot has and that mean something."""
    scalar = [j for j in range(m.njnt) if m.jnt_type[j] >= SLIDE and m.joint_names[j]]
    drives = [u for u in range(m.nu) if m.actuator_names[u]]
    if word == "gravity":
        return [Unknown("gravity[2]", unit=9.81)]
    if word == "body_mass":
        return [Unknown(f"body_mass:{m.body_names[b]}") for b in range(1, m.nbody)
                if m.body_names[b] and m.body_dofnum[m.body_weldid[b]] > 0 and m.body_mass[b] > 0]  # fmt: skip
    if word in ("kp", "kv"):
        at = 1 if word == "kp" else 2
        return [Unknown(f"{word}:{m.actuator_names[u]}") for u in drives if m.actuator_biasprm[u, at] != 0]
    if word == "actuator_gear":
        return [Unknown(f"{word}:{m.actuator_names[u]}[0]") for u in drives
                if not m.actuator_biasprm[u].any() and m.actuator_gear[u, 0] != 0]  # fmt: skip
    if word == "delay":
        return [Unknown("delay:*", tied=True)] if drives else []
    unit = {"dof_armature": 0.01, "dof_damping": 0.1, "dof_frictionloss": 0.05, "jnt_stiffness": 0.1}.get(word)
    found = []
    for j in scalar:
        value = 0.0 if unit is None else float(np.ravel(getattr(m, word))[m.jnt_dofadr[j] if word[0] == "d" else j])
        found.append(Unknown(f"{word}:{m.joint_names[j]}", unit=unit if value == 0 else None))
    return found


class _Search:
    """The numbers that explain a log, one after the other; those not chosen are held at the robot's own."""

    def __init__(self, problem):
        self.problem, u = problem, problem.unknowns
        self.low, self.high, self.own = u.low.copy(), u.high.copy(), u.guess.copy()
        self.chosen = []
        self.solver = None

    def fitted(self, chosen, p, starts):
        u = self.problem.unknowns
        held = np.ones(len(p), bool)
        held[chosen] = False
        u.low[:], u.high[:] = np.where(held, self.own, self.low), np.where(held, self.own, self.high)
        solver = self.problem.levenberg(p, starts)
        for _ in range(20):
            solver.iterate(still=not chosen)
            if solver.done:
                break
        return solver

    def squares(self, solver):
        """Mean square residual, in units of the noise, by the numbers that are free."""
        free = len(self.chosen) + solver.residuals.n * self.problem.windows.count
        return 2 * solver.point.costs.sum() / max(solver.count() - free, 1)

    def found(self, most):
        names = self.problem.model.name or "the robot", self.problem.log_names
        solver = self.fitted([], self.own.copy(), self.problem.starts)
        first, excess = self.first(solver), self.squares(solver)
        if first is None:
            return LogComparison(names, None, None, None, None, None, excess, excess, [])
        begin, causes, barred = excess, [], set()
        now = excess
        while len(causes) < most and now > 1.5 and begin > 1:
            promising = self.promising(solver, barred)
            if not promising:
                break
            ends = {k: self.fitted([*self.chosen, k], solver.point.p, solver.point.starts) for k in promising}
            k = min(ends, key=lambda k: ends[k].point.cost)
            tried = ends[k]
            if (now - self.squares(tried)) < WORTH * (now - 1):
                barred |= set(promising)
                continue
            enough = tried.point.cost + 0.5 * LIKELY * max(self.squares(tried), 1.0)
            alike = [self.problem.unknowns.names[j] for j in promising if j != k and ends[j].point.cost < enough]
            self.chosen.append(k)
            share = (now - self.squares(tried)) / (begin - 1)
            solver, now = tried, self.squares(tried)
            causes.append((k, share, tuple(alike)))
        return LogComparison(names, *first, excess, now, self.causes(solver, causes, now))

    def promising(self, solver, barred):
        """The numbers not yet chosen whose moves promise most, up to TRIED; none where none promises anything."""
        arrow, A = solver.linearized(), self.chosen
        S = arrow.information(priors=False)
        b = arrow.g - np.einsum("wni,wn->i", arrow.F, np.linalg.solve(arrow.D, arrow.gx[:, :, None])[:, :, 0])
        if A:
            part = np.linalg.solve(S[np.ix_(A, A)], np.concatenate([S[A], b[A, None]], axis=1))
            b = b - S[:, A] @ part[:, -1]
            left = np.diag(S) - np.einsum("ka,ak->k", S[:, A], part[:, :-1])
        else:
            left = np.diag(S)
        falls = np.where(left > 1e-9 * np.diag(S), b**2 / np.maximum(left, 1e-300), 0.0)
        stuck = (solver.point.p <= self.low) & (b > 0) | (solver.point.p >= self.high) & (b < 0)
        falls[[*A, *barred]] = 0.0
        falls[stuck] = 0.0
        return [int(k) for k in np.argsort(-falls, kind="stable")[:TRIED] if falls[k] > SURE**2]

    def first(self, solver):
        """(step, time, channel, robot's value, log's) of the first sample that differs, or None."""
        windows, found = self.problem.windows, None
        for s, r in zip(windows.samples, solver.point.residuals, strict=True):
            # as many beyond as noise alone would make in no log: of the sum of a window, and of a sample
            over = np.abs(r) > SURE
            for k, i in np.argwhere(over):
                if found is None or s.time[k] < found[1]:
                    start = windows.start[np.flatnonzero(windows.log == windows.log[s.window[k]])[0]]
                    label = s.what.label if s.what.size == 1 else f"{s.what.label}[{i}]"
                    value = float(s.value[k, i]) if s.what.kind != "pose" or i < 3 else 0.0  # of turns: from the log's
                    step = int(round((s.time[k] - start) / windows.h))
                    found = step, float(s.time[k]), label, value + float(s.sd[i] * r[k, i]), value
        return found

    def causes(self, solver, found, now):
        if not found:
            return []
        A, unit = self.chosen, self.problem.unknowns.unit
        S = solver.linearized().information(priors=False)[np.ix_(A, A)]
        sd = np.sqrt(np.diag(np.linalg.pinv(S, hermitian=True)) * max(now, 1.0)) * unit[A]
        p, names = solver.point.p, self.problem.unknowns.names
        made = []
        for (k, share, alike), one in zip(found, sd, strict=True):
            term = TERMS[names[k].partition(":")[0].partition("[")[0]]
            made.append(Cause(term, names[k], float(self.own[k]), float(p[k]), float(one), float(share), alike))
        return made
