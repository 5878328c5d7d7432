"""Every search on a small pendulum, made the same way each time."""

import numpy as np

import engine
import scenes
from controllers import GNMS, ILQR, MPC, SGD, Adam, BacktrackingMPC, PlanAndHold, Spline
from controllers.optimize import (
    CEM,
    LBFGS,
    AlphaOrder,
    Annealed,
    Descent,
    EvolutionStrategy,
    FittedValue,
    Problem,
    RandomSearch,
    Restarts,
    soften,
)
from engine.objectives import Effort, Reach

STEPS, WORLDS, SKIP = 24, 4, 2
SCENE = scenes.load("pendulum")
MODEL = SCENE.model
_tapes = {}


def objective():
    """Swing to one radian and rest there."""
    return Reach(MODEL, [1.0], qpos=[0], terminal=5.0) + 0.1 * Reach(MODEL, [0.0], qvel=[0]) + 0.01 * Effort()


def problem(windows=1, worlds=WORLDS, model=MODEL, **options):
    key = windows, worlds, id(model)
    if key not in _tapes:
        _tapes[key] = engine.Tape(engine.Simulator(model, worlds), STEPS // windows, frame_skip=SKIP)
    start = SCENE.qpos0, SCENE.qvel0
    return Problem(_tapes[key], objective(), Spline(1, 6, 5), start, windows, **options)


def rows(n=6):
    return 0.3 * np.random.default_rng(1).normal(size=(WORLDS, n))


NODES = np.linspace(0.0, 1.0, STEPS + 1)[:, None], np.zeros((STEPS + 1, 1))
SEARCHES = {
    "restarts": lambda: Restarts(problem(), rows(), lr=0.05, exchange=3),
    "windows": lambda: Restarts(problem(2, clip=1.0), rows(), lr=0.05),
    "windows with a value": lambda: Restarts(problem(2, value=FittedValue(MODEL)), rows(), lr=0.05),
    "adam": lambda: Descent(problem(), optimizer=Adam(lr=0.1), clip=10.0),
    "sgd": lambda: Descent(problem(), optimizer=SGD(lr=0.02, momentum=0.5), clip=10.0),
    "l-bfgs": lambda: LBFGS(problem(worlds=1)),
    "alpha": lambda: AlphaOrder(problem(), lr=0.1),
    "evolution": lambda: EvolutionStrategy(problem(), lr=0.1),
    "cem": lambda: CEM(problem()),
    "random": lambda: RandomSearch(problem()),
    "annealed": lambda: Annealed(
        [problem(model=soften(MODEL, f)) for f in (4.0, 1.0)],
        lambda p, x: Descent(p, x, optimizer=Adam(lr=0.1)), each=3,
    ),
    "gnms": lambda: GNMS(MODEL, objective(), STEPS, SKIP, (SCENE.qpos0, SCENE.qvel0), interval=3, nodes=NODES),
    "ilqr": lambda: ILQR(MODEL, objective(), STEPS, SKIP, (SCENE.qpos0, SCENE.qvel0), tolerance=0.0),
    "plan and hold": lambda: PlanAndHold(
        MODEL, [0.1], objective(), 12, STEPS, SKIP, (SCENE.qpos0, SCENE.qvel0), patience=5
    ),
    "mpc": lambda: MPC(MODEL, objective(), 12, STEPS, SKIP, every=3, start=(SCENE.qpos0, SCENE.qvel0)),
    "backtracking": lambda: BacktrackingMPC(
        MODEL, objective(), 12, STEPS, SKIP, every=3, start=(SCENE.qpos0, SCENE.qvel0),
        upright=lambda qpos: np.logical_and.accumulate(qpos[:, :, 0] < 0.05, axis=0),
    ),
}  # fmt: skip
