"""Derivatives of RNEA by q and v, all columns in two sweeps (Singh, Russell, Wensing, IEEE RA-L 7(2), 2022), and rows
of derivatives, a matrix of which is solved at once.

A motion of dof j carries what hangs on it. Seen from there, V and A of a body change by

    psi_j = G x S_j  and  phi_j + psi_j x V,  phi_j = A_G x S_j + G x psi_j      (by q_j; G, A_G: before j's group)
    S_j              and  sig_j + S_j x V,    sig_j = psi_j + V' x S_j           (by v_j; V': after j's group)

so that the force of a body changes by I phi + B psi, I sig + B S with  B x = V x* I x + x x* I V - I (V x x). Only the
angular part of x counts:  B x = (N x_ang, x_ang x 2 m v),  v the velocity of the centre of mass. I, N, 2 m v and the
force f are summed over what hangs on a dof. With i below j

    d tau_i / d q_j = S_i . (I phi_j + B psi_j),   d tau_j / d q_i = S_j . (I phi_i + B psi_i + S_i x* f)

The last term is missing for axes of one ball, which move together. The same with V = 0 gives d(M x) / d q.

A row of derivatives has nv entries by q and nv by v, both filled up to a multiple of four, na by act and nu by ctrl,
and is filled up to a multiple of sixteen.
"""

import taichi as ti

from engine.dynamics.crba import diagonal_at
from engine.dynamics.kinematics import origin
from engine.dynamics.rnea import own_force
from engine.math.index import bounded
from engine.math.spatial import cross_force, cross_motion, inertia_mul, sym_mul
from engine.math.types import real, vec3
from engine.model.constants import RK4
from engine.schema import (
    A_ANG,
    A_LIN,
    B_DOFADR,
    B_DOFNUM,
    B_LASTDOF,
    B_PARENT,
    B_ROOT,
    CF_ANG,
    CF_LIN,
    CN0,
    CN1,
    CN2,
    CP,
    CW_ANG,
    CW_LIN,
    D_GROUP,
    D_PARENT,
    E_DEPTH,
    E_PARENT,
    E_ROW,
    H_COM,
    ID_COM,
    ID_CRB,
    INTEGRATOR,
    IO_COM,
    IO_CRB,
    KAP_ANG,
    KAP_LIN,
    LD,
    MA,
    NA,
    NBI,
    NBODY,
    NDI,
    NLB,
    NLD,
    NQR,
    NSV_DOF,
    NU,
    NV,
    NXV,
    OME_ANG,
    OME_LIN,
    PHI_ANG,
    PHI_LIN,
    PSI_ANG,
    PSI_LIN,
    Q_ANG,
    Q_LIN,
    QACC,
    S_ANG,
    S_LIN,
    SIG_ANG,
    SIG_LIN,
    T_MASS,
    U_ANG,
    U_LIN,
    V_ANG,
    V_LIN,
    X_IPOS,
)  # fmt: skip


@ti.func
def row_strips(m: ti.template()):
    """Strips of sixteen numbers in a row of derivatives."""
    return (2 * m.dims[LD] + m.dims[NA] + m.dims[NU] + 15) >> 4


@ti.func
def rows_at(m: ti.template(), w: ti.i32, slot: ti.i32):
    """The first strip of a matrix of rows: of the stages of RK4, or of d r / dx (0) and what is implicit (1). A
    row for sums lies behind a world's last."""
    slots = 2
    if m.dims[INTEGRATOR] == RK4:
        slots = 4
    return (w * (slots * m.dims[NV] + 1) + slot * m.dims[NV]) * row_strips(m)


@ti.func
def strip_at(m: ti.template(), q: ti.i32):
    """16 q, of which LLVM knows that the next fifteen indices do not overflow (factor.block_at)."""
    return 16 * (q + (m.dims[LD] & 3))


@ti.func
def clear_rows(m: ti.template(), l: ti.template(), first: ti.i32, count: ti.i32):
    for q in range(count * row_strips(m)):
        i = strip_at(m, first + q)
        for c in ti.static(range(16)):
            l.lin_rows[i + c] = 0.0


@ti.func
def scale_row(m: ti.template(), l: ti.template(), y: ti.i32, a: real):
    """The row that begins at strip y times a."""
    for q in range(row_strips(m)):
        i = strip_at(m, y + q)
        for c in ti.static(range(16)):
            l.lin_rows[i + c] = a * l.lin_rows[i + c]


@ti.func
def add_to_row(m: ti.template(), l: ti.template(), y: ti.i32, a: real, x: ti.i32):
    """The row that begins at strip y gains a times the one at x."""
    for q in range(row_strips(m)):
        i = strip_at(m, y + q)
        j = strip_at(m, x + q)
        for b in ti.static(range(4)):
            # four entries are read before any is written: LLVM makes one vector of them
            y0 = l.lin_rows[i + 4 * b] + a * l.lin_rows[j + 4 * b]
            y1 = l.lin_rows[i + 4 * b + 1] + a * l.lin_rows[j + 4 * b + 1]
            y2 = l.lin_rows[i + 4 * b + 2] + a * l.lin_rows[j + 4 * b + 2]
            y3 = l.lin_rows[i + 4 * b + 3] + a * l.lin_rows[j + 4 * b + 3]
            l.lin_rows[i + 4 * b] = y0
            l.lin_rows[i + 4 * b + 1] = y1
            l.lin_rows[i + 4 * b + 2] = y2
            l.lin_rows[i + 4 * b + 3] = y3


@ti.func
def solve_rows(m: ti.template(), l: ti.template(), A: ti.template(), o: ti.i32, t: ti.template(), to: ti.i32,
               stride: ti.i32, first: ti.i32):  # fmt: skip
    """The rows from strip `first` on become (L^T D L)^-1 times them: factor.solve for all their columns."""
    n = m.dims[NV]
    ns = row_strips(m)
    for kk in range(n):
        k = n - 1 - kk
        e = o + 4 * t[to + k * stride + E_ROW] + t[to + k * stride + E_DEPTH]
        i = t[to + k * stride + E_PARENT]
        while i >= 0:
            e = e - 1
            add_to_row(m, l, first + i * ns, -A[e], first + k * ns)
            i = t[to + i * stride + E_PARENT]
    for k in range(n):
        e = o + 4 * t[to + k * stride + E_ROW] + t[to + k * stride + E_DEPTH]
        scale_row(m, l, first + k * ns, A[e])
        i = t[to + k * stride + E_PARENT]
        while i >= 0:
            e = e - 1
            add_to_row(m, l, first + k * ns, -A[e], first + i * ns)
            i = t[to + i * stride + E_PARENT]


@ti.func
def add_mass_rows(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, y: ti.i32, x: ti.i32):
    """The rows from strip y on gain M times those from x on."""
    ns = row_strips(m)
    for j in range(m.dims[NV]):
        k = diagonal_at(m, w, j)
        add_to_row(m, l, y + j * ns, d.M[k], x + j * ns)
        i = m.dof_i[j * NDI + D_PARENT]
        while i >= 0:
            k = k - 1
            e = d.M[k]
            add_to_row(m, l, y + j * ns, e, x + i * ns)
            add_to_row(m, l, y + i * ns, e, x + j * ns)
            i = m.dof_i[i * NDI + D_PARENT]


@ti.func
def own_rates(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, implicit: ti.i32):
    """Base to tip: psi, phi, sig and the like of the dofs; each body's own force, momentum and N."""
    nv = m.dims[NV]
    for b in range(1, m.dims[NBODY]):
        o = bounded(w * m.dims[NBODY] + b) * NXV
        p = bounded(w * m.dims[NBODY] + m.body_i[b * NBI + B_PARENT]) * NXV
        va = d.body[p + V_ANG]
        vl = d.body[p + V_LIN]
        ua = d.body[p + U_ANG]
        ul = d.body[p + U_LIN]
        aa = d.body[p + A_ANG] + ua
        al = d.body[p + A_LIN] + ul
        qa = d.body[p + Q_ANG]
        ql = d.body[p + Q_LIN]
        j = m.body_i[b * NBI + B_DOFADR]
        end = j + m.body_i[b * NBI + B_DOFNUM]
        while j < end:
            first = j
            ga = va
            gl = vl
            ba = aa
            bl = al
            while j < end and m.dof_i[j * NDI + D_GROUP] == first:
                i = bounded(w * nv + j)
                e = i * NLD
                sa = d.dof[i * NSV_DOF + S_ANG]
                sl = d.dof[i * NSV_DOF + S_LIN]
                v = d.qvel[i]
                a = d.dofr[w * nv * NQR + QACC * nv + j]
                pa, pl = cross_motion(ga, gl, sa, sl)
                ra, rl = cross_motion(ba, bl, sa, sl)
                ta, tl = cross_motion(ga, gl, pa, pl)
                ka, kl = cross_motion(ua, ul, sa, sl)
                l.lin_dof[e + PSI_ANG] = pa
                l.lin_dof[e + PSI_LIN] = pl
                l.lin_dof[e + PHI_ANG] = ra + ta
                l.lin_dof[e + PHI_LIN] = rl + tl
                l.lin_dof[e + KAP_ANG] = ka
                l.lin_dof[e + KAP_LIN] = kl
                if implicit:
                    oa, ol = cross_motion(qa, ql, sa, sl)
                    l.lin_dof[e + OME_ANG] = oa
                    l.lin_dof[e + OME_LIN] = ol
                va = va + v * sa
                vl = vl + v * sl
                aa = aa + v * pa + a * sa
                al = al + v * pl + a * sl
                j = j + 1
            for k in range(first, j):
                i = bounded(w * nv + k)
                ta, tl = cross_motion(va, vl, d.dof[i * NSV_DOF + S_ANG], d.dof[i * NSV_DOF + S_LIN])
                l.lin_dof[i * NLD + SIG_ANG] = l.lin_dof[i * NLD + PSI_ANG] + ta
                l.lin_dof[i * NLD + SIG_LIN] = l.lin_dof[i * NLD + PSI_LIN] + tl
            # of the next group on the same body
            for k in range(first, j):
                i = bounded(w * nv + k)
                a = d.dofr[w * nv * NQR + QACC * nv + k]
                ua = ua + a * d.dof[i * NSV_DOF + S_ANG]
                ul = ul + a * d.dof[i * NSV_DOF + S_LIN]
                if implicit:
                    a = d.dofr[w * nv * NQR + MA * nv + k]
                    qa = qa + a * d.dof[i * NSV_DOF + S_ANG]
                    ql = ql + a * d.dof[i * NSV_DOF + S_LIN]
        h = bounded(w * m.dims[NBODY] + b) * NLB
        mass = m.theta[m.dims[T_MASS] + b]
        r = d.body[o + X_IPOS] - origin(m, d, w, b)
        idiag = d.body[o + ID_COM]
        ioff = d.body[o + IO_COM]
        fa, fl = own_force(mass, r, idiag, ioff, va, vl, aa, al)
        l.lin_body[h + CF_ANG] = fa
        l.lin_body[h + CF_LIN] = fl
        if implicit:
            fa, fl = inertia_mul(mass, r, idiag, ioff, d.body[o + Q_ANG], d.body[o + Q_LIN])
            l.lin_body[h + CW_ANG] = fa
            l.lin_body[h + CW_LIN] = fl
        p2 = 2.0 * mass * (vl + va.cross(r))
        l.lin_body[h + CP] = p2
        # N x = va x (2 J - tr J) x + r x (x x p2)
        kd = 2.0 * idiag - (idiag[0] + idiag[1] + idiag[2])
        rp = r.dot(p2)
        for c in ti.static(range(3)):
            e = vec3(0.0, 0.0, 0.0)
            e[c] = 1.0
            l.lin_body[h + CN0 + c] = va.cross(sym_mul(kd, 2.0 * ioff, e)) + rp * e - r[c] * p2


@ti.func
def rnea_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, slot: ti.i32, implicit: ti.i32):
    """Tip to base: writes d(M a + c)/dq and /dv into the rows of `slot`; with `implicit`, d(M x)/dq into those of 1,
    x = a_eff - a. Expects those rows to be zero."""
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    ld = m.dims[LD]
    o = 16 * rows_at(m, w, slot)
    oe = 16 * rows_at(m, w, 1)
    width = 16 * row_strips(m)
    own_rates(m, d, l, w, implicit)
    for kb in range(1, nbody):
        b = bounded(nbody - kb)
        h = bounded(w * nbody + b) * NLB
        x = bounded(w * nbody + b)
        mass = d.crb_mass[x]
        com = d.body[x * NXV + H_COM]
        jd = d.body[x * NXV + ID_CRB]
        jo = d.body[x * NXV + IO_CRB]
        fa = l.lin_body[h + CF_ANG]
        fl = l.lin_body[h + CF_LIN]
        p = l.lin_body[h + CP]
        n0 = l.lin_body[h + CN0]
        n1 = l.lin_body[h + CN1]
        n2 = l.lin_body[h + CN2]
        j0 = m.body_i[b * NBI + B_DOFADR]
        for i in range(j0, j0 + m.body_i[b * NBI + B_DOFNUM]):
            e = bounded(w * nv + i)
            s = e * NSV_DOF
            e = e * NLD
            group = m.dof_i[i * NDI + D_GROUP]
            sa = d.dof[s + S_ANG]
            sl = d.dof[s + S_LIN]
            ia, il = composite_mul(mass, com, jd, jo, sa, sl)
            beta = vec3(n0.dot(sa), n1.dot(sa), n2.dot(sa)) + p.cross(sl)
            psi = l.lin_dof[e + PSI_ANG]
            qa, ql = composite_mul(mass, com, jd, jo, l.lin_dof[e + PHI_ANG], l.lin_dof[e + PHI_LIN])
            qa = qa + psi[0] * n0 + psi[1] * n1 + psi[2] * n2
            ql = ql + psi.cross(p)
            va, vl = composite_mul(mass, com, jd, jo, l.lin_dof[e + SIG_ANG], l.lin_dof[e + SIG_LIN])
            va = va + sa[0] * n0 + sa[1] * n1 + sa[2] * n2
            vl = vl + sa.cross(p)
            ta, tl = cross_force(sa, sl, fa, fl)
            j = i
            while j >= 0:
                y = bounded(w * nv + j)
                t = y * NSV_DOF
                y = y * NLD
                ua = d.dof[t + S_ANG]
                ul = d.dof[t + S_LIN]
                together = m.dof_i[j * NDI + D_GROUP] == group
                x1 = qa.dot(ua) + ql.dot(ul)
                if not together:
                    x1 = x1 + ta.dot(ua) + tl.dot(ul)
                l.lin_rows[o + j * width + i] = x1
                l.lin_rows[o + j * width + ld + i] = va.dot(ua) + vl.dot(ul)
                if j != i:
                    l.lin_rows[o + i * width + j] = (
                        beta.dot(l.lin_dof[y + PSI_ANG])
                        + ia.dot(l.lin_dof[y + PHI_ANG]) + il.dot(l.lin_dof[y + PHI_LIN])
                    )
                    l.lin_rows[o + i * width + ld + j] = (
                        beta.dot(ua) + ia.dot(l.lin_dof[y + SIG_ANG]) + il.dot(l.lin_dof[y + SIG_LIN])
                    )
                j = m.dof_i[j * NDI + D_PARENT]
            if implicit:
                oa, ol = composite_mul(mass, com, jd, jo, l.lin_dof[e + OME_ANG], l.lin_dof[e + OME_LIN])
                ta, tl = cross_force(sa, sl, l.lin_body[h + CW_ANG], l.lin_body[h + CW_LIN])
                j = i
                while j >= 0:
                    y = bounded(w * nv + j)
                    ua = d.dof[y * NSV_DOF + S_ANG]
                    ul = d.dof[y * NSV_DOF + S_LIN]
                    x1 = oa.dot(ua) + ol.dot(ul)
                    if m.dof_i[j * NDI + D_GROUP] != group:
                        x1 = x1 + ta.dot(ua) + tl.dot(ul)
                    l.lin_rows[oe + j * width + i] = x1
                    if j != i:
                        y = y * NLD
                        l.lin_rows[oe + i * width + j] = ia.dot(l.lin_dof[y + OME_ANG]) + il.dot(l.lin_dof[y + OME_LIN])
                    j = m.dof_i[j * NDI + D_PARENT]
        if b != m.body_i[b * NBI + B_ROOT]:
            y = bounded(w * nbody + m.body_i[b * NBI + B_PARENT]) * NLB
            for c in ti.static(range(NLB)):
                l.lin_body[y + c] = l.lin_body[y + c] + l.lin_body[h + c]
    applied_jacobian(m, d, l, w, o)


@ti.func
def composite_mul(mass: real, h: vec3, jd: vec3, jo: vec3, ang: vec3, lin: vec3):
    """Momentum of the motion (ang, lin) of a composite: mass, mass times centre h, inertia about the origin."""
    return sym_mul(jd, jo, ang) + h.cross(lin), mass * lin + ang.cross(h)


@ti.func
def applied_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """The rows at lin_rows[o:] gain d(-J^T xfrc)/dq: the point of attack and the axes move, the force stays."""
    nv = m.dims[NV]
    width = 16 * row_strips(m)
    for b in range(1, m.dims[NBODY]):
        k = bounded(w * m.dims[NBODY] + b)
        f = d.xfrc_applied[2 * k]
        torque = d.xfrc_applied[2 * k + 1]
        if f.dot(f) + torque.dot(torque) > 0:
            r = d.body[k * NXV + X_IPOS] - origin(m, d, w, b)
            i = m.body_i[b * NBI + B_LASTDOF]
            while i >= 0:
                s = bounded(w * nv + i) * NSV_DOF
                sa = d.dof[s + S_ANG]
                u = d.dof[s + S_LIN] + sa.cross(r)
                j = m.body_i[b * NBI + B_LASTDOF]
                while j >= 0:
                    t = bounded(w * nv + j) * NSV_DOF
                    ta = d.dof[t + S_ANG]
                    x = o + i * width + j
                    if i > j or m.dof_i[i * NDI + D_GROUP] == m.dof_i[j * NDI + D_GROUP]:
                        # axis i moves with dof j
                        l.lin_rows[x] = l.lin_rows[x] - ta.cross(u).dot(f) - ta.cross(sa).dot(torque)
                    else:
                        l.lin_rows[x] = l.lin_rows[x] - sa.cross(d.dof[t + S_LIN] + ta.cross(r)).dot(f)
                    j = m.dof_i[j * NDI + D_PARENT]
                i = m.dof_i[i * NDI + D_PARENT]
