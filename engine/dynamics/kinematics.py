"""Forward kinematics: positions, orientations, motion subspaces and inertias of all bodies, in world axes.

Spatial vectors of a tree refer to the position of its root body (`origin`), taken as a fixed point of the world frame
at this instant. Every scalar that the engine differentiates is independent of that choice, so the adjoint holds it.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.math.index import bounded
from engine.math.quat import quat_bar, quat_mul, quat_normalize, quat_to_mat, rotate, rotate_back
from engine.math.spatial import rotated_inertia
from engine.math.trig import sin_cos
from engine.math.types import vec3, vec4
from engine.model.constants import BALL, FREE, HINGE, SLIDE


@ti.func
def read_quat(a: ti.template(), i: ti.i32):
    return quat_normalize(vec4(a[i], a[i + 1], a[i + 2], a[i + 3]))


@ti.func
def read_vec(a: ti.template(), i: ti.i32):
    return vec3(a[i], a[i + 1], a[i + 2])


@ti.func
def origin(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """The point about which the spatial vectors of body b are taken."""
    return d.xpos[bounded(w * m.nbody + m.body_rootid[b])]


@ti.func
def half_angles(m: ti.template(), d: ti.template(), w: ti.i32):
    """SIN and COS of half of every hinge's angle, ahead of the bodies: there each would wait for them."""
    for j in range(m.njnt):
        if m.jnt_type[j] == HINGE:
            q = m.jnt_qposadr[j]
            i = m.jnt_dofadr[j]
            sine, cosine = sin_cos(0.5 * (d.qpos[w * m.nq + q] - m.qpos0[q]))
            d.sin[w, i] = sine
            d.cos[w, i] = cosine


@ti.func
def joint_transform(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, pos: vec3, quat: vec4):
    """Move the frame (pos, quat) through joint j; returns the frame after it and the joint's anchor and axis."""
    qa = bounded(w * m.nq + m.jnt_qposadr[j])
    t = m.jnt_type[j]
    p = pos
    q = quat
    axis = vec3(0.0, 0.0, 0.0)
    anchor = pos
    off = m.jnt_off[j]
    if off:
        anchor = pos + rotate(quat, m.jnt_pos[j])
    if t == FREE:
        if ti.static(has.quaternion):
            p = read_vec(d.qpos, qa)
            q = read_quat(d.qpos, qa + 3)
            anchor = p
    else:
        x = d.qpos[qa] - m.qpos0[m.jnt_qposadr[j]]
        if t != BALL:
            axis = rotate(quat, m.jnt_axis[j])
        if t == SLIDE:
            p = pos + x * axis
        else:
            if t == HINGE:
                i = m.jnt_dofadr[j]
                sine = d.sin[w, i] * m.jnt_axis[j]
                q = quat_mul(quat, vec4(d.cos[w, i], sine[0], sine[1], sine[2]))
            else:
                if ti.static(has.quaternion):
                    q = quat_mul(quat, read_quat(d.qpos, qa))
            if off:
                p = anchor - rotate(q, m.jnt_pos[j])
    return p, q, anchor, axis


@ti.func
def write_axes(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, quat: vec4, anchor: vec3, axis: vec3):
    """Motion subspace of joint j; the linear part of a rotation holds the anchor until `finish_axis`."""
    s = bounded(w * m.nv + m.jnt_dofadr[j])
    t = m.jnt_type[j]
    zero = vec3(0.0, 0.0, 0.0)
    if t == SLIDE:
        d.cdof_ang[s] = zero
        d.cdof_lin[s] = axis
    elif t == HINGE:
        d.cdof_ang[s] = axis
        d.cdof_lin[s] = anchor
    else:
        if ti.static(has.quaternion):
            if t == FREE:
                for k in ti.static(range(3)):
                    d.cdof_ang[s + k] = zero
                    e = zero
                    e[k] = 1.0
                    d.cdof_lin[s + k] = e
                s = s + 3
            R = quat_to_mat(quat)
            for k in ti.static(range(3)):
                d.cdof_ang[s + k] = vec3(R[0, k], R[1, k], R[2, k])
                d.cdof_lin[s + k] = anchor


@ti.func
def finish_axis(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, c: vec3):
    """S of dof i, of a rotation with the linear velocity at the origin c in the anchor's place."""
    s = bounded(w * m.nv + i)
    ang = d.cdof_ang[s]
    lin = d.cdof_lin[s]
    if m.dof_turns[i]:
        lin = (lin - c).cross(ang)
        d.cdof_lin[s] = lin
    return ang, lin


@ti.func
def place_world(d: ti.template(), ob: ti.i32):
    """The world body, at number ob."""
    d.xpos[ob] = vec3(0.0, 0.0, 0.0)
    d.xipos[ob] = vec3(0.0, 0.0, 0.0)
    d.xquat[ob] = vec4(1.0, 0.0, 0.0, 0.0)


@ti.func
def place(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """Body b's pose from its parent's, and its joints' axes, not finished. Returns the origin, the centre of mass seen
    from there, and the inertia about it."""
    ob = w * m.nbody
    o = bounded(ob + b)
    parent = bounded(ob + m.body_parentid[b])
    quat = d.xquat[parent]
    pos = d.xpos[parent] + rotate(quat, m.body_pos[b])
    if m.body_turned[b]:
        quat = quat_mul(quat, m.body_quat[b])
    j0 = m.body_jntadr[b]
    if ti.static(has.mocap):
        i = m.body_mocapid[b]
        if i >= 0:
            pos = d.mocap_pos[w, i]
            quat = quat_normalize(d.mocap_quat[w, i])
    for k in range(j0, j0 + m.body_jntnum[b]):
        j = bounded(k)
        pos, quat, anchor, axis = joint_transform(m, d, w, j, pos, quat)
        write_axes(m, d, w, j, quat, anchor, axis)
    d.xpos[o] = pos
    d.xquat[o] = quat
    com = pos + rotate(quat, m.body_ipos[b])
    d.xipos[o] = com
    if m.body_iturned[b]:
        quat = quat_mul(quat, m.body_iquat[b])
    idiag, ioff = rotated_inertia(quat, vec3(m.body_inertia[b, 0], m.body_inertia[b, 1], m.body_inertia[b, 2]))
    c = origin(m, d, w, b)
    return c, com - c, idiag, ioff


@serves("body_leaf")
@ti.func
def place_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, ang: vec3, lin: vec3):
    """From the pose adjoint (ang, lin) of body b with its joints and all that hangs on it to its frame in its parent,
    if anybody asks. A free joint or a pose that is an input leave nothing of that frame."""
    if m.nbodyleaf > 0:
        free = m.body_mocapid[b] >= 0
        if m.body_jntnum[b] > 0:
            free = free or m.jnt_type[m.body_jntadr[b]] == FREE
        if not free:
            parent = bounded(w * m.nbody + m.body_parentid[b])
            quat = d.xquat[parent]
            if m.at_body_pos >= 0:
                x = rotate_back(quat, lin)
                for k in ti.static(range(3)):
                    g.body_pos[w, b, k] = g.body_pos[w, b, k] + x[k]
            if m.at_body_quat >= 0:
                arm = d.xpos[parent] + rotate(quat, m.body_pos[b]) - origin(m, d, w, b)
                t = rotate_back(quat_mul(quat, m.body_quat[b]), ang - arm.cross(lin))
                i = m.at_body_quat + 4 * b
                y = quat_bar(vec4(m.theta[i], m.theta[i + 1], m.theta[i + 2], m.theta[i + 3]), t)
                for k in ti.static(range(4)):
                    g.body_quat[w, b, k] = g.body_quat[w, b, k] + y[k]


@serves("joint_leaf")
@ti.func
def joint_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, j: ti.i32, ang: vec3,
              lin: vec3, axis_ang: vec3, axis_lin: vec3, across: vec3):  # fmt: skip
    """From the pose adjoint (ang, lin) of all that moves with joint j of body b, without its own axes, to its place and
    axis, if anybody asks. axis_ang, axis_lin: the adjoint of its axis; across: the sum of S_ang x S_lin_bar.

    A place that moves by x moves what is behind the joint by (R - R') x, R and R' the axes before and after it, and
    S_lin by (R x) x S_ang. An axis that turns by t turns what is behind by (R - R') t about the anchor.
    """
    t = m.jnt_type[j]
    if m.njointleaf > 0 and t != FREE:
        parent = bounded(w * m.nbody + m.body_parentid[b])
        after = d.xquat[parent]
        p = d.xpos[parent] + rotate(after, m.body_pos[b])
        if m.body_turned[b]:
            after = quat_mul(after, m.body_quat[b])
        quat = after
        arm = p
        for k in range(m.body_jntadr[b], j + 1):
            quat = after
            p, after, anchor, axis = joint_transform(m, d, w, k, p, quat)
            arm = anchor - origin(m, d, w, b)
        if m.at_jnt_pos >= 0 and t != SLIDE:
            x = rotate_back(quat, lin + across) - rotate_back(after, lin)
            for k in ti.static(range(3)):
                g.jnt_pos[w, j, k] = g.jnt_pos[w, j, k] + x[k]
        if m.at_jnt_axis >= 0 and t != BALL:
            bar = vec3(0.0, 0.0, 0.0)
            a = m.jnt_axis[j]
            if t == SLIDE:
                q = m.jnt_qposadr[j]
                bar = rotate_back(quat, (d.qpos[w * m.nq + q] - m.qpos0[q]) * lin + axis_lin)
            else:
                turn = ang - arm.cross(lin)
                bar = (rotate_back(quat, turn) - rotate_back(after, turn)).cross(a)
                bar = bar + rotate_back(quat, axis_ang + axis_lin.cross(arm))
            i = m.at_jnt_axis + 3 * j  # of any length: the axis is of length one
            bar = (bar - a.dot(bar) * a) / vec3(m.theta[i], m.theta[i + 1], m.theta[i + 2]).norm()
            for k in ti.static(range(3)):
                g.jnt_axis[w, j, k] = g.jnt_axis[w, j, k] + bar[k]


@serves("mocap")
@ti.func
def mocap_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the pose adjoints of mocap bodies, which hold those of all that hangs on them, to those of the inputs: of a
    place in the world and of a turn about the body's own axes."""
    for b in range(1, m.nbody):
        i = m.body_mocapid[b]
        if i >= 0:
            h = bounded(w * m.nbody + b)
            k = bounded(w * m.nmocap + i)
            g.mocap_place_bar[k] = g.mocap_place_bar[k] + g.pose_lin[h]
            g.mocap_turn_bar[k] = g.mocap_turn_bar[k] + rotate_back(d.xquat[h], g.pose_ang[h])
