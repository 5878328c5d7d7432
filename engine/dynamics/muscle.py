"""Muscles: force = -F (FL(L) FV(V) act + fpmax FP(L)) (MuJoCo documentation, "Muscle actuators").

    L = r0 + (l - l0) / unit,  V = l' / (unit vmax),  unit = (l1 - l0) / (r1 - r0)
l0, l1: actuator_lengthrange; (r0, r1, F): the first three of gainprm, of biasprm for the passive force FP. Each curve
is of squares that meet with one slope, so derivatives are continuous; those of the slopes, which implicitfast and
discrete take, jump where they meet.
    act' = (c - act) / tau,  tau = t_act k where c > act, else t_deact / k,  k = 1/2 + 3/2 act
c and the act in k are taken within 0 and 1. At c = act the rate has a kink, unless tausmooth blends the two (Millard
et al., Journal of Biomechanical Engineering 135(2), 2013).
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.drive_leaves import add_bias, add_dyn, add_gain
from engine.math.types import MINVAL, real

LMIN, LMAX, VMAX, FPMAX, FVMAX = 1, 2, 3, 4, 5  # in muscle_gaincurve and muscle_biascurve


@ti.func
def normalized(m: ti.template(), prm: ti.template(), curve: ti.template(), u: ti.i32, length: real, velocity: real):
    """L, V, the length of a unit of L and the velocity of a unit of V."""
    l0 = m.muscle_lengthrange[u, 0]
    unit = (m.muscle_lengthrange[u, 1] - l0) / ti.max(MINVAL, prm[u, 1] - prm[u, 0])
    unit = ti.max(MINVAL, unit)
    speed = ti.max(MINVAL, unit * curve[u, VMAX])
    return prm[u, 0] + (length - l0) / unit, velocity / speed, unit, speed


@ti.func
def active(L: real, lmin: real, lmax: real):
    """FL and its first and second derivative."""
    f = real(0.0)
    slope = real(0.0)
    second = real(0.0)
    if lmin <= L and L <= lmax:
        end = lmin
        if L > 1:
            end = lmax
        half = 0.5 * (end - 1.0)  # from the peak to where the squares meet
        if (L - 1.0) / half > 1:
            x = (end - L) / half
            f = 0.5 * x * x
            slope = -x / half
            second = 1.0 / (half * half)
        else:
            x = (L - 1.0) / half
            f = 1.0 - 0.5 * x * x
            slope = -x / half
            second = -1.0 / (half * half)
    return f, slope, second


@ti.func
def at_velocity(V: real, fvmax: real):
    """FV and its first and second derivative."""
    y = fvmax - 1.0
    f = real(0.0)
    slope = real(0.0)
    second = real(0.0)
    if V > y:
        f = fvmax
    elif V > 0:
        width = ti.max(MINVAL, y)
        f = fvmax - (y - V) * (y - V) / width
        slope = 2.0 * (y - V) / width
        second = -2.0 / width
    elif V > -1:
        f = (V + 1.0) * (V + 1.0)
        slope = 2.0 * (V + 1.0)
        second = 2.0
        if V == 0:  # where it jumps: half of either side
            second = 1.0 - 1.0 / ti.max(MINVAL, y)
    return f, slope, second


@ti.func
def active_by_end(L: real, lmin: real, lmax: real):
    """The derivative of FL by that one of lmin and lmax on whose side L is."""
    y = real(0.0)
    if lmin <= L and L <= lmax:
        end = lmin
        if L > 1:
            end = lmax
        half = 0.5 * (end - 1.0)
        x = (L - 1.0) / half
        y = 0.5 * x * x / half
        if x > 1:
            x = (end - L) / half
            y = x * (1.0 - 0.5 * x) / half
    return y


@ti.func
def at_velocity_by_top(V: real, fvmax: real):
    """The derivatives by fvmax of FV and of its derivative."""
    y = fvmax - 1.0
    f = real(0.0)
    slope = real(0.0)
    if V > y:
        f = 1.0
    elif V > 0:
        width = ti.max(MINVAL, y)
        f = V * V / (width * width)
        slope = 2.0 * V / (width * width)
    return f, slope


@ti.func
def passive_force(L: real, lmax: real):
    """FP and its first and second derivative."""
    half = 0.5 * (lmax - 1.0)
    x = (L - 1.0) / half
    f = real(0.0)
    slope = real(0.0)
    second = real(0.0)
    if x > 1:
        f = x - 0.5
        slope = 1.0 / half
    elif x > 0:
        f = 0.5 * x * x
        slope = x / half
        second = 1.0 / (half * half)
    return f, slope, second


@ti.func
def muscle_gain(m: ti.template(), u: ti.i32, length: real, velocity: real):
    """The gain of muscle u, and its derivatives by the velocity and by the length."""
    L, V, unit, speed = normalized(m, m.actuator_gainprm, m.muscle_gaincurve, u, length, velocity)
    fl, fl1, fl2 = active(L, m.muscle_gaincurve[u, LMIN], m.muscle_gaincurve[u, LMAX])
    fv, fv1, fv2 = at_velocity(V, m.muscle_gaincurve[u, FVMAX])
    force = -m.actuator_gainprm[u, 2]
    return force * fl * fv, force * fl * fv1 / speed, force * fl1 * fv / unit


@ti.func
def muscle_bias(m: ti.template(), u: ti.i32, length: real):
    """The bias of muscle u, and its derivative."""
    L, V, unit, speed = normalized(m, m.actuator_biasprm, m.muscle_biascurve, u, length, 0.0)
    fp, fp1, fp2 = passive_force(L, m.muscle_biascurve[u, LMAX])
    most = -m.actuator_biasprm[u, 2] * m.muscle_biascurve[u, FPMAX]
    return most * fp, most * fp1 / unit


@ti.func
def add_muscle_bars(prm: ti.template(), prm_bar: ti.template(), w: ti.i32, u: ti.i32, L: real, V: real, bar: real,
                    y: real, L_bar: real, V_bar: real, power: real):  # fmt: skip
    """From the adjoint `bar` of F y, y of L, V and (unit vmax)^-power, and those of L and V, to r0, r1 and F."""
    width = ti.max(MINVAL, prm[u, 1] - prm[u, 0])
    stretch = (-(L - prm[u, 0]) * L_bar - V * V_bar - power * bar * prm[u, 2] * y) / width  # of log unit, by r0
    prm_bar[w, u, 0] = prm_bar[w, u, 0] + L_bar + stretch
    prm_bar[w, u, 1] = prm_bar[w, u, 1] - stretch
    prm_bar[w, u, 2] = prm_bar[w, u, 2] + bar * y


@ti.func
def muscle_gain_vjp(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, length: real, velocity: real, bar: real,
                    slope_bar: real, stiff_bar: real):  # fmt: skip
    """From the adjoints of the gain and of its derivatives by velocity and length to gainprm; returns those of l and
    l'."""
    L, V, unit, speed = normalized(m, m.actuator_gainprm, m.muscle_gaincurve, u, length, velocity)
    fl, fl1, fl2 = active(L, m.muscle_gaincurve[u, LMIN], m.muscle_gaincurve[u, LMAX])
    fv, fv1, fv2 = at_velocity(V, m.muscle_gaincurve[u, FVMAX])
    force = m.actuator_gainprm[u, 2]
    rate_bar = slope_bar / speed
    L_bar = -force * fl1 * (bar * fv + rate_bar * fv1)
    V_bar = -force * fl * (bar * fv1 + rate_bar * fv2)
    if ti.static(has.discrete):
        rate = stiff_bar / unit
        L_bar = L_bar - force * rate * fl2 * fv
        V_bar = V_bar - force * rate * fl1 * fv1
        add_muscle_bars(m.actuator_gainprm, g.actuator_gainprm, w, u, L, V, rate, -fl1 * fv, 0.0, 0.0, 1.0)
    add_muscle_bars(m.actuator_gainprm, g.actuator_gainprm, w, u, L, V, bar, -fl * fv, L_bar, V_bar, 0.0)
    add_muscle_bars(m.actuator_gainprm, g.actuator_gainprm, w, u, L, V, rate_bar, -fl * fv1, 0.0, 0.0, 1.0)
    if ti.static(has.drive_leaf):
        fl_bar = -force * (bar * fv + rate_bar * fv1)
        by_end = active_by_end(L, m.muscle_gaincurve[u, LMIN], m.muscle_gaincurve[u, LMAX])
        if L > 1:
            add_gain(m, g, w, u, LMAX, fl_bar * by_end)
        else:
            add_gain(m, g, w, u, LMIN, fl_bar * by_end)
        by_top, by_top1 = at_velocity_by_top(V, m.muscle_gaincurve[u, FVMAX])
        add_gain(m, g, w, u, FVMAX, -force * fl * (bar * by_top + rate_bar * by_top1))
        add_gain(m, g, w, u, VMAX, (force * fl * rate_bar * fv1 - V * V_bar) / m.muscle_gaincurve[u, VMAX])
    return L_bar / unit, V_bar / speed


@ti.func
def muscle_bias_vjp(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, length: real, bar: real,
                    hold_bar: real):  # fmt: skip
    """From the adjoints of the bias and of its derivative to biasprm; returns that of l."""
    L, V, unit, speed = normalized(m, m.actuator_biasprm, m.muscle_biascurve, u, length, 0.0)
    fp, fp1, fp2 = passive_force(L, m.muscle_biascurve[u, LMAX])
    most = m.muscle_biascurve[u, FPMAX]
    L_bar = -bar * m.actuator_biasprm[u, 2] * most * fp1
    if ti.static(has.discrete):
        rate = hold_bar / unit
        L_bar = L_bar - rate * m.actuator_biasprm[u, 2] * most * fp2
        add_muscle_bars(m.actuator_biasprm, g.actuator_biasprm, w, u, L, 0.0, rate, -most * fp1, 0.0, 0.0, 1.0)
    add_muscle_bars(m.actuator_biasprm, g.actuator_biasprm, w, u, L, 0.0, bar, -most * fp, L_bar, 0.0, 0.0)
    if ti.static(has.drive_leaf):
        half = 0.5 * (m.muscle_biascurve[u, LMAX] - 1.0)
        force = m.actuator_biasprm[u, 2]
        add_bias(m, g, w, u, FPMAX, -bar * force * fp)
        add_bias(m, g, w, u, LMAX, bar * force * most * fp1 * 0.5 * (L - 1.0) / half)
    return L_bar / unit


@ti.func
def muscle_rate(m: ti.template(), u: ti.i32, ctrl: real, act: real):
    """act' of muscle u, and its derivatives by ctrl and act."""
    c = ti.min(ti.max(ctrl, 0.0), 1.0)
    a = ti.min(ti.max(act, 0.0), 1.0)
    k = 0.5 + 1.5 * a
    rising = m.muscle_dynprm[u, 0] * k
    falling = m.muscle_dynprm[u, 1] / k
    width = m.muscle_dynprm[u, 2]
    x = c - act
    share = ti.cast(x > 0, real)  # of the rising one
    share1 = real(0.0)
    if width >= MINVAL:
        s = ti.min(ti.max(x / width + 0.5, 0.0), 1.0)
        share = s * s * s * (3.0 * s * (2.0 * s - 5.0) + 10.0)
        share1 = 30.0 * s * s * (1.0 - s) * (1.0 - s) / width
    tau = ti.max(MINVAL, falling + (rising - falling) * share)
    rate = x / tau
    by_x = (1.0 - rate * (rising - falling) * share1) / tau
    by_k = -rate * (share * m.muscle_dynprm[u, 0] - (1.0 - share) * falling / k) / tau
    by_act = -by_x
    if 0 <= act and act <= 1:
        by_act = by_act + 1.5 * by_k
    return rate, by_x * ti.cast(0 <= ctrl and ctrl <= 1, real), by_act


@serves("drive_leaf")
@ti.func
def muscle_rate_leaves(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, ctrl: real, act: real, bar: real):
    """From the adjoint of act' of muscle u to its time constants and tausmooth."""
    a = ti.min(ti.max(act, 0.0), 1.0)
    k = 0.5 + 1.5 * a
    x = ti.min(ti.max(ctrl, 0.0), 1.0) - act
    width = m.muscle_dynprm[u, 2]
    share = ti.cast(x > 0, real)
    by_width = real(0.0)
    if width >= MINVAL:
        s = ti.min(ti.max(x / width + 0.5, 0.0), 1.0)
        share = s * s * s * (3.0 * s * (2.0 * s - 5.0) + 10.0)
        by_width = -30.0 * s * s * (1.0 - s) * (1.0 - s) * x / (width * width)
    rising = m.muscle_dynprm[u, 0] * k
    falling = m.muscle_dynprm[u, 1] / k
    tau = ti.max(MINVAL, falling + (rising - falling) * share)
    tau_bar = -bar * x / (tau * tau)
    add_dyn(m, g, w, u, 0, tau_bar * k * share)
    add_dyn(m, g, w, u, 1, tau_bar * (1.0 - share) / k)
    add_dyn(m, g, w, u, 2, tau_bar * (rising - falling) * by_width)
