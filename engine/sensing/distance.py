"""Distance, normal and the two nearest points of two geoms, or of the geoms of two bodies (MuJoCo documentation, XML
reference, "sensor/distance"). Negative where they overlap; what is not nearer than the cutoff reads as the cutoff, with
no normal and no points.

The narrow phase's features of a pair (contact/witness.py) have dist, pos and n, and the points are pos -+ n dist / 2.
Of several candidates the nearest counts, of several pairs the first that is nearest; the adjoint holds the choice.
`pair_features` is where a pair of shapes has its branch, and `model/sensors.FORMULAS` lists those that have one; others
are looked for (apart.py).
"""

import taichi as ti

from engine.compiler.features import has
from engine.contact.box import box_feature
from engine.contact.cylinder import ball_cylinder
from engine.contact.plane import plane_count, plane_feature
from engine.contact.segment import segment_params
from engine.contact.size_vjp import radius_bars, tell_geom
from engine.contact.witness import FACE, POINT, witness, witness_vjp
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import HUGE, real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, MESH, OBJ_GEOM, PLANE, SPHERE
from engine.model.sensors import LEVEL, SENS
from engine.sensing.apart import apart_vjp, found_apart, geom_pose, look_apart
from engine.sensing.points import add_point
from engine.sensing.values import is_asked

SOUGHT = -1  # in place of a number of candidates


@ti.func
def candidates(m: ti.template(), g1: ti.i32, g2: ti.i32):
    """How many candidates a pair has, whose types rise; 0 of two planes; or that it is SOUGHT."""
    type1 = m.geom_type[g1]
    type2 = m.geom_type[g2]
    n = SOUGHT
    if type1 == PLANE and type2 != MESH:
        n = 0
        if type2 != PLANE:
            n, most = plane_count(type2)
    elif type2 == SPHERE:
        n = 1
    elif type2 == CAPSULE:
        n = 2
    elif type1 == SPHERE and (type2 == BOX or type2 == CYLINDER):
        n = 1
    return n


@ti.func
def pair_features(m: ti.template(), g1: ti.i32, x1: vec3, q1: vec4, g2: ti.i32, x2: vec3, q2: vec4, k: ti.i32):
    """Candidate k of a pair of geoms at these poses: of each side kind, place, radius and direction; a CURVE's bend and
    a FACE's normal."""
    type1 = m.geom_type[g1]
    type2 = m.geom_type[g2]
    size1 = m.geom_size[g1]
    size2 = m.geom_size[g2]
    kind1 = POINT
    kind2 = POINT
    c1 = x1
    c2 = x2
    r1 = size1[0]
    r2 = size2[0]
    a1 = vec3(0.0, 0.0, 0.0)
    a2 = vec3(0.0, 0.0, 0.0)
    bend = real(0.0)
    n = vec3(0.0, 0.0, 0.0)
    if type1 == PLANE:
        kind1 = FACE
        r1 = 0.0
        n = rotate(q1, vec3(0.0, 0.0, 1.0))
        kind2, o, r2, a1, a2 = plane_feature(type2, n, q2, size2, a1, a2, k)
        c2 = x2 + o
    elif type2 == BOX:
        kind2, c2, n = box_feature(rotate_back(q2, x1 - x2), size2)
        c2 = x2 + rotate(q2, c2)
        n = rotate(q2, n)
        a2 = n
        r2 = 0.0
    elif type2 == CYLINDER:
        kind2, c2, r2, n, bend = ball_cylinder(x1 - x2, q2, size2)
        c2 = x2 + c2
        a2 = n
    else:
        if type1 == CAPSULE:
            a1 = rotate(q1, vec3(0.0, 0.0, size1[1]))
        if type2 == CAPSULE:
            a2 = rotate(q2, vec3(0.0, 0.0, size2[1]))
        t1, t2, kind1, kind2, count = segment_params(x1, a1, x2, a2, k)
        c1 = x1 + t1 * a1
        c2 = x2 + t2 * a2
    return kind1, c1, r1, a1, kind2, c2, r2, a2, bend, n


@ti.func
def belongs(m: ti.template(), g: ti.i32, objtype: ti.i32, objid: ti.i32):
    """Whether geom g is the one meant, or on the body that is."""
    found = m.geom_bodyid[g] == objid
    if objtype == OBJ_GEOM:
        found = g == objid
    return found


@ti.func
def nearest(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """What sensor s finds: dist, pos and n, from the first to the second of the geoms, which are in the order of their
    types and -1 for none; 1 or -1, where the sensor names them the other way round; the number of a pair that was
    sought, else -1; of each side of the witness of others kind, radius and direction; and a CURVE's bend."""
    dist = m.sensor_cutoff[s]
    zero = vec3(0.0, 0.0, 0.0)
    pos = zero
    n = zero
    geom1 = -1
    geom2 = -1
    sign = real(1.0)
    kind1 = POINT
    r1 = real(0.0)
    a1 = zero
    kind2 = POINT
    r2 = real(0.0)
    a2 = zero
    bend = real(0.0)
    pair = -1
    listed = m.sensor_pair[s] - 1
    for i in range(m.ngeom):
        if belongs(m, i, m.sensor_objtype[s], m.sensor_objid[s]):
            for j in range(m.ngeom):
                if belongs(m, j, m.sensor_reftype[s], m.sensor_refid[s]):
                    g1 = i
                    g2 = j
                    side = real(1.0)
                    if m.geom_type[i] > m.geom_type[j]:
                        g1 = j
                        g2 = i
                        side = -1.0
                    x1, q1 = geom_pose(m, d, w, g1)
                    x2, q2 = geom_pose(m, d, w, g2)
                    count = candidates(m, g1, g2)
                    if count == SOUGHT:
                        listed = listed + 1
                    for k in range(ti.abs(count)):
                        f1, c1, s1, b1, f2, c2, s2, b2, curve, normal = pair_features(m, g1, x1, q1, g2, x2, q2, k)
                        x, p, u = witness(f1, c1, s1, q1, f2, c2, s2, q2, normal)
                        if ti.static(has.distance_search):
                            if count == SOUGHT:
                                d.found_within[w] = dist
                                look_apart(m, d, w, listed)
                                x = HUGE
                                if d.ccd_found[w]:
                                    x, p, u = found_apart(m, d, w, listed)
                        if x < dist:
                            dist = x
                            pos = p
                            n = u
                            geom1 = g1
                            geom2 = g2
                            sign = side
                            pair = listed if count == SOUGHT else -1
                            kind1 = f1
                            r1 = s1
                            a1 = b1
                            kind2 = f2
                            r2 = s2
                            a2 = b2
                            bend = curve
    return dist, pos, n, geom1, geom2, sign, pair, kind1, r1, a1, kind2, r2, a2, bend


@ti.func
def distances(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.distance:
            dist, pos, u, g1, g2, sign, pair, kind1, r1, a1, kind2, r2, a2, bend = nearest(m, d, w, s)
            o = w * m.nsensordata + m.sensor_adr[s]
            n = sign * u
            if m.sensor_type[s] == SENS.distance:
                if m.sensor_cutoff[s] > 0:  # that of other sensors, too
                    dist = ti.max(dist, -m.sensor_cutoff[s])
                d.sensordata[o] = dist
            for i in ti.static(range(3)):
                if m.sensor_type[s] == SENS.normal:
                    d.sensordata[o + i] = n[i] if dist >= 0 else -n[i]
                elif m.sensor_type[s] == SENS.fromto:
                    d.sensordata[o + i] = pos[i] - 0.5 * dist * n[i]
                    d.sensordata[o + 3 + i] = pos[i] + 0.5 * dist * n[i]


@ti.func
def distances_vjp(m: ti.template(), d: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """Adds the cotangents of the sensordata from `row` on to the poses of the two bodies."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.distance and is_asked(b, row + m.sensor_adr[s], m.sensor_dim[s]):
            dist, pos, n, g1, g2, sign, pair, kind1, r1, a1, kind2, r2, a2, bend = nearest(m, d, w, s)
            if g1 >= 0:
                o = row + m.sensor_adr[s]
                dist_bar = real(0.0)
                p_bar = vec3(0.0, 0.0, 0.0)
                n_bar = vec3(0.0, 0.0, 0.0)
                if m.sensor_type[s] == SENS.distance:
                    if not (m.sensor_cutoff[s] > 0 and dist <= -m.sensor_cutoff[s]):
                        dist_bar = b.cot_sensordata[o]
                else:
                    f = vec3(b.cot_sensordata[o], b.cot_sensordata[o + 1], b.cot_sensordata[o + 2])
                    if m.sensor_type[s] == SENS.normal:
                        n_bar = sign * f
                        if dist < 0:
                            n_bar = -n_bar
                    else:
                        to = vec3(b.cot_sensordata[o + 3], b.cot_sensordata[o + 4], b.cot_sensordata[o + 5])
                        p_bar = f + to
                        n_bar = (0.5 * dist * sign) * (to - f)
                        dist_bar = 0.5 * sign * n.dot(to - f)
                if ti.static(has.distance_search):
                    if pair >= 0:
                        d.bar_dist[w] = dist_bar
                        d.bar_pos[w] = p_bar
                        d.bar_normal[w] = n_bar
                        d.found_within[w] = m.sensor_cutoff[s]
                        apart_vjp(m, d, g, w, pair)
                if pair < 0:
                    c1_bar, turn1, c2_bar, turn2 = witness_vjp(
                        kind1, a1, r1, kind2, a2, r2, bend, n, dist, dist_bar, p_bar, n_bar
                    )
                    b1 = m.geom_bodyid[g1]
                    b2 = m.geom_bodyid[g2]
                    at1 = pos - (r1 + 0.5 * dist) * n
                    at2 = pos + (r2 + 0.5 * dist) * n
                    add_point(
                        g.pose_ang, g.pose_lin, bounded(w * m.nbody + b1), at1 - origin(m, d, w, b1), c1_bar, turn1
                    )
                    add_point(
                        g.pose_ang, g.pose_lin, bounded(w * m.nbody + b2), at2 - origin(m, d, w, b2), c2_bar, turn2
                    )
                    r1_bar, r2_bar = radius_bars(n, dist_bar, p_bar)
                    tell_geom(m, d, g, w, g1, at1, c1_bar, turn1, r1, r1_bar)
                    tell_geom(m, d, g, w, g2, at2, c2_bar, turn2, r2, r2_bar)
