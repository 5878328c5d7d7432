"""Pullback: a differentiable rigid-body physics engine. The public names, nothing else; README.md has the tour."""

from importlib import import_module
from typing import TYPE_CHECKING

from engine.compiler.backend import init
from engine.errors import ContactOverflowError, DivergenceError, StaleTapeError
from engine.model import ImportReport, Model, ModelBuilder, ModelError, UnsupportedError, load
from engine.version import __version__
from engine.words import meant

# Names whose modules hold kernels: importing one starts Taichi, so `engine.init` can come first.
_LAZY = {
    "Simulator": "engine.simulator", "Tape": "engine.diff.tape", "gradcheck": "engine.diff.gradcheck",
    "linearize": "engine.diff.linearize", "adjoint": "engine.diff.adjoint", "compare": "engine.comparison",
    "Recording": "engine.recording",
}  # fmt: skip

# Parts that are imported when first used; of these jax, torch and rl need the extra of that name.
_DOORS = (
    "distributed", "identify", "jax", "objectives", "population", "rays", "replay", "residuals", "rl", "torch", "view",
)  # fmt: skip

__all__ = [
    "ContactOverflowError", "DivergenceError", "ImportReport", "Model", "ModelBuilder", "ModelError", "StaleTapeError",
    "UnsupportedError", "__version__", "init", "load", *_LAZY,
]  # fmt: skip

if TYPE_CHECKING:  # what the lazy names are
    from engine import distributed as distributed
    from engine import identify as identify
    from engine import jax as jax
    from engine import objectives as objectives
    from engine import population as population
    from engine import rays as rays
    from engine import replay as replay
    from engine import residuals as residuals
    from engine import rl as rl
    from engine import torch as torch
    from engine import view as view
    from engine.comparison import compare as compare
    from engine.diff.adjoint import adjoint as adjoint
    from engine.diff.gradcheck import gradcheck as gradcheck
    from engine.diff.linearize import linearize as linearize
    from engine.diff.tape import Tape as Tape
    from engine.recording import Recording as Recording
    from engine.simulator import Simulator as Simulator
else:

    def __getattr__(name):
        if name in _LAZY:
            value = getattr(import_module(_LAZY[name]), name)
            globals()[name] = value
            return value
        if name in _DOORS:
            return import_module(f"engine.{name}")
        near, known = meant(name, __dir__()), ", ".join(__dir__())
        raise AttributeError(f"module 'engine' has no attribute {name!r}{near}; it has: {known}")


def __dir__():
    return sorted((*__all__, *_DOORS))
