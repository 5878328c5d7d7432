"""The board's plot: for every task the best cost against simulator steps, of every method, on one page."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from engine.view.plots import COLOURS

LOOKS = {
    "gradient": (COLOURS[0], "-"), "windows": (COLOURS[2], "-"), "lbfgs": (COLOURS[5], "-"), "lqr": (COLOURS[6], "-"),
    "ilqr": (COLOURS[3], "-"), "mpc": (COLOURS[4], "-"), "random": (COLOURS[1], "--"),
}  # fmt: skip


def plot_board(path: Any, rows: Any, notes: Any = None, columns: int = 4) -> Path:
    """Write a picture (PNG, SVG or PDF). rows: dicts with task, method, solved, steps, reversed and curve.

    curve: [forward steps, reversed steps, lowest cost of a trial so far] after each iteration; empty, or a single
    entry, for a search that makes one trial only (mpc). A dot marks where a search met the task's threshold; a cross
    where it gave up, at the top if its trial was not over. notes: {task: text} for the panels' titles.
    """
    tasks = list(dict.fromkeys(r["task"] for r in rows))
    if not tasks:
        raise ValueError("rows is empty: there is nothing to plot")
    columns = min(columns, len(tasks))
    lines = -(-len(tasks) // columns)
    figure = Figure(figsize=(3.1 * columns, 0.9 + 2.15 * lines), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, task in zip(panels, tasks, strict=False):
        _panel(axes, [r for r in rows if r["task"] == task])
        note = (notes or {}).get(task)
        axes.set_title(task.replace("_", " ") + (f": {note}" if note else ""), fontsize=10)
    for axes in panels[len(tasks) :]:
        axes.remove()
    counted = "simulator steps, forward and reversed (in a title: those of random search over the fewest)"
    figure.supxlabel(counted, fontsize=11)
    figure.supylabel("lowest cost of a trial so far", fontsize=11)
    known = [m for m in LOOKS if any(r["method"] == m for r in rows)]
    handles = [panels[0].plot([], [], color=LOOKS[m][0], linestyle=LOOKS[m][1])[0] for m in known]
    handles += [panels[0].plot([], [], "o", color="#39434d")[0], panels[0].plot([], [], "x", color="#39434d")[0]]
    figure.legend(handles, [*known, "solved", "gave up"], loc="outside upper center", ncols=9, frameon=False)
    figure.savefig(path)
    return path


def _panel(axes, rows):
    for r in rows:
        colour, style = LOOKS[r["method"]]
        mark = {"marker": "o" if r["solved"] else "x", "color": colour, "markersize": 6, "clip_on": False}
        curve = np.array(r["curve"], float).reshape(-1, 3)
        curve = curve[np.isfinite(curve[:, 2])]
        if len(curve):
            steps, cost = curve[:, 0] + curve[:, 1], curve[:, 2]
            axes.plot(steps, cost, color=colour, linestyle=style, linewidth=1.4)
            axes.plot(steps[-1], cost[-1], **mark)
        elif r["steps"]:
            axes.plot(r["steps"] + r["reversed"], 1.0, transform=axes.get_xaxis_transform(), **mark)
    costs = [c[2] for r in rows for c in r["curve"] if np.isfinite(c[2])]
    if costs and min(costs) > 0 and max(costs) > 20 * min(costs):
        axes.set_yscale("log")
    axes.set_xscale("log")
    # over less than a decade matplotlib names the ticks in between, and their names overlap
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dfe4e8", linewidth=0.7)
    axes.set_axisbelow(True)
