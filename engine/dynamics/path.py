"""Spatial tendons: length and row of a path from site to site, round geoms, over pulleys (wrapping.py).

    L = sum of spans / divisor, a span: one straight leg, or two with an arc of a geom between them
    J = sum over legs of u^T (J2 - J1) / divisor,   u the direction of the leg from a place on body 1 to one on body 2
The arc has no part in J: it is the shortest way (MuJoCo documentation, Computation, "Tendon"). A leg's places move with
its bodies; those on a geom are a function of the span's sites and of the geom besides.

Adjoint. What reads a row gives it x (ten_J_bar), so for a leg it is that of u . (X2 - X1) / divisor, X the velocity of
a place in the test motion sum of S x of the dofs below the span's `top`, which moves all bodies of the span and changes
nothing. Three things move: u and the places, as forces F on the bodies; and the axes S, each as S x* (x W) with W the
wrench of u at the place (rnea.py has the same for whole trees). `chain_vjp` takes both down a chain to q, and leaves
them for the frames on the way (taken.py). F is also the adjoint of a site's place; that of a geom that the tendon goes
round is the sum of the forces on it.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.dynamics.frame_leaves import add_geom_bars, add_radius_bar, add_site_bars
from engine.dynamics.kinematics import origin
from engine.dynamics.taken import take_axis, take_pose
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
def find_span(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """The places of span s, and what the geom does to it; all that the adjoint reads stays in d."""
    i = bounded(w * m.nspan + s)
    x1 = site_place(m, d, w, m.span_site1[s])
    x2 = site_place(m, d, w, m.span_site2[s])
    d.span_x1[i] = x1
    d.span_x2[i] = x2
    d.span_kind[i] = PAST
    d.span_long[i] = 0.0
    if m.span_geom[s] >= 0:
        b, c, quat, r, cylinder, sided, side = wrapped_geom(m, d, w, s)
        kind, p1, p2, long, arc, sense, phi = wrap(cylinder, quat, r, x1 - c, x2 - c, sided, side)
        d.span_kind[i] = kind
        d.span_p1[i] = p1 + c
        d.span_p2[i] = p2 + c
        d.span_long[i] = long
        d.span_arc[i] = arc
        d.span_sense[i] = sense
        d.span_phi[i] = phi
    return i


@ti.func
def leg_of(m: ti.template(), d: ti.template(), s: ti.i32, i: ti.i32, k: ti.i32):
    """Leg k of span s, which is number i of all worlds: its bodies and places."""
    b1 = m.site_bodyid[m.span_site1[s]]
    b2 = m.site_bodyid[m.span_site2[s]]
    a = d.span_x1[i]
    c = d.span_x2[i]
    if d.span_kind[i] != PAST:
        b = m.geom_bodyid[m.span_geom[s]]
        if k == 0:
            b2 = b
            c = d.span_p1[i]
        else:
            b1 = b
            a = d.span_p2[i]
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
        i = find_span(m, d, w, s)
        scale = divided(m, s)
        length = length + scale * d.span_long[i]
        for k in range(1 + ti.cast(d.span_kind[i] != PAST, ti.i32)):
            b1, b2, a, c = leg_of(m, d, s, i, k)
            u, size = unit(c - a)
            length = length + scale * size
            if b1 != b2:
                for end in range(2):
                    b = b1
                    x = a
                    f = -scale * u
                    if end:
                        b = b2
                        x = c
                        f = scale * u
                    pull(m, d, w, t, b, x, f, m.span_top[s])
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
    take_pose(m, g, w, b, r, f, vec3(0.0, 0.0, 0.0))
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
                take_axis(m, g, s, bar * ua, bar * u)
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
        o = bounded(w * m.nspan + s)
        bent = ti.cast(d.span_kind[o] != PAST, ti.i32)
        scale = divided(m, s)
        top = m.span_top[s]
        value = length_bar * d.span_long[o]
        # of the sites and the places on the geom: forces, and u of their legs
        f1, f2, h1, h2, u1, u2, p1_bar, p2_bar = zero, zero, zero, zero, zero, zero, zero, zero
        for k in range(1 + bent):
            b1, b2, a, c = leg_of(m, d, s, o, k)
            u, size = unit(c - a)
            run, turn1, turn2 = zero, zero, zero
            for end in range(2):
                b = b1
                x = a
                if end:
                    b = b2
                    x = c
                v, turn = tested(m, d, g, w, t, b, x, top)
                if end:
                    run = run + v
                    turn2 = turn
                else:
                    run = -v
                    turn1 = turn
            y = scale * u
            if b1 == b2:
                y = zero
                run = zero
            value = value + length_bar * size + u.dot(run)
            both = unit_vjp(u, size, scale * run)
            back = -both - y.cross(turn1)
            ahead = both + y.cross(turn2)
            along = scale * length_bar * u
            # where the way on a geom is the shortest, its ends may go along it; a place within is one
            moved = zero
            if d.span_kind[o] == INSIDE:
                moved = along
            if k == 0:
                f1 = back - along
                u1 = y
                h1 = ahead + along
                p1_bar = ahead + moved
            if k == bent:
                f2 = ahead + along
                u2 = y
                h2 = back - along
                p2_bar = back - moved
        x1 = d.span_x1[o]
        x2 = d.span_x2[o]
        y1, y2, middle, whole, moment = zero, zero, zero, zero, zero
        body = 0
        if bent:
            body, centre, quat, r, cylinder, sided, side = wrapped_geom(m, d, w, s)
            middle = centre
            y1, y2, r_bar = wrap_vjp(
                cylinder, quat, r, x1 - centre, x2 - centre, d.span_kind[o], d.span_p1[o] - centre,
                d.span_p2[o] - centre, d.span_arc[o], d.span_sense[o], d.span_phi[o], p1_bar, p2_bar,
            )  # fmt: skip
            if d.span_long[o] > 0:  # an arc, which grows as its angle does
                r_bar = r_bar + scale * length_bar * d.span_arc[o] * d.span_arc[o] / (r * d.span_long[o])
            add_radius_bar(m, g, w, m.span_geom[s], r_bar)
        for i in range(2 + 4 * bent):
            b = body
            x = x1
            y = zero
            f = -1.0 * y1
            site = -1
            if i == 0:
                site = m.span_site1[s]
                b = m.site_bodyid[site]
                y = -1.0 * u1
                f = f1 + y1
            elif i == 1:
                site = m.span_site2[s]
                b = m.site_bodyid[site]
                x = x2
                y = u2
                f = f2 + y2
            elif i == 2:
                x = d.span_p1[o]
                y = u1
                f = h1
            elif i == 3:
                x = d.span_p2[o]
                y = -1.0 * u2
                f = h2
            elif i == 4:
                x = x2
                f = -1.0 * y2
            chain_vjp(m, d, g, w, t, b, x, y, f, top)
            add_site_bars(m, d, g, w, site, f, zero)
            if i > 1:
                whole = whole + f
                moment = moment + (x - middle).cross(f)
        if bent:
            add_geom_bars(m, d, g, w, m.span_geom[s], whole, moment)
        if m.span_pulley[s] >= 0:
            i = m.span_pulley[s]
            g.wrap_prm[w, i] = g.wrap_prm[w, i] - scale * scale * value
