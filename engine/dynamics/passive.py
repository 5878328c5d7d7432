"""Passive forces: joint springs and dampers (MuJoCo documentation, Computation, "Passive forces")."""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import read_quat, read_vec
from engine.math.quat import jr_inverse_transpose, quat_log, quat_mul
from engine.math.types import real, vec4
from engine.model.coordinates import QUATERNION


@ti.func
def ball_spring(m: ti.template(), d: ti.template(), q: ti.i32, ref: ti.i32):
    """Rotation vector from the rest orientation at qpos_spring[ref] to qpos[q], in the joint's own frame."""
    rest = read_quat(m.qpos_spring, ref)
    return quat_log(quat_mul(vec4(rest[0], -rest[1], -rest[2], -rest[3]), read_quat(d.qpos, q)))


@ti.func
def passive(m: ti.template(), d: ti.template(), w: ti.i32):
    nq = m.nq
    nv = m.nv
    for i in range(nv):
        d.qfrc_passive[w, i] = -m.dof_damping[i] * d.qvel[w * nv + i]
    for j in range(m.ncoord):
        k = m.jnt_stiffness[m.coord_jntid[j]]
        if k != 0:
            q = w * nq + m.coord_qposadr[j]
            ref = m.coord_qposadr[j]
            i = m.coord_dofadr[j]
            if m.coord_kind[j] == QUATERNION:
                if ti.static(has.quaternion):
                    r = ball_spring(m, d, q, ref)
                    for c in ti.static(range(3)):
                        d.qfrc_passive[w, i + c] = d.qfrc_passive[w, i + c] - k * r[c]
            else:
                d.qfrc_passive[w, i] = d.qfrc_passive[w, i] - k * (d.qpos[q] - m.qpos_spring[ref])


@ti.func
def passive_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc_passive) to the adjoints of q, v, stiffness and damping."""
    nq = m.nq
    nv = m.nv
    for i in range(nv):
        z = d.z[w, i]
        g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + z * m.dof_damping[i]
        g.dof_damping[w, i] = g.dof_damping[w, i] + z * d.qvel[w * nv + i]
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        k = m.jnt_stiffness[joint]
        q = w * nq + m.coord_qposadr[j]
        ref = m.coord_qposadr[j]
        i = m.coord_dofadr[j]
        k_bar = real(0.0)
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                r = ball_spring(m, d, q, ref)
                z = read_vec(d.dofr, d.z.at(w, i))
                r_bar = jr_inverse_transpose(r, k * z)
                k_bar = z.dot(r)
                for c in ti.static(range(3)):
                    g.qpos_bar[w * nv + i + c] = g.qpos_bar[w * nv + i + c] + r_bar[c]
        else:
            k_bar = d.z[w, i] * (d.qpos[q] - m.qpos_spring[ref])
            g.qpos_bar[w * nv + i] = g.qpos_bar[w * nv + i] + k * d.z[w, i]
        g.jnt_stiffness[w, joint] = g.jnt_stiffness[w, joint] + k_bar
