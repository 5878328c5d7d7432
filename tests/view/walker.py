"""Sizes and poses of the small robot in conftest.py."""

import numpy as np

HULL_RADIUS, LEG_RADIUS, LEG_HALF = 0.2, 0.05, 0.2


def walk(frames, speed):
    """World poses of the robot's geoms when it glides along x: geom_xpos (T, 4, 3) and geom_xquat (T, 4, 4)."""
    x = speed * np.arange(frames)
    still = np.array([[0, 0, 0], [0, 0, 0.65], [-0.1, 0, 0.25], [0.1, 0, 0.25]], dtype=float)
    xpos = np.tile(still, (frames, 1, 1))
    xpos[:, 1:, 0] += x[:, None]
    return xpos, np.tile([1.0, 0.0, 0.0, 0.0], (frames, 4, 1))
