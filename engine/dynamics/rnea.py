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

from engine.compiler.features import has, serves
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import finish_axis, joint_vjp, origin, place_vjp
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate_back
from engine.math.spatial import cross_force, cross_motion, inertia_mul, sym_mul
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE, IMPLICIT


@ti.func
def still_world(m: ti.template(), d: ti.template(), w: ti.i32):
    """Motion of the world body: it stands, and gravity is an acceleration of it."""
    world = w * m.nbody
    zero = vec3(0.0, 0.0, 0.0)
    d.vel_ang[world] = zero
    d.vel_lin[world] = zero
    d.acc_ang[world] = zero
    d.acc_lin[world] = -1.0 * vec3(m.gravity[0], m.gravity[1], m.gravity[2])


@ti.func
def velocity(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, c: vec3, keep: ti.i32):
    """V and the bias part of A of body b from its parent's, and S of its dofs; c is the origin. keep: G, too."""
    nv = m.nv
    o = bounded(w * m.nbody + b)
    p = bounded(w * m.nbody + m.body_parentid[b])
    va = d.vel_ang[p]
    vl = d.vel_lin[p]
    aa = d.acc_ang[p]
    al = d.acc_lin[p]
    ga = va
    gl = vl
    j0 = m.body_dofadr[b]
    for k in range(j0, j0 + m.body_dofnum[b]):
        j = bounded(k)
        if m.dof_group[j] == j:
            ga = va
            gl = vl
        i = bounded(w * nv + j)
        if keep:
            d.frame_ang[i] = ga
            d.frame_lin[i] = gl
        sa, sl = finish_axis(m, d, w, j, c)
        v = d.qvel[i]
        sa = sa * v
        sl = sl * v
        ca, cl = cross_motion(ga, gl, sa, sl)
        aa = aa + ca
        al = al + cl
        va = va + sa
        vl = vl + sl
    d.vel_ang[o] = va
    d.vel_lin[o] = vl
    d.acc_ang[o] = aa
    d.acc_lin[o] = al
    return va, vl, aa, al


@ti.func
def own_force(mass: real, r: vec3, idiag: vec3, ioff: vec3, va: vec3, vl: vec3, aa: vec3, al: vec3):
    """f = I A + V x* (I V), taken at the centre of mass r: there F = m (A + omega x u), with u its velocity, and the
    torque is J alpha + omega x J omega + r x F."""
    f = mass * (al + aa.cross(r) + va.cross(vl + va.cross(r)))
    return sym_mul(idiag, ioff, aa) + va.cross(sym_mul(idiag, ioff, va)) + r.cross(f), f


@ti.func
def motion(m: ti.template(), d: ti.template(), w: ti.i32, ang: ti.template(), lin: ti.template(), x: ti.template()):
    """The motion of every body that a vector over the dofs generates: sum of S x into columns (ang, lin)."""
    nbody = m.nbody
    nv = m.nv
    zero = vec3(0.0, 0.0, 0.0)
    ang[w * nbody] = zero
    lin[w * nbody] = zero
    for b in range(1, nbody):
        o = bounded(w * nbody + b)
        p = bounded(w * nbody + m.body_parentid[b])
        xa = ang[p]
        xl = lin[p]
        j0 = m.body_dofadr[b]
        for j in range(j0, j0 + m.body_dofnum[b]):
            s = bounded(w * nv + j)
            xa = xa + d.cdof_ang[s] * x[w, j]
            xl = xl + d.cdof_lin[s] * x[w, j]
            # a store keeps LLVM from making vectors of a loop of six iterations at most, at many times the code
            ang[o] = xa
        ang[o] = xa
        lin[o] = xl


@ti.func
def moved_inertia(mass: real, r: vec3, idiag: vec3, ioff: vec3, xa: vec3, xl: vec3, ya: vec3, yl: vec3):
    """The derivatives of y . I x by the centre of mass and by a turn of the principal axes."""
    place = mass * ((xl + xa.cross(r)).cross(ya) + (yl + ya.cross(r)).cross(xa))
    return place, sym_mul(idiag, ioff, xa).cross(ya) + sym_mul(idiag, ioff, ya).cross(xa)


@ti.func
def rnea_vjp_own(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, damped: ti.i32):
    """Each body's own part of the adjoints of L, A, V, pose and inertia; adds to what contact left there.

    With `damped`, also those of mu^T M (a_eff - a): motions P of mu and Q of a_eff - a (see dynamics/integrate.py).
    """
    nbody = m.nbody
    for b in range(1, nbody):
        o = bounded(w * nbody + b)
        mass = m.body_mass[b]
        r = d.xipos[o] - origin(m, d, w, b)
        idiag = d.inertia_diag[o]
        ioff = d.inertia_off[o]
        va = d.vel_ang[o]
        vl = d.vel_lin[o]
        aa = d.acc_ang[o] + d.u_ang[o]
        al = d.acc_lin[o] + d.u_lin[o]
        la = d.l_ang[o]
        ll = d.l_lin[o]
        xa, xl = cross_motion(la, ll, va, vl)
        iva, ivl = inertia_mul(mass, r, idiag, ioff, va, vl)
        iaa, ial = inertia_mul(mass, r, idiag, ioff, aa, al)
        ila, ill = inertia_mul(mass, r, idiag, ioff, la, ll)
        ixa, ixl = inertia_mul(mass, r, idiag, ioff, xa, xl)
        ta, tl = cross_force(va, vl, iva, ivl)
        g.l_ang[o] = g.l_ang[o] + iaa + ta
        g.l_lin[o] = g.l_lin[o] + ial + tl
        g.acc_ang[o] = g.acc_ang[o] + ila
        g.acc_lin[o] = g.acc_lin[o] + ill
        g.u_ang[o] = g.u_ang[o] + ila
        g.u_lin[o] = g.u_lin[o] + ill
        sa, sl = cross_force(la, ll, iva, ivl)
        g.vel_ang[o] = g.vel_ang[o] + ixa - sa
        g.vel_lin[o] = g.vel_lin[o] + ixl - sl
        p1a, p1l = cross_force(la, ll, iaa, ial)
        p2a, p2l = cross_force(aa, al, ila, ill)
        p3a, p3l = cross_force(xa, xl, iva, ivl)
        p4a, p4l = cross_force(va, vl, ixa, ixl)
        ba = p1a + p2a + p3a + p4a
        bl = p1l + p2l + p3l + p4l
        q = quat_mul(d.xquat[bounded(w * nbody + b)], m.body_iquat[b])
        mass_bar = (ll + la.cross(r)).dot(al + aa.cross(r)) + (xl + xa.cross(r)).dot(vl + va.cross(r))
        inertia_bar = rotate_back(q, la) * rotate_back(q, aa) + rotate_back(q, xa) * rotate_back(q, va)
        if damped:
            pa = d.p_ang[o]
            pl = d.p_lin[o]
            qa = d.q_ang[o]
            ql = d.q_lin[o]
            ipa, ipl = inertia_mul(mass, r, idiag, ioff, pa, pl)
            iqa, iql = inertia_mul(mass, r, idiag, ioff, qa, ql)
            g.p_ang[o] = iqa
            g.p_lin[o] = iql
            g.q_ang[o] = ipa
            g.q_lin[o] = ipl
            p5a, p5l = cross_force(pa, pl, iqa, iql)
            p6a, p6l = cross_force(qa, ql, ipa, ipl)
            ba = ba + p5a + p6a
            bl = bl + p5l + p6l
            mass_bar = mass_bar + (pl + pa.cross(r)).dot(ql + qa.cross(r))
            inertia_bar = inertia_bar + rotate_back(q, pa) * rotate_back(q, qa)
        if ti.static(has.inertia_leaf):
            place, turn = moved_inertia(mass, r, idiag, ioff, aa, al, la, ll)
            place2, turn2 = moved_inertia(mass, r, idiag, ioff, va, vl, xa, xl)
            place = place + place2
            turn = turn + turn2
            if damped:
                place2, turn2 = moved_inertia(mass, r, idiag, ioff, d.q_ang[o], d.q_lin[o], d.p_ang[o], d.p_lin[o])
                place = place + place2
                turn = turn + turn2
            add_inertia_bars(m, d, g, w, b, place, turn)
        g.pose_ang[o] = g.pose_ang[o] - ba
        g.pose_lin[o] = g.pose_lin[o] - bl
        g.body_mass[w, b] = g.body_mass[w, b] + mass_bar
        for i in ti.static(range(3)):
            g.body_inertia[w, b, i] = g.body_inertia[w, b, i] + inertia_bar[i]
            g.gravity[w, i] = g.gravity[w, i] - g.acc_lin[o][i]
    # accelerometers fixed to the world
    for i in ti.static(range(3)):
        g.gravity[w, i] = g.gravity[w, i] - g.acc_lin[w * nbody][i]


@serves("implicit")
@ti.func
def sloped(m: ti.template(), damped: ti.i32):
    """Whether the integrator takes the slope of the bias force, whose adjoint has parts here."""
    return damped and m.integrator == IMPLICIT


@ti.func
def rnea_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, damped: ti.i32):
    """Tip to base: turns the bodies' adjoints into those of q (tangent), v and armature."""
    nbody = m.nbody
    nv = m.nv
    for kb in range(1, nbody):
        b = nbody - kb
        h = bounded(w * nbody + b)
        lba = g.l_ang[h]
        lbl = g.l_lin[h]
        aba = g.acc_ang[h]
        abl = g.acc_lin[h]
        uba = g.u_ang[h]
        ubl = g.u_lin[h]
        vba = g.vel_ang[h]
        vbl = g.vel_lin[h]
        xba = g.pose_ang[h]
        xbl = g.pose_lin[h]
        zero = vec3(0.0, 0.0, 0.0)
        rba, rbl, eba, ebl, ea, el = zero, zero, zero, zero, zero, zero
        if ti.static(has.implicit):
            if sloped(m, damped):  # bias_slope.py
                rba = g.r_ang[h]
                rbl = g.r_lin[h]
                eba = g.e_ang[h]
                ebl = g.e_lin[h]
                ea = d.u_ang[h] + d.q_ang[h]
                el = d.u_lin[h] + d.q_lin[h]
        j0 = m.body_dofadr[b]
        j = j0 + m.body_dofnum[b] - 1
        while j >= j0:
            first = m.dof_group[j]
            # what the velocities of this group add to V below it, after the group is done
            wa = vec3(0.0, 0.0, 0.0)
            wl = vec3(0.0, 0.0, 0.0)
            fa, fl = zero, zero
            ya, yl = xba, xbl  # without this group's axes, and the adjoints of these
            axis_ang, axis_lin, across = zero, zero, zero
            if ti.static(has.implicit):
                if sloped(m, damped):
                    for k in range(first, j + 1):
                        s = bounded(w * nv + k)
                        ea = ea - d.qacc_eff[w, k] * d.cdof_ang[s]
                        el = el - d.qacc_eff[w, k] * d.cdof_lin[s]
            for k in range(first, j + 1):
                s = bounded(w * nv + k)
                sa = d.cdof_ang[s]
                sl = d.cdof_lin[s]
                ga = d.frame_ang[s]
                gl = d.frame_lin[s]
                v = d.qvel[w * nv + k]
                a = d.qacc[w, k]
                z = d.z[w, k]
                ca, cl = cross_motion(ga, gl, sa, sl)
                k_v = w * nv + k
                g.qvel_bar[k_v] = (
                    g.qvel_bar[k_v] + sa.dot(vba) + sl.dot(vbl) + ca.dot(aba) + cl.dot(abl)
                )
                gaa, gal = cross_force(ga, gl, aba, abl)
                sba = v * (vba - gaa) + a * uba + z * lba
                sbl = v * (vbl - gal) + a * ubl + z * lbl
                if ti.static(has.diagonal or has.arm):
                    if m.integrator == DISCRETE or m.diagexact or m.narm > 0:
                        sba = sba + g.axis_ang[s]
                        sbl = sbl + g.axis_lin[s]
                armature_bar = z * a
                if damped:
                    mu = d.mu[w, k]
                    da = d.qacc_eff[w, k] - a
                    sba = sba + mu * g.p_ang[h] + da * g.q_ang[h]
                    sbl = sbl + mu * g.p_lin[h] + da * g.q_lin[h]
                    armature_bar = armature_bar + mu * da
                g.dof_armature[w, k] = g.dof_armature[w, k] + armature_bar
                ta, tl = cross_force(sa * v, sl * v, aba, abl)
                wa = wa + ta
                wl = wl + tl
                if ti.static(has.implicit):
                    if sloped(m, damped):
                        x = d.qacc_eff[w, k]
                        ta, tl = cross_motion(ea, el, sa, sl)
                        g.qvel_bar[k_v] = g.qvel_bar[k_v] + ta.dot(rba) + tl.dot(rbl)
                        ta, tl = cross_force(x * ga + v * ea, x * gl + v * el, rba, rbl)
                        sba = sba + x * eba - ta
                        sbl = sbl + x * ebl - tl
                        ta, tl = cross_force(sa * x, sl * x, rba, rbl)
                        wa = wa + ta
                        wl = wl + tl
                        ta, tl = cross_force(sa * v, sl * v, rba, rbl)
                        fa = fa + ta
                        fl = fl + tl
                if ti.static(has.joint_leaf):
                    axis_ang = axis_ang + sba
                    axis_lin = axis_lin + sbl
                    across = across + sa.cross(sbl)
                # translations of a free joint are fixed to the world: three dofs of one group without rotation
                if first == j or sa.dot(sa) > 0:
                    xa, xl = cross_force(sa, sl, sba, sbl)
                    xba = xba + xa
                    xbl = xbl + xl
            for k in range(first, j + 1):
                s = bounded(w * nv + k)
                k_q = w * nv + k
                g.qpos_bar[k_q] = g.qpos_bar[k_q] + d.cdof_ang[s].dot(xba) + d.cdof_lin[s].dot(xbl)
            joint_vjp(m, d, g, w, b, m.dof_jntid[j], ya, yl, axis_ang, axis_lin, across)
            vba = vba + wa
            vbl = vbl + wl
            if ti.static(has.implicit):
                eba = eba + fa
                ebl = ebl + fl
            j = first - 1
        place_vjp(m, d, g, w, b, xba, xbl)
        if b != m.body_rootid[b]:
            p = bounded(w * nbody + m.body_parentid[b])
            g.l_ang[p] = g.l_ang[p] + lba
            g.l_lin[p] = g.l_lin[p] + lbl
            g.acc_ang[p] = g.acc_ang[p] + aba
            g.acc_lin[p] = g.acc_lin[p] + abl
            g.u_ang[p] = g.u_ang[p] + uba
            g.u_lin[p] = g.u_lin[p] + ubl
            g.vel_ang[p] = g.vel_ang[p] + vba
            g.vel_lin[p] = g.vel_lin[p] + vbl
            g.pose_ang[p] = g.pose_ang[p] + xba
            g.pose_lin[p] = g.pose_lin[p] + xbl
            if damped:
                g.p_ang[p] = g.p_ang[p] + g.p_ang[h]
                g.p_lin[p] = g.p_lin[p] + g.p_lin[h]
                g.q_ang[p] = g.q_ang[p] + g.q_ang[h]
                g.q_lin[p] = g.q_lin[p] + g.q_lin[h]
            if ti.static(has.implicit):
                if sloped(m, damped):
                    g.e_ang[p] = g.e_ang[p] + eba
                    g.e_lin[p] = g.e_lin[p] + ebl
                    g.r_ang[p] = g.r_ang[p] + rba
                    g.r_lin[p] = g.r_lin[p] + rbl
