"""Equality constraints on the host: what is read, built, refused, and left out."""

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, load
from engine.model.elements.equality import ties
from tests.model.model_zoo import assert_same_model

XML = """
<mujoco model="tied"><compiler angle="radian"/>
  <worldbody>
    <body name="a" pos="0 0 1"><joint name="h1" axis="0 1 0"/><geom name="ga" size=".1" pos=".1 0 0"/>
      <body name="b" pos=".4 0 0" quat=".8 .6 0 0"><joint name="h2" axis="0 1 0" ref=".2"/>
        <geom name="gb" size=".1" pos=".1 0 0"/><site name="bs" pos="0 .1 0"/></body></body>
    <body name="c" pos="0 1 1" euler=".1 .2 .3"><freejoint name="free"/>
      <geom name="gc" size=".1"/><site name="cs" pos=".1 0 0"/></body>
    <body name="post"><geom name="gp" size=".1"/></body>
  </worldbody>
  <equality>
    <joint joint1="h1" joint2="h2" polycoef=".1 .5 0 0 0" name="follow"/>
    <joint joint1="h1" polycoef=".3 0 0 0 0"/>
    <connect body1="b" body2="c" anchor=".1 .2 .3" solref=".05 1"/>
    <weld body1="c" anchor=".1 0 0"/>
    <weld body1="c" body2="a" relpose="0 1 0 .8 .6 0 0" torquescale=".5" solimp=".5"/>
    <weld site1="cs" site2="bs" active="false"/>
    <connect site1="cs" site2="bs"/>
    <connect body1="post" anchor="0 0 0"/>
  </equality>
</mujoco>
"""


def untied():
    b = ModelBuilder("tied")
    b.body("a", pos=(0, 0, 1))
    b.joint("a", "h1", axis=(0, 1, 0))
    b.geom("a", "ga", size=0.1, pos=(0.1, 0, 0))
    b.body("b", parent="a", pos=(0.4, 0, 0), quat=(0.8, 0.6, 0, 0))
    b.joint("b", "h2", axis=(0, 1, 0), ref=0.2)
    b.geom("b", "gb", size=0.1, pos=(0.1, 0, 0))
    b.site("b", "bs", pos=(0, 0.1, 0))
    b.body("c", pos=(0, 1, 1), euler=(0.1, 0.2, 0.3))
    b.freejoint("c", "free")
    b.geom("c", "gc", size=0.1)
    b.site("c", "cs", pos=(0.1, 0, 0))
    b.body("post")
    b.geom("post", "gp", size=0.1)
    return b


def tied():
    b = untied()
    b.equality_joint("h1", "h2", polycoef=(0.1, 0.5), name="follow")
    b.equality_joint("h1", polycoef=(0.3, 0))
    b.equality_connect("b", "c", anchor=(0.1, 0.2, 0.3), solref=(0.05, 1))
    b.equality_weld("c", anchor=(0.1, 0, 0))
    b.equality_weld("c", "a", relpose=(0, 1, 0, 0.8, 0.6, 0, 0), torquescale=0.5, solimp=0.5)
    b.equality_weld(site1="cs", site2="bs", active=False)
    b.equality_connect(site1="cs", site2="bs")
    b.equality_connect("post")
    return b


def test_equals_the_mjcf():
    pytest.importorskip("mujoco")
    assert_same_model(tied().compile(), load(XML))


def test_what_can_move_something_is_tied():
    found = ties(tied().compile())
    assert [int(tie["kind"]) for tie in found] == [2, 2, 0, 1, 1, 1, 0]  # not the post


def sliding(more=""):
    """Whether each of two equalities between bodies that move alike is there, where only slides move them."""
    b = ModelBuilder("sliding")
    b.body("a", pos=(0, 0, 1))
    b.joint("a", "s", type="slide", axis=(0, 1, 1))
    if more:
        b.joint("a", "j", type=more)
    b.geom("a", size=0.1)
    b.body("b", parent="a", pos=(0.3, 0, 0))
    b.geom("b", size=0.1)
    b.equality_connect("a", "b", anchor=(0.1, 0, 0))
    b.equality_weld("a", "b", relpose=(0, 0.1, 0, 0.8, 0.6, 0, 0))
    return len(ties(b.compile()))


def test_what_slides_alike_is_not_tied():
    """Every row would be zero; where it turns, those of places are not."""
    assert sliding() == 0
    assert sliding("slide") == 0
    assert sliding("hinge") == sliding("ball") == 2


REFUSED = [
    (lambda b: b.equality_joint("h1", "h3"), "no joint 'h3'"),
    (lambda b: b.equality_joint("h1", "free"), "joint 'free' is a free; allowed: hinge, slide"),
    (lambda b: b.equality_joint("h1", "h1"), "'h1' twice"),
    (lambda b: b.equality_joint("h1", polycoef=(0, 1, 2, 3, 4, 5)), "polycoef = .*5 finite numbers"),
    (lambda b: b.equality_joint("h1", anchor=(0, 0, 0)), "unknown attribute 'anchor'; allowed: .*polycoef"),
    (lambda b: b.equality_connect("b", site1="cs"), "allowed: body1, with or without body2, or two sites"),
    (lambda b: b.equality_connect(), "allowed: body1"),
    (lambda b: b.equality_weld(site1="cs", site2="bs", relpose=np.ones(7)), "unknown attribute 'relpose'"),
    (lambda b: b.equality_weld("c", "d"), "no body 'd'"),
    (lambda b: b.equality_weld("c", relpose=(0, 0, 0, 0, 0, 0, 0)), "relpose = "),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message for _, message in REFUSED])
def test_refuses_by_name(call, message):
    with pytest.raises(ModelError, match=message):
        call(untied())


@pytest.mark.parametrize("array, index, value, message", [
    ("eq_type", 0, 4, "0 \\(connect\\), 1 \\(weld\\), 2 \\(joint\\), 3 \\(tendon\\)"),
    ("eq_type", 0, 3, "eq_objtype = 4; allowed: joints where the constraint is one of joints"),
    ("eq_objtype", 0, 0, "joints where the constraint is one of joints"),
    ("eq_obj1id", 0, 3, "a joint: 0 to 2"),
    ("eq_obj1id", 0, 2, "joint 2 is a free; allowed: a hinge or a slide"),
    ("eq_obj2id", 2, -1, "a body: 0 to 4"),
    ("eq_obj1id", 6, 2, "a site: 0 to 1"),
    ("eq_data", 4, np.zeros(11), "of length one"),
    ("eq_solref", 2, (1.0, -1.0), "both positive"),
])  # fmt: skip
def test_bad_arrays_are_named(array, index, value, message):
    import engine

    model = tied().compile()
    getattr(model, array)[index] = value
    with pytest.raises(ModelError, match=message):
        engine.Simulator(model)
