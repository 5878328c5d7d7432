"""Contacts of all candidate pairs: one loop, one call of each shape family, and the adjoint from contact to poses."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.contact.box import FIXED
from engine.contact.box_box import box_box_contacts
from engine.contact.box_contacts import box_contacts, box_contacts_vjp
from engine.contact.broad import next_near
from engine.contact.convex import convex_contacts, convex_contacts_vjp
from engine.contact.cylinder import ball_cylinder
from engine.contact.frame import contact_frame_vjp
from engine.contact.hfield import field_contacts
from engine.contact.mesh import mesh_contacts
from engine.contact.mixing import set_margins
from engine.contact.plane import plane_count, plane_feature
from engine.contact.record import add_contact, add_pose_bar
from engine.contact.segment import segment_params
from engine.contact.size_vjp import FRAME_ALONE, tell_geom, tell_pair
from engine.contact.speculative import look_ahead_of_all
from engine.contact.witness import EDGE, END, FACE, GENERAL, POINT, edge_vjp, witness, witness_vjp
from engine.dynamics.sleep import heeded
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, HFIELD, MESH, PLANE


@ti.func
def place_geom(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    b = bounded(w * m.nbody + m.geom_bodyid[i])
    d.geom_xpos[bounded(w * m.ngeom + i)] = d.xpos[b] + rotate(d.xquat[b], m.geom_pos[i])
    d.geom_xquat[bounded(w * m.ngeom + i)] = quat_mul(d.xquat[b], m.geom_quat[i])


@ti.func
def geom_poses(m: ti.template(), d: ti.template(), w: ti.i32, colliding: ti.i32):
    """Poses of the geoms that can collide, which every step reads, or (colliding = 0) of the others, for people."""
    for i in range(m.ngeom):
        if m.geom_collides[i] == colliding:
            place_geom(m, d, w, i)


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
        reach = m.geom_reach[g1] + m.geom_reach[g2]
        near = (x2 - x1).dot(x2 - x1) <= reach * reach
        n = vec3(0.0, 0.0, 0.0)
        if type1 == PLANE:
            if ti.static(has.plane):
                n = rotate(d.geom_xquat[bounded(og + g1)], vec3(0.0, 0.0, 1.0))
                near = n.dot(x2 - x1) <= reach
        if ti.static(has.sleep):
            near = near and heeded(m, d, w, g1, g2)
        if near:
            set_margins(m, d, w, p)
            if type1 == HFIELD:
                if ti.static(has.hfield):
                    d.ncon[w] = ncon
                    field_contacts(m, d, w, p)
                    ncon = d.ncon[w]
            elif type1 != PLANE and (
                type2 == MESH or type1 == ELLIPSOID or type2 == ELLIPSOID or type1 == CYLINDER
                or (type1 == CAPSULE and type2 == CYLINDER)
            ):  # fmt: skip
                if ti.static(has.convex):
                    d.ncon[w] = ncon
                    convex_contacts(m, d, w, p)
                    ncon = d.ncon[w]
            elif type2 == BOX and type1 != PLANE:
                d.ncon[w] = ncon
                if ti.static(has.box):
                    if type1 != BOX:
                        box_contacts(m, d, w, p)
                if ti.static(has.box_box):
                    if type1 == BOX:
                        box_box_contacts(m, d, w, p)
                ncon = d.ncon[w]
            elif type2 == MESH:
                if ti.static(has.mesh):
                    d.ncon[w] = ncon
                    mesh_contacts(m, d, w, p)
                    ncon = d.ncon[w]
            else:
                ncon = collide_pair(m, d, w, p, g1, g2, type1, type2, x1, x2, n, ncon)
    d.ncon[w] = ncon
    if ti.static(has.speculative):
        if m.speculative:
            look_ahead_of_all(m, d, w)


@ti.func
def collide_pair(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, g1: ti.i32, g2: ti.i32, type1: ti.i32,
                 type2: ti.i32, x1: vec3, x2: vec3, normal: vec3, first: ti.i32):  # fmt: skip
    """Contacts of one pair whose features need no search, from number `first` on; returns the next number."""
    ncon = first
    size1 = m.geom_size[g1]
    size2 = m.geom_size[g2]
    q2 = d.geom_xquat[bounded(w * m.ngeom + g2)]
    s1 = half_axis(m, d, w, g1)
    s2 = half_axis(m, d, w, g2)
    cand = 1
    most = 2
    if type1 == PLANE:
        if ti.static(has.plane):
            cand, most = plane_count(type2)
    k = 0
    found = 0
    while k < cand and found < most:
        kind1 = POINT
        kind2 = POINT
        c1 = x1
        c2 = x2
        r1 = size1[0]
        r2 = size2[0]
        a1 = s1
        a2 = s2
        bend = real(0.0)
        n = normal
        y = vec3(0.0, 0.0, 0.0)
        skip = 0
        if type1 == PLANE:
            if ti.static(has.plane):
                kind1 = FACE
                r1 = 0.0
                kind2, o, r2, a1, a2 = plane_feature(type2, n, q2, size2, s1, s2, k)
                c2 = x2 + o
                if type2 == CAPSULE:
                    y = s2 / size2[1]
                if type2 == BOX and n.dot(o) > 0:
                    skip = 1
        elif type2 == CYLINDER:
            if ti.static(has.cylinder):
                kind2, c2, r2, n, bend = ball_cylinder(x1 - x2, q2, size2)
                c2 = x2 + c2
                a2 = n
        else:
            if ti.static(has.segment):
                t1, t2, kind1, kind2, cand = segment_params(x1, s1, x2, s2, k)
                c1 = x1 + t1 * s1
                c2 = x2 + t2 * s2
        dist, pos, n = witness(kind1, c1, r1, d.geom_xquat[bounded(w * m.ngeom + g1)], kind2, c2, r2, q2, n)
        if not skip and dist <= d.found_within[w]:
            found = found + 1
            if dist < d.felt_within[w]:
                ncon = add_contact(m, d, w, p, ncon, dist, pos, n, y, kind1, a1, r1, kind2, a2, r2)
                if ti.static(has.cylinder):
                    if ncon <= m.nconmax:
                        d.con_bend[bounded(w * m.nconmax + ncon - 1)] = bend
        k = k + 1
    return ncon


@serves("contact")
@ti.func
def collide_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, dist_bar: real,
                p_bar: vec3, n_bar: vec3, t1_bar: vec3, t2_bar: vec3):  # fmt: skip
    """From the adjoints of contact c's distance, position and frame to the pose adjoints of its two bodies."""
    general = 0
    if ti.static(has.convex):
        general = ti.cast(d.con_kind1[c] >= GENERAL, ti.i32)
        if general:
            d.bar_dist[w] = dist_bar
            d.bar_pos[w] = p_bar
            d.bar_normal[w] = n_bar
            d.bar_tangent1[w] = t1_bar
            d.bar_tangent2[w] = t2_bar
            convex_contacts_vjp(m, d, g, w, c)
    if not general:
        feature_contact_vjp(m, d, g, w, c, dist_bar, p_bar, n_bar, t1_bar, t2_bar)


@outline("mdg", "w c", when="contact")
@ti.func
def place_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """`collide_vjp` of the adjoints that stand in bar_...."""
    collide_vjp(
        m, d, g, w, c, d.bar_dist[w], d.bar_pos[w], d.bar_normal[w], d.bar_tangent1[w], d.bar_tangent2[w]
    )


@serves("contact")
@ti.func
def contact_place_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, dist_bar: real,
              p_bar: vec3, n_bar: vec3, t1_bar: vec3, t2_bar: vec3):  # fmt: skip
    """The adjoint of contact c's place, as `collide_vjp`, of which a kernel then holds one copy for all that call it
    this way."""
    d.bar_dist[w] = dist_bar
    d.bar_pos[w] = p_bar
    d.bar_normal[w] = n_bar
    d.bar_tangent1[w] = t1_bar
    d.bar_tangent2[w] = t2_bar
    place_adjoint(m, d, g, w, c)


@ti.func
def feature_contact_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, dist_bar: real,
                        p_bar: vec3, n_bar: vec3, t1_bar: vec3, t2_bar: vec3):  # fmt: skip
    """The same of a contact whose features need no search, the adjoint of collide_pair and others."""
    n = d.con_normal[c]
    r1 = d.con_r1[c]
    r2 = d.con_r2[c]
    half = 0.5 * d.con_dist[c]
    c1 = d.con_pos[c] - (r1 + half) * n
    c2 = d.con_pos[c] + (r2 + half) * n
    nb, y_bar = contact_frame_vjp(n, d.con_y[c], d.con_tangent1[c], n_bar, t1_bar, t2_bar)
    bend = real(0.0)
    if ti.static(has.cylinder):
        bend = d.con_bend[c]
    kind1 = d.con_kind1[c]
    kind2 = d.con_kind2[c]
    a1 = d.con_axis1[c]
    a2 = d.con_axis2[c]
    c1_bar, turn1, c2_bar, turn2 = witness_vjp(
        kind1, a1, r1, kind2, a2, r2, bend, n, d.con_dist[c], dist_bar, p_bar, nb
    )
    if ti.static(has.box_box):
        if kind1 == EDGE or kind1 == END:
            gap = d.con_gap[c]
            c1 = d.con_pos[c] + 0.5 * gap
            c2 = d.con_pos[c] - 0.5 * gap
            c1_bar, turn1, c2_bar, turn2 = edge_vjp(kind1, a1, kind2, a2, n, gap, dist_bar, p_bar, nb)
    if ti.static(has.plane):
        if d.con_hinted[c]:
            turn2 = turn2 + d.con_y[c].cross(y_bar)
    if ti.static(has.box):
        if d.con_rule[c] != FIXED:
            run, turn = box_contacts_vjp(m, d, g, w, c, c1_bar)
            x1 = d.geom_xpos[bounded(w * m.ngeom + m.pair_geom1[d.con_pair[c]])]
            add_pose_bar(m, d, g, w, d.con_body1[c], x1, run, turn)
            add_pose_bar(m, d, g, w, d.con_body2[c], x1, -run, -turn)
            tell_geom(m, d, g, w, m.pair_geom1[d.con_pair[c]], x1, run, turn, FRAME_ALONE, 0.0)
            tell_geom(m, d, g, w, m.pair_geom2[d.con_pair[c]], x1, -run, -turn, FRAME_ALONE, 0.0)
    add_pose_bar(m, d, g, w, d.con_body1[c], c1, c1_bar, turn1)
    add_pose_bar(m, d, g, w, d.con_body2[c], c2, c2_bar, turn2)
    tell_pair(m, d, g, w, d.con_pair[c], c1, c1_bar, turn1, r1, c2, c2_bar, turn2, r2, n, dist_bar, p_bar)
