"""Equality constraints of coordinates: a joint or a tendon that follows another, or is held.

    joint    residual q1 - r1 - p(q2 - r2), p: a polynomial; J = 1 at the first dof, -p' at the second
    tendon   the same of lengths: J = J1 - p' J2
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.block import ALWAYS, EQUALITY, new_block, resolve, write_column
from engine.constraint.discrete import entry_bar, follows_diagonal, tendon_diagonal_vjp
from engine.constraint.equality_leaves import add_polynomial_bars
from engine.constraint.impedance import TIED
from engine.constraint.tendon import length_vjp, on_tendons
from engine.math.types import real, vec3
from engine.model.constants import EQ_JOINT, EQ_TENDON


@ti.func
def new_equality(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32, k: ti.i32, residual: vec3, x: real,
                 diag: real):  # fmt: skip
    c = new_block(m, d, w, EQUALITY - e, ALWAYS, 3)
    if c >= 0:
        resolve(m, d, c, m.eq_solref, m.eq_solimp, e, x, diag, TIED)
        d.con_res[c] = residual
        d.con_kind1[c] = k
        d.con_last1[c] = m.eq_last1[e]
        d.con_last2[c] = m.eq_last2[e]
    return c


@ti.func
def value(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32, k: ti.i32):
    """The coordinate numbered k, or the length of tendon k, as constraint e is of joints or tendons."""
    x = real(0.0)
    if m.eq_kind[e] == EQ_JOINT:
        x = d.qpos[w * m.nq + k]
    else:
        if ti.static(has.tendon):
            x = d.ten_length[w, k]
    return x


@ti.func
def followed(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """What the polynomial of constraint e is a function of, 0 where there is no second joint or tendon. (One that
    no dof moves has a length all the same, which a mocap body may change.)"""
    u = real(0.0)
    if m.eq_qposadr2[e] >= 0:
        u = value(m, d, w, e, m.eq_qposadr2[e]) - m.eq_ref2[e]
    return u


@ti.func
def polynomial(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    """p, p' and p'' of constraint e."""
    u = followed(m, d, w, e)
    p = real(0.0)
    slope = real(0.0)
    bend = real(0.0)
    for k in ti.static(range(4, -1, -1)):
        bend = bend * u + 2 * slope
        slope = slope * u + p
        p = p * u + m.eq_polycoef[e, k]
    return p, slope, bend


@ti.func
def follow(m: ti.template(), d: ti.template(), w: ti.i32, e: ti.i32):
    p, slope, bend = polynomial(m, d, w, e)
    x = value(m, d, w, e, m.eq_qposadr1[e]) - m.eq_ref1[e] - p
    c = new_equality(m, d, w, e, 0, vec3(x, 0.0, 0.0), x, m.eq_diaga[e])
    if c >= 0:
        d.con_r1[c] = slope
        d.con_jdotv[c] = vec3(0.0, 0.0, 0.0)
        if ti.static(has.tendon):
            if m.eq_kind[e] == EQ_TENDON:
                on_tendons(m, d, c, m.eq_qposadr1[e], 1.0, m.eq_qposadr2[e], -slope)


@ti.func
def follow_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    i1 = d.con_last1[c]
    i2 = d.con_last2[c]
    deeper = vec3(1.0, 0.0, 0.0)
    other = vec3(-d.con_r1[c], 0.0, 0.0)
    if i1 < i2:
        deeper, other = other, deeper
    write_column(m, d, w, c * m.nchain, ti.max(i1, i2), deeper)
    d.con_ndof[c] = 1
    if i2 >= 0:
        write_column(m, d, w, c * m.nchain + 1, ti.min(i1, i2), other)
        d.con_ndof[c] = 2


@ti.func
def follow_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, e: ti.i32, f: real, ky: real,
               bky: real, res_bar: real):  # fmt: skip
    p, slope, bend = polynomial(m, d, w, e)
    i1 = w * m.nv + d.con_last1[c]
    g.qpos_bar[i1] = g.qpos_bar[i1] + res_bar
    g.qvel_bar[i1] = g.qvel_bar[i1] + bky
    x = real(0.0)
    if d.con_last2[c] >= 0:
        i2 = w * m.nv + d.con_last2[c]
        # J moves with the second joint: of the test vector, acceleration and velocity that it multiplies
        x = -f * d.z[w, d.con_last2[c]] + ky * d.qacc[w, d.con_last2[c]] + bky * d.qvel[i2]
        if ti.static(has.diagonal):
            if follows_diagonal(m):
                x = x + entry_bar(m, d, c, d.con_last2[c])
        g.qpos_bar[i2] = g.qpos_bar[i2] - slope * res_bar - bend * x
        g.qvel_bar[i2] = g.qvel_bar[i2] - slope * bky
    add_polynomial_bars(m, g, w, e, followed(m, d, w, e), -res_bar, -x)


@serves("tendon")
@ti.func
def follow_tendon_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, e: ti.i32, f: real,
                      ky: real, bky: real, res_bar: real):  # fmt: skip
    """The adjoint of `follow` where it is of tendons."""
    p, slope, bend = polynomial(m, d, w, e)
    r_bar = length_vjp(m, d, g, w, d.con_kind1[c], 1.0, f, ky, bky, res_bar)
    if ti.static(has.diagonal):
        r_bar = tendon_diagonal_vjp(m, d, g, w, c, d.con_kind1[c], 1.0)
    t = d.con_kind2[c]
    slope_bar = real(0.0)
    if t >= 0:
        r_bar = length_vjp(m, d, g, w, t, -slope, f, ky, bky, -slope * res_bar)
        if ti.static(has.diagonal):
            r_bar = r_bar + tendon_diagonal_vjp(m, d, g, w, c, t, -slope)
        g.ten_length_bar[w, t] = g.ten_length_bar[w, t] - bend * r_bar
        slope_bar = -r_bar
    add_polynomial_bars(m, g, w, e, followed(m, d, w, e), -res_bar, slope_bar)
