"""The force of a spatial tendon's inertia where its row turns: qfrc_bias gains armature J^T (dJ/dt v).

Of a leg of length l between places with velocities v1, v2 and accelerations a1, a2 at qacc = 0, of the direction u,
    dJ/dt v = [u . (a2 - a1) + (|v2 - v1|^2 - (u . (v2 - v1))^2) / l] / divisor
MuJoCo has it of straight legs alone, and no armature of tendons that go round geoms.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.frame_leaves import add_site_bars
from engine.dynamics.kinematics import origin
from engine.dynamics.path import divided
from engine.dynamics.wrapping import unit, unit_vjp
from engine.math.index import bounded
from engine.math.types import MINVAL, real, vec3


@ti.func
def place_motion(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, x: vec3):
    """Velocity and acceleration, at qacc = 0, of the place x on body b, and its arm about the origin."""
    o = bounded(w * m.nbody + b)
    r = x - origin(m, d, w, b)
    turn = d.vel_ang[o]
    v = d.vel_lin[o] + turn.cross(r)
    return v, d.acc_lin[o] + d.acc_ang[o].cross(r) + turn.cross(v), r


@ti.func
def place_motion_vjp(d: ti.template(), g: ti.template(), o: ti.i32, r: vec3, v: vec3, v_bar: vec3, a_bar: vec3,
                     x_bar: vec3):  # fmt: skip
    """From the adjoints of these, and x_bar, that of the place, to the motion and pose of the body, number o of all.
    Returns that of a place in the body."""
    turn = d.vel_ang[o]
    v_all = v_bar + a_bar.cross(turn)
    f = x_bar + a_bar.cross(d.acc_ang[o]) + v_all.cross(turn)
    g.acc_ang[o] = g.acc_ang[o] + r.cross(a_bar)
    g.acc_lin[o] = g.acc_lin[o] + a_bar
    g.vel_ang[o] = g.vel_ang[o] + r.cross(v_all) + v.cross(a_bar)
    g.vel_lin[o] = g.vel_lin[o] + v_all
    g.pose_ang[o] = g.pose_ang[o] + r.cross(f)
    g.pose_lin[o] = g.pose_lin[o] + f
    return f


@ti.func
def straight(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Bodies and places of span s, which goes round nothing."""
    i = bounded(w * m.nspan + s)
    return m.site_bodyid[m.span_site1[s]], m.site_bodyid[m.span_site2[s]], d.span_x1[i], d.span_x2[i]


@serves("spatial")
@ti.func
def path_bias(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """qfrc_bias gains that of tendon t."""
    x = m.tendon_armature[t] * row_rate(m, d, w, t)
    first = m.ten_J_rowadr[t]
    for e in range(first, first + m.ten_J_rownnz[t]):
        i = m.ten_J_colind[e]
        d.qfrc_bias[w, i] = d.qfrc_bias[w, i] + x * d.ten_J[w, e]


@ti.func
def row_rate(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """dJ/dt v of tendon t."""
    rate = real(0.0)
    for s in range(m.ten_spanadr[t], m.ten_spanadr[t] + m.ten_spannum[t]):
        b1, b2, x1, x2 = straight(m, d, w, s)
        if b1 != b2:
            v1, a1, r1 = place_motion(m, d, w, b1, x1)
            v2, a2, r2 = place_motion(m, d, w, b2, x2)
            u, size = unit(x2 - x1)
            v = v2 - v1
            across = real(0.0)
            if size > MINVAL:
                across = (v.dot(v) - u.dot(v) * u.dot(v)) / size
            rate = rate + divided(m, s) * (u.dot(a2 - a1) + across)
    return rate


@serves("spatial")
@ti.func
def path_bias_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32):
    """Adds z^T d(what tendon t adds to qfrc_bias); to the bodies' motions, the row and the armature."""
    armature = m.tendon_armature[t]
    first = m.ten_J_rowadr[t]
    y = real(0.0)
    for e in range(first, first + m.ten_J_rownnz[t]):
        y = y + d.z[w, m.ten_J_colind[e]] * d.ten_J[w, e]
    rate = real(0.0)
    for s in range(m.ten_spanadr[t], m.ten_spanadr[t] + m.ten_spannum[t]):
        b1, b2, x1, x2 = straight(m, d, w, s)
        if b1 != b2:
            v1, a1, r1 = place_motion(m, d, w, b1, x1)
            v2, a2, r2 = place_motion(m, d, w, b2, x2)
            u, size = unit(x2 - x1)
            v = v2 - v1
            a = a2 - a1
            over = divided(m, s)
            scale = armature * y * over
            speed = u.dot(v)
            v_bar = vec3(0.0, 0.0, 0.0)
            x_bar = unit_vjp(u, size, scale * a)
            value = u.dot(a)
            if size > MINVAL:
                across = (v.dot(v) - speed * speed) / size
                value = value + across
                v_bar = 2.0 * scale / size * (v - speed * u)
                x_bar = x_bar - unit_vjp(u, size, 2.0 * scale * speed / size * v) - scale * across / size * u
            rate = rate + over * value
            for end in range(2):
                sign = ti.cast(2 * end - 1, real)
                b = b1
                site = m.span_site1[s]
                r = r1
                x = v1
                if end:
                    site = m.span_site2[s]
                    b = b2
                    r = r2
                    x = v2
                o = bounded(w * m.nbody + b)
                f = place_motion_vjp(d, g, o, r, x, sign * v_bar, sign * scale * u, sign * x_bar)
                add_site_bars(m, d, g, w, site, f, vec3(0.0, 0.0, 0.0))
            if m.span_pulley[s] >= 0:
                i = m.span_pulley[s]
                g.wrap_prm[w, i] = g.wrap_prm[w, i] - scale * over * value
    for e in range(first, first + m.ten_J_rownnz[t]):
        g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + armature * rate * d.z[w, m.ten_J_colind[e]]
    g.tendon_armature[w, t] = g.tendon_armature[w, t] + y * rate
