"""One robot in one frame of the picture: matplotlib artists that are made once and moved for every frame."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from engine.view.camera import Camera
from engine.view.ground import FAR, RULER, Ground, Window, ruler_step
from engine.view.outline import DIRECTIONS
from engine.view.painter import Shapes, paint, silhouettes, towards_light

BACKGROUND = np.array([0.975, 0.98, 0.985])
FLOOR = np.array([0.86, 0.885, 0.905])
INK = "#1f2d3a"
_STROKE = 1.6  # points
_DARK_CELL = (0.16, 0.22, 0.30)
_DARK_CELL_ALPHA = 0.17
_SHADOW_ALPHA = 0.22
_EDGE_PIXELS = 1.3
_OUTLINE_CODES = np.array([Path.MOVETO] + [Path.LINETO] * (DIRECTIONS - 1) + [Path.CLOSEPOLY], dtype=Path.code_type)


def metres(value: float, form: str) -> str:
    """A length for a person: with a true minus sign, and no negative zero."""
    text = f"{value:{form}}"
    if float(text) == 0.0:
        text = text.removeprefix("-")
    return f"{text} m".replace("-", "\N{MINUS SIGN}")


class Panel:
    """The artists of one robot. `animated` ones are left out of the figure's own drawing and blitted over it."""

    def __init__(
        self, axes: Axes, shapes: Shapes, camera: Camera, window: Window, ground: Ground | None, animated: bool,
        rgb: np.ndarray, width: np.ndarray,
    ):  # fmt: skip
        self.rgb, points = rgb, 72.0 / axes.figure.dpi * axes.bbox.width / window.width
        self.widths = np.where(np.isnan(width), _STROKE, np.maximum(width * points, 0.5))
        self.axes, self.shapes, self.camera, self.window, self.ground = axes, shapes, camera, window, ground
        self.edge = _EDGE_PIXELS * window.width / axes.bbox.width
        (left, bottom), (right, top) = window.at(0, 0), window.at(1, 1)
        axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], facecolor=BACKGROUND)
        axes.spines[:].set_color("#c3ccd4")
        options = dict(animated=animated)
        self.cells = axes.add_collection(PolyCollection([], linewidths=0, **options), autolim=False)
        self.ticks = axes.add_collection(LineCollection([], colors=INK, linewidths=1, **options), autolim=False)
        self.shadows = axes.add_collection(PathCollection([], linewidths=0, **options), autolim=False)
        self.bodies = axes.add_collection(PolyCollection([], linewidths=0, **options), autolim=False)
        self.lines = axes.add_collection(LineCollection([], capstyle="round", **options), autolim=False)
        self.readout = self._text(0.985, 0.955, ha="right", **options)
        self.marks = []
        self.step = ruler_step(window.width)
        if ground is not None:
            self._floor()
            front = window.at(0, RULER)
            self.cells.set_clip_path(Rectangle(front, window.width, window.height, transform=axes.transData))
            count = len(ground.ruler(ground.origin, window, self.step)[0]) + 1  # one more may come into view
            self.marks = [self._text(0, 0.02, ha="center", va="bottom", **options) for _ in range(count)]

    @property
    def artists(self):
        """What changes from frame to frame, in the order in which it is drawn."""
        return [self.cells, self.ticks, *self.marks, self.shadows, self.bodies, self.lines, self.readout]

    def label(self, text: str) -> None:
        self._text(0.015, 0.955, ha="left", weight="bold").set_text(text)

    def note(self, seen: tuple[float, float], text: str) -> None:
        """A text above a point of the picture."""
        self.axes.text(*seen, text, ha="center", va="bottom", color=INK, fontsize=10)

    def show(self, poses, lookat: np.ndarray, readout: str = "") -> None:
        """Draw poses (xpos, xmat, lines, fade), the last one on top; fade 1 leaves nothing but the background."""
        offset = self.camera.axes[:2] @ lookat
        polygons, colours, segments, strokes = [], [], [], []
        for xpos, xmat, lines, fade in poses:
            segments.extend(lines @ self.camera.axes[:2].T - offset)
            strokes.append(self.rgb + fade * (BACKGROUND - self.rgb))
            shape, colour = paint(self.shapes, xpos, xmat, self.camera, self.edge)
            polygons.append(shape - offset)
            colours.append(colour + fade * (BACKGROUND - colour))
        self.bodies.set_verts(np.concatenate(polygons))
        self.bodies.set_facecolor(np.concatenate(colours))
        self.lines.set_segments(segments)
        self.lines.set_color(np.concatenate(strokes))
        self.lines.set_linewidths(np.tile(self.widths, len(poses)))
        self.readout.set_text(readout)
        if self.ground is not None:
            self._show_ground(lookat)
            self._show_shadows(poses, offset)

    def _show_ground(self, lookat: np.ndarray) -> None:
        polygons, strength = self.ground.checker(lookat, self.window, self.step / 2.0)
        self.cells.set_verts(polygons)
        self.cells.set_facecolor([(*_DARK_CELL, _DARK_CELL_ALPHA * s) for s in strength])
        marks, x = self.ground.ruler(lookat, self.window, self.step)
        bottom, top = (self.window.at(0, y)[1] for y in (RULER - 0.02, RULER))
        self.ticks.set_segments([((xi, bottom), (xi, top)) for xi in x])
        for i, text in enumerate(self.marks):
            text.set_visible(i < len(marks))
            if i < len(marks):
                text.set_x((x[i] - self.window.left) / self.window.width)
                text.set_text(metres(marks[i], ".4g"))

    def _show_shadows(self, poses, offset: np.ndarray) -> None:
        projection, shift = self.ground.shadow(towards_light(self.camera.axes))
        drawn = np.arange(len(self.shapes.geoms))
        # One path of many pieces is filled once, so that the shadows of geoms do not darken each other.
        codes = np.tile(_OUTLINE_CODES, len(drawn))
        paths = []
        for xpos, xmat, _, _ in poses:
            outlines = silhouettes(self.shapes, xpos, xmat, projection, drawn) + shift - offset
            paths.append(Path(np.concatenate([outlines, outlines[:, :1]], axis=1).reshape(-1, 2), codes))
        self.shadows.set_paths(paths)
        self.shadows.set_facecolor([(0.0, 0.0, 0.0, _SHADOW_ALPHA * (1.0 - fade)) for *_, fade in poses])

    def _floor(self) -> None:
        """The colour of the ground, fading towards the back; it never changes, because the camera keeps its height."""
        (left, bottom), (right, top) = self.window.at(0, RULER), self.window.at(1, FAR)
        fade = np.linspace(0.0, 1.0, 64)[:, None, None]
        image = FLOOR + fade * (BACKGROUND - FLOOR)
        extent = (left, right, bottom, top)
        self.axes.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="bilinear", zorder=-1)

    def _text(self, x: float, y: float, va: str = "top", **options):
        transform = self.axes.transAxes
        return self.axes.text(x, y, "", transform=transform, va=va, color=INK, fontsize=11, **options)
