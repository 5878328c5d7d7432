"""Actuators on joints: activation dynamics, affine gain and bias, force (MuJoCo documentation, "Actuation model").

    force = gain(l, l') input + bias(l, l'),    qfrc_actuator = gear force,    l = gear . q,  l' = gear . v
A joint may limit the sum of what acts on it, to which some joints' compensation of gravity belongs.
A position servo of a ball joint goes the shorter way round: its input is taken modulo a turn, 2 pi |gear|, near l.
The input is ctrl, or act where the actuator has a state: act' = ctrl (integrator) or (ctrl - act) / tau (filter).
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.gravcomp import add_gravcomp
from engine.dynamics.joint_force import clamp_joint_forces, force_slope
from engine.dynamics.kinematics import read_quat
from engine.math.quat import jr_inverse_transpose, quat_log
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import BALL, DYN_FILTER, DYN_FILTEREXACT, DYN_INTEGRATOR, FREE


@ti.func
def affine(prm: ti.template(), u: ti.i32, length: real, velocity: real):
    """Gain or bias of actuator u."""
    return prm[u, 0] + prm[u, 1] * length + prm[u, 2] * velocity


@ti.func
def gear_axis(m: ti.template(), u: ti.i32):
    """The gear of an actuator on a ball joint."""
    return vec3(m.actuator_gear[u, 0], m.actuator_gear[u, 1], m.actuator_gear[u, 2])


@ti.func
def transmission(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Type, first coordinate, first dof, number of dofs, length and velocity of actuator u."""
    j = m.actuator_trnid[u]
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
    velocity = real(0.0)
    for k in range(n):
        velocity = velocity + m.actuator_gear[u, k] * d.qvel[w * m.nv + da + k]
    return t, qa, da, n, length, velocity


@ti.func
def clamped_ctrl(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """The control after its range, and the derivative by it (1 inside, 0 at and beyond an end)."""
    c = d.ctrl[w * m.nu + u]
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
        c = d.act[a]
    return c, slope, a


@ti.func
def turns(m: ti.template(), u: ti.i32, x: real, length: real):
    """Whole turns to take from the input x of a position servo on a ball joint, and 2 pi / |gear|; else zero."""
    k = real(0.0)
    rate = real(0.0)
    if ti.static(has.quaternion):
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
    if ti.static(has.quaternion):
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


@serves("activation")
@ti.func
def act_rates(m: ti.template(), d: ti.template(), w: ti.i32):
    """act_dot of all actuators with a state."""
    for u in range(m.nu):
        if m.actuator_actadr[u] >= 0:
            x, slope, a = actuator_input(m, d, w, u)
            c, s = clamped_ctrl(m, d, w, u)
            d.act_dot[a] = c
            if m.actuator_dyntype[u] != DYN_INTEGRATOR:
                d.act_dot[a] = (c - x) / ti.max(MINVAL, m.actuator_tau[u])


@ti.func
def actuation(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """What actuators exert, on top of passive forces; without `forces` for what reads qfrc_actuator alone."""
    act_rates(m, d, w)
    for i in range(m.nv):
        d.qfrc_actuator[w, i] = 0.0
    for u in range(m.nu):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        x, slope, a = actuator_input(m, d, w, u)
        x = unwound(m, u, x, length)
        gain = affine(m.actuator_gainprm, u, length, velocity)
        force = gain * x + affine(m.actuator_biasprm, u, length, velocity)
        f, s = clamped_force(m, u, force)
        d.actuator_force[w * m.nu + u] = f
        for i in range(da, da + n):
            d.qfrc_actuator[w, i] = d.qfrc_actuator[w, i] + m.actuator_gear[u, i - da] * f
    add_gravcomp(m, d, w, forces)
    clamp_joint_forces(m, d, w)


@ti.func
def actuation_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc_actuator) and what sensors of the force ask (g.force_bar) to q, v, act, ctrl and parameters."""
    nv = m.nv
    for u in range(m.nu):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        x, slope, a = actuator_input(m, d, w, u)
        whole, rate = turns(m, u, x, length)
        x = unwound(m, u, x, length)
        gain = affine(m.actuator_gainprm, u, length, velocity)
        force = gain * x + affine(m.actuator_biasprm, u, length, velocity)
        f, fs = clamped_force(m, u, force)
        f_bar = g.force_bar[w * m.nu + u]
        for i in range(n):
            z = d.z[w, da + i]
            if ti.static(has.actfrc):
                z = z * force_slope(m, d, w, da + i)
            f_bar = f_bar - z * m.actuator_gear[u, i]
            g.actuator_gear[w, u, i] = g.actuator_gear[w, u, i] - z * f
        f_bar = f_bar * fs
        if a >= 0:
            g.act_bar[a] = g.act_bar[a] + f_bar * gain
        else:
            iu = w * m.nu + u
            g.ctrl_bar[iu] = g.ctrl_bar[iu] + f_bar * gain * slope
        g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + f_bar * x
        g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + f_bar * x * length
        g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + f_bar * x * velocity
        g.actuator_biasprm[w, u, 0] = g.actuator_biasprm[w, u, 0] + f_bar
        g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] + f_bar * length
        g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + f_bar * velocity
        l_bar = f_bar * (m.actuator_gainprm[u, 1] * x + m.actuator_biasprm[u, 1])
        v_bar = f_bar * (m.actuator_gainprm[u, 2] * x + m.actuator_biasprm[u, 2])
        for i in range(n):
            iv = w * nv + da + i
            g.qvel_bar[iv] = g.qvel_bar[iv] + v_bar * m.actuator_gear[u, i]
            g.actuator_gear[w, u, i] = g.actuator_gear[w, u, i] + v_bar * d.qvel[iv]
        if t == BALL:
            if ti.static(has.quaternion):
                r = quat_log(read_quat(d.qpos, qa))
                r_bar = jr_inverse_transpose(r, l_bar * gear_axis(m, u))
                for i in ti.static(range(3)):
                    # a whole turn is 2 pi |gear|
                    x_bar = l_bar * r[i] - f_bar * gain * whole * rate * m.actuator_gear[u, i]
                    g.actuator_gear[w, u, i] = g.actuator_gear[w, u, i] + x_bar
                    g.qpos_bar[w * nv + da + i] = g.qpos_bar[w * nv + da + i] + r_bar[i]
        elif t != FREE:
            g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + l_bar * d.qpos[qa]
            g.qpos_bar[w * nv + da] = g.qpos_bar[w * nv + da] + l_bar * m.actuator_gear[u, 0]


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


@serves("activation")
@ti.func
def act_dot_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """Adds bar * d(act_dot) to the adjoints of act and ctrl."""
    c, slope = clamped_ctrl(m, d, w, u)
    rate = bar
    if m.actuator_dyntype[u] == DYN_FILTER or m.actuator_dyntype[u] == DYN_FILTEREXACT:
        rate = bar / ti.max(MINVAL, m.actuator_tau[u])
        g.act_bar[a] = g.act_bar[a] - rate
    g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + rate * slope
