"""Outlines against dense points on the surfaces, and the camera, the ground and the shadow against geometry."""

import numpy as np
import pytest

from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH, SPHERE
from engine.view.camera import Camera, follow
from engine.view.ground import Ground, Window, ruler_step
from engine.view.outline import CIRCLE, box_faces, cap, outermost, outline

TETRAHEDRON = np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [0.0, 0.3, 0.0], [0.1, 0.1, 0.5]])
SHAPES = {
    SPHERE: [0.3, 0.0, 0.0],
    CAPSULE: [0.1, 0.4, 0.0],
    ELLIPSOID: [0.1, 0.2, 0.4],
    CYLINDER: [0.2, 0.3, 0.0],
    BOX: [0.1, 0.2, 0.3],
    MESH: [0.0, 0.0, 0.0],
}
LEVEL = np.eye(3)


def surface(kind, size, rng, count=40_000):
    """Points on the surface of a shape, spread over all of it."""
    sphere = rng.normal(size=(count, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    if kind == SPHERE:
        return size[0] * sphere
    if kind == CAPSULE:
        return size[0] * sphere + np.outer(np.sign(sphere[:, 2]), [0.0, 0.0, size[1]])
    if kind == ELLIPSOID:
        return size * sphere
    if kind == CYLINDER:
        angle = rng.uniform(0.0, 2.0 * np.pi, count)
        return np.stack([size[0] * np.cos(angle), size[0] * np.sin(angle), size[1] * np.sign(sphere[:, 2])], axis=1)
    return size * np.sign(sphere) if kind == BOX else TETRAHEDRON


def rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


@pytest.mark.parametrize("kind", SHAPES)
def test_outline_touches_the_projected_surface_all_around(kind):
    rng = np.random.default_rng(kind)
    size = np.array(SHAPES[kind])
    for _ in range(5):
        xmat, projection = rotation(rng), rng.normal(size=(2, 3))
        polygon = np.add(*outline(kind, size, TETRAHEDRON, xmat, projection))
        points = surface(kind, size, rng) @ xmat.T @ projection.T
        farthest = np.max(points @ CIRCLE.T, axis=0)
        np.testing.assert_allclose(np.max(polygon @ CIRCLE.T, axis=0), farthest, rtol=0, atol=4e-3)
        assert (np.einsum("ki,ki->k", polygon, CIRCLE) >= farthest - 1e-12).all()


def test_visible_faces_of_a_box_are_those_that_face_the_camera():
    forward = np.array([0.6, 0.0, -0.8])
    faces, normals = box_faces(np.array([1.0, 2.0, 3.0]), LEVEL, LEVEL[:2], forward)
    assert (normals @ forward <= 0.0).all()
    np.testing.assert_allclose(normals[[0, 2]], [[-1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(faces[2].min(axis=0), [-1, -2])
    np.testing.assert_allclose(faces[2].max(axis=0), [1, 2])


def test_cap_of_a_cylinder_is_the_end_nearer_to_the_camera():
    looking_up = np.array([0.0, 0.0, 1.0])
    _, normal = cap(np.array([0.1, 0.5, 0.0]), LEVEL, LEVEL[:2], looking_up)
    np.testing.assert_allclose(normal, [0, 0, -1])


def test_camera_has_mujocos_azimuth_and_elevation():
    np.testing.assert_allclose(Camera(90, 0).axes, [[1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-15)
    np.testing.assert_allclose(Camera(0, -90).axes[2], [0, 0, -1], atol=1e-15)
    axes = Camera(130, -25).axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-15)
    assert axes[1, 2] > 0 > axes[2, 2]


@pytest.mark.parametrize("options", ({"elevation": 10}, {"elevation": -91}, {"width": 0.0}, {"lookat": (1, 2)}))
def test_camera_refuses_by_name(options):
    with pytest.raises(ValueError, match=f"camera {next(iter(options))}="):
        Camera(**options)


def test_following_camera_keeps_up_with_constant_velocity_and_smooths_a_shake():
    t = np.linspace(0.0, 5.0, 126)[:, None]
    np.testing.assert_allclose(follow(2.0 * t, size=1.0, window=10), 2.0 * t, atol=1e-12)
    shake = 0.1 * np.sin(2.0 * np.pi * 5.0 * t)
    assert np.abs(follow(2.0 * t + shake, size=1.0, window=10) - 2.0 * t).max() < 0.03


def test_following_camera_rests_while_the_robot_stays_in_place():
    track = np.array([[0.0, 1.0], [0.2, 1.1], [0.1, 0.9]])
    np.testing.assert_allclose(follow(track, size=1.0, window=10), [[0.1, 1.0]] * 3)
    assert follow(np.array([[0.0], [9.0]]), size=1.0, window=10).shape == (2, 1)


def ground_and_lookat():
    camera = Camera(azimuth=110, elevation=-20)
    return Ground(np.array([0.0, 0.0, 0.5]), LEVEL, camera.axes), np.array([3.2, 1.0, 0.5])


def test_shadow_falls_where_the_light_meets_the_ground():
    ground, _ = ground_and_lookat()
    light = np.array([-0.36, -0.36, 0.86])
    projection, offset = ground.shadow(light)
    point = np.array([1.0, 2.0, 1.3])
    met = point - light * (point[2] - 0.5) / light[2]
    np.testing.assert_allclose(projection @ point + offset, ground.camera[:2] @ met)
    np.testing.assert_allclose(projection @ met + offset, ground.camera[:2] @ met)


def test_checker_stays_with_the_world_while_the_camera_moves():
    ground, lookat = ground_and_lookat()
    window = Window(-2.0, -0.5, 4.0, 2.0)
    shift = np.array([0.3, 0.0, 0.0])
    first, _ = ground.checker(lookat, window, cell=0.5)
    second, strength = ground.checker(lookat + shift, window, cell=0.5)
    moved = {tuple(np.round(corner, 9)) for corner in (second + ground.camera[:2] @ shift)[:, 0]}
    inside = [tuple(np.round(cell[0], 9)) for cell in first if (np.abs(cell - [0.0, 0.2]) < [1.3, 0.4]).all()]
    assert len(inside) > 2 and moved.issuperset(inside)
    assert 0.0 <= strength.min() and strength.max() <= 1.0


def test_ruler_reads_the_place_of_the_robot_below_it():
    ground, lookat = ground_and_lookat()
    marks, x = ground.ruler(lookat, Window(-2.0, -0.5, 4.0, 2.0), step=0.5)
    right = ground.camera[0]
    np.testing.assert_allclose(x, (marks - 3.2) * right[0], atol=1e-12)
    assert np.interp(0.0, x, marks) == pytest.approx(3.2)
    assert np.all(np.abs(x) < 2.0) and len(marks) >= 6


def test_ground_seen_from_its_edge_or_from_below_is_not_drawn():
    axes = Camera(elevation=0).axes
    assert not Ground(np.zeros(3), LEVEL, axes).visible
    assert not Ground(np.zeros(3), np.diag([1.0, -1.0, -1.0]), Camera(elevation=-30).axes).visible


def test_ruler_steps_are_round_and_leave_room_for_their_labels():
    assert [ruler_step(width) for width in (0.9, 4.5, 9.0, 17.0, 45.0)] == [0.1, 0.5, 1.0, 2.0, 5.0]
    for width in np.geomspace(0.01, 1000, 200):
        assert 3.5 < width / ruler_step(width) < 9.1


def test_outlines_need_few_of_the_vertices_of_a_fine_mesh():
    """A solid cloud with an egg around it and corners on it: the outline of the outermost is that of all."""
    rng = np.random.default_rng(0)
    egg = rng.normal(size=(20_000, 3))
    egg *= [0.3, 0.2, 0.1] / np.linalg.norm(egg, axis=1, keepdims=True)
    corners = np.array([[0.4, 0.0, 0.0], [0.0, -0.3, 0.1], [0.1, 0.1, 0.4]])
    every = np.concatenate([rng.uniform(0, 1, (20_000, 1)) * egg, egg, corners]) + [0.0, 2.0, 0.0]
    kept = outermost(every)
    assert len(kept) <= 800 and all((kept == c + [0.0, 2.0, 0.0]).all(axis=1).any() for c in corners)
    for _ in range(5):
        view = rotation(rng)[:2]
        ends = [(CIRCLE @ view @ v.T).max(axis=1) for v in (every, kept)]
        np.testing.assert_allclose(*ends, atol=4e-3)  # as near as a polygon comes to an outline, above
    assert outermost(TETRAHEDRON) is TETRAHEDRON
