"""CRBA: joint-space mass matrix by composite rigid bodies (Featherstone 2008, table 6.2), lower triangle of M."""

import taichi as ti

from engine.math.index import bounded
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3
from engine.schema import (
    D_DEPTH,
    D_PARENT,
    D_ROW,
    NDI,
    NM,
    NSV_DOF,
    NV,
    S_ANG,
    S_LIN,
    T_ARMATURE,
)  # fmt: skip


@ti.func
def diagonal_at(m: ti.template(), w: ti.i32, j: ti.i32):
    """Where M and M + h D have the diagonal of row j; its ancestors stand before it, the nearest last."""
    return w * m.dims[NM] + 4 * m.dof_i[j * NDI + D_ROW] + m.dof_i[j * NDI + D_DEPTH]


@ti.func
def mass_row(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, sa: vec3, sl: vec3, mass: real,
             h: vec3, idiag: vec3, ioff: vec3):  # fmt: skip
    """Row j of M, of the axis (sa, sl), from the composite that it moves: mass, mass times centre h, inertia."""
    fl = mass * sl + sa.cross(h)
    fa = sym_mul(idiag, ioff, sa) + h.cross(sl)
    e = diagonal_at(m, w, j)
    d.M[e] = sa.dot(fa) + sl.dot(fl) + m.theta[m.dims[T_ARMATURE] + j]
    i = m.dof_i[j * NDI + D_PARENT]
    while i >= 0:
        a = bounded(w * m.dims[NV] + i) * NSV_DOF
        e = e - 1
        d.M[e] = fa.dot(d.dof[a + S_ANG]) + fl.dot(d.dof[a + S_LIN])
        i = m.dof_i[i * NDI + D_PARENT]


@ti.func
def mass_mul(m: ti.template(), d: ti.template(), w: ti.i32, src: ti.i32, dst: ti.i32):
    """dofr[dst] = M dofr[src] (positions of the first element), by the tree's sparsity."""
    nv = m.dims[NV]
    for j in range(nv):
        x = d.dofr[src + j]
        k = diagonal_at(m, w, j)
        y = d.M[k] * x
        i = m.dof_i[j * NDI + D_PARENT]
        while i >= 0:
            k = k - 1
            e = d.M[k]
            y = y + e * d.dofr[src + i]
            d.dofr[dst + i] = d.dofr[dst + i] + e * x
            i = m.dof_i[i * NDI + D_PARENT]
        d.dofr[dst + j] = y
