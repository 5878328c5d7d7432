"""The replay viewer: play, pause, scrub, speed, camera follow, layers, curves, and names of what is clicked."""

import threading
import time
from typing import Any

import numpy as np

from engine.model import Model
from engine.view.browser.film import film
from engine.view.browser.gui import CurvesPanel, clickable, heading, key, layer_switches
from engine.view.browser.server import address, stop, viser_server
from engine.view.browser.stage import Stage

SPEEDS = ("0.1", "0.25", "0.5", "1", "2", "4")
_TICK = 1.0 / 60.0


def play(
    model: Model, seen: Any, *, labels: Any = None, pushes: Any = None, camera: Any = None, fps: float = 60.0,
    title: str | None = None, ghosts: bool = False, host: str = "127.0.0.1", port: int = 0,
) -> Any:  # fmt: skip
    """Serve a replay to browsers and return the Player, whose `address` is where to look. Arguments as in save_html."""
    return Player(film(model, seen, labels, pushes, camera, fps, title=title, ghosts=ghosts), host, port)


class Player:
    """A film in a viser server of its own, until `close()`."""

    def __init__(self, shown, host="127.0.0.1", port=0):
        self.film = shown
        self.server = viser_server(host, port)
        self.address = address(self.server)
        look = {**shown.stage, "fog": False}
        self.stage = Stage(self.server.scene, shown.model, shown.labels, shown.low, shown.high, **look)
        self.stage.start_at(shown.track[0] + [0.0, 0.0, shown.low[2] + 0.5 * (shown.high - shown.low)[2]])
        self.stage.aim(self.server, shown.camera)
        self._drawing = threading.Lock()  # buttons call from threads of the server's own
        self._closed = threading.Event()
        self.frame = 0
        self._buttons()
        self.show(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _buttons(self):
        gui, shown = self.server.gui, self.film
        heading(gui, shown.title)
        self.playing = gui.add_checkbox("play", True)
        self.time = gui.add_slider("time (s)", 0.0, max(shown.duration, 1e-3), 1e-3, 0.0)
        self.speed = gui.add_dropdown("speed", SPEEDS, initial_value="1")
        self.follow = gui.add_checkbox("camera follows", True)
        self.time.on_update(self._scrubbed)
        self.follow.on_update(lambda _: self.show(self.frame))
        layer_switches(gui, self.stage, lambda: self.show(self.frame))
        self.curves = CurvesPanel(gui, shown.curves) if shown.last and shown.curves else None
        clickable(self.stage, lambda: self.show(self.frame))
        key(gui, "P", "play or pause", self._toggle)
        key(gui, "N", "next picture", lambda: self._stepped(1))
        key(gui, "B", "picture before", lambda: self._stepped(-1))

    def _toggle(self):
        self.playing.value = not self.playing.value

    def _stepped(self, by):
        self.playing.value = False
        k = int(np.clip(self.frame + by, 0, self.film.last))
        self.time.value = float(self.film.times[k] - self.film.times[0])
        self.show(k)

    def _scrubbed(self, event):
        # the player's own changes come without a client; a person who takes the slider stops the film
        if event.client is not None:
            self.playing.value = False
            self.show(self.film.index(self.time.value))

    def show(self, k):
        """Draw frame k."""
        with self._drawing:
            self.frame = k
            moved = self.film.track[k] - self.film.track[0] if self.follow.value else None
            with self.server.atomic():
                self.stage.show(self.film.frames[k], moved)
            if self.curves is not None:
                self.curves.point(self.film.times[k] - self.film.times[0])

    def _run(self):
        before = time.perf_counter()
        while not self._closed.wait(_TICK):
            now = time.perf_counter()
            if self.playing.value and self.film.last:
                after = self.time.value + (now - before) * float(self.speed.value)
                self.time.value = after if after < self.film.duration else 0.0
                k = self.film.index(self.time.value)
                if k != self.frame:
                    self.show(k)
            before = now

    def close(self):
        self._closed.set()
        self._thread.join()
        stop(self.server)
