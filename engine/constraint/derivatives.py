"""What contacts of pairs add to the rows of derivatives (dynamics/derivatives.py): d(-J^T f)/dq and /dv.

The adjoint of a contact (contact.py) is linear in the motion L of body 2 against body 1 at the contact. It has six
components: three velocities along the contact's frame, where y is a unit vector, three angular ones, where y is zero
but for what contacts that roll have of them.
Six calls of it give X (of the pose), U and V (of acceleration and velocity) of both bodies for every L. Of dof j, which
carries one of them,

    W_k = S_j . (X + U_b x* U + V_b x* V) + kap_j . U + psi_j . V,     d(-J^T f)_i / d q_j = sum over k of L_k,i W_k

and L_b's own adjoint F adds (S_j x S_i) . F where dof j moves the axis of dof i. By v it is J^T K B J.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.block import damping_of
from engine.constraint.blocks import constraint_block_vjp
from engine.constraint.rolling import coupled, in_frame, turns
from engine.dynamics.derivatives import row_strips
from engine.dynamics.kinematics import origin
from engine.math.index import bounded, vector_at
from engine.math.spatial import cross_force, sym_mul
from engine.math.types import real, vec3


@serves("contact")
@ti.func
def contacts_jacobian(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """The rows at lin_rows[o:] gain what the contacts that push add; expects the law at the solution."""
    for r in range(d.ncon[w]):
        c = bounded(w * m.nconmax + r)
        if d.con_kd[c][0] > 0:
            unit_motions(m, d, g, l, w, c)
            add_contact_rows(m, d, g, l, w, c, o)


@ti.func
def unit_motions(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32):
    """The adjoints of both bodies of contact c for six unit motions, into lin_con."""
    zero = vec3(0.0, 0.0, 0.0)
    b1 = bounded(w * m.nbody + d.con_body1[c])
    b2 = bounded(w * m.nbody + d.con_body2[c])
    r2 = d.con_pos[c] - origin(m, d, w, d.con_body2[c])
    first = ti.cast(d.con_body1[c] == 0, ti.i32)  # nothing moves the world
    d.l_ang[b1] = zero
    d.l_lin[b1] = zero
    for k in range(6):
        y = vec3(ti.cast(k == 0, real), ti.cast(k == 1, real), ti.cast(k == 2, real))
        omega = vec3(ti.cast(k == 3, real), ti.cast(k == 4, real), ti.cast(k == 5, real))
        u = y[0] * d.con_normal[c] + y[1] * d.con_tangent1[c] + y[2] * d.con_tangent2[c]
        d.l_ang[b2] = omega
        d.l_lin[b2] = u - omega.cross(r2)
        for side in range(first, 2):
            h = b2 if side else b1
            for x in ti.static((g.l_ang, g.l_lin, g.u_ang, g.u_lin, g.vel_ang, g.vel_lin, g.pose_ang, g.pose_lin)):
                x[h] = zero
        if ti.static(has.rolling):
            if turns(d, c):
                d.turn_y[c] = in_frame(d, c, omega)
        constraint_block_vjp(m, d, g, w, c, y)
        for side in range(first, 2):
            b = b2 if side else b1
            h = b
            e = bounded(w * 12 + 6 * side + k)
            ua = g.u_ang[h]
            ul = g.u_lin[h]
            va = g.vel_ang[h]
            vl = g.vel_lin[h]
            pa, pl = cross_force(d.u_ang[b], d.u_lin[b], ua, ul)
            qa, ql = cross_force(d.vel_ang[b], d.vel_lin[b], va, vl)
            l.cx_ang[e] = g.pose_ang[h] + pa + qa
            l.cx_lin[e] = g.pose_lin[h] + pl + ql
            l.cu_ang[e] = ua
            l.cu_lin[e] = ul
            l.cv_ang[e] = va
            l.cv_lin[e] = vl


@ti.func
def common_dof(m: ti.template(), i1: ti.i32, i2: ti.i32):
    """The deepest dof that moves both, or -1: those from there on have no column in J."""
    a = i1
    b = i2
    while a != b:
        if a > b:
            a = m.tree_parent[a]
        else:
            b = m.tree_parent[b]
    return a


@ti.func
def turned_by_dof(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32):
    """lin_turn, as lin_J."""
    for side in range(2):
        j = d.con_last2[c] if side else d.con_last1[c]
        while j >= 0:
            l.lin_turn[bounded(w * m.nv + j)] = vec3(0.0, 0.0, 0.0)
            j = m.tree_parent[j]
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        l.lin_turn[bounded(w * m.nv + d.chain_dof[q])] = d.turn_J[vector_at(q)]


@ti.func
def add_contact_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32,
                     o: ti.i32):  # fmt: skip
    nv = m.nv
    ld = m.ld
    width = 16 * row_strips(m)
    b1 = d.con_body1[c]
    b2 = d.con_body2[c]
    last1 = m.body_lastdof[b1]
    last2 = m.body_lastdof[b2]
    top = common_dof(m, last1, last2)
    kd = d.con_kd[c]
    ko = d.con_ko[c]
    B = damping_of(d, c)
    # J by dof; of those that move both bodies it is zero
    for js in range(2):
        j = last2 if js else last1
        while j >= 0:
            l.lin_J[bounded(w * nv + j)] = vec3(0.0, 0.0, 0.0)
            j = m.tree_parent[j]
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        l.lin_J[bounded(w * nv + d.chain_dof[q])] = d.con_J[vector_at(q)]
    if ti.static(has.rolling):
        if turns(d, c):
            turned_by_dof(m, d, l, w, c)
    for js in range(2):
        h = bounded(w * m.nbody + (b2 if js else b1))
        fa = g.l_ang[h]
        fl = g.l_lin[h]
        j = last2 if js else last1
        # dofs that move both bodies, too: the frame's tangents do not turn with them, and a pyramid shows it
        while j >= 0:
            e = bounded(w * nv + j)
            sa = d.cdof_ang[e]
            sl = d.cdof_lin[e]
            pa = l.psi_ang[e]
            pl = l.psi_lin[e]
            ka = l.kap_ang[e]
            kl = l.kap_lin[e]
            ta, tl = cross_force(sa, sl, fa, fl)
            wu = vec3(0.0, 0.0, 0.0)
            wo = vec3(0.0, 0.0, 0.0)
            for k in ti.static(range(3)):
                x = bounded(w * 12 + 6 * js + k)
                wu[k] = (
                    sa.dot(l.cx_ang[x]) + sl.dot(l.cx_lin[x])
                    + ka.dot(l.cu_ang[x]) + kl.dot(l.cu_lin[x])
                    + pa.dot(l.cv_ang[x]) + pl.dot(l.cv_lin[x])
                )  # fmt: skip
                x = x + 3
                wo[k] = sa.dot(l.cx_ang[x]) + sl.dot(l.cx_lin[x])
                if ti.static(has.rolling):
                    if turns(d, c):
                        wo[k] = wo[k] + ka.dot(l.cu_ang[x]) + kl.dot(l.cu_lin[x])
                        wo[k] = wo[k] + pa.dot(l.cv_ang[x]) + pl.dot(l.cv_lin[x])
            kb = sym_mul(kd, ko, B * l.lin_J[bounded(w * nv + j)])
            kt = vec3(0.0, 0.0, 0.0)
            if ti.static(has.rolling):
                if turns(d, c):
                    turn = d.con_bt[c] * l.lin_turn[bounded(w * nv + j)]
                    more, kt = coupled(d, c, B * l.lin_J[bounded(w * nv + j)], turn)
                    kb = kb + more
            for side in range(2):
                i = last2 if side else last1
                sign = real(2 * side - 1)
                while i != top:
                    s = bounded(w * nv + i)
                    J = l.lin_J[bounded(w * nv + i)]
                    ang = d.cdof_ang[s]
                    q_bar = J.dot(wu) + sign * ang.dot(wo)
                    if side == js and (i > j or m.dof_group[i] == m.dof_group[j]):
                        q_bar = q_bar - ang.dot(ta) - d.cdof_lin[s].dot(tl)
                    x = o + i * width + j
                    l.lin_rows[x] = l.lin_rows[x] + q_bar
                    l.lin_rows[x + ld] = l.lin_rows[x + ld] + J.dot(kb)
                    if ti.static(has.rolling):
                        if turns(d, c):
                            l.lin_rows[x + ld] = l.lin_rows[x + ld] + l.lin_turn[bounded(w * nv + i)].dot(kt)
                    i = m.tree_parent[i]
            j = m.tree_parent[j]
