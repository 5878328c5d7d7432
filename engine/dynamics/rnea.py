"""RNEA in world axes: velocities, bias forces, and the adjoint of lambda^T (M a + c).

    V_b = V_p + S v            G_k = V before the joint (before the triple of a ball or free joint)
    A_b = A_p + (G x S) v      A_world = -gravity      (the bias part; with S a added: the full acceleration)
    f_b = I_b A_b + V_b x* (I_b V_b),    c = S^T sum of f over the subtree          (Featherstone 2008, ch. 5)

Adjoint. z is the test vector, L_b = sum of S z, U_b = sum of S a, so that  phi = z^T RNEA(q, v, a) = sum_b L_b . f_b.
Everything is a vector fixed to a body and seen from the world frame, so a motion xi of a body changes what is attached
to it by xi x (.), and each attached quantity y with adjoint y_bar adds y x* y_bar (or its dual) to the pose adjoint X:

    own parts   L_bar = f,  A_bar = I L,  V_bar = I (L x V) - L x* (I V)
                X_bar = -[L x* I A + A x* I L + (L x V) x* I V + V x* I (L x V)]
    tip to base, per dof k with the sums over what hangs on it
                v_bar = S . V_bar + (G x S) . A_bar
                S_bar = v V_bar + a U_bar + z L_bar - v G x* A_bar;   X_bar += S x* S_bar;   q_bar = S . X_bar
                then V_bar += (S v) x* A_bar  for what lies below the joint
U_bar is A_bar plus what contact adds to J a; contact adds to L_bar, U_bar, V_bar and X_bar of its two bodies.
"""

import taichi as ti

from engine.dynamics.kinematics import origin
from engine.math.quat import quat_mul, rotate_back
from engine.math.spatial import cross_force, cross_motion, inertia_mul
from engine.math.types import vec3
from engine.schema import (
    A_ANG,
    A_LIN,
    AB_ANG,
    AB_LIN,
    B_DOFADR,
    B_DOFNUM,
    B_IQUAT,
    B_PARENT,
    B_ROOT,
    D_GROUP,
    F_ANG,
    F_LIN,
    G_ANG,
    G_LIN,
    I_COM,
    L_ANG,
    L_LIN,
    LB_ANG,
    LB_LIN,
    MU,
    NBAR,
    NBI,
    NBODY,
    NBQ,
    NDI,
    NQR,
    NSV_DOF,
    NTHETA,
    NV,
    NXM,
    NXV,
    P_ANG,
    P_LIN,
    PB_ANG,
    PB_LIN,
    Q_ANG,
    Q_LIN,
    QACC,
    QACC_EFF,
    QB_ANG,
    QB_LIN,
    QFRC_BIAS,
    S_ANG,
    S_LIN,
    T_ARMATURE,
    T_GRAVITY,
    T_INERTIA,
    T_MASS,
    U_ANG,
    U_LIN,
    UB_ANG,
    UB_LIN,
    V_ANG,
    V_LIN,
    VB_ANG,
    VB_LIN,
    X_IPOS,
    XB_ANG,
    XB_LIN,
    Z,
)  # fmt: skip


@ti.func
def velocity(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Base to tip: V and the bias part of A of every body, G of every dof; with `forces` also each body's own force.

    f = I A + V x* (I V) is taken at the centre of mass r: there F = m (A + omega x u), with u its velocity, and the
    torque is J alpha + omega x J omega + r x F.
    """
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    g = m.dims[T_GRAVITY]
    world = w * nbody * NXV
    zero = vec3(0.0, 0.0, 0.0)
    d.body[world + V_ANG] = zero
    d.body[world + V_LIN] = zero
    d.body[world + A_ANG] = zero
    d.body[world + A_LIN] = -1.0 * vec3(m.theta[g], m.theta[g + 1], m.theta[g + 2])
    for b in range(1, nbody):
        o = (w * nbody + b) * NXV
        p = (w * nbody + m.body_i[b * NBI + B_PARENT]) * NXV
        va = d.body[p + V_ANG]
        vl = d.body[p + V_LIN]
        aa = d.body[p + A_ANG]
        al = d.body[p + A_LIN]
        ga = va
        gl = vl
        j0 = m.body_i[b * NBI + B_DOFADR]
        for j in range(j0, j0 + m.body_i[b * NBI + B_DOFNUM]):
            if m.dof_i[j * NDI + D_GROUP] == j:
                ga = va
                gl = vl
            s = (w * nv + j) * NSV_DOF
            d.dof[s + G_ANG] = ga
            d.dof[s + G_LIN] = gl
            v = d.qvel[w * nv + j]
            sa = d.dof[s + S_ANG] * v
            sl = d.dof[s + S_LIN] * v
            ca, cl = cross_motion(ga, gl, sa, sl)
            aa = aa + ca
            al = al + cl
            va = va + sa
            vl = vl + sl
        d.body[o + V_ANG] = va
        d.body[o + V_LIN] = vl
        d.body[o + A_ANG] = aa
        d.body[o + A_LIN] = al
        if forces:
            r = d.body[o + X_IPOS] - origin(m, d, w, b)
            inertia = d.inertia[(w * nbody + b) * NXM + I_COM]
            f = m.theta[m.dims[T_MASS] + b] * (al + aa.cross(r) + va.cross(vl + va.cross(r)))
            d.body[o + F_ANG] = inertia @ aa + va.cross(inertia @ va) + r.cross(f)
            d.body[o + F_LIN] = f


@ti.func
def bias(m: ti.template(), d: ti.template(), w: ti.i32):
    """Tip to base: qfrc_bias = c(q, v) from the bodies' own forces, which it sums."""
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    for k in range(1, nbody):
        b = nbody - k
        o = (w * nbody + b) * NXV
        fa = d.body[o + F_ANG]
        fl = d.body[o + F_LIN]
        j0 = m.body_i[b * NBI + B_DOFADR]
        for j in range(j0, j0 + m.body_i[b * NBI + B_DOFNUM]):
            s = (w * nv + j) * NSV_DOF
            d.dofr[w * nv * NQR + QFRC_BIAS * nv + j] = fa.dot(d.dof[s + S_ANG]) + fl.dot(d.dof[s + S_LIN])
        if b != m.body_i[b * NBI + B_ROOT]:
            p = (w * nbody + m.body_i[b * NBI + B_PARENT]) * NXV
            d.body[p + F_ANG] = d.body[p + F_ANG] + fa
            d.body[p + F_LIN] = d.body[p + F_LIN] + fl


@ti.func
def motion(m: ti.template(), d: ti.template(), w: ti.i32, column: ti.i32, x: ti.i32):
    """The motion of every body generated by the dof vector at dofr[x]: sum of S x into columns (ang, lin)."""
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    zero = vec3(0.0, 0.0, 0.0)
    d.body[w * nbody * NXV + column] = zero
    d.body[w * nbody * NXV + column + 1] = zero
    for b in range(1, nbody):
        o = (w * nbody + b) * NXV + column
        p = (w * nbody + m.body_i[b * NBI + B_PARENT]) * NXV + column
        ang = d.body[p]
        lin = d.body[p + 1]
        j0 = m.body_i[b * NBI + B_DOFADR]
        for j in range(j0, j0 + m.body_i[b * NBI + B_DOFNUM]):
            s = (w * nv + j) * NSV_DOF
            ang = ang + d.dof[s + S_ANG] * d.dofr[x + j]
            lin = lin + d.dof[s + S_LIN] * d.dofr[x + j]
        d.body[o] = ang
        d.body[o + 1] = lin


@ti.func
def rnea_vjp_own(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, damped: ti.i32):
    """Each body's own part of the adjoints of L, A, V, pose and inertia; adds to what contact left there.

    With `damped`, also those of mu^T M (a_eff - a): motions P of mu and Q of a_eff - a (see dynamics/integrate.py).
    """
    nbody = m.dims[NBODY]
    for b in range(1, nbody):
        o = (w * nbody + b) * NXV
        h = (w * nbody + b) * NBAR
        mass = m.theta[m.dims[T_MASS] + b]
        r = d.body[o + X_IPOS] - origin(m, d, w, b)
        inertia = d.inertia[(w * nbody + b) * NXM + I_COM]
        va = d.body[o + V_ANG]
        vl = d.body[o + V_LIN]
        aa = d.body[o + A_ANG] + d.body[o + U_ANG]
        al = d.body[o + A_LIN] + d.body[o + U_LIN]
        la = d.body[o + L_ANG]
        ll = d.body[o + L_LIN]
        xa, xl = cross_motion(la, ll, va, vl)
        iva, ivl = inertia_mul(mass, r, inertia, va, vl)
        iaa, ial = inertia_mul(mass, r, inertia, aa, al)
        ila, ill = inertia_mul(mass, r, inertia, la, ll)
        ixa, ixl = inertia_mul(mass, r, inertia, xa, xl)
        ta, tl = cross_force(va, vl, iva, ivl)
        g.body_bar[h + LB_ANG] = g.body_bar[h + LB_ANG] + iaa + ta
        g.body_bar[h + LB_LIN] = g.body_bar[h + LB_LIN] + ial + tl
        g.body_bar[h + AB_ANG] = g.body_bar[h + AB_ANG] + ila
        g.body_bar[h + AB_LIN] = g.body_bar[h + AB_LIN] + ill
        g.body_bar[h + UB_ANG] = g.body_bar[h + UB_ANG] + ila
        g.body_bar[h + UB_LIN] = g.body_bar[h + UB_LIN] + ill
        sa, sl = cross_force(la, ll, iva, ivl)
        g.body_bar[h + VB_ANG] = g.body_bar[h + VB_ANG] + ixa - sa
        g.body_bar[h + VB_LIN] = g.body_bar[h + VB_LIN] + ixl - sl
        p1a, p1l = cross_force(la, ll, iaa, ial)
        p2a, p2l = cross_force(aa, al, ila, ill)
        p3a, p3l = cross_force(xa, xl, iva, ivl)
        p4a, p4l = cross_force(va, vl, ixa, ixl)
        ba = p1a + p2a + p3a + p4a
        bl = p1l + p2l + p3l + p4l
        q = quat_mul(d.xquat[w * nbody + b], m.body_q[b * NBQ + B_IQUAT])
        mass_bar = (ll + la.cross(r)).dot(al + aa.cross(r)) + (xl + xa.cross(r)).dot(vl + va.cross(r))
        inertia_bar = rotate_back(q, la) * rotate_back(q, aa) + rotate_back(q, xa) * rotate_back(q, va)
        if damped:
            pa = d.body[o + P_ANG]
            pl = d.body[o + P_LIN]
            qa = d.body[o + Q_ANG]
            ql = d.body[o + Q_LIN]
            ipa, ipl = inertia_mul(mass, r, inertia, pa, pl)
            iqa, iql = inertia_mul(mass, r, inertia, qa, ql)
            g.body_bar[h + PB_ANG] = iqa
            g.body_bar[h + PB_LIN] = iql
            g.body_bar[h + QB_ANG] = ipa
            g.body_bar[h + QB_LIN] = ipl
            p5a, p5l = cross_force(pa, pl, iqa, iql)
            p6a, p6l = cross_force(qa, ql, ipa, ipl)
            ba = ba + p5a + p6a
            bl = bl + p5l + p6l
            mass_bar = mass_bar + (pl + pa.cross(r)).dot(ql + qa.cross(r))
            inertia_bar = inertia_bar + rotate_back(q, pa) * rotate_back(q, qa)
        g.body_bar[h + XB_ANG] = g.body_bar[h + XB_ANG] - ba
        g.body_bar[h + XB_LIN] = g.body_bar[h + XB_LIN] - bl
        t = w * m.dims[NTHETA]
        k = t + m.dims[T_MASS] + b
        g.theta_bar[k] = g.theta_bar[k] + mass_bar
        for i in ti.static(range(3)):
            k = t + m.dims[T_INERTIA] + 3 * b + i
            g.theta_bar[k] = g.theta_bar[k] + inertia_bar[i]
            k = t + m.dims[T_GRAVITY] + i
            g.theta_bar[k] = g.theta_bar[k] - g.body_bar[h + AB_LIN][i]
    # accelerometers fixed to the world
    for i in ti.static(range(3)):
        k = w * m.dims[NTHETA] + m.dims[T_GRAVITY] + i
        g.theta_bar[k] = g.theta_bar[k] - g.body_bar[w * nbody * NBAR + AB_LIN][i]


@ti.func
def rnea_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, damped: ti.i32):
    """Tip to base: turns the bodies' adjoints into those of q (tangent), v and armature."""
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    od = w * nv * NQR
    for kb in range(1, nbody):
        b = nbody - kb
        h = (w * nbody + b) * NBAR
        lba = g.body_bar[h + LB_ANG]
        lbl = g.body_bar[h + LB_LIN]
        aba = g.body_bar[h + AB_ANG]
        abl = g.body_bar[h + AB_LIN]
        uba = g.body_bar[h + UB_ANG]
        ubl = g.body_bar[h + UB_LIN]
        vba = g.body_bar[h + VB_ANG]
        vbl = g.body_bar[h + VB_LIN]
        xba = g.body_bar[h + XB_ANG]
        xbl = g.body_bar[h + XB_LIN]
        j0 = m.body_i[b * NBI + B_DOFADR]
        j = j0 + m.body_i[b * NBI + B_DOFNUM] - 1
        while j >= j0:
            first = m.dof_i[j * NDI + D_GROUP]
            # what the velocities of this group add to V below it, after the group is done
            wa = vec3(0.0, 0.0, 0.0)
            wl = vec3(0.0, 0.0, 0.0)
            for k in range(first, j + 1):
                s = (w * nv + k) * NSV_DOF
                sa = d.dof[s + S_ANG]
                sl = d.dof[s + S_LIN]
                ga = d.dof[s + G_ANG]
                gl = d.dof[s + G_LIN]
                v = d.qvel[w * nv + k]
                a = d.dofr[od + QACC * nv + k]
                z = d.dofr[od + Z * nv + k]
                ca, cl = cross_motion(ga, gl, sa, sl)
                k_v = w * nv + k
                g.qvel_bar[k_v] = (
                    g.qvel_bar[k_v] + sa.dot(vba) + sl.dot(vbl) + ca.dot(aba) + cl.dot(abl)
                )
                gaa, gal = cross_force(ga, gl, aba, abl)
                sba = v * (vba - gaa) + a * uba + z * lba
                sbl = v * (vbl - gal) + a * ubl + z * lbl
                armature_bar = z * a
                if damped:
                    mu = d.dofr[od + MU * nv + k]
                    da = d.dofr[od + QACC_EFF * nv + k] - a
                    sba = sba + mu * g.body_bar[h + PB_ANG] + da * g.body_bar[h + QB_ANG]
                    sbl = sbl + mu * g.body_bar[h + PB_LIN] + da * g.body_bar[h + QB_LIN]
                    armature_bar = armature_bar + mu * da
                t = w * m.dims[NTHETA] + m.dims[T_ARMATURE] + k
                g.theta_bar[t] = g.theta_bar[t] + armature_bar
                ta, tl = cross_force(sa * v, sl * v, aba, abl)
                wa = wa + ta
                wl = wl + tl
                # translations of a free joint are fixed to the world: three dofs of one group without rotation
                if first == j or sa.dot(sa) > 0:
                    xa, xl = cross_force(sa, sl, sba, sbl)
                    xba = xba + xa
                    xbl = xbl + xl
            for k in range(first, j + 1):
                s = (w * nv + k) * NSV_DOF
                k_q = w * nv + k
                g.qpos_bar[k_q] = g.qpos_bar[k_q] + d.dof[s + S_ANG].dot(xba) + d.dof[s + S_LIN].dot(xbl)
            vba = vba + wa
            vbl = vbl + wl
            j = first - 1
        if b != m.body_i[b * NBI + B_ROOT]:
            p = (w * nbody + m.body_i[b * NBI + B_PARENT]) * NBAR
            g.body_bar[p + LB_ANG] = g.body_bar[p + LB_ANG] + lba
            g.body_bar[p + LB_LIN] = g.body_bar[p + LB_LIN] + lbl
            g.body_bar[p + AB_ANG] = g.body_bar[p + AB_ANG] + aba
            g.body_bar[p + AB_LIN] = g.body_bar[p + AB_LIN] + abl
            g.body_bar[p + UB_ANG] = g.body_bar[p + UB_ANG] + uba
            g.body_bar[p + UB_LIN] = g.body_bar[p + UB_LIN] + ubl
            g.body_bar[p + VB_ANG] = g.body_bar[p + VB_ANG] + vba
            g.body_bar[p + VB_LIN] = g.body_bar[p + VB_LIN] + vbl
            g.body_bar[p + XB_ANG] = g.body_bar[p + XB_ANG] + xba
            g.body_bar[p + XB_LIN] = g.body_bar[p + XB_LIN] + xbl
            if damped:
                for c in range(4):
                    g.body_bar[p + PB_ANG + c] = g.body_bar[p + PB_ANG + c] + g.body_bar[h + PB_ANG + c]
