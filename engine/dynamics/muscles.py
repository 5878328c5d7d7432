"""Gains and biases of all muscles at a state, which actuators read, and their adjoint, to which these have added."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.muscle import muscle_bias, muscle_bias_vjp, muscle_gain, muscle_gain_vjp
from engine.dynamics.transmission import drive_length_vjp, drive_velocity_vjp, transmission
from engine.math.types import real
from engine.model.constants import BIAS_MUSCLE, GAIN_MUSCLE


@serves("muscle")
@ti.func
def muscles(m: ti.template(), d: ti.template(), w: ti.i32):
    """muscle_gain, its derivative by the velocity muscle_slope, and muscle_bias; of the first and the last those by the
    length, muscle_stiff and muscle_hold, which the integrator discrete asks. Expects tendons and arms."""
    for u in range(m.nmuscle):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        if m.actuator_gaintype[u] == GAIN_MUSCLE:
            gain, slope, stiff = muscle_gain(m, u, length, velocity)
            d.muscle_gain[w * m.nu + u] = gain
            d.muscle_slope[w * m.nu + u] = slope
            if ti.static(has.discrete):
                d.muscle_stiff[w * m.nu + u] = stiff
        if m.actuator_biastype[u] == BIAS_MUSCLE:
            bias, hold = muscle_bias(m, u, length)
            d.muscle_bias[w * m.nu + u] = bias
            if ti.static(has.discrete):
                d.muscle_hold[w * m.nu + u] = hold


@serves("muscle")
@ti.func
def clear_muscles(m: ti.template(), g: ti.template(), w: ti.i32):
    """No adjoint of any of them yet."""
    for u in range(m.nmuscle):
        for x in ti.static((g.muscle_gain_bar, g.muscle_slope_bar, g.muscle_bias_bar)):
            x[w * m.nu + u] = 0.0
        if ti.static(has.discrete):
            for x in ti.static((g.muscle_stiff_bar, g.muscle_hold_bar)):
                x[w * m.nu + u] = 0.0


@outline("mdg", "w", when="muscle")
@ti.func
def muscles_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints of gains, slopes and biases to parameters, lengths and velocities."""
    for u in range(m.nmuscle):
        t, qa, da, n, length, velocity = transmission(m, d, w, u)
        i = w * m.nu + u
        stiff_bar = real(0.0)
        hold_bar = real(0.0)
        if ti.static(has.discrete):
            stiff_bar = g.muscle_stiff_bar[i]
            hold_bar = g.muscle_hold_bar[i]
        if m.actuator_gaintype[u] == GAIN_MUSCLE:
            l_bar, v_bar = muscle_gain_vjp(
                m, g, w, u, length, velocity, g.muscle_gain_bar[i], g.muscle_slope_bar[i], stiff_bar
            )
            drive_velocity_vjp(m, d, g, w, u, t, da, n, v_bar)
            drive_length_vjp(m, d, g, w, u, t, qa, da, l_bar)
        if m.actuator_biastype[u] == BIAS_MUSCLE:
            l_bar = muscle_bias_vjp(m, g, w, u, length, g.muscle_bias_bar[i], hold_bar)
            drive_length_vjp(m, d, g, w, u, t, qa, da, l_bar)
