"""One cell of the board: a task with a method, from fixed seeds, until a world is solved or the budget is spent."""

import time
from types import SimpleNamespace

import numpy as np

from controllers.adam import Adam
from controllers.board.identification import IdentificationProblem
from controllers.board.judge import Judge
from controllers.board.random_search import RandomSearch
from controllers.ilqr import ILQR
from controllers.optimize import Descent, Problem, Restarts
from engine.errors import DivergenceError

POPULATION = 8  # candidates of the random search in one iteration


class Cell:
    """A task's search by one method; `run` returns a row of the board.

    scene, recipe: what and how. method: one of METHODS.
    """

    def __init__(self, scene, recipe, method, seed=0):
        self.scene, self.recipe, self.method = scene, recipe, method
        self.search, self.verdict = _BUILD[method](scene, recipe, np.random.default_rng(seed), seed)

    def run(self, seconds, limit=np.inf, progress=None):
        """Iterate for at most so many seconds and physics steps; returns the row (a dict that JSON can hold).

        progress: called with (iteration, steps, cost, measured) after each iteration.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        curve, nearest, solved, reason = [], (np.inf, []), False, "budget"
        while not solved:
            try:
                row = self.search.iterate()
            except DivergenceError as e:
                reason = str(e)
                break
            passed, numbers = self.verdict()
            solved = bool(passed.all() if self.recipe.policy else passed.any())
            curve.append([row["steps"], row["reversed"], row["best"]])
            now = _nearest(self.scene.task.goals, numbers, self.recipe.policy)
            nearest = now if solved else min(nearest, now)
            if progress:
                progress(row["iteration"], row["steps"] + row["reversed"], row["best"], now[1])
            if self.search.finished:
                reason = "the search ended"
                break
            if time.perf_counter() - wall > seconds or row["steps"] + row["reversed"] > limit:
                break
        return {
            "task": self.scene.name, "method": self.method, "solved": solved,
            "reason": "" if solved else reason, "measured": nearest[1], "iterations": self.search.iteration,
            "steps": curve[-1][0] if curve else 0, "reversed": curve[-1][1] if curve else 0,
            "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "curve": curve,
        }  # fmt: skip


def _nearest(goals, numbers, worst):
    """(miss, numbers) of the world that misses its goals by least (with `worst`: by most), in units of the goals."""
    low, high = np.array([g.low for g in goals]), np.array([g.high for g in goals])
    size = np.maximum(np.where(np.isfinite(low), np.abs(low), 0), np.where(np.isfinite(high), np.abs(high), 0)) + 1e-12
    short = np.maximum(np.maximum(low - numbers, numbers - high), 0) / size
    miss = np.nan_to_num(short, nan=1e9, posinf=1e9).sum(axis=-1)
    world = int(np.argmax(miss) if worst else np.argmin(miss))
    return float(miss[world]), [float(x) for x in numbers[world]]


def _problem(scene, recipe, rng, worlds, windows, clip):
    """(problem, start rows, verdict) of this many worlds."""
    from engine.diff.tape import Tape
    from engine.simulator import Simulator

    judge = Judge(scene)
    if hasattr(scene.task, "unknowns"):
        tape = Tape(Simulator(scene.model), len(scene.task.ctrl), scene.frame_skip)
        problem = IdentificationProblem(tape, judge, scene, worlds)
        return problem, recipe.sigma * rng.normal(size=(worlds, problem.n)), problem.verdict
    controller, rows, scale = recipe.make(scene, worlds, rng)
    controller.params = rows
    tape = Tape(Simulator(scene.model, worlds), scene.trial_steps // windows, scene.frame_skip)
    start = scene.start(rng, worlds) if recipe.policy else (scene.qpos0, scene.qvel0)
    problem = Problem(tape, judge, controller, start, windows, clip=clip, scale=scale)
    return problem, rows, judge.verdict


def _gradient(scene, recipe, rng, seed, windows=1):
    problem, rows, verdict = _problem(scene, recipe, rng, recipe.worlds, windows, recipe.clip)
    if recipe.policy:
        return Descent(problem, rows, optimizer=Adam(recipe.lr), clip=recipe.clip, seed=seed), verdict
    return Restarts(problem, rows, lr=recipe.lr, seed=seed, **recipe.options), verdict


def _windows(scene, recipe, rng, seed):
    return _gradient(scene, recipe, rng, seed, recipe.windows)


def _random(scene, recipe, rng, seed):
    worlds = recipe.worlds if recipe.policy else POPULATION
    problem, rows, verdict = _problem(scene, recipe, rng, worlds, 1, None)
    return RandomSearch(problem, rows, sigma=recipe.sigma, policy=recipe.policy, seed=seed), verdict


def _ilqr(scene, recipe, rng, seed):
    controls = recipe.spark * rng.normal(size=(scene.trial_steps, scene.model.nu))
    start = scene.qpos0, scene.qvel0
    search = ILQR(scene.model, scene.objective(), scene.trial_steps, scene.frame_skip, start, controls)

    def verdict():
        return scene.solved(search.trajectory), scene.task.measure(search.trajectory)

    return search, verdict


def _mpc(scene, recipe, rng, seed):
    search = recipe.plan.search(scene, seed)
    dt = search.dt

    def verdict():
        """A run that is not over has not been judged: it is not solved, and measures nothing."""
        if not search.finished:
            return np.zeros(1, bool), np.full((1, len(scene.task.goals)), np.nan)
        run = SimpleNamespace(qpos=search.done_qpos[:, None], qvel=search.done_qvel[:, None],
                              time=dt * np.arange(len(search.done_qpos)))  # fmt: skip
        return scene.solved(run), scene.task.measure(run)

    return search, verdict


_BUILD = {"gradient": _gradient, "windows": _windows, "ilqr": _ilqr, "mpc": _mpc, "random": _random}
METHODS = tuple(_BUILD)
