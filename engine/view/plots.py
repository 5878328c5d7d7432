"""Plots of series, losses, joints and contact forces with matplotlib, written to a file (PNG, SVG or PDF).

The figures are drawn with matplotlib's objects alone: no window, no global state, no backend chosen for the caller.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.model import Model, require_model
from engine.model.constants import BALL, FREE, HINGE, SLIDE

# Okabe and Ito's colours, which people with any colour vision can tell apart; yellow is too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":")
LIMIT = {"color": "#6b7680", "linewidth": 0.9, "linestyle": (0, (4, 3))}
_SUFFIXES = (".png", ".svg", ".pdf")


def plot_series(
    path: Any, t: Any, series: Mapping[str, np.ndarray], ylabel: str, title: str = "", xlabel: str = "time (s)",
) -> Path:  # fmt: skip
    """Lines over time; `ylabel` names the quantity and its unit, e.g. "speed (m/s)"."""
    t = np.asarray(t, dtype=float)
    if not series:
        raise ValueError("series is empty: there is nothing to plot")
    figure, (axes,) = figure_of(1, height=4.0, title=title)
    for i, (name, values) in enumerate(series.items()):
        style = STYLES[i // len(COLOURS) % len(STYLES)]
        axes.plot(t, _values(f"series[{name!r}]", values, t), style, color=COLOURS[i % len(COLOURS)], label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if len(series) > 1:
        figure.legend(loc="outside right upper", frameon=False)
    return save_figure(figure, path)


def plot_loss(
    path: Any, metrics: Mapping[str, Sequence[float]] | Sequence[Mapping[str, float]], title: str = "",
) -> Path:  # fmt: skip
    """How an optimisation went: each metric over the iterations, one below another, in the order given.

    `metrics` holds a list for each name, or is a list with the metrics of each iteration. An axis is logarithmic
    where all values are positive and fall, from the largest to the last, by more than a factor of 50.
    """
    if not isinstance(metrics, Mapping):
        metrics = {name: [row[name] for row in metrics] for name in (metrics[0] if len(metrics) else ())}
    if not metrics or not all(len(values) for values in metrics.values()):
        raise ValueError("metrics is empty: there is nothing to plot")
    height = 0.6 + (3.2 if len(metrics) == 1 else 2.0 * len(metrics))
    figure, panels = figure_of(len(metrics), height=height, title=title)
    for i, (axes, (name, values)) in enumerate(zip(panels, metrics.items(), strict=True)):
        values = np.asarray(values, dtype=float)
        marker = "o" if len(values) <= 40 else None
        axes.plot(1 + np.arange(len(values)), values, color=COLOURS[i % len(COLOURS)], marker=marker, markersize=3.5)
        axes.set_ylabel(name.replace("_", " "))
        finite = values[np.isfinite(values)]
        if len(finite) and finite.min() > 0.0 and finite.max() > 50.0 * finite[-1]:
            axes.set_yscale("log")
    figure.align_ylabels()
    panels[-1].set_xlabel("iteration")
    panels[-1].xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    panels[-1].set_xlim(0.5, len(next(iter(metrics.values()))) + 0.5)
    return save_figure(figure, path)


def plot_joints(
    path: Any, model: Model, t: Any, qpos_before: Any, qpos_after: Any = None, *, names: Any = None,
    labels: Any = ("before", "after"), title: str = "",
) -> Path:  # fmt: skip
    """One small plot for each joint: degrees for hinges, metres for slides, with the joint's limits if it has any.

    A free joint gives its position and the angle of its rotation, a ball joint that angle. `names` replace those of
    the joints.
    """
    t = np.asarray(t, dtype=float)
    njnt = len(require_model(model, like="jnt_type").jnt_type)
    names = [name or f"joint {j}" for j, name in enumerate(model.joint_names if names is None else names)]
    if len(names) != njnt:
        raise ValueError(f"names has {len(names)} entries, but the model has {njnt} joints")
    runs = [_trajectory("qpos_before", qpos_before, t)]
    runs += [] if qpos_after is None else [_trajectory("qpos_after", qpos_after, t)]
    curves = [_joint_curves(model, j, names[j], runs) for j in range(njnt)]
    curves = [curve for joint in curves for curve in joint]
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, panels = figure_of(rows, columns, height=0.9 + 1.75 * rows, title=title)
    for axes, (name, ylabel, lines, limits) in zip(panels, curves, strict=False):
        for line, colour, label in zip(lines, COLOURS, labels, strict=False):
            axes.plot(t, line, color=colour, label=label if len(runs) == 2 else None)
        for limit in limits:
            axes.axhline(limit, **LIMIT)
        axes.set_title(name, fontsize=10)
        axes.set_ylabel(ylabel, fontsize=9)
    for axes in panels[len(curves) :]:
        axes.remove()
    for axes in panels[max(0, len(curves) - columns) : len(curves)]:
        axes.set_xlabel("time (s)")
        axes.tick_params(labelbottom=True)
    _legend(figure, panels[0], any(len(limits) for *_, limits in curves))
    return save_figure(figure, path)


def plot_contact_forces(path: Any, t: Any, forces: Any, names: Sequence[str], title: str = "") -> Path:
    """Forces (T, ncols) in newtons, a row for each name on one common scale: stance and swing are seen at a glance."""
    t = np.asarray(t, dtype=float)
    forces = np.asarray(forces, dtype=float)
    if forces.shape != (len(t), len(names)) or forces.size == 0:
        raise ValueError(f"forces has the shape {forces.shape}, but must have ({len(t)}, {len(names)}): times, names")
    figure, panels = figure_of(len(names), height=0.8 + 1.35 * len(names), title=title)
    low, high = min(0.0, np.nanmin(forces)), max(np.nanmax(forces), 1e-9)
    for i, (axes, name) in enumerate(zip(panels, names, strict=True)):
        colour = COLOURS[i % len(COLOURS)]
        axes.fill_between(t, forces[:, i], color=colour, alpha=0.25, linewidth=0)
        axes.plot(t, forces[:, i], color=colour, linewidth=1.2)
        axes.set_ylim(low * 1.05, high * 1.08)
        axes.set_title(name, fontsize=10, loc="left")
    figure.supylabel("contact force (N)", fontsize=11)
    panels[-1].set_xlabel("time (s)")
    return save_figure(figure, path)


def _joint_curves(model, j: int, name: str, runs: list[np.ndarray]):
    """The curves of one joint: (title, ylabel, one line for each run, limits)."""
    kind, adr = model.jnt_type[j], model.jnt_qposadr[j]
    if kind in (HINGE, SLIDE):
        scale, ylabel = (180.0 / np.pi, "angle (deg)") if kind == HINGE else (1.0, "position (m)")
        limits = scale * np.asarray(model.jnt_range[j]) if model.jnt_limited[j] else ()
        return [(name, ylabel, [scale * qpos[:, adr] for qpos in runs], limits)]
    curves = []
    if kind == FREE:
        curves += [(f"{name}, {'xyz'[k]}", "position (m)", [qpos[:, adr + k] for qpos in runs], ()) for k in range(3)]
    w = adr if kind == BALL else adr + 3
    angles = [2.0 * np.arctan2(np.linalg.norm(q[:, w + 1 : w + 4], axis=1), np.abs(q[:, w])) for q in runs]
    return curves + [(f"{name}, rotation", "angle (deg)", [np.degrees(angle) for angle in angles], ())]


def figure_of(rows: int, columns: int = 1, *, height: float, title: str, sharex: bool = True):
    """A figure with rows x columns axes of one look, and these axes in reading order."""
    figure = Figure(figsize=(9.0, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    panels = figure.subplots(rows, columns, sharex=sharex, squeeze=False).ravel()
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#dfe4e8", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.margins(x=0.01)
    if title:
        figure.suptitle(title, fontsize=13)
    return figure, panels


def _legend(figure: Figure, axes, limits: bool) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if limits:
        handles += axes.plot([], [], **LIMIT)
        labels.append("joint limit")
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)


def _values(name: str, values, t: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape != t.shape:
        raise ValueError(f"{name} has the shape {values.shape}, but must have that of t, {t.shape}")
    return values


def _trajectory(name: str, qpos, t: np.ndarray) -> np.ndarray:
    qpos = np.asarray(qpos, dtype=float)
    if qpos.ndim != 2 or len(qpos) != len(t):
        raise ValueError(f"{name} has the shape {qpos.shape}, but must have (times, nq) with {len(t)} times")
    return qpos


def save_figure(figure: Figure, path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"path={str(path)!r} must end in one of {', '.join(_SUFFIXES)}")
    figure.savefig(path)
    return path
