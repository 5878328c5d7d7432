"""Chains of windows: their levels, and boxes through contact, which free windows do not find."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
from engine.identify import Log, Problem, fit
from engine.identify.chained import COPIES, Candidates, carried, lengths
from engine.identify.searches import others, searched

from . import boxes


def test_windows_double_up_to_the_log():
    def of(steps, longest):
        return lengths(SimpleNamespace(windows=SimpleNamespace(steps=steps), longest=longest))

    assert of(50, 500) == [50, 100, 200, 500] and of(50, 599) == [50, 100, 200, 599]
    assert of(50, 601) == [50, 100, 200, 400, 601]
    assert of(50, 120) == [50, 120] and of(50, 50) == [50]


def test_starts_are_carried_over():
    old = SimpleNamespace(
        problem=SimpleNamespace(windows=SimpleNamespace(log=np.array([0, 0, 1]), start=np.array([0.0, 0.1, 0.0]))),
        point=SimpleNamespace(starts={"qpos": np.array([[1.0], [2.0], [3.0]])}),
    )
    windows = SimpleNamespace(count=3, log=np.array([0, 1, 1]), start=np.array([0.1, 0.0, 0.2]))
    got = carried(SimpleNamespace(windows=windows, starts={"qpos": np.zeros((3, 1))}), old)
    assert got["qpos"].ravel().tolist() == [2.0, 3.0, 0.0]


def test_each_window_takes_its_nearest_start():
    """As rollouts of each candidate alone say."""
    t, rng = 0.002 * np.arange(100), np.random.default_rng(0)
    robot = "<mujoco><worldbody><body><joint name='x' type='slide' damping='1'/><geom size='.1'/></body></worldbody>"
    robot += "</mujoco>"
    log = Log({"qpos": (t, (0.3 * t + 1e-3 * rng.normal(size=100))[:, None])}, "slide")
    problem = Problem(engine.load(robot), log, ["dof_damping:x"], window=0.05, chained=True, noise=1e-3, held_out=0)
    p, dx = np.array([1.5]), 0.01 * rng.normal(size=(COPIES, problem.windows.count, 2))
    best, other = Candidates(problem).nearest(p, problem.starts, dx)
    costs, moved = [], []
    for one in dx:
        moved.append(problem.residuals.moved(problem.starts, one))
        (r,), (s,) = problem.residuals(p, moved[-1]), problem.windows.samples
        costs.append(np.bincount(s.window, (r**2).sum(axis=1)))
    which = np.argmin(costs, axis=0)
    assert len(set(which)) > 1 and (other == (which > 0)).all()
    for name in ("qpos", "qvel"):
        assert np.array_equal(best[name], [moved[k][name][w] for w, k in enumerate(which)])


def test_searches_begin_elsewhere_and_the_best_counts():
    assert others(50, 1, 500) == [50] and others(50, 3, 60)[0] == 50 and max(others(50, 9, 60)) == 60
    assert len(set(others(50, 5, 500))) == 5 and min(others(50, 5, 500)) >= 25 and max(others(50, 5, 500)) <= 100
    sample = {"sd": np.ones(1), "given": True, "of": lambda used: slice(None)}
    problem = SimpleNamespace(windows=SimpleNamespace(steps=50, samples=[SimpleNamespace(**sample)]), longest=500,
                              used=None, model=None)  # fmt: skip
    problem.again, got = lambda model, steps: problem, []
    ends = [(3.0, 1.0), (2.0, 1.5), (2.5, 1.2)]  # a residual, and the number found

    def solve(problem, k):
        point = SimpleNamespace(residuals=[np.array([[ends[k][0]]])])
        return SimpleNamespace(problem=problem, point=point, values=np.array([ends[k][1]]), spread=got.append)

    best = searched(problem, solve, 3)
    assert best.values[0] == 1.5 and best.excess.tolist() == [0.0, 1.125, 2.5]
    w = np.exp(-np.array([2.5, 0.0, 1.125]) / 1.125)
    assert got[0][0, 0] == pytest.approx((w * [0.25, 0.0, 0.09]).sum() / w.sum())


def test_known_starts_have_no_chain():
    case = boxes.CASES["pulled, sliding"]
    with pytest.raises(ValueError, match="chained: got windows whose starts are known"):
        fit(engine.load(boxes.model()), boxes.log(case)[0], case.unknowns, window=None, start="known", chained=True)
    with pytest.raises(ValueError, match="searches: got 2, allowed: 1, and with chained=True more"):
        fit(engine.load(boxes.model()), boxes.log(case)[0], case.unknowns, window=0.1, searches=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ("pulled, sliding", "tossed, bouncing"))
def test_boxes_are_found(name, tmp_path):
    """Each number within 2 % of the truth or its interval, better than by free windows; a broken chain goes on."""
    case = boxes.CASES[name]
    log, _ = boxes.log(case)
    asked = {"window": 0.1, "held_out": 0, "chained": True, "folder": tmp_path}
    calls = []

    def stop(row):
        calls.append(row)
        if len(calls) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, report=stop, **asked)
    got = fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, **asked)
    off = np.abs(got.values - case.values)
    assert ((off < 0.02 * np.abs(case.values)) | (off < 1.96 * got.sd)).all()
    (label,) = [name for name in got.after if name == "pose:box"]
    assert got.after[label][0] < 0.7 * got.before[label][0] and got.converged
    free = fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, window=0.1, held_out=0)
    assert np.abs(free.values / case.values - 1).max() > 2 * np.abs(got.values / case.values - 1).max()


@pytest.mark.slow
def test_masses_that_hit_each_other_are_a_ratio():
    """Nobody pulls: if all masses were twice as great, the motion would be nearly the same."""
    case = boxes.CASES["hit by a ball of 0.5 kg"]
    unknowns, model = [*case.unknowns, "body_mass:ball"], engine.load(boxes.model(**case.guess))
    got = fit(model, boxes.log(case)[0], unknowns, window=0.1, held_out=0, chained=True)
    assert abs(got.values[1] / got.values[2] / (1.3 / 0.5) - 1) < 0.02
    assert got.correlation[1, 2] > 0.9 and got.sd[1] > 0.02 * got.values[1]


def test_a_chain_keeps_its_levels_in_a_folder_that_was_not_there(tmp_path, monkeypatch):
    """A damped slide without contact: each level has a folder, and a motion is suggested that is as long as the log."""
    monkeypatch.setattr("engine.identify.chained.LAST", 0)  # hops are not looked at
    robot = "<mujoco><worldbody><body><joint name='x' type='slide' damping='{}'/><geom size='.1'/></body></worldbody>"
    robot += "<actuator><motor joint='x' ctrlrange='-9 9'/></actuator></mujoco>"
    real, t = engine.load(robot.format(2)), 0.002 * np.arange(200)
    force = 5 * np.sin(20 * t)[:, None]
    places = engine.Tape(engine.Simulator(real), 200).rollout(force[:, None]).qpos[:200, 0]
    log = Log({"qpos": (t, places), "ctrl": (t, force)}, "slide")
    asked = {"window": 0.05, "chained": True, "noise": 1e-4, "folder": tmp_path / "new"}
    found = fit(engine.load(robot.format(1)), log, ["dof_damping:x"], **asked)
    assert (tmp_path / "new" / "level_1" / "state.npz").is_file() and abs(found.values[0] - 2) < 0.1
    with pytest.raises(ValueError, match=r"seconds: got 0.1, allowed: a window \(0.39"):
        found.suggest(0.1)
    assert found.suggest(drives=1, bands=1).ctrl.shape[1] == 1
