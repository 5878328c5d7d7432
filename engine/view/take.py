"""One trajectory as the camera films it: its poses, its ground, and where the camera looks in each frame."""

from dataclasses import dataclass

import numpy as np

from engine.model import require_model
from engine.view.camera import Camera, follow
from engine.view.cords import Lines
from engine.view.ground import Ground
from engine.view.marks import VIOLET
from engine.view.painter import Shapes, shapes_of, silhouettes

_FITTED_FRAMES = 60  # of a long trajectory, enough to see how much room the robot takes


@dataclass(frozen=True)
class Take:
    """One trajectory with what the camera needs to film it."""

    shapes: Shapes
    xpos: np.ndarray  # (T, ngeom, 3)
    xmat: np.ndarray  # (T, ngeom, 3, 3)
    ground: Ground | None
    torso: np.ndarray  # (T, 3)
    lines: np.ndarray  # (T, n, 2, 3)
    rgb: np.ndarray  # of the lines, (n, 3)
    width: np.ndarray  # (n,), m; NaN: a thin stroke

    def pose(self, k: int, fade: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Frame k; the last one when the trajectory is over."""
        k = min(k, len(self.xpos) - 1)
        return self.xpos[k], self.xmat[k], self.lines[k], fade

    def distance(self, k: int) -> float | None:
        """How far the torso has come along the ruler, m; None where there is no ground."""
        if self.ground is None:
            return None
        along = self.ground.axes[self.ground.across]
        return float((self.torso[min(k, len(self.torso) - 1)] - self.torso[0]) @ along)


def takes_of(model, geom_xpos, geom_xquat, camera: Camera, lines=None) -> list[Take]:
    several = isinstance(geom_xpos, (list, tuple))
    xpos, xquat = (geom_xpos, geom_xquat) if several else ([geom_xpos], [geom_xquat])
    models = list(model) if isinstance(model, (list, tuple)) else [require_model(model, like="geom_type")] * len(xpos)
    drawn = [None] * len(xpos) if lines is None else list(lines) if several else [lines]
    if not len(xpos) == len(xquat) == len(models) == len(drawn) > 0:
        and_lines = "" if lines is None else f", {len(drawn)} arrays of lines"
        raise ValueError(
            f"{len(xpos)} geom_xpos, {len(xquat)} geom_xquat{and_lines} and {len(models)} models: there must be as "
            "many of each"
        )
    return [_take(*one, camera) for one in zip(models, xpos, xquat, drawn, strict=True)]


def _take(model, geom_xpos, geom_xquat, lines, camera: Camera) -> Take:
    xpos, xquat = np.asarray(geom_xpos, dtype=float), np.asarray(geom_xquat, dtype=float)
    ngeom = len(require_model(model, like="geom_type").geom_type)
    for name, array, last in (("geom_xpos", xpos, 3), ("geom_xquat", xquat, 4)):
        if array.ndim != 3 or array.shape[1:] != (ngeom, last) or len(array) == 0:
            raise ValueError(f"{name} has the shape {array.shape}, but must have (frames, {ngeom}, {last})")
        if not np.isfinite(array).all():
            k, g, _ = np.argwhere(~np.isfinite(array))[0]
            raise ValueError(f"{name} is not finite at frame {k}, geom {g}")
    if len(xpos) != len(xquat):
        raise ValueError(f"geom_xpos has {len(xpos)} frames, but geom_xquat has {len(xquat)}")
    norm = np.linalg.norm(xquat, axis=-1)
    if norm.min() < 1e-6:
        k, g = np.argwhere(norm < 1e-6)[0]
        raise ValueError(f"geom_xquat is zero at frame {k}, geom {g}, but must be a unit quaternion")
    rgb = width = None
    if isinstance(lines, Lines):
        lines, rgb, width = lines
    lines = np.zeros((len(xpos), 0, 2, 3)) if lines is None else np.asarray(lines, dtype=float)
    if lines.ndim != 4 or lines.shape[0] != len(xpos) or lines.shape[2:] != (2, 3) or not np.isfinite(lines).all():
        raise ValueError(f"lines has the shape {lines.shape}, but must have ({len(xpos)}, n, 2, 3), all finite")
    if rgb is None:
        rgb, width = np.tile(VIOLET, (lines.shape[1], 1)), np.full(lines.shape[1], np.nan)
    shapes = shapes_of(model)
    xmat = _rotation_matrices(xquat)
    ground = None
    if shapes.ground is not None:
        ground = Ground(xpos[0, shapes.ground], xmat[0, shapes.ground].T, camera.axes)
        ground = ground if ground.visible else None
    return Take(shapes, xpos, xmat, ground, xpos[:, shapes.torso].mean(axis=1), lines, rgb, width)


def _rotation_matrices(quat: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def camera_path(take: Take, camera: Camera, window: int) -> np.ndarray:
    """The point that the camera looks at in each frame (T, 3): on the ground under the torso, where there is one."""
    if camera.lookat is not None:
        return np.tile(np.asarray(camera.lookat, dtype=float), (len(take.xpos), 1))
    size = np.ptp(take.xpos[0, take.shapes.geoms[take.shapes.moving]], axis=0).max()
    size += 2.0 * take.shapes.geom_size[take.shapes.moving].max()
    if take.ground is None:
        return follow(take.torso, size, window)
    return take.ground.point(follow(take.ground.uv(take.torso), size, window))


def resting_path(take: Take, camera: Camera, frames: np.ndarray) -> np.ndarray:
    """The same for a camera at rest (T, 3): the middle of the torso's places in some frames."""
    if camera.lookat is not None:
        return np.tile(np.asarray(camera.lookat, dtype=float), (len(take.xpos), 1))
    places = take.torso[frames]
    middle = (places.min(axis=0) + places.max(axis=0)) / 2.0
    middle = middle if take.ground is None else take.ground.point(take.ground.uv(middle))
    return np.tile(middle, (len(take.xpos), 1))


def bounds_of(take: Take, lookat: np.ndarray, camera: Camera, frames) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner of all the robot's outlines, and of the lines, about the projected lookat."""
    if frames is None:
        frames = np.unique(np.linspace(0, len(take.xpos) - 1, _FITTED_FRAMES).astype(int))
    projection = camera.axes[:2]
    moving = np.flatnonzero(take.shapes.moving)
    outlines = [
        silhouettes(take.shapes, take.xpos[k], take.xmat[k], projection, moving) - projection @ lookat[k]
        for k in frames
    ]
    low, high = np.min(outlines, axis=(0, 1, 2)), np.max(outlines, axis=(0, 1, 2))
    if take.lines.size:
        ends = (take.lines[frames] - lookat[frames][:, None, None]) @ projection.T
        low, high = np.minimum(low, ends.min(axis=(0, 1, 2))), np.maximum(high, ends.max(axis=(0, 1, 2)))
    if camera.lookat is None:
        return low, high
    reach = np.maximum(-low, high)  # the same on both sides of the point in the middle
    return -reach, reach
