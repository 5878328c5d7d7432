"""In which of MuJoCo's ways a mesh has its frame at its centre and along its axes (XML reference: mesh, inertia)."""

import numpy as np


def inertia_of(vert, face):
    """The mesh `inertia` by which MuJoCo leaves a mesh where it is: all its ways to find the centre and axes are
    tried, since a Model does not keep which one it was."""
    corners = vert[face]
    weights = {}
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1) / 2
    middle = area @ corners.mean(axis=1) / area.sum() if area.sum() > 0 else np.zeros(3)
    volume = np.einsum("ij,ij->i", corners[:, 0] - middle, normal) / 6
    weights["legacy"], weights["exact"], weights["shell"] = abs(volume), volume, area
    best, least = "shell", np.inf
    for word, weight in weights.items():
        if weight.sum() <= 0 or area.sum() <= 0:
            continue
        points = corners if word == "shell" else np.concatenate([corners, np.tile(middle, (len(face), 1, 1))], axis=1)
        n = points.shape[1]
        centre = weight @ points.mean(axis=1) / weight.sum()
        x = points - centre
        total = x.sum(axis=1)  # of products over a simplex: the sum over corners and that of the sums
        spread = np.einsum("i,ija,ijb->ab", weight, x, x) + np.einsum("i,ia,ib->ab", weight, total, total)
        spread /= n * (n + 1) * weight.sum()
        size = np.sqrt(max(np.trace(spread), 1e-300))
        off = np.linalg.norm(centre) / size + np.abs(spread - np.diag(np.diag(spread))).sum() / size**2
        if off < 0.99 * least:
            best, least = word, off
    return best
