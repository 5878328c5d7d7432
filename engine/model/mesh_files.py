"""Mesh files that MuJoCo does not read: text STL, and by way of trimesh .dae, .glb, .ply and what else it knows."""

import io
import re

import numpy as np

from .errors import ModelError

READ_BY_MUJOCO = {".stl", ".obj", ".msh"}
_NUMBER = rb"\s+([-+.\deE]+)"
_CORNER = re.compile(rb"vertex" + 3 * _NUMBER)


def reads(data, suffix):
    """Whether MuJoCo reads a mesh file's content. suffix: ".stl", ..."""
    return suffix in READ_BY_MUJOCO and not (suffix == ".stl" and _is_text(data))


def as_obj(who, data, suffix):
    """The triangles of a mesh file as bytes of an OBJ, metres.

    A .dae in another unit is scaled to metres; its up axis is not turned, as in RViz: the robot's file has the pose.
    """
    corners = np.array(_CORNER.findall(data), float) if suffix == ".stl" else ()
    if suffix == ".stl":
        vertices, faces = corners, np.arange(len(corners) // 3 * 3).reshape(-1, 3)
    else:
        vertices, faces = _by_trimesh(who, data, suffix)
    if not len(faces) or not np.isfinite(vertices).all():
        raise ModelError(f"{who}: no triangles in it; allowed: a mesh of some, at finite places")
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices.tolist()]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces.tolist()]
    return "\n".join(lines).encode()


def _by_trimesh(who, data, suffix):
    advice = 'pip install "pullback[meshes]", or a mesh in .obj, .stl or .msh'
    try:
        import trimesh
    except ImportError as error:
        raise ImportError(f"{who}: to read {suffix}, trimesh is needed: {advice}") from error
    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=suffix[1:])
        mesh = scene.to_mesh()
    except ImportError as error:  # the reader of one format
        raise ImportError(f"{who}: to read {suffix}, trimesh lacks a package ({error}): {advice}") from error
    except Exception as error:  # whatever a damaged file makes of a reader
        raise ModelError(f"{who}: trimesh cannot read it ({error}); allowed: a whole {suffix}") from error
    unit, mark, _ = (scene.units or "").partition(" * meters")  # of a .dae in another unit
    return np.array(mesh.vertices) * (float(unit) if mark else 1.0), np.array(mesh.faces)


def _is_text(data):
    """Whether an STL is of the kind written as text: it says "solid", and is not as long as a binary one."""
    triangles = int.from_bytes(data[80:84], "little")
    return data[:5].lower() == b"solid" and len(data) != 84 + 50 * triangles
