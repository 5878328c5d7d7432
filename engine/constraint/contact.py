"""Contacts of candidate pairs as blocks: parameters, columns and the adjoint.

Rows are the normal and two tangents; rolling.py has those of torsional and rolling friction. An elliptic cone's
friction has the B of solreffriction, where the pair has one.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.constraint.ahead import is_ahead, set_distance
from engine.constraint.block import CONE, resolve, write_column
from engine.constraint.cones import friction_vjp
from engine.constraint.discrete import block_ratio_vjp, contact_diagonal_vjp, follows_diagonal
from engine.constraint.impedance import PUSHING, reference
from engine.constraint.rolling import rolling_vjp, turns
from engine.constraint.rolling_cone import rolling_friction_vjp
from engine.constraint.surface import surface_vjp
from engine.contact.collide import collide, collide_vjp
from engine.contact.mixing import friction_of, friction_of_vjp, margin_of, mix_solver
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE


@serves("contact")
@ti.func
def contacts(m: ti.template(), d: ti.template(), w: ti.i32):
    """The first blocks of world w. More contacts than the capacity leave their number in nneed."""
    collide(m, d, w)
    d.nneed[w] = d.ncon[w]
    d.ncon[w] = ti.min(d.ncon[w], m.nconmax)
    for k in range(d.ncon[w]):
        c = bounded(w * m.nconmax + k)
        pair = d.con_pair[c]
        mix_solver(m, d, c, pair)
        if ti.static(has.speculative):
            if is_ahead(d, c):
                set_distance(m, d, c, pair)
        diaga = m.geom_diaga[m.pair_geom1[pair]] + m.geom_diaga[m.pair_geom2[pair]]
        resolve(m, d, c, d.con_solref, d.con_solimp, c, d.con_dist[c] - margin_of(m, pair), diaga, PUSHING)
        if ti.static(has.adhesion or has.contact_sensor):
            ahead = 0
            if ti.static(has.speculative):
                ahead = is_ahead(d, c)
            if d.con_x[c] >= 0 and not ahead:  # in the gap, where adhesion and contact sensors alone ask for it
                d.con_dim[c] = 1
                d.con_d[c] = 0.0
        if ti.static(has.own_pair):
            own = m.pair_own[pair]
            if m.cone == 1 and own >= 0:
                if m.pair_solreffriction[own, 0] != 0 or m.pair_solreffriction[own, 1] != 0:
                    _, bt = reference(m.pair_solreffriction, m.pair_solimp, own, m.timestep, m.refsafe)
                    d.con_bt[c] = bt
        if ti.static(has.discrete):
            if m.integrator == DISCRETE and m.cone == 1:  # friction rows have no spring, and the damping that is given
                _, bt = reference(d.con_solref, d.con_solimp, c, m.timestep, m.refsafe)
                if ti.static(has.own_pair):
                    own = m.pair_own[pair]
                    if own >= 0:
                        if m.pair_solreffriction[own, 0] != 0 or m.pair_solreffriction[own, 1] != 0:
                            bt = d.con_bt[c]
                d.con_bt[c] = bt / (1.0 + m.timestep * bt)
        mu, mu2, turn_friction = friction_of(m, pair)
        if d.con_dim[c] > 1 and m.cone == 0:
            # all four edges share one regularisation, scaled so that the cone's friction is impratio's
            d.con_d[c] = d.con_d[c] / ((1 + mu * mu) * 2 * mu * mu / m.impratio)
            if ti.static(has.diagexact):
                if m.diagexact:  # that of an edge follows
                    d.con_d[c] = d.con_d[c] * (1 + mu * mu)
        d.con_mu1[c] = mu
        d.con_mu2[c] = mu2
        if ti.static(has.rolling):
            if turns(d, c):
                rolls = ti.cast(d.con_dim[c] > 4, real)
                d.turn_friction[c] = vec3(turn_friction[0], rolls * turn_friction[1], rolls * turn_friction[2])
        d.con_law[c] = CONE
        d.con_last1[c] = m.body_lastdof[d.con_body1[c]]
        d.con_last2[c] = m.body_lastdof[d.con_body2[c]]


@ti.func
def contact_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """The dofs that move the bodies of contact c against each other, from the deepest on, and their columns."""
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    t2 = d.con_tangent2[c]
    pos = d.con_pos[c]
    i1 = d.con_last1[c]
    i2 = d.con_last2[c]
    r1 = pos - origin(m, d, w, d.con_body1[c])
    r2 = pos - origin(m, d, w, d.con_body2[c])
    first = c * m.nchain
    q = first
    # up to the first dof that moves both
    while i1 != i2:
        k = ti.max(i1, i2)
        s = w * m.nv + k
        ang = d.cdof_ang[s]
        u = d.cdof_lin[s]
        if k == i2:
            u = u + ang.cross(r2)
            i2 = m.tree_parent[k]
        else:
            u = -1.0 * (u + ang.cross(r1))
            i1 = m.tree_parent[k]
        write_column(m, d, w, q, k, vec3(n.dot(u), t1.dot(u), t2.dot(u)))
        q = q + 1
    d.con_ndof[c] = q - first


@ti.func
def relative_velocity(m: ti.template(), d: ti.template(), w: ti.i32, ang: ti.template(), lin: ti.template(), b1: ti.i32,
                      b2: ti.i32, pos: vec3):  # fmt: skip
    """Of body 2 against body 1 at pos, for the motion in columns (ang, lin): linear and angular."""
    o1 = bounded(w * m.nbody + b1)
    o2 = bounded(w * m.nbody + b2)
    w1 = ang[o1]
    w2 = ang[o2]
    v1 = lin[o1] + w1.cross(pos - origin(m, d, w, b1))
    v2 = lin[o2] + w2.cross(pos - origin(m, d, w, b2))
    return v2 - v1, w2 - w1


@ti.func
def add_wrench(ang: ti.template(), lin: ti.template(), h: ti.i32, r: vec3, f: vec3):
    """Adds the force f at r to body h's motion adjoint in columns (ang, lin)."""
    ang[h] = ang[h] + r.cross(f)
    lin[h] = lin[h] + f


@serves("contact")
@ti.func
def contact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, y: vec3, f: vec3, ky: vec3,
                B: vec3, dist_bar: real):  # fmt: skip
    """From y, f, K y, B and the distance's adjoint to the bodies' motions and poses and to friction."""
    pos = d.con_pos[c]
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    t2 = d.con_tangent2[c]
    b1 = d.con_body1[c]
    b2 = d.con_body2[c]
    r1 = pos - origin(m, d, w, b1)
    r2 = pos - origin(m, d, w, b2)
    h1 = bounded(w * m.nbody + b1)
    h2 = bounded(w * m.nbody + b2)
    p_bar = vec3(0.0, 0.0, 0.0)
    n_bar = vec3(0.0, 0.0, 0.0)
    t1_bar = vec3(0.0, 0.0, 0.0)
    t2_bar = vec3(0.0, 0.0, 0.0)
    for x in ti.static(range(3)):
        # the three motions that J multiplies: test vector, acceleration, velocity
        e = ti.static((-1.0, 1.0, 1.0)[x]) * f
        if ti.static(x == 1):
            e = ky
        if ti.static(x == 2):
            e = B * ky
        G = e[0] * n + e[1] * t1 + e[2] * t2
        ang, lin = ti.static(((d.l_ang, d.l_lin), (d.u_ang, d.u_lin), (d.vel_ang, d.vel_lin))[x])
        u, omega = relative_velocity(m, d, w, ang, lin, b1, b2, pos)
        p_bar = p_bar + G.cross(omega)
        n_bar = n_bar + e[0] * u
        t1_bar = t1_bar + e[1] * u
        t2_bar = t2_bar + e[2] * u
        ang_bar, lin_bar = ti.static(((g.l_ang, g.l_lin), (g.u_ang, g.u_lin), (g.vel_ang, g.vel_lin))[x])
        add_wrench(ang_bar, lin_bar, h1, r1, -1.0 * G)
        add_wrench(ang_bar, lin_bar, h2, r2, G)
    if ti.static(has.rolling):
        if turns(d, c):
            n_more, t1_more, t2_more = rolling_vjp(m, d, g, w, c, h1, h2)
            n_bar = n_bar + n_more
            t1_bar = t1_bar + t1_more
            t2_bar = t2_bar + t2_more
    if ti.static(has.surface):
        p_more, n_more, t1_more, t2_more = surface_vjp(m, d, g, w, c, B * ky)
        p_bar = p_bar + p_more
        n_bar = n_bar + n_more
        t1_bar = t1_bar + t1_more
        t2_bar = t2_bar + t2_more
    if ti.static(has.diagonal):
        if follows_diagonal(m):
            block_ratio_vjp(m, d, g, w, c)
            p_more, n_more, t1_more, mu_bar = contact_diagonal_vjp(m, d, g, w, c)
            p_bar = p_bar + p_more
            n_bar = n_bar + n_more
            t1_bar = t1_bar + t1_more
            if mu_bar != 0:
                friction_of_vjp(m, g, w, d.con_pair[c], mu_bar, 0.0, vec3(0.0, 0.0, 0.0))
    collide_vjp(m, d, g, w, c, dist_bar, p_bar, n_bar, t1_bar, t2_bar)
    if d.con_dim[c] > 1:
        mu = d.con_mu1[c]
        bar0, bar1 = friction_vjp(d.con_jar[c], y, m.cone, d.con_d[c], mu, d.con_mu2[c], m.impratio)
        turn_bar = vec3(0.0, 0.0, 0.0)
        along = y.dot(f)
        if ti.static(has.rolling):
            if turns(d, c):
                bar0, bar1, turn_bar = rolling_friction_vjp(
                    d.con_jar[c], d.turn_jar[c], y, d.turn_y[c], d.con_dim[c], m.cone, d.con_d[c], mu, d.con_mu2[c],
                    d.turn_friction[c], m.impratio,
                )  # fmt: skip
                along = along + d.turn_y[c].dot(d.turn_force[c])
        if m.cone == 0:
            # D ~ 1 / (mu^2 (1 + mu^2)), and f is proportional to D
            bar0 = bar0 - along * (2 / mu + 2 * mu / (1 + mu * mu))
            if ti.static(has.diagexact):
                if m.diagexact:  # whose diagonal has the second part
                    bar0 = bar0 + along * 2 * mu / (1 + mu * mu)
        friction_of_vjp(m, g, w, d.con_pair[c], -bar0, -bar1, -turn_bar)
