"""One cell of the board: a task with a method, from fixed seeds, until a world is solved or the budget is spent."""

import time
from types import SimpleNamespace

import numpy as np

from controllers.adam import Adam
from controllers.board.identification import IdentificationProblem
from controllers.board.judge import Judge
from controllers.ilqr import ILQR
from controllers.optimize import LBFGS, Descent, Problem, RandomSearch, Restarts
from controllers.plan_and_hold import PlanAndHold
from engine.errors import ContactOverflowError, DivergenceError

POPULATION = 8  # candidates of the random search in one iteration
FAILURES = (DivergenceError, ContactOverflowError, np.linalg.LinAlgError)  # that end a search, and not the board


class Cell:
    """A task's search by one method; `run` returns a row of the board.

    scene, recipe: what and how. method: one of METHODS.
    """

    def __init__(self, scene, recipe, method, seed=0):
        self.scene, self.recipe, self.method = scene, recipe, method
        self.search, self.verdict = _BUILD[method](scene, recipe, np.random.default_rng(seed), seed)

    def run(self, seconds, limit=np.inf, progress=None, least=0.0):
        """Iterate until solved, for at most so many seconds; returns the row (a dict for JSON).

        limit: of forward and reversed steps together, which holds after `least` seconds. progress: called with
        (iteration, steps, cost, measured) after each iteration. A cell ends with the iteration that goes beyond its
        budget.
        """
        wall, cpu, work = time.perf_counter(), time.process_time(), self.search.problem.counter
        curve, nearest, solved, reason = [], (np.inf, []), False, ""
        while not (solved or reason):
            try:
                row = self.search.iterate()
            except FAILURES as e:
                reason = f"{type(e).__name__}: {e}"
                break
            passed, numbers, cost = self.verdict()
            solved = bool(passed.all() if self.recipe.policy else passed.any())
            cost = row["best"] if cost is None else cost
            if not np.isnan(cost):
                curve.append([work.steps, work.reversed, cost])
            now = _nearest(self.scene.task.goals, numbers, self.recipe.policy)
            nearest = now if solved else min(nearest, now)
            if progress:
                progress(row["iteration"], work.steps + work.reversed, cost, now[1])
            if self.search.finished:
                reason = "the search ended"
            elif work.steps + work.reversed >= limit and time.perf_counter() - wall >= least:
                reason = f"budget of {limit:,.0f} steps"
            elif time.perf_counter() - wall > seconds:
                reason = f"budget of {seconds:g} s"
        return {
            "task": self.scene.name, "method": self.method, "solved": solved,
            "reason": "" if solved else reason, "measured": nearest[1], "iterations": self.search.iteration,
            "steps": work.steps, "reversed": work.reversed,
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


# Builders: (scene, recipe, rng, seed) -> (search, verdict). verdict() -> (solved (worlds,), measured (worlds, goals),
# cost) of the last iteration's trial; cost None: the lowest that the search knows; nan: no trial is over yet.


def _problem(scene, recipe, rng, worlds, windows=1, clip=None):
    """(problem, start rows, verdict) of this many worlds."""
    from engine.diff.tape import Tape
    from engine.simulator import Simulator

    judge = Judge(scene)
    if hasattr(scene.task, "unknowns"):
        tape = Tape(Simulator(scene.model), len(scene.task.ctrl), scene.frame_skip)
        problem = IdentificationProblem(tape, judge, scene, worlds)
        return problem, recipe.sigma * rng.normal(size=(worlds, problem.n)), lambda: (*problem.verdict(), None)
    controller, rows, scale = recipe.make(scene, worlds, rng)
    controller.params = rows
    tape = Tape(Simulator(scene.model, worlds), scene.trial_steps // windows, scene.frame_skip)
    start = scene.start(rng, worlds) if recipe.policy else (scene.qpos0, scene.qvel0)
    problem = Problem(tape, judge, controller, start, windows, clip=clip, scale=scale)
    return problem, rows, lambda: (*judge.verdict(), None)


def _gradient(scene, recipe, rng, seed, windows=1):
    problem, rows, verdict = _problem(scene, recipe, rng, recipe.worlds, windows, recipe.clip)
    if recipe.policy:
        return Descent(problem, rows, optimizer=Adam(recipe.lr), clip=recipe.clip, seed=seed), verdict
    return Restarts(problem, rows, lr=recipe.lr, seed=seed, **recipe.options), verdict


def _windows(scene, recipe, rng, seed):
    return _gradient(scene, recipe, rng, seed, recipe.windows)


def _lbfgs(scene, recipe, rng, seed):
    problem, rows, verdict = _problem(scene, recipe, rng, 1)
    return LBFGS(problem, rows[0], bounds=recipe.bounds, seed=seed), verdict


def _random(scene, recipe, rng, seed):
    problem, rows, verdict = _problem(scene, recipe, rng, recipe.worlds if recipe.policy else POPULATION)
    return RandomSearch(problem, rows, sigma=recipe.sigma, shared=recipe.policy, seed=seed), verdict


def _ilqr(scene, recipe, rng, seed):
    if recipe.hold:
        return _hold(scene, recipe, rng, seed)
    controls = recipe.spark * rng.normal(size=(scene.trial_steps, scene.model.nu))
    start = scene.qpos0, scene.qvel0
    search = ILQR(scene.model, scene.objective(), scene.trial_steps, scene.frame_skip, start, controls)
    return search, lambda: (scene.solved(search.trajectory), scene.task.measure(search.trajectory), None)


def _hold(scene, recipe, rng, seed):
    """A plan, if there are seconds for one, and a regulator; of a policy in as many noisy worlds as its searches."""
    h = recipe.hold
    start = scene.start(rng, recipe.worlds) if recipe.policy else (scene.qpos0, scene.qvel0)
    search = PlanAndHold(scene.model, scene.qpos0 if h.goal is None else h.goal, scene.objective(),
                         round(h.seconds / scene.dt), scene.trial_steps, scene.frame_skip, start, seed=seed,
                         **h.options)  # fmt: skip

    def verdict():
        run = search.trajectory
        if run is None:  # it diverged
            return np.zeros(1, bool), np.full((1, len(scene.task.goals)), np.inf), None
        return scene.solved(run), scene.task.measure(run), None

    return search, verdict


def _mpc(scene, recipe, rng, seed):
    search = recipe.plan.search(scene, seed)
    dt = search.dt

    def verdict():
        """A run that is not over has not been judged: it is not solved, measures nothing and has no cost."""
        if not search.finished:
            return np.zeros(1, bool), np.full((1, len(scene.task.goals)), np.nan), np.nan
        run = SimpleNamespace(qpos=search.done_qpos[:, None], qvel=search.done_qvel[:, None],
                              ctrl=search.done_ctrl[:, None], time=dt * np.arange(len(search.done_qpos)))  # fmt: skip
        return scene.solved(run), scene.task.measure(run), float(scene.objective()(run)[0][0])

    return search, verdict


# in the order in which they run: what costs least first, since it bounds the others; the baseline last
_BUILD = {
    "lqr": _hold, "ilqr": _ilqr, "mpc": _mpc, "lbfgs": _lbfgs, "gradient": _gradient, "windows": _windows,
    "random": _random,
}  # fmt: skip
METHODS = tuple(_BUILD)
