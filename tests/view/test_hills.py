"""Height fields in pictures: cells that face the camera, sorted among the geoms; a mesh in the browser."""

import numpy as np

from engine.model import ModelBuilder
from engine.model.elements.hfield import surface
from engine.view import save_frame
from engine.view.camera import Camera
from engine.view.hills import CELLS, cell_polygons, cells_of
from engine.view.outline import DIRECTIONS
from engine.view.painter import paint, shapes_of, towards_light


def land(rows=6, columns=9):
    b = ModelBuilder("land")
    b.hfield("hills", size=(2, 1, 0.5, 0.3), elevation=np.random.default_rng(0).random((rows, columns)))
    b.geom("world", "ground", type="hfield", hfield="hills", rgba=(0, 1, 0, 1))
    b.body("ball", pos=(0, 0, 1))
    b.joint("ball", None, type="free")
    b.geom("ball", "ball", size=0.2, mass=1, rgba=(1, 0, 0, 1))
    return b.compile()


def test_cells_are_the_surface_and_its_sides():
    corners, normals = cells_of(land(), 0)
    assert len(corners) == 2 * (5 * 8 + 2 * (5 + 8))  # two triangles each
    assert (normals[:80, 2] > 0).all()
    sides = corners[80:].mean(axis=1)
    assert (np.einsum("ij,ij->i", normals[80:, :2], sides[:, :2]) > 0).all()  # outwards
    assert len(cells_of(land(200, 7), 0)[0]) == 2 * (CELLS * 6 + 2 * (CELLS + 6))


def test_only_what_faces_the_camera_is_drawn():
    axes = Camera().axes
    polygons, brightness, depth = cell_polygons(cells_of(land(), 0), np.zeros(3), np.eye(3), axes, towards_light(axes))
    assert polygons.shape[1:] == (DIRECTIONS, 2) and len(polygons) == len(brightness) == len(depth)
    assert 66 < len(polygons) < 132


def area(polygons):
    """Signed, of polygons (n, k, 2)."""
    x, y = np.moveaxis(polygons, -1, 0)
    return 0.5 * (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)


def test_there_are_no_holes():
    """Where a cell is bent over its diagonal and one half faces the camera, that half is drawn: the picture's area is
    that of all triangles of contact that face it."""
    model, axes = land(12, 12), Camera().axes
    model.hfield_size[0, 2] = 1.5
    polygons, _, _ = cell_polygons(cells_of(model, 0), np.zeros(3), np.eye(3), axes, towards_light(axes))
    vertices, faces = surface(model, 0)
    areas = area((vertices @ axes.T)[faces][..., :2])
    upwards = np.cross(*(vertices[faces[:, k]] - vertices[faces[:, 0]] for k in (1, 2)))[:, 2] >= 0  # not the bottom
    facing = np.sign(area(polygons[:1])[0])
    want = (areas * facing)[upwards & (areas * facing > 0)].sum()
    assert abs(np.abs(area(polygons)).sum() / 1.04**2 - want) < 1e-9 * want


def test_a_ball_stands_before_the_cells_behind_it_and_behind_those_before_it():
    model = land()
    xpos, xmat = np.array([[0, 0, 0], [0, 0, 0.5]]), np.tile(np.eye(3), (2, 1, 1))
    _, colours = paint(shapes_of(model), xpos, xmat, Camera(), 0.01)
    red = np.flatnonzero(colours[:, 0] > colours[:, 1])
    assert len(red) and 0 < red[0] and red[-1] < len(colours) - 1


def test_a_frame(tmp_path):
    model = land()
    xquat = np.tile([1.0, 0, 0, 0], (1, 2, 1))
    save_frame(tmp_path / "a.png", model, np.array([[[0, 0, 0], [0, 0, 0.8]]]), xquat)
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_the_browser_has_it_as_a_mesh():
    from engine.view.browser.shapes import add_geom

    class Scene:
        def add_mesh_simple(self, name, vertices, faces, **look):
            return vertices, faces

    model = land()
    for found, wanted in zip(add_geom(Scene(), "x", model, 0), surface(model, 0), strict=True):
        np.testing.assert_array_equal(found, wanted)
