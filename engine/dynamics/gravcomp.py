"""Compensation of gravity: a force -gravcomp m g at a body's centre of mass, g the gravity (MJCF's gravcomp).

    qfrc_gravcomp = sum over bodies of J^T f,    J the Jacobian of the centre of mass
It is a passive force, and on joints with `actuatorgravcomp` part of what actuators exert, where there is any actuator.

Adjoint of -z^T J^T f, dof by dof: columns of J move with the dofs above them, f does not. (The sweep of rnea.py knows
one z for all forces; here dofs count whose joint's limit acts not at all.)
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.joint_force import force_slope
from engine.dynamics.kinematics import origin
from engine.dynamics.taken import take_axis, take_pose
from engine.math.index import bounded
from engine.math.types import real, vec3


@ti.func
def compensation(m: ti.template(), b: ti.i32):
    """Force on body b."""
    return -m.body_gravcomp[b] * m.body_mass[b] * vec3(m.gravity[0], m.gravity[1], m.gravity[2])


@ti.func
def centre_column(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, r: vec3):
    """Column of dof i of J: how fast the point at r from the origin moves with it."""
    s = bounded(w * m.nv + i)
    return d.cdof_lin[s] + d.cdof_ang[s].cross(r)


@ti.func
def share(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """How much of the compensation at dof i reaches it."""
    s = real(1.0)
    if m.jnt_actgravcomp[m.dof_jntid[i]]:
        s = ti.cast(m.nu > 0, real)  # without actuators MuJoCo asks no joint
        if ti.static(has.actfrc):
            s = s * force_slope(m, d, w, i)
    return s


@serves("gravcomp")
@ti.func
def add_gravcomp(m: ti.template(), d: ti.template(), w: ti.i32, passive: ti.i32):
    """qfrc_actuator gains the compensation of joints that have it there and, with `passive`, qfrc_passive the rest."""
    for b in range(1, m.nbody):
        if m.body_gravcomp[b] != 0:
            f = compensation(m, b)
            r = d.xipos[bounded(w * m.nbody + b)] - origin(m, d, w, b)
            i = m.body_lastdof[b]
            while i >= 0:
                x = centre_column(m, d, w, i, r).dot(f)
                if m.jnt_actgravcomp[m.dof_jntid[i]]:
                    d.qfrc_actuator[w, i] = d.qfrc_actuator[w, i] + ti.cast(m.nu > 0, real) * x
                elif passive:
                    d.qfrc_passive[w, i] = d.qfrc_passive[w, i] + x
                i = m.tree_parent[i]


@ti.func
def turned_column(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, j: ti.i32, r: vec3):
    """d J_i / d q_j, of dofs that both move the point at r."""
    turn = d.cdof_ang[bounded(w * m.nv + j)].cross(centre_column(m, d, w, i, r))
    if i < j and m.dof_group[i] != m.dof_group[j]:  # the axis stays, the point moves
        turn = d.cdof_ang[bounded(w * m.nv + i)].cross(centre_column(m, d, w, j, r))
    return turn


@outline("mdg", "w actuated", when="gravcomp")
@ti.func
def gravcomp_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, actuated: ti.i32):
    """Adds z^T d(-qfrc_gravcomp) to the adjoints of q, masses and gravity: of the joints that have it among actuator
    forces, which sensors ask for, or of the others."""
    for b in range(1, m.nbody):
        if m.body_gravcomp[b] != 0:
            f = compensation(m, b)
            r = d.xipos[bounded(w * m.nbody + b)] - origin(m, d, w, b)
            f_bar = vec3(0.0, 0.0, 0.0)
            turn = f_bar  # of the test motion
            i = m.body_lastdof[b]
            while i >= 0:
                z = real(0.0)
                if (m.jnt_actgravcomp[m.dof_jntid[i]] != 0) == (actuated != 0):
                    z = d.z[w, i] * share(m, d, w, i)
                column = centre_column(m, d, w, i, r)
                f_bar = f_bar - z * column
                x = bounded(w * m.nv + i)
                turn = turn + z * d.cdof_ang[x]
                take_axis(m, g, x, -z * r.cross(f), -z * f)
                if ti.static(has.mocap):
                    if m.body_mocapid[m.body_rootid[b]] >= 0:  # the pose of what b hangs on is an input
                        k = bounded(w * m.nbody + m.body_rootid[b])
                        g.pose_ang[k] = g.pose_ang[k] - z * column.cross(f)
                j = m.body_lastdof[b]
                while j >= 0:
                    k = w * m.nv + j
                    g.qpos_bar[k] = g.qpos_bar[k] - z * turned_column(m, d, w, i, j, r).dot(f)
                    j = m.tree_parent[j]
                i = m.tree_parent[i]
            zero = vec3(0.0, 0.0, 0.0)
            take_pose(m, g, w, b, r, turn.cross(f), zero)
            add_inertia_bars(m, d, g, w, b, turn.cross(f), zero)
            gc = m.body_gravcomp[b]
            for c in ti.static(range(3)):
                g.body_mass[w, b] = g.body_mass[w, b] - gc * m.gravity[c] * f_bar[c]
                g.gravity[w, c] = g.gravity[w, c] - gc * m.body_mass[b] * f_bar[c]


@serves("gravcomp")
@ti.func
def gravcomp_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32, width: ti.i32):
    """The rows at lin_rows[o:], `width` numbers each, gain d(-qfrc_gravcomp)/dq."""
    for b in range(1, m.nbody):
        if m.body_gravcomp[b] != 0:
            f = compensation(m, b)
            r = d.xipos[bounded(w * m.nbody + b)] - origin(m, d, w, b)
            i = m.body_lastdof[b]
            while i >= 0:
                s = share(m, d, w, i)
                j = m.body_lastdof[b]
                while j >= 0:
                    x = o + i * width + j
                    l.lin_rows[x] = l.lin_rows[x] - s * turned_column(m, d, w, i, j, r).dot(f)
                    j = m.tree_parent[j]
                i = m.tree_parent[i]
