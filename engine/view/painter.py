"""From the poses of the geoms to shaded polygons, the farthest first (painter's algorithm)."""

from dataclasses import dataclass

import numpy as np

from engine.model.constants import BOX, CYLINDER, GEOM_NAMES, HFIELD, MESH, PLANE, SDF
from engine.view.camera import Camera
from engine.view.hills import cell_polygons, cells_of
from engine.view.outline import CIRCLE, box_faces, cap, outline

LAYERS = 14  # nested polygons of a geom: its rim, then ever brighter towards the light
_BRIGHT = np.linspace(0.0, 1.0, LAYERS)
_WIDTHS = np.linspace(1.0, 0.1, LAYERS)
FIRST_HIDDEN_GROUP = 3  # MuJoCo's viewer shows geom groups 0 to 2; files keep what only collides in 3
_OFF_CENTRE = 0.5  # how far the brightest spot moves towards the light, of the way to the rim


@dataclass(frozen=True)
class Shapes:
    """What is drawn of a model: the visible geoms other than planes, and the first plane as the ground."""

    geoms: np.ndarray  # ids of the geoms drawn
    geom_type: np.ndarray
    geom_size: np.ndarray
    rgb: np.ndarray
    moving: np.ndarray  # of each drawn geom: is it part of the robot, not fixed to the world?
    torso: np.ndarray  # ids of the geoms of the first moving body, which the camera follows
    vertices: dict[int, np.ndarray]  # mesh vertices by geom id, in the frame of the geom
    cells: dict[int, tuple]  # of height fields by geom id (hills.py)
    ground: int | None  # id of the plane


def visible_geoms(model):
    """Ids of the geoms other than planes that MuJoCo's viewer would show; all, where that leaves nothing."""
    solid = (model.geom_type != PLANE) & (model.geom_rgba[:, 3] > 0)
    for g in np.flatnonzero(model.geom_type == HFIELD):
        solid[g] &= model.geom_dataid[g] >= 0  # else stored before there were any: it has no elevations
    shown = solid & (model.geom_group < FIRST_HIDDEN_GROUP)
    return np.flatnonzero(shown if shown.any() else solid)


def shapes_of(model) -> Shapes:
    """Read the geoms of a model, refusing those that have no picture."""
    geom_type, rgba = np.asarray(model.geom_type), np.asarray(model.geom_rgba, dtype=float)
    bodyid = np.asarray(model.geom_bodyid)
    for g in np.flatnonzero(geom_type == SDF):
        allowed = ", ".join(name for kind, name in GEOM_NAMES.items() if kind != SDF)
        raise ValueError(f"geom {g} is a signed distance field, which cannot be drawn; allowed: {allowed}")
    drawn = visible_geoms(model)
    if len(drawn) == 0:
        raise ValueError("the model has no visible geom other than planes: there is nothing to draw")
    planes = np.flatnonzero(geom_type == PLANE)
    moving = bodyid[drawn] > 0
    led = np.asarray(getattr(model, "body_mocapid", np.full(bodyid.max() + 1, -1)))[bodyid[drawn]] >= 0
    follow = moving & ~led if (moving & ~led).any() else moving
    first = bodyid[drawn][follow].min() if follow.any() else 0
    opacity = rgba[drawn, 3:]
    cells = {int(g): cells_of(model, g) for g in drawn[geom_type[drawn] == HFIELD]}
    return Shapes(
        geoms=drawn,
        geom_type=geom_type[drawn],
        geom_size=np.asarray(model.geom_size, dtype=float)[drawn],
        rgb=rgba[drawn, :3] * opacity + (1.0 - opacity),  # nested layers hide what is behind: paler for transparent
        moving=moving if moving.any() else np.ones(len(drawn), dtype=bool),
        torso=drawn[bodyid[drawn] == first],
        vertices={int(g): _mesh_vertices(model, g) for g in drawn[geom_type[drawn] == MESH]}
        | {g: corners.reshape(-1, 3) for g, (corners, _) in cells.items()},
        cells=cells,
        ground=int(planes[0]) if len(planes) else None,
    )


def paint(shapes: Shapes, xpos: np.ndarray, xmat: np.ndarray, camera: Camera, edge: float):
    """Polygons (n, DIRECTIONS, 2) in metres of the picture about its origin, and their colours (n, 3).

    `edge` is the width of the dark line around each geom, in metres.
    """
    axes = camera.axes
    polygons, colours = [], []
    centres = xpos[shapes.geoms] @ axes.T
    depths, parts = [centres[:, 2]], [(i, None) for i in range(len(shapes.geoms))]
    hills = {}
    for i, g in enumerate(shapes.geoms.tolist()):
        if g in shapes.cells:  # whose cells are sorted among the geoms
            hills[i] = cell_polygons(shapes.cells[g], xpos[g], xmat[g], axes, towards_light(axes))
            depths.append(hills[i][2])
            parts += [(i, k) for k in range(len(hills[i][2]))]
    # Rounded, so that geoms in one plane keep the order of the model whatever the last bits of their depths.
    for part in np.argsort(-np.round(np.concatenate(depths), 4), kind="stable"):
        i, k = parts[part]
        if k is not None:
            polygons.append(hills[i][0][k : k + 1])
            colours.append(_shade(shapes.rgb[i], hills[i][1][k : k + 1]))
        if i in hills:
            continue
        layers, shades = _geom_layers(shapes, i, xmat, axes)
        line = (layers[0] + edge * CIRCLE)[None]
        polygons.append(centres[i, :2] + np.concatenate([line, layers]))
        colours.append(np.concatenate([0.35 * shapes.rgb[i][None], _shade(shapes.rgb[i], shades)]))
    return np.concatenate(polygons), np.concatenate(colours)


def silhouettes(shapes: Shapes, xpos: np.ndarray, xmat: np.ndarray, projection: np.ndarray, which: np.ndarray):
    """Outlines (n, DIRECTIONS, 2) of the drawn geoms `which` under any projection (2, 3) of the world."""
    return np.stack([xpos[shapes.geoms[i]] @ projection.T + sum(_outline(shapes, i, xmat, projection)) for i in which])


def _outline(shapes: Shapes, i: int, xmat: np.ndarray, projection: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    g = shapes.geoms[i]
    return outline(shapes.geom_type[i], shapes.geom_size[i], shapes.vertices.get(int(g)), xmat[g], projection)


def _geom_layers(shapes: Shapes, i: int, xmat: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nested polygons of one geom about its centre (LAYERS, DIRECTIONS, 2), and the brightness of each."""
    kind, size, projection, forward = shapes.geom_type[i], shapes.geom_size[i], axes[:2], axes[2]
    pose, light = xmat[shapes.geoms[i]], towards_light(axes)
    core, hull = _outline(shapes, i, xmat, projection)
    if kind == BOX:
        faces, normals = box_faces(size, pose, projection, forward)
        rims = np.broadcast_to(core + hull, (LAYERS - 3, *hull.shape))
        return np.concatenate([rims, faces]), np.append(np.zeros(LAYERS - 3), 0.35 + 0.5 * normals @ light)
    reach = np.linalg.norm(hull, axis=1).min()
    widths = _WIDTHS[:, None, None]
    layers = core + widths * hull + _OFF_CENTRE * (1.0 - widths) * reach * (projection @ light)
    if kind != CYLINDER:
        return layers, _BRIGHT
    layers[-1], normal = cap(size, pose, projection, forward)
    return layers, np.append(_BRIGHT[:-1], 0.35 + 0.5 * normal @ light)


def towards_light(axes: np.ndarray) -> np.ndarray:
    """Unit vector of the world to the light: above, a little to the left of the camera and behind it."""
    right, forward = axes[0], np.array([-axes[0, 1], axes[0, 0], 0.0])
    return np.array([0.0, 0.0, 0.86]) - 0.36 * right - 0.36 * forward


def _shade(rgb: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """From a darker tone of the colour at brightness 0 to a paler one at 1, (n, 3)."""
    b = np.clip(brightness, 0.0, 1.0)[:, None]
    dark, pale = 0.68 * rgb, rgb + 0.42 * (1.0 - rgb)
    return np.where(b < 0.5, dark + 2.0 * b * (rgb - dark), rgb + (2.0 * b - 1.0) * (pale - rgb))


def _mesh_vertices(model, geom: int) -> np.ndarray:
    """Vertices of a mesh geom in its own frame: `mesh_vert` holds those of each mesh."""
    if not hasattr(model, "mesh_vert"):
        raise ValueError(f"geom {geom} is a mesh, but the model has no mesh_vert to draw it from")
    return np.asarray(model.mesh_vert[model.geom_dataid[geom]], dtype=float)
