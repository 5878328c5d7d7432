"""Outlines of convex shapes under a projection, by their support function.

Under a linear map P from space to the picture, the point of a projected convex shape that lies farthest in the
direction n is P applied to the point of the shape that lies farthest in the direction P^T n. Taking n once around the
circle gives the outline, anticlockwise, for a camera and for a shadow alike. For capsules and spheres it is exact up
to the number of directions.
"""

import numpy as np

from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, HFIELD, MESH, SPHERE

DIRECTIONS = 40  # vertices of an outline
_ANGLES = np.linspace(0.0, 2.0 * np.pi, DIRECTIONS, endpoint=False)
CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def outline(
    geom_type: int, size: np.ndarray, vertices: np.ndarray | None, xmat: np.ndarray, projection: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Core and hull (DIRECTIONS, 2) of the outline about the projected centre, which is core + hull.

    The outline of a thinner shape inside is core + w hull with w < 1: a capsule or cylinder keeps its length, the
    others shrink as a whole. `projection` is P (2, 3), `vertices` those of a mesh in the frame of the geom.
    """
    view = projection @ xmat
    core, hull = _support(geom_type, size, vertices, CIRCLE @ view)
    return core @ view.T, hull @ view.T


def cap(size: np.ndarray, xmat: np.ndarray, projection: np.ndarray, forward: np.ndarray):
    """The end disc of a cylinder that faces the camera (DIRECTIONS, 2), and its normal (3,)."""
    side = -1.0 if forward @ xmat[:, 2] > 0.0 else 1.0
    disc = np.column_stack([size[0] * CIRCLE, np.full(DIRECTIONS, side * size[1])])
    return disc @ (projection @ xmat).T, side * xmat[:, 2]


def box_faces(
    size: np.ndarray, xmat: np.ndarray, projection: np.ndarray, forward: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The three faces of a box that face the camera, padded to (3, DIRECTIONS, 2), and their normals (3, 3)."""
    faces, normals = [], []
    for axis in range(3):
        side = -1.0 if forward @ xmat[:, axis] > 0.0 else 1.0
        u, v = (axis + 1) % 3, (axis + 2) % 3
        corners = np.zeros((DIRECTIONS, 3))
        corners[:, axis] = side * size[axis]
        corners[:, u] = -size[u]
        corners[:, v] = -size[v]
        corners[1:3, u] = size[u]
        corners[2:4, v] = size[v]
        faces.append(corners @ (projection @ xmat).T)
        normals.append(side * xmat[:, axis])
    return np.stack(faces), np.stack(normals)


def _support(
    geom_type: int, size: np.ndarray, vertices: np.ndarray | None, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points of the shape farthest along each direction d (n, 3), in the frame of the geom, as core + hull."""
    core = np.zeros_like(d)
    if geom_type in (CAPSULE, CYLINDER):
        core[:, 2] = size[1] * _sign(d[:, 2])
    if geom_type in (SPHERE, CAPSULE):
        return core, size[0] * _unit(d)
    if geom_type == CYLINDER:
        return core, size[0] * _unit(d * [1.0, 1.0, 0.0])
    if geom_type == ELLIPSOID:
        return core, size * _unit(size * d)
    if geom_type == BOX:
        return core, size * _sign(d)
    if geom_type in (MESH, HFIELD):
        return core, vertices[np.argmax(d @ vertices.T, axis=1)]
    raise ValueError(f"geom type {geom_type} has no outline")


def _unit(d: np.ndarray) -> np.ndarray:
    # A direction along the axis of a cylinder has no part across it: any point of the rim is then farthest.
    return d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-12)


def _sign(d: np.ndarray) -> np.ndarray:
    return np.where(d >= 0.0, 1.0, -1.0)
