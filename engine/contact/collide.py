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
from engine.schema import (
    C_AXIS,
    C_BODY1,
    C_BODY2,
    C_DIM,
    C_DIST,
    C_FREE1,
    C_FREE2,
    C_K,
    C_N,
    C_PAIR,
    C_POS,
    C_T1,
    C_T2,
    C_X1,
    C_X2,
    C_Y,
    C_ZONE,
    G_BODY,
    G_COLLIDES,
    G_POS,
    G_SIZE,
    G_TYPE,
    NBAR,
    NBODY,
    NCI,
    NCONMAX,
    NCR,
    NCV,
    NGEOM,
    NGI,
    NGV,
    NPAIR,
    NPI,
    NPR,
    NWI,
    NXV,
    P_DIM,
    P_GAP,
    P_GEOM1,
    P_GEOM2,
    P_MARGIN,
    P_RBOUND,
    W_NCON,
    X_POS,
    XB_ANG,
    XB_LIN,
)  # fmt: skip


@ti.func
def geom_poses(m: ti.template(), d: ti.template(), w: ti.i32, colliding: ti.i32):
    """Poses of the geoms that can collide, which every step reads, or (colliding = 0) of the others, for people."""
    for i in range(m.dims[NGEOM]):
        if m.geom_i[i * NGI + G_COLLIDES] == colliding:
            b = bounded(w * m.dims[NBODY] + m.geom_i[i * NGI + G_BODY])
            d.geom_xpos[bounded(w * m.dims[NGEOM] + i)] = d.body[b * NXV + X_POS] + rotate(
                d.xquat[b], m.geom_v[i * NGV + G_POS]
            )
            d.geom_xquat[bounded(w * m.dims[NGEOM] + i)] = quat_mul(d.xquat[b], m.geom_q[i])


@ti.func
def half_axis(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32):
    """Half axis of a capsule in the world; zero for a sphere."""
    h = real(0.0)
    if m.geom_i[g * NGI + G_TYPE] == CAPSULE:
        h = m.geom_v[g * NGV + G_SIZE][1]
    return rotate(d.geom_xquat[bounded(w * m.dims[NGEOM] + g)], vec3(0.0, 0.0, h))


@serves("contact")
@ti.func
def collide(m: ti.template(), d: ti.template(), w: ti.i32):
    """Writes the contacts closer than the margin (within margin + gap they count for a pair's limit, without force)."""
    ncon = 0
    og = w * m.dims[NGEOM]
    p = -1
    for number in range(m.dims[NPAIR]):
        if ti.static(has.broad):
            p = next_near(m, d, w, p + 1)
            if p >= m.dims[NPAIR]:
                break
        else:
            p = bounded(number)
        g1 = m.pair_i[p * NPI + P_GEOM1]
        g2 = m.pair_i[p * NPI + P_GEOM2]
        x1 = d.geom_xpos[bounded(og + g1)]
        x2 = d.geom_xpos[bounded(og + g2)]
        type1 = m.geom_i[g1 * NGI + G_TYPE]
        type2 = m.geom_i[g2 * NGI + G_TYPE]
        margin = m.pair_r[p * NPR + P_MARGIN] + m.pair_r[p * NPR + P_GAP]
        reach = m.pair_r[p * NPR + P_RBOUND] + margin
        near = (x2 - x1).dot(x2 - x1) <= reach * reach
        n = vec3(0.0, 0.0, 0.0)
        if type1 == PLANE:
            if ti.static(has.plane):
                n = rotate(d.geom_xquat[bounded(og + g1)], vec3(0.0, 0.0, 1.0))
                near = n.dot(x2 - x1) <= reach
        if near:
            ncon = collide_pair(m, d, w, p, g1, g2, type1, type2, x1, x2, n, margin, ncon)
    d.world_i[w * NWI + W_NCON] = ncon


@ti.func
def collide_pair(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, g1: ti.i32, g2: ti.i32, type1: ti.i32,
                 type2: ti.i32, x1: vec3, x2: vec3, normal: vec3, margin: real, first: ti.i32):  # fmt: skip
    """Contacts of one pair, from number `first` on; returns the next number."""
    ncon = first
    size1 = m.geom_v[g1 * NGV + G_SIZE]
    size2 = m.geom_v[g2 * NGV + G_SIZE]
    q2 = d.geom_xquat[bounded(w * m.dims[NGEOM] + g2)]
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
                    rotate(d.geom_xquat[bounded(w * m.dims[NGEOM] + g1)], z),
                    rotate(q2, z),
                )  # fmt: skip
        if not skip and dist <= margin:
            found = found + 1
            if dist < m.pair_r[p * NPR + P_MARGIN]:
                if ncon < m.dims[NCONMAX]:
                    c = bounded(w * m.dims[NCONMAX] + ncon)
                    # a capsule that stands upright on the plane gives no hint
                    if not has_hint(n, y):
                        y = tangent_hint(n)
                    tangent1, tangent2 = contact_frame(n, y)
                    d.con_v[c * NCV + C_POS] = pos
                    d.con_v[c * NCV + C_N] = n
                    d.con_v[c * NCV + C_T1] = tangent1
                    d.con_v[c * NCV + C_T2] = tangent2
                    d.con_v[c * NCV + C_Y] = y
                    d.con_r[c * NCR + C_DIST] = dist
                    d.con_r[c * NCR + C_X1] = t1
                    d.con_r[c * NCR + C_X2] = t2
                    d.con_i[c * NCI + C_PAIR] = p
                    d.con_i[c * NCI + C_K] = k
                    d.con_i[c * NCI + C_FREE1] = free1
                    d.con_i[c * NCI + C_FREE2] = free2
                    d.con_i[c * NCI + C_AXIS] = axis
                    d.con_i[c * NCI + C_BODY1] = m.geom_i[g1 * NGI + G_BODY]
                    d.con_i[c * NCI + C_BODY2] = m.geom_i[g2 * NGI + G_BODY]
                    d.con_i[c * NCI + C_DIM] = m.pair_i[p * NPI + P_DIM]
                    d.con_i[c * NCI + C_ZONE] = -1
                ncon = ncon + 1
        k = k + 1
    return ncon


@ti.func
def add_pose_bar(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, x: vec3, x_bar: vec3,
                 torque: vec3):  # fmt: skip
    """Adds the adjoint of a point x and of an orientation, both fixed to body b, to the body's pose adjoint."""
    h = bounded(w * m.dims[NBODY] + b) * NBAR
    g.body_bar[h + XB_ANG] = g.body_bar[h + XB_ANG] + torque + (x - origin(m, d, w, b)).cross(x_bar)
    g.body_bar[h + XB_LIN] = g.body_bar[h + XB_LIN] + x_bar


@serves("contact")
@ti.func
def collide_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, dist_bar: real,
                p_bar: vec3, n_bar: vec3, t1_bar: vec3, t2_bar: vec3):  # fmt: skip
    """From the adjoints of contact c's distance, position and frame to the pose adjoints of its two bodies."""
    p = d.con_i[c * NCI + C_PAIR]
    k = d.con_i[c * NCI + C_K]
    n = d.con_v[c * NCV + C_N]
    g1 = m.pair_i[p * NPI + P_GEOM1]
    g2 = m.pair_i[p * NPI + P_GEOM2]
    type1 = m.geom_i[g1 * NGI + G_TYPE]
    type2 = m.geom_i[g2 * NGI + G_TYPE]
    size1 = m.geom_v[g1 * NGV + G_SIZE]
    size2 = m.geom_v[g2 * NGV + G_SIZE]
    x1 = d.geom_xpos[bounded(w * m.dims[NGEOM] + g1)]
    x2 = d.geom_xpos[bounded(w * m.dims[NGEOM] + g2)]
    q2 = d.geom_xquat[bounded(w * m.dims[NGEOM] + g2)]
    s1 = half_axis(m, d, w, g1)
    s2 = half_axis(m, d, w, g2)
    t1 = d.con_r[c * NCR + C_X1]
    t2 = d.con_r[c * NCR + C_X2]
    nb, y_bar = contact_frame_vjp(n, d.con_v[c * NCV + C_Y], d.con_v[c * NCV + C_T1], n_bar, t1_bar, t2_bar)
    x1_bar = vec3(0.0, 0.0, 0.0)
    x2_bar = vec3(0.0, 0.0, 0.0)
    torque1 = vec3(0.0, 0.0, 0.0)
    torque2 = vec3(0.0, 0.0, 0.0)
    if type1 == PLANE:
        if ti.static(has.plane):
            o, r = plane_offset(type2, size2, k)
            o = rotate(q2, o)
            n_add, x2_bar, s = plane_point_vjp(n, x1, x2 + o, r, d.con_r[c * NCR + C_DIST], dist_bar, p_bar)
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
            kind = d.con_i[c * NCI + C_FREE1]
            tq, ta = param_vjp(
                q0, a, size2, t1, kind, d.con_i[c * NCI + C_AXIS], t2, d.con_i[c * NCI + C_FREE2], a.dot(q_bar)
            )
            # the box carries pos and n; q0 and a move against it
            qw = rotate(q2, q_bar + tq)
            aw = rotate(q2, t1 * q_bar + ta)
            x1_bar = qw
            torque1 = s1.cross(aw)
            x2_bar = p_bar - qw
            torque2 = (
                n.cross(nb) + (d.con_v[c * NCV + C_POS] - x2).cross(p_bar) - (x1 - x2).cross(qw) - s1.cross(aw)
            )
    else:
        if ti.static(has.segment):
            c1 = x1 + t1 * s1
            c2 = x2 + t2 * s2
            c1_bar, c2_bar = sphere_sphere_vjp(c1, size1[0], c2, size2[0], n, dist_bar, p_bar, nb)
            s1_bar = vec3(0.0, 0.0, 0.0)
            s2_bar = vec3(0.0, 0.0, 0.0)
            x1_bar, s1_bar, x2_bar, s2_bar = segment_vjp(
                s1, t1, d.con_i[c * NCI + C_FREE1], s2, t2, d.con_i[c * NCI + C_FREE2], c1 - c2, c1_bar, c2_bar
            )
            torque1 = s1.cross(s1_bar)
            torque2 = s2.cross(s2_bar)
    add_pose_bar(m, d, g, w, d.con_i[c * NCI + C_BODY1], x1, x1_bar, torque1)
    add_pose_bar(m, d, g, w, d.con_i[c * NCI + C_BODY2], x2, x2_bar, torque2)
