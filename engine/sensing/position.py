"""Sensors of where a frame is and how it is turned."""

import taichi as ti

from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul
from engine.math.types import vec3, vec4
from engine.model.sensors import SENS
from engine.sensing.frames import add_point, narrow, sensor_frame, wide


@ti.func
def position_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    b, p, q = sensor_frame(m, d, w, s)
    x = wide(p)
    if m.sensor_type[s] == SENS.framequat:
        x = q
    return x


@ti.func
def position_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec4):
    b, p, q = sensor_frame(m, d, w, s)
    force = narrow(bar)
    torque = vec3(0.0, 0.0, 0.0)
    if m.sensor_type[s] == SENS.framequat:
        # q turns by 1/2 (0, omega) q
        torque = 0.5 * turning(bar, q)
        force = vec3(0.0, 0.0, 0.0)
    add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + b), p - origin(m, d, w, b), force, torque)


@ti.func
def turning(a: vec4, q: vec4):
    """The vector part of a times the inverse of q."""
    x = quat_mul(a, vec4(q[0], -q[1], -q[2], -q[3]))
    return vec3(x[1], x[2], x[3])
