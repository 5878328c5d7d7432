"""The adjoints of contacts and of joints' limits by solref, solimp and margins, where a simulator is asked for them.

With the adjoint of a block (blocks.py), y = J z - f_bar, K y, and r the violation dist - margin:

    B_bar = K y . J v (of its rows),   k_bar = (K y)_0 imp r,   imp_bar = (K y)_0 k r - y . f / (imp (1 - imp)),
    margin_bar = -((K y)_0 k imp + imp_bar dimp/dr)

The integrator discrete has the derivatives of what it makes of k, B and imp instead. impedance.py takes these to solref
and solimp, contact/mixing.py to the geoms whose they are. Ends and margins of limits
go with their distances (limit.py, ball_limit.py).
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.block import BALL_LIMIT, chain_mul
from engine.constraint.impedance import at_end_of_step_vjp, impedance_vjp, reference_vjp
from engine.constraint.rolling import coupled, turn_mul, turns
from engine.contact.mixing import margin_of_vjp, mix_solver_vjp
from engine.math.spatial import sym_mul
from engine.math.types import real
from engine.model.constants import DISCRETE


@serves("limit_leaf")
@ti.func
def add_limit_bars(m: ti.template(), g: ti.template(), w: ti.i32, j: ti.i32, x: real, k_bar: real, b_bar: real,
                   imp_bar: real):  # fmt: skip
    """Takes those of a limit of joint j, at the violation x, to its solref and solimp."""
    imp0, imp1, imp2, imp3, imp4 = impedance_vjp(m.jnt_solimp, j, x, imp_bar)
    ref0, ref1, more = reference_vjp(m.jnt_solref, m.jnt_solimp, j, m.timestep, m.refsafe, k_bar, b_bar)
    if m.at_jnt_solref >= 0:
        for k, bar in ti.static(enumerate((ref0, ref1))):
            g.jnt_solref[w, j, k] = g.jnt_solref[w, j, k] + bar
    if m.at_jnt_solimp >= 0:
        for k, bar in ti.static(enumerate((imp0, imp1 + more, imp2, imp3, imp4))):
            g.jnt_solimp[w, j, k] = g.jnt_solimp[w, j, k] + bar


@outline("mdg", "w i", when="limit_leaf")
@ti.func
def limit_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """Adds what row i asks, a limit."""
    dof = d.row_dof[i]
    y = d.row_sign[i] * d.z[w, dof]
    ky = d.row_k[i] * y
    imp = d.row_imp[i]
    x = d.row_dist[i]
    along = y * d.row_force[i]
    imp_bar = ky * d.row_kp[i] * x - along / (imp * (1 - imp))
    k_bar = ky * imp * x
    b_bar = ky * d.row_sign[i] * d.qvel[w * m.nv + dof]
    j = m.dof_jntid[dof]
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            imp_bar = d.row_by_x[i] * ky * x + d.row_by_v[i] * b_bar - d.row_by_d[i] * along
            k_bar, b_bar = at_end_of_step_vjp(m, m.jnt_solref, m.jnt_solimp, j, 1, imp, ky * x, b_bar, along)
    add_limit_bars(m, g, w, j, x, k_bar, b_bar, imp_bar)


@outline("mdg", "w c", when="limit_leaf")
@ti.func
def ball_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """Adds what block c asks, a limit of a ball joint."""
    y = chain_mul(m, d, w, c, d.z)[0] - d.con_fbar[c][0]
    ky = d.con_kd[c][0] * y
    imp = d.con_imp[c]
    x = d.con_x[c]
    along = y * d.con_force[c][0]
    imp_bar = ky * d.con_kp[c] * x - along / (imp * (1 - imp))
    k_bar = ky * imp * x
    b_bar = ky * chain_mul(m, d, w, c, d.qvel)[0]
    j = BALL_LIMIT - d.con_pair[c]
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            imp_bar = d.con_by_x[c] * ky * x + d.con_by_v[c] * b_bar - d.con_by_d[c] * along
            k_bar, b_bar = at_end_of_step_vjp(m, m.jnt_solref, m.jnt_solimp, j, 1, imp, ky * x, b_bar, along)
    add_limit_bars(m, g, w, j, x, k_bar, b_bar, imp_bar)


@outline("mdg", "w c", when="contact_leaf")
@ti.func
def contact_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """Adds what contact c asks; expects the law at the solution and, of one that rolls, turn_y."""
    pair = d.con_pair[c]
    y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
    jv = chain_mul(m, d, w, c, d.qvel)
    ky = sym_mul(d.con_kd[c], d.con_ko[c], y)
    along = y.dot(d.con_force[c])
    bt_bar = real(0.0)
    if ti.static(has.rolling):
        if turns(d, c):
            more, turn_ky = coupled(d, c, y, d.turn_y[c])
            ky = ky + more
            along = along + d.turn_y[c].dot(d.turn_force[c])
            bt_bar = turn_ky.dot(turn_mul(m, d, w, c, d.qvel))
    bt_bar = bt_bar + ky[1] * jv[1] + ky[2] * jv[2]
    b_bar = ky[0] * jv[0]
    imp = d.con_imp[c]
    x = d.con_x[c]
    imp_bar = ky[0] * d.con_kp[c] * x - along / (imp * (1 - imp))
    k_bar = ky[0] * imp * x
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            if m.cone == 0:  # all rows alike
                b_bar = b_bar + bt_bar
                bt_bar = 0.0
            imp_bar = d.con_by_x[c] * ky[0] * x + d.con_by_v[c] * b_bar - d.con_by_d[c] * along
            k_bar, b_bar = at_end_of_step_vjp(m, d.con_solref, d.con_solimp, c, 1, imp, ky[0] * x, b_bar, along)
            bt_bar = bt_bar * (1 - m.timestep * d.con_bt[c]) ** 2  # of what friction's rows were given
    margin_of_vjp(m, g, w, pair, -(ky[0] * d.con_kp[c] * imp + imp_bar * d.con_impp[c]))
    dmin, dmax, width, mid, power = impedance_vjp(d.con_solimp, c, x, imp_bar)
    if ti.static(has.own_pair):
        own = m.pair_own[pair]
        if m.cone == 1 and own >= 0:
            if m.pair_solreffriction[own, 0] != 0 or m.pair_solreffriction[own, 1] != 0:
                ref0, ref1, more = reference_vjp(
                    m.pair_solreffriction, m.pair_solimp, own, m.timestep, m.refsafe, 0.0, bt_bar
                )
                bt_bar = 0.0
                dmax = dmax + more
                if m.at_pair_solreffriction >= 0:
                    g.pair_solreffriction[w, own, 0] = g.pair_solreffriction[w, own, 0] + ref0
                    g.pair_solreffriction[w, own, 1] = g.pair_solreffriction[w, own, 1] + ref1
    ref0, ref1, more = reference_vjp(
        d.con_solref, d.con_solimp, c, m.timestep, m.refsafe, k_bar, b_bar + bt_bar
    )
    mix_solver_vjp(m, g, w, pair, ref0, ref1, dmin, dmax + more, width, mid, power)
