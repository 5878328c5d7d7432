"""Height fields as shaded triangles, two for each cell of the surface, coarser where they are many, and the sides."""

import numpy as np

from engine.model.elements.hfield import elevations
from engine.view.outline import DIRECTIONS

CELLS = 40  # along a side of a picture, at most
# Of a cell, or a piece of a side, with corners one after the other: a cell is bent along its diagonal, so one of
# its triangles may face the camera and the other not.
_HALVES = np.array([[0, 1, 2], [0, 2, 3]])
_OVER = 1.04  # they are drawn a little larger, so that no line shows between them


def cells_of(model, g):
    """Triangles of geom g in its own frame: corners (n, 3, 3), m, and outward normals (n, 3)."""
    k = model.geom_dataid[g]
    half, height, depth = model.hfield_size[k, :2], model.hfield_size[k, 2], model.hfield_size[k, 3]
    z = elevations(model, k) * height
    rows, columns = (np.unique(np.linspace(0, n - 1, min(n, CELLS + 1)).astype(int)) for n in z.shape)
    grid = np.stack(
        [*np.meshgrid(*(np.linspace(-s, s, n) for s, n in zip(half, z.shape[::-1], strict=True))), z], axis=-1
    )[np.ix_(rows, columns)]
    top = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2).reshape(-1, 4, 3)
    sides = []
    for rim in (grid[0], grid[-1, ::-1], grid[::-1, 0], grid[:, -1]):  # each with the field on its left
        low = rim * [1.0, 1.0, 0.0] - [0.0, 0.0, depth]
        sides.append(np.stack([low[:-1], low[1:], rim[1:], rim[:-1]], axis=1))
    corners = np.concatenate([top, *sides])[:, _HALVES].reshape(-1, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return corners, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def cell_polygons(cells, pos, mat, axes, light):
    """Of the triangles of a geom at pos, turned by mat, those that face the camera: polygons (n, DIRECTIONS, 2), metres
    of the picture, their brightness (n,) and how far away they are (n,)."""
    corners, normals = cells[0] @ mat.T + pos, cells[1] @ mat.T
    seen = normals @ axes[2] < 0.0
    corners, normals = corners[seen] @ axes.T, normals[seen]
    middle = corners.mean(axis=1)
    polygons = middle[:, None, :2] + _OVER * (corners[..., :2] - middle[:, None, :2])
    padded = np.concatenate([polygons, np.repeat(polygons[:, :1], DIRECTIONS - polygons.shape[1], axis=1)], axis=1)
    return padded, 0.35 + 0.5 * normals @ light, middle[:, 2]
