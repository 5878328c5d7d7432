"""What tasks are made of: inverse kinematics, ways and the controls that make them, upright poses, starts."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
import scenes
from controllers.ilqr import ILQR
from controllers.linear_feedback import LinearFeedback
from controllers.stance import Stance
from controllers.tasks.forces import gains_along, period
from controllers.tasks.kinematics import Point, driven, reaching
from controllers.tasks.pump import pumped
from controllers.tasks.track import Table, tracking
from controllers.tasks.upright import extreme_pose
from controllers.tasks.way import way_to
from engine.commands.common import Robot, started, within_ranges
from engine.model import ModelError
from engine.objectives import Reach
from engine.simulator import Simulator

ARM = """<mujoco><option timestep="0.002" integrator="implicitfast"/>
  <default><joint armature=".05"/></default><worldbody><body pos="0 0 .5">
  <joint name="turn" axis="0 0 1" range="-170 170"/><geom type="capsule" fromto="0 0 0 0 0 .1" size=".04"/>
  <body name="upper" pos="0 0 .1"><joint name="lift" axis="0 1 0" range="-100 100" damping="1"/>
  <geom name="bone" type="capsule" fromto="0 0 .06 0 0 .3" size=".03"/>
  <body name="fore" pos="0 0 .35"><joint name="bend" axis="0 1 0" range="-5 150" damping="1"/>
  <geom type="capsule" fromto="0 0 0 0 0 .2" size=".03"/><site name="tool" pos="0 .02 .25"/></body></body></body>
  </worldbody><actuator>SERVOS</actuator>
  <keyframe><key name="folded" qpos="0 -.5 1.2"/><key name="home" qpos="0 0 .5" ctrl=".1 .1 .5"/></keyframe></mujoco>"""
SERVOS = "".join(f'<position joint="{j}" kp="300" kv="20" ctrlrange="-3 3" forcerange="-60 60"/>'
                 for j in ("turn", "lift", "bend"))  # fmt: skip
MOTORS = "".join(f'<motor joint="{j}" gear="20" ctrlrange="-3 3"/>' for j in ("turn", "lift", "bend"))


@pytest.fixture(scope="module")
def arm():
    return engine.load(ARM.replace("SERVOS", SERVOS), sense="tool")


def place(model, qpos, name="tool"):
    sim = Simulator(model)
    sim.reset(qpos)
    sim.forward()
    return Point(model, name).place(sim.data)[0]


def test_a_point_and_its_jacobian(arm):
    """Of a site, a geom and a body, by central differences; the site's place is its sensor's."""
    sim, q, h = Simulator(arm), np.array([0.4, -0.3, 0.9]), 1e-6
    for name in ("tool", "bone", "fore"):
        point = Point(arm, name)
        sim.reset(q)
        sim.forward()
        J = point.jacobian(sim.data)[0]
        columns = [(place(arm, q + h * e, name) - place(arm, q - h * e, name)) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(J, np.transpose(columns), atol=1e-8)
    sim.reset(q)
    sim.forward()
    np.testing.assert_allclose(Point(arm, "tool").place(sim.data)[0], sim.data.sensordata[0], atol=1e-12)
    assert Point(arm, "bone").kind == "geom"
    with pytest.raises(ModelError, match="no site, body or geom 'wing'"):
        Point(arm, "wing")


def test_inverse_kinematics(arm):
    """Reachable targets are reached within the joints' ranges; of others the nearest place is found."""
    rng = np.random.default_rng(0)
    low, high = arm.jnt_range.T
    sim, point = Simulator(arm, 8), Point(arm, "tool")
    for _ in range(3):
        target = place(arm, rng.uniform(low, high))
        qpos, away = reaching(sim, point, target, rng.uniform(low, high, (8, 3)), list(driven(arm)))
        assert away.min() < 1e-5 and (qpos >= low - 1e-12).all() and (qpos <= high + 1e-12).all()
        k = int(np.argmin(away))
        np.testing.assert_allclose(place(arm, qpos[k]), target, atol=1e-5)
    _, away = reaching(sim, point, np.array([0.0, 0.0, 3.0]), rng.uniform(low, high, (8, 3)), [0, 1, 2])
    assert away.min() == pytest.approx(3.0 - (0.6 + 0.35 + np.hypot(0.25, 0.02)), abs=1e-3)


@pytest.mark.parametrize("drive", [SERVOS, MOTORS])
def test_a_way_and_the_controls_that_make_it(drive):
    """Without any feedback the controls bring the tool to within centimetres: servos and motors alike."""
    model = engine.load(ARM.replace("SERVOS", drive), sense="tool")
    start, target, dt, steps = model.key_qpos[1], np.array([0.3, 0.2, 0.75]), 0.01, 150
    way = way_to(model, "tool", target, start, np.zeros(3), steps, dt)
    assert way.away < 1e-5 and way.share < 1.0 and not way.touches and 0.2 < way.arrival < 1.3
    np.testing.assert_allclose(place(model, way.goal), target, atol=2e-5)
    np.testing.assert_array_equal(way.qpos[0], start)
    np.testing.assert_allclose(way.qpos[-1], way.goal, atol=1e-12)
    np.testing.assert_allclose(way.qvel[1:-1], (way.qpos[2:] - way.qpos[:-2]) / (2 * dt), atol=0.1)
    sim = Simulator(model)
    sim.reset(start)
    after = engine.Tape(sim, steps, frame_skip=5).rollout(way.ctrl[:, None])
    assert np.abs(after.qpos[:, 0] - way.qpos).max() < 0.08
    drive = drive.replace("-60 60", "-.3 .3").replace('gear="20"', 'gear=".1"')
    weak = engine.load(ARM.replace("SERVOS", drive), sense="tool")
    assert way_to(weak, "tool", target, start, np.zeros(3), steps, dt).share > 1.0


def test_a_way_is_fast_from_near_the_end_of_a_range(arm):
    """An elbow that rests at 97 % of its servo's range, and one beyond it, hinder no way that leads off from there."""
    slow = [way_to(arm, "tool", [0.3, 0.2, 0.75], [0.0, 0.0, bend], np.zeros(3), 200, 0.01) for bend in (1.0, 2.55)]
    servos = SERVOS.replace('"bend" kp="300" kv="20" ctrlrange="-3 3"', '"bend" kp="300" kv="20" ctrlrange="-2.6 2.6"')
    near = engine.load(ARM.replace("SERVOS", servos), sense="tool")
    beyond = engine.load(ARM.replace("SERVOS", servos.replace("-2.6 2.6", "-2.5 2.5")), sense="tool")
    for model in (near, beyond):
        way = way_to(model, "tool", [0.3, 0.2, 0.75], [0.0, 0.0, 2.55], np.zeros(3), 200, 0.01)
        assert way.arrival < 1.3 * slow[1].arrival < 1.0


def test_a_way_is_kept_by_feedback_before_anything_is_searched():
    """Motors have no stiffness of their own: the feedback's is M w^2, and the arm is pulled back onto its way. A servo
    as stiff as that gets none."""
    model = engine.load(ARM.replace("SERVOS", MOTORS), sense="tool")
    start, target, dt, steps = model.key_qpos[1], np.array([0.3, 0.2, 0.75]), 0.01, 60
    way = way_to(model, "tool", target, start, np.zeros(3), steps, dt)
    K = gains_along(model, way.qpos[:-1], way.qvel[:-1], dt)
    sim, w = Simulator(model), 0.25 / dt
    sim.reset(way.qpos[40])
    sim.forward()
    np.testing.assert_allclose(20 * K[40, :, :3], w * w * sim.data.mass_matrix(), atol=1e-12)
    np.testing.assert_allclose(K[:, :, 3:], 2 / w * K[:, :, :3], atol=1e-15)
    objective = Reach(model, way.goal, qpos=slice(None))
    off = start + [0.05, -0.05, 0.05], np.zeros(3)
    plan = ILQR(model, objective, steps, 5, off, way.ctrl, about=(way.qpos, way.qvel, -K))
    row = plan.iterate()
    assert plan.problem.counter.steps == 5 * steps and not plan.finished and row["gain"] == 0.0
    assert np.abs(plan.trajectory.qpos[-1, 0] - way.goal).max() < 0.005
    left = ILQR(model, objective, steps, 5, off, way.ctrl)
    left.rollout()
    assert np.abs(left.trajectory.qpos[-1, 0] - way.goal).max() > 0.03
    kept = plan.state()
    assert plan.iterate()["cost"] < row["cost"]
    other = ILQR(model, objective, steps, 5, off, way.ctrl, about=(way.qpos, way.qvel, -K)).load_state(kept)
    assert other.iterate()["cost"] == plan.cost
    stiff = engine.load(ARM.replace("SERVOS", SERVOS.replace('kp="300"', 'kp="2000"')), sense="tool")
    assert not gains_along(stiff, way.qpos[:1], way.qvel[:1], dt).any()


def test_inverse_kinematics_with_a_turn(arm):
    """Of a frame that is to be turned like one in a pose that the joints can take; a turn alone counts, too."""
    q = np.array([0.5, 0.4, 0.8])
    sim, point = Simulator(arm, 4), Point(arm, "tool")
    sim.reset(q)
    sim.forward()
    target, quat = point.place(sim.data)[0], sim.data.xquat[0, point.body].copy()
    assert np.abs(point.turn_to(sim.data, quat)).max() < 1e-12
    rng = np.random.default_rng(0)
    qpos, away = reaching(sim, point, target, q + 0.3 * rng.normal(size=(4, 3)), [0, 1, 2], quat)
    assert away.min() < 1e-5
    np.testing.assert_allclose(qpos[np.argmin(away)], q, atol=1e-4)
    _, away = reaching(sim, point, target, q + 0.1 * rng.normal(size=(4, 3)), [0, 1, 2], [1.0, 0.0, 0.0, 0.0])
    assert away.min() > 0.02


def test_tables_are_followed(arm, tmp_path):
    """A CSV of joints and one of a point's places: their ways, and without feedback the controls stay near them."""
    dt, t = 0.01, np.linspace(0.0, 1.5, 31)
    path = tmp_path / "way.csv"
    rows = np.stack([t + 3.0, 0.3 * np.sin(2 * t), 0.4 + 0.1 * t], axis=1)
    np.savetxt(path, rows, delimiter=",", header="time,turn, bend", comments="")
    table = Table(path)
    assert table.seconds == pytest.approx(1.5)
    way, place = tracking(arm, table, None, arm.key_qpos[1], np.zeros(3), 150, dt)
    assert place is None and way.dofs.tolist() == [0, 2] and way.share < 1.0
    np.testing.assert_allclose(way.qpos[::5, 0], rows[:, 1], atol=1e-9)
    np.testing.assert_allclose(way.qvel[1:-1, 2], np.full(149, 0.1), atol=1e-6)
    np.testing.assert_allclose(way.qvel[1:-1], (way.qpos[2:] - way.qpos[:-2]) / (2 * dt), atol=0.01)
    sim = Simulator(arm)
    sim.reset(way.qpos[0], way.qvel[0])
    after = engine.Tape(sim, 150, frame_skip=5).rollout(way.ctrl[:, None])
    assert np.abs(after.qpos[:, 0] - way.qpos).max() < 0.05
    circle = {"x": 0.3 + 0.05 * np.cos(4 * t), "y": 0.05 * np.sin(4 * t), "z": np.full(31, 0.8)}
    np.savez(tmp_path / "way.npz", time=t, **circle)
    table = Table(tmp_path / "way.npz")
    way, place = tracking(arm, table, "tool", arm.key_qpos[1], np.zeros(3), 150, dt)
    assert way.away < 2e-5 and place.shape == (151, 3)
    np.testing.assert_allclose(place[::5, 0], circle["x"], atol=1e-9)
    sim = Simulator(arm, 151)
    sim.reset(way.qpos)
    sim.forward()
    np.testing.assert_allclose(sim.data.sensordata, place, atol=2e-5)
    assert np.abs(np.diff(way.qpos, axis=0)).max() < 0.02


def test_a_moving_target_is_caught_from_where_the_arm_is(arm, tmp_path):
    """The way begins at rest in the start, is smooth, and from its arrival on is the target's; of two points both."""
    dt, t, start = 0.01, np.linspace(0.0, 1.5, 31), arm.key_qpos[1]
    circle = {"x": 0.3 + 0.05 * np.cos(4 * t), "y": 0.05 * np.sin(4 * t), "z": np.full(31, 0.8)}
    np.savez(tmp_path / "way.npz", time=t, **circle)
    table = Table(tmp_path / "way.npz")
    plain, place = tracking(arm, table, "tool", start, np.zeros(3), 150, dt)
    way, same = tracking(arm, [table], "tool", start, np.zeros(3), 150, dt, True)
    np.testing.assert_array_equal(same, place)
    np.testing.assert_allclose(way.qpos[0], start, atol=1e-12)
    np.testing.assert_allclose(way.qvel[0], 0.0, atol=1e-12)
    k = int(np.ceil(way.arrival / dt))
    assert 0.2 < way.arrival < 0.75 and way.share < 1.0
    np.testing.assert_allclose(way.qpos[k:], plain.qpos[k:], atol=1e-12)
    np.testing.assert_allclose(way.qvel[1:-1], (way.qpos[2:] - way.qpos[:-2]) / (2 * dt), atol=0.1)  # of 4 rad/s
    sim = Simulator(arm)
    sim.reset(start)
    K = gains_along(arm, way.qpos[:-1], way.qvel[:-1], dt)
    feedback = LinearFeedback(arm, K, way.qpos[:-1], way.qvel[:-1], ctrl=way.ctrl)
    after = engine.Tape(sim, 150, frame_skip=5).rollout(feedback)
    missed = np.linalg.norm(after.sensordata[:, 0] - place, axis=1)
    assert missed[0] > 0.1 and missed[k + 5 :].max() < 5e-3
    # the elbow where it goes along with the tool
    sim = Simulator(arm, 151)
    sim.reset(plain.qpos)
    sim.forward()
    elbow = Point(arm, "fore").place(sim.data)
    np.savez(tmp_path / "elbow.npz", time=dt * np.arange(151), **dict(zip("xyz", elbow.T, strict=True)))
    both = [table, Table(tmp_path / "elbow.npz")]
    two, places = tracking(arm, both, ["tool", "fore"], start, np.zeros(3), 150, dt, True)
    assert places.shape == (151, 6) and two.away < 1e-3
    np.testing.assert_allclose(two.qpos[-1], plain.qpos[-1], atol=0.01)


@pytest.mark.parametrize(
    ("text", "told"),
    [("time,turn\n0,1\n0,2\n", "which grows"), ("turn\n1\n2\n", "which grows"), ("time,turn\n0,1\n1,x\n", "turn: got"),
     ("time,wing\n0,1\n1,1\n", "no joint 'wing'"), ("time,x,y,z\n0,1,1,1\n1,1,1,1\n", "with --site"),
     ("time,turn\n0,1,2\n1,2,3\n", "2 names, 3 columns")],
)  # fmt: skip
def test_tables_that_are_none(arm, tmp_path, text, told):
    path = tmp_path / "way.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        tracking(arm, Table(path), None, arm.qpos0, np.zeros(3), 100, 0.01)


def test_what_no_way_is_for(arm):
    """A floating base, or a point that no actuator moves."""
    ant = scenes.load("ant").model
    assert way_to(ant, ant.body_names[1], np.zeros(3), ant.qpos0, np.zeros(8), 10, 0.01) is None
    loose = engine.load(ARM.replace("SERVOS", "").replace(' ctrl=".1 .1 .5"', ""))
    assert way_to(loose, "tool", np.zeros(3), loose.qpos0, np.zeros(0), 10, 0.01) is None


def test_controls_follow_the_servos(arm):
    """A fifth of a turn of the fastest servo, sqrt(kp / inertia), within bounds."""
    sim = Simulator(arm)
    sim.forward()
    inertia = sim.data.mass_matrix()[0, 0]
    assert period(arm, arm.qpos0, [0]) == pytest.approx(0.4 * np.pi * np.sqrt(inertia / 300))
    assert period(engine.load(ARM.replace("SERVOS", MOTORS)), arm.qpos0, [0, 1, 2]) == 0.02


@pytest.mark.parametrize(
    ("name", "up"), [("pendulum", [np.pi]), ("acrobot", [np.pi, 0.0]), ("cartpole", [0.0, -1 / 600])]
)
def test_upright_poses(name, up):
    scene = scenes.load(name)
    pose = extreme_pose(scene.model, scene.qpos0)
    np.testing.assert_allclose(np.cos(pose - up), 1.0, atol=1e-6)
    if name == "pendulum":
        np.testing.assert_allclose(extreme_pose(scene.model, pose, lowest=True) % (2 * np.pi), 0.0, atol=1e-3)


def test_energy_is_pumped_until_the_goal_is_near():
    """A torque that cannot lift the pendulum swings it up, to its goal or whole turns beside it."""
    text = ('<mujoco><option timestep="0.01"/><worldbody><body pos="0 0 1"><joint name="0" axis="0 1 0" damping=".02"/>'
            '<geom size=".05" mass="1" pos="0 0 -.5"/></body></worldbody>'
            '<actuator><motor joint="0" gear="1.2" ctrlrange="-1 1"/></actuator></mujoco>')  # fmt: skip
    model = engine.load(text)
    goal, start = np.array([np.pi]), (np.array([0.01]), np.zeros(1))
    found, ways = pumped(model, goal, start, 2, 300, np.eye(2))
    assert np.cos(found - goal) == pytest.approx(1.0) and all(w.shape == ways[0].shape for w in ways)
    assert np.abs(ways[0]).max() <= 1.0 and len(ways[0]) * 0.02 > 1.0
    sim = Simulator(model)
    sim.reset(*start)
    after = engine.Tape(sim, len(ways[0]), frame_skip=2).rollout(ways[0][:, None])
    assert np.abs(after.qpos[-1, 0] - found).max() < 0.3 and np.abs(after.qvel[-1]).max() < 2.0


def test_what_has_no_upright_pose():
    flat = engine.load('<mujoco><worldbody><body><joint axis="0 0 1"/><geom size=".1" pos=".3 0 0"/></body></worldbody>'
                       "</mujoco>")  # fmt: skip
    with pytest.raises(ModelError, match="balancing needs hinges at which gravity pulls"):
        extreme_pose(flat, flat.qpos0)


def test_where_a_file_starts(arm):
    robot = Robot("arm", arm, arm.qpos0, np.zeros(3), {})
    home = started(robot)
    np.testing.assert_array_equal(home.qpos0, [0, 0, 0.5])
    np.testing.assert_array_equal(home.ctrl0, [0.1, 0.1, 0.5])
    folded = started(robot, "folded")
    assert folded.qpos0[2] == 1.2 and folded.ctrl0 is None
    nameless = SimpleNamespace(key_names=["a", "b"])
    assert started(Robot("x", nameless, 1, 2, {})).qpos0 == 1
    with pytest.raises(ModelError, match="no key"):
        started(robot, "wing")


def test_what_begins_beyond_its_ranges_begins_amid_them():
    """As the zero of joints of many arms; a rounding beyond is none, nor is a hinge without a range moved."""
    text = ARM.replace("SERVOS", SERVOS).replace("-5 150", "20 150")
    m = engine.load(text.replace("-100 100", "0.01 100").replace('range="-170 170"', ""))
    chosen, moved = within_ranges(Robot("arm", m, m.qpos0.copy(), np.zeros(3), {}))
    assert moved == ["bend"]
    np.testing.assert_allclose(chosen.qpos0, [0, 0, np.radians(85)])
    assert m.qpos0[2] == 0


def test_what_lies_on_its_trunk_does_not_stand():
    """A box on weak legs sinks onto its belly: its stance is the start's pose, not that heap."""
    legs = "".join(f'<body pos="{x} 0 -.01"><joint axis="0 1 0"/><geom type="capsule" fromto="0 0 0 {x} 0 -.3" '
                   'size=".02"/></body>' for x in (-0.2, 0.2))  # fmt: skip
    text = ('<mujoco><worldbody><geom type="plane" size="0 0 1"/><body pos="0 0 .5"><freejoint/>'
            f'<geom type="box" size=".25 .2 .05"/>{legs}</body></worldbody></mujoco>')  # fmt: skip
    stance = Stance(engine.load(text))
    assert not stance.steady and stance.height > 0.3
