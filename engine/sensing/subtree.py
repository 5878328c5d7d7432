"""Sensors of the bodies at and below one of them: their centre of mass and how it moves."""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import real, vec3
from engine.model.sensors import SENS
from engine.sensing.points import add_point, in_subtree

LIGHT = 1e-15  # kg: what weighs less has its centre of mass where that of its first body is


@ti.func
def subtree(m: ti.template(), d: ti.template(), w: ti.i32, top: ti.i32):
    """Mass, centre of mass and its velocity of the bodies at and below `top`."""
    mass = real(0.0)
    com = vec3(0.0, 0.0, 0.0)
    vel = vec3(0.0, 0.0, 0.0)
    for b in range(top, m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            x = d.xipos[o]
            mb = m.body_mass[b]
            mass = mass + mb
            com = com + mb * x
            vel = vel + mb * (d.vel_lin[o] + d.vel_ang[o].cross(x - origin(m, d, w, b)))
    inv = 1.0 / ti.max(mass, LIGHT)
    com = com * inv
    if mass < LIGHT:
        com = d.xipos[bounded(w * m.nbody + top)]
    return mass, com, vel * inv


@ti.func
def subtree_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, top: ti.i32, com_bar: vec3,
                vel_bar: vec3):  # fmt: skip
    mass, com, vel = subtree(m, d, w, top)
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(top, m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            x = d.xipos[o]
            r = x - origin(m, d, w, b)
            omega = d.vel_ang[o]
            v = d.vel_lin[o] + omega.cross(r)
            share = m.body_mass[b] / ti.max(mass, LIGHT)
            if mass < LIGHT:
                share = ti.cast(b == top, real)
            place = share * (com_bar + vel_bar.cross(omega))
            add_point(g.pose_ang, g.pose_lin, o, r, place, zero)
            add_inertia_bars(m, d, g, w, b, place, zero)
            if mass >= LIGHT:
                add_point(g.vel_ang, g.vel_lin, o, r, share * vel_bar, zero)
                g.body_mass[w, b] = g.body_mass[w, b] + (com_bar.dot(x - com) + vel_bar.dot(v - vel)) / mass


@ti.func
def subtree_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    mass, com, vel = subtree(m, d, w, m.sensor_objid[s])
    x = com
    if m.sensor_type[s] == SENS.subtreelinvel:
        x = vel
    return x


@serves("subtree_sensor")
@ti.func
def subtree_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    com_bar = bar
    vel_bar = vec3(0.0, 0.0, 0.0)
    if m.sensor_type[s] == SENS.subtreelinvel:
        vel_bar = bar
        com_bar = vec3(0.0, 0.0, 0.0)
    subtree_vjp(m, d, g, w, m.sensor_objid[s], com_bar, vel_bar)
