"""The elimination tree of the solver's Hessian: the kinematic tree, with the chains merged that a block couples."""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.islands import find_roots, rank_of
from engine.constraint.order import coupling, couplings, order_trees, rank_depth_first
from engine.math.index import bounded


@ti.func
def elimination_tree(m: ti.template(), d: ti.template(), w: ti.i32):
    """etree of world w, by ranks (order.py), and whether it differs from the kinematic tree."""
    nv = m.nv
    for i in range(nv):
        e = w * nv + i
        d.tree_parent[e] = m.tree_parent[i]
        d.tree_run[e] = m.tree_run[i]
        d.tree_depth[e] = m.tree_depth[i]
        d.tree_row[e] = m.tree_row[i]
    order_trees(m, d, w)
    merged = m.stray
    if ti.static(has.block):
        for k in range(d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            for q in range(couplings(m, d, c)):
                i, j = coupling(m, d, c, q)
                if i >= 0 and j >= 0:
                    merge_chains(m, d, w * nv, rank_of(m, d, w, i), rank_of(m, d, w, j))
                    merged = 1
    d.merged[w] = merged
    if merged:
        rank_depth_first(m, d, w)
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
    """One chain of the elimination tree from the ancestors of two ranks that a block couples; o: the world's first."""
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
