"""Sensors of a frame that give a vector: place, axis, velocity, acceleration. Each level has the vector in world axes
in a file of its own; here it becomes that relative to a reference, and turns into the axes in which it is read.

What is read in a frame, x = R^T y with a cotangent `bar`, gives y the cotangent f = R bar and the frame the torque
f x y.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import vec3, vec4
from engine.model.sensors import LEVEL
from engine.sensing.acceleration import point_acceleration, point_acceleration_vjp
from engine.sensing.frames import add_sensor_bars, reading_frame, sensor_frame
from engine.sensing.points import add_point
from engine.sensing.position import frame_axis, frame_axis_vjp
from engine.sensing.velocity import point_velocity, point_velocity_vjp


@ti.func
def frame_vector(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, b: ti.i32, p: vec3, q: vec4):
    """What sensor s reads of its frame (b, p, q), in world axes."""
    level = m.sensor_level[s]
    y = p
    if level == LEVEL.axis:
        if ti.static(has.axis_sensor):
            y = frame_axis(m, s, q)
    elif level == LEVEL.velocity:
        if ti.static(has.velocity_sensor):
            y = point_velocity(m, d, w, s, b, p)
            if ti.static(has.local_sensor):
                if m.sensor_relative[s]:
                    y = y - point_velocity(m, d, w, s, m.sensor_refbodyid[s], p)
    elif level == LEVEL.acceleration:
        if ti.static(has.acceleration_sensor):
            y = point_acceleration(m, d, w, s, b, p)
    return y


@ti.func
def frame_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    b, p, q = sensor_frame(m, d, w, s)
    x = frame_vector(m, d, w, s, b, p, q)
    if ti.static(has.local_sensor):
        c, p0, q0 = reading_frame(m, d, w, s)
        if c >= 0:
            if m.sensor_level[s] == LEVEL.position:
                x = x - p0
            x = rotate_back(q0, x)
    return x


@ti.func
def frame_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    level = m.sensor_level[s]
    b, p, q = sensor_frame(m, d, w, s)
    f = bar
    p_bar = vec3(0.0, 0.0, 0.0)
    torque = p_bar
    if ti.static(has.local_sensor):
        c, p0, q0 = reading_frame(m, d, w, s)
        if c >= 0:
            f = rotate(q0, bar)
            y = frame_vector(m, d, w, s, b, p, q)
            back = p_bar
            if level == LEVEL.position:
                y = y - p0
                back = -1.0 * f
            add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + c), p0 - origin(m, d, w, c), back, f.cross(y))
            add_sensor_bars(m, d, g, w, s, 1, back, f.cross(y))
    if level == LEVEL.position:
        p_bar = f
    elif level == LEVEL.axis:
        if ti.static(has.axis_sensor):
            torque = frame_axis_vjp(m, s, q, f)
    elif level == LEVEL.velocity:
        if ti.static(has.velocity_sensor):
            p_bar = point_velocity_vjp(m, d, g, w, s, b, p, f)
            if ti.static(has.local_sensor):
                if m.sensor_relative[s]:
                    p_bar = p_bar + point_velocity_vjp(m, d, g, w, s, m.sensor_refbodyid[s], p, -1.0 * f)
    elif level == LEVEL.acceleration:
        if ti.static(has.acceleration_sensor):
            p_bar = point_acceleration_vjp(m, d, g, w, s, b, p, f)
    add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + b), p - origin(m, d, w, b), p_bar, torque)
    add_sensor_bars(m, d, g, w, s, 0, p_bar, torque)
