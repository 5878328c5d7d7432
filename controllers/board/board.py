"""Board: runs cells one after the other, keeps each in a file, and writes the table. A killed one goes on."""

import csv
import json
import os
import time
from pathlib import Path

import numpy as np

from controllers.board.cell import METHODS, Cell
from controllers.board.recipes import RECIPES
from engine.view import plot_board

RANDOM_LIMIT = 30  # random search may use so many times the steps of the best gradient method that solved the task
RANDOM_SHARE = 0.5  # of a cell's seconds
COLUMNS = (
    "task", "method", "solved", "wall", "cpu", "start", "iterations", "steps", "reversed", "measured", "threshold",
)  # fmt: skip


class Board:
    """Folder of a board: cells/<task>-<method>.json, table.md, table.csv, table.json, board.png.

    load: name -> Scene (scenes.load). tasks, methods: those to run. seconds: budget of a cell. start: seconds that a
    process takes to its first gradient, which the table adds to the wall time of every cell.
    """

    def __init__(self, folder, load, tasks=None, methods=None, seconds=100.0, seed=0, out=None):
        self.folder, self.load, self.seconds, self.seed, self.out = Path(folder), load, seconds, seed, out
        self.tasks = _chosen("task", tasks, tuple(RECIPES))
        self.methods = _chosen("method", methods, METHODS)
        if not seconds > 0:
            raise ValueError(f"budget: got {seconds!r}, allowed: a positive number of seconds")

    def cells(self):
        """(task, method) pairs in their order; random search last, since its limit is what gradients needed."""
        return [
            (task, method) for task in self.tasks for method in METHODS
            if method in self.methods and method in RECIPES[task].methods
        ]  # fmt: skip

    def path(self, task, method):
        return self.folder / "cells" / f"{task}-{method}.json"

    def run(self):
        """Run what is not yet there, writing table and plot after each cell; returns all rows."""
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        settings = {"seconds": self.seconds, "seed": self.seed}
        self._check_settings(settings)
        cells = self.cells()
        todo = [cell for cell in cells if not self.path(*cell).exists()]
        if len(todo) < len(cells):
            self.say(f"{len(cells) - len(todo)} of {len(cells)} cells are there already in {self.folder}")
        start = _start_up() if todo else 0.0
        for k, (task, method) in enumerate(todo, 1):
            self.say(f"[{k}/{len(todo)}] {task}, {method}")
            row = {**self._cell(task, method), "start": start}
            _write(self.path(task, method), json.dumps(row))
            self.say(f"    {_line(row)}")
            self._record("cell", **{name: row[name] for name in COLUMNS if name in row})
            self.write()
        return self.write()

    def rows(self):
        """Rows of the cells that are there, also of tasks and methods that this run was not asked for."""
        pairs = [(task, method) for task in RECIPES for method in METHODS]
        return [json.loads(self.path(*pair).read_text()) for pair in pairs if self.path(*pair).exists()]

    def write(self):
        """Table and plot of the cells that are there; returns their rows."""
        rows = self.rows()
        for row in rows:
            row["threshold"] = self.load(row["task"]).threshold
        _write(self.folder / "table.md", markdown(rows))
        _write(self.folder / "table.json", json.dumps([{k: r[k] for k in COLUMNS} for r in rows], indent=1))
        with open(self.folder / "table.csv", "w", newline="") as f:
            table = csv.DictWriter(f, COLUMNS, extrasaction="ignore")
            table.writeheader()
            table.writerows(rows)
        if rows:
            plot_board(self.folder / "board.png", rows)
        return rows

    def _cell(self, task, method):
        scene = self.load(task)
        seconds, limit = self.seconds, np.inf
        if method == "random":
            seconds = RANDOM_SHARE * self.seconds
            limit = RANDOM_LIMIT * min((_work(r) for r in self._gradients(task) if r["solved"]), default=np.inf)
        clock = [time.perf_counter()]

        def progress(iteration, steps, cost, measured):
            if time.perf_counter() - clock[0] > 2.0:
                clock[0] = time.perf_counter()
                numbers = ", ".join(f"{x:.3g}" for x in measured)
                self.say(f"    iteration {iteration}, {steps:,} steps, best cost {cost:.4g}, measured {numbers}")

        return Cell(scene, RECIPES[task], method, self.seed).run(seconds, limit, progress)

    def _gradients(self, task):
        paths = [self.path(task, m) for m in METHODS if m != "random"]
        return [json.loads(p.read_text()) for p in paths if p.exists()]

    def unsolved(self, rows):
        """Tasks of this board that no gradient method has solved, where one was asked for."""
        solved = {r["task"] for r in rows if r["solved"] and r["method"] != "random"}
        return [t for t, m in dict(self.cells()[::-1]).items() if t not in solved and set(self.methods) - {"random"}]

    def say(self, text):
        if self.out:
            self.out.say(text)

    def _record(self, kind, **values):
        if self.out:
            self.out.record(kind, **values)

    def _check_settings(self, settings):
        path = self.folder / "settings.json"
        if path.exists() and json.loads(path.read_text()) != settings:
            raise ValueError(f"{self.folder} holds a board with {path.read_text()}, asked for {json.dumps(settings)}; "
                             f"choose another folder with --out")  # fmt: skip
        _write(path, json.dumps(settings))


def _line(row):
    verdict = "solved" if row["solved"] else f"not solved ({row['reason']})"
    return f"{verdict} in {row['wall']:.1f} s, {row['iterations']} iterations, {_work(row):,} steps"


def _work(row):
    return row["steps"] + row["reversed"]


def _start_up():
    """Seconds until this process has its first gradient, of a serial and of a parallel batch: compiling or loading."""
    clock = time.perf_counter()
    from engine.diff.tape import Tape
    from engine.model import ModelBuilder
    from engine.simulator import Simulator

    b = ModelBuilder("start")
    b.body("ball")
    b.joint("ball", "slide", type="slide")
    b.geom("ball", size=0.1)
    b.motor("slide", "push")
    model = b.compile()
    for worlds in (1, 2):
        tape = Tape(Simulator(model, worlds), 1)
        tape.backward(qpos=np.ones_like(tape.rollout(np.zeros((1, 1))).qpos))
    return time.perf_counter() - clock


def markdown(rows):
    """The table of the board, a line for each task and method."""
    lines = [
        "| task | method | solved | wall s | with start s | CPU s | iterations | steps | reversed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r['task']} | {r['method']} | {'yes' if r['solved'] else '**no**'} | {r['wall']:.1f} | "
            f"{r['wall'] + r['start']:.1f} | {r['cpu']:.1f} | {r['iterations']} | {r['steps']:,} | {r['reversed']:,} |"
        )
    return "\n".join([*lines, "", *_ratios(rows), "", *_thresholds(rows)]) + "\n"


def _ratios(rows):
    """Random search's steps over those of the task's cheapest gradient method."""
    head = ("task", "cheapest gradient method", "its steps, reversed ones included", "steps of random search / its")
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|"]
    for task in dict.fromkeys(r["task"] for r in rows):
        of = [r for r in rows if r["task"] == task]
        best = min((r for r in of if r["solved"] and r["method"] != "random"), key=_work, default=None)
        random = next((r for r in of if r["method"] == "random"), None)
        if best and random:
            ratio = _work(random) / _work(best)
            more = "" if random["solved"] else "more than "
            lines.append(f"| {task} | {best['method']} | {_work(best):,} | {more}{ratio:.1f} |")
    return lines


def _thresholds(rows):
    return [f"* {task}: {text}" for task, text in {r["task"]: r["threshold"] for r in rows}.items()]


def _chosen(what, given, known):
    for name in given or ():
        if name not in known:
            raise ValueError(f"{what} {name!r}; allowed: {', '.join(known)}")
    return tuple(k for k in known if not given or k in given)


def _write(path, text):
    """Written beside and renamed, so that a kill leaves the last whole one."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    os.replace(beside, path)
