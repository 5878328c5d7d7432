"""Identification: a robot's unknown numbers from its logs, with intervals, and in words what the logs do not tell.

    fit = identify.fit(model, identify.read("log.csv"), ["dof_armature:*", "dof_damping:*", "delay:*"])
    print(fit)

IDENTIFY.md has the tour. Importing this needs neither Taichi nor what reads other kinds of logs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from engine.identify.logs import Channel, Log, read
from engine.words import meant

_LAZY = {
    "Unknown": "parameters", "Fit": "fitting", "Problem": "fitting", "fit": "fitting", "solved": "fitting",
    "Posterior": "posterior", "Normal": "priors", "LogNormal": "priors", "Uniform": "priors", "Draws": "draws",
    "Sampler": "draws", "Laplace": "laplace", "Suggestion": "design", "suggest": "design", "compare": "differs",
    "LogComparison": "differs",
}  # fmt: skip

__all__ = ["Channel", "Log", "read", *_LAZY]

if TYPE_CHECKING:
    from engine.identify.design import Suggestion as Suggestion
    from engine.identify.design import suggest as suggest
    from engine.identify.differs import LogComparison as LogComparison
    from engine.identify.differs import compare as compare
    from engine.identify.draws import Draws as Draws
    from engine.identify.draws import Sampler as Sampler
    from engine.identify.fitting import Fit as Fit
    from engine.identify.fitting import Problem as Problem
    from engine.identify.fitting import fit as fit
    from engine.identify.fitting import solved as solved
    from engine.identify.laplace import Laplace as Laplace
    from engine.identify.parameters import Unknown as Unknown
    from engine.identify.posterior import Posterior as Posterior
    from engine.identify.priors import LogNormal as LogNormal
    from engine.identify.priors import Normal as Normal
    from engine.identify.priors import Uniform as Uniform
else:

    def __getattr__(name):
        if name in _LAZY:
            value = getattr(import_module(f"engine.identify.{_LAZY[name]}"), name)
            globals()[name] = value
            return value
        near = meant(name, __dir__())
        raise AttributeError(
            f"module 'engine.identify' has no attribute {name!r}{near}; it has: {', '.join(__dir__())}"
        )


def __dir__():
    return sorted(__all__)
