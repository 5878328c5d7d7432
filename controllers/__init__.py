"""Controllers that run inside the rollout kernel, and what optimises them. `a + b` adds two of them up."""

from .adam import Adam
from .add import Sum
from .controller import Controller, load
from .cpg import CPG
from .mlp import MLP
from .open_loop import OpenLoop
from .pd import PD, Tracking
from .spline import Spline

__all__ = ["CPG", "MLP", "PD", "Adam", "Controller", "OpenLoop", "Spline", "Sum", "Tracking", "load"]
