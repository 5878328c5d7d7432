"""Controllers that run inside the rollout kernel, and what optimises them. `a + b` adds two of them up."""

from importlib import import_module

from .adam import Adam
from .add import Sum
from .controller import Controller, load
from .cpg import CPG
from .linear_feedback import LinearFeedback
from .mlp import MLP, FeaturePolicy
from .open_loop import OpenLoop
from .own import Own
from .pd import PD, Tracking
from .sgd import SGD
from .spline import Spline

_HOME = {  # modules that start Taichi
    "lqr": "riccati", "tvlqr": "riccati", "linearization": "riccati", "ILQR": "ilqr", "MPC": "mpc",
    "PlanAndHold": "plan_and_hold",
    "BacktrackingMPC": "backtracking", "Stance": "stance", "walk_plan": "walking",
}  # fmt: skip
__all__ = [
    "CPG", "MLP", "PD", "SGD", "Adam", "Controller", "FeaturePolicy", "LinearFeedback", "OpenLoop", "Own", "Spline",
    "Sum", "Tracking", "load", *_HOME,
]  # fmt: skip


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"controllers.{_HOME[name]}"), name)
    raise AttributeError(f"module 'controllers' has no attribute {name!r}; it has: {', '.join(sorted(__all__))}")
