"""Position servos of turns, that is of a ball joint and between sites: setpoints on a circle (MuJoCo documentation, XML
reference, "gear").

The servo goes the shorter way round: its input is taken modulo a turn, 2 pi |gear|, near the length l. A filter's
control is taken near its state, and after a step the state of a filter or an integrator near l:
    x - 2 pi |gear| round((x - y) / (2 pi |gear|)),      y: what it is to be near
How many turns these are is held in the adjoint.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.transmission import gear_axis, transmission
from engine.math.types import MINVAL, real
from engine.model.constants import DYN_PID


@ti.func
def turns(m: ti.template(), u: ti.i32, x: real, near: real):
    """Whole turns to take from x of a position servo of turns, and 2 pi / |gear|; else zero."""
    k = real(0.0)
    rate = real(0.0)
    if ti.static(has.quaternion or has.arm):
        if m.actuator_wrap[u]:
            gear = gear_axis(m, u)
            size = ti.sqrt(gear.dot(gear))
            if size > MINVAL:
                rate = 6.283185307179586 / size
                k = ti.round((x - near) / (rate * size * size))
    return k, rate


@ti.func
def unwound(m: ti.template(), u: ti.i32, x: real, near: real):
    """x without whole turns."""
    y = x
    if ti.static(has.quaternion or has.arm):
        k, rate = turns(m, u, x, near)
        gear = gear_axis(m, u)
        y = x - k * rate * gear.dot(gear)
    return y


@ti.func
def unwound_vjp(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, x: real, near: real, bar: real):
    """From the adjoint of `unwound`, which is that of x, too, to the gear: a whole turn is 2 pi |gear|."""
    k, rate = turns(m, u, x, near)
    gear_of_turns(m, g, w, u, bar * k * rate)


@ti.func
def gear_of_turns(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, bar: real):
    first = 3 * (m.actuator_wrap[u] >> 1)  # OF_SITES
    for i in range(first, first + 3):
        g.actuator_gear[w, u, i] = g.actuator_gear[w, u, i] - bar * m.actuator_gear[u, i]


@ti.func
def near_state(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, c: real, act: real):
    """The control c of a filter near its state; turn_taken keeps how many turns that takes, times 2 pi / |gear|."""
    x = c
    if u < m.nturn:
        k, rate = turns(m, u, c, act)
        d.turn_taken[w, u] = k * rate
        gear = gear_axis(m, u)
        x = c - k * rate * gear.dot(gear)
    return x


@ti.func
def near_state_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, c: real, bar: real):
    """From the adjoint of that to the gear; returns it. Expects `act_rates`."""
    x = c
    if u < m.nturn:
        taken = d.turn_taken[w, u]
        gear = gear_axis(m, u)
        x = c - taken * gear.dot(gear)
        gear_of_turns(m, g, w, u, bar * taken)
    return x


@ti.func
def anchored(m: ti.template(), u: ti.i32):
    """Whether actuator u is a servo of turns with a state that stays near its length."""
    return m.actuator_wrap[u] != 0 and m.actuator_actadr[u] >= 0 and m.actuator_dyntype[u] != DYN_PID


@outline("md", "w", when="turns")
@ti.func
def turn_lengths(m: ti.template(), d: ti.template(), w: ti.i32):
    """turn_length of such servos, of the last evaluation in a step."""
    for u in range(m.nturn):
        if anchored(m, u):
            t, qa, da, n, length, velocity = transmission(m, d, w, u)
            d.turn_length[w, u] = length


@serves("turns")
@ti.func
def anchor(m: ti.template(), d: ti.template(), w: ti.i32):
    """States after a step near lengths."""
    for u in range(m.nturn):
        if anchored(m, u):
            a = w * m.na + m.actuator_actadr[u]
            d.act[a] = unwound(m, u, d.act[a], d.turn_length[w, u])


@serves("turns")
@ti.func
def anchor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, x: real, bar: real):
    """From the adjoint of the state of actuator u after a step, which was x before `anchor`, to the gear."""
    if u < m.nturn:
        if anchored(m, u):
            unwound_vjp(m, g, w, u, x, d.turn_length[w, u], bar)
