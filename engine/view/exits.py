"""How far an arrow from a contact goes inside the geom that it touches, so that its head can be drawn outside."""

import numpy as np

from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, HFIELD, MESH, PLANE, SPHERE
from engine.model.rotation import quat_mul, quat_to_mat

_SAMPLES = 65


def way_out(model, g, xpos, xquat, start, along):
    """Length, m, from `start` (3,) in the direction `along` (3,) to where geom g ends; 0 if that way leads past it.

    xpos (nbody, 3), xquat (nbody, 4): the bodies' poses.
    """
    length, kind, size = np.linalg.norm(along), model.geom_type[g], model.geom_size[g]
    if not length > 0.0 or kind == PLANE:
        return 0.0
    b = model.geom_bodyid[g]
    turn = quat_to_mat(quat_mul(xquat[b], model.geom_quat[g]))
    at = turn.T @ (start - xpos[b]) - quat_to_mat(model.geom_quat[g]).T @ model.geom_pos[g]
    ray = turn.T @ along / length
    if kind == HFIELD:  # which may lie beyond its sides, but hides no head there
        return 0.0
    if kind == MESH:  # of what is beyond, the farthest: a mesh may be hollow
        vert = model.mesh_vert[model.geom_dataid[g]]
        return float(max(((vert - at) @ ray).max(), 0.0))
    farthest = np.linalg.norm(at) + model.geom_rbound[g]
    t = np.linspace(0.0, farthest, _SAMPLES)
    within = np.flatnonzero(_inside(kind, size, at + t[:, None] * ray))
    return float(t[within[-1]]) if len(within) else 0.0


def _inside(kind, size, x):
    """Whether places (n, 3) in a geom's frame lie in it."""
    if kind == SPHERE:
        return np.linalg.norm(x, axis=1) <= size[0]
    if kind == ELLIPSOID:
        return np.linalg.norm(x / size, axis=1) <= 1.0
    if kind == BOX:
        return (np.abs(x) <= size).all(axis=1)
    if kind == CAPSULE:
        axis = np.clip(x[:, 2], -size[1], size[1])
        return np.hypot(np.hypot(x[:, 0], x[:, 1]), x[:, 2] - axis) <= size[0]
    if kind == CYLINDER:
        return (np.hypot(x[:, 0], x[:, 1]) <= size[0]) & (np.abs(x[:, 2]) <= size[1])
    return np.zeros(len(x), bool)
