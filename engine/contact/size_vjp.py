"""What a contact's witness says about the sizes and the frame of a geom: the end of the chain that witness.py begins.

Nothing in a step asks for it: sizes are constants of the kernels. It takes one side's wrench, force and turn at the
feature's point c, into the geom's frame:

    geom_pos     the force, turned into the frame of the body
    geom_quat    the torque about the geom's centre, R^T (turn + (c - x) x force): the adjoint of a small turn
    geom_size    size_vjp, where c = x + R l and l follows the sizes at a fixed direction, angle, or share of a length
"""

import taichi as ti

from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, SPHERE


@ti.func
def radius_bars(n: vec3, dist_bar: real, p_bar: vec3):
    """Adjoints of r1 and r2 of two features (witness.py)."""
    return 0.5 * n.dot(p_bar) - dist_bar, -0.5 * n.dot(p_bar) - dist_bar


@ti.func
def size_vjp(kind: ti.i32, size: vec3, l: vec3, force: vec3, r: real, r_bar: real):
    """Adjoint of geom_size of a geom of this type, from the force at its feature's point l, both in the geom's frame,
    and from the adjoint of the feature's radius r."""
    bar = vec3(0.0, 0.0, 0.0)
    if kind == SPHERE or kind == CAPSULE:
        bar[0] = r_bar
    if kind == CAPSULE:
        bar[1] = force[2] * l[2] / size[1]
    if kind == CYLINDER:
        # its side has the radius that is its size, points of its rims and caps have none
        bar[0] = (force[0] * l[0] + force[1] * l[1]) / size[0]
        if r > 0:
            bar[0] = r_bar
        bar[1] = force[2] * l[2] / size[1]
    if kind == BOX:
        bar = force * l / size
    if kind == ELLIPSOID:
        # the point where the normal is a given one
        bar = 2.0 * force * l / size - l.dot(force) * l * l / (size * size * size)
    return bar
