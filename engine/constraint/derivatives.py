"""What contacts of pairs add to the rows of derivatives (dynamics/derivatives.py): d(-J^T f)/dq and /dv.

The adjoint of a contact (contact.py) is linear in the motion L of body 2 against body 1 at the contact. It has six
components: three velocities along the contact's frame, where y is a unit vector, three angular ones, where y is zero
but for what contacts that roll have of them.
Six of it give X (of the pose), U and V (of acceleration and velocity) of both bodies for every L. Of dof j, which
carries one of them,

    W_k = S_j . (X + U_b x* U + V_b x* V) + kap_j . U + psi_j . V,     d(-J^T f)_i / d q_j = sum over k of L_k,i W_k

and L_b's own adjoint F adds (S_j x S_i) . F where dof j moves the axis of dof i. By v it is J^T K B J.

Where body 1 cannot move, these are wrenches on body 2 for each motion of it: matrices and F, which are summed over all
contacts of the body and, as inertias are, over what hangs on a dof (dynamics/touched.py). That by V is B times that by
U, so contacts of one B are summed, that of the first. Others, and those of two bodies that move, go through the dofs
of both bodies.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.block import damping_of
from engine.constraint.blocks import contact_block_vjp
from engine.constraint.contact import relative_velocity
from engine.constraint.rolling import coupled, in_frame, turns
from engine.contact.collide import collide_vjp
from engine.dynamics.derivative_rows import STRIP, row_strips
from engine.dynamics.kinematics import origin
from engine.dynamics.touched import touch, untouched
from engine.math.index import bounded, vector_at
from engine.math.spatial import cross_force, sym_mul
from engine.math.types import EPS, real, vec3


@serves("contact")
@ti.func
def contacts_jacobian(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """Adds the contacts that push to the sums of their bodies or to the rows at lin_rows[o:]; expects the law at the
    solution and `own_rates`."""
    untouched(m, l, w)
    rate = real(-1.0)
    for r in range(d.ncon[w]):
        c = bounded(w * m.nconmax + r)
        if d.con_kd[c][0] > 0:
            B = d.con_b[c]
            summed = d.con_last1[c] < 0 and d.con_bt[c] == B and (rate < 0 or ti.abs(B - rate) <= 4 * EPS * rate)
            if summed:
                rate = B
                touch(m, l, w, d.con_body2[c])
            unit_motions(m, d, g, l, w, c, ti.cast(summed, ti.i32))
            if not summed:
                add_contact_rows(m, d, g, l, w, c, o)
    l.touched[w * m.nbody] = rate


@ti.func
def unit_motions(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32,
                 summed: ti.i32):  # fmt: skip
    """The adjoints of both bodies of contact c for six unit motions, into lin_con, and F into l of their adjoints; or,
    `summed`, those of body 2 for its own motions about its origin into its sums."""
    turning = 0
    if ti.static(has.rolling):
        turning = turns(d, c)
    if turning:
        turning_motions(m, d, g, l, w, c, summed)
    else:
        contact_motions(m, d, g, l, w, c, summed)
    if summed:
        h = bounded(w * m.nbody + d.con_body2[c])
        l.touch_ang[h] = l.touch_ang[h] + g.l_ang[h]
        l.touch_lin[h] = l.touch_lin[h] + g.l_lin[h]


@ti.func
def unit_motion(d: ti.template(), c: ti.i32, k: ti.i32, summed: ti.i32, r: vec3):
    """Number k of the six: the velocity of body 2 against body 1 at the contact, in its frame and in the world, and the
    angular one. r: from the origin to the contact."""
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    t2 = d.con_tangent2[c]
    one = vec3(ti.cast(k == 0, real), ti.cast(k == 1, real), ti.cast(k == 2, real))
    two = vec3(ti.cast(k == 3, real), ti.cast(k == 4, real), ti.cast(k == 5, real))
    y = one
    omega = two
    u = y[0] * n + y[1] * t1 + y[2] * t2
    if summed:
        omega = one
        u = two + omega.cross(r)
        y = vec3(n.dot(u), t1.dot(u), t2.dot(u))
    return y, u, omega


@ti.func
def contact_motions(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32,
                    summed: ti.i32):  # fmt: skip
    """The same of a contact that does not roll: contact_vjp for what moves, and all six at once in what they share."""
    zero = vec3(0.0, 0.0, 0.0)
    pos = d.con_pos[c]
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    t2 = d.con_tangent2[c]
    body1 = d.con_body1[c]
    body2 = d.con_body2[c]
    b1 = bounded(w * m.nbody + body1)
    b2 = bounded(w * m.nbody + body2)
    r1 = pos - origin(m, d, w, body1)
    r2 = pos - origin(m, d, w, body2)
    first = ti.cast(d.con_last1[c] < 0, ti.i32)  # nothing moves it
    ua, oa = relative_velocity(m, d, w, d.u_ang, d.u_lin, body1, body2, pos)
    uv, ov = relative_velocity(m, d, w, d.vel_ang, d.vel_lin, body1, body2, pos)
    f = d.con_force[c]
    force = f[0] * n + f[1] * t1 + f[2] * t2
    kd = d.con_kd[c]
    ko = d.con_ko[c]
    imp = d.con_imp[c]
    stiff = d.con_kp[c] * imp
    B = damping_of(d, c)
    g.l_ang[b1] = r1.cross(force)
    g.l_lin[b1] = force
    g.l_ang[b2] = -1.0 * r2.cross(force)
    g.l_lin[b2] = -1.0 * force
    for k in range(6):
        y, ul, omega = unit_motion(d, c, k, summed, r2)
        ka = sym_mul(kd, ko, y)
        kv = B * ka
        U = ka[0] * n + ka[1] * t1 + ka[2] * t2
        V = kv[0] * n + kv[1] * t1 + kv[2] * t2
        slope = d.con_impp[c] * (d.con_kp[c] * ka[0] * d.con_x[c] - y.dot(f) / (imp * (1 - imp)))
        for h in ti.static((b1, b2)):
            g.pose_ang[h] = zero
            g.pose_lin[h] = zero
        collide_vjp(
            m, d, g, w, c, stiff * ka[0] + slope, U.cross(oa) + V.cross(ov) - force.cross(omega),
            ka[0] * ua + kv[0] * uv - f[0] * ul, ka[1] * ua + kv[1] * uv - f[1] * ul,
            ka[2] * ua + kv[2] * uv - f[2] * ul,
        )  # fmt: skip
        for side in range(first, 2):
            h = b2 if side else b1
            r = r2 if side else r1
            sign = real(2 * side - 1)
            keep_motion(
                d, g, l, w, h, k, side, summed, sign * r.cross(U), sign * U, sign * r.cross(V), sign * V
            )  # fmt: skip


@ti.func
def keep_motion(d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, h: ti.i32, k: ti.i32, side: ti.i32,
                summed: ti.i32, ua: vec3, ul: vec3, va: vec3, vl: vec3):  # fmt: skip
    """X of the body numbered h, and U and V as they are, for motion k: into its sums or into lin_con."""
    pa, pl = cross_force(d.u_ang[h], d.u_lin[h], ua, ul)
    qa, ql = cross_force(d.vel_ang[h], d.vel_lin[h], va, vl)
    xa = g.pose_ang[h] + pa + qa
    xl = g.pose_lin[h] + pl + ql
    if summed:
        if side:
            l.touch_x[h, 2 * k] = l.touch_x[h, 2 * k] + xa
            l.touch_x[h, 2 * k + 1] = l.touch_x[h, 2 * k + 1] + xl
            l.touch_u[h, 2 * k] = l.touch_u[h, 2 * k] + ua
            l.touch_u[h, 2 * k + 1] = l.touch_u[h, 2 * k + 1] + ul
    else:
        e = bounded(w * 12 + 6 * side + k)
        l.cx_ang[e] = xa
        l.cx_lin[e] = xl
        l.cu_ang[e] = ua
        l.cu_lin[e] = ul
        l.cv_ang[e] = va
        l.cv_lin[e] = vl


@outline("mdgl", "w c summed", when="rolling")
@ti.func
def turning_motions(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32,
                    summed: ti.i32):  # fmt: skip
    """The same of a contact that rolls."""
    zero = vec3(0.0, 0.0, 0.0)
    b1 = bounded(w * m.nbody + d.con_body1[c])
    b2 = bounded(w * m.nbody + d.con_body2[c])
    r2 = d.con_pos[c] - origin(m, d, w, d.con_body2[c])
    d.l_ang[b1] = zero
    d.l_lin[b1] = zero
    for k in range(6):
        y, u, omega = unit_motion(d, c, k, summed, r2)
        d.l_ang[b2] = omega
        d.l_lin[b2] = u - omega.cross(r2)
        for side in range(2):
            h = b2 if side else b1
            for x in ti.static((g.l_ang, g.l_lin, g.u_ang, g.u_lin, g.vel_ang, g.vel_lin, g.pose_ang, g.pose_lin)):
                x[h] = zero
        d.turn_y[c] = in_frame(d, c, omega)
        contact_block_vjp(m, d, g, w, c, y)
        for side in range(2):
            h = b2 if side else b1
            keep_motion(d, g, l, w, h, k, side, summed, g.u_ang[h], g.u_lin[h], g.vel_ang[h], g.vel_lin[h])


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
    width = STRIP * row_strips(m)
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
