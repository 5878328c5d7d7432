"""Sensors of coordinates and of actuators: copies of what a step has anyway."""

import taichi as ti

from engine.math.types import real
from engine.model.sensors import SENS


@ti.func
def state_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    t = m.sensor_type[s]
    obj = m.sensor_objid[s]
    x = real(0.0)
    if t == SENS.jointpos:
        x = d.qpos[w * m.nq + m.jnt_qposadr[obj]]
    elif t == SENS.jointvel:
        x = d.qvel[w * m.nv + m.jnt_dofadr[obj]]
    else:
        x = d.actuator_force[w * m.nu + obj]
    return x


@ti.func
def state_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: real):
    t = m.sensor_type[s]
    obj = m.sensor_objid[s]
    if t == SENS.jointpos:
        k = w * m.nv + m.jnt_dofadr[obj]
        g.qpos_bar[k] = g.qpos_bar[k] + bar
    elif t == SENS.jointvel:
        k = w * m.nv + m.jnt_dofadr[obj]
        g.qvel_bar[k] = g.qvel_bar[k] + bar
    else:
        k = w * m.nu + obj
        g.force_bar[k] = g.force_bar[k] + bar
