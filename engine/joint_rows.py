"""What acts within joints, and what ties joints together (tendons, equalities of joints), as rows of derivatives
(linearized.py)."""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import is_equality
from engine.constraint.blocks import ball_limit_blocks_vjp, equality_blocks_vjp, tendon_blocks_vjp
from engine.constraint.friction_law import clear_rubs, rubs_vjp
from engine.constraint.rows import row_vjp
from engine.dynamics.delay import begin_late, past_controls
from engine.dynamics.derivative_rows import STRIP, row_strips, rows_at
from engine.dynamics.free_body import lone_dof
from engine.dynamics.implicit import damping_vjp
from engine.dynamics.motors import clear_motors
from engine.dynamics.muscles import clear_muscles
from engine.dynamics.orientation import clear_orientations
from engine.dynamics.passive import has_spring, passive_vjp
from engine.dynamics.plastic import joint_rest
from engine.dynamics.residual import residual_vjp
from engine.dynamics.tendon import clear_tendons, lengths_vjp, tendons_vjp
from engine.evaluation import actuation_adjoint, law_adjoint
from engine.math.index import bounded
from engine.model.constants import BALL, FREE, IMPLICITFAST, TRN_JOINT
from engine.parts import RESIDUAL_FRICTION


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


@ti.func
def is_tied(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, n: ti.i32):
    """Whether a tendon or an equality reads one of the n dofs of joint j."""
    first = m.jnt_dofadr[j]
    tied = 0
    for e in range(m.nJten):
        i = m.ten_J_colind[e]
        if first <= i and i < first + n:
            tied = 1
    if ti.static(has.equality):
        for r in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            if is_equality(d.con_pair[c]):
                one = d.con_last1[c]
                other = d.con_last2[c]
                if first <= one and one < first + n or first <= other and other < first + n:
                    tied = 1
    return tied


@ti.func
def tied_dof(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, k: ti.i32):
    """Dof k of joint j, -1 where it has no such dof or nothing ties it."""
    n = 1
    if ti.static(has.quaternion):
        n = 6 if m.jnt_type[j] == FREE else 3 if m.jnt_type[j] == BALL else 1
    dof = -1
    if k < n:
        if is_tied(m, d, w, j, n):
            dof = m.jnt_dofadr[j] + k
    return dof


@outline("mdgl", "w slot part")
@ti.func
def joint_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32,
               part: ti.i32):  # fmt: skip
    """The rows of `slot` gain what acts on joints' own dofs, as the adjoints of limits, friction, springs, dampers and
    actuators have it; with `part` 1 what implicitfast's velocity slopes depend on."""
    most = 1
    for j in range(m.njnt):
        n, alone = turns_of(m, j)
        most = ti.max(most, alone)
    turns = most
    tied = 0
    if ti.static(has.tendon):
        if m.ntendon > 0:
            tied = 1
            turns = most + m.njnt * 6
    for turn in range(turns):
        # the joints that nothing ties to others share turns; after these each dof of the others has one of its own
        dof = -1
        if ti.static(has.tendon):
            if turn >= most:
                dof = tied_dof(m, d, w, (turn - most) // 6, (turn - most) % 6)
        if turn < most or dof >= 0:
            clear_bars(m, d, g, w)
            if dof >= 0:
                d.z[w, dof] = 1.0
                d.mu[w, dof] = 1.0
            else:
                for j in range(m.njnt):
                    n, alone = turns_of(m, j)
                    shared = 1
                    if ti.static(has.tendon):
                        if tied:
                            shared = 1 - is_tied(m, d, w, j, n)
                    if shared:
                        for k in range(n):
                            if k == turn or alone < n and turn == 0:
                                d.z[w, m.jnt_dofadr[j] + k] = 1.0
                                d.mu[w, m.jnt_dofadr[j] + k] = 1.0
            if ti.static(has.tendon):
                clear_tendons(m, g, w)
            clear_muscles(m, g, w)
            clear_motors(m, g, w)
            clear_orientations(m, g, w)
            begin_late(m, g, w)
            if part == 0:
                on_joints_vjp(m, d, g, w, tied)
            else:
                damping_vjp(m, d, g, w)
                law_adjoint(m, d, g, w)
                if ti.static(has.tendon):
                    lengths_vjp(m, d, g, w)
            if dof >= 0:
                take_tied_row(m, g, l, w, STRIP * rows_at(m, w, slot), dof)
            else:
                take_joint_rows(m, g, l, w, STRIP * rows_at(m, w, slot), turn)
    if ti.static(has.equality):
        if part == 0 and not tied:
            equality_rows(m, d, g, l, w, STRIP * rows_at(m, w, slot))


@ti.func
def clear_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """No test vector, and nothing in the adjoints of the state and the controls."""
    nv = m.nv
    for i in range(nv):
        d.z[w, i] = 0.0
        d.mu[w, i] = 0.0
        g.qpos_bar[w * nv + i] = 0.0
        g.qvel_bar[w * nv + i] = 0.0
    for i in range(m.na):
        g.act_bar[w * m.na + i] = 0.0
    for u in range(m.nu):
        g.ctrl_bar[w * m.nu + u] = 0.0
    clear_rubs(m, g, w)


@ti.func
def equality_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """Those of equalities of joints: of each dof that one of them ties, alone."""
    for i in range(m.nv):
        ties = 0
        for r in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + r)
            if is_equality(d.con_pair[c]) and (d.con_last1[c] == i or d.con_last2[c] == i):
                ties = 1
        if ties:
            clear_bars(m, d, g, w)
            d.z[w, i] = 1.0
            equality_blocks_vjp(m, d, g, w)
            take_tied_row(m, g, l, w, o, i)


@outline("mdgl", "w slot", when="residual")
@ti.func
def residual_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32):
    """The rows of `slot` gain those of residuals, each of which is asked for one of its dofs after the other."""
    for k in range(m.nresidual):
        for i in range(m.residual_num[k]):
            dof = m.residual_int[m.residual_intadr[k] + i]
            clear_bars(m, d, g, w)
            d.z[w, dof] = 1.0
            if m.residual_kind[k] != RESIDUAL_FRICTION:  # which joint_rows has
                residual_vjp(m, d, g, w, k)
            take_tied_row(m, g, l, w, STRIP * rows_at(m, w, slot), dof)


@ti.func
def on_joints_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, tied: ti.i32):
    """The adjoints of all that acts on joints, for the test vector Z; `tied`, those of equalities, too."""
    if tied and d.nblock[w] > 0:
        equality_blocks_vjp(m, d, g, w)
    for r in range(d.nrow[w]):
        row_vjp(m, d, g, w, w * m.nrowmax + r)
    rubs_vjp(m, d, g, w)
    if d.ncon[w] < d.nblock[w]:
        ball_limit_blocks_vjp(m, d, g, w)
    tendon_blocks_vjp(m, d, g, w)
    actuation_adjoint(m, d, g, w)
    passive_vjp(m, d, g, w)
    tendons_vjp(m, d, g, w, 0)


@ti.func
def take_tied_row(m: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32, i: ti.i32):
    """Add what the adjoints hold to the row at lin_rows[o:] of dof i, which alone was asked for."""
    nv = m.nv
    x = o + i * STRIP * row_strips(m)
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
    """Add what the turn has left in the adjoints to the rows at lin_rows[o:] of the dofs that it asked for, and nothing
    to those of others."""
    nv = m.nv
    ld = m.ld
    width = STRIP * row_strips(m)
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
        if ti.static(has.plastic):
            a = joint_rest(m, w, j)
            if a >= 0 and turn < n:
                x = o + (i + turn) * width + 2 * ld + m.jnt_rest[j]
                for k in range(n):
                    l.lin_rows[x + k] = l.lin_rows[x + k] + g.act_bar[a + k]
    for u in range(m.nu):
        j = m.actuator_trnid[u]
        n = 0
        if m.actuator_trntype[u] == TRN_JOINT:
            n, alone = turns_of(m, j)
        if turn < n:
            x = o + (m.jnt_dofadr[j] + turn) * width + 2 * ld
            k = m.actuator_actadr[u]
            if k >= 0:
                l.lin_rows[x + k] = l.lin_rows[x + k] + g.act_bar[w * m.na + k]
            if ti.static(has.delay):
                for i in range(past_controls(m, u)):
                    k = m.delay_adr[u] + i
                    l.lin_rows[x + k] = l.lin_rows[x + k] + g.act_bar[w * m.na + k]
            k = m.na + u
            l.lin_rows[x + k] = l.lin_rows[x + k] + g.ctrl_bar[w * m.nu + u]
