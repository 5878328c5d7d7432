"""Sensors of a tendon: its length, its velocity, and the sum of what its actuators exert along it."""

import taichi as ti

from engine.math.types import real, vec4
from engine.model.constants import TRN_TENDON
from engine.model.sensors import LEVEL, SENS
from engine.sensing.values import cotangent, write_sensor


@ti.func
def tendon_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    t = m.sensor_objid[s]
    x = d.ten_length[w, t]
    if m.sensor_type[s] == SENS.tendonvel:
        x = d.ten_velocity[w, t]
    elif m.sensor_type[s] == SENS.tendonactuatorfrc:
        x = real(0.0)
        for u in range(m.nu):
            if m.actuator_trntype[u] == TRN_TENDON and m.actuator_trnid[u] == t:
                x = x + d.actuator_force[w * m.nu + u]
    return x


@ti.func
def tendon_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: real):
    t = m.sensor_objid[s]
    if m.sensor_type[s] == SENS.tendonpos:
        g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + bar
    elif m.sensor_type[s] == SENS.tendonvel:
        g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + bar
    else:
        for u in range(m.nu):
            if m.actuator_trntype[u] == TRN_TENDON and m.actuator_trnid[u] == t:
                k = w * m.nu + u
                g.force_bar[k] = g.force_bar[k] + bar


@ti.func
def sensed_tendons(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.tendon:
            write_sensor(m, d, w, s, vec4(tendon_sensor(m, d, w, s), 0.0, 0.0, 0.0))


@ti.func
def sensed_tendons_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                        w: ti.i32, row: ti.i32):  # fmt: skip
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.tendon:
            tendon_sensor_vjp(m, d, g, w, s, cotangent(m, r, b, s, row)[0])
