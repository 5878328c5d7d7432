"""The state after a step, from the accelerations at its start or, for RK4, those of its stages.

    v' = v + h a_eff,  q' = q (+) h v'  (RK4: the weighted velocity of the stages),  act' from act_dot
a_eff: implicit.py for Euler and implicitfast, the weighted acceleration for RK4 (rk4.py).
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.actuation import act_dot_vjp, next_act
from engine.dynamics.crba import mass_mul
from engine.dynamics.implicit import damping_vjp, effective_acceleration, solve_implicit
from engine.dynamics.integrate import integrate_pos, integrate_pos_vjp
from engine.dynamics.rk4 import combine_stages
from engine.model.constants import RK4
from engine.schema import (
    A_ACTADR,
    A_BAR,
    INTEGRATOR,
    MA,
    MU,
    NA,
    NAI,
    NQR,
    NU,
    NV,
    QACC_EFF,
    TIMESTEP,
    V_STAGE,
)  # fmt: skip


@ti.func
def advance(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32, force: ti.i32):
    """New act, qvel, qpos from act_dot and QACC or, with `implicit`, from M QACC in the column `force`; for RK4 from
    what its stages left."""
    if m.dims[INTEGRATOR] == RK4:
        combine_stages(m, d, w)
    else:
        effective_acceleration(m, d, w, implicit, force)
    move(m, d, w)


@ti.func
def move(m: ti.template(), d: ti.template(), w: ti.i32):
    """The same from QACC_EFF, for RK4 also V_STAGE."""
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    o = w * nv * NQR
    if ti.static(has.activation):
        for u in range(m.dims[NU]):
            a = m.act_i[u * NAI + A_ACTADR]
            if a >= 0:
                x, sa, sd = next_act(m, d, w, u, w * m.dims[NA] + a, h)
                d.act[w * m.dims[NA] + a] = x
    for i in range(nv):
        v = d.qvel[w * nv + i] + h * d.dofr[o + QACC_EFF * nv + i]
        d.qvel[w * nv + i] = v
        if m.dims[INTEGRATOR] != RK4:
            d.dofr[o + V_STAGE * nv + i] = v
    integrate_pos(m, d, w, d.dofr, o + V_STAGE * nv, h)


@ti.func
def advance_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """Euler and implicitfast: from the adjoints after the step (g.qpos_bar, g.qvel_bar, g.act_bar) to A_BAR, MU and
    the direct parts before it. RK4's is in rk4.py.

    Expects the state before the step, QACC, M and, with `implicit`, QACC_EFF and its factor.
    """
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    o = w * nv * NQR
    # the new velocity, which the position update used, in MA (free here)
    for i in range(nv):
        d.dofr[o + MA * nv + i] = d.qvel[w * nv + i] + h * d.dofr[o + QACC_EFF * nv + i]
    integrate_pos_vjp(m, w, d.dofr, o + MA * nv, h, g.qpos_bar, w * nv, g.qvel_bar, w * nv)
    for i in range(nv):
        d.dofr[o + A_BAR * nv + i] = h * g.qvel_bar[w * nv + i]
        d.dofr[o + MU * nv + i] = 0.0
    if ti.static(has.activation):
        for u in range(m.dims[NU]):
            k = m.act_i[u * NAI + A_ACTADR]
            if k >= 0:
                a = w * m.dims[NA] + k
                x, sa, sd = next_act(m, d, w, u, a, h)
                bar = g.act_bar[a]
                g.act_bar[a] = bar * sa
                act_dot_vjp(m, d, g, w, u, a, bar * sd)
    if implicit:
        for i in range(nv):
            d.dofr[o + MU * nv + i] = -d.dofr[o + A_BAR * nv + i]
        solve_implicit(m, d, w, o + MU * nv, 1)
        mass_mul(m, d, w, o + MU * nv, o + A_BAR * nv)
        for i in range(nv):
            d.dofr[o + A_BAR * nv + i] = -d.dofr[o + A_BAR * nv + i]
        damping_vjp(m, d, g, w)
