"""One picture of a simulator as an array, with matplotlib alone."""

from typing import Any

import numpy as np

from engine.simulator import Simulator
from engine.view.animation import picture_of
from engine.view.cords import cord_lines
from engine.words import required


def image(
    sim: Simulator, worlds: int | list[int] = 0, *, camera: Any = None, title: str | None = None
) -> np.ndarray:  # fmt: skip
    """What a simulator's last `forward` or step left, as an array (height, width, 3) of bytes. (One that has made none
    makes a `forward` first.)

    worlds: a number, or several, which are drawn one above another. camera: an engine.view.Camera, or its keywords.
    Raises ValueError for a world that does not exist.
    """
    required("sim", sim, Simulator, "engine.Simulator(model)")
    rows = [worlds] if np.ndim(worlds) == 0 else list(worlds)
    if not rows or any(not isinstance(w, (int, np.integer)) or not 0 <= w < sim.worlds for w in rows):
        raise ValueError(f"worlds: got {worlds!r}, allowed: numbers from 0 to {sim.worlds - 1}")
    d = sim.data
    if not d.geom_xquat[rows].any():
        sim.forward()
    lines = [cord_lines(sim.model, d.xpos[[w]], d.xquat[[w]]) for w in rows]
    poses = [[a[[w]].copy() for w in rows] for a in (d.geom_xpos, d.geom_xquat)]
    times = d.time[rows]
    labels = [f"world {w}" for w in rows] if len(rows) > 1 else None
    time = float(times[0]) if len(set(times.tolist())) == 1 else None
    return picture_of(sim.model, *poses, time=time, title=title, labels=labels, camera=camera, lines=lines)
