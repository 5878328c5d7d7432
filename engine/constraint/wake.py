"""What constrains wakes trees that sleep, and ties those that are awake to islands, which fall asleep together
(dynamics/sleep.py)."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.order import coupling, couplings
from engine.dynamics.sleep import FULLY, fall, note_awake, tie, tree_asleep, wake
from engine.math.index import bounded
from engine.model.constants import EQ_TENDON


@outline("md", "w", when="sleep")
@ti.func
def wake_touched(m: ti.template(), d: ti.template(), w: ti.i32):
    """Trees that one which is awake touches, or what the user moves; `woken` says whether there are any, whose other
    contacts are then still to be found."""
    if m.nsleeptree > 0:
        d.woken[w] = 0
        for k in range(d.ncon[w]):
            pair = d.con_pair[bounded(w * m.nconmax + k)]
            t1 = m.sleep_body[m.geom_bodyid[m.pair_geom1[pair]]]
            t2 = m.sleep_body[m.geom_bodyid[m.pair_geom2[pair]]]
            if t1 < 0 or t2 < 0:
                t = ti.max(t1, t2)
                if ti.min(t1, t2) == -2 and t >= 0:
                    if not d.tree_awake[w, t]:
                        wake(m, d, w, t, FULLY)
            elif d.tree_awake[w, t1] != d.tree_awake[w, t2]:
                if d.tree_awake[w, t1]:
                    wake(m, d, w, t2, tree_asleep(m, d, w, t1))
                else:
                    wake(m, d, w, t1, tree_asleep(m, d, w, t2))
        note_awake(m, d, w)


@outline("md", "w", when="sleep")
@ti.func
def wake_tied(m: ti.template(), d: ti.template(), w: ti.i32):
    """Trees that an equality ties to one that is awake, to what the user moves, or to one that sleeps by itself."""
    if ti.static(has.equality):
        if m.nsleeptree > 0:
            for e in range(m.neq):
                t1 = m.eq_tree1[e]
                t2 = m.eq_tree2[e]
                if d.eq_active[w, e] and t1 != t2 and t1 != -1 and t2 != -1 and m.eq_kind[e] != EQ_TENDON:
                    asleep1 = False
                    asleep2 = False
                    if t1 >= 0:
                        asleep1 = not d.tree_awake[w, t1]
                    if t2 >= 0:
                        asleep2 = not d.tree_awake[w, t2]
                    apart = True
                    if asleep1 and asleep2:
                        apart = not sleep_together(m, d, w, t1, t2)
                    if asleep1 and apart:
                        wake(m, d, w, t1, FULLY)
                    if asleep2 and apart:
                        wake(m, d, w, t2, FULLY)
            note_awake(m, d, w)


@ti.func
def sleep_together(m: ti.template(), d: ti.template(), w: ti.i32, t1: ti.i32, t2: ti.i32):
    """Whether two trees that sleep are in one cycle; trees that have just woken are not."""
    found = False
    k = t1
    for _ in range(m.nsleeptree):
        if k >= 0:
            found = found or k == t2
            k = tree_asleep(m, d, w, k)
    return found


@serves("sleep")
@ti.func
def tie_islands(m: ti.template(), d: ti.template(), w: ti.i32):
    """Islands in tree_link, and whether anything constrains."""
    felt = d.nrow[w] > 0
    for t in range(m.nsleeptree):
        d.tree_link[w, t] = t
    if ti.static(has.block):
        for k in range(d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            if d.con_d[c] > 0:
                felt = True
                for q in range(couplings(m, d, c)):
                    i, j = coupling(m, d, c, q)
                    tie(m, d, w, i, j)
    return felt


@outline("md", "w", when="sleep")
@ti.func
def fall_asleep(m: ti.template(), d: ti.template(), w: ti.i32):
    """Trees of which an island has been slow for long enough, before the step that moves them; without the option
    island none does while anything constrains."""
    if m.nsleeptree > 0:
        d.falling[w] = 0
        felt = tie_islands(m, d, w)
        if not felt or m.noslip_apart:
            fall(m, d, w)
