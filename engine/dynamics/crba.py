"""CRBA: joint-space mass matrix by composite rigid bodies (Featherstone 2008, table 6.2), lower triangle of M."""

import taichi as ti

from engine.math.index import bounded
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3


@ti.func
def diagonal_at(m: ti.template(), w: ti.i32, j: ti.i32):
    """Where M and M + h D have the diagonal of row j; its ancestors stand before it, the nearest last."""
    return w * m.nm + 4 * m.tree_row[j] + m.tree_depth[j]


@ti.func
def mass_row(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, sa: vec3, sl: vec3, mass: real,
             h: vec3, idiag: vec3, ioff: vec3):  # fmt: skip
    """Row j of M, of the axis (sa, sl), from the composite that it moves: mass, mass times centre h, inertia."""
    fl = mass * sl + sa.cross(h)
    fa = sym_mul(idiag, ioff, sa) + h.cross(sl)
    e = diagonal_at(m, w, j)
    d.M[e] = sa.dot(fa) + sl.dot(fl) + m.dof_armature[j]
    i = m.tree_parent[j]
    while i >= 0:
        a = bounded(w * m.nv + i)
        e = e - 1
        d.M[e] = fa.dot(d.cdof_ang[a]) + fl.dot(d.cdof_lin[a])
        i = m.tree_parent[i]


@ti.func
def mass_mul(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template(), y: ti.template()):
    """y = M x of vectors over the dofs of all worlds, by the tree's sparsity."""
    nv = m.nv
    for j in range(nv):
        xj = x[w, j]
        k = diagonal_at(m, w, j)
        yj = d.M[k] * xj
        i = m.tree_parent[j]
        while i >= 0:
            k = k - 1
            e = d.M[k]
            yj = yj + e * x[w, i]
            y[w, i] = y[w, i] + e * xj
            i = m.tree_parent[i]
        y[w, j] = yj
