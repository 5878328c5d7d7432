"""What actuators are on: joints, tendons and arms (MuJoCo documentation, "Actuation model").

    l = gear . q,    l' = gear . v,    qfrc_actuator = gear force
Of a tendon l and l' are gear times its length and velocity, and qfrc_actuator is along its row. arm.py has l and the
row of actuators on sites and cranks, and in the axes of joints' parents.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import read_quat
from engine.math.quat import jr_inverse_transpose, quat_log
from engine.math.types import real, vec3
from engine.model.constants import BALL, FREE, TRN_JOINT, TRN_TENDON

TENDON, ARM = 4, 5  # in the place of a joint's type


@ti.func
def gear_axis(m: ti.template(), u: ti.i32):
    """The gear of an actuator on a ball joint, or that of turns between sites."""
    i = 3 * (m.actuator_wrap[u] >> 1)  # OF_SITES
    return vec3(m.actuator_gear[u, i], m.actuator_gear[u, i + 1], m.actuator_gear[u, i + 2])


@ti.func
def transmission(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Type, first coordinate, first dof, number of dofs, length and velocity of actuator u; on a tendon or with an arm
    of its own, its number and the first entry of its row in the place of the second and the third."""
    j = m.actuator_trnid[u]
    if ti.static(has.tendon or has.arm):
        if m.actuator_trntype[u] != TRN_JOINT:
            j = 0
    t = m.jnt_type[j]
    qa = w * m.nq + m.jnt_qposadr[j]
    da = m.jnt_dofadr[j]
    n = 1
    length = real(0.0)
    if t == FREE:
        n = 6
    elif t == BALL:
        n = 3
        if ti.static(has.quaternion):
            r = quat_log(read_quat(d.qpos, qa))
            length = r.dot(gear_axis(m, u))
    else:
        length = m.actuator_gear[u, 0] * d.qpos[qa]
    if ti.static(has.tendon):
        if m.actuator_trntype[u] == TRN_TENDON:
            t = TENDON
            qa = m.actuator_trnid[u]
            da = m.ten_J_rowadr[qa]
            n = m.ten_J_rownnz[qa]
            length = m.actuator_gear[u, 0] * d.ten_length[w, qa]
    if ti.static(has.arm):
        if m.actuator_arm[u] >= 0:
            t = ARM
            qa = m.actuator_arm[u]
            da = (w * m.narm + qa) * m.nv
            n = m.nv
            length = d.arm_length[w, qa]
    velocity = real(0.0)
    for k in range(n):
        i = da + k
        c = m.actuator_gear[u, k]
        if ti.static(has.tendon or has.arm):
            i, c = moment(m, d, w, u, t, da, k)
        velocity = velocity + c * d.qvel[w * m.nv + i]
    return t, qa, da, n, length, velocity


@ti.func
def moment(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, t: ti.i32, da: ti.i32, k: ti.i32):
    """Entry k of d length / d q of actuator u: its dof, and what it is, whatever the actuator is on."""
    i = da + k
    c = real(0.0)
    if t < TENDON:
        c = m.actuator_gear[u, k]
    if ti.static(has.tendon):
        if t == TENDON:
            i = m.ten_J_colind[da + k]
            c = m.actuator_gear[u, 0] * d.ten_J[w, da + k]
    if ti.static(has.arm):
        if t == ARM:
            i = k
            c = d.arm_J[da + k]
    return i, c


@ti.func
def moment_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, t: ti.i32, da: ti.i32,
               k: ti.i32, bar: real):  # fmt: skip
    """From the adjoint of that entry to the gear and to the tendon's row; arms have theirs as a whole (arm.py)."""
    if t < TENDON:
        g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] + bar
    if ti.static(has.tendon):
        if t == TENDON:
            g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + bar * d.ten_J[w, da + k]
            g.ten_J_bar[w, da + k] = g.ten_J_bar[w, da + k] + bar * m.actuator_gear[u, 0]


@ti.func
def drive_velocity_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, t: ti.i32,
                       da: ti.i32, n: ti.i32, bar: real):  # fmt: skip
    """From the adjoint of actuator u's velocity to v, the gear and the tendon's row or arm (of `transmission`)."""
    dofs = n
    if ti.static(has.arm):
        if t == ARM:  # which has the share of v, too
            dofs = 0
            g.arm_v[w, m.actuator_arm[u]] = g.arm_v[w, m.actuator_arm[u]] + bar
    for k in range(dofs):
        i = da + k
        c = m.actuator_gear[u, k]
        if ti.static(has.tendon or has.arm):
            i, c = moment(m, d, w, u, t, da, k)
        iv = w * m.nv + i
        g.qvel_bar[iv] = g.qvel_bar[iv] + bar * c
        if ti.static(has.tendon or has.arm):
            moment_vjp(m, d, g, w, u, t, da, k, bar * d.qvel[iv])
        else:
            g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] + bar * d.qvel[iv]


@ti.func
def drive_length_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, t: ti.i32,
                     qa: ti.i32, da: ti.i32, bar: real):  # fmt: skip
    """From the adjoint of actuator u's length (of a ball without whole turns) to q and the gear. Of a free joint there
    is no length."""
    if t == BALL:
        if ti.static(has.quaternion):
            r = quat_log(read_quat(d.qpos, qa))
            r_bar = jr_inverse_transpose(r, bar * gear_axis(m, u))
            for i in ti.static(range(3)):
                k = w * m.nv + da + i
                g.actuator_gear[w, u, i] = g.actuator_gear[w, u, i] + bar * r[i]
                g.qpos_bar[k] = g.qpos_bar[k] + r_bar[i]
    elif t == TENDON:
        if ti.static(has.tendon):
            g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + bar * d.ten_length[w, qa]
            g.ten_length_bar[w, qa] = g.ten_length_bar[w, qa] + bar * m.actuator_gear[u, 0]
    elif t < TENDON and t != FREE:
        k = w * m.nv + da
        g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + bar * d.qpos[qa]
        g.qpos_bar[k] = g.qpos_bar[k] + bar * m.actuator_gear[u, 0]
    if ti.static(has.arm):
        if t == ARM:
            g.arm_length_bar[w, qa] = g.arm_length_bar[w, qa] + bar
