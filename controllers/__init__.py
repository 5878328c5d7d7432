"""Controllers that run inside the rollout kernel, and what optimises them. `a + b` adds two of them up."""

from importlib import import_module
from typing import TYPE_CHECKING

from engine.words import meant

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
    "lqr": "riccati", "tvlqr": "riccati", "linearization": "riccati", "ILQR": "ilqr", "MPC": "mpc", "GNMS": "gnms",
    "PlanAndHold": "plan_and_hold",
    "BacktrackingMPC": "backtracking", "Stance": "stance", "walk_plan": "walking",
}  # fmt: skip
__all__ = [
    "CPG", "MLP", "PD", "SGD", "Adam", "Controller", "FeaturePolicy", "LinearFeedback", "OpenLoop", "Own", "Spline",
    "Sum", "Tracking", "load", *_HOME,
]  # fmt: skip

if TYPE_CHECKING:  # what the lazy names are
    from .backtracking import BacktrackingMPC as BacktrackingMPC
    from .gnms import GNMS as GNMS
    from .ilqr import ILQR as ILQR
    from .mpc import MPC as MPC
    from .plan_and_hold import PlanAndHold as PlanAndHold
    from .riccati import linearization as linearization
    from .riccati import lqr as lqr
    from .riccati import tvlqr as tvlqr
    from .stance import Stance as Stance
    from .walking import walk_plan as walk_plan
else:

    def __getattr__(name):
        if name in _HOME:
            return getattr(import_module(f"controllers.{_HOME[name]}"), name)
        near, known = meant(name, __all__), ", ".join(sorted(__all__))
        raise AttributeError(f"module 'controllers' has no attribute {name!r}{near}; it has: {known}")


def __dir__():
    return sorted(__all__)
