"""Limits of joints on actuator forces, compensation of gravity, polynomials: what the importer makes of them."""

import json

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, UnsupportedError, load
from engine.model.fields import TABLE
from engine.model.portable import model_from_arrays, model_to_arrays
from engine.model.validate import validate
from tests.model.model_zoo import assert_same_model, cheetah

mujoco = pytest.importorskip("mujoco")

YOUNG = ("jnt_actfrclimited", "jnt_actfrcrange", "jnt_actgravcomp", "jnt_stiffnesspoly", "dof_dampingpoly",
         "body_gravcomp")  # fmt: skip


def arm(joint="", body="", option="", actuator='<motor joint="j"/>'):
    return (
        f'<mujoco>{option}<worldbody><body name="b" {body}><joint name="j" {joint}/><geom size=".1" pos=".3 0 0"/>'
        f'<body pos="0 0 1"><joint name="k" axis="1 0 0"/><geom size=".1"/></body></body></worldbody>'
        f"<actuator>{actuator}</actuator></mujoco>"
    )


def test_arrays_are_mujocos():
    text = arm('stiffness="1 2 3" damping=".1 .2 .3" actuatorfrcrange="-1 2" actuatorgravcomp="true"', 'gravcomp=".5"')
    m, mj = load(text), mujoco.MjModel.from_xml_string(text)
    for name in YOUNG:
        np.testing.assert_array_equal(getattr(m, name), getattr(mj, name), err_msg=name)
        assert np.any(getattr(m, name)), name
    assert m.report.changed == []


def test_a_limit_that_limits_nothing_is_left_out():
    motor = '<motor joint="k"/>'
    for joint, actuator in (('actuatorfrcrange="-1 2"', motor), ('actuatorfrcrange="1 2"', "")):
        m = load(arm(joint, actuator=actuator))
        assert not m.jnt_actfrclimited.any() and "of 1 joint without an actuator: left out" in m.report.changed[0]
    acting = ('actuatorfrcrange="1 2"', ""), ('actuatorfrcrange="-1 2" actuatorgravcomp="true"', "gravcomp='1'")
    for joint, body in acting:
        m = load(arm(joint, body, actuator=motor))
        assert m.jnt_actfrclimited.tolist() == [True, False] and m.report.changed == []


def test_flags_that_switch_passive_forces_off():
    text = arm('stiffness="1 2 3" damping=".1 .2 .3"', 'gravcomp=".5"', '<option><flag spring="disable" {}/></option>')
    m = load(text.format(""))
    assert not m.jnt_stiffnesspoly.any() and m.dof_dampingpoly.any() and m.body_gravcomp.any()
    m = load(text.format('damper="disable"'))
    assert not m.dof_dampingpoly.any() and not m.body_gravcomp.any()
    assert any("gravcomp set to zero" in line for line in m.report.changed)
    m = load(text.format('damper="disable"').replace("<option>", '<option density="1" viscosity="2">'))
    assert (m.opt.density, m.opt.viscosity) == (0, 0)
    assert any("density and viscosity set to zero" in line for line in m.report.changed)


def test_negative_compensation_counts_beside_a_positive_one():
    """As in MuJoCo, which looks for a positive one first."""
    m = load(arm(body='gravcomp="-.5"'))
    assert not m.body_gravcomp.any() and "no body has a gravcomp above zero: gravcomp set to zero" in m.report.changed
    both = arm(body='gravcomp="-.5"').replace('<body pos="0 0 1">', '<body pos="0 0 1" gravcomp=".1">')
    assert load(both).body_gravcomp.tolist() == [0, -0.5, 0.1]


def test_a_locked_ball():
    text = '<mujoco><worldbody><body><joint type="ball" limited="true" range="0 0"/><geom size="1"/></body></worldbody>'
    m = load(text + "</mujoco>")
    np.testing.assert_array_equal(m.jnt_range, [[0, 0]])
    assert m.jnt_limited.all()


REFUSED = [
    (lambda m: m.jnt_actfrcrange.__setitem__(0, (1, 1)), "joint 'j': jnt_actfrcrange.*lower end below upper end"),
    (lambda m: m.dof_dampingpoly.__setitem__((0, 1), np.nan), "joint 'j': dof_dampingpoly.*finite"),
    (lambda m: m.jnt_range.__setitem__(0, (1, 0)) or m.jnt_limited.__setitem__(0, True), "joint 'j': jnt_range"),
]


@pytest.mark.parametrize("spoil, words", REFUSED, ids=[words for _, words in REFUSED])
def test_numbers_that_mean_nothing(spoil, words):
    from engine.model import validate

    m = load(arm('actuatorfrcrange="-1 2"'))
    spoil(m)
    with pytest.raises(ModelError, match=words):
        validate(m)


def test_what_a_builder_refuses():
    b = ModelBuilder("x")
    b.body("b")
    for given, words in (
        ({"stiffness": (1, 2, 3, 4)}, "stiffness = .*allowed: up to three finite numbers"),
        ({"damping": (-1, 2)}, "damping = .*the first 0 or more"),
        ({"actuatorfrcrange": (1, 1)}, "actuatorfrcrange"),
        ({"actuatorfrclimited": True}, "actuatorfrclimited = True without actuatorfrcrange"),
    ):
        with pytest.raises(ModelError, match=words):
            b.joint("b", "j", **given)
    b.joint("b", "j", type="free", stiffness=(1, 2))
    b.geom("b", size=0.1)
    with pytest.raises(UnsupportedError, match="joint 'j': second and third stiffness of a free joint"):
        b.compile()
    b = ModelBuilder("y")
    b.body("b")
    b.joint("b", "j", type="ball", actuatorfrcrange=(-1, 1))
    b.geom("b", size=0.1)
    with pytest.raises(ModelError, match="jnt_actfrclimited.*only hinges and slides"):
        b.compile()


def test_robots_stored_before_have_none():
    young = {name for name, field in TABLE.items() if field.before is not None}
    assert set(YOUNG) <= young
    model = cheetah().compile()
    arrays = model_to_arrays(model)
    header = json.loads(str(arrays["header"]))
    del header["opt"]["magnetic"], header["age"]  # which are as young
    stored = {n: a for n, a in arrays.items() if n not in young} | {"header": np.array(json.dumps(header))}
    assert_same_model(model_from_arrays(stored), model)
    with pytest.raises(ModelError, match="lacks body_gravcomp, dof_dampingpoly"):
        model_from_arrays({name: a for name, a in arrays.items() if name not in YOUNG})


def test_ellipsoids_in_a_fluid():
    """What of the fluid moves along is MuJoCo's, of the builder's shapes and of a model that is changed."""
    b = ModelBuilder(density=3.0, viscosity=0.1)
    shapes = {"sphere": 0.1, "capsule": (0.1, 0.2), "cylinder": (0.1, 0.03), "ellipsoid": (0.1, 0.2, 0.3),
              "box": (0.3, 0.1, 0.1)}  # fmt: skip
    for k, (kind, size) in enumerate(shapes.items()):
        b.body(f"b{k}")
        b.joint(f"b{k}", type="free")
        b.geom(f"b{k}", type=kind, size=size, fluidshape="ellipsoid", fluidcoef=(0.1 * k, 0.2))
    b.geom("b0", type="sphere", size=0.2)
    m = b.compile()
    mj = mujoco.MjModel.from_xml_string(m.to_mjcf())
    np.testing.assert_allclose(m.geom_fluid, mj.geom_fluid, rtol=1e-12, atol=1e-15)
    assert m.geom_fluid[:, 0].sum() == len(shapes) and np.all(m.geom_fluid[m.geom_fluid[:, 0] == 1, 6:9] > 0)
    assert_same_model(load(mj), m)
    with pytest.raises(ModelError, match="fluidshape = 'round'; allowed: none, ellipsoid"):
        b.geom("b0", size=1, fluidshape="round")
    m.geom_fluid[0, 0] = 0.5
    with pytest.raises(ModelError, match=r"geom_fluid[^;]*; allowed: 0 or 1 first"):
        validate(m)
