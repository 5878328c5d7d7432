"""Sensors of coordinates, of actuator forces and of time: copies of what a step has anyway."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.kinematics import read_quat, read_vec
from engine.math.quat import quat_mul
from engine.math.types import vec4
from engine.model.sensors import SENS
from engine.sensing.frames import wide


@ti.func
def state_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    t = m.sensor_type[s]
    obj = m.sensor_objid[s]
    x = vec4(0.0, 0.0, 0.0, 0.0)
    if t == SENS.jointpos:
        x[0] = d.qpos[w * m.nq + m.jnt_qposadr[obj]]
    elif t == SENS.jointvel:
        x[0] = d.qvel[w * m.nv + m.jnt_dofadr[obj]]
    elif t == SENS.actuatorfrc:
        x[0] = d.actuator_force[w * m.nu + obj]
        if ti.static(has.so3):
            if m.sensor_dim[s] == 3:
                x = wide(read_vec(d.actuator_force, w * m.nu + obj))
    else:
        x[0] = d.time[w]
    return x


@ti.func
def state_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec4):
    t = m.sensor_type[s]
    obj = m.sensor_objid[s]
    if t == SENS.jointpos:
        k = w * m.nv + m.jnt_dofadr[obj]
        g.qpos_bar[k] = g.qpos_bar[k] + bar[0]
    elif t == SENS.jointvel:
        k = w * m.nv + m.jnt_dofadr[obj]
        g.qvel_bar[k] = g.qvel_bar[k] + bar[0]
    elif t == SENS.actuatorfrc:
        k = w * m.nu + obj
        g.force_bar[k] = g.force_bar[k] + bar[0]
        if ti.static(has.so3):
            if m.sensor_dim[s] == 3:
                for i in ti.static(range(1, 3)):
                    g.force_bar[k + i] = g.force_bar[k + i] + bar[i]


@ti.func
def ball_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Orientation or angular velocity of a ball joint."""
    j = m.sensor_objid[s]
    x = read_quat(d.qpos, w * m.nq + m.jnt_qposadr[j])
    if m.sensor_type[s] == SENS.ballangvel:
        x = wide(read_vec(d.qvel, w * m.nv + m.jnt_dofadr[j]))
    return x


@serves("ball_sensor")
@ti.func
def ball_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec4):
    """In the joint's tangent space, where q moves by 1/2 q (0, delta)."""
    j = m.sensor_objid[s]
    q = read_quat(d.qpos, w * m.nq + m.jnt_qposadr[j])
    k = w * m.nv + m.jnt_dofadr[j]
    if m.sensor_type[s] == SENS.ballangvel:
        for i in ti.static(range(3)):
            g.qvel_bar[k + i] = g.qvel_bar[k + i] + bar[i]
    else:
        x = quat_mul(vec4(q[0], -q[1], -q[2], -q[3]), bar)
        for i in ti.static(range(3)):
            g.qpos_bar[k + i] = g.qpos_bar[k + i] + 0.5 * x[i + 1]
