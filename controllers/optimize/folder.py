"""A search in its folder: when to stop, checkpoints, metrics; stopped or killed, it goes on with the same result."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controllers.optimize.method import Method
from engine import files
from engine.arguments import whole
from engine.lock import FolderLock
from engine.words import counted, required

LOST = "no rollout stayed finite"
_ROW = ("iteration", "cost", "best", "measured")  # of the metrics, in every row


@dataclass
class Stop:
    """When a search ends; None: never for that reason.

    iterations: in all, those before a resume included. target: best cost at most this. plateau: iterations in which
    `best` gained less than 0.1 % and 1e-6. seconds: wall clock of this call after its first iteration, which waits for
    the compiler. steps: physics steps forward in all.
    solved: a function of the search, whether what it has now does what was asked; called where the last iteration
    gained less than 1 %, or with `eager` after each.
    """

    iterations: int | None = None
    target: float | None = None
    plateau: int | None = None
    seconds: float | None = None
    steps: int | None = None
    solved: object = None
    eager: bool = False

    def __post_init__(self):
        for name in ("iterations", "plateau", "steps"):
            value = getattr(self, name)
            if value is not None:
                whole(name, value)
        for name in ("target", "seconds"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, (bool, str)) or not np.ndim(value) == 0 or np.isnan(value)):
                raise ValueError(f"{name}: got {value!r}, allowed: a number or None")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError(f"seconds: got {self.seconds!r}, allowed: from 0")
        if self.solved is not None and not callable(self.solved):
            raise TypeError(f"solved: got {type(self.solved).__name__}, allowed: a function of the search")

    def reason(self, method, rows, elapsed):
        """Why to stop now, in words; None to go on."""
        if method.finished:
            return method.ending if np.isfinite(method.best) else LOST
        if self.target is not None and method.best <= self.target:
            return f"target {self.target:g} reached"
        if self.solved is not None and rows and (self.eager or _slow(rows[-1])) and self.solved(method):
            return "solved"
        if self.iterations is not None and method.iteration >= self.iterations:
            return counted(self.iterations, "iteration")
        if self.steps is not None and method.problem.counter.steps >= self.steps:
            return f"budget of {self.steps:g} steps"
        if self.seconds is not None and elapsed >= self.seconds:
            return f"budget of {self.seconds:g} s"
        if self.plateau is not None and len(rows) > self.plateau:
            before = rows[-1 - self.plateau]["best"]
            if before - method.best < 1e-3 * abs(before) + 1e-6:
                return f"no gain in {counted(self.plateau, 'iteration')}"
        return None


def _slow(row):
    """Whether an iteration gained little."""
    return row["gain"] < 0.01 * abs(row["cost"])


class Folder:
    """A run's folder: settings.json, checkpoint.npz (the search after its last iteration), metrics.csv.

    It is this object's alone until `close()` or the end of a `with`: FolderInUseError (engine/lock.py), which names the
    holder, where another run has it, before anything there is touched. resume: keep what is there. Without it a
    checkpoint of an earlier run is removed.
    """

    def __init__(self, path, settings=None, resume=False):
        self.path, self.settings = Path(path), settings or {}
        self.rows = []
        self.checkpoint = self.path / "checkpoint.npz"
        if resume:
            self._check_there()
        else:
            self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self.path)
        try:
            files.remove_leftovers(self.checkpoint)
            if resume:
                self._check_settings()
            else:
                self.checkpoint.unlink(missing_ok=True)
                files.write_json(self.path / "settings.json", self.settings, indent=1)
        except BaseException:
            self.close()
            raise

    def close(self):
        """Let others have the folder."""
        self._lock.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _check_there(self):
        if not self.checkpoint.exists():
            raise FileNotFoundError(f"--resume: {self.checkpoint} does not exist; start without --resume first")

    def _check_settings(self):
        self._check_there()  # its holder may have removed it since
        stored = files.read_json(self.path / "settings.json", "a run's settings")
        other = sorted(k for k in stored.keys() | self.settings if stored.get(k) != self.settings.get(k))
        if other:
            made, asked = (", ".join(f"{k} {said.get(k)!r}" for k in other) for said in (stored, self.settings))
            raise ValueError(f"--resume: the folder was made with {made}, asked for {asked}")

    def load(self, method):
        """Bring a search to where the checkpoint was written. Raises ValueError, which names the file, if it cannot."""
        state = files.read_arrays(self.checkpoint, "a checkpoint of a search")
        try:
            files.check_keys("it", state, ["metrics"])
            rows = _rows(state.pop("metrics"))
            method.load_state(state)
            if len(rows) != method.iteration:
                raise ValueError(f"metrics: got {len(rows)} rows, allowed: {method.iteration}, one for each iteration")
        except ValueError as error:
            raise ValueError(f"{self.checkpoint}: {error}") from error
        self.rows = rows
        return method

    def save(self, method):
        """Written beside and renamed, so that a kill at any moment leaves the last whole one."""
        files.write_arrays(self.checkpoint, {"metrics": json.dumps(self.rows), **method.state()}, sync=True)

    def write_metrics(self):
        """Write the rows so far as metrics.csv, whole or not at all."""
        if self.rows:
            files.write_table(self.path / "metrics.csv", list(self.rows[0]), self.rows)


def _rows(text):
    """The rows of metrics in a checkpoint."""
    rows = files.parse_json(text, list)
    for k, row in enumerate(rows):
        for name in _ROW:
            if not isinstance(row, dict) or not isinstance(row.get(name), (int, float)):
                raise ValueError(f"metrics: row {k}: got {row!r}, allowed: numbers {', '.join(_ROW)}")
    return rows


def run(method, folder, stop, show=None, settings=None, resume=None):
    """Iterate `method` in `folder` until `stop` says so; returns the reason in words.

    folder: a path or a Folder (which stays open). show(row): called after every iteration. resume: go on from the
    folder's checkpoint; default: if there is one. Raises FolderInUseError where another run has the folder. The
    checkpoint is written after every iteration; what a kill loses is the iteration it hits, and the resumed search ends
    with the same numbers, bit for bit, as one that was never stopped (a budget of seconds apart). KeyboardInterrupt
    passes through with the folder ready to be resumed.
    """
    if isinstance(folder, Folder):
        return _run(method, folder, stop, show)
    resume = (Path(folder) / "checkpoint.npz").exists() if resume is None else resume
    with Folder(folder, settings, resume) as made:
        required("method", method, Method, "a search, as controllers.optimize.Restarts or controllers.ILQR")
        if resume:
            made.load(method)
        return _run(method, made, stop, show)


def _run(method, folder, stop, show):
    began = None
    try:
        while True:
            reason = stop.reason(method, folder.rows, 0.0 if began is None else time.perf_counter() - began)
            if reason:
                return reason
            t, before = time.perf_counter(), method.problem.counter.steps
            row = method.iterate()
            took = time.perf_counter() - t
            row["seconds"] = took
            row["steps_per_second"] = (method.problem.counter.steps - before) / max(took, 1e-9)
            folder.rows.append(row)
            folder.save(method)
            began = time.perf_counter() if began is None else began
            if show:
                show(row)
    finally:
        folder.write_metrics()
