"""`pullback plot`: pictures of a recorded run, each a file in its folder."""

from pathlib import Path

import numpy as np

from engine.commands.common import DONE, Output
from engine.commands.recorded import end_adjoint, recording, world_of
from engine.files import read_table
from engine.words import meant

SERIES = ("qpos", "qvel", "act", "ctrl", "sensordata")
WORK = ("steps", "reversed", "seconds", "steps_per_second")  # metrics of what a run cost, plotted where asked for
_FPS = 25


def add(commands):
    p = commands.add_parser("plot", help="time series, phase plots, strobe pictures, gradient norms of a run")
    p.add_argument("run_folder", type=Path, help="run folder, or run file (.npz)")
    p.add_argument("quantity", nargs="*", help=f"any of {', '.join(PICTURES)} (default: all but the animations); "
                   "qpos:knee,hip takes the columns of these names")  # fmt: skip
    p.add_argument("--world", help="label of the world (default: series of all, the rest of the last)")
    p.add_argument("--out", type=Path, help="folder for the pictures (default: plots, in the run folder)")
    p.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    p.set_defaults(run=run)


def run(args):
    words = args.quantity or [name for name in PICTURES if name not in ("animation", "video")]
    for word in words:
        if word.partition(":")[0] not in PICTURES:
            near = meant(word.partition(":")[0], PICTURES)
            raise ValueError(f"quantity: got {word!r}{near}, allowed: {', '.join(PICTURES)}")
    job = Plots(recording(args.run_folder), args)
    out = Output(args.json)
    job.folder.mkdir(parents=True, exist_ok=True)
    for word in words:
        name, _, columns = word.partition(":")
        path = PICTURES[name](job, name, [c for c in columns.split(",") if c])
        if path is None:
            if args.quantity:
                raise ValueError(f"{name}: this run has none")
            continue
        out.say(path)
        out.record("plot", quantity=name, path=path)
    return DONE


class Plots:
    """A run, the world looked at, and what is computed at most once."""

    def __init__(self, found, args):
        self.run, self.source = found, args.run_folder
        self.world = world_of(found, args.world)
        self.compared = [self.world] if args.world or found.worlds > 3 else range(found.worlds)
        base = args.run_folder if args.run_folder.is_dir() else args.run_folder.parent
        self.base, self.folder = base, args.out or base / "plots"
        self._seen = None

    @property
    def title(self):
        label = self.run.labels[self.world]
        return f"{self.run.name}, {label}" if self.run.worlds > 1 else self.run.name

    @property
    def seen(self):
        from engine.replay import replay

        self._seen = self._seen or replay(self.run.model, self.run, world=self.world)
        return self._seen

    def series(self, name, words):
        from engine.view import plot_columns
        from engine.view.quantities import chosen, columns, distinct

        runs, labels = {}, distinct(self.run.labels)
        for w in self.compared:
            label = labels[w] if len(self.compared) > 1 else ""
            runs[label] = chosen(columns(self.run.model, name, self.run, world=w), words)
        if not next(iter(runs.values())):
            return None
        return plot_columns(self.folder / f"{name}.png", runs, title=f"{self.run.name}: {name}")

    def measured(self, name, words):
        from engine.view import plot_columns
        from engine.view.quantities import chosen, columns

        found = columns(self.run.model, name, self.run, self.seen, self.world)
        if not found:
            return None
        title = f"{self.title}: {'energy' if name == 'energy' else 'contact forces'}"
        return plot_columns(self.folder / f"{name}.png", chosen(found, words), title=title)

    def phase(self, name, words):
        from engine.view import phase_pairs, plot_phase
        from engine.view.quantities import chosen, columns

        positions, velocities = (columns(self.run.model, n, self.run, world=self.world) for n in ("qpos", "qvel"))
        pairs = phase_pairs(chosen(positions, words), velocities)
        return plot_phase(self.folder / "phase.png", pairs, title=f"{self.title}: phases") if pairs else None

    def gradient(self, name, words):
        from engine.view import plot_gradient_norms

        grown, loss = end_adjoint(self.run, self.world)
        norms = {k: n for k, n in grown.norms().items() if n.size and (not words or k in words)}
        return plot_gradient_norms(
            self.folder / "gradient.png", grown.time, norms, title=f"{self.title}: gradient of the {loss}", loss="loss"
        )

    def strobe(self, name, words):
        from engine.view import lines_of, save_strobe

        s = self.seen
        return save_strobe(self.folder / "strobe.png", self.run.model, s.geom_xpos, s.geom_xquat, times=s.time,
                           title=self.title, camera=self.camera(), lines=lines_of(self.run.model, s))  # fmt: skip

    def animation(self, name, words):
        return self._film("animation.gif")

    def video(self, name, words):
        return self._film("animation.mp4")

    def _film(self, file):
        from engine.view import lines_of, save_animation

        s = self.seen
        step = max(1, round(1.0 / (_FPS * (s.time[1] - s.time[0])))) if len(s.time) > 1 else 1
        return save_animation(self.folder / file, self.run.model, s.geom_xpos[::step], s.geom_xquat[::step], fps=_FPS,
                              times=s.time[::step], title=self.title, camera=self.camera(),
                              lines=lines_of(self.run.model, s, step))  # fmt: skip

    def loss(self, name, words):
        from engine.view import plot_loss

        table = self.base / "metrics.csv"
        if not table.exists():
            return None
        metrics = {k: a for k, a in read_table(table, "a run's metrics").items() if k != "iteration"}
        for k in words:
            if k not in metrics:
                raise ValueError(f"loss: no column {k!r}{meant(k, metrics)}; there are: {', '.join(metrics)}")
        chosen = {k: metrics[k] for k in words} or telling(metrics)
        shown = {f"{k} (m)" if k.endswith("distance") else k: a for k, a in chosen.items()}
        return plot_loss(self.folder / "loss.png", shown, title=self.run.name)

    def camera(self):
        from engine.commands.view import camera_of
        from engine.view import Camera

        return Camera(**camera_of(self.run.name))


def telling(metrics):
    """Those of a run's metrics that say something: no work done, nothing that stays as it was, nothing twice."""
    found = {}
    for name, values in metrics.items():
        there = values[np.isfinite(values)]
        still = len(values) > 1 and not (there != there[:1]).any()
        twice = any(np.array_equal(values, other, equal_nan=True) for other in found.values())
        if name not in WORK and not still and not twice:
            found[name] = values
    return found or metrics


PICTURES = dict.fromkeys(SERIES, Plots.series) | {
    "energy": Plots.measured, "contact": Plots.measured, "phase": Plots.phase, "gradient": Plots.gradient,
    "strobe": Plots.strobe, "animation": Plots.animation, "video": Plots.video, "loss": Plots.loss,
}  # fmt: skip
