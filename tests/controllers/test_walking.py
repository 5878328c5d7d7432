"""Plans that must not fall: taking the run back, what a robot's stance is, and a hopper that hops (slow)."""

import numpy as np
import pytest

import engine
import scenes
from controllers import MPC, BacktrackingMPC, walk_plan
from controllers.stance import Stance, holding
from engine.model import ModelBuilder, ModelError
from engine.objectives import Effort, Reach

CLIFF = 1.0  # m


def cart():
    b = ModelBuilder("cart", gravity=(0, 0, 0), timestep=0.02)
    b.body("cart")
    b.joint("cart", "x", type="slide", axis=(1, 0, 0))
    b.geom("cart", "cart", size=0.1, mass=1.0)
    b.motor("x", "force", ctrlrange=(-1, 1))
    return b.compile()


def fast(model, speed):
    return Reach(model, [speed], qvel=[0], terminal=0.1) + 1e-3 * Effort()


def behind_the_cliff(qpos):
    return np.logical_and.accumulate(qpos[:, :, 0] < CLIFF, axis=0)


def careful(model, steps=120):
    return BacktrackingMPC(model, fast(model, 2.0), 10, steps, 1, 2, 2, upright=behind_the_cliff,
                           cautious=[fast(model, 0.0), fast(model, -1.0)], seed=1)  # fmt: skip


def run(plan):
    rows = []
    while not plan.finished:
        rows.append(plan.iterate())
    return rows


def test_a_fall_beyond_the_horizon_is_taken_back():
    """A cart drives at 2 m/s towards a cliff; it sees 0.2 s ahead and needs up to 2 s to stop."""
    m = cart()
    plain = MPC(m, fast(m, 2.0), 10, 120, 1, 2, 2)
    run(plain)
    assert plain.done_qpos.max() > CLIFF
    plan = careful(m)
    rows = run(plan)
    assert plan.done_qpos.max() < CLIFF and len(plan.done_ctrl) == 120 and rows[-1]["gave_up"] == 0
    back = [r["back"] for r in rows]
    assert max(back) > 0.2 and len(rows) > 60
    steps = np.diff([0, *(r["steps"] for r in rows)])
    assert (steps > 0).all()  # work that was taken back has been done all the same
    sim = engine.Simulator(m)
    again = engine.Tape(sim, 120).rollout(plan.controller())
    np.testing.assert_allclose(again.qpos[:, 0], plan.done_qpos, atol=1e-9)


def test_a_run_that_was_taken_back_resumes_bit_for_bit():
    m = cart()
    whole, parts = careful(m), careful(m)
    rows = run(whole)
    first = next(i for i, r in enumerate(rows) if r["back"]) + 2  # two iterations after it was first taken back
    for _ in range(first):
        parts.iterate()
    resumed = careful(m).load_state(parts.state())
    run(resumed)
    a, b = whole.state(), resumed.state()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_a_fall_that_cannot_be_avoided_is_kept_and_counted():
    m = cart()
    plan = BacktrackingMPC(m, fast(m, 2.0), 10, 30, 1, 2, 1, start=([0.9], [5.0]), upright=behind_the_cliff)
    rows = run(plan)
    assert rows[-1]["gave_up"] == 1 and plan.done_qpos.max() > CLIFF and len(plan.done_ctrl) == 30


def test_hopper_stands_in_its_pose_on_the_ground():
    scene = scenes.load("hopper")
    stance = Stance(scene.model, scene.qpos0)
    sim = engine.Simulator(scene.model)
    for way, touches in ((-1e-6, True), (2e-3, False)):  # the geoms' margin is 1 mm
        q = stance.qpos.copy()
        q[1] += way
        sim.reset(q)
        sim.forward()
        assert (len(sim.data.contacts()["dist"]) > 0) == touches
    assert 1.1 < stance.height < 1.25
    q = np.stack([stance.qpos, stance.qpos - np.eye(6)[1] * 0.5 * stance.height, stance.qpos])[:, None]
    assert stance.upright(q)[:, 0].tolist() == [True, False, False]
    q = np.stack([stance.qpos, stance.qpos + 1.0 * np.eye(6)[2]])[:, None]
    assert stance.upright(q)[:, 0].tolist() == [True, False]


def test_robots_that_rest_on_their_feet_stand_as_they_come_to_rest():
    ant, dog = (scenes.load(n) for n in ("ant", "quadruped"))
    stance = Stance(ant.model, ant.qpos0)
    assert 0.3 < stance.height < 0.6 < ant.qpos0[2]  # which starts above the ground
    assert np.abs(stance.qpos[[8, 10, 12, 14]]).min() > 0.4  # on bent knees
    stance = Stance(dog.model, dog.qpos0)
    assert stance.height == pytest.approx(dog.qpos0[2], abs=0.02)
    np.testing.assert_allclose(stance.ctrl, stance.qpos[7:], atol=1e-9)  # servos, whose controls are angles
    np.testing.assert_allclose(holding(ant.model, stance.qpos[:15]), 0.0)  # motors


def test_walking_suits_the_robots_size_and_needs_one():
    scene = scenes.load("quadruped")
    plan = walk_plan(scene.model, (scene.qpos0, scene.qvel0), 0.25)
    height = plan.objective.target[2] / 0.95
    assert plan.objective.v_target[0] == pytest.approx(np.sqrt(0.4 * 9.81 * height), rel=0.05)
    assert plan.steps * plan.dt == pytest.approx(0.3) and len(plan.objectives) == 4
    with pytest.raises(ModelError, match="walking needs a body with a free joint or a slide joint along x"):
        pendulum = scenes.load("pendulum")
        walk_plan(pendulum.model, (pendulum.qpos0, pendulum.qvel0), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name, speed", [("hopper", 1.5), ("ant", 1.5), ("humanoid_run", 0.75)])
def test_a_robot_walks_from_a_perturbed_start(name, speed):
    scene = scenes.load(name)
    rng = np.random.default_rng(3)
    q0 = scene.qpos0 + 1e-3 * rng.normal(size=scene.model.nq)
    plan = walk_plan(scene.model, (q0, scene.qvel0), scene.trial, speed, seed=3)
    run(plan)

    class Trial:
        qpos, qvel = plan.done_qpos[:, None], plan.done_qvel[:, None]
        time = plan.dt * np.arange(len(plan.done_qpos))

    assert scene.solved(Trial).all(), scene.task.measure(Trial)
