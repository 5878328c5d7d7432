"""Contact parameters of a candidate pair, mixed where they are asked for: those of its geoms by MuJoCo's rules, or its
own where it has some (`pair_own`).

The geom of higher priority decides. Of two that are equal, solref and solimp are weighed by solmix, or where one has
the direct format of solref the lesser numbers count; of dimensions and of each friction the greater counts. Margins and
gaps add up whatever the priority.

A maximum, and a minimum, has a kink where both are equal, as two geoms of MuJoCo's default friction are. Each then has
half of the adjoint: what a central difference of one of them gives, and together what both change when they move
together.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import TRN_BODY
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
def margin_of_vjp(m: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, bar: real):
    """Adds the adjoint of the same to that of the geoms' margins, or of the pair's own."""
    o = -1
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0 and m.at_pair_margin >= 0:
            g.pair_margin[w, o] = g.pair_margin[w, o] + bar
    if o < 0 and m.at_geom_margin >= 0:
        for side in range(2):
            i = m.pair_geom2[p] if side else m.pair_geom1[p]
            g.geom_margin[w, i] = g.geom_margin[w, i] + bar


@ti.func
def found_within_vjp(m: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, bar: real):
    """The same of margin and gap together, on which nothing but the place of a capsule's side depends."""
    margin_of_vjp(m, g, w, p, bar)
    o = -1
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0 and m.at_pair_gap >= 0:
            g.pair_gap[w, o] = g.pair_gap[w, o] + bar
    if o < 0 and m.at_geom_gap >= 0:
        for side in range(2):
            i = m.pair_geom2[p] if side else m.pair_geom1[p]
            g.geom_gap[w, i] = g.geom_gap[w, i] + bar


@ti.func
def set_margins(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """For who looks for contacts of pair p next: felt_within, its margin, and found_within, margin and gap."""
    gap = m.geom_gap[m.pair_geom1[p]] + m.geom_gap[m.pair_geom2[p]]
    if ti.static(has.own_pair):
        if m.pair_own[p] >= 0:
            gap = m.pair_gap[m.pair_own[p]]
    d.felt_within[w] = margin_of(m, p)
    d.found_within[w] = d.felt_within[w] + gap
    if ti.static(has.adhesion):
        if adheres(m, p):
            d.felt_within[w] = d.found_within[w]
    if ti.static(has.contact_sensor):
        if m.nmatch > 0:  # they tell of contacts in a gap, too, which are kept without a force
            d.felt_within[w] = d.found_within[w]


@serves("adhesion")
@ti.func
def adheres(m: ti.template(), p: ti.i32):
    """Whether an actuator pulls at contacts of pair p, so that those in its gap are kept, too, without a force."""
    r = 0
    for s in range(m.narm):
        u = m.arm_actuator[s]
        if m.actuator_trntype[u] == TRN_BODY:
            b = m.actuator_trnid[u]
            if m.geom_bodyid[m.pair_geom1[p]] == b or m.geom_bodyid[m.pair_geom2[p]] == b:
                r = 1
    return r


@ti.func
def rank_of(m: ti.template(), g1: ti.i32, g2: ti.i32):
    """Positive where geom 1 has the higher priority, negative where geom 2 has."""
    return m.geom_priority[g1] - m.geom_priority[g2]


@ti.func
def geoms_friction(m: ti.template(), g1: ti.i32, g2: ti.i32):
    """Friction of two geoms, of sliding, spinning and rolling, and the weights of geom 1 in it."""
    x1 = vec3(m.geom_friction[g1, 0], m.geom_friction[g1, 1], m.geom_friction[g1, 2])
    x2 = vec3(m.geom_friction[g2, 0], m.geom_friction[g2, 1], m.geom_friction[g2, 2])
    weight = 0.5 * (ti.cast(x1 >= x2, real) + ti.cast(x1 > x2, real))
    rank = rank_of(m, g1, g2)
    if rank != 0:
        first = ti.cast(rank > 0, real)
        weight = vec3(first, first, first)
    return weight * x1 + (1.0 - weight) * x2, weight


@ti.func
def friction_of(m: ti.template(), p: ti.i32):
    """Friction of contacts of pair p: two of sliding, and of spinning and rolling, three."""
    x, _ = geoms_friction(m, m.pair_geom1[p], m.pair_geom2[p])
    x = ti.max(x, MIN_FRICTION)
    mu1 = x[0]
    mu2 = x[0]
    turn = vec3(x[1], x[2], x[2])
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0:
            mu1 = m.pair_friction[o, 0]
            mu2 = m.pair_friction[o, 1]
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
            for k in ti.static(range(3 * has.rolling)):
                g.pair_friction[w, o, 2 + k] = g.pair_friction[w, o, 2 + k] + turn_bar[k]
    if o < 0:
        g1 = m.pair_geom1[p]
        g2 = m.pair_geom2[p]
        x, weight = geoms_friction(m, g1, g2)
        bar = vec3(bar1 + bar2, turn_bar[0], turn_bar[1] + turn_bar[2])
        for k in ti.static(range(1 + 2 * has.rolling)):
            if x[k] > MIN_FRICTION:
                g.geom_friction[w, g1, k] = g.geom_friction[w, g1, k] + weight[k] * bar[k]
                g.geom_friction[w, g2, k] = g.geom_friction[w, g2, k] + (1.0 - weight[k]) * bar[k]


@ti.func
def mix_solver(m: ti.template(), d: ti.template(), c: ti.i32, p: ti.i32):
    """Writes dimensions, solref and solimp of contact c of pair p."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    if m.geom_alike[g1] == m.geom_alike[g2]:
        d.con_dim[c] = m.geom_condim[g1]
        for k in ti.static(range(2)):
            d.con_solref[c, k] = m.geom_solref[g1, k]
        for k in ti.static(range(5)):
            d.con_solimp[c, k] = m.geom_solimp[g1, k]
    else:
        mix_unlike(m, d, c, g1, g2)
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0:
            d.con_dim[c] = m.pair_dim[o]
            for k in ti.static(range(2)):
                d.con_solref[c, k] = m.pair_solref[o, k]
            for k in ti.static(range(5)):
                d.con_solimp[c, k] = m.pair_solimp[o, k]


@ti.func
def solver_weight(m: ti.template(), g1: ti.i32, g2: ti.i32):
    """The weight of geom 1 in solref and solimp, whether of solref the lesser numbers count instead, and the rank."""
    rank = rank_of(m, g1, g2)
    lesser = rank == 0 and (m.geom_solref[g1, 0] <= 0 or m.geom_solref[g2, 0] <= 0)
    mix1 = m.geom_solmix[g1]
    mix2 = m.geom_solmix[g2]
    weight = real(0.5)
    if rank > 0 or (rank == 0 and mix1 >= MINVAL and mix2 < MINVAL):
        weight = 1.0
    elif rank < 0 or (mix1 < MINVAL and mix2 >= MINVAL):
        weight = 0.0
    elif mix1 >= MINVAL:
        weight = mix1 / (mix1 + mix2)
    return weight, lesser, rank


@ti.func
def mix_unlike(m: ti.template(), d: ti.template(), c: ti.i32, g1: ti.i32, g2: ti.i32):
    """The same of geoms that have not all of these in common."""
    weight, lesser, rank = solver_weight(m, g1, g2)
    dim = ti.max(m.geom_condim[g1], m.geom_condim[g2])
    if rank != 0:
        dim = m.geom_condim[g1] if rank > 0 else m.geom_condim[g2]
    for k in ti.static(range(2)):
        x1 = m.geom_solref[g1, k]
        x2 = m.geom_solref[g2, k]
        d.con_solref[c, k] = ti.min(x1, x2) if lesser else weight * x1 + (1.0 - weight) * x2
    for k in ti.static(range(5)):
        d.con_solimp[c, k] = weight * m.geom_solimp[g1, k] + (1.0 - weight) * m.geom_solimp[g2, k]
    d.con_dim[c] = dim


@ti.func
def mix_solver_vjp(m: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, ref0: real, ref1: real, imp0: real,
                   imp1: real, imp2: real, imp3: real, imp4: real):  # fmt: skip
    """Adds the adjoints of a contact's solref and solimp to those of the geoms, or of the pair's own."""
    o = -1
    if ti.static(has.own_pair):
        o = m.pair_own[p]
        if o >= 0:
            if m.at_pair_solref >= 0:
                for k, bar in ti.static(enumerate((ref0, ref1))):
                    g.pair_solref[w, o, k] = g.pair_solref[w, o, k] + bar
            if m.at_pair_solimp >= 0:
                for k, bar in ti.static(enumerate((imp0, imp1, imp2, imp3, imp4))):
                    g.pair_solimp[w, o, k] = g.pair_solimp[w, o, k] + bar
    if o < 0:
        g1 = m.pair_geom1[p]
        g2 = m.pair_geom2[p]
        for side in range(2):
            i = g2 if side else g1
            other = g1 if side else g2
            weight, lesser, rank = solver_weight(m, i, other)
            if m.at_geom_solref >= 0:
                for k, bar in ti.static(enumerate((ref0, ref1))):
                    share = weight
                    if lesser:
                        x = m.geom_solref[i, k]
                        share = 0.5 * (
                            ti.cast(x <= m.geom_solref[other, k], real) + ti.cast(x < m.geom_solref[other, k], real)
                        )
                    g.geom_solref[w, i, k] = g.geom_solref[w, i, k] + share * bar
            if m.at_geom_solimp >= 0:
                for k, bar in ti.static(enumerate((imp0, imp1, imp2, imp3, imp4))):
                    g.geom_solimp[w, i, k] = g.geom_solimp[w, i, k] + weight * bar
