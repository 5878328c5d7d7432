"""Contact sensors: contacts that match, `num` of them in an order, or one that stands for all ("netforce").

A contact matches a first and a second element, geoms, bodies or all below one; it is turned over where they are its
second and first. Turned over, the frame (n, t1, t2) is (-n, -t1, t2), so of a force or a velocity in it the third
number changes its sign. What is chosen, and in which order, is held by the adjoint.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.contact import add_wrench, relative_velocity
from engine.constraint.rolling import in_frame, out_of_frame, turns
from engine.contact.collide import contact_place_vjp
from engine.contact.ray import inside
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate_back
from engine.math.types import real, vec3
from engine.model.constants import OBJ_BODY, OBJ_GEOM, OBJ_NONE, OBJ_SITE
from engine.model.sensors import CONTACT_FIELDS, LEVEL, REDUCE
from engine.sensing.frames import sensor_frame
from engine.sensing.points import in_subtree

FOUND, FORCE, TORQUE, DIST, POS, NORMAL, TANGENT, LINVEL, ANGVEL = (1 << k for k in range(len(CONTACT_FIELDS)))


@ti.func
def belongs(m: ti.template(), kind: ti.i32, obj: ti.i32, geom: ti.i32):
    """Whether a geom is the element of an OBJ_ kind, or on it; xbody stands for a body and all below it."""
    b = m.geom_bodyid[geom]
    hit = kind == OBJ_NONE or kind == OBJ_SITE
    if kind == OBJ_GEOM:
        hit = geom == obj
    elif kind == OBJ_BODY:
        hit = b == obj
    elif not hit:
        hit = in_subtree(m, b, obj)
    return hit


@ti.func
def matches(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, c: ti.i32):
    """1 where contact c is one of sensor s, -1 where turned over, else 0."""
    x = 0
    pair = d.con_pair[c]
    if pair >= 0:
        g1 = m.pair_geom1[pair]
        g2 = m.pair_geom2[pair]
        for turn in range(2):  # as it is, which goes before, comes last
            a = g1 if turn == 1 else g2
            b = g2 if turn == 1 else g1
            first = belongs(m, m.sensor_objtype[s], m.sensor_objid[s], a)
            if first and belongs(m, m.sensor_reftype[s], m.sensor_refid[s], b):
                x = 2 * turn - 1
        if m.sensor_objtype[s] == OBJ_SITE:
            _, p, q = sensor_frame(m, d, w, s)
            site = m.sensor_objid[s]
            if not inside(m.site_type[site], m.site_size[site], rotate_back(q, d.con_pos[c] - p)):
                x = 0
    return x


@ti.func
def match(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Leaves in con_match how each contact matches."""
    for k in range(d.ncon[w]):
        d.con_match[w * m.nmatch + k] = matches(m, d, w, s, bounded(w * m.nconmax + k))


@ti.func
def priority(m: ti.template(), d: ti.template(), s: ti.i32, c: ti.i32):
    """Which contacts come first: those of the smaller number."""
    x = real(0.0)
    if m.sensor_intprm[s, 1] == REDUCE.mindist:
        x = d.con_dist[c]
    elif m.sensor_intprm[s, 1] == REDUCE.maxforce:
        x = -d.con_force[c].norm()
    return x


@ti.func
def slot_of(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, k: ti.i32):
    """How many contacts of sensor s come before the k-th contact of the world, and how many it has; after `match`."""
    here = priority(m, d, s, bounded(w * m.nconmax + k))
    before = 0
    count = 0
    for i in range(d.ncon[w]):
        if d.con_match[w * m.nmatch + i] != 0:
            count = count + 1
            x = priority(m, d, s, bounded(w * m.nconmax + i))
            if x < here or x == here and i < k:
                before = before + 1
    return before, count


@ti.func
def put(a: ti.template(), o: ti.i32, x: vec3):
    for i in ti.static(range(3)):
        a[o + i] = x[i]


@ti.func
def taken(a: ti.template(), o: ti.i32):
    return vec3(a[o], a[o + 1], a[o + 2])


@ti.func
def net_force(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Of all contacts of sensor s in world axes: how many, force, place (weighted by the size of the forces) and that
    weight, torque about the place. After `match`."""
    count = 0
    weight = real(0.0)
    force = vec3(0.0, 0.0, 0.0)
    pos = force
    torque = force
    for k in range(d.ncon[w]):
        c = bounded(w * m.nconmax + k)
        sign = d.con_match[w * m.nmatch + k]
        if sign != 0:
            f = d.con_force[c]
            x = sign * (f[0] * d.con_normal[c] + f[1] * d.con_tangent1[c] + f[2] * d.con_tangent2[c])
            count = count + 1
            weight = weight + f.norm()
            force = force + x
            pos = pos + f.norm() * d.con_pos[c]
            torque = torque + d.con_pos[c].cross(x)
            if ti.static(has.rolling):
                if turns(d, c):
                    torque = torque + sign * out_of_frame(d, c, d.turn_force[c])
    if weight > 0:
        pos = pos / weight
        torque = torque - pos.cross(force)
    return count, force, pos, weight, torque


@ti.func
def contact_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Writes the sensor's numbers, which no cutoff touches."""
    at = w * m.nsensordata + m.sensor_adr[s]
    num = m.sensor_intprm[s, 2]
    size = m.sensor_dim[s] // num
    data = m.sensor_intprm[s, 0]
    for i in range(m.sensor_dim[s]):
        d.sensordata[at + i] = 0.0
    if ti.static(has.contact):
        match(m, d, w, s)
        net = m.sensor_intprm[s, 1] == REDUCE.netforce
        done = 0
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            sign = d.con_match[w * m.nmatch + k]
            if sign != 0 and not (net and done):
                done = 1
                slot, count = slot_of(m, d, w, s, k)
                turn = vec3(1.0, 1.0, sign)
                f = turn * d.con_force[c]
                torque = vec3(0.0, 0.0, 0.0)
                if ti.static(has.rolling):
                    if turns(d, c):
                        torque = turn * d.turn_force[c]
                pos = d.con_pos[c]
                dist = d.con_dist[c]
                n = sign * d.con_normal[c]
                t1 = sign * d.con_tangent1[c]
                if net:
                    slot = 0
                    count, f, pos, weight, torque = net_force(m, d, w, s)
                    dist = 0.0
                    n = vec3(1.0, 0.0, 0.0)
                    t1 = vec3(0.0, 1.0, 0.0)
                if slot < num:
                    o = at + slot * size
                    if data & FOUND:
                        d.sensordata[o] = count
                        o = o + 1
                    if data & FORCE:
                        put(d.sensordata, o, f)
                        o = o + 3
                    if data & TORQUE:
                        put(d.sensordata, o, torque)
                        o = o + 3
                    if data & DIST:
                        d.sensordata[o] = dist
                        o = o + 1
                    if data & POS:
                        put(d.sensordata, o, pos)
                        o = o + 3
                    if data & NORMAL:
                        put(d.sensordata, o, n)
                        o = o + 3
                    if data & TANGENT:
                        put(d.sensordata, o, t1)
                        o = o + 3
                    if data & (LINVEL | ANGVEL):
                        u, omega = relative_velocity(m, d, w, d.vel_ang, d.vel_lin, d.con_body1[c], d.con_body2[c], pos)
                        for v, field in ti.static(((u, LINVEL), (omega, ANGVEL))):
                            if data & field:
                                x = vec3(d.con_normal[c].dot(v), d.con_tangent1[c].dot(v), d.con_tangent2[c].dot(v))
                                put(d.sensordata, o, turn * x)
                                o = o + 3


@ti.func
def contact_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, s: ti.i32,
                       row: ti.i32):  # fmt: skip
    """From the cotangents at `row`, where the sensordata were recorded."""
    if ti.static(has.contact):
        num = m.sensor_intprm[s, 2]
        size = m.sensor_dim[s] // num
        data = m.sensor_intprm[s, 0]
        net = m.sensor_intprm[s, 1] == REDUCE.netforce
        match(m, d, w, s)
        count, force, place, weight, torque = net_force(m, d, w, s)
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            sign = d.con_match[w * m.nmatch + k]
            slot, count = slot_of(m, d, w, s, k)
            if net:
                slot = 0
            if sign != 0 and slot < num:
                zero = vec3(0.0, 0.0, 0.0)
                turn = vec3(1.0, 1.0, sign)
                n = d.con_normal[c]
                t1 = d.con_tangent1[c]
                t2 = d.con_tangent2[c]
                f_bar = zero
                torque_bar = zero
                dist_bar = real(0.0)
                p_bar = zero
                n_bar = zero
                t1_bar = zero
                t2_bar = zero
                o = row + m.sensor_adr[s] + slot * size
                if data & FOUND:
                    o = o + 1
                if data & FORCE:
                    f_bar = taken(b.cot_sensordata, o)
                    o = o + 3
                if data & TORQUE:
                    torque_bar = taken(b.cot_sensordata, o)
                    o = o + 3
                if data & DIST:
                    dist_bar = b.cot_sensordata[o]
                    o = o + 1
                if data & POS:
                    p_bar = taken(b.cot_sensordata, o)
                    o = o + 3
                if data & NORMAL:
                    n_bar = sign * taken(b.cot_sensordata, o)
                    o = o + 3
                if data & TANGENT:
                    t1_bar = sign * taken(b.cot_sensordata, o)
                    o = o + 3
                if net:
                    # the forces are in world axes, the place is theirs
                    f = d.con_force[c]
                    x = sign * (f[0] * n + f[1] * t1 + f[2] * t2)
                    arm = d.con_pos[c] - place
                    bar = f_bar + torque_bar.cross(arm)
                    place_bar = p_bar - force.cross(torque_bar)
                    p_bar = x.cross(torque_bar)
                    n_bar = sign * f[0] * bar
                    t1_bar = sign * f[1] * bar
                    t2_bar = sign * f[2] * bar
                    f_bar = sign * vec3(n.dot(bar), t1.dot(bar), t2.dot(bar))
                    if f.norm() > 0:
                        p_bar = p_bar + (f.norm() / weight) * place_bar
                        f_bar = f_bar + (place_bar.dot(arm) / (weight * f.norm())) * f
                    dist_bar = 0.0
                    if ti.static(has.rolling):
                        if turns(d, c):
                            f = sign * d.turn_force[c]
                            n_bar = n_bar + f[0] * torque_bar
                            t1_bar = t1_bar + f[1] * torque_bar
                            t2_bar = t2_bar + f[2] * torque_bar
                            torque_bar = sign * in_frame(d, c, torque_bar)
                else:
                    f_bar = turn * f_bar
                    torque_bar = turn * torque_bar
                if ti.static(has.rolling):
                    if turns(d, c):
                        d.turn_fbar[c] = d.turn_fbar[c] + torque_bar
                d.con_fbar[c] = d.con_fbar[c] + f_bar
                if data & (LINVEL | ANGVEL):
                    b1 = d.con_body1[c]
                    b2 = d.con_body2[c]
                    h1 = bounded(w * m.nbody + b1)
                    h2 = bounded(w * m.nbody + b2)
                    u, omega = relative_velocity(m, d, w, d.vel_ang, d.vel_lin, b1, b2, d.con_pos[c])
                    for v, field in ti.static(((u, LINVEL), (omega, ANGVEL))):
                        if data & field:
                            e = turn * taken(b.cot_sensordata, o)
                            G = e[0] * n + e[1] * t1 + e[2] * t2
                            if ti.static(field == LINVEL):
                                p_bar = p_bar + G.cross(omega)
                                add_wrench(g.vel_ang, g.vel_lin, h1, d.con_pos[c] - origin(m, d, w, b1), -1.0 * G)
                                add_wrench(g.vel_ang, g.vel_lin, h2, d.con_pos[c] - origin(m, d, w, b2), G)
                            else:
                                g.vel_ang[h1] = g.vel_ang[h1] - G
                                g.vel_ang[h2] = g.vel_ang[h2] + G
                            n_bar = n_bar + e[0] * v
                            t1_bar = t1_bar + e[1] * v
                            t2_bar = t2_bar + e[2] * v
                            o = o + 3
                contact_place_vjp(m, d, g, w, c, dist_bar, p_bar, n_bar, t1_bar, t2_bar)


@ti.func
def contact_sensors(m: ti.template(), d: ti.template(), w: ti.i32):
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.contact:
            contact_sensor(m, d, w, s)


@ti.func
def contact_sensors_vjp(m: ti.template(), d: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                        row: ti.i32):  # fmt: skip
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.contact:
            contact_sensor_vjp(m, d, g, b, w, s, row)
