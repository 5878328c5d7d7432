"""Applied forces: qfrc_applied on dofs, xfrc_applied (force at the centre of mass, torque) on bodies."""

import taichi as ti

from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.schema import (
    B_LASTDOF,
    D_PARENT,
    L_ANG,
    L_LIN,
    LB_ANG,
    LB_LIN,
    NBAR,
    NBI,
    NBODY,
    NDI,
    NQR,
    NSV_DOF,
    NV,
    NXV,
    QFRC_ACTUATOR,
    QFRC_BIAS,
    QFRC_PASSIVE,
    QFRC_SMOOTH,
    S_ANG,
    S_LIN,
    X_IPOS,
    XB_ANG,
    XB_LIN,
    Z,
)  # fmt: skip


@ti.func
def smooth_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    """QFRC_SMOOTH: everything but constraints."""
    nv = m.dims[NV]
    o = w * nv * NQR
    for i in range(nv):
        d.dofr[o + QFRC_SMOOTH * nv + i] = (
            d.dofr[o + QFRC_PASSIVE * nv + i]
            - d.dofr[o + QFRC_BIAS * nv + i]
            + d.dofr[o + QFRC_ACTUATOR * nv + i]
            + d.qfrc_applied[w * nv + i]
        )
    for b in range(1, m.dims[NBODY]):
        k = bounded(w * m.dims[NBODY] + b)
        f = d.xfrc_applied[2 * k]
        torque = d.xfrc_applied[2 * k + 1]
        if f.dot(f) + torque.dot(torque) > 0:
            ang = torque + (d.body[k * NXV + X_IPOS] - origin(m, d, w, b)).cross(f)
            i = m.body_i[b * NBI + B_LASTDOF]
            while i >= 0:
                s = bounded(w * nv + i) * NSV_DOF
                e = o + QFRC_SMOOTH * nv + i
                d.dofr[e] = d.dofr[e] + d.dof[s + S_ANG].dot(ang) + d.dof[s + S_LIN].dot(f)
                i = m.dof_i[i * NDI + D_PARENT]


@ti.func
def applied_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc - J^T xfrc): of the forces themselves, and of the poses, since the point of attack moves with
    the body and the force stays."""
    nv = m.dims[NV]
    for i in range(nv):
        g.qfrc_bar[w * nv + i] = g.qfrc_bar[w * nv + i] - d.dofr[w * nv * NQR + Z * nv + i]
    for b in range(1, m.dims[NBODY]):
        k = bounded(w * m.dims[NBODY] + b)
        f = d.xfrc_applied[2 * k]
        torque = d.xfrc_applied[2 * k + 1]
        r = d.body[k * NXV + X_IPOS] - origin(m, d, w, b)
        turn = d.body[k * NXV + L_ANG]
        g.xfrc_bar[2 * k] = g.xfrc_bar[2 * k] - d.body[k * NXV + L_LIN] - turn.cross(r)
        g.xfrc_bar[2 * k + 1] = g.xfrc_bar[2 * k + 1] - turn
        if f.dot(f) + torque.dot(torque) > 0:
            h = k * NBAR
            p_bar = turn.cross(f)
            g.body_bar[h + LB_ANG] = g.body_bar[h + LB_ANG] - torque - r.cross(f)
            g.body_bar[h + LB_LIN] = g.body_bar[h + LB_LIN] - f
            g.body_bar[h + XB_ANG] = g.body_bar[h + XB_ANG] + r.cross(p_bar)
            g.body_bar[h + XB_LIN] = g.body_bar[h + XB_LIN] + p_bar
