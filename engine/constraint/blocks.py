"""All blocks of a step, whoever finds them: what the solver reads of them, and the adjoint of z^T (-J^T f).

Adjoint, with y = J z - f_bar (f_bar: what sensors ask of the force) and everything evaluated at the solution:
    z^T d(-J^T f) + f_bar . df = -f . d(J z) + K y . (d(J a) + B d(J v) + d(K imp residual)) - y . f dD / D
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.ball_limit import ball_limit_columns, ball_limit_vjp
from engine.constraint.block import (
    EQUALITY,
    SCATTERED,
    add_transpose,
    chain_mul,
    damping_of,
    is_contact,
    is_equality,
    is_tendon,
    place_columns,
)  # fmt: skip
from engine.constraint.contact import contact_columns, contact_vjp, contacts
from engine.constraint.equality import equality_columns, equality_vjp
from engine.constraint.order import sort_columns
from engine.constraint.parameters import ball_leaf_vjp, contact_leaf_vjp, equality_leaf_vjp, tendon_leaf_vjp
from engine.constraint.rolling import coupled, rolling_bar, rolling_terms, turn_mul, turns
from engine.constraint.surface import surface_terms
from engine.constraint.tendon import tendon_vjp, without_friction_vjp
from engine.math.index import bounded
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE


@ti.func
def blocks(m: ti.template(), d: ti.template(), w: ti.i32):
    """Finds the contacts, where the geoms are, which come first; the others have stages of their own (evaluation).
    More blocks than the capacity leave their number in nneed; the caller stops the world."""
    d.ncon[w] = 0
    d.nneed[w] = 0
    contacts(m, d, w)
    d.nblock[w] = d.ncon[w]


@ti.func
def columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """The Jacobian of block c, on the elimination tree."""
    if is_contact(d.con_pair[c]):
        if ti.static(has.contact):
            contact_columns(m, d, w, c)
    elif d.con_last1[c] == SCATTERED:
        if ti.static(has.tendon or has.discrete and has.arm):
            place_columns(m, d, w, c)
    elif is_equality(d.con_pair[c]):
        equality_columns(m, d, w, c)
    else:
        if ti.static(has.ball_limit):
            ball_limit_columns(m, d, w, c)


@serves("block")
@ti.func
def constraint_blocks(m: ti.template(), d: ti.template(), w: ti.i32):
    """The blocks' Jacobians, and jar = J a - aref for the acceleration qacc."""
    for k in range(d.nblock[w]):
        c = bounded(w * m.nconmax + k)
        columns(m, d, w, c)
        jar = chain_mul(m, d, w, c, d.qacc) + damping_of(d, c) * chain_mul(m, d, w, c, d.qvel)
        stiff = d.con_kp[c] * d.con_imp[c]
        if is_equality(d.con_pair[c]):
            if ti.static(has.equality):
                bias = d.con_jdotv[c]
                if ti.static(has.discrete):
                    if m.integrator == DISCRETE:
                        bias = d.con_share[c] * bias
                jar = jar + stiff * d.con_res[c] + bias
        else:
            jar[0] = jar[0] + stiff * d.con_x[c]
        d.con_jar[c] = jar
        d.con_jv[c] = vec3(0.0, 0.0, 0.0)
        d.con_fbar[c] = vec3(0.0, 0.0, 0.0)
    sort_columns(m, d, w, 0)
    rolling_terms(m, d, w)
    surface_terms(m, d, w)


@serves("block")
@ti.func
def constraint_bar(m: ti.template(), d: ti.template(), w: ti.i32):
    """Before the solve: a_bar gains J^T (-K f_bar), what sensors of contact forces ask of the acceleration."""
    for r in range(d.nblock[w]):
        c = bounded(w * m.nconmax + r)
        f_bar = d.con_fbar[c]
        if f_bar.dot(f_bar) > 0:
            add_transpose(m, d, w, c, -1.0 * sym_mul(d.con_kd[c], d.con_ko[c], f_bar), d.a_bar)
    rolling_bar(m, d, w)


@serves("discrete")
@ti.func
def impedance_bar(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, ky: vec3, push: real, along: real):
    """The adjoint of block c's impedance as the integrator discrete has it (impedance.py). along: y . f."""
    v = d.con_vel[c]
    turned = ky[1] * v[1] + ky[2] * v[2]
    if m.cone == 1 and is_contact(d.con_pair[c]):  # whose friction has no spring
        turned = 0.0
    bar = d.con_by_x[c] * push + d.con_by_v[c] * (ky[0] * v[0] + turned) - d.con_by_d[c] * along
    if is_equality(d.con_pair[c]):
        if ti.static(has.equality):
            bar = bar - d.con_by_bias[c] * d.con_share[c] * ky.dot(d.con_jdotv[c])
    return bar


@ti.func
def block_bars(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, y: vec3, push: real):
    """f, K y, B, and the adjoints of block c's residual and of the violation that the impedance is a function of.
    push: K y times the residual."""
    f = d.con_force[c]
    ky = sym_mul(d.con_kd[c], d.con_ko[c], y)
    imp = d.con_imp[c]
    imp_bar = d.con_kp[c] * push - y.dot(f) / (imp * (1 - imp))
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            imp_bar = impedance_bar(m, d, w, c, ky, push, y.dot(f))
    return f, ky, damping_of(d, c), d.con_kp[c] * imp * ky, d.con_impp[c] * imp_bar


@ti.func
def contact_block_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, y: vec3):
    """The adjoint of block c, of a contact, from y (and turn_y) to what its source is made of."""
    push = sym_mul(d.con_kd[c], d.con_ko[c], y)[0] * d.con_x[c]
    f, ky, B, res_bar, x_bar = block_bars(m, d, w, c, y, push)
    if ti.static(has.rolling):
        if turns(d, c):
            more, d.turn_ky[c] = coupled(d, c, y, d.turn_y[c])
            ky = ky + more
            imp = d.con_imp[c]
            res_bar = res_bar + d.con_kp[c] * imp * more
            turned = d.turn_y[c].dot(d.turn_force[c])
            imp_bar = d.con_kp[c] * more[0] * d.con_x[c] - turned / (imp * (1 - imp))
            if ti.static(has.discrete):
                if m.integrator == DISCRETE:
                    imp_bar = impedance_bar(m, d, w, c, more, more[0] * d.con_x[c], turned)
                    if m.cone == 0:
                        imp_bar = imp_bar + d.con_by_v[c] * d.turn_ky[c].dot(turn_mul(m, d, w, c, d.qvel))
            x_bar = x_bar + d.con_impp[c] * imp_bar
    contact_vjp(m, d, g, w, c, y, f, ky, B, res_bar[0] + x_bar)


@outline("mdg", "w", when="contact")
@ti.func
def contact_blocks_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) of contacts and what sensors ask of f; expects the motions L, U, V and the law at the
    solution."""
    for r in range(d.ncon[w]):
        c = w * m.nconmax + r
        if ti.static(has.rolling):
            if turns(d, c):
                d.turn_y[c] = turn_mul(m, d, w, c, d.z) - d.turn_fbar[c]
        contact_block_vjp(m, d, g, w, c, chain_mul(m, d, w, c, d.z) - d.con_fbar[c])
        if ti.static(has.contact_leaf):
            if m.ncontactleaf > 0:
                contact_leaf_vjp(m, d, g, w, c)


@outline("mdg", "w", when="ball_limit")
@ti.func
def ball_limit_blocks_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The same of limits of balls."""
    for r in range(d.ncon[w], d.nblock[w]):
        c = w * m.nconmax + r
        if d.con_pair[c] > EQUALITY:
            y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
            push = sym_mul(d.con_kd[c], d.con_ko[c], y)[0] * d.con_x[c]
            f, ky, B, res_bar, x_bar = block_bars(m, d, w, c, y, push)
            ball_limit_vjp(m, d, g, w, c, f[0], ky[0], B[0] * ky[0], res_bar[0] + x_bar)
            if ti.static(has.limit_leaf):
                if m.nlimitleaf > 0:
                    ball_leaf_vjp(m, d, g, w, c)


@outline("mdg", "w", when="equality")
@ti.func
def equality_blocks_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The same of equalities."""
    for r in range(d.ncon[w], d.nblock[w]):
        c = w * m.nconmax + r
        if is_equality(d.con_pair[c]):
            y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
            push = sym_mul(d.con_kd[c], d.con_ko[c], y).dot(d.con_res[c])
            f, ky, B, res_bar, x_bar = block_bars(m, d, w, c, y, push)
            equality_vjp(m, d, g, w, c, f, ky, B * ky, res_bar, x_bar)
            if ti.static(has.equality_leaf):
                if m.nequalityleaf > 0:
                    equality_leaf_vjp(m, d, g, w, c)


@outline("mdg", "w", when="tendon")
@ti.func
def tendon_blocks_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The same of limits and dry friction of tendons, and of the dry friction that is none so far."""
    without_friction_vjp(m, d, g, w)
    for r in range(d.ncon[w], d.nblock[w]):
        c = bounded(w * m.nconmax + r)
        if is_tendon(d.con_pair[c]):
            y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
            push = sym_mul(d.con_kd[c], d.con_ko[c], y)[0] * d.con_x[c]
            f, ky, B, res_bar, x_bar = block_bars(m, d, w, c, y, push)
            tendon_vjp(m, d, g, w, c, y[0], f[0], ky[0], B[0] * ky[0], res_bar[0] + x_bar)
            if ti.static(has.tendon_leaf):
                if m.ntendonleaf > 0:
                    tendon_leaf_vjp(m, d, g, w, c)
