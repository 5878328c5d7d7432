"""Passive forces: joint springs and dampers (MuJoCo documentation, Computation, "Passive forces").

    -(k + k1 x + k2 x^2) x,    -(b + b1 |v| + b2 v^2) v,    x the stretch; of a ball the angle stands for x in brackets
and compensation of gravity (gravcomp.py), which `actuation` adds. k and b are differentiable parameters, the other
coefficients are constants. Where springs are at rest: plastic.py.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.kinematics import read_quat, read_vec
from engine.dynamics.plastic import ball_rest, ball_rest_vjp, spring_rest, spring_rest_vjp
from engine.math.quat import jr_inverse_transpose, quat_log, quat_mul
from engine.math.types import MINVAL, real, vec4
from engine.model.coordinates import QUATERNION


@ti.func
def ball_spring(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, q: ti.i32, ref: ti.i32):
    """Rotation vector from where the spring of joint j is at rest to qpos[q], in the joint's own frame."""
    rest = ball_rest(m, d, w, j, ref)
    return quat_log(quat_mul(vec4(rest[0], -rest[1], -rest[2], -rest[3]), read_quat(d.qpos, q)))


@serves("polynomial")
@ti.func
def nonlinear_spring(m: ti.template(), j: ti.i32, x: real):
    """What joint j's stiffness gains at a stretch x, and the derivative of that."""
    k1 = m.jnt_stiffnesspoly[j, 0]
    k2 = m.jnt_stiffnesspoly[j, 1]
    return (k1 + k2 * x) * x, k1 + 2.0 * k2 * x


@serves("polynomial")
@ti.func
def nonlinear_damping(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """What dof i's damping gains: force over -v, minus the force's derivative, and the derivative of that."""
    v = d.qvel[w * m.nv + i]
    b1 = m.dof_dampingpoly[i, 0]
    b2 = 3.0 * m.dof_dampingpoly[i, 1] * v
    return b1 * ti.abs(v) + b2 * v / 3.0, 2.0 * b1 * ti.abs(v) + b2 * v, 2.0 * b1 * ti.math.sign(v) + 2.0 * b2


@ti.func
def has_spring(m: ti.template(), j: ti.i32):
    r = m.jnt_stiffness[j] != 0
    if ti.static(has.polynomial):
        r = r or m.jnt_stiffnesspoly[j, 0] != 0 or m.jnt_stiffnesspoly[j, 1] != 0
    return r


@ti.func
def passive(m: ti.template(), d: ti.template(), w: ti.i32):
    nq = m.nq
    nv = m.nv
    for i in range(nv):
        d.qfrc_passive[w, i] = -m.dof_damping[i] * d.qvel[w * nv + i]
        if ti.static(has.polynomial):
            b, slope, second = nonlinear_damping(m, d, w, i)
            d.qfrc_passive[w, i] = d.qfrc_passive[w, i] - b * d.qvel[w * nv + i]
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        k = m.jnt_stiffness[joint]
        if has_spring(m, joint):
            q = w * nq + m.coord_qposadr[j]
            ref = m.coord_qposadr[j]
            i = m.coord_dofadr[j]
            if m.coord_kind[j] == QUATERNION:
                if ti.static(has.quaternion):
                    r = ball_spring(m, d, w, joint, q, ref)
                    if ti.static(has.polynomial):
                        more, slope = nonlinear_spring(m, joint, r.norm())
                        k = k + more
                    for c in ti.static(range(3)):
                        d.qfrc_passive[w, i + c] = d.qfrc_passive[w, i + c] - k * r[c]
            else:
                x = d.qpos[q] - spring_rest(m, d, w, joint, ref)
                if ti.static(has.polynomial):
                    more, slope = nonlinear_spring(m, joint, x)
                    k = k + more
                d.qfrc_passive[w, i] = d.qfrc_passive[w, i] - k * x


@ti.func
def passive_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc_passive), but for the compensation of gravity, to the adjoints of q, v, stiffness, damping."""
    nq = m.nq
    nv = m.nv
    for i in range(nv):
        z = d.z[w, i]
        g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + z * m.dof_damping[i]
        if ti.static(has.polynomial):
            b, slope, second = nonlinear_damping(m, d, w, i)
            g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + z * slope
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
                r = ball_spring(m, d, w, joint, q, ref)
                z = read_vec(d.dofr, d.z.at(w, i))
                bar = k * z
                if ti.static(has.polynomial):
                    angle = r.norm()
                    more, slope = nonlinear_spring(m, joint, angle)
                    bar = bar + more * z + slope * z.dot(r) / ti.max(angle, MINVAL) * r
                r_bar = jr_inverse_transpose(r, bar)
                ball_rest_vjp(m, d, g, w, joint, r, bar)
                k_bar = z.dot(r)
                for c in ti.static(range(3)):
                    g.qpos_bar[w * nv + i + c] = g.qpos_bar[w * nv + i + c] + r_bar[c]
        else:
            x = d.qpos[q] - spring_rest(m, d, w, joint, ref)
            k_bar = d.z[w, i] * x
            if ti.static(has.polynomial):
                more, slope = nonlinear_spring(m, joint, x)
                k = k + more + slope * x
            g.qpos_bar[w * nv + i] = g.qpos_bar[w * nv + i] + k * d.z[w, i]
            spring_rest_vjp(m, g, w, joint, k * d.z[w, i])
        g.jnt_stiffness[w, joint] = g.jnt_stiffness[w, joint] + k_bar
