"""Applied forces: qfrc_applied on dofs, xfrc_applied (force at the centre of mass, torque) on bodies."""

import taichi as ti

from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import vec3


@ti.func
def smooth_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_smooth: everything but constraints."""
    nv = m.nv
    for i in range(nv):
        d.qfrc_smooth[w, i] = (
            d.qfrc_passive[w, i]
            - d.qfrc_bias[w, i]
            + d.qfrc_actuator[w, i]
            + d.qfrc_applied[w * nv + i]
        )
    for b in range(1, m.nbody):
        k = bounded(w * m.nbody + b)
        f = d.xfrc_applied[k, 0]
        torque = d.xfrc_applied[k, 1]
        if f.dot(f) + torque.dot(torque) > 0:
            ang = torque + (d.xipos[k] - origin(m, d, w, b)).cross(f)
            i = m.body_lastdof[b]
            while i >= 0:
                s = bounded(w * nv + i)
                d.qfrc_smooth[w, i] = d.qfrc_smooth[w, i] + d.cdof_ang[s].dot(ang) + d.cdof_lin[s].dot(f)
                i = m.tree_parent[i]


@ti.func
def applied_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc - J^T xfrc): of the forces themselves, and of the poses, since the point of attack moves with
    the body and the force stays."""
    nv = m.nv
    for i in range(nv):
        g.qfrc_bar[w * nv + i] = g.qfrc_bar[w * nv + i] - d.z[w, i]
    for b in range(1, m.nbody):
        k = bounded(w * m.nbody + b)
        f = d.xfrc_applied[k, 0]
        torque = d.xfrc_applied[k, 1]
        r = d.xipos[k] - origin(m, d, w, b)
        turn = d.l_ang[k]
        g.xfrc_bar[k, 0] = g.xfrc_bar[k, 0] - d.l_lin[k] - turn.cross(r)
        g.xfrc_bar[k, 1] = g.xfrc_bar[k, 1] - turn
        if f.dot(f) + torque.dot(torque) > 0:
            p_bar = turn.cross(f)
            g.l_ang[k] = g.l_ang[k] - torque - r.cross(f)
            g.l_lin[k] = g.l_lin[k] - f
            g.pose_ang[k] = g.pose_ang[k] + r.cross(p_bar)
            g.pose_lin[k] = g.pose_lin[k] + p_bar
            add_inertia_bars(m, d, g, w, b, p_bar, vec3(0.0, 0.0, 0.0))
