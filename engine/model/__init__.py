"""Robots as data: the Model, two ways to make one (ModelBuilder, load), and what they raise."""

from .builder import ModelBuilder
from .errors import ModelError, UnsupportedError
from .mjcf import load
from .model import Keyframes, Model, Option
from .report import ImportReport
from .setconst import set_const
from .validate import validate

__all__ = [
    "ImportReport", "Keyframes", "Model", "ModelBuilder", "ModelError", "Option", "UnsupportedError", "load",
    "set_const", "validate",
]  # fmt: skip
