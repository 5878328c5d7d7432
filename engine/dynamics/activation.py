"""What an actuator's gain multiplies: its control, or an activation with dynamics of its own (MuJoCo documentation,
"Actuation model").

    act' = ctrl (integrator),  (ctrl - act) / tau (filter, filterexact);  of others: muscle.py pid.py dcmotor.py
Of position servos of turns these are on a circle (turns.py). The input is ctrl, or act where the actuator has a state;
of an actuator that acts early, what act will be after the step. Controls of delayed actuators are those of delay.py.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.dcmotor import IMAX
from engine.dynamics.delay import late_controls, past_controls
from engine.dynamics.drive_leaves import add_dyn, add_rest
from engine.dynamics.muscle import muscle_rate, muscle_rate_leaves
from engine.dynamics.pid import pid_force_vjp, pid_rates, pid_rates_vjp, setpoint, states_of
from engine.dynamics.plastic import rest_rates
from engine.dynamics.sensor_delay import rest_late
from engine.dynamics.transmission import drive_length_vjp, transmission
from engine.dynamics.turns import near_state, near_state_vjp
from engine.math.types import MINVAL, real
from engine.model.constants import DYN_DCMOTOR, DYN_FILTER, DYN_FILTEREXACT, DYN_MUSCLE, DYN_PID


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
                c, by_c, by_s, first, way = setpoint(m, d, w, u, c)
                slope = slope * by_c
        if ti.static(has.dcmotor):
            if m.actuator_dyntype[u] == DYN_DCMOTOR:
                a = -1
        if a >= 0:
            c = d.act_input[a]
    return c, slope, a


@serves("activation")
@ti.func
def act_rates(m: ti.template(), d: ti.template(), w: ti.i32):
    """act_dot of all actuators with a state, and what it is as an input; the controls that delayed ones act on."""
    late_controls(m, d, w)
    rest_rates(m, d, w)
    rest_late(m, d, w)
    for u in range(m.nu):
        if m.actuator_actadr[u] >= 0:
            a = w * m.na + m.actuator_actadr[u]
            c, s = clamped_ctrl(m, d, w, u)
            rate = c
            if ti.static(has.dcmotor):
                if m.actuator_dyntype[u] == DYN_DCMOTOR:  # of which `motors` has made it
                    rate = d.act_dot[a]
            d.act_dot[a] = rate
            if m.actuator_dyntype[u] == DYN_FILTER or m.actuator_dyntype[u] == DYN_FILTEREXACT:
                if ti.static(has.turns):
                    c = near_state(m, d, w, u, c, d.act[a])
                d.act_dot[a] = (c - d.act[a]) / ti.max(MINVAL, m.actuator_tau[u])
            if ti.static(has.muscle):
                if m.actuator_dyntype[u] == DYN_MUSCLE:
                    pull, by_ctrl, by_act = muscle_rate(m, u, c, d.act[a])
                    d.act_dot[a] = pull
                    d.muscle_by_ctrl[w * m.nu + u] = by_ctrl
                    d.muscle_by_act[w * m.nu + u] = by_act
            if ti.static(has.pid):
                if m.actuator_dyntype[u] == DYN_PID:
                    pids(m, d, w, u, c)
            d.act_input[a] = d.act[a]
            if m.actuator_early[u]:
                x, sa, sd = next_act(m, d, w, u, a, m.timestep)
                d.act_input[a] = x


@serves("activation")
@ti.func
def act_dot_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """Adds bar * d(act_dot) to the adjoints of act and ctrl."""
    c, slope = clamped_ctrl(m, d, w, u)
    rate = bar
    if ti.static(has.pid or has.dcmotor):
        if m.actuator_dyntype[u] == DYN_PID or m.actuator_dyntype[u] == DYN_DCMOTOR:
            g.pid_bar[a] = bar  # for `pids_vjp` and `motors_vjp`
            rate = 0.0
    if m.actuator_dyntype[u] == DYN_FILTER or m.actuator_dyntype[u] == DYN_FILTEREXACT:
        rate = bar / ti.max(MINVAL, m.actuator_tau[u])
        if ti.static(has.turns):
            c = near_state_vjp(m, d, g, w, u, c, rate)
        g.act_bar[a] = g.act_bar[a] - rate
        if ti.static(has.drive_leaf):
            add_dyn(m, g, w, u, 0, -rate * (c - d.act[a]) / ti.max(MINVAL, m.actuator_tau[u]))
    if ti.static(has.muscle):
        if m.actuator_dyntype[u] == DYN_MUSCLE:
            rate = bar * d.muscle_by_ctrl[w * m.nu + u]
            muscle_rate_leaves(m, g, w, u, c, d.act[a], bar)
            g.act_bar[a] = g.act_bar[a] + bar * d.muscle_by_act[w * m.nu + u]
    g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + rate * slope


@ti.func
def next_act(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, h: real):
    """act after a step of length h, and its derivatives by act and by act_dot."""
    scale = h
    if m.actuator_dyntype[u] == DYN_FILTEREXACT:
        tau = ti.max(MINVAL, m.actuator_tau[u])
        scale = tau * (1.0 - ti.exp(-h / tau))
    if ti.static(has.dcmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            scale = d.act_reach[a]
    x = d.act[a] + scale * d.act_dot[a]
    slope = real(1.0)
    if m.actuator_actlimited[u]:
        lo = m.actuator_actrange[u, 0]
        hi = m.actuator_actrange[u, 1]
        if x < lo or x > hi:
            slope = 0.0
        x = ti.min(ti.max(x, lo), hi)
    if ti.static(has.dcmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            end = d.act_end[a]
            if ti.abs(x) > end:
                slope = 0.0
            x = ti.min(ti.max(x, -end), end)
    return x, slope, slope * scale


@ti.func
def next_act_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """From the adjoint of act after a step, zero where actrange clamps it, to what says how far act_dot takes it."""
    if ti.static(has.drive_leaf):
        if m.actuator_dyntype[u] == DYN_FILTEREXACT:
            x = m.timestep / ti.max(MINVAL, m.actuator_tau[u])
            add_dyn(m, g, w, u, 0, bar * d.act_dot[a] * (1.0 - ti.exp(-x) * (1.0 + x)))
    if ti.static(has.dcmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            g.reach_bar[a] = g.reach_bar[a] + bar * d.act_dot[a]


@serves("drive_leaf")
@ti.func
def end_leaves(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """From the adjoint of act after a step to the end that clamps it, of a DC motor's integral."""
    if ti.static(has.dcmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            x = d.act[a] + m.timestep * d.act_dot[a]
            if ti.abs(x) > d.act_end[a]:
                add_rest(m, g, w, u, IMAX, bar * ti.math.sign(x))


@ti.func
def act_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, a: ti.i32, bar: real):
    """From the adjoint of the input of an actuator with a state to act and ctrl."""
    sa = real(1.0)
    if m.actuator_early[u]:
        x, sa, sd = next_act(m, d, w, u, a, m.timestep)
        next_act_vjp(m, d, g, w, u, a, bar * sa)
        act_dot_vjp(m, d, g, w, u, a, bar * sd)
    g.act_bar[a] = g.act_bar[a] + bar * sa


@serves("pid")
@ti.func
def pids(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, c: real):
    """act_dot of the states of a pid."""
    t, qa, da, n, length, velocity = transmission(m, d, w, u)
    pid_rates(m, d, w, u, c, length)


@outline("mdg", "w", when="pid")
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


@serves("pid")
@ti.func
def pid_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, x_bar: real, f_bar: real):
    """From the adjoints of the input and the force of actuator u to its states, where it is a pid."""
    c, slope = clamped_ctrl(m, d, w, u)
    pid_force_vjp(m, d, g, w, u, c, x_bar, f_bar)
