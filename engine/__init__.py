"""Pullback: a differentiable rigid-body physics engine. The public names, nothing else; README.md has the tour."""

from importlib import import_module

from engine.compiler.backend import init
from engine.errors import ContactOverflowError, DivergenceError, StaleTapeError
from engine.model import ImportReport, Model, ModelBuilder, ModelError, UnsupportedError, load

# Names whose modules hold kernels: importing one starts Taichi, so `engine.init` can come first.
_LAZY = {
    "Simulator": "engine.simulator", "Tape": "engine.diff.tape", "gradcheck": "engine.diff.gradcheck",
    "linearize": "engine.diff.linearize", "adjoint": "engine.diff.adjoint", "Recording": "engine.recording",
}  # fmt: skip

# Doors to other ecosystems, each behind an extra of that name.
_DOORS = ("jax", "torch")

__all__ = [
    "ContactOverflowError", "DivergenceError", "ImportReport", "Model", "ModelBuilder", "ModelError", "StaleTapeError",
    "UnsupportedError", "init", "load", *_LAZY,
]  # fmt: skip


def __getattr__(name):
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    if name in _DOORS:
        return import_module(f"engine.{name}")
    raise AttributeError(f"module 'engine' has no attribute {name!r}; it has: {', '.join(__all__)}")


def __dir__():
    return sorted(__all__)
