"""Robots in motion: an animation, one frame, or several poses over one another, from the world poses of the geoms.

    save_animation("run.gif", model, geom_xpos, geom_xquat, fps=25)
    save_animation("learned.gif", model, [before, after], [before_quat, after_quat], labels=["before", "after"])

Every function takes one trajectory, geom_xpos (T, ngeom, 3) in metres and geom_xquat (T, ngeom, 4) as w, x, y, z, or
a list of trajectories that are drawn one above another. lines (T, n, 2, 3), or a list of such arrays: lines of the
world that are drawn over the robot, in metres, such as `lines_of` a Replay, which have colours and widths.
"""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.model import Model
from engine.view.camera import Camera, camera_of
from engine.view.gif import save_gif
from engine.view.ground import Window
from engine.view.panel import INK, Panel, metres
from engine.view.take import Take, bounds_of, camera_path, resting_path, takes_of
from engine.view.video import save_mp4

WIDTH = 9.0  # inches; at 100 dots per inch
PANEL_HEIGHT = {1: 4.2, 2: 2.9}  # inches of one of so many robots
SMALL_PANEL_HEIGHT = 2.3
TITLE_HEIGHT = 0.45
BELOW, ABOVE = 0.23, 0.18  # parts of the window's height kept free for the ruler and for the texts
SIDES = 1.12  # the least width of the window, in widths of what it holds


def save_animation(
    path: Any, model: Model, geom_xpos: Any, geom_xquat: Any, *, fps: float = 25, times: Any = None,
    title: Any = None, labels: Any = None, camera: Any = None, lines: Any = None, notes: Any = None,
    progress: Callable[[int, int], object] | None = None,
) -> Path:  # fmt: skip
    """Write an animation with `fps` frames a second: a GIF, or an MP4 (extra `video`).

    `times` are the simulated seconds of the frames; by default they pass as in reality. `model` may be a list with a
    model for each trajectory. A trajectory shorter than the others stays at its last frame. `notes`: for each
    trajectory the texts of its frames, in place of the distance that it has come. `progress(k, frames)` is called
    before frame k is drawn.
    """
    if isinstance(fps, bool) or not isinstance(fps, (int, float, np.number)):
        raise TypeError(f"fps: got {type(fps).__name__}, allowed: a number above 0 and not above 50")
    if not 0 < fps <= 50:
        raise ValueError(f"fps={fps} must lie above 0 and not above 50, the fastest that GIF viewers show")
    path = _checked_path(path, (".gif", ".mp4"))
    camera = camera_of(camera)
    takes = takes_of(model, geom_xpos, geom_xquat, camera, lines)
    frames = max(len(take.xpos) for take in takes)
    times = _checked_times(times, frames, fps)
    paths = [camera_path(take, camera, window=max(2, round(0.4 * fps))) for take in takes]
    _, panels = _figure(takes, paths, camera, title, labels, animated=True)
    save = save_gif if path.suffix.lower() == ".gif" else save_mp4
    draw = _draw(panels, takes, paths, times, notes or [None] * len(takes))

    def drawn(k: int) -> np.ndarray:
        if progress is not None:
            progress(k, frames)
        return draw(k)

    return save(path, drawn, frames, fps)


def save_frame(
    path: Any, model: Model, geom_xpos: Any, geom_xquat: Any, *, frame: int = -1, time: Any = None, title: Any = None,
    labels: Any = None, camera: Any = None, lines: Any = None,
) -> Path:  # fmt: skip
    """Write one frame of the trajectory as a picture (PNG, SVG or PDF), seen as the animation would show it."""
    path = _checked_path(path, (".png", ".svg", ".pdf"))
    _frame(model, geom_xpos, geom_xquat, frame, time, title, labels, camera, lines).savefig(path)
    return path


def picture_of(
    model: Model, geom_xpos: Any, geom_xquat: Any, *, frame: int = -1, time: Any = None, title: Any = None,
    labels: Any = None, camera: Any = None, lines: Any = None,
) -> np.ndarray:  # fmt: skip
    """The picture of `save_frame` as an array (height, width, 3) of bytes."""
    canvas = _frame(model, geom_xpos, geom_xquat, frame, time, title, labels, camera, lines).canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _frame(model, geom_xpos, geom_xquat, frame, time, title, labels, camera, lines) -> Figure:
    camera = camera_of(camera)
    takes = takes_of(model, geom_xpos, geom_xquat, camera, lines)
    frames = max(len(take.xpos) for take in takes)
    if not -frames <= frame < frames:
        raise ValueError(f"frame={frame} is outside of the trajectory, which has {frames} frames")
    k = frame % frames
    paths = [camera_path(take, camera, window=10) for take in takes]
    figure, panels = _figure(takes, paths, camera, title, labels, animated=False)
    for panel, take, lookat in zip(panels, takes, paths, strict=True):
        panel.show([take.pose(k)], lookat[min(k, len(lookat) - 1)], _readout(time, _way(take, k)))
    return figure


def save_strobe(
    path: Any, model: Model, geom_xpos: Any, geom_xquat: Any, *, poses: int = 6, times: Any = None, title: Any = None,
    labels: Any = None, camera: Any = None, lines: Any = None,
) -> Path:  # fmt: skip
    """Write several poses over one another as a picture, the older the paler, seen from a camera at rest.

    `poses` is their number, evenly spaced from the first frame to the last, or the frames themselves. With `times`,
    the simulated seconds of all frames, each pose is marked with its own.
    """
    path = _checked_path(path, (".png", ".svg", ".pdf"))
    camera = camera_of(camera)
    takes = takes_of(model, geom_xpos, geom_xquat, camera, lines)
    frames = min(len(take.xpos) for take in takes)
    chosen = _checked_poses(poses, frames)
    times = None if times is None else _checked_times(times, max(len(take.xpos) for take in takes), None)
    paths = [resting_path(take, camera, chosen) for take in takes]
    figure, panels = _figure(takes, paths, camera, title, labels, animated=False, frames=chosen)
    for panel, take, lookat in zip(panels, takes, paths, strict=True):
        fades = np.linspace(0.72, 0.0, len(chosen)) if len(chosen) > 1 else [0.0]
        panel.show([take.pose(k, fade) for k, fade in zip(chosen, fades, strict=True)], lookat[0])
        if times is not None:
            _mark_times(panel, take, lookat[0], chosen, times)
    figure.savefig(path)
    return path


def _draw(panels: list[Panel], takes: list[Take], paths: list[np.ndarray], times: np.ndarray, notes):
    """The function k -> pixels (height, width, 3) of frame k: what never changes is drawn once and copied."""
    canvas = panels[0].axes.figure.canvas
    canvas.draw()
    background = canvas.copy_from_bbox(canvas.figure.bbox)

    def draw(k: int) -> np.ndarray:
        canvas.restore_region(background)
        for panel, take, lookat, note in zip(panels, takes, paths, notes, strict=True):
            said = _way(take, k) if note is None else note[min(k, len(note) - 1)]
            panel.show([take.pose(k)], lookat[min(k, len(lookat) - 1)], _readout(times[k], said))
            for artist in panel.artists:
                panel.axes.draw_artist(artist)
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()

    return draw


def _figure(takes, paths, camera: Camera, title, labels, animated: bool, frames=None) -> tuple[Figure, list[Panel]]:
    """A figure with a panel for each trajectory, all at the scale of the one that needs most room."""
    if labels is not None and (isinstance(labels, str) or len(labels) != len(takes)):
        raise ValueError(f"labels={labels!r} must be a list with one label for each of {len(takes)} trajectories")
    bounds = [bounds_of(take, lookat, camera, frames) for take, lookat in zip(takes, paths, strict=True)]
    tall = PANEL_HEIGHT.get(len(takes), SMALL_PANEL_HEIGHT)
    if frames is not None and camera.width is None:
        tall = min(tall, _height_of_wide(bounds))
    head = TITLE_HEIGHT if title else 0.08
    height = head + len(takes) * (tall + 0.08)
    figure = Figure(figsize=(WIDTH, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    if title:
        figure.text(0.5, 1.0 - 0.5 * head / height, title, ha="center", va="center", fontsize=14, color=INK)
    aspect = (WIDTH - 0.16) / tall
    windows = _windows(bounds, camera, aspect)
    panels = []
    for i, (take, window) in enumerate(zip(takes, windows, strict=True)):
        bottom = height - head - (i + 1) * tall - i * 0.08
        axes = figure.add_axes((0.08 / WIDTH, bottom / height, 1.0 - 0.16 / WIDTH, tall / height))
        panels.append(Panel(axes, take.shapes, camera, window, take.ground, animated, take.rgb, take.width))
        if labels is not None:
            panels[-1].label(labels[i])
    return figure, panels


def _height_of_wide(bounds) -> float:
    """The height (inches) of a panel that robots on a long way fill, at least enough for the texts."""
    width, height = np.max([high - low for low, high in bounds], axis=0)
    return max(1.8, WIDTH * height / (1.0 - BELOW - ABOVE) / (SIDES * width))


def _windows(bounds, camera: Camera, aspect: float) -> list[Window]:
    """For each trajectory the part of the picture plane that holds the robot at all times, all of one size."""
    if camera.width is not None:
        height = camera.width / aspect
    else:
        width, height = np.max([high - low for low, high in bounds], axis=0)
        # Above and below a point that stays in the middle there is as much room.
        free = BELOW + ABOVE if camera.lookat is None else 2.0 * BELOW
        height = max(height / (1.0 - free), SIDES * width / aspect)
    width = height * aspect
    if camera.lookat is not None:
        return [Window(-width / 2.0, -height / 2.0, width, height)] * len(bounds)
    return [Window((low + high)[0] / 2.0 - width / 2.0, low[1] - BELOW * height, width, height) for low, high in bounds]


def _mark_times(panel: Panel, take: Take, lookat: np.ndarray, frames, times: np.ndarray) -> None:
    """The time of each pose above its torso, in one row over all poses, without those that would touch another.

    Where a robot stays in place most would: then there is no row.
    """
    _, top = bounds_of(take, np.tile(lookat, (len(take.xpos), 1)), panel.camera, frames)
    marked = {}
    for k in reversed(frames):
        x = float((take.torso[k] - lookat) @ panel.camera.axes[0])
        if all(abs(x - other) > 0.07 * panel.window.width for other in marked.values()):
            marked[k] = x
    if 2 * len(marked) >= len(frames):
        for k, x in marked.items():
            panel.note((x, top[1] + 0.02 * panel.window.height), f"{times[k]:.2f} s")


def _way(take: Take, k: int) -> str:
    distance = take.distance(k)
    return "" if distance is None else f"distance {metres(distance, '.2f')}"


def _readout(time, said: str) -> str:
    return "     ".join([*([] if time is None else [f"t = {time:.2f} s"]), *([said] if said else [])])


def _checked_path(path, suffixes: tuple[str, ...]) -> Path:
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path: got {type(path).__name__}, allowed: a file's name that ends in {', '.join(suffixes)}")
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"path={str(path)!r} must end in one of {', '.join(suffixes)}")
    return path


def _checked_times(times, frames: int, fps) -> np.ndarray:
    if times is None:
        return np.arange(frames) / fps
    times = np.asarray(times, dtype=float)
    if times.shape != (frames,):
        raise ValueError(f"times has the shape {times.shape}, but must have ({frames},): one for each frame")
    return times


def _checked_poses(poses, frames: int) -> np.ndarray:
    if np.ndim(poses) == 0:
        if poses < 1:
            raise ValueError(f"poses={poses} must be at least 1")
        return np.unique(np.linspace(0, frames - 1, poses).round().astype(int))
    chosen = np.asarray(poses, dtype=int)
    if len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= frames:
        raise ValueError(f"poses={poses!r} must be frames from 0 to {frames - 1}")
    return chosen
