"""Geoms as nodes of a viser scene: shapes, colours and meshes as in the model; and the ground."""

import numpy as np

from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, GEOM_NAMES, HFIELD, MESH, PLANE, SPHERE
from engine.model.elements.hfield import surface
from engine.view.ground import ruler_step

_FLAT_BELOW = 400  # faces of a mesh that is drawn with flat ones: a coarse mesh looks wrong when smoothed
_CELLS = 90  # squares of the ground along its longer side, at most
_DARKER = 0.86


def add_geom(scene, name, model, g, opacity=None):
    """Add geom g under a node that has the pose of its body; returns its node. opacity: None of what is opaque."""
    kind, size, rgba = model.geom_type[g], model.geom_size[g], model.geom_rgba[g]
    look = {
        "color": tuple(float(c) for c in rgba[:3]), "opacity": opacity,
        "position": model.geom_pos[g], "wxyz": model.geom_quat[g],
    }  # fmt: skip
    if kind == SPHERE:
        return scene.add_icosphere(name, radius=size[0], **look)
    if kind == ELLIPSOID:
        return scene.add_icosphere(name, radius=1.0, scale=tuple(float(s) for s in size), **look)
    if kind == BOX:
        return scene.add_box(name, dimensions=tuple(2.0 * size), **look)
    if kind == CYLINDER:
        return scene.add_cylinder(name, radius=size[0], height=2.0 * size[1], **look)
    if kind == CAPSULE:
        return scene.add_mesh_simple(name, *capsule(size[0], size[1]), **look)
    if kind == MESH:
        vert, face = model.mesh_vert[model.geom_dataid[g]], model.mesh_face[model.geom_dataid[g]]
        return scene.add_mesh_simple(name, vert, face, flat_shading=len(face) < _FLAT_BELOW, side="double", **look)
    if kind == HFIELD:
        return scene.add_mesh_simple(name, *surface(model, model.geom_dataid[g]), flat_shading=True, **look)
    allowed = ", ".join(GEOM_NAMES[k] for k in (SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH, HFIELD, PLANE))
    raise ValueError(f"{model.label('geom', g)} is a {GEOM_NAMES[kind]}, which cannot be drawn; allowed: {allowed}")


def capsule(radius, half, sides=24, rings=8):
    """Vertices and faces of a capsule along z about the origin."""
    polar = np.concatenate([np.linspace(0.0, 0.5, rings + 1), np.linspace(0.5, 1.0, rings + 1)]) * np.pi
    shift = np.repeat([half, -half], rings + 1)
    around = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(around), np.sin(around), np.zeros(sides)], axis=1)
    vert = radius * np.sin(polar)[:, None, None] * ring
    vert[:, :, 2] += (radius * np.cos(polar) + shift)[:, None]
    at = np.arange(len(polar) * sides).reshape(len(polar), sides)
    a, b = at[:-1], np.roll(at[:-1], -1, axis=1)
    c, d = at[1:], np.roll(at[1:], -1, axis=1)
    face = np.concatenate([np.stack([a, c, b], axis=-1).reshape(-1, 3), np.stack([b, c, d], axis=-1).reshape(-1, 3)])
    return vert.reshape(-1, 3), face


def add_ground(scene, name, model, g, pose, low, high, size, far):
    """The plane geom g, with its pose (pos, quat): a checker in two tones of its colour, around low to high (m) and
    `far` beyond, where it has faded into the sky. size: the robot's, m.

    Planes of MuJoCo collide without end, whatever their size, and so this one is drawn as far as it matters.
    """
    middle, reach = (np.asarray(low) + high)[:2] / 2.0, 1.08 * far
    half = (np.asarray(high) - low)[:2] / 2.0 + reach
    cell = ruler_step(9.0 * max(0.6 * size, 2.0 * half.max() / _CELLS))
    pos, quat = pose
    level = abs(quat[0]) > 1.0 - 1e-9
    first = np.floor((middle - half) / cell) if level else np.floor(-half / cell)
    count = np.ceil(2.0 * half / cell).astype(int) + 1
    i, j = np.meshgrid(np.arange(count[0]), np.arange(count[1]), indexing="ij")
    corner = (first + np.stack([i, j], axis=-1).reshape(-1, 2)) * cell
    if level:
        corner = corner - pos[:2]  # the squares' edges are at whole multiples of their size, to read distances off
    dark = (np.rint(first.sum()).astype(int) + i + j).ravel() % 2 == 0
    rgb = model.geom_rgba[g, :3]
    for tone, chosen, factor in (("light", ~dark, 1.0), ("dark", dark, _DARKER)):
        square = np.array([[0, 0, 0], [cell, 0, 0], [cell, cell, 0], [0, cell, 0]])
        vert = np.pad(corner[chosen], ((0, 0), (0, 1)))[:, None] + square
        face = 4 * np.arange(len(vert))[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])
        scene.add_mesh_simple(
            f"{name}/{tone}", vert.reshape(-1, 3), face.reshape(-1, 3), color=tuple(float(c) for c in factor * rgb),
            position=pos, wxyz=quat, cast_shadow=False, receive_shadow=0.35, flat_shading=True,
        )  # fmt: skip
    return cell
