"""Sensors of a tendon: its length, its velocity, and the sum of what its actuators exert along it."""

import taichi as ti

from engine.compiler.features import serves
from engine.math.types import real
from engine.model.constants import TRN_TENDON
from engine.model.sensors import SENS


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


@serves("tendon_sensor")
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
