"""What goes down a chain to q by itself (path.py, gravcomp.py, free_body.py), and what it asks of the frames of bodies
and joints on the way, where a simulator is asked for these.

The sweep of rnea.py knows one test motion for all bodies; a tendon's row has one of its own, that of its entries alone,
compensation of gravity one without the joints whose limit acts, and the slope of a lone free body's bias moves as a
whole with the body. They leave here the adjoints of poses and of axes
that they have taken to q already, and `tree_leaves_vjp` makes the same sums of them, for `joint_vjp` and `place_vjp`.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.dynamics.kinematics import joint_vjp, place_vjp
from engine.math.index import bounded
from engine.math.spatial import cross_force
from engine.math.types import vec3


@serves("tree_leaf")
@ti.func
def clear_taken(m: ti.template(), g: ti.template(), w: ti.i32):
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(m.ntaken):
        h = bounded(w * m.ntaken + b)
        g.taken_ang[h] = zero
        g.taken_lin[h] = zero
    if m.ntaken > 0:
        for i in range(m.nv):
            s = bounded(w * m.nv + i)
            g.taken_axis_ang[s] = zero
            g.taken_axis_lin[s] = zero


@serves("tree_leaf")
@ti.func
def take_pose(m: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, r: vec3, f: vec3, torque: vec3):
    """A force at r, from the origin, and a torque in the adjoint of body b's pose."""
    if m.ntaken > 0:
        h = bounded(w * m.ntaken + b)
        g.taken_ang[h] = g.taken_ang[h] + torque + r.cross(f)
        g.taken_lin[h] = g.taken_lin[h] + f


@serves("tree_leaf")
@ti.func
def take_axis(m: ti.template(), g: ti.template(), s: ti.i32, ang: vec3, lin: vec3):
    """The adjoint of the axis of a dof, number s of all."""
    if m.ntaken > 0:
        g.taken_axis_ang[s] = g.taken_axis_ang[s] + ang
        g.taken_axis_lin[s] = g.taken_axis_lin[s] + lin


@outline("mdg", "w", when="tree_leaf")
@ti.func
def tree_leaves_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Tip to base, as `rnea_vjp`: from these to the frames of bodies and joints."""
    zero = vec3(0.0, 0.0, 0.0)
    for kb in range(1, m.ntaken):
        b = m.ntaken - kb
        h = bounded(w * m.ntaken + b)
        xa = g.taken_ang[h]
        xl = g.taken_lin[h]
        j0 = m.body_dofadr[b]
        j = j0 + m.body_dofnum[b] - 1
        while j >= j0:
            first = m.dof_group[j]
            ya, yl = xa, xl
            axis_ang, axis_lin, across = zero, zero, zero
            for k in range(first, j + 1):
                s = bounded(w * m.nv + k)
                sa = d.cdof_ang[s]
                ba = g.taken_axis_ang[s]
                bl = g.taken_axis_lin[s]
                axis_ang = axis_ang + ba
                axis_lin = axis_lin + bl
                across = across + sa.cross(bl)
                # translations of a free joint are fixed to the world, as in rnea_vjp
                if first == j or sa.dot(sa) > 0:
                    za, zl = cross_force(sa, d.cdof_lin[s], ba, bl)
                    xa = xa + za
                    xl = xl + zl
            joint_vjp(m, d, g, w, b, m.dof_jntid[j], ya, yl, axis_ang, axis_lin, across)
            j = first - 1
        place_vjp(m, d, g, w, b, xa, xl)
        if b != m.body_rootid[b]:
            p = bounded(w * m.ntaken + m.body_parentid[b])
            g.taken_ang[p] = g.taken_ang[p] + xa
            g.taken_lin[p] = g.taken_lin[p] + xl
