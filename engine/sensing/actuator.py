"""Sensors of an actuator's transmission, its length and velocity, and of what actuators do to a joint.

The adjoint of the force on a dof is that of `actuation` for a test vector: z^T d(-qfrc_actuator) with z = -bar there.
So it is asked for together with that of the step, which has a test vector of its own.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.orientation import add_three, three
from engine.dynamics.transmission import drive_length_vjp, drive_velocity_vjp, transmission
from engine.math.types import vec4
from engine.model.sensors import LEVEL, SENS
from engine.sensing.frames import narrow, wide
from engine.sensing.values import cotangent, write_sensor


@ti.func
def actuator_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    t = m.sensor_type[s]
    obj = m.sensor_objid[s]
    x = vec4(0.0, 0.0, 0.0, 0.0)
    if t == SENS.jointactuatorfrc:
        x[0] = d.qfrc_actuator[w, m.jnt_dofadr[obj]]
    else:
        kind, qa, da, n, length, velocity = transmission(m, d, w, obj)
        x[0] = length
        if t == SENS.actuatorvel:
            x[0] = velocity
        if ti.static(has.so3):
            if m.sensor_dim[s] == 3:
                x = wide(three(d.so3_length, w, obj))
                if t == SENS.actuatorvel:
                    x = wide(three(d.so3_velocity, w, obj))
    return x


@ti.func
def actuator_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, f: vec4):
    """Of lengths and velocities; forces on joints are asked for in `ask_joint_forces`."""
    t = m.sensor_type[s]
    u = m.sensor_objid[s]
    asked = t != SENS.jointactuatorfrc
    bar = f[0]
    if ti.static(has.so3):
        if asked and m.sensor_dim[s] == 3:
            asked = False
            if t == SENS.actuatorvel:
                add_three(g.so3_velocity_bar, w, u, narrow(f))
            else:
                add_three(g.so3_length_bar, w, u, narrow(f))
    if asked:
        kind, qa, da, n, length, velocity = transmission(m, d, w, u)
        if t == SENS.actuatorvel:
            drive_velocity_vjp(m, d, g, w, u, kind, da, n, bar)
        else:
            drive_length_vjp(m, d, g, w, u, kind, qa, da, bar)


@serves("actuator_sensor")
@ti.func
def ask_joint_forces(m: ti.template(), d: ti.template(), r: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """z, which msearch keeps, becomes the test vector for `actuation_vjp`; for arms z_asked keeps by how much. row:
    where the sensordata were recorded."""
    for i in range(m.nv):
        d.msearch[w, i] = d.z[w, i]
        if ti.static(has.arm):
            if m.narm > 0:
                d.z_asked[w, i] = 0.0
    for s in range(m.nsensor):
        if m.sensor_type[s] == SENS.jointactuatorfrc:
            k = m.jnt_dofadr[m.sensor_objid[s]]
            bar = cotangent(m, r, b, s, row)
            d.z[w, k] = d.z[w, k] - bar[0]
            if ti.static(has.arm):
                if m.narm > 0:
                    d.z_asked[w, k] = d.z_asked[w, k] + bar[0]


@serves("actuator_sensor")
@ti.func
def joint_forces_asked(m: ti.template(), d: ti.template(), w: ti.i32):
    """z is again what it was."""
    for i in range(m.nv):
        d.z[w, i] = d.msearch[w, i]
        if ti.static(has.arm):
            if m.narm > 0:
                d.z_asked[w, i] = 0.0


@ti.func
def sensed_actuators(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.actuator:
            write_sensor(m, d, w, s, actuator_sensor(m, d, w, s))


@ti.func
def sensed_actuators_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                        w: ti.i32, row: ti.i32):  # fmt: skip
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.actuator:
            actuator_sensor_vjp(m, d, g, w, s, cotangent(m, r, b, s, row))
