"""C = dc/dv, the velocity derivative of the bias force, which the integrator `implicit` has in its matrix beside D.

With G the velocity before a dof's group, V' that after it, and  B x = V x* I x + x x* I V - I (V x x)  of a body, of
which only the angular part of x counts (derivatives.py), summed with I over what hangs on dof i, j above i or i itself:

    sig = G x S + V' x S,    C_ji = S_j . (I sig_i + B S_i),    C_ij = S_i . (I sig_j + B S_j)

Adjoint. c is quadratic in v, so C x is bilinear in v and x: with E the motion by x, P that by mu,

    A'_b = A'_p + (G_V x S) x + (G_E x S) v,    f = I A' + V x* I E + E x* I V,    phi = mu^T C x = sum of P . f
    own parts   P_bar = f,  A'_bar = I P,  V_bar = I (P x E) - P x* I E,  E_bar = I (P x V) - P x* I V
                X_bar = -[P x* I A' + A' x* I P + (P x V) x* I E + E x* I (P x V) + (P x E) x* I V + V x* I (P x E)]
    tip to base, beside what rnea_vjp has of all these (A'_bar summed up)
                v_bar = (G_E x S) . A'_bar,    S_bar = -(x G_V + v G_E) x* A'_bar
                then V_bar += (S x) x* A'_bar and E_bar += (S v) x* A'_bar  for what lies below the joint
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.dynamics.crba import diagonal_at
from engine.dynamics.derivatives import composite_mul
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import origin
from engine.dynamics.rnea import moved_inertia
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate_back
from engine.math.spatial import cross_force, cross_motion, inertia_mul, rotated_inertia, sym_mul
from engine.math.types import real, vec3


@ti.func
def rates(m: ti.template(), d: ti.template(), w: ti.i32):
    """Base to tip: sig of the dofs; of each body N and twice its momentum, B x = (N x_ang, x_ang x 2 m v)."""
    for b in range(1, m.nbody):
        o = bounded(w * m.nbody + b)
        p = bounded(w * m.nbody + m.body_parentid[b])
        va = d.vel_ang[p]
        vl = d.vel_lin[p]
        j = m.body_dofadr[b]
        end = j + m.body_dofnum[b]
        while j < end:
            first = j
            ga = va
            gl = vl
            while j < end and m.dof_group[j] == first:
                i = bounded(w * m.nv + j)
                va = va + d.qvel[i] * d.cdof_ang[i]
                vl = vl + d.qvel[i] * d.cdof_lin[i]
                j = j + 1
            for k in range(first, j):
                i = bounded(w * m.nv + k)
                ta, tl = cross_motion(ga + va, gl + vl, d.cdof_ang[i], d.cdof_lin[i])
                d.sig_ang[i] = ta
                d.sig_lin[i] = tl
        r = d.xipos[o] - origin(m, d, w, b)
        q = quat_mul(d.xquat[o], m.body_iquat[b])
        jd, jo = rotated_inertia(q, vec3(m.body_inertia[b, 0], m.body_inertia[b, 1], m.body_inertia[b, 2]))
        p2 = 2.0 * m.body_mass[b] * (vl + va.cross(r))
        kd = 2.0 * jd - (jd[0] + jd[1] + jd[2])
        rp = r.dot(p2)
        d.slope_p[o] = p2
        for c, n in ti.static(enumerate((d.slope_n0, d.slope_n1, d.slope_n2))):
            e = vec3(0.0, 0.0, 0.0)
            e[c] = 1.0
            n[o] = va.cross(sym_mul(kd, 2.0 * jo, e)) + rp * e - r[c] * p2


@ti.func
def add_bias_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD gains what h C has on and below the diagonal, MhU what it has above."""
    h = m.timestep
    rates(m, d, w)
    for kb in range(1, m.nbody):
        b = bounded(m.nbody - kb)
        o = bounded(w * m.nbody + b)
        mass = d.crb_mass[o]
        com = d.crb_com[o]
        jd = d.crb_diag[o]
        jo = d.crb_off[o]
        p = d.slope_p[o]
        n0 = d.slope_n0[o]
        n1 = d.slope_n1[o]
        n2 = d.slope_n2[o]
        for i in range(m.body_dofadr[b], m.body_dofadr[b] + m.body_dofnum[b]):
            s = bounded(w * m.nv + i)
            sa = d.cdof_ang[s]
            sl = d.cdof_lin[s]
            ia, il = composite_mul(mass, com, jd, jo, sa, sl)
            beta = vec3(n0.dot(sa), n1.dot(sa), n2.dot(sa)) + p.cross(sl)
            va, vl = composite_mul(mass, com, jd, jo, d.sig_ang[s], d.sig_lin[s])
            va = va + sa[0] * n0 + sa[1] * n1 + sa[2] * n2
            vl = vl + sa.cross(p)
            e = diagonal_at(m, w, i)
            d.MhD[e] = d.MhD[e] + h * (va.dot(sa) + vl.dot(sl))
            j = m.tree_parent[i]
            while j >= 0:
                e = e - 1
                t = bounded(w * m.nv + j)
                ua = d.cdof_ang[t]
                d.MhU[e] = d.MhU[e] + h * (va.dot(ua) + vl.dot(d.cdof_lin[t]))
                d.MhD[e] = d.MhD[e] + h * (beta.dot(ua) + ia.dot(d.sig_ang[t]) + il.dot(d.sig_lin[t]))
                j = m.tree_parent[j]
        if b != m.body_rootid[b]:
            y = bounded(w * m.nbody + m.body_parentid[b])
            for c in ti.static((d.slope_p, d.slope_n0, d.slope_n1, d.slope_n2)):
                c[y] = c[y] + c[o]


@outline("mdg", "w", when="implicit")
@ti.func
def bias_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Each body's own part of the adjoint of h mu^T C a_eff: adds to P's, V's, poses', masses' and inertias', writes
    E's and those of A', which rnea_vjp sums. Expects motions P of mu, U of a and Q of a_eff - a, and their adjoints."""
    h = m.timestep
    zero = vec3(0.0, 0.0, 0.0)
    world = w * m.nbody
    for c in ti.static((d.slope_p, d.slope_n0, g.e_ang, g.e_lin, g.r_ang, g.r_lin)):
        c[world] = zero
    for b in range(1, m.nbody):
        o = bounded(w * m.nbody + b)
        p = bounded(w * m.nbody + m.body_parentid[b])
        # A' in two columns that C is done with
        aa = d.slope_p[p]
        al = d.slope_n0[p]
        ea = d.u_ang[p] + d.q_ang[p]
        el = d.u_lin[p] + d.q_lin[p]
        j = m.body_dofadr[b]
        end = j + m.body_dofnum[b]
        while j < end:
            first = j
            ga = ea
            gl = el
            while j < end and m.dof_group[j] == first:
                i = bounded(w * m.nv + j)
                sa = d.cdof_ang[i]
                sl = d.cdof_lin[i]
                x = d.qacc_eff[w, j]
                v = d.qvel[i]
                fa = x * d.frame_ang[i] + v * ga
                ta, tl = cross_motion(fa, x * d.frame_lin[i] + v * gl, sa, sl)
                aa = aa + ta
                al = al + tl
                ea = ea + x * sa
                el = el + x * sl
                j = j + 1
        d.slope_p[o] = aa
        d.slope_n0[o] = al
        mass = m.body_mass[b]
        r = d.xipos[o] - origin(m, d, w, b)
        jd = d.inertia_diag[o]
        jo = d.inertia_off[o]
        va = d.vel_ang[o]
        vl = d.vel_lin[o]
        pa = h * d.p_ang[o]
        pl = h * d.p_lin[o]
        xa, xl = cross_motion(pa, pl, va, vl)
        ya, yl = cross_motion(pa, pl, ea, el)
        ipa, ipl = inertia_mul(mass, r, jd, jo, pa, pl)
        iaa, ial = inertia_mul(mass, r, jd, jo, aa, al)
        iva, ivl = inertia_mul(mass, r, jd, jo, va, vl)
        iea, iel = inertia_mul(mass, r, jd, jo, ea, el)
        ixa, ixl = inertia_mul(mass, r, jd, jo, xa, xl)
        iya, iyl = inertia_mul(mass, r, jd, jo, ya, yl)
        t1a, t1l = cross_force(va, vl, iea, iel)
        t2a, t2l = cross_force(ea, el, iva, ivl)
        g.p_ang[o] = g.p_ang[o] + h * (iaa + t1a + t2a)
        g.p_lin[o] = g.p_lin[o] + h * (ial + t1l + t2l)
        g.r_ang[o] = ipa
        g.r_lin[o] = ipl
        s1a, s1l = cross_force(pa, pl, iea, iel)
        s2a, s2l = cross_force(pa, pl, iva, ivl)
        g.vel_ang[o] = g.vel_ang[o] + iya - s1a
        g.vel_lin[o] = g.vel_lin[o] + iyl - s1l
        g.e_ang[o] = ixa - s2a
        g.e_lin[o] = ixl - s2l
        ba = zero
        bl = zero
        for x, f in ti.static((
            ((pa, pl), (iaa, ial)), ((aa, al), (ipa, ipl)), ((xa, xl), (iea, iel)), ((ea, el), (ixa, ixl)),
            ((ya, yl), (iva, ivl)), ((va, vl), (iya, iyl)),
        )):  # fmt: skip
            ta, tl = cross_force(x[0], x[1], f[0], f[1])
            ba = ba + ta
            bl = bl + tl
        g.pose_ang[o] = g.pose_ang[o] - ba
        g.pose_lin[o] = g.pose_lin[o] - bl
        q = quat_mul(d.xquat[o], m.body_iquat[b])
        mass_bar = real(0.0)
        bar = zero
        for y, z in ti.static((((pa, pl), (aa, al)), ((xa, xl), (ea, el)), ((ya, yl), (va, vl)))):
            mass_bar = mass_bar + (y[1] + y[0].cross(r)).dot(z[1] + z[0].cross(r))
            bar = bar + rotate_back(q, y[0]) * rotate_back(q, z[0])
        g.body_mass[w, b] = g.body_mass[w, b] + mass_bar
        for c in ti.static(range(3)):
            g.body_inertia[w, b, c] = g.body_inertia[w, b, c] + bar[c]
        if ti.static(has.inertia_leaf):
            place = zero
            turn = zero
            for y, z in ti.static((((pa, pl), (aa, al)), ((xa, xl), (ea, el)), ((ya, yl), (va, vl)))):
                more, twist = moved_inertia(mass, r, jd, jo, z[0], z[1], y[0], y[1])
                place = place + more
                turn = turn + twist
            add_inertia_bars(m, d, g, w, b, place, turn)
