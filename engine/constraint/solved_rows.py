"""Rows of derivatives (dynamics/derivative_rows.py) of forces become those of accelerations: of -a by the solver's
Hessian, of -a_eff by what is implicit (linearized.py).

With few stages in one LLVM makes no vectors of rows: it then reads the arrays' addresses again after every store.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.solver import hessian
from engine.dynamics.derivative_rows import (
    STRIP,
    add_mass_rows,
    add_to_row,
    row_strips,
    rows_at,
    solve_rows,
    strip_at,
)
from engine.dynamics.free_body import solve_lone
from engine.dynamics.implicit import factor_implicit
from engine.dynamics.passive import nonlinear_damping
from engine.model.constants import EULER, IMPLICITFAST


@ti.func
def solved_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """The rows of `slot` become those of -a or, with `implicit`, those of 1 become those of -a_eff.

    -da_eff = (M + h D)^-1 (M da' + dM (a_eff - a) + h dD a_eff),  da' = H^-1 dr; where nothing constrains M da' = dr,
    and M = (M + h D) - h D, where D is diagonal.
    """
    free = d.nblock[w] + d.nrow[w] == 0
    damped = m.integrator == EULER and not free
    if not free:
        hessian_factor(m, d, w)
    if not (free and implicit):
        solved_by_hessian(m, d, l, w, slot)
    if implicit:
        if free:
            added_rows(m, d, l, w, slot)
        elif damped:
            damped_rows(m, d, l, w, slot)
        else:
            mass_rows(m, d, l, w, slot)
        if ti.static(has.lone):
            if m.integrator == IMPLICITFAST:
                implicit_factor(m, d, w)  # a part of it lies in H
        solved_implicitly(m, d, l, w)
        if ti.static(has.lone):
            if m.integrator == IMPLICITFAST:
                solved_alone(m, d, l, w)
        if damped:
            added_rows(m, d, l, w, slot)


@outline("md", "w")
@ti.func
def hessian_factor(m: ti.template(), d: ti.template(), w: ti.i32):
    hessian(m, d, w, 1)


@outline("md", "w", when="lone")
@ti.func
def implicit_factor(m: ti.template(), d: ti.template(), w: ti.i32):
    factor_implicit(m, d, w)


@outline("mdl", "w slot")
@ti.func
def solved_by_hessian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    if ti.static(has.long):
        for r in range(m.nv):
            swap_rows(m, d, l, w, slot, r)
    solve_rows(m, l, d.H, w * m.nh, d, w * m.nv, rows_at(m, w, slot))
    if ti.static(has.long):
        for back in range(m.nv):
            swap_rows(m, d, l, w, slot, m.nv - 1 - back)


@ti.func
def swap_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, r: ti.i32):
    """One step, the last to be undone first, of putting rows in the order of ranks: row r changes places with that of
    the dof of rank r, which earlier steps may have moved."""
    k = d.tree_dof[w * m.nv + r]
    while k < r:
        k = d.tree_dof[w * m.nv + k]
    if k != r:
        ns = row_strips(m)
        for q in range(ns):
            i = strip_at(m, rows_at(m, w, slot) + r * ns + q)
            j = strip_at(m, rows_at(m, w, slot) + k * ns + q)
            for c in ti.static(range(STRIP)):
                x = l.lin_rows[i + c]
                l.lin_rows[i + c] = l.lin_rows[j + c]
                l.lin_rows[j + c] = x


@outline("mdl", "w")
@ti.func
def solved_implicitly(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32):
    solve_rows(m, l, d.MhD, w * m.nm, m, 0, rows_at(m, w, 1))


@outline("mdl", "w slot")
@ti.func
def added_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """The rows of 1 gain those of `slot`."""
    for i in range(m.nv):
        add_to_row(m, l, rows_at(m, w, 1) + i * row_strips(m), 1.0, rows_at(m, w, slot) + i * row_strips(m))


@outline("mdl", "w slot")
@ti.func
def damped_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """The rows of 1 lose h D times those of `slot`."""
    for i in range(m.nv):
        slope = m.dof_damping[i]
        if ti.static(has.polynomial):
            b, more, second = nonlinear_damping(m, d, w, i)
            slope = slope + more
        if slope != 0:
            y = rows_at(m, w, 1) + i * row_strips(m)
            add_to_row(m, l, y, -m.timestep * slope, rows_at(m, w, slot) + i * row_strips(m))


@outline("mdl", "w slot", when="implicitfast")
@ti.func
def mass_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """The rows of 1 gain M times those of `slot`."""
    add_mass_rows(m, d, l, w, rows_at(m, w, 1), rows_at(m, w, slot))


@outline("mdl", "w", when="lone")
@ti.func
def solved_alone(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32):
    """The rows of 1 of lone free bodies become A^-1 times them (free_body.py)."""
    nv = m.nv
    o = STRIP * rows_at(m, w, 1)
    width = STRIP * row_strips(m)
    for c in range(width):
        for i in range(nv):
            d.z[w, i] = l.lin_rows[o + i * width + c]
        solve_lone(m, d, w, d.z, 0)
        for i in range(nv):
            l.lin_rows[o + i * width + c] = d.z[w, i]
