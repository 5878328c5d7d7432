"""All rows of a step, whoever finds them, and the adjoint of their part of z^T (-J^T f)."""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.discrete import row_ratio_vjp
from engine.constraint.friction import friction_row_vjp, friction_rows, frictionless_vjp
from engine.constraint.limit import limit_row_vjp, limit_rows
from engine.constraint.parameters import friction_leaf_vjp, limit_leaf_vjp
from engine.constraint.row import LIMIT
from engine.model.constants import DISCRETE


@ti.func
def rows(m: ti.template(), d: ti.template(), w: ti.i32):
    friction_rows(m, d, w)
    limit_rows(m, d, w)


@ti.func
def row_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """The adjoint of row i (`add_row` and `row_law`), to q, v and dry friction."""
    k = w * m.nv + d.row_dof[i]
    sign = d.row_sign[i]
    y = sign * d.z[w, d.row_dof[i]]
    ky = d.row_k[i] * y
    g.qvel_bar[k] = g.qvel_bar[k] + ky * d.row_b[i] * sign
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            row_ratio_vjp(m, d, w, i, y * d.row_force[i])
    if d.row_kind[i] == LIMIT:
        imp = d.row_imp[i]
        slope = d.row_impp[i]
        dist_bar = ky * d.row_kp[i] * (imp + slope * d.row_dist[i]) - y * d.row_force[i] * slope / (imp * (1 - imp))
        if ti.static(has.discrete):
            if m.integrator == DISCRETE:
                v = sign * d.qvel[k]
                imp_bar = ky * (d.row_by_x[i] * d.row_dist[i] + d.row_by_v[i] * v) - y * d.row_force[i] * d.row_by_d[i]
                dist_bar = ky * d.row_kp[i] * imp + slope * imp_bar
        limit_row_vjp(m, d, g, w, i, dist_bar)
        if ti.static(has.limit_leaf):
            if m.nlimitleaf > 0:
                limit_leaf_vjp(m, d, g, w, i)
    else:
        friction_row_vjp(m, d, g, w, i, y)
        if ti.static(has.friction_leaf):
            if m.nfrictionleaf > 0:
                friction_leaf_vjp(m, d, g, w, i)


@ti.func
def rows_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, plain: ti.i32):
    """Adds z^T d(-J^T f) of the rows; expects the law at the solution. plain: qacc is a_eff, and a in msearch."""
    frictionless_vjp(m, d, g, w, plain)
    for r in range(d.nrow[w]):
        row_vjp(m, d, g, w, w * m.nrowmax + r)
