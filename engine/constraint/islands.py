"""Where the solver's Hessian has to be factored anew, and how rows are eliminated of which most entries are zero.

Dofs whose elimination tree has one root are an *island*: no block couples them with others, so H has nothing between
two islands. Between two iterations H of an island stays as it is, factors included, unless a row or a block of it has
come to another zone: most of a scene's islands keep theirs after the first iteration. What is factored anew becomes the
same to the bit.

A row of H has room for all its ancestors in the elimination tree. Among many bodies that touch in turn most of them
share nothing with it, so those with a zero are passed over, and of the others only those blocks of four are taken where
the rows that are eliminated are not zero: their numbers stand in tree_block.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.dynamics.factor import FOUR, block_at, scale_row, subtract_row


@serves("long")
@ti.func
def find_roots(m: ti.template(), d: ti.template(), w: ti.i32):
    """The root of each dof, on the elimination tree."""
    for k in range(m.nv):
        e = w * m.nv + k
        p = d.tree_parent[e]
        root = k
        if p >= 0:
            root = d.tree_root[w * m.nv + p]
        d.tree_root[e] = root
        d.tree_stale[e] = 0


@serves("long")
@ti.func
def stiffened(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """What constrains dof k is stiffer or softer than it was."""
    d.tree_stale[w * m.nv + d.tree_root[w * m.nv + k]] = 1


@serves("long")
@ti.func
def block_stiffened(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """The same of block c."""
    if d.con_ndof[c] > 0:
        stiffened(m, d, w, d.chain_dof[c * m.nchain])


@serves("long")
@ti.func
def stands(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32, fresh: ti.i32):
    """Whether the factored H of dof k's island is that of now; never with `fresh`."""
    return not fresh and d.tree_stale[w * m.nv + d.tree_root[w * m.nv + k]] == 0


@serves("long")
@ti.func
def block_stands(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, fresh: ti.i32):
    """Whether block c has no part in what is factored anew."""
    r = d.con_ndof[c] == 0
    if not r:
        r = stands(m, d, w, d.chain_dof[c * m.nchain], fresh)
    return r


@outline("md", "w fresh", when="long")
@ti.func
def factor_islands(m: ti.template(), d: ti.template(), w: ti.i32, fresh: ti.i32):
    """`factor` of H, of the islands that do not stand. A stage, without which that of the solver is too large."""
    nv = m.nv
    o = w * nv
    o4 = (w * m.nh) >> 2
    stop = -1  # as in `factor`
    for kk in range(nv):
        k = nv - 1 - kk
        if not stands(m, d, w, k, fresh):
            e = o + k
            row = o4 + d.tree_row[e]
            p = d.tree_depth[e]
            if k <= stop or stop < 0:
                stop = -1
                if p >= FOUR and k - d.tree_run[e] >= 3:
                    stop = k - 4
            diagonal = 4 * row + p
            blocks = (p >> 2) + 1
            inv = 1.0 / d.H[diagonal]
            i = d.tree_parent[e]
            while i > stop:
                p = p - 1
                a = d.H[4 * row + p]
                if a != 0:
                    subtract_row(m, d.H, o4 + d.tree_row[o + i], a * inv, row, (p >> 2) + 1)
                i = d.tree_parent[o + i]
            scale_row(m, d.H, row, inv, blocks)
            d.H[diagonal] = inv
            if stop >= 0 and k == stop + 1:
                subtract_four_blocks(m, d, w, k)
    for k in range(nv):
        d.tree_stale[o + k] = 0


@ti.func
def subtract_four_blocks(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """The ancestors of k lose the shares of rows k to k + 3, as in factor.py, where these are not zero."""
    o = w * m.nv
    o4 = (w * m.nh) >> 2
    x = ti.Vector([o4 + d.tree_row[o + k + s] for s in range(4)])
    p = d.tree_depth[o + k]
    D = ti.Vector([1.0 / d.H[4 * x[s] + p + s] for s in range(4)])
    number = 0
    for q in range((p + 3) >> 2):
        empty = 1
        for s in ti.static(range(4)):
            j = block_at(x[s] + q)
            for c in ti.static(range(4)):
                if d.H[j + c] != 0:
                    empty = 0
        if not empty:
            d.tree_block[o + number] = q
            number = number + 1
    i = d.tree_parent[o + k]
    while i >= 0 and number > 0:
        p = p - 1
        while number > 0:
            if d.tree_block[o + number - 1] <= p >> 2:
                break
            number = number - 1
        a = ti.Vector([d.H[4 * x[s] + p] * D[s] for s in range(4)])
        if a[0] != 0 or a[1] != 0 or a[2] != 0 or a[3] != 0:
            y = o4 + d.tree_row[o + i]
            for n in range(number):
                q = d.tree_block[o + n]
                j = block_at(y + q)
                b = ti.Vector([d.H[j + c] for c in range(4)])
                for s in ti.static(range(4)):
                    i4 = block_at(x[s] + q)
                    for c in ti.static(range(4)):
                        b[c] = b[c] - a[s] * d.H[i4 + c]
                for c in ti.static(range(4)):
                    d.H[j + c] = b[c]
        i = d.tree_parent[o + i]
