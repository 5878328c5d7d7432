"""Two models under the same controls: the first step, and the first term in it, in which they differ.

Policies that work on one model of a robot and fail on another mostly fail for a small thing: joints in another order,
a gain, an armature, a time step. Both models are evaluated at the same states, those of a rollout of the first, so a
difference is seen in the term where it arises, and not in what follows from it; then each goes its own way, and how far
they part is measured.
"""

import numpy as np
from numpy.typing import ArrayLike

from engine.model import ModelError
from engine.model.model import Model, require_model
from engine.simulator import Simulator

from .aligned import KINDS, Aligned
from .numbers import numbers
from .result import Comparison, Part
from .terms import TERMS, differences, evaluated, sensor_rows

TOLERANCE = 1e-5  # relative: MJCF files are often written with six digits
BATCH = 256  # states evaluated at once
_STATE = ("qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat", "time")


def compare(
    a: Model, b: Model, controls: ArrayLike | None = None, *, steps: int = 500, qpos: ArrayLike | None = None,
    qvel: ArrayLike | None = None, act: ArrayLike | None = None, keyframe: str | int | None = None, seed: int = 0,
    tolerance: float = TOLERANCE,
) -> Comparison:  # fmt: skip
    """Compare two models of a robot under the same controls; a Comparison.

    controls: (steps, nu) for the actuators of `a`, one for each of its steps; by default smooth random ones of a fifth
    of half the range (0.2 without one) around those of the start, from `seed`. qpos, qvel, act, keyframe: the start of
    `a`, by default its qpos0 at rest. tolerance: relative, of the larger. Joints, actuators and so on are the same
    where their names are, whatever their order; a joint that `b` alone has stays as it begins.

    Raises ModelError where the two have no joint in common, DivergenceError where `a` diverges.
    """
    for name, m in (("a", a), ("b", b)):
        require_model(m, name)
    for name, value, least in (("steps", steps, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}: got {value!r}, allowed: a whole number from {least}")
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float, np.number)) or not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance: got {tolerance!r}, allowed: a positive number")
    aligned = Aligned(a, b)
    if not len(aligned.qpos[0]):
        names = [", ".join(n for n in m.joint_names if n) or "none has a name" for m in (a, b)]
        raise ModelError(f"the two models have no joint in common: {names[0]}; {names[1]}")
    sim = Simulator(a).reset(qpos, qvel, keyframe=keyframe)
    if act is not None:
        act = np.asarray(act, float)
        if act.shape != (a.na,):
            raise ValueError(f"act: got an array {act.shape}, allowed: ({a.na},)")
        sim.data.act[0] = act
    controls = _controls(a, sim.data.ctrl[0].copy(), controls, steps, seed)
    states = _rollout(sim, controls)
    parts, found = _parts(aligned, states, tolerance), numbers(aligned, tolerance)
    for part in parts:
        arrays = next(t.arrays for t in TERMS if t.name == part.term)
        part.causes = [n for n in found if n.array in arrays]
    times, apart = _own_ways(aligned, states)
    missing, added, orders = _elements(aligned)
    return Comparison((a.name, b.name), len(controls), tolerance, found, missing, added, orders, parts, times, apart)


def _controls(m, around, given, steps, seed):
    if given is not None:
        given = np.asarray(given, float)
        if given.ndim != 2 or given.shape[1] != m.nu or not len(given):
            raise ValueError(f"controls: got an array {given.shape}, allowed: (steps, {m.nu})")
        return given
    rng, t = np.random.default_rng(seed), np.arange(steps)[:, None, None] * m.opt.timestep
    half = np.where(m.actuator_ctrllimited, np.ptp(m.actuator_ctrlrange, axis=1) / 2, 1.0)
    rate, phase = rng.uniform(0.2, 3.0, (1, m.nu, 4)), rng.uniform(0, 2 * np.pi, (1, m.nu, 4))
    wave = np.sin(2 * np.pi * rate * t + phase) - np.sin(phase)
    return around + 0.2 * half * wave.mean(axis=2)


def _rollout(sim, controls):
    """The states before each step and after the last: {name: (steps + 1, ...)}."""
    states = {name: [] for name in _STATE}
    for k in range(len(controls) + 1):
        if k:
            sim.step()
        if k < len(controls):
            sim.data.ctrl[0] = controls[k]
        for name in _STATE:
            states[name].append(np.array(getattr(sim.data, name)[0]))
    return {name: np.array(rows) for name, rows in states.items()}


def _placed(aligned, states):
    """The same states of the second model: what it alone has stays as it begins."""
    d, n = Simulator(aligned.models[1]).data, len(states["qpos"])
    begin = {name: np.repeat(getattr(d, name), n, axis=0) for name in _STATE}
    places = {
        "qpos": aligned.qpos, "qvel": aligned.dofs, "act": aligned.act, "ctrl": aligned["actuator"][:2],
        "mocap_pos": aligned.mocap, "mocap_quat": aligned.mocap,
    }  # fmt: skip
    for name, (first, second) in places.items():
        begin[name][:, second] = states[name][:, first]
    return begin | {"time": states["time"]}


def _parts(aligned, states, tolerance):
    other = _placed(aligned, states)
    n = len(states["qpos"]) - 1  # the last has no controls
    sims = [Simulator(m, min(n, BATCH)) for m in aligned.models]
    found = {}
    for begin in range(0, n, BATCH):
        rows = slice(begin, min(begin + BATCH, n))
        one, two = (
            evaluated(aligned, k, sims[k], {name: value[rows] for name, value in (states, other)[k].items()})
            for k in (0, 1)
        )
        for order, term in enumerate(TERMS):
            excess, where, worst = differences(term, one, two, tolerance)
            bad = np.flatnonzero(excess > 1)
            if not bad.size:
                continue
            largest = float(worst[bad].max())
            if order in found:
                found[order].largest = max(found[order].largest, largest)
                continue
            k = bad[0]
            values = _values(term, one, two, k, where[k])
            found[order] = Part(
                term.name, term.words, begin + int(k), float(states["time"][begin + k]),
                _element(aligned, term, where[k]), float(worst[k]), *values, largest,
            )  # fmt: skip
    return [found[order] for order in sorted(found, key=lambda order: (found[order].step, order))]


def _values(term, one, two, k, where):
    """The two numbers that differ most in an element."""
    if term.name == "contacts":
        counts = [len(e.contacts[k].get(where, ())) for e in (one, two)]
        return counts if counts[0] != counts[1] else [e.contacts[k][where][0] for e in (one, two)]
    x, y = (np.ravel(e.values[term.name][k, where]) for e in (one, two))
    if term.kind == "body" and term.name == "xquat" or term.name == "geom_xquat":
        y = y if x @ y >= 0 else -y
    i = np.abs(x - y).argmax()
    return float(x[i]), float(y[i])


def _element(aligned, term, where):
    a = aligned.models[0]
    if term.name == "contacts":
        return " and ".join(a.label("geom", g) if not isinstance(g, str) else g for g in where)
    if term.kind == "dof":
        return a.label("joint", a.dof_jntid[aligned.dofs[0][where]])
    if term.kind == "sensor":
        row = sensor_rows(aligned)[0][where]
        return a.label("sensor", int(np.flatnonzero(a.sensor_adr <= row)[-1]))
    return a.label(term.kind, aligned[term.kind].first[where])


def _own_ways(aligned, states):
    """(times, largest distance of a body that both have) where each goes its own way from the same start.

    With other timesteps, places of the second are taken between its steps.
    """
    a, b = aligned.models
    other = _placed(aligned, {name: value[:1] for name, value in states.items()})
    sim, n = Simulator(b), len(states["qpos"]) - 1
    for name, value in other.items():
        getattr(sim.data, name)[...] = value
    seconds = states["time"] - states["time"][0]
    bodies = aligned["body"]
    first = Simulator(a, min(n + 1, BATCH))
    places = np.concatenate([_bodies(first, states["qpos"][k : k + BATCH], states, k) for k in range(0, n + 1, BATCH)])
    steps = int(np.ceil(seconds[-1] / b.opt.timestep - 1e-9))
    ctrl_of = np.minimum((np.arange(steps) * b.opt.timestep / a.opt.timestep + 1e-9).astype(int), n - 1)
    drives = aligned["actuator"]
    track = []
    for k in range(steps + 1):
        if k < steps:
            sim.data.ctrl[0, drives.second] = states["ctrl"][ctrl_of[k], drives.first]
        sim.forward()
        track.append(sim.data.xpos[0, bodies.second].copy())
        if k < steps and sim.advance(1) is not None:
            break
    track, clock = np.array(track), np.arange(len(track)) * b.opt.timestep
    keep = seconds <= clock[-1] + 1e-9
    at = np.clip(np.searchsorted(clock, seconds[keep] - 1e-9), 1, max(len(clock) - 1, 1))
    weight = ((seconds[keep] - clock[at - 1]) / b.opt.timestep)[:, None, None]
    between = track[at - 1] * (1 - weight) + track[at] * weight if len(track) > 1 else track[:1]
    apart = np.linalg.norm(between - places[keep][:, bodies.first], axis=2).max(axis=1, initial=0)
    return seconds[keep], apart


def _bodies(sim, qpos, states, begin):
    n = len(qpos)
    sim.reset()
    for name in ("qpos", "mocap_pos", "mocap_quat"):
        rows = states[name][begin : begin + n]
        getattr(sim.data, name)[:n], getattr(sim.data, name)[n:] = rows, rows[-1]
    sim.forward()
    return sim.data.xpos[:n].copy()


def _elements(aligned):
    a, b = aligned.models
    missing, added, orders = {}, {}, {}
    for kind in KINDS:
        matched = aligned[kind]
        for m, which, into in ((a, matched.missing, missing), (b, matched.added, added)):
            if which:
                into[kind] = [getattr(m, f"{kind}_names")[i] or f"{kind} {i}" for i in which]
        if kind in ("joint", "actuator", "sensor") and matched.reordered:
            order = np.argsort(matched.second)
            orders[kind] = tuple(
                [m.label(kind, i) for i in of] for m, of in ((a, matched.first), (b, matched.second[order]))
            )
    return missing, added, orders
