"""Robots as data: the Model, two ways to make one (ModelBuilder, load), and what they raise."""

from .builder import ModelBuilder
from .derived import set_const
from .elements.key import Keyframes
from .elements.option import Option
from .errors import ModelError, UnsupportedError
from .mjcf import load
from .model import Model, require_model
from .report import ImportReport
from .validate import validate

__all__ = [
    "ImportReport", "Keyframes", "Model", "ModelBuilder", "ModelError", "Option", "UnsupportedError", "load",
    "require_model", "set_const", "validate",
]  # fmt: skip
