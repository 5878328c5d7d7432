"""The state after a step, from the accelerations at its start or, for RK4, those of its stages.

    v' = v + h a_eff,  q' = q (+) h v'  (RK4: the weighted velocity of the stages),  act' from act_dot
a_eff: implicit.py for Euler and implicitfast, the weighted acceleration for RK4 (rk4.py).
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.activation import act_dot_vjp, end_leaves, next_act, next_act_vjp
from engine.dynamics.crba import mass_mul
from engine.dynamics.delay import remember
from engine.dynamics.implicit import damping_vjp, effective_acceleration, solve_implicit
from engine.dynamics.integrate import integrate_pos, integrate_pos_vjp
from engine.dynamics.orientation import within, within_vjp
from engine.dynamics.pid import states_of
from engine.dynamics.plastic import rests_yield, rests_yield_vjp, start_lengths_vjp
from engine.dynamics.rk4 import combine_stages
from engine.dynamics.sensor_delay import remember_sensed
from engine.dynamics.sleep import stay
from engine.dynamics.turns import anchor, anchor_vjp
from engine.model.constants import DISCRETE, RK4


@ti.func
def advance(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32, free: ti.i32):
    """New act, qvel, qpos from act_dot and qacc or, with `implicit`, from M qacc (see there); for RK4 from
    what its stages left."""
    if m.integrator == RK4:
        combine_stages(m, d, w)
    elif m.integrator != DISCRETE:  # which has it from the solve
        effective_acceleration(m, d, w, implicit, free, implicit)
    move(m, d, w)


@ti.func
def move(m: ti.template(), d: ti.template(), w: ti.i32):
    """The same from qacc_eff, for RK4 also v_stage."""
    nv = m.nv
    h = m.timestep
    if ti.static(has.activation):
        for u in range(m.nu):
            a = m.actuator_actadr[u]
            if a >= 0:
                for k in range(w * m.na + a, w * m.na + a + states_of(m, u)):
                    x, sa, sd = next_act(m, d, w, u, k, h)
                    d.act[k] = x
    anchor(m, d, w)
    within(m, d, w)
    remember(m, d, w)
    remember_sensed(m, d, w)
    for i in range(nv):
        v = d.qvel[w * nv + i] + h * d.qacc_eff[w, i]
        d.qvel[w * nv + i] = v
        if m.integrator != RK4:
            d.v_stage[w, i] = v
    integrate_pos(m, d, w, d.dofr, d.v_stage.at(w, 0), h)
    stay(m, d, w)
    if ti.static(has.plastic):
        if m.nrest > 0:
            rests_yield(m, d, w, d.v_stage.at(w, 0))


@ti.func
def advance_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32, kept: ti.i32):
    """Euler and implicitfast: from the adjoints after the step (g.qpos_bar, g.qvel_bar, g.act_bar) to a_bar, mu and
    the direct parts before it. RK4's is in rk4.py.

    Expects the state before the step, qacc, M and, with `implicit`, qacc_eff and its factor. kept: a_bar stays that of
    a_eff, since a_eff is a or nobody asks.
    """
    nv = m.nv
    h = m.timestep
    # the new velocity, which the position update used, in ma (free here)
    for i in range(nv):
        d.ma[w, i] = d.qvel[w * nv + i] + h * d.qacc_eff[w, i]
    if ti.static(has.plastic):
        if m.nrest > 0:
            rests_yield_vjp(m, d, g, w, d.ma.at(w, 0))
            start_lengths_vjp(m, d, g, w, d.ma.at(w, 0))
            for i in range(nv):
                g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + d.a_bar[w, i]
    integrate_pos_vjp(m, w, d.dofr, d.ma.at(w, 0), h, g.qpos_bar, w * nv, g.qvel_bar, w * nv)
    for i in range(nv):
        d.a_bar[w, i] = h * g.qvel_bar[w * nv + i]
        d.mu[w, i] = 0.0
    within_vjp(m, d, g, w)
    if ti.static(has.activation):
        for u in range(m.nu):
            k = m.actuator_actadr[u]
            if k >= 0:
                for a in range(w * m.na + k, w * m.na + k + states_of(m, u)):
                    x, sa, sd = next_act(m, d, w, u, a, h)
                    bar = g.act_bar[a]
                    g.act_bar[a] = bar * sa
                    next_act_vjp(m, d, g, w, u, a, bar * sa)
                    end_leaves(m, d, g, w, u, a, bar)
                    anchor_vjp(m, d, g, w, u, x, bar)
                    act_dot_vjp(m, d, g, w, u, a, bar * sd)
    if implicit and m.integrator != DISCRETE:
        for i in range(nv):
            d.mu[w, i] = -d.a_bar[w, i]
        solve_implicit(m, d, w, d.mu, 1)
        if not kept:
            mass_mul(m, d, w, d.mu, d.a_bar)
            for i in range(nv):
                d.a_bar[w, i] = -d.a_bar[w, i]
        damping_vjp(m, d, g, w)
