"""A search in its folder: when to stop, checkpoints, metrics; stopped or killed, it goes on with the same result."""

import csv
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Stop:
    """When a search ends; None: never for that reason.

    iterations: in all, those before a resume included. target: best cost at most this. plateau: iterations in which
    `best` gained less than 0.1 % and 1e-6. seconds: wall clock of this call. steps: physics steps forward in all.
    """

    iterations: int | None = None
    target: float | None = None
    plateau: int | None = None
    seconds: float | None = None
    steps: int | None = None

    def reason(self, method, rows, elapsed):
        """Why to stop now, in words; None to go on."""
        if method.finished:
            return method.ending
        if self.target is not None and method.best <= self.target:
            return f"target {self.target:g} reached"
        if self.iterations is not None and method.iteration >= self.iterations:
            return f"{self.iterations} iterations"
        if self.steps is not None and method.problem.counter.steps >= self.steps:
            return f"budget of {self.steps:g} steps"
        if self.seconds is not None and elapsed >= self.seconds:
            return f"budget of {self.seconds:g} s"
        if self.plateau is not None and len(rows) > self.plateau:
            before = rows[-1 - self.plateau]["best"]
            if before - method.best < 1e-3 * abs(before) + 1e-6:
                return f"no gain in {self.plateau} iterations"
        return None


class Folder:
    """A run's folder: settings.json, checkpoint.npz (the search after its last iteration), metrics.csv."""

    def __init__(self, path, settings=None, resume=False):
        self.path, self.settings = Path(path), settings or {}
        self.rows = []
        self.checkpoint = self.path / "checkpoint.npz"
        if resume:
            self._check_settings()
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            self.checkpoint.unlink(missing_ok=True)
            (self.path / "settings.json").write_text(json.dumps(self.settings, indent=1))

    def _check_settings(self):
        if not self.checkpoint.exists():
            raise FileNotFoundError(f"--resume: {self.checkpoint} does not exist; start without --resume first")
        stored = json.loads((self.path / "settings.json").read_text())
        if stored != self.settings:
            raise ValueError(f"--resume: the folder was made with {stored}, asked for {self.settings}")

    def load(self, method):
        """Bring a search to where the checkpoint was written."""
        with np.load(self.checkpoint) as state:
            self.rows = json.loads(str(state["metrics"]))
            method.load_state({k: state[k] for k in state.files if k != "metrics"})
        return method

    def save(self, method):
        """Written beside and renamed, so that a kill at any moment leaves the last whole one."""
        beside = self.path / "checkpoint.tmp.npz"
        with open(beside, "wb") as f:
            np.savez(f, metrics=json.dumps(self.rows), **method.state())
            f.flush()
            os.fsync(f.fileno())
        os.replace(beside, self.checkpoint)

    def write_metrics(self):
        if not self.rows:
            return
        with open(self.path / "metrics.csv", "w", newline="") as f:
            table = csv.DictWriter(f, list(self.rows[0]), extrasaction="ignore")
            table.writeheader()
            table.writerows(self.rows)


def run(method, folder, stop, show=None, settings=None, resume=None):
    """Iterate `method` in `folder` until `stop` says so; returns the reason in words.

    folder: a path or a Folder. show(row): called after every iteration. resume: go on from the folder's checkpoint;
    default: if there is one. The checkpoint is written after every iteration; what a kill loses is the iteration it
    hits, and the resumed search ends with the same numbers, bit for bit, as one that was never stopped (a budget of
    seconds apart). KeyboardInterrupt passes through with the folder ready to be resumed.
    """
    if not isinstance(folder, Folder):
        resume = (Path(folder) / "checkpoint.npz").exists() if resume is None else resume
        folder = Folder(folder, settings, resume)
        if resume:
            folder.load(method)
    began = time.perf_counter()
    try:
        while True:
            reason = stop.reason(method, folder.rows, time.perf_counter() - began)
            if reason:
                return reason
            t, before = time.perf_counter(), method.problem.counter.steps
            row = method.iterate()
            took = time.perf_counter() - t
            row["seconds"] = took
            row["steps_per_second"] = (method.problem.counter.steps - before) / max(took, 1e-9)
            folder.rows.append(row)
            folder.save(method)
            if show:
                show(row)
    finally:
        folder.write_metrics()
