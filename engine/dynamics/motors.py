"""What DC motors do at a state, and their adjoint, to which actuators and the integrator have added (dcmotor.py)."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.activation import clamped_ctrl
from engine.dynamics.dcmotor import (
    DIMAX,
    HEATCAP,
    IMAX,
    RT,
    S0,
    S1,
    SLEW,
    TE,
    add_state,
    bristles,
    bristles_vjp,
    cogging,
    cogging_vjp,
    controlled_vjp,
    current_reach,
    electric_vjp,
    exact_share,
    is_held,
    motor_slope,
    motor_slope_vjp,
    rate_bar,
    resistance,
    terminal,
    warmth,
)
from engine.dynamics.drive_leaves import add_rest
from engine.dynamics.transmission import drive_length_vjp, drive_velocity_vjp, transmission
from engine.math.types import MINVAL, real
from engine.model.constants import DYN_DCMOTOR


@serves("dcmotor")
@ti.func
def motors(m: ti.template(), d: ti.template(), w: ti.i32):
    """act_dot of motors' states; motor_force, what a range may clamp, motor_slope and motor_stiff, its derivatives by
    velocity and length; motor_extra, what none clamps, and motor_wave, what cogging has of it by length. Expects
    tendons, arms and controls of the past."""
    h = m.timestep
    for u in range(m.nmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            t, qa, da, n, length, v = transmission(m, d, w, u)
            d.motor_length[w, u] = length
            d.motor_velocity[w, u] = v
            o = w * m.na
            for k in range(4):
                c = real(0.0)
                by = real(0.0)
                if m.motor_input[u, k] >= 0:
                    c, by = clamped_ctrl(m, d, w, m.motor_input[u, k])
                d.motor_c[w * m.nmotor + u, k] = c
                d.motor_by_c[w * m.nmotor + u, k] = by
            d.motor_by_s[w, u] = 0.0
            for k in range(m.motor_states[u]):
                d.act_reach[o + m.actuator_actadr[u] + k] = h
                d.act_end[o + m.actuator_actadr[u] + k] = 1e30
            if m.motor_slew[u] >= 0:
                k = m.motor_first[u]
                s = d.act[o + m.motor_slew[u]]
                most = m.motor_dyn[u, SLEW] * h
                c = d.motor_c[w * m.nmotor + u, k]
                x = ti.min(ti.max(c, s - most), s + most)
                if c < s - most or c > s + most:
                    d.motor_by_c[w * m.nmotor + u, k] = 0.0
                    d.motor_by_s[w, u] = ti.math.sign(c - s)
                d.motor_c[w * m.nmotor + u, k] = x
                d.act_dot[o + m.motor_slew[u]] = (x - s) / h
            if m.motor_integral[u] >= 0:
                error = d.motor_c[w * m.nmotor + u, 0] - length
                if is_held(m, u, d.act[o + m.motor_integral[u]], error):
                    error = 0.0
                d.act_dot[o + m.motor_integral[u]] = error
                if m.motor_dyn[u, IMAX] > 0:
                    d.act_end[o + m.motor_integral[u]] = m.motor_dyn[u, IMAX]
            volt, torque, side = terminal(m, d, w, u)
            y, rise = warmth(m, d, w, u)
            R = resistance(m, u) * y
            K = m.actuator_gainprm[u, 1]
            current = (volt - K * v) / R
            force = K * (volt - K * v) / ti.max(MINVAL, R)
            if m.motor_current[u] >= 0:
                a = o + m.motor_current[u]
                rate = (current - d.act[a]) / m.motor_dyn[u, TE]
                if m.motor_dyn[u, DIMAX] > 0:
                    rate = ti.min(ti.max(rate, -m.motor_dyn[u, DIMAX]), m.motor_dyn[u, DIMAX])
                d.act_dot[a] = rate
                current = d.act[a]
                d.act_reach[a] = current_reach(m, u)
                force = K * (current + rate * d.act_reach[a])
            if m.motor_heat[u] >= 0:
                a = o + m.motor_heat[u]
                cooling = d.act[a] / m.motor_dyn[u, RT]
                d.act_dot[a] = (R * current * current - cooling) / m.motor_dyn[u, HEATCAP]
            extra, wave = cogging(m, d, w, u)
            if m.motor_bristle[u] >= 0:
                a = o + m.motor_bristle[u]
                decay, g, e = bristles(m, u, v)
                reach, by_decay = exact_share(decay, h)
                d.act_reach[a] = reach
                rate = decay * d.act[a] + v
                d.act_dot[a] = rate
                extra = extra - (m.motor_dyn[u, S0] * d.act[a] + m.motor_dyn[u, S1] * rate)
            d.motor_force[w, u] = force
            slope, stiff, share = motor_slope(m, d, w, u)
            d.motor_slope[w, u] = slope
            d.motor_stiff[w, u] = stiff
            d.motor_wave[w, u] = wave
            d.motor_extra[w, u] = extra


@serves("dcmotor")
@ti.func
def keep_reach(m: ti.template(), d: ti.template(), w: ti.i32):
    """Of RK4's first stage how far act_dot of bristles takes them in a step, since it is that stage's that does."""
    for u in range(m.nmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            if m.motor_bristle[u] >= 0:
                d.motor_reach[w, u] = d.act_reach[w * m.na + m.motor_bristle[u]]


@serves("dcmotor")
@ti.func
def start_reach_vjp(m: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of that, which the end of the step has left, for the first stage's `motors_vjp`."""
    for u in range(m.nmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            if m.motor_bristle[u] >= 0:
                g.reach_bar[w * m.na + m.motor_bristle[u]] = g.motor_reach_bar[w, u]


@ti.func
def is_bristle(m: ti.template(), u: ti.i32, k: ti.i32):
    """Whether state k of actuator u is that of a motor's bristles."""
    found = False
    if ti.static(has.dcmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            found = m.motor_bristle[u] == k
    return found


@serves("dcmotor")
@ti.func
def clear_motors(m: ti.template(), g: ti.template(), w: ti.i32):
    """No adjoint of motors yet."""
    for u in range(m.nmotor):
        g.motor_force_bar[w, u] = 0.0
        g.motor_extra_bar[w, u] = 0.0
        g.motor_slope_bar[w, u] = 0.0
        g.motor_stiff_bar[w, u] = 0.0
        g.motor_wave_bar[w, u] = 0.0
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            for k in range(m.motor_states[u]):
                g.pid_bar[w * m.na + m.actuator_actadr[u] + k] = 0.0
                g.reach_bar[w * m.na + m.actuator_actadr[u] + k] = 0.0


@outline("mdg", "w", when="dcmotor")
@ti.func
def motors_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints of motor_force, motor_extra and of act_dot (g.pid_bar) to states, controls, lengths, velocities
    and parameters."""
    for u in range(m.nmotor):
        if m.actuator_dyntype[u] == DYN_DCMOTOR:
            t, qa, da, n, length, v = transmission(m, d, w, u)
            motor_slope_vjp(m, d, g, w, u)
            v_bar = bristles_vjp(m, d, g, w, u)
            l_bar = cogging_vjp(m, d, g, w, u)
            volt_bar, more = electric_vjp(m, d, g, w, u)
            v_bar = v_bar + more
            c_bar = controlled_vjp(m, d, g, w, u, volt_bar)  # of pos, vel, ff, and of the velocity
            v_bar = v_bar + c_bar[3]
            l_bar = l_bar - c_bar[0]
            s_bar = rate_bar(m, g, w, m.motor_slew[u]) / m.timestep
            for k in ti.static(range(4)):
                bar = c_bar[k]
                if ti.static(k == 3):
                    bar = volt_bar
                if m.motor_slew[u] >= 0 and k == m.motor_first[u]:
                    bar = bar + s_bar
                    side = d.motor_by_s[w, u]
                    add_state(m, g, w, m.motor_slew[u], ti.abs(side) * bar - s_bar)
                    if ti.static(has.drive_leaf):
                        add_rest(m, g, w, u, SLEW, side * bar * m.timestep)
                if m.motor_input[u, k] >= 0:
                    i = w * m.nu + m.motor_input[u, k]
                    g.ctrl_bar[i] = g.ctrl_bar[i] + bar * d.motor_by_c[w * m.nmotor + u, k]
            drive_velocity_vjp(m, d, g, w, u, t, da, n, v_bar)
            drive_length_vjp(m, d, g, w, u, t, qa, da, l_bar)
