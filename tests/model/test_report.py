"""The report of an import: what was used, changed and refused, one line for each kind with a count."""

import pickle

import pytest

from engine.model import UnsupportedError, load
from engine.model.report import Refusal, grouped

pytest.importorskip("mujoco")

BALLS = "".join(
    f'<body pos="0 0 {i}"><joint name="j{i}"/>'
    f'<geom name="g{i}" size=".1" adhesion="{i + 1}"/></body>' for i in range(6)
)  # fmt: skip
SCENE = (
    "<mujoco><asset><mesh name='m' vertex='0 0 0 1 0 0 0 1 0 0 0 1'/></asset><worldbody>"
    "<geom name='floor' type='plane' size='1 1 1'/><geom name='hill' type='sdf' mesh='m'/>"
    f"{BALLS}</worldbody></mujoco>"
)


def test_lines_of_one_kind_are_one():
    lines = [f"joint 'j{i}': springyield = 0.{i}; allowed: 0" for i in range(6)]
    lines[3:3] = ["option integrator = implicit; allowed: Euler", "joint 7: springyield = 0.1; allowed: 0"]
    joint, option = grouped(lines)
    assert joint == "7 times joint 'j0', 'j1', 'j2', 7 and 3 more: springyield = 0.0, ...; allowed: 0"
    assert (joint.kind, joint.count_of) == ("joint: springyield", 7)
    assert (option.kind, option.count_of) == ("option integrator", 1)
    assert option == lines[3] and grouped([joint, option]) == [joint, option]


def test_names_with_marks_in_them_are_names():
    same = [f"joint '{name}': mimic of joint '{name}'; allowed: none" for name in ("a: b; c", "d = 3", "e")]
    (line,) = grouped(same)
    assert line.kind == "joint: mimic of joint ..." and line.count_of == 3
    assert len(grouped(["body 'a': mocap = true; allowed: false", "joint 'a': mocap = true; allowed: false"])) == 2
    assert grouped(["a line of another form"])[0].count_of == 1


def test_a_line_for_each_kind_of_pair():
    with pytest.raises(UnsupportedError) as error:
        load(SCENE)
    refused = {line.kind: line.count_of for line in error.value.refused}
    assert refused["contact: sphere-sdf"] == 6
    assert refused["geom: adhesion"] == 6 and len(refused) == 2
    assert "6 times contact of geom 'g0' with geom 'hill', geom 'g1' with geom 'hill', " in str(error.value)
    assert all("allowed" in line for line in error.value.refused)
    back = pickle.loads(pickle.dumps(error.value))
    assert back.refused == error.value.refused and back.refused[0].count_of == 6


def test_the_report_instead_of_the_model():
    report = load(SCENE, report=True)
    assert report.model is None and len(report.refused) == 2 and isinstance(report.refused[0], Refusal)
    assert "refused:\n  6 times geom 'g0', 'g1', 'g2', 'g3' and 2 more: adhesion" in str(report)
    report = load("<mujoco><worldbody><body><joint/><geom size='1'/></body></worldbody></mujoco>", report=True)
    assert report.model.nv == 1 and report.refused == [] and report.used and "model" not in repr(report)
    assert report.model.report is report


def test_one_is_not_several():
    joint = "<body><joint name='{0}' type='slide'/><geom size='1'/><site name='{0}'/></body>"
    tendons = ("<tendon><fixed stiffness='1'><joint joint='a' coef='1'/></fixed>"
               "<spatial stiffness='1'><site site='a'/><site site='b'/></spatial></tendon>")  # fmt: skip
    text = f"<mujoco><worldbody>{joint.format('a')}{joint.format('b')}</worldbody>{tendons}</mujoco>"
    used = load(text).report.used
    assert used[0] == "2 bodies, 2 joints (2 slide)" and used[-2:] == ["1 fixed tendon", "1 spatial tendon"]
    used = load("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>").report.used
    assert used[0] == "0 bodies, 0 joints" and used[-1] == "1 geom in 0 pairs that may touch"
    text = "<mujoco><worldbody><body><joint name='j'/><geom size='1'/></body></worldbody></mujoco>"
    for more, said in (({}, "1 actuator added, motor:"), ({"kp": 3.0}, "1 actuator added, servo of kp 3:")):
        assert any(said in line for line in load(text, actuators=True, **more).report.changed)
    used = load("<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>").report.used
    assert used[0] == "1 body, 1 joint (1 free)"
