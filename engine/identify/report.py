"""The report of a Fit: one HTML file that holds everything, and its pictures as PNG files beside it."""

import base64
import html
from pathlib import Path

import numpy as np

from engine.files import write_text
from engine.identify.base_inertias import apart, sentence
from engine.identify.judged import SURE
from engine.words import counted

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.15rem .7rem;text-align:right;"
    "border-bottom:1px solid #e3e6e9}th{white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def write_report(fit, folder, suggestion=None):
    """`report.html` and its PNGs in a folder, with a Suggestion if there is one; the path of the page. Rolls out the
    first guess and the fit once more."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _pictures(fit, folder)
    page = folder / "report.html"
    write_text(page, _page(fit, pictures, suggestion))
    return page


def _pictures(fit, folder):
    from engine.view.fits import plot_correlation, plot_fit, plot_numbers, plot_residuals

    problem, point = fit.problem, fit.point
    windows = problem.windows
    before = [r.copy() for r in problem.residuals(fit.guess, fit.problem.starts)]
    after = problem.residuals(point.p, point.starts)
    channels, left, later = {}, {}, _later(windows)
    for s, b, a in zip(windows.samples, before, after, strict=True):
        for k in range(s.what.size):
            label = s.what.label if s.what.size == 1 else f"{s.what.label}[{k}]"
            order, time = _after_another(windows.log[s.window], s.time + later[windows.log[s.window]])
            left[label] = time, a[order, k]
            if s.what.kind == "pose" and k >= 3:  # a rotation vector from what was measured
                measured = np.zeros(len(s.time))
            else:
                measured = s.value[:, k]
            rows = measured, measured + s.sd[k] * b[:, k], measured + s.sd[k] * a[:, k]
            channels[label] = time, *(row[order] for row in rows)
    length = windows.steps * windows.h
    shade = [(t, t + length) for t in (windows.start + later[windows.log])[~problem.used]]
    rest = ~apart(problem)  # bodies whose numbers are all looked for have tables
    names = [n for n, r in zip(fit.names, rest, strict=True) if r]
    numbers = {
        "Numbers with their 95 % intervals": plot_numbers(folder / "numbers.png", names, fit.guess[rest],
                                                          fit.values[rest], fit.low[rest], fit.high[rest]),
    } if names else {}  # fmt: skip
    return {
        "Data and fit": plot_fit(folder / "fit.png", channels, shade),
        "Residuals": plot_residuals(folder / "residuals.png", left),
        **numbers,
        "Correlations": plot_correlation(folder / "correlations.png", fit.names, fit.correlation),
    }  # fmt: skip


def _later(windows):
    """By how much each log is drawn later (logs,): one after the other, though each may begin at 0."""
    length, later, end = windows.steps * windows.h, np.zeros(len(windows.logs)), -np.inf
    for i in range(len(windows.logs)):
        start = windows.start[windows.log == i]
        if end > start[0]:
            later[i] = end + length - start[0]
        end = start[-1] + length + later[i]
    return later


def _after_another(logs, time):
    """(which samples, times), with a gap where a log ends: a line stops there."""
    order, ends = np.arange(len(time)), np.flatnonzero(np.diff(logs)) + 1
    return np.insert(order, ends, order[ends - 1]), np.insert(time, ends, np.nan)


def _page(fit, pictures, suggestion):
    text, problem = html.escape, fit.problem
    name = text(problem.model.name or "robot")
    used, out = int(problem.used.sum()), int((~problem.used).sum())
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Identification of {name}</title>",
        f"<style>{STYLE}</style>",
        f"<h1>Identification of {name}</h1>",
        f"<p>{counted(len(fit.names), 'number')} from {counted(used, 'window')} of "
        f"{problem.windows.steps * problem.windows.h:g} s; {counted(out, 'more window')} only judged. "
        f"{counted(fit.iterations, 'iteration')}, {fit.seconds:.1f} s"
        f"{'' if fit.converged else '; <b>not settled: intervals may be too short</b>'}.</p>",
        "<h2>What the data do not tell</h2>",
        "<ul>" + "".join(f"<li>{text(s)}</li>" for s in fit.unknown) + "</ul>" if fit.unknown else
        f"<p>{_all_known(fit)}</p>",
    ]  # fmt: skip
    if problem.doubts:
        parts.append("<ul>" + "".join(f"<li>{text(s)}</li>" for s in problem.doubts) + "</ul>")
    if fit.runs > 1.5:
        parts.append(f"<p>Neighbouring residuals go together (a factor of {fit.runs:.1f} in the variances, which the "
                     "intervals have): something that moves this robot is not in the model.</p>")  # fmt: skip
    if len(fit.replicas):
        parts.append(f"<p>{len(fit.replicas)} replicas, logs of the robot found, were fitted as this one was; where "
                     "they end farther off than the minimum says, the intervals are theirs.</p>")  # fmt: skip
    rows = [("", "guess", "found", "± (95 %)")]
    rows += [(n, f"{g:.6g}", f"{v:.6g}", f"{SURE * sd:.2g}")
             for n, g, v, sd in zip(fit.names, fit.guess, fit.values, fit.sd, strict=True)]  # fmt: skip
    parts += ["<h2>Numbers</h2>", _table(rows)]
    if fit.bodies:
        parts += ["<h2>Bodies</h2>", _table(_bodies(fit)), f"<p>{text(sentence(fit))}</p>"]
    if fit.combinations:
        rows = [("combination", "found", "± (95 %)")]
        rows += [(c.words(), f"{c.value:.6g}", f"{SURE * c.sd:.2g}") for c in fit.combinations]
        parts += [_table(rows)]
    rows = [("channel", "noise", "first guess", "fitted", "first guess, held out", "fitted, held out")]
    for label, (a, ao) in fit.after.items():
        b, bo = fit.before[label]
        rows.append((label, *(f"{x:.3g}" for x in (fit.noise[label], b, a, bo, ao))))
    parts += ["<h2>Errors, root mean square, with the best starts of both</h2>", _table(rows)]
    if suggestion is not None:
        parts += ["<h2>What would tell more</h2>", f"<pre>{text(str(suggestion))}</pre>"]
    for title, path in pictures.items():
        data = base64.b64encode(path.read_bytes()).decode()
        parts += [f"<h2>{title}</h2>", f'<img alt="{title}" src="data:image/png;base64,{data}">']
    return "\n".join(parts) + "\n</html>\n"


def _all_known(fit):
    """What is said where no sentence says what is unknown."""
    if apart(fit.problem).all():
        return "What they tell of the bodies stands below."
    return f"Every {'other ' * bool(fit.bodies)}number is known to better than half its size."


def _bodies(fit):
    """Rows of a table of bodies whose inertial numbers were all looked for."""
    what = ("mass (kg)", "centre x (m)", "y", "z", "Ixx (kg m²)", "Iyy", "Izz", "Ixy", "Ixz", "Iyz")
    rows = [("about its centre of mass", *(b.name for b in fit.bodies))]
    for k, name in enumerate(what):
        rows.append((name, *(f"{b.value[k]:.4g} ± {SURE * b.sd[k]:.2g}" for b in fit.bodies)))
    return rows


def _table(rows):
    cells = [["".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in row)] for row, tag in
             zip(rows, ["th"] + ["td"] * (len(rows) - 1), strict=True)]  # fmt: skip
    return "<table>" + "".join(f"<tr>{row[0]}</tr>" for row in cells) + "</table>"
