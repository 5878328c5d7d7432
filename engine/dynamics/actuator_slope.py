"""The derivatives of actuators' forces by length and velocity, which the implicit integrators take (implicit.py,
constraint/metric.py), and their adjoint."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.activation import act_vjp, actuator_input, pid_vjp
from engine.dynamics.actuation import tendon_scale
from engine.dynamics.dcmotor import S1, micro_damping
from engine.dynamics.drive_leaves import add_rest
from engine.dynamics.gain_bias import raw_force
from engine.dynamics.joint_force import force_slope
from engine.dynamics.transmission import ARM, TENDON, transmission
from engine.math.types import real
from engine.model.constants import BIAS_MUSCLE, GAIN_DCMOTOR, GAIN_MUSCLE, GAIN_SO3, TRN_TENDON

ROUNDING = 1e-10  # of a limit, within which MuJoCo takes a tendon's sum of forces for limited


@serves("tendon_actfrc")
@ti.func
def unlimited(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """1 where the tendon of actuator u lets more of its force through, else 0. Where a range cuts one of several forces
    that the tendon has scaled down, their sum is below the limit, and the slopes of the others count."""
    x = real(1.0)
    if m.actuator_trntype[u] == TRN_TENDON:
        t = m.actuator_trnid[u]
        total = d.ten_actsum[w, t]
        lo = m.tendon_actfrcrange[t, 0]
        hi = m.tendon_actfrcrange[t, 1]
        if m.tendon_actfrclimited[t]:
            if total <= lo + ROUNDING * ti.abs(lo) or total >= hi - ROUNDING * ti.abs(hi):
                x = 0.0
    return x


@ti.func
def force_slopes(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Of actuator u: the derivatives of its force by length and velocity before any limit; how much of them counts, 0
    while its force or the sum on its joint or tendon is clamped; its input and what `actuator_input` says of that; what
    it is on, as `transmission` has it, and its velocity."""
    t, qa, da, n, length, velocity = transmission(m, d, w, u)
    given, slope, a = actuator_input(m, d, w, u)
    force, x, gain = raw_force(m, d, w, u, given, length, velocity)
    if ti.static(has.tendon_actfrc):
        scale, by_sum = tendon_scale(m, d, w, u)
        if m.actuator_gaintype[u] != GAIN_DCMOTOR:  # whose range MuJoCo compares with the force before its tendon's
            force = scale * force
    fs = real(1.0)
    if m.actuator_forcelimited[u]:
        if force <= m.actuator_forcerange[u, 0] or force >= m.actuator_forcerange[u, 1]:
            fs = 0.0
    if ti.static(has.so3):
        if m.actuator_gaintype[u] == GAIN_SO3:
            fs = d.so3_free[w, u]
    if ti.static(has.actfrc):
        if t != TENDON and t != ARM:
            fs = fs * force_slope(m, d, w, da)
    if ti.static(has.tendon_actfrc):
        fs = fs * unlimited(m, d, w, u)
    by_l = m.actuator_biasprm[u, 1] + m.actuator_gainprm[u, 1] * x
    by_v = m.actuator_biasprm[u, 2] + m.actuator_gainprm[u, 2] * x
    if ti.static(has.muscle):
        by_l, by_v = muscle_slopes(m, d, w, u, x)
    if ti.static(has.dcmotor):
        if m.actuator_gaintype[u] == GAIN_DCMOTOR:
            by_v = d.motor_slope[w, u]
            by_l = d.motor_stiff[w, u]
    if ti.static(has.so3):
        if m.actuator_gaintype[u] == GAIN_SO3:  # as MuJoCo takes it, as if no axis felt the others
            by_l = -m.actuator_gainprm[m.so3_first[u], 0]
            by_v = m.actuator_biasprm[m.so3_first[u], 2]
    return by_l, by_v, fs, x, slope, a, t, qa, da, n, velocity


@ti.func
def counted_slope(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, by_v: real, fs: real, t: ti.i32,
                  da: ti.i32):  # fmt: skip
    """What counts of the derivative by velocity. What the bristles of a DC motor damp is within no range of its own."""
    s = by_v * fs
    if ti.static(has.dcmotor):
        if m.actuator_gaintype[u] == GAIN_DCMOTOR:
            s = s - let_through(m, d, w, u, t, da) * micro_damping(m, u)
    return s


@serves("dcmotor")
@ti.func
def let_through(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, t: ti.i32, da: ti.i32):
    """1 where what no range clamps of motor u reaches the dofs that M couples, else 0. da: its first dof."""
    x = real(1.0)
    if ti.static(has.actfrc):
        if t != TENDON and t != ARM:
            x = force_slope(m, d, w, da)
    return x


@serves("dcmotor")
@ti.func
def micro_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, t: ti.i32, da: ti.i32,
              bar: real):  # fmt: skip
    """From the adjoint of what `counted_slope` has of motor u to what bent bristles damp."""
    if ti.static(has.drive_leaf):
        if m.actuator_gaintype[u] == GAIN_DCMOTOR:
            add_rest(m, g, w, u, S1, -bar * let_through(m, d, w, u, t, da))


@serves("muscle")
@ti.func
def muscle_slopes(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, x: real):
    """The two derivatives where some actuators are muscles; the integrator discrete alone asks that by length."""
    gain_l = m.actuator_gainprm[u, 1]
    gain_v = m.actuator_gainprm[u, 2]
    bias_l = m.actuator_biasprm[u, 1]
    bias_v = m.actuator_biasprm[u, 2]
    if m.actuator_gaintype[u] == GAIN_MUSCLE:
        gain_v = d.muscle_slope[w * m.nu + u]
        if ti.static(has.discrete):
            gain_l = d.muscle_stiff[w * m.nu + u]
    if m.actuator_biastype[u] == BIAS_MUSCLE:
        bias_v = 0.0
        if ti.static(has.discrete):
            bias_l = d.muscle_hold[w * m.nu + u]
    return bias_l + gain_l * x, bias_v + gain_v * x


@ti.func
def force_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, l_bar: real,
                     v_bar: real, x: real, slope: real, a: ti.i32):  # fmt: skip
    """From the adjoints of those two derivatives, before what counts, to the gains and the input."""
    s_bar = v_bar
    k_bar = l_bar
    if ti.static(has.dcmotor):
        if m.actuator_gaintype[u] == GAIN_DCMOTOR:
            g.motor_slope_bar[w, u] = g.motor_slope_bar[w, u] + v_bar
            g.motor_stiff_bar[w, u] = g.motor_stiff_bar[w, u] + l_bar
            s_bar = 0.0
            k_bar = 0.0
    if ti.static(has.so3):
        if m.actuator_gaintype[u] == GAIN_SO3:
            first = m.so3_first[u]
            g.actuator_gainprm[w, first, 0] = g.actuator_gainprm[w, first, 0] - k_bar
            g.actuator_biasprm[w, first, 2] = g.actuator_biasprm[w, first, 2] + s_bar
            s_bar = 0.0
            k_bar = 0.0
    x_bar = s_bar * m.actuator_gainprm[u, 2]
    if ti.static(has.discrete):
        x_bar = x_bar + k_bar * m.actuator_gainprm[u, 1]
    if ti.static(has.muscle):
        x_bar = muscle_slopes_vjp(m, d, g, w, u, x, k_bar, s_bar)
    else:
        if ti.static(has.discrete):
            g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] + k_bar
            g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + k_bar * x
        g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + s_bar
        g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + s_bar * x
    if a < 0:
        g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + x_bar * slope
    if ti.static(has.activation):
        if a >= 0:
            act_vjp(m, d, g, w, u, a, x_bar)
    if ti.static(has.pid):
        pid_vjp(m, d, g, w, u, x_bar, 0.0)


@serves("muscle")
@ti.func
def muscle_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, x: real, l_bar: real,
                      v_bar: real):  # fmt: skip
    """From the adjoints of `muscle_slopes` to parameters and what muscles have; returns that of the input."""
    i = w * m.nu + u
    x_bar = real(0.0)
    if m.actuator_gaintype[u] == GAIN_MUSCLE:
        g.muscle_slope_bar[i] = g.muscle_slope_bar[i] + v_bar * x
        x_bar = v_bar * d.muscle_slope[i]
        if ti.static(has.discrete):
            g.muscle_stiff_bar[i] = g.muscle_stiff_bar[i] + l_bar * x
            x_bar = x_bar + l_bar * d.muscle_stiff[i]
    else:
        g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] + l_bar * x
        g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] + v_bar * x
        x_bar = v_bar * m.actuator_gainprm[u, 2] + l_bar * m.actuator_gainprm[u, 1]
    if m.actuator_biastype[u] == BIAS_MUSCLE:
        if ti.static(has.discrete):
            g.muscle_hold_bar[i] = g.muscle_hold_bar[i] + l_bar
    else:
        g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] + l_bar
        g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + v_bar
    return x_bar
