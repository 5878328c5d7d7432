"""Gaits made from a model: feet, where they step, the feedback that makes it, and the search among them."""

import numpy as np
import pytest

import engine
import scenes
from controllers.linear_feedback import LinearFeedback
from controllers.optimize.gaits import GaitSearch
from controllers.stance import Stance
from controllers.tasks.feet import across, feet_of, hips, placed_at, stands_straight
from controllers.tasks.hold import hold, slopes
from controllers.tasks.kinematics import turn_to
from controllers.tasks.trot import PHASES, Pace, Stepper, can_step, feedback, footing, step
from engine.model.coordinates import difference, displace
from engine.simulator import Simulator

LEG = """<body pos="0 Y 0"><joint name="rS" axis="1 0 0" range="-40 40"/>
  <joint name="hS" axis="0 1 0" range="-100 60"/><geom type="capsule" fromto="0 0 0 0 0 -.4" size=".04" mass="3"/>
  <body pos="0 0 -.4"><joint name="kS" axis="0 1 0" range="0 130"/>
  <geom type="capsule" fromto="0 0 0 0 0 -.36" size=".03" mass="2"/>
  <body pos="0 0 -.4"><joint name="pS" axis="0 1 0" range="-50 50"/><joint name="aS" axis="1 0 0" range="-25 25"/>
  <geom type="box" pos=".03 0 -.03" size=".1 .04 .02" mass="1"/></body></body></body>"""
BIPED = ('<mujoco><default><joint armature=".02"/><geom contype="1" conaffinity="2"/></default><worldbody>'
         '<geom type="plane" size="0 0 1" conaffinity="1"/><body pos="0 0 .9"><freejoint/>'
         '<geom type="box" pos=".05 0 .2" size=".08 .12 .2" mass="15"/>'
         + "".join(LEG.replace("S", s).replace("Y", y) for s, y in (("l", ".1"), ("r", "-.1")))
         + "</body></worldbody><actuator>" + "".join(f'<motor joint="{j}{s}" ctrlrange="-150 150"/>'
                                                     for s in "lr" for j in "rhkpa")
         + "</actuator></mujoco>")  # fmt: skip


@pytest.fixture(scope="module")
def dog():
    model = scenes.load("quadruped").model
    return (model, *footing(model, scenes.load("quadruped").qpos0))


def test_feet_are_the_lowest_points_of_legs(dog):
    model, stance, feet = dog
    assert len(feet) == 4 and can_step(feet) and not stands_straight(model, feet, stance.qpos)
    assert all(abs(f.place[2]) < 0.01 and not f.flat for f in feet)
    # in the order about their middle: neighbours are never diagonal
    sides = [tuple(np.sign(f.place[:2])) for f in feet]
    assert len(set(sides)) == 4 and all(sides[i] == tuple(-np.array(sides[i - 2])) for i in range(4))
    ant = scenes.load("ant")
    feet = feet_of(ant.model, Stance(ant.model, ant.qpos0).root, ant.qpos0)
    assert len(feet) == 4 and can_step(feet)
    hopper = scenes.load("hopper")
    assert not can_step(footing(hopper.model, hopper.qpos0)[1])


def test_feet_go_where_they_are_put(dog):
    model, stance, feet = dog
    sim, rng = Simulator(model, PHASES), np.random.default_rng(0)
    places = np.array([f.place for f in feet]) + 0.03 * rng.uniform(-1, 1, (PHASES, 4, 3)) + [0, 0, 0.03]
    qpos = placed_at(sim, feet, places, stance.qpos)
    for k, f in enumerate(feet):
        np.testing.assert_allclose(f.point.place(sim.data), places[:, k], atol=1e-3)
    np.testing.assert_array_equal(qpos[:, :7], np.tile(stance.qpos[:7], (PHASES, 1)))


def test_straight_legs_are_bent():
    """A biped's feet stay flat, below its centre of mass, which is before them while its legs are straight."""
    model = engine.load(BIPED)
    stance = Stance(model)
    feet = feet_of(model, stance.root, stance.qpos)
    assert len(feet) == 2 and all(f.flat for f in feet) and can_step(feet, "stand") and not can_step(feet)
    assert stands_straight(model, feet, stance.qpos)
    stance, feet = footing(model, model.qpos0, "stand")
    assert not stands_straight(model, feet, stance.qpos)
    sim = Simulator(model)
    sim.reset(stance.qpos)
    sim.forward()
    places = np.array([f.point.place(sim.data)[0] for f in feet])
    np.testing.assert_allclose(places[:, 2], 0.0, atol=5e-3)
    mass = np.asarray(model.body_mass) / np.sum(model.body_mass)
    np.testing.assert_allclose(places.mean(axis=0)[:2], (mass @ sim.data.xipos[0])[:2], atol=5e-3)
    for f in feet:
        assert np.abs(f.point.turn_to(sim.data, [1.0, 0.0, 0.0, 0.0])).max() < 0.02
    assert 0.4 < stance.height < 0.84


def test_a_foot_stands_and_swings():
    phase = np.arange(100) / 100
    x, z, held, stands = step(phase, 0.6)
    assert stands.sum() == 60 and (z[stands] == 0).all() and z.max() == pytest.approx(1.0)
    assert x[0] == 0.5 and x[59] == pytest.approx(-0.5, abs=0.02) and np.abs(np.diff(x)).max() < 0.06
    assert held.min() == 0.0 and held[0] == 1.0 and held[-1] > 0.9


def test_the_feedback_is_that_of_the_gait(dog):
    """Inside the kernel's controller as in the search; the feet of its rows stand on one line and step half a period
    apart."""
    model, stance, feet = dog
    gait = Stepper(model, stance, feet, 0.5).gait(Pace())
    sim = Simulator(model, PHASES)
    sim.reset(gait.qpos)
    sim.forward()
    heights = np.stack([f.point.place(sim.data)[:, 2] for f in feet], axis=1)
    low = heights.min(axis=0)
    assert np.ptp(low) < 0.01 and (heights.max(axis=0) - low > 0.1 * stance.height).all()
    np.testing.assert_allclose(heights[:, 0], heights[:, 2], atol=2e-3)
    np.testing.assert_allclose(heights[:, 0], np.roll(heights[:, 1], PHASES // 2), atol=5e-3)
    made, rng = feedback(model, gait, 60, 0.01, 3), np.random.default_rng(0)
    for t in (0, 13, 59):
        qpos, qvel, ctrl, gains = gait.row(t // 3 * 3 * 0.01)
        x = np.concatenate([0.01 * rng.normal(size=model.nv), rng.normal(size=model.nv)])
        q = qpos.copy()
        q[7:] -= x[6 : model.nv]
        x[:6] = 0.0
        u = np.clip(ctrl + gains @ x, *model.actuator_ctrlrange.T)
        np.testing.assert_allclose(made.control(t, 0.0, q, qvel - x[model.nv :]), u, atol=1e-9)


def test_in_a_plane_feet_in_the_air_stay_as_they_are_in_the_world():
    """Three joints keep a foot flat there. Where the trunk tilts, the feedback turns a foot in the air about its hip,
    back; one on the ground it turns the other way."""
    scene = scenes.load("walker2d")
    m = scene.model
    stance, feet = footing(m, scene.qpos0)
    assert len(feet) == 2 and all(f.flat and f.planar for f in feet) and can_step(feet) and can_step(feet, "stand")
    stepper, pace = Stepper(m, stance, feet, 1.0), Pace(upright=2.0, crouch=0.12)
    gait = stepper.gait(pace)
    shifts, stands = np.zeros((PHASES, 2, 6, 2 * m.nv)), np.arange(PHASES)[:, None] < [PHASES // 2, 0]
    stepper._tilts(pace, stands, shifts)
    hip = [f.point.place(stepper.sim.data) - hips(m, stepper.sim, f) for f in feet]
    before = [stepper.sim.data.xquat[:, f.point.body].copy() for f in feet]
    (tilt,), theta = stance.root.tilt, 0.02
    dof = int(m.jnt_dofadr[m.jnt_qposadr == tilt][0])
    q = gait.qpos.copy()
    for k, f in enumerate(feet):
        moved = across(f, stepper.sim.data, shifts[:, k])[:, :, [dof, m.nv + dof]]
        np.testing.assert_allclose(moved[:, :, 1], 0.5 * stepper.time * moved[:, :, 0])
        other = across(f, stepper.sim.data, np.tile(shifts[-1:, k], (PHASES, 1, 1)))[:, :, dof]
        np.testing.assert_allclose(moved[stands[:, k], :, 0], -2.0 * other[stands[:, k]], rtol=1e-9, atol=1e-12)
        q[:, m.jnt_qposadr[m.dof_jntid[f.dofs]]] -= theta * np.where(stands[:, k, None], 0.0, moved[:, :, 0])
    q[:, tilt] += theta
    stepper.sim.reset(q)
    stepper.sim.forward()
    for k, f in enumerate(feet):
        air = ~stands[:, k]
        now = f.point.place(stepper.sim.data) - hips(m, stepper.sim, f)
        np.testing.assert_allclose(now[air], hip[k][air], atol=0.1 * theta)  # the hip moves by theta times 0.9
        turned = np.abs(turn_to(stepper.sim.data.xquat[:, f.point.body], before[k])).max(axis=1)
        # of a leg that is nearly straight the foot keeps its place first
        assert turned[air].max() < 0.7 * theta and np.median(turned[air]) < 0.6 * theta
        assert turned[air].min() < 0.05 * theta and np.all(turned[~air] > 0.9 * theta)


def test_a_regulator_holds_a_biped():
    """Its slopes say what a step from beside the pose does; with it the robot, pushed a little, stays up, and without
    it falls."""
    model = engine.load(BIPED)
    stance, feet = footing(model, model.qpos0, "stand")
    stepper = Stepper(model, stance, feet, 0.0)
    qpos, ctrl, gains = hold(stepper, 2)
    sim, rng, ends = Simulator(model), np.random.default_rng(0), []
    A, B = slopes(model, qpos, ctrl, 2)
    x, u = 1e-6 * rng.normal(size=2 * model.nv), 1e-3 * rng.normal(size=model.nu)
    for share in (1.0, 0.0):
        sim.reset(displace(model, qpos, share * x[: model.nv]), share * x[model.nv :])
        sim.data.ctrl[0] = ctrl + share * u
        sim.step(2)
        ends.append(np.concatenate([difference(model, qpos, sim.data.qpos[0]), sim.data.qvel[0]]))
    moved = ends[0] - ends[1]
    np.testing.assert_allclose(moved, A @ x + B @ u, atol=0.02 * np.abs(moved).max())
    heights = []
    for K in (gains, 0 * gains):
        qvel = np.zeros(model.nv)
        qvel[0] = 0.1
        sim.reset(qpos, qvel)
        after = engine.Tape(sim, 375, frame_skip=2).rollout(LinearFeedback(model, K, qpos, ctrl=ctrl))
        heights.append(after.qpos[-1, 0, 2] / qpos[2])
    assert heights[0] > 0.98 and heights[1] < 0.8


def test_a_search_goes_on_with_the_same_numbers(dog):
    model, stance, feet = dog

    def search():
        return GaitSearch(model, stance, feet, 0.5, 50, 2, 3, (stance.qpos, np.zeros(model.nv)), worlds=4, seed=2)

    whole, first = search(), search()
    rows = [whole.iterate() for _ in range(2)]
    assert rows[1]["best"] <= rows[0]["best"] and rows[0]["steps"] <= 4 * 50 * 2
    first.iterate()
    again = search().load_state(first.state())
    again.iterate()
    for name, value in whole.state().items():
        np.testing.assert_array_equal(value, again.state()[name], err_msg=name)
