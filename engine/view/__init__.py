"""Pictures of robots and of what was learned about them, with matplotlib alone."""

from engine.view.animation import save_animation, save_frame, save_strobe
from engine.view.board import plot_board
from engine.view.camera import Camera
from engine.view.plots import plot_contact_forces, plot_joints, plot_loss, plot_series

__all__ = [
    "Camera",
    "plot_board",
    "plot_contact_forces",
    "plot_joints",
    "plot_loss",
    "plot_series",
    "save_animation",
    "save_frame",
    "save_strobe",
]
