"""The constraints of a step as the solver sees them: s(J a - aref) over all rows and blocks, its slopes and forces."""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.block import ALWAYS, TWO_SIDED
from engine.constraint.blocks import constraint_blocks
from engine.constraint.cones import contact_law
from engine.constraint.discrete import follows_diagonal, metric_ratios
from engine.constraint.exact import exact_diagonals
from engine.constraint.islands import block_stiffened, stiffened
from engine.constraint.rolling import rolling_laws, turns
from engine.constraint.row import row_law
from engine.constraint.tendon import slide_law
from engine.constraint.tree import elimination_tree
from engine.math.index import bounded
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3


@ti.func
def constraint(m: ti.template(), d: ti.template(), w: ti.i32):
    """What the solver reads of all rows and blocks, with jar = J a - aref for the acceleration qacc."""
    elimination_tree(m, d, w)
    constraint_blocks(m, d, w)
    metric_ratios(m, d, w)
    exact_diagonals(m, d, w)
    for k in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + k)
        d.row_jar[i] = d.row_sign[i] * d.qacc[w, d.row_dof[i]] - d.row_aref[i]


@ti.func
def evaluate(m: ti.template(), d: ti.template(), w: ti.i32, alpha: real, search: ti.template()):
    """Forces and stiffnesses at jar + alpha J search; returns d/dalpha and d2/dalpha2 of s, and whether a zone changed.

    Zone 64 (a cone's curved part) counts as a change, since the quadratic there is not exact.
    """
    d1 = real(0.0)
    d2 = real(0.0)
    changed = 0
    impratio = m.impratio
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        jv = d.row_sign[i] * search[w, d.row_dof[i]]
        f, k, zone = row_law(d.row_kind[i], d.row_jar[i] + alpha * jv, d.row_d[i], d.row_floss[i])
        d.row_force[i] = f
        d.row_k[i] = k
        if zone != d.row_zone[i]:
            changed = 1
            stiffened(m, d, w, d.row_dof[i])
        d.row_zone[i] = zone
        d1 = d1 - f * jv
        d2 = d2 + k * jv * jv
    if ti.static(has.block):
        rolling = 0
        for r in range(d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            if ti.static(has.rolling):
                if turns(d, c):
                    rolling = 1
                    continue
            jv = d.con_jv[c]
            jar = d.con_jar[c] + alpha * jv
            f, kd, ko, zone = contact_law(
                jar, d.con_dim[c], m.cone, d.con_d[c], d.con_mu1[c], d.con_mu2[c], impratio
            )
            if ti.static(has.equality or has.discrete and (has.tendon or has.arm)):
                if d.con_law[c] == ALWAYS:
                    kd = vec3(1.0, 1.0, 1.0) * d.con_d[c]
                    if ti.static(has.diagonal):
                        if follows_diagonal(m):
                            kd = d.con_dd[c]
                    f = -1.0 * kd * jar
                    ko = vec3(0.0, 0.0, 0.0)
                    zone = 0
            if ti.static(has.tendon):
                if d.con_law[c] == TWO_SIDED:
                    f, kd, zone = slide_law(jar[0], d.con_d[c], d.con_mu1[c])
                    ko = vec3(0.0, 0.0, 0.0)
            d.con_force[c] = f
            d.con_kd[c] = kd
            d.con_ko[c] = ko
            if zone != d.con_zone[c] or zone == 64:
                changed = 1
                block_stiffened(m, d, w, c)
            d.con_zone[c] = zone
            d1 = d1 - f.dot(jv)
            d2 = d2 + jv.dot(sym_mul(kd, ko, jv))
        if ti.static(has.rolling):
            if rolling:
                d.line_alpha[w] = alpha
                rolling_laws(m, d, w)
                d1 = d1 + d.line_d1[w]
                d2 = d2 + d.line_d2[w]
                if d.line_changed[w] > 0:
                    changed = 1
    return d1, d2, changed
