"""Actuators with the states of a PID controller (MuJoCo documentation, XML reference, "pid" and "dcmotor").

    force = kp (u - l) + ... + ki z,    u = ctrl, or where the setpoint's rate is limited  clip(ctrl, s - r h, s + r h)
    s' = (u - s) / h,    z' = u - l, and 0 where that would take z further beyond imax
The state s, where there is one, lies before z. What is linear in u, l and l' is an affine gain and bias. Of turns ctrl
is taken near s, and u near l, the shorter way round (turns.py).
Where the error is held at imax, z' jumps: z has no derivative by imax.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.drive_leaves import add_dyn
from engine.dynamics.turns import unwound, unwound_vjp
from engine.math.types import real
from engine.model.constants import DYN_DCMOTOR, DYN_PID


@ti.func
def states_of(m: ti.template(), u: ti.i32):
    """How many states actuator u has, if it has any."""
    n = 1
    if ti.static(has.pid):
        if m.actuator_dyntype[u] == DYN_PID:
            n = ti.cast(m.pid_slew[u] > 0, ti.i32) + ti.cast(m.pid_ki[u] > 0, ti.i32)
    if ti.static(has.dcmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            n = m.motor_states[u]
    return n


@serves("pid")
@ti.func
def setpoint(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, c: real):
    """u of actuator `u` at the control c, its derivatives by c and by s, where its states begin in act, and how far c
    is from s."""
    a = w * m.na + m.actuator_actadr[u]
    x = c
    by_c = real(1.0)
    way = real(0.0)
    if m.pid_slew[u] > 0:
        reach = m.pid_slew[u] * m.timestep
        s = d.act[a]
        x = unwound(m, u, c, s)
        way = x - s
        if x < s - reach or x > s + reach:
            by_c = 0.0
        x = ti.min(ti.max(x, s - reach), s + reach)
    return x, by_c, 1.0 - by_c, a, way


@serves("pid")
@ti.func
def integral_at(m: ti.template(), a: ti.i32, u: ti.i32):
    """Where z lies in act, or -1. a: where the states begin."""
    z = -1
    if m.pid_ki[u] > 0:
        z = a + ti.cast(m.pid_slew[u] > 0, ti.i32)
    return z


@serves("pid")
@ti.func
def integral_rate(m: ti.template(), u: ti.i32, z: real, error: real):
    """z' and its derivative by the error."""
    held = m.pid_imax[u] > 0 and (z >= m.pid_imax[u] and error > 0 or z <= -m.pid_imax[u] and error < 0)
    slope = real(1.0)
    if held:
        slope = 0.0
    return slope * error, slope


@serves("pid")
@ti.func
def pid_rates(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, c: real, length: real):
    """act_dot of the states of actuator u."""
    x, by_c, by_s, a, way = setpoint(m, d, w, u, c)
    if m.pid_slew[u] > 0:
        d.act_dot[a] = (x - d.act[a]) / m.timestep
    z = integral_at(m, a, u)
    if z >= 0:
        rate, slope = integral_rate(m, u, d.act[z], unwound(m, u, x, length) - length)
        d.act_dot[z] = rate


@serves("pid")
@ti.func
def pid_rates_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, k: ti.i32, c: real,
                  length: real, bar: real):  # fmt: skip
    """From the adjoint of act_dot of the state k of actuator u to s and, of turns, the gear; returns those of c and of
    the length."""
    x, by_c, by_s, a, way = setpoint(m, d, w, u, c)
    x_bar = bar / m.timestep
    length_bar = real(0.0)
    if k == integral_at(m, a, u):
        rate, slope = integral_rate(m, u, d.act[k], unwound(m, u, x, length) - length)
        x_bar = bar * slope
        length_bar = -x_bar
        unwound_vjp(m, g, w, u, x, length, x_bar)
    else:
        g.act_bar[a] = g.act_bar[a] - x_bar
    setpoint_vjp(m, d, g, w, u, c, x_bar)
    return x_bar * by_c, length_bar


@serves("pid")
@ti.func
def setpoint_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, c: real, x_bar: real):
    """From the adjoint of `setpoint` to s, slewmax and, of turns, the gear; that of c is the caller's."""
    if m.pid_slew[u] > 0:
        x, by_c, by_s, a, way = setpoint(m, d, w, u, c)
        g.act_bar[a] = g.act_bar[a] + x_bar * by_s
        slew_leaf(m, g, w, u, way, by_s * x_bar)
        unwound_vjp(m, g, w, u, c, d.act[a], by_c * x_bar)


@serves("drive_leaf")
@ti.func
def slew_leaf(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, way: real, bar: real):
    """From the adjoint of a limited setpoint to slewmax. way: whither it goes."""
    add_dyn(m, g, w, u, 1, bar * ti.math.sign(way) * m.timestep)


@serves("pid")
@ti.func
def integral_force(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """ki z."""
    f = real(0.0)
    z = integral_at(m, w * m.na + m.actuator_actadr[u], u)
    if z >= 0:
        f = m.pid_ki[u] * d.act[z]
    return f


@serves("pid")
@ti.func
def pid_force_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, c: real, x_bar: real,
                  f_bar: real):  # fmt: skip
    """From the adjoints of u and of the force of actuator `u` to its states; that of c is the caller's."""
    if m.actuator_dyntype[u] == DYN_PID:
        setpoint_vjp(m, d, g, w, u, c, x_bar)
        z = integral_at(m, w * m.na + m.actuator_actadr[u], u)
        if z >= 0:
            g.act_bar[z] = g.act_bar[z] + m.pid_ki[u] * f_bar
            if ti.static(has.drive_leaf):
                add_dyn(m, g, w, u, 2, d.act[z] * f_bar)
