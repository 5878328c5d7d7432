"""Limits of hinges and slides: a row with J = +-1 at the joint's dof for each side that is near, and its adjoint."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.row import LIMIT, add_row
from engine.dynamics.sleep import dof_rests
from engine.math.types import real
from engine.model.constants import HINGE, SLIDE


@ti.func
def limit_rows(m: ti.template(), d: ti.template(), w: ti.i32):
    n = d.nrow[w]
    for j in range(m.njnt):
        t = m.jnt_type[j]
        if m.jnt_limited[j] and (t == SLIDE or t == HINGE):
            q = d.qpos[w * m.nq + m.jnt_qposadr[j]]
            for side in range(2):
                sign = real(1 - 2 * side)
                dist = sign * (q - m.jnt_range[j, side]) - m.jnt_margin[j]
                if ti.static(has.sleep):
                    if dof_rests(m, d, w, m.jnt_dofadr[j]):
                        dist = 1.0
                if dist < 0:
                    add_row(
                        m, d, w, n, LIMIT, m.jnt_dofadr[j], sign, dist, 0.0, m.jnt_solref, m.jnt_solimp, j,
                        m.jnt_diaga[j],
                    )  # fmt: skip
                    n = n + 1
    d.nrow[w] = n


@ti.func
def limit_row_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, dist_bar: real):
    """From the distance's adjoint to that of the joint's coordinate, and of its range and margin, if anybody asks."""
    k = w * m.nv + d.row_dof[i]
    g.qpos_bar[k] = g.qpos_bar[k] + d.row_sign[i] * dist_bar
    add_end_bars(m, g, w, m.dof_jntid[d.row_dof[i]], d.row_sign[i], dist_bar)


@serves("limit_leaf")
@ti.func
def add_end_bars(m: ti.template(), g: ti.template(), w: ti.i32, j: ti.i32, sign: real, dist_bar: real):
    """The same for the end of joint j's range that is felt, the lower one where sign is positive, and its margin."""
    if m.nlimitleaf > 0:
        if m.at_jnt_range >= 0:
            side = ti.cast(sign < 0, ti.i32)
            g.jnt_range[w, j, side] = g.jnt_range[w, j, side] - sign * dist_bar
        if m.at_jnt_margin >= 0:
            g.jnt_margin[w, j] = g.jnt_margin[w, j] - dist_bar
