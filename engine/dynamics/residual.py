"""Residuals: generalised forces that a small network, or a function of the user's, makes of the state; a part of
qfrc_passive, where MuJoCo has its callback for such forces.

y is the network's output or the function's, v the velocities of the dofs that it acts on, i one of these:

    f_i = y_i,     or passive    f_i = -y_i^2 v_i    or, with a speed s,    f_i = -y_i^2 v_i / sqrt(v_i^2 + s^2)
    qfrc = f,      or of power at most P    f min(1, P / f.v)

The forces of residual k and its y lie in d.residual, their adjoints in g.residual_bar behind that of qpos, of one
residual at a time.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.compiler.variant import own
from engine.dynamics.network import add_qpos_bar, layers, layers_vjp, observation, observation_vjp
from engine.math.types import real
from engine.parts import OBS_ACT, OBS_CTRL, OBS_SPEED, RESIDUAL_FRICTION, RESIDUAL_MLP


@ti.func
def seen(m: ti.template(), d: ti.template(), w: ti.i32, kind: ti.i32, k: ti.i32):
    x = real(0.0)
    if kind == OBS_ACT:
        x = d.act[w * m.na + k]
    elif kind == OBS_CTRL:
        x = d.ctrl[w * m.nu + k]
    elif kind == OBS_SPEED:
        x = ti.abs(d.qvel[w * m.nv + k])
    else:
        x = observation(m, d, w, kind, k)
    return x


@ti.func
def outputs(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """y of residual k; returns where it begins in d.residual."""
    i0 = m.residual_intadr[k] + m.residual_num[k]
    o = w * m.nresidualwork + m.residual_num[k]
    y = o
    if m.residual_kind[k] == RESIDUAL_MLP:
        entries = i0 + m.residual_int[i0] + 2
        for i in range(m.residual_int[i0 + 1]):
            d.residual[o + i] = seen(m, d, w, m.residual_int[entries + 2 * i], m.residual_int[entries + 2 * i + 1])
        y = layers(m.residual_int, m.theta, d.residual, i0, m.residual_prm.at(m.residual_prmadr[k]), o)
    elif ti.static(has.own_residual):
        own.force(m, d, w, m.residual_prmadr[k], i0, o)
    return y


@ti.func
def rubbing(m: ti.template(), k: ti.i32, v: real):
    """What y^2 is multiplied with in a passive force at velocity v, and its derivative."""
    f = v
    slope = real(1.0)
    s = m.residual_speed[k]
    if s > 0:
        r = 1.0 / ti.sqrt(v * v + s * s)
        f = v * r
        slope = s * s * r * r * r
    return f, slope


@ti.func
def residual(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """The forces of residual k at the head of d.residual; returns where y begins, and by what the bound of its power
    has multiplied them."""
    y = outputs(m, d, w, k)
    o = w * m.nresidualwork
    adr = m.residual_intadr[k]
    power = real(0.0)
    for i in range(m.residual_num[k]):
        v = d.qvel[w * m.nv + m.residual_int[adr + i]]
        f = d.residual[y + i]
        if m.residual_passive[k] != 0:
            x, slope = rubbing(m, k, v)
            f = -f * f * x
        d.residual[o + i] = f
        power = power + f * v
    share = real(1.0)
    if m.residual_power[k] > 0 and power > m.residual_power[k]:
        share = m.residual_power[k] / power
        for i in range(m.residual_num[k]):
            d.residual[o + i] = share * d.residual[o + i]
    return y, share


@serves("residual")
@ti.func
def add_residuals(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_passive gains all of them."""
    for k in range(m.nresidual):
        exerts = 0
        if m.residual_kind[k] != RESIDUAL_FRICTION:  # which a row of constraint/friction.py has
            residual(m, d, w, k)
            exerts = m.residual_num[k]
        for i in range(exerts):
            dof = m.residual_int[m.residual_intadr[k] + i]
            d.qfrc_passive[w, dof] = d.qfrc_passive[w, dof] + d.residual[w * m.nresidualwork + i]


@outline("mdg", "w", when="residual")
@ti.func
def residuals_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-f) of all of them to the adjoints of the state, the controls and the parameters."""
    for k in range(m.nresidual):
        if m.residual_kind[k] != RESIDUAL_FRICTION:
            residual_vjp(m, d, g, w, k)


@ti.func
def residual_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, k: ti.i32):
    """The same of residual k."""
    y, share = residual(m, d, w, k)
    o = w * m.nresidualwork
    q = w * m.nresidualbar  # the adjoint of qpos, then those of d.residual
    n = m.residual_num[k]
    adr = m.residual_intadr[k]
    for i in range(m.nresidualbar):
        g.residual_bar[q + i] = 0.0
    b = q + m.nq
    # with a bound P that holds, F = f P / f.v:  f_bar = share F_bar - c share / P v,  v_bar = -c / P F,  c = F . F_bar
    c = real(0.0)
    if share < 1:
        for i in range(n):
            c = c - d.z[w, m.residual_int[adr + i]] * d.residual[o + i]
        c = c / m.residual_power[k]
    for i in range(n):
        dof = m.residual_int[adr + i]
        v = d.qvel[w * m.nv + dof]
        f_bar = -share * d.z[w, dof] - c * share * v
        v_bar = -c * d.residual[o + i]
        if m.residual_passive[k] != 0:
            x, slope = rubbing(m, k, v)
            value = d.residual[y + i]
            v_bar = v_bar - value * value * slope * f_bar
            f_bar = -2.0 * value * x * f_bar
        g.residual_bar[b + y - o + i] = f_bar
        g.qvel_bar[w * m.nv + dof] = g.qvel_bar[w * m.nv + dof] + v_bar
    outputs_vjp(m, d, g, w, k, q, b, y)
    add_qpos_bar(m, d, g, g.residual_bar, w, q)


@ti.func
def outputs_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, k: ti.i32, q: ti.i32, b: ti.i32,
                y: ti.i32):  # fmt: skip
    """From the adjoint of y to those of qpos in its own coordinates at g.residual_bar[q:], and of all else."""
    i0 = m.residual_intadr[k] + m.residual_num[k]
    o = w * m.nresidualwork + m.residual_num[k]
    b0 = b + m.residual_num[k]
    if m.residual_kind[k] == RESIDUAL_MLP:
        p = m.residual_prmadr[k]
        layers_vjp(m.residual_int, m.theta, d.residual, g.theta_bar, g.residual_bar, i0, m.residual_prm.at(p), o,
                   g.residual_prm.at(w, p), b0, y - o)  # fmt: skip
        entries = i0 + m.residual_int[i0] + 2
        for i in range(m.residual_int[i0 + 1]):
            kind = m.residual_int[entries + 2 * i]
            e = m.residual_int[entries + 2 * i + 1]
            bar = g.residual_bar[b0 + i]
            if kind == OBS_ACT:
                g.act_bar[w * m.na + e] = g.act_bar[w * m.na + e] + bar
            elif kind == OBS_CTRL:
                g.ctrl_bar[w * m.nu + e] = g.ctrl_bar[w * m.nu + e] + bar
            elif kind == OBS_SPEED:
                v = w * m.nv + e
                g.qvel_bar[v] = g.qvel_bar[v] + bar * ti.math.sign(d.qvel[v])
            else:
                observation_vjp(m, d, g, g.residual_bar, w, kind, e, q, bar)
    elif ti.static(has.own_residual):
        own.force_vjp(m, d, g, w, m.residual_prmadr[k], i0, o, q, b0)
