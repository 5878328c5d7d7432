"""Classical Runge-Kutta of fourth order (MuJoCo documentation, "Numerical integration").

    stage i at  q_i = q + c_i h k_{i-1},  v_i = v + c_i h a_{i-1},  c = (0, 1/2, 1/2, 1)
    v' = v + h sum b_i a_i,  q' = q + h sum b_i k_i,                b = (1/6, 1/3, 1/3, 1/6)
k_i = v_i but for rotations, where the sums take place in the rotation vector u from the start, u' = Jr(u)^-1 v, and
k_i = Jr(u_i)^-1 v_i, u_i = c_i h k_{i-1}: fourth order on SO(3) (Munthe-Kaas, Appl. Numer. Math. 29(1), 1999). Of u_i
the shortest vector of the same rotation counts, as in MuJoCo 4.0.
`d.stage` of a world: q, v, act at the start, then k_i, a_i, act_dot_i of the four stages.
In the adjoint `g.stage_bar` holds q_bar, v_bar, act_bar of the start, then k_bar_i, a_bar_i, act_dot_bar_i.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.activation import act_dot_vjp, end_leaves, next_act, next_act_vjp
from engine.dynamics.delay import remember_vjp
from engine.dynamics.integrate import integrate_pos, integrate_pos_vjp
from engine.dynamics.kinematics import read_vec
from engine.dynamics.motors import clear_motors, is_bristle, keep_reach
from engine.dynamics.orientation import within_vjp
from engine.dynamics.pid import states_of
from engine.dynamics.plastic import keep_lengths, rests_yield_vjp
from engine.dynamics.turns import anchor_vjp
from engine.math.quat import jr_inverse_slope, jr_inverse_transpose, shortest
from engine.math.types import real
from engine.model.coordinates import QUATERNION


@ti.func
def node(i: ti.i32):
    c = real(0.5)
    if i == 0:
        c = 0.0
    if i == 3:
        c = 1.0
    return c


@ti.func
def weight(i: ti.i32):
    b = real(1.0) / 3.0
    if i == 0 or i == 3:
        b = real(1.0) / 6.0
    return b


@ti.func
def stage_at(m: ti.template(), w: ti.i32, i: ti.i32):
    """Where stage i's k, a, act_dot begin in d.stage and g.stage_bar."""
    return w * m.nstage + m.nq + m.nv + m.na + i * (2 * m.nv + m.na)


@serves("rk4")
@ti.func
def start_stages(m: ti.template(), d: ti.template(), w: ti.i32):
    nq = m.nq
    nv = m.nv
    o = w * m.nstage
    for k in range(nq):
        d.stage[o + k] = d.qpos[w * nq + k]
    for k in range(nv):
        d.stage[o + nq + k] = d.qvel[w * nv + k]
    for k in range(m.na):
        d.stage[o + nq + nv + k] = d.act[w * m.na + k]


@serves("rk4")
@ti.func
def enter_stage(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """State of stage i from the start state and stage i - 1; keeps the stage's k."""
    nq = m.nq
    nv = m.nv
    na = m.na
    o = w * m.nstage
    h = m.timestep * node(i)
    if ti.static(has.delay):
        d.delay_stage[w] = (i + 1) >> 1
    prev = stage_at(m, w, ti.max(i - 1, 0))
    for k in range(nq):
        d.qpos[w * nq + k] = d.stage[o + k]
    for k in range(nv):
        d.qvel[w * nv + k] = d.stage[o + nq + k]
    for k in range(na):
        d.act[w * na + k] = d.stage[o + nq + nv + k]
    if i > 0:
        integrate_pos(m, d, w, d.stage, prev, h)
        for k in range(nv):
            d.qvel[w * nv + k] = d.qvel[w * nv + k] + h * d.stage[prev + nv + k]
        for k in range(na):
            d.act[w * na + k] = d.act[w * na + k] + h * d.stage[prev + 2 * nv + k]
    here = stage_at(m, w, i)
    for k in range(nv):
        d.stage[here + k] = d.qvel[w * nv + k]
    if ti.static(has.quaternion):
        if i > 0:
            for j in range(m.ncoord):
                r = m.coord_dofadr[j]
                if m.coord_kind[j] == QUATERNION:
                    # Jr(-u)^-T = Jr(u)^-1
                    u = h * read_vec(d.stage, prev + r)
                    x = jr_inverse_transpose(-shortest(u) * u, read_vec(d.qvel, w * nv + r))
                    for k in ti.static(range(3)):
                        d.stage[here + r + k] = x[k]


@serves("rk4")
@ti.func
def leave_stage(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """Keep the stage's acceleration and act_dot."""
    nv = m.nv
    here = stage_at(m, w, i)
    for k in range(nv):
        d.stage[here + nv + k] = d.qacc[w, k]
    for k in range(m.na):
        d.stage[here + 2 * nv + k] = d.act_dot[w * m.na + k]
    if i == 0:
        keep_lengths(m, d, w)
        keep_reach(m, d, w)


@serves("rk4")
@ti.func
def combine_stages(m: ti.template(), d: ti.template(), w: ti.i32):
    """Weighted velocity into v_stage, acceleration into qacc_eff, act_dot into act_dot; the state is the start's."""
    nv = m.nv
    na = m.na
    enter_start(m, d, w)
    for k in range(nv):
        v = real(0.0)
        a = real(0.0)
        for i in range(4):
            s = stage_at(m, w, i) + k
            v = v + weight(i) * d.stage[s]
            a = a + weight(i) * d.stage[s + nv]
        d.v_stage[w, k] = v
        d.qacc_eff[w, k] = a
    for k in range(na):
        x = real(0.0)
        for i in range(4):
            x = x + weight(i) * d.stage[stage_at(m, w, i) + 2 * nv + k]
        d.act_dot[w * na + k] = x
    if ti.static(has.dcmotor):
        for u in range(m.nmotor):  # bristles go on as they begin
            for k in range(na):
                if is_bristle(m, u, k):
                    d.act_dot[w * na + k] = d.stage[stage_at(m, w, 0) + 2 * nv + k]
                    d.act_reach[w * na + k] = d.motor_reach[w, u]


@ti.func
def enter_start(m: ti.template(), d: ti.template(), w: ti.i32):
    nq = m.nq
    nv = m.nv
    o = w * m.nstage
    if ti.static(has.delay):
        d.delay_stage[w] = 0
    for k in range(nq):
        d.qpos[w * nq + k] = d.stage[o + k]
    for k in range(nv):
        d.qvel[w * nv + k] = d.stage[o + nq + k]
    for k in range(m.na):
        d.act[w * m.na + k] = d.stage[o + nq + nv + k]


@serves("rk4")
@ti.func
def advance_rk4_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints after the step to g.stage_bar: those of the start and of every stage's k, a, act_dot. How far
    act_dot takes a motor's states is the last stage's to answer: its `motors_vjp` does."""
    nq = m.nq
    nv = m.nv
    na = m.na
    h = m.timestep
    o = w * m.nstage
    combine_stages(m, d, w)
    within_vjp(m, d, g, w)
    clear_motors(m, g, w)
    # a_bar: adjoint of the weighted velocity
    for k in range(nv):
        d.a_bar[w, k] = 0.0
    if ti.static(has.plastic):
        if m.nrest > 0:
            rests_yield_vjp(m, d, g, w, d.v_stage.at(w, 0))
    integrate_pos_vjp(m, w, d.dofr, d.v_stage.at(w, 0), h, g.qpos_bar, w * nv, d.dofr, d.a_bar.at(w, 0))
    for k in range(nv):
        g.stage_bar[o + k] = g.qpos_bar[w * nv + k]
        g.stage_bar[o + nq + k] = g.qvel_bar[w * nv + k]
    for i in range(4):
        s = stage_at(m, w, i)
        for k in range(nv):
            g.stage_bar[s + k] = weight(i) * d.a_bar[w, k]
            g.stage_bar[s + nv + k] = h * weight(i) * g.qvel_bar[w * nv + k]
    remember_vjp(m, g, w)
    if ti.static(has.delay or has.sensor_delay or has.plastic):
        for k in range(na):  # of what is of the past and of rests; the others follow
            g.stage_bar[o + nq + nv + k] = g.act_bar[w * na + k]
    for u in range(m.nu):
        first = m.actuator_actadr[u]
        if first >= 0:
            for k in range(first, first + states_of(m, u)):
                a = w * na + k
                x, sa, sd = next_act(m, d, w, u, a, h)
                g.stage_bar[o + nq + nv + k] = g.act_bar[a] * sa
                next_act_vjp(m, d, g, w, u, a, g.act_bar[a] * sa)
                end_leaves(m, d, g, w, u, a, g.act_bar[a])
                anchor_vjp(m, d, g, w, u, x, g.act_bar[a])
                for i in range(4):
                    g.stage_bar[stage_at(m, w, i) + 2 * nv + k] = weight(i) * sd * g.act_bar[a]
                if ti.static(has.dcmotor):
                    if is_bristle(m, u, k):
                        for i in range(4):
                            g.stage_bar[stage_at(m, w, i) + 2 * nv + k] = 0.0
                        g.stage_bar[stage_at(m, w, 0) + 2 * nv + k] = sd * g.act_bar[a]
                        g.motor_reach_bar[w, u] = g.reach_bar[a]
                        g.reach_bar[a] = 0.0


@serves("rk4")
@ti.func
def enter_stage_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """Before the stage's dynamics adjoint: a_bar, v_bar, act_bar of the stage in g.qvel_bar, g.act_bar; q_bar is 0."""
    nv = m.nv
    na = m.na
    s = stage_at(m, w, i)
    for k in range(nv):
        d.a_bar[w, k] = g.stage_bar[s + nv + k]
        g.qvel_bar[w * nv + k] = g.stage_bar[s + k]
        g.qpos_bar[w * nv + k] = 0.0
    if i > 0:
        h = m.timestep * node(i)
        prev = stage_at(m, w, i - 1)
        if ti.static(has.quaternion):
            for j in range(m.ncoord):
                r = m.coord_dofadr[j]
                if m.coord_kind[j] == QUATERNION:
                    whole = h * read_vec(d.stage, prev + r)
                    share = shortest(whole)
                    u = share * whole
                    k_bar = read_vec(g.stage_bar, s + r)
                    v_bar = jr_inverse_transpose(u, k_bar)
                    u_bar = jr_inverse_slope(u, read_vec(d.qvel, w * nv + r), k_bar)
                    if share < 1.0:
                        u_bar = share * u_bar + (1.0 - share) * whole.dot(u_bar) / whole.dot(whole) * whole
                    for k in ti.static(range(3)):
                        g.qvel_bar[w * nv + r + k] = v_bar[k]
                        g.stage_bar[prev + r + k] = g.stage_bar[prev + r + k] + h * u_bar[k]
    for k in range(na):
        g.act_bar[w * na + k] = 0.0
    for u in range(m.nu):
        first = m.actuator_actadr[u]
        if first >= 0:
            for k in range(first, first + states_of(m, u)):
                act_dot_vjp(m, d, g, w, u, w * na + k, g.stage_bar[s + 2 * nv + k])


@serves("rk4")
@ti.func
def leave_stage_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32):
    """After it: hand q_bar, v_bar, act_bar of the stage's state to the start and to stage i - 1."""
    nq = m.nq
    nv = m.nv
    na = m.na
    o = w * m.nstage
    h = m.timestep * node(i)
    if i > 0:
        prev = stage_at(m, w, i - 1)
        for k in range(nv):
            g.stage_bar[prev + nv + k] = g.stage_bar[prev + nv + k] + h * g.qvel_bar[w * nv + k]
        for k in range(na):
            g.stage_bar[prev + 2 * nv + k] = g.stage_bar[prev + 2 * nv + k] + h * g.act_bar[w * na + k]
        integrate_pos_vjp(m, w, d.stage, prev, h, g.qpos_bar, w * nv, g.stage_bar, prev)
    for k in range(nv):
        g.stage_bar[o + k] = g.stage_bar[o + k] + g.qpos_bar[w * nv + k]
        g.stage_bar[o + nq + k] = g.stage_bar[o + nq + k] + g.qvel_bar[w * nv + k]
    for k in range(na):
        g.stage_bar[o + nq + nv + k] = g.stage_bar[o + nq + nv + k] + g.act_bar[w * na + k]
    if i == 0:
        for k in range(nv):
            g.qpos_bar[w * nv + k] = g.stage_bar[o + k]
            g.qvel_bar[w * nv + k] = g.stage_bar[o + nq + k]
        for k in range(na):
            g.act_bar[w * na + k] = g.stage_bar[o + nq + nv + k]
