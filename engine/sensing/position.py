"""Sensors of how a frame is turned: one of its axes, its quaternion; and the magnetic flux, which does not turn.

An orientation q turns by dq = 1/2 (0, omega) q.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.types import real, vec3, vec4
from engine.model.sensors import SENS
from engine.sensing.frames import add_leaf_bars


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
def turn_of(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, own: vec4):
    """A body, and the orientation of a frame in it; of a camera what it has where it stands still, as in MuJoCo."""
    return b, quat_mul(d.xquat[bounded(w * m.nbody + ti.max(b, 0))], own)


@ti.func
def orientation_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """A frame's quaternion, in the world or as seen from a reference."""
    b, q = turn_of(m, d, w, m.sensor_bodyid[s], m.sensor_quat[s])
    if ti.static(has.local_sensor):
        c, q0 = turn_of(m, d, w, m.sensor_refbodyid[s], m.sensor_refquat[s])
        if c >= 0:
            q = quat_mul(inverse(q0), q)
    return q


@ti.func
def orientation_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec4):
    b, q = turn_of(m, d, w, m.sensor_bodyid[s], m.sensor_quat[s])
    q_bar = bar
    c = -1
    if ti.static(has.local_sensor):
        c, q0 = turn_of(m, d, w, m.sensor_refbodyid[s], m.sensor_refquat[s])
        if c >= 0:
            q_bar = quat_mul(q0, bar)
    x = quat_mul(q_bar, inverse(q))
    torque = 0.5 * vec3(x[1], x[2], x[3])
    h = bounded(w * m.nbody + b)
    g.pose_ang[h] = g.pose_ang[h] + torque
    zero = vec3(0.0, 0.0, 0.0)
    add_leaf_bars(m, d, g, w, s, 0, zero, torque)
    if c >= 0:
        g.pose_ang[w, c] = g.pose_ang[w, c] - torque
        add_leaf_bars(m, d, g, w, s, 1, zero, -torque)
