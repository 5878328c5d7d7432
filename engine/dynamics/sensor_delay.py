"""Sensors that tell what was (MuJoCo documentation, "Delays").

The last n values of each number of such a sensor are a part of the state: they lie in act, behind controls of the past,
the oldest one first.
    sensordata = sum of w_k act[first + k],    then act[0] .. act[n - 2] = act[1] .. act[n - 1],  act[n - 1] = the value
The value is that at the state of the step, which an undelayed sensor would tell; the weights w are those of reading at
the time t - delay (model/delays.py). So these sensors are asked in every physics step. A cutoff cuts each value off
where it is read, not where it is kept, so that the adjoint knows which ones it cut off.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.math.types import real


@ti.func
def kept_value(m: ti.template(), d: ti.template(), e: ti.i32, a: ti.i32):
    """The value of the past act[a] of number e of sensordata after the cutoff, and the derivative by it."""
    x = d.act[a]
    slope = real(1.0)
    most = m.late_cutoff[e]
    if most > 0:
        if ti.abs(x) >= most:
            slope = 0.0
        x = ti.min(ti.max(x, -most), most)
    return x, slope


@serves("sensor_delay")
@ti.func
def read_late(m: ti.template(), d: ti.template(), w: ti.i32):
    """sensordata of delayed sensors, whose values of now are kept for `remember_sensed`."""
    for e in range(m.nlate):
        if m.late_num[e] > 0:
            i = w * m.nsensordata + e
            d.late_now[w, e] = d.sensordata[i]
            d.sensordata[i] = 0.0
            for k in range(4):
                if m.late_weight[e, k] != 0:
                    x, slope = kept_value(m, d, e, w * m.na + m.late_adr[e] + m.late_from[e] + k)
                    d.sensordata[i] = d.sensordata[i] + m.late_weight[e, k] * x


@serves("sensor_delay")
@ti.func
def remember_sensed(m: ti.template(), d: ti.template(), w: ti.i32):
    """After a step its values are some of the past."""
    for e in range(m.nlate):
        n = m.late_num[e]
        if n > 0:
            a = w * m.na + m.late_adr[e]
            for k in range(n - 1):
                d.act[a + k] = d.act[a + k + 1]
            d.act[a + n - 1] = d.late_now[w, e]


@serves("sensor_delay")
@ti.func
def remember_sensed_vjp(m: ti.template(), d: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32,
                        final: ti.i32):  # fmt: skip
    """g.act_bar of values of the past, from after the step to before it, with what the cotangents of output row `row`
    ask of them, if it is not negative. In that row, or in the world's first, stand then the cotangents of the step's
    own values, until `give_back`. final: no step follows."""
    here = w if row < 0 else row
    for e in range(m.nlate):
        o = here * m.nsensordata + e
        kept = b.cot_sensordata[o]
        g.late_kept[w, e] = kept
        if row < 0:
            b.cot_sensordata[o] = 0.0
        n = m.late_num[e]
        if n > 0:
            a = w * m.na + m.late_adr[e]
            b.cot_sensordata[o] = 0.0
            if not final:
                b.cot_sensordata[o] = g.act_bar[a + n - 1]
                for x in range(n - 1):
                    k = n - 1 - x
                    g.act_bar[a + k] = g.act_bar[a + k - 1]
                g.act_bar[a] = 0.0
            if row >= 0:
                for k in range(4):
                    if m.late_weight[e, k] != 0:
                        i = a + m.late_from[e] + k
                        x, slope = kept_value(m, d, e, i)
                        g.act_bar[i] = g.act_bar[i] + m.late_weight[e, k] * slope * kept


@serves("sensor_delay")
@ti.func
def give_back(m: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """The cotangents of that row are again what they were."""
    here = w if row < 0 else row
    for e in range(m.nlate):
        b.cot_sensordata[here * m.nsensordata + e] = g.late_kept[w, e]
