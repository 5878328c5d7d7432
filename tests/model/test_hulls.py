"""Convex hulls of meshes: what they are, stored and read again, and refused where they are none."""

import itertools

import mujoco
import numpy as np
import pytest

from engine.model import load
from engine.model.errors import ModelError
from engine.model.portable import fingerprint, model_from_arrays, model_to_arrays
from engine.model.validate import validate
from tests import zoo


@pytest.fixture(scope="module")
def rock():
    """A rock on a plane, and another mesh that is only drawn."""
    drawn = '<mesh name="a" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/><mesh name="rock"'
    xml = zoo.touching("plane", "mesh").replace('<mesh name="rock"', drawn)
    seen = '<geom type="mesh" mesh="a" contype="0" conaffinity="0"/><body name="two"'
    return load(xml.replace('<body name="two"', seen))


def runs(ends, values):
    return np.split(values, ends[:-1])


def test_a_hull(rock):
    assert rock.mesh_hullnum.tolist() == [0, 11] and rock.mesh_names == ["a", "rock"]
    neighbours = [set(x.tolist()) for x in runs(rock.hull_edgeend, rock.hull_edge)]
    faces = runs(rock.face_vertend, rock.face_vert)
    assert all(i in neighbours[k] for i in range(11) for k in neighbours[i])
    assert sorted(map(len, faces))[-2:] == [4, 7] and sum(map(len, faces)) == 2 * (11 + len(faces) - 2)
    for i, mine in enumerate(runs(rock.hull_faceend, rock.hull_face)):
        assert {k for k, corners in enumerate(faces) if i in corners} == set(mine)
    for n, corners in zip(rock.face_normal, faces, strict=True):
        height = rock.hull_vert @ n
        assert np.ptp(height[corners]) < 1e-6 and height.max() < height[corners].max() + 1e-6
    for v, best in zip(itertools.product((-1, 0, 1), repeat=3), rock.mesh_extrema[1], strict=True):
        assert not any(v) or (rock.hull_vert @ v).max() - rock.hull_vert[best] @ v < 1e-6


def test_a_hull_is_stored(rock):
    again = model_from_arrays(model_to_arrays(rock))
    assert fingerprint(again) == fingerprint(rock) and again.npair == 1


@pytest.mark.parametrize("array, index, value, message", (
    ("hull_edge", 0, 11, "hull_edge = 11; allowed: 0 to 10"),
    ("hull_face", 3, -1, "hull_face = -1; allowed"),
    ("face_vert", 0, 99, "face_vert = 99; allowed: 0 to 10"),
    ("hull_edgeend", 2, 0, "hull_edgeend = 0; allowed: numbers that do not fall"),
    ("face_vertend", -1, 0, "face_vertend = 0; allowed: numbers that do not fall"),
    ("mesh_extrema", (1, 4), 11, "allowed: vertices of its hull"),
    ("mesh_hulladr", 1, 5, "mesh_hulladr = 5; allowed: a hull within hull_vert"),
    ("mesh_hullnum", 1, 0, "pair_geom2 = 2; allowed: a mesh with a convex hull"),
))  # fmt: skip
def test_what_is_no_hull(rock, array, index, value, message):
    m = rock.copy()
    getattr(m, array)[index] = value
    with pytest.raises(ModelError, match=message):
        validate(m)


def test_a_mesh_that_does_not_touch_has_no_hull():
    unseen = zoo.SHAPES["mesh"] + ' contype="0" conaffinity="0"'
    m = load(mujoco.MjModel.from_xml_string(zoo.model(f"<body><freejoint/><geom {unseen}/></body>", default=zoo.ROCK)))
    assert m.nmesh == 1 and m.mesh_vert[0].shape == (11, 3) and not m.mesh_hullnum.any() and not len(m.hull_vert)
