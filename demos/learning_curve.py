"""Return against simulator steps and against seconds, of any number of runs, on the same axes.

    python -m demos.learning_curve curves.png SHAC=runs/shac_hopper_0 PPO=runs/ppo_hopper_0 --title hopper --bar 2000

A run is a folder with metrics.csv (SHAC) or curve.csv (the PPO demos), or such a file; its columns `steps` (control
steps of all worlds together), `seconds` and `return` are read. Runs of one label get one colour.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from engine.files import read_table  # noqa: E402


def read(path):
    """{column: list of numbers} of a run."""
    path = Path(path)
    if path.is_dir():
        path = next((path / n for n in ("metrics.csv", "curve.csv") if (path / n).exists()), path / "metrics.csv")
    table, columns = read_table(path, "a learning curve"), ("steps", "seconds", "return")
    missing = set(columns) - set(table)
    if missing:
        raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")
    return {name: table[name].tolist() for name in columns}


def plot(runs, out, title, bar=None):
    """runs: {label: [paths]}. bar: a return to reach, drawn as a line."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for k, (label, paths) in enumerate(runs.items()):
        for i, path in enumerate(paths):
            data = read(path)
            axes[0].plot([x / 1000 for x in data["steps"]], data["return"], f"C{k}", lw=1.4, label="" if i else label)
            axes[1].plot(data["seconds"], data["return"], f"C{k}", lw=1.4)
    for ax, name in zip(axes, ("simulator steps (thousand control steps)", "time in s"), strict=True):
        ax.set_xlabel(name)
        ax.grid(alpha=0.3)
        if bar is not None:
            ax.axhline(bar, color="0.4", ls="--", lw=1, label=f"{bar:g}")
    axes[0].set_ylabel("return of an episode (Gymnasium's reward)")
    axes[0].legend()
    figure.suptitle(title)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=Path)
    p.add_argument("runs", nargs="+", metavar="LABEL=PATH")
    p.add_argument("--title", default="")
    p.add_argument("--bar", type=float)
    a, runs = p.parse_args(), {}
    for run in a.runs:
        label, _, path = run.partition("=")
        runs.setdefault(label, []).append(path)
    plot(runs, a.out, a.title, a.bar)


if __name__ == "__main__":
    main()
