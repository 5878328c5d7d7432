"""Sensors of a frame's acceleration. A cotangent asks the solver for it (a_bar = J^T f) and bodies for the rest."""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import vec3
from engine.sensing.frames import add_point, sensor_frame


@ti.func
def spatial_acceleration(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """A of body b with S a included; minus gravity at the root, so a body at rest reads upward acceleration."""
    nv = m.nv
    o = bounded(w * m.nbody + b)
    aa = d.acc_ang[o]
    al = d.acc_lin[o]
    i = m.body_lastdof[b]
    while i >= 0:
        s = bounded(w * nv + i)
        a = d.qacc[w, i]
        aa = aa + d.cdof_ang[s] * a
        al = al + d.cdof_lin[s] * a
        i = m.tree_parent[i]
    return aa, al


@ti.func
def spatial_acceleration_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, ang: vec3,
                             lin: vec3):  # fmt: skip
    """From a wrench on A of body b, about the origin."""
    nv = m.nv
    o = bounded(w * m.nbody + b)
    zero = vec3(0.0, 0.0, 0.0)
    add_point(g.acc_ang, g.acc_lin, o, zero, lin, ang)
    add_point(g.u_ang, g.u_lin, o, zero, lin, ang)
    i = m.body_lastdof[b]
    while i >= 0:
        s = bounded(w * nv + i)
        d.a_bar[w, i] = d.a_bar[w, i] + d.cdof_ang[s].dot(ang) + d.cdof_lin[s].dot(lin)
        i = m.tree_parent[i]


@ti.func
def acceleration_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    b, p, q = sensor_frame(m, d, w, s)
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    omega = d.vel_ang[o]
    aa, al = spatial_acceleration(m, d, w, b)
    return rotate_back(q, al + aa.cross(r) + omega.cross(d.vel_lin[o] + omega.cross(r)))


@serves("acceleration_sensor")
@ti.func
def acceleration_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    b, p, q = sensor_frame(m, d, w, s)
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    omega = d.vel_ang[o]
    v = d.vel_lin[o] + omega.cross(r)
    aa, al = spatial_acceleration(m, d, w, b)
    f = rotate(q, bar)
    v_bar = f.cross(omega)
    spatial_acceleration_vjp(m, d, g, w, b, r.cross(f), f)
    add_point(g.vel_ang, g.vel_lin, o, r, v_bar, v.cross(f))
    p_bar = f.cross(aa) + v_bar.cross(omega)
    add_point(g.pose_ang, g.pose_lin, o, r, p_bar, f.cross(al + aa.cross(r) + omega.cross(v)))
