"""URDF as it lies in the wild: where meshes are, inertias that no body has, formats, what stands twice."""

import importlib.util
import re
import sys

import numpy as np
import pytest

from engine.model import ModelError, load

mujoco = pytest.importorskip("mujoco")

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
CORNERS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))


def inertial(xx=1.0, yy=1.0, zz=1.0, mass=2.0, xy=0.0):
    return (
        f"<inertial><mass value='{mass}'/><inertia ixx='{xx}' iyy='{yy}' izz='{zz}' ixy='{xy}' ixz='0' iyz='0'/>"
        "</inertial>"
    )


def urdf(of_link, more="", kind="revolute"):
    """Link b, which turns on a, and what is in it."""
    joint = f"<joint name='elbow' type='{kind}'><parent link='a'/><child link='b'/><axis xyz='0 1 0'/>"
    joint += "<limit lower='-1' upper='1' effort='7'/></joint>"
    return f"<robot name='arm'>{more}<link name='a'/><link name='b'>{of_link}</link>{joint}</robot>"


def collision(filename, tag="collision"):
    return inertial() + f"<{tag}><geometry><mesh filename='{filename}'/></geometry></{tag}>"


def says(model, *words):
    return any(all(word in line for word in words) for line in model.report.changed)


# ----------------------------------------------------------------------------------------------------- meshes

PLACES = [
    ("package://arm_description/meshes/hand.obj", "", "package://: found in the folders above"),
    ("package://other_name/meshes/hand.obj", "", "package://: found in the folders above"),
    ("model:///arm_description/meshes/hand.obj", "", "model://: found in the folders above"),
    ("meshes/hand.obj", "<compiler meshdir='../meshes'/>", "without the folders of the name"),
    ("../meshes/hand.obj", "<compiler meshdir='nowhere'/>", "without <compiler> meshdir"),
    ("..\\meshes\\hand.obj", "", None),
    ("../meshes/hand.obj", "", None),
    ("hand.obj", "<compiler meshdir='../meshes'/>", None),
    ("file://{}/meshes/hand.obj", "", None),
    ("file:{}/meshes/hand.obj", "", None),
    ("$(find arm_description)/meshes/hand.obj", "", "package://: found in the folders above"),
    ("../Meshes/HAND.OBJ", "", "found by a name of another case"),
    ("package://arm_description/meshes/%68and.obj", "", "found by a name of another case"),
]


@pytest.mark.parametrize("name, compiler, words", PLACES, ids=[name for name, _, _ in PLACES])
def test_a_mesh_is_found(name, compiler, words, tmp_path):
    package = tmp_path / "arm_description"
    for folder in ("meshes", "urdf"):
        (package / folder).mkdir(parents=True)
    (package / "meshes" / "hand.obj").write_text(TETRAHEDRON)
    path = package / "urdf" / "arm.urdf"
    path.write_text(urdf(collision(name.format(package.as_posix())), f"<mujoco>{compiler}</mujoco>"))
    m = load(path)
    assert m.mesh_vert[0].shape == (4, 3) and m.ngeom == 1
    assert says(m, "1 mesh", words) if words else not says(m, "mesh")


def test_a_mesh_of_a_name_like_it_is_told(tmp_path):
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "hand.obj").write_text(TETRAHEDRON)
    (tmp_path / "arm.urdf").write_text(urdf(collision("package://robot/meshes/hnd.obj")))
    with pytest.raises(ModelError, match="hnd.obj' .did you mean 'hand.obj'..: not found"):
        load(tmp_path / "arm.urdf")
    body = '<mujoco><compiler meshdir="meshes"/><asset><mesh file="{}"/></asset><worldbody/></mujoco>'
    (tmp_path / "arm.xml").write_text(body.format("hnd.obj"))
    with pytest.raises(ValueError, match="arm.xml: .*'meshes/hnd.obj' .did you mean 'meshes/hand.obj'"):
        load(tmp_path / "arm.xml")


def test_two_meshes_of_another_case_are_none(tmp_path):
    for name in ("hand.obj", "Hand.obj"):
        (tmp_path / name).write_text(TETRAHEDRON)
    (tmp_path / "arm.urdf").write_text(urdf(collision("HAND.obj")))
    with pytest.raises(ModelError, match="'HAND.obj'.*not found"):
        load(tmp_path / "arm.urdf")
    with pytest.raises(ModelError, match="<mesh> of link 'b' without a filename"):
        load(urdf(collision("")))


def test_a_mesh_without_volume():
    """Of which MuJoCo says that its inertia be that of a shell, which a URDF has no word for."""
    flat = TETRAHEDRON.replace("v 1 0 0", "v .001 0 0").replace("v 0 0 1", "v 0 0 1e-12").encode()
    with pytest.raises(ValueError, match="mesh volume is too small"):
        mujoco.MjModel.from_xml_string(urdf(collision("flat.obj")), {"flat.obj": flat})
    m = load(urdf(collision("flat.obj")), assets={"flat.obj": flat})
    assert m.ngeom == 1 and m.body_mass[-1] == 2.0 and says(m, "mesh 'flat' has no volume")
    m = load(urdf(collision("flat.obj")), assets={"flat.obj": flat}, floor=True)
    assert m.ngeom == 2 and says(m, "mesh 'flat' has no volume")


def test_meshes_that_are_nowhere_are_named_at_once(tmp_path):
    two = collision("package://robot/left.obj") + collision("package://robot/right.obj").partition("</inertial>")[2]
    (tmp_path / "arm.urdf").write_text(urdf(two))
    match = "mesh 'package://robot/left.obj', 'package://robot/right.obj': not found.*allowed: .*assets={'left.obj'"
    with pytest.raises(ModelError, match=match):
        load(tmp_path / "arm.urdf")
    m = load(tmp_path / "arm.urdf", assets={"left.obj": TETRAHEDRON.encode(), "right.obj": TETRAHEDRON.encode()})
    assert len(m.mesh_vert) == 2


def test_meshes_of_one_name_in_two_folders_are_two(tmp_path):
    shapes = {"left": TETRAHEDRON, "right": TETRAHEDRON.replace("v 1 0 0", "v 3 0 0")}
    for folder, text in shapes.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hand.obj").write_text(text)
    two = collision("left/hand.obj") + collision("right/hand.obj").partition("</inertial>")[2]
    (tmp_path / "arm.urdf").write_text(urdf(two))
    extents = sorted(np.ptp(vert, axis=0).max() for vert in load(tmp_path / "arm.urdf").mesh_vert)
    assert extents[0] < 1.5 < 3 < extents[1]
    given = {f"{folder}/hand.obj": text.encode() for folder, text in shapes.items()}
    extents = sorted(np.ptp(vert, axis=0).max() for vert in load(urdf(two), assets=given).mesh_vert)
    assert extents[0] < 1.5 < 3 < extents[1]


def test_a_mesh_that_is_only_drawn_may_be_missing(tmp_path, monkeypatch):
    keep = "<mujoco><compiler discardvisual='false'/></mujoco>"
    for more in ("", keep):
        m = load(urdf(collision("gone.dae", "visual"), more))
        assert m.ngeom == 0 and says(m, "visual") and (not more or says(m, "gone.dae", "link 'b'", "only drawn"))
    (tmp_path / "hand.ply").write_text(PLY)
    (tmp_path / "arm.urdf").write_text(urdf(collision("hand.ply", "visual"), keep))
    monkeypatch.setitem(sys.modules, "trimesh", None)
    m = load(tmp_path / "arm.urdf")
    assert m.ngeom == 0 and says(m, "link 'b'", "only drawn", "pullback[meshes]")


TEXT_STL = "solid x\n" + "".join(
    "facet normal 0 0 0\nouter loop\n" + "".join(f"vertex {x} {y}.0 {z}e0\n" for x, y, z in (CORNERS[i] for i in face))
    + "endloop\nendfacet\n" for face in FACES
) + "endsolid x\n"  # fmt: skip

PLY = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
PLY += "element face 4\nproperty list uchar int vertex_indices\nend_header\n"
PLY += "".join("{} {} {}\n".format(*corner) for corner in CORNERS)
PLY += "".join("3 {} {} {}\n".format(*face) for face in FACES)

# centimetres
DAE = """<?xml version="1.0"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><created>2020-01-01T00:00:00</created><modified>2020-01-01T00:00:00</modified><unit name="cm" meter="0.01"/>
<up_axis>Y_UP</up_axis></asset><library_geometries><geometry id="g"><mesh><source id="p"><float_array id="pa"
count="12">0 0 0 100 0 0 0 100 0 0 0 100</float_array><technique_common><accessor source="#pa" count="4"
stride="3"><param name="X" type="float"/>
<param name="Y" type="float"/><param name="Z" type="float"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices><triangles count="4"><input semantic="VERTEX"
source="#v" offset="0"/><p>0 2 1 0 1 3 0 3 2 1 2 3</p></triangles></mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node id="n"><translate>0 0 50</translate><instance_geometry url="#g"/>
</node></visual_scene></library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>"""


def placed(m):
    """Vertices of mesh 0 in the frame of geom 0's body."""
    mat = np.zeros(9)
    mujoco.mju_quat2Mat(mat, m.geom_quat[0])
    return m.mesh_vert[0] @ mat.reshape(3, 3).T + m.geom_pos[0]


def same_corners(found, wanted):
    return all(np.abs(found - corner).max(axis=1).min() < 1e-6 for corner in np.array(wanted, float))


@pytest.mark.parametrize(
    "name, content, shift", [("hand.stl", TEXT_STL, 0.0), ("hand.PLY", PLY, 0.0), ("hand.dae", DAE, 0.5)]
)
def test_a_mesh_that_mujoco_does_not_read(name, content, shift, tmp_path):
    if not name.endswith("stl"):
        pytest.importorskip("trimesh")
    if name.endswith("dae"):
        pytest.importorskip("collada", reason='needs pycollada: pip install "pullback[meshes]"')
    (tmp_path / name).write_text(content)
    (tmp_path / "arm.urdf").write_text(urdf(collision(name)))
    m = load(tmp_path / "arm.urdf")
    assert same_corners(placed(m), np.array(CORNERS) + (0, 0, shift)) and says(m, "1 mesh in", "triangles")


def test_what_reads_other_formats_is_named(tmp_path, monkeypatch):
    (tmp_path / "hand.ply").write_text(PLY)
    (tmp_path / "arm.urdf").write_text(urdf(collision("hand.ply")))
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(ImportError, match=r"mesh 'hand.ply': to read .ply, trimesh.*pip install \"pullback\[mesh"):
        load(tmp_path / "arm.urdf")


@pytest.mark.skipif(importlib.util.find_spec("trimesh") is None, reason="trimesh is not installed")
def test_a_damaged_mesh_is_refused(tmp_path):
    for name, content in (("hand.ply", PLY[:60]), ("hand.glb", "glTF?"), ("hand.stl", "solid nothing\nendsolid")):
        (tmp_path / name).write_text(content)
        (tmp_path / "arm.urdf").write_text(urdf(collision(name)))
        with pytest.raises(ModelError, match=f"mesh '{name}'.*allowed"):
            load(tmp_path / "arm.urdf")


# --------------------------------------------------------------------------------------------------- inertias

INERTIAS = [
    (inertial(1, 1, 3), 2.0, [5 / 3] * 3, "link 'b': moments of inertia [1, 1, 3]"),
    (inertial(0.1, 0.2, 0.3 + 1e-9), 2.0, [0.3, 0.2, 0.1], "[0.1, 0.2, 0.3]"),
    (inertial(0, 0, 0, 0), 1e-6, [1e-9] * 3, "mass 0 kg, now 1e-06"),
    (inertial(0, 0, 0), 2.0, [1e-9] * 3, "[0, 0, 0]"),
    (inertial(1, 1, 1, xy=1.0), 2.0, [1.0000000003] * 3, "[0, 1, 2]"),
    ("", 1e-6, [1e-9] * 3, "link 'b' moves without a mass"),
]


@pytest.mark.parametrize("link, mass, moments, words", INERTIAS, ids=[words for *_, words in INERTIAS])
def test_an_inertia_that_no_body_has(link, mass, moments, words):
    with pytest.raises(ValueError):
        mujoco.MjModel.from_xml_string(urdf(link))
    m = load(urdf(link))
    assert says(m, words)
    np.testing.assert_allclose(m.body_mass[-1], mass)
    np.testing.assert_allclose(m.body_inertia[-1], moments, rtol=1e-6)


def test_a_balanced_inertia_is_mujocos():
    text = urdf(inertial(1, 2, 5, xy=0.3))
    own = "<mujoco><compiler balanceinertia='true'/></mujoco>"
    balanced = mujoco.MjModel.from_xml_string(text.replace("<link", own + "<link", 1))
    np.testing.assert_allclose(load(text).body_inertia[-1], balanced.body_inertia[-1], rtol=1e-12)
    assert not says(load(text.replace("<link", own + "<link", 1)), "inertia")  # the file has said it


def test_a_link_is_carried_by_what_is_fixed_to_it():
    fixed = f"<link name='c'>{inertial()}</link><joint name='w' type='fixed'><parent link='b'/><child link='c'/>"
    fixed += "</joint>"
    m = load(urdf("", fixed))
    assert m.body_mass[-1] == 2.0 and not says(m, "moves without")


def test_inertias_that_a_body_can_have_stay():
    for link in (inertial(), inertial(1, 1, 2), inertial(0.2, 0.2, 0.3, xy=0.05), inertial(1e-8, 1e-8, 1e-8, 1e-5)):
        mj = mujoco.MjModel.from_xml_string(urdf(link))
        m = load(urdf(link))
        np.testing.assert_array_equal(m.body_inertia, mj.body_inertia)
        assert not says(m, "link 'b': m")


def test_a_flat_body_is_one_whatever_rounding_says():
    """Moments of flat bodies, turned: in half of them A + B is below C by rounding, here or in MuJoCo."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.uniform(0.1, 1.0, 2)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        (xx, xy, xz), (_, yy, yz), (_, _, zz) = turn @ np.diag([a, b, a + b]) @ turn.T
        text = urdf(inertial(xx, yy, zz, xy=xy).replace("ixz='0' iyz='0'", f"ixz='{xz}' iyz='{yz}'"))
        np.testing.assert_allclose(np.sort(load(text).body_inertia[-1]), np.sort([a, b, a + b]), rtol=1e-9)


# ------------------------------------------------------------------------------------------------ what is twice


def test_the_first_of_two_counts():
    red, blue = ("<material name='m{0}'><color rgba='{0} 0 {1} 1'/></material>".format(*c) for c in ((1, 0), (0, 1)))
    of_link = f"{inertial()}<visual><geometry><sphere radius='1'/></geometry>{red}{blue}</visual>"
    text = urdf(of_link, "<mujoco><compiler discardvisual='false'/></mujoco>")
    text = text.replace("<axis xyz='0 1 0'/>", "<axis xyz='0 1 0'/><axis xyz='1 0 0'/>")
    m = load(text)
    np.testing.assert_array_equal(m.geom_rgba[0], [1, 0, 0, 1])
    np.testing.assert_array_equal(m.jnt_axis[0], [0, 1, 0])
    assert says(m, "<material> twice in <visual>, 1 times") and says(m, "<axis> twice in <joint>")


def test_an_empty_range_leaves_the_joint_free():
    m = load(urdf(inertial()).replace("lower='-1'", "lower='1'"))
    assert not m.jnt_limited[0] and says(m, "limit of joint 'elbow', lower and upper 1: left out")


@pytest.mark.parametrize("upper", ("", "upper=''"))
def test_a_range_with_one_end_is_none(upper):
    text = urdf(inertial()).replace("upper='1'", upper)
    m, mj = load(text), mujoco.MjModel.from_xml_string(text)
    assert not m.jnt_limited[0] and not mj.jnt_limited[0]
    assert says(m, "limit of joint 'elbow' without upper: left out")


def test_mimic_is_an_equality():
    more = f"<link name='c'>{inertial()}</link><joint name='w' type='revolute'><parent link='b'/><child link='c'/>"
    more += "<axis xyz='0 1 0'/><limit lower='-1' upper='1'/><mimic joint='elbow' multiplier='2' offset='.1'/></joint>"
    m = load(urdf(inertial(), more))
    assert m.neq == 1 and m.eq_data[0, :2].tolist() == [0.1, 2.0]
    m = load(urdf(inertial(), more.replace("revolute", "fixed")))
    assert m.neq == 0 and m.nv == 1 and says(m, "mimic of joint 'w': left out, since what is fixed follows nothing")


# ------------------------------------------------------------------------------------------- of other readers


def without(name):
    return re.sub(f"<{name}[^>]*/>", "", inertial())


AXIS = "xyz='0 1 0'"
OTHERS = [  # what other readers take, the line about it, what it is now
    (urdf(inertial()).replace(AXIS, "xyz='0, 1,0'"), "commas in axis xyz, of joint 'elbow'", "jnt_axis", [0, 1, 0]),
    (urdf(inertial()).replace(AXIS, "xyz='0 1 0 5'"), "more than 3 numbers in axis xyz", "jnt_axis", [0, 1, 0]),
    (urdf(inertial(2).replace("ixy='0.0' ixz='0'", "")), "inertia without ixy, ixz, of link 'b': now 0", "body_inertia",
     [2, 1, 1]),
    (urdf(without("mass")), "<inertial> without <mass>, of link 'b': left out", "body_mass", 1e-6),
    (urdf(without("inertia")), "<inertial> without <inertia>, of link 'b': now zero", "body_mass", 2.0),
    (urdf(inertial(), kind="spherical"), "limits of a spherical joint, of joint 'elbow': left out", "jnt_type", 1),
    (urdf(inertial()).replace("effort='7'", "effort='0'"), "effort 0: left out, so that its force has no limit",
     "jnt_actfrclimited", 0),
]  # fmt: skip


@pytest.mark.parametrize("text, line, name, value", OTHERS, ids=[line for _, line, *_ in OTHERS])
def test_what_other_readers_take(text, line, name, value):
    m = load(text)
    assert says(m, line)
    np.testing.assert_allclose(getattr(m, name)[-1], value, rtol=1e-12)


XACRO = "<robot name='r' xmlns:xacro='http://www.ros.org/wiki/xacro'>{}<link name='a'>" + inertial() + "</link></robot>"
REFUSED = [
    (urdf(inertial(mass="nan")), "link 'b': mass value = 'nan'; allowed: finite numbers"),
    (urdf(inertial()).replace("xyz='0 1 0'", "xyz='0 NaN 0'"), "joint 'elbow': axis xyz = '0 NaN 0'"),
    (urdf(inertial(mass="${m}")), "link 'b': mass value = '${m}': xacro has not read this file yet"),
    (XACRO.format("<xacro:leg side='left'/>"), "<xacro:leg> of robot 'r': xacro has not read"),
    (urdf(inertial(), "<joint name='elbow'/>"), "joint 'elbow': more than one of that name"),
]


@pytest.mark.parametrize("text, words", REFUSED, ids=[words for _, words in REFUSED])
def test_what_is_no_robot_yet(text, words):
    with pytest.raises(ModelError, match=re.escape(words)):
        load(text)


def test_what_xacro_has_read_may_still_define():
    macro = "<xacro:macro name='leg' params='m'><link name='x'><inertial><mass value='${m}'/></inertial></link>"
    m = load(XACRO.format(f"<xacro:property name='m' value='1'/>{macro}</xacro:macro>"))
    assert m.nbody == 1 and says(m, "<macro> of robot 'r': left out")


@pytest.mark.parametrize("encoding", ("latin-1", "utf-16"))
def test_another_encoding(encoding, tmp_path):
    text = f"<?xml version='1.0' encoding='{encoding}'?>" + urdf(inertial()).replace("elbow", "Gelenk über")
    (tmp_path / "arm.urdf").write_bytes(text.encode(encoding))
    assert load(tmp_path / "arm.urdf").joint_names == ["Gelenk über"]


def test_an_mjcf_that_is_not_utf_8(tmp_path):
    text = "<mujoco><worldbody><body name='K\xf6rper'><joint/><geom size='1'/></body></worldbody></mujoco>"
    (tmp_path / "arm.xml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="arm.xml: a name in it is not UTF-8 .*allowed: a file in UTF-8"):
        load(tmp_path / "arm.xml")


def test_a_line_for_each_kind():
    """Of links, however many they are."""
    names = [f"f{i}" for i in range(6)]
    more = "".join(
        f"<link name='{name}'>{inertial(0, 0, 0, 0)}</link><joint name='to {name}' type='revolute'><parent link='a'/>"
        f"<child link='{name}'/><axis xyz='1 0 0'/><limit lower='1' upper='-{i}'/></joint>"
        for i, name in enumerate(names)
    )  # fmt: skip
    m = load(urdf(inertial(1, 1, 3), more))
    assert "link 'f0', 'f1', 'f2', 'f3' and 2 more: mass 0 kg, now 1e-06" in m.report.changed
    assert sum("moments of inertia" in line for line in m.report.changed) == 2
    assert says(m, "limit of joint 'to f0', 'to f1', 'to f2', 'to f3' and 2 more, lower 1 above upper -0, ...: left")
