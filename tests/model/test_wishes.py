"""What is asked for at load: a floating base, a floor, actuators with the file's limits, what collides."""

import numpy as np
import pytest

from engine.model import ModelError, load
from engine.model import constants as c
from tests.model.model_zoo import CHEETAH
from tests.model.test_urdf import inertial, urdf

mujoco = pytest.importorskip("mujoco")

BALL = inertial() + "<collision><geometry><sphere radius='0.1'/></geometry></collision>"
ARM = urdf(BALL).replace("<link name='a'/>", f"<link name='a'>{BALL}</link><link name='c'>{BALL}</link>")
ARM = ARM.replace("</robot>", """<joint name='wrist' type='prismatic'><parent link='b'/><child link='c'/>
<origin xyz='0 0 1'/><axis xyz='0 0 1'/><limit lower='-.2' upper='.3' effort='5'/></joint></robot>""")  # fmt: skip

MJCF = """<mujoco><compiler angle="degree"/><worldbody><geom name="rock" size=".1" pos="5 0 0"/><body name="base">
<geom size=".1"/><body pos="0 0 1"><joint name="h" range="-90 45" actuatorfrcrange="-3 3"/><geom name="g" size=".1"/>
<geom size=".05" contype="0" conaffinity="0"/><body pos="0 0 1"><joint name="k"/><geom name="f" size=".1" contype="2"/>
</body></body></body></worldbody><contact><pair geom1="g" geom2="rock"/></contact>
<actuator><motor name="own" joint="k"/></actuator></mujoco>"""


def test_a_floating_robot_on_a_floor():
    m = load(ARM, floating=0.5, floor=True, actuators=True)
    assert m.njnt == 3 and m.jnt_type[0] == 0 and m.joint("a_free") == 0
    np.testing.assert_array_equal(m.qpos0[:7], [0, 0, 0.5, 1, 0, 0, 0])
    floor = m.geom("floor")
    assert m.geom_type[floor] == 0 and m.geom_bodyid[floor] == 0 and (m.pair_geom1 == floor).sum() == 3
    assert load(ARM, floor=-0.25).geom_pos[0, 2] == -0.25
    assert sum("floats" in line or "floor added" in line for line in m.report.changed) == 2


def test_motors_are_limited_by_effort():
    m = load(ARM, actuators=True)
    assert m.actuator_names == ["elbow", "wrist"]
    np.testing.assert_array_equal(m.actuator_ctrlrange, [[-7, 7], [-5, 5]])
    np.testing.assert_array_equal(m.actuator_gainprm[:, 0], [1, 1])
    assert m.actuator_ctrllimited.all() and not m.actuator_forcelimited.any() and not m.actuator_biasprm.any()
    np.testing.assert_array_equal(load(ARM, actuators="motor").actuator_ctrlrange, m.actuator_ctrlrange)


def test_servos_are_limited_by_range_and_effort():
    m = load(ARM, actuators=["wrist"], kp=30, kd=2)
    assert m.actuator_names == ["wrist"] and m.actuator_ctrllimited.all() and m.actuator_forcelimited.all()
    assert m.opt.integrator == c.IMPLICITFAST and "integrator implicitfast, for the damping of servos" in str(m.report)
    assert load(ARM, actuators=["wrist"], kp=30).opt.integrator == c.EULER  # nothing is damped
    np.testing.assert_array_equal(m.actuator_gainprm[0], [30, 0, 0])
    np.testing.assert_array_equal(m.actuator_biasprm[0], [0, -30, -2])
    np.testing.assert_array_equal(m.actuator_ctrlrange, [[-0.2, 0.3]])
    np.testing.assert_array_equal(m.actuator_forcerange, [[-5, 5]])
    m = load(ARM, actuators={"elbow": {"kp": 3.0, "kd": 0.5}, "wrist": {"kd": 0.25}}, kp=2)
    np.testing.assert_array_equal(m.actuator_biasprm, [[0, -3, -0.5], [0, -2, -0.25]])
    np.testing.assert_array_equal(load(ARM, actuators="position", kp=4).actuator_biasprm[:, 1], [-4, -4])


def test_damping_that_would_turn_a_velocity_round_in_a_step_is_taken_implicitly():
    """Of servos that are added to an MJCF; less of it leaves the file's integrator, as does one in the file itself."""
    light = MJCF.replace("<actuator>", "<option timestep='.002'/><actuator>")
    inertia = mujoco.MjModel.from_xml_string(light).dof_M0[0]
    for share, integrator in ((0.9, c.EULER), (1.1, c.IMPLICITFAST)):
        m = load(light, actuators=True, kp=1, kd=share * inertia / 0.002)
        assert m.opt.integrator == integrator
        assert ("implicitfast, for the damping" in str(m.report)) == (integrator == c.IMPLICITFAST)


def test_actuators_of_an_mjcf():
    m = load(MJCF, actuators=True, kp=1)
    assert m.actuator_names == ["own", "h"] and m.opt.integrator == c.EULER
    assert load(MJCF, actuators=True, kp=1, kd=1).opt.integrator == c.EULER  # which its author chose, or MuJoCo
    np.testing.assert_allclose(m.actuator_ctrlrange[1], np.radians([-90, 45]))
    np.testing.assert_array_equal(m.actuator_forcerange[1], [-3, 3])


def collisions(**asked):
    m = load(MJCF, **asked)
    return {tuple(sorted((m.geom_names[a], m.geom_names[b]))) for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True)}


def test_what_collides():
    # g and f do not: body and parent
    assert collisions(floor=True) >= {("g", "rock"), ("f", "rock"), ("f", "floor"), ("", "f")}
    assert collisions(floor=True, collide="all") == {
        ("g", "rock"), ("f", "rock"), ("floor", "g"), ("f", "floor"), ("", "f"), ("", "g"),
    }  # fmt: skip
    assert collisions(floor=True, collide="ground") == {("g", "rock"), ("f", "rock"), ("floor", "g"), ("f", "floor")}
    assert collisions(floor=True, collide="none") == set()


# the base and the shoulder are drawn into each other; elbow and base only at qpos0; the slider without a range leaves
RUBBING = """<mujoco><worldbody><body name="base"><geom name="base" size=".1"/><body name="shoulder" pos="0 0 .15">
<joint axis="0 0 1"/><geom name="shoulder" size=".1"/><body name="elbow" pos="0 0 .2"><joint axis="0 1 0"/>
<geom name="elbow" size=".05" pos="0 0 -.22"/></body></body></body>
<body name="rail"><geom name="rail" size=".1" pos="3 0 0"/>
<body name="slider" pos="3 0 .1"><joint type="slide" axis="1 0 0"/><geom name="slider" size=".1"/></body></body>
<body name="free" pos="6 0 0"><freejoint/><geom name="free" size=".2"/></body><geom name="rock" size=".1" pos="6 0 0"/>
</worldbody></mujoco>"""


def pairs_of(m):
    return {tuple(sorted((m.geom_names[a], m.geom_names[b]))) for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True)}


def test_bodies_drawn_into_each_other_do_not_collide():
    m = load(RUBBING, exclude="overlapping")
    assert pairs_of(load(RUBBING)) - pairs_of(m) == {("base", "shoulder")}
    (line,) = [line for line in m.report.changed if "left out" in line]
    assert line.startswith("contact of body 'base' with 'shoulder' left out: they overlap by 50 mm or more")
    pair = '<contact><pair geom1="base" geom2="shoulder"/></contact></mujoco>'  # which somebody means
    assert pairs_of(load(RUBBING.replace("</mujoco>", pair), exclude="overlapping")) == pairs_of(load(RUBBING))
    nameless = RUBBING.replace('<body name="shoulder"', "<body")
    assert pairs_of(load(nameless, exclude="overlapping")) == pairs_of(m)
    assert load(MJCF, exclude="overlapping").report.changed == load(MJCF).report.changed  # nothing overlaps


def test_pairs_that_do_not_collide():
    for asked in (("rail", "slider"), [("rail", "slider"), ["base", "elbow"]]):
        left = pairs_of(load(RUBBING)) - pairs_of(load(RUBBING, exclude=asked))
        assert left == ({("rail", "slider"), ("base", "elbow")} if isinstance(asked, list) else {("rail", "slider")})


FLOATING = """<robot name="r"><link name="b"/><link name="low"><inertial><mass value="1"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="j" type="floating"><parent link="b"/><child link="low"/></joint></robot>"""
REFUSED = [
    (RUBBING, {"exclude": "overlaping"}, ValueError, "exclude = 'overlaping'; allowed: 'overlapping', or pairs of"),
    (RUBBING, {"exclude": [("rail", 3)]}, ValueError, "exclude = [('rail', 3)]; allowed: 'overlapping', or pairs of"),
    (RUBBING, {"exclude": ("rail", "sider")}, ModelError, "no body 'sider' (did you mean 'slider'?); there are: world"),
    (ARM, {"floating": "yes"}, ValueError, "floating = 'yes'; allowed: True, or a height"),
    (ARM, {"floor": np.nan}, ValueError, "floor = nan"),
    (ARM, {"actuators": 3}, ValueError, "actuators = 3; allowed: True, names of joints"),
    (ARM, {"sense": 3}, ValueError, "sense = 3; allowed: names of sites"),
    (ARM, {"exclude": 3}, ValueError, "exclude = 3; allowed: 'overlapping', or pairs"),
    (ARM, {"assets": {"a.stl": "text"}}, TypeError, "assets: got str of 'a.stl'; allowed: {file name: bytes}"),
    (ARM, {"assets": ["a.stl"]}, TypeError, "assets: got list; allowed: {file name: bytes}"),
    (FLOATING, {"floating": True}, ModelError, "floating: body 'low' floats already, in body 'b'; allowed"),
    (ARM, {"collide": "some"}, ValueError, "collide = 'some'; allowed: None"),
    (ARM, {"kp": 1.0}, ValueError, "kp = 1.0 without actuators"),
    (ARM, {"actuators": True, "kd": -1.0}, ValueError, "kd = -1.0; allowed"),
    (ARM, {"actuators": "position"}, ValueError, "actuators = 'position', kp = None; allowed: with a kp, their gain"),
    (ARM, {"actuators": "motor", "kp": 2.0}, ValueError, "'motor', kp = 2.0; allowed: without kp, which makes servos"),
    (ARM, {"actuators": "elbow"}, ValueError, "actuators = 'elbow'; allowed: True, names"),
    (ARM, {"actuators": {"elbow": {"gain": 1}}}, ValueError, "'elbow': {'gain': 1}; allowed: kp and kd"),
    (ARM, {"actuators": {"elbow": 3.0}}, ValueError, "'elbow': 3.0; allowed: kp and kd"),
    (ARM, {"actuators": ["knee"]}, ModelError, "no hinge or slide joint 'knee'; there are: elbow, wrist"),
    (CHEETAH, {"floor": True}, ModelError, "floor: a geom of that name exists"),
    (MJCF.replace('name="own"', 'name="h"'), {"actuators": ["h"]}, ModelError, "an actuator of that name exists"),
    (load(ARM, floating=True) and CHEETAH, {"floating": True}, ModelError, "floating: the bodies on the world have"),
]


@pytest.mark.parametrize("source, asked, error, words", REFUSED, ids=[words for *_, words in REFUSED])
def test_what_there_is_no_place_for(source, asked, error, words):
    with pytest.raises(error) as told:
        load(source, **asked)
    assert words in str(told.value)


def test_a_compiled_model_has_no_room_for_wishes():
    with pytest.raises(TypeError, match="MjModel with floor, collide; allowed: with a path"):
        load(mujoco.MjModel.from_xml_string(ARM), floor=True, collide="none")


def test_an_edited_robot_is_as_if_it_stood_in_the_file(tmp_path):
    (tmp_path / "arm.urdf").write_text(ARM)
    added = ARM.replace("<link name='a'>", "<link name='world'/><link name='a'>", 1).replace(
        "</robot>", "<joint name='a_free' type='floating'><parent link='world'/><child link='a'/></joint></robot>"
    )
    by_hand, asked = load(added), load(tmp_path / "arm.urdf", floating=True)
    for array in ("body_mass", "qpos0", "dof_invweight0", "body_invweight0", "geom_pos"):
        np.testing.assert_array_equal(getattr(asked, array), getattr(by_hand, array), err_msg=array)
