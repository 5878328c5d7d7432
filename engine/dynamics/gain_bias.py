"""The laws of actuators' forces, gain(l, l') input + bias(l, l') (MuJoCo documentation, "Actuation model"). Their
derivatives by length and velocity, which the implicit integrators take, are in actuator_slope.py.

Gain and bias are affine in length and velocity, or those of muscles (muscle.py); a pid adds the force of its integral
(pid.py). DC motors and orientation servos have laws of their own (dcmotor.py orientation.py), position servos of turns
their input near l (turns.py).
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.activation import act_vjp, pid_vjp
from engine.dynamics.pid import integral_force
from engine.dynamics.turns import unwound
from engine.math.types import real
from engine.model.constants import BIAS_MUSCLE, DYN_PID, GAIN_DCMOTOR, GAIN_MUSCLE, GAIN_SO3


@ti.func
def affine(prm: ti.template(), u: ti.i32, length: real, velocity: real):
    """Gain or bias of actuator u."""
    return prm[u, 0] + prm[u, 1] * length + prm[u, 2] * velocity


@ti.func
def affine_vjp(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, length: real, velocity: real, gain_bar: real,
               bias_bar: real):  # fmt: skip
    """From the adjoints of gain and bias to their parameters; returns those of length and velocity."""
    g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + gain_bar
    g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + gain_bar * length
    g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + gain_bar * velocity
    g.actuator_biasprm[w, u, 0] = g.actuator_biasprm[w, u, 0] + bias_bar
    g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] + bias_bar * length
    g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + bias_bar * velocity
    l_bar = gain_bar * m.actuator_gainprm[u, 1] + bias_bar * m.actuator_biasprm[u, 1]
    v_bar = gain_bar * m.actuator_gainprm[u, 2] + bias_bar * m.actuator_biasprm[u, 2]
    return l_bar, v_bar


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
    if ti.static(has.dcmotor):
        if m.actuator_gaintype[u] == GAIN_DCMOTOR:
            gain = 0.0
            bias = d.motor_force[w, u]
    if ti.static(has.so3):
        if m.actuator_gaintype[u] == GAIN_SO3:  # whose range has its place there, too
            gain = 0.0
            bias = d.so3_force[w, u]
    return gain * x + bias, x, gain


@ti.func
def raw_force_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, given: real, slope: real,
                  a: ti.i32, gain: real, length: real, velocity: real, f_bar: real):  # fmt: skip
    """From the adjoint of `raw_force` to the input, the states and the law's parameters; returns those of length and
    velocity. given: the input without whole turns; slope, a: what `actuator_input` says of it."""
    x = given
    bar = f_bar
    if ti.static(has.dcmotor):
        if m.actuator_gaintype[u] == GAIN_DCMOTOR:
            g.motor_force_bar[w, u] = g.motor_force_bar[w, u] + f_bar
            bar = 0.0
    if ti.static(has.so3):
        if m.actuator_gaintype[u] == GAIN_SO3:
            g.so3_force_bar[w, u] = g.so3_force_bar[w, u] + f_bar
            bar = 0.0
    if a < 0:
        g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + bar * gain * slope
    if ti.static(has.activation):
        if a >= 0:
            act_vjp(m, d, g, w, u, a, bar * gain)
    if ti.static(has.pid):
        pid_vjp(m, d, g, w, u, bar * gain, bar)
    b_bar = bar  # of an affine bias
    if ti.static(has.muscle):
        if m.actuator_gaintype[u] == GAIN_MUSCLE:
            g.muscle_gain_bar[w * m.nu + u] = g.muscle_gain_bar[w * m.nu + u] + bar * x
            x = 0.0
        if m.actuator_biastype[u] == BIAS_MUSCLE:
            g.muscle_bias_bar[w * m.nu + u] = g.muscle_bias_bar[w * m.nu + u] + bar
            b_bar = 0.0
    return affine_vjp(m, g, w, u, length, velocity, bar * x, b_bar)
