"""validate: the last check at the door, whoever made the Model."""

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, validate
from engine.model import constants as c
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
    ("actuator_dyntype", 0, 4, "actuator 'p': actuator_dyntype = 4"),
    ("actuator_dynprm", 2, 0, "actuator 'thrust': actuator_dynprm.*time constant"),
    ("sensor_cutoff", 0, -1, "sensor 'q': sensor_cutoff"),
    ("qpos0", 0, np.nan, "qpos0 = .*finite"),
]


@pytest.mark.parametrize("array, row, value, message", BROKEN)
def test_names_element_array_and_what_is_allowed(array, row, value, message):
    m = menagerie().compile()
    getattr(m, array)[row] = value
    with pytest.raises(ModelError, match=message):
        validate(m)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("timestep", -0.1, "timestep = -0.1; allowed: more than zero"),
        ("timestep", np.nan, "timestep = nan"),
        ("impratio", 0, "impratio = 0"),
        ("integrator", c.IMPLICIT, "integrator = 2; allowed: 0 .Euler., 1 .RK4., 3 .implicitfast."),
        ("cone", 2, "cone = 2; allowed: 0 .pyramidal., 1 .elliptic."),
        ("gravity", np.zeros(2), "gravity = .*three finite"),
    ],
)
def test_options(name, value, message):
    m = menagerie().compile()
    setattr(m.opt, name, value)
    with pytest.raises(ModelError, match=message):
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
