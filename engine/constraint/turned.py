"""Lone free bodies that nothing touches, of the integrator discrete: their bias force has its slope, too
(dynamics/free_body.py), after the solve, which knows the metric alone."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.crba import mass_mul
from engine.dynamics.free_body import factor_lone, lone_vjp, solve_lone, turned_dof
from engine.math.index import bounded
from engine.math.types import vec3


@serves("lone")
@ti.func
def touch(m: ti.template(), d: ti.template(), w: ti.i32):
    """Which dofs no constraint touches; servos have marked theirs."""
    for k in range(d.nrow[w]):
        d.untouched[w, d.row_dof[bounded(w * m.nrowmax + k)]] = 0.0
    if ti.static(has.block):
        for k in range(d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            for q in range(c * m.nchain, c * m.nchain + d.con_ndof[c]):
                d.untouched[w, d.chain_dof[q]] = 0.0


@outline("md", "w", when="discrete")
@ti.func
def turned_acceleration(m: ti.template(), d: ti.template(), w: ti.i32):
    """qacc_eff from qacc: of lone free bodies that nothing touches, whose bias has its slope, too, (metric + h C)^-1
    metric a."""
    for i in range(m.nv):
        d.qacc_eff[w, i] = d.qacc[w, i]
    if ti.static(has.lone):
        touch(m, d, w)
        mass_mul(m, d, w, d.qacc, d.search)
        for j in range(m.njnt):
            first = turned_dof(m, d, w, j)
            if first >= 0:
                for i in range(first, first + 6):
                    d.qacc_eff[w, i] = d.search[w, i]
        factor_lone(m, d, w)
        solve_lone(m, d, w, d.qacc_eff, 0)


@serves("lone")
@ti.func
def turned_acceleration_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From a_bar, there that of a_eff, to mu, a_bar and what the slope depends on. Of the motion U, which sensors have
    read with a_eff, the difference to that of a."""
    for j in range(m.njnt):
        first = turned_dof(m, d, w, j)
        if first >= 0:
            for i in range(first, first + 6):
                d.mu[w, i] = -d.a_bar[w, i]
    solve_lone(m, d, w, d.mu, 1)
    mass_mul(m, d, w, d.mu, d.search)
    for j in range(m.njnt):
        first = turned_dof(m, d, w, j)
        if first >= 0:
            ang = vec3(0.0, 0.0, 0.0)
            lin = vec3(0.0, 0.0, 0.0)
            for b in range(m.jnt_bodyid[j], m.nbody):
                if m.body_rootid[b] != m.jnt_bodyid[j]:
                    break
                o = bounded(w * m.nbody + b)
                ang = ang + g.u_ang[o]
                lin = lin + g.u_lin[o]
            for i in range(first, first + 6):
                d.a_bar[w, i] = -d.search[w, i]
                s = bounded(w * m.nv + i)
                more = d.qacc_eff[w, i] - d.qacc[w, i]
                g.axis_ang[s] = g.axis_ang[s] + more * ang
                g.axis_lin[s] = g.axis_lin[s] + more * lin
    lone_vjp(m, d, g, w)
