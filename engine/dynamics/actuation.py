"""Actuators of joints, tendons and arms: activation, affine gain and bias, force (MuJoCo documentation, "Actuation
model").

    force = gain(l, l') input + bias(l, l'),    qfrc_actuator = gear force,    l = gear . q,  l' = gear . v
A joint may limit the sum of what acts on it, to which some joints' compensation of gravity belongs. Of a tendon l and
l' are gear times its length and velocity, and qfrc_actuator is along its row; it may limit the sum of its actuators'
forces, which are scaled down together before each is clamped.
arm.py has l and the row of actuators on sites and cranks, and in the axes of joints' parents.
A position servo of a ball joint or of turns between sites goes the shorter way round: its input is taken modulo a turn,
2 pi |gear|, near l.
The input is ctrl, or act where the actuator has a state: act' = ctrl (integrator) or (ctrl - act) / tau (filter); of
an actuator that acts early, what act will be after the step. Gain, bias and act' of muscles are in muscle.py, the
states of a pid in pid.py.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.delay import late_controls, past_controls
from engine.dynamics.gravcomp import add_gravcomp
from engine.dynamics.joint_force import clamp_joint_forces, force_slope
from engine.dynamics.kinematics import read_quat
from engine.dynamics.muscle import muscle_rate
from engine.dynamics.pid import integral_force, pid_force_vjp, pid_rates, pid_rates_vjp, setpoint, states_of
from engine.math.quat import jr_inverse_transpose, quat_log
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import (
    BALL,
    BIAS_MUSCLE,
    DYN_FILTER,
    DYN_FILTEREXACT,
    DYN_MUSCLE,
    DYN_PID,
    FREE,
    GAIN_MUSCLE,
    TRN_JOINT,
    TRN_TENDON,
)  # fmt: skip

TENDON, ARM = 4, 5  # in the place of a joint's type


@ti.func
def affine(prm: ti.template(), u: ti.i32, length: real, velocity: real):
    """Gain or bias of actuator u."""
    return prm[u, 0] + prm[u, 1] * length + prm[u, 2] * velocity


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


@ti.func
def clamped_ctrl(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """The control after its range, and the derivative by it (1 inside, 0 at and beyond an end)."""
    c = d.ctrl[w * m.nu + u]
    if ti.static(has.delay):
        if past_controls(m, u) > 0:
            c = d.delay_ctrl[w * m.nu + u]
    slope = real(1.0)
    if m.actuator_ctrllimited[u]:
        lo = m.actuator_ctrlrange[u, 0]
        hi = m.actuator_ctrlrange[u, 1]
        if c < lo or c > hi:
            slope = 0.0
        c = ti.min(ti.max(c, lo), hi)
    return c, slope


@ti.func
def actuator_input(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """What the gain multiplies (ctrl or act), the control's slope, and the state's address or -1."""
    c, slope = clamped_ctrl(m, d, w, u)
    a = -1
    if m.actuator_actadr[u] >= 0:
        a = w * m.na + m.actuator_actadr[u]
        if ti.static(has.pid):
            if m.actuator_dyntype[u] == DYN_PID:
                a = -1
                c, by_c, by_s, first = setpoint(m, d, w, u, c)
                slope = slope * by_c
        if a >= 0:
            c = d.act_input[a]
    return c, slope, a


@ti.func
def act_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """From the adjoint of the input of an actuator with a state to act and ctrl."""
    sa = real(1.0)
    if m.actuator_early[u]:
        x, sa, sd = next_act(m, d, w, u, a, m.timestep)
        act_dot_vjp(m, d, g, w, u, a, bar * sd)
    g.act_bar[a] = g.act_bar[a] + bar * sa


@ti.func
def turns(m: ti.template(), u: ti.i32, x: real, length: real):
    """Whole turns to take from the input x of a position servo of turns, and 2 pi / |gear|; else zero."""
    k = real(0.0)
    rate = real(0.0)
    if ti.static(has.quaternion or has.arm):
        if m.actuator_wrap[u]:
            gear = gear_axis(m, u)
            size = ti.sqrt(gear.dot(gear))
            if size > MINVAL:
                rate = 6.283185307179586 / size
                k = ti.round((x - length) / (rate * size * size))
    return k, rate


@ti.func
def unwound(m: ti.template(), u: ti.i32, x: real, length: real):
    """The input x without whole turns."""
    y = x
    if ti.static(has.quaternion or has.arm):
        k, rate = turns(m, u, x, length)
        gear = gear_axis(m, u)
        y = x - k * rate * gear.dot(gear)
    return y


@ti.func
def clamped_force(m: ti.template(), u: ti.i32, force: real):
    f = force
    slope = real(1.0)
    if m.actuator_forcelimited[u]:
        lo = m.actuator_forcerange[u, 0]
        hi = m.actuator_forcerange[u, 1]
        if force < lo or force > hi:
            slope = 0.0
        f = ti.min(ti.max(force, lo), hi)
    return f, slope


@ti.func
def raw_force(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, given: real, length: real, velocity: real):
    """Force of actuator u before any limit, its input without whole turns, and its gain."""
    x = unwound(m, u, given, length)
    gain = affine(m.actuator_gainprm, u, length, velocity)
    bias = affine(m.actuator_biasprm, u, length, velocity)
    if ti.static(has.muscle):
        if m.actuator_gaintype[u] == GAIN_MUSCLE:
            gain = d.muscle_gain[w * m.nu + u]
        if m.actuator_biastype[u] == BIAS_MUSCLE:
            bias = d.muscle_bias[w * m.nu + u]
    if ti.static(has.pid):
        if m.actuator_dyntype[u] == DYN_PID:
            bias = bias + integral_force(m, d, w, u)
    return gain * x + bias, x, gain


@serves("tendon_actfrc")
@ti.func
def sum_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    """ten_actfrc: the sum of forces on each tendon before any limit, which `actuation` reads."""
    for t in range(m.ntendon):
        d.ten_actfrc[w, t] = 0.0
    for u in range(m.nu):
        if m.actuator_trntype[u] == TRN_TENDON:
            t, tendon, da, n, length, velocity = transmission(m, d, w, u)
            given, slope, a = actuator_input(m, d, w, u)
            force, x, gain = raw_force(m, d, w, u, given, length, velocity)
            d.ten_actfrc[w, tendon] = d.ten_actfrc[w, tendon] + force


@ti.func
def tendon_scale(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """How much of actuator u's force its tendon lets through, and what its derivative by the sum of all is."""
    s = real(1.0)
    slope = real(0.0)
    if m.actuator_trntype[u] == TRN_TENDON:
        t = m.actuator_trnid[u]
        total = d.ten_actfrc[w, t]
        end = ti.min(ti.max(total, m.tendon_actfrcrange[t, 0]), m.tendon_actfrcrange[t, 1])
        if m.tendon_actfrclimited[t] and end != total and total != 0:
            s = end / total
            slope = -s / total
    return s, slope


@serves("activation")
@ti.func
def act_rates(m: ti.template(), d: ti.template(), w: ti.i32):
    """act_dot of all actuators with a state, and what it is as an input; the controls that delayed ones act on."""
    late_controls(m, d, w)
    for u in range(m.nu):
        if m.actuator_actadr[u] >= 0:
            a = w * m.na + m.actuator_actadr[u]
            c, s = clamped_ctrl(m, d, w, u)
            d.act_dot[a] = c
            if m.actuator_dyntype[u] == DYN_FILTER or m.actuator_dyntype[u] == DYN_FILTEREXACT:
                d.act_dot[a] = (c - d.act[a]) / ti.max(MINVAL, m.actuator_tau[u])
            if ti.static(has.muscle):
                if m.actuator_dyntype[u] == DYN_MUSCLE:
                    rate, by_ctrl, by_act = muscle_rate(m, u, c, d.act[a])
                    d.act_dot[a] = rate
                    d.muscle_by_ctrl[w * m.nu + u] = by_ctrl
                    d.muscle_by_act[w * m.nu + u] = by_act
            if ti.static(has.pid):
                if m.actuator_dyntype[u] == DYN_PID:
                    pids(m, d, w, u, c)
            d.act_input[a] = d.act[a]
            if m.actuator_early[u]:
                x, sa, sd = next_act(m, d, w, u, a, m.timestep)
                d.act_input[a] = x


@ti.func
def actuation(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """What actuators exert, on top of passive forces; without `forces` for what reads qfrc_actuator alone. Expects
    `act_rates`."""
    for i in range(m.nv):
        d.qfrc_actuator[w, i] = 0.0
    if ti.static(has.tendon_actfrc):
        for t in range(m.ntendon):
            d.ten_actsum[w, t] = 0.0
    for u in range(m.nu):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        given, slope, a = actuator_input(m, d, w, u)
        force, x, gain = raw_force(m, d, w, u, given, length, velocity)
        if ti.static(has.tendon_actfrc):
            scale, by_sum = tendon_scale(m, d, w, u)
            force = scale * force
        f, s = clamped_force(m, u, force)
        d.actuator_force[w * m.nu + u] = f
        if ti.static(has.tendon_actfrc):
            if t == TENDON:
                d.ten_actsum[w, qa] = d.ten_actsum[w, qa] + f
        for k in range(n):
            i = da + k
            c = m.actuator_gear[u, k]
            if ti.static(has.tendon or has.arm):
                i, c = moment(m, d, w, u, t, da, k)
            d.qfrc_actuator[w, i] = d.qfrc_actuator[w, i] + c * f
    add_gravcomp(m, d, w, forces)
    clamp_joint_forces(m, d, w)


@serves("tendon_actfrc")
@ti.func
def sum_forces_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """ten_actfrc_bar: the adjoint of the sum of forces on each tendon, which `actuation_vjp` reads."""
    for t in range(m.ntendon):
        g.ten_actfrc_bar[w, t] = 0.0
    for u in range(m.nu):
        scale, by_sum = tendon_scale(m, d, w, u)
        if by_sum != 0:
            t, tendon, da, n, length, velocity = transmission(m, d, w, u)
            given, slope, a = actuator_input(m, d, w, u)
            force, x, gain = raw_force(m, d, w, u, given, length, velocity)
            f, fs = clamped_force(m, u, scale * force)
            f_bar = g.force_bar[w * m.nu + u]
            for k in range(n):
                i, c = moment(m, d, w, u, t, da, k)
                z = d.z[w, i]
                if ti.static(has.actfrc):
                    z = z * force_slope(m, d, w, i)
                f_bar = f_bar - z * c
            g.ten_actfrc_bar[w, tendon] = g.ten_actfrc_bar[w, tendon] + f_bar * fs * by_sum * force


@ti.func
def actuation_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc_actuator) and what sensors of the force ask (g.force_bar) to q, v, act, ctrl and parameters."""
    for u in range(m.nu):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        given, slope, a = actuator_input(m, d, w, u)
        whole, rate = turns(m, u, given, length)
        force, x, gain = raw_force(m, d, w, u, given, length, velocity)
        f, fs = clamped_force(m, u, force)
        if ti.static(has.tendon_actfrc):
            scale, by_sum = tendon_scale(m, d, w, u)
            f, fs = clamped_force(m, u, scale * force)
        f_bar = g.force_bar[w * m.nu + u]
        for k in range(n):
            i = da + k
            c = m.actuator_gear[u, k]
            if ti.static(has.tendon or has.arm):
                i, c = moment(m, d, w, u, t, da, k)
            z = d.z[w, i]
            if ti.static(has.actfrc):
                z = z * force_slope(m, d, w, i)
            f_bar = f_bar - z * c
            if ti.static(has.tendon or has.arm):
                moment_vjp(m, d, g, w, u, t, da, k, -z * f)
            else:
                g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] - z * f
        if ti.static(has.arm):
            if t == ARM:
                g.arm_z[w, qa] = g.arm_z[w, qa] - f
        f_bar = f_bar * fs
        if ti.static(has.tendon_actfrc):
            scale, by_sum = tendon_scale(m, d, w, u)
            f_bar = f_bar * scale
            if by_sum != 0:
                f_bar = f_bar + g.ten_actfrc_bar[w, qa]
        if a < 0:
            g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + f_bar * gain * slope
        if ti.static(has.activation):
            if a >= 0:
                act_vjp(m, d, g, w, u, a, f_bar * gain)
        if ti.static(has.pid):
            pid_vjp(m, d, g, w, u, f_bar * gain, f_bar)
        b_bar = f_bar  # of an affine bias
        if ti.static(has.muscle):
            if m.actuator_gaintype[u] == GAIN_MUSCLE:
                g.muscle_gain_bar[w * m.nu + u] = g.muscle_gain_bar[w * m.nu + u] + f_bar * x
                x = 0.0
            if m.actuator_biastype[u] == BIAS_MUSCLE:
                g.muscle_bias_bar[w * m.nu + u] = g.muscle_bias_bar[w * m.nu + u] + f_bar
                b_bar = 0.0
        g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + f_bar * x
        g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + f_bar * x * length
        g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + f_bar * x * velocity
        g.actuator_biasprm[w, u, 0] = g.actuator_biasprm[w, u, 0] + b_bar
        g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] + b_bar * length
        g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + b_bar * velocity
        l_bar = f_bar * (m.actuator_gainprm[u, 1] * x + m.actuator_biasprm[u, 1])
        v_bar = f_bar * (m.actuator_gainprm[u, 2] * x + m.actuator_biasprm[u, 2])
        if ti.static(has.muscle):
            if m.actuator_biastype[u] == BIAS_MUSCLE:
                l_bar = f_bar * m.actuator_gainprm[u, 1] * x
                v_bar = f_bar * m.actuator_gainprm[u, 2] * x
        drive_velocity_vjp(m, d, g, w, u, t, da, n, v_bar)
        drive_length_vjp(m, d, g, w, u, t, qa, da, l_bar)
        if ti.static(has.quaternion or has.arm):
            first = 3 * (m.actuator_wrap[u] >> 1)  # OF_SITES
            if m.actuator_wrap[u]:
                for i in range(first, first + 3):
                    # a whole turn is 2 pi |gear|
                    turn_bar = f_bar * gain * whole * rate * m.actuator_gear[u, i]
                    g.actuator_gear[w, u, i] = g.actuator_gear[w, u, i] - turn_bar


@ti.func
def next_act(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, h: real):
    """act after a step of length h, and its derivatives by act and by act_dot."""
    scale = h
    if m.actuator_dyntype[u] == DYN_FILTEREXACT:
        tau = ti.max(MINVAL, m.actuator_tau[u])
        scale = tau * (1.0 - ti.exp(-h / tau))
    x = d.act[a] + scale * d.act_dot[a]
    slope = real(1.0)
    if m.actuator_actlimited[u]:
        lo = m.actuator_actrange[u, 0]
        hi = m.actuator_actrange[u, 1]
        if x < lo or x > hi:
            slope = 0.0
        x = ti.min(ti.max(x, lo), hi)
    return x, slope, slope * scale


@serves("pid")
@ti.func
def pid_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, x_bar: real, f_bar: real):
    """From the adjoints of the input and the force of actuator u to its states, where it is a pid."""
    c, slope = clamped_ctrl(m, d, w, u)
    pid_force_vjp(m, d, g, w, u, c, x_bar, f_bar)


@serves("pid")
@ti.func
def pids(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, c: real):
    """act_dot of the states of a pid."""
    t, qa, da, n, length, velocity = transmission(m, d, w, u)
    pid_rates(m, d, w, u, c, length)


@serves("pid")
@ti.func
def pids_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints of act_dot that `act_dot_vjp` was asked about to states, controls and lengths of pids."""
    for u in range(m.nu):
        if m.actuator_dyntype[u] == DYN_PID:
            c, slope = clamped_ctrl(m, d, w, u)
            t, qa, da, n, length, velocity = transmission(m, d, w, u)
            total = real(0.0)
            first = w * m.na + m.actuator_actadr[u]
            for a in range(first, first + states_of(m, u)):
                c_bar, length_bar = pid_rates_vjp(m, d, g, w, u, a, c, length, g.pid_bar[a])
                g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + c_bar * slope
                total = total + length_bar
            drive_length_vjp(m, d, g, w, u, t, qa, da, total)


@serves("activation")
@ti.func
def act_dot_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """Adds bar * d(act_dot) to the adjoints of act and ctrl."""
    c, slope = clamped_ctrl(m, d, w, u)
    rate = bar
    if ti.static(has.pid):
        if m.actuator_dyntype[u] == DYN_PID:
            g.pid_bar[a] = bar  # for `pids_vjp`
            rate = 0.0
    if m.actuator_dyntype[u] == DYN_FILTER or m.actuator_dyntype[u] == DYN_FILTEREXACT:
        rate = bar / ti.max(MINVAL, m.actuator_tau[u])
        g.act_bar[a] = g.act_bar[a] - rate
    if ti.static(has.muscle):
        if m.actuator_dyntype[u] == DYN_MUSCLE:
            rate = bar * d.muscle_by_ctrl[w * m.nu + u]
            g.act_bar[a] = g.act_bar[a] + bar * d.muscle_by_act[w * m.nu + u]
    g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + rate * slope
