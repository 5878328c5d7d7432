"""The ground under the robot: a checker that stays with the world, a ruler in metres, and the shadow."""

from dataclasses import dataclass

import numpy as np

FAR = 0.62  # height in the window at which the ground has faded into the background
RULER = 0.115  # height in the window of the ground's front edge, which carries the ruler


@dataclass(frozen=True)
class Window:
    """The part of the picture plane that is seen, in metres, the projected `lookat` of the camera being (0, 0)."""

    left: float
    bottom: float
    width: float
    height: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The point at fractions x, y of the width and the height."""
        return self.left + x * self.width, self.bottom + y * self.height


@dataclass(frozen=True)
class Ground:
    """The plane origin + u axes[0] + v axes[1] with normal axes[2], as seen along the rows of `camera`.

    `across` is the axis (0: u, 1: v) that runs more from left to right: the ruler measures along it.
    """

    origin: np.ndarray
    axes: np.ndarray
    camera: np.ndarray

    @property
    def visible(self) -> bool:
        """Is the upper side of the plane seen, and not merely its edge?"""
        return -self.axes[2] @ self.camera[2] > 0.03

    @property
    def across(self) -> int:
        return int(np.argmax(np.abs(self.axes[:2] @ self.camera[0])))

    def uv(self, points: np.ndarray) -> np.ndarray:
        return (points - self.origin) @ self.axes[:2].T

    def point(self, uv: np.ndarray) -> np.ndarray:
        return self.origin + uv @ self.axes[:2]

    def _seen(self, uv: np.ndarray, lookat: np.ndarray) -> np.ndarray:
        return (self.point(uv) - lookat) @ self.camera[:2].T

    def _under(self, seen: np.ndarray, lookat: np.ndarray) -> np.ndarray:
        """The u, v that are seen at these points of the picture."""
        projection = self.camera[:2] @ self.axes[:2].T
        offset = self.camera[:2] @ (self.origin - lookat)
        return np.linalg.solve(projection, (seen - offset).T).T

    def checker(self, lookat: np.ndarray, window: Window, cell: float) -> tuple[np.ndarray, np.ndarray]:
        """The dark cells in the window (n, 4, 2), and how much of each is left of the fading (n,)."""
        corners = np.array([window.at(0, RULER), window.at(1, RULER), window.at(1, FAR), window.at(0, FAR)])
        uv = self._under(corners, lookat) / cell
        low, high = np.floor(uv.min(axis=0)).astype(int), np.ceil(uv.max(axis=0)).astype(int)
        i, j = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]), indexing="ij")
        dark = (i + j) % 2 == 0
        ij = np.stack([i[dark], j[dark]], axis=1)
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        polygons = self._seen((ij[:, None] + square) * cell, lookat)
        height = (polygons[:, :, 1].mean(axis=1) - window.bottom) / window.height
        return polygons, np.clip((FAR - height) / (FAR - RULER), 0.0, 1.0)

    def ruler(self, lookat: np.ndarray, window: Window, step: float) -> tuple[np.ndarray, np.ndarray]:
        """Multiples of `step` (m), and the x in the picture of these places on the line through `lookat`."""
        axis = self.axes[self.across]
        here, scale = (lookat - self.origin) @ axis, axis @ self.camera[0]
        ends = here + (window.left + np.array([0.03, 0.97]) * window.width) / scale
        marks = np.arange(np.ceil(ends.min() / step), np.floor(ends.max() / step) + 1) * step
        return marks, (marks - here) * scale

    def shadow(self, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Projection (2, 3) of the world along `light` onto the ground and into the picture, and its offset (2,)."""
        normal = self.axes[2]
        along = light / (light @ normal)
        return self.camera[:2] @ (np.eye(3) - np.outer(along, normal)), self.camera[:2] @ along * (self.origin @ normal)


def ruler_step(width: float) -> float:
    """The distance 1, 2 or 5 times a power of ten that divides a width into about four to nine parts."""
    rough = width / 9.0
    power = 10.0 ** np.floor(np.log10(rough))
    return float(power * next(k for k in (1, 2, 5, 10) if k * power >= rough * 0.999))
