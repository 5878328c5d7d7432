"""Receding horizons on tasks with a way: the cost by the clock, the pace, and whole runs."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
from controllers.optimize.job import Job
from controllers.optimize.verdict import Verdict, paced, verdict
from controllers.tasks.follow import Follow
from controllers.tasks.way import Way
from engine.commands.common import Robot, started
from engine.diff.trajectory import Trajectory
from tests.controllers.test_tasks import ARM, SERVOS

DT = 0.02


@pytest.fixture(scope="module")
def arm():
    return engine.load(ARM.replace("SERVOS", SERVOS), sense="tool")


def part(m, t, first, last):
    """Rows `first` to `last` of an episode, on its clock."""
    arrays = {n: getattr(t, n)[first : last + 1] for n in ("qpos", "qvel", "act", "sensordata")}
    return Trajectory(arrays | {"ctrl": t.ctrl[first:last]}, t.times[first : last + 1])


def test_a_way_is_followed_by_the_clock(arm):
    """The cost of an episode is that of its parts, each of which begins where the last one ended; beyond the end of the
    way its last row holds."""
    rng, rows = np.random.default_rng(0), 11
    arrays = {n: rng.normal(size=(rows, 1, k)) for n, k in (("qpos", 3), ("qvel", 3), ("act", 0), ("sensordata", 3))}
    t = Trajectory(arrays | {"ctrl": rng.normal(size=(rows - 1, 1, 3))}, DT * np.arange(rows)[:, None])
    wide = [rng.normal(size=(n, 3)) for n in (8, 8, 7)]
    way = Way(*wide, np.arange(3), wide[0][-1], 0.0, 0.1, 0.5, False)
    place = rng.normal(size=(8, 3))
    place[:3] = np.nan
    cost = Follow(arm, way, {"site": "tool"}, place, 5.0, np.ones(3), last=0.0)
    whole, bars = cost(t)
    parts = [(0, 4), (4, 6), (6, 10)]
    assert sum(cost(part(arm, t, *p))[0][0] for p in parts) == pytest.approx(whole[0], rel=1e-12)
    for name in ("qpos", "qvel", "sensordata", "ctrl"):
        pieces = [cost(part(arm, t, *p))[1][name] for p in parts]
        joined = np.concatenate([b if name == "ctrl" else b[:-1] for b in pieces])
        np.testing.assert_allclose(joined, bars[name][: len(joined)], atol=1e-12)
        curves = [cost.curvature(part(arm, t, *p))[name] for p in parts]
        joined = np.concatenate([b if name == "ctrl" else b[:-1] for b in curves])
        np.testing.assert_allclose(joined, cost.curvature(t)[name][: len(joined)], atol=1e-12)
    # the last row of the way holds from then on, by hand
    late = part(arm, t, 9, 10)
    off = late.qpos[0, 0] - way.qpos[-1]
    fast, u = late.qvel[0, 0] - way.qvel[-1], late.ctrl[0, 0] - way.ctrl[-1]
    there = late.sensordata[0, 0] - place[-1]
    by_hand = off @ off + 0.01 * fast @ fast + 0.01 * u @ u + 5.0 * there @ there
    assert cost(late)[0][0] == pytest.approx(DT * by_hand)


def test_how_fast_it_was_planned():
    found = Verdict(True, "it holds", {}, [], [])
    rows = [{"seconds_simulated": 0.1 * k, "seconds": 9.0 if k == 1 else 0.05} for k in range(1, 6)]
    told = paced(found, rows)
    assert told.numbers["real_time_factor"] == pytest.approx(2.0)
    assert told.text == "it holds, planned 2 times as fast as real time"
    assert paced(found, rows[:1]) == found and paced(found, [{"seconds": 1.0}] * 3) == found


def job_of(model, task, **options):
    given = {"seconds": None, "window": 0.5, "worlds": 1, "seed": 0, "speed": None, "height": None, "horizon": 0.3,
             "site": None, "target": None, "quat": None, "path": None, "push": None, "object": None}  # fmt: skip
    robot = started(Robot("robot", model, model.qpos0.copy(), np.zeros(model.nv), {}))
    return Job(robot, task, "mpc", SimpleNamespace(**given | options))


def found_by(job):
    rows = []
    while not job.search.finished:
        rows.append(job.search.iterate() | {"seconds": 0.1})
    tape, controller = job.after()
    assert len(controller.K) == job.steps and np.abs(tape.trajectory.qpos[:, 0] - job.search.done_qpos).max() < 1e-9
    return paced(verdict(job, tape.trajectory), rows)


@pytest.mark.slow
def test_a_target_is_reached_and_a_path_followed(arm, tmp_path):
    """Planned 0.3 s ahead and carried out piece by piece; the run again, from its controller, is the same."""
    found = found_by(job_of(arm, "reach", site="tool", target=[0.3, 0.2, 0.75]))
    assert found.solved and found.numbers["distance_to_target"] < 2e-3 and found.numbers["real_time_factor"] > 0
    t = np.linspace(0.0, 1.0, 21)
    table = np.stack([t, 0.3 * np.sin(2 * t), 0.4 + 0.1 * t], axis=1)
    np.savetxt(tmp_path / "way.csv", table, delimiter=",", header="time,turn,bend", comments="")
    found = found_by(job_of(arm, "track", path=tmp_path / "way.csv"))
    assert found.solved and found.numbers["off_most"] < 0.05


@pytest.mark.slow
def test_a_pole_is_balanced():
    import scenes

    found = found_by(job_of(scenes.load("cartpole").model, "balance", seconds=3.0, horizon=0.8))
    assert found.solved and found.numbers["upright_since"] < 1.0
