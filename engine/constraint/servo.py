"""Actuators as springs and dampers: what of their forces' derivatives the metric of the integrator discrete takes."""

import taichi as ti

from engine.dynamics.actuator_slope import force_slopes, force_slopes_vjp
from engine.math.types import real


@ti.func
def counted(x: real):
    """Of max(0, x) the derivative by x, half of it at zero."""
    return 0.5 * (ti.cast(x >= 0, real) + ti.cast(x > 0, real))


@ti.func
def servo(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Of actuator u minus the derivatives of its force by length and velocity, where they are not negative; how far
    each counts; its input, what `actuator_input` says of it, and what it is on (`transmission`)."""
    by_l, by_v, fs, x, slope, a, t, qa, da, n, velocity = force_slopes(m, d, w, u)
    by_l = -fs * by_l
    by_v = -fs * by_v
    return (
        ti.max(by_l, 0.0), ti.max(by_v, 0.0), fs * counted(by_l), fs * counted(by_v), x, slope, a, t, qa, da, n,
        velocity,
    )  # fmt: skip


@ti.func
def servo_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, l_bar: real, v_bar: real,
              x: real, slope: real, a: ti.i32):  # fmt: skip
    """From the adjoints of those two, before they are clamped, to gains and input."""
    force_slopes_vjp(m, d, g, w, u, -l_bar, -v_bar, x, slope, a)
