"""A person's hand at a running simulator: Ctrl and the mouse pull at a body."""

import numpy as np

from engine.model.rotation import quat_to_mat
from engine.view.extent import moves

_STRETCH = 0.5  # robots' lengths by which the spring stretches under the weight of the robot
_DAMPING = 0.4  # of what would be critical for the robot as a whole
_STRONGEST = 5.0  # weights


class Hand:
    """Ctrl and the left button at a body: a spring from where it was taken to the mouse, as `data.xfrc_applied`.

    stage: whose geoms are taken; worlds: those of `sim` that it shows. `pull()` renews the forces, which else stay.
    """

    def __init__(self, stage, sim, worlds):
        self.stage, self.sim, self.worlds = stage, sim, worlds
        self._held = {}  # (world, body): [place in the body's frame, the mouse's place, the last place, its time]
        mass = max(float(np.sum(sim.model.body_mass[1:])), 1e-9)
        weight = mass * max(float(np.linalg.norm(sim.model.opt.gravity)), 1.0)
        self._stiffness = weight / (_STRETCH * stage.size)
        self._damping, self._most = 2.0 * _DAMPING * np.sqrt(self._stiffness * mass), _STRONGEST * weight
        for row, g, node, _ in stage.geoms:
            body = int(sim.model.geom_bodyid[g])
            if moves(sim.model)[body]:
                node.on_drag("left", modifier="cmd/ctrl")(self._of(row, body))

    def _of(self, row, body):
        def dragged(event):
            shift = self.stage.root.position + self.stage.offsets[row]
            if event.phase == "start":
                self.take(row, body, np.asarray(event.start_position) - shift)
            if event.phase == "end":
                self.release(row, body)
            else:
                self.lead(row, body, np.asarray(event.end_position) - shift)

        return dragged

    def take(self, row, body, place):
        """Take a body of the row-th world shown at a place (3,) of the world."""
        d, w = self.sim.data, self.worlds[row]
        local = quat_to_mat(d.xquat[w, body]).T @ (place - d.xpos[w, body])
        self._held[w, body] = [local, np.array(place), np.array(place), float(d.time[w])]

    def lead(self, row, body, place):
        """The mouse is at a place (3,) now."""
        held = self._held.get((self.worlds[row], body))
        if held is not None:
            held[1] = np.array(place)
            self.pull()

    def release(self, row, body):
        self._held.pop((self.worlds[row], body), None)
        self.sim.data.xfrc_applied[self.worlds[row], body] = 0.0

    def pull(self):
        """The forces of now, from where the bodies are."""
        d = self.sim.data
        for (w, body), held in list(self._held.items()):
            local, target, before, then = held
            place, now = d.xpos[w, body] + quat_to_mat(d.xquat[w, body]) @ local, float(d.time[w])
            speed = (place - before) / (now - then) if now > then else 0.0
            force = self._stiffness * (target - place) - self._damping * speed
            size = np.linalg.norm(force)
            if not np.isfinite(size):
                continue  # the simulation diverged
            force *= min(1.0, self._most / max(size, 1e-300))
            d.xfrc_applied[w, body] = np.concatenate([force, np.cross(place - d.xipos[w, body], force)])
            held[2:] = place, now
