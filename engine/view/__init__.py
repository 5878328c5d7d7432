"""Pictures of robots and of what was learned about them: with matplotlib alone, and in a browser (extra `view`)."""

from importlib import import_module
from typing import TYPE_CHECKING

from engine.view.animation import save_animation, save_frame, save_strobe
from engine.view.board import plot_board
from engine.view.camera import Camera
from engine.view.cords import lines_of
from engine.view.curves import phase_pairs, plot_columns, plot_gradient_norms, plot_phase
from engine.view.marks import tie_lines
from engine.view.plots import plot_contact_forces, plot_joints, plot_loss, plot_series
from engine.view.quantities import columns
from engine.words import meant

# Imported when first used: the live page runs simulations, and importing those starts Taichi.
_LAZY = {
    "image": "engine.view.still", **dict.fromkeys(("Page", "live", "play", "save_html", "show"), "engine.view.browser")
}  # fmt: skip

__all__ = [
    "Camera",
    "Page",
    "columns",
    "image",
    "lines_of",
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
    "show",
    "tie_lines",
]

if TYPE_CHECKING:  # what the lazy names are
    from engine.view.browser.html import save_html as save_html
    from engine.view.browser.live import live as live
    from engine.view.browser.notebook import Page as Page
    from engine.view.browser.notebook import show as show
    from engine.view.browser.player import play as play
    from engine.view.still import image as image
else:

    def __getattr__(name):
        if name in _LAZY:
            return getattr(import_module(_LAZY[name]), name)
        near, known = meant(name, __all__), ", ".join(__all__)
        raise AttributeError(f"module 'engine.view' has no attribute {name!r}{near}; it has: {known}")


def __dir__():
    return sorted(__all__)
