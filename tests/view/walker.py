"""Sizes and poses of the small robot in conftest.py, and a robot file with a mesh."""

import numpy as np

MESH = """<mujoco><asset><mesh name='wedge' vertex='0 0 0 .3 0 0 0 .3 0 0 0 .4'/></asset><worldbody>
<geom type='plane' size='5 5 1' rgba='.2 .4 .6 1'/>
<body pos='0 0 1'><freejoint/><geom type='mesh' mesh='wedge' rgba='.9 .1 .1 1' contype='0' conaffinity='0'/>
<geom type='sphere' size='.05' rgba='0 1 0 .5'/><geom name='hull' type='sphere' size='.3' group='3'/></body>
</worldbody></mujoco>"""
HULL_RADIUS, LEG_RADIUS, LEG_HALF = 0.2, 0.05, 0.2


def walk(frames, speed):
    """World poses of the robot's geoms when it glides along x: geom_xpos (T, 4, 3) and geom_xquat (T, 4, 4)."""
    x = speed * np.arange(frames)
    still = np.array([[0, 0, 0], [0, 0, 0.65], [-0.1, 0, 0.25], [0.1, 0, 0.25]], dtype=float)
    xpos = np.tile(still, (frames, 1, 1))
    xpos[:, 1:, 0] += x[:, None]
    return xpos, np.tile([1.0, 0.0, 0.0, 0.0], (frames, 4, 1))
