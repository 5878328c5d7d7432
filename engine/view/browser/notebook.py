"""A robot in a notebook's cell: the page of html.py, in a frame of its own."""

import html
import tempfile
import webbrowser
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.arguments import whole
from engine.diff.tape import Tape
from engine.files import write_text
from engine.replay import replay
from engine.simulator import Simulator
from engine.view.browser.html import html_of


class Page:
    """What `show` returns: a notebook shows it where a cell ends with it. text: HTML, whole, that needs no network."""

    def __init__(self, text: str, height: int) -> None:
        self.text, self.height = text, height

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe srcdoc="{html.escape(self.text)}" style="{style}" title="Pullback"></iframe>'

    def __repr__(self) -> str:
        return f"<Page of {len(self.text) / 1e6:.1f} MB: shown in a notebook; .open() in the browser, .save(path)>"

    def save(self, path: str | PathLike[str]) -> Path:
        """Write it as an .html file; returns the path."""
        write_text(Path(path), self.text)
        return Path(path)

    def open(self) -> Path:
        """Show it in the browser, from a temporary file; returns its path."""
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(self.text)
        webbrowser.open(Path(file.name).as_uri())
        return Path(file.name)


def show(
    x: Any, worlds: int | Sequence[int] = (0,), *, height: int = 480, camera: dict[str, Any] | None = None,
    fps: float = 30.0, follow: bool = True, names: bool = False,
) -> Page:  # fmt: skip
    """A Page of a Tape's last rollout, of a Recording, or of a Simulator as it is now; for a notebook's cell.

    worlds: the number of the one, or of those, that are shown, side by side. height: of the frame, pixels. camera: an
    engine.view.Camera, or its keywords. names: whether bodies have their names at them. Raises TypeError for anything
    else, ImportError, which names the extra, without viser.
    """
    model, trajectory = _recorded(x)
    worlds = [worlds] if np.ndim(worlds) == 0 else list(worlds)
    whole("height", height)
    seen = [replay(model, trajectory, world=w) for w in worlds]
    labels = [f"world {w}" for w in worlds] if len(worlds) > 1 else None
    return Page(html_of(model, seen, labels=labels, camera=camera, fps=fps, follow=follow, names=names), height)


def _recorded(x):
    """(model, what `replay` takes)."""
    if isinstance(x, Tape):
        return x.sim.model, x.trajectory
    if isinstance(x, Simulator):
        d = x.data
        rows = {name: getattr(d, name)[None] for name in ("qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat")}
        return x.model, SimpleNamespace(**rows, eq_active=d.eq_active, times=d.time[None])
    if hasattr(x, "model") and hasattr(x, "qpos"):
        return x.model, x
    raise TypeError(f"show: got {type(x).__name__}, allowed: a Tape after a rollout, a Recording, a Simulator")
