"""Pictures of an environment while it runs: the painter of engine.view, and a window for people."""

import sys

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.simulator import Simulator
from engine.view.camera import Camera
from engine.view.cords import cord_lines
from engine.view.ground import Window
from engine.view.panel import Panel
from engine.view.take import bounds_of, camera_path, takes_of

DPI = 100
BELOW, ABOVE, SIDES = 0.25, 0.2, 1.3  # room around the robot at the start, as parts of the picture's height and width


class Screen:
    """Draws states of a scene, seen by its camera, as images of width x height pixels.

    Poses are computed by a simulator of its own: drawing changes nothing in the one that is drawn, not even the warm
    start of its next step.
    """

    def __init__(self, scene, width, height):
        for name, value in (("width", width), ("height", height)):
            if not value >= 100:
                raise ValueError(f"{name}: got {value!r}, allowed: 100 pixels or more")
        self._given = scene, width, height
        self.title, self.model, self.sim = scene.name, scene.model, Simulator(scene.model)
        self.camera = Camera(**scene.camera)
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(figure)
        take, lookat = self._take(scene.qpos0, scene.qvel0)
        window = self._window(take, lookat, width / height)
        axes = figure.add_axes((0, 0, 1, 1))
        self.panel = Panel(axes, take.shapes, self.camera, window, take.ground, True, take.rgb, take.width)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(figure.bbox)
        self.shown = None

    def __reduce__(self):  # a canvas and a window are not copied: a copy draws into its own
        return Screen, self._given

    def image(self, qpos, qvel, time):
        """A state as an array (height, width, 3) of bytes."""
        take, lookat = self._take(qpos, qvel)
        self.canvas.restore_region(self.background)
        self.panel.show([take.pose(0)], lookat, f"t = {time:.2f} s")
        for artist in self.panel.artists:
            self.panel.axes.draw_artist(artist)
        return np.asarray(self.canvas.buffer_rgba())[:, :, :3].copy()

    def show(self, image):
        """Put an image into the window, which opens with the first one; where nothing can be seen, a line says so."""
        from matplotlib import pyplot

        if self.shown is None:
            figure = pyplot.figure(self.title, figsize=(image.shape[1] / DPI, image.shape[0] / DPI), dpi=DPI)
            axes = figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            self.shown = axes.imshow(image)
            figure.show(warn=False)
            if figure.canvas.required_interactive_framework is None:
                here = f"matplotlib has no display here, only {pyplot.get_backend()}"
                allowed = 'allowed: a display, or render_mode="rgb_array"'
                print(f'pullback: render_mode="human": {here}: nothing is seen; {allowed}', file=sys.stderr)
        self.shown.set_data(image)
        self.shown.figure.canvas.draw()
        self.shown.figure.canvas.flush_events()

    def close(self):
        """Close the window, if there is one."""
        if self.shown is not None:
            from matplotlib import pyplot

            pyplot.close(self.shown.figure)
            self.shown = None

    def _take(self, qpos, qvel):
        """The pose of a state, and the point that the camera looks at."""
        self.sim.reset(qpos, qvel)
        self.sim.forward()
        data = self.sim.data
        lines = cord_lines(self.model, data.xpos, data.xquat)
        (take,) = takes_of(self.model, data.geom_xpos.copy(), data.geom_xquat.copy(), self.camera, lines)
        return take, camera_path(take, self.camera, window=1)[0]

    def _window(self, take, lookat, aspect):
        """The part of the picture plane that the robot at its start fills, with some room."""
        low, high = bounds_of(take, lookat[None], self.camera, [0])
        if take.ground is not None:  # it may start in the air
            above = (take.xpos[0, take.shapes.geoms[take.shapes.moving]] - take.ground.origin) @ take.ground.axes[2]
            low[1] -= max(above.min(), 0.0) * (take.ground.axes[2] @ self.camera.axes[1])
        if self.camera.width is not None:
            height = self.camera.width / aspect
        else:
            height = max((high - low)[1] / (1.0 - BELOW - ABOVE), SIDES * (high - low)[0] / aspect)
        width = height * aspect
        if self.camera.lookat is not None:
            return Window(-width / 2.0, -height / 2.0, width, height)
        return Window((low + high)[0] / 2.0 - width / 2.0, low[1] - BELOW * height, width, height)
