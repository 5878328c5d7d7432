"""The adjoints of constraints by solref and solimp, and of contacts by margins, where a simulator is asked for them.

With the adjoint of a block (blocks.py), y = J z - f_bar, K y, and r the violation dist - margin:

    B_bar = K y . J v (of its rows),   k_bar = (K y)_0 imp r,   imp_bar = (K y)_0 k r - y . f / (imp (1 - imp)),
    margin_bar = -((K y)_0 k imp + imp_bar dimp/dr)

The integrator discrete has the derivatives of what it makes of k, B and imp instead. impedance.py takes these to solref
and solimp, contact/mixing.py to the geoms whose they are. Ends and margins of limits
go with their distances (limit.py, ball_limit.py, tendon.py). Dry friction has no r, and where it slides follows neither
D nor B; the residual of an equality has up to three numbers, and rows that move by themselves.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import BALL_LIMIT, EQUALITY, TWO_SIDED, chain_mul
from engine.constraint.impedance import DRY, PUSHING, TIED, at_end_of_step_vjp, impedance_vjp, reference_vjp
from engine.constraint.rolling import coupled, turn_mul, turns
from engine.constraint.surface import surface_slip
from engine.contact.mixing import margin_of_vjp, mix_solver_vjp
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE


@ti.func
def add_solver_bars(m: ti.template(), refs: ti.template(), imps: ti.template(), w: ti.i32, i: ti.i32, at_ref: ti.i32,
                    at_imp: ti.i32, solref: ti.template(), solimp: ti.template(), x: real, k_bar: real, b_bar: real,
                    imp_bar: real):  # fmt: skip
    """Takes those of a constraint at the violation x to the solref and solimp numbered i, whose adjoints are refs and
    imps, and which begin in theta at at_ref and at_imp, or -1 where nobody asks."""
    imp0, imp1, imp2, imp3, imp4 = impedance_vjp(solimp, i, x, imp_bar)
    ref0, ref1, more = reference_vjp(solref, solimp, i, m.timestep, m.refsafe, k_bar, b_bar)
    if at_ref >= 0:
        for k, bar in ti.static(enumerate((ref0, ref1))):
            refs[w, i, k] = refs[w, i, k] + bar
    if at_imp >= 0:
        for k, bar in ti.static(enumerate((imp0, imp1 + more, imp2, imp3, imp4))):
            imps[w, i, k] = imps[w, i, k] + bar


@ti.func
def row_numbers(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, solref: ti.template(), solimp: ti.template(),
                p: ti.i32, kind: ti.i32):  # fmt: skip
    """k_bar, B_bar and imp_bar of row i, whose parameters are those numbered p; kind: DRY or PUSHING."""
    dof = d.row_dof[i]
    y = d.row_sign[i] * d.z[w, dof]
    ky = d.row_k[i] * y
    imp = d.row_imp[i]
    x = d.row_dist[i]
    along = y * d.row_force[i]
    if d.row_zone[i] > 1:  # dry friction that slides, whatever D is
        along = 0.0
    imp_bar = ky * d.row_kp[i] * x - along / (imp * (1 - imp))
    k_bar = ky * imp * x
    b_bar = ky * d.row_sign[i] * d.qvel[w * m.nv + dof]
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            imp_bar = d.row_by_x[i] * ky * x + d.row_by_v[i] * b_bar - d.row_by_d[i] * along
            k_bar, b_bar = at_end_of_step_vjp(m, solref, solimp, p, kind, imp, ky * x, b_bar, along, 0.0)
    if kind == DRY:
        k_bar = 0.0
    return k_bar, b_bar, imp_bar


@outline("mdg", "w i", when="limit_leaf")
@ti.func
def limit_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """Adds what row i asks, a limit."""
    j = m.dof_jntid[d.row_dof[i]]
    k_bar, b_bar, imp_bar = row_numbers(m, d, w, i, m.jnt_solref, m.jnt_solimp, j, PUSHING)
    add_solver_bars(m, g.jnt_solref, g.jnt_solimp, w, j, m.at_jnt_solref, m.at_jnt_solimp, m.jnt_solref, m.jnt_solimp,
                    d.row_dist[i], k_bar, b_bar, imp_bar)  # fmt: skip


@outline("mdg", "w i", when="friction_leaf")
@ti.func
def friction_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """Adds what row i asks, dry friction of a dof."""
    k = d.row_dof[i]
    k_bar, b_bar, imp_bar = row_numbers(m, d, w, i, m.dof_solref, m.dof_solimp, k, DRY)
    add_solver_bars(m, g.dof_solref, g.dof_solimp, w, k, m.at_dof_solref, m.at_dof_solimp, m.dof_solref, m.dof_solimp,
                    0.0, k_bar, b_bar, imp_bar)  # fmt: skip


@ti.func
def block_numbers(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, solref: ti.template(),
                  solimp: ti.template(), p: ti.i32, kind: ti.i32):  # fmt: skip
    """k_bar, B_bar and imp_bar of block c, which is none of a contact, with the parameters numbered p; kind: DRY, TIED
    or PUSHING."""
    y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
    ky = sym_mul(d.con_kd[c], d.con_ko[c], y)
    imp = d.con_imp[c]
    along = y.dot(d.con_force[c])
    if d.con_law[c] == TWO_SIDED and d.con_zone[c] > 1:  # dry friction that slides, whatever D is
        along = 0.0
    push = ky[0] * d.con_x[c]
    if ti.static(has.equality):
        if kind == TIED:
            push = ky.dot(d.con_res[c])
    imp_bar = d.con_kp[c] * push - along / (imp * (1 - imp))
    k_bar = imp * push
    b_bar = ky.dot(chain_mul(m, d, w, c, d.qvel))
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            bias = real(0.0)  # dJ/dt v, which a share of acts
            if ti.static(has.equality):
                if kind == TIED:
                    bias = ky.dot(d.con_jdotv[c])
            imp_bar = (
                d.con_by_x[c] * push + d.con_by_v[c] * b_bar - d.con_by_d[c] * along
                - d.con_by_bias[c] * d.con_share[c] * bias
            )  # fmt: skip
            k_bar, b_bar = at_end_of_step_vjp(m, solref, solimp, p, kind, imp, push, b_bar, along, bias)
    if kind == DRY:
        k_bar = 0.0
    return k_bar, b_bar, imp_bar


@outline("mdg", "w c", when="limit_leaf")
@ti.func
def ball_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """Adds what block c asks, a limit of a ball joint."""
    j = BALL_LIMIT - d.con_pair[c]
    k_bar, b_bar, imp_bar = block_numbers(m, d, w, c, m.jnt_solref, m.jnt_solimp, j, PUSHING)
    add_solver_bars(m, g.jnt_solref, g.jnt_solimp, w, j, m.at_jnt_solref, m.at_jnt_solimp, m.jnt_solref, m.jnt_solimp,
                    d.con_x[c], k_bar, b_bar, imp_bar)  # fmt: skip


@outline("mdg", "w c", when="tendon_leaf")
@ti.func
def tendon_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """Adds what block c asks, a limit or dry friction of a tendon."""
    t = d.con_kind1[c]
    if d.con_law[c] == TWO_SIDED:
        k_bar, b_bar, imp_bar = block_numbers(m, d, w, c, m.tendon_solref_fri, m.tendon_solimp_fri, t, DRY)
        add_solver_bars(m, g.tendon_solref_fri, g.tendon_solimp_fri, w, t, m.at_tendon_solref_fri,
                        m.at_tendon_solimp_fri, m.tendon_solref_fri, m.tendon_solimp_fri, 0.0, k_bar, b_bar,
                        imp_bar)  # fmt: skip
    else:
        k_bar, b_bar, imp_bar = block_numbers(m, d, w, c, m.tendon_solref_lim, m.tendon_solimp_lim, t, PUSHING)
        add_solver_bars(m, g.tendon_solref_lim, g.tendon_solimp_lim, w, t, m.at_tendon_solref_lim,
                        m.at_tendon_solimp_lim, m.tendon_solref_lim, m.tendon_solimp_lim, d.con_x[c], k_bar, b_bar,
                        imp_bar)  # fmt: skip


@outline("mdg", "w c", when="equality_leaf")
@ti.func
def equality_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """Adds what block c asks, of an equality."""
    e = EQUALITY - d.con_pair[c]
    k_bar, b_bar, imp_bar = block_numbers(m, d, w, c, m.eq_solref, m.eq_solimp, e, TIED)
    add_solver_bars(m, g.eq_solref, g.eq_solimp, w, e, m.at_eq_solref, m.at_eq_solimp, m.eq_solref, m.eq_solimp,
                    d.con_x[c], k_bar, b_bar, imp_bar)  # fmt: skip


@outline("mdg", "w c", when="contact_leaf")
@ti.func
def contact_leaf_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """Adds what contact c asks; expects the law at the solution and, of one that rolls, turn_y."""
    pair = d.con_pair[c]
    y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
    jv = chain_mul(m, d, w, c, d.qvel)
    spin = vec3(0.0, 0.0, 0.0)  # of surfaces that move, about the normal
    if ti.static(has.surface):
        slip, spin = surface_slip(m, d, w, c)
        jv = jv + slip
    ky = sym_mul(d.con_kd[c], d.con_ko[c], y)
    along = y.dot(d.con_force[c])
    bt_bar = real(0.0)
    if ti.static(has.rolling):
        if turns(d, c):
            more, turn_ky = coupled(d, c, y, d.turn_y[c])
            ky = ky + more
            along = along + d.turn_y[c].dot(d.turn_force[c])
            bt_bar = turn_ky.dot(turn_mul(m, d, w, c, d.qvel) + spin)
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
            k_bar, b_bar = at_end_of_step_vjp(m, d.con_solref, d.con_solimp, c, PUSHING, imp, ky[0] * x, b_bar,
                                              along, 0.0)  # fmt: skip
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
