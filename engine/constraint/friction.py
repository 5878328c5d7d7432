"""Dry friction of dofs: a row with J = 1 at the dof that pushes against motion, and its adjoint. Where a dof has a law
of friction (friction_law.py), the row holds with its B more."""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.impedance import reference
from engine.constraint.row import FRICTION, add_row
from engine.dynamics.sleep import dof_rests
from engine.math.types import EPS, real
from engine.model.constants import DISCRETE


@ti.func
def friction_rows(m: ti.template(), d: ti.template(), w: ti.i32):
    """One for each dof that has dry friction; they are the first rows. Expects `rubs`."""
    n = 0
    for i in range(m.nv):
        floss = m.dof_frictionloss[i]
        if ti.static(has.friction_law):
            if m.nrub > 0:
                floss = floss + d.rub[w, i]
        if ti.static(has.sleep):
            if dof_rests(m, d, w, i):
                floss = 0.0
        if floss > 0:
            add_row(m, d, w, n, FRICTION, i, 1.0, 0.0, floss, m.dof_solref, m.dof_solimp, i, m.dof_diaga[i])
            n = n + 1
    d.nrow[w] = n


@ti.func
def friction_row_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, y: real):
    """From y to the dof's dry friction, which is the force where the row slides."""
    dof = d.row_dof[i]
    bar = real(0.0)
    if d.row_zone[i] == 2:
        bar = y
    if d.row_zone[i] == 3:
        bar = -y
    g.dof_frictionloss[w, dof] = g.dof_frictionloss[w, dof] + bar
    if ti.static(has.friction_law):
        if m.nrub > 0:
            g.rub_bar[w, dof] = g.rub_bar[w, dof] + bar


@ti.func
def frictionless_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, plain: ti.i32):
    """Dofs without dry friction have no row, but the first bit of it would push against jar = a + B v; a is in qacc or,
    with `plain`, in msearch."""
    nv = m.nv
    size = real(0.0)
    for i in range(nv):
        size = ti.max(size, ti.abs(d.qacc[w, i]))
    for i in range(nv):
        floss = m.dof_frictionloss[i]
        if ti.static(has.friction_law):
            if m.nrub > 0:
                floss = floss + d.rub[w, i]
        if floss == 0:
            stiffness, b = reference(m.dof_solref, m.dof_solimp, i, m.timestep, m.refsafe)
            if ti.static(has.discrete):
                if m.integrator == DISCRETE:
                    b = b / (1.0 + m.timestep * b)
            a = d.qacc[w, i]
            if plain:
                a = d.msearch[w, i]
            jar = a + b * d.qvel[w * nv + i]
            # where jar is zero but for rounding, friction would hold the dof with no force
            if ti.abs(jar) > 1e4 * EPS * size:
                g.dof_frictionloss[w, i] = g.dof_frictionloss[w, i] + ti.math.sign(jar) * d.z[w, i]
