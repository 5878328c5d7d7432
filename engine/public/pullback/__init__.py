"""Pullback: differentiable rigid-body physics of robots. `import pullback as pb` has all public names.

    model = pb.load("robot.xml")
    sim = pb.Simulator(model, worlds=8)
    tape = pb.Tape(sim, steps=100)

These are the names of `engine` and its parts (pb.objectives, pb.replay, pb.view, pb.rl, pb.torch, pb.jax, ...), and
pb.scenes and pb.controllers. What is not needed is not imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING

import engine
from engine.words import meant

_OTHERS = ("controllers", "scenes")

__all__ = [*engine.__all__]

if TYPE_CHECKING:
    import controllers as controllers
    import scenes as scenes
    from engine import ContactOverflowError as ContactOverflowError
    from engine import DivergenceError as DivergenceError
    from engine import ImportReport as ImportReport
    from engine import Model as Model
    from engine import ModelBuilder as ModelBuilder
    from engine import ModelError as ModelError
    from engine import Recording as Recording
    from engine import Simulator as Simulator
    from engine import StaleTapeError as StaleTapeError
    from engine import Tape as Tape
    from engine import UnsupportedError as UnsupportedError
    from engine import __version__ as __version__
    from engine import adjoint as adjoint
    from engine import compare as compare
    from engine import distributed as distributed
    from engine import gradcheck as gradcheck
    from engine import identify as identify
    from engine import init as init
    from engine import jax as jax
    from engine import linearize as linearize
    from engine import load as load
    from engine import objectives as objectives
    from engine import population as population
    from engine import rays as rays
    from engine import replay as replay
    from engine import residuals as residuals
    from engine import rl as rl
    from engine import torch as torch
    from engine import view as view
else:

    def __getattr__(name):
        if name in _OTHERS:
            return import_module(name)
        if name in dir(engine):
            return getattr(engine, name)
        near = meant(name, __dir__())
        raise AttributeError(f"module 'pullback' has no attribute {name!r}{near}; it has: {', '.join(__dir__())}")


def __dir__():
    return sorted((*dir(engine), *_OTHERS))
