"""Layers over the robots, to switch on and off: contacts, forces, joints, pushes, equalities; and tendons."""

import numpy as np

from engine.model.elements.body import mocap_bodies
from engine.view.browser.arrows import Arrows, Dots
from engine.view.cords import cord_tendons

COLOURS = {
    "contacts (yellow)": (230, 159, 0), "contact forces (orange)": (213, 94, 0), "joint ranges (grey)": (110, 120, 130),
    "joints at a limit (red)": (214, 39, 40), "wanted pushes (green)": (0, 158, 115),
    "equalities and mocap bodies (violet)": (123, 63, 160),
}  # fmt: skip
CONTACTS, FORCES, RANGES, LIMITS, PUSHES, TIES = LAYERS = tuple(COLOURS)
HIDDEN_AT_FIRST = (RANGES,)
FORCE_LENGTH = 0.6  # robots' lengths of the arrow of a force as large as the robot's weight
_FORCE_LIMIT = 1.8  # longer arrows are cut off here


def layers_of(model, pushes=False):
    """Those of LAYERS that a robot can have. pushes: whether there are any."""
    has = {
        CONTACTS: model.npair, FORCES: model.npair, RANGES: np.any(model.jnt_limited),
        LIMITS: np.any(model.jnt_limited), PUSHES: pushes, TIES: model.neq or len(mocap_bodies(model)),
    }  # fmt: skip
    return tuple(name for name in LAYERS if has[name])


class Overlays:
    """Nodes of the layers, `nodes`, and those of tendons. size: the robot's, m; weight: N; offsets (worlds, 3)."""

    def __init__(self, scene, model, layers, size, weight, offsets):
        self.model, self.size, self.weight, self.offsets = model, size, weight, offsets
        self.nodes = self._layers(scene, layers)
        self.tendons = self._tendons(scene)

    def _layers(self, scene, layers):
        thin, none = 0.012 * self.size, np.zeros((1, 2, 3))
        made = {}
        for name in layers:
            path, colour = f"/scene/{name}", COLOURS[name]
            if name == CONTACTS:
                made[name] = Dots(scene, path, colour, 1.4 * thin)
            elif name in (FORCES, PUSHES):
                made[name] = Arrows(scene, path, colour, thin)
            else:
                thickness = {RANGES: 0.8, LIMITS: 1.6, TIES: 1.2}[name] * thin
                made[name] = scene.add_line_segments(path, none, colour, thickness=thickness)
            made[name].visible = False
        return made

    def _tendons(self, scene):
        """(node, which of the lines of `cords`) for each width and colour of tendons."""
        model, tendon = self.model, cord_tendons(self.model)
        looks = np.concatenate([model.tendon_rgba[:, :3], model.tendon_width[:, None]], axis=1)[tendon]
        nodes = []
        for k, look in enumerate(np.unique(looks, axis=0)):
            which = (looks == look).all(axis=1)
            none, colour = np.zeros((which.sum() * len(self.offsets), 2, 3)), tuple(map(float, look[:3]))
            node = scene.add_line_segments(f"/scene/tendons/{k}", none, colour, thickness=2 * float(look[3]))
            nodes.append((node, which))
        return nodes

    def show(self, frames, shown, place):
        """Draw the Frames of the worlds. shown: {layer: whether}. place (3,): the followed body's."""
        worlds = list(zip(frames, self.offsets, strict=True))
        for name, node in self.nodes.items():
            points = np.concatenate([self._points(name, frame, offset) for frame, offset in worlds]).astype(np.float32)
            visible = bool(len(points)) and shown[name]
            if isinstance(node, Arrows):
                if visible and not np.array_equal(node.points, points):
                    node.show(points)
            elif visible:
                self._lines(node, points, place * (name != TIES))  # a mocap body does not go along
            if node.visible != visible:
                node.visible = visible
        for node, which in self.tendons:
            places = np.concatenate([frame.cords[which] + offset for frame, offset in worlds])
            self._lines(node, places.astype(np.float32), place)

    @staticmethod
    def _lines(node, points, place):
        """Lines go along with the robot by their node's pose, for a browser draws points a little later than poses."""
        near = points - place.astype(np.float32)
        node.position = place
        if not np.array_equal(node.points, near):
            node.points = near

    def _points(self, name, frame, offset):
        if name == CONTACTS:
            return frame.contact_pos + offset
        if name == FORCES:
            force = frame.contact_force * (FORCE_LENGTH * self.size / self.weight)
            return arrows(frame.contact_pos + offset, force, _FORCE_LIMIT * self.size, frame.contact_clear)
        if name == PUSHES:
            return arrows(frame.push_pos + offset, 0.5 * self.size * frame.push, self.size)
        return {RANGES: frame.range_lines, LIMITS: frame.limit_lines, TIES: frame.marks}[name] + offset


def arrows(start, vector, longest, clear=0.0):
    """(n, 2, 3) from start along vectors, cut off at a length; without those too short to be seen. clear (n,): m, by
    which they are longer, since so much of each is inside of something."""
    length = np.linalg.norm(vector, axis=1)
    seen = length > 0.02 * longest
    start, vector, length = start[seen], vector[seen], length[seen]
    reach = np.minimum(length, longest) + np.broadcast_to(clear, seen.shape)[seen]
    return np.stack([start, start + vector * (reach / length)[:, None]], axis=1)
