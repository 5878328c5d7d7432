"""What actuators exert (MuJoCo documentation, "Actuation model").

    force = gain(l, l') input + bias(l, l'),    qfrc_actuator = gear force
l and its row: transmission.py; input: activation.py; gain and bias: gain_bias.py. A range may clamp the force, of a DC
motor that of its current alone, of an orientation servo its three together (orientation.py). A tendon may limit the sum
of its actuators' forces, which are scaled down together before each is clamped. A joint may limit the sum of what acts
on it, to which some joints' compensation of gravity belongs.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.activation import actuator_input
from engine.dynamics.gain_bias import raw_force, raw_force_vjp
from engine.dynamics.gravcomp import add_gravcomp
from engine.dynamics.joint_force import clamp_joint_forces, force_slope
from engine.dynamics.transmission import (
    ARM,
    TENDON,
    drive_length_vjp,
    drive_velocity_vjp,
    moment,
    moment_vjp,
    transmission,
)  # fmt: skip
from engine.dynamics.turns import unwound_vjp
from engine.math.types import real
from engine.model.constants import GAIN_DCMOTOR, GAIN_SO3, TRN_TENDON


@ti.func
def clamped_force(m: ti.template(), u: ti.i32, force: real):
    f = force
    slope = real(1.0)
    limited = m.actuator_forcelimited[u]
    if ti.static(has.so3):
        if m.actuator_gaintype[u] == GAIN_SO3:
            limited = 0
    if limited:
        lo = m.actuator_forcerange[u, 0]
        hi = m.actuator_forcerange[u, 1]
        if force < lo or force > hi:
            slope = 0.0
        f = ti.min(ti.max(force, lo), hi)
    return f, slope


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


@outline("mdg", "w", when="tendon_actfrc")
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
        if ti.static(has.tendon_actfrc):
            if t == TENDON:  # what friction and cogging of motors add, no limit counts
                d.ten_actsum[w, qa] = d.ten_actsum[w, qa] + f
        if ti.static(has.dcmotor):
            if m.actuator_gaintype[u] == GAIN_DCMOTOR:
                f = f + d.motor_extra[w, u]
        d.actuator_force[w * m.nu + u] = f
        for k in range(n):
            i = da + k
            c = m.actuator_gear[u, k]
            if ti.static(has.tendon or has.arm):
                i, c = moment(m, d, w, u, t, da, k)
            d.qfrc_actuator[w, i] = d.qfrc_actuator[w, i] + c * f
    add_gravcomp(m, d, w, forces)
    clamp_joint_forces(m, d, w)


@ti.func
def actuation_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-qfrc_actuator) and what sensors of the force ask (g.force_bar) to q, v, act, ctrl and parameters."""
    for u in range(m.nu):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        given, slope, a = actuator_input(m, d, w, u)
        force, x, gain = raw_force(m, d, w, u, given, length, velocity)
        f, fs = clamped_force(m, u, force)
        if ti.static(has.tendon_actfrc):
            scale, by_sum = tendon_scale(m, d, w, u)
            f, fs = clamped_force(m, u, scale * force)
        if ti.static(has.dcmotor):
            if m.actuator_gaintype[u] == GAIN_DCMOTOR:
                f = f + d.motor_extra[w, u]
        f_bar = g.force_bar[w * m.nu + u]
        for k in range(n):
            i = da + k
            c = m.actuator_gear[u, k]
            if ti.static(has.tendon or has.arm):
                i, c = moment(m, d, w, u, t, da, k)
            z = d.z[w, i]
            if ti.static(has.actfrc):
                z = z * force_slope(m, d, w, i)
            if ti.static(has.arm and (has.actfrc or has.actuator_sensor)):
                if t == ARM:  # arm_z is of the motion of z itself, without what is cut off and asked
                    g.arm_J_bar[da + k] = g.arm_J_bar[da + k] - f * (z - d.z[w, i] - d.z_asked[w, i])
            f_bar = f_bar - z * c
            if ti.static(has.tendon or has.arm):
                moment_vjp(m, d, g, w, u, t, da, k, -z * f)
            else:
                g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] - z * f
        if ti.static(has.arm):
            if t == ARM:
                g.arm_z[w, qa] = g.arm_z[w, qa] - f
        if ti.static(has.dcmotor):
            if m.actuator_gaintype[u] == GAIN_DCMOTOR:
                g.motor_extra_bar[w, u] = g.motor_extra_bar[w, u] + f_bar
        f_bar = f_bar * fs
        if ti.static(has.tendon_actfrc):
            scale, by_sum = tendon_scale(m, d, w, u)
            f_bar = f_bar * scale
            if by_sum != 0:
                f_bar = f_bar + g.ten_actfrc_bar[w, qa]
        l_bar, v_bar = raw_force_vjp(m, d, g, w, u, x, slope, a, gain, length, velocity, f_bar)
        drive_velocity_vjp(m, d, g, w, u, t, da, n, v_bar)
        drive_length_vjp(m, d, g, w, u, t, qa, da, l_bar)
        if ti.static(has.quaternion or has.arm):
            if m.actuator_wrap[u]:
                unwound_vjp(m, g, w, u, given, length, f_bar * gain)
