"""Arrows and dots that a browser moves together with the robots.

viser's page applies poses, of nodes and of bones, to the very next picture, all those of one message at once. Points of
lines and arrows it hands to React, which draws them some pictures later on a busy machine: they trailed a robot by up
to 0.6 m. Here an arrow is a tube between two bones of a skinned mesh, a dot is a ball at one: poses alone move them.
"""

import numpy as np

from engine.view.browser.shapes import capsule

_AWAY = np.array([0.0, 0.0, -1e4])  # m: where unused bones wait, too far away to be seen
_SIDES = 12
_FEWEST = 8


class Arrows:
    """Arrows (n, 2, 3) from tail to tip, `points`. radius: of the shafts, m. The mesh grows with the most shown."""

    bones_each = 2

    def __init__(self, scene, name, colour, radius):
        self._scene, self._name, self._colour, self._radius = scene, name, colour, radius
        self._visible, self._node = False, None
        self.points = np.zeros(self.empty)
        self._make(_FEWEST)

    @property
    def empty(self):
        return (0, 2, 3)

    @property
    def visible(self):
        return self._visible

    @visible.setter
    def visible(self, visible):
        self._visible = self._node.visible = bool(visible)

    def show(self, points):
        """Draw these, and no others."""
        if len(points) > self._room:
            self._make(max(len(points), 2 * self._room))
        before, self.points = len(self.points), points
        for i, bones in enumerate(self._poses(points)):
            for bone, (pos, quat) in zip(self._bones(i), bones, strict=True):
                bone.position = pos
                if quat is not None:
                    bone.wxyz = quat
        for i in range(len(points), before):
            self._hide(i)

    def _poses(self, points):
        for tail, tip in points:
            quat = _from_z(tip - tail)
            yield (tail, quat), (tip, quat)

    def _bones(self, i):
        return self._node.bones[self.bones_each * i : self.bones_each * (i + 1)]

    def _hide(self, i):
        for bone in self._bones(i):
            bone.position = _AWAY

    def _make(self, room):
        vert, face, bone = self._shape()
        each, total = len(vert), self.bones_each * room
        owners = (bone + self.bones_each * np.arange(room)[:, None]).ravel()
        weights = np.zeros((room * each, total), np.float32)
        weights[np.arange(room * each), owners] = 1.0
        rest = np.tile(np.arange(self.bones_each)[:, None] * [0.0, 0.0, 1.0], (room, 1))  # apart, for the normals
        faces = (face + each * np.arange(room)[:, None, None]).reshape(-1, 3)
        self._room = room
        self._node = self._scene.add_mesh_skinned(
            self._name, np.tile(vert, (room, 1)) + rest[owners], faces, bone_positions=rest,
            bone_wxyzs=np.tile([1.0, 0.0, 0.0, 0.0], (total, 1)), skin_weights=weights, color=self._colour,
            cast_shadow=False, receive_shadow=False, visible=self._visible,
        )  # fmt: skip
        for i in range(room):
            self._hide(i)

    def _shape(self):
        """Vertices in the frames of their bones, faces, and which bone each vertex has."""
        r, head = self._radius, 5.0 * self._radius
        around = np.linspace(0.0, 2.0 * np.pi, _SIDES, endpoint=False)
        ring = np.stack([np.cos(around), np.sin(around), 0.0 * around], axis=1)
        back = [0.0, 0.0, -head]
        # shaft: tail, neck; the head's back, twice, since its edge is sharp; the tip, once for each side
        parts = [r * ring, r * ring + back, r * ring + back, 2.4 * r * ring + back, 2.4 * r * ring + back, 0.0 * ring]
        bones = np.repeat([0, 1, 1, 1, 1, 1], _SIDES)
        sides = [_between(a, a + 1) for a in (0, 2, 4)]
        return np.concatenate(parts), np.concatenate(sides), bones


class Dots(Arrows):
    """Balls about `points` (n, 3)."""

    bones_each = 1

    @property
    def empty(self):
        return (0, 3)

    def _poses(self, points):
        return (((place, None),) for place in points)

    def _shape(self):
        vert, face = capsule(self._radius, 0.0, sides=12, rings=4)
        return vert, face, np.zeros(len(vert), int)


def _between(a, b):
    """Faces between ring a and ring b, seen from outside."""
    i = np.arange(_SIDES)
    j = (i + 1) % _SIDES
    a, b = a * _SIDES, b * _SIDES
    return np.concatenate([np.stack([a + i, a + j, b + i], axis=1), np.stack([a + j, b + j, b + i], axis=1)])


def _from_z(v):
    """Quaternion that turns z to the direction of v."""
    length = np.linalg.norm(v)
    if not length > 0.0:
        return np.array([1.0, 0.0, 0.0, 0.0])
    x, y, z = v / length
    if z < -1.0 + 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    return np.array([1.0 + z, -y, x, 0.0]) / np.sqrt(2.0 * (1.0 + z))
