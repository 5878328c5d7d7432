"""A step and its derivatives, A and B of x' = A dx + B du, x = (dq, qvel, act): what `linearize` launches.

The adjoint of a step is linear in its cotangent, and all rows of A share one state. The state's share is made once: the
derivatives of r = M a + c - tau - J^T f by q, v, act and ctrl (rows, dynamics/derivatives.py), and from them those
of the acceleration that the velocity update uses,

    da = -H^-1 dr,    da_eff = (M + h D)^-1 (M da - dM (a_eff - a) - h dD a_eff)        (solver.py, implicit.py)

What acts on a joint's own dofs alone (limits, friction, springs, dampers, actuators) is asked of its adjoint, for one
dof of every joint at a time; where tendons tie joints together, for one dof of all. Euler and implicitfast then read A
and B off; for RK4 a row of them is the pull of a unit cotangent through the stages, each of which is a vector times
its rows.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.block import add_transpose, chain_mul, is_tendon
from engine.constraint.blocks import constraint_block_vjp
from engine.constraint.derivatives import contacts_jacobian
from engine.constraint.rolling import add_turn_transpose, coupled, turns
from engine.constraint.rows import row_vjp
from engine.constraint.solver import hessian, solve_hessian
from engine.dynamics.actuation import act_dot_vjp, next_act
from engine.dynamics.advance import move
from engine.dynamics.derivatives import (
    add_mass_rows,
    add_to_row,
    clear_rows,
    rnea_jacobian,
    row_strips,
    rows_at,
    solve_rows,
)  # fmt: skip
from engine.dynamics.free_body import lone_dof, solve_lone
from engine.dynamics.implicit import damping_vjp, effective_acceleration, factor_implicit, has_implicit
from engine.dynamics.kinematics import read_vec
from engine.dynamics.passive import has_spring, passive_vjp
from engine.dynamics.rk4 import (
    advance_rk4_vjp,
    combine_stages,
    enter_stage,
    enter_stage_vjp,
    leave_stage,
    leave_stage_vjp,
    start_stages,
)  # fmt: skip
from engine.dynamics.rnea import motion
from engine.dynamics.tendon import clear_tendons, lengths_vjp
from engine.math.index import bounded, vector_at
from engine.math.quat import jr_transpose, quat_exp, rotate
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3
from engine.model.constants import BALL, FREE, IMPLICITFAST
from engine.model.coordinates import QUATERNION
from engine.records import stages
from engine.schema import OK
from engine.step import (
    actuation_adjoint,
    check,
    check_capacity,
    smooth_terms,
    solved,
    tendon_adjoint,
    tendon_block_adjoint,
    unconstrained,
)  # fmt: skip


@outline("mdl", "w slot implicit")
@ti.func
def motion_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """The rows of `slot` become d(M a + c)/dx and the applied forces' share, those of 1 dM (a_eff - a)."""
    nv = m.nv
    motion(m, d, w, d.u_ang, d.u_lin, d.qacc)
    clear_rows(m, l, rows_at(m, w, slot), nv)
    if implicit:
        for i in range(nv):
            d.ma[w, i] = d.qacc_eff[w, i] - d.qacc[w, i]
        motion(m, d, w, d.q_ang, d.q_lin, d.ma)
        clear_rows(m, l, rows_at(m, w, 1), nv)
    rnea_jacobian(m, d, l, w, slot, implicit)


@outline("mdgl", "w slot", when="contact")
@ti.func
def contact_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    contacts_jacobian(m, d, g, l, w, 16 * rows_at(m, w, slot))


@ti.func
def turns_of(m: ti.template(), j: ti.i32):
    """Dofs of joint j, and how many of them must be asked one by one: all, or one where nothing couples them."""
    n = 1
    alone = 1
    if ti.static(has.quaternion):
        t = m.jnt_type[j]
        if t == FREE or t == BALL:
            n = 6 if t == FREE else 3
            together = has_spring(m, j) or m.jnt_limited[j] != 0
            together = together or m.integrator == IMPLICITFAST and lone_dof(m, j) >= 0
            for u in range(m.nu):
                together = together or m.actuator_trnid[u] == j
            if together:
                alone = n
    return n, alone


@outline("mdgl", "w slot part")
@ti.func
def joint_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32,
               part: ti.i32):  # fmt: skip
    """The rows of `slot` gain what acts on joints' own dofs, as the adjoints of limits, friction, springs, dampers and
    actuators have it; with `part` 1 what implicitfast's velocity slopes depend on."""
    nv = m.nv
    most = 1
    for j in range(m.njnt):
        n, alone = turns_of(m, j)
        most = ti.max(most, alone)
    tied = 0
    if ti.static(has.tendon):
        if m.ntendon > 0:
            tied = 1
            most = nv
    for turn in range(most):
        for i in range(nv):
            d.z[w, i] = 0.0
            d.mu[w, i] = 0.0
            g.qpos_bar[w * nv + i] = 0.0
            g.qvel_bar[w * nv + i] = 0.0
        for i in range(m.na):
            g.act_bar[w * m.na + i] = 0.0
        for u in range(m.nu):
            g.ctrl_bar[w * m.nu + u] = 0.0
        if tied:
            d.z[w, turn] = 1.0
            d.mu[w, turn] = 1.0
        else:
            for j in range(m.njnt):
                n, alone = turns_of(m, j)
                for k in range(n):
                    if k == turn or alone < n and turn == 0:
                        d.z[w, m.jnt_dofadr[j] + k] = 1.0
                        d.mu[w, m.jnt_dofadr[j] + k] = 1.0
        if ti.static(has.tendon):
            clear_tendons(m, g, w)
        if part == 0:
            joint_vjp(m, d, g, w)
        else:
            damping_vjp(m, d, g, w)
            if ti.static(has.tendon):
                lengths_vjp(m, d, g, w)
        if tied:
            take_tied_row(m, g, l, w, 16 * rows_at(m, w, slot), turn)
        else:
            take_joint_rows(m, g, l, w, 16 * rows_at(m, w, slot), turn)


@ti.func
def joint_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoints of all that acts on joints, for the test vector Z."""
    for r in range(d.nrow[w]):
        row_vjp(m, d, g, w, w * m.nrowmax + r)
    if ti.static(has.ball_limit):
        for r in range(d.ncon[w], d.nblock[w]):
            c = w * m.nconmax + r
            if not is_tendon(d.con_pair[c]):
                y = chain_mul(m, d, w, c, d.z)
                constraint_block_vjp(m, d, g, w, c, y)
    tendon_block_adjoint(m, d, g, w)
    actuation_adjoint(m, d, g, w)
    passive_vjp(m, d, g, w)
    tendon_adjoint(m, d, g, w, 0)


@ti.func
def take_tied_row(m: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32, i: ti.i32):
    """Add what the adjoints hold to the row at lin_rows[o:] of dof i, which alone was asked for."""
    nv = m.nv
    x = o + i * 16 * row_strips(m)
    for c in range(nv):
        l.lin_rows[x + c] = l.lin_rows[x + c] + g.qpos_bar[w * nv + c]
        l.lin_rows[x + m.ld + c] = l.lin_rows[x + m.ld + c] + g.qvel_bar[w * nv + c]
    x = x + 2 * m.ld
    for c in range(m.na):
        l.lin_rows[x + c] = l.lin_rows[x + c] + g.act_bar[w * m.na + c]
    for u in range(m.nu):
        l.lin_rows[x + m.na + u] = l.lin_rows[x + m.na + u] + g.ctrl_bar[w * m.nu + u]


@ti.func
def take_joint_rows(m: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32, turn: ti.i32):
    """Add what the turn has left in the adjoints to the rows at lin_rows[o:] of the dofs that it asked for."""
    nv = m.nv
    ld = m.ld
    width = 16 * row_strips(m)
    for j in range(m.njnt):
        n, alone = turns_of(m, j)
        i = m.jnt_dofadr[j]
        for k in range(n):
            row = turn
            if alone < n:
                row = k if turn == 0 else n
            if row < n:
                x = o + (i + row) * width + i + k
                l.lin_rows[x] = l.lin_rows[x] + g.qpos_bar[w * nv + i + k]
                l.lin_rows[x + ld] = l.lin_rows[x + ld] + g.qvel_bar[w * nv + i + k]
    for u in range(m.nu):
        j = m.actuator_trnid[u]
        n, alone = turns_of(m, j)
        if turn < n:
            x = o + (m.jnt_dofadr[j] + turn) * width + 2 * ld
            k = m.actuator_actadr[u]
            if k >= 0:
                l.lin_rows[x + k] = l.lin_rows[x + k] + g.act_bar[w * m.na + k]
            k = m.na + u
            l.lin_rows[x + k] = l.lin_rows[x + k] + g.ctrl_bar[w * m.nu + u]


@outline("mdl", "w y x")
@ti.func
def constrained_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, y: ti.i32, x: ti.i32):
    """The rows from strip y on gain M H^-1 R = R - J^T K J H^-1 R, R those from strip x on: cheaper than solving and
    multiplying them all where J has few rows."""
    nv = m.nv
    ns = row_strips(m)
    for i in range(nv):
        add_to_row(m, l, y + i * ns, 1.0, x + i * ns)
    for r in range(d.nrow[w]):
        i = bounded(w * m.nrowmax + r)
        if d.row_k[i] > 0:
            dof = d.row_dof[i]
            for k in range(nv):
                d.z[w, k] = ti.cast(k == dof, real)
            solve_hessian(m, d, w, d.z)
            row = combined_row(m, d, l, w, x)
            add_to_row(m, l, y + dof * ns, -d.row_k[i], row)
    if ti.static(has.block):
        for r in range(3 * d.nblock[w]):
            c = bounded(w * m.nconmax + r // 3)
            kd = d.con_kd[c]
            if kd[r % 3] > 0:
                e = vec3(ti.cast(r % 3 == 0, real), ti.cast(r % 3 == 1, real), ti.cast(r % 3 == 2, real))
                for k in range(nv):
                    d.z[w, k] = 0.0
                add_transpose(m, d, w, c, e, d.z)
                solve_hessian(m, d, w, d.z)
                row = combined_row(m, d, l, w, x)
                ke = sym_mul(kd, d.con_ko[c], e)
                at = c * m.nchain
                for q in range(at, at + d.con_ndof[c]):
                    a = ke.dot(d.con_J[vector_at(q)])
                    if ti.static(has.rolling):
                        if turns(d, c):
                            a = a + d.turn_p[c].dot(e) * d.turn_q[c].dot(d.turn_J[vector_at(q)])
                    if a != 0:
                        add_to_row(m, l, y + d.chain_dof[q] * ns, -a, row)
    turned_rows(m, d, l, w, y, x)


@serves("rolling")
@ti.func
def turned_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, y: ti.i32, x: ti.i32):
    """What the further rows of contacts that roll add to `constrained_rows`."""
    for r in range(3 * d.ncon[w]):
        c = bounded(w * m.nconmax + r // 3)
        if turns(d, c):
            e = vec3(ti.cast(r % 3 == 0, real), ti.cast(r % 3 == 1, real), ti.cast(r % 3 == 2, real))
            ke, ke2 = coupled(d, c, vec3(0.0, 0.0, 0.0), e)
            if ke2.dot(e) > 0:
                for k in range(m.nv):
                    d.z[w, k] = 0.0
                add_turn_transpose(m, d, w, c, e, d.z)
                solve_hessian(m, d, w, d.z)
                row = combined_row(m, d, l, w, x)
                at = c * m.nchain
                for q in range(at, at + d.con_ndof[c]):
                    a = ke.dot(d.con_J[vector_at(q)]) + ke2.dot(d.turn_J[vector_at(q)])
                    add_to_row(m, l, y + d.chain_dof[q] * row_strips(m), -a, row)


@ti.func
def combined_row(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, x: ti.i32):
    """Where a row lies that is the sum of z times the rows from strip x on."""
    row = rows_at(m, w + 1, 0) - row_strips(m)
    clear_rows(m, l, row, 1)
    for k in range(m.nv):
        add_to_row(m, l, row, d.z[w, k], x + k * row_strips(m))
    return row


@outline("mdl", "w slot implicit")
@ti.func
def solved_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """The rows of `slot` become those of -a or, with `implicit`, those of 1 become those of -a_eff."""
    nv = m.nv
    first = rows_at(m, w, slot)
    count = d.nrow[w] + 3 * d.nblock[w]
    if ti.static(has.rolling):
        count = count + 3 * d.ncon[w]
    few = implicit and 2 * count <= nv
    if not unconstrained(d, w):
        hessian(m, d, w)
    if not few:
        solve_rows(m, l, d.H, w * m.nh, d, w * nv, first)
    if implicit:
        e = rows_at(m, w, 1)
        if few:
            constrained_rows(m, d, l, w, e, first)
        else:
            add_mass_rows(m, d, l, w, e, first)
        if ti.static(has.lone):
            if m.integrator == IMPLICITFAST:
                factor_implicit(m, d, w)  # a part of it lies in H
        solve_rows(m, l, d.MhD, w * m.nm, m, 0, e)
        if ti.static(has.lone):
            if m.integrator == IMPLICITFAST:
                solve_lone_rows(m, d, l, w, 16 * e)


@ti.func
def solve_lone_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """The rows at lin_rows[o:] of lone free bodies become A^-1 times them (free_body.py)."""
    nv = m.nv
    width = 16 * row_strips(m)
    for c in range(width):
        for i in range(nv):
            d.z[w, i] = l.lin_rows[o + i * width + c]
        solve_lone(m, d, w, d.z, 0)
        for i in range(nv):
            l.lin_rows[o + i * width + c] = d.z[w, i]


@ti.func
def states(m: ti.template()):
    """Entries of x."""
    return 2 * m.nv + m.na


@ti.func
def put_row(m: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, k: ti.i32, scale: real, i: ti.i32,
            keep: ti.template()):  # fmt: skip
    """Row k of A and B becomes `scale` times what the new velocity of dof i, over h, depends on; with `keep` it gains
    that. The acceleration's rows are those of `slot`."""
    nv = m.nv
    na = m.na
    n = states(m)
    a = (w * n + k) * n
    b = (w * n + k) * m.nu
    x = 16 * (rows_at(m, w, slot) + i * row_strips(m))
    v = x + m.ld
    u = v + m.ld
    for c in range(nv):
        q = -scale * l.lin_rows[x + c]
        y = -scale * l.lin_rows[v + c]
        if ti.static(keep):
            q = q + l.lin_A[a + c]
            y = y + l.lin_A[a + nv + c]
        l.lin_A[a + c] = q
        l.lin_A[a + nv + c] = y
    l.lin_A[a + nv + i] = l.lin_A[a + nv + i] + scale / m.timestep
    for c in range(na):
        q = -scale * l.lin_rows[u + c]
        if ti.static(keep):
            q = q + l.lin_A[a + 2 * nv + c]
        l.lin_A[a + 2 * nv + c] = q
    for c in range(m.nu):
        q = -scale * l.lin_rows[u + na + c]
        if ti.static(keep):
            q = q + l.lin_B[b + c]
        l.lin_B[b + c] = q


@outline("mdgl", "w slot")
@ti.func
def euler_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """A and B of Euler and implicitfast: v' = v + h a_eff, q' = q (+) h v', act' from act and act_dot."""
    nv = m.nv
    n = states(m)
    h = m.timestep
    for turn in range(2):  # velocities, then positions as if none were a rotation
        for k in range(nv):
            put_row(m, l, w, slot, (1 - turn) * nv + k, h if turn == 0 else h * h, k, False)
    for k in range(nv):
        x = (w * n + k) * n + k
        l.lin_A[x] = l.lin_A[x] + 1.0
    if ti.static(has.quaternion):
        for j in range(m.ncoord):
            r = m.coord_dofadr[j]
            if m.coord_kind[j] == QUATERNION:
                u = h * (read_vec(d.qvel, w * nv + r) + h * read_vec(d.dofr, d.qacc_eff.at(w, r)))
                for k in range(3):
                    e = vec3(ti.cast(k == 0, real), ti.cast(k == 1, real), ti.cast(k == 2, real))
                    y = rotate(quat_exp(u), e)
                    z = h * h * jr_transpose(u, e)
                    put_row(m, l, w, slot, r + k, z[0], r, False)
                    for c in range(1, 3):
                        put_row(m, l, w, slot, r + k, z[1] if c == 1 else z[2], r + c, True)
                    for c in ti.static(range(3)):
                        x = (w * n + r + k) * n + r + c
                        l.lin_A[x] = l.lin_A[x] + y[c]
    if ti.static(has.activation):
        for u in range(m.nu):
            k = m.actuator_actadr[u]
            if k >= 0:
                a = w * m.na + k
                i = w * m.nu + u
                x, sa, sd = next_act(m, d, w, u, a, h)
                g.act_bar[a] = sa
                g.ctrl_bar[i] = 0.0
                act_dot_vjp(m, d, g, w, u, a, sd)
                row = w * n + 2 * nv + k
                for c in range(n):
                    l.lin_A[row * n + c] = 0.0
                for c in range(m.nu):
                    l.lin_B[row * m.nu + c] = 0.0
                l.lin_A[row * n + 2 * nv + k] = g.act_bar[a]
                l.lin_B[row * m.nu + u] = g.ctrl_bar[i]


@outline("mdgl", "w", when="rk4")
@ti.func
def rk4_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    """A and B of RK4, row by row: the adjoint of its stages, whose dynamics are their rows' derivatives."""
    nv = m.nv
    na = m.na
    n = states(m)
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
            enter_stage_vjp(m, d, g, w, stage)
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


@ti.func
def pull_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """Adds a_bar times the rows of the acceleration, which `slot` holds with the opposite sign, to the adjoints."""
    nv = m.nv
    na = m.na
    ld = m.ld
    for i in range(nv):
        bar = -d.a_bar[w, i]
        if bar != 0:
            x = 16 * (rows_at(m, w, slot) + i * row_strips(m))
            for c in range(nv):
                g.qpos_bar[w * nv + c] = g.qpos_bar[w * nv + c] + bar * l.lin_rows[x + c]
                g.qvel_bar[w * nv + c] = g.qvel_bar[w * nv + c] + bar * l.lin_rows[x + ld + c]
            x = x + 2 * ld
            for c in range(na):
                g.act_bar[w * na + c] = g.act_bar[w * na + c] + bar * l.lin_rows[x + c]
            for u in range(m.nu):
                k = w * m.nu + u
                g.ctrl_bar[k] = g.ctrl_bar[k] + bar * l.lin_rows[x + na + u]


@outline("mdgl", "w")
@ti.func
def linearized(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32):
    """A and B of a physics step from the state at hand, and the state after it."""
    implicit = has_implicit(m, 0)
    nstage = stages(m)
    if nstage > 1:
        start_stages(m, d, w)
    for i in range(nstage):
        if nstage > 1:
            enter_stage(m, d, w, i)
        smooth_terms(m, d, w, 2)
        solved(m, d, w, 0)
        if nstage == 1:
            effective_acceleration(m, d, w, implicit, 0)
        motion_rows(m, d, l, w, i, implicit)
        if d.ncon[w] > 0:
            contact_rows(m, d, g, l, w, i)
        joint_rows(m, d, g, l, w, i, 0)
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
