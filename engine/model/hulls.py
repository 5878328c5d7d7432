"""Convex hulls of the meshes that may touch or are measured: vertices, who neighbours whom, and faces, as MuJoCo's
compiler makes them.

One after the other over all meshes, with numbers that count over all of them, so that the device needs no more. Of
a mesh of few vertices all are kept, in its order, since MuJoCo tries each of them, of which some may lie within a face.
"""

import numpy as np

from .constants import MESH

GRID = 27  # directions, signs of three components each, of which a hull's farthest vertices are known
SEARCHED = 10  # vertices from which a search climbs along edges


def hulls_of(mj, measured):
    """{array of the kind Mesh: values} of an MjModel; of a mesh that only is drawn there is no hull. measured: geoms
    whose distances are asked for. Of their meshes that cannot touch MuJoCo knows no hull: all vertices are kept,
    without neighbours or faces, and each of them is tried."""
    may_touch = (mj.geom_contype | mj.geom_conaffinity) != 0
    may_touch[np.concatenate([mj.pair_geom1, mj.pair_geom2, measured])] = True
    wanted = set(mj.geom_dataid[may_touch & (mj.geom_type == MESH)].tolist())
    alone = set(mj.geom_dataid[measured[mj.geom_type[measured] == MESH]].tolist())
    parts = {name: [] for name in ("vert", "edge_end", "edge", "face_end", "face", "normal", "corner_end", "corner")}
    first, extrema = [0], []
    faces = corners = edges = listed = 0
    for i in range(mj.nmesh):
        if mj.mesh_graphadr[i] < 0 and i in alone:
            n = int(mj.mesh_vertnum[i])
            parts["vert"].append(mj.mesh_vert[mj.mesh_vertadr[i] : mj.mesh_vertadr[i] + n])
            parts["edge_end"].append(np.full(n, edges))
            parts["face_end"].append(np.full(n, listed))
            extrema.append(np.full(GRID, first[-1]))
            first.append(first[-1] + n)
            continue
        if mj.mesh_graphadr[i] < 0 or i not in wanted:
            first.append(first[-1])
            extrema.append(np.zeros(GRID, int))
            continue
        graph, vertex = mj.mesh_graph[mj.mesh_graphadr[i] :], slice(mj.mesh_vertadr[i], None)
        n, total = int(graph[0]), int(mj.mesh_vertnum[i])
        begin, known, near = graph[2 : 2 + n], graph[2 + n : 2 + 2 * n], graph[2 + 2 * n :]
        stops = np.flatnonzero(near[: n + 3 * int(graph[1])] < 0)  # after the neighbours of each vertex
        neighbours = stops[np.searchsorted(stops, begin)] - begin
        place = np.arange(n)  # where each vertex of the graph is kept
        if total < SEARCHED:
            begin, neighbours = (_spread(values, known, total) for values in (begin, neighbours))
            n, place, known = total, known, np.arange(total)
        number = np.full(total, -1)
        number[known] = np.arange(n)
        touching, adr = mj.mesh_polymapnum[vertex][known], mj.mesh_polymapadr[vertex][known]
        polygons = slice(mj.mesh_polyadr[i], mj.mesh_polyadr[i] + mj.mesh_polynum[i])
        sides, vert = mj.mesh_polyvertnum[polygons], mj.mesh_polyvertadr[polygons]
        parts["vert"].append(mj.mesh_vert[vertex][known])
        parts["edge_end"].append(edges + np.cumsum(neighbours))
        parts["edge"].append(first[-1] + place[near[runs(begin, neighbours)]])
        parts["face_end"].append(listed + np.cumsum(touching))
        parts["face"].append(faces + mj.mesh_polymap[runs(adr, touching)])
        parts["normal"].append(mj.mesh_polynormal[polygons])
        parts["corner_end"].append(corners + np.cumsum(sides))
        parts["corner"].append(first[-1] + number[mj.mesh_polyvert[runs(vert, sides)]])
        extrema.append(first[-1] + place[mj.mesh_extrema[i].ravel()])
        faces, corners = faces + len(sides), corners + int(sides.sum())
        edges, listed = edges + int(neighbours.sum()), listed + int(touching.sum())
        first.append(first[-1] + n)
    whole = {name: np.concatenate(values) if values else np.zeros(0) for name, values in parts.items()}
    return {
        "mesh_hulladr": np.array(first[:-1], int), "mesh_hullnum": np.diff(first),
        "mesh_extrema": np.reshape(extrema, (-1, GRID)), "hull_vert": whole["vert"].reshape(-1, 3),
        "hull_edgeend": whole["edge_end"], "hull_edge": whole["edge"], "hull_faceend": whole["face_end"],
        "hull_face": whole["face"], "face_normal": whole["normal"].reshape(-1, 3),
        "face_vertend": whole["corner_end"], "face_vert": whole["corner"],
    }  # fmt: skip


def runs(begin, count):
    """The numbers from begin[0] on, count[0] of them, then from begin[1] on, ..."""
    before = np.cumsum(count) - count
    return np.repeat(begin - before, count) + np.arange(count.sum())


def _spread(values, at, n):
    """n numbers, zeros but for the values at these places."""
    spread = np.zeros(n, int)
    spread[at] = values
    return spread
