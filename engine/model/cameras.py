"""Cameras, which are sites (`site_camera`): where those are that follow a body or look at one, as MuJoCo's mj_camlight
has them, in NumPy. `sensing/camera.py` has the same for the sensors that read their frames.

    track, trackcom              place: the body's, or its subtree's centre of mass, + site_pos0; turned by site_quat0
    targetbody, targetbodycom    place: as any site's; z away from the target, x level
"""

import numpy as np

from . import constants as c
from .rotation import mat_to_quat, quat_mul, quat_to_mat
from .setconst import frames

MINVAL = 1e-15


def followers(m):
    """Numbers of the sites that are cameras which follow or target something, ascending."""
    return np.flatnonzero(np.asarray(m.site_camera) >= c.CAM_TRACK)


def at_rest(m):
    """site_pos0 and site_quat0 of Model `m`: by how much cameras are away from what they follow at qpos0, and their
    orientation there; zero for others."""
    pos0, quat0 = np.zeros((m.nsite, 3)), np.zeros((m.nsite, 4))
    if not len(followers(m)):
        return pos0, quat0
    xpos, xquat = frames(m)
    com = centres_of_mass(m, xpos, np.array([quat_to_mat(q) for q in xquat]))
    for k in followers(m):
        b = m.site_bodyid[k]
        if m.site_camera[k] <= c.CAM_TRACKCOM:
            of = xpos[b] if m.site_camera[k] == c.CAM_TRACK else com[b]
            pos0[k] = xpos[b] + quat_to_mat(xquat[b]) @ m.site_pos[k] - of
            quat0[k] = quat_mul(xquat[b], m.site_quat[k])
    return pos0, quat0


def centres_of_mass(m, xpos, xmat):
    """Of each body with all that hangs on it, (nbody, 3), from its frame and its rotation matrix."""
    xipos = xpos + np.einsum("bij,bj->bi", xmat, m.body_ipos)
    mass, moment = m.body_mass.copy(), m.body_mass[:, None] * xipos
    for b in range(m.nbody - 1, 0, -1):
        mass[m.body_parentid[b]] += mass[b]
        moment[m.body_parentid[b]] += moment[b]
    heavy = (mass >= MINVAL)[:, None]
    return np.where(heavy, moment / np.where(heavy, mass[:, None], 1), xipos)


def looking(way):
    """The rotation matrix of a camera that has its target behind it along `way`."""
    n = np.linalg.norm(way)
    z = way / n if n >= MINVAL else np.array([1.0, 0, 0])
    level = np.array([-z[1], z[0], 0.0])
    s = np.linalg.norm(level)
    x = level / s if s >= MINVAL else np.array([1.0, 0, 0])
    y = np.cross(z, x)
    return np.stack([x, y / np.linalg.norm(y), z], axis=1)


def placed(m, k, xpos, xmat, com):
    """Places (worlds, 3) and rotation matrices (worlds, 3, 3) of the camera at site k, of bodies' frames (worlds,
    nbody, ...) and their subtrees' centres of mass."""
    b, mode = m.site_bodyid[k], m.site_camera[k]
    if mode <= c.CAM_TRACKCOM:
        of = xpos if mode == c.CAM_TRACK else com
        return of[:, b] + m.site_pos0[k], np.broadcast_to(quat_to_mat(m.site_quat0[k]), xmat[:, b].shape)
    place = xpos[:, b] + xmat[:, b] @ m.site_pos[k]
    target = (xpos if mode == c.CAM_TARGETBODY else com)[:, m.site_targetbodyid[k]]
    return place, np.stack([looking(way) for way in place - target])


def quaternions(matrices):
    """Of MuJoCo's rotation matrices (n, 9)."""
    return np.reshape([mat_to_quat(x.reshape(3, 3)) for x in matrices], (-1, 4))
