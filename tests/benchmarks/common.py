"""What the benchmarks share: one core, interleaved medians, worker processes, tables."""

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

AXES = ("0 1 0", "1 0 0", "0 0 1")
EULER = 0  # mjtIntegrator


def arguments(description, **defaults):
    """Command line with --json PATH and one whole-number option for each of `defaults`."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--json", type=Path, help="write the table there as well")
    for name, value in defaults.items():
        p.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    return p.parse_args()


def pin():
    """Keep this process, and what it starts, on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def seconds(f):
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def interleave(repetitions, *measures):
    """Call the measures (each returns seconds) in turn, so that a busy moment hits all of them.

    Returns (repetitions, measures) seconds, after one round that does not count.
    """
    rounds = [[measure() for measure in measures] for _ in range(repetitions + 1)]
    return np.array(rounds[1:])


def spread(times):
    """Distance between the quartiles over the median: how noisy a row of repetitions is."""
    low, middle, high = np.percentile(times, (25, 50, 75))
    return float((high - low) / middle)


def chain(hinges):
    """MJCF of a hanging chain of capsules, without contact."""
    xml = '<mujoco><option timestep="0.002"/><worldbody>'
    for i in range(hinges):
        xml += (
            f'<body pos="0 0 {-0.3 if i else 0}"><joint axis="{AXES[i % 3]}" damping="0.1" armature="0.01"/>'
            '<geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.04" contype="0" conaffinity="0"/>'
        )
    return xml + "</body>" * hinges + "</worldbody></mujoco>"


def balls(number):
    """MJCF of free spheres that lie apart on a plane; any two may touch."""
    side = int(np.ceil(number**0.5))
    return (
        '<mujoco><option timestep="0.002"/><worldbody><geom type="plane" size="20 20 .1"/>'
        + "".join(
            f'<body pos="{0.3 * (i % side)} {0.3 * (i // side)} 0.099"><freejoint/><geom size="0.1"/></body>'
            for i in range(number)
        )
        + "</worldbody></mujoco>"
    )


def gymnasium_asset(name):
    """Path of a robot file that the package gymnasium ships."""
    import gymnasium

    return str(Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / f"{name}.xml")


def mujoco_model(name, integrator=None):
    """MjModel of "chain N", "balls N" or of one of Gymnasium's robots, as shipped or with another integrator."""
    import mujoco

    kind, _, number = name.partition(" ")
    if number:
        mj = mujoco.MjModel.from_xml_string({"chain": chain, "balls": balls}[kind](int(number)))
    else:
        mj = mujoco.MjModel.from_xml_path(gymnasium_asset(name))
    if integrator is not None:
        mj.opt.integrator = integrator
    return mj


class Worker:
    """A process of its own that answers `ask(name, *args)` with the method of that name of `make(*args)`.

    Several of them, each with its own engine settings, can then be measured in turn.
    """

    def __init__(self, make, *args):
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there, make, args), daemon=True)
        self.process.start()
        there.close()

    def ask(self, name, *args):
        self.pipe.send((name, args))
        failed, answer = self.pipe.recv()
        if failed:
            raise RuntimeError(f"worker: {answer}")
        return answer

    def close(self):
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self.process.join()


def _serve(pipe, make, args):
    subject = make(*args)
    while (order := pipe.recv()) is not None:
        try:
            pipe.send((False, getattr(subject, order[0])(*order[1])))
        except Exception as error:
            pipe.send((True, f"{type(error).__name__}: {error}"))


def report(title, rows, notes, path=None):
    """Print rows (dicts with the same keys) as a table; with a path write them as JSON too."""
    print(f"\n{title}\n")
    columns = list(rows[0])
    cells = [columns] + [[_cell(row[c]) for c in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        left = f"{line[0]:<{widths[0]}}"
        print("  ".join([left] + [f"{c:>{n}}" for c, n in zip(line[1:], widths[1:], strict=True)]))
    for note in notes:
        print(f"\n{note}")
    if path:
        document = {"title": title, "machine": machine(), "rows": rows, "notes": list(notes)}
        path.write_text(json.dumps(document, indent=2) + "\n")


def machine():
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def _processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _cell(value):
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)
