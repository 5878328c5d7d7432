"""The elimination tree that contacts make of the kinematic tree, contacts' Jacobians along it, and products with them.

A contact is a block of up to three rows (normal, two tangents) whose columns are one 3-vector per dof that moves its
two bodies against each other.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import origin
from engine.math.index import bounded, vector_at
from engine.math.types import vec3
from engine.schema import (
    B_LASTDOF,
    C_BODY1,
    C_BODY2,
    C_N,
    C_NDOF,
    C_PAIR,
    C_POS,
    C_T1,
    C_T2,
    D_PARENT,
    E_DEPTH,
    E_PARENT,
    E_ROW,
    E_RUN,
    J_DOFADR,
    NBI,
    NCHAIN,
    NCI,
    NCONMAX,
    NCV,
    NDI,
    NEI,
    NJI,
    NQI,
    NSV_DOF,
    NV,
    NWI,
    Q_DOF,
    Q_PLACE,
    S_ANG,
    S_LIN,
    W_MERGED,
    W_NCON,
)  # fmt: skip


@ti.func
def elimination_tree(m: ti.template(), d: ti.template(), w: ti.i32):
    """etree: the kinematic tree, with the chains merged that a contact couples."""
    nv = m.dims[NV]
    for i in range(nv):
        for x in ti.static(range(NEI)):
            d.etree[(w * nv + i) * NEI + x] = m.dof_i[i * NDI + x]
    merged = 0
    if ti.static(has.contact):
        for k in range(d.world_i[w * NWI + W_NCON]):
            c = bounded(w * m.dims[NCONMAX] + k)
            if d.con_i[c * NCI + C_PAIR] >= 0:
                last1 = m.body_i[d.con_i[c * NCI + C_BODY1] * NBI + B_LASTDOF]
                last2 = m.body_i[d.con_i[c * NCI + C_BODY2] * NBI + B_LASTDOF]
                if last1 >= 0 and last2 >= 0:
                    merge_chains(m, d, w * nv, last1, last2)
                    merged = 1
    d.world_i[w * NWI + W_MERGED] = merged
    if merged:
        row = 0
        for k in range(nv):
            e = (w * nv + k) * NEI
            p = d.etree[e + E_PARENT]
            run = k
            depth = 0
            if p >= 0:
                above = (w * nv + p) * NEI
                depth = d.etree[above + E_DEPTH] + 1
                if p == k - 1:
                    run = d.etree[above + E_RUN]
            d.etree[e + E_RUN] = run
            d.etree[e + E_DEPTH] = depth
            d.etree[e + E_ROW] = row
            row = row + (depth >> 2) + 1


@ti.func
def merge_chains(m: ti.template(), d: ti.template(), o: ti.i32, last1: ti.i32, last2: ti.i32):
    """One chain of the elimination tree from the ancestors of two dofs that a contact couples; o: the world's first."""
    a = ti.max(last1, last2)
    b = ti.min(last1, last2)
    while a >= 0 and a != b:
        e = (o + a) * NEI + E_PARENT
        p = d.etree[e]
        if p < b:
            d.etree[e] = b
            a = b
            b = p
        else:
            a = ti.max(p, b)
            b = ti.min(p, b)


@ti.func
def jacobian(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """The dofs that move the bodies of contact c against each other, from the deepest on, and their columns."""
    n = d.con_v[c * NCV + C_N]
    pair = d.con_i[c * NCI + C_PAIR]
    at = c * m.dims[NCHAIN]
    q = 0
    if pair < 0:
        if ti.static(has.ball_limit):
            dof = m.jnt_i[(-1 - pair) * NJI + J_DOFADR]
            for x in ti.static(range(3)):
                d.con_dof[(at + x) * NQI + Q_DOF] = dof + 2 - x
                d.con_dof[(at + x) * NQI + Q_PLACE] = d.etree[(w * m.dims[NV] + dof + 2 - x) * NEI + E_DEPTH]
                d.con_J[vector_at(at + x)] = vec3(n[2 - x], 0.0, 0.0)
            q = 3
    else:
        pos = d.con_v[c * NCV + C_POS]
        t1 = d.con_v[c * NCV + C_T1]
        t2 = d.con_v[c * NCV + C_T2]
        b1 = d.con_i[c * NCI + C_BODY1]
        b2 = d.con_i[c * NCI + C_BODY2]
        i1 = m.body_i[b1 * NBI + B_LASTDOF]
        i2 = m.body_i[b2 * NBI + B_LASTDOF]
        r1 = pos - origin(m, d, w, b1)
        r2 = pos - origin(m, d, w, b2)
        # up to the first dof that moves both
        while i1 != i2:
            k = ti.max(i1, i2)
            s = (w * m.dims[NV] + k) * NSV_DOF
            ang = d.dof[s + S_ANG]
            u = d.dof[s + S_LIN]
            if k == i2:
                u = u + ang.cross(r2)
                i2 = m.dof_i[k * NDI + D_PARENT]
            else:
                u = -1.0 * (u + ang.cross(r1))
                i1 = m.dof_i[k * NDI + D_PARENT]
            d.con_dof[(at + q) * NQI + Q_DOF] = k
            d.con_dof[(at + q) * NQI + Q_PLACE] = d.etree[(w * m.dims[NV] + k) * NEI + E_DEPTH]
            d.con_J[vector_at(at + q)] = vec3(n.dot(u), t1.dot(u), t2.dot(u))
            q = q + 1
    d.con_i[c * NCI + C_NDOF] = q


@ti.func
def chain_mul(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, x: ti.template(), xo: ti.i32):
    """J x of contact c."""
    y = vec3(0.0, 0.0, 0.0)
    at = c * m.dims[NCHAIN]
    for q in range(at, at + d.con_i[c * NCI + C_NDOF]):
        y = y + x[xo + d.con_dof[q * NQI + Q_DOF]] * d.con_J[vector_at(q)]
    return y


@ti.func
def add_transpose(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, f: vec3, xo: ti.i32):
    """dofr[xo:] += J^T f of contact c."""
    at = c * m.dims[NCHAIN]
    for q in range(at, at + d.con_i[c * NCI + C_NDOF]):
        k = xo + d.con_dof[q * NQI + Q_DOF]
        d.dofr[k] = d.dofr[k] + d.con_J[vector_at(q)].dot(f)
