"""Passive forces: joint springs and dampers (MuJoCo documentation, Computation, "Passive forces")."""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import read_quat, read_vec
from engine.math.quat import jr_inverse_transpose, quat_log, quat_mul
from engine.math.types import real, vec4
from engine.model.coordinates import QUATERNION
from engine.schema import (
    COORD_DOFADR,
    COORD_JNT,
    COORD_KIND,
    COORD_QPOSADR,
    NCO,
    NCOORD,
    NQ,
    NQR,
    NTHETA,
    NV,
    QFRC_PASSIVE,
    T_DAMPING,
    T_STIFFNESS,
    Z,
)  # fmt: skip


@ti.func
def ball_spring(m: ti.template(), d: ti.template(), q: ti.i32, ref: ti.i32):
    """Rotation vector from the rest orientation at qpos_r[ref] to qpos[q], in the joint's own frame."""
    return quat_log(
        quat_mul(
            vec4(m.qpos_r[ref], -m.qpos_r[ref + 1], -m.qpos_r[ref + 2], -m.qpos_r[ref + 3]), read_quat(d.qpos, q)
        )
    )


@ti.func
def passive(m: ti.template(), d: ti.template(), w: ti.i32):
    nq = m.dims[NQ]
    nv = m.dims[NV]
    o = w * nv * NQR + QFRC_PASSIVE * nv
    for i in range(nv):
        d.dofr[o + i] = -m.theta[m.dims[T_DAMPING] + i] * d.qvel[w * nv + i]
    for j in range(m.dims[NCOORD]):
        k = m.theta[m.dims[T_STIFFNESS] + m.coord_i[j * NCO + COORD_JNT]]
        if k != 0:
            q = w * nq + m.coord_i[j * NCO + COORD_QPOSADR]
            ref = nq + m.coord_i[j * NCO + COORD_QPOSADR]
            i = o + m.coord_i[j * NCO + COORD_DOFADR]
            if m.coord_i[j * NCO + COORD_KIND] == QUATERNION:
                if ti.static(has.quaternion):
                    r = ball_spring(m, d, q, ref)
                    for c in ti.static(range(3)):
                        d.dofr[i + c] = d.dofr[i + c] - k * r[c]
            else:
                d.dofr[i] = d.dofr[i] - k * (d.qpos[q] - m.qpos_r[ref])


@ti.func
def passive_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc_passive) to the adjoints of q, v, stiffness and damping."""
    nq = m.dims[NQ]
    nv = m.dims[NV]
    oz = w * nv * NQR + Z * nv
    th = w * m.dims[NTHETA]
    for i in range(nv):
        z = d.dofr[oz + i]
        k = th + m.dims[T_DAMPING] + i
        g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + z * m.theta[m.dims[T_DAMPING] + i]
        g.theta_bar[k] = g.theta_bar[k] + z * d.qvel[w * nv + i]
    for j in range(m.dims[NCOORD]):
        joint = m.coord_i[j * NCO + COORD_JNT]
        k = m.theta[m.dims[T_STIFFNESS] + joint]
        q = w * nq + m.coord_i[j * NCO + COORD_QPOSADR]
        ref = nq + m.coord_i[j * NCO + COORD_QPOSADR]
        i = m.coord_i[j * NCO + COORD_DOFADR]
        k_bar = real(0.0)
        if m.coord_i[j * NCO + COORD_KIND] == QUATERNION:
            if ti.static(has.quaternion):
                r = ball_spring(m, d, q, ref)
                z = read_vec(d.dofr, oz + i)
                r_bar = jr_inverse_transpose(r, k * z)
                k_bar = z.dot(r)
                for c in ti.static(range(3)):
                    g.qpos_bar[w * nv + i + c] = g.qpos_bar[w * nv + i + c] + r_bar[c]
        else:
            k_bar = d.dofr[oz + i] * (d.qpos[q] - m.qpos_r[ref])
            g.qpos_bar[w * nv + i] = g.qpos_bar[w * nv + i] + k * d.dofr[oz + i]
        kt = th + m.dims[T_STIFFNESS] + joint
        g.theta_bar[kt] = g.theta_bar[kt] + k_bar
