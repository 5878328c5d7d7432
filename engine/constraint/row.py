"""Rows: constraints of one dof, J = sign at it, and their adjoint.

friction.py and limit.py find them. Reference acceleration: aref = -B J v - K imp (pos - margin), the second part for
limits alone. The adjoint's formula stands in block.py.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.impedance import at_end_of_step, hardened, impedance, reference
from engine.math.index import bounded
from engine.math.types import MINVAL, real
from engine.model.constants import DISCRETE

FRICTION, LIMIT = range(2)  # kinds of rows


@ti.func
def add_row(m: ti.template(), d: ti.template(), w: ti.i32, n: ti.i32, kind: ti.i32, dof: ti.i32, sign: real, dist: real,
            floss: real, solref: ti.template(), solimp: ti.template(), p: ti.i32, diag: real):  # fmt: skip
    """Row n: J = sign at dof; dist is pos - margin (0 for dry friction). Its parameters are those numbered p. The
    capacity is a row for each dof and two for each joint, so it always suffices."""
    i = bounded(w * m.nrowmax + n)
    imp, slope = impedance(solimp, p, dist)
    k, b = reference(solref, solimp, p, m.timestep, m.refsafe)
    if kind == FRICTION:
        k = 0.0
    d.row_dof[i] = dof
    d.row_kind[i] = kind
    d.row_zone[i] = -1
    d.row_sign[i] = sign
    d.row_dist[i] = dist
    d.row_floss[i] = floss
    size = diag
    if ti.static(has.diagexact):
        if m.diagexact:  # which follows (exact.py)
            size = 1.0
    d.row_d[i] = 1.0 / ti.max(MINVAL, (1 - imp) / imp * size)
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            k, b, s, by_x, by_v, grows = at_end_of_step(m, k, b, imp, solref, p, ti.cast(kind == LIMIT, ti.i32))
            D, by_d = hardened(imp, size, s, grows)
            d.row_d[i] = D
            d.row_by_x[i] = by_x
            d.row_by_v[i] = by_v
            d.row_by_d[i] = by_d
    d.row_b[i] = b
    d.row_kp[i] = k
    d.row_imp[i] = imp
    d.row_impp[i] = slope
    d.row_aref[i] = -b * sign * d.qvel[w * m.nv + dof] - k * imp * dist


@ti.func
def row_law(kind: ti.i32, jar: real, D: real, floss: real):
    """Force, stiffness and zone of a row."""
    f = real(0.0)
    k = real(0.0)
    zone = 0
    if kind == LIMIT:
        if jar < 0:
            f = -D * jar
            k = D
            zone = 1
    elif D * jar >= floss:
        f = -floss
        zone = 2
    elif D * jar <= -floss:
        f = floss
        zone = 3
    else:
        f = -D * jar
        k = D
    return f, k, zone
