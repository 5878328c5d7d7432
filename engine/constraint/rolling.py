"""Torsional and rolling friction: the three further rows of contacts of condim 4 and 6, and what they add.

The rows are the rotation of body 2 against body 1 about the contact's normal and tangents. What others do for a block
of three rows they do for the first three of such a contact, too. The stages here add what the further rows (turn_...)
and their coupling with the first make of it, with y of the first rows and x of the further ones:

    K (y, x) = (k y + p (q . x),  q (p . y) + k2 x)

A robot that has no such contact has nothing of this compiled, and no memory for it.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.block import add_transpose
from engine.constraint.islands import block_stands, block_stiffened, rank_of
from engine.constraint.rolling_cone import rolling_law
from engine.math.index import bounded, vector_at
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3


@ti.func
def turns(d: ti.template(), c: ti.i32):
    """Whether block c has further rows."""
    return d.con_dim[c] > 3


@ti.func
def in_frame(d: ti.template(), c: ti.i32, u: vec3):
    """A vector of the world along contact c's normal and tangents."""
    return vec3(d.con_normal[c].dot(u), d.con_tangent1[c].dot(u), d.con_tangent2[c].dot(u))


@ti.func
def out_of_frame(d: ti.template(), c: ti.i32, x: vec3):
    """The vector of the world that `in_frame` makes x of."""
    return x[0] * d.con_normal[c] + x[1] * d.con_tangent1[c] + x[2] * d.con_tangent2[c]


@ti.func
def turn_mul(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, x: ti.template()):
    """The further rows of J x of block c; x: a vector over the dofs of all worlds."""
    y = vec3(0.0, 0.0, 0.0)
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        y = y + x[w, d.chain_dof[q]] * d.turn_J[vector_at(q)]
    return y


@ti.func
def add_turn_transpose(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, f: vec3, x: ti.template()):
    """x += J^T f of block c's further rows."""
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        k = d.chain_dof[q]
        x[w, k] = x[w, k] + d.turn_J[vector_at(q)].dot(f)


@ti.func
def coupled(d: ti.template(), c: ti.i32, y: vec3, x: vec3):
    """K (y, x) of block c: what the first rows gain, and the further ones."""
    p = d.turn_p[c]
    q = d.turn_q[c]
    return q.dot(x) * p, p.dot(y) * q + sym_mul(d.turn_kd[c], d.turn_ko[c], x)


@outline("md", "w", when="rolling")
@ti.func
def rolling_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    """The further rows' Jacobians, where the first ones' are, and their jar for the acceleration qacc."""
    for i in range(d.ncon[w]):
        c = bounded(w * m.nconmax + i)
        if turns(d, c):
            i2 = d.con_last2[c]
            at = c * m.nchain
            for q in range(at, at + d.con_ndof[c]):
                k = d.chain_dof[q]
                ang = d.cdof_ang[bounded(w * m.nv + k)]
                if k == i2:
                    i2 = m.tree_parent[k]
                else:
                    ang = -1.0 * ang
                d.turn_J[vector_at(q)] = in_frame(d, c, ang)
            d.turn_jar[c] = turn_mul(m, d, w, c, d.qacc) + d.con_bt[c] * turn_mul(m, d, w, c, d.qvel)
            d.turn_jv[c] = vec3(0.0, 0.0, 0.0)
            d.turn_fbar[c] = vec3(0.0, 0.0, 0.0)


@outline("md", "w", when="rolling")
@ti.func
def rolling_laws(m: ti.template(), d: ti.template(), w: ti.i32):
    """The law of these contacts at jar + alpha J search, alpha being line_alpha; leaves in line_... what `evaluate`
    returns."""
    d1 = real(0.0)
    d2 = real(0.0)
    changed = real(0.0)
    alpha = d.line_alpha[w]
    for i in range(d.ncon[w]):
        c = bounded(w * m.nconmax + i)
        if turns(d, c):
            jv = d.con_jv[c]
            turn = d.turn_jv[c]
            f, g, kd, ko, kd2, ko2, p, q, zone = rolling_law(
                d.con_jar[c] + alpha * jv, d.turn_jar[c] + alpha * turn, d.con_dim[c], m.cone, d.con_d[c],
                d.con_mu1[c], d.con_mu2[c], d.turn_friction[c], m.impratio,
            )  # fmt: skip
            d.con_force[c] = f
            d.turn_force[c] = g
            d.con_kd[c] = kd
            d.con_ko[c] = ko
            d.turn_kd[c] = kd2
            d.turn_ko[c] = ko2
            d.turn_p[c] = p
            d.turn_q[c] = q
            if zone != d.con_zone[c] or zone == 64:
                changed = 1.0
                block_stiffened(m, d, w, c)
            d.con_zone[c] = zone
            d1 = d1 - f.dot(jv) - g.dot(turn)
            d2 = d2 + jv.dot(sym_mul(kd, ko, jv)) + turn.dot(sym_mul(kd2, ko2, turn)) + 2 * p.dot(jv) * q.dot(turn)
    d.line_d1[w] = d1
    d.line_d2[w] = d2
    d.line_changed[w] = changed


@outline("md", "w fresh", when="rolling")
@ti.func
def rolling_stiffness(m: ti.template(), d: ti.template(), w: ti.i32, fresh: ti.i32):
    """H gains what K's parts beside k add to J^T K J, where it does not stand (islands.py)."""
    for r in range(d.ncon[w]):
        c = bounded(w * m.nconmax + r)
        old = 0
        if ti.static(has.long):
            old = ti.cast(block_stands(m, d, w, c, fresh), ti.i32)
        if turns(d, c) and d.con_kd[c][0] > 0 and not old:
            first = c * m.nchain
            end = first + d.con_ndof[c]
            for j in range(first, end):
                # as for the first rows (solver.py)
                kj, kj2 = coupled(d, c, d.con_J[vector_at(j)], d.turn_J[vector_at(j)])
                row = w * m.nh + 4 * d.tree_row[w * m.nv + rank_of(m, d, w, d.chain_dof[j])]
                for i in range(j, end):
                    e = row + d.chain_place[i]
                    d.H[e] = d.H[e] + kj.dot(d.con_J[vector_at(i)]) + kj2.dot(d.turn_J[vector_at(i)])


@outline("md", "w", when="rolling")
@ti.func
def rolling_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_constraint gains the further rows' J^T f."""
    for i in range(d.ncon[w]):
        c = bounded(w * m.nconmax + i)
        if turns(d, c):
            add_turn_transpose(m, d, w, c, d.turn_force[c], d.qfrc_constraint)


@outline("md", "w", when="rolling")
@ti.func
def rolling_search(m: ti.template(), d: ti.template(), w: ti.i32):
    """The further rows' J search."""
    for i in range(d.ncon[w]):
        c = bounded(w * m.nconmax + i)
        if turns(d, c):
            d.turn_jv[c] = turn_mul(m, d, w, c, d.search)


@outline("md", "w", when="rolling")
@ti.func
def rolling_bar(m: ti.template(), d: ti.template(), w: ti.i32):
    """a_bar gains what K's parts beside k add to J^T (-K f_bar)."""
    for i in range(d.ncon[w]):
        c = bounded(w * m.nconmax + i)
        if turns(d, c):
            y = d.con_fbar[c]
            x = d.turn_fbar[c]
            if y.dot(y) + x.dot(x) > 0:
                y, x = coupled(d, c, y, x)
                add_transpose(m, d, w, c, -1.0 * y, d.a_bar)
                add_turn_transpose(m, d, w, c, -1.0 * x, d.a_bar)


@serves("rolling")
@ti.func
def rolling_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, h1: ti.i32, h2: ti.i32):
    """From turn_force and turn_ky to the motions of bodies h1 and h2; returns the adjoints of normal and tangents."""
    n_bar = vec3(0.0, 0.0, 0.0)
    t1_bar = vec3(0.0, 0.0, 0.0)
    t2_bar = vec3(0.0, 0.0, 0.0)
    for x in ti.static(range(3)):
        # as of the first rows (contact.py)
        e = ti.static((-1.0, 1.0, 1.0)[x]) * d.turn_force[c]
        if ti.static(x == 1):
            e = d.turn_ky[c]
        if ti.static(x == 2):
            e = d.con_bt[c] * d.turn_ky[c]
        ang, ang_bar = ti.static(((d.l_ang, g.l_ang), (d.u_ang, g.u_ang), (d.vel_ang, g.vel_ang))[x])
        omega = ang[h2] - ang[h1]
        n_bar = n_bar + e[0] * omega
        t1_bar = t1_bar + e[1] * omega
        t2_bar = t2_bar + e[2] * omega
        torque = out_of_frame(d, c, e)
        ang_bar[h1] = ang_bar[h1] - torque
        ang_bar[h2] = ang_bar[h2] + torque
    return n_bar, t1_bar, t2_bar
