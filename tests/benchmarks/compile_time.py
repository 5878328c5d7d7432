"""Seconds until the first gradient in a new process: with an empty kernel cache (cold) and with a filled one (warm).

A child process times itself: interpreter and imports, model and buffers, forward kernel (first rollout), reverse
kernel (first backward).
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import common

STEPS = 10
STAGES = ("start, import", "set up", "forward kernel", "reverse kernel")


def child(worlds, born):
    """In the child, started at time `born`: JSON of [wall, CPU] seconds of every stage on standard output."""
    marks = [(born, 0.0)]

    def mark():
        marks.append((time.time(), time.process_time()))

    import engine
    import scenes

    engine.init()
    simulator, tape_class = engine.Simulator, engine.Tape
    mark()
    sim = simulator(scenes.load("half_cheetah").model, worlds)
    tape = tape_class(sim, STEPS)
    controls = [[[0.0] * sim.model.nu] * worlds] * STEPS
    mark()
    trajectory = tape.rollout(controls)
    mark()
    tape.backward(qpos=trajectory.qpos)
    mark()
    print(json.dumps([[b[0] - a[0], b[1] - a[1]] for a, b in zip(marks, marks[1:], strict=False)]))


def run(worlds, cache):
    """Stages of one child, and [wall, CPU] seconds of its whole life, interpreter and saving of the cache included."""
    environment = {**os.environ, "TI_OFFLINE_CACHE_FILE_PATH": cache}
    before, start = os.times(), time.time()
    command = [sys.executable, __file__, "--child", str(worlds), repr(start)]
    out = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall, after = time.time() - start, os.times()
    if out.returncode:
        raise SystemExit(out.stderr)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(out.stdout.splitlines()[-1]), [wall, cpu]


def measure(worlds, repetitions):
    """Rows of medians: cold, warm. Every repetition has a cache of its own, cold first and then warm."""
    runs = {"cold": [], "warm": []}
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as cache:
            for kind in runs:
                runs[kind].append(run(worlds, cache))
    return [row(worlds, kind, found) for kind, found in runs.items()]


def row(worlds, kind, found):
    def middle(values):
        return sorted(values)[len(values) // 2]

    cells = {"cache": kind, "worlds": worlds, "kernels": "serial" if worlds == 1 else "parallel"}
    for i, unit in enumerate(("s", "CPU s")):
        for k, stage in enumerate(STAGES):
            cells[f"{stage} {unit}"] = middle([stages[k][i] for stages, _ in found])
        cells[f"first gradient {unit}"] = middle([sum(stage[i] for stage in stages) for stages, _ in found])
        cells[f"process {unit}"] = middle([whole[i] for _, whole in found])
    return cells


def main():
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), float(sys.argv[3]))
        return
    args = common.arguments(__doc__, repetitions=3)
    rows = measure(1, args.repetitions) + measure(16, args.repetitions)
    # one row for each figure reads better than sixteen columns
    names = [f"{r['cache']}, {r['worlds']} world{'s' if r['worlds'] > 1 else ''}" for r in rows]
    figures = [name for name in rows[0] if name not in ("cache", "worlds", "kernels")]
    turned = [{"seconds": f} | {n: r[f] for n, r in zip(names, rows, strict=True)} for f in figures]
    notes = (
        "first gradient = start, import + set up + forward kernel + reverse kernel. process: until exit, with the "
        "writing of the cache. One world runs the serial kernels, several the parallel ones.",
    )
    common.report(
        f"half_cheetah, first gradient in a new process, medians of {args.repetitions}", turned, notes, args.json
    )


if __name__ == "__main__":
    main()
