"""Meshes: triangles that are only drawn; each has arrays of its own lengths."""

import numpy as np

from ..errors import ModelError
from .kind import Kind, cast


class Mesh(Kind):
    name = "mesh"

    def changed(self, mujoco, mj):
        if mj.nskin or mj.nhfield:
            yield f"{mj.nskin} skins and {mj.nhfield} height fields are not drawn"

    def check_indices(self, m):
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
