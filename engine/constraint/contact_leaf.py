"""The adjoint of a contact by its solref, solimp and margin, where a simulator is asked for these leaves.

With the adjoint of a block (blocks.py), y = J z - f_bar, K y, and r the violation dist - margin:

    B_bar = K y . J v (of its rows),   k_bar = (K y)_0 imp r,   imp_bar = (K y)_0 k r - y . f / (imp (1 - imp)),
    margin_bar = -((K y)_0 k imp + imp_bar dimp/dr)

impedance.py takes these to solref and solimp, contact/mixing.py to those whose they are.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import chain_mul
from engine.constraint.impedance import impedance_vjp, reference_vjp
from engine.constraint.rolling import coupled, turn_mul, turns
from engine.contact.mixing import margin_of_vjp, mix_solver_vjp
from engine.math.spatial import sym_mul
from engine.math.types import real


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
        d.con_solref, d.con_solimp, c, m.timestep, m.refsafe, ky[0] * imp * x, b_bar + bt_bar
    )
    mix_solver_vjp(m, g, w, pair, ref0, ref1, dmin, dmax + more, width, mid, power)
