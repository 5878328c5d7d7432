"""Tendons on the host: what is read, built, refused, and left out."""

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, load
from engine.model.derived import set_const
from engine.model.portable import AGE, model_from_arrays, model_to_arrays
from tests import zoo
from tests.model.model_zoo import assert_same_model

XML = """
<mujoco model="sinewed"><compiler angle="radian"/>
  <worldbody>
    <body name="a" pos="0 0 1"><joint name="h1" axis="0 1 0" ref=".1" springref=".3"/><geom size=".1" pos=".1 0 0"/>
      <body name="b" pos=".4 0 0"><joint name="h2" axis="0 1 0" ref=".2"/><geom size=".1" pos=".1 0 0"/></body>
      <body name="c" pos="0 .4 0"><joint name="s3" type="slide" axis="1 0 0"/><geom size=".1" pos="0 .1 0"/></body>
    </body>
    <body name="d" pos="0 1 1"><joint name="s4" type="slide" axis="0 0 1"/><geom size=".1"/></body>
    <body name="e" pos="0 2 1"><freejoint name="free"/><geom size=".1"/></body>
  </worldbody>
  <tendon>
    <fixed name="all" stiffness="3 1 2" damping=".1 .2" armature=".05" frictionloss=".4" range="-.2 .5" margin=".1"
      solreflimit=".05 1" solimplimit=".5" solreffriction=".03 1" solimpfriction=".6" actuatorfrcrange="-1 2">
      <joint joint="s4" coef=".5"/><joint joint="h1" coef="2"/><joint joint="s3" coef="-1"/></fixed>
    <fixed name="slack" stiffness="2" springlength=".1 .4"><joint joint="h2" coef="1"/></fixed>
    <fixed stiffness="1" springlength=".2"><joint joint="h2" coef="1"/><joint joint="h1" coef="-1"/></fixed>
  </tendon>
  <equality><tendon tendon1="all" tendon2="slack" polycoef=".1 .5 0 0 0"/><tendon tendon1="slack"/></equality>
  <actuator><motor tendon="all" gear="2"/><position joint="h2" kp="3"/>
    <position name="p" tendon="slack" kp="4" kv=".1" ctrlrange="-1 1"/></actuator>
  <sensor><tendonpos tendon="all"/><tendonvel tendon="slack"/><tendonactuatorfrc tendon="all"/>
    <tendonlimitfrc tendon="all"/></sensor>
</mujoco>
"""


def unsinewed():
    b = ModelBuilder("sinewed")
    b.body("a", pos=(0, 0, 1))
    b.joint("a", "h1", axis=(0, 1, 0), ref=0.1, springref=0.3)
    b.geom("a", size=0.1, pos=(0.1, 0, 0))
    for name, pos, joint in (("b", (0.4, 0, 0), "h2"), ("c", (0, 0.4, 0), "s3")):
        b.body(name, parent="a", pos=pos)
        kind = {"axis": (0, 1, 0), "ref": 0.2} if joint == "h2" else {"type": "slide", "axis": (1, 0, 0)}
        b.joint(name, joint, **kind)
        b.geom(name, size=0.1, pos=np.array(pos) / 4)
    b.body("d", pos=(0, 1, 1))
    b.joint("d", "s4", type="slide", axis=(0, 0, 1))
    b.geom("d", size=0.1)
    b.body("e", pos=(0, 2, 1))
    b.freejoint("e", "free")
    b.geom("e", size=0.1)
    return b


def sinewed():
    b = unsinewed()
    b.tendon_fixed(
        {"s4": 0.5, "h1": 2, "s3": -1}, "all", stiffness=(3, 1, 2), damping=(0.1, 0.2), armature=0.05, frictionloss=0.4,
        range=(-0.2, 0.5), margin=0.1, solreflimit=(0.05, 1), solimplimit=0.5, solreffriction=(0.03, 1),
        solimpfriction=0.6, actuatorfrcrange=(-1, 2),
    )  # fmt: skip
    b.tendon_fixed({"h2": 1}, "slack", stiffness=2, springlength=(0.1, 0.4))
    b.tendon_fixed({"h2": 1, "h1": -1}, stiffness=1, springlength=0.2)
    b.equality_tendon("all", "slack", polycoef=(0.1, 0.5))
    b.equality_tendon("slack")
    b.motor(tendon="all", gear=2)
    b.position("h2", kp=3)
    b.position(name="p", tendon="slack", kp=4, kv=0.1, ctrlrange=(-1, 1))
    b.sensor("tendonpos", objname="all")
    b.sensor("tendonvel", objname="slack")
    b.sensor("tendonactuatorfrc", objname="all")
    b.sensor("tendonlimitfrc", objname="all")
    return b


def test_equals_the_mjcf():
    mujoco = pytest.importorskip("mujoco")
    built, read = sinewed().compile(), load(XML)
    assert_same_model(built, read)
    assert built.tendon_names == read.tendon_names == ["all", "slack", ""]
    mj = mujoco.MjModel.from_xml_string(XML)
    for name in ("length0", "invweight0", "lengthspring"):  # of armature, too, as far as M has entries for it
        np.testing.assert_allclose(getattr(built, f"tendon_{name}"), getattr(mj, f"tendon_{name}"), rtol=1e-9)
    again = built.copy()
    again.tendon_invweight0[:] = again.tendon_length0[:] = again.dof_invweight0[:] = -1
    set_const(again)
    assert_same_model(again, read)


def test_is_stored_and_read_again():
    model = sinewed().compile()
    assert_same_model(model_from_arrays(model_to_arrays(model)), model)


def test_a_body_that_only_slides_beside_a_tendon_without_armature():
    pytest.importorskip("mujoco")
    b, read = sinewed(), load(XML.replace('armature=".05"', ""))
    next(t for t in b.tendons.values() if t.name == "all").armature = 0.0
    assert_same_model(b.compile(), read)


def test_what_nobody_uses_is_left_out_and_the_others_keep_their_users():
    pytest.importorskip("mujoco")
    idle = '<fixed name="idle"><joint joint="h1" coef="1"/></fixed>'
    site = '<spatial name="drawn"><site site="x"/><site site="y"/></spatial>'
    sites = '<worldbody><site name="x"/><site name="y" pos="1 0 0"/>'
    xml = XML.replace("<worldbody>", sites).replace("<tendon>", f"<tendon>{idle}{site}", 1)
    model = load(xml)
    assert model.tendon_names == ["all", "slack", ""]
    assert model.actuator_trnid.tolist() == [0, 1, 1] and model.eq_obj1id.tolist() == [0, 1]
    assert model.sensor_objid.tolist() == [0, 1, 0, 0] and model.eq_obj2id.tolist() == [1, -1]
    assert sum("nobody uses it: left out" in line for line in model.report.changed) == 2


REFUSED = [
    (lambda b: b.tendon_fixed({}), "joints = {}; allowed: at least one"),
    (lambda b: b.tendon_fixed({"h9": 1}), "no joint 'h9'"),
    (lambda b: b.tendon_fixed({"free": 1}), "joint 'free' is a free; allowed: hinge, slide"),
    (lambda b: b.tendon_fixed({"h1": 1}, springlength=(2, 1)), "springlength = .*the lower first"),
    (lambda b: b.tendon_fixed({"h1": 1}, armature=-1), "armature = -1"),
    (lambda b: b.motor(tendon="none"), "no tendon 'none'"),
    (lambda b: b.motor("h1", tendon="t"), "joint = 'h1', tendon = 't'; allowed: one of joint, jointinparent, tendon"),
    (lambda b: b.motor(), "joint = None; allowed: one of"),
    (lambda b: b.equality_tendon("t", "t"), "'t' twice"),
    (lambda b: b.sensor("tendonlimitpos", objname="t"), "tendon 't' has no limit"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message for _, message in REFUSED])
def test_refuses_by_name(call, message):
    b = unsinewed()
    b.tendon_fixed({"h1": 1}, "t", stiffness=1)
    with pytest.raises(ModelError, match=message):
        call(b)


@pytest.mark.parametrize("array, index, value, message", [
    ("wrap_objid", 0, 4, "tendon 'all'|wrap 0: wrap_objid = 4; allowed: a hinge or a slide"),
    ("wrap_objid", 0, -1, "wrap_objid = -1; allowed: a joint, 0 to 4"),
    ("wrap_objid", 0, 0, "tendon 'all': tendon_num = 3; allowed: that of different joints"),
    ("tendon_num", 0, 2, "allowed: .*which follows from tendon_num"),
    ("tendon_adr", 1, 0, "tendon 'slack': tendon_adr = 0; allowed: 3, which follows"),
    ("tendon_range", 0, (1, -1), "tendon 'all': tendon_range"),
    ("tendon_lengthspring", 1, (1, -1), "tendon 'slack': tendon_lengthspring"),
    ("tendon_solref_lim", 0, (1, -1), "tendon 'all': tendon_solref_lim.*both positive"),
    ("tendon_stiffness", 0, -1, "tendon 'all': tendon_stiffness = -1"),
    ("wrap_prm", 0, np.nan, "tendon 'all': wrap_prm = nan; allowed: finite"),
    ("actuator_trnid", 0, 3, "actuator 0: actuator_trnid = 3; allowed: a tendon, 0 to 2"),
    ("actuator_trntype", 0, 9, "actuator_trntype = 9; allowed: 0 .joint., 1 .jointinparent., 3 .tendon., 4 .site."),
    ("eq_obj1id", 0, 3, "a tendon: 0 to 2"),
    ("sensor_objid", 0, 5, "sensor_objid = 5; allowed: a tendon, 0 to 2"),
])  # fmt: skip
def test_bad_arrays_are_named(array, index, value, message):
    import engine

    model = sinewed().compile()
    getattr(model, array)[index] = value
    with pytest.raises(ModelError, match=message):
        engine.Simulator(model)


# ------------------------------------------------------------------------------------------------ paths

PATHS = zoo.strung(pulleys='stiffness="1" range="0 1"', roll='stiffness="2"', near='armature=".1" width=".01"')


def test_paths_of_a_file():
    """What follows from qpos0 is what MuJoCo finds, of lengths on geoms, within one, over pulleys and with inertia."""
    mujoco = pytest.importorskip("mujoco")
    mj, model = mujoco.MjModel.from_xml_string(PATHS), load(PATHS)
    for name in ("wrap_type", "wrap_objid", "wrap_prm", "tendon_num", "tendon_width", "tendon_lengthspring"):
        np.testing.assert_array_equal(getattr(model, name), getattr(mj, name))
    again = model.copy()
    again.tendon_invweight0[:] = again.tendon_length0[:] = again.dof_invweight0[:] = -1
    set_const(again)
    for name in ("tendon_length0", "tendon_invweight0", "dof_invweight0", "body_invweight0"):
        np.testing.assert_allclose(getattr(again, name), getattr(mj, name), rtol=1e-9, err_msg=name)
    assert_same_model(model_from_arrays(model_to_arrays(model)), model)


def test_robots_stored_before_there_were_paths():
    arrays = model_to_arrays(sinewed().compile())
    arrays = {name: a for name, a in arrays.items() if name not in ("wrap_type", "tendon_width", "tendon_rgba")}
    arrays["header"] = np.array(str(arrays["header"]).replace(f'"age": {AGE}', '"age": 3'))
    assert (model_from_arrays(arrays).wrap_type == 1).all()


@pytest.mark.parametrize("array, index, value, message", [
    ("wrap_objid", 0, 12, "wrap 0: wrap_objid = 12; allowed: a site, 0 to 11"),
    ("wrap_objid", 10, 2, "wrap 10: wrap_objid = 2; allowed: a cylinder"),
    ("wrap_type", 0, 1, "wrap 0: wrap_type = 1; allowed: joints alone, or sites with geoms and pulleys"),
    ("wrap_type", 1, 6, "wrap_type = 6; allowed: 1 .joint., 2 .pulley."),
    ("wrap_type", 11, 2, "wrap_type = .; allowed: joints alone"),
    ("wrap_prm", 3, 0, "tendon 'pulleys': wrap_prm = 0.; allowed: a divisor of more than zero"),
    ("wrap_prm", 10, 12, "tendon 'roll': wrap_prm = 12.; allowed: a site, 0 to 11, or -1"),
    ("tendon_armature", 1, 0.1, "tendon 'roll': tendon_armature = 0.1; allowed: 0 for a tendon that goes round geoms"),
])  # fmt: skip
def test_bad_paths_are_named(array, index, value, message):
    import engine

    pytest.importorskip("mujoco")
    model = load(PATHS)
    getattr(model, array)[index] = value
    with pytest.raises(ModelError, match=message):
        engine.Simulator(model)


def test_forces_on_bodies_are_refused_beside_paths():
    import engine

    with pytest.raises(ValueError, match="com_based and cfrc_ext: got spatial tendons .tendon 'pulleys'"):
        engine.Simulator(load(PATHS)).com_based()


def test_a_path_equals_the_mjcf():
    pytest.importorskip("mujoco")
    b = ModelBuilder("strung")
    b.site("world", "w", pos=(0.4, -0.3, 1.2))
    b.geom("world", "post", type="cylinder", size=(0.15, 0.5), pos=(0.3, 0, 0.9), contype=0, conaffinity=0)
    b.body("a", pos=(0, 0, 1))
    b.joint("a", "a", axis=(0, 1, 0), ref=0.2, springref=0.5)
    b.geom("a", size=0.1, contype=0, conaffinity=0)
    b.body("b", parent="a", pos=(0.3, 0, 0))
    b.joint("b", "b", type="ball")
    b.joint("b", "c", type="slide", axis=(1, 0, 0), pos=(0, 0.1, 0), springref=0.1)
    b.geom("b", "roll", size=0.1, contype=0, conaffinity=0)
    b.site("b", "b", pos=(0.1, 0.1, 0.1))
    b.site("a", "a", pos=(0, 0.2, 0))
    b.tendon_spatial(["w", ("post", "a"), "b", 2, "a", ("roll", None), "w"], "t", stiffness=2, width=0.01)
    b.tendon_spatial(["a", "b"], stiffness=1, armature=0.1, rgba=(1, 0, 0, 1), springlength=(0, 0.1))
    read = load("""<mujoco model="strung"><compiler angle="radian"/>
    <default><geom contype="0" conaffinity="0"/></default><worldbody><site name="w" pos=".4 -.3 1.2"/>
    <geom name="post" type="cylinder" size=".15 .5" pos=".3 0 .9"/>
    <body name="a" pos="0 0 1"><joint name="a" axis="0 1 0" ref=".2" springref=".5"/><geom size=".1"/>
    <site name="a" pos="0 .2 0"/><body name="b" pos=".3 0 0"><joint name="b" type="ball"/>
    <joint name="c" type="slide" axis="1 0 0" pos="0 .1 0" springref=".1"/><geom name="roll" size=".1"/>
    <site name="b" pos=".1 .1 .1"/></body></body></worldbody><tendon><spatial name="t" stiffness="2" width=".01">
    <site site="w"/><geom geom="post" sidesite="a"/><site site="b"/><pulley divisor="2"/><site site="a"/>
    <geom geom="roll"/><site site="w"/></spatial><spatial stiffness="1" armature=".1" rgba="1 0 0 1"
    springlength="0 .1"><site site="a"/><site site="b"/></spatial></tendon></mujoco>""")
    assert_same_model(b.compile(), read)
    for path, message in (
        (["w"], "path = ..w..; allowed: two sites or more"), (["w", "v"], "no site 'v'"),
        (["w", 0, "b"], "0 in the path; allowed: a site's name"), (["w", ("none", None), "b"], "no geom 'none'"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=message):
            b.tendon_spatial(path)
