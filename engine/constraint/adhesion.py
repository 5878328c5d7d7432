"""Adhesion: actuators that pull a body at all that it touches (MuJoCo documentation, XML reference, "adhesion").

An arm (dynamics/arm.py) of length zero. Its moment along a motion X is minus the mean over the body's contacts of what
brings them apart,
    E(X) = -1/n sum of n_c . (u_2 - u_1),      u: X's velocities of the bodies at contact c, n_c its normal.
Contacts that are found within the gap, and not felt, count, too: they have no law, so no other force.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.constraint.contact import add_wrench, relative_velocity
from engine.contact.collide import contact_place_vjp
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import real, vec3
from engine.model.constants import TRN_BODY


@ti.func
def is_of(m: ti.template(), d: ti.template(), c: ti.i32, u: ti.i32):
    """Whether contact c is one of the body that actuator u pulls."""
    b = m.actuator_trnid[u]
    return d.con_body1[c] == b or d.con_body2[c] == b


@ti.func
def share(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """-1/n of actuator u, or 0 where its body touches nothing."""
    n = 0
    for r in range(d.ncon[w]):
        if is_of(m, d, bounded(w * m.nconmax + r), u):
            n = n + 1
    x = real(0.0)
    if n > 0:
        x = -1.0 / n
    return x


@ti.func
def add_push(m: ti.template(), d: ti.template(), w: ti.i32, row: ti.i32, b: ti.i32, p: vec3, f: vec3):
    """The arm's row gains what a force f on body b at p is along the dofs."""
    t = (p - origin(m, d, w, b)).cross(f)
    k = m.body_lastdof[b]
    while k >= 0:
        x = bounded(w * m.nv + k)
        d.arm_J[row + k] = d.arm_J[row + k] + d.cdof_ang[x].dot(t) + d.cdof_lin[x].dot(f)
        k = m.tree_parent[k]


@serves("adhesion")
@ti.func
def adhesions(m: ti.template(), d: ti.template(), w: ti.i32):
    """arm_length and arm_J of all actuators on bodies; expects the contacts."""
    for s in range(m.narm):
        u = m.arm_actuator[s]
        if m.actuator_trntype[u] == TRN_BODY:
            row = (w * m.narm + s) * m.nv
            d.arm_length[w, s] = 0.0
            for k in range(m.nv):
                d.arm_J[row + k] = 0.0
            a = share(m, d, w, u)
            for r in range(d.ncon[w]):
                c = bounded(w * m.nconmax + r)
                if is_of(m, d, c, u):
                    f = a * d.con_normal[c]
                    add_push(m, d, w, row, d.con_body1[c], d.con_pos[c], -f)
                    add_push(m, d, w, row, d.con_body2[c], d.con_pos[c], f)


@outline("mdg", "w", when="adhesion")
@ti.func
def adhesions_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of their rows, after what else reads them has added to g.arm_z, g.arm_v and g.arm_J_bar; expects the
    motions L and V."""
    for s in range(m.narm):
        u = m.arm_actuator[s]
        if m.actuator_trntype[u] == TRN_BODY:
            a = share(m, d, w, u)
            for r in range(d.ncon[w]):
                c = bounded(w * m.nconmax + r)
                if is_of(m, d, c, u):
                    approach_vjp(m, d, g, w, c, a, s)


@ti.func
def approach_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, a: real, s: ti.i32):
    """The adjoint of a n . (u_2 - u_1) along L, V and single dofs: from its factors, those of arm s, to the motions,
    axes and poses of contact c's bodies."""
    pos = d.con_pos[c]
    n = d.con_normal[c]
    b1 = d.con_body1[c]
    b2 = d.con_body2[c]
    h1 = bounded(w * m.nbody + b1)
    h2 = bounded(w * m.nbody + b2)
    zero = vec3(0.0, 0.0, 0.0)
    p_bar = zero
    n_bar = zero
    for x in ti.static(range(2)):
        factor, ang, lin, ang_bar, lin_bar = ti.static((
            (g.arm_z, d.l_ang, d.l_lin, g.l_ang, g.l_lin), (g.arm_v, d.vel_ang, d.vel_lin, g.vel_ang, g.vel_lin)
        )[x])  # fmt: skip
        G = a * factor[w, s] * n
        u, omega = relative_velocity(m, d, w, ang, lin, b1, b2, pos)
        p_bar = p_bar + G.cross(omega)
        n_bar = n_bar + a * factor[w, s] * u
        add_wrench(ang_bar, lin_bar, h1, pos - origin(m, d, w, b1), -1.0 * G)
        add_wrench(ang_bar, lin_bar, h2, pos - origin(m, d, w, b2), G)
    for x in range(2):
        b = b2 if x else b1
        side = a if x else -a
        r = pos - origin(m, d, w, b)
        k = m.body_lastdof[b]
        while k >= 0:
            e = side * g.arm_J_bar[(w * m.narm + s) * m.nv + k]
            if e != 0:
                h = bounded(w * m.nv + k)
                G = e * n
                g.axis_ang[h] = g.axis_ang[h] + r.cross(G)
                g.axis_lin[h] = g.axis_lin[h] + G
                p_bar = p_bar + G.cross(d.cdof_ang[h])
                n_bar = n_bar + e * (d.cdof_lin[h] + d.cdof_ang[h].cross(r))
            k = m.tree_parent[k]
    contact_place_vjp(m, d, g, w, c, 0.0, p_bar, n_bar, zero, zero)
