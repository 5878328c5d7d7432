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
from engine.math.types import real


@serves("long", otherwise=3)
@ti.func
def rank_of(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """The number of dof k in the order of elimination (order.py), by which the elimination tree and H go."""
    return d.tree_rank[w * m.nv + k]


@serves("long", otherwise=3)
@ti.func
def dof_at(m: ti.template(), d: ti.template(), w: ti.i32, r: ti.i32):
    """The dof of rank r."""
    return d.tree_dof[w * m.nv + r]


@serves("long")
@ti.func
def find_roots(m: ti.template(), d: ti.template(), w: ti.i32):
    """The root of each rank, on the elimination tree."""
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
    d.tree_stale[w * m.nv + d.tree_root[w * m.nv + rank_of(m, d, w, k)]] = 1


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
    return not fresh and d.tree_stale[w * m.nv + d.tree_root[w * m.nv + rank_of(m, d, w, k)]] == 0


@serves("long")
@ti.func
def block_stands(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, fresh: ti.i32):
    """Whether block c has no part in what is factored anew."""
    r = d.con_ndof[c] == 0
    if not r:
        r = stands(m, d, w, d.chain_dof[c * m.nchain], fresh)
    return r


@ti.func
def find_path(m: ti.template(), d: ti.template(), w: ti.i32, r: ti.i32):
    """tree_path: the ancestors of rank r by their depths. Those that it has in common with the rank before stand there;
    of the others -1, or what led to another rank."""
    o = w * m.nv
    p = d.tree_depth[o + r] - 1
    i = d.tree_parent[o + r]
    while p >= 0:
        if d.tree_path[o + p] == i:
            break
        d.tree_path[o + p] = i
        i = d.tree_parent[o + i]
        p = p - 1


@ti.func
def is_empty(m: ti.template(), d: ti.template(), x: ti.i32):
    """Whether block x of H is zero."""
    j = block_at(x)
    return d.H[j] == 0 and d.H[j + 1] == 0 and d.H[j + 2] == 0 and d.H[j + 3] == 0


@outline("md", "w fresh", when="long")
@ti.func
def factor_islands(m: ti.template(), d: ti.template(), w: ti.i32, fresh: ti.i32):
    """`factor` of H, of the islands that do not stand. A stage, without which that of the solver is too large."""
    nv = m.nv
    o = w * nv
    o4 = (w * m.nh) >> 2
    stop = -1  # up to which ancestor a row takes its share of the others; four rows together, or fewer, the rest
    number = 1
    for p in range(nv):
        d.tree_path[o + p] = -1
    for kk in range(nv):
        k = nv - 1 - kk
        e = o + k
        if fresh or d.tree_stale[o + d.tree_root[e]] != 0:
            row = o4 + d.tree_row[e]
            depth = d.tree_depth[e]
            find_path(m, d, w, k)
            if k <= stop or stop < 0:
                stop = -1
                number = ti.min(k - d.tree_run[e] + 1, 4)
                if depth >= FOUR and number > 1:
                    stop = k - number
            diagonal = 4 * row + depth
            inv = 1.0 / d.H[diagonal]
            p = depth - 1
            while p >= 0:
                i = d.tree_path[o + p]
                if i <= stop:
                    break
                a = d.H[4 * row + p]
                if a != 0:
                    subtract_row(m, d.H, o4 + d.tree_row[o + i], a * inv, row, (p >> 2) + 1)
                    p = p - 1
                elif (p & 3) == 3 and is_empty(m, d, row + (p >> 2)):
                    p = p - 4
                else:
                    p = p - 1
            scale_row(m, d.H, row, inv, (depth >> 2) + 1)
            d.H[diagonal] = inv
            if stop >= 0 and k == stop + 1:
                subtract_four_blocks(m, d, w, k, number)
    for k in range(nv):
        d.tree_stale[o + k] = 0


@ti.func
def subtract_four_blocks(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32, rows: ti.i32):
    """The ancestors of k lose the shares of two to four rows from k on, as in factor.py, where these are not zero. They
    stand in tree_path."""
    o = w * m.nv
    o4 = (w * m.nh) >> 2
    x = ti.Vector([o4 + d.tree_row[o + k + ti.min(s, rows - 1)] for s in range(4)])
    depth = d.tree_depth[o + k]
    # without a row there is no share of it
    D = ti.Vector([ti.cast(s < rows, real) / d.H[4 * x[s] + depth + ti.min(s, rows - 1)] for s in range(4)])
    number = 0
    for q in range((depth + 3) >> 2):
        empty = 1
        for s in ti.static(range(4)):
            j = block_at(x[s] + q)
            for c in ti.static(range(4)):
                if d.H[j + c] != 0:
                    empty = 0
        if not empty:
            d.tree_block[o + number] = q
            number = number + 1
    while number > 0:
        last = d.tree_block[o + number - 1]
        for back in range(4):
            p = 4 * last + 3 - back
            if p < depth:
                a = ti.Vector([d.H[4 * x[s] + p] * D[s] for s in range(4)])
                if a[0] != 0 or a[1] != 0 or a[2] != 0 or a[3] != 0:
                    y = o4 + d.tree_row[o + d.tree_path[o + p]]
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
        number = number - 1


@ti.func
def solve_ranked(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template()):
    """x, a vector over dofs, becomes H^-1 x. Ranks go depth first, so what the dofs on the path to a rank have got or
    are lies in `along` by their depths, where a row of H has it, and is changed from the depth on that the next rank
    has; no row asks where its ancestors are."""
    nv = m.nv
    o = w * nv
    o4 = (w * m.nh) >> 2
    y4 = (w * m.ld) >> 2
    above = 0
    for kk in range(nv):
        e = o + nv - 1 - kk
        row = o4 + d.tree_row[e]
        depth = d.tree_depth[e]
        for p in range(above, depth + 1):
            d.along[4 * y4 + p] = 0.0
        k = d.tree_dof[e]
        xk = x[w, k] - d.along[4 * y4 + depth]
        x[w, k] = xk
        for q in range((depth + 3) >> 2):
            i = block_at(row + q)
            j = block_at(y4 + q)
            b = ti.Vector([d.along[j + c] + xk * d.H[i + c] for c in range(4)])
            for c in ti.static(range(4)):
                d.along[j + c] = b[c]
        above = depth
    for r in range(nv):
        e = o + r
        row = o4 + d.tree_row[e]
        depth = d.tree_depth[e]
        k = d.tree_dof[e]
        s = ti.Vector([real(0.0), 0.0, 0.0, 0.0])
        for q in range(depth >> 2):
            i = block_at(row + q)
            j = block_at(y4 + q)
            for c in ti.static(range(4)):
                s[c] = s[c] + d.H[i + c] * d.along[j + c]
        xk = x[w, k] * d.H[4 * row + depth] - (s[0] + s[1] + s[2] + s[3])
        for c in ti.static(range(3)):
            p = (depth >> 2 << 2) + c
            if p < depth:
                xk = xk - d.H[4 * row + p] * d.along[4 * y4 + p]
        x[w, k] = xk
        d.along[4 * y4 + depth] = xk
