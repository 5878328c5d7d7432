"""Rays without a step: `sim.rays(...)`, and depth cameras on sites, `engine.rays.Depth`, with gradients to poses, sizes
and the camera.

`casting.py`: the kernels; `caster.py`: shapes of a simulator at a state, and back to coordinates; `depth.py`: cameras.
"""

from .depth import Depth, Gradients, Image, Rays, rays

__all__ = ["Depth", "Gradients", "Image", "Rays", "rays"]
