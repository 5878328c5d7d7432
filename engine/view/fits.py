"""Pictures of an identification: data and fit, residuals, numbers with their intervals, correlations."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.view.plots import COLOURS

MOST = 12  # channels that a picture shows


def plot_fit(path: Any, channels: Any, shade: Any = ()) -> Path:
    """Measured and fitted values over time, a panel for each of the first channels. channels: {label: (times, measured,
    before, after)}, arrays (n,); shade: times (start, end) of windows that only judged."""
    shown = list(channels.items())[:MOST]
    figure, panels = _panels(len(shown), 3.2, 1.7)
    for axes, (label, (time, measured, before, after)) in zip(panels, shown, strict=True):
        for start, end in shade:
            axes.axvspan(start, end, color="#eef1f4", linewidth=0)
        axes.plot(time, measured, ".", color="#9aa5ae", markersize=2, label="measured")
        axes.plot(time, before, color=COLOURS[1], linewidth=0.8, label="first guess")
        axes.plot(time, after, color=COLOURS[0], linewidth=0.8, label="fitted")
        axes.set_title(label, fontsize=8)
        axes.tick_params(labelsize=7)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.supxlabel("time (s)", fontsize=9)
    return _saved(figure, path)


def plot_residuals(path: Any, channels: Any) -> Path:
    """What is left of each channel over time, in units of its noise. channels: {label: (times, residuals)}."""
    shown = list(channels.items())[:MOST]
    figure, panels = _panels(len(shown), 3.2, 1.5)
    for axes, (label, (time, r)) in zip(panels, shown, strict=True):
        axes.axhspan(-2, 2, color="#eef1f4", linewidth=0)
        axes.plot(time, r, ".", color=COLOURS[0], markersize=1.5)
        axes.set_title(label, fontsize=8)
        axes.tick_params(labelsize=7)
    figure.supxlabel("time (s)", fontsize=9)
    figure.supylabel("residual / noise", fontsize=9)
    return _saved(figure, path)


def plot_numbers(path: Any, names: Any, guess: Any, values: Any, low: Any, high: Any) -> Path:
    """Numbers found with their 95 % intervals, beside the first guesses, each in units of its own size."""
    values, guess, low, high = (np.asarray(a, float) for a in (values, guess, low, high))
    size = np.where(np.maximum(abs(values), abs(guess)) > 0, np.maximum(abs(values), abs(guess)), 1.0)
    figure = Figure(figsize=(7.0, 0.9 + 0.2 * len(names)), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    y = np.arange(len(names))[::-1]
    arms = np.nan_to_num(np.clip(np.stack([values - low, high - values]) / size, 0, 10), nan=10.0)
    axes.plot(guess / size, y, "o", markersize=4, markerfacecolor="none", color=COLOURS[1], label="first guess")
    axes.errorbar(values / size, y, xerr=arms, fmt="o", markersize=3, color=COLOURS[0], capsize=2, label="found")
    axes.set_yticks(y, names, fontsize=7)
    axes.set_xlabel("number / the greater of guess and value")
    axes.set_xlim(max(-2.5, (values / size - arms[0]).min() - 0.2), min(2.5, (values / size + arms[1]).max() + 0.2))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return _saved(figure, path)


def plot_correlation(path: Any, names: Any, correlation: Any) -> Path:
    """Which numbers the data tell only together: the matrix of correlations."""
    n = len(names)
    size = max(3.5, 1.8 + 0.17 * n)
    figure = Figure(figsize=(size + 0.6, size), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(np.nan_to_num(np.asarray(correlation, float)), vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_xticks(range(n), names, rotation=90, fontsize=6)
    axes.set_yticks(range(n), names, fontsize=6)
    figure.colorbar(image, ax=axes, shrink=0.7)
    return _saved(figure, path)


def _panels(count, width, height):
    columns = min(3, count)
    lines = -(-count // columns)
    figure = Figure(figsize=(width * columns, 0.7 + height * lines), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def _saved(figure, path):
    figure.savefig(path)
    return Path(path)
