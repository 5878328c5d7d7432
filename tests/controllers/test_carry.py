"""Bodies that are carried: what a robot grasps with, how it fits round a body, and whole carries."""

import numpy as np
import pytest

import engine
from controllers.tasks.carry import _Carrying
from controllers.tasks.gripper import grasps, grip_of, gripper_of, quat_of
from engine.model import ModelError
from engine.model.rotation import quat_to_mat

FINGERS = """<body name="left" pos="0 0 -.05"><joint name="left" type="slide" axis="1 0 0" range="0 .05"/>
  <geom name="left" type="box" pos=".008 0 -.02" size=".008 .015 .05" mass=".1"/></body>
  <body name="right" pos="0 0 -.05"><joint name="right" type="slide" axis="-1 0 0" range="0 .05"/>
  <geom name="right" type="box" pos="-.008 0 -.02" size=".008 .015 .05" mass=".1"/></body>"""
GANTRY = f"""<mujoco model="gantry"><option timestep="0.004" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <default><geom friction="1 .02 .001"/><position kp="2000" kv="200" ctrlrange="-1 1"/>
  <default class="bare"><geom size=".02" mass="1" contype="0" conaffinity="0"/></default></default>
  <worldbody><geom name="floor" type="plane" size="2 2 .1"/>
  <body pos="0 0 .5"><joint name="x" type="slide" axis="1 0 0" range="-.8 .8"/><geom class="bare"/>
  <body><joint name="y" type="slide" axis="0 1 0" range="-.8 .8"/><geom class="bare"/>
  <body><joint name="z" type="slide" axis="0 0 1" range="-.45 .3"/><geom class="bare"/>
  <body name="palm"><joint name="turn" axis="0 0 1" range="-170 170" armature=".01" damping=".1"/>
  <geom type="box" size=".06 .03 .02" mass=".5"/><site name="tool" pos="0 0 -.09"/>{FINGERS}</body></body></body></body>
  <body name="box" pos=".3 .1 .03"><freejoint/><geom type="box" size=".03 .02 .03" mass=".2"/></body></worldbody>
  <actuator><position joint="x"/><position joint="y"/><position joint="z"/>
  <position joint="turn" kp="50" kv="5" ctrlrange="-3 3"/>
  <position joint="left" kp="500" kv="20" ctrlrange="-.02 .05" forcerange="-20 20"/>
  <position joint="right" kp="500" kv="20" ctrlrange="-.02 .05" forcerange="-20 20"/></actuator></mujoco>"""
WIDE = GANTRY.replace('size=".03 .02 .03"', 'size=".06 .07 .06"').replace(".3 .1 .03", ".3 .1 .06")
# a jaw that turns against a fixed one, which its parent's shapes do not touch
JAW = """<geom name="left" type="box" pos="-.02 0 -.07" size=".008 .015 .05" mass=".1"/>
  <body name="jaw" pos=".02 0 -.02"><joint name="jaw" axis="0 1 0" range="-60 0" armature=".001" damping=".05"/>
  <geom type="box" pos="-.025 0 -.05" size=".008 .015 .05" mass=".1"/></body>"""
ONE = GANTRY.replace(FINGERS, JAW).partition('<position joint="left"')[0] + (
    '<position joint="jaw" kp="20" kv="1" ctrlrange="-1 .2" forcerange="-3 3"/></actuator></mujoco>')  # fmt: skip


@pytest.fixture(scope="module")
def gantry():
    return engine.load(GANTRY, sense=["box", "tool"])


def test_a_gripper_is_found(gantry):
    """Two fingers that close along x and come from above; which end of their range is open, the engine finds out."""
    g = gripper_of(gantry, gantry.body("box"), gantry.qpos0, np.zeros(6))
    assert g.name == "palm" and g.hand.tolist() == [4, 5] and g.fingers.tolist() == [4, 5]
    np.testing.assert_allclose(g.opened[4:], 0.05)
    np.testing.assert_allclose(g.closed[4:], -0.02)
    np.testing.assert_allclose(np.abs(g.frame), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(g.frame[:, 2], [0, 0, -1], atol=1e-6)
    assert np.linalg.det(g.frame) == pytest.approx(1.0) and g.width == pytest.approx(0.1, abs=2e-3)
    np.testing.assert_allclose(g.point.offset + [0, 0, g.beyond], [0, 0, -0.12 + 2 * g.beyond], atol=3e-3)
    turned = engine.load(GANTRY.replace('ctrlrange="-.02 .05" force', 'ctrlrange="-.05 .02" gear="-1" force'))
    other = gripper_of(turned, turned.body("box"), turned.qpos0, np.zeros(6))
    np.testing.assert_allclose(other.opened[4:], -0.05)


def test_a_jaw_needs_a_site(gantry):
    """The parent of a jaw cannot touch it: a site says where they hold, and the jaw's motion along what."""
    m = engine.load(ONE)
    with pytest.raises(ModelError, match="--site must name a site"):
        gripper_of(m, m.body("box"), m.qpos0, np.zeros(5))
    g = gripper_of(m, m.body("box"), m.qpos0, np.zeros(5), "tool")
    assert g.opened[4] == -1.0 and g.hand.tolist() == [4] and abs(g.frame[0, 0]) > 0.8
    np.testing.assert_allclose(g.point.offset, [0, 0, -0.09], atol=1e-9)
    with pytest.raises(ModelError, match="allowed: a palm with fingers"):
        gripper_of(gantry, gantry.body("box"), gantry.qpos0, np.zeros(6), "left")


def test_how_a_body_is_grasped(gantry):
    """Across a side that fits, from above first, its fingers' ends a little above what the body lies on."""
    b = gantry.body("box")
    g = gripper_of(gantry, b, gantry.qpos0, np.zeros(6))
    found = grasps(gantry, g, b, gantry.qpos0)
    first = found[0]
    np.testing.assert_allclose(first.down, [0, 0, -1], atol=1e-12)
    assert first.place[2] - g.beyond == pytest.approx(0.005, abs=1e-9)
    for grasp in found:
        R = quat_to_mat(grasp.quat) @ g.frame
        np.testing.assert_allclose(R[:, 2], grasp.down, atol=1e-9)
        assert np.abs(R[:, 0]).max() == pytest.approx(1.0)
    wide = engine.load(WIDE)
    with pytest.raises(ModelError, match=r"box is 120 mm wide, palm opens to 10\d mm"):
        grasps(wide, g, wide.body("box"), wide.qpos0)
    for q in np.random.default_rng(0).normal(size=(40, 4)):
        q /= np.linalg.norm(q)
        np.testing.assert_allclose(abs(quat_of(quat_to_mat(q)) @ q), 1.0, atol=1e-12)


def test_how_hard_a_hand_presses(gantry):
    """Each finger with its actuator's 20 N, and less where a spring opens it, or the servo is near where it should
    be."""
    b = gantry.body("box")
    grip = grip_of(gantry, gripper_of(gantry, b, gantry.qpos0, np.zeros(6)), b, 0.06)
    assert grip.press == pytest.approx(20.0, rel=0.02) and grip.friction == 1.0 and grip.weight == pytest.approx(0.2)
    assert grip.holds == pytest.approx(40.0 / 9.81, rel=0.02)
    m = engine.load(GANTRY.replace('range="0 .05"/>', 'range="0 .05" stiffness="100" springref=".05"/>')
                    .replace('friction="1 .02 .001"', 'friction=".3 .02 .001"'))  # fmt: skip
    g = gripper_of(m, b, m.qpos0, np.zeros(6))
    for width, press in ((0.06, 20 - 100 * 0.02), (0.02, 500 * 0.03 - 100 * 0.04)):
        grip = grip_of(m, g, b, width)
        assert grip.press == pytest.approx(press, rel=0.05) and grip.friction == pytest.approx(0.3)


def test_what_cannot_be_carried_is_told(gantry):
    args = None, gantry.qpos0, np.zeros(6), 1000, 0.01, None, 0
    far = _Carrying(gantry, "box", *args)
    with pytest.raises(ModelError, match="in the best pose found it is"):
        far.to(np.array([2.0, 0.0, 0.1]), np.array([2.0, 0.0, 0.1]))
    short = _Carrying(gantry, "box", None, gantry.qpos0, np.zeros(6), 100, 0.01, None, 0)
    with pytest.raises(ModelError, match="more --seconds"):
        short.to(np.array([0.2, 0.1, 0.1]), np.array([0.2, 0.1, 0.1]))


@pytest.mark.slow
@pytest.mark.parametrize("quat", [None, ["0.9239", "0", "0", "0.3827"]])
def test_a_box_is_carried(quat, tmp_path, capsys):
    """Taken, lifted, brought 0.5 m, turned where that is asked for, and held there; MuJoCo alone finds the same."""
    from engine.cli import main
    from tests.benchmarks.outside import judge

    path = tmp_path / "gantry.xml"
    path.write_text(GANTRY)
    words = ["optimize", str(path), "--task", "carry", "--object", "box", "--target", "-0.2", "0.2", "0.15"]
    words += [] if quat is None else ["--quat", *quat]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert "lifted by" in capsys.readouterr().out
    found = judge(tmp_path / "run", path)
    assert found["solved"] and not found["wrong"]
