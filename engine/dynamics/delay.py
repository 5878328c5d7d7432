"""Actuators that act on controls of the past (MuJoCo documentation, "Delays").

The controls of the last n steps are a part of the state: they lie in act, behind the activations, the oldest one first.
    c = sum of w_k act[first + k],      then act[0] .. act[n - 2] = act[1] .. act[n - 1],  act[n - 1] = ctrl
The weights w are those of reading at the time t - delay by MuJoCo's rule (the last sample, linear or cubic). What is
read depends on t alone through the stages of RK4, for each of which there are weights (model/delays.py).
"""

import taichi as ti

from engine.compiler.features import serves
from engine.math.types import real


@ti.func
def past_controls(m: ti.template(), u: ti.i32):
    """How many controls of the past actuator u has."""
    n = 0
    if u < m.ndelay:
        n = m.delay_num[u]
    return n


@ti.func
def first_read(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Where the controls begin in act that actuator u reads, and their weights in delay_weight."""
    s = d.delay_stage[w]
    return w * m.na + m.delay_adr[u] + m.delay_from[u, s], 4 * s


@serves("delay")
@ti.func
def late_controls(m: ti.template(), d: ti.template(), w: ti.i32):
    """delay_ctrl: what delayed actuators act on. Controls of the past do not change within a step: no act_dot."""
    for u in range(m.ndelay):
        n = m.delay_num[u]
        if n > 0:
            a, s = first_read(m, d, w, u)
            c = real(0.0)
            for k in range(4):
                if m.delay_weight[u, s + k] != 0:
                    c = c + m.delay_weight[u, s + k] * d.act[a + k]
            d.delay_ctrl[w * m.nu + u] = c
            for k in range(n):
                d.act_dot[w * m.na + m.delay_adr[u] + k] = 0.0


@serves("delay")
@ti.func
def begin_late(m: ti.template(), g: ti.template(), w: ti.i32):
    """From here on ctrl_bar of delayed actuators is the adjoint of what they act on; what it was is kept."""
    for u in range(m.ndelay):
        if m.delay_num[u] > 0:
            g.delay_kept[w * m.nu + u] = g.ctrl_bar[w * m.nu + u]
            g.ctrl_bar[w * m.nu + u] = 0.0


@serves("delay")
@ti.func
def late_controls_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From that adjoint to controls of the past; ctrl_bar is again what it was."""
    for u in range(m.ndelay):
        if m.delay_num[u] > 0:
            a, s = first_read(m, d, w, u)
            for k in range(4):
                if m.delay_weight[u, s + k] != 0:
                    bar = g.ctrl_bar[w * m.nu + u] * m.delay_weight[u, s + k]
                    g.act_bar[a + k] = g.act_bar[a + k] + bar
            g.ctrl_bar[w * m.nu + u] = g.delay_kept[w * m.nu + u]


@serves("delay")
@ti.func
def remember(m: ti.template(), d: ti.template(), w: ti.i32):
    """After a step its control is one of the past."""
    for u in range(m.ndelay):
        n = m.delay_num[u]
        if n > 0:
            a = w * m.na + m.delay_adr[u]
            for k in range(n - 1):
                d.act[a + k] = d.act[a + k + 1]
            d.act[a + n - 1] = d.ctrl[w * m.nu + u]


@serves("delay")
@ti.func
def remember_vjp(m: ti.template(), g: ti.template(), w: ti.i32):
    """g.act_bar of controls of the past, from after the step to before it, and to ctrl."""
    for u in range(m.ndelay):
        n = m.delay_num[u]
        if n > 0:
            a = w * m.na + m.delay_adr[u]
            g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + g.act_bar[a + n - 1]
            for x in range(n - 1):
                k = n - 1 - x
                g.act_bar[a + k] = g.act_bar[a + k - 1]
            g.act_bar[a] = 0.0
