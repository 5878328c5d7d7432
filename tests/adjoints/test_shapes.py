"""Narrow phase: contact_frame, the witness of planes, balls, segments and boxes, and the points of a capsule on a box,
each adjoint against differences, at random and at degenerate places."""

from fractions import Fraction

import numpy as np
import pytest

from engine.contact import witness
from engine.model import constants as c
from tests.adjoints import leaves

RNG = np.random.default_rng(0)
X, Y, Z = np.eye(3)


def unit(*v):
    v = np.array(v, float)
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def rows(*vectors):
    return np.concatenate(vectors)[None]


# ------------------------------------------------------------------------------------------------ contact_frame


def test_contact_frame():
    n, y = unit(*RNG.normal(size=(50, 3))), unit(*RNG.normal(size=(50, 3)))
    leaves.check(leaves.frame, np.concatenate([n, y], axis=1), 6)


@pytest.mark.parametrize("y", (X, Y, unit(1, 0, 1e-3), unit(1, 0, 0.9)), ids=str)
def test_contact_frame_degenerate(y):
    """A hint that is a tangent already, and hints close to the normal."""
    leaves.check(leaves.frame, rows(Z, y), 6)
    leaves.check(leaves.frame, rows(Z, unit(*(Z + 0.05 * y))), 6, h=1e-5)


# -------------------------------------------------------------------------------------------- plane, balls


def test_plane_point():
    x = np.concatenate([unit(*RNG.normal(size=(50, 3))), RNG.normal(size=(50, 6))], axis=1)
    leaves.check(leaves.plane, x, 7)


@pytest.mark.parametrize("height", (0.3, 0.3 + 1e-12, 0.0, -1.0))
def test_plane_point_touching(height):
    leaves.check(leaves.plane, rows(Z, [0, 0, 0], [0.1, 0.2, height]), 7)


def test_sphere_sphere():
    leaves.check(leaves.spheres, RNG.normal(size=(50, 6)), 7, h=1e-4)


@pytest.mark.parametrize("distance", (0.5, 0.2, 1e-2), ids=("touching", "deep", "nearly concentric"))
def test_sphere_sphere_degenerate(distance):
    leaves.check(leaves.spheres, rows(np.zeros(3), distance * Z), 7, h=1e-3 * distance, tolerance=1e-7)


def test_concentric_spheres():
    """No direction is preferred: the normal is held, the adjoint finite."""
    y, x_bar, _ = leaves.run(leaves.spheres, np.zeros((1, 6)), np.ones((1, 7)), np.zeros((1, 4)))
    assert np.allclose(y[0], [-0.5, 0, 0.05, 0, 0, 1, 0])
    assert np.isfinite(x_bar).all()


# --------------------------------------------------------------------------------------------- segments


def test_segment_params():
    """All combinations of a free parameter and an end, for two capsules."""
    x = RNG.normal(size=(400, 12)) * np.repeat([1.0, 0.7, 1.0, 0.7], 3)
    smooth, k = leaves.check(leaves.segments, x, 6, tolerance=1e-7)
    assert smooth.sum() > 350
    assert {tuple(row) for row in k[smooth, 1:]} == {(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)}


@pytest.mark.parametrize("ball", (3, 9), ids=("first", "second"))
def test_segment_params_of_a_ball(ball):
    """A ball is a segment without length; its half axis has no adjoint."""
    x = RNG.normal(size=(100, 12))
    x[:, ball : ball + 3] = 0
    columns = [i for i in range(12) if not ball <= i < ball + 3]
    smooth, k = leaves.check(leaves.segments, x, 6, columns=columns)
    assert {tuple(row) for row in k[smooth, 1:]} == ({(0, 0, 1), (0, 1, 1)} if ball == 3 else {(0, 0, 1), (1, 0, 1)})


def test_segment_params_of_two_balls():
    x = np.zeros((10, 12))
    x[:, 0:3], x[:, 6:9] = RNG.normal(size=(2, 10, 3))
    leaves.check(leaves.segments, x, 6, columns=(0, 1, 2, 6, 7, 8))


@pytest.mark.parametrize("opposed", (1, -1), ids=("along", "opposed"))
@pytest.mark.parametrize("candidate, low", ((0, -0.15), (1, 0.2)), ids=("lower", "upper"))
@pytest.mark.parametrize("length", (1e-3, 1, 100))
def test_parallel_segments(candidate, low, opposed, length):
    """Both ends of what they share along the first, here from an end of the second to one of the first."""
    k = [[candidate, 0, 0, 0]]
    along = length * rows(np.zeros(3), 0.2 * X, [0.15, 0.0, 0.3], opposed * 0.3 * X)
    # only what keeps them parallel: translations and lengths
    columns = (0, 1, 2, 3, 6, 7, 8, 9)
    _, filled = leaves.check(leaves.segments, along, 6, k=k, columns=columns, h=1e-5 * length)
    assert filled[0, 1:].tolist() == ([1, 0, 2] if candidate == 0 else [0, 1, 2])
    y, x_bar, _ = leaves.run(leaves.segments, along, np.ones((1, 6)), k)
    np.testing.assert_allclose(y[0] / length, [low, 0, 0, low, 0, 0.3], atol=1e-15)
    assert np.isfinite(x_bar).all()


def test_crossing_segments():
    """Perpendicular, meeting in their middles: distance zero, both parameters free."""
    leaves.check(leaves.segments, rows(np.zeros(3), 0.2 * X, np.zeros(3), 0.3 * Y), 6)
    leaves.check(leaves.segments, rows(np.zeros(3), 0.2 * X, 0.1 * Z, 0.3 * Y), 6)


def test_nearly_parallel_segments():
    x = rows(np.zeros(3), 0.2 * X, [0.01, 0.0, 0.1], 0.3 * unit(1, 1e-2, 0))
    leaves.check(leaves.segments, x, 6, h=1e-6, tolerance=1e-6)


def exact_points(x):
    """c1, c2 (6) of two lines in exact arithmetic: x1, s1, x2, s2 (12 Fractions)."""
    x1, s1, x2, s2 = (x[i : i + 3] for i in range(0, 12, 3))
    dot = lambda a, b: sum(p * q for p, q in zip(a, b, strict=True))  # noqa: E731
    d = [p - q for p, q in zip(x1, x2, strict=True)]
    ma, mb, mc, u, v = dot(s1, s1), -dot(s1, s2), dot(s2, s2), -dot(s1, d), dot(s2, d)
    det = ma * mc - mb * mb
    t1, t2 = (mc * u - mb * v) / det, (ma * v - mb * u) / det
    return [p + t1 * q for p, q in zip(x1, s1, strict=True)] + [p + t2 * q for p, q in zip(x2, s2, strict=True)]


GAP = 1e-3  # between the lines, of their length


def crossing_pairs(count):
    """Segments of all lengths that cross within both at angles down to 1e-4 rad, and the angles."""
    rng = np.random.default_rng(5)
    sine = 10 ** rng.uniform(-3.9, -1, count)[:, None]
    frame = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    a, across, n = frame[:, :, 0], frame[:, :, 1], frame[:, :, 2]
    size = 10 ** rng.uniform(-3, 2, count)[:, None]
    s1, s2 = size * a, size * rng.uniform(0.5, 2, (count, 1)) * (rng.choice((-1, 1), (count, 1)) * a + sine * across)
    t1, t2 = rng.uniform(-0.9, 0.9, (2, count, 1))
    x1 = size * rng.normal(size=(count, 3))
    x2 = x1 + t1 * s1 + GAP * size * n - t2 * s2
    return np.concatenate([x1, s1, x2, s2], axis=1), size[:, 0], sine[:, 0]


def test_nearly_parallel_crossing_loses_no_digits():
    """Points and adjoints against exact arithmetic: they are off by what the rounding of the axes themselves is worth,
    which moves the crossing by 1 / angle, and by gap / angle^2, and by what that of the places is worth in the gap.
    """
    x, size, sine = crossing_pairs(60)
    bar = np.random.default_rng(6).normal(size=(60, 6))
    y, x_bar, k = leaves.run(leaves.segments, x, bar, np.zeros((60, 4), np.int32))
    assert (k[:, 1:] == [1, 1, 1]).all()
    for i in range(60):
        row = [Fraction(value) for value in x[i]]
        points, step = exact_points(row), Fraction(10) ** -40
        moved = [exact_points([value + step * (j == e) for j, value in enumerate(row)]) for e in range(12)]
        slopes = np.array([[float((q - p) / step) for p, q in zip(points, m, strict=True)] for m in moved]) @ bar[i]
        rounding = 1e-15 * (1 / sine[i] + GAP / sine[i] ** 2)
        assert np.abs(y[i] - np.array(points, float)).max() < rounding * size[i]
        assert np.abs(x_bar[i] - slopes).max() < (rounding + 1e-15 / GAP) * np.abs(slopes).max()


# ------------------------------------------------------------------------------------------------- boxes


def test_ball_box():
    """Outside near faces, edges and corners, and inside."""
    smooth = 0
    for spread in (0.3, 0.6, 1.0):
        x = RNG.normal(size=(300, 3)) * spread
        size = np.array([0.5, 0.4, 0.3])
        clear = np.abs(np.abs(x) - size).min(axis=1) > 1e-2
        sides = np.sort(size - np.abs(x), axis=1)
        # inside: one nearest face, and not the one across
        clear &= (sides[:, 0] < 0) | (sides[:, 1] - sides[:, 0] > 1e-2) & (np.abs(x).min(axis=1) > 1e-2)
        leaves.check(leaves.ball_and_box, x[clear], 7, h=1e-4)
        smooth += clear.sum()
    assert smooth > 500


def test_ball_box_touching():
    for q in ((0, 0, 0.4), (0, 0, -0.4), (0.6, 0, 0), (0, 0.1, 0.4 + 1e-13)):
        leaves.check(leaves.ball_and_box, np.array([q]), 7)


def test_ball_centre_on_the_surface():
    """The normal is that of the face from both sides, so the adjoint is too."""
    q = np.array([[0.1, 0.1, 0.3]])
    for shift in (0.0, 1e-9, -1e-9):
        y, x_bar, _ = leaves.run(leaves.ball_and_box, q + [0, 0, shift], np.array([[1.0, 0, 0, 0, 0, 0, 0]]), [[0] * 4])
        assert np.allclose(y[0], [-0.1, 0.1, 0.1, 0.25, 0, 0, -1], atol=1e-8)
        assert np.allclose(x_bar, [[0, 0, 1]])


def test_points_of_a_capsule_on_a_box():
    """Every way in which a point's parameter follows the poses (FIXED, NEAREST, CROSSING, OFFSET)."""
    size = np.array([0.5, 0.4, 0.3])
    q = RNG.uniform(-1, 1, size=(6000, 3)) * (size + 0.3)
    a = unit(*RNG.normal(size=(6000, 3))) * RNG.uniform(0.05, 1.0, size=(6000, 1))
    a[::3] *= [1, 1, 0.05]
    sizes = np.tile(size, (6000, 1))
    smooth, k = leaves.check(leaves.capsule_and_box, np.concatenate([q, a, sizes], axis=1), 2, h=1e-6, tolerance=1e-5)
    found = {(near >= 0, kind) for near, kind, _, _ in k[smooth]}
    assert {kind for _, kind in found} == {-1, 0, 2, 3}
    assert {(True, 0), (True, 2), (True, 3), (False, 0), (False, 2), (False, -1)} <= found


@pytest.mark.parametrize("a", (0.2 * X, 0.2 * Y, 0.2 * Z, 0.9 * X), ids=("x", "y", "z", "longer than the box"))
def test_capsule_along_an_axis_of_the_box(a):
    """Flat on a face, exactly: finite, and the place follows translations."""
    x = rows([0.05, 0.02, 0.35], a, [0.5, 0.4, 0.3])
    y, x_bar, _ = leaves.run(leaves.capsule_and_box, x, np.ones((1, 2)), [[0] * 4])
    assert np.isfinite(x_bar).all()
    leaves.check(leaves.capsule_and_box, x, 2, columns=(0, 1, 2), h=1e-6, tolerance=1e-7)


# ---------------------------------------------------------------------------------------------- cylinders


def test_ball_cylinder():
    """Nearest to the side, a cap, a rim, and inside."""
    q = RNG.uniform(-0.8, 0.8, size=(900, 3))
    smooth, k = leaves.check(leaves.ball_and_cylinder, q, 7, h=1e-5, tolerance=1e-7)
    assert smooth.sum() > 800
    assert set(k[smooth, 0]) == {witness.LINE, witness.FACE, witness.CURVE}


@pytest.mark.parametrize("q", ((0, 0, 0.35), (0, 0, 0.3), (0.4, 0, 0.1), (0.4, 0, 0.3), (0, 0, 0), (0, 0.1, 0)))
def test_ball_cylinder_degenerate(q):
    """On the axis, on the surface, on the rim, at the centre: finite."""
    y, x_bar, _ = leaves.run(leaves.ball_and_cylinder, rows(1.0 * np.array(q)), np.ones((1, 7)), [[0] * 4])
    assert np.isfinite(y).all() and np.isfinite(x_bar).all()
    np.testing.assert_allclose(np.linalg.norm(y[0, 4:]), 1, rtol=1e-14)


@pytest.mark.parametrize("k", range(4))
def test_plane_cylinder(k):
    x = np.concatenate([RNG.normal(size=(100, 6)), np.zeros((100, 3))], axis=1)
    x[:50, :2] *= 1e-2  # nearly flat on the plane
    integers = np.tile([k, 0, 0, 0], (100, 1))
    smooth, _ = leaves.check(leaves.plane_and_cylinder, x, 7, k=integers, h=1e-6, tolerance=1e-6)
    assert smooth.sum() > 95


@pytest.mark.parametrize("normal", (Z, -Z, X, unit(1, 1, 0)), ids=str)
def test_plane_cylinder_flat(normal):
    """On a cap, where no point of the rim is lowest, and on the side."""
    for k in range(4):
        x = rows(normal, [0.1, 0.2, 0.3], np.zeros(3))
        y, x_bar, kinds = leaves.run(leaves.plane_and_cylinder, x, np.ones((1, 7)), [[k, 0, 0, 0]])
        assert np.isfinite(y).all() and np.isfinite(x_bar).all()
        assert kinds[0, 1] == (witness.POINT if abs(normal[2]) == 1 else witness.CURVE)


def test_plane_ellipsoid():
    x = np.concatenate([RNG.normal(size=(100, 6)), np.zeros((100, 3))], axis=1)
    x[:6, :3] = np.concatenate([np.eye(3), -np.eye(3)])
    leaves.check(leaves.plane_and_ellipsoid, x, 7, h=1e-4)


# ---------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("kind, candidates, ball", (
    (c.SPHERE, 1, 0), (c.CAPSULE, 2, 0), (c.ELLIPSOID, 1, 0), (c.CYLINDER, 4, 0), (c.BOX, 8, 0), (c.CYLINDER, 1, 1),
    (c.BOX, 1, 1),
), ids=str)  # fmt: skip
def test_sizes(kind, candidates, ball):
    """Radii and lengths of a shape that touches a plane or a ball."""
    n = 60 * candidates
    x = np.concatenate([RNG.uniform(0.2, 0.5, size=(n, 3)), RNG.normal(size=(n, 6)) * [1, 1, 1, 0.5, 0.5, 0.5]], axis=1)
    k = np.array([[kind, i % candidates, ball, 0] for i in range(n)])
    smooth, _ = leaves.check(leaves.sizes, x, 4, k=k, columns=(0, 1, 2), h=1e-5, tolerance=1e-7)
    assert smooth.sum() > 0.9 * n
