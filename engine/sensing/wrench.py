"""Force and torque sensors: the wrench with which a body and all below it act on its parent (MuJoCo's cfrc_int).

    F = sum of I_b A_b + V_b x* I_b V_b - (contacts, equalities of frames, xfrc_applied)

over the site's body and all below it.

A cotangent `bar` of the force or torque at the site is a test motion T, the motion of the site's frame that has the
power `bar . value = T . F`: a translation for the force, a turn about the site for the torque. T . F is part of what
z^T RNEA is for the test motion L, so on the bodies of the subtree L + T (`add_test_motion`) takes the place of L in
every adjoint. With the integrator discrete, whose lone free bodies have another acceleration than the solver's, T is
added to P, which the difference goes with, too. What is left: T moves with the site's body (pose += T x* F), inertias
ask for an acceleration (a_bar), forces of contacts and equalities are asked for (con_fbar = -J T).
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.block import EQUALITY, is_equality
from engine.constraint.equality import MEET
from engine.constraint.rolling import in_frame, out_of_frame, turns
from engine.dynamics.derivatives import composite_mul
from engine.dynamics.kinematics import origin
from engine.dynamics.rnea import motion, own_force
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.spatial import cross_force
from engine.math.types import vec3
from engine.model.constants import EQ_JOINT
from engine.model.sensors import LEVEL, SENS
from engine.sensing.frames import add_sensor_bars, narrow, own_inertia, sensor_frame, wide
from engine.sensing.points import in_subtree
from engine.sensing.values import cotangent, write_sensor


@ti.func
def side(m: ti.template(), d: ti.template(), c: ti.i32, top: ti.i32):
    """1 where contact c pushes the subtree of `top`, -1 where it pushes back on it, 0 where it does neither or both."""
    x = 0
    if d.con_pair[c] >= 0:
        x = ti.cast(in_subtree(m, d.con_body2[c], top), ti.i32) - ti.cast(in_subtree(m, d.con_body1[c], top), ti.i32)
    return x


@ti.func
def sides(m: ti.template(), d: ti.template(), c: ti.i32, top: ti.i32):
    """1 for each of the two bodies of block c that belongs to the subtree of `top`, where it is an equality of frames,
    which pushes the first one and pushes back on the second."""
    first = 0
    second = 0
    if is_equality(d.con_pair[c]):
        e = EQUALITY - d.con_pair[c]
        if m.eq_kind[e] < EQ_JOINT:  # connect, weld
            first = ti.cast(in_subtree(m, m.eq_body1[e], top), ti.i32)
            second = ti.cast(in_subtree(m, m.eq_body2[e], top), ti.i32)
    return first, second


@ti.func
def interaction(m: ti.template(), d: ti.template(), w: ti.i32, top: ti.i32):
    """The wrench about the origin; expects the motion U."""
    ang = vec3(0.0, 0.0, 0.0)
    lin = vec3(0.0, 0.0, 0.0)
    for b in range(top, m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            r, idiag, ioff = own_inertia(m, d, w, b)
            fa, fl = own_force(
                m.body_mass[b], r, idiag, ioff, d.vel_ang[o], d.vel_lin[o], d.acc_ang[o] + d.u_ang[o],
                d.acc_lin[o] + d.u_lin[o],
            )  # fmt: skip
            force = d.xfrc_applied[o, 0]
            ang = ang + fa - d.xfrc_applied[o, 1] - r.cross(force)
            lin = lin + fl - force
    if ti.static(has.contact):
        c0 = origin(m, d, w, top)
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            sign = side(m, d, c, top)
            if sign != 0:
                f = d.con_force[c]
                force = sign * (f[0] * d.con_normal[c] + f[1] * d.con_tangent1[c] + f[2] * d.con_tangent2[c])
                ang = ang - (d.con_pos[c] - c0).cross(force)
                lin = lin - force
                if ti.static(has.rolling):
                    if turns(d, c):
                        ang = ang - sign * out_of_frame(d, c, d.turn_force[c])
    if ti.static(has.equality):
        c0 = origin(m, d, w, top)
        for k in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            first, second = sides(m, d, c, top)
            f = d.con_force[c]
            if first != 0 or second != 0:
                if d.con_kind1[c] == MEET:
                    ang = ang - (first * (d.con_pos[c] - c0) - second * (d.con_y[c] - c0)).cross(f)
                    lin = lin - (first - second) * f
                else:
                    torque = f[0] * d.con_normal[c] + f[1] * d.con_tangent1[c] + f[2] * d.con_tangent2[c]
                    ang = ang - (first - second) * torque
    return ang, lin


@ti.func
def wrenches(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all force and torque sensors."""
    motion(m, d, w, d.u_ang, d.u_lin, d.qacc)
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.wrench:
            b, p, q = sensor_frame(m, d, w, s)
            ang, x = interaction(m, d, w, b)
            if m.sensor_type[s] == SENS.torque:
                x = ang - (p - origin(m, d, w, b)).cross(x)
            write_sensor(m, d, w, s, wide(rotate_back(q, x)))


@ti.func
def site_motion(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    """Body of sensor s, and T for its cotangent, about the origin."""
    b, p, q = sensor_frame(m, d, w, s)
    ang = vec3(0.0, 0.0, 0.0)
    lin = rotate(q, bar)
    if m.sensor_type[s] == SENS.torque:
        ang = lin
        lin = (p - origin(m, d, w, b)).cross(ang)
    return b, ang, lin


@ti.func
def inertia_bar(m: ti.template(), d: ti.template(), w: ti.i32, top: ti.i32, ang: vec3, lin: vec3):
    """a_bar gains what I_b T of the subtree asks: by the composite inertia of what a dof moves of it."""
    nv = m.nv
    o = bounded(w * m.nbody + top)
    fa, fl = composite_mul(d.crb_mass[o], d.crb_com[o], d.crb_diag[o], d.crb_off[o], ang, lin)
    i = m.body_lastdof[top]
    while i >= 0:
        s = bounded(w * nv + i)
        d.a_bar[w, i] = d.a_bar[w, i] + d.cdof_ang[s].dot(fa) + d.cdof_lin[s].dot(fl)
        i = m.tree_parent[i]
    for i in range(nv):
        b = m.dof_bodyid[i]
        if b > top and in_subtree(m, b, top):
            s = bounded(w * nv + i)
            h = bounded(w * m.nbody + b)
            ha, hl = composite_mul(d.crb_mass[h], d.crb_com[h], d.crb_diag[h], d.crb_off[h], ang, lin)
            d.a_bar[w, i] = d.a_bar[w, i] + d.cdof_ang[s].dot(ha) + d.cdof_lin[s].dot(hl)


@ti.func
def wrenches_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                 row: ti.i32):  # fmt: skip
    """Before the solve: all but what L + T does. Expects the motion U and the law evaluated."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.wrench:
            top, ang, lin = site_motion(m, d, w, s, narrow(cotangent(m, r, b, s, row)))
            fa, fl = interaction(m, d, w, top)
            ta, tl = cross_force(ang, lin, fa, fl)
            h = bounded(w * m.nbody + top)
            g.pose_ang[h] = g.pose_ang[h] + ta
            g.pose_lin[h] = g.pose_lin[h] + tl
            p = d.xpos[h] + rotate(d.xquat[h], m.sensor_pos[s]) - origin(m, d, w, top)
            add_sensor_bars(m, d, g, w, s, 0, ang.cross(fl), ta - p.cross(ang.cross(fl)))
            inertia_bar(m, d, w, top, ang, lin)
            if ti.static(has.contact):
                c0 = origin(m, d, w, top)
                for k in range(d.ncon[w]):
                    c = bounded(w * m.nconmax + k)
                    sign = side(m, d, c, top)
                    if sign != 0:
                        u = sign * (lin + ang.cross(d.con_pos[c] - c0))
                        jt = vec3(d.con_normal[c].dot(u), d.con_tangent1[c].dot(u), d.con_tangent2[c].dot(u))
                        d.con_fbar[c] = d.con_fbar[c] - jt
                        if ti.static(has.rolling):
                            if turns(d, c):
                                d.turn_fbar[c] = d.turn_fbar[c] - sign * in_frame(d, c, ang)
            if ti.static(has.equality):
                c0 = origin(m, d, w, top)
                for k in range(d.ncon[w], d.nblock[w]):
                    c = bounded(w * m.nconmax + k)
                    first, second = sides(m, d, c, top)
                    if first != 0 or second != 0:
                        u = (first - second) * ang
                        if d.con_kind1[c] == MEET:
                            u = (first - second) * lin
                            u = u + ang.cross(first * (d.con_pos[c] - c0) - second * (d.con_y[c] - c0))
                        jt = vec3(d.con_normal[c].dot(u), d.con_tangent1[c].dot(u), d.con_tangent2[c].dot(u))
                        d.con_fbar[c] = d.con_fbar[c] - jt


@ti.func
def add_test_motion(m: ti.template(), d: ti.template(), r: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32,
                    further: ti.i32):  # fmt: skip
    """After the solve: L + T on the bodies of each sensor's subtree; with `further` P + T."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.wrench:
            top, ang, lin = site_motion(m, d, w, s, narrow(cotangent(m, r, b, s, row)))
            for k in range(top, m.nbody):
                if in_subtree(m, k, top):
                    o = bounded(w * m.nbody + k)
                    if further:
                        d.p_ang[o] = d.p_ang[o] + ang
                        d.p_lin[o] = d.p_lin[o] + lin
                    else:
                        d.l_ang[o] = d.l_ang[o] + ang
                        d.l_lin[o] = d.l_lin[o] + lin
