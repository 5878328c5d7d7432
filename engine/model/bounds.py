"""Boxes around geoms, in their own frames, by which pairs of convex shapes are told apart before any search."""

import numpy as np

from . import constants as c
from .arms import adhesive
from .pairs import CLOSED, MOST_OF_FIELD, contact_parameters
from .sensors import ROWS, apart_pairs, features_of_sensors


def searched(m):
    """Which candidate pairs are found by a search between convex shapes, (npair,)."""
    kind1, kind2 = m.geom_type[m.pair_geom1], m.geom_type[m.pair_geom2]
    found = kind1 != c.PLANE
    for one, other in CLOSED:
        found &= (kind1 != one) | (kind2 != other)
    return found


def looked_ahead(m):
    """Which candidate pairs may make contacts before an impact (the flag speculative), (npair,)."""
    return bool(m.opt.speculative) & (m.geom_type[m.pair_geom1] != c.HFIELD)


def lines(m, opt):
    """Lines: what the engine lacks beside contacts before an impact. m: a Model, or what has its arrays and names."""
    if not opt.speculative or not (contact_parameters(m)["gap"] > 0).any():
        return
    told = any(ROWS[kind].level == "contact" for kind in m.sensor_type)
    kept = ["contact sensors"] * told + ["adhesion"] * bool(adhesive(m).any())
    if kept:
        yield (
            f"option flag speculative = enable beside pairs with a gap and {' and '.join(kept)}, which ask for "
            "contacts in the gap; allowed: gap = 0"
        )


def looked_for(m):
    """Which candidate pairs a search between convex shapes is asked about, (npair,)."""
    return searched(m) | (looked_ahead(m) & (m.geom_type[m.pair_geom1] != c.PLANE))


def geom_boxes(m):
    """Centres and half lengths of the boxes around all geoms, (ngeom, 3) each, metres; of those that no search asks
    for they are zeros, and there are none at all where no pair is searched."""
    pairs, sought = searched(m) | looked_ahead(m), apart_pairs(m)[0]
    n = m.ngeom if pairs.any() or "distance_search" in features_of_sensors(m) else 0
    centre, half = np.zeros((n, 3)), np.zeros((n, 3))
    for g in np.unique(np.concatenate([m.pair_geom1[pairs], m.pair_geom2[pairs], sought.ravel()])):
        kind, size, mesh = m.geom_type[g], m.geom_size[g], m.geom_dataid[g]
        if kind in (c.HFIELD, c.PLANE):  # contact/hfield.py asks the field's grid
            continue
        if kind == c.MESH:
            vert = m.hull_vert[m.mesh_hulladr[mesh] : m.mesh_hulladr[mesh] + m.mesh_hullnum[mesh]]
            centre[g], half[g] = (vert.max(axis=0) + vert.min(axis=0)) / 2, np.ptp(vert, axis=0) / 2
        else:
            half[g] = {
                c.SPHERE: size[[0, 0, 0]], c.CAPSULE: size[[0, 0, 0]] + [0, 0, size[1]],
                c.CYLINDER: size[[0, 0, 1]], c.ELLIPSOID: size, c.BOX: size,
            }[kind]  # fmt: skip
    return centre, half


def field_contacts(m):
    """The most contacts of each candidate pair with a height field, (npair,): its prisms under a ball around the other
    geom and its margin, and no more than MuJoCo keeps. 0 for other pairs."""
    most = np.zeros(m.npair, int)
    values = contact_parameters(m)
    around = m.geom_rbound[m.pair_geom2] + np.maximum(values["margin"] + values["gap"], 0.0)
    for k in np.flatnonzero(m.geom_type[m.pair_geom1] == c.HFIELD):
        field, wide = m.geom_dataid[m.pair_geom1[k]], 2 * around[k]
        points = np.array([m.hfield_ncol[field], m.hfield_nrow[field]])
        cells = np.minimum(wide * (points - 1) / (2 * m.hfield_size[field, :2]) + 2, points - 1).astype(int)
        most[k] = min(2 * cells.prod(), MOST_OF_FIELD)
    return most


def clipped(m):
    """Which candidate pairs are of two shapes with faces or edges, which are clipped at each other, (npair,)."""
    flat = (c.CAPSULE, c.CYLINDER, c.BOX, c.MESH)
    return looked_for(m) & np.isin(m.geom_type[m.pair_geom1], flat) & np.isin(m.geom_type[m.pair_geom2], flat)


def most_corners(m):
    """The most corners that a face of these has, or 0."""
    pairs = clipped(m) | (looked_ahead(m) & np.isin(m.geom_type[m.pair_geom2], (c.CYLINDER, c.BOX, c.MESH, c.CAPSULE)))
    if not pairs.any():
        return 0
    most, corners = 16, np.diff(m.face_vertend, prepend=0)  # of a cylinder's cap (contact/faces.py); of all faces
    geoms = np.unique([m.pair_geom1[pairs], m.pair_geom2[pairs]])
    for mesh in np.unique(m.geom_dataid[geoms[m.geom_type[geoms] == c.MESH]]):
        first, end = m.mesh_hulladr[mesh], m.mesh_hulladr[mesh] + m.mesh_hullnum[mesh]
        faces = m.hull_face[m.hull_faceend[first - 1] if first else 0 : m.hull_faceend[end - 1] if end > first else 0]
        most = max(most, int(corners[faces].max(initial=0)))
    return most
