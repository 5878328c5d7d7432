"""A step and its derivatives, A and B of x' = A dx + B du, x = (dq, qvel, act): what `linearize` launches.

The adjoint of a step is linear in its cotangent, and all rows of A share one state. The state's share is made once: the
derivatives of r = M a + c - tau - J^T f by q, v, act and ctrl (dynamics/derivative_rows.py), and from them those
of the acceleration that the velocity update uses,

    da = -H^-1 dr,    da_eff = (M + h D)^-1 (M da - dM (a_eff - a) - h dD a_eff)        (solver.py, implicit.py)

What acts on a joint's own dofs alone (limits, friction, springs, dampers, actuators) is asked of its adjoint, for one
dof of every joint at a time; where tendons tie joints together, for one dof of all (joint_rows.py). Euler and
implicitfast then read A and B off; for RK4 a row of them is the pull of a unit cotangent through the stages, each of
which is a vector times its rows.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.derivatives import contacts_jacobian
from engine.constraint.solved_rows import solved_rows
from engine.dynamics.activation import act_dot_vjp, act_rates, next_act
from engine.dynamics.advance import move
from engine.dynamics.delay import begin_late, late_controls_vjp, past_controls
from engine.dynamics.derivative_rows import STRIP, clear_rows, row_strips, rows_at
from engine.dynamics.derivatives import own_rates, rnea_jacobian
from engine.dynamics.factor import four_at
from engine.dynamics.implicit import effective_acceleration, has_implicit
from engine.dynamics.kinematics import read_vec
from engine.dynamics.plastic import rests_yield_vjp, start_lengths_vjp
from engine.dynamics.rk4 import (
    advance_rk4_vjp,
    combine_stages,
    enter_stage,
    enter_stage_vjp,
    leave_stage,
    leave_stage_vjp,
    start_stages,
)  # fmt: skip
from engine.dynamics.tendon import clear_tendons, lengths_vjp
from engine.dynamics.touched import touched_jacobian
from engine.evaluation import smooth_terms, solved
from engine.joint_rows import joint_rows, residual_rows
from engine.math.quat import jr_transpose, quat_exp, rotate
from engine.math.types import BITS, real, vec3
from engine.model.constants import IMPLICITFAST
from engine.model.coordinates import QUATERNION
from engine.records import stages
from engine.schema import DIVERGED, OK
from engine.step import check, check_capacity


@outline("mdl", "w slot implicit")
@ti.func
def rates(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """What the rows of motions and contacts are made of; no rows yet in `slot`, nor in 1 for what is implicit."""
    nv = m.nv
    clear_rows(m, l, rows_at(m, w, slot), nv)
    if implicit:
        for i in range(nv):
            d.ma[w, i] = d.qacc_eff[w, i] - d.qacc[w, i]
        clear_rows(m, l, rows_at(m, w, 1), nv)
    own_rates(m, d, l, w, implicit)


@outline("mdl", "w slot implicit")
@ti.func
def motion_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """The rows of `slot` gain d(M a + c)/dx and the applied forces' share, those of 1 dM (a_eff - a)."""
    rnea_jacobian(m, d, l, w, slot, implicit)


@outline("mdgl", "w slot", when="contact")
@ti.func
def contact_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """Those of contacts, or sums from which `touched_rows` makes them."""
    contacts_jacobian(m, d, g, l, w, STRIP * rows_at(m, w, slot))


@outline("mdl", "w slot", when="contact")
@ti.func
def touched_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    touched_jacobian(m, d, l, w, STRIP * rows_at(m, w, slot))


@ti.func
def states(m: ti.template()):
    """Entries of x."""
    return 2 * m.nv + m.na


@ti.func
def put_scaled(m: ti.template(), to: ti.template(), y: ti.i32, a: real, source: ti.template(), x: ti.i32, n: ti.i32):
    """The n numbers from to[y] on become a times those from source[x] on."""
    for q in range(n >> 2):
        i = four_at(y + 4 * q)
        j = four_at(x + 4 * q)
        b = ti.Vector([a * source[j + c] for c in range(4)])
        for c in ti.static(range(4)):
            to[i + c] = b[c]
    for c in ti.static(range(3)):
        q = (n >> 2 << 2) + c
        if q < n:
            to[y + q] = a * source[x + q]


@outline("mdgl", "w slot")
@ti.func
def euler_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """A and B of Euler and implicitfast: v' = v + h a_eff, q' = q (+) h v', act' from act and act_dot. The rows of
    `slot` are those of -a_eff."""
    nv = m.nv
    na = m.na
    nu = m.nu
    n = states(m)
    h = m.timestep
    for i in range(nv):
        x = STRIP * (rows_at(m, w, slot) + i * row_strips(m))
        v = w * n + nv + i
        put_scaled(m, l.lin_A, v * n, -h, l.lin_rows, x, nv)
        put_scaled(m, l.lin_A, v * n + nv, -h, l.lin_rows, x + m.ld, nv)
        put_scaled(m, l.lin_A, v * n + 2 * nv, -h, l.lin_rows, x + 2 * m.ld, na)
        put_scaled(m, l.lin_B, v * nu, -h, l.lin_rows, x + 2 * m.ld + na, nu)
        k = v * n + nv + i
        l.lin_A[k] = l.lin_A[k] + 1.0
        # as if the coordinate were no part of a rotation
        q = w * n + i
        put_scaled(m, l.lin_A, q * n, h, l.lin_A, v * n, n)
        put_scaled(m, l.lin_B, q * nu, h, l.lin_B, v * nu, nu)
        k = q * n + i
        l.lin_A[k] = l.lin_A[k] + 1.0
    if ti.static(has.quaternion):
        for j in range(m.ncoord):
            r = m.coord_dofadr[j]
            if m.coord_kind[j] == QUATERNION:
                u = h * (read_vec(d.qvel, w * nv + r) + h * read_vec(d.dofr, d.qacc_eff.at(w, r)))
                for k in range(3):
                    e = vec3(ti.cast(k == 0, real), ti.cast(k == 1, real), ti.cast(k == 2, real))
                    y = rotate(quat_exp(u), e)
                    z = h * jr_transpose(u, e)
                    q = w * n + r + k
                    v = w * n + nv + r
                    for c in range(n):
                        s = z[0] * l.lin_A[v * n + c] + z[1] * l.lin_A[(v + 1) * n + c]
                        l.lin_A[q * n + c] = s + z[2] * l.lin_A[(v + 2) * n + c]
                    for c in range(nu):
                        s = z[0] * l.lin_B[v * nu + c] + z[1] * l.lin_B[(v + 1) * nu + c]
                        l.lin_B[q * nu + c] = s + z[2] * l.lin_B[(v + 2) * nu + c]
                    for c in ti.static(range(3)):
                        x = q * n + r + c
                        l.lin_A[x] = l.lin_A[x] + y[c]
    if ti.static(has.activation):
        for u in range(m.nu):
            k = m.actuator_actadr[u]
            if k >= 0:
                a = w * m.na + k
                i = w * m.nu + u
                x, sa, sd = next_act(m, d, w, u, a, h)
                clear_past(m, g, w, u)
                g.act_bar[a] = sa
                g.ctrl_bar[i] = 0.0
                act_dot_vjp(m, d, g, w, u, a, sd)
                row = w * n + 2 * nv + k
                for c in range(n):
                    l.lin_A[row * n + c] = 0.0
                for c in range(m.nu):
                    l.lin_B[row * m.nu + c] = 0.0
                late_controls_vjp(m, d, g, w)
                l.lin_A[row * n + 2 * nv + k] = g.act_bar[a]
                l.lin_B[row * m.nu + u] = g.ctrl_bar[i]
                take_past(m, g, l, w, u, row * n + 2 * nv)
    past_rows(m, l, w)
    rest_rows(m, d, g, l, w)


@serves("delay")
@ti.func
def clear_past(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32):
    """No adjoint of the controls of the past that actuator u has."""
    n = past_controls(m, u)
    if n > 0:
        g.delay_kept[w * m.nu + u] = 0.0
    for k in range(n):
        g.act_bar[w * m.na + m.delay_adr[u] + k] = 0.0


@serves("delay")
@ti.func
def take_past(m: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, u: ti.i32, x: ti.i32):
    """What that adjoint is now, into a row of A whose entries by act begin at x."""
    for k in range(past_controls(m, u)):
        j = m.delay_adr[u] + k
        l.lin_A[x + j] = g.act_bar[w * m.na + j]


@serves("delay")
@ti.func
def past_rows(m: ti.template(), l: ti.template(), w: ti.i32):
    """The rows of A and B of controls of the past, each of which is the next one, or the control, a step earlier."""
    n = states(m)
    for u in range(m.ndelay):
        for k in range(m.delay_num[u]):
            j = 2 * m.nv + m.delay_adr[u] + k
            row = w * n + j
            for c in range(n):
                l.lin_A[row * n + c] = 0.0
            for c in range(m.nu):
                l.lin_B[row * m.nu + c] = 0.0
            if k < m.delay_num[u] - 1:
                l.lin_A[row * n + j + 1] = 1.0
            else:
                l.lin_B[row * m.nu + u] = 1.0


@serves("plastic")
@ti.func
def end_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, v: ti.i32):
    """lin_end: what the lengths of tendons by which rests yield are by qpos at given velocities dofr[v:], at the state
    at hand."""
    nv = m.nv
    for t in range(m.nresttendon):
        if m.ten_rest[t] >= 0:
            for s in range(m.nresttendon):
                g.ten_end_bar[w, s] = ti.cast(s == t, real)
            clear_tendons(m, g, w)
            start_lengths_vjp(m, d, g, w, v)
            for i in range(nv):
                g.qpos_bar[w * nv + i] = 0.0
            lengths_vjp(m, d, g, w)
            for i in range(nv):
                l.lin_end[(w * m.nresttendon + t) * nv + i] = g.qpos_bar[w * nv + i]


@serves("plastic")
@ti.func
def take_ends(m: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, row: ti.i32):
    """A row of A gains what it asks of these lengths, ten_end_bar."""
    for t in range(m.nresttendon):
        bar = g.ten_end_bar[w, t]
        if bar != 0:
            for i in range(m.nv):
                x = row * states(m) + i
                l.lin_A[x] = l.lin_A[x] + bar * l.lin_end[(w * m.nresttendon + t) * m.nv + i]


@outline("mdgl", "w", when="plastic")
@ti.func
def rest_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    """The rows of A and B of rests of springs: of coordinates and velocities after the step, whose rows are made, and
    of lengths at its start."""
    nv = m.nv
    na = m.na
    n = states(m)
    if m.nrest > 0:
        for i in range(nv):
            d.ma[w, i] = d.qvel[w * nv + i] + m.timestep * d.qacc_eff[w, i]
        end_rows(m, d, g, l, w, d.ma.at(w, 0))
    for k in range(m.nrest):
        own = na - m.nrest + k
        row = w * n + 2 * nv + own
        for i in range(nv):
            g.qpos_bar[w * nv + i] = 0.0
        for i in range(na):
            g.act_bar[w * na + i] = ti.cast(i == own, real)
        rests_yield_vjp(m, d, g, w, d.ma.at(w, 0))
        for c in range(n):
            l.lin_A[row * n + c] = 0.0
        for c in range(m.nu):
            l.lin_B[row * m.nu + c] = 0.0
        for i in range(2 * nv):
            bar = d.a_bar[w, i - nv] if i >= nv else g.qpos_bar[w * nv + i]
            if bar != 0:
                for c in range(n):
                    l.lin_A[row * n + c] = l.lin_A[row * n + c] + bar * l.lin_A[(w * n + i) * n + c]
                for c in range(m.nu):
                    x = row * m.nu + c
                    l.lin_B[x] = l.lin_B[x] + bar * l.lin_B[(w * n + i) * m.nu + c]
        for i in range(na):
            x = row * n + 2 * nv + i
            l.lin_A[x] = l.lin_A[x] + g.act_bar[w * na + i]
        take_ends(m, g, l, w, row)


@outline("mdgl", "w", when="plastic")
@ti.func
def start_end_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    """lin_end of RK4, whose lengths are those of its first stage."""
    if m.nresttendon > 0:
        combine_stages(m, d, w)
        smooth_terms(m, d, w, 0)
        end_rows(m, d, g, l, w, d.v_stage.at(w, 0))


@outline("mdgl", "w", when="rk4")
@ti.func
def rk4_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    """A and B of RK4, row by row: the adjoint of its stages, whose dynamics are their rows' derivatives."""
    nv = m.nv
    na = m.na
    n = states(m)
    start_end_rows(m, d, g, l, w)
    for k in range(n):
        for i in range(nv):
            g.qpos_bar[w * nv + i] = ti.cast(k == i, real)
            g.qvel_bar[w * nv + i] = ti.cast(k == nv + i, real)
        for i in range(na):
            g.act_bar[w * na + i] = ti.cast(k == 2 * nv + i, real)
        for u in range(m.nu):
            g.ctrl_bar[w * m.nu + u] = 0.0
        advance_rk4_vjp(m, d, g, w)
        for back in range(4):
            stage = 3 - back
            enter_stage(m, d, w, stage)
            if ti.static(has.muscle or has.delay):
                act_rates(m, d, w)  # whose derivatives the adjoint of act_dot reads
            begin_late(m, g, w)
            enter_stage_vjp(m, d, g, w, stage)
            late_controls_vjp(m, d, g, w)
            pull_rows(m, d, g, l, w, stage)
            leave_stage_vjp(m, d, g, w, stage)
        a = (w * n + k) * n
        for i in range(nv):
            l.lin_A[a + i] = g.qpos_bar[w * nv + i]
            l.lin_A[a + nv + i] = g.qvel_bar[w * nv + i]
        for i in range(na):
            l.lin_A[a + 2 * nv + i] = g.act_bar[w * na + i]
        for u in range(m.nu):
            l.lin_B[(w * n + k) * m.nu + u] = g.ctrl_bar[w * m.nu + u]
        take_ends(m, g, l, w, w * n + k)


@ti.func
def pull_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """Adds a_bar times the rows of the acceleration, which `slot` holds with the opposite sign, to the adjoints."""
    nv = m.nv
    na = m.na
    ld = m.ld
    for i in range(nv):
        bar = -d.a_bar[w, i]
        if bar != 0:
            x = STRIP * (rows_at(m, w, slot) + i * row_strips(m))
            for c in range(nv):
                g.qpos_bar[w * nv + c] = g.qpos_bar[w * nv + c] + bar * l.lin_rows[x + c]
                g.qvel_bar[w * nv + c] = g.qvel_bar[w * nv + c] + bar * l.lin_rows[x + ld + c]
            x = x + 2 * ld
            for c in range(na):
                g.act_bar[w * na + c] = g.act_bar[w * na + c] + bar * l.lin_rows[x + c]
            for u in range(m.nu):
                k = w * m.nu + u
                g.ctrl_bar[k] = g.ctrl_bar[k] + bar * l.lin_rows[x + na + u]


@ti.func
def is_finite(x: real):
    """By its bits: LLVM is told that numbers are finite ("fast math"), and may take a comparison as known."""
    good = 1
    if ti.static(BITS == 64):
        good = ti.cast(ti.bit_cast(x, ti.i64) & ti.i64(0x7FF0000000000000) != ti.i64(0x7FF0000000000000), ti.i32)
    else:
        good = ti.cast(ti.bit_cast(x, ti.i32) & 0x7F800000 != 0x7F800000, ti.i32)
    return good


@ti.func
def are_finite(a: ti.template(), first: ti.i32, n: ti.i32):
    good = 1
    for k in range(n):
        good = good & is_finite(a[first + k])
    return good


@outline("md", "w")
@ti.func
def look_at_state(m: ti.template(), d: ti.template(), w: ti.i32):
    """Status DIVERGED for a state that has a number which is not finite; the host then tells which."""
    good = is_finite(d.time[w]) & are_finite(d.qpos, w * m.nq, m.nq)
    for x in ti.static((d.qvel, d.qacc_warmstart, d.qfrc_applied)):
        good = good & are_finite(x, w * m.nv, m.nv)
    good = good & are_finite(d.ctrl, w * m.nu, m.nu)
    if ti.static(has.activation):
        good = good & are_finite(d.act, w * m.na, m.na)
    for b in range(m.nbody):
        for k in ti.static(range(2)):
            for c in ti.static(range(3)):
                good = good & is_finite(d.xfrc_applied[w * m.nbody + b, k][c])
    if ti.static(has.mocap):
        for b in range(m.nmocap):
            for c in ti.static(range(3)):
                good = good & is_finite(d.mocap_pos[w * m.nmocap + b][c])
            for c in ti.static(range(4)):
                good = good & is_finite(d.mocap_quat[w * m.nmocap + b][c])
    d.status[w] = OK if good else DIVERGED


@outline("mdgl", "w")
@ti.func
def linearized(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    """A and B of a physics step from the state at hand, and the state after it."""
    look_at_state(m, d, w)
    if d.status[w] == OK:
        linearized_step(m, d, g, l, w)


@ti.func
def linearized_step(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    implicit, back = has_implicit(m)
    nstage = stages(m)
    if nstage > 1:
        start_stages(m, d, w)
    for i in range(nstage):
        if nstage > 1:
            enter_stage(m, d, w, i)
        smooth_terms(m, d, w, 2)
        solved(m, d, w)
        if nstage == 1:
            effective_acceleration(m, d, w, implicit, 0, implicit)
        rates(m, d, l, w, i, implicit)
        motion_rows(m, d, l, w, i, implicit)
        if d.ncon[w] > 0:
            contact_rows(m, d, g, l, w, i)
            touched_rows(m, d, l, w, i)
        joint_rows(m, d, g, l, w, i, 0)
        residual_rows(m, d, g, l, w, i)
        if ti.static(has.implicitfast or has.polynomial):
            slopes = m.integrator == IMPLICITFAST
            if ti.static(has.polynomial):
                slopes = implicit != 0
            if slopes:
                joint_rows(m, d, g, l, w, 1, 1)
        solved_rows(m, d, l, w, i, implicit)
        if nstage > 1:
            leave_stage(m, d, w, i)
    check_capacity(m, d, w, 0)
    if nstage > 1:
        rk4_rows(m, d, g, l, w)
        combine_stages(m, d, w)
    else:
        euler_rows(m, d, g, l, w, implicit)
    if d.status[w] == OK:
        move(m, d, w)
        check(m, d, w, 0)
