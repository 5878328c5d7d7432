"""What a file says of a mesh that a Model does not keep, found in its numbers: in which of MuJoCo's ways it has its
frame at its centre and along its axes (XML reference: mesh, inertia), and whether its hull has been cut."""

import numpy as np

STICKS_OUT = 1e-5  # of a mesh's size


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
        if weight.sum() <= 0 or area.sum() <= 0 or (word == "exact" and not _oriented(face)):
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


def _oriented(face):
    """Whether no two triangles go along an edge the same way, without which MuJoCo refuses `exact`."""
    ways = np.concatenate([face[:, [0, 1]], face[:, [1, 2]], face[:, [2, 0]]])
    return len(np.unique(ways, axis=0)) == len(ways)


def cut_hull(m, k):
    """(vertices (n, 3), triangles (., 3)) of the hull of mesh k, where the mesh sticks out of it since a file's
    `maxhullvert` has cut it; else None."""
    if not m.nmesh or not m.mesh_hullnum[k]:
        return None
    first, end = m.mesh_hulladr[k], m.mesh_hulladr[k] + m.mesh_hullnum[k]
    begins = np.append(0, m.face_vertend[:-1])
    own = [f for f, at in enumerate(begins) if first <= m.face_vert[at] < end]
    if not own:
        return None
    faces = [m.face_vert[begins[f] : m.face_vertend[f]] for f in own]
    corners = np.unique(np.concatenate(faces))
    vert, normal = np.asarray(m.mesh_vert[k], float), m.face_normal[own]
    out = (vert @ normal.T).max(axis=0) - (m.hull_vert[corners] @ normal.T).max(axis=0)
    if not out.max() > STICKS_OUT * np.ptp(vert, axis=0).max():
        return None
    fans = [(face[0], a, b) for face in faces for a, b in zip(face[1:-1], face[2:], strict=True)]
    return m.hull_vert[corners], np.searchsorted(corners, fans)
