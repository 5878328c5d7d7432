"""Objectives: costs of recorded rollouts with their cotangents. They add up and scale: `RunForward(m) + 2 * Effort()`.

An objective is called with a Trajectory and returns `(cost (worlds,), {"qpos": bar, "qvel": bar, ...})`, the bars being
d(sum of costs)/d(output) in the outputs' shapes; `tape.backward(**bars)` takes them as they are.
"""

from engine.objectives.host import HostCost
from engine.objectives.locomotion import Root, RunForward, Stand, Walk, find_root
from engine.objectives.objective import Objective, Scaled, Sum
from engine.objectives.ready import ContactForceLimit, Effort, Energy, Reach, Smoothness, Track

__all__ = [
    "ContactForceLimit", "Effort", "Energy", "HostCost", "Objective", "Reach", "Root", "RunForward", "Scaled",
    "Smoothness", "Stand", "Sum", "TaichiCost", "Track", "Walk", "find_root",
]  # fmt: skip


def __getattr__(name):
    if name == "TaichiCost":  # its module starts Taichi, so that `engine.init` can come first
        from engine.objectives.device import TaichiCost

        return TaichiCost
    raise AttributeError(f"module 'engine.objectives' has no attribute {name!r}; it has: {', '.join(__all__)}")
