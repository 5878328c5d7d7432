"""Sensors that tell what was, or not something new at every step (MuJoCo documentation, "Delays").

The last n values of each number of such a sensor are a part of the state: they lie in act, behind controls of the past,
the oldest one first.
    sensordata = sum of w_k act[first + k],    then act[0] .. act[n - 2] = act[1] .. act[n - 1],  act[n - 1] = the value
The value is that at the state of the step, which an undelayed sensor would tell; the weights w are those of reading at
the time t - delay (model/delays.py). So these sensors are asked in every physics step. A cutoff cuts each value off
where it is read, not where it is kept, so that the adjoint knows which ones it cut off.

A sensor with an interval has a clock behind its values: its next tick, from the first one on, and of each value when it
was taken, from when it would have been before the start. A step at a tick or behind it keeps its value, and the tick is
a period later; without a delay it also tells it, while others tell the last one. When values are taken is held.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.math.types import MINVAL, real, vec4


@ti.func
def cut_off(m: ti.template(), e: ti.i32, value: real):
    """A value of number e of sensordata after the cutoff, and the derivative by it."""
    x = value
    slope = real(1.0)
    most = m.late_cutoff[e]
    if most > 0:
        if ti.abs(x) >= most:
            slope = 0.0
        x = ti.min(ti.max(x, -most), most)
    return x, slope


@ti.func
def is_due(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """Whether the step keeps its value of number e."""
    found = True
    if ti.static(has.sensor_interval):
        if m.late_clock[e] >= 0:
            found = m.late_start[e] + d.act[w * m.na + m.late_clock[e]] <= d.time[w]
    return found


@ti.func
def is_told(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """Whether the step also tells it."""
    found = False
    if ti.static(has.sensor_interval):
        if m.late_clock[e] >= 0 and m.late_delay[e] == 0:
            found = is_due(m, d, w, e)
    return found


@serves("sensor_interval")
@ti.func
def taken_at(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32, k: ti.i32):
    """The time of value k of number e, 0 the oldest one."""
    return m.late_time[m.late_times[e] + k] + d.act[w * m.na + m.late_clock[e] + 1 + k]


@ti.func
def reading(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """The first of four values of number e that are read, and their weights."""
    first = m.late_from[e]
    x = vec4(m.late_weight[e, 0], m.late_weight[e, 1], m.late_weight[e, 2], m.late_weight[e, 3])
    if ti.static(has.sensor_interval):
        if m.late_clock[e] >= 0:
            n = m.late_num[e]
            t = d.time[w] - m.late_delay[e]
            later = 0  # the first value that is not earlier than t
            for k in range(n):
                if taken_at(m, d, w, e, k) < t:
                    later = k + 1
            at = -1
            if t <= taken_at(m, d, w, e, 0) + MINVAL:
                at = 0
            elif t >= taken_at(m, d, w, e, n - 1) - MINVAL:
                at = n - 1
            elif taken_at(m, d, w, e, later) - t < MINVAL:
                at = later
            elif m.late_interp[e] == 0:
                at = later - 1
            x = vec4(0.0, 1.0, 0.0, 0.0)
            first = at - 1
            if at < 0:
                first = later - 2
                low = taken_at(m, d, w, e, later - 1)
                high = taken_at(m, d, w, e, later)
                s = (t - low) / (high - low)
                x = vec4(0.0, 1.0 - s, s, 0.0)
                if m.late_interp[e] == 2:
                    x = vec4(0.0, (1.0 + 2.0 * s) * (1.0 - s) * (1.0 - s), s * s * (3.0 - 2.0 * s), 0.0)
                    if later > 1:
                        slope = s * (1.0 - s) * (1.0 - s) * (high - low) / (high - taken_at(m, d, w, e, later - 2))
                        x = x + slope * vec4(-1.0, 0.0, 1.0, 0.0)
                    if later < n - 1:
                        slope = s * s * (s - 1.0) * (high - low) / (taken_at(m, d, w, e, later + 1) - low)
                        x = x + slope * vec4(0.0, -1.0, 0.0, 1.0)
    return first, x


@serves("sensor_delay")
@ti.func
def read_late(m: ti.template(), d: ti.template(), w: ti.i32):
    """sensordata of such sensors, whose values of now are kept for `remember_sensed`."""
    for e in range(m.nlate):
        if m.late_num[e] > 0:
            i = w * m.nsensordata + e
            now = d.sensordata[i]
            d.late_now[w, e] = now
            if is_told(m, d, w, e):
                x, slope = cut_off(m, e, now)
                d.sensordata[i] = x
            else:
                first, weight = reading(m, d, w, e)
                a = w * m.na + m.late_adr[e] + first
                d.sensordata[i] = 0.0
                for k in ti.static(range(4)):
                    if weight[k] != 0:
                        x, slope = cut_off(m, e, d.act[a + k])
                        d.sensordata[i] = d.sensordata[i] + weight[k] * x


@serves("sensor_delay")
@ti.func
def rest_late(m: ti.template(), d: ti.template(), w: ti.i32):
    """Values of the past and clocks do not change within a step: no act_dot."""
    for k in range(m.latefirst, m.lateend):
        d.act_dot[w * m.na + k] = 0.0


@serves("sensor_delay")
@ti.func
def remember_sensed(m: ti.template(), d: ti.template(), w: ti.i32):
    """After a step its values are some of the past."""
    for e in range(m.nlate):
        n = m.late_num[e]
        if n > 0 and is_due(m, d, w, e):
            a = w * m.na + m.late_adr[e]
            for k in range(n - 1):
                d.act[a + k] = d.act[a + k + 1]
            d.act[a + n - 1] = d.late_now[w, e]
    tick(m, d, w)


@serves("sensor_interval")
@ti.func
def tick(m: ti.template(), d: ti.template(), w: ti.i32):
    """Clocks after a step that keeps their sensor's values."""
    for e in range(m.nlate):
        if m.late_owner[e] and is_due(m, d, w, e):
            a = w * m.na + m.late_clock[e]
            n = m.late_num[e]
            for k in range(n - 1):
                d.act[a + 1 + k] = taken_at(m, d, w, e, k + 1) - m.late_time[m.late_times[e] + k]
            d.act[a + n] = d.time[w] - m.late_time[m.late_times[e] + n - 1]
            d.act[a] = d.act[a] + m.late_period[e]


@ti.func
def shift_back(g: ti.template(), a: ti.i32, n: ti.i32):
    """g.act_bar of n numbers that a step has moved on by one, of which the last one is new."""
    for x in range(n - 1):
        k = n - 1 - x
        g.act_bar[a + k] = g.act_bar[a + k - 1]
    g.act_bar[a] = 0.0


@serves("sensor_delay")
@ti.func
def remember_sensed_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                        w: ti.i32, row: ti.i32, final: ti.i32):  # fmt: skip
    """g.act_bar of values of the past, from after the step to before it, with what the cotangents of output row `row`
    ask of them, if it is not negative. In that row, or in the world's first, stand then the cotangents of the step's
    own values, until `give_back`. final: no step follows. Expects the state before the step."""
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
            bar = real(0.0)
            if not final and is_due(m, d, w, e):
                bar = g.act_bar[a + n - 1]
                shift_back(g, a, n)
            if row >= 0:
                if is_told(m, d, w, e):
                    if m.late_cutoff[e] == 0 or ti.abs(r.traj_sensordata[o]) < m.late_cutoff[e]:
                        bar = bar + kept
                else:
                    first, weight = reading(m, d, w, e)
                    for k in ti.static(range(4)):
                        if weight[k] != 0:
                            i = a + first + k
                            x, slope = cut_off(m, e, d.act[i])
                            g.act_bar[i] = g.act_bar[i] + weight[k] * slope * kept
            b.cot_sensordata[o] = bar
    if not final:
        tick_vjp(m, d, g, w)


@serves("sensor_interval")
@ti.func
def tick_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    for e in range(m.nlate):
        if m.late_owner[e] and is_due(m, d, w, e):
            shift_back(g, w * m.na + m.late_clock[e] + 1, m.late_num[e])


@serves("sensor_delay")
@ti.func
def give_back(m: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """The cotangents of that row are again what they were."""
    here = w if row < 0 else row
    for e in range(m.nlate):
        b.cot_sensordata[here * m.nsensordata + e] = g.late_kept[w, e]
