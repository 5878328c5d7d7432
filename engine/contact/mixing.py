"""Contact parameters of a candidate pair, mixed where they are asked for: those of its geoms by MuJoCo's rules, or its
own where it has some (`pair_own`).

The geom of higher priority decides. Of two that are equal, solref and solimp are weighed by solmix, or where one has
the direct format of solref the lesser numbers count; of dimensions and of each friction the greater counts. Margins and
gaps add up whatever the priority.

A maximum has a kink where both are equal, as two geoms of MuJoCo's default friction are. Each then has half of the
adjoint: what a central difference of one of them gives, and together what both change when they move together.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.types import MINVAL, real, vec3
from engine.model.pairs import MIN_FRICTION


@ti.func
def margin_of(m: ti.template(), p: ti.i32):
    """Distance below which contacts of pair p are felt."""
    margin = m.geom_margin[m.pair_geom1[p]] + m.geom_margin[m.pair_geom2[p]]
    if ti.static(has.own_pair):
        if m.pair_own[p] >= 0:
            margin = m.pair_margin[m.pair_own[p]]
    return margin


@ti.func
def found_within(m: ti.template(), p: ti.i32):
    """Distance up to which contacts of pair p are found: margin and gap."""
    gap = m.geom_gap[m.pair_geom1[p]] + m.geom_gap[m.pair_geom2[p]]
    if ti.static(has.own_pair):
        if m.pair_own[p] >= 0:
            gap = m.pair_gap[m.pair_own[p]]
    return margin_of(m, p) + gap


@ti.func
def first_weighs(m: ti.template(), g1: ti.i32, g2: ti.i32, x1: real, x2: real):
    """Weight of geom 1 where the greater of x1 and x2 counts, unless a priority decides."""
    rank1 = m.geom_priority[g1]
    rank2 = m.geom_priority[g2]
    weight = real(0.5)
    if rank1 > rank2 or (rank1 == rank2 and x1 > x2):
        weight = 1.0
    if rank2 > rank1 or (rank1 == rank2 and x2 > x1):
        weight = 0.0
    return weight


@ti.func
def mixed_friction(m: ti.template(), g1: ti.i32, g2: ti.i32, k: ti.i32):
    """Friction of sliding, spinning or rolling (k) of two geoms, and the weight of geom 1 in it."""
    x1 = m.geom_friction[g1, k]
    x2 = m.geom_friction[g2, k]
    weight = first_weighs(m, g1, g2, x1, x2)
    return weight * x1 + (1 - weight) * x2, weight


@ti.func
def friction_of(m: ti.template(), p: ti.i32):
    """Friction of contacts of pair p: two of sliding, and of spinning and rolling, three."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    mu, _ = mixed_friction(m, g1, g2, 0)
    mu1 = ti.max(mu, MIN_FRICTION)
    mu2 = mu1
    turn = vec3(0.0, 0.0, 0.0)
    if ti.static(has.rolling):
        spin, _ = mixed_friction(m, g1, g2, 1)
        roll, _ = mixed_friction(m, g1, g2, 2)
        roll = ti.max(roll, MIN_FRICTION)
        turn = vec3(ti.max(spin, MIN_FRICTION), roll, roll)
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0:
            mu1 = m.pair_friction[o, 0]
            mu2 = m.pair_friction[o, 1]
            if ti.static(has.rolling):
                turn = vec3(m.pair_friction[o, 2], m.pair_friction[o, 3], m.pair_friction[o, 4])
    return mu1, mu2, turn


@ti.func
def friction_of_vjp(m: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, bar1: real, bar2: real, turn_bar: vec3):
    """Adds the adjoint of the same to that of the geoms' friction, or of the pair's own."""
    o = -1
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0:
            g.pair_friction[w, o, 0] = g.pair_friction[w, o, 0] + bar1
            g.pair_friction[w, o, 1] = g.pair_friction[w, o, 1] + bar2
            if ti.static(has.rolling):
                for k in ti.static(range(3)):
                    g.pair_friction[w, o, 2 + k] = g.pair_friction[w, o, 2 + k] + turn_bar[k]
    if o < 0:
        add_friction_bar(m, g, w, p, 0, bar1 + bar2)
        if ti.static(has.rolling):
            add_friction_bar(m, g, w, p, 1, turn_bar[0])
            add_friction_bar(m, g, w, p, 2, turn_bar[1] + turn_bar[2])


@ti.func
def add_friction_bar(m: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, k: ti.i32, bar: real):
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    mu, weight = mixed_friction(m, g1, g2, k)
    if mu > MIN_FRICTION:
        g.geom_friction[w, g1, k] = g.geom_friction[w, g1, k] + weight * bar
        g.geom_friction[w, g2, k] = g.geom_friction[w, g2, k] + (1 - weight) * bar


@ti.func
def dimensions_of(m: ti.template(), p: ti.i32):
    """condim of contacts of pair p."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    dim1 = m.geom_condim[g1]
    dim2 = m.geom_condim[g2]
    dim = ti.max(dim1, dim2)
    if m.geom_priority[g1] > m.geom_priority[g2]:
        dim = dim1
    if m.geom_priority[g2] > m.geom_priority[g1]:
        dim = dim2
    if ti.static(has.own_pair):
        if m.pair_own[p] >= 0:
            dim = m.pair_dim[m.pair_own[p]]
    return dim


@ti.func
def solmix_weight(m: ti.template(), g1: ti.i32, g2: ti.i32):
    """Weight of geom 1 in solref and solimp; a vanishing solmix leaves the word to the other geom."""
    mix1 = m.geom_solmix[g1]
    mix2 = m.geom_solmix[g2]
    weight = mix1 / ti.max(mix1 + mix2, MINVAL)
    if mix1 < MINVAL:
        weight = 0.0
    if mix2 < MINVAL:
        weight = 1.0
    if mix1 < MINVAL and mix2 < MINVAL:
        weight = 0.5
    if m.geom_priority[g1] > m.geom_priority[g2]:
        weight = 1.0
    if m.geom_priority[g2] > m.geom_priority[g1]:
        weight = 0.0
    return weight


@ti.func
def mix_solver(m: ti.template(), d: ti.template(), c: ti.i32, p: ti.i32):
    """Writes solref and solimp of contact c of pair p."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    weight = solmix_weight(m, g1, g2)
    lesser = m.geom_priority[g1] == m.geom_priority[g2] and (m.geom_solref[g1, 0] <= 0 or m.geom_solref[g2, 0] <= 0)
    for k in ti.static(range(2)):
        x1 = m.geom_solref[g1, k]
        x2 = m.geom_solref[g2, k]
        d.con_solref[c, k] = weight * x1 + (1 - weight) * x2
        if lesser:
            d.con_solref[c, k] = ti.min(x1, x2)
    for k in ti.static(range(5)):
        d.con_solimp[c, k] = weight * m.geom_solimp[g1, k] + (1 - weight) * m.geom_solimp[g2, k]
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0:
            for k in ti.static(range(2)):
                d.con_solref[c, k] = m.pair_solref[o, k]
            for k in ti.static(range(5)):
                d.con_solimp[c, k] = m.pair_solimp[o, k]
