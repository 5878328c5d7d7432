"""Sensors of a joint's limit: how far beyond it the joint is, how fast it goes there, and the force that holds it; of
the first side that acts, and zero where none does. A limit is a row, or the block of a ball joint.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.ball_limit import ball_limit_vjp
from engine.constraint.block import BALL_LIMIT, chain_mul
from engine.constraint.row import LIMIT
from engine.constraint.rows import row_vjp
from engine.math.index import bounded
from engine.math.types import real, vec4
from engine.model.sensors import LEVEL, SENS
from engine.sensing.values import cotangent, write_sensor


@ti.func
def limit_of(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32):
    """The row and the block of joint j's limit, -1 where there is none."""
    row = -1
    block = -1
    for k in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + k)
        if row < 0 and d.row_kind[i] == LIMIT and m.dof_jntid[d.row_dof[i]] == j:
            row = i
    if ti.static(has.ball_limit):
        for k in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            if d.con_pair[c] == BALL_LIMIT - j:
                block = c
    return row, block


@ti.func
def limit_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    t = m.sensor_type[s]
    j = m.sensor_objid[s]
    row, block = limit_of(m, d, w, j)
    x = real(0.0)
    if row >= 0:
        x = d.row_dist[row]
        if t == SENS.jointlimitvel:
            x = d.row_sign[row] * d.qvel[w * m.nv + d.row_dof[row]]
        elif t == SENS.jointlimitfrc:
            x = d.row_force[row]
    if ti.static(has.ball_limit):
        if block >= 0:
            x = d.con_x[block]
            if t == SENS.jointlimitvel:
                x = chain_mul(m, d, w, block, d.qvel)[0]
            elif t == SENS.jointlimitfrc:
                x = d.con_force[block][0]
    return x


@ti.func
def limit_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: real):
    """Expects the law evaluated. A row's force has the adjoint of `row_vjp` for J z = -bar; z is scratch."""
    t = m.sensor_type[s]
    j = m.sensor_objid[s]
    row, block = limit_of(m, d, w, j)
    if row >= 0:
        dof = d.row_dof[row]
        sign = d.row_sign[row]
        k = w * m.nv + dof
        if t == SENS.jointlimitpos:
            g.qpos_bar[k] = g.qpos_bar[k] + sign * bar
        elif t == SENS.jointlimitvel:
            g.qvel_bar[k] = g.qvel_bar[k] + sign * bar
        else:
            d.a_bar[w, dof] = d.a_bar[w, dof] - sign * d.row_k[row] * bar
            d.z[w, dof] = -sign * bar
            row_vjp(m, d, g, w, row)
    if ti.static(has.ball_limit):
        if block >= 0:
            if t == SENS.jointlimitfrc:
                d.con_fbar[block][0] = d.con_fbar[block][0] + bar
            else:
                for i in range(3):
                    d.z[w, m.jnt_dofadr[j] + i] = 0.0
                pos_bar = real(0.0)
                vel_bar = real(0.0)
                if t == SENS.jointlimitpos:
                    pos_bar = bar
                else:
                    vel_bar = bar
                ball_limit_vjp(m, d, g, w, block, 0.0, 0.0, vel_bar, pos_bar)


@ti.func
def limits(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.limit:
            write_sensor(m, d, w, s, vec4(limit_sensor(m, d, w, s), 0.0, 0.0, 0.0))


@ti.func
def limits_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
               row: ti.i32):  # fmt: skip
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.limit:
            limit_sensor_vjp(m, d, g, w, s, cotangent(m, r, b, s, row)[0])
