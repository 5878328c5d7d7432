"""Forward kinematics: positions, orientations, motion subspaces and inertias of all bodies, in world axes.

Spatial vectors of a tree refer to the position of its root body (`origin`), taken as a fixed point of the world frame
at this instant. Every scalar that the engine differentiates is independent of that choice, so the adjoint holds it.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.index import bounded
from engine.math.quat import quat_mul, quat_normalize, quat_to_mat, rotate
from engine.math.spatial import rotated_inertia
from engine.math.trig import sin_cos
from engine.math.types import vec3, vec4
from engine.model.constants import BALL, FREE, HINGE, SLIDE
from engine.schema import (
    B_IPOS,
    B_IQUAT,
    B_ITURNED,
    B_JNTADR,
    B_JNTNUM,
    B_PARENT,
    B_POS,
    B_QUAT,
    B_ROOT,
    B_TURNED,
    COS,
    D_TURNS,
    J_AXIS,
    J_DOFADR,
    J_OFF,
    J_POS,
    J_QPOSADR,
    J_TYPE,
    NBI,
    NBODY,
    NBQ,
    NBV,
    NDI,
    NJI,
    NJNT,
    NJV,
    NQ,
    NQR,
    NSV_DOF,
    NV,
    NXV,
    S_ANG,
    S_LIN,
    SIN,
    T_INERTIA,
    X_IPOS,
    X_POS,
)  # fmt: skip


@ti.func
def read_quat(a: ti.template(), i: ti.i32):
    return quat_normalize(vec4(a[i], a[i + 1], a[i + 2], a[i + 3]))


@ti.func
def read_vec(a: ti.template(), i: ti.i32):
    return vec3(a[i], a[i + 1], a[i + 2])


@ti.func
def origin(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """The point about which the spatial vectors of body b are taken."""
    return d.body[bounded(w * m.dims[NBODY] + m.body_i[b * NBI + B_ROOT]) * NXV + X_POS]


@ti.func
def half_angles(m: ti.template(), d: ti.template(), w: ti.i32):
    """SIN and COS of half of every hinge's angle, ahead of the bodies: there each would wait for them."""
    nv = m.dims[NV]
    for j in range(m.dims[NJNT]):
        if m.jnt_i[j * NJI + J_TYPE] == HINGE:
            q = m.jnt_i[j * NJI + J_QPOSADR]
            i = w * nv * NQR + m.jnt_i[j * NJI + J_DOFADR]
            sine, cosine = sin_cos(0.5 * (d.qpos[w * m.dims[NQ] + q] - m.qpos_r[q]))
            d.dofr[i + SIN * nv] = sine
            d.dofr[i + COS * nv] = cosine


@ti.func
def joint_transform(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, pos: vec3, quat: vec4):
    """Move the frame (pos, quat) through joint j; returns the frame after it and the joint's anchor and axis."""
    qa = bounded(w * m.dims[NQ] + m.jnt_i[j * NJI + J_QPOSADR])
    t = m.jnt_i[j * NJI + J_TYPE]
    p = pos
    q = quat
    axis = vec3(0.0, 0.0, 0.0)
    anchor = pos
    off = m.jnt_i[j * NJI + J_OFF]
    if off:
        anchor = pos + rotate(quat, m.jnt_v[j * NJV + J_POS])
    if t == FREE:
        if ti.static(has.quaternion):
            p = read_vec(d.qpos, qa)
            q = read_quat(d.qpos, qa + 3)
            anchor = p
    else:
        x = d.qpos[qa] - m.qpos_r[m.jnt_i[j * NJI + J_QPOSADR]]
        if t != BALL:
            axis = rotate(quat, m.jnt_v[j * NJV + J_AXIS])
        if t == SLIDE:
            p = pos + x * axis
        else:
            if t == HINGE:
                i = w * m.dims[NV] * NQR + m.jnt_i[j * NJI + J_DOFADR]
                sine = d.dofr[i + SIN * m.dims[NV]] * m.jnt_v[j * NJV + J_AXIS]
                q = quat_mul(quat, vec4(d.dofr[i + COS * m.dims[NV]], sine[0], sine[1], sine[2]))
            else:
                if ti.static(has.quaternion):
                    q = quat_mul(quat, read_quat(d.qpos, qa))
            if off:
                p = anchor - rotate(q, m.jnt_v[j * NJV + J_POS])
    return p, q, anchor, axis


@ti.func
def write_axes(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, quat: vec4, anchor: vec3, axis: vec3):
    """Motion subspace of joint j; the linear part of a rotation holds the anchor until `finish_axis`."""
    s = bounded(w * m.dims[NV] + m.jnt_i[j * NJI + J_DOFADR]) * NSV_DOF
    t = m.jnt_i[j * NJI + J_TYPE]
    zero = vec3(0.0, 0.0, 0.0)
    if t == SLIDE:
        d.dof[s + S_ANG] = zero
        d.dof[s + S_LIN] = axis
    elif t == HINGE:
        d.dof[s + S_ANG] = axis
        d.dof[s + S_LIN] = anchor
    else:
        if ti.static(has.quaternion):
            if t == FREE:
                for k in ti.static(range(3)):
                    d.dof[s + k * NSV_DOF + S_ANG] = zero
                    e = zero
                    e[k] = 1.0
                    d.dof[s + k * NSV_DOF + S_LIN] = e
                s = s + 3 * NSV_DOF
            R = quat_to_mat(quat)
            for k in ti.static(range(3)):
                d.dof[s + k * NSV_DOF + S_ANG] = vec3(R[0, k], R[1, k], R[2, k])
                d.dof[s + k * NSV_DOF + S_LIN] = anchor


@ti.func
def finish_axis(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, c: vec3):
    """S of dof i, of a rotation with the linear velocity at the origin c in the anchor's place."""
    s = bounded(w * m.dims[NV] + i) * NSV_DOF
    ang = d.dof[s + S_ANG]
    lin = d.dof[s + S_LIN]
    if m.dof_i[i * NDI + D_TURNS]:
        lin = (lin - c).cross(ang)
        d.dof[s + S_LIN] = lin
    return ang, lin


@ti.func
def place_world(d: ti.template(), ob: ti.i32):
    """The world body, at number ob."""
    d.body[ob * NXV + X_POS] = vec3(0.0, 0.0, 0.0)
    d.body[ob * NXV + X_IPOS] = vec3(0.0, 0.0, 0.0)
    d.xquat[ob] = vec4(1.0, 0.0, 0.0, 0.0)


@ti.func
def place(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """Body b's pose from its parent's, and its joints' axes, not finished. Returns the origin, the centre of mass seen
    from there, and the inertia about it."""
    ob = w * m.dims[NBODY]
    o = bounded(ob + b)
    parent = bounded(ob + m.body_i[b * NBI + B_PARENT])
    quat = d.xquat[parent]
    pos = d.body[parent * NXV + X_POS] + rotate(quat, m.body_v[b * NBV + B_POS])
    if m.body_i[b * NBI + B_TURNED]:
        quat = quat_mul(quat, m.body_q[b * NBQ + B_QUAT])
    j0 = m.body_i[b * NBI + B_JNTADR]
    for k in range(j0, j0 + m.body_i[b * NBI + B_JNTNUM]):
        j = bounded(k)
        pos, quat, anchor, axis = joint_transform(m, d, w, j, pos, quat)
        write_axes(m, d, w, j, quat, anchor, axis)
    d.body[o * NXV + X_POS] = pos
    d.xquat[o] = quat
    com = pos + rotate(quat, m.body_v[b * NBV + B_IPOS])
    d.body[o * NXV + X_IPOS] = com
    if m.body_i[b * NBI + B_ITURNED]:
        quat = quat_mul(quat, m.body_q[b * NBQ + B_IQUAT])
    i = m.dims[T_INERTIA] + 3 * b
    idiag, ioff = rotated_inertia(quat, vec3(m.theta[i], m.theta[i + 1], m.theta[i + 2]))
    c = origin(m, d, w, b)
    return c, com - c, idiag, ioff
