"""The order in which dofs are eliminated from the solver's Hessian, where trees of bodies touch each other.

Eliminating a tree couples all that is coupled with it, so what is coupled with the fewest dofs, by then, goes first
(minimum degree: George and Liu, SIAM Review 31(1), 1989). In a heap of balls the factors then have half the entries
and take a third of the operations of those in the order of the file.

A dof's *rank* is its place in that order from behind: the last rank is eliminated first. The columns of the elimination
tree, and the rows of H with them, go by ranks. When the elimination tree is known, ranks are given anew by it, in which
nothing changes but the numbers: depth first, so that all that is eliminated into a dof comes right behind it. Where
nothing couples chains, ranks are numbers of dofs.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import SCATTERED
from engine.constraint.islands import rank_of
from engine.math.index import bounded, vector_at


@ti.func
def couplings(m: ti.template(), d: ti.template(), c: ti.i32):
    """How many pairs of dofs block c couples, of which `coupling` has each."""
    n = 1
    if ti.static(has.tendon or has.discrete and has.arm):
        if d.con_last1[c] == SCATTERED:
            n = d.con_ndof[c] - 1
    return n


@ti.func
def coupling(m: ti.template(), d: ti.template(), c: ti.i32, q: ti.i32):
    """The deepest dofs of pair q that block c couples; one is -1 where nothing moves it."""
    i = d.con_last1[c]
    j = d.con_last2[c]
    if ti.static(has.tendon or has.discrete and has.arm):
        if i == SCATTERED:
            i = d.chain_dof[c * m.nchain]
            j = d.chain_dof[c * m.nchain + 1 + q]
    return i, j


@outline("md", "w", when="long")
@ti.func
def order_trees(m: ti.template(), d: ti.template(), w: ti.i32):
    """Ranks of all dofs, by which those that blocks couple can be merged to an elimination tree; it begins as the
    kinematic tree."""
    linked = 0
    for k in range(m.nv):
        d.tree_rank[w * m.nv + k] = k
        d.tree_dof[w * m.nv + k] = k
    if m.ntree > 0:
        for r in range(d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            for q in range(couplings(m, d, c)):
                i, j = coupling(m, d, c, q)
                if i >= 0 and j >= 0:
                    if m.dof_treeid[i] != m.dof_treeid[j]:
                        if not linked:
                            linked = 1
                            clear_links(m, d, w)
                        link(m, d, w, m.dof_treeid[i], m.dof_treeid[j])
        if linked:
            eliminate(m, d, w)
            for k in range(m.nv):
                p = m.tree_parent[k]
                if p >= 0:
                    p = rank_of(m, d, w, p)
                d.tree_parent[w * m.nv + rank_of(m, d, w, k)] = p
    if ti.static(has.tendon or has.discrete and has.arm):
        sort_columns(m, d, w, 1)


@ti.func
def clear_links(m: ti.template(), d: ti.template(), w: ti.i32):
    """Each tree by itself, with its first dof and their number."""
    n = m.ntree
    for t in range(n):
        d.order_degree[w * n + t] = 0
        d.order_size[w * n + t] = 0
    for i in range(n * n):
        d.order_link[w * n * n + i] = 0
    for k in range(m.nv):
        e = w * n + m.dof_treeid[k]
        if d.order_size[e] == 0:
            d.order_first[e] = k
        d.order_size[e] = d.order_size[e] + 1


@ti.func
def link(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, u: ti.i32):
    """Trees t and u are coupled; a tree's degree is the number of dofs that are coupled with it."""
    n = m.ntree
    o = w * n
    if d.order_link[(o + t) * n + u] == 0:
        d.order_link[(o + t) * n + u] = 1
        d.order_link[(o + u) * n + t] = 1
        d.order_degree[o + t] = d.order_degree[o + t] + d.order_size[o + u]
        d.order_degree[o + u] = d.order_degree[o + u] + d.order_size[o + t]


@ti.func
def eliminate(m: ti.template(), d: ti.template(), w: ti.i32):
    """Ranks in the order of elimination: the trees that are coupled with the tree at hand are so with each other from
    then on. order_left: the trees that are left, of equals the last one first."""
    n = m.ntree
    o = w * n
    for t in range(n):
        d.order_left[o + t] = t
    at = m.nv
    for gone in range(n):
        left = n - gone
        least = m.nv
        where = 0
        for a in range(left):
            degree = d.order_degree[o + d.order_left[o + a]]
            if degree <= least:
                where = a
                least = degree
        t = d.order_left[o + where]
        number = 0
        for a in range(left - 1):
            u = d.order_left[o + a + ti.cast(a >= where, ti.i32)]
            d.order_left[o + a] = u
            if least > 0:
                if d.order_link[(o + t) * n + u]:
                    d.order_list[o + number] = u
                    number = number + 1
        size = d.order_size[o + t]
        at = at - size
        for i in range(size):
            k = d.order_first[o + t] + i
            d.tree_rank[w * m.nv + k] = at + i
            d.tree_dof[w * m.nv + at + i] = k
        for a in range(number):
            u = d.order_list[o + a]
            d.order_degree[o + u] = d.order_degree[o + u] - size
            for b in range(a):
                link(m, d, w, u, d.order_list[o + b])


@outline("md", "w", when="long")
@ti.func
def rank_depth_first(m: ti.template(), d: ti.template(), w: ti.i32):
    """Ranks by the elimination tree. tree_depth, tree_row, tree_block and tree_stale are made afterwards: so far they
    hold how many lead to a rank, the next rank below it, the new ranks, and what is by those."""
    o = w * m.nv
    for r in range(m.nv):
        d.tree_depth[o + r] = 1
    for back in range(m.nv):
        r = m.nv - 1 - back
        p = d.tree_parent[o + r]
        if p >= 0:
            d.tree_depth[o + p] = d.tree_depth[o + p] + d.tree_depth[o + r]
    free = 0
    for r in range(m.nv):
        p = d.tree_parent[o + r]
        at = free
        if p >= 0:
            at = d.tree_row[o + p]
            d.tree_row[o + p] = at + d.tree_depth[o + r]
        else:
            free = at + d.tree_depth[o + r]
        d.tree_block[o + r] = at
        d.tree_row[o + r] = at + 1
    for r in range(m.nv):
        p = d.tree_parent[o + r]
        if p >= 0:
            p = d.tree_block[o + p]
        d.tree_stale[o + d.tree_block[o + r]] = p
    for r in range(m.nv):
        d.tree_parent[o + r] = d.tree_stale[o + r]
    for r in range(m.nv):
        d.tree_stale[o + d.tree_block[o + r]] = d.tree_dof[o + r]
    for r in range(m.nv):
        k = d.tree_stale[o + r]
        d.tree_dof[o + r] = k
        d.tree_rank[o + k] = r


@outline("md", "w early", when="long")
@ti.func
def sort_columns(m: ti.template(), d: ti.template(), w: ti.i32, early: ti.i32):
    """The columns of blocks from the last rank on, and where they stand in a row of H; sources write them from the last
    dof on. early: of those that are there before the elimination tree is known."""
    number = d.nblock[w]
    if not early and not d.merged[w]:  # they are sorted
        number = 0
    for r in range(number):
        c = bounded(w * m.nconmax + r)
        at = c * m.nchain
        n = d.con_ndof[c]
        if early and d.con_last1[c] != SCATTERED:
            n = 0
        for q in range(at + 1, at + n):
            k = d.chain_dof[q]
            x = d.con_J[vector_at(q)]
            p = q
            while p > at:
                before = d.chain_dof[p - 1]
                if rank_of(m, d, w, before) > rank_of(m, d, w, k):
                    break
                d.chain_dof[p] = before
                d.con_J[vector_at(p)] = d.con_J[vector_at(p - 1)]
                p = p - 1
            if p < q:
                d.chain_dof[p] = k
                d.con_J[vector_at(p)] = x
        for q in range(at, at + n):
            d.chain_place[q] = d.tree_depth[w * m.nv + rank_of(m, d, w, d.chain_dof[q])]
