"""Searches for a controller's parameters, all with one protocol: `iterate()`, `state()`, `load_state()`.

    problem = Problem(tape, objective, controller, (qpos0, qvel0), windows=10, clip=3.0)
    method = Restarts(problem, rows)
    run(method, "runs/mine", Stop(iterations=50))          # checkpoints; started again, it goes on where it stopped
"""

from importlib import import_module

from engine.words import meant

_HOME = {
    "Problem": "problem", "Counter": "problem", "Method": "method", "Restarts": "gradient", "Descent": "gradient",
    "RandomSearch": "population", "CEM": "population", "EvolutionStrategy": "population", "AlphaOrder": "alpha_order",
    "LBFGS": "lbfgs", "Annealed": "anneal", "soften": "anneal", "FittedValue": "value", "Stop": "folder",
    "Folder": "folder", "run": "folder", "clip_rows": "clip", "clip_global": "clip",
}  # fmt: skip
__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"controllers.optimize.{_HOME[name]}"), name)
    near, known = meant(name, __all__), ", ".join(__all__)
    raise AttributeError(f"module 'controllers.optimize' has no attribute {name!r}{near}; it has: {known}")


def __dir__():
    return sorted(__all__)
