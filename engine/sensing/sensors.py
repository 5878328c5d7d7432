"""Sensors as differentiable outputs (MuJoCo documentation, XML reference, "sensor"), and their adjoint.

`engine/model/sensors.py` has the table of their kinds. A cotangent becomes a pose adjoint, a wrench on V or A of the
body, a demand on the acceleration (a_bar), or a demand on a contact's force (con_fbar) or an actuator's (force_bar).
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.types import vec4
from engine.model.sensors import LEVEL
from engine.sensing.acceleration import acceleration_sensor, acceleration_sensor_vjp
from engine.sensing.frames import narrow, wide
from engine.sensing.position import position_sensor, position_sensor_vjp
from engine.sensing.state import state_sensor, state_sensor_vjp
from engine.sensing.subtree import subtree_sensor, subtree_sensor_vjp
from engine.sensing.touch import touch_sensor, touch_sensor_vjp
from engine.sensing.velocity import velocity_sensor, velocity_sensor_vjp


@ti.func
def write_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, x: vec4):
    """The sensor's numbers, each at most as large as the cutoff, if there is one."""
    o = w * m.nsensordata + m.sensor_adr[s]
    cutoff = m.sensor_cutoff[s]
    for i in ti.static(range(4)):
        if i < m.sensor_dim[s]:
            y = x[i]
            if cutoff > 0:
                y = ti.min(ti.max(y, -cutoff), cutoff)
            d.sensordata[o + i] = y


@ti.func
def cotangent(m: ti.template(), r: ti.template(), b: ti.template(), s: ti.i32, row: ti.i32):
    """That of sensor s in the sensordata recorded from `row` on, zero where the value was cut off."""
    o = row + m.sensor_adr[s]
    cutoff = m.sensor_cutoff[s]
    f = vec4(0.0, 0.0, 0.0, 0.0)
    for i in ti.static(range(4)):
        if i < m.sensor_dim[s]:
            if not (cutoff > 0 and ti.abs(r.traj_sensordata[o + i]) >= cutoff):
                f[i] = b.cot_sensordata[o + i]
    return f


@ti.func
def sensors(m: ti.template(), d: ti.template(), w: ti.i32):
    """sensordata at the state and acceleration of this step."""
    for s in range(m.nsensor):
        level = m.sensor_level[s]
        x = vec4(0.0, 0.0, 0.0, 0.0)
        if level == LEVEL.state:
            x[0] = state_sensor(m, d, w, s)
        elif level == LEVEL.position:
            x = position_sensor(m, d, w, s)
        elif level == LEVEL.velocity:
            if ti.static(has.velocity_sensor):
                x = wide(velocity_sensor(m, d, w, s))
        elif level == LEVEL.acceleration:
            if ti.static(has.acceleration_sensor):
                x = wide(acceleration_sensor(m, d, w, s))
        elif level == LEVEL.subtree:
            if ti.static(has.subtree_sensor):
                x = wide(subtree_sensor(m, d, w, s))
        elif level == LEVEL.touch:
            if ti.static(has.touch_sensor):
                x[0] = touch_sensor(m, d, w, s)
        write_sensor(m, d, w, s, x)


@ti.func
def sensors_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                row: ti.i32):  # fmt: skip
    """Adds the cotangents of the sensordata recorded from `row` on; expects the law evaluated for touch sensors."""
    for s in range(m.nsensor):
        level = m.sensor_level[s]
        f = cotangent(m, r, b, s, row)
        if level == LEVEL.state:
            state_sensor_vjp(m, d, g, w, s, f[0])
        elif level == LEVEL.position:
            position_sensor_vjp(m, d, g, w, s, f)
        elif level == LEVEL.velocity:
            velocity_sensor_vjp(m, d, g, w, s, narrow(f))
        elif level == LEVEL.acceleration:
            acceleration_sensor_vjp(m, d, g, w, s, narrow(f))
        elif level == LEVEL.subtree:
            subtree_sensor_vjp(m, d, g, w, s, narrow(f))
        elif level == LEVEL.touch:
            touch_sensor_vjp(m, d, w, s, f[0])
