"""Board: runs cells one after the other, keeps each in a file, and writes the table. A killed one goes on."""

import json
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from controllers.board.cell import METHODS, Cell
from controllers.board.recipes import RECIPES
from controllers.board.table import best, markdown, ratios, times, work
from engine import files
from engine.lock import FolderLock
from engine.view import plot_board
from engine.words import meant

# Random search goes on until it has spent so many times the steps of the cheapest gradient method that solved the task,
# so that the ratio is established, and for so many seconds at least.
RANDOM_TIMES, RANDOM_SECONDS = 10, 10.0
COLUMNS = (
    "task", "method", "solved", "wall", "cpu", "start", "iterations", "steps", "reversed", "measured", "threshold",
)  # fmt: skip


def _number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def _count(x):
    return isinstance(x, int) and not isinstance(x, bool) and x >= 0


def _text(x):
    return isinstance(x, str)


def _numbers(x):
    return isinstance(x, list) and all(map(_number, x))


def _curve(x):
    return isinstance(x, list) and all(_numbers(point) and len(point) == 3 for point in x)


# what a cell's file must hold
_CELL = {
    "task": _text, "method": _text, "solved": lambda x: isinstance(x, bool), "reason": _text, "threshold": _text,
    "measured": _numbers, "iterations": _count, "steps": _count, "reversed": _count, "wall": _number, "cpu": _number,
    "start": _number, "curve": _curve,
}  # fmt: skip


class Board:
    """Folder of a board: cells/<task>-<method>.json, table.md, table.csv, table.json, board.png.

    load: name -> Scene (scenes.load). tasks, methods: those to run. seconds: budget of a cell, wall time; random
    search may end earlier (RANDOM_TIMES). The table adds to the wall time of every cell the seconds that a process
    takes to its first gradient.
    """

    def __init__(self, folder, load, tasks=None, methods=None, seconds=100.0, seed=0, out=None):
        self.folder, self.load, self.seconds, self.seed, self.out = Path(folder), load, seconds, seed, out
        self.tasks = _chosen("task", tasks, tuple(RECIPES))
        self.methods = _chosen("method", methods, METHODS)
        self.scipy = find_spec("scipy") is not None
        if not seconds > 0:
            raise ValueError(f"budget: got {seconds!r}, allowed: a positive number of seconds")

    def cells(self):
        """(task, method) pairs in their order; random search last, since its limit is what gradients needed.

        Without SciPy there is no lbfgs.
        """
        return [
            (task, method) for task in self.tasks for method in METHODS
            if method in self.methods and method in RECIPES[task].methods and (method != "lbfgs" or self.scipy)
        ]  # fmt: skip

    def path(self, task, method):
        return self.folder / "cells" / f"{task}-{method}.json"

    def run(self):
        """Run what is not yet there, writing the table after each cell and the plot at the end; returns all rows.

        Raises FolderInUseError where another board runs in the folder.
        """
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        with FolderLock(self.folder):
            return self._run()

    def _run(self):
        settings = {"seconds": self.seconds, "seed": self.seed}
        self._check_settings(settings)
        cells = self.cells()
        todo = [cell for cell in cells if not self.path(*cell).exists()]
        if len(todo) < len(cells):
            self.say(f"{len(cells) - len(todo)} of {len(cells)} cells are there already in {self.folder}")
        if "lbfgs" in self.methods and not self.scipy:
            self.say('method lbfgs is left out, it needs SciPy: pip install "pullback[scipy]"')
        start = _start_up() if todo else 0.0
        for k, (task, method) in enumerate(todo, 1):
            self.say(f"[{k}/{len(todo)}] {task}, {method}")
            scene = self.load(task)
            row = {**self._cell(scene, method), "start": start, "threshold": scene.threshold}
            files.write_json(self.path(task, method), row)
            self.say(f"    {_line(row)}")
            self._record("cell", **{name: row[name] for name in COLUMNS if name in row})
            self.write()
        rows = self.write()
        if rows:
            notes = {task: f"{times(random, x)} times" for task, (_, random, x) in ratios(rows).items()}
            plot_board(self.folder / "board.png", rows, notes)
        return rows

    def rows(self):
        """Rows of the cells that are there, also of tasks and methods that this run was not asked for."""
        pairs = [(task, method) for task in RECIPES for method in METHODS]
        return [self._row(*pair) for pair in pairs if self.path(*pair).exists()]

    def write(self):
        """The table of the cells that are there; returns their rows."""
        rows = self.rows()
        files.write_text(self.folder / "table.md", markdown(rows))
        files.write_json(self.folder / "table.json", [{k: r[k] for k in COLUMNS} for r in rows], indent=1)
        files.write_table(self.folder / "table.csv", COLUMNS, rows)
        return rows

    def _cell(self, scene, method):
        cheapest = best(self._cells_of(scene.name)) if method == "random" else None
        limit = RANDOM_TIMES * work(cheapest) if cheapest else np.inf
        clock = [time.perf_counter()]

        def progress(iteration, steps, cost, measured):
            if time.perf_counter() - clock[0] > 2.0:
                clock[0] = time.perf_counter()
                numbers = ", ".join(f"{x:.3g}" for x in measured)
                self.say(f"    iteration {iteration}, {steps:,} steps, best cost {cost:.4g}, measured {numbers}")

        cell = Cell(scene, RECIPES[scene.name], method, self.seed)
        return cell.run(self.seconds, limit, progress, min(RANDOM_SECONDS, self.seconds))

    def _cells_of(self, task):
        return [self._row(task, m) for m in METHODS if self.path(task, m).exists()]

    def _row(self, task, method):
        """The row in a cell's file. Raises ValueError, which names the file, where it is damaged."""
        path = self.path(task, method)
        row = files.read_json(path, "a cell of a board")
        bad = [k for k, good in _CELL.items() if k not in row or not good(row[k])]
        bad += [k for k, is_ in (("task", task), ("method", method)) if k not in bad and row[k] != is_]
        if bad:
            raise ValueError(f"{path} is damaged: {bad[0]}: got {row.get(bad[0])!r}; remove it to run the cell again")
        return row

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
        stored = files.read_json(path, "a board's settings") if path.exists() else settings
        if stored != settings:
            there, asked = json.dumps(stored), json.dumps(settings)
            raise ValueError(f"{self.folder} holds a board with {there}, asked for {asked}; choose another with --out")
        files.write_json(path, settings)


def _line(row):
    verdict = "solved" if row["solved"] else f"not solved ({row['reason']})"
    return f"{verdict} in {row['wall']:.1f} s, {row['iterations']} iterations, {work(row):,} steps"


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


def _chosen(what, given, known):
    for name in given or ():
        if name not in known:
            raise ValueError(f"{what} {name!r}{meant(name, known)}; allowed: {', '.join(known)}")
    return tuple(k for k in known if not given or k in given)
