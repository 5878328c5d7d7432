"""Limits of hinges and slides: a row with J = +-1 at the joint's dof for each side that is near, and its adjoint."""

import taichi as ti

from engine.constraint.row import LIMIT, add_row
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
                if dist < 0:
                    add_row(
                        m, d, w, n, LIMIT, m.jnt_dofadr[j], sign, dist, 0.0, m.jnt_solref, m.jnt_solimp, j,
                        m.jnt_diaga[j],
                    )  # fmt: skip
                    n = n + 1
    d.nrow[w] = n


@ti.func
def limit_row_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, dist_bar: real):
    """From the distance's adjoint to that of the joint's coordinate."""
    k = w * m.nv + d.row_dof[i]
    g.qpos_bar[k] = g.qpos_bar[k] + d.row_sign[i] * dist_bar
