"""Implicitfast's velocity derivative of the bias force of a free body that carries no other joint (MuJoCo 4.0 has it).

Its six dofs are solved with the full, unsymmetric A = M + h (D + C), C = d qfrc_bias / d v. With the first moment c and
the inertia J about the body's origin (what is fixed to the body included), W the angular velocity and R its axes:

    C a = (alpha x (W x c) + W x (alpha x c),  R^T (alpha x J W + W x J alpha)),   alpha = R a_w

A's factors lie in `lone`, six rows of six, and in M + h D the block is the identity. The adjoint of h mu^T C a
(lambda = R mu_w, p the linear part of C a) is

    W_bar = h (c x (mu_l x alpha) + (alpha x c) x mu_l + J (lambda x alpha) + (J alpha) x lambda),  torque = -h mu_l x p
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.crba import diagonal_at
from engine.dynamics.ellipsoid_fluid import odd_slope
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import origin
from engine.dynamics.taken import take_pose
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate_back
from engine.math.spatial import sym_mul
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import DISCRETE, FREE, IMPLICITFAST, LONE_FLOW

LONE = 6


@ti.func
def lone_dof(m: ti.template(), j: ti.i32):
    """First dof of joint j if it is free and the only joint of its tree, else -1."""
    i = -1
    if m.jnt_type[j] == FREE:
        i = m.jnt_dofadr[j]
        if i + 6 < m.nv:
            if m.tree_parent[i + 6] == i + 5:
                i = -1
    return i


@ti.func
def turned_dof(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32):
    """The same where the slope of its bias is taken: by discrete only while no constraint and no servo touches it."""
    i = lone_dof(m, j)
    if m.integrator == DISCRETE and i >= 0:
        for k in range(6):
            if d.untouched[w, i + k] == 0:
                i = -1
                break
    return i


@ti.func
def block(m: ti.template(), w: ti.i32, i: ti.i32):
    """Where the factors of the body with first dof i begin."""
    return (w * m.nv + i) * LONE


@ti.func
def lone_angular(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, x: ti.template()):
    """R a_w: the angular part, in world axes, of x at the dofs of the free joint with first dof i."""
    a = vec3(0.0, 0.0, 0.0)
    for k in range(3):
        a = a + x[w, i + 3 + k] * d.cdof_ang[bounded(w * m.nv + i + 3 + k)]
    return a


@serves("lone")
@ti.func
def factor_lone(m: ti.template(), d: ti.template(), w: ti.i32):
    """Take the blocks of lone free bodies out of MhD (lower triangle of M + h D), add h C and the antisymmetric part
    of D that ellipsoids in a fluid have, factor A = L U."""
    nv = m.nv
    h = m.timestep
    for j in range(m.njnt):
        i0 = lone_dof(m, j)
        if ti.static(has.discrete):
            i0 = turned_dof(m, d, w, j)
        if i0 >= 0:
            # 6, but not for LLVM, which would write all 6 x 6 x 6 iterations out
            n6 = m.body_dofnum[m.jnt_bodyid[j]]
            dst = block(m, w, i0)
            for i in range(n6):
                src = diagonal_at(m, w, i0 + i)
                for k in range(i + 1):
                    x = d.MhD[src - i + k]
                    if ti.static(has.discrete):
                        if m.integrator == DISCRETE:  # whose metric is in M, and stays there
                            x = d.M[src - i + k]
                    d.lone[dst + i * LONE + k] = x
                    d.lone[dst + k * LONE + i] = x
                    if ti.static(has.discrete):
                        if m.integrator == IMPLICITFAST:
                            d.MhD[src - i + k] = ti.cast(i == k, real)
                    else:
                        d.MhD[src - i + k] = 0.0
                if ti.static(not has.discrete):
                    d.MhD[src] = 1.0
            b = bounded(w * m.nbody + m.jnt_bodyid[j])
            c = d.crb_com[b]
            jd = d.crb_diag[b]
            jo = d.crb_off[b]
            W = d.vel_ang[b]
            for k in range(3):
                alpha = d.cdof_ang[bounded(w * nv + i0 + 3 + k)]
                f = h * (alpha.cross(W.cross(c)) + W.cross(alpha.cross(c)))
                torque = h * (alpha.cross(sym_mul(jd, jo, W)) + W.cross(sym_mul(jd, jo, alpha)))
                for i in ti.static(range(3)):
                    e = dst + i * LONE + 3 + k
                    d.lone[e] = d.lone[e] + f[i]
                    e = dst + (3 + i) * LONE + 3 + k
                    d.lone[e] = d.lone[e] + torque.dot(d.cdof_ang[bounded(w * nv + i0 + 3 + i)])
            if ti.static(has.ellipsoid_fluid):
                if m.nflow > 0 and m.integrator == IMPLICITFAST:  # discrete has the drag alone, and that in M
                    add_lone_flows(m, d, w, m.jnt_bodyid[j], i0, n6)
            for k in range(n6):
                for i in range(k + 1, n6):
                    x = d.lone[dst + i * LONE + k] / d.lone[dst + k * (LONE + 1)]
                    d.lone[dst + i * LONE + k] = x
                    for n in range(k + 1, n6):
                        d.lone[dst + i * LONE + n] = d.lone[dst + i * LONE + n] - x * d.lone[dst + k * LONE + n]


@ti.func
def add_lone_flows(m: ti.template(), d: ti.template(), w: ti.i32, root: ti.i32, i0: ti.i32, n6: ti.i32):
    """What ellipsoids in a fluid add to A for the body `root` and all that is fixed to it."""
    for body in range(root, m.nbody):
        if m.body_rootid[body] != root:
            break
        if m.body_flows[body] == LONE_FLOW and m.body_mass[body] >= MINVAL:
            for k in range(n6):
                s = bounded(w * m.nv + i0 + k)
                ang, lin = odd_slope(d, bounded(w * m.nbody + body), d.cdof_ang[s], d.cdof_lin[s])
                for i in range(n6):
                    s = bounded(w * m.nv + i0 + i)
                    e = block(m, w, i0) + i * LONE + k
                    d.lone[e] = d.lone[e] + m.timestep * (d.cdof_ang[s].dot(ang) + d.cdof_lin[s].dot(lin))


@serves("lone")
@ti.func
def solve_lone(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template(), transposed: ti.i32):
    """x at the dofs of lone free bodies becomes A^-1 x or A^-T x."""
    for j in range(m.njnt):
        i0 = lone_dof(m, j)
        if ti.static(has.discrete):
            i0 = turned_dof(m, d, w, j)
        if i0 >= 0:
            n6 = m.body_dofnum[m.jnt_bodyid[j]]
            o = block(m, w, i0)
            # A = L U, A^T = U^T L^T; the diagonal is U's
            row = LONE
            column = 1
            if transposed:
                row = 1
                column = LONE
            for i in range(n6):
                xi = x[w, i0 + i]
                for k in range(i):
                    xi = xi - d.lone[o + i * row + k * column] * x[w, i0 + k]
                    # a store keeps LLVM from vectorising so short a loop
                    x[w, i0 + i] = xi
                if transposed:
                    xi = xi / d.lone[o + i * (LONE + 1)]
                x[w, i0 + i] = xi
            for r in range(n6):
                i = 5 - r
                xi = x[w, i0 + i]
                for k in range(i + 1, n6):
                    xi = xi - d.lone[o + i * row + k * column] * x[w, i0 + k]
                    # a store keeps LLVM from vectorising so short a loop
                    x[w, i0 + i] = xi
                if not transposed:
                    xi = xi / d.lone[o + i * (LONE + 1)]
                x[w, i0 + i] = xi


@serves("lone")
@ti.func
def lone_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds h mu^T dC a_eff to the adjoints of q, v, masses and inertias."""
    nv = m.nv
    h = m.timestep
    for j in range(m.njnt):
        i0 = lone_dof(m, j)
        if ti.static(has.discrete):
            i0 = turned_dof(m, d, w, j)
        if i0 >= 0:
            b = m.jnt_bodyid[j]
            ob = bounded(w * m.nbody + b)
            c = d.crb_com[ob]
            jd = d.crb_diag[ob]
            jo = d.crb_off[ob]
            W = d.vel_ang[ob]
            alpha = lone_angular(m, d, w, i0, d.qacc_eff)
            lam = h * lone_angular(m, d, w, i0, d.mu)
            nu = h * vec3(d.mu[w, i0], d.mu[w, i0 + 1], d.mu[w, i0 + 2])
            w_bar = c.cross(nu.cross(alpha)) + alpha.cross(c).cross(nu)
            w_bar = w_bar + sym_mul(jd, jo, lam.cross(alpha)) + sym_mul(jd, jo, alpha).cross(lam)
            torque = -nu.cross(alpha.cross(W.cross(c)) + W.cross(alpha.cross(c)))
            for k in range(3):
                i = w * nv + i0 + 3 + k
                s = d.cdof_ang[i]
                g.qvel_bar[i] = g.qvel_bar[i] + s.dot(w_bar)
                g.qpos_bar[i] = g.qpos_bar[i] + s.dot(torque)
            for body in range(b, m.nbody):
                if m.body_rootid[body] != b:
                    break
                lone_inertia_vjp(m, d, g, w, body, nu, lam, alpha, W)


@ti.func
def lone_inertia_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, nu: vec3, lam: vec3,
                     alpha: vec3, W: vec3):  # fmt: skip
    """The part of that adjoint that goes to body b's mass and inertia, and to where and how they lie in the whole."""
    r = d.xipos[bounded(w * m.nbody + b)] - origin(m, d, w, b)
    p = alpha.cross(W.cross(r)) + W.cross(alpha.cross(r))
    g.body_mass[w, b] = g.body_mass[w, b] + (nu + lam.cross(r)).dot(p)
    q = quat_mul(d.xquat[bounded(w * m.nbody + b)], m.body_iquat[b])
    bar = rotate_back(q, lam.cross(alpha)) * rotate_back(q, W) + rotate_back(q, lam.cross(W)) * rotate_back(q, alpha)
    for i in ti.static(range(3)):
        g.body_inertia[w, b, i] = g.body_inertia[w, b, i] + bar[i]
    if ti.static(has.tree_leaf or has.inertia_leaf):
        x = nu + lam.cross(r)
        place = m.body_mass[b] * (p.cross(lam) + x.cross(alpha).cross(W) + x.cross(W).cross(alpha))
        turn = vec3(0.0, 0.0, 0.0)
        jd = d.inertia_diag[bounded(w * m.nbody + b)]
        jo = d.inertia_off[bounded(w * m.nbody + b)]
        for y, v in ti.static(((lam.cross(alpha), W), (lam.cross(W), alpha))):
            turn = turn + sym_mul(jd, jo, v).cross(y) + sym_mul(jd, jo, y).cross(v)
        take_pose(m, g, w, b, r, place, turn)
        add_inertia_bars(m, d, g, w, b, place, turn)
