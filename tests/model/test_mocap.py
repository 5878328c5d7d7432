"""Mocap bodies and whole keyframes on the host: read, built, refused, stored before there were any."""

import json

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, load
from engine.model.elements.key import start_state
from engine.model.portable import model_from_arrays, model_to_arrays
from tests.model.model_zoo import assert_same_model, cheetah

XML = """
<mujoco model="carried"><compiler angle="radian"/>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1"/>
    <body name="box" pos="0 0 1"><freejoint name="box"/><geom name="box" type="box" size=".1 .1 .1"/></body>
    <body name="left" pos="1 2 3" quat=".8 .6 0 0" mocap="true"><geom name="left" size=".1"/>
      <body name="finger" pos="0 .1 0"><joint name="finger"/><geom name="finger" size=".05"/></body></body>
    <body name="post" pos="0 3 0"><geom name="post" size=".1"/></body>
    <body name="right" mocap="true"><geom name="right" size=".1"/><body name="palm"><geom name="palm" size=".1"/></body></body>
    <body name="table" mocap="true" pos="0 0 -1"><geom name="table" type="plane" size="0 0 1"/></body>
  </worldbody>
  <keyframe>
    <key name="still"/>
    <key name="up" mpos="1 1 1 2 2 2 3 3 3" mquat="1 0 0 0 3 4 0 0 1 0 0 0" time="1.5" qpos="0 0 2 1 0 0 0 .3"/>
  </keyframe>
</mujoco>
"""  # noqa: E501


def carried():
    b = ModelBuilder("carried")
    b.geom("world", "floor", type="plane", size=(0, 0, 1))
    b.body("box", pos=(0, 0, 1))
    b.freejoint("box", "box")
    b.geom("box", "box", type="box", size=(0.1, 0.1, 0.1))
    b.body("left", pos=(1, 2, 3), quat=(0.8, 0.6, 0, 0), mocap=True)
    b.geom("left", "left", size=0.1)
    b.body("finger", "left", pos=(0, 0.1, 0))
    b.joint("finger", "finger")
    b.geom("finger", "finger", size=0.05)
    b.body("post", pos=(0, 3, 0))
    b.geom("post", "post", size=0.1)
    b.body("right", mocap=True)
    b.geom("right", "right", size=0.1)
    b.body("palm", "right")
    b.geom("palm", "palm", size=0.1)
    b.body("table", mocap=True, pos=(0, 0, -1))
    b.geom("table", "table", type="plane", size=(0, 0, 1))
    b.key("still")
    poses = {"mpos": [(1, 1, 1), (2, 2, 2), (3, 3, 3)], "mquat": [(1, 0, 0, 0), (3, 4, 0, 0), (1, 0, 0, 0)]}
    b.key("up", time=1.5, qpos=(0, 0, 2, 1, 0, 0, 0, 0.3), **poses)
    return b


def test_equals_the_mjcf():
    pytest.importorskip("mujoco")
    assert_same_model(carried().compile(), load(XML))


def test_what_no_force_can_move_does_not_collide():
    """Mocap bodies with each other, the world and what is fixed to either."""
    m = carried().compile()
    pairs = [{m.geom_names[a], m.geom_names[b]} for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True)]
    others = ("floor", "left", "post", "right", "palm", "table")
    wanted = [{"box", name} for name in (*others, "finger")] + [{"finger", name} for name in others if name != "left"]
    assert sorted(map(sorted, pairs)) == sorted(map(sorted, wanted))
    assert m.nmocap == 3 and m.body_weldid.tolist() == [0, 1, 2, 3, 0, 5, 5, 7]
    assert not m.body_invweight0[[2, 5, 6, 7]].any()


def test_an_explicit_pair_that_nothing_can_move_is_left_out():
    pytest.importorskip("mujoco")
    m = load(XML.replace("<keyframe>", '<contact><pair geom1="left" geom2="right"/></contact><keyframe>'))
    assert m.report.changed == ["1 contact pairs of geoms that no force can move: left out"]
    assert_same_model(m, carried().compile())


REFUSED = [
    (lambda b: b.body("a", "left", mocap=True), "body 'a': mocap in 'left'; allowed: a child of the world"),
    (lambda b: b.body("a", mocap=2), "body 'a': mocap = 2; allowed: True, False"),
    (lambda b: (b.keys.clear(), b.joint("right", "j")), "'right': body_mocapid = 1; allowed: -1, or a body without jo"),
    (lambda b: b.key("k", mpos=np.zeros((2, 3))), "key 'k': mpos has shape \\(2, 3\\); allowed: \\(3, 3\\)"),
    (lambda b: b.key("k", mquat=np.zeros((3, 4))), "key 'k': mquat = .* quaternions other than zero"),
    (lambda b: b.key("k", time=(1, 2)), "key 'k': time has shape \\(2,\\); allowed: \\(\\)"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message for _, message in REFUSED])
def test_refuses_by_name(call, message):
    with pytest.raises(ModelError, match=message):
        b = carried()
        call(b)
        b.compile()


@pytest.mark.parametrize("index, value, message", [
    (2, 1, "body 'left': body_mocapid = 1; allowed: 0, which follows from which bodies are mocap"),
    (3, 1, "body 'right': body_mocapid = 1; allowed: 2"),
    (7, -1, "nmocap = 3; allowed: 2"),
])  # fmt: skip
def test_bad_numbers_are_named(index, value, message):
    import engine

    model = carried().compile()
    model.body_mocapid[index] = value
    with pytest.raises(ModelError, match=message):
        engine.Simulator(model)


def test_a_keyframe_is_a_whole_state():
    m = carried().compile()
    rest, up = start_state(m), start_state(m, "up")
    assert rest.keys() == up.keys()
    np.testing.assert_array_equal(rest["mocap_quat"], m.body_quat[[2, 5, 7]])
    np.testing.assert_allclose(up["mocap_quat"][1], (0.6, 0.8, 0, 0))
    np.testing.assert_array_equal(up["mocap_pos"], [(1, 1, 1), (2, 2, 2), (3, 3, 3)])
    assert up["time"] == 1.5 and up["qpos"][-1] == 0.3
    np.testing.assert_array_equal(start_state(m, 0)["mocap_pos"], rest["mocap_pos"])
    for wrong, message in ((2, "allowed: 0 to 1, or a name of"), (True, "got True"), (-1, "got -1")):
        with pytest.raises(ValueError, match=message):
            start_state(m, wrong)
    with pytest.raises(ModelError, match="has no key 'down'; it has: 'still', 'up'"):
        start_state(m, "down")
    with pytest.raises(ValueError, match="keyframe with qpos or qvel"):
        start_state(m, "up", m.qpos0)
    with pytest.raises(ValueError, match="allowed: none, since the model has no keyframe"):
        start_state(cheetah().compile(), 0)


def test_stored_and_read():
    model = carried().compile()
    assert_same_model(model_from_arrays(model_to_arrays(model)), model)


YOUNG = ("body_mocapid", "key_mpos", "key_mquat", "key_time")


def test_robots_stored_before_have_none():
    b = cheetah()
    b.key("up")
    model = b.compile()
    arrays = model_to_arrays(model)
    stored = {name: a for name, a in arrays.items() if name not in YOUNG}
    with pytest.raises(ModelError, match="the stored model lacks body_mocapid, key_mpos, key_mquat, key_time"):
        model_from_arrays(stored)  # which is as young
    header = json.loads(str(stored["header"]))
    del header["age"]
    assert_same_model(model_from_arrays(stored | {"header": np.array(json.dumps(header))}), model)
    header["age"] = 99
    with pytest.raises(ModelError, match="header has age 99; allowed: whole numbers to"):
        model_from_arrays(arrays | {"header": np.array(json.dumps(header))})
