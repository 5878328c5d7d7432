"""Plots of columns (quantities.py): over time, against each other, and how the gradient grows backwards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection

from engine.view.plots import COLOURS, STYLES, figure_of, save_figure

_MOST_LINES = 7  # in one plot, as many as there are colours: more would not be told apart


def plot_columns(path: Any, columns: Any, title: str = "") -> Path:
    """Columns over time: a plot for each unit, and a new one where it would hold too many curves.

    `columns` is a list of Column, or {label: list}, whose runs are drawn in one plot each curve, the labels as styles.
    """
    runs = columns if isinstance(columns, Mapping) else {"": columns}
    first = next(iter(runs.values()))
    if not first:
        raise ValueError("columns is empty: there is nothing to plot")
    if len(runs) > len(STYLES) or any([c.name for c in run] != [c.name for c in first] for run in runs.values()):
        allowed = f"at most {len(STYLES)} runs with columns of the same names"
        raise ValueError(f"columns: got {list(runs)}, allowed: {allowed}")
    groups = _groups(first, max(2, _MOST_LINES // len(runs)))
    figure, panels = figure_of(len(groups), height=0.9 + 2.3 * len(groups), title=title)
    for axes, members in zip(panels, groups, strict=True):
        for i, k in enumerate(members):
            for (label, run), style in zip(runs.items(), STYLES, strict=False):
                name = f"{run[k].name}, {label}" if label else run[k].name
                colour = COLOURS[i % len(COLOURS)]
                axes.plot(run[k].times, run[k].values, style, color=colour, label=name, linewidth=1.3)
        axes.set_ylabel(f"{first[members[0]].group} ({first[members[0]].unit})")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8.5)
    panels[-1].set_xlabel("time (s)")
    figure.align_ylabels()
    return save_figure(figure, path)


def plot_phase(path: Any, pairs: Any, title: str = "") -> Path:
    """Phase plots: for each (position, velocity) pair of columns the velocity against the position.

    The line darkens with time; a ring marks the start, a dot the end.
    """
    if not pairs:
        raise ValueError("pairs is empty: there is nothing to plot")
    across = min(3, len(pairs))
    rows = -(-len(pairs) // across)
    figure, panels = figure_of(rows, across, height=0.7 + 2.7 * rows, title=title, sharex=False)
    for axes, (position, velocity) in zip(panels, pairs, strict=False):
        x, y = np.asarray(position.values), np.asarray(velocity.values)
        points = np.stack([x, y], axis=1)
        lines = LineCollection(np.stack([points[:-1], points[1:]], axis=1), cmap="viridis_r", linewidths=1.3)
        lines.set_array(position.times[:-1])
        axes.add_collection(lines)
        axes.plot(x[0], y[0], "o", markerfacecolor="white", markeredgecolor="#1f2d3a", markersize=6)
        axes.plot(x[-1], y[-1], "o", color="#1f2d3a", markersize=5)
        axes.set_title(position.name, fontsize=10)
        axes.set_xlabel(f"{position.group} ({position.unit})", fontsize=9)
        axes.set_ylabel(f"{velocity.group} ({velocity.unit})", fontsize=9)
        axes.autoscale_view()
    for axes in panels[len(pairs) :]:
        axes.remove()
    if len(pairs[0][0].times) > 1:
        bar = figure.colorbar(lines, ax=list(panels[: len(pairs)]), pad=0.02, aspect=40)
        bar.set_label("time (s)")
    return save_figure(figure, path)


def phase_pairs(positions: Any, velocities: Any) -> Any:
    """(position, velocity) of the slides and hinges among columns of qpos and qvel, by their names."""
    speed = {c.name: c for c in velocities}
    return [(c, speed[c.name]) for c in positions if c.name in speed]


def plot_gradient_norms(
    path: Any, times: Any, norms: Mapping[str, np.ndarray], title: str = "", loss: str = "loss",
) -> Path:  # fmt: skip
    """|d loss / d state| at every control step (`engine.adjoint(...).norms()`): where the gradient grows backwards.

    norms: {name: (steps,) or (steps, worlds)}; of several worlds the median and the range are drawn. Below: by which
    factor the norm of the velocity's adjoint grows in one step backwards, where a spike is an impact.
    """
    units = {"qpos": "per m or rad", "qvel": "per m/s or rad/s", "act": "per unit of activation",
             "ctrl": "per unit of control"}  # fmt: skip
    norms = {name: np.asarray(n, float).reshape(len(n), -1) for name, n in norms.items() if np.size(n) and np.any(n)}
    if not norms:
        raise ValueError("norms is empty or zero: the loss does not depend on the state")
    figure, (above, below) = figure_of(2, height=5.6, title=title)
    for i, (name, values) in enumerate(norms.items()):
        t = np.asarray(times)[: len(values)]
        label = f"{name} ({units.get(name, '1')})"
        above.plot(t, _positive(np.median(values, axis=1)), color=COLOURS[i % len(COLOURS)], label=label, linewidth=1.3)
        if values.shape[1] > 1:
            low, high = _positive(values.min(axis=1)), _positive(values.max(axis=1))
            above.fill_between(t, low, high, color=COLOURS[i % len(COLOURS)], alpha=0.15, linewidth=0)
    above.set_yscale("log")
    above.set_ylabel(f"|d {loss} / d state|")
    above.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    name = "qvel" if "qvel" in norms else next(iter(norms))
    values = np.median(norms[name], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = values[:-1] / values[1:]
    below.axhline(1.0, color="#6b7680", linewidth=0.9)
    below.plot(np.asarray(times)[: len(growth)], _positive(growth), color=COLOURS[0], linewidth=1.1)
    below.set_yscale("log")
    below.set_ylabel(f"growth of {name}'s\nper step backwards")
    below.set_xlabel("time (s)")
    figure.align_ylabels()
    return save_figure(figure, path)


def _positive(values):
    """Without zeros, which have no place on a logarithmic axis."""
    return np.where(values > 0.0, values, np.nan)


def _groups(columns, most):
    """Indices of the columns of one plot each: neighbours of one group and unit, at most `most`."""
    groups = []
    for k, c in enumerate(columns):
        last = columns[groups[-1][0]] if groups else None
        if last is None or (c.group, c.unit) != (last.group, last.unit) or len(groups[-1]) == most:
            groups.append([])
        groups[-1].append(k)
    return groups
