"""An orthographic camera that follows the robot, with MuJoCo's azimuth and elevation."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from engine.words import meant


@dataclass(frozen=True)
class Camera:
    """Where the pictures are seen from.

    azimuth    degrees about z: 90 looks along +y, with +x to the right; 0 looks along +x
    elevation  degrees, negative looks down
    width      metres across the picture; None fits the robot
    lookat     (x, y, z) of a point that stays in the middle; None follows the robot
    """

    azimuth: float = 90.0
    elevation: float = -14.0
    width: float | None = None
    lookat: tuple[float, float, float] | None = None

    def __post_init__(self):
        for name in ("azimuth", "elevation"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
                raise ValueError(f"camera {name}={value!r} must be a number of degrees")
        if not -90.0 <= self.elevation <= 0.0:
            raise ValueError(f"camera elevation={self.elevation} must lie between -90 and 0 degrees (looking down)")
        if self.width is not None and not self.width > 0.0:
            raise ValueError(f"camera width={self.width} must be positive, or None to fit the robot")
        if self.lookat is not None and np.shape(self.lookat) != (3,):
            raise ValueError(f"camera lookat={self.lookat!r} must be three numbers, or None to follow the robot")

    @property
    def axes(self) -> np.ndarray:
        """Rows: right, up and forward (into the picture) as unit vectors of the world, shape (3, 3)."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        right = np.array([np.sin(a), -np.cos(a), 0.0])
        forward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        return np.stack([right, np.cross(right, forward), forward])


def camera_of(given: Any) -> Camera:
    """A Camera of what a function was given: one, its keywords in a dictionary, or None."""
    if given is None or isinstance(given, Camera):
        return given or Camera()
    if not isinstance(given, dict):
        got = type(given).__name__
        raise TypeError(f"camera: got {got}, allowed: an engine.view.Camera, or a dict of its keywords")
    known = [field.name for field in fields(Camera)]
    for name in given:
        if name not in known:
            raise ValueError(f"camera: got {name!r}{meant(name, known)}, allowed: {', '.join(known)}")
    return Camera(**given)


def follow(track: np.ndarray, size: float, window: int) -> np.ndarray:
    """The path of a camera after a point `track` (T, n): smoothed over `window` frames, at rest if the point stays.

    A point that never leaves a third of the robot's size is a robot at work in one place: a moving camera would hide
    what moves.
    """
    if np.all(np.ptp(track, axis=0) < size / 3.0):
        return np.broadcast_to((track.max(axis=0) + track.min(axis=0)) / 2.0, track.shape)
    window = min(window, len(track) - 1)
    if window < 1:
        return track
    # Reflected through its ends, a track of constant velocity stays one and the camera does not lag there.
    before = 2.0 * track[0] - track[window:0:-1]
    after = 2.0 * track[-1] - track[-2 : -window - 2 : -1]
    weights = np.hanning(2 * window + 3)[1:-1]
    weights /= weights.sum()
    padded = np.concatenate([before, track, after])
    return np.stack([np.convolve(column, weights, mode="valid") for column in padded.T], axis=1)
