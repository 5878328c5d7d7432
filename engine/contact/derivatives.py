"""What contacts of pairs add to the rows of derivatives (dynamics/derivatives.py): d(-J^T f)/dq and /dv.

The adjoint of a contact (constraint.py) is linear in the motion L of body 2 against body 1 at the contact. It has six
components: three velocities along the contact's frame, where y is a unit vector, three angular ones, where y is zero.
Six calls of it give X (of the pose), U and V (of acceleration and velocity) of both bodies for every L. Of dof j, which
carries one of them,

    W_k = S_j . (X + U_b x* U + V_b x* V) + kap_j . U + psi_j . V,     d(-J^T f)_i / d q_j = sum over k of L_k,i W_k

and L_b's own adjoint F adds (S_j x S_i) . F where dof j moves the axis of dof i. By v it is J^T K B J.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.contact.constraint import contact_damping, contact_vjp
from engine.dynamics.derivatives import row_strips
from engine.dynamics.kinematics import origin
from engine.math.index import bounded, vector_at
from engine.math.spatial import cross_force, sym_mul
from engine.math.types import real, vec3
from engine.schema import (
    B_LASTDOF,
    C_BODY1,
    C_BODY2,
    C_KD,
    C_KO,
    C_N,
    C_NDOF,
    C_PAIR,
    C_POS,
    C_T1,
    C_T2,
    CU_ANG,
    CU_LIN,
    CV_ANG,
    CV_LIN,
    CX_ANG,
    CX_LIN,
    D_GROUP,
    D_PARENT,
    KAP_ANG,
    KAP_LIN,
    L_ANG,
    L_LIN,
    LB_ANG,
    LB_LIN,
    LD,
    NBAR,
    NBI,
    NBODY,
    NCHAIN,
    NCI,
    NCONMAX,
    NCV,
    NDI,
    NLC,
    NLD,
    NQI,
    NSV_DOF,
    NV,
    NWI,
    NXV,
    PSI_ANG,
    PSI_LIN,
    Q_DOF,
    S_ANG,
    S_LIN,
    U_ANG,
    U_LIN,
    UB_ANG,
    UB_LIN,
    V_ANG,
    V_LIN,
    VB_ANG,
    VB_LIN,
    W_NCON,
    XB_ANG,
    XB_LIN,
)  # fmt: skip


@serves("contact")
@ti.func
def contacts_jacobian(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """The rows at lin_rows[o:] gain what the contacts that push add; expects the law at the solution."""
    for r in range(d.world_i[w * NWI + W_NCON]):
        c = bounded(w * m.dims[NCONMAX] + r)
        if d.con_i[c * NCI + C_PAIR] >= 0 and d.con_v[c * NCV + C_KD][0] > 0:
            unit_motions(m, d, g, l, w, c)
            add_contact_rows(m, d, g, l, w, c, o)


@ti.func
def unit_motions(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32):
    """The adjoints of both bodies of contact c for six unit motions, into lin_con."""
    zero = vec3(0.0, 0.0, 0.0)
    b1 = bounded(w * m.dims[NBODY] + d.con_i[c * NCI + C_BODY1])
    b2 = bounded(w * m.dims[NBODY] + d.con_i[c * NCI + C_BODY2])
    r2 = d.con_v[c * NCV + C_POS] - origin(m, d, w, d.con_i[c * NCI + C_BODY2])
    first = ti.cast(d.con_i[c * NCI + C_BODY1] == 0, ti.i32)  # nothing moves the world
    d.body[b1 * NXV + L_ANG] = zero
    d.body[b1 * NXV + L_LIN] = zero
    for k in range(6):
        y = vec3(ti.cast(k == 0, real), ti.cast(k == 1, real), ti.cast(k == 2, real))
        omega = vec3(ti.cast(k == 3, real), ti.cast(k == 4, real), ti.cast(k == 5, real))
        u = y[0] * d.con_v[c * NCV + C_N] + y[1] * d.con_v[c * NCV + C_T1] + y[2] * d.con_v[c * NCV + C_T2]
        d.body[b2 * NXV + L_ANG] = omega
        d.body[b2 * NXV + L_LIN] = u - omega.cross(r2)
        for side in range(first, 2):
            h = (b2 if side else b1) * NBAR
            for x in ti.static((LB_ANG, UB_ANG, VB_ANG, XB_ANG)):
                g.body_bar[h + x] = zero
                g.body_bar[h + x + 1] = zero
        contact_vjp(m, d, g, w, c, y)
        for side in range(first, 2):
            b = b2 if side else b1
            h = b * NBAR
            e = bounded(w * 12 + 6 * side + k) * NLC
            ua = g.body_bar[h + UB_ANG]
            ul = g.body_bar[h + UB_LIN]
            va = g.body_bar[h + VB_ANG]
            vl = g.body_bar[h + VB_LIN]
            pa, pl = cross_force(d.body[b * NXV + U_ANG], d.body[b * NXV + U_LIN], ua, ul)
            qa, ql = cross_force(d.body[b * NXV + V_ANG], d.body[b * NXV + V_LIN], va, vl)
            l.lin_con[e + CX_ANG] = g.body_bar[h + XB_ANG] + pa + qa
            l.lin_con[e + CX_LIN] = g.body_bar[h + XB_LIN] + pl + ql
            l.lin_con[e + CU_ANG] = ua
            l.lin_con[e + CU_LIN] = ul
            l.lin_con[e + CV_ANG] = va
            l.lin_con[e + CV_LIN] = vl


@ti.func
def common_dof(m: ti.template(), i1: ti.i32, i2: ti.i32):
    """The deepest dof that moves both, or -1: those from there on have no column in J."""
    a = i1
    b = i2
    while a != b:
        if a > b:
            a = m.dof_i[a * NDI + D_PARENT]
        else:
            b = m.dof_i[b * NDI + D_PARENT]
    return a


@ti.func
def add_contact_rows(m: ti.template(), d: ti.template(), g: ti.template(), l: ti.template(), w: ti.i32, c: ti.i32,
                     o: ti.i32):  # fmt: skip
    nv = m.dims[NV]
    ld = m.dims[LD]
    width = 16 * row_strips(m)
    b1 = d.con_i[c * NCI + C_BODY1]
    b2 = d.con_i[c * NCI + C_BODY2]
    last1 = m.body_i[b1 * NBI + B_LASTDOF]
    last2 = m.body_i[b2 * NBI + B_LASTDOF]
    top = common_dof(m, last1, last2)
    kd = d.con_v[c * NCV + C_KD]
    ko = d.con_v[c * NCV + C_KO]
    B = contact_damping(d, c)
    # J by dof; of those that move both bodies it is zero
    for js in range(2):
        j = last2 if js else last1
        while j >= 0:
            l.lin_J[bounded(w * nv + j)] = vec3(0.0, 0.0, 0.0)
            j = m.dof_i[j * NDI + D_PARENT]
    at = c * m.dims[NCHAIN]
    for q in range(at, at + d.con_i[c * NCI + C_NDOF]):
        l.lin_J[bounded(w * nv + d.con_dof[q * NQI + Q_DOF])] = d.con_J[vector_at(q)]
    for js in range(2):
        h = bounded(w * m.dims[NBODY] + (b2 if js else b1)) * NBAR
        fa = g.body_bar[h + LB_ANG]
        fl = g.body_bar[h + LB_LIN]
        j = last2 if js else last1
        # dofs that move both bodies, too: the frame's tangents do not turn with them, and a pyramid shows it
        while j >= 0:
            e = bounded(w * nv + j)
            sa = d.dof[e * NSV_DOF + S_ANG]
            sl = d.dof[e * NSV_DOF + S_LIN]
            pa = l.lin_dof[e * NLD + PSI_ANG]
            pl = l.lin_dof[e * NLD + PSI_LIN]
            ka = l.lin_dof[e * NLD + KAP_ANG]
            kl = l.lin_dof[e * NLD + KAP_LIN]
            ta, tl = cross_force(sa, sl, fa, fl)
            wu = vec3(0.0, 0.0, 0.0)
            wo = vec3(0.0, 0.0, 0.0)
            for k in ti.static(range(3)):
                x = bounded(w * 12 + 6 * js + k) * NLC
                wu[k] = (
                    sa.dot(l.lin_con[x + CX_ANG]) + sl.dot(l.lin_con[x + CX_LIN])
                    + ka.dot(l.lin_con[x + CU_ANG]) + kl.dot(l.lin_con[x + CU_LIN])
                    + pa.dot(l.lin_con[x + CV_ANG]) + pl.dot(l.lin_con[x + CV_LIN])
                )  # fmt: skip
                x = x + 3 * NLC
                wo[k] = sa.dot(l.lin_con[x + CX_ANG]) + sl.dot(l.lin_con[x + CX_LIN])
            kb = sym_mul(kd, ko, B * l.lin_J[bounded(w * nv + j)])
            for side in range(2):
                i = last2 if side else last1
                sign = real(2 * side - 1)
                while i != top:
                    s = bounded(w * nv + i) * NSV_DOF
                    J = l.lin_J[bounded(w * nv + i)]
                    ang = d.dof[s + S_ANG]
                    q_bar = J.dot(wu) + sign * ang.dot(wo)
                    if side == js and (i > j or m.dof_i[i * NDI + D_GROUP] == m.dof_i[j * NDI + D_GROUP]):
                        q_bar = q_bar - ang.dot(ta) - d.dof[s + S_LIN].dot(tl)
                    x = o + i * width + j
                    l.lin_rows[x] = l.lin_rows[x] + q_bar
                    l.lin_rows[x + ld] = l.lin_rows[x + ld] + J.dot(kb)
                    i = m.dof_i[i * NDI + D_PARENT]
            j = m.dof_i[j * NDI + D_PARENT]
