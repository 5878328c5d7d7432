"""The panel beside a simulation that runs in real time: run, reset, keyframes, controls, joints while time stands."""

import time

import numpy as np

from engine.model.constants import EQUALITY_NAMES, HINGE, SLIDE
from engine.view.browser.gui import key
from engine.view.quantities import distinct

FRAME = 1.0 / 60.0


class Panel:
    """Buttons, keyframes, a slider for each control, for each hinge and slide while time stands, and a box for each
    equality constraint; `advance` runs the simulation in real time. start(sim): what a reset does. hand: a Hand that
    pulls at the simulation, or None."""

    def __init__(self, gui, sim, start, hand=None):
        self.sim, self.start, self.hand, self._led = sim, start, hand, b""
        self._due = []  # what the thread that steps does between two steps
        self.running = gui.add_checkbox("run (P)", True)
        gui.add_button("one step (N)").on_click(lambda _: self._one())
        gui.add_button("reset (R)").on_click(lambda _: self._reset(self.start))
        key(gui, "P", "run or pause", self._toggle)
        key(gui, "N", "one step", self._one)
        key(gui, "R", "reset", lambda: self._reset(start))
        self.keyframe = None
        if sim.model.key_names:
            self._keyframes(gui)
        self.controls = []  # a slider for each
        with gui.add_folder("controls", visible=bool(sim.model.nu)):
            for i, name in enumerate(sim.model.actuator_names):
                self._slider(gui, i, name or f"actuator {i}")
        if sim.model.neq:
            with gui.add_folder("equalities"):
                for e, name in enumerate(sim.model.equality_names):
                    self._box(gui, e, name or f"{EQUALITY_NAMES[int(sim.model.eq_type[e])]} {e}")
        self.joints = {}
        self.folder = gui.add_folder("joints, while paused", visible=False)
        with self.folder:
            for j in np.flatnonzero(np.isin(sim.model.jnt_type, (HINGE, SLIDE))):
                self._joint(gui, int(j))
        self.running.on_update(lambda _: self._paused())
        self.clock = time.perf_counter()

    def _keyframes(self, gui):
        names = [name or f"keyframe {k}" for k, name in enumerate(self.sim.model.key_names)]
        options = distinct(["start", *names])  # a keyframe may be called so, too
        self.keyframe = gui.add_dropdown("keyframe", options, initial_value="start")

        def chosen(event):
            if event.client is None:  # `_reset`, after which the same one can be chosen again
                return
            k = options.index(self.keyframe.value) - 1
            self._reset(self.start if k < 0 else lambda sim: sim.reset(keyframe=k), controls=False)

        self.keyframe.on_update(chosen)

    def _slider(self, gui, i, name):
        model = self.sim.model
        low, high = model.actuator_ctrlrange[i] if model.actuator_ctrllimited[i] else (-1.0, 1.0)
        rest, step = float(np.clip(self.sim.data.ctrl[0, i], low, high)), float(high - low) / 200.0
        slider = gui.add_slider(name, float(low), float(high), step, rest)

        def moved(event):
            if event.client is not None:  # a person, not a keyframe
                self.sim.data.ctrl[:, i] = slider.value

        slider.on_update(moved)
        self.controls.append(slider)

    def _joint(self, gui, j):
        model = self.sim.model
        adr, hinge = int(model.jnt_qposadr[j]), model.jnt_type[j] == HINGE
        reach = np.pi if hinge else 1.0
        low, high = model.jnt_range[j] if model.jnt_limited[j] else (model.qpos0[adr] - reach, model.qpos0[adr] + reach)
        label = f"{model.joint_names[j] or f'joint {j}'} ({'rad' if hinge else 'm'})"
        rest = float(np.clip(model.qpos0[adr], low, high))
        slider = gui.add_slider(label, float(low), float(high), float(high - low) / 500.0, rest)

        def moved(event):
            if event.client is not None and not self.running.value:  # a person, not `_paused`
                self._due.append(lambda: self._place(adr, slider.value))

        slider.on_update(moved)
        self.joints[adr] = slider

    def _place(self, adr, value):
        self.sim.data.qpos[:, adr] = value
        self.sim.data.qvel[:] = 0.0

    def _box(self, gui, e, name):
        box = gui.add_checkbox(name, bool(self.sim.data.eq_active[0, e]))

        def switched(_):
            self.sim.data.eq_active[:, e] = box.value

        box.on_update(switched)

    def _paused(self):
        """The joints' sliders show where they stand."""
        self.folder.visible = bool(self.joints) and not self.running.value
        if not self.running.value:
            for adr, slider in self.joints.items():
                slider.value = float(np.clip(self.sim.data.qpos[0, adr], slider.min, slider.max))

    def _toggle(self):
        self.running.value = not self.running.value

    def _one(self):
        self.running.value = False
        self._due.append(self.sim.step)

    def _reset(self, start, controls=True):
        """The thread that steps starts again. controls: they and the equalities stay as a person has set them."""

        def again():
            data = self.sim.data
            ctrl, active = data.ctrl.copy(), data.eq_active.copy()
            start(self.sim)
            if controls:
                data.ctrl[:], data.eq_active[:] = ctrl, active
                if self.keyframe is not None:
                    self.keyframe.value = "start"
            for slider, value in zip(self.controls, data.ctrl[0], strict=True):
                slider.value = float(np.clip(value, slider.min, slider.max))
            self._paused()

        self._due.append(again)

    def advance(self):
        """Wait for the next picture, and go on until then."""
        while self._due:
            self._due.pop(0)()
        time.sleep(max(0.0, self.clock + FRAME - time.perf_counter()))
        passed, self.clock = time.perf_counter() - self.clock, time.perf_counter()
        if self.hand is not None:
            self.hand.pull()
        if self.running.value:  # never more than a tenth of a second at once, on a slow machine
            self.sim.step(max(1, round(min(passed, 0.1) / self.sim.model.opt.timestep)))
            return
        led = b"".join(a.tobytes() for a in (self.sim.data.qpos, self.sim.data.mocap_pos, self.sim.data.mocap_quat))
        if led != self._led:  # what hangs on a mocap body or a joint comes along while time stands
            self._led = led
            self.sim.forward()
