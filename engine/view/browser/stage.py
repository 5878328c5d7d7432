"""Stage: the robots of several worlds side by side in a viser scene, and all that is drawn about them.

The scene tree, which the reader of a page can switch on and off:

    /scene                  moves against the robot that the camera follows
    /scene/ground           planes
    /scene/robots/LABEL/BODY/GEOM
    /scene/labels
    /scene/tendons
    /scene/LAYER            one for each of LAYERS
"""

import numpy as np

from engine.model.constants import PLANE
from engine.view.browser.frames import Frame, leading_body, robot_size
from engine.view.browser.overlays import HIDDEN_AT_FIRST, Overlays, layers_of
from engine.view.browser.shapes import add_geom, add_ground
from engine.view.camera import camera_of
from engine.view.painter import visible_geoms
from engine.view.quantities import distinct

SKY_TOP, SKY_LOW = np.array([196, 216, 236]), np.array([244, 247, 249])
_FIELD_OF_VIEW = np.radians(40.0)
_GLASS, _PALE = 0.4, 0.22  # opacities
_FOG, _HORIZON = 13.0, 50.0  # robots' lengths, at least, to where the ground has faded, or ends


class Stage:
    """labels: one for each world. low, high (3,): the part of the world that the robots visit, m. pushes: whether
    frames have some. ghosts: all worlds but the last are pale, in its place, and without layers. names: bodies of the
    last world have their names at their centres of mass. fog: the ground fades
    into the sky; never where nodes are clicked, for viser's outlines of those fail in fog."""

    def __init__(self, scene, model, labels, low, high, pushes=False, ghosts=False, names=False,
                 fog=True):  # fmt: skip
        self.scene, self.model, self.size = scene, model, robot_size(model)
        self.weight = max(np.sum(model.body_mass[1:]) * np.linalg.norm(model.opt.gravity), 1e-9)
        self.low, self.high = np.asarray(low, float), np.asarray(high, float)
        # side by side in the depth of the picture, the last one in front
        self.gap = (self.high - self.low)[1] + 1.3 * self.size
        self.offsets = np.zeros((len(labels), 3))
        self.offsets[:, 1] = 0.0 if ghosts else self.gap * (len(labels) - 1 - np.arange(len(labels)))
        self.pale = [ghosts] * (len(labels) - 1) + [False]
        self.layers, self._fog = layers_of(model, pushes), fog
        self.shown = {name: name not in HIDDEN_AT_FIRST for name in self.layers}
        self._leader = leading_body(model)
        self._atmosphere()
        self.root = scene.add_frame("/scene", show_axes=False)
        self.words = words = _words(labels)
        self.body_words = _words([name or f"body {b}" for b, name in enumerate(model.body_names)])
        self.geoms = []  # (world, geom, node, opacity)
        self.bodies = [self._robot(w) for w in range(len(words))]
        for b in self.bodies[-1] if names else ():
            path = f"/scene/robots/{words[-1]}/{self.body_words[b]}/name"
            scene.add_label(path, self.body_words[b], position=model.body_ipos[b], anchor="center-center")
        self._poses = [np.full((model.nbody, 7), np.nan) for _ in labels]
        offsets = self.offsets[-1:] if ghosts else self.offsets
        self.overlays = Overlays(scene, model, self.layers, self.size, self.weight, offsets)
        self.nodes, self.tendons = self.overlays.nodes, self.overlays.tendons
        self.texts = {w: self._text(words[w], label) for w, label in enumerate(labels) if label}
        self._grounded, self._moved = False, np.zeros(3)
        self._wanted = self._named = None  # (world, geom)

    def move_ground(self, moved):
        """Draw the ground again at the next frame, about the robots' first place and `moved` (3,) from there."""
        self._grounded, self._moved = False, np.asarray(moved) * [1.0, 1.0, 0.0]

    def show(self, frames: list[Frame], follow=None):
        """Draw one Frame for each world; `follow` (3,) is where the followed robot has moved since the start."""
        if not self._grounded:
            self._ground(frames[0])
        self.root.position = np.zeros(3) if follow is None else -np.asarray(follow)
        for bodies, offset, poses, frame in zip(self.bodies, self.offsets, self._poses, frames, strict=True):
            for b, node in bodies.items():
                pose = np.concatenate([frame.xpos[b] + offset, frame.xquat[b]])
                if not np.allclose(pose, poses[b], rtol=0.0, atol=1e-6):  # also the first time, when it is NaN
                    poses[b] = pose
                    node.position, node.wxyz = pose[:3], pose[3:]
        for w, text in self.texts.items():
            above = frames[w].xpos[self._leader] + self.offsets[w] + [0.0, 0.0, 0.3 * self.size]
            text.position = above
        self._show_name(frames)
        place = frames[-1].xpos[self._leader] + self.offsets[-1]
        self.overlays.show(frames[-len(self.overlays.offsets) :], self.shown, place)

    def name(self, w, g):
        """From the next picture on, the names of geom g and its body stand above that body in world w; or not again."""
        self._wanted = None if self._wanted == (w, g) else (w, g)

    def _show_name(self, frames):
        if self._named != self._wanted:
            if self._named is not None:
                self._name.remove()
            self._named = self._wanted
            if self._named is not None:
                w, g = self._named
                text = f"{self.model.label('body', self.model.geom_bodyid[g])}, {self.model.label('geom', g)}"
                self._name = self.scene.add_label("/scene/labels/clicked/name", text, anchor="bottom-center")
        if self._named is not None:
            w, g = self._named
            above = [0.0, 0.0, 0.15 * self.size]
            self._name.position = frames[w].xpos[self.model.geom_bodyid[g]] + self.offsets[w] + above

    def see_through(self, on):
        """Draw the robots as of glass, or as they are."""
        for _, _, node, opacity in self.geoms:
            node.opacity = min(opacity or 1.0, _GLASS) if on else opacity

    def aim(self, server, camera):
        """Set where a page is seen from at first; camera: an engine.view.Camera, or its keywords."""
        seen = camera_of(camera)
        right, up, forward = seen.axes
        across = (self.high - self.low)[:2].max() if seen.width is None else 0.0
        middle = (self.low + self.high) / 2.0 if across < 4.0 * self.size else self._start
        look = np.asarray(middle if seen.lookat is None else seen.lookat) + self.offsets.mean(axis=0)
        wide = seen.width or (2.4 * self.size + min(across, 1.5 * self.size))
        # the field of view is that of the height; a page is about 1.6 times as wide
        distance = 0.5 * wide / (1.6 * np.tan(_FIELD_OF_VIEW / 2.0)) + np.ptp(self.offsets[:, 1]) * 0.8
        self._see(distance)
        server.initial_camera.fov = float(_FIELD_OF_VIEW)
        server.initial_camera.look_at = tuple(look)
        lifted = -forward * distance + up * 0.12 * distance + right * 0.25 * distance
        server.initial_camera.position = tuple(look + lifted)

    def start_at(self, place):
        """Where the followed robot starts, for the camera."""
        self._start = np.asarray(place)

    def _atmosphere(self):
        scene = self.scene
        scene.set_up_direction("+z")
        height = np.clip(np.linspace(0.0, 6.0, 64), 0.0, 1.0)[:, None, None]  # the horizon is high in the picture
        sky = SKY_TOP + height * (SKY_LOW - SKY_TOP)
        scene.set_background_image(np.broadcast_to(sky, (64, 4, 3)).astype(np.uint8), format="png")
        scene.configure_default_lights(True, cast_shadow=True)
        self._see(0.0)

    def _see(self, distance):
        """Fog and ground for a camera so far away, m."""
        if not self._fog:
            self.far = max(_HORIZON * self.size, 8.0 * distance)
            return
        self.far = max(_FOG * self.size, 3.0 * distance)
        self.scene.configure_fog(near=0.45 * self.far, far=self.far, color=tuple(int(c) for c in SKY_LOW))

    def _robot(self, w):
        """{body: node} of the bodies of a world that have something to show."""
        model, scene, word, offset = self.model, self.scene, self.words[w], self.offsets[w]
        bodies = {}
        for g in visible_geoms(model):
            b = int(model.geom_bodyid[g])
            path = f"/scene/robots/{word}/{self.body_words[b]}"
            if b not in bodies:
                bodies[b] = scene.add_frame(path, show_axes=False, position=offset)
            name = f"{path}/{_word(model.geom_names[g] or f'geom {g}')} {g}"
            opacity = float(model.geom_rgba[g, 3]) * (_PALE if self.pale[w] else 1.0)
            opacity = opacity if opacity < 1.0 else None
            self.geoms.append((w, g, add_geom(scene, name, model, g, opacity), opacity))
        return bodies

    def _text(self, word, label):
        return self.scene.add_label(f"/scene/labels/{word}", label, anchor="bottom-center")

    def _ground(self, first: Frame):
        """Planes; a level one serves all worlds, a tilted one is drawn for each."""
        self._grounded = True
        low, high = self.low + self._moved, self.high + self._moved + self.offsets.max(axis=0)
        for g in np.flatnonzero((self.model.geom_type == PLANE) & (self.model.geom_rgba[:, 3] > 0)):
            b = self.model.geom_bodyid[g]
            pos = first.xpos[b] + _rotated(first.xquat[b], self.model.geom_pos[g])
            quat = _product(first.xquat[b], self.model.geom_quat[g])
            name = f"/scene/ground/{_word(self.model.geom_names[g] or f'plane {g}')}"
            offsets = self.offsets[:1] * 0.0 if abs(quat[0]) > 1.0 - 1e-9 else self.offsets
            for w, offset in enumerate(offsets):
                pose = pos + offset, quat
                add_ground(self.scene, f"{name} {w}", self.model, g, pose, low, high, self.size, self.far)


def _word(name):
    """A name that is one level of the scene tree."""
    return name.replace("/", "_")


def _words(names):
    """The names, as words that differ on one level of the scene tree: of two nodes alike the second ends the first."""
    return distinct(_word(name) for name in names)


def _rotated(quat, v):
    t = 2.0 * np.cross(quat[1:], v)
    return v + quat[0] * t + np.cross(quat[1:], t)


def _product(p, q):
    return np.concatenate([[p[0] * q[0] - p[1:] @ q[1:]], p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:])])
