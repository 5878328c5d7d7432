"""Constraints on the lengths of tendons: dry friction, limits, and the rows of one length or two, J = r1 J1 + r2 J2.

Each is a block of one row. Its tendons are con_kind1 and con_kind2 (-1: none), r1 and r2 are con_r1 and con_r2.
equality.py makes those of lengths that follow others.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.block import (
    CONE,
    SCATTERED,
    TENDON_FRICTION,
    TENDON_LIMIT,
    TWO_SIDED,
    new_block,
    resolve,
    write_column,
)  # fmt: skip
from engine.constraint.discrete import block_ratio_vjp, follows_diagonal, tendon_diagonal_vjp
from engine.constraint.impedance import DRY, PUSHING, reference
from engine.dynamics.sleep import all_sleep
from engine.math.index import bounded
from engine.math.types import EPS, real, vec3
from engine.model.constants import DISCRETE


@ti.func
def on_tendons(m: ti.template(), d: ti.template(), c: ti.i32, t1: ti.i32, r1: real, t2: ti.i32, r2: real):
    """Block c is on the lengths of these tendons."""
    d.con_kind1[c] = t1
    d.con_kind2[c] = t2
    d.con_r1[c] = r1
    d.con_r2[c] = r2
    d.con_last1[c] = SCATTERED


@ti.func
def slide_law(jar: real, D: real, floss: real):
    """Force, stiffness and zone of a block of dry friction, as row.py has them of a dof's."""
    push = ti.min(ti.max(-D * jar, -floss), floss)
    held = ti.abs(D * jar) < floss
    zone = 0 if held else (2 if push < 0 else 3)
    return vec3(push, 0.0, 0.0), vec3(D if held else 0.0, 0.0, 0.0), zone


@serves("tendon")
@ti.func
def tendon_limits(m: ti.template(), d: ti.template(), w: ti.i32):
    """Of each tendon its dry friction, if any, and the limits that are near, the lower one first. Of all blocks on
    lengths, equalities among them, the Jacobians."""
    for t in range(m.ntendon):
        floss = m.tendon_frictionloss[t]
        moves = 0  # MuJoCo has no row of zeros, as of a path that goes round nothing now
        for e in range(m.ten_J_rowadr[t], m.ten_J_rowadr[t] + m.ten_J_rownnz[t]):
            if d.ten_J[w, e] != 0:
                moves = 1
        if ti.static(has.sleep):
            if m.nsleeptree > 0:
                if all_sleep(m, d, w, m.ten_tree1[t], m.ten_tree2[t]):
                    moves = 0
        if floss > 0 and moves:
            c = new_block(m, d, w, TENDON_FRICTION - t, TWO_SIDED, 1)
            if c >= 0:
                resolve(m, d, c, m.tendon_solref_fri, m.tendon_solimp_fri, t, 0.0, m.tendon_invweight0[t], DRY)
                d.con_mu1[c] = floss
                on_tendons(m, d, c, t, 1.0, -1, 0.0)
        if m.tendon_limited[t] and moves:
            for side in range(2):
                sign = real(1 - 2 * side)
                dist = sign * (d.ten_length[w, t] - m.tendon_range[t, side]) - m.tendon_margin[t]
                if dist < 0:
                    c = new_block(m, d, w, TENDON_LIMIT - t, CONE, 1)
                    if c >= 0:
                        resolve(
                            m, d, c, m.tendon_solref_lim, m.tendon_solimp_lim, t, dist, m.tendon_invweight0[t], PUSHING
                        )
                        on_tendons(m, d, c, t, sign, -1, 0.0)
    for k in range(d.ncon[w], d.nblock[w]):
        c = bounded(w * m.nconmax + k)
        if d.con_last1[c] == SCATTERED:
            tendon_columns(m, d, w, c)


@ti.func
def tendon_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """The Jacobian of block c, the deepest dof of either tendon first."""
    t1 = d.con_kind1[c]
    t2 = d.con_kind2[c]
    first1 = m.ten_J_rowadr[t1]
    e1 = first1 + m.ten_J_rownnz[t1] - 1
    first2 = 0
    e2 = -1
    if t2 >= 0:
        first2 = m.ten_J_rowadr[t2]
        e2 = first2 + m.ten_J_rownnz[t2] - 1
    first = c * m.nchain
    q = first
    while e1 >= first1 or e2 >= first2:
        i1 = -1
        i2 = -1
        if e1 >= first1:
            i1 = m.ten_J_colind[e1]
        if e2 >= first2:
            i2 = m.ten_J_colind[e2]
        x = real(0.0)
        if i1 >= i2:
            x = d.con_r1[c] * d.ten_J[w, e1]
            e1 = e1 - 1
        if i2 >= i1:
            x = x + d.con_r2[c] * d.ten_J[w, e2]
            e2 = e2 - 1
        write_column(m, d, w, q, ti.max(i1, i2), vec3(x, 0.0, 0.0))
        q = q + 1
    d.con_ndof[c] = q - first


@ti.func
def length_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, r: real, f: real, ky: real,
             bky: real, x_bar: real):  # fmt: skip
    """Of one tendon of a block, whose length has the adjoint x_bar: to its length, velocity and row. Returns what r,
    which its row is multiplied by, asks."""
    g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + x_bar
    g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + r * bky
    r_bar = bky * d.ten_velocity[w, t]
    first = m.ten_J_rowadr[t]
    for e in range(first, first + m.ten_J_rownnz[t]):
        i = m.ten_J_colind[e]
        bar = ky * d.qacc[w, i] - f * d.z[w, i]
        g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + r * bar
        r_bar = r_bar + bar * d.ten_J[w, e]
    return r_bar


@ti.func
def tendon_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, y: real, f: real, ky: real,
               bky: real, dist_bar: real):  # fmt: skip
    """The adjoint of block c, a limit or dry friction, from y and the adjoint of its distance."""
    t = d.con_kind1[c]
    r = d.con_r1[c]
    x_bar = r * dist_bar
    if d.con_law[c] == TWO_SIDED:
        x_bar = 0.0
        if d.con_zone[c] == 2:
            g.tendon_frictionloss[w, t] = g.tendon_frictionloss[w, t] + y
        if d.con_zone[c] == 3:
            g.tendon_frictionloss[w, t] = g.tendon_frictionloss[w, t] - y
    else:
        add_tendon_end_bars(m, g, w, t, r, dist_bar)
    length_vjp(m, d, g, w, t, r, f, ky, bky, x_bar)
    if ti.static(has.diagonal):
        if follows_diagonal(m):
            block_ratio_vjp(m, d, g, w, c)
            tendon_diagonal_vjp(m, d, g, w, c, t, r)


@serves("tendon_leaf")
@ti.func
def add_tendon_end_bars(m: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, sign: real, dist_bar: real):
    """From the adjoint of the distance at a limit of tendon t to the end of its range that is felt, the lower one where
    sign is positive, and to its margin, if anybody asks."""
    if m.ntendonleaf > 0:
        if m.at_tendon_range >= 0:
            side = ti.cast(sign < 0, ti.i32)
            g.tendon_range[w, t, side] = g.tendon_range[w, t, side] - sign * dist_bar
        if m.at_tendon_margin >= 0:
            g.tendon_margin[w, t] = g.tendon_margin[w, t] - dist_bar


@ti.func
def without_friction_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The first bit of dry friction of a tendon that has none: friction.py has the same of dofs."""
    for t in range(m.ntendon):
        if m.tendon_frictionloss[t] == 0:
            stiffness, b = reference(m.tendon_solref_fri, m.tendon_solimp_fri, t, m.timestep, m.refsafe)
            if ti.static(has.discrete):
                if m.integrator == DISCRETE:
                    b = b / (1.0 + m.timestep * b)
            jar = b * d.ten_velocity[w, t]
            size = ti.abs(jar)
            y = real(0.0)
            first = m.ten_J_rowadr[t]
            for e in range(first, first + m.ten_J_rownnz[t]):
                i = m.ten_J_colind[e]
                x = d.ten_J[w, e] * d.qacc[w, i]
                jar = jar + x
                size = size + ti.abs(x)
                y = y + d.ten_J[w, e] * d.z[w, i]
            if ti.abs(jar) > 1e4 * EPS * size:
                g.tendon_frictionloss[w, t] = g.tendon_frictionloss[w, t] + ti.math.sign(jar) * y
