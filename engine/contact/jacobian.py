"""The elimination tree that contacts make of the kinematic tree, contacts' Jacobians along it, and products with them.

A contact is a block of up to three rows (normal, two tangents) whose columns are one 3-vector per dof that moves its
two bodies against each other.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import origin
from engine.math.index import bounded, vector_at
from engine.math.types import vec3


@ti.func
def elimination_tree(m: ti.template(), d: ti.template(), w: ti.i32):
    """etree: the kinematic tree, with the chains merged that a contact couples."""
    nv = m.nv
    for i in range(nv):
        e = w * nv + i
        d.tree_parent[e] = m.tree_parent[i]
        d.tree_run[e] = m.tree_run[i]
        d.tree_depth[e] = m.tree_depth[i]
        d.tree_row[e] = m.tree_row[i]
    merged = 0
    if ti.static(has.contact):
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            if d.con_pair[c] >= 0:
                last1 = m.body_lastdof[d.con_body1[c]]
                last2 = m.body_lastdof[d.con_body2[c]]
                if last1 >= 0 and last2 >= 0:
                    merge_chains(m, d, w * nv, last1, last2)
                    merged = 1
    d.merged[w] = merged
    if merged:
        row = 0
        for k in range(nv):
            e = w * nv + k
            p = d.tree_parent[e]
            run = k
            depth = 0
            if p >= 0:
                above = w * nv + p
                depth = d.tree_depth[above] + 1
                if p == k - 1:
                    run = d.tree_run[above]
            d.tree_run[e] = run
            d.tree_depth[e] = depth
            d.tree_row[e] = row
            row = row + (depth >> 2) + 1


@ti.func
def merge_chains(m: ti.template(), d: ti.template(), o: ti.i32, last1: ti.i32, last2: ti.i32):
    """One chain of the elimination tree from the ancestors of two dofs that a contact couples; o: the world's first."""
    a = ti.max(last1, last2)
    b = ti.min(last1, last2)
    while a >= 0 and a != b:
        p = d.tree_parent[o + a]
        if p < b:
            d.tree_parent[o + a] = b
            a = b
            b = p
        else:
            a = ti.max(p, b)
            b = ti.min(p, b)


@ti.func
def jacobian(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """The dofs that move the bodies of contact c against each other, from the deepest on, and their columns."""
    n = d.con_normal[c]
    pair = d.con_pair[c]
    at = c * m.nchain
    q = 0
    if pair < 0:
        if ti.static(has.ball_limit):
            dof = m.jnt_dofadr[-1 - pair]
            for x in ti.static(range(3)):
                d.chain_dof[at + x] = dof + 2 - x
                d.chain_place[at + x] = d.tree_depth[w * m.nv + dof + 2 - x]
                d.con_J[vector_at(at + x)] = vec3(n[2 - x], 0.0, 0.0)
            q = 3
    else:
        pos = d.con_pos[c]
        t1 = d.con_tangent1[c]
        t2 = d.con_tangent2[c]
        b1 = d.con_body1[c]
        b2 = d.con_body2[c]
        i1 = m.body_lastdof[b1]
        i2 = m.body_lastdof[b2]
        r1 = pos - origin(m, d, w, b1)
        r2 = pos - origin(m, d, w, b2)
        # up to the first dof that moves both
        while i1 != i2:
            k = ti.max(i1, i2)
            s = w * m.nv + k
            ang = d.cdof_ang[s]
            u = d.cdof_lin[s]
            if k == i2:
                u = u + ang.cross(r2)
                i2 = m.tree_parent[k]
            else:
                u = -1.0 * (u + ang.cross(r1))
                i1 = m.tree_parent[k]
            d.chain_dof[at + q] = k
            d.chain_place[at + q] = d.tree_depth[w * m.nv + k]
            d.con_J[vector_at(at + q)] = vec3(n.dot(u), t1.dot(u), t2.dot(u))
            q = q + 1
    d.con_ndof[c] = q


@ti.func
def chain_mul(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, x: ti.template()):
    """J x of contact c; x: a vector over the dofs of all worlds."""
    y = vec3(0.0, 0.0, 0.0)
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        y = y + x[w, d.chain_dof[q]] * d.con_J[vector_at(q)]
    return y


@ti.func
def add_transpose(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, f: vec3, x: ti.template()):
    """x += J^T f of contact c."""
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        k = d.chain_dof[q]
        x[w, k] = x[w, k] + d.con_J[vector_at(q)].dot(f)
