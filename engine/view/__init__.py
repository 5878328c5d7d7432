"""Pictures of robots and of what was learned about them: with matplotlib alone, and in a browser (extra `view`)."""

from importlib import import_module

from engine.view.animation import save_animation, save_frame, save_strobe
from engine.view.board import plot_board
from engine.view.camera import Camera
from engine.view.curves import phase_pairs, plot_columns, plot_gradient_norms, plot_phase
from engine.view.marks import tie_lines
from engine.view.plots import plot_contact_forces, plot_joints, plot_loss, plot_series
from engine.view.quantities import columns

# Imported when first used: the live page runs simulations, and importing those starts Taichi.
_LAZY = ("live", "play", "save_html")

__all__ = [
    "Camera",
    "columns",
    "live",
    "phase_pairs",
    "play",
    "plot_board",
    "plot_columns",
    "plot_contact_forces",
    "plot_gradient_norms",
    "plot_joints",
    "plot_loss",
    "plot_phase",
    "plot_series",
    "save_animation",
    "save_frame",
    "save_html",
    "save_strobe",
    "tie_lines",
]


def __getattr__(name):
    if name in _LAZY:
        return getattr(import_module("engine.view.browser"), name)
    raise AttributeError(f"module 'engine.view' has no attribute {name!r}; it has: {', '.join(__all__)}")
