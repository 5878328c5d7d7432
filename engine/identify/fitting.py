"""fit: a robot's unknown numbers from its logs, with what is known about them afterwards."""

import json
import time as clock
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.errors import DivergenceError
from engine.files import write_text
from engine.identify.arguments import controls, noises, number, whole
from engine.identify.base_inertias import apart, bodies, combinations, told_of_bodies
from engine.identify.chained import SCATTER, Chain, carried, piece
from engine.identify.doubts import doubts, require_samples
from engine.identify.judged import SURE, judged
from engine.identify.kept import keep, keep_chain, read_chain, read_kept
from engine.identify.levenberg import LOSSES, Levenberg
from engine.identify.logs import Log, read
from engine.identify.parameters import Unknown, Unknowns, leaves_of, with_friction
from engine.identify.replicas import LEAST, factors, replicated
from engine.identify.residuals import Residuals
from engine.identify.starts import first_starts
from engine.identify.targets import interpreted
from engine.identify.windows import HOLD, LINEAR, Windows, span
from engine.model import require_model
from engine.model.elements.key import start_state
from engine.residuals import without
from engine.simulator import Simulator
from engine.words import counted

START_SD = (1.0, 30.0, 1.0)  # rad or m, rad/s or m/s, of an activation: how well a first start is known, so hardly


class Problem:
    """Logs, windows and unknowns of a robot, ready to be fitted: the arguments of `fit`. `residuals`, `windows` and
    `unknowns` are for those who want the residuals and their Jacobian for themselves."""

    def __init__(self, model, logs, unknowns, *, window=1.0, noise=None, hold=HOLD, held_out=0.2, loss="squares",
                 keyframe=None, start="free", ctrl0=None, chained=False):  # fmt: skip
        require_model(model)
        if loss not in LOSSES:
            raise ValueError(f"loss: got {loss!r}, allowed: {', '.join(LOSSES)}")
        if hold not in (HOLD, LINEAR):
            raise ValueError(f"hold: got {hold!r}, allowed: {HOLD}, {LINEAR}")
        if start not in ("free", "known"):
            raise ValueError(f"start: got {start!r}, allowed: free, known")
        number("held_out", held_out, "a share from 0 to less than 1", lambda x: 0 <= x < 1)
        if window is not None:
            number("window", window, f"a timestep ({model.opt.timestep} s) or more",
                   lambda x: model.opt.timestep / 2 <= x < np.inf)  # fmt: skip
        logs = _several("logs", logs, (Log, str, Path), "a Log or a file's name, or several")
        logs = [log if isinstance(log, Log) else read(log) for log in logs]
        unknowns = _several("unknowns", unknowns, (str, Unknown), "patterns or Unknowns")
        unknowns = [Unknown(u) if isinstance(u, str) else u for u in unknowns]
        model = with_friction(model, unknowns)
        at = start_state(model, keyframe, None, None)
        self.model, self.loss, self.start, self.chained = model, loss, start, bool(chained)
        self._asked = {"logs": logs, "unknowns": unknowns, "noise": noise, "hold": hold, "held_out": held_out}
        self._asked |= {"loss": loss, "keyframe": keyframe, "start": start, "ctrl0": ctrl0, "chained": chained}
        found = [interpreted(model, log, noise) for log in logs]
        noises(noise, logs, {m.what for measured, _ in found for m in measured})
        require_samples(logs, found, window)
        held = controls(model, at["ctrl"] if ctrl0 is None else ctrl0)
        self.doubts = doubts(model, logs, found, held)
        self.longest = int(min(np.diff(span(*log))[0] for log in found) / model.opt.timestep + 1e-6)
        if window is None:
            window = self.longest * model.opt.timestep
        steps = int(round(window / model.opt.timestep))
        if chained:  # whole pieces, at the ends of which its smoother knows where a window begins
            self.piece = piece([[m.time for m in measured] for measured, _ in found], model.opt.timestep, self.longest)
            steps = self.piece * min(max(round(steps / self.piece), 1), self.longest // self.piece)
        self.windows = Windows(model, found, steps, hold, held)
        self.sim = Simulator(model, self.windows.count, leaves=leaves_of(unknowns))
        self.unknowns = Unknowns(model, self.sim, unknowns)
        # a chain ties the windows of a log together, so whole logs are held out
        self.used = _kept(len(logs), held_out)[self.windows.log] if chained else _kept(self.windows.count, held_out)
        shown = self.unknowns.offsets(self.unknowns.guess)[0]
        if start == "known":
            W = self.windows.count
            if W != len(logs):
                raise ValueError(f"start: got known with {W} windows of {len(logs)} logs, allowed: a window for each")
            if chained:
                raise ValueError("chained: got windows whose starts are known, allowed: start='free'")
            self.starts = {
                n: np.broadcast_to(at[n], (W, size)).copy()
                for n, size in (("qpos", model.nq), ("qvel", model.nv), ("act", model.na))
            }
        else:
            self.starts = first_starts(model, self.windows, shown, at["qpos"], at["qvel"])
        nv, na = model.nv, model.na
        self.start_sd = np.repeat(START_SD, (nv, nv, na))

    @cached_property
    def residuals(self):
        """The Residuals, of all windows for the same numbers."""
        return Residuals(self.sim, self.unknowns, self.windows, self.starts)

    def again(self, model, steps):
        """The same Problem of another Model and windows of so many steps."""
        return Problem(model, window=steps * model.opt.timestep, **self._asked)

    def designed(self, model, logs, noise, steps):
        """The same Problem of a Model with other logs, of which nothing is held out, and this noise."""
        asked = self._asked | {"logs": logs, "noise": noise, "held_out": 0, "chained": False}
        return Problem(model, window=steps * model.opt.timestep, **asked)

    @property
    def log_names(self):
        """What messages call the logs."""
        return ", ".join(log.name for log in self._asked["logs"])

    def with_logs(self, logs):
        """The same Problem with other logs."""
        return Problem(self.model, window=self.windows.steps * self.windows.h, **(self._asked | {"logs": logs}))

    def levenberg(self, p, starts):
        try:
            return Levenberg(self.residuals, self.used, self.loss, self.start_sd, self.unknowns.priors(), p, starts,
                             self.start == "known")  # fmt: skip
        except DivergenceError as e:
            if not self.doubts:
                raise
            raise DivergenceError("; ".join([str(e), *self.doubts]), e.world, e.step, e.dof) from e


def _several(name, given, kinds, allowed):
    """A list of one or several of these kinds."""
    if isinstance(given, kinds):
        return [given]
    several = list(given) if isinstance(given, (list, tuple)) else None
    if several is None or not all(isinstance(one, kinds) for one in several):
        got = type(given).__name__ if several is None else [type(one).__name__ for one in several]
        raise TypeError(f"{name}: got {got}, allowed: {allowed}")
    if not several:
        raise ValueError(f"{name}: got none, allowed: one or more")
    return several


def _kept(count, held_out):
    """Which windows count: of the others every so many is held out, none where there are fewer than three, and never
    all."""
    used = np.ones(count, bool)
    out = min(int(round(held_out * count)), count - 1) if count >= 3 else 0
    if out:
        used[np.unique(((np.arange(out) + 0.5) * count / out).astype(int))] = False
    return used


def fit(model, logs, unknowns, *, window=1.0, noise=None, hold=HOLD, held_out=0.2, loss="squares", keyframe=None,
        start="free", ctrl0=None, chained=False, iterations=50, folder=None, report=None, replicas=0):  # fmt: skip
    """The numbers with which a model moves as its logs say, and how well they are known: a Fit.

    model: Model, the robot with first guesses. logs: a Log or a file (`logs.read`), or several. unknowns: patterns or
    `Unknown`s (`parameters.py`). window: s; a log is cut into pieces of this length, whose starts are found, too; None:
    the whole log is one.
    noise: standard deviation of measurements, a number or {channel or word: number}; by default found from the data.
    hold: how a logged control goes on, "hold" or "linear". held_out: share of windows that only judge. loss: squares,
    huber or cauchy. keyframe: of the model, where the logs begin, for what they do not measure. start: "known" where
    that is the exact state; a window is then the whole log. chained: each window begins where the one before it ends,
    which motion through contact needs (`chained.py`); whole logs are held out then. iterations: at most. folder: where
    to keep each iteration, and to go on from. report: a function of a dict, called after each. replicas: how many logs
    that the robot found would leave are fitted, too, by which intervals grow where these scatter more
    (`replicas.py`): each takes as long as the fit; 0, or 3 and more.

    The minimum of sum rho(r / noise) over numbers and starts is found by Levenberg-Marquardt with exact Jacobians; of a
    chain, the normal distribution that fits the posterior best.
    Raises ValueError for what does not fit together, DivergenceError where the first guess diverges.
    """
    problem = Problem(model, logs, unknowns, window=window, noise=noise, hold=hold, held_out=held_out, loss=loss,
                      keyframe=keyframe, start=start, ctrl0=ctrl0, chained=chained)  # fmt: skip
    return solved(problem, iterations, folder, report, replicas)


def solved(problem, iterations=50, folder=None, report=None, replicas=0):
    """The Fit of a Problem."""
    whole("iterations", iterations)
    if whole("replicas", replicas) and replicas < LEAST:
        raise ValueError(f"replicas: got {replicas}, allowed: 0, or {LEAST} and more")
    found = _solved(problem, iterations, folder, report)
    if replicas:
        found.replicas = replicated(problem, found, lambda again: _solved(again, iterations), replicas)
        found.widen(factors(found.replicas - found.values, found.sd))
    return found


def _solved(problem, iterations, folder=None, report=None):
    if report is not None and not callable(report):
        raise TypeError(f"report: got {report!r}, allowed: a function of a dict")
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return (_chained if problem.chained else _windows)(problem, iterations, folder, report)


def _told(history, report, **row):
    history.append(row)
    if report:
        report(row)


def _windows(problem, iterations, folder, report):
    """The Fit of windows whose starts are free, or known."""
    began, kept, history = clock.perf_counter(), read_kept(folder, problem), []
    p, starts = (kept["p"], kept["starts"]) if kept else (problem.unknowns.guess.copy(), problem.starts)
    solver = problem.levenberg(p, starts)
    if kept:
        solver.lam, solver.iterations, solver.moved = float(kept["lam"]), int(kept["iterations"]), kept["moved"]
        before = kept["before"]
        for s, sd in zip(problem.windows.samples, kept["sd"], strict=True):
            s.sd = sd[np.isfinite(sd)]
        solver.again()
    else:
        if not solver.known:  # the starts of the first guess, so that it is judged fairly
            solver.iterate(still=True)
        before, solver.done, solver.lam = _errors(problem, solver.point), False, 1e-3

    def told(solver):
        _told(history, report, iteration=solver.iterations, cost=solver.point.cost,
              seconds=clock.perf_counter() - began, **{"lambda": solver.lam})  # fmt: skip
        if folder is not None:
            keep(folder, problem, solver, before)

    rounds = 0 if all(s.given for s in problem.windows.samples) else 2
    _go_down(problem, solver, iterations, rounds, told)
    arrow = solver.arrow if solver.done else solver.linearized()
    return Fit(problem, solver, arrow, solver.left(), before, history, clock.perf_counter() - began)


def _chained(problem, iterations, folder, report):
    """The Fit of logs of which each is one trajectory."""
    began, history = clock.perf_counter(), []
    pieces = problem.again(problem.model, problem.piece)
    chain = Chain(pieces)
    read_chain(folder, chain)
    while not chain.done and chain.iterations < max(iterations, 1):
        chain.iterate()
        _told(history, report, iteration=chain.iterations, cost=chain.cost, seconds=clock.perf_counter() - began)
        if folder is not None:
            keep_chain(folder, chain)
    pieces.unknowns.apply(chain.p)
    found = problem.again(pieces.sim.params.model(), problem.windows.steps)
    found.unknowns.guess, found.unknowns.unit = problem.unknowns.guess, problem.unknowns.unit
    for mine, other, s in zip(problem.windows.samples, found.windows.samples, pieces.windows.samples, strict=True):
        mine.sd = other.sd = s.sd
    starts = carried(found, chain)
    solver = found.levenberg(chain.p, starts)
    solver.iterations, solver.done = chain.iterations, chain.settled
    before = _before(problem, starts)
    return Fit(found, solver, chain.arrow(), chain.left(), before, history, clock.perf_counter() - began,
               (chain.scatter(), max(len(chain.ends), 1)))  # fmt: skip


def _before(problem, starts):
    """Errors of the first guess with the best starts; infinite where it diverges."""
    try:
        solver = problem.levenberg(problem.unknowns.guess.copy(), starts)
    except DivergenceError:
        return {s.what.label: (np.inf, np.inf) for s in problem.windows.samples}
    solver.iterate(still=True)
    return _errors(problem, solver.point)


def _go_down(problem, solver, iterations, rounds, told):
    """Iterations until the solver is done; so many rounds in which the noise is found anew."""
    while solver.iterations <= iterations:
        solver.iterate()
        told(solver)
        if solver.done and solver.joined():
            solver.done, solver.lam = False, 1e-3
        if solver.done and rounds:  # now that the model fits, its residuals tell the noise
            rounds, solver.done = rounds - 1, not _noise_found(problem, solver)
        if solver.done:
            break


def _noise_found(problem, solver):
    """The noise of each channel whose own is not given, from its residuals; whether any changed by a tenth."""
    changed = False
    for s, r in zip(problem.windows.samples, solver.point.residuals, strict=True):
        if not s.given:
            r = r[s.of(problem.used)]
            if problem.loss == "squares":
                rms = np.sqrt(np.mean(r * r, axis=0))
            else:
                rms = np.median(np.abs(r), axis=0) / 0.6745
            rms = np.where(rms > 1e-9, rms, 1.0)
            changed |= bool((np.abs(np.log(rms)) > 0.1).any())
            s.sd = s.sd * rms
    solver.again()
    return changed


def _errors(problem, point):
    """Root mean square error of each channel in its own units: {label: (in windows that count, in those held out)}."""
    found = {}
    for s, r in zip(problem.windows.samples, point.residuals, strict=True):
        used = s.of(problem.used)
        found[s.what.label] = tuple(
            float(np.sqrt(np.mean((r[which] * s.sd) ** 2))) if which.any() else float("nan") for which in (used, ~used)
        )
    return found


class Fit:
    """What was found.

    names, values, guess, sd, low, high (95 %): of the numbers, arrays (np,). correlation, covariance (np, np). unknown:
    sentences on what the data do not tell. before, after: {channel: (error in the windows that counted, in those held
    out)}, root mean square in its own unit, at the first guess and now; at both the starts are the best ones. noise:
    {channel: standard deviation}. runs: how much neighbouring residuals go together, 1 for noise alone. moving (np,):
    of a chain, how far the last iterations end apart, in standard deviations. `str(fit)` is a table.
    """

    def __init__(self, problem, solver, arrow, left, before, history, seconds, scatter=None):
        self.problem, self.point, self.history, self.seconds = problem, solver.point, history, seconds
        u, (square, count, self.runs) = problem.unknowns, left
        self.names, self.values, self.guess = list(u.names), solver.point.p.copy(), u.guess.copy()
        self.before, self.after = before, _errors(problem, solver.point)
        self.noise = {s.what.label: float(np.sqrt(np.mean(s.sd**2))) for s in problem.windows.samples}
        self.converged, self.iterations = solver.done, solver.iterations
        self.replicas = np.zeros((0, len(self.names)))
        self.arrow = arrow
        size = u.size(self.values)
        self.judged = judged(self.names, size, u.unit, arrow, square, count, self.runs, apart(problem))
        self.moving = np.zeros(len(self.names))
        if scatter is not None:
            covariance, averaged = scatter
            self.moving = np.sqrt(np.diag(covariance)) / np.maximum(self.judged.sd, 1e-300)
            self.judged = self.judged.wider(covariance / averaged)
        self.correlation, self.unknown = self.judged.correlation, self.judged.unknown
        self.widen(np.ones(len(self.names)))

    def widen(self, factors):
        """Intervals grow by factors (np,)."""
        self.factors = np.asarray(factors, float)
        self.sd = self.judged.sd * self.factors
        self.covariance = self.judged.covariance * np.outer(self.factors, self.factors)
        self.low, self.high = self.values - SURE * self.sd, self.values + SURE * self.sd

    @cached_property
    def bodies(self):
        """Bodies whose inertial numbers were all looked for, as found: Body objects (`base_inertias.py`)."""
        return bodies(self)

    @cached_property
    def combinations(self):
        """What the data tell of these bodies' inertial numbers: sums, as Combination objects (`base_inertias.py`)."""
        return combinations(self)

    def model(self):
        """The Model with the numbers found, and all that follows from them."""
        self.problem.unknowns.apply(self.values)
        return self.problem.sim.params.model()

    def as_dict(self):
        """All of it in plain numbers, for JSON."""
        keys = ("names", "values", "guess", "sd", "low", "high")
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k in keys for v in (getattr(self, k),)}
        return plain | {
            "unknown": self.unknown, "doubts": self.problem.doubts, "before": self.before, "after": self.after,
            "noise": self.noise, "runs": self.runs,
            "converged": self.converged, "iterations": self.iterations, "seconds": self.seconds,
            "correlation": self.correlation.tolist(),
            "replicas": [[x if np.isfinite(x) else None for x in row] for row in self.replicas.tolist()],
            "factors": self.factors.tolist(), "moving": self.moving.tolist(),
            "bodies": [{"name": b.name, "value": b.value.tolist(), "sd": b.sd.tolist()} for b in self.bodies],
            "combinations": [c._asdict() for c in self.combinations],
        }  # fmt: skip

    def suggest(self, seconds=None, **more):
        """Which motion would tell more: a Suggestion (`design.suggest`)."""
        from engine.identify.design import suggest

        return suggest(self, seconds, **more)

    def save(self, folder):
        """Into a folder: `fit.json`, and the fitted robot as `fitted.xml`. Delays and offsets are in the former only,
        since they are of the log and its hardware. MJCF has no words for residuals and for friction that falls with
        speed or grows with load: of a robot with these it has the rest, as `fitted_without_residuals.xml`. Returns the
        folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "fit.json", json.dumps(self.as_dict(), indent=1) + "\n")
        without(self.model()).to_mjcf(folder / self.robot_file)
        return folder

    @property
    def robot_file(self):
        """What the fitted robot's file is called."""
        return "fitted_without_residuals.xml" if self.problem.model.nresidual else "fitted.xml"

    def __repr__(self):
        return f"<Fit of {', '.join(self.names)}: {counted(self.iterations, 'iteration')}>"

    def __str__(self):
        width = max(len(n) for n in self.names)
        rows = [f"{'':{width}}  {'guess':>12} {'found':>12} {'+- (95 %)':>12}"]
        for n, g, v, sd in zip(self.names, self.guess, self.values, self.sd, strict=True):
            rows.append(f"{n:{width}}  {g:12.6g} {v:12.6g} {SURE * sd:12.3g}")
        rows.append("")
        for label in self.after:
            (b, bo), (a, ao) = self.before[label], self.after[label]
            held = "" if np.isnan(ao) else f"; held out {bo:.3g} -> {ao:.3g}"
            rows.append(f"error of {label}: {b:.3g} -> {a:.3g}{held}")
        rows += [f"note: {sentence}" for sentence in self.problem.doubts]
        if self.runs > 1.5:
            rows.append(f"neighbouring residuals go together ({self.runs:.1f}): something is not in the model, and the "
                        "intervals are wider for it")  # fmt: skip
        if not self.converged:
            many = zip(self.names, self.moving, strict=True)
            where = [f"; {n} still moves by {k:.2g} standard deviations" for n, k in many if k > SCATTER]
            rows.append(f"the search has not settled after {counted(self.iterations, 'iteration')}, and intervals may "
                        f"be too short{''.join(where)}")  # fmt: skip
        if len(self.replicas):
            wide = [f"{n} {f:.2g} times" for n, f in zip(self.names, self.factors, strict=True) if f > 1]
            told = f"farther off than the minimum says, and the intervals are theirs: {', '.join(wide)}"
            rows.append(f"{len(self.replicas)} replicas end {told if wide else 'as near as the intervals say'}")
        rows += [f"not identifiable: {sentence}" for sentence in self.unknown]
        if self.bodies:
            rows += ["", *told_of_bodies(self)]
        return "\n".join(rows)
