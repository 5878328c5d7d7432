"""A Model written as MJCF is read back as the same Model."""

import re

import numpy as np
import pytest

import engine
from engine.cli import main
from engine.model import ModelError, mesh_frames
from engine.model import constants as c
from engine.model.elements.key import KEYS
from engine.model.fields import TABLE
from engine.model.mesh_frames import inertia_of
from engine.model.rotation import quat_to_mat
from engine.model.writing import DERIVED, REFUSED, WRITTEN
from tests import zoo
from tests.model.model_zoo import CHEETAH, MENAGERIE

TABLES = ("SMOOTH", "ARMS", "TENDONS", "TAUT", "EQUALITIES", "MOCAPS", "ROWS")
FILES = {f"{table} {name}": text for table in TABLES for name, text in getattr(zoo, table).items()}
FILES |= {"cheetah": CHEETAH, "menagerie": MENAGERIE, "sensors": zoo.SENSED}


def reread(model):
    return engine.load(model.to_mjcf())


def assert_same_numbers(a, b):
    """Every array, option and keyframe, but for names that were made up."""
    for name in (*TABLE, *(f"key_{key}" for key in KEYS)):
        close = 1e-7 if name.endswith("rgba") else 1e-13  # MuJoCo keeps colours in single precision
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=close, rtol=1e-12, err_msg=name)
    for name, value in vars(a.opt).items():
        np.testing.assert_array_equal(value, getattr(b.opt, name), err_msg=name)


def test_every_array_is_written_or_follows():
    assert set(TABLE) == WRITTEN | DERIVED | REFUSED
    assert len(TABLE) == len(WRITTEN) + len(DERIVED) + len(REFUSED)


@pytest.mark.parametrize("name", FILES)
def test_files(name):
    model = engine.load(FILES[name])
    assert_same_numbers(model, reread(model))


@pytest.mark.parametrize("kinds", [("box", "mesh"), ("cylinder", "ellipsoid"), ("plane", "capsule")])
def test_shapes(kinds):
    model = engine.load(zoo.touching(*kinds))
    again = reread(model)
    assert again.geom_pos == pytest.approx(model.geom_pos, abs=1e-7)
    assert again.geom_size == pytest.approx(model.geom_size, abs=1e-7)
    assert np.array_equal(again.pair_geom1, model.pair_geom1)
    assert again.mesh_hullnum.tolist() == model.mesh_hullnum.tolist()


BALL = np.random.default_rng(0).normal(size=(30, 3))
BALL *= 0.1 / np.linalg.norm(BALL, axis=1, keepdims=True)


@pytest.mark.parametrize("most", (0, 8, 14))
def test_hulls_of_few_vertices(most):
    """A hull of fewer vertices than the mesh would have is read back as it was, in a frame of its own."""
    text = zoo.touching("plane", "mesh")
    vertex = " ".join(f"{x:.6g}" for x in BALL.ravel())
    old = re.search(r"<mesh [^>]*/>", text)[0]
    name = re.search('name="([^"]*)"', old)[1]
    limit = f' maxhullvert="{most}"' if most else ""
    model = engine.load(text.replace(old, f'<mesh name="{name}" vertex="{vertex}"{limit}/>'))
    again = reread(model)
    assert again.mesh_hullnum.tolist() == model.mesh_hullnum.tolist() == [most or 30]
    way = np.random.default_rng(1).normal(size=(500, 3))
    reach = []
    for m in (model, again):
        g = int(np.flatnonzero(m.geom_type == c.MESH)[0])
        turned = way @ quat_to_mat(m.geom_quat[g])
        reach.append((m.hull_vert @ turned.T).max(axis=0) + way @ m.geom_pos[g])
    np.testing.assert_allclose(*reach, atol=1e-6)
    if not most:
        np.testing.assert_allclose(again.mesh_vert[0], model.mesh_vert[0], atol=1e-7)


def test_a_mesh_whose_faces_are_turned_both_ways_is_none_that_mujoco_measures_exactly(monkeypatch):
    """An octahedron with one face turned round, in the frame that its volume would have: MuJoCo refuses `exact`."""
    vert = np.array([[1, 0, 0], [-1, 0, 0], [0, 0.8, 0], [0, -0.7, 0], [0, 0, 0.5], [0, 0, -0.6]])
    face = np.array([[0, 2, 4], [4, 1, 2], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    corners = vert[face]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1)
    middle = area @ corners.mean(axis=1) / area.sum()
    volume = np.einsum("ij,ij->i", corners[:, 0] - middle, normal) / 6
    x = np.concatenate([corners, np.tile(middle, (len(face), 1, 1))], axis=1)
    x = x - volume @ x.mean(axis=1) / volume.sum()
    total = x.sum(axis=1)
    spread = np.einsum("i,ija,ijb->ab", volume, x, x) + np.einsum("i,ia,ib->ab", volume, total, total)
    axes = np.linalg.eigh(spread)[1]
    own = (vert - (vert[face[0, 0]] - x[0, 0])) @ (axes * np.linalg.det(axes))
    assert inertia_of(own, face) != "exact"
    monkeypatch.setattr(mesh_frames, "_oriented", lambda face: True)
    assert inertia_of(own, face) == "exact"


def test_limits_that_are_switched_off_and_sensed():
    text = """<mujoco><option><flag limit="{}"/></option><worldbody><body><joint name="j" range="-1 1"/>
<geom size=".1" pos=".1 0 0"/></body></worldbody><tendon><fixed name="t" range="0 1"><joint joint="j" coef="1"/></fixed>
</tendon><sensor><jointlimitpos joint="j"/><tendonlimitfrc tendon="t"/></sensor></mujoco>"""
    model = engine.load(text.format("disable"))
    assert not model.jnt_limited.any()
    assert_same_numbers(model, reread(model))
    model = engine.load(text.format("enable"))
    assert_same_numbers(model, reread(model))
    model.jnt_limited[:] = False
    with pytest.raises(ModelError, match="joint 'j': a sensor reads its limit, which it has not; allowed in MJCF"):
        model.to_mjcf()


PILE = """<mujoco><option><flag {flag}/></option><worldbody><geom name="floor" type="plane" size="5 5 1"/>
<body name="a" pos="0 0 1"><freejoint/><geom size=".1"/><geom size=".1" pos=".3 0 0" {mask}/>
<body name="b" pos="0 0 .3"><joint/><geom size=".1"/><geom size=".1" pos=".3 0 0" {mask}/></body></body>
<body name="c" pos="1 0 1"><freejoint/><geom name="cg" size=".1" friction=".4"/></body></worldbody>
<contact>{contact}</contact></mujoco>"""


@pytest.mark.parametrize("flag", ["contact='enable'", "contact='disable'", "filterparent='disable'"])
@pytest.mark.parametrize(
    "contact", ["", "<exclude body1='a' body2='c'/>", "<pair geom1='floor' geom2='cg' gap='.01'/>"]
)
@pytest.mark.parametrize("mask", ["", "contype='2' conaffinity='1'"])
def test_who_may_touch(flag, contact, mask):
    model = engine.load(PILE.format(flag=flag, contact=contact, mask=mask))
    assert_same_numbers(model, reread(model))


def test_some_pairs_of_two_bodies():
    """A robot of which someone has removed a pair lists the others."""
    model = engine.load(PILE.format(flag="contact='enable'", contact="", mask=""))
    kept = np.arange(model.npair) != 3
    for name in ("pair_geom1", "pair_geom2", "pair_own"):
        setattr(model, name, getattr(model, name)[kept])
    model.npair = int(kept.sum())
    again = reread(model)
    pairs = {tuple(sorted(pair)) for pair in zip(model.pair_geom1, model.pair_geom2, strict=True)}
    assert {tuple(sorted(pair)) for pair in zip(again.pair_geom1, again.pair_geom2, strict=True)} == pairs


def test_a_changed_model(tmp_path):
    model = engine.load(CHEETAH)
    model.body_mass[2] *= 1.25
    model.dof_armature[3] = 1 / 3
    model.opt.timestep = 0.003
    path = tmp_path / "changed.xml"
    text = model.to_mjcf(path)
    again = engine.load(path)
    assert path.read_text(encoding="utf-8") == text
    assert again.body_mass[2] == model.body_mass[2]
    assert again.dof_armature[3] == 1 / 3
    assert again.opt.timestep == 0.003


def test_no_words_for_it():
    model = engine.load(zoo.single(zoo.BALL))
    model.dof_armature[0] = 1.0
    with pytest.raises(engine.ModelError, match="joint 'j': dof_armature = .*; allowed in MJCF: one for a joint"):
        model.to_mjcf()


def test_the_command(tmp_path, capsys):
    """A scene written by `pullback info` is MJCF, and so is a file with what was asked for."""
    for robot in ("half_cheetah", "demos/arm.xml --floor"):
        path = tmp_path / "out.xml"
        assert main(["info", *robot.split(), "--mjcf", str(path)]) == 0
        assert f"written as MJCF: {path}" in capsys.readouterr().out
        again = engine.load(path)
        assert again.nv == engine.load(robot.split()[0]).nv if "." in robot else again.nv == 9
    assert c.PLANE in again.geom_type
