"""URDF as it lies in the wild: what is made of a file before MuJoCo reads it, and what MuJoCo passes over."""

from .passed_over import left_out, mimics, robot_of
from .prepare import prepare

__all__ = ["left_out", "mimics", "prepare", "robot_of"]
