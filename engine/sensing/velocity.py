"""Sensors of how fast a frame moves and turns, in world axes."""

import taichi as ti

from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import vec3
from engine.model.sensors import SENS
from engine.sensing.points import add_point


@ti.func
def linear(m: ti.template(), s: ti.i32):
    """Whether sensor s reads a linear velocity; else it is an angular one."""
    t = m.sensor_type[s]
    return t == SENS.framelinvel or t == SENS.velocimeter


@ti.func
def point_velocity(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, b: ti.i32, p: vec3):
    """What sensor s reads of body b: the velocity of the point p, or the body's angular velocity."""
    o = bounded(w * m.nbody + b)
    x = d.vel_ang[o]
    if linear(m, s):
        x = d.vel_lin[o] + x.cross(p - origin(m, d, w, b))
    return x


@ti.func
def point_velocity_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, b: ti.i32, p: vec3,
                       f: vec3):  # fmt: skip
    """Adds to V of the body and returns the force on the point: v = v_origin + omega x r."""
    o = bounded(w * m.nbody + b)
    p_bar = vec3(0.0, 0.0, 0.0)
    if linear(m, s):
        add_point(g.vel_ang, g.vel_lin, o, p - origin(m, d, w, b), f, p_bar)
        p_bar = f.cross(d.vel_ang[o])
    else:
        g.vel_ang[o] = g.vel_ang[o] + f
    return p_bar
