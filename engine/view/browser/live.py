"""The live viewer: a page that shows a simulator while something else runs it."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.clocks import times_of
from engine.model.elements.body import mocap_bodies
from engine.replay import in_world_axes, replay
from engine.simulator import Simulator
from engine.view.browser.film import bounds, film
from engine.view.browser.frames import frame, leading_body
from engine.view.browser.gui import clickable, heading, layer_switches
from engine.view.browser.hand import Hand
from engine.view.browser.server import address, stop, viser_server
from engine.view.browser.stage import Stage
from engine.words import required

_TICK = 1.0 / 30.0
_WORLDS = 8  # more would neither fit the page nor keep up


def live(
    sim: Any, *, worlds: Sequence[int] | None = None, labels: Sequence[str] | None = None,
    camera: dict[str, Any] | None = None, host: str = "127.0.0.1", port: int = 0,
) -> "Live":  # fmt: skip
    """Serve a page that follows `sim` from now on, and return the Live, whose `address` is where to look.

    A thread looks at the simulator's arrays 30 times a second: nothing has to be called. A whole rollout of a tape is
    one launch, of which only the end would be seen; `Live.play(trajectory)` shows it all, again and again, until the
    next one: call it after each iteration of an optimisation. worlds: indices of those shown, by default the first 8.
    A mocap body has a handle by which a person moves and turns it: that writes `data.mocap_pos` and `data.mocap_quat`.
    Ctrl and the mouse pull at any other body (`data.xfrc_applied`), a click says what it is called.

        with engine.view.live(sim) as page:
            print(page.address)
            for _ in range(10_000):
                sim.step()
    """
    return Live(sim, worlds, labels, camera, host, port)


class Live:
    """A page about a running simulator, until `close()`; also a context manager."""

    def __init__(self, sim, worlds=None, labels=None, camera=None, host="127.0.0.1", port=0):
        self.sim = required("sim", sim, Simulator, "engine.Simulator(model)")
        self.model = sim.model
        self.worlds = list(range(min(sim.worlds, _WORLDS))) if worlds is None else [int(w) for w in worlds]
        if not self.worlds or min(self.worlds) < 0 or max(self.worlds) >= sim.worlds:
            raise ValueError(f"worlds={worlds!r}; allowed: a list of indices from 0 to {sim.worlds - 1}")
        alone = len(self.worlds) == 1
        self.labels = list(labels) if labels else [""] if alone else [f"world {w}" for w in self.worlds]
        sim.forward()
        self.server = viser_server(host, port)
        self.address = address(self.server)
        self._body = leading_body(self.model)
        low, high = bounds(self.model, sim.data.xpos[self.worlds])
        self.stage = Stage(self.server.scene, self.model, self.labels, low, high, fog=False)
        self._start = self._place()
        self.stage.start_at(self._start * [1.0, 1.0, 0.0] + [0.0, 0.0, (low[2] + high[2]) / 2.0])
        self.stage.aim(self.server, camera or {})
        self._film, self._began, self._seen, self._floor = None, 0.0, None, self._start
        self._mocap = mocap_bodies(self.model)
        self._handles()
        self.hand = Hand(self.stage, sim, self.worlds)
        self._switches()
        self._show(self._frames(), self._start)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _switches(self):
        heading(self.server.gui, self.model.name)
        self.clock = self.server.gui.add_number("time (s)", 0.0, step=1e-3, disabled=True)
        self.follow = self.server.gui.add_checkbox("camera follows", True)
        layer_switches(self.server.gui, self.stage, self._again)
        clickable(self.stage, self._again)

    def _again(self):
        self._seen = None  # the next look draws, whether something moved or not

    def _handles(self):
        """A handle for each mocap body of each world shown, `handles[row, number]`."""
        self.handles, self._led = {}, {}
        for row, word in enumerate(self.stage.words):
            for k, body in enumerate(self._mocap):
                name = f"/scene/mocap bodies/{word}/{self.stage.body_words[body]}"
                handle = self.server.scene.add_transform_controls(name, 0.4 * self.stage.size, depth_test=False)
                handle.on_update(lambda event, row=row, k=k: self.drag(row, k))
                self.handles[row, k] = handle
        self._place_handles()

    def drag(self, row, k):
        """The pose of a handle becomes that of mocap body k in the row-th world shown."""
        handle, w = self.handles[row, k], self.worlds[row]
        pos, quat = np.asarray(handle.position) - self.stage.offsets[row], np.asarray(handle.wxyz)
        self._led[row, k] = np.concatenate([pos, quat]).astype(self.sim.data.mocap_pos.dtype)
        self.sim.data.mocap_pos[w, k], self.sim.data.mocap_quat[w, k] = pos, quat

    def _place_handles(self):
        """Handles go where something else than a person has put their bodies."""
        data = self.sim.data
        for (row, k), handle in self.handles.items():
            w = self.worlds[row]
            pose = np.concatenate([data.mocap_pos[w, k], data.mocap_quat[w, k]])
            if not np.array_equal(pose, self._led.get((row, k))):
                self._led[row, k] = pose
                handle.position = pose[:3] + self.stage.offsets[row]
                handle.wxyz = unit(pose[None, 3:])[0]

    def play(self, trajectory: Any, worlds: Sequence[int] = (0,), labels: Sequence[str] | None = None) -> None:
        """Show worlds of a Trajectory in a loop, in real time, until the next call; None: the simulator itself again.

        The poses are computed here and now, about a tenth of a millisecond a row. The number of worlds must be that
        of the page.
        """
        if trajectory is None:
            self._film = None
            return
        if len(worlds) != len(self.worlds):
            raise ValueError(f"worlds={worlds!r}; allowed: {len(self.worlds)} of them, as many as the page shows")
        first, second = times_of(trajectory)[:2, 0]
        every = max(1, int(round(_TICK / (second - first))))
        seen = [replay(self.model, trajectory, world=w, every=every) for w in worlds]
        self._film, self._began = film(self.model, seen, labels or self.labels, fps=1.0 / _TICK), time.perf_counter()

    def _run(self):
        while not self._closed.wait(_TICK):
            shown = self._film
            for handle in self.handles.values():
                if handle.visible != (shown is None):
                    handle.visible = shown is None
            if shown is not None:
                seconds = (time.perf_counter() - self._began) % (shown.duration + 0.3)
                k = shown.index(seconds)
                self.clock.value = float(shown.times[k])
                self._show(shown.frames[k], shown.track[k])
                continue
            self.hand.pull()
            data = self.sim.data
            state = data.qpos, data.mocap_pos, data.mocap_quat, data.eq_active
            now = b"".join(a[self.worlds].tobytes() for a in state)
            if now != self._seen:
                self._seen = now
                self._place_handles()
                self.clock.value = round(float(self.sim.data.time[self.worlds[0]]), 3)
                self._show(self._frames(), self._place())

    def _frames(self):
        data, size = self.sim.data, self.stage.size
        frames = []
        for w in self.worlds:
            xpos, xquat = data.xpos[w].copy(), data.xquat[w].copy()
            xpos[self._mocap], xquat[self._mocap] = data.mocap_pos[w], unit(data.mocap_quat[w])  # before they act
            frames.append(frame(
                self.model, size, xpos, xquat, data.xipos[w].copy(), data.dof_ang[w], data.dof_lin[w], data.qpos[w],
                in_world_axes(self.model, data.contacts(w)), eq_active=data.eq_active[w],
            ))  # fmt: skip
        return frames

    def _place(self):
        return self.sim.data.xpos[self.worlds[-1], self._body].copy()

    def _show(self, frames, place):
        moved = (np.asarray(place) - self._start) * [1.0, 1.0, 0.0]
        if not np.isfinite(moved).all():
            return  # a simulation that diverged: its own error says so
        if np.linalg.norm((place - self._floor)[:2]) > 5.0 * self.stage.size:
            self._floor = np.asarray(place)
            self.stage.move_ground(self._floor - self._start)
        with self.server.atomic():
            self.stage.show(frames, moved if self.follow.value else None)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        stop(self.server)

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def unit(quat):
    """Quaternions (n, 4) of length one; zero is no turn."""
    length = np.linalg.norm(quat, axis=1, keepdims=True)
    return np.where(length > 0, quat / np.maximum(length, 1e-300), [1.0, 0.0, 0.0, 0.0])
