"""The elimination tree of the solver's Hessian: the kinematic tree, with the chains merged that a block couples."""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.block import SCATTERED
from engine.constraint.islands import find_roots
from engine.math.index import bounded


@ti.func
def elimination_tree(m: ti.template(), d: ti.template(), w: ti.i32):
    """etree of world w, and whether it differs from the kinematic tree."""
    nv = m.nv
    for i in range(nv):
        e = w * nv + i
        d.tree_parent[e] = m.tree_parent[i]
        d.tree_run[e] = m.tree_run[i]
        d.tree_depth[e] = m.tree_depth[i]
        d.tree_row[e] = m.tree_row[i]
    merged = 0
    if ti.static(has.block):
        for k in range(d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            last1 = d.con_last1[c]
            last2 = d.con_last2[c]
            n = 1
            if ti.static(has.tendon or has.discrete and has.arm):
                if last1 == SCATTERED:
                    n = d.con_ndof[c] - 1
            for q in range(n):
                if ti.static(has.tendon or has.discrete and has.arm):
                    if d.con_last1[c] == SCATTERED:
                        last1 = d.chain_dof[c * m.nchain]
                        last2 = d.chain_dof[c * m.nchain + 1 + q]
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
    find_roots(m, d, w)


@ti.func
def merge_chains(m: ti.template(), d: ti.template(), o: ti.i32, last1: ti.i32, last2: ti.i32):
    """One chain of the elimination tree from the ancestors of two dofs that a block couples; o: the world's first."""
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
