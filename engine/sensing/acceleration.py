"""Sensors of a frame's acceleration, in world axes. A cotangent asks the solver for it (a_bar = J^T f) and bodies for
the rest."""

import taichi as ti

from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import vec3
from engine.model.sensors import SENS
from engine.sensing.points import add_point


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
def point_acceleration(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, b: ti.i32, p: vec3):
    """What sensor s reads of body b: the acceleration of the point p, or the body's angular acceleration."""
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    omega = d.vel_ang[o]
    x, al = spatial_acceleration(m, d, w, b)
    if m.sensor_type[s] != SENS.frameangacc:
        x = al + x.cross(r) + omega.cross(d.vel_lin[o] + omega.cross(r))
    return x


@ti.func
def point_acceleration_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, b: ti.i32,
                           p: vec3, f: vec3):  # fmt: skip
    """Adds to a_bar, A, U and V of the body and returns the force on the point."""
    nv = m.nv
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    zero = vec3(0.0, 0.0, 0.0)
    p_bar = zero
    ang = f
    lin = zero
    if m.sensor_type[s] != SENS.frameangacc:
        lin = f
        ang = r.cross(f)
        omega = d.vel_ang[o]
        aa, al = spatial_acceleration(m, d, w, b)
        v_bar = f.cross(omega)
        p_bar = f.cross(aa) + v_bar.cross(omega)
        add_point(g.vel_ang, g.vel_lin, o, r, v_bar, (d.vel_lin[o] + omega.cross(r)).cross(f))
    add_point(g.acc_ang, g.acc_lin, o, zero, lin, ang)
    add_point(g.u_ang, g.u_lin, o, zero, lin, ang)
    i = m.body_lastdof[b]
    while i >= 0:
        k = bounded(w * nv + i)
        d.a_bar[w, i] = d.a_bar[w, i] + d.cdof_ang[k].dot(ang) + d.cdof_lin[k].dot(lin)
        i = m.tree_parent[i]
    return p_bar
