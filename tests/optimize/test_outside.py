"""The judge from outside (tests/benchmarks/outside.py): what is true passes, each thing that is not is found."""

import json

import mujoco
import numpy as np
import pytest

from tests.benchmarks import outside

CRANE = """<mujoco><option timestep="0.01" gravity="0 0 0"/><worldbody><geom name="floor" type="plane" size="5 5 1"/>
  <body name="trolley" pos="0 0 1"><joint name="x" type="slide" axis="1 0 0"/>
  <joint name="z" type="slide" axis="0 0 1"/>
  <geom size=".05"/><site name="hook" pos="0 0 -.2"/></body>
  <body name="crate" pos="2 0 .3"><freejoint/><geom type="box" size=".1 .1 .1"/></body></worldbody>
  <actuator><motor joint="x" ctrlrange="-1 1" forcerange="-1 1"/><motor joint="z" ctrlrange="-1 1" forcerange="-1 1"/>
  </actuator></mujoco>"""
TARGET = [0.3, 0.0, 0.8]
STILL = {"share_at_limit": 0.0, "solved": True, "verdict": "it is there", "try": [], "hindered": []}


@pytest.fixture
def judged(tmp_path):
    """judged(asked, said, qpos=..., qvel=..., ctrl=...): what is found of a run that is written down."""
    (tmp_path / "robot.xml").write_text(CRANE)
    m = mujoco.MjModel.from_xml_string(CRANE)

    def judge(asked, said, qpos=None, qvel=None, ctrl=None):
        rows = 101
        qpos = np.tile(m.qpos0, (rows, 1)) if qpos is None else qpos
        qvel = np.zeros((rows, m.nv)) if qvel is None else qvel
        ctrl = np.zeros((rows - 1, m.nu)) if ctrl is None else ctrl
        arrays = {"qpos": qpos, "qvel": qvel, "act": np.zeros((rows, 0)), "ctrl": ctrl}
        info = json.dumps({"frame_skip": 1, "record_every": 1})
        np.savez(tmp_path / "run.npz", info=np.array(info), time=0.01 * np.arange(rows),
                 **{n: a[:, None] for n, a in arrays.items()})  # fmt: skip
        (tmp_path / "settings.json").write_text(json.dumps(asked))
        (tmp_path / "verdict.json").write_text(json.dumps(STILL | said))
        return outside.judge(tmp_path, tmp_path / "robot.xml")

    return judge


def at(x, z=1.0, rows=101):
    """The trolley stands there: its body is at z = 1 for the joint's zero."""
    qpos = np.tile([0.0, 0.0, 2.0, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0], (rows, 1))
    qpos[:, 0], qpos[:, 1] = x, z - 1.0
    return qpos


def test_a_moving_target_that_is_met_and_one_that_is_not(judged, tmp_path):
    """Two targets, one for the hook and one for the body that it hangs on, that go 0.1 m/s along x."""
    time = np.linspace(0.0, 1.0, 11)
    for name, z in (("a", 0.8), ("b", 1.0)):
        rows = np.stack([time, 0.1 * time, 0 * time, np.full(11, z)], axis=1)
        np.savetxt(tmp_path / f"{name}.csv", rows, delimiter=",", header="time,x,y,z", comments="")
    asked = {"task": "track", "catch": True, "site": ["hook", "trolley"],
             "path": [str(tmp_path / f"{n}.csv") for n in "ab"]}  # fmt: skip
    said, qvel = {"off_most": 0.004, "off_mean": 0.004, "reached_at": 0.0}, np.zeros((101, 8))
    qvel[:, 0] = 0.1
    near, behind = (at(0.1 * np.linspace(0.0, 1.0, 101) - x) for x in (0.004, 0.006))
    found = judged(asked, said, near, qvel)
    assert found["wrong"] == [] and found["solved"] is True
    assert "solved=False, found True" in judged(asked, {"solved": False, "try": ["x"]}, near, qvel)["wrong"][0]
    wrong = judged(asked, said, behind, qvel)["wrong"]
    assert "said at most 0.00400 m off, found 0.00600" in wrong[0] and "solved=True, found False" in wrong[1]


def test_a_reach_that_is_true_and_what_is_not(judged):
    asked = {"task": "reach", "site": "hook", "target": TARGET}
    true = {"distance_to_target": 0.001, "nearest": 0.001, "speed_at_end": 0.0, "touches_itself": 0.0, "peak_load": 0.0}
    there = at(0.301)
    found = judged(asked, true, there)
    assert found["wrong"] == [] and found["solved"] is True
    assert "distance_to_target" in judged(asked, true | {"distance_to_target": 0.0012}, there)["wrong"][0]
    assert "solved=True, found False" in judged(asked, {}, at(0.303))["wrong"][0]
    assert "solved=False, found True" in judged(asked, {"solved": False, "try": ["more"]}, there)["wrong"][0]
    assert "nothing is said to try" in judged(asked, {"solved": False}, at(0.5))["wrong"][0]
    late = np.where(np.arange(101)[:, None] < 98, at(0.4), there)
    assert any("found False" in w for w in judged(asked, {}, late)["wrong"])
    pushing = judged(asked, true, there, ctrl=np.ones((100, 2)))
    assert {w.partition(":")[0] for w in pushing["wrong"]} >= {"peak_load", "share_at_limit"}


def test_a_reach_of_two_points(judged):
    """Both are where they were asked to be, or it is not done; a body's place is another one than its site's."""
    asked = {"task": "reach", "site": ["hook", "trolley"], "target": [*TARGET, 0.3, 0.0, 1.001]}
    assert judged(asked, {"distance_to_target": 0.001}, at(0.3))["wrong"] == []
    far = asked | {"target": [*TARGET, 0.3, 0.0, 1.004]}
    found = judged(far, {"distance_to_target": 0.0}, at(0.3))
    assert len(found["wrong"]) == 2 and found["found"]["distance_to_target"] == pytest.approx(0.004)
    turn = asked | {"target": [*TARGET, 0.3, 0.0, 1.0, *TARGET, 0.3, 0.0, 1.001]}
    assert judged(turn, {"targets_reached": 2}, at(0.3))["wrong"] == []
    assert "several targets" in judged(turn, {}, at(0.3))["wrong"][0]


def test_what_physics_does_not_do(judged):
    """A robot that is carried along without a force."""
    asked = {"task": "reach", "site": "hook", "target": TARGET}
    gliding = at(0.0) + np.linspace(0, 0.3, 101)[:, None] * np.eye(9)[0]
    assert any("MuJoCo's steps lead elsewhere" in w for w in judged(asked, {}, gliding)["wrong"])
    moving = np.zeros((101, 8))
    moving[:, 0] = 0.3
    found = judged(asked, {"solved": False, "try": ["rest"]}, gliding, moving)
    assert found["wrong"] == [] and found["found"]["simulated_again_off"] < 1e-6


def test_a_push(judged):
    asked = {"task": "push", "object": "crate", "target": [2.0, 0.0, 0.304], "quat": [1, 0, 0, 0]}
    true = {"object_distance": 0.004, "speed_at_end": 0.0, "turned_off": 0.0}
    assert judged(asked, true)["wrong"] == []
    turned = at(0.0)
    turned[:, 5:] = [np.cos(0.05), 0, 0, np.sin(0.05)]
    assert any("solved=True, found False" in w for w in judged(asked, {}, turned)["wrong"])
    assert any("found False" in w for w in judged(asked | {"target": [2.0, 0.0, 0.31]}, {})["wrong"])


def test_a_fall(judged):
    """A trolley that sinks by half its height has fallen, whatever is said."""
    qpos = at(0.0)
    qpos[:, 1] = np.linspace(0.0, -0.5, 101)
    qvel = np.zeros((101, 8))
    qvel[:, 1] = -0.5
    true = {"moved": 0.0, "speed_at_end": 0.5, "solved": False, "try": ["--push 0.1"], "upright": False, "fell_at": 0.6}
    asked = {"task": "stand", "push": None}
    assert judged(asked, true, qpos, qvel)["wrong"] == []
    wrong = judged(asked, true | {"solved": True, "upright": True}, qpos, qvel)["wrong"]
    assert any("upright=True, found a fall at 0.60" in w for w in wrong) and any("found False" in w for w in wrong)
    assert "asked for a push of 0.5 m/s" in judged(asked | {"push": 0.5}, true, qpos, qvel)["wrong"][0]


DOUBLE = """<mujoco><worldbody><body><joint axis="0 1 0"/><geom size=".02" pos="0 0 -.5"/><body pos="0 0 -1">
  <joint axis="0 1 0" range="-30 30"/><geom size=".02" pos="0 0 -.5"/><joint axis="0 0 1"/></body></body></worldbody>
  </mujoco>"""


def test_where_weight_stands_highest():
    m = mujoco.MjModel.from_xml_string(DOUBLE)
    goals, hinges = outside.highest(m, m.qpos0, np.random.default_rng(0))
    assert hinges == [0, 1]
    np.testing.assert_allclose(np.cos(goals[0][:2]), [-1.0, 1.0], atol=1e-6)
