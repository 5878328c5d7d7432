"""The importer: equal arrays, exact translations, and refusals that name everything at once."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.model import ModelError, UnsupportedError, load
from engine.model import constants as c
from engine.model.fields import FIELDS, OWNERS
from engine.model.sensors import ROWS
from tests.model.model_zoo import CHEETAH, MENAGERIE

mujoco = pytest.importorskip("mujoco")

OWN = {"actuator_trnid", "actuator_refid", "actuator_dynprm", "actuator_gainprm", "actuator_biasprm", "sensor_type",
       "sensor_objtype", "sensor_reftype", "actuator_gaintype", "actuator_biastype", "actuator_lengthrange",
       "actuator_gaincurve", "actuator_biascurve", "actuator_dynrest", "actuator_inputs", "sensor_lens",
       "sensor_view", "site_camera", "site_targetbodyid", "site_pos0", "site_quat0", "body_sleep",
       "body_asleep0", "dof_length"}  # fmt: skip
ROBOTS = "ant half_cheetah hopper humanoid inverted_double_pendulum inverted_pendulum point reacher walker2d_v5"


def asset(name):
    gymnasium = pytest.importorskip("gymnasium")
    return os.path.join(os.path.dirname(gymnasium.__file__), "envs", "mujoco", "assets", name)


def compare(m, mj):
    for name, (size, _, _) in FIELDS.items():
        own = size in ("npair", "nown", "neq", "ntendon", "nwrap") or name in OWN
        own = own or OWNERS[name].name in ("mesh", "residual")
        if own or name.endswith("rgba"):
            continue
        np.testing.assert_array_equal(getattr(m, name), getattr(mj, name), err_msg=name)
    for name in ("nq", "nv", "nu", "na", "nbody", "njnt", "ngeom", "nsite", "nsensor", "nsensordata"):
        assert getattr(m, name) == getattr(mj, name), name
    for name in ("timestep", "gravity", "integrator", "cone", "impratio", "tolerance", "iterations", "ls_iterations"):
        np.testing.assert_array_equal(getattr(m.opt, name), getattr(mj.opt, name), err_msg=name)


@pytest.mark.parametrize("robot", ROBOTS.split())
def test_gymnasium_robot(robot):
    path = asset(f"{robot}.xml")
    m = load(path)
    compare(m, mujoco.MjModel.from_xml_path(path))
    assert m.report.refused == [] and f"import of {robot}.xml" in str(m.report)


@pytest.mark.parametrize("xml", [CHEETAH, MENAGERIE], ids=["cheetah", "menagerie"])
def test_xml_text_and_mjmodel(xml):
    mj = mujoco.MjModel.from_xml_string(xml)
    for source in (xml, mj):
        compare(load(source), mj)


def test_actuators_are_affine_and_sensors_ours():
    m = load(MENAGERIE)
    np.testing.assert_array_equal(m.actuator_gainprm, [[20, 0, 0], [3, 0, 0], [1, 0, 0], [1, 2, 3], [1, 0, 0]])
    np.testing.assert_array_equal(m.actuator_biasprm, [[0, -20, -2], [0, 0, -3], [0, 0, 0], [4, 5, 6], [0, 0, 0]])
    np.testing.assert_array_equal(m.actuator_trnid, [m.joint(j) for j in "wheel rail drone wheel shoulder".split()])
    assert m.sensor_type.tolist() == list(range(13))
    objects = [m.sensor_objtype[i] for i in (0, 2, 3, 4, 5, 6, 8, 11)]
    assert objects == [c.OBJ_JOINT, c.OBJ_SITE, c.OBJ_BODY, c.OBJ_XBODY, c.OBJ_GEOM, c.OBJ_BODY, c.OBJ_SITE,
                       c.OBJ_ACTUATOR]  # fmt: skip
    assert m.sensor_dim.tolist() == [row.dim for row in ROWS[:13]]


def test_sensors_of_nothing_and_against_a_reference():
    m = load(falling(**sensor(
        "<clock/><e_kinetic/><framepos objtype='site' objname='s' reftype='body' refname='post'/><force site='s'/>"
        "<framequat objtype='geom' objname='g'/>"
    ) | {"option": "<option magnetic='1 2 3'/>"}))  # fmt: skip
    assert [ROWS[kind].name for kind in m.sensor_type] == "clock e_kinetic framepos force framequat".split()
    assert m.sensor_objtype.tolist() == [c.OBJ_NONE, c.OBJ_NONE, c.OBJ_SITE, c.OBJ_SITE, c.OBJ_GEOM]
    assert m.sensor_objid.tolist() == [-1, -1, m.site("s"), m.site("s"), m.geom("g")]
    assert m.sensor_reftype.tolist() == [c.OBJ_NONE, c.OBJ_NONE, c.OBJ_BODY, c.OBJ_NONE, c.OBJ_NONE]
    assert m.sensor_refid.tolist() == [-1, -1, m.body("post"), -1, -1]
    assert m.opt.magnetic.tolist() == [1, 2, 3]


def test_a_camera_that_a_sensor_reads_is_a_site():
    text = "<framepos objtype='camera' objname='fixed'/>"
    m = load(falling(**sensor(text + "<framexaxis objtype='geom' objname='g' reftype='camera' refname='fixed'/>")))
    k = m.site("camera fixed")
    assert k == m.nsite - 1 and m.site_bodyid[k] == 0 and m.site_pos[k].tolist() == [1, 2, 3]
    assert m.sensor_objtype.tolist() == [c.OBJ_SITE, c.OBJ_GEOM] and m.sensor_objid[0] == m.sensor_refid[1] == k
    assert any("camera fixed: a site in its place" in line for line in m.report.changed)


def test_a_contact_sensor_is_built_as_it_is_read():
    from engine.model import ModelBuilder

    text = "<contact geom1='g' body2='post' data='found dist normal' num='2' reduce='mindist'/>"
    text += "<contact subtree2='ball' data='force'/>"
    m = load(falling(**sensor(text)))
    b = ModelBuilder()
    for body, geom in (("post", "p"), ("ball", "g")):
        b.geom(b.body(body), geom, size=0.1)
    b.sensor("contact", objtype="geom", objname="g", reftype="body", refname="post", data="found dist normal", num=2,
             reduce="mindist")  # fmt: skip
    b.sensor("contact", reftype="xbody", refname="ball", data=["force"])
    built = b.compile()
    for name in ("sensor_type", "sensor_objtype", "sensor_reftype", "sensor_intprm", "sensor_dim", "sensor_adr"):
        np.testing.assert_array_equal(getattr(m, name), getattr(built, name), err_msg=name)
    assert m.nsensordata == 2 * 5 + 3 and m.sensor_objid[1] == -1


def test_gain_of_fixed_type_ignores_the_other_parameters():
    joint = "<body><joint name='j'/><geom size='0.1'/></body>"
    m = load(f"<mujoco><worldbody>{joint}</worldbody><actuator><general joint='j' gainprm='2 3 4' biasprm='5 6 7'/>"
             "</actuator></mujoco>")  # fmt: skip
    np.testing.assert_array_equal(m.actuator_gainprm, [[2, 0, 0]])
    np.testing.assert_array_equal(m.actuator_biasprm, [[0, 0, 0]])


def test_keyframes_and_names():
    m = load(asset("humanoid.xml"))
    mj = mujoco.MjModel.from_xml_path(asset("humanoid.xml"))
    np.testing.assert_array_equal(m.key_qpos, mj.key_qpos)
    assert m.key_names == [""] * mj.nkey and load(MENAGERIE).key("up") == 0
    assert m.body_names[0] == "world" and m.body("torso") == 1
    assert any("hipknee" in line for line in m.report.changed) and any("PGS" in line for line in m.report.changed)


def test_urdf(tmp_path):
    urdf = tmp_path / "arm.urdf"
    link = "<link name='{}'><inertial><mass value='2'/><inertia ixx='1' iyy='1' izz='1' ixy='0' ixz='0' iyz='0'/>" \
           "</inertial><collision><geometry><sphere radius='0.1'/></geometry></collision></link>"  # fmt: skip
    joint = "<joint name='elbow' type='revolute'><parent link='a'/><child link='b'/><origin xyz='0 0 1'/>" \
            "<axis xyz='0 1 0'/><limit lower='-1' upper='1'/><dynamics damping='0.5'/></joint>"  # fmt: skip
    urdf.write_text(f"<robot name='arm'>{link.format('a')}{link.format('b')}{joint}</robot>")
    for source in (urdf, str(urdf), urdf.read_text()):
        m = load(source)
        assert m.nv == 1 and m.joint("elbow") == 0 and m.dof_damping[0] == 0.5
        np.testing.assert_array_equal(m.jnt_range, [[-1, 1]])


def test_effort_of_a_urdf_limits_no_actuator(tmp_path):
    """A URDF has effort limits and no actuators: nothing is limited, and the report says so."""
    link = "<link name='{}'><inertial><mass value='2'/><inertia ixx='1' iyy='1' izz='1' ixy='0' ixz='0' iyz='0'/>" \
           "</inertial></link>"  # fmt: skip
    joint = "<joint name='elbow' type='revolute'><parent link='a'/><child link='b'/><axis xyz='0 1 0'/>" \
            "<limit lower='-1' upper='1' effort='5'/></joint>"  # fmt: skip
    m = load(f"<robot name='arm'>{link.format('a')}{link.format('b')}{joint}</robot>")
    assert m.nv == 1
    assert any("effort) of 1 joint without an actuator: left out" in line for line in m.report.changed)


def test_every_file_of_gymnasium():
    """Loads, or says line by line what is in the way and what is allowed."""
    paths = sorted(Path(asset("ant.xml")).parent.glob("*.xml"))
    assert len(paths) > 10
    for path in paths:
        loads_or_says_why(path)


def loads_or_says_why(path):
    try:
        m = load(path)
    except UnsupportedError as error:
        assert error.refused
        for line in error.refused:
            assert "allowed" in line, line
    else:
        assert m.nv > 0 and m.report.used and not m.report.refused


def urdf(of_joint="", of_link="", more="", limit="<limit lower='-1' upper='1'/>"):
    """Links a, b and, fixed to b, c; elbow turns b, and wrist d."""
    link = "<link name='{}'><inertial><mass value='2'/><inertia ixx='1' iyy='1' izz='1' ixy='0' ixz='0' iyz='0'/>" \
           "</inertial>{}</link>"  # fmt: skip
    links = "".join(link.format(name, of_link if name == "b" else "") for name in "abcd")
    joint = "<joint name='{}' type='{}'><parent link='{}'/><child link='{}'/><axis xyz='0 1 0'/>{}</joint>"
    joints = joint.format("elbow", "revolute", "a", "b", limit) + joint.format("weld", "fixed", "b", "c", "")
    joints += joint.format("wrist", "revolute", "b", "d", limit + of_joint)
    return f"<robot name='arm'>{links}{joints}{more}</robot>"


PASSED_OVER = [
    ({"more": "<transmission name='t'/>"}, "<transmission> of robot 'arm': left out"),
    ({"more": "<gazebo reference='a'><mu1>1</mu1></gazebo>"}, "<gazebo> of robot 'arm': left out"),
    ({"more": "<x:property xmlns:x='http://x' name='y'/>"}, "<property> of robot 'arm': left out"),
    ({"more": "<mujoco><actuator/></mujoco>"}, "<actuator> of robot 'arm': left out"),
    ({"of_joint": "<safety_controller k_velocity='3'/>"}, "<safety_controller> of joint 'wrist': left out"),
    ({"of_joint": "<dynamics damping='1' spring_stiffness='2'/>"}, "dynamics spring_stiffness of joint 'wrist': left"),
    ({"limit": "<limit lower='-1' upper='1' velocity='3'/>"}, "limit velocity of joint 'elbow', joint 'wrist': left"),
    ({"limit": "<limit lower='-1'/>"}, "limit of joint 'elbow', 'wrist' without upper: left out"),
    ({"limit": "<limit lower='1' upper='-1'/>"}, "limit of joint 'elbow', 'wrist', lower 1 above upper -1: left out"),
    ({"of_link": "<visual><geometry><sphere radius='1'/></geometry></visual>"}, "<visual> of link 'b': left out"),
    ({"of_link": "<contact><stiffness value='1'/></contact>"}, "<contact> of link 'b': left out"),
    ({}, "link 'a', 'c': part of what it is fixed to"),
]


@pytest.mark.parametrize("parts, line", PASSED_OVER, ids=[line for _, line in PASSED_OVER])
def test_what_mujoco_passes_over_in_a_urdf_is_reported(parts, line, tmp_path):
    (tmp_path / "arm.urdf").write_text(urdf(**parts))
    for source in (urdf(**parts), tmp_path / "arm.urdf"):
        assert any(line in changed for changed in load(source).report.changed), load(source).report


def test_nothing_is_said_of_a_urdf_that_is_taken_over():
    shape = "<origin xyz='0 0 1' rpy='0 0 1'/><geometry><sphere radius='0.1'/></geometry>"
    parts = {"of_link": f"<collision>{shape}</collision>", "of_joint": "<dynamics damping='1' friction='2'/>"}
    compiler = "<compiler discardvisual='false' fusestatic='false'/>"
    assert load(urdf(more=f"<mujoco>{compiler}</mujoco><!-- a comment -->", **parts)).report.changed == []


def test_mimic_is_an_equality_of_joints():
    m = load(urdf(of_joint="<mimic joint='elbow' multiplier='2' offset='0.1'/>"))
    assert [m.joint_names[j] for j in (*m.eq_obj1id, *m.eq_obj2id)] == ["wrist", "elbow"]
    assert m.eq_type.tolist() == [c.EQ_JOINT] and m.eq_data[0, :3].tolist() == [0.1, 2.0, 0.0]
    with pytest.raises(UnsupportedError) as error:  # MuJoCo leaves it out with a warning
        load(urdf(of_joint="<mimic joint='nobody' multiplier='2'/>"))
    line = "joint 'wrist': mimic of joint 'nobody'; allowed: a joint that is revolute, continuous or prismatic, as "
    assert error.value.refused == [line + "the joint itself"]


TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


def test_a_mesh_in_a_package():
    of_link = "<collision><geometry><mesh filename='package://robot/meshes/hand.obj'/></geometry></collision>"
    with pytest.raises(ModelError, match="mesh 'package://robot/meshes/hand.obj'.*allowed: .*assets={'hand.obj'"):
        load(urdf(of_link=of_link))
    m = load(urdf(of_link=of_link), assets={"hand.obj": TETRAHEDRON.encode()})  # as the message says
    assert m.mesh_vert[0].shape == (4, 3)


def test_a_byte_order_mark(tmp_path):
    for text in (MENAGERIE, urdf(), '<?xml version="1.0" encoding="utf-8"?>' + urdf()):
        path = tmp_path / "marked.xml"
        path.write_text(text, encoding="utf-8-sig")
        for source in (path, path.read_text(encoding="utf-8"), path.read_text(encoding="utf-8-sig")):
            assert str(load(source).report).splitlines()[1:] == str(load(text).report).splitlines()[1:]
        assert load(f"\n \ufeff\n\ufeff {text}").nq == load(text).nq
    with pytest.raises(ValueError, match="an empty text"):
        load("\ufeff \n")


def test_options_that_stop_mujoco_early_are_reported():
    for attribute in ("iterations='5'", "ls_iterations='3'", "tolerance='0.001'", "ls_tolerance='0.5'"):
        changed = load(falling(option=f"<option {attribute}/>")).report.changed
        value = attribute.replace("=", " = ").replace("'", "")
        assert any(f"option {value}: MuJoCo's solver may stop before its minimum" in line for line in changed)
    usual = falling(option="<option iterations='200' ls_iterations='60' tolerance='1e-10' ls_tolerance='0.001'/>")
    assert load(usual).report.changed == load(falling()).report.changed == []


def test_mesh_is_kept_for_drawing():
    mesh = "<asset><mesh name='m' vertex='0 0 0 1 0 0 0 1 0 0 0 1'/></asset>"
    body = "<body><freejoint/><geom type='mesh' mesh='m' contype='0' conaffinity='0'/></body>"
    m = load(f"<mujoco>{mesh}<worldbody>{body}</worldbody></mujoco>")
    assert m.geom_dataid.tolist() == [0] and m.mesh_vert[0].shape == (4, 3) and m.mesh_face[0].shape == (4, 3)


FALLING = "<body name='ball' {body}><joint name='j' {joint}/><geom name='g' size='0.1' {geom}/><site name='s'/></body>"


def falling(option="", extra="", **attributes):
    filled = FALLING.format(**{"body": "", "joint": "", "geom": "", **attributes})
    ground = "<geom name='ground' type='plane' size='1 1 1'/><body name='post'/>"
    ground += "<camera name='eye' mode='track'/><camera name='fixed' pos='1 2 3'/><site name='origin'/>"
    return f"<mujoco>{option}<worldbody>{ground}{filled}</worldbody>{extra}</mujoco>"


def actuator(text):
    return {"extra": f"<actuator>{text}</actuator>"}


def sensor(text):
    return {"extra": f"<sensor>{text}</sensor>"}


def flag(text):
    return {"option": f"<option><flag {text}/></option>"}


OF_MUJOCO_4 = ("flag speculative = enable",)  # older files cannot say it
TENDON = "<tendon><spatial name='t' {}><site site='s'/><site site='origin'/></spatial></tendon>"
REFUSED = [
    ({**flag("speculative='enable'"), "geom": "gap='.1'", "extra": "<sensor><contact geom1='g'/></sensor>"},
     "flag speculative = enable beside pairs with a gap and contact sensors"),
    ({**flag("actuation='disable'"), "joint": "actuatorgravcomp='true'"}, "flag actuation = disable beside gravity"),
    ({**flag("actuation='disable'"), "extra": "<actuator><motor name='m' joint='j'/></actuator><sensor><actuatorvel "
      "actuator='m'/></sensor>"}, "flag actuation = disable beside sensors of actuators' velocity"),
    ({"joint": "type='free' stiffness='1 2 0'"}, "joint 'j': second and third stiffness of a free joint"),
    ({"geom": "adhesion='1'"}, "geom 'g': adhesion"),
    (actuator("<general joint='j' gaintype='user'/>"), "gaintype = user; allowed: fixed, affine"),
    (actuator("<general joint='j' biastype='user'/>"), "biastype = user"),
    (actuator("<motor name='a' joint='j' armature='1'/>"), "actuator 'a': armature"),
    (actuator("<motor name='a' joint='j' damping='1'/>"), "actuator 'a': damping"),
    (sensor("<user dim='2'/>"), "sensor 0: type user; allowed: jointpos"),
    (sensor("<torque name='f' site='origin'/>"), "sensor 'f': on a site of the world, which has no parent"),
    ({"geom": "/><geom name='k' size='.1'", "extra": "<contact><pair geom1='g' geom2='k'/></contact><sensor><contact "
      "geom1='g'/></sensor>"}, "contact sensors beside 1 pairs of geoms that no force can move"),
    ({"extra": TENDON.format("stiffness='1'") + "<sensor><torque name='f' site='s'/></sensor>"},
     "sensor 'f': torque where tendon 't' pulls from outside; allowed: fixed tendons"),
]


@pytest.mark.parametrize("scene, message", REFUSED, ids=[message for _, message in REFUSED])
def test_refuses_by_name(scene, message):
    if message in OF_MUJOCO_4 and mujoco.__version__ < "4":
        pytest.skip("MuJoCo 4.0 or later has this")
    with pytest.raises(UnsupportedError) as error:
        load(falling(**scene))
    assert message in str(error.value) and len(error.value.refused) >= 1


def test_refuses_everything_at_once():
    option = "<option integrator='discrete'/>"
    scene = falling(option=option, geom="adhesion='1'", **sensor("<user dim='2'/>"))
    with pytest.raises(UnsupportedError) as error:
        load(scene)
    assert len(error.value.refused) == 2


def test_the_swimmer_swims():
    model = load(asset("swimmer.xml"))
    assert model.nv == 5 and (model.opt.density, model.opt.viscosity) == (4000, 0.1)


TRANSLATED = [
    ("gravity", lambda m: not m.opt.gravity.any()),
    ("contact", lambda m: m.npair == 0),
    ("limit", lambda m: not m.jnt_limited.any()),
    ("frictionloss", lambda m: not m.dof_frictionloss.any()),
    ("spring", lambda m: not m.jnt_stiffness.any()),
    ("damper", lambda m: not m.dof_damping.any()),
    ("clampctrl", lambda m: not m.actuator_ctrllimited.any()),
    ("actuation", lambda m: not m.actuator_gainprm.any()),
    ("constraint", lambda m: m.npair == 0 and not m.jnt_limited.any() and not m.dof_frictionloss.any()),
]


def rich(flags=""):
    joint = "frictionloss='1' stiffness='2' damping='3' range='-40 40'"
    return falling(f"<option><flag {flags}/></option>", joint=joint, **actuator("<motor joint='j' ctrlrange='-1 1'/>"))


@pytest.mark.parametrize("name, holds", TRANSLATED, ids=[name for name, _ in TRANSLATED])
def test_translates_flags(name, holds):
    assert not holds(load(rich()))
    m = load(rich(f"{name}='disable'"))
    assert holds(m) and any("is disabled" in line for line in m.report.changed)


def test_sensors_that_an_option_switches_off():
    """Whatever they are: nobody asks."""
    text = falling(**flag("sensor='disable'"), **sensor("<clock/><insidesite objtype='body' objname='ball' site='s'/>"))
    m = load(text)
    assert (m.nsensor, m.nsensordata, m.sensor_names) == (0, 0, [])
    assert any("flag sensor is disabled: 2 sensors left out" in line for line in m.report.changed)
    assert load(m.to_mjcf()).nsensor == 0


def test_actuators_that_an_option_switches_off():
    """Of groups, too: they exert nothing, and their states stay where they are."""
    text = "<motor joint='j' group='2'/>"
    text += "<general joint='j' group='1' dyntype='integrator' biastype='affine' biasprm='1'/>"
    m = load(falling("<option actuatorgroupdisable='1 3'/>", **actuator(text)))
    assert m.actuator_gainprm[:, 0].tolist() == [1, 0] and not m.actuator_biasprm.any()
    assert m.actuator_dyntype[1] == c.DYN_FILTER and m.actuator_dynprm[1, 0] > 1e20
    assert any("actuatorgroupdisable: gains and biases of 1 actuator set" in line for line in m.report.changed)


def test_actuators_of_a_robot_without_joints():
    """Which pull at what nothing moves."""
    body = '<body mocap="true"><site name="s"/><site name="r"/><geom size=".1"/></body>'
    drives = '<motor site="s"/><position site="s" refsite="r" gear="0 0 0 1"/>'
    m = load(f"<mujoco><worldbody>{body}</worldbody><actuator>{drives}</actuator></mujoco>")
    assert (m.nu, m.nv, m.njnt) == (2, 0, 0)


def test_switches_of_the_integrator():
    m = load(rich("eulerdamp='disable' refsafe='disable' warmstart='disable' autoreset='disable' energy='enable'"))
    assert (m.opt.eulerdamp, m.opt.refsafe) == (False, False)
    assert (load(rich()).opt.eulerdamp, load(rich()).opt.refsafe) == (True, True)


def test_missing_file_and_wrong_type():
    for empty in ("", " \n"):
        with pytest.raises(ValueError, match="source: got '.*', an empty text; allowed: a path of an MJCF"):
            load(empty)
    for text in ("x" * 5000, "robot\0.xml"):  # torn off the beginning of a file
        with pytest.raises(FileNotFoundError, match="no such file: .{1,220} .load takes a path"):
            load(text)
    with pytest.raises(FileNotFoundError, match="no such file: nowhere.xml"):
        load("nowhere.xml")
    with pytest.raises(TypeError, match="not int"):
        load(3)


@pytest.mark.parametrize(
    ("text", "words"),
    (
        ("<mujoco><worldbody><body></worldbody></mujoco>", "XML parse error"),
        ("<mujoco><worldbody><bode/></worldbody></mujoco>", "unrecognized element"),
        ("<mujoco><worldbody><geom size='1' colour='red'/></worldbody></mujoco>", "unrecognized attribute: 'colour'"),
        ("<mujoco><worldbody><body name='a'/><body name='a'/></worldbody></mujoco>", "repeated name 'a'"),
        ("<mujoco><worldbody><body><joint axis='0 0 0'/><geom size='1'/></body></worldbody></mujoco>", "axis"),
        ("<mujoco><worldbody><body><joint/><geom size='1' mass='-1'/></body></worldbody></mujoco>", "mass"),
    ),
    ids=("broken", "element", "attribute", "twice", "axis", "mass"),
)
def test_xml_that_is_no_robot(text, words):
    """The compiler's own words reach the caller."""
    with pytest.raises(ValueError, match=words):
        load(text)


def test_missing_mujoco_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(ImportError, match=r'pip install "pullback\[mjcf\]"'):
        load(CHEETAH)


def test_old_mujoco_is_refused(monkeypatch):
    monkeypatch.setattr(mujoco, "__version__", "3.2.0")
    with pytest.raises(ImportError, match="mujoco 3.2.0 is older than 3.17"):
        load(CHEETAH)


def test_touch_of_a_mesh_is_refused():
    """MuJoCo's own program ends there; the engine would have felt nothing."""
    site = "<asset><mesh name='m' vertex='0 0 0 1 0 0 0 1 0 0 0 1'/></asset><worldbody><body name='b'><freejoint/>" \
           "<geom size='.1'/><site name='skin' type='mesh' mesh='m'/></body></worldbody>"  # fmt: skip
    load(f"<mujoco>{site}</mujoco>")
    with pytest.raises(ModelError, match="site 'skin': mesh of a touch sensor; allowed: sphere, capsule"):
        load(f"<mujoco>{site}<sensor><touch site='skin'/></sensor></mujoco>")
