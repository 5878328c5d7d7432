"""The board: it judges whole rollouts, its identification gradients are right, and a killed one goes on."""

import json

import numpy as np
import pytest

import scenes
from controllers.board import RECIPES, Board
from controllers.board.cell import METHODS, Cell
from controllers.board.identification import IdentificationProblem
from controllers.board.judge import Judge
from controllers.board.table import markdown, ratios
from controllers.optimize import RandomSearch
from engine import Simulator, Tape
from engine.view import plot_board


def test_every_task_has_a_recipe_with_a_gradient_method_and_the_baseline():
    assert set(RECIPES) == set(scenes.names()) - {"humanoid_run"}  # which takes longer than a cell may
    for recipe in RECIPES.values():
        assert set(recipe.methods) <= set(METHODS)
        assert "random" in recipe.methods and len(recipe.methods) > 1


def test_judge_joins_windows_into_the_rollout_that_one_window_gives():
    scene = scenes.load("reacher")
    controls = np.random.default_rng(0).uniform(-1, 1, (scene.trial_steps, 2, scene.model.nu))
    trials = []
    for windows in (1, 4):
        judge, sim = Judge(scene), Simulator(scene.model, worlds=2)
        steps = scene.trial_steps // windows
        tape = Tape(sim, steps, scene.frame_skip)
        for _ in range(2):  # a second rollout must not see the first
            sim.reset(scene.qpos0)
            cost = sum(judge(tape.rollout(controls[k * steps : (k + 1) * steps]))[0] for k in range(windows))
        trials.append(judge.trial())
        assert cost.shape == (2,)
    for name in ("time", "qpos", "qvel", "ctrl", "sensordata"):
        np.testing.assert_allclose(getattr(trials[1], name), getattr(trials[0], name), atol=1e-12, err_msg=name)
    assert len(trials[0].time) == scene.trial_steps + 1


@pytest.mark.parametrize("name", ["sysid_pendulum", "sysid_box"])
def test_gradients_of_an_identification_agree_with_differences(name):
    scene = scenes.load(name)
    tape = Tape(Simulator(scene.model), len(scene.task.ctrl), scene.frame_skip)
    problem = IdentificationProblem(tape, Judge(scene), scene, 1)
    at = np.full(problem.n, 0.1)
    cost, grad = problem.gradient(at)
    for k in range(problem.n):
        slopes = []
        for h in (1e-4, 1e-5, 1e-6):
            e = h * np.eye(problem.n)[k]
            slopes.append((problem.cost(at + e) - problem.cost(at - e))[0] / (2 * h))
        assert min(abs(np.array(slopes) / grad[0, k] - 1)) < 1e-5
    real = [np.log(np.mean(getattr(scene.task.real, u.array)[u.entries]) / u.guess) for u in scene.task.unknowns]
    assert problem.cost(np.array(real))[0] < 0.01 * cost[0]
    assert problem.verdict()[0].all()


def test_random_search_descends_and_repeats():
    runs = []
    for _ in range(2):
        cell = Cell(scenes.load("reacher"), RECIPES["reacher"], "random", seed=3)
        assert isinstance(cell.search, RandomSearch)
        runs.append([cell.search.iterate()["best"] for _ in range(8)])
    assert runs[0] == runs[1]
    assert runs[0][-1] < 0.8 * runs[0][0] and np.all(np.diff(runs[0]) <= 0)


def test_a_cell_is_solved_by_gradient_and_says_what_it_measured():
    scene = scenes.load("ball_toss")
    row = Cell(scene, RECIPES["ball_toss"], "gradient").run(60.0)
    assert row["solved"] and row["iterations"] == len(row["curve"])
    assert row["measured"][0] <= scene.task.opening
    assert row["steps"] == row["iterations"] * RECIPES["ball_toss"].worlds * scene.trial_steps * scene.frame_skip


def test_a_cell_stops_at_its_limit_unsolved():
    row = Cell(scenes.load("reacher"), RECIPES["reacher"], "random").run(60.0, limit=4000)  # at once, as least is 0
    assert not row["solved"] and row["reason"] == "budget of 4,000 steps" and row["steps"] <= 8000


def test_a_killed_board_goes_on_where_it_was(tmp_path, monkeypatch):
    board = Board(tmp_path, scenes.load, ["ball_toss", "reacher"], ["gradient", "random"], seconds=2.0)
    ran, run = [], Cell.run

    def killed(cell, *args):
        ran.append((cell.scene.name, cell.method))
        if len(ran) == 2:
            raise KeyboardInterrupt
        return run(cell, *args)

    monkeypatch.setattr(Cell, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        board.run()
    rows = board.run()
    first, *rest = board.cells()
    assert ran == [first, rest[0], *rest]  # the second one again, the first one not
    assert [(r["task"], r["method"]) for r in rows] == [(t, m) for t in board.tasks for m in board.methods]
    assert board.run() == rows and len(ran) == 5
    table = json.loads((tmp_path / "table.json").read_text())
    assert [r["solved"] for r in table] == [r["solved"] for r in rows]
    assert (tmp_path / "board.png").stat().st_size > 5000
    assert "| ball_toss | gradient | yes |" in (tmp_path / "table.md").read_text()


def test_a_board_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="task 'hoper' .did you mean 'hopper'.*; allowed: .*hopper"):
        Board(tmp_path, scenes.load, ["hoper"])
    with pytest.raises(ValueError, match="method 'magic'; allowed: lqr, ilqr"):
        Board(tmp_path, scenes.load, methods=["magic"])
    with pytest.raises(ValueError, match="budget"):
        Board(tmp_path, scenes.load, seconds=0)
    Board(tmp_path, scenes.load, ["reacher"], ["random"], seconds=0.1).run()
    with pytest.raises(ValueError, match="--out"):
        Board(tmp_path, scenes.load, ["reacher"], ["random"], seconds=0.2).run()


def row(task, method, solved, steps):
    return {"task": task, "method": method, "solved": solved, "steps": steps, "reversed": 0, "wall": 1.0, "cpu": 1.0,
            "start": 1.0, "iterations": 1, "threshold": "still", "measured": [0.0],
            "reason": "" if solved else "budget", "curve": [[1, 0, 2.0], [steps, 0, 1.0]]}  # fmt: skip


def test_the_table_compares_with_the_cheapest_gradient_method():
    rows = [
        row("a", "gradient", True, 100), row("a", "windows", False, 10), row("a", "random", False, 1000),
        row("b", "lqr", True, 200), row("b", "gradient", True, 400), row("b", "random", True, 100),
        row("c", "gradient", False, 100), row("c", "random", True, 100), row("d", "gradient", True, 100),
    ]  # fmt: skip
    assert {task: ratio for task, (*_, ratio) in ratios(rows).items()} == {"a": 10.0, "b": 0.5}
    text = markdown(rows)
    assert "| a | gradient | 100 | 1,000, unsolved | >= 10.0 |" in text
    assert "| b | lqr | 200 | 100 | 0.5 |" in text
    assert "at least 10 times fewer steps on 1 of these 2 tasks" in text
    assert "Random search needs fewer on: b." in text
    assert "* c, gradient: budget" in text and "* a: still" in text


def test_random_search_is_bounded_by_what_the_cheapest_gradient_method_needed(tmp_path, monkeypatch):
    """Random search by ten times its steps, after ten seconds; gradient methods by time alone."""
    board, limits = Board(tmp_path, scenes.load, ["reacher"], seconds=30.0), []

    def ran(cell, seconds, limit, progress, least):
        limits.append((cell.method, seconds, limit, least))
        return row("reacher", cell.method, cell.method == "ilqr", 700)

    monkeypatch.setattr(Cell, "run", ran)
    board.run()
    any_work = [("ilqr", 30.0, np.inf, 10.0), ("gradient", 30.0, np.inf, 10.0)]
    assert limits == [*any_work, ("random", 30.0, 7_000, 10.0)]


def test_without_scipy_there_is_no_lbfgs(tmp_path, monkeypatch):
    board = Board(tmp_path, scenes.load, ["arm_reach"])
    assert ("arm_reach", "lbfgs") in board.cells()
    board.scipy = False
    assert {method for _, method in board.cells()} == {"gradient", "random"}


def test_a_cell_that_fails_says_why_and_does_not_stop_the_board():
    cell = Cell(scenes.load("reacher"), RECIPES["reacher"], "random")

    def fails():
        raise np.linalg.LinAlgError("singular")

    cell.search.iterate = fails
    result = cell.run(10.0)
    assert not result["solved"] and result["reason"] == "LinAlgError: singular" and result["curve"] == []


@pytest.mark.parametrize("task, method, most", [
    pytest.param("pendulum", "ilqr", 60_000, marks=pytest.mark.slow),
    pytest.param("double_pendulum", "ilqr", 400_000, marks=pytest.mark.slow),
    ("cartpole", "lqr", 10_000), ("humanoid", "lqr", 3_000),
])  # fmt: skip
def test_regulators_solve_what_has_to_stand(task, method, most):
    result = Cell(scenes.load(task), RECIPES[task], method).run(120.0)
    assert result["solved"] and result["steps"] + result["reversed"] < most


@pytest.mark.slow
def test_acrobot_swings_up():
    result = Cell(scenes.load("acrobot"), RECIPES["acrobot"], "ilqr").run(170.0)
    assert result["solved"] and result["wall"] < 170.0


def test_a_plan_has_a_cost_only_when_its_run_is_over():
    """The curve of mpc is that of whole trials, so it is no cost that grows with time."""
    scene = scenes.load("walker2d")
    cell = Cell(scene, RECIPES["walker2d"], "mpc")
    search = cell.search
    result = cell.run(0.0)
    assert result["curve"] == [] and result["iterations"] == 1 and not result["solved"]
    search.done_qpos = np.tile(scene.qpos0, (search.steps + 1, 1))
    search.done_qvel, search.done_ctrl = np.zeros((search.steps + 1, 9)), np.zeros((search.steps, 6))
    solved, measured, cost = cell.verdict()
    assert not solved.any() and measured[0, 0] == 0.0  # it stands, for the whole trial
    assert cost == pytest.approx(0.0)


def test_the_plot_takes_searches_without_a_finished_trial(tmp_path):
    """Such as a run of mpc that was stopped, or a search that diverged at once."""
    rows = [row("a", "lqr", True, 100), {**row("a", "mpc", False, 500), "curve": []}, row("b", "random", False, 9)]
    rows[0]["curve"] = [[50, 50, float("inf")]]
    plot_board(tmp_path / "board.png", rows, {"a": ">= 10.0 times"})
    assert (tmp_path / "board.png").stat().st_size > 5000
