"""Sensors of a limit of a joint or tendon: how far beyond it that is, how fast it goes there, and the force that holds
it; of the first side that acts, and zero where none does. A limit is a row, or the block of a ball joint or tendon.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.ball_limit import ball_limit_vjp
from engine.constraint.block import BALL_LIMIT, TENDON_LIMIT, chain_mul
from engine.constraint.limit import limit_row_vjp
from engine.constraint.row import LIMIT
from engine.constraint.rows import row_vjp
from engine.constraint.tendon import add_tendon_end_bars
from engine.math.index import bounded
from engine.math.types import real, vec4
from engine.model.constants import OBJ_TENDON
from engine.model.sensors import LEVEL, SENS
from engine.sensing.values import cotangent, write_sensor


@ti.func
def limit_of(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """The row and the block of the limit of sensor s, -1 where there is none."""
    j = m.sensor_objid[s]
    row = -1
    block = -1
    source = BALL_LIMIT - j
    if m.sensor_objtype[s] == OBJ_TENDON:
        source = TENDON_LIMIT - j
    else:
        for k in range(d.nrow[w]):
            i = bounded(w * m.nrowmax + k)
            if row < 0 and d.row_kind[i] == LIMIT and m.dof_jntid[d.row_dof[i]] == j:
                row = i
    if ti.static(has.ball_limit or has.tendon):
        for k in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            if block < 0 and d.con_pair[c] == source:
                block = c
    return row, block


@ti.func
def reads(m: ti.template(), s: ti.i32):
    """What sensor s reads of its limit: 0 distance, 1 velocity, 2 force."""
    t = m.sensor_type[s]
    what = 0
    if t == SENS.jointlimitvel or t == SENS.tendonlimitvel:
        what = 1
    elif t == SENS.jointlimitfrc or t == SENS.tendonlimitfrc:
        what = 2
    return what


@ti.func
def limit_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    what = reads(m, s)
    row, block = limit_of(m, d, w, s)
    x = real(0.0)
    if row >= 0:
        x = d.row_dist[row]
        if what == 1:
            x = d.row_sign[row] * d.qvel[w * m.nv + d.row_dof[row]]
        elif what == 2:
            x = d.row_force[row]
    if ti.static(has.ball_limit or has.tendon):
        if block >= 0:
            x = d.con_x[block]
            if what == 1:
                x = chain_mul(m, d, w, block, d.qvel)[0]
            elif what == 2:
                x = d.con_force[block][0]
    return x


@ti.func
def limit_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: real):
    """Expects the law evaluated. A row's force has the adjoint of `row_vjp` for J z = -bar; z is scratch."""
    what = reads(m, s)
    row, block = limit_of(m, d, w, s)
    if row >= 0:
        dof = d.row_dof[row]
        sign = d.row_sign[row]
        k = w * m.nv + dof
        if what == 0:
            limit_row_vjp(m, d, g, w, row, bar)
        elif what == 1:
            g.qvel_bar[k] = g.qvel_bar[k] + sign * bar
        else:
            d.a_bar[w, dof] = d.a_bar[w, dof] - sign * d.row_k[row] * bar
            d.z[w, dof] = -sign * bar
            row_vjp(m, d, g, w, row)
            if ti.static(has.diagexact):
                if m.diagexact:  # whose adjoint comes later
                    d.row_jv[row] = d.row_jv[row] + bar
    if ti.static(has.ball_limit or has.tendon):
        if block >= 0:
            if what == 2:
                d.con_fbar[block][0] = d.con_fbar[block][0] + bar
            else:
                block_limit_vjp(m, d, g, w, s, block, bar * (1 - what), bar * what)


@ti.func
def block_limit_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, c: ti.i32,
                    pos_bar: real, vel_bar: real):  # fmt: skip
    """Of the distance and velocity at a limit that is a block."""
    if m.sensor_objtype[s] == OBJ_TENDON:
        if ti.static(has.tendon):
            t = d.con_kind1[c]
            g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + d.con_r1[c] * pos_bar
            g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + d.con_r1[c] * vel_bar
            add_tendon_end_bars(m, g, w, t, d.con_r1[c], pos_bar)
    else:
        if ti.static(has.ball_limit):
            for i in range(3):
                d.z[w, m.jnt_dofadr[m.sensor_objid[s]] + i] = 0.0
            ball_limit_vjp(m, d, g, w, c, 0.0, 0.0, vel_bar, pos_bar)


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
