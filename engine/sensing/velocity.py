"""Sensors of how fast a frame moves and turns, in world axes or in its own."""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import vec3
from engine.model.sensors import SENS
from engine.sensing.frames import add_point, sensor_frame


@ti.func
def velocity_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    t = m.sensor_type[s]
    b, p, q = sensor_frame(m, d, w, s)
    o = bounded(w * m.nbody + b)
    x = d.vel_ang[o]
    if t == SENS.framelinvel or t == SENS.velocimeter:
        x = d.vel_lin[o] + x.cross(p - origin(m, d, w, b))
    if t == SENS.gyro or t == SENS.velocimeter:
        x = rotate_back(q, x)
    return x


@serves("velocity_sensor")
@ti.func
def velocity_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    t = m.sensor_type[s]
    b, p, q = sensor_frame(m, d, w, s)
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    omega = d.vel_ang[o]
    own = t == SENS.gyro or t == SENS.velocimeter
    f = bar
    if own:
        f = rotate(q, bar)
    x = omega
    p_bar = vec3(0.0, 0.0, 0.0)
    torque = vec3(0.0, 0.0, 0.0)
    if t == SENS.framelinvel or t == SENS.velocimeter:
        x = d.vel_lin[o] + omega.cross(r)
        add_point(g.vel_ang, g.vel_lin, o, r, f, torque)
        p_bar = f.cross(omega)  # v = v_origin + omega x r: the point's own motion
    else:
        g.vel_ang[o] = g.vel_ang[o] + f
    if own:
        torque = f.cross(x)  # R^T x, so x_bar = f = R bar and the frame feels this torque
    add_point(g.pose_ang, g.pose_lin, o, r, p_bar, torque)
