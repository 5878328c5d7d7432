"""Spatial tendons: length and row of a path from site to site, round geoms, over pulleys (wrapping.py).

    L = sum of spans / divisor, a span: one straight leg, or two with an arc of a geom between them
    J = sum over legs of u^T (J2 - J1) / divisor,   u the direction of the leg from a place on body 1 to one on body 2
The arc has no part in J: it is the shortest way (MuJoCo documentation, Computation, "Tendon"). A leg's places move with
its bodies; those on a geom are a function of the span's sites and of the geom besides.

Adjoint. What reads a row gives it x (ten_J_bar), so for a leg it is that of u . (X2 - X1) / divisor, X the velocity of
a place in the test motion sum of S x of the dofs below the span's `top`, which moves all bodies of the span and changes
nothing. Three things move: u and the places, as forces F on the bodies; and the axes S, each as S x* (x W) with W the
wrench of u at the place (rnea.py has the same for whole trees). `chain_vjp` takes both down a chain to q.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.dynamics.kinematics import origin
from engine.dynamics.wrapping import INSIDE, PAST, unit, unit_vjp, wrap, wrap_vjp
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.spatial import cross_force
from engine.math.types import real, vec3
from engine.model.constants import CYLINDER


@ti.func
def on_body(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, place: vec3):
    o = bounded(w * m.nbody + b)
    return d.xpos[o] + rotate(d.xquat[o], place)


@ti.func
def site_place(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    return on_body(m, d, w, m.site_bodyid[i], m.site_pos[i])


@ti.func
def wrapped_geom(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Of the geom of span s: its body, centre, orientation, radius, whether it is a cylinder, whether there is a side,
    and its place seen from the centre."""
    i = m.span_geom[s]
    b = m.geom_bodyid[i]
    centre = on_body(m, d, w, b, m.geom_pos[i])
    quat = quat_mul(d.xquat[bounded(w * m.nbody + b)], m.geom_quat[i])
    side = centre
    sided = ti.cast(m.span_side[s] >= 0, ti.i32)
    if sided:
        side = site_place(m, d, w, m.span_side[s])
    return b, centre, quat, m.geom_size[i][0], ti.cast(m.geom_type[i] == CYLINDER, ti.i32), sided, side - centre


@ti.func
def span_of(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Span s: its legs, 1 or 2; whether from within; body of the geom, both ends, both places on it, the arc."""
    x1 = site_place(m, d, w, m.span_site1[s])
    x2 = site_place(m, d, w, m.span_site2[s])
    p1 = x1
    p2 = x2
    kind = PAST
    b = 0
    arc = real(0.0)
    if m.span_geom[s] >= 0:
        b, c, quat, r, cylinder, sided, side = wrapped_geom(m, d, w, s)
        kind, p1, p2, arc = wrap(cylinder, quat, r, x1 - c, x2 - c, sided, side)
        p1 = p1 + c
        p2 = p2 + c
    return kind, b, x1, x2, p1, p2, arc


@ti.func
def leg_of(m: ti.template(), s: ti.i32, k: ti.i32, kind: ti.i32, b: ti.i32, x1: vec3, x2: vec3, p1: vec3, p2: vec3):
    """Leg k of span s: its bodies and places."""
    b1 = m.site_bodyid[m.span_site1[s]]
    b2 = m.site_bodyid[m.span_site2[s]]
    a = x1
    c = x2
    if kind != PAST:
        if k == 0:
            b2 = b
            c = p1
        else:
            b1 = b
            a = p2
    return b1, b2, a, c


@ti.func
def divided(m: ti.template(), s: ti.i32):
    """What the length of span s is multiplied by."""
    x = real(1.0)
    if m.span_pulley[s] >= 0:
        x = 1.0 / m.wrap_prm[m.span_pulley[s]]
    return x


@outline("md", "w t", when="spatial")
@ti.func
def path(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """ten_J of spatial tendon t, and its length in ten_length."""
    first = m.ten_J_rowadr[t]
    for e in range(first, first + m.ten_J_rownnz[t]):
        d.ten_J[w, e] = 0.0
    length = real(0.0)
    for s in range(m.ten_spanadr[t], m.ten_spanadr[t] + m.ten_spannum[t]):
        kind, b, x1, x2, p1, p2, arc = span_of(m, d, w, s)
        scale = divided(m, s)
        length = length + scale * arc
        for k in range(1 + ti.cast(kind != PAST, ti.i32)):
            b1, b2, a, c = leg_of(m, s, k, kind, b, x1, x2, p1, p2)
            u, size = unit(c - a)
            length = length + scale * size
            if b1 != b2:
                for end in range(2):
                    if end:
                        pull(m, d, w, t, b2, c, scale * u, m.span_top[s])
                    else:
                        pull(m, d, w, t, b1, a, -scale * u, m.span_top[s])
    d.ten_length[w, t] = length


@ti.func
def entry_of(m: ti.template(), e: ti.i32, i: ti.i32):
    """Where dof i stands in a tendon's row, at e or before."""
    k = e
    while m.ten_J_colind[k] > i:
        k = k - 1
    return k


@ti.func
def last_entry(m: ti.template(), t: ti.i32):
    return m.ten_J_rowadr[t] + m.ten_J_rownnz[t] - 1


@ti.func
def pull(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, b: ti.i32, x: vec3, f: vec3, top: ti.i32):
    """The row of tendon t gains what a force f at the place x on body b does to the dofs below `top`."""
    torque = (x - origin(m, d, w, b)).cross(f)
    e = last_entry(m, t)
    i = m.body_lastdof[b]
    while i > top:
        e = entry_of(m, e, i)
        s = bounded(w * m.nv + i)
        d.ten_J[w, e] = d.ten_J[w, e] + d.cdof_ang[s].dot(torque) + d.cdof_lin[s].dot(f)
        i = m.tree_parent[i]


# ------------------------------------------------------------------------------------------------ the adjoint


@ti.func
def tested(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, b: ti.i32, x: vec3, top: ti.i32):
    """Velocity of the place x on body b, and its body's turn, in the test motion of what reads tendon t's row."""
    ang = vec3(0.0, 0.0, 0.0)
    lin = ang
    e = last_entry(m, t)
    i = m.body_lastdof[b]
    while i > top:
        e = entry_of(m, e, i)
        s = bounded(w * m.nv + i)
        ang = ang + g.ten_J_bar[w, e] * d.cdof_ang[s]
        lin = lin + g.ten_J_bar[w, e] * d.cdof_lin[s]
        i = m.tree_parent[i]
    return lin + ang.cross(x - origin(m, d, w, b)), ang


@ti.func
def chain_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, b: ti.i32, x: vec3, u: vec3,
              f: vec3, top: ti.i32):  # fmt: skip
    """Down the dofs that move body b: from a force f at the place x, the adjoint of the place, and from u there, which
    the row of tendon t has along the axes, to q and the pose of a mocap body."""
    r = x - origin(m, d, w, b)
    ua = r.cross(u)
    xa = r.cross(f)
    xl = f
    e = last_entry(m, t)
    i = m.body_lastdof[b]
    while i > top:
        first = m.dof_group[i]
        e = entry_of(m, e, i)
        for k in range(first, i + 1):
            s = bounded(w * m.nv + k)
            sa = d.cdof_ang[s]
            # translations of a free joint are fixed to the world, as in rnea_vjp
            if first == i or sa.dot(sa) > 0:
                bar = g.ten_J_bar[w, e - i + k]
                ya, yl = cross_force(sa, d.cdof_lin[s], bar * ua, bar * u)
                xa = xa + ya
                xl = xl + yl
        for k in range(first, i + 1):
            s = bounded(w * m.nv + k)
            g.qpos_bar[s] = g.qpos_bar[s] + d.cdof_ang[s].dot(xa) + d.cdof_lin[s].dot(xl)
        i = m.tree_parent[first]
    if ti.static(has.mocap):
        root = m.body_rootid[b]
        if top < 0 and m.body_mocapid[root] >= 0:
            o = bounded(w * m.nbody + root)
            g.pose_ang[o] = g.pose_ang[o] + xa
            g.pose_lin[o] = g.pose_lin[o] + xl


@outline("mdg", "w t", when="spatial")
@ti.func
def path_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32):
    """From the adjoints of the length and the row of spatial tendon t to those of q and of pulleys."""
    zero = vec3(0.0, 0.0, 0.0)
    length_bar = g.ten_length_bar[w, t]
    for s in range(m.ten_spanadr[t], m.ten_spanadr[t] + m.ten_spannum[t]):
        kind, b, x1, x2, p1, p2, arc = span_of(m, d, w, s)
        scale = divided(m, s)
        top = m.span_top[s]
        # what the length asks of the places; an arc's ends may go along it, where the whole is shortest
        value = length_bar * arc
        p1_bar = zero
        p2_bar = zero
        for k in range(1 + ti.cast(kind != PAST, ti.i32)):
            b1, b2, a, c = leg_of(m, s, k, kind, b, x1, x2, p1, p2)
            u, size = unit(c - a)
            v1, w1 = tested(m, d, g, w, t, b1, a, top)
            v2, w2 = tested(m, d, g, w, t, b2, c, top)
            run = zero
            if b1 != b2:
                run = v2 - v1
            value = value + length_bar * size + u.dot(run)
            both = unit_vjp(u, size, scale * run)
            along = scale * length_bar * u
            for end in range(2):
                sign = ti.cast(2 * end - 1, real)
                body = b1
                x = a
                turn = w1
                if end:
                    body = b2
                    x = c
                    turn = w2
                y = sign * scale * u
                if b1 == b2:
                    y = zero
                f = sign * both + y.cross(turn)
                held = sign * along
                if kind != PAST and end != k:
                    # a place on the geom
                    if kind == INSIDE:
                        f = f + held
                        held = zero
                    if k == 0:
                        p1_bar = f
                    else:
                        p2_bar = f
                chain_vjp(m, d, g, w, t, body, x, y, f + held, top)
        if kind != PAST:
            b, centre, quat, r, cylinder, sided, side = wrapped_geom(m, d, w, s)
            y1, y2 = wrap_vjp(cylinder, quat, r, x1 - centre, x2 - centre, sided, side, p1_bar, p2_bar)
            for k in range(4):
                body = b
                x = x1
                f = -1.0 * y1
                if k >= 2:
                    x = x2
                    f = -1.0 * y2
                if k == 1 or k == 3:
                    f = -1.0 * f
                    body = m.site_bodyid[m.span_site1[s]]
                    if k == 3:
                        body = m.site_bodyid[m.span_site2[s]]
                chain_vjp(m, d, g, w, t, body, x, zero, f, top)
        if m.span_pulley[s] >= 0:
            i = m.span_pulley[s]
            g.wrap_prm[w, i] = g.wrap_prm[w, i] - scale * scale * value
