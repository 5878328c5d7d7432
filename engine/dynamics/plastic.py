"""Springs whose rest yields: ideal elasto-plasticity (MuJoCo 4.0, XML reference, "springyield").

Where a spring is at rest is a part of the state, and stands in act as how far it has moved (model/plastic.py). It stays
within a step, after which it has followed the coordinate x so far that the stretch is the spring's yield y again:

    hinge, slide   u' = u clamped to [x - y, x + y]
    ball           p' = p exp(r - y r / |r|) where r = log(p^-1 x) is longer than y, p = qpos_spring exp(u)
    tendon         both ends move by L - hi - y above hi + y, by L - lo + y below lo - y; L is the length that the row
                   at the step's start foresees, L + h J v; a lower end at exactly zero stays when the tendon is pulled
Which of these cases holds is held in the adjoint: at a yield exactly the derivative is that of the side where nothing
moves.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.kinematics import read_quat, read_vec
from engine.math.quat import (
    jr_inverse_transpose,
    jr_transpose,
    quat_exp,
    quat_log,
    quat_mul,
    quat_normalize,
    rotate,
)  # fmt: skip
from engine.math.types import real, vec3, vec4
from engine.model.constants import RK4
from engine.model.coordinates import QUATERNION


@ti.func
def joint_rest(m: ti.template(), w: ti.i32, j: ti.i32):
    """Where in act it stands how far the rest of joint j's spring has moved, or -1."""
    a = -1
    if j < m.nrestjoint:
        if m.jnt_rest[j] >= 0:
            a = w * m.na + m.jnt_rest[j]
    return a


@ti.func
def tendon_rest(m: ti.template(), w: ti.i32, t: ti.i32):
    """The same of tendon t: of the lower end, behind which that of the upper one stands."""
    a = -1
    if t < m.nresttendon:
        if m.ten_rest[t] >= 0:
            a = w * m.na + m.ten_rest[t]
    return a


# ------------------------------------------------------------------------------------------------ where springs rest


@ti.func
def spring_rest(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, ref: ti.i32):
    """Where the spring of the scalar coordinate ref of joint j is at rest."""
    x = m.qpos_spring[ref]
    if ti.static(has.plastic):
        a = joint_rest(m, w, j)
        if a >= 0:
            x = x + d.act[a]
    return x


@ti.func
def ball_rest(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, ref: ti.i32):
    """The same of the quaternion at qpos[ref]."""
    rest = read_quat(m.qpos_spring, ref)
    if ti.static(has.plastic):
        a = joint_rest(m, w, j)
        if a >= 0:
            rest = quat_mul(rest, quat_exp(read_vec(d.act, a)))
    return rest


@ti.func
def rest_length(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, end: ti.i32):
    """The lower or upper end, 0 or 1, of the lengths at which the spring of tendon t is at rest."""
    x = m.tendon_lengthspring[t, end]
    if ti.static(has.plastic):
        a = tendon_rest(m, w, t)
        if a >= 0:
            x = x + d.act[a + end]
    return x


@serves("plastic")
@ti.func
def spring_rest_vjp(m: ti.template(), g: ti.template(), w: ti.i32, j: ti.i32, bar: real):
    """From the adjoint of the stretch of joint j's spring, a number, to its rest."""
    a = joint_rest(m, w, j)
    if a >= 0:
        g.act_bar[a] = g.act_bar[a] - bar


@serves("plastic")
@ti.func
def ball_rest_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, j: ti.i32, r: vec3, bar: vec3):
    """The same of a ball's stretch r = log(p^-1 q), whose adjoint is bar: p exp(e) takes it to log(exp(-e) exp(r))."""
    a = joint_rest(m, w, j)
    if a >= 0:
        u_bar = jr_transpose(read_vec(d.act, a), jr_inverse_transpose(-r, bar))
        for c in ti.static(range(3)):
            g.act_bar[a + c] = g.act_bar[a + c] - u_bar[c]


@ti.func
def rest_length_vjp(m: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, end: ti.i32, bar: real):
    """From the adjoint of what `rest_length` says to the parameter and to how far it has moved."""
    g.tendon_lengthspring[w, t, end] = g.tendon_lengthspring[w, t, end] + bar
    if ti.static(has.plastic):
        a = tendon_rest(m, w, t)
        if a >= 0:
            g.act_bar[a + end] = g.act_bar[a + end] + bar


# ------------------------------------------------------------------------------------------------ after a step


@serves("plastic")
@ti.func
def rest_rates(m: ti.template(), d: ti.template(), w: ti.i32):
    """act_dot: within a step no rest moves."""
    for k in range(m.nrest):
        d.act_dot[(w + 1) * m.na - 1 - k] = 0.0


@serves("plastic")
@ti.func
def keep_lengths(m: ti.template(), d: ti.template(), w: ti.i32):
    """Lengths and rows of tendons at the start of a step of RK4, whose later stages have others."""
    if m.nresttendon > 0:
        for t in range(m.nresttendon):
            d.ten_start[w, t] = d.ten_length[w, t]
        for e in range(m.nJten):
            d.ten_J_start[w, e] = d.ten_J[w, e]


@ti.func
def start_row(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """Entry e of the rows of tendons at the start of the step."""
    J = d.ten_J[w, e]
    if ti.static(has.rk4):
        if m.integrator == RK4:
            J = d.ten_J_start[w, e]
    return J


@ti.func
def moved_ends(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, v: ti.i32):
    """How far the ends of tendon t's rest move, which of them was passed, and whether the lower one stays. dofr[v + i]:
    the velocities by which coordinates moved."""
    length = d.ten_length[w, t]
    if ti.static(has.rk4):
        if m.integrator == RK4:
            length = d.ten_start[w, t]
    first = m.ten_J_rowadr[t]
    for e in range(first, first + m.ten_J_rownnz[t]):
        length = length + m.timestep * start_row(m, d, w, e) * d.dofr[v + m.ten_J_colind[e]]
    low = rest_length(m, d, w, t, 0)
    high = rest_length(m, d, w, t, 1)
    move = real(0.0)
    end = -1
    if length > high + m.ten_yield[t]:
        move = length - high - m.ten_yield[t]
        end = 1
    elif length < low - m.ten_yield[t]:
        move = length - low + m.ten_yield[t]
        end = 0
    return move, end, ti.cast(end == 1 and low == 0 and high > 0, ti.i32)


@outline("md", "w v", when="plastic")
@ti.func
def rests_yield(m: ti.template(), d: ti.template(), w: ti.i32, v: ti.i32):
    """Rests after a step, whose coordinates are in qpos. dofr[v + i]: the velocities by which these moved."""
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        ref = m.coord_qposadr[j]
        q = w * m.nq + ref
        a = joint_rest(m, w, joint)
        if a >= 0:
            y = m.jnt_yield[joint]
            if m.coord_kind[j] == QUATERNION:
                if ti.static(has.quaternion):
                    p = ball_rest(m, d, w, joint, ref)
                    r = quat_log(quat_mul(vec4(p[0], -p[1], -p[2], -p[3]), read_quat(d.qpos, q)))
                    angle = r.norm()
                    if angle > y:
                        u = quat_log(quat_mul(quat_exp(read_vec(d.act, a)), quat_exp((1.0 - y / angle) * r)))
                        for c in ti.static(range(3)):
                            d.act[a + c] = u[c]
            else:
                x = d.qpos[q] - m.qpos_spring[ref]
                d.act[a] = ti.min(ti.max(d.act[a], x - y), x + y)
    for t in range(m.nresttendon):
        a = tendon_rest(m, w, t)
        if a >= 0:
            move, end, stays = moved_ends(m, d, w, t, v)
            d.act[a + 1] = d.act[a + 1] + move
            if not stays:
                d.act[a] = d.act[a] + move


@outline("mdg", "w v", when="plastic")
@ti.func
def rests_yield_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, v: ti.i32):
    """g.act_bar of rests, from after the step to before it; adds to g.qpos_bar, of coordinates after the step, and to
    lengthspring. a_bar: what lengths ask of dofr[v:]; ten_end_bar: the adjoint of these lengths, which
    `start_lengths_vjp` takes up. Expects the state before the step."""
    h = m.timestep
    for i in range(m.nv):
        d.a_bar[w, i] = 0.0
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        ref = m.coord_qposadr[j]
        q = w * m.nq + ref
        i = m.coord_dofadr[j]
        a = joint_rest(m, w, joint)
        if a >= 0:
            y = m.jnt_yield[joint]
            if m.coord_kind[j] == QUATERNION:
                if ti.static(has.quaternion):
                    p = ball_rest(m, d, w, joint, ref)
                    x = quat_normalize(quat_mul(read_quat(d.qpos, q), quat_exp(h * read_vec(d.dofr, v + i))))
                    r = quat_log(quat_mul(vec4(p[0], -p[1], -p[2], -p[3]), x))
                    angle = r.norm()
                    if angle > y:
                        u = read_vec(d.act, a)
                        s = (1.0 - y / angle) * r
                        after = quat_log(quat_mul(quat_exp(u), quat_exp(s)))
                        turn_bar = jr_inverse_transpose(after, read_vec(g.act_bar, a))  # of exp(u) exp(s)
                        u_bar = jr_transpose(u, rotate(quat_exp(s), turn_bar))
                        s_bar = jr_transpose(s, turn_bar)
                        r_bar = (1.0 - y / angle) * s_bar + y * r.dot(s_bar) / (angle * angle * angle) * r
                        x_bar = jr_inverse_transpose(r, r_bar)
                        for c in ti.static(range(3)):
                            g.act_bar[a + c] = u_bar[c]
                            g.qpos_bar[w * m.nv + i + c] = g.qpos_bar[w * m.nv + i + c] + x_bar[c]
                        ball_rest_vjp(m, d, g, w, joint, r, r_bar)
            else:
                x = d.qpos[q] + h * d.dofr[v + i] - m.qpos_spring[ref]
                if ti.abs(x - d.act[a]) > y:
                    g.qpos_bar[w * m.nv + i] = g.qpos_bar[w * m.nv + i] + g.act_bar[a]
                    g.act_bar[a] = 0.0
    for t in range(m.nresttendon):
        g.ten_end_bar[w, t] = 0.0
        a = tendon_rest(m, w, t)
        if a >= 0:
            move, end, stays = moved_ends(m, d, w, t, v)
            if end >= 0:
                bar = g.act_bar[a + 1]
                if not stays:
                    bar = bar + g.act_bar[a]
                g.ten_end_bar[w, t] = bar
                rest_length_vjp(m, g, w, t, end, -bar)
                first = m.ten_J_rowadr[t]
                for e in range(first, first + m.ten_J_rownnz[t]):
                    k = m.ten_J_colind[e]
                    d.a_bar[w, k] = d.a_bar[w, k] + h * start_row(m, d, w, e) * bar


@serves("plastic")
@ti.func
def start_lengths_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, v: ti.i32):
    """From ten_end_bar to the lengths and rows of tendons at the start of the step."""
    for t in range(m.nresttendon):
        bar = g.ten_end_bar[w, t]
        g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + bar
        first = m.ten_J_rowadr[t]
        for e in range(first, first + m.ten_J_rownnz[t]):
            g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + m.timestep * d.dofr[v + m.ten_J_colind[e]] * bar
