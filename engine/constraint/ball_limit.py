"""Limited ball joints: a block with one row, -axis at the joint's three dofs, and its adjoint.

A margin as wide as the range lets a limit act at angle zero, where the joint has turned about no axis: it is x then, as
in MuJoCo, and held. Along x, where the axis stays, this is the derivative to the right; to all other sides row and
angle jump, and there is none.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.block import BALL_LIMIT, CONE, new_block, resolve, write_column
from engine.constraint.discrete import block_ratio_vjp, follows_diagonal
from engine.constraint.impedance import PUSHING
from engine.constraint.limit import add_end_bars
from engine.dynamics.kinematics import read_quat, read_vec
from engine.dynamics.sleep import dof_rests
from engine.math.index import vector_at
from engine.math.quat import jr_inverse_transpose, quat_log
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import BALL


@ti.func
def turned(r: vec3):
    """Angle and axis of a rotation vector."""
    angle = ti.sqrt(r.dot(r))
    axis = vec3(1.0, 0.0, 0.0)
    if angle >= MINVAL:
        axis = r / angle
    return angle, axis


@serves("ball_limit")
@ti.func
def ball_limits(m: ti.template(), d: ti.template(), w: ti.i32):
    """Limited ball joints: a block with the row -axis at the joint's three dofs."""
    for j in range(m.njnt):
        if m.jnt_limited[j] and m.jnt_type[j] == BALL:
            r = quat_log(read_quat(d.qpos, w * m.nq + m.jnt_qposadr[j]))
            most = ti.max(m.jnt_range[j, 0], m.jnt_range[j, 1])
            angle, axis = turned(r)
            near = most - angle < m.jnt_margin[j]
            if ti.static(has.sleep):
                near = near and not dof_rests(m, d, w, m.jnt_dofadr[j])
            if near:
                c = new_block(m, d, w, BALL_LIMIT - j, CONE, 1)
                if c >= 0:
                    x = most - angle - m.jnt_margin[j]
                    resolve(m, d, c, m.jnt_solref, m.jnt_solimp, j, x, m.jnt_diaga[j], PUSHING)
                    d.con_normal[c] = -1.0 * axis


@ti.func
def ball_limit_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    dof = m.jnt_dofadr[BALL_LIMIT - d.con_pair[c]]
    for k in ti.static(range(3)):
        write_column(m, d, w, c * m.nchain + k, dof + 2 - k, vec3(d.con_normal[c][2 - k], 0.0, 0.0))
    d.con_ndof[c] = 3


@serves("ball_limit")
@ti.func
def ball_limit_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, f: real, ky: real,
                    bky: real, dist_bar: real):  # fmt: skip
    """J = -axis(q), dist = range - angle(q): straight to the joint's q and v."""
    nv = m.nv
    j = BALL_LIMIT - d.con_pair[c]
    dof = m.jnt_dofadr[j]
    r = quat_log(read_quat(d.qpos, w * m.nq + m.jnt_qposadr[j]))
    angle, axis = turned(r)
    x = -f * read_vec(d.dofr, d.z.at(w, dof)) + ky * read_vec(d.dofr, d.qacc.at(w, dof))
    x = x + bky * read_vec(d.qvel, w * nv + dof)
    if ti.static(has.diagonal):
        if follows_diagonal(m) and f != 0:  # else no D, or what sensors of the distance ask, where none counts
            block_ratio_vjp(m, d, g, w, c)
            for k in ti.static(range(3)):
                x[k] = x[k] + d.chain_bar[vector_at(c * m.nchain + 2 - k)][0]
    q_bar = -dist_bar * axis
    add_end_bars(m, g, w, j, -1.0, dist_bar)
    if angle >= MINVAL:
        q_bar = q_bar + jr_inverse_transpose(r, (-1.0 / angle) * (x - axis.dot(x) * axis))
    for k in ti.static(range(3)):
        g.qpos_bar[w * nv + dof + k] = g.qpos_bar[w * nv + dof + k] + q_bar[k]
        g.qvel_bar[w * nv + dof + k] = g.qvel_bar[w * nv + dof + k] - bky * axis[k]
