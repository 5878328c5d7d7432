"""The board of other people's robots: `pullback optimize` on files as their makers publish them, judged from outside.

    python tests/benchmarks/robots.py --robots ../shared/robots --out runs/robots
    python tests/benchmarks/robots.py --only panda "stand" --seeds 2
    python tests/benchmarks/robots.py --files menagerie=FOLDER suite=FOLDER --page tests/benchmarks/ROBOTS.md

Each cell is a robot, a task and a seed, run in a process of its own. Its line is appended to lines.jsonl in the folder,
so a killed board goes on where it was; `--again` forgets the lines of the cells that are asked for. What a run says of
itself is compared with what this script finds with the mujoco package alone, on the states in run.npz and the file of
the robot: a wrong verdict is counted. table.md is the page, with a picture of each robot beside it.
"""

import argparse
import contextlib
import io
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.board_page import page, sheet  # noqa: E402
from tests.benchmarks.suite import CELLS, PACKAGES, folders, model_of, swimmer_file, target_of  # noqa: E402


def run(cell, seed, places, folder, limit, here=False):
    """One line of the board: {cell, seed, solved, found, agrees, seconds, cpu, steps, verdict, folder}."""
    out = folder / f"{cell.name}-{cell.task}-{seed}"
    path = cell.path(places)
    line = {"cell": cell.key, "row": cell.row, "seed": seed, "solved": False, "found": None, "folder": out.name}
    line |= {"loose": True} if cell.loose else {}
    words = ["optimize", str(path), "--task", cell.task, *cell.options, "--seed", str(seed), "--json"]
    words += ["--out", str(out)]
    target = None
    if cell.task == "reach":
        target = target_of(cell, places, seed)
        words += ["--site", cell.site, "--target", *(f"{x:.6f}" for x in target)]
    before, began = resource_seconds(), time.perf_counter()
    try:
        said, errors = (called if here else started)(words, limit)
    except subprocess.TimeoutExpired:
        return line | {"seconds": limit, "verdict": f"stopped after {limit:g} s"}
    line |= {"seconds": time.perf_counter() - began, "cpu": resource_seconds() - before}
    results = [json.loads(x) for x in said.splitlines() if x.startswith('{"event": "result"')]
    if not results:
        return line | {"verdict": "refused: " + (errors.strip().splitlines() or ["nothing said"])[-1][:300]}
    (r,) = results
    line |= {"solved": bool(r["solved"]), "steps": r["steps"] + r["reversed"], "iterations": r["iterations"],
             "verdict": r["verdict"], "hindered": r["hindered"]}  # fmt: skip
    if not (out / "run.npz").exists():  # not even the first control step stayed finite
        return line | {"found": False, "agrees": not line["solved"]}
    with np.load(out / "run.npz") as data:
        qpos, qvel, ctrl, t = data["qpos"][:, -1], data["qvel"][:, -1], data["ctrl"][:, -1], data["time"]
    found, figure = cell.judge(model_of(cell, places), qpos, qvel, ctrl, t - t[0], target, r)
    return line | {"found": bool(found), "figure": figure, "agrees": cell.loose or bool(found) == line["solved"]}


def started(words, limit):
    """(standard output, errors) of the command in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "engine.cli", *words], cwd=ROOT, capture_output=True, text=True,
                          timeout=limit)  # fmt: skip
    return done.stdout, done.stderr


def called(words, limit):
    """The same in this process, whose kernels serve all robots."""
    import engine
    from engine.cli import main as command

    engine.init(features="all")
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        command(words)
    return said.getvalue(), errors.getvalue()


def resource_seconds():
    """CPU seconds of this process and of those that it has waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--robots", type=Path, default=ROOT.parent / "shared" / "robots", help="folder of robot files")
    p.add_argument("--files", nargs="+", default=[], metavar="KEY=FOLDER", help="where files of packages lie: "
                   f"{', '.join(PACKAGES)} (default: where these are installed)")  # fmt: skip
    p.add_argument("--page", type=Path, default=None, help="write the page of all lines there")
    p.add_argument("--only", nargs="+", default=None, help="parts of rows' or cells' names")
    p.add_argument("--seeds", type=int, default=None, help="of each cell (default: the cell's own number)")
    p.add_argument("--limit", type=float, default=300.0, help="seconds of a cell at most")
    p.add_argument("--out", type=Path, default=ROOT / "runs" / "robots")
    p.add_argument("--here", action="store_true", help="in this process, with one set of kernels for all robots")
    p.add_argument("--again", action="store_true")
    args = p.parse_args()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    store, places = args.out / "lines.jsonl", swimmer_file(folders(args.robots, args.files), args.out)
    lines = [json.loads(x) for x in store.read_text().splitlines()] if store.exists() else []
    chosen = [c for c in CELLS if args.only is None or any(o in f"{c.row} {c.key}" for o in args.only)]
    if args.again:
        keys = {c.key for c in chosen}
        lines = [x for x in lines if x["cell"] not in keys]
        store.write_text("".join(json.dumps(x) + "\n" for x in lines))
    done = {(x["cell"], x["seed"]) for x in lines}
    for cell in chosen:
        for seed in range(args.seeds or cell.seeds):
            if (cell.key, seed) in done or cell.path(places) is None:
                continue
            line = run(cell, seed, places, args.out, args.limit, args.here)
            lines.append(line)
            with store.open("a") as f:
                f.write(json.dumps(line) + "\n")
            print(f"{cell.key} seed {seed}: {'solved' if line['solved'] else 'NOT'} / {line['found']}  "
                  f"{line['seconds']:.0f} s ({line.get('cpu', 0):.0f} CPU)  {line['verdict']}  | {line.get('figure')}  "
                  f"{line.get('hindered') or ''}", flush=True)  # fmt: skip
    command = "python tests/benchmarks/robots.py --robots FOLDER --page PATH"
    for path in (args.out / "table.md", args.page):
        if path is not None:
            picture = sheet(lines, args.out, path.with_suffix(".jpg"))
            path.write_text(page(lines, command, picture.name if picture else "none"), encoding="utf-8")
    print(page([x for x in lines if x["cell"] in {c.key for c in chosen}], command, "table.jpg"))


if __name__ == "__main__":
    main()
