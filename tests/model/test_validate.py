"""validate: the last check at the door, whoever made the Model."""

import json

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, validate
from engine.model import constants as c
from engine.model.fields import FIELDS
from engine.model.portable import model_from_arrays, model_to_arrays
from tests.model.model_zoo import menagerie

BROKEN = [
    ("body_mass", 3, -1, "body 'pod': body_mass = -1.*zero or more"),
    ("body_mass", 3, np.nan, "body 'pod': body_mass = nan.*finite"),
    ("body_inertia", 4, (1, 1, 3), "body 'arm': body_inertia.*A \\+ B >= C"),
    ("body_inertia", 4, (-1, 1, 1), "body 'arm': body_inertia.*zero or more"),
    ("body_quat", 1, (1, 1, 0, 0), "body 'shelf': body_quat.*length one"),
    ("body_parentid", 2, 5, "body 'drone': body_parentid = 5.*parents first"),
    ("dof_damping", 6, -1, "dof 6 of joint 'shoulder': dof_damping"),
    ("dof_armature", 10, -1, "dof 10 of joint 'wheel': dof_armature"),
    ("jnt_axis", 3, (0, 0, 2), "joint 'wheel': jnt_axis"),
    ("jnt_range", 1, (1, 0), "joint 'shoulder': jnt_range.*lower end below"),
    ("jnt_range", 1, (0.1, 1), r"joint 'shoulder': jnt_range.*\[0, largest angle\]"),
    ("jnt_limited", 0, True, "joint 'drone': jnt_range|joint 'drone': jnt_limited"),
    ("jnt_solref", 1, (0.02, -1), "joint 'shoulder': jnt_solref.*both positive"),
    ("geom_size", 0, np.inf, "geom 'floor': geom_size.*finite"),
    ("geom_size", 4, (0, 0, 0), "geom 'ball': geom_size.*1 positive"),
    ("geom_margin", 4, -1, "geom 'ball': geom_margin = -1.*margin \\+ gap"),
    ("pair_friction", 0, -1, "pair of geom .*: pair_friction"),
    ("actuator_ctrlrange", 2, (1, 0), "actuator 'thrust': actuator_ctrlrange"),
    ("actuator_trnid", 1, 9, "actuator 'v': actuator_trnid = 9; allowed: a joint, 0 to 3"),
    ("actuator_dyntype", 0, 7, "actuator 'p': actuator_dyntype = 7"),
    ("actuator_dynprm", 2, 0, "actuator 'thrust': actuator_dynprm.*time constant"),
    ("sensor_cutoff", 0, -1, "sensor 'q': sensor_cutoff"),
    ("qpos0", 0, np.nan, "qpos0 = .*finite"),
    ("qpos_spring", 0, 1e308, r"qpos_spring = .*finite numbers, below 1e.100"),
    ("actuator_gear", 0, -1e308, r"actuator 'p': actuator_gear.*finite numbers, below 1e.100"),
    ("body_parentid", 0, 1, "body 'world': body_parentid = 1; allowed: 0"),
    ("body_rootid", 3, 1, "body 'pod': body_rootid = 1; allowed: 2, which follows from"),
    ("body_weldid", 3, 3, "body 'pod': body_weldid = 3; allowed: 2"),
    ("body_jntadr", 4, 9, "body 'arm': body_jntadr = 9; allowed: 1"),
    ("body_jntnum", 4, 1, "body 'arm': body_jntnum = 1; allowed: 2"),
    ("body_dofadr", 4, 0, "body 'arm': body_dofadr = 0; allowed: 6"),
    ("body_dofnum", 4, 9, "body 'arm': body_dofnum = 9; allowed: 4"),
    ("jnt_type", 1, 4, r"joint 'shoulder': jnt_type = 4; allowed: 0 \(free\), 1 \(ball\)"),
    ("jnt_type", 1, c.HINGE, "nq = 13; allowed: 10, which follows from jnt_type"),
    ("jnt_bodyid", 0, 0, "joint 'drone': jnt_bodyid = 0; allowed: a body, 1 to 6"),
    ("jnt_bodyid", 0, 6, "joint 'shoulder': jnt_bodyid = 4; allowed: not before the body"),
    ("jnt_qposadr", 3, 10**6, "joint 'wheel': jnt_qposadr = 1000000; allowed: 12"),
    ("jnt_dofadr", 0, -1, "joint 'drone': jnt_dofadr = -1; allowed: 0"),
    ("dof_bodyid", 0, 7, "dof 0: dof_bodyid = 7; allowed: 2"),
    ("dof_jntid", 0, -9, "dof 0: dof_jntid = -9; allowed: 0"),
    ("dof_parentid", 4, 4, "dof 4: dof_parentid = 4; allowed: 3"),
    ("geom_type", 0, 9, r"geom 'floor': geom_type = 9; allowed: 0 \(plane\)"),
    ("geom_bodyid", 2, -1, "geom 'hull': geom_bodyid = -1; allowed: a body, 0 to 6"),
    ("geom_dataid", 2, 0, "geom 'hull': geom_dataid = 0; allowed: -1 to -1"),
    ("geom_condim", 2, 2, "geom 'hull': geom_condim = 2; allowed: 1, 3, 4, 6"),
    ("site_bodyid", 0, 10**6, "site 'corner': site_bodyid = 1000000; allowed: a body, 0 to 6"),
    ("site_type", 0, -1, "site 'corner': site_type = -1; allowed: 0 .plane."),
    ("actuator_actadr", 0, 0, "actuator 'p': actuator_actadr = 0; allowed: -1"),
    ("sensor_type", 0, 99, "sensor 'q': sensor_type = 99; allowed: 0 .jointpos."),
    ("sensor_objtype", 0, c.OBJ_SITE, r"sensor 'q': sensor_objtype = 2; allowed: 4 \(joint\), since it is a jointpos"),
    ("sensor_objid", 0, 4, "sensor 'q': sensor_objid = 4; allowed: a joint, 0 to 3"),
    ("sensor_objid", 0, 0, "sensor 'q': sensor_objid = 0; allowed: a slide or hinge joint, and joint 'drone'"),
    ("sensor_reftype", 2, c.OBJ_JOINT, r"sensor 2: sensor_reftype = 4; allowed: 6 .none., 0 .body.* of a framepos"),
    ("sensor_reftype", 0, c.OBJ_BODY, r"sensor 'q': sensor_reftype = 0; allowed: 6 \(none\) of a jointpos"),
    ("sensor_refid", 2, 0, "sensor 2: sensor_refid = 0; allowed: -1, for none"),
    ("sensor_cutoff", 3, 1, "sensor 3: sensor_cutoff = 1.*; allowed: 0, since it is a framequat"),
    ("sensor_intprm", 0, (1, 0, 1), r"sensor 'q': sensor_intprm = .1 0 1.; allowed: .0 0 0., since it is a jointpos"),
    ("sensor_dim", 0, 3, "sensor 'q': sensor_dim = 3; allowed: 1"),
    ("sensor_adr", 0, -1, "sensor 'q': sensor_adr = -1; allowed: 0"),
    ("pair_geom1", 0, 10**6, "pair 0: pair_geom1 = 1000000; allowed: a geom, 0 to 7"),
    ("pair_geom2", 0, 0, "pair 0: pair_geom2 = 0; allowed: a plane in geom 0 and a plane"),
    ("pair_dim", 0, 2, "pair 0: pair_dim = 2; allowed: 1, 3, 4, 6"),
    ("dof_invweight0", 0, -1, "dof 0 of joint 'drone': dof_invweight0 = -1"),
]
FREE = {"geom_group", "geom_contype", "geom_conaffinity", "geom_priority"}  # numbers that nothing looks up with
INDICES = [name for name, (_, _, dtype) in FIELDS.items() if dtype is np.int32 and name not in FREE]


@pytest.mark.parametrize("array, row, value, message", BROKEN)
def test_names_element_array_and_what_is_allowed(array, row, value, message):
    m = menagerie().compile()
    getattr(m, array)[row] = value
    with pytest.raises(ModelError, match=message):
        validate(m)


@pytest.mark.parametrize("array", INDICES)
def test_no_index_leaves_its_array(array):
    """In any entry; from a file and in a Model that was changed."""
    m = menagerie().compile()
    stored, good = model_to_arrays(m), getattr(m, array).copy()
    for entry in range(len(good)):
        for wrong in (10**6, -(10**6), 2**31 - 1):
            getattr(m, array)[:] = good
            getattr(m, array)[entry] = wrong
            with pytest.raises(ModelError, match=f"{array}|^n[qv] = .*|nsensordata = .*"):
                validate(m)
            with pytest.raises(ModelError):
                model_from_arrays(stored)  # which holds the Model's own arrays
    getattr(m, array)[:] = good
    validate(m)


WRONG = [
    (lambda a: a + 0.5, "holds .*; allowed: whole numbers"),
    (lambda a: np.where(a == a[0], np.nan, a), "holds nan; allowed: whole numbers"),
    (lambda a: a.astype(np.int64) + 2**32, "holds 429496.*; allowed: whole numbers of 32 bits"),
    (lambda a: a.astype(str), "is an array of <U.*; allowed: whole numbers"),
    (lambda a: a[:-1], "shape|nq = |nsensordata = |names = |holds"),
    (lambda a: a[:, None], "shape"),
]


@pytest.mark.parametrize("wrong, message", WRONG, ids=["half", "nan", "long", "text", "short", "deep"])
@pytest.mark.parametrize("array", ["jnt_type", "geom_bodyid", "sensor_adr", "geom_group"])
def test_a_file_with_other_than_whole_numbers(array, wrong, message):
    stored = model_to_arrays(menagerie().compile())
    with pytest.raises(ModelError, match=message):
        model_from_arrays(stored | {array: wrong(stored[array])})


def test_dtypes_of_a_changed_model():
    for array, dtype, words in (("geom_bodyid", float, "whole numbers"), ("jnt_limited", int, "booleans")):
        m = menagerie().compile()
        setattr(m, array, getattr(m, array).astype(dtype))
        with pytest.raises(ModelError, match=rf"{array} has shape .*{words} of shape"):
            validate(m)
    stored = model_to_arrays(m)
    with pytest.raises(ModelError, match=r"jnt_limited holds 2; allowed: booleans \(0, 1\)"):
        model_from_arrays(stored | {"jnt_limited": np.full(4, 2)})


@pytest.mark.parametrize(
    "name, value", [("na", 9), ("nsensordata", 99), ("nu", 3), ("body_names", []), ("key_names", [3])]
)
def test_sizes_and_names_of_a_changed_model(name, value):
    m = menagerie().compile()
    setattr(m, name, value)
    with pytest.raises(ModelError, match="allowed"):
        validate(m)


def test_a_header_that_does_not_fit():
    stored = model_to_arrays(menagerie().compile())
    header = json.loads(str(stored["header"]))
    broken = [{**header, part: None} for part in header] + [{**header, "meshes": 10**12}, [], {}]
    broken += [{**header, "opt": {**header["opt"], "iterations": value}} for value in ("many", 1.5, 2**40, None)]
    broken += [{**header, "opt": {**header["opt"], "gravity": value}} for value in ("down", [0, 0], None)]
    broken += [{**header, "names": {**header["names"], "body": value}} for value in (None, ["world"], [1] * 7)]
    for text in [json.dumps(h) for h in broken] + ["{"]:
        with pytest.raises(ModelError, match="allowed|lacks|no JSON"):
            model_from_arrays(stored | {"header": np.array(text)})


def test_meshes_are_checked():
    m = menagerie().compile()
    triangle = np.eye(3)
    for vert, face, message in (
        (triangle, [[0, 1, 3]], "mesh 0: mesh_face names vertex 3; allowed: 0 to 2"),
        (triangle, [[0, 1, -1]], "vertex -1"),
        (triangle, [[0, 1]], "mesh_face has shape"),
        (triangle[:, :2], [[0, 1, 2]], "mesh_vert has shape"),
    ):
        m.mesh_vert, m.mesh_face = [vert], [np.array(face)]
        with pytest.raises(ModelError, match=message):
            validate(m)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("eulerdamp", 2, "eulerdamp = 2; allowed: True, False"),
        ("iterations", 1.5, "iterations = 1.5; allowed: more than zero, whole"),
        ("timestep", "fast", "timestep = fast; allowed: more than zero"),
        ("timestep", -0.1, "timestep = -0.1; allowed: more than zero"),
        ("timestep", np.nan, "timestep = nan"),
        ("impratio", 0, "impratio = 0"),
        ("integrator", 5, "integrator = 5; allowed: 0 .Euler., 1 .RK4., 2 .implicit., 3 .implicitfast., 4 .discrete."),
        ("cone", 2, "cone = 2; allowed: 0 .pyramidal., 1 .elliptic."),
        ("gravity", np.zeros(2), "gravity = .*three finite"),
    ],
)
def test_options(name, value, message):
    m = menagerie().compile()
    setattr(m.opt, name, value)
    with pytest.raises(ModelError, match=message):
        validate(m)


def beads(n):
    """n free spheres, and a swing of two bodies."""
    b = ModelBuilder("beads")
    for i in range(n):
        b.body(f"bead{i}", pos=(0, 0, i))
        b.freejoint(f"bead{i}")
        b.geom(f"bead{i}", size=0.1)
    b.body("swing")
    b.joint("swing", "swing", axis=(0, 1, 0))
    b.geom("swing", size=0.1, pos=(0.1, 0, 0))
    b.body("seat", "swing")
    b.joint("seat", "seat", axis=(0, 1, 0))
    b.geom("seat", size=0.1, pos=(0.1, 0, 0))
    return b


def test_the_mass_matrix_is_asked_tree_by_tree_and_once(monkeypatch):
    """What costs the cube of the dofs sees one tree at a time, and never twice the same arrays."""
    asked = []
    for name in ("eigh", "inv"):
        of_numpy = getattr(np.linalg, name)
        monkeypatch.setattr(np.linalg, name, lambda a, name=name, f=of_numpy: asked.append((name, len(a))) or f(a))
    m = beads(5).compile()
    assert asked == [(name, n) for name in ("eigh", "inv") for n in [6] * 5 + [2]]
    asked.clear()
    validate(m.copy())
    assert asked == []
    m.body_mass[3] *= 2
    validate(m)
    assert asked == [("eigh", n) for n in [6] * 5 + [2]]


def test_a_model_that_became_singular_is_refused_though_it_was_regular():
    b = ModelBuilder("cross")
    b.body("link")
    b.joint("link", "left", axis=(0, 1, 0))
    b.joint("link", "right", axis=(0, 0, 1))
    b.geom("link", size=0.1, pos=(0.1, 0, 0))
    m = validate(b.compile())
    m.jnt_axis[1] = m.jnt_axis[0]
    with pytest.raises(ModelError, match="joint 'left', joint 'right' do the same"):
        validate(m)


def test_twin_joints_are_refused():
    b = ModelBuilder("twins")
    b.body("link")
    b.joint("link", "left", axis=(0, 1, 0))
    b.joint("link", "right", axis=(0, 1, 0))
    b.geom("link", size=0.1, pos=(0.1, 0, 0))
    with pytest.raises(ModelError, match="singular at qpos0: joint 'left', joint 'right' do the same"):
        b.compile()


def test_inertia_of_a_fixed_child_carries_its_parent():
    b = ModelBuilder("carried")
    b.body("axle")
    b.joint("axle", "turn")
    b.body("rim", "axle")
    b.body("tyre", "rim")
    b.geom("tyre", size=0.1)
    assert b.compile().nv == 1


def test_a_jointed_child_does_not():
    b = ModelBuilder("hollow")
    b.body("axle")
    b.joint("axle", "turn")
    b.body("arm", "axle")
    b.joint("arm", "swing", axis=(0, 1, 0))
    b.geom("arm", size=0.1)
    with pytest.raises(ModelError, match="body 'axle' has a joint, mass 0.0"):
        b.compile()
