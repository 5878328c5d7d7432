"""Meshes: triangles that are drawn, each mesh with arrays of its own lengths; and convex hulls, which may touch."""

import numpy as np

from .. import constants as c
from ..checks import check
from ..errors import ModelError
from ..hulls import GRID, SEARCHED, hulls_of
from ..sensors import measured_geoms, words_of_mujoco
from .kind import Field, Kind, N, cast, integer, real


class Mesh(Kind):
    name, named = "mesh", "nmesh"
    fields = {
        "nmesh": {
            "mesh_hulladr": integer("first vertex of its hull"),
            "mesh_hullnum": integer("vertices of its hull; 0 where it is only drawn"),
            "mesh_extrema": Field(N, (GRID,), "", "farthest vertices along 27 directions, by the signs of x, y, z"),
        },
        "nhullvert": {
            "hull_vert": real("m", "vertex, in the frame of the geom", 3),
            "hull_edgeend": integer("end of its neighbours in hull_edge"),
            "hull_faceend": integer("end of its faces in hull_face"),
        },
        "nhulledge": {"hull_edge": integer("neighbour: a vertex")},
        "nhullface": {"hull_face": integer("a face")},
        "nface": {
            "face_normal": real("1", "outward normal, in the frame of the geom", 3),
            "face_vertend": integer("end of its corners in face_vert"),
        },
        "nfacevert": {"face_vert": integer("corner, one after the other around the face: a vertex")},
    }

    def ordered(self, builder, bodies):
        return ()

    def assembled(self, order, m):
        return {array: () for group in self.fields.values() for array in group}

    def read(self, mujoco, mj, m):
        return hulls_of(mj, measured_geoms(mj, *words_of_mujoco(mujoco)))

    def lacking(self, m):
        geoms = np.concatenate([m.pair_geom1, m.pair_geom2])
        for geom in np.unique(geoms[m.geom_type[geoms] == c.MESH]):
            if not m.mesh_hullnum[m.geom_dataid[geom]]:
                yield f"geom {m.geom_names[geom] or geom}: may touch, but its mesh has no convex hull"

    def changed(self, mujoco, mj):
        if mj.nskin:
            yield f"{mj.nskin} skins are not drawn"

    def check_indices(self, m):
        for array, count in (("hull_edge", m.nhullvert), ("hull_face", m.nface), ("face_vert", m.nhullvert)):
            value = getattr(m, array)
            check(m, array, (value < 0) | (value >= count), f"0 to {count - 1}")
        for array, of in (("hull_edgeend", m.nhulledge), ("hull_faceend", m.nhullface), ("face_vertend", m.nfacevert)):
            value = getattr(m, array)
            falls = np.diff(value, prepend=0) < 0
            falls[-1:] |= value[-1:] != of
            check(m, array, falls, f"numbers that do not fall, and {of} at the end")
        check(m, "mesh_hullnum", m.mesh_hullnum < 0, "0 or more")
        low, high = m.mesh_hulladr[:, None], (m.mesh_hulladr + m.mesh_hullnum)[:, None]
        check(m, "mesh_hulladr", (low[:, 0] < 0) | (high[:, 0] > m.nhullvert), "a hull within hull_vert")
        outside = (m.mesh_extrema < low) | (m.mesh_extrema >= high)
        check(m, "mesh_extrema", outside.any(axis=1) & (m.mesh_hullnum > 0), "vertices of its hull")
        if m.nmesh not in (0, len(m.mesh_vert)):
            raise ModelError(f"nmesh = {m.nmesh}; allowed: {len(m.mesh_vert)}, as mesh_vert, or no hulls at all")
        if len(m.mesh_vert) != len(m.mesh_face):
            raise ModelError(f"mesh_face has {len(m.mesh_face)} meshes; allowed: {len(m.mesh_vert)}, as mesh_vert")
        for i, (vert, face) in enumerate(zip(m.mesh_vert, m.mesh_face, strict=True)):
            if vert.ndim != 2 or vert.shape[1] != 3 or not np.isfinite(vert).all():
                raise ModelError(f"mesh {i}: mesh_vert has shape {vert.shape}; allowed: finite numbers of shape (n, 3)")
            if face.ndim != 2 or face.shape[1] != 3:
                raise ModelError(f"mesh {i}: mesh_face has shape {face.shape}; allowed: (n, 3)")
            bad = face[(face < 0) | (face >= len(vert))]
            if len(bad):
                raise ModelError(f"mesh {i}: mesh_face names vertex {bad[0]}; allowed: 0 to {len(vert) - 1}")

    def device(self, m):
        small = np.array([len(vert) < SEARCHED for vert in m.mesh_vert[: m.nmesh]], bool)
        end = np.append(0, m.hull_edgeend)
        bare = end[m.mesh_hulladr] == end[m.mesh_hulladr + m.mesh_hullnum]  # nobody has a neighbour
        return {"mesh_tried": m.mesh_hullnum * (small | bare)}

    def check(self, m):
        for side in ("pair_geom1", "pair_geom2"):
            geoms = getattr(m, side)
            bare = m.geom_type[geoms] == c.MESH
            bare[bare] = m.mesh_hullnum[m.geom_dataid[geoms[bare]]] == 0
            check(m, side, bare, "a mesh with a convex hull")
        for geom in measured_geoms(m):
            if m.geom_type[geom] == c.MESH and not m.mesh_hullnum[m.geom_dataid[geom]]:
                who = m.label("geom", geom)
                raise ModelError(f"{who}: a mesh without a convex hull; allowed where a sensor measures: with one")


def take_meshes(m, meshes):
    """Set `mesh_vert`, metres (n, 3), and `mesh_face`, vertices (n, 3), of Model `m`: lists with an array a mesh."""
    m.mesh_vert = [cast(f"mesh_vert of mesh {i}", vert, np.float64) for i, (vert, _) in enumerate(meshes)]
    m.mesh_face = [cast(f"mesh_face of mesh {i}", face, np.int32) for i, (_, face) in enumerate(meshes)]


def meshes_of(mj):
    """(vertices, faces) of every mesh of an MjModel."""
    meshes = []
    for i in range(mj.nmesh):
        vert, face = mj.mesh_vertadr[i], mj.mesh_faceadr[i]
        meshes.append((mj.mesh_vert[vert : vert + mj.mesh_vertnum[i]], mj.mesh_face[face : face + mj.mesh_facenum[i]]))
    return meshes
