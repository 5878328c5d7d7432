"""gradcheck: gradients of a whole rollout against central differences, with a verdict for every input.

The derivative along random directions is taken with a ladder of steps t around eps^(1/3). Neighbouring steps that agree
best say what the derivative is, and how well it is known. Where the function is smooth, the right-hand and the
left-hand difference differ by t f'', in proportion to t; what does not shrink with t is a kink: an event, such as a
contact being made, lies between the two points, and no derivative is to be had there.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from engine.arguments import whole
from engine.compiler.backend import np_real
from engine.diff.tape import APPLIED, HELD, MOCAP, OUTPUTS, Tape
from engine.leaves import held_sizes, unasked
from engine.model.coordinates import direction, displace, quaternions
from engine.parts import OPEN, TO_CTRL, Part
from engine.theta import ANY, SIGNS
from engine.words import meant, required

OK, WRONG, NOT_SMOOTH, ZERO = "ok", "wrong", "not smooth here", "zero"
LADDER = np.array([10.0, 1.0, 0.1, 0.01])
ROUNDING = 30 * np.finfo(float).eps  # of a rollout's value, relative to its terms
SETTLED = 1e-4  # relative difference of neighbouring steps beyond which differences say nothing
STATE = ("time", "qpos", "qvel", "act", "ctrl", "qacc_warmstart", *HELD, *MOCAP)
START = ("qpos0", "qvel0", "act0")


class Entry(NamedTuple):
    """One input along one direction. error: of the adjoint against the difference, uncertainty: of that; relative."""

    input: str
    adjoint: float
    difference: float
    error: float
    uncertainty: float
    verdict: str


class Report:
    """Verdicts of `gradcheck`: print it. `entries`: a list of Entry. `ok`: every verdict is "ok" or "zero".

    "ok"               the two agree
    "wrong"            they do not, and the differences can be trusted
    "not smooth here"  there is nothing to agree with: an event lies within the smallest step, or the differences with
                       neighbouring steps disagree
    "zero"             both exactly zero: this input never reaches the loss
    """

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    @property
    def verdicts(self) -> dict[str, str]:
        """{input: its worst verdict}."""
        order = (ZERO, OK, NOT_SMOOTH, WRONG)
        worst = {}
        for e in self.entries:
            worst[e.input] = max(e.verdict, worst.get(e.input, ZERO), key=order.index)
        return worst

    @property
    def ok(self) -> bool:
        return all(e.verdict in (OK, ZERO) for e in self.entries)

    def __str__(self) -> str:
        width = max([len(e.input) for e in self.entries], default=5)
        lines = [f"{'input':{width}}  {'adjoint':>14}  {'difference':>14}  {'error':>8}  {'known to':>8}  verdict"]
        for e in self.entries:
            numbers = f"{e.adjoint:14.7e}  {e.difference:14.7e}  {e.error:8.1e}  {e.uncertainty:8.1e}"
            lines.append(f"{e.input:{width}}  {numbers}  {e.verdict}")
        return "\n".join(lines)


def gradcheck(
    tape: Tape, loss: Callable[[Any], tuple[float, dict[str, np.ndarray]]],
    wrt: str | Sequence[str] = ("ctrl", "qpos0"), controls: Any = None, qpos0: ArrayLike | None = None,
    qvel0: ArrayLike | None = None, directions: int = 2, eps: float | None = None, rtol: float = 1e-6, seed: int = 0,
) -> Report:  # fmt: skip
    """Compare `tape.backward` with central differences of whole rollouts; returns a Report.

    loss(trajectory) -> (value, {output: cotangent}), the cotangents being dvalue/d(trajectory.output).
    wrt: "ctrl", "params" (of a controller), "qpos0", "qvel0", "act0", "qfrc_applied", "xfrc_applied", "mocap_pos",
    "mocap_quat" (held) or parameters of the model (sim.params).
    controls: as in `Tape.rollout`; by default the simulator's controls, held. qpos0, qvel0: start state instead of the
    simulator's. directions: random directions of every input. eps: middle of the ladder of steps, relative to the
    input's size and smaller where the loss is steep. rtol: relative error that is "ok"; differences known worse than
    that widen it.

    Damping of zero, and dry friction where all of it is zero, only increase: their derivative is the one-sided one.
    Geoms of equal friction, of which the greater counts, change it together.
    qpos0 moves in the tangent space, and separately in the length of its quaternions. The simulator, its parameters and
    the controller are put back afterwards; the tape then holds the unperturbed rollout.
    """
    if np_real() is not np.float64:
        raise RuntimeError("gradcheck: differences need engine.init(precision='f64'); f32 has too few digits for them")
    required("tape", tape, Tape, "engine.Tape(sim, steps)")
    if not callable(loss):
        raise TypeError(f"loss: got {type(loss).__name__}, allowed: a function of a Trajectory -> (value, cotangents)")
    whole("directions", directions)
    steps = LADDER * (np.finfo(float).eps ** (1 / 3) if eps is None else eps)
    case = _Case(tape, loss, controls, qpos0, qvel0)
    wrt = (wrt,) if isinstance(wrt, str) else wrt
    case.check(wrt)
    rng = np.random.default_rng(seed)
    entries = []
    try:
        here, terms, grads = case.gradients()
        for name in wrt:
            for probe in _probes(case, name, grads, rng, directions):
                # a step should change the loss by a small part of itself, so that fewer events lie in between
                t = steps * min(1.0, terms / max(probe.size, 1e-300))
                plus, minus, noise = _values(case, probe, t, here, ROUNDING * terms)
                judged = judge(probe.slope, probe.size, t, plus, minus, here, noise, rtol)
                entries.append(Entry(probe.input, probe.slope, *judged))
        case.value(None, 0.0)
    finally:
        case.restore()
    return Report(entries)


def _values(case, probe, t, here, noise):
    """Values at +t and -t, and their rounding error; where -t means nothing, what continues the right side smoothly."""
    plus = np.array([case.value(probe, x) for x in t])
    if not probe.to_the_right:
        return plus, np.array([case.value(probe, -x) for x in t]), noise
    twice = np.array([case.value(probe, 2 * x) for x in t])
    return plus, 3 * here - 3 * plus + twice, 7 * noise  # a parabola through the values at 0, t and 2 t


def judge(slope, size, steps, plus, minus, here, noise, rtol):
    """(difference, relative error, its uncertainty, verdict) of a derivative `slope` along one direction.

    steps: falling; plus, minus: values at +-steps; here: value at 0. size: typical magnitude of such a derivative,
    noise: rounding error of a value.
    """
    if slope == 0 and np.all(plus == here) and np.all(minus == here):
        return 0.0, 0.0, 0.0, ZERO
    central = (plus - minus) / (2 * steps)
    jump = (plus + minus - 2 * here) / steps  # right-hand minus left-hand difference
    spreads = np.abs(np.diff(central))
    floors = noise / steps[1:]
    i = int(np.argmin(spreads + floors))
    difference, spread, floor = float(central[i : i + 2].mean()), float(spreads[i]), float(floors[i])
    scale = max(abs(slope), abs(difference), 0.01 * size)
    error = abs(slope - difference)
    # curvature alone makes the jump proportional to the step
    kink = abs(jump[i + 1] - jump[i] * steps[i + 1] / steps[i])
    if kink > 20 * spread + 4 * floor + rtol * scale:
        verdict = NOT_SMOOTH
    elif error <= rtol * scale + floor:
        verdict = OK
    elif spread > SETTLED * scale:
        verdict = NOT_SMOOTH
    else:
        verdict = OK if error <= 3 * spread else WRONG
    return difference, error / (scale or 1.0), spread / (scale or 1.0), verdict


class _Probe(NamedTuple):
    """One direction of one input: the gradient along it, its typical magnitude, and how to move (t -> None).

    to_the_right: the derivative is one-sided, since the other side means nothing.
    """

    input: str
    slope: float
    size: float
    move: object
    to_the_right: bool = False


class _Case:
    """The rollout under test: what it starts from, and its value with one input moved."""

    def __init__(self, tape, loss, controls, qpos0, qvel0):
        self.tape, self.loss, self.sim = tape, loss, tape.sim
        d, shape = self.sim.data, (tape.steps, self.sim.worlds, self.sim.model.nu)
        self.saved = {n: getattr(d, n).copy() for n in STATE}
        self.theta = self.sim.model_pack["theta"].copy()
        self.controller = controls if hasattr(controls, "parts") else None
        self.params = None if self.controller is None else np.array(self.controller.params)
        if self.controller is None:
            held = d.ctrl if controls is None else np.asarray(controls, float)
            if np.shape(held) == (tape.steps, self.sim.model.nu) and controls is not None:
                held = held[:, None]
            self.table = np.array(np.broadcast_to(held, shape))
        self.start = {n: np.array(self.saved[n]) for n in ("qpos", "qvel", "act")}
        for n, value in (("qpos", qpos0), ("qvel", qvel0)):
            if value is not None:
                self.start[n][:] = value
        self.controls = self.table if self.controller is None else self.controller

    def names(self):
        params = ("params",) if self.controller is not None else ()
        return ("ctrl", *params, *START, *APPLIED, *MOCAP, *self.sim.params)

    def check(self, wrt):
        for name in wrt:
            if name not in self.names():
                hint = "; params needs a controller" if name == "params" else unasked(name)
                raise ValueError(f"gradcheck: wrt: got {name!r}{meant(name, self.names())}, allowed: "
                                 f"{', '.join(self.names())}{hint}")  # fmt: skip

    def reset(self):
        """Everything as at the start of the rollout under test."""
        self.restore()
        for n, a in self.start.items():
            getattr(self.sim.data, n)[:] = a
        self.controls = self.table if self.controller is None else self.controller

    def restore(self):
        """Everything as `gradcheck` found it."""
        for n, a in self.saved.items():
            getattr(self.sim.data, n)[:] = a
        self.sim.model_pack["theta"][:] = self.theta
        if self.controller is not None:
            self.controller.params[...] = self.params

    def value(self, probe, t):
        self.reset()
        if probe is not None:
            probe.move(t)
        return self._evaluate()[0]

    def gradients(self):
        """Value, the sum of its terms without their signs, and the gradients of the unmoved rollout."""
        self.reset()
        value, cotangents = self._evaluate()
        trajectory = self.tape.trajectory
        grads = self.tape.backward(**cotangents)
        terms = sum(float(np.abs(np.asarray(c) * getattr(trajectory, n)).sum()) for n, c in cotangents.items())
        return value, abs(value) + terms, grads

    def _evaluate(self):
        out = self.loss(self.tape.rollout(self.controls))
        if not (isinstance(out, tuple) and len(out) == 2 and isinstance(out[1], dict)):
            raise ValueError(f"gradcheck: loss returned {type(out).__name__}, allowed: (value, dict of cotangents)")
        for n in out[1]:
            if n not in (*OUTPUTS, "ctrl"):
                raise ValueError(f"gradcheck: loss gave a cotangent of {n!r}, allowed: {', '.join((*OUTPUTS, 'ctrl'))}")
        value = float(out[0])
        if not np.isfinite(value):
            raise ValueError(f"gradcheck: loss is {value}")
        bars = {n: np.asarray(c, float) for n, c in out[1].items()}
        return value, {n: c[:, None] if c.ndim == 2 else c for n, c in bars.items()}  # one world needs no axis


def _probes(case, name, grads, rng, directions):
    """Random directions of one input."""
    for _ in range(directions):
        case.reset()
        if name == "qpos0":
            yield _probe_qpos(case, grads, rng)
        elif name in START:
            state = name[:-1]
            yield _probe_array(name, getattr(grads, name), case.start[state], rng, getattr(case.sim.data, state))
        elif name in APPLIED:
            yield _probe_array(name, getattr(grads, name), case.saved[name], rng, getattr(case.sim.data, name))
        elif name in MOCAP:
            held = getattr(grads, name).sum(axis=0)
            yield _probe_array(name, held, case.saved[name], rng, getattr(case.sim.data, name))
        elif name == "params":
            yield _probe_array(name, grads.params, case.params, rng, case.controller.params)
        elif name == "ctrl":
            yield _probe_ctrl(case, grads, rng)
        else:
            live = case.sim.params[name]
            moving = ~held_sizes(case.sim.model)[:, None] if name == "geom_size" else 1
            yield _probe_array(name, grads.model[name], live.copy(), rng, live, moving)
    if name == "qpos0" and quaternions(case.sim.model):
        yield _probe_length(case, grads)


def _probe(name, gradient, along, move, to_the_right=False):
    slope, size = float((gradient * along).sum()), float(np.linalg.norm(gradient * along))
    return _Probe(name, slope, size, move, to_the_right)


def _probe_array(name, gradient, base, rng, live, moving=1):
    """moving: which entries may."""
    along = moving * rng.normal(size=base.shape)
    scale = np.sqrt(np.mean(base**2)) if base.any() else 1.0
    zeros = SIGNS.get(name, ANY).zeros
    one_sided = False
    if zeros == "stay, equals together":
        along = alike(along, base) if base.ndim == 2 else np.stack([alike(*of) for of in zip(along, base, strict=True)])
    if (zeros.startswith("stay") or zeros == "rise together") and base.any():
        along = along * np.abs(base)
    elif zeros != "move":
        one_sided = (base == 0).any()
        along = np.where(base > 0, along * base, np.abs(along) * scale)
    else:
        along = along * scale

    def move(t):
        live[...] = base + t * along

    return _probe(name, gradient, along, move, bool(one_sided))


def alike(along, base):
    """A direction (n, k) in which the entries of each column that `base` has equal stay so."""
    same = [np.unique(column, return_inverse=True)[1] for column in base.T]
    return np.stack([a[i] for a, i in zip(along.T, same, strict=True)], axis=-1)


def _probe_qpos(case, grads, rng):
    m, start = case.sim.model, case.start["qpos"]
    tangent = rng.normal(size=(len(start), m.nv))

    def move(t):
        case.sim.data.qpos[:] = displace(m, start, t * tangent)

    return _probe("qpos0", grads.qpos0, direction(m, start, tangent), move)


def _probe_length(case, grads):
    """All quaternions longer or shorter: nothing but the start's own row of the loss can notice."""
    m, start = case.sim.model, case.start["qpos"]
    along = np.zeros_like(start)
    for c in quaternions(m):
        quat = slice(c.qposadr, c.qposadr + 4)
        along[:, quat] = start[:, quat]

    def move(t):
        case.sim.data.qpos[:] = start + t * along

    return _probe("qpos0 (lengths of quaternions)", grads.qpos0, along, move)


def _probe_ctrl(case, grads, rng):
    """The controls: those of the table, or what is added to the controller's."""
    base = case.table if case.controller is None else grads.ctrl * 0
    along = rng.normal(size=grads.ctrl.shape) * (np.sqrt(np.mean(base**2)) if base.any() else 1.0)
    if case.controller is not None:
        nudged = _Nudged(case.controller, along.shape)

    def move(t):
        if case.controller is None:
            case.controls = case.table + t * along
        else:
            nudged.table[:] = t * along
            case.controls = nudged

    return _probe("ctrl", grads.ctrl, along, move)


class _Nudged:
    """A controller with a table of controls added, (steps, worlds, nu)."""

    def __init__(self, controller, shape):
        self.controller, self.table = controller, np.zeros(shape)

    @property
    def params(self):
        steps, worlds, nu = self.table.shape
        own = np.asarray(self.controller.params)
        own = np.broadcast_to(own, (worlds, own.shape[-1]))
        return np.concatenate([own, self.table.transpose(1, 0, 2).reshape(worlds, steps * nu)], axis=-1)

    def parts(self, tape):
        steps, _, nu = self.table.shape
        return [*self.controller.parts(tape), Part(OPEN, TO_CTRL, steps * nu)]
