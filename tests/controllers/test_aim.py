"""Ways to targets: as fast as a robot can keep to, of several points at once, and what judges them."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
from controllers.optimize.job import Job
from controllers.optimize.verdict import farthest, in_turn, verdict
from controllers.tasks import aim
from controllers.tasks.aim import aim_at
from controllers.tasks.follow import Follow
from controllers.tasks.kinematics import Points, points
from controllers.tasks.way import Way, ways_to
from engine.commands.common import Robot, started
from engine.diff.trajectory import Trajectory
from engine.model import ModelError
from engine.simulator import Simulator
from tests.controllers.test_tasks import ARM, MOTORS, SERVOS

BOTH = ["tool", "bone"]


@pytest.fixture(scope="module")
def arm():
    return engine.load(ARM.replace("SERVOS", SERVOS), sense=BOTH)


def places(model, qpos):
    sim = Simulator(model)
    sim.reset(qpos)
    sim.forward()
    return points(model, BOTH).place(sim.data)[0].copy()


def job_of(model, **options):
    given = {"seconds": None, "window": 0.5, "worlds": 1, "seed": 0, "speed": None, "height": None, "horizon": 0.3,
             "site": None, "target": None, "quat": None, "path": None, "push": None, "object": None}  # fmt: skip
    robot = started(Robot("robot", model, model.qpos0.copy(), np.zeros(model.nv), {}))
    return Job(robot, "reach", "ilqr", SimpleNamespace(**given | options))


def aimed_at(arm, targets, steps=200):
    return aim_at(arm, "tool", np.array(targets), None, arm.key_qpos[1], np.zeros(3), steps, 0.01, 5, 0,
                  lambda arrival: int(np.ceil((arrival + 0.3) / 0.01)))  # fmt: skip


def test_a_way_that_is_too_fast_is_tried_more_slowly(arm, monkeypatch):
    target, factors = [0.3, 0.2, 0.75], []
    at_once = aimed_at(arm, [target])
    assert at_once.missed < 1e-3 and at_once.tried == 5 * len(at_once.way.ctrl) and at_once.place is None
    for answers, best in (([np.inf, 0.3, 1e-4], 2), ([0.2, 0.1, 0.3, 0.4, np.inf], 1), ([np.inf] * 5, 0)):
        answers = iter(answers)
        monkeypatch.setattr(aim, "_missed", lambda *args, answers=answers: next(answers))
        found = aimed_at(arm, [target], steps=800)
        factors.append(found.way.arrival / at_once.way.arrival)
        assert factors[-1] == pytest.approx(aim.SLOWER[best]) and found.way.share < at_once.way.share + 1e-9
        assert len(found.way.ctrl) == len(found.gains) == int(np.ceil((found.way.arrival + 0.3) / 0.01))
        np.testing.assert_allclose(found.way.qpos[-1], at_once.way.goal, atol=1e-12)


def test_no_way_is_slower_than_there_is_time(arm, monkeypatch):
    monkeypatch.setattr(aim, "_missed", lambda *args: np.inf)
    found = aimed_at(arm, [[0.3, 0.2, 0.75], [0.2, -0.3, 0.7]], steps=160)
    assert len(found.way.ctrl) <= 160 and found.place.shape == (len(found.way.ctrl) + 1, 3)
    np.testing.assert_allclose(found.place[-1], [0.2, -0.3, 0.7])


def test_what_controls_are_held_too_long_for_is_seen_where_the_way_is_simulated():
    """Torques that are held for a tenth of a second make another motion than a way of a quarter of one."""
    model = engine.load(ARM.replace("SERVOS", MOTORS), sense="tool")
    ends = [aim_at(model, "tool", np.array([[0.3, 0.2, 0.75]]), None, model.key_qpos[1], np.zeros(3), round(4 / dt), dt,
                   round(dt / 0.002), 0, lambda arrival, dt=dt: int(np.ceil((arrival + 0.3) / dt)))
            for dt in (0.01, 0.1)]  # fmt: skip
    assert ends[0].missed < 1e-3 and ends[1].missed < 2e-3
    assert ends[1].way.arrival > 1.9 * ends[0].way.arrival


def test_a_way_leads_round_what_is_in_the_way():
    """A post between start and target, past which the arm turns bent or raised; without it the way is straight."""
    free = ARM.replace("SERVOS", SERVOS).replace('qpos="0 -.5 1.2"', 'qpos="-1 1.2 .3"')
    free = free.replace("-170 170", "-80 80")
    post = '<worldbody><geom name="post" type="capsule" fromto=".4 0 0 .4 0 .9" size=".03"/>'
    post = free.replace("<worldbody>", post)
    steps, dt, target = 300, 0.01, None
    for text, legs in ((free, 1), (post, 2)):
        model = engine.load(text, sense="tool")
        sim, start = Simulator(model), model.key_qpos[0]
        if target is None:
            sim.reset([1.0, 1.2, 0.3])
            sim.forward()
            target = points(model, "tool").place(sim.data)[0].copy()
        found = ways_to(model, "tool", target, start, np.zeros(3), steps, dt)
        assert len(found) == legs and not any(way.touches for way in found)
        np.testing.assert_array_equal(found[0].qpos[0], start)
        for way, following in zip(found[:-1], found[1:], strict=True):
            np.testing.assert_array_equal(way.goal, following.qpos[0])
        for q in np.concatenate([way.qpos for way in found])[::3]:
            sim.reset(q)
            sim.forward()
            assert not (sim.data.contacts(0)["dist"] < -2e-3).any()
    job = job_of(model, site="tool", target=target)
    job.search.iterate()
    assert verdict(job, job.search.trajectory).solved


def test_two_points_of_one_arm_are_reached_at_once(arm):
    """By a pose in which both are there; the Jacobian is both of theirs; the verdict counts the farther one."""
    target = places(arm, np.array([0.6, 0.5, 0.9]))
    sim = Simulator(arm)
    sim.reset(arm.key_qpos[1])
    sim.forward()
    both = points(arm, BOTH)
    assert isinstance(both, Points) and both.dofs == [0, 1, 2] and points(arm, ["tool"]).kind == "site"
    J = both.jacobian(sim.data)
    np.testing.assert_array_equal(J, np.concatenate([points(arm, n).jacobian(sim.data) for n in BOTH], axis=1))
    job = job_of(arm, site=BOTH, target=target)
    assert job.way.away < 2e-5 and job.place is None
    np.testing.assert_allclose(job.way.goal, [0.6, 0.5, 0.9], atol=1e-3)
    job.search.iterate()
    found = verdict(job, job.search.trajectory)
    assert found.solved and found.text.startswith("tool, bone at most") and found.numbers["distance_to_target"] < 2e-3
    near = Trajectory({n: getattr(job.search.trajectory, n) for n in ("qpos", "qvel", "act", "ctrl", "sensordata")},
                      job.search.trajectory.times)  # fmt: skip
    near.sensordata[:, 0, arm.sensor_adr[arm.sensor("bone_pos")]] += 0.01
    assert verdict(job, near).solved is False
    two = job_of(arm, site=BOTH, target=[*places(arm, np.array([0.2, 0.1, 0.4])), *target])
    two.search.iterate()
    found = verdict(two, two.search.trajectory)
    assert found.solved and found.numbers["targets_reached"] == 2 and two.place.shape[1] == 6


def test_which_points_and_targets_are_asked_for(arm):
    for options, said in (({"target": [1, 2, 3]}, "3 numbers, allowed: X Y Z (m), of each of tool, bone"),
                          ({"target": [0.0] * 6, "quat": [1, 0, 0, 0]}, "--site: got tool, bone, allowed: one")):
        with pytest.raises(ValueError, match="^" + "--") as error:
            job_of(arm, site=BOTH, **options)
        assert said in str(error.value)
    with pytest.raises(ModelError, match="no site, body or geom 'wing'"):
        job_of(arm, site=["tool", "wing"], target=[0.0] * 6)
    job = job_of(arm, site=BOTH, target=[0.3, 0.2, 0.75, 3, 3, 3])
    job.search.iterate()
    found = verdict(job, job.search.trajectory)
    assert not found.solved and "the targets, together, lie" in found.hindered[0]
    assert job.beyond and not job_of(arm, site="tool", target=[0.3, 0.2, 0.75]).beyond
    marked = ARM.replace("SERVOS", SERVOS).replace("<worldbody>", '<worldbody><site name="mark"/>')
    base = engine.load(marked, sense="mark")
    with pytest.raises(ModelError, match="--site mark: no joint moves it"):
        job_of(base, site="mark", target=[0.3, 0.2, 0.75])


def test_the_farthest_of_several_points():
    place = np.zeros((4, 6))
    place[1:, 3] = [0.3, 0.1, 0.0]
    np.testing.assert_allclose(farthest(place, [0, 0, 0, 0.1, 0, 0]), [0.1, 0.2, 0.0, 0.1])
    assert in_turn(place, [[0, 0, 0, 0.3, 0, 0], np.zeros(6)]) == 2
    assert in_turn(place, [np.zeros(6), [0, 0, 0.2, 0.3, 0, 0]]) == 1


def test_a_cost_of_two_points_is_that_of_each(arm):
    """But the way's, which both have, counts once."""
    rng, rows = np.random.default_rng(0), 8
    arrays = {n: rng.normal(size=(rows, 1, k)) for n, k in (("qpos", 3), ("qvel", 3), ("act", 0), ("sensordata", 6))}
    t = Trajectory(arrays | {"ctrl": rng.normal(size=(rows - 1, 1, 3))}, 0.01 * np.arange(rows)[:, None])
    way = Way(*(rng.normal(size=(n, 3)) for n in (8, 8, 7)), np.arange(3), np.zeros(3), 0.0, 0.03, 0.5, False)
    target = rng.normal(size=(8, 6))
    target[2] = np.nan
    sites = [{"site": "tool"}, {"geom": "bone"}]
    for wanted in (target, target[0]):
        one, other, both = (Follow(arm, way, s, x, 5.0, np.ones(3)) for s, x in
                            ((sites[0], wanted[..., :3]), (sites[1], wanted[..., 3:]), (sites, wanted)))  # fmt: skip
        none = Follow(arm, way, None, None, 5.0, np.ones(3))
        assert both(t)[0] == pytest.approx(one(t)[0] + other(t)[0] - none(t)[0])
        for bars in (lambda cost: cost(t)[1], lambda cost: cost.curvature(t)):
            found, a, b, w = (bars(cost) for cost in (both, one, other, none))
            for name in ("qpos", "qvel", "ctrl", "sensordata"):
                np.testing.assert_allclose(found[name], a[name] + b[name] - w[name], atol=1e-12)
            assert np.abs(found["sensordata"]).sum() > 0
