"""Contacts of all candidate pairs: one loop, one call of each shape family, and the adjoint from contact to poses."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.contact.box import FIXED, NEAREST, ball_box, ball_box_vjp, capsule_box_params, param_vjp
from engine.contact.broad import next_near
from engine.contact.frame import contact_frame, contact_frame_vjp, has_hint, tangent_hint
from engine.contact.plane import plane_count, plane_offset, plane_point, plane_point_vjp
from engine.contact.segment import segment_params, segment_vjp, sphere_sphere, sphere_sphere_vjp
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE, PLANE


@ti.func
def geom_poses(m: ti.template(), d: ti.template(), w: ti.i32, colliding: ti.i32):
    """Poses of the geoms that can collide, which every step reads, or (colliding = 0) of the others, for people."""
    for i in range(m.ngeom):
        if m.geom_collides[i] == colliding:
            b = bounded(w * m.nbody + m.geom_bodyid[i])
            d.geom_xpos[bounded(w * m.ngeom + i)] = d.xpos[b] + rotate(
                d.xquat[b], m.geom_pos[i]
            )
            d.geom_xquat[bounded(w * m.ngeom + i)] = quat_mul(d.xquat[b], m.geom_quat[i])


@ti.func
def half_axis(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32):
    """Half axis of a capsule in the world; zero for a sphere."""
    h = real(0.0)
    if m.geom_type[g] == CAPSULE:
        h = m.geom_size[g][1]
    return rotate(d.geom_xquat[bounded(w * m.ngeom + g)], vec3(0.0, 0.0, h))


@serves("contact")
@ti.func
def collide(m: ti.template(), d: ti.template(), w: ti.i32):
    """Writes the contacts closer than the margin (within margin + gap they count for a pair's limit, without force)."""
    ncon = 0
    og = w * m.ngeom
    p = -1
    for number in range(m.npair):
        if ti.static(has.broad):
            p = next_near(m, d, w, p + 1)
            if p >= m.npair:
                break
        else:
            p = bounded(number)
        g1 = m.pair_geom1[p]
        g2 = m.pair_geom2[p]
        x1 = d.geom_xpos[bounded(og + g1)]
        x2 = d.geom_xpos[bounded(og + g2)]
        type1 = m.geom_type[g1]
        type2 = m.geom_type[g2]
        margin = m.pair_margin[p] + m.pair_gap[p]
        reach = m.pair_rbound[p] + margin
        near = (x2 - x1).dot(x2 - x1) <= reach * reach
        n = vec3(0.0, 0.0, 0.0)
        if type1 == PLANE:
            if ti.static(has.plane):
                n = rotate(d.geom_xquat[bounded(og + g1)], vec3(0.0, 0.0, 1.0))
                near = n.dot(x2 - x1) <= reach
        if near:
            ncon = collide_pair(m, d, w, p, g1, g2, type1, type2, x1, x2, n, margin, ncon)
    d.ncon[w] = ncon


@ti.func
def collide_pair(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, g1: ti.i32, g2: ti.i32, type1: ti.i32,
                 type2: ti.i32, x1: vec3, x2: vec3, normal: vec3, margin: real, first: ti.i32):  # fmt: skip
    """Contacts of one pair, from number `first` on; returns the next number."""
    ncon = first
    size1 = m.geom_size[g1]
    size2 = m.geom_size[g2]
    q2 = d.geom_xquat[bounded(w * m.ngeom + g2)]
    s1 = half_axis(m, d, w, g1)
    s2 = half_axis(m, d, w, g2)
    cand = 1
    most = 2
    q = vec3(0.0, 0.0, 0.0)
    a = vec3(0.0, 0.0, 0.0)
    t_near = real(0.0)
    near = -1
    t_second = real(0.0)
    kind_second = -1
    axis_second = 0
    if type1 == PLANE:
        if ti.static(has.plane):
            cand, most = plane_count(type2)
    elif type2 == BOX:
        if ti.static(has.box):
            q = rotate_back(q2, x1 - x2)
            a = rotate_back(q2, s1)
            if type1 == CAPSULE:
                t_near, near, t_second, kind_second, axis_second = capsule_box_params(q, a, size2)
                if kind_second >= 0:
                    cand = 2
    k = 0
    found = 0
    while k < cand and found < most:
        dist = real(0.0)
        pos = vec3(0.0, 0.0, 0.0)
        n = normal
        y = vec3(0.0, 0.0, 0.0)
        t1 = real(0.0)
        t2 = real(0.0)
        free1 = 0
        free2 = 0
        axis = 0
        skip = 0
        if type1 == PLANE:
            if ti.static(has.plane):
                o, r = plane_offset(type2, size2, k)
                o = rotate(q2, o)
                dist, pos = plane_point(n, x1, x2 + o, r)
                if type2 == CAPSULE:
                    y = s2 / size2[1]
                if type2 == BOX and n.dot(o) > 0:
                    skip = 1
        elif type2 == BOX:
            if ti.static(has.box):
                t1 = t_near
                t2 = t_near
                free1 = FIXED
                if near >= 0:
                    free1 = NEAREST
                free2 = near
                if k == 1:
                    t1 = t_second
                    free1 = kind_second
                    axis = axis_second
                dist, pos, n = ball_box(q + t1 * a, size1[0], size2)
                pos = x2 + rotate(q2, pos)
                n = rotate(q2, n)
        else:
            if ti.static(has.segment):
                t1, t2, free1, free2, cand = segment_params(x1, s1, x2, s2, k)
                z = vec3(0.0, 0.0, 1.0)
                dist, pos, n = sphere_sphere(
                    x1 + t1 * s1, size1[0], x2 + t2 * s2, size2[0],
                    rotate(d.geom_xquat[bounded(w * m.ngeom + g1)], z),
                    rotate(q2, z),
                )  # fmt: skip
        if not skip and dist <= margin:
            found = found + 1
            if dist < m.pair_margin[p]:
                if ncon < m.nconmax:
                    c = bounded(w * m.nconmax + ncon)
                    # a capsule that stands upright on the plane gives no hint
                    if not has_hint(n, y):
                        y = tangent_hint(n)
                    tangent1, tangent2 = contact_frame(n, y)
                    d.con_pos[c] = pos
                    d.con_normal[c] = n
                    d.con_tangent1[c] = tangent1
                    d.con_tangent2[c] = tangent2
                    d.con_y[c] = y
                    d.con_dist[c] = dist
                    d.con_x1[c] = t1
                    d.con_x2[c] = t2
                    d.con_pair[c] = p
                    d.con_k[c] = k
                    d.con_free1[c] = free1
                    d.con_free2[c] = free2
                    d.con_axis[c] = axis
                    d.con_body1[c] = m.geom_bodyid[g1]
                    d.con_body2[c] = m.geom_bodyid[g2]
                    d.con_dim[c] = m.pair_dim[p]
                    d.con_zone[c] = -1
                ncon = ncon + 1
        k = k + 1
    return ncon


@ti.func
def add_pose_bar(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, x: vec3, x_bar: vec3,
                 torque: vec3):  # fmt: skip
    """Adds the adjoint of a point x and of an orientation, both fixed to body b, to the body's pose adjoint."""
    h = bounded(w * m.nbody + b)
    g.pose_ang[h] = g.pose_ang[h] + torque + (x - origin(m, d, w, b)).cross(x_bar)
    g.pose_lin[h] = g.pose_lin[h] + x_bar


@serves("contact")
@ti.func
def collide_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, dist_bar: real,
                p_bar: vec3, n_bar: vec3, t1_bar: vec3, t2_bar: vec3):  # fmt: skip
    """From the adjoints of contact c's distance, position and frame to the pose adjoints of its two bodies."""
    p = d.con_pair[c]
    k = d.con_k[c]
    n = d.con_normal[c]
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    type1 = m.geom_type[g1]
    type2 = m.geom_type[g2]
    size1 = m.geom_size[g1]
    size2 = m.geom_size[g2]
    x1 = d.geom_xpos[bounded(w * m.ngeom + g1)]
    x2 = d.geom_xpos[bounded(w * m.ngeom + g2)]
    q2 = d.geom_xquat[bounded(w * m.ngeom + g2)]
    s1 = half_axis(m, d, w, g1)
    s2 = half_axis(m, d, w, g2)
    t1 = d.con_x1[c]
    t2 = d.con_x2[c]
    nb, y_bar = contact_frame_vjp(n, d.con_y[c], d.con_tangent1[c], n_bar, t1_bar, t2_bar)
    x1_bar = vec3(0.0, 0.0, 0.0)
    x2_bar = vec3(0.0, 0.0, 0.0)
    torque1 = vec3(0.0, 0.0, 0.0)
    torque2 = vec3(0.0, 0.0, 0.0)
    if type1 == PLANE:
        if ti.static(has.plane):
            o, r = plane_offset(type2, size2, k)
            o = rotate(q2, o)
            n_add, x2_bar, s = plane_point_vjp(n, x1, x2 + o, r, d.con_dist[c], dist_bar, p_bar)
            x1_bar = -s * n
            torque1 = n.cross(nb + n_add)
            torque2 = o.cross(x2_bar)
            if type2 == CAPSULE and has_hint(n, s2 / size2[1]):
                torque2 = torque2 + (s2 / size2[1]).cross(y_bar)
    elif type2 == BOX:
        if ti.static(has.box):
            q0 = rotate_back(q2, x1 - x2)
            a = rotate_back(q2, s1)
            q = q0 + t1 * a
            q_bar = ball_box_vjp(
                q, size1[0], size2, rotate_back(q2, n), dist_bar, rotate_back(q2, p_bar), rotate_back(q2, nb)
            )
            kind = d.con_free1[c]
            tq, ta = param_vjp(
                q0, a, size2, t1, kind, d.con_axis[c], t2, d.con_free2[c], a.dot(q_bar)
            )
            # the box carries pos and n; q0 and a move against it
            qw = rotate(q2, q_bar + tq)
            aw = rotate(q2, t1 * q_bar + ta)
            x1_bar = qw
            torque1 = s1.cross(aw)
            x2_bar = p_bar - qw
            torque2 = (
                n.cross(nb) + (d.con_pos[c] - x2).cross(p_bar) - (x1 - x2).cross(qw) - s1.cross(aw)
            )
    else:
        if ti.static(has.segment):
            c1 = x1 + t1 * s1
            c2 = x2 + t2 * s2
            c1_bar, c2_bar = sphere_sphere_vjp(c1, size1[0], c2, size2[0], n, dist_bar, p_bar, nb)
            s1_bar = vec3(0.0, 0.0, 0.0)
            s2_bar = vec3(0.0, 0.0, 0.0)
            x1_bar, s1_bar, x2_bar, s2_bar = segment_vjp(
                s1, t1, d.con_free1[c], s2, t2, d.con_free2[c], c1 - c2, c1_bar, c2_bar
            )
            torque1 = s1.cross(s1_bar)
            torque2 = s2.cross(s2_bar)
    add_pose_bar(m, d, g, w, d.con_body1[c], x1, x1_bar, torque1)
    add_pose_bar(m, d, g, w, d.con_body2[c], x2, x2_bar, torque2)
