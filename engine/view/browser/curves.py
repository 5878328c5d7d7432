"""Curves beside the robot: what a Replay holds, over time, as pictures in SVG that a page shows under a cursor."""

import html
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from engine.view.plots import COLOURS
from engine.view.quantities import columns

WIDTH, HEIGHT = 300, 150  # pixels
LEFT, RIGHT, TOP, BOTTOM = 44, 6, 6, 20  # kept free about a plot
_MOST, _POINTS = len(COLOURS), 400


@dataclass(frozen=True)
class Curves:
    """One plot. title: with the unit. times (T,): s. lines: {name: values (T,)}."""

    title: str
    times: np.ndarray
    lines: dict


def curves_of(model, seen):
    """Curves of one Replay: coordinates, contact forces, energy; a plot for each unit, at most seven lines in one."""
    rows = SimpleNamespace(qpos=seen.qpos[:, None], times=seen.time[:, None])
    found = columns(model, "qpos", rows) if model.nq else []
    found = [*found, *columns(model, "contact", rows, seen), *columns(model, "energy", rows, seen)]
    groups = {}
    for column in found:
        groups.setdefault((column.group, column.unit), []).append(column)
    plots = []
    for (group, unit), own in groups.items():
        parts = [own[i : i + _MOST] for i in range(0, len(own), _MOST)]
        for k, part in enumerate(parts):
            number = f" {k + 1} of {len(parts)}" if len(parts) > 1 else ""
            lines = {c.name: np.asarray(c.values, float) for c in part}
            plots.append(Curves(f"{group}{number} ({unit})", seen.time, lines))
    return plots


def svg(plot):
    """The plot as SVG, whose axes' area is that of `WIDTH`, `HEIGHT` without the room about it."""
    every = max(1, -(-len(plot.times) // _POINTS))
    times = plot.times[::every] - plot.times[0]
    values = np.concatenate([v[np.isfinite(v)] for v in plot.lines.values()])
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    if not high - low > 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - 0.5, high + 0.5
    end = max(float(plot.times[-1] - plot.times[0]), 1e-9)
    x = LEFT + times / end * (WIDTH - LEFT - RIGHT)
    bottom = HEIGHT - BOTTOM

    def height(value):
        return bottom - (value - low) / (high - low) * (bottom - TOP)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" xmlns="http://www.w3.org/2000/svg">']
    small = 'font-family="sans-serif" font-size="9" fill="#4a5560"'
    for value in (low, (low + high) / 2.0, high):
        y = height(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dfe4e8"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end" {small}>{value:.3g}</text>')
    for anchor, at, second in (("start", LEFT, 0.0), ("end", WIDTH - RIGHT, end)):
        parts.append(f'<text x="{at}" y="{HEIGHT - 6}" text-anchor="{anchor}" {small}>{second:.3g} s</text>')
    for colour, line in zip(COLOURS, plot.lines.values(), strict=False):
        points = " ".join(f"{a:.1f},{height(b):.1f}" for a, b in zip(x, line[::every], strict=True) if np.isfinite(b))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    return "".join([*parts, "</svg>"])


def names(plot):
    """The names of the lines in their colours, as HTML."""
    return " ".join(
        f'<span style="white-space:nowrap"><b style="color:{colour}">&#9473;</b> {html.escape(name)}</span>'
        for colour, name in zip(COLOURS, plot.lines, strict=False)
    )
