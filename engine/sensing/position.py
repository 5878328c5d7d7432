"""Sensors of how a frame is turned: one of its axes, its quaternion; and the magnetic flux, which does not turn.

An orientation q turns by dq = 1/2 (0, omega) q.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.types import real, vec3, vec4
from engine.model.sensors import SENS
from engine.sensing.frames import add_sensor_bars, reading_frame, sensor_frame


@ti.func
def frame_axis(m: ti.template(), s: ti.i32, q: vec4):
    """The axis that sensor s gives of a frame turned by q; of a magnetometer the flux."""
    t = m.sensor_type[s]
    x = vec3(m.magnetic_x, m.magnetic_y, m.magnetic_z)
    if t != SENS.magnetometer:
        e = vec3(0.0, 0.0, 0.0)
        for i, kind in ti.static(enumerate((SENS.framexaxis, SENS.frameyaxis, SENS.framezaxis))):
            e[i] = ti.cast(t == kind, real)
        x = rotate(q, e)
    return x


@ti.func
def frame_axis_vjp(m: ti.template(), s: ti.i32, q: vec4, f: vec3):
    """The torque on the frame."""
    torque = vec3(0.0, 0.0, 0.0)
    if m.sensor_type[s] != SENS.magnetometer:
        torque = frame_axis(m, s, q).cross(f)
    return torque


@ti.func
def inverse(q: vec4):
    return vec4(q[0], -q[1], -q[2], -q[3])


@ti.func
def orientation_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """A frame's quaternion, in the world or as seen from a reference."""
    b, p, q = sensor_frame(m, d, w, s)
    if ti.static(has.local_sensor):
        c, p0, q0 = reading_frame(m, d, w, s)
        if c >= 0:
            q = quat_mul(inverse(q0), q)
    return q


@ti.func
def orientation_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec4):
    b, p, q = sensor_frame(m, d, w, s)
    q_bar = bar
    c = -1
    if ti.static(has.local_sensor):
        c, p0, q0 = reading_frame(m, d, w, s)
        if c >= 0:
            q_bar = quat_mul(q0, bar)
    x = quat_mul(q_bar, inverse(q))
    torque = 0.5 * vec3(x[1], x[2], x[3])
    h = bounded(w * m.nbody + b)
    g.pose_ang[h] = g.pose_ang[h] + torque
    zero = vec3(0.0, 0.0, 0.0)
    add_sensor_bars(m, d, g, w, s, 0, zero, torque)
    if c >= 0:
        h = bounded(w * m.nbody + c)
        g.pose_ang[h] = g.pose_ang[h] - torque
        add_sensor_bars(m, d, g, w, s, 1, zero, -torque)
