"""What is said of a rollout, on rollouts that are written down rather than simulated."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
import scenes
from controllers.optimize.job import span
from controllers.optimize.verdict import beyond_reach, in_turn, verdict
from controllers.stance import Stance
from controllers.tasks.gripper import Grip
from engine.diff.trajectory import Trajectory

ARM = """<mujoco><worldbody><body name="base" pos="0 0 1"><joint axis="0 1 0" pos="0 0 .05"/><geom size=".03"/>
  <body name="fore" pos="0 0 -.4"><joint type="slide" axis="0 0 1" range="-.1 .05"/><geom size=".03"/>
  <site name="hand" pos="0 0 -.3"/></body></body></worldbody>
  <actuator><motor joint="0" ctrlrange="-2 2"/></actuator></mujoco>""".replace('<joint axis', '<joint name="0" axis')
TIME = np.linspace(0.0, 1.0, 101)


def judged(model, task, qpos, qvel=None, sensordata=None, ctrl=0.0, scene=None, goal=None, way=None, place=None,
           height=None, standing=None, loose=None, method="ilqr", aslant=0.0, sinks=0.0, grip=None,
           catches=False, dt=0.01, **options):  # fmt: skip
    rows = len(qpos)
    arrays = {"qpos": qpos[:, None], "qvel": np.zeros((rows, 1, model.nv)) if qvel is None else qvel[:, None]}
    arrays["act"] = np.zeros((rows, 1, model.na))
    arrays["sensordata"] = np.zeros((rows, 1, model.nsensordata)) if sensordata is None else sensordata[:, None]
    arrays["ctrl"] = np.full((rows - 1, 1, model.nu), ctrl)
    robot = SimpleNamespace(model=model, scene=scene, qpos0=model.qpos0)
    stance = Stance(model) if task in ("run", "stand") else standing
    job = SimpleNamespace(robot=robot, task=task, options=SimpleNamespace(**options), steps=rows - 1, speed=1.0,
                          standing=lambda: stance, goal=goal, way=way, place=place, height=height, loose=loose,
                          method_name=method, aslant=aslant, sinks=sinks, grip=grip, dt=dt,
                          catches=catches)  # fmt: skip
    return verdict(job, Trajectory(arrays, TIME[:rows, None]))


@pytest.fixture(scope="module")
def arm():
    return engine.load(ARM, sense="hand")


def reached(arm, away, speed=0.0, **more):
    place = np.array([0.2, 0.0, 0.5]) + np.array(away)[:, None] * [1, 0, 0]
    qvel = np.zeros((len(TIME), arm.nv))
    qvel[-1] = speed
    return judged(arm, "reach", np.tile(arm.qpos0, (len(TIME), 1)), qvel, place, site="hand", target=(0.2, 0, 0.5),
                  **more)  # fmt: skip


def test_reach(arm):
    found = reached(arm, 0.3 * np.exp(-12 * TIME))
    assert found.solved and found.numbers["distance_to_target"] == pytest.approx(0.3 * np.exp(-12), rel=1e-6)
    assert found.numbers["reached_at"] == pytest.approx(0.42, abs=0.011)
    assert "0.0 mm from the target after 1.0 s, within 2 mm since 0.42 s, at rest" in found.text
    assert found.lines() == [f"solved: {found.text}"]
    assert reached(arm, np.full(101, 0.005)).solved is False
    moving = reached(arm, np.zeros(101), speed=0.4)
    assert moving.solved is False and "still at 0.40 per s" in moving.text and moving.hints
    late = reached(arm, np.where(TIME < 0.999, 0.1, 0.0))
    assert late.solved is False and late.numbers["reached_at"] == 1.0
    left = reached(arm, np.where(TIME < 0.9, 0.0, 0.1))
    assert left.solved is False and "reached_at" not in left.numbers


def test_a_robot_that_falls_through_what_is_not_there():
    """In a second free fall is 4.9 m; a robot that sinks by 1 m is not said to fall freely, nor is one on a base."""
    body = '<body><freejoint/><geom size=".1"/><site name="hand"/></body>'
    m = engine.load(f"<mujoco><worldbody>{body}</worldbody></mujoco>", sense="hand")
    for way, falls in ((-4.9, True), (-1.0, False)):
        qpos = np.tile(m.qpos0, (len(TIME), 1))
        qpos[:, 2] = way * TIME**2
        found = judged(m, "reach", qpos, sensordata=qpos[:, :3], site="hand", target=(0, 0, 0))
        assert ("the robot falls: nothing is below it" in found.hindered) is falls
        assert found.solved is False and (not falls or "--floor" in found.hints[0])


def test_a_run_that_ended_before_its_time_is_not_solved(arm):
    """Of a plan that is carried out while it is made: it rests at its target, yet for half of the time only."""
    for dt, method, solved in ((0.01, "mpc", True), (0.02, "mpc", False), (0.02, "ilqr", True)):
        found = reached(arm, np.zeros(101), method=method, dt=dt)
        assert found.solved is solved
        assert solved or found.hindered[0] == "the run ended after 1.00 of 2.00 s"


def test_controls_at_their_limits_are_named(arm):
    found = reached(arm, np.full(101, 0.1), ctrl=-2.0)
    assert found.numbers["share_at_limit"] == 1.0
    assert "the controls stand at a limit 100 % of the time" in found.hindered
    assert "share_at_limit" in reached(arm, np.zeros(101)).record()


def test_push():
    """A crate beside the arm, written down at its place: near, turned, moving, touched or not."""
    crate = '<body name="crate" pos="1 0 .2"><freejoint/><geom type="box" size=".1 .1 .1"/></body></worldbody>'
    arm = engine.load(ARM.replace("</worldbody>", crate), sense=["hand", "crate"])
    way = SimpleNamespace(away=0.0, share=0.5, touches=False)

    def brought(off, speed=0.0, turn=0.0, at=(1.0, 0.0, 0.2), way=way, task="push", aslant=0.0, sinks=0.0, grip=None,
                **more):  # fmt: skip
        qpos, qvel, seen = np.tile(arm.qpos0, (101, 1)), np.zeros((101, arm.nv)), np.zeros((101, 6))
        qpos[:, 2:5], qpos[:, 5], qpos[:, 8] = at, np.cos(turn / 2), np.sin(turn / 2)
        seen[:, 3:] = np.array([1.0, 0.0, 0.2]) + off[:, None] * [1, 0, 0]
        qvel[-1, 2] = speed
        options = {"site": "hand", "object": "crate", "target": (1, 0, 0.2), "quat": None} | more
        return judged(arm, task, qpos, qvel, seen, way=way, loose=np.arange(2, 8), aslant=aslant, sinks=sinks,
                      grip=grip, **options)  # fmt: skip

    found = brought(0.3 * np.exp(-12 * TIME))
    assert found.solved and "crate 0.0 mm from its target after 1.0 s, within 5 mm since 0.35 s, at rest" in found.text
    moving = brought(np.zeros(101), speed=0.4)
    assert moving.solved is False and "still moving at 0.40 per s" in moving.text
    assert moving.hindered == ["nothing that is driven touched crate"]
    turned = brought(np.zeros(101), turn=0.1, quat=(1.0, 0.0, 0.0, 0.0))
    assert turned.solved is False and "0.0 mm and 5.7 degrees from its target" in turned.text
    touched = brought(np.full(101, 0.02), at=(0.0, 0.0, 0.52))
    assert touched.solved is False and touched.numbers["touched"] and touched.hindered == ["it slid 20 mm off"]
    lost = brought(np.full(101, 0.02), at=(0.0, 0.0, 0.52), aslant=0.5, sinks=0.02)
    assert lost.hindered == ["what pushes sinks 20 mm into crate, which is too soft for this speed",
                             "what touches crate presses 30 degrees off the way"]  # fmt: skip
    assert lost.hints[0] == "more --seconds" and lost.numbers["pressed_aslant"] == pytest.approx(np.pi / 6)
    fine = brought(0.3 * np.exp(-12 * TIME), at=(0.0, 0.0, 0.52), aslant=0.5, sinks=0.02)
    assert fine.solved and not fine.hindered
    strong, weak = Grip(20.0, 1.0, 4.0, 0.2), Grip(1.0, 1.0, 0.204, 0.2)
    carried = brought(np.full(101, 0.001), task="carry", grip=strong)
    assert "lifted by 0.0 cm" in carried.text and carried.numbers["lifted"] == 0.0 and carried.numbers["press"] == 20.0
    slipped = brought(np.full(101, 0.1), task="carry", grip=weak)
    said = "the hand presses with 1 N, which with a friction of 1 holds 0.2 kg at rest, and crate has 0.2 kg"
    assert slipped.hindered[-1] == said
    assert slipped.hints == ["a lighter or rougher body, or a hand that presses harder"]
    assert said not in brought(np.full(101, 0.1), task="carry", grip=strong).hindered
    far = brought(np.full(101, 0.3), way=SimpleNamespace(away=0.3, share=0.5, touches=True))
    assert far.numbers["out_of_reach"] == 0.3 and "30.0 cm beyond what the robot can reach" in far.hindered[1]
    assert far.hindered[2] == "on its way the robot touches something else"
    assert "no way was found" in brought(np.full(101, 0.3), way=None).hindered[1]


def test_what_is_out_of_reach(arm):
    """0.3 of the site, 0.1 of the slide, 0.4 of the forearm, twice 0.05 of an axis beside the body's frame."""
    assert span(arm, "hand") == pytest.approx(0.9) and span(arm, "fore") == pytest.approx(0.6)
    assert beyond_reach(arm, "hand", (0.0, 0.0, 2.5)) == pytest.approx(0.6)
    assert beyond_reach(arm, "hand", (0.5, 0.0, 1.0)) == 0.0
    floating = engine.load(ARM.replace('name="0" axis="0 1 0" pos="0 0 .05"', 'name="0" type="free"'))
    assert span(floating, "hand") == np.inf and beyond_reach(floating, "hand", (0.0, 0.0, 99.0)) == 0.0


def test_shapes_drawn_into_each_other_are_named():
    """Two balls of one arm overlap by 2 cm in every pose: that is said where the target is missed, and only there."""
    foot = '<body name="foot" pos="0 0 1.04"><geom size=".03"/><body name="base" pos="0 0 -.04"'
    overlapping = ARM.replace('<body name="base" pos="0 0 1"', foot).replace("</worldbody>", "</body></worldbody>")
    arm = engine.load(overlapping, sense="hand")
    missed = reached(arm, np.full(101, 0.1))
    assert missed.hindered[0] == "foot and base lie 20 mm in each other from the start on, and rub"
    assert missed.hints[0] == '<exclude body1="foot" body2="base"/> in <contact> of the file'
    assert not reached(arm, np.zeros(101)).hindered


def test_targets_are_counted_in_turn():
    place = np.stack([np.linspace(0, 1, 1001), np.zeros(1001), np.zeros(1001)], axis=1)
    there = [(x, 0.0, 0.001) for x in (0.2, 0.5, 1.0)]
    assert in_turn(place, there) == 3 and in_turn(place, there[::-1]) == 1
    assert in_turn(place, [(0.3, 0.0, 0.003)]) == 0


def test_track(arm):
    """Joints by their angles, a point by its place; the first tenth of a second may be off."""
    qpos = np.tile(arm.qpos0, (len(TIME), 1))
    way = SimpleNamespace(qpos=qpos.copy(), dofs=np.array([0, 1]), share=0.5, away=0.0)
    qpos[:, 0] += 0.03
    qpos[:5, 0] += 1.0
    found = judged(arm, "track", qpos, way=way, site=None)
    assert found.solved and found.numbers["off_most"] == pytest.approx(0.03)
    assert "1.72 degrees off its way" in found.text
    off = judged(arm, "track", qpos + [0.0, 0.1], way=SimpleNamespace(**vars(way) | {"share": 1.3}), site=None)
    assert off.solved is False and "100.00 mm off" in off.text and "130% of what the actuators can" in off.hindered[0]
    place = np.zeros((len(TIME), 3))
    found = judged(arm, "track", qpos, sensordata=place + [0.0, 0.006, 0.0], way=way, place=place, site="hand")
    assert found.solved is False and found.numbers["off_mean"] == pytest.approx(0.006)
    assert judged(arm, "track", qpos, sensordata=place, way=way, place=place, site="hand").solved


def test_a_moving_target(arm):
    """Caught in the first half of the time, or not; then never farther than 5 mm."""
    qpos, place = np.tile(arm.qpos0, (len(TIME), 1)), 0.1 * TIME[:, None] * [1.0, 0.0, 0.0]
    way = SimpleNamespace(share=0.5, away=0.0, arrival=0.2)
    late = place + 0.2 * np.exp(-12 * TIME)[:, None] * [0.0, 1.0, 0.0]
    asked = {"way": way, "place": place, "site": "hand", "catches": True}
    found = judged(arm, "track", qpos, sensordata=late, **asked)
    assert found.solved and found.numbers["reached_at"] == pytest.approx(0.31)
    assert found.numbers["off_most"] == pytest.approx(0.2 * np.exp(-12 * 0.31))
    assert "from its moving target after 1.0 s, with it since 0.31 s, then at most 4.85 mm off" in found.text
    slow = judged(arm, "track", qpos, sensordata=place + 5 * (late - place), **asked | {
        "way": SimpleNamespace(**vars(way) | {"share": 1.5})})  # fmt: skip
    assert slow.solved is True or "first half" in slow.hindered[-1]
    lost = judged(arm, "track", qpos, sensordata=late[::-1], **asked)
    assert lost.solved is False and "off_most" not in lost.numbers and "with it" not in lost.text


def test_balance():
    model = scenes.load("acrobot").model
    qpos = np.pi * (1 - np.exp(-14 * TIME))[:, None] * [1.0, 0.0]
    qvel = np.gradient(qpos, TIME, axis=0)
    goal = np.array([np.pi, 0.0])
    found = judged(model, "balance", qpos, qvel, goal=goal)
    assert found.solved and found.numbers["upright_since"] == pytest.approx(0.27, abs=0.1)
    assert "degrees from upright after 1.0 s, upright since" in found.text
    turned = judged(model, "balance", qpos + [4 * np.pi, -2 * np.pi], qvel, goal=goal)
    assert turned.solved and turned.numbers == pytest.approx(found.numbers, abs=1e-9)
    left = judged(model, "swingup", qpos[::-1], -qvel[::-1], goal=goal)
    assert left.solved is False and left.hindered == ["it was upright and did not stay there"]
    low = judged(model, "swingup", 0.5 * qpos, goal=goal)
    assert low.solved is False and low.hindered == ["it was never nearer to upright than 90 degrees"]


def test_run_and_stand():
    model = scenes.load("hopper").model
    qpos = np.tile(model.qpos0, (101, 1))
    qpos[:, 0] = 0.8 * TIME
    found = judged(model, "run", qpos)
    assert found.solved and found.numbers["speed"] == pytest.approx(0.8) and "upright" in found.text
    slow = judged(model, "run", qpos * [0.2, 1, 1, 1, 1, 1])
    assert slow.solved is False and "slower than 50%" in slow.hindered[0]
    stands = judged(model, "stand", qpos * [0, 1, 1, 1, 1, 1])
    assert stands.solved and stands.numbers["moved"] == 0.0
    qpos[60:, 2] = 1.0
    for task in ("run", "stand"):
        fell = judged(model, task, qpos)
        assert fell.solved is False and fell.numbers["fell_at"] == pytest.approx(0.6) and not fell.numbers["upright"]
        assert fell.hindered == ["it fell after 0.60 s"]


def test_jump():
    """A parabola of 0.2 m from 0.3 to 0.7 s: as high as asked, in the air, landed, at rest; or what it lacks."""
    scene = scenes.load("quadruped")
    model, stance = scene.model, Stance(scene.model, scene.qpos0)
    z, flight = stance.root.z, np.clip(1 - np.square((TIME - 0.5) / 0.2), 0, None)

    def jumped(rise, height=0.15, speed=0.0, tilt=0.0):
        qpos, qvel = np.tile(stance.qpos, (len(TIME), 1)), np.zeros((len(TIME), model.nv))
        qpos[:, z] += rise
        qpos[60:, 3:7] = [np.cos(tilt / 2), np.sin(tilt / 2), 0, 0] if tilt else qpos[60:, 3:7]
        qvel[-1, 8] = speed
        return judged(model, "jump", qpos, qvel, height=height, standing=Stance(model, scene.qpos0))

    found = jumped(0.2 * flight)
    assert found.solved and found.numbers["rise"] == pytest.approx(0.2)
    assert found.numbers["airborne"] == pytest.approx(0.38, abs=0.021)
    assert "rises 0.200 m above standing, 0.150 asked, after 0.50 s" in found.text and "upright" in found.text
    lacking = {"it rises 0.050 m less than asked": jumped(0.1 * flight), "it fell after 0.60 s":
               jumped(0.2 * flight, tilt=1.5), "it has not come to rest": jumped(0.2 * flight, speed=3.0),
               "its feet do not leave the ground together": jumped(0 * flight, height=-0.1)}  # fmt: skip
    for words, other in lacking.items():
        assert other.solved is False and other.hindered[0] == words and other.hints


def test_a_scene_has_goals_of_its_own():
    scene = scenes.load("half_cheetah")
    model, rows = scene.model, round(scene.trial * 100) + 1
    qpos = np.tile(scene.qpos0, (rows, 1))
    qpos[:, 0] = 2.0 * np.arange(rows) / 100
    global TIME
    before, TIME = TIME, np.arange(rows) / 100
    try:
        found = judged(model, "run", qpos, scene=scene)
        assert found.solved == bool(scene.task.solved(Trajectory({"qpos": qpos[:, None]}, TIME[:, None]))[0])
        assert "mean speed" in found.text
        still = judged(model, "run", 0 * qpos + scene.qpos0, scene=scene)
        assert still.solved is False and "asked" in still.text and still.hindered
    finally:
        TIME = before
