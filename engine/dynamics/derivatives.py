"""Derivatives of RNEA by q and v, all columns in two sweeps (Singh, Russell, Wensing, IEEE RA-L 7(2), 2022).

A motion of dof j carries what hangs on it. Seen from there, V and A of a body change by

    psi_j = G x S_j  and  phi_j + psi_j x V,  phi_j = A_G x S_j + G x psi_j      (by q_j; G, A_G: before j's group)
    S_j              and  sig_j + S_j x V,    sig_j = psi_j + V' x S_j           (by v_j; V': after j's group)

so that the force of a body changes by I phi + B psi, I sig + B S with  B x = V x* I x + x x* I V - I (V x x). Only the
angular part of x counts:  B x = (N x_ang, x_ang x 2 m v),  v the velocity of the centre of mass. I, N, 2 m v and the
force f are summed over what hangs on a dof. With i below j

    d tau_i / d q_j = S_i . (I phi_j + B psi_j),   d tau_j / d q_i = S_j . (I phi_i + B psi_i + S_i x* f)

The last term is missing for axes of one ball, which move together. The same with V = 0 gives d(M x) / d q.
"""

import taichi as ti

from engine.dynamics.derivative_rows import STRIP, row_strips, rows_at
from engine.dynamics.fluid import fluid_jacobian
from engine.dynamics.gravcomp import gravcomp_jacobian
from engine.dynamics.kinematics import origin
from engine.dynamics.rnea import own_force
from engine.math.index import bounded
from engine.math.spatial import cross_force, cross_motion, inertia_mul, sym_mul
from engine.math.types import real, vec3


@ti.func
def own_rates(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, implicit: ti.i32):
    """Base to tip: the motions U of qacc and, with `implicit`, Q of d.ma; psi, phi, sig and the like of the dofs; each
    body's own force, momentum and N."""
    nv = m.nv
    zero = vec3(0.0, 0.0, 0.0)
    d.u_ang[w * m.nbody] = zero
    d.u_lin[w * m.nbody] = zero
    d.q_ang[w * m.nbody] = zero
    d.q_lin[w * m.nbody] = zero
    for b in range(1, m.nbody):
        o = bounded(w * m.nbody + b)
        p = bounded(w * m.nbody + m.body_parentid[b])
        va = d.vel_ang[p]
        vl = d.vel_lin[p]
        ua = d.u_ang[p]
        ul = d.u_lin[p]
        aa = d.acc_ang[p] + ua
        al = d.acc_lin[p] + ul
        qa = d.q_ang[p]
        ql = d.q_lin[p]
        j = m.body_dofadr[b]
        end = j + m.body_dofnum[b]
        while j < end:
            first = j
            ga = va
            gl = vl
            ba = aa
            bl = al
            while j < end and m.dof_group[j] == first:
                i = bounded(w * nv + j)
                sa = d.cdof_ang[i]
                sl = d.cdof_lin[i]
                v = d.qvel[i]
                a = d.qacc[w, j]
                pa, pl = cross_motion(ga, gl, sa, sl)
                ra, rl = cross_motion(ba, bl, sa, sl)
                ta, tl = cross_motion(ga, gl, pa, pl)
                ka, kl = cross_motion(ua, ul, sa, sl)
                l.psi_ang[i] = pa
                l.psi_lin[i] = pl
                l.phi_ang[i] = ra + ta
                l.phi_lin[i] = rl + tl
                l.kap_ang[i] = ka
                l.kap_lin[i] = kl
                if implicit:
                    oa, ol = cross_motion(qa, ql, sa, sl)
                    l.ome_ang[i] = oa
                    l.ome_lin[i] = ol
                va = va + v * sa
                vl = vl + v * sl
                aa = aa + v * pa + a * sa
                al = al + v * pl + a * sl
                j = j + 1
            for k in range(first, j):
                i = bounded(w * nv + k)
                ta, tl = cross_motion(va, vl, d.cdof_ang[i], d.cdof_lin[i])
                l.sig_ang[i] = l.psi_ang[i] + ta
                l.sig_lin[i] = l.psi_lin[i] + tl
            # of the next group on the same body
            for k in range(first, j):
                i = bounded(w * nv + k)
                a = d.qacc[w, k]
                ua = ua + a * d.cdof_ang[i]
                ul = ul + a * d.cdof_lin[i]
                if implicit:
                    a = d.ma[w, k]
                    qa = qa + a * d.cdof_ang[i]
                    ql = ql + a * d.cdof_lin[i]
        d.u_ang[o] = ua
        d.u_lin[o] = ul
        mass = m.body_mass[b]
        r = d.xipos[o] - origin(m, d, w, b)
        idiag = d.inertia_diag[o]
        ioff = d.inertia_off[o]
        fa, fl = own_force(mass, r, idiag, ioff, va, vl, aa, al)
        l.cf_ang[o] = fa
        l.cf_lin[o] = fl
        if implicit:
            d.q_ang[o] = qa
            d.q_lin[o] = ql
            fa, fl = inertia_mul(mass, r, idiag, ioff, qa, ql)
            l.cw_ang[o] = fa
            l.cw_lin[o] = fl
        p2 = 2.0 * mass * (vl + va.cross(r))
        l.cp[o] = p2
        # N x = va x (2 J - tr J) x + r x (x x p2)
        kd = 2.0 * idiag - (idiag[0] + idiag[1] + idiag[2])
        rp = r.dot(p2)
        for c, n in ti.static(enumerate((l.cn0, l.cn1, l.cn2))):
            e = vec3(0.0, 0.0, 0.0)
            e[c] = 1.0
            n[o] = va.cross(sym_mul(kd, 2.0 * ioff, e)) + rp * e - r[c] * p2


@ti.func
def rnea_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """Tip to base: writes d(M a + c)/dq and /dv into the rows of `slot`; with `implicit`, d(M x)/dq into those of 1,
    x = a_eff - a. Expects those rows to be zero, and `own_rates`."""
    nbody = m.nbody
    nv = m.nv
    ld = m.ld
    o = STRIP * rows_at(m, w, slot)
    oe = STRIP * rows_at(m, w, 1)
    width = STRIP * row_strips(m)
    for kb in range(1, nbody):
        b = bounded(nbody - kb)
        h = bounded(w * nbody + b)
        mass = d.crb_mass[h]
        com = d.crb_com[h]
        jd = d.crb_diag[h]
        jo = d.crb_off[h]
        fa = l.cf_ang[h]
        fl = l.cf_lin[h]
        p = l.cp[h]
        n0 = l.cn0[h]
        n1 = l.cn1[h]
        n2 = l.cn2[h]
        j0 = m.body_dofadr[b]
        for i in range(j0, j0 + m.body_dofnum[b]):
            e = bounded(w * nv + i)
            group = m.dof_group[i]
            sa = d.cdof_ang[e]
            sl = d.cdof_lin[e]
            ia, il = composite_mul(mass, com, jd, jo, sa, sl)
            beta = vec3(n0.dot(sa), n1.dot(sa), n2.dot(sa)) + p.cross(sl)
            psi = l.psi_ang[e]
            qa, ql = composite_mul(mass, com, jd, jo, l.phi_ang[e], l.phi_lin[e])
            qa = qa + psi[0] * n0 + psi[1] * n1 + psi[2] * n2
            ql = ql + psi.cross(p)
            va, vl = composite_mul(mass, com, jd, jo, l.sig_ang[e], l.sig_lin[e])
            va = va + sa[0] * n0 + sa[1] * n1 + sa[2] * n2
            vl = vl + sa.cross(p)
            ta, tl = cross_force(sa, sl, fa, fl)
            j = i
            while j >= 0:
                y = bounded(w * nv + j)
                ua = d.cdof_ang[y]
                ul = d.cdof_lin[y]
                x1 = qa.dot(ua) + ql.dot(ul)
                if m.dof_group[j] != group:
                    x1 = x1 + ta.dot(ua) + tl.dot(ul)
                x = o + j * width + i
                l.lin_rows[x] = x1
                l.lin_rows[x + ld] = va.dot(ua) + vl.dot(ul)
                if j != i:
                    x = o + i * width + j
                    l.lin_rows[x] = beta.dot(l.psi_ang[y]) + ia.dot(l.phi_ang[y]) + il.dot(l.phi_lin[y])
                    l.lin_rows[x + ld] = beta.dot(ua) + ia.dot(l.sig_ang[y]) + il.dot(l.sig_lin[y])
                j = m.tree_parent[j]
            if implicit:
                oa, ol = composite_mul(mass, com, jd, jo, l.ome_ang[e], l.ome_lin[e])
                ta, tl = cross_force(sa, sl, l.cw_ang[h], l.cw_lin[h])
                j = i
                while j >= 0:
                    y = bounded(w * nv + j)
                    ua = d.cdof_ang[y]
                    ul = d.cdof_lin[y]
                    x1 = oa.dot(ua) + ol.dot(ul)
                    if m.dof_group[j] != group:
                        x1 = x1 + ta.dot(ua) + tl.dot(ul)
                    l.lin_rows[oe + j * width + i] = x1
                    if j != i:
                        l.lin_rows[oe + i * width + j] = ia.dot(l.ome_ang[y]) + il.dot(l.ome_lin[y])
                    j = m.tree_parent[j]
        if b != m.body_rootid[b]:
            y = bounded(w * nbody + m.body_parentid[b])
            for c in ti.static((l.cf_ang, l.cf_lin, l.cw_ang, l.cw_lin, l.cp, l.cn0, l.cn1, l.cn2)):
                c[y] = c[y] + c[h]
    applied_jacobian(m, d, l, w, o)
    gravcomp_jacobian(m, d, l, w, o, width)
    fluid_jacobian(m, d, l, w, o, width)


@ti.func
def composite_mul(mass: real, h: vec3, jd: vec3, jo: vec3, ang: vec3, lin: vec3):
    """Momentum of the motion (ang, lin) of a composite: mass, mass times centre h, inertia about the origin."""
    return sym_mul(jd, jo, ang) + h.cross(lin), mass * lin + ang.cross(h)


@ti.func
def applied_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """The rows at lin_rows[o:] gain d(-J^T xfrc)/dq: the point of attack and the axes move, the force stays."""
    nv = m.nv
    width = STRIP * row_strips(m)
    for b in range(1, m.nbody):
        k = bounded(w * m.nbody + b)
        f = d.xfrc_applied[k, 0]
        torque = d.xfrc_applied[k, 1]
        if f.dot(f) + torque.dot(torque) > 0:
            r = d.xipos[k] - origin(m, d, w, b)
            i = m.body_lastdof[b]
            while i >= 0:
                s = bounded(w * nv + i)
                sa = d.cdof_ang[s]
                u = d.cdof_lin[s] + sa.cross(r)
                j = m.body_lastdof[b]
                while j >= 0:
                    t = bounded(w * nv + j)
                    ta = d.cdof_ang[t]
                    x = o + i * width + j
                    if i > j or m.dof_group[i] == m.dof_group[j]:
                        # axis i moves with dof j
                        l.lin_rows[x] = l.lin_rows[x] - ta.cross(u).dot(f) - ta.cross(sa).dot(torque)
                    else:
                        l.lin_rows[x] = l.lin_rows[x] - sa.cross(d.cdof_lin[t] + ta.cross(r)).dot(f)
                    j = m.tree_parent[j]
                i = m.tree_parent[i]
