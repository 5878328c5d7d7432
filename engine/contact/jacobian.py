"""The elimination tree that contacts make of the kinematic tree, contacts' Jacobians along it, and products with them.

A contact is a block of up to three rows (normal, two tangents) whose columns are one 3-vector per dof of the chain from
its C_TOP down the elimination tree.
"""

import taichi as ti

from engine.dynamics.kinematics import origin
from engine.features import has
from engine.math.index import bounded, vector_at
from engine.math.types import vec3
from engine.schema import (
    B_LASTDOF,
    C_BODY1,
    C_BODY2,
    C_N,
    C_PAIR,
    C_POS,
    C_T1,
    C_T2,
    C_TOP,
    D_PARENT,
    D_RUN,
    J_DOFADR,
    NBI,
    NCI,
    NCONMAX,
    NCV,
    NDI,
    NJI,
    NSV_DOF,
    NV,
    NWI,
    S_ANG,
    S_LIN,
    W_NCON,
)  # fmt: skip


@ti.func
def elimination_tree(m: ti.template(), d: ti.template(), w: ti.i32):
    """eparent and erun: the kinematic tree, with the chains merged that a contact couples."""
    nv = m.dims[NV]
    for i in range(nv):
        d.eparent[w * nv + i] = m.dof_i[i * NDI + D_PARENT]
        d.erun[w * nv + i] = m.dof_i[i * NDI + D_RUN]
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
    if merged:
        for k in range(nv):
            d.erun[w * nv + k] = k
            if k > 0 and d.eparent[w * nv + k] == k - 1:
                d.erun[w * nv + k] = d.erun[w * nv + k - 1]


@ti.func
def merge_chains(m: ti.template(), d: ti.template(), o: ti.i32, last1: ti.i32, last2: ti.i32):
    """One chain of the elimination tree at eparent[o:] from the ancestors of two dofs that a contact couples."""
    a = ti.max(last1, last2)
    b = ti.min(last1, last2)
    while a >= 0 and a != b:
        p = d.eparent[o + a]
        if p < b:
            d.eparent[o + a] = b
            a = b
            b = p
        else:
            a = ti.max(p, b)
            b = ti.min(p, b)


@ti.func
def jacobian(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """Columns of contact c along its chain in the elimination tree."""
    nv = m.dims[NV]
    oe = w * nv
    pos = d.con_v[c * NCV + C_POS]
    n = d.con_v[c * NCV + C_N]
    t1 = d.con_v[c * NCV + C_T1]
    t2 = d.con_v[c * NCV + C_T2]
    pair = d.con_i[c * NCI + C_PAIR]
    if pair < 0:
        if ti.static(has.ball_limit):
            dof = m.jnt_i[(-1 - pair) * NJI + J_DOFADR]
            d.con_i[c * NCI + C_TOP] = dof + 2
            k = dof + 2
            while k >= 0:
                d.con_J[vector_at(c * nv + k)] = vec3(0.0, 0.0, 0.0)
                if k >= dof:
                    d.con_J[vector_at(c * nv + k)][0] = n[k - dof]
                k = d.eparent[oe + k]
    else:
        b1 = d.con_i[c * NCI + C_BODY1]
        b2 = d.con_i[c * NCI + C_BODY2]
        i1 = m.body_i[b1 * NBI + B_LASTDOF]
        i2 = m.body_i[b2 * NBI + B_LASTDOF]
        r1 = pos - origin(m, d, w, b1)
        r2 = pos - origin(m, d, w, b2)
        k = ti.max(i1, i2)
        d.con_i[c * NCI + C_TOP] = k
        while k >= 0:
            s = (oe + k) * NSV_DOF
            ang = d.dof[s + S_ANG]
            lin = d.dof[s + S_LIN]
            u = vec3(0.0, 0.0, 0.0)
            if k == i2:
                u = lin + ang.cross(r2)
                i2 = m.dof_i[k * NDI + D_PARENT]
                if k == i1:
                    u = vec3(0.0, 0.0, 0.0)
                    i1 = i2
            elif k == i1:
                u = -1.0 * (lin + ang.cross(r1))
                i1 = m.dof_i[k * NDI + D_PARENT]
            d.con_J[vector_at(c * nv + k)] = vec3(n.dot(u), t1.dot(u), t2.dot(u))
            k = d.eparent[oe + k]


@ti.func
def chain_mul(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, x: ti.template(), xo: ti.i32):
    """J x of contact c."""
    nv = m.dims[NV]
    y = vec3(0.0, 0.0, 0.0)
    k = d.con_i[c * NCI + C_TOP]
    while k >= 0:
        y = y + x[xo + k] * d.con_J[vector_at(c * nv + k)]
        k = d.eparent[w * nv + k]
    return y


@ti.func
def add_transpose(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, f: vec3, xo: ti.i32):
    """dofr[xo:] += J^T f of contact c."""
    nv = m.dims[NV]
    k = d.con_i[c * NCI + C_TOP]
    while k >= 0:
        d.dofr[xo + k] = d.dofr[xo + k] + d.con_J[vector_at(c * nv + k)].dot(f)
        k = d.eparent[w * nv + k]
