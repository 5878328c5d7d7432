"""How large a robot is, and which of its bodies a camera follows."""

import numpy as np

from engine.model.constants import MESH, PLANE


def moves(model):
    """Which bodies forces can move, (nbody,): mocap bodies and the world are led."""
    return model.body_dofnum[model.body_weldid] > 0


def robot_size(model):
    """About the length of the robot, m: across the middles of its moving geoms at rest, and their sizes."""
    moving = np.flatnonzero(moves(model)[model.geom_bodyid] & (model.geom_type != PLANE))
    if not len(moving):
        return 1.0
    # without poses: how far a geom can be from its root is at most the sum of the offsets on the way
    reach = np.zeros(model.nbody)
    for b in range(1, model.nbody):
        parent = model.body_parentid[b]
        reach[b] = 0.0 if model.body_weldid[parent] == 0 else reach[parent] + np.linalg.norm(model.body_pos[b])
    radius = np.array([_extent(model, g) for g in moving])
    return float(np.max(reach[model.geom_bodyid[moving]] + np.linalg.norm(model.geom_pos[moving], axis=1) + radius))


def leading_body(model):
    """The body that a camera follows: the first that moves and has a geom, else the first."""
    moving = np.unique(model.geom_bodyid[(model.geom_type != PLANE) & moves(model)[model.geom_bodyid]])
    return int(moving[0]) if len(moving) else min(1, model.nbody - 1)


def _extent(model, g):
    if model.geom_type[g] == MESH:
        return np.linalg.norm(model.mesh_vert[model.geom_dataid[g]], axis=1).max()
    return model.geom_rbound[g]
