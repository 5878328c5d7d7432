"""`engine.compare` and `pullback compare`: each difference is found in the term where it arises, at its first step."""

import json

import numpy as np
import pytest

import engine
import scenes
from engine import cli

STEPS = 40

ARM = """
<mujoco model="{name}">
  <option timestep="0.004"/>
  <worldbody>
    <geom name="floor" type="plane" size="3 3 1"/>
    <body name="{base}" pos="0 0 0.5">
      <joint name="slide" type="slide" axis="1 0 0" damping="1"/>
      <geom name="base" size="0.1" mass="2"/>
      {bodies}
    </body>
  </worldbody>
  <actuator>{actuators}</actuator>
  <sensor>{sensors}</sensor>
</mujoco>"""
LEFT, RIGHT = (
    f'<body name="{side}" pos="0 {y} 0"><joint name="{side}" axis="0 1 0"/>'
    f'<geom name="{side}" type="capsule" fromto="0 0 0 0 0 -0.45" size="0.02" mass="0.5"/></body>'
    for side, y in (("left", 0.3), ("right", -0.3))
)
SERVOS = [f'<position name="{side}" joint="{side}" kp="20" kv="1"/>' for side in ("left", "right")]
GYROS = [f'<jointpos name="{side}" joint="{side}"/>' for side in ("left", "right")]


def arm(tmp_path, bodies=(LEFT, RIGHT), actuators=SERVOS, sensors=GYROS, name="arm", base="base"):
    path = tmp_path / f"{name}.xml"
    path.write_text(ARM.format(name=name, base=base, bodies="".join(bodies), actuators="".join(actuators),
                               sensors="".join(sensors)))  # fmt: skip
    return engine.load(path)


@pytest.fixture(scope="module")
def cheetah():
    return scenes.load("half_cheetah").model


def test_a_copy_is_the_same(cheetah):
    found = engine.compare(cheetah, cheetah.copy(), steps=STEPS)
    assert found and not found.parts and not found.numbers and found.first is None
    assert found.apart.shape == found.times.shape == (STEPS + 1,) and found.apart.max() < 1e-12
    assert "the same" in str(found)


def test_another_order_is_no_other_motion(tmp_path):
    """Places in qpos, ctrl and sensordata are told, and nothing else differs."""
    a = arm(tmp_path)
    b = arm(tmp_path, (RIGHT, LEFT), SERVOS[::-1], GYROS[::-1], "other")
    found = engine.compare(a, b, steps=STEPS)
    assert not found and not found.parts and not found.numbers and not found.missing and not found.added
    assert set(found.orders) == {"joint", "actuator", "sensor"}
    names = ["actuator 'left'", "actuator 'right'"]
    assert found.orders["actuator"] == (names, names[::-1])
    assert found.apart.max() < 1e-9
    assert "at place 0 actuator 'left' against actuator 'right'" in str(found)


CHANGES = {  # array: (index, factor, the term that it enters first)
    "body_pos": ((3, 0), 1.1, "xpos"),
    "body_ipos": ((2, 2), 1.1, "xipos"),
    "geom_pos": ((3, 0), 1.1, "geom_xpos"),
    "dof_armature": (4, 1.1, "M"),
    "body_mass": (3, 1.1, "M"),
    "opt.gravity": (2, 1.01, "qfrc_bias"),
    "dof_damping": (4, 1.1, "qvel"),  # implicit: it acts before there is a velocity
    "qpos_spring": (4, 0.1, "qfrc_passive"),
    "jnt_stiffness": (3, 1.1, "qfrc_passive"),
    "actuator_gainprm": ((2, 0), 0.9, "actuator_force"),
    "actuator_gear": ((2, 0), 0.9, "qfrc_actuator"),
    "geom_size": ((5, 0), 1.1, "contacts"),
    "geom_friction": ((0, 0), 0.5, "qfrc_constraint"),
    "opt.timestep": (None, 0.5, "qvel"),
}


@pytest.mark.parametrize("array", CHANGES)
def test_a_change_is_found_where_it_enters(cheetah, array):
    where, factor, term = CHANGES[array]
    b = cheetah.copy()
    owner, name = (b.opt, array[4:]) if array.startswith("opt.") else (b, array)
    value = np.array(getattr(owner, name), float)
    if array == "qpos_spring":
        value[where] += factor
    else:
        value[() if where is None else where] *= factor
    setattr(owner, name, value.item() if where is None else value)
    if array == "geom_friction":
        b.geom_friction[:, 0] = value[0, 0]
    found = engine.compare(cheetah, b, steps=STEPS)
    assert not found and found.first.term == term, found
    assert array in {n.array for n in found.first.causes}, found
    assert found.apart.max() > 0
    assert array in str(found) and term in str(found)


def test_the_first_step_is_that_of_the_first_difference(cheetah):
    """Friction shows with the first contact, and not before."""
    b = cheetah.copy()
    b.geom_friction[:, 0] *= 0.5
    found = engine.compare(cheetah, b, steps=STEPS)
    sim = engine.Simulator(cheetah)
    sim.forward()
    steps = 0
    while not sim.data.ncon[0]:
        sim.step()
        sim.forward()
        steps += 1
    assert steps > 2 and abs(found.first.step - steps) <= 1  # without controls it falls a little otherwise
    assert found.first.time == pytest.approx(found.first.step * cheetah.opt.timestep)


def test_half_the_time_step_is_placed_between(tmp_path):
    """Distances are taken at the same times, though the second model takes twice the steps."""
    a = arm(tmp_path)
    b = a.copy()
    b.opt.timestep /= 2
    found = engine.compare(a, b, steps=STEPS)
    assert [n.array for n in found.numbers] == ["opt.timestep"]
    assert len(found.times) == STEPS + 1 and 0 < found.apart.max() < 0.01


def test_bodies_are_those_of_their_joints(tmp_path):
    found = engine.compare(arm(tmp_path), arm(tmp_path, name="renamed", base="torso"), steps=5)
    assert found, found


def test_what_one_model_lacks_is_named(tmp_path):
    found = engine.compare(arm(tmp_path), arm(tmp_path, (LEFT,), SERVOS[:1], GYROS[:1], "one_arm"), steps=5)
    assert found.missing == {kind: ["right"] for kind in ("body", "joint", "geom", "actuator", "sensor")}
    assert not found.added and found.first.term == "M" and "only in arm: joint right" in str(found)


def test_what_cannot_be_compared_is_refused(cheetah, tmp_path):
    with pytest.raises(engine.ModelError, match="no joint in common: .*rootx.*; slide"):
        engine.compare(cheetah, arm(tmp_path, (), (), ()))
    with pytest.raises(ValueError, match=r"controls: got an array \(3, 2\), allowed: \(steps, 6\)"):
        engine.compare(cheetah, cheetah, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="tolerance: got 0"):
        engine.compare(cheetah, cheetah, tolerance=0)
    for given, message in (({"tolerance": np.inf}, "tolerance: got inf"), ({"tolerance": "1"}, "got '1'"),
                           ({"steps": 0}, "steps: got 0"), ({"steps": 1.5}, "steps: got 1.5"),
                           ({"seed": -1}, "seed: got -1"), ({"act": [1.0]}, r"act: got an array \(1,\)")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            engine.compare(cheetah, cheetah, **given)
    with pytest.raises(TypeError, match="b: got str, allowed: a Model"):
        engine.compare(cheetah, "robot.xml")


def test_the_command(tmp_path, capsys):
    arm(tmp_path)
    arm(tmp_path, name="stiff", actuators=[SERVOS[0].replace("20", "25"), SERVOS[1]])
    paths = [str(tmp_path / f"{name}.xml") for name in ("arm", "stiff")]
    assert cli.main(["compare", paths[0], paths[0], "--steps", "5"]) == 0
    assert "the same" in capsys.readouterr().out
    assert cli.main(["compare", *paths, "--steps", "5", "--json"]) == 1
    told = json.loads(capsys.readouterr().out.strip())
    assert told["same"] is False and told["parts"][0]["term"] == "actuator_force"
    assert told["parts"][0]["causes"][0]["array"] == "actuator_gainprm"
    assert cli.main(["compare", *paths, "--steps", "0"]) == 2


def test_a_recorded_run_brings_its_start_and_controls(cheetah, tmp_path, capsys):
    tape = engine.Tape(engine.Simulator(cheetah), 20, frame_skip=2)
    tape.sim.reset(qvel=0.1 * np.arange(cheetah.nv))
    tape.rollout(0.3 * np.random.default_rng(0).normal(size=(20, cheetah.nu)))
    engine.Recording.of(tape, name="run").save(tmp_path / "run.npz")
    assert cli.main(["compare", str(tmp_path / "run.npz"), "half_cheetah"]) == 0
    assert "40 steps" in capsys.readouterr().out
