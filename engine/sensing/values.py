"""A sensor's numbers: where they go, and where their cotangents come from."""

import taichi as ti

from engine.math.types import vec4


@ti.func
def write_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, x: vec4):
    """The sensor's numbers, each at most as large as the cutoff, if there is one."""
    o = w * m.nsensordata + m.sensor_adr[s]
    cutoff = m.sensor_clip[s]
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
    cutoff = m.sensor_clip[s]
    f = vec4(0.0, 0.0, 0.0, 0.0)
    for i in ti.static(range(4)):
        if i < m.sensor_dim[s]:
            if not (cutoff > 0 and ti.abs(r.traj_sensordata[o + i]) >= cutoff):
                f[i] = b.cot_sensordata[o + i]
    return f


@ti.func
def is_asked(b: ti.template(), first: ti.i32, count: ti.i32):
    """Whether one of `count` numbers of sensordata from `first` on has a cotangent other than zero."""
    found = False
    for k in range(first, first + count):
        found = found or b.cot_sensordata[k] != 0
    return found
