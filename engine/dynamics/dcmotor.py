"""DC motors with more than a back-EMF (MuJoCo documentation, XML reference, "dcmotor", and its technical note): the
current, heat, friction and cogging of a motor, and the voltage of its controller.

    V = clip(R/K tau + K l', Vmax) + voltage,    tau = kp (pos - l) + kd (vel - l') + ki z + ff
    current    i' = clip((U - i) / te, dimax),   U = (V - K l') / (R y),   y = 1 + alpha (T + Ta - T0)
    heat       T' = (R y i^2 - T / RT) / C
    bristles   b' = a b + l',   a = -s0 |l'| / g,   g = Fc + (Fs - Fc) exp(-(l'/vs)^2)     (LuGre friction)
    force = K (i after the step, without a state U),   which a range may clamp, and beside it
            A sin(N l + phi) - s0 b - s1 b'
The states of a motor, those of them that it has: the setpoint that the slew rate limits, z, T, b and i. i and b after a
step are exact for what drives them held, b with RK4, too, for the velocity at the start.
The first control is one that the slew rate limits, if there is one (pid.py).
R, K and alpha lie in gainprm, A, N and phi in biasprm. b' has a kink at l' = 0, as the clamps have at their ends.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.drive_leaves import add_bias, add_dyn, add_gain, add_rest
from engine.math.types import MINVAL, real

TE, DIMAX, RT, HEATCAP, TA, S0, S1, SLEW, IMAX = range(9)  # in motor_dyn
T0, KP, KI, KD, VMAX = range(5)  # in motor_gain
FC, FS, VS = range(3)  # in motor_bias


@ti.func
def warmth(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """y, and how much warmer the windings are than where R is known."""
    y = real(1.0)
    rise = real(0.0)
    if m.motor_heat[u] >= 0:
        rise = d.act[w * m.na + m.motor_heat[u]] + m.motor_dyn[u, TA] - m.motor_gain[u, T0]
        y = 1.0 + m.actuator_gainprm[u, 2] * rise
    return y, rise


@ti.func
def resistance(m: ti.template(), u: ti.i32):
    """R, above zero also of bristles alone, which no current flows by."""
    return ti.max(MINVAL, m.actuator_gainprm[u, 0])


@ti.func
def terminal(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """V, the torque tau, and on which side its voltage is clamped: -1, 1 or 0."""
    v = d.motor_velocity[w, u]
    torque = real(0.0)
    volt = real(0.0)
    side = real(0.0)
    if m.motor_controlled[u]:
        z = real(0.0)
        if m.motor_integral[u] >= 0:
            z = d.act[w * m.na + m.motor_integral[u]]
        torque = m.motor_gain[u, KP] * (d.motor_c[w * m.nmotor + u, 0] - d.motor_length[w, u])
        torque = torque + m.motor_gain[u, KD] * (d.motor_c[w * m.nmotor + u, 1] - v)
        torque = torque + m.motor_gain[u, KI] * z + d.motor_c[w * m.nmotor + u, 2]
        K = m.actuator_gainprm[u, 1]
        volt = m.actuator_gainprm[u, 0] / K * torque + K * v
        most = m.motor_gain[u, VMAX]
        if most > 0 and ti.abs(volt) > most:
            side = ti.math.sign(volt)
            volt = side * most
    return volt + d.motor_c[w * m.nmotor + u, 3], torque, side


@ti.func
def bristles(m: ti.template(), u: ti.i32, v: real):
    """a, g and exp(-(v/vs)^2)."""
    x = v / ti.max(MINVAL, m.motor_bias[u, VS])
    e = ti.exp(-x * x)
    g = ti.max(MINVAL, m.motor_bias[u, FC] + (m.motor_bias[u, FS] - m.motor_bias[u, FC]) * e)
    return -m.motor_dyn[u, S0] * ti.abs(v) / g, g, e


@ti.func
def exact_share(a: real, h: real):
    """(exp(a h) - 1) / a, and its derivative by a."""
    y = a * h
    e = ti.exp(y)
    s = h
    if ti.abs(a) > MINVAL:
        s = (e - 1.0) / a
    slope = h * h * (0.5 + y * (1.0 / 3.0 + y * (0.125 + y * (1.0 / 30.0 + y / 144.0))))
    if ti.abs(y) > 1e-3:
        slope = (h * e - s) / a
    return s, slope


@serves("dcmotor")
@ti.func
def current_reach(m: ti.template(), u: ti.i32):
    """How far i' takes the current in a step."""
    te = ti.max(MINVAL, m.motor_dyn[u, TE])
    return te * (1.0 - ti.exp(-m.timestep / te))


@serves("dcmotor")
@ti.func
def is_held(m: ti.template(), u: ti.i32, z: real, error: real):
    """Whether z is at an end that the error would take it beyond."""
    most = m.motor_dyn[u, IMAX]
    return most > 0 and (z >= most and error > 0 or z <= -most and error < 0)


@ti.func
def rate_bar(m: ti.template(), g: ti.template(), w: ti.i32, k: ti.i32):
    """The adjoint of act_dot of the state k, zero where there is none."""
    bar = real(0.0)
    if k >= 0:
        bar = g.pid_bar[w * m.na + k]
    return bar


@ti.func
def add_state(m: ti.template(), g: ti.template(), w: ti.i32, k: ti.i32, bar: real):
    if k >= 0:
        g.act_bar[w * m.na + k] = g.act_bar[w * m.na + k] + bar


@ti.func
def bristles_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32):
    """From the adjoints of b' and of motor_extra to b and friction; returns that of the velocity."""
    v = d.motor_velocity[w, u]
    v_bar = real(0.0)
    if m.motor_bristle[u] >= 0:
        extra_bar = g.motor_extra_bar[w, u]
        b = d.act[w * m.na + m.motor_bristle[u]]
        decay, share, e = bristles(m, u, v)
        rate = decay * b + v
        reach, by_decay = exact_share(decay, m.timestep)
        bar = rate_bar(m, g, w, m.motor_bristle[u]) - m.motor_dyn[u, S1] * extra_bar
        decay_bar = bar * b + g.reach_bar[w * m.na + m.motor_bristle[u]] * by_decay
        add_state(m, g, w, m.motor_bristle[u], bar * decay - m.motor_dyn[u, S0] * extra_bar)
        share_bar = -decay_bar * decay / share
        vs = ti.max(MINVAL, m.motor_bias[u, VS])
        drop = m.motor_bias[u, FS] - m.motor_bias[u, FC]
        v_bar = bar - decay_bar * m.motor_dyn[u, S0] * ti.math.sign(v) / share
        v_bar = v_bar - share_bar * drop * e * 2.0 * v / (vs * vs)
        if ti.static(has.drive_leaf):
            add_rest(m, g, w, u, S0, -decay_bar * ti.abs(v) / share - extra_bar * b)
            add_rest(m, g, w, u, S1, -extra_bar * rate)
            add_bias(m, g, w, u, FC, share_bar * (1.0 - e))
            add_bias(m, g, w, u, FS, share_bar * e)
            add_bias(m, g, w, u, VS, share_bar * drop * e * 2.0 * v * v / (vs * vs * vs))
    return v_bar


@ti.func
def electric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32):
    """From the adjoints of motor_force, i' and T' to their states and R, K, alpha; returns those of V and of the
    velocity where V is held."""
    v = d.motor_velocity[w, u]
    f_bar = g.motor_force_bar[w, u]
    volt, torque, side = terminal(m, d, w, u)
    y, rise = warmth(m, d, w, u)
    R = resistance(m, u) * y
    K = m.actuator_gainprm[u, 1]
    U = (volt - K * v) / R
    U_bar = real(0.0)
    R_bar = real(0.0)
    K_bar = real(0.0)
    current = U
    current_bar = real(0.0)
    if m.motor_heat[u] >= 0:
        if m.motor_current[u] >= 0:
            current = d.act[w * m.na + m.motor_current[u]]
        bar = rate_bar(m, g, w, m.motor_heat[u]) / m.motor_dyn[u, HEATCAP]
        current_bar = 2.0 * R * current * bar
        R_bar = current * current * bar
        add_state(m, g, w, m.motor_heat[u], -bar / m.motor_dyn[u, RT])
        if ti.static(has.drive_leaf):
            heat = d.act[w * m.na + m.motor_heat[u]]
            cooling = heat / m.motor_dyn[u, RT]
            add_dyn(m, g, w, u, RT, bar * cooling / m.motor_dyn[u, RT])
            add_rest(m, g, w, u, HEATCAP, -bar * (R * current * current - cooling) / m.motor_dyn[u, HEATCAP])
    if m.motor_current[u] >= 0:
        a = w * m.na + m.motor_current[u]
        te = m.motor_dyn[u, TE]
        reach = current_reach(m, u)
        rate = (U - d.act[a]) / te
        most = m.motor_dyn[u, DIMAX]
        bar = rate_bar(m, g, w, m.motor_current[u]) + K * f_bar * reach
        limited = real(0.0)
        if most > 0 and ti.abs(rate) > most:
            limited = ti.math.sign(rate)
            rate = limited * most
        K_bar = K_bar + f_bar * (d.act[a] + rate * reach)
        if ti.static(has.drive_leaf):
            x = m.timestep / te
            reach_by_te = 1.0 - ti.exp(-x) * (1.0 + x)
            te_bar = (g.reach_bar[a] + K * f_bar * rate) * reach_by_te
            if limited == 0.0:
                te_bar = te_bar - bar * rate / te
            add_dyn(m, g, w, u, TE, te_bar)
            add_dyn(m, g, w, u, DIMAX, bar * limited)
        if limited != 0.0:
            bar = 0.0
        U_bar = bar / te
        add_state(m, g, w, m.motor_current[u], K * f_bar + current_bar - bar / te)
    else:
        U_bar = K * f_bar + current_bar
        K_bar = K_bar + f_bar * U
    R_bar = R_bar - U * U_bar / R
    K_bar = K_bar - v * U_bar / R
    alpha = m.actuator_gainprm[u, 2]
    g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + R_bar * y
    g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + K_bar
    heat_bar = R_bar * m.actuator_gainprm[u, 0]
    g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + heat_bar * rise
    add_state(m, g, w, m.motor_heat[u], heat_bar * alpha)
    if ti.static(has.drive_leaf):
        if m.motor_heat[u] >= 0:
            add_rest(m, g, w, u, TA, heat_bar * alpha)
            add_gain(m, g, w, u, T0, -heat_bar * alpha)
    return U_bar / R, -K * U_bar / R


@ti.func
def controlled_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, volt_bar: real):
    """From the adjoints of V and of z' to z and the controller; returns those of pos (minus it that of the length),
    vel, ff and, in the fourth place, of the velocity."""
    pos_bar = real(0.0)
    vel_bar = real(0.0)
    torque_bar = real(0.0)
    v_bar = real(0.0)
    if m.motor_controlled[u]:
        v = d.motor_velocity[w, u]
        volt, torque, side = terminal(m, d, w, u)
        bar = volt_bar
        if side != 0.0:
            bar = 0.0
        R = m.actuator_gainprm[u, 0]
        K = m.actuator_gainprm[u, 1]
        g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + bar * torque / K
        g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + bar * (v - R * torque / (K * K))
        torque_bar = bar * R / K
        pos_bar = torque_bar * m.motor_gain[u, KP]
        vel_bar = torque_bar * m.motor_gain[u, KD]
        v_bar = bar * K - vel_bar
        add_state(m, g, w, m.motor_integral[u], torque_bar * m.motor_gain[u, KI])
        error = d.motor_c[w * m.nmotor + u, 0] - d.motor_length[w, u]
        z = real(0.0)
        if m.motor_integral[u] >= 0:
            z = d.act[w * m.na + m.motor_integral[u]]
            if not is_held(m, u, z, error):
                pos_bar = pos_bar + rate_bar(m, g, w, m.motor_integral[u])
        if ti.static(has.drive_leaf):
            add_gain(m, g, w, u, KP, torque_bar * error)
            add_gain(m, g, w, u, KI, torque_bar * z)
            add_gain(m, g, w, u, KD, torque_bar * (d.motor_c[w * m.nmotor + u, 1] - v))
            add_gain(m, g, w, u, VMAX, volt_bar * side)
    return ti.Vector([pos_bar, vel_bar, torque_bar, v_bar])


@serves("dcmotor")
@ti.func
def motor_slope(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """d motor_force / d velocity and by length, and the share of the current that a step makes: 0 where its rate is
    clamped."""
    volt, torque, side = terminal(m, d, w, u)
    y, rise = warmth(m, d, w, u)
    R = resistance(m, u)
    K = m.actuator_gainprm[u, 1]
    slope = -K * K / R
    stiff = real(0.0)
    if m.motor_controlled[u] and side == 0.0:
        slope = -m.motor_gain[u, KD]
        stiff = -m.motor_gain[u, KP]
    share = real(1.0)
    if m.motor_current[u] >= 0:
        te = m.motor_dyn[u, TE]
        share = 1.0 - ti.exp(-m.timestep / te)
        rate = ((volt - K * d.motor_velocity[w, u]) / (R * y) - d.act[w * m.na + m.motor_current[u]]) / te
        if m.motor_dyn[u, DIMAX] > 0 and ti.abs(rate) > m.motor_dyn[u, DIMAX]:
            share = 0.0
    return slope * share / y, stiff * share / y, share


@serves("dcmotor")
@ti.func
def motor_slope_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32):
    """From the adjoints of those two slopes to parameters and to the temperature."""
    bar = g.motor_slope_bar[w, u]
    l_bar = g.motor_stiff_bar[w, u]
    whole, stiff, share = motor_slope(m, d, w, u)
    volt, torque, side = terminal(m, d, w, u)
    y, rise = warmth(m, d, w, u)
    R = resistance(m, u)
    K = m.actuator_gainprm[u, 1]
    own = bar * share / y
    braked = not m.motor_controlled[u] or side != 0.0
    if braked:
        g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + own * K * K / (R * R)
        g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] - own * 2.0 * K / R
    alpha = m.actuator_gainprm[u, 2]
    y_bar = -(bar * whole + l_bar * stiff) / y
    g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + y_bar * rise
    add_state(m, g, w, m.motor_heat[u], y_bar * alpha)
    if ti.static(has.drive_leaf):
        if not braked:
            add_gain(m, g, w, u, KD, -own)
            add_gain(m, g, w, u, KP, -l_bar * share / y)
        if m.motor_heat[u] >= 0:
            add_rest(m, g, w, u, TA, y_bar * alpha)
            add_gain(m, g, w, u, T0, -y_bar * alpha)
        if m.motor_current[u] >= 0 and share > 0:
            te = m.motor_dyn[u, TE]
            by_share = (bar * whole + l_bar * stiff) / share
            add_dyn(m, g, w, u, TE, -by_share * m.timestep / (te * te) * (1.0 - share))


@serves("dcmotor")
@ti.func
def micro_damping(m: ti.template(), u: ti.i32):
    """What bent bristles damp, which no range clamps: of MuJoCo's slope of motor_extra all that there is."""
    x = real(0.0)
    if m.motor_bristle[u] >= 0:
        x = m.motor_dyn[u, S1]
    return x


@serves("dcmotor")
@ti.func
def cogging(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """A sin(N l + phi), and its derivative by l."""
    phase = m.actuator_biasprm[u, 1] * d.motor_length[w, u] + m.actuator_biasprm[u, 2]
    A = m.actuator_biasprm[u, 0]
    return A * ti.sin(phase), A * m.actuator_biasprm[u, 1] * ti.cos(phase)


@serves("dcmotor")
@ti.func
def cogging_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32):
    """From the adjoints of both (motor_extra_bar, motor_wave_bar) to A, N and phi; returns that of the length."""
    bar = g.motor_extra_bar[w, u]
    slope_bar = g.motor_wave_bar[w, u]
    A = m.actuator_biasprm[u, 0]
    N = m.actuator_biasprm[u, 1]
    length = d.motor_length[w, u]
    s = ti.sin(N * length + m.actuator_biasprm[u, 2])
    c = ti.cos(N * length + m.actuator_biasprm[u, 2])
    wave = A * (bar * c - slope_bar * N * s)  # of the phase
    g.actuator_biasprm[w, u, 0] = g.actuator_biasprm[w, u, 0] + bar * s + slope_bar * N * c
    g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] + wave * length + slope_bar * A * c
    g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + wave
    return wave * N
