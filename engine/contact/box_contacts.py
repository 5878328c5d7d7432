"""A sphere or a capsule against a box, as a stage of its own, which only the robots that have such a pair call."""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.box import FIXED, NEAREST, box_feature, capsule_box_params, param_size_vjp, param_vjp
from engine.contact.record import add_contact, pair_poses
from engine.contact.size_vjp import add_size_bar
from engine.contact.witness import POINT, witness
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import CAPSULE


@ti.func
def candidate(k: ti.i32, t_near: real, near: ti.i32, t_second: real, rule_second: ti.i32, x1: vec3, q1: vec4, s1: vec3,
              r: real, x2: vec3, q2: vec4, size: vec3, q: vec3, a: vec3):  # fmt: skip
    """(t, rule, kind and direction of the box's feature, dist, pos, n) of the nearest point of a capsule, or with k = 1
    of its second one."""
    t = t_near
    rule = FIXED
    if near >= 0:
        rule = NEAREST
    if k == 1:
        t = t_second
        rule = rule_second
    kind2, c2, out = box_feature(q + t * a, size)
    a2 = rotate(q2, out)
    dist, pos, n = witness(POINT, x1 + t * s1, r, q1, kind2, x2 + rotate(q2, c2), 0.0, q2, a2)
    return t, rule, kind2, a2, dist, pos, n


@outline("md", "w p", when="box")
@ti.func
def box_contacts(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p."""
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    size1 = m.geom_size[m.pair_geom1[p]]
    size2 = m.geom_size[m.pair_geom2[p]]
    s1 = vec3(0.0, 0.0, 0.0)
    q = rotate_back(q2, x1 - x2)
    a = s1
    t_near = real(0.0)
    near = -1
    t_second = real(0.0)
    rule_second = -1
    axis = 0
    if m.geom_type[m.pair_geom1[p]] == CAPSULE:
        s1 = rotate(q1, vec3(0.0, 0.0, size1[1]))
        a = rotate_back(q2, s1)
        t_near, near, t_second, rule_second, axis = capsule_box_params(q, a, size2)
    ncon = d.ncon[w]
    margin = d.felt_within[w]
    for k in range(2):
        if k == 0 or rule_second >= 0:
            t, rule, kind2, a2, dist, pos, n = candidate(
                k, t_near, near, t_second, rule_second, x1, q1, s1, size1[0], x2, q2, size2, q, a
            )
            if dist < margin:
                zero = vec3(0.0, 0.0, 0.0)
                ncon = add_contact(m, d, w, p, ncon, dist, pos, n, zero, POINT, s1, size1[0], kind2, a2, 0.0)
                if ncon <= m.nconmax:
                    c = bounded(w * m.nconmax + ncon - 1)
                    d.con_t[c] = t
                    d.con_tnear[c] = t_near
                    d.con_near[c] = near
                    d.con_rule[c] = rule
                    d.con_face[c] = axis
    d.ncon[w] = ncon


@ti.func
def box_contacts_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, c1_bar: vec3):
    """How contact c's point runs along a capsule by its rule: force at the capsule's centre and torque on the capsule;
    the box has their opposites. c1_bar: the point's adjoint. What this asks of sizes is added to their adjoints."""
    p = d.con_pair[c]
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    return run_vjp(
        m, g, w, p, x1 - x2, q2, d.con_axis1[c], d.con_t[c], d.con_rule[c], d.con_face[c], d.con_tnear[c],
        d.con_near[c], c1_bar,
    )  # fmt: skip


@ti.func
def run_vjp(m: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, x: vec3, q2: vec4, s1: vec3, t: real,
            rule: ti.i32, axis: ti.i32, t_near: real, near: ti.i32, c1_bar: vec3):  # fmt: skip
    """The same of the point t of the half axis s1 of a capsule, which lies by x from its box's centre."""
    q0 = rotate_back(q2, x)
    a = rotate_back(q2, s1)
    size = m.geom_size[m.pair_geom2[p]]
    force, half = param_vjp(q0, a, size, t, rule, axis, t_near, near, s1.dot(c1_bar))
    if ti.static(has.shape_leaf):
        if m.nshapeleaf > 0:
            add_size_bar(
                m, g, w, m.pair_geom2[p], param_size_vjp(q0, a, size, t, rule, axis, t_near, near, s1.dot(c1_bar))
            )
            g1 = m.pair_geom1[p]
            add_size_bar(m, g, w, g1, vec3(0.0, half.dot(a) / m.geom_size[g1][1], 0.0))
    return rotate(q2, force), s1.cross(rotate(q2, half))
