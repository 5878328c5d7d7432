"""Equality constraints as blocks: a joint or tendon that follows another (follow.py), two points that meet, two frames
that do.

    connect  residual x1 - x2, the anchors in the world; J: the velocity of anchor 1 less that of anchor 2
    weld     the same, and a second block: scale * vector part of delta, delta = conj(q2) q1;
             its derivative is 1/2 scale (delta_0 o + o x delta_v), o = R2^T (w1 - w2)
What moves the residual of frames without an acceleration of the dofs, dJ/dt v, is a part of their aref. Of places it is
that of the two anchors, of orientations 1/2 scale (delta_0 b + b x delta_v - 1/2 o.o delta_v), where b is do/dt.
The violation that the impedance is a function of is the length of the whole residual (MuJoCo documentation,
Computation, "Equality"). The rows of a frame's block are con_normal, con_tangent1, con_tangent2 times the relative
velocity.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.block import EQUALITY, write_column
from engine.constraint.discrete import axis_bar, block_ratio_vjp, follows_diagonal
from engine.constraint.equality_leaves import add_tie_bars, add_tied_sites
from engine.constraint.follow import follow, follow_columns, follow_tendon_vjp, follow_vjp, new_equality
from engine.contact.collide import add_pose_bar
from engine.dynamics.kinematics import origin
from engine.dynamics.sleep import neither_awake
from engine.math.index import bounded, vector_at
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import MINVAL, real, vec3, vec4
from engine.model.constants import DISCRETE, EQ_JOINT, EQ_TENDON, EQ_WELD

MEET, TURN = range(2)  # con_kind1 of a frame's blocks: places, orientations


@serves("equality")
@ti.func
def equalities(m: ti.template(), d: ti.template(), w: ti.i32):
    for e in range(m.neq):
        active = d.eq_active[w, e] and (m.eq_last1[e] >= 0 or m.eq_last2[e] >= 0)
        if ti.static(has.sleep):
            if m.nsleeptree > 0:
                active = active and not neither_awake(m, d, w, m.eq_tree1[e], m.eq_tree2[e])
        if active:
            if m.eq_kind[e] == EQ_JOINT or m.eq_kind[e] == EQ_TENDON:
                follow(m, d, w, e)
            else:
                meet(m, d, w, e)


# ------------------------------------------------------------------------------------------------ frames


@ti.func
def anchors(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    b1 = bounded(w * m.nbody + m.eq_body1[e])
    b2 = bounded(w * m.nbody + m.eq_body2[e])
    x1 = d.xpos[b1] + rotate(d.xquat[b1], m.eq_anchor1[e])
    x2 = d.xpos[b2] + rotate(d.xquat[b2], m.eq_anchor2[e])
    return x1, x2


@ti.func
def turned_by(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """Orientation of the second frame in the world, and of the first in it, with its first number apart."""
    q1 = quat_mul(d.xquat[bounded(w * m.nbody + m.eq_body1[e])], m.eq_quat1[e])
    q2 = quat_mul(d.xquat[bounded(w * m.nbody + m.eq_body2[e])], m.eq_quat2[e])
    delta = quat_mul(vec4(q2[0], -q2[1], -q2[2], -q2[3]), q1)
    return q2, delta[0], vec3(delta[1], delta[2], delta[3])


@ti.func
def bias(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, x: vec3):
    """Acceleration of a point x of body b for dofs that do not accelerate, less gravity."""
    h = bounded(w * m.nbody + b)
    r = x - origin(m, d, w, b)
    omega = d.vel_ang[h]
    return d.acc_lin[h] + d.acc_ang[h].cross(r) + omega.cross(d.vel_lin[h] + omega.cross(r))


@ti.func
def bias_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, x: vec3, y: vec3):
    """The adjoint of x; adds those of the body's motions."""
    h = bounded(w * m.nbody + b)
    r = x - origin(m, d, w, b)
    omega = d.vel_ang[h]
    v_bar = y.cross(omega)
    g.acc_ang[h] = g.acc_ang[h] + r.cross(y)
    g.acc_lin[h] = g.acc_lin[h] + y
    g.vel_ang[h] = g.vel_ang[h] + (d.vel_lin[h] + omega.cross(r)).cross(y) + r.cross(v_bar)
    g.vel_lin[h] = g.vel_lin[h] + v_bar
    return y.cross(d.acc_ang[h]) + v_bar.cross(omega)


@ti.func
def turning(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32, q2: vec4):
    """o and b of a weld."""
    h1 = bounded(w * m.nbody + m.eq_body1[e])
    h2 = bounded(w * m.nbody + m.eq_body2[e])
    omega = d.vel_ang[h1] - d.vel_ang[h2]
    return rotate_back(q2, omega), rotate_back(q2, d.acc_ang[h1] - d.acc_ang[h2] - d.vel_ang[h2].cross(omega))


@ti.func
def meet(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    x1, x2 = anchors(m, d, w, e)
    apart = x1 - x2
    turn = vec3(0.0, 0.0, 0.0)
    q2 = vec4(1.0, 0.0, 0.0, 0.0)
    delta0 = real(0.0)
    scale = m.eq_torquescale[e]
    if m.eq_kind[e] == EQ_WELD:
        q2, delta0, turn = turned_by(m, d, w, e)
        turn = scale * turn
    x = ti.sqrt(apart.dot(apart) + turn.dot(turn))
    c = new_equality(m, d, w, e, MEET, apart, x, m.eq_diaga[e])
    if c >= 0:
        d.con_pos[c] = x1
        d.con_y[c] = x2
        d.con_normal[c] = vec3(1.0, 0.0, 0.0)
        d.con_tangent1[c] = vec3(0.0, 1.0, 0.0)
        d.con_tangent2[c] = vec3(0.0, 0.0, 1.0)
        d.con_jdotv[c] = bias(m, d, w, m.eq_body1[e], x1) - bias(m, d, w, m.eq_body2[e], x2)
    if m.eq_kind[e] == EQ_WELD:
        c = new_equality(m, d, w, e, TURN, turn, x, m.eq_turned[e])
        if c >= 0:
            h = 0.5 * delta0 * scale
            v = 0.5 * turn
            d.con_normal[c] = rotate(q2, vec3(h, v[2], -v[1]))
            d.con_tangent1[c] = rotate(q2, vec3(-v[2], h, v[0]))
            d.con_tangent2[c] = rotate(q2, vec3(v[1], -v[0], h))
            o, b = turning(m, d, w, e, q2)
            d.con_jdotv[c] = h * b + b.cross(v) - 0.5 * o.dot(o) * v


@ti.func
def meet_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, e: ti.i32):
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    t2 = d.con_tangent2[c]
    i1 = d.con_last1[c]
    i2 = d.con_last2[c]
    r1 = d.con_pos[c] - origin(m, d, w, m.eq_body1[e])
    r2 = d.con_y[c] - origin(m, d, w, m.eq_body2[e])
    first = c * m.nchain
    q = first
    # dofs that move both count as well: they turn the anchors about each other where these are apart
    while i1 >= 0 or i2 >= 0:
        k = ti.max(i1, i2)
        s = w * m.nv + k
        ang = d.cdof_ang[s]
        u = vec3(0.0, 0.0, 0.0)
        turn = vec3(0.0, 0.0, 0.0)
        if k == i1:
            u = d.cdof_lin[s] + ang.cross(r1)
            turn = ang
        if k == i2:
            u = u - d.cdof_lin[s] - ang.cross(r2)
            turn = turn - ang
        if d.con_kind1[c] == TURN:
            u = turn
        if k == i1:
            i1 = m.tree_parent[k]
        if k == i2:
            i2 = m.tree_parent[k]
        write_column(m, d, w, q, k, vec3(n.dot(u), t1.dot(u), t2.dot(u)))
        q = q + 1
    d.con_ndof[c] = q - first


@ti.func
def meet_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, e: ti.i32, f: vec3, ky: vec3,
             bky: vec3, res_bar: vec3, x_bar: real):  # fmt: skip
    """To the two bodies' motions and poses. x_bar: of the length of the whole residual."""
    b1 = m.eq_body1[e]
    b2 = m.eq_body2[e]
    h1 = bounded(w * m.nbody + b1)
    h2 = bounded(w * m.nbody + b2)
    x1, x2 = anchors(m, d, w, e)
    apart_bar = vec3(0.0, 0.0, 0.0)
    turn_bar = vec3(0.0, 0.0, 0.0)
    x1_bar = vec3(0.0, 0.0, 0.0)
    x2_bar = vec3(0.0, 0.0, 0.0)
    torque2 = vec3(0.0, 0.0, 0.0)  # what turns the second frame alone
    delta0_bar = real(0.0)  # of delta, for a torquescale of one
    delta_bar = vec3(0.0, 0.0, 0.0)
    q2 = vec4(1.0, 0.0, 0.0, 0.0)
    delta0 = real(0.0)
    delta = vec3(0.0, 0.0, 0.0)
    scale = m.eq_torquescale[e]
    if m.eq_kind[e] == EQ_WELD:
        q2, delta0, delta = turned_by(m, d, w, e)
    apart = x1 - x2
    x = ti.sqrt(apart.dot(apart) + scale * scale * delta.dot(delta))
    if x > MINVAL:  # else the impedance, a function of the length, bends
        apart_bar = (x_bar / x) * apart
        turn_bar = (x_bar / x) * scale * delta
    if d.con_kind1[c] == MEET:
        apart_bar = apart_bar + res_bar
    else:
        turn_bar = turn_bar + res_bar
    for t in ti.static(range(3)):
        # the three motions that J multiplies: test vector, acceleration, velocity
        y = ti.static((-1.0, 1.0, 1.0)[t]) * f
        if ti.static(t == 1):
            y = ky
        if ti.static(t == 2):
            y = bky
        ang, lin = ti.static(((d.l_ang, d.l_lin), (d.u_ang, d.u_lin), (d.vel_ang, d.vel_lin))[t])
        ang_bar, lin_bar = ti.static(((g.l_ang, g.l_lin), (g.u_ang, g.u_lin), (g.vel_ang, g.vel_lin))[t])
        if d.con_kind1[c] == MEET:
            ang_bar[h1] = ang_bar[h1] + (x1 - origin(m, d, w, b1)).cross(y)
            lin_bar[h1] = lin_bar[h1] + y
            ang_bar[h2] = ang_bar[h2] - (x2 - origin(m, d, w, b2)).cross(y)
            lin_bar[h2] = lin_bar[h2] - y
            x1_bar = x1_bar + y.cross(ang[h1])
            x2_bar = x2_bar - y.cross(ang[h2])
        else:
            a = rotate(q2, 0.5 * scale * (delta0 * y + delta.cross(y)))
            omega = ang[h1] - ang[h2]
            ang_bar[h1] = ang_bar[h1] + a
            ang_bar[h2] = ang_bar[h2] - a
            o = rotate_back(q2, omega)
            delta0_bar = delta0_bar + 0.5 * y.dot(o)
            delta_bar = delta_bar + 0.5 * y.cross(o)
            torque2 = torque2 + a.cross(omega)
    if ti.static(has.diagonal):
        if follows_diagonal(m):
            i1 = d.con_last1[c]
            i2 = d.con_last2[c]
            at = c * m.nchain
            for q in range(at, at + d.con_ndof[c]):
                k = d.chain_dof[q]
                s = bounded(w * m.nv + k)
                y = d.chain_bar[vector_at(q)]
                side1 = ti.cast(k == i1, real)
                side2 = ti.cast(k == i2, real)
                ang = d.cdof_ang[s]
                if d.con_kind1[c] == MEET:
                    r = side1 * (x1 - origin(m, d, w, b1)) - side2 * (x2 - origin(m, d, w, b2))
                    axis_bar(g, s, r.cross(y), (side1 - side2) * y)
                    x1_bar = x1_bar + side1 * y.cross(ang)
                    x2_bar = x2_bar - side2 * y.cross(ang)
                else:
                    a = rotate(q2, 0.5 * scale * (delta0 * y + delta.cross(y)))
                    omega = (side1 - side2) * ang
                    axis_bar(g, s, (side1 - side2) * a, vec3(0.0, 0.0, 0.0))
                    o = rotate_back(q2, omega)
                    delta0_bar = delta0_bar + 0.5 * y.dot(o)
                    delta_bar = delta_bar + 0.5 * y.cross(o)
                    torque2 = torque2 + a.cross(omega)
                if k == i1:
                    i1 = m.tree_parent[k]
                if k == i2:
                    i2 = m.tree_parent[k]
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            ky = d.con_share[c] * ky
    if d.con_kind1[c] == MEET:
        x1_bar = x1_bar + bias_vjp(m, d, g, w, b1, x1, ky)
        x2_bar = x2_bar + bias_vjp(m, d, g, w, b2, x2, -1.0 * ky)
    else:
        o, b = turning(m, d, w, e, q2)
        half = 0.5 * ky
        o_bar = rotate(q2, -scale * delta.dot(half) * o)
        b_bar = rotate(q2, scale * (delta0 * half + delta.cross(half)))
        delta0_bar = delta0_bar + half.dot(b)
        delta_bar = delta_bar + half.cross(b) - 0.5 * o.dot(o) * half
        omega = d.vel_ang[h1] - d.vel_ang[h2]
        torque2 = torque2 + o_bar.cross(omega) + b_bar.cross(rotate(q2, b))
        omega_bar = o_bar - b_bar.cross(d.vel_ang[h2])
        g.acc_ang[h1] = g.acc_ang[h1] + b_bar
        g.acc_ang[h2] = g.acc_ang[h2] - b_bar
        g.vel_ang[h1] = g.vel_ang[h1] + omega_bar
        g.vel_ang[h2] = g.vel_ang[h2] - omega_bar - omega.cross(b_bar)
    scale_bar = delta0 * delta0_bar + delta.dot(delta_bar + turn_bar)
    delta0_bar = scale * delta0_bar
    delta_bar = scale * (delta_bar + turn_bar)
    # of a turn of the first frame against the second
    both = rotate(q2, 0.5 * (delta0 * delta_bar + delta.cross(delta_bar) - delta0_bar * delta))
    x1_bar = x1_bar + apart_bar
    x2_bar = x2_bar - apart_bar
    add_pose_bar(m, d, g, w, b1, x1, x1_bar, both)
    add_pose_bar(m, d, g, w, b2, x2, x2_bar, torque2 - both)
    add_tie_bars(m, d, g, w, e, x1_bar, x2_bar, both, scale_bar)
    add_tied_sites(m, d, g, w, e, x1_bar, x2_bar, both, torque2 - both)


# ------------------------------------------------------------------------------------------------ both


@serves("equality")
@ti.func
def equality_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """Of joints and frames; tendon.py has those of tendons."""
    e = EQUALITY - d.con_pair[c]
    if m.eq_kind[e] == EQ_JOINT:
        follow_columns(m, d, w, c)
    else:
        meet_columns(m, d, w, c, e)


@serves("equality")
@ti.func
def equality_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, f: vec3, ky: vec3,
                 bky: vec3, res_bar: vec3, x_bar: real):  # fmt: skip
    """The adjoint of block c of an equality, from those of its residual and of the violation."""
    e = EQUALITY - d.con_pair[c]
    if ti.static(has.diagonal):
        if follows_diagonal(m):
            block_ratio_vjp(m, d, g, w, c)
    if m.eq_kind[e] == EQ_JOINT:
        follow_vjp(m, d, g, w, c, e, f[0], ky[0], bky[0], res_bar[0] + x_bar)
    elif m.eq_kind[e] == EQ_TENDON:
        follow_tendon_vjp(m, d, g, w, c, e, f[0], ky[0], bky[0], res_bar[0] + x_bar)
    else:
        meet_vjp(m, d, g, w, c, e, f, ky, bky, res_bar, x_bar)
