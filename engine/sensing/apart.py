"""The distance of two geoms whose pair has no formula in distance.py: by the search between convex shapes (search.py),
and as MuJoCo measures it of a capsule and a box by the points that their contacts have (box.py), of a plane and a mesh
by its lowest vertex.

Such pairs stand behind the candidate pairs in `pair_geom1 pair_geom2` (model/sensors.apart_pairs), so that the search
knows them by a number p as it does others. What it finds lies in `ccd_*` of the world, as what a contact is made of:
nobody asks for that any more when sensors are read, nor before it is written anew when contacts have their adjoint. Of
a capsule and a box these buffers keep how the point runs along the capsule, too: `ccd_length` t, `ccd_scale` the
nearest t, `ccd_num1` the rule, `ccd_num2` the axis, `ccd_cap1` what t is nearest to.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.box import FIXED, capsule_box_params
from engine.contact.box_contacts import candidate, run_vjp
from engine.contact.record import add_pose_bar
from engine.contact.search import core, features_vjp, look_from
from engine.contact.size_vjp import FRAME_ALONE, tell_geom, tell_pair
from engine.contact.support import farthest
from engine.contact.witness import FACE, POINT, witness_vjp
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import HUGE, real, vec3
from engine.model.constants import BOX, CAPSULE, PLANE

NEAR = 1e-3  # of the sizes of two geoms


@ti.func
def geom_pose(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32):
    h = bounded(w * m.nbody + m.geom_bodyid[g])
    return d.xpos[h] + rotate(d.xquat[h], m.geom_pos[g]), quat_mul(d.xquat[h], m.geom_quat[g])


@ti.func
def has_points(m: ti.template(), p: ti.i32):
    """Whether pair p is a capsule and a box, or a plane and a mesh."""
    type1 = m.geom_type[m.pair_geom1[p]]
    return type1 == PLANE or (type1 == CAPSULE and m.geom_type[m.pair_geom2[p]] == BOX)


@outline("md", "w p", when="distance_search")
@ti.func
def look_apart(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """ccd_found, whether the geoms of pair p are nearer than found_within, and then ccd_dist, ccd_n and what lies
    nearest to each other, ccd_x1 and ccd_x2, of spheres and capsules without their radii."""
    x1, q1 = geom_pose(m, d, w, m.pair_geom1[p])
    x2, q2 = geom_pose(m, d, w, m.pair_geom2[p])
    if m.geom_type[m.pair_geom1[p]] == PLANE:
        n = rotate(q1, vec3(0.0, 0.0, 1.0))
        c2 = x2 + rotate(q2, m.hull_vert[farthest(m, m.geom_dataid[m.pair_geom2[p]], -1, rotate_back(q2, -n), 0.0)])
        dist = n.dot(c2 - x1)
        d.ccd_dist[w] = dist
        d.ccd_n[w] = n
        d.ccd_x1[w] = c2 - dist * n
        d.ccd_x2[w] = c2
        d.ccd_kind1[w] = FACE
        d.ccd_kind2[w] = POINT
        d.ccd_num1[w] = FIXED
        d.ccd_found[w] = ti.cast(dist < d.found_within[w], ti.i32)
    elif has_points(m, p):
        size1 = m.geom_size[m.pair_geom1[p]]
        size2 = m.geom_size[m.pair_geom2[p]]
        s1 = rotate(q1, vec3(0.0, 0.0, size1[1]))
        q = rotate_back(q2, x1 - x2)
        a = rotate_back(q2, s1)
        t_near, near, t_second, rule_second, axis = capsule_box_params(q, a, size2)
        d.ccd_dist[w] = HUGE
        d.ccd_axis1[w] = s1
        d.ccd_kind1[w] = POINT
        d.ccd_scale[w] = t_near
        d.ccd_num2[w] = axis
        d.ccd_cap1[w] = near
        for k in range(2):
            if k == 0 or rule_second >= 0:
                t, rule, kind2, a2, dist, pos, n = candidate(
                    k, t_near, near, t_second, rule_second, x1, q1, s1, size1[0], x2, q2, size2, q, a
                )
                if dist < d.ccd_dist[w]:
                    d.ccd_dist[w] = dist
                    d.ccd_n[w] = n
                    c1 = x1 + t * s1
                    d.ccd_x1[w] = c1
                    d.ccd_x2[w] = c1 + (size1[0] + dist) * n
                    d.ccd_kind2[w] = kind2
                    d.ccd_axis2[w] = a2
                    d.ccd_length[w] = t
                    d.ccd_num1[w] = rule
        d.ccd_found[w] = ti.cast(d.ccd_dist[w] < d.found_within[w], ti.i32)
    else:
        # of round shapes that touch or overlap the search inflates one by how far it looks, by whose share the depth is
        # told: so at first it looks but a little further
        within = d.found_within[w]
        close = NEAR * (m.geom_size[m.pair_geom1[p]] + m.geom_size[m.pair_geom2[p]]).sum()
        d.found_within[w] = ti.min(within, close)
        look = 0
        while look < 2:
            look_from(m, d, w, p, x1, q1, x2, q2)
            d.found_within[w] = within
            look = 2 if d.ccd_found[w] or within <= close else look + 1


@ti.func
def found_apart(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """(dist, pos, n) of what `look_apart` has found."""
    _, r1 = core(m.geom_type[m.pair_geom1[p]], m.geom_size[m.pair_geom1[p]])
    _, r2 = core(m.geom_type[m.pair_geom2[p]], m.geom_size[m.pair_geom2[p]])
    n = d.ccd_n[w]
    return d.ccd_dist[w], 0.5 * (d.ccd_x1[w] + d.ccd_x2[w] + (r1 - r2) * n), n


@outline("mdg", "w p", when="distance_search")
@ti.func
def apart_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32):
    """From bar_dist, bar_pos and bar_normal to the poses of the bodies of pair p and to its geoms, within
    found_within."""
    look_apart(m, d, w, p)
    if has_points(m, p):
        n = d.ccd_n[w]
        g1 = m.pair_geom1[p]
        g2 = m.pair_geom2[p]
        _, r1 = core(m.geom_type[g1], m.geom_size[g1])
        s1 = d.ccd_axis1[w]
        c1 = d.ccd_x1[w]
        c2 = d.ccd_x2[w]
        t = d.ccd_length[w]
        zero = real(0.0)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            d.ccd_kind1[w], s1, r1, d.ccd_kind2[w], d.ccd_axis2[w], zero, zero, n, d.ccd_dist[w], d.bar_dist[w],
            d.bar_pos[w], d.bar_normal[w],
        )  # fmt: skip
        if d.ccd_num1[w] != FIXED:
            x1 = c1 - t * s1
            x2, q2 = geom_pose(m, d, w, g2)
            run, turn = run_vjp(
                m, g, w, p, x1 - x2, q2, s1, t, d.ccd_num1[w], d.ccd_num2[w], d.ccd_scale[w], d.ccd_cap1[w], c1_bar
            )
            add_pose_bar(m, d, g, w, m.geom_bodyid[g1], x1, run, turn)
            add_pose_bar(m, d, g, w, m.geom_bodyid[g2], x1, -run, -turn)
            tell_geom(m, d, g, w, g1, x1, run, turn, FRAME_ALONE, 0.0)
            tell_geom(m, d, g, w, g2, x1, -run, -turn, FRAME_ALONE, 0.0)
        add_pose_bar(m, d, g, w, m.geom_bodyid[g1], c1, c1_bar, turn1)
        add_pose_bar(m, d, g, w, m.geom_bodyid[g2], c2, c2_bar, turn2)
        tell_pair(m, d, g, w, p, c1, c1_bar, turn1, r1, c2, c2_bar, turn2, zero, n, d.bar_dist[w], d.bar_pos[w])
    else:
        features_vjp(m, d, g, w, p)
