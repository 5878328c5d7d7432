"""Contacts before an impact (MuJoCo documentation, "Speculative contacts", the flag speculative): of pairs that do not
touch, where a geom moves so far in a step that it may pass through the other.

Each geom moves on for a step h as it moves now, by dx = h v and turned by dw = h omega about its centre; a ball does
not turn. It is *fast* where its sweep s = |dx| + |dw| r, r the radius of the ball around it, is no less than the least
half length of the boxes around both geoms. The share t of the step after which they come within their margin is looked
for from one side, by their distance x and its normal n: no two points come closer along n than at the rate

    n . (dx1 - dx2) + |dw1| r1 + |dw2| r2

so a step by what is left of x, to NEARLY its first value, is a safe one; it ends within NEAR of that. A geom that the
sweeps s1 + s2 do not let arrive in the rest of the step makes no contact. The nearest points, taken back to where their
geoms stand now, are y1 and y2. The contact is at (s1 y1 + s2 y2) / (s1 + s2), has the normal n and, in place of its
distance, one by which the reference acceleration takes away the share 1 - t of the closing speed u: constraint/ahead.py
has it of t and h u, which it finds in con_r1 and con_r2. Shapes that are flat against each other have several contacts,
of corners as far as 2 x + (1 - t) h u (multicontact.py; a plane's are here).

None is made where one of these points meets something else on its way (`hidden`).

Where the documentation is silent this does what MuJoCo 4.0 was seen to do. There is no adjoint: whether a geom is fast,
and what stands in between, jumps.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.broad import geom_motion, next_near
from engine.contact.faces import corner_vertex, outward, place, sides
from engine.contact.mixing import margin_of
from engine.contact.multicontact import multicontact, ruled_line
from engine.contact.polygon import CLIPPED, polygon_at, quadrilateral
from engine.contact.ray import FAR, ray_interval
from engine.contact.record import add_contact, pair_poses
from engine.contact.search import core, look_from
from engine.contact.support import farthest, support
from engine.dynamics.sleep import heeded
from engine.math.index import bounded
from engine.math.quat import quat_exp, quat_mul, rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, HFIELD, MESH, PLANE, SPHERE

AHEAD = 1 << 10  # con_kind1 of a contact before an impact
NEARLY, NEAR = 0.02, 0.03  # of the first distance beyond the margin: what is aimed at, what is near enough
ALONG = 0.0888  # of the sine between an axis and a plane along which it lies
SHORT = 2e-7  # of a ray's length, at its end, where it meets nothing
LOOKS = 17


@ti.func
def ball_around(m: ti.template(), g: ti.i32):
    """Radius of the ball around geom g's centre, 0 of a plane."""
    size = m.geom_size[g]
    kind = m.geom_type[g]
    r = size[0]
    if kind == PLANE:
        r = 0.0
    elif kind == CAPSULE:
        r = size[0] + size[1]
    elif kind == CYLINDER:
        r = ti.sqrt(size[0] * size[0] + size[1] * size[1])
    elif kind == ELLIPSOID:
        r = size.max()
    elif kind != SPHERE:
        r = (ti.abs(m.geom_center[g]) + m.geom_half[g]).norm()
    return r


@ti.func
def motion_in_step(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32):
    """(dx, dw, |dw| r, s) of geom g."""
    dx, ang = geom_motion(m, d, w, g)
    if m.geom_type[g] == SPHERE:
        ang = vec3(0.0, 0.0, 0.0)
    turning = m.timestep * ang.norm() * ball_around(m, g)
    return dx, m.timestep * ang, turning, dx.norm() + turning


@ti.func
def thickness(m: ti.template(), p: ti.i32):
    """The least half length of the boxes around the geoms of pair p, but of a plane."""
    least = m.geom_half[m.pair_geom2[p]].min()
    if m.geom_type[m.pair_geom1[p]] != PLANE:
        least = ti.min(least, m.geom_half[m.pair_geom1[p]].min())
    return least


@ti.func
def balls_meet(m: ti.template(), p: ti.i32, x: vec3, v: vec3, n: vec3):
    """Whether the balls around the geoms of pair p come closer than their margin and gap within the step. x: the
    second's centre from the first's; v: how that changes; n: the normal of a plane."""
    g1 = m.pair_geom1[p]
    reach = ball_around(m, g1) + ball_around(m, m.pair_geom2[p]) + margin_of(m, p) + gap_of(m, p)
    near = ti.min(n.dot(x), n.dot(x + v))
    if m.geom_type[g1] != PLANE:
        vv = v.dot(v)
        t = real(0.0)
        if vv > 0:
            t = ti.min(ti.max(-x.dot(v) / vv, 0.0), 1.0)
        near = (x + t * v).norm()
    return near <= reach


@ti.func
def gap_of(m: ti.template(), p: ti.i32):
    gap = m.geom_gap[m.pair_geom1[p]] + m.geom_gap[m.pair_geom2[p]]
    if ti.static(has.own_pair):
        if m.pair_own[p] >= 0:
            gap = m.pair_gap[m.pair_own[p]]
    return gap


@ti.func
def touching(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Whether pair p has a contact now."""
    r = 0
    margin = margin_of(m, p)
    for k in range(ti.min(d.ncon[w], m.nconmax)):
        c = bounded(w * m.nconmax + k)
        if d.con_pair[c] == p and d.con_kind1[c] != AHEAD and d.con_dist[c] < margin:
            r = 1
    return r


@ti.func
def distance_at(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, x1: vec3, q1: vec4, x2: vec3, q2: vec4):
    """(distance, normal, two nearest points) of the geoms of pair p at these poses, which do not overlap, or a distance
    of zero. What the search leaves in ccd_* stays."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    n = rotate(q1, vec3(0.0, 0.0, 1.0))
    dist = real(0.0)
    c1 = x1
    c2 = x2
    if m.geom_type[g1] == PLANE:
        d.ccd_pos1[w] = x1
        d.ccd_pos2[w] = x2
        d.ccd_quat2[w] = q2
        c2, _ = support(m, g2, x2, q2, m.geom_size[g2], -n, -1, 0.0)
        dist = n.dot(c2 - x1)
        c1 = c2 - dist * n
    else:
        d.found_within[w] = (x2 - x1).norm() + ball_around(m, g1) + ball_around(m, g2)
        look_from(m, d, w, p, x1, q1, x2, q2)
        if d.ccd_found[w]:
            _, r1 = core(m.geom_type[g1], m.geom_size[g1])
            _, r2 = core(m.geom_type[g2], m.geom_size[g2])
            dist = d.ccd_dist[w]
            n = d.ccd_n[w]
            c1 = d.ccd_x1[w] + r1 * n
            c2 = d.ccd_x2[w] - r2 * n
    return dist, n, c1, c2


@ti.func
def moved(x: vec3, q: vec4, dx: vec3, dw: vec3, t: real):
    return x + t * dx, quat_mul(quat_exp(t * dw), q)


@ti.func
def taken_back(c: vec3, x: vec3, q: vec4, dx: vec3, dw: vec3, t: real):
    """Where the point c of a geom at the pose (x, q) moved by t stands at (x, q)."""
    at, turn = moved(x, q, dx, dw, t)
    return x + rotate(q, rotate_back(turn, c - at))


@outline("md", "w p", when="speculative")
@ti.func
def look_ahead(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts before an impact of pair p, one of whose geoms is fast."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    dx1, dw1, turning1, s1 = motion_in_step(m, d, w, g1)
    dx2, dw2, turning2, s2 = motion_in_step(m, d, w, g2)
    margin = margin_of(m, p)
    t = real(0.0)
    at1 = x1
    at2 = x2
    turn1 = q1
    turn2 = q2
    first = real(0.0)
    dist = real(0.0)
    n = vec3(0.0, 0.0, 0.0)
    c1 = n
    c2 = n
    arrived = 0
    near = 0
    looks = 0
    while looks < LOOKS:
        dist, n, c1, c2 = distance_at(m, d, w, p, at1, turn1, at2, turn2)
        over = dist - margin
        if looks == 0:
            first = over
        near = ti.cast(over <= m.ccd_tolerance or (looks > 0 and over <= NEAR * first), ti.i32)
        rate = n.dot(dx1 - dx2) + turning1 + turning2
        looks = looks + 1
        if first > 0 and over <= (1 - t) * (s1 + s2):
            arrived = ti.cast(near or looks == LOOKS, ti.i32)
        if first <= 0 or arrived or over > (1 - t) * (s1 + s2) or rate <= 0:
            looks = LOOKS
        else:
            t = t + (over - NEARLY * first) / rate
            at1, turn1 = moved(x1, q1, dx1, dw1, t)
            at2, turn2 = moved(x2, q2, dx2, dw2, t)
            if t >= 1:
                looks = LOOKS
    if arrived:
        # at least as fast as it came so far
        now = n.dot(dx1 + dw1.cross(c1 - at1) - dx2 - dw2.cross(c2 - at2))
        closing = now
        ends = t
        if t > 0:
            closing = ti.max(now, (first - (dist - margin)) / t)
        if not near:
            # it turns too fast to be sure: as the nearest points move
            ends = 1.0
            if now > 0:
                ends = t + (dist - margin - NEARLY * first) / now
        if ends < 1:
            add_ahead(m, d, w, p, t, ends, closing, first, dist, n, c1, c2)


@ti.func
def add_ahead(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, t: real, ends: real, closing: real, first: real,
              dist: real, n: vec3, c1: vec3, c2: vec3):  # fmt: skip
    """Adds the contacts of geoms that are at the distance dist, with the normal n between c1 and c2, after the share t
    of the step, where the search has left them, and meet after the share `ends`. first: the distance beyond the margin
    at first."""
    g1 = m.pair_geom1[p]
    g2 = m.pair_geom2[p]
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    dx1, dw1, turning1, s1 = motion_in_step(m, d, w, g1)
    dx2, dw2, turning2, s2 = motion_in_step(m, d, w, g2)
    share = s1 / (s1 + s2)
    # as far as they come until they touch
    way = first / ti.max(first - (dist - margin_of(m, p)), 1e-3 * first)
    reach = 2 * dist + (1 - ends) * closing + m.ccd_tolerance
    begin = d.ncon[w]
    spread(m, d, w, p, reach, n)
    end = ti.min(d.ncon[w], m.nconmax)
    d.ncon[w] = begin
    for k in range(ti.max(end - begin, 1)):
        y1 = c1
        y2 = c2
        if end > begin:
            c = bounded(w * m.nconmax + begin + k)
            own = d.con_normal[c]
            half = 0.5 * d.con_dist[c]
            # MuJoCo inflates both by half of what is in reach along their own normal, and takes it off along n
            lean = 0.5 * reach * (n - own)
            y1 = d.con_pos[c] - half * own - lean
            y2 = d.con_pos[c] + half * own + lean
        from1 = taken_back(y1, x1, q1, dx1, dw1, t)
        from2 = taken_back(y2, x2, q2, dx2, dw2, t)
        blocked = 0
        for side in range(2):
            d.ccd_x1[w] = from2 if side else from1
            d.ccd_x2[w] = way * (y2 - from2) if side else way * (y1 - from1)
            hidden(m, d, w, p, g2 if side else g1)
            blocked = blocked + d.ccd_inside[w]
        if not blocked:
            pos = share * from1 + (1 - share) * from2
            zero = vec3(0.0, 0.0, 0.0)
            d.ncon[w] = add_contact(m, d, w, p, d.ncon[w], dist, pos, n, zero, AHEAD, zero, ends, AHEAD, zero, closing)


@ti.func
def spread(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, reach: real, n: vec3):
    """Adds the contacts of pair p at the poses of the search, or of a plane, within `reach`, if they are several."""
    d.found_within[w] = reach
    d.felt_within[w] = 1e10
    if m.geom_type[m.pair_geom1[p]] == PLANE:
        on_plane(m, d, w, p, reach, n)
    else:
        multicontact(m, d, w, p)


@outline("md", "w", when="speculative")
@ti.func
def look_ahead_of_all(m: ti.template(), d: ti.template(), w: ti.i32):
    """The same of all pairs, once all contacts that are there are known."""
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
        dx1, _, turning1, s1 = motion_in_step(m, d, w, g1)
        dx2, _, turning2, s2 = motion_in_step(m, d, w, g2)
        if m.geom_type[g1] != HFIELD and ti.max(s1, s2) >= thickness(m, p):
            x1, q1, x2, q2 = pair_poses(m, d, w, p)
            tried = balls_meet(m, p, x2 - x1, dx2 - dx1, rotate(q1, vec3(0.0, 0.0, 1.0)))
            if ti.static(has.sleep):
                tried = tried and heeded(m, d, w, g1, g2)
            if tried and not touching(m, d, w, p):
                look_ahead(m, d, w, p)


@ti.func
def on_plane(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, reach: real, n: vec3):
    """Adds the contacts of a plane with the normal n and of the face of the other geom that looks at it most, at the
    poses in ccd_pos and ccd_quat: of those of its corners that are within reach, of a round side that lies along the
    plane of both ends. A sphere and an ellipsoid have none."""
    g = m.pair_geom2[p]
    kind = m.geom_type[g]
    x = d.ccd_pos2[w]
    q = d.ccd_quat2[w]
    at = polygon_at(m, w, CLIPPED)
    count = 0
    if (kind == CAPSULE or kind == CYLINDER) and ti.abs(rotate(q, vec3(0.0, 0.0, 1.0)).dot(n)) <= ALONG:
        more = real(0.0)
        if kind == CAPSULE:  # as in add_clipped
            more = 0.5 * reach
        low, high = ruled_line(m, g, x, q, -n, more)
        d.poly_v[at] = rotate_back(q, low + more * n - x)
        d.poly_v[at + 1] = rotate_back(q, high + more * n - x)
        count = 2
    elif kind == BOX or kind == MESH or kind == CYLINDER:
        face = lowest_face(m, g, rotate_back(q, -n))
        first, corners = sides(m, g, face)
        count = corners
        for k in range(count):
            d.poly_v[at + k] = place(m, g, corner_vertex(m, g, face, first, count, k))
    height = n.dot(x - d.ccd_pos1[w])
    within = 0
    for k in range(count):
        v = d.poly_v[at + k]
        if height + n.dot(rotate(q, v)) <= reach:
            d.poly_v[at + within] = v
            within = within + 1
    chosen = ti.Vector([0, 1, 2, 3])
    if within > 4:
        # in the geom's frame: which four of a ring's corners it is must not depend on how it is turned
        chosen = quadrilateral(d, at, within)
    zero = vec3(0.0, 0.0, 0.0)
    for k in range(ti.min(within, 4)):
        number = chosen[0]
        for other in ti.static(range(1, 4)):
            if k == other:
                number = chosen[other]
        v = rotate(q, d.poly_v[at + number])
        dist = height + n.dot(v)
        d.ncon[w] = add_contact(
            m, d, w, p, d.ncon[w], dist, x + v - 0.5 * dist * n, n, zero, AHEAD, zero, 0.0, AHEAD, zero, 0.0
        )


@ti.func
def lowest_face(m: ti.template(), g: ti.i32, down: vec3):
    """The face of a box, a cylinder's caps or a mesh whose normal lies farthest along `down`, in the geom's frame; of a
    mesh of those at its lowest vertex."""
    face = 0
    most = real(-2.0)
    begin = 0
    count = 6
    if m.geom_type[g] == CYLINDER:
        count = 2
    if m.geom_type[g] == MESH:
        low = farthest(m, m.geom_dataid[g], -1, down, 0.0)
        if low > 0:
            begin = m.hull_faceend[low - 1]
        count = m.hull_faceend[low] - begin
    for k in range(count):
        f = k
        if m.geom_type[g] == MESH:
            f = m.hull_face[begin + k]
        x = down.dot(outward(m, g, f))
        if x > most:
            most = x
            face = f
    return face


@ti.func
def entered(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32, o: vec3, v: vec3):
    """Where the ray o + t v meets geom g's surface from t = 0 on, FAR where it does not; a plane's without its ends."""
    i = bounded(w * m.ngeom + g)
    q = d.geom_xquat[i]
    p = rotate_back(q, o - d.geom_xpos[i])
    u = rotate_back(q, v)
    kind = m.geom_type[g]
    t0 = real(FAR)
    t1 = real(-FAR)
    if kind == PLANE:
        if u[2] < 0 and p[2] >= 0:
            t0 = -p[2] / u[2]
            t1 = FAR
    elif kind == MESH:
        t0, t1 = hull_interval(m, m.geom_dataid[g], p, u)
    else:
        t0, t1 = ray_interval(kind, m.geom_size[g], p, u)
    t = real(FAR)
    if t0 <= t1 and t1 >= 0:
        t = t0 if t0 >= 0 else t1
    return t


@ti.func
def hull_interval(m: ti.template(), mesh: ti.i32, p: vec3, u: vec3):
    """Where p + t u is in a mesh's hull, which its faces bound: (t0, t1), empty if t0 > t1."""
    t0 = real(-FAR)
    t1 = real(FAR)
    low = m.mesh_hulladr[mesh]
    k = 0
    if low > 0:
        k = m.hull_faceend[low - 1]
    for v in range(low, low + m.mesh_hullnum[mesh]):
        while k < m.hull_faceend[v]:
            n = m.face_normal[m.hull_face[k]]
            over = n.dot(m.hull_vert[v] - p)
            rate = n.dot(u)
            if rate > 0:
                t1 = ti.min(t1, over / rate)
            elif rate < 0:
                t0 = ti.max(t0, over / rate)
            elif over < 0:
                t1 = -FAR
            k = k + 1
    return t0, t1


@ti.func
def fixed_together(m: ti.template(), b1: ti.i32, b2: ti.i32):
    """Whether two bodies move, and as one."""
    last = m.body_lastdof[b1]
    root = m.body_rootid[b1]
    return last == m.body_lastdof[b2] and (last >= 0 or (root == m.body_rootid[b2] and m.body_mocapid[root] >= 0))


@outline("md", "w p g", when="speculative")
@ti.func
def hidden(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, g: ti.i32):
    """ccd_inside: whether geom g of pair p, whose point ccd_x1 moves by ccd_x2, meets something on this way that it may
    make a contact with and does not touch now, and that is not fixed to the pair's other geom."""
    o = d.ccd_x1[w]
    v = d.ccd_x2[w]
    length = v.norm()
    body = m.geom_bodyid[m.pair_geom1[p]]
    if m.pair_geom1[p] == g:
        body = m.geom_bodyid[m.pair_geom2[p]]
    r = 0
    if length > m.ccd_tolerance:
        for k in range(m.npair):
            other = -1
            if m.pair_geom1[k] == g:
                other = m.pair_geom2[k]
            if m.pair_geom2[k] == g:
                other = m.pair_geom1[k]
            if other >= 0 and k != p and m.geom_type[other] != HFIELD and not r:
                x = entered(m, d, w, other, o, v / length)
                if x > m.ccd_tolerance and x < (1 - SHORT) * length and not touching(m, d, w, k):
                    r = ti.cast(not fixed_together(m, body, m.geom_bodyid[other]), ti.i32)
    d.ccd_inside[w] = r
