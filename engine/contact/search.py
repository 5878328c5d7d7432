"""The search between two convex shapes, whatever they are: where they come nearest, and the adjoint of that.

What is searched are *cores*: a sphere without its radius, a capsule without its own, no margin. Where they do not
overlap, gjk.py finds their distance, else epa.py their depth, which is exact for corners; where the cores only just
touch, or are round, the round one is inflated by what has been left off. refine.py then solves for the place.

Adjoint. With the multipliers lambda of c2 - c1 = L n and mu of a . n = 0 for the edges and faces (refine.py), dn_i the
motion of n against body i, xi_i that of c_i with its body:

    xi2 - H2 dn_2 - xi1 - H1 dn_1 + a2 dt2 - a1 dt1 - L dn - n dL = 0,    a_i . dn_i = 0
    dpos = xi1 + H1 dn_1 + a1 dt1 + (L + r1 - r2) / 2 dn + n dL / 2

the forces are pos_bar - lambda at c1 and lambda at c2, the torques (H1 (pos_bar - lambda) + mu1 a1) x n and
(-H2 lambda + mu2 a2) x n. Across n lambda and mu solve

    (H1 + H2 + L) lambda - mu1 a1 - mu2 a2 = n_bar + (L + r1 - r2) / 2 pos_bar + H1 pos_bar
    a1 . lambda = a1 . pos_bar,    a2 . lambda = 0
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.bounds import boxes_apart
from engine.contact.epa import epa, polytope
from engine.contact.feature import bending
from engine.contact.frame import tangent_hint
from engine.contact.gjk import gjk
from engine.contact.prism import CORNERS
from engine.contact.record import add_pose_bar, pair_poses
from engine.contact.refine import refine
from engine.contact.size_vjp import tell_pair
from engine.contact.witness import CURVE, FACE, LINE, SURFACE
from engine.math.index import bounded
from engine.math.quat import rotate
from engine.math.types import EPS, MINVAL, real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, HFIELD, MESH, SPHERE

CLEAR = 1e-10 if EPS < 1e-10 else 1e-4  # of a distance of cores, in which a normal is told
NUDGE = 1e-10 if EPS < 1e-10 else 1e-5
CLOSER = 1e-3  # of the tolerance, where features do not tell what a polytope within it has found


@ti.func
def core(kind: ti.i32, size: vec3):
    """Size of a shape's core and the radius that is left off."""
    s = size
    r = real(0.0)
    if kind == SPHERE or kind == CAPSULE:
        r = size[0]
        s[0] = 0.0
    return s, r


@outline("md", "w p far", when="convex")
@ti.func
def nudged(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, far: ti.i32):
    """The search once more from a place that is beside by a NUDGE of the sizes, for what ended on the way: the origin
    lies in a face or an edge of the simplex, as of shapes with their centres in one place and turned alike. What is not
    deeper than that, as of shapes that touch, stays as it was found."""
    size = d.ccd_size1[w].sum() + d.ccd_size2[w].sum()
    # what epa.py counts as seen is a product of lengths
    by = ti.max(NUDGE * size, 30 * MINVAL / size)
    place = d.ccd_pos2[w]
    d.ccd_pos2[w] = place + by * vec3(0.48, 0.6, -0.64)
    tries = 0
    while tries < 2:
        gjk(m, d, w, p, tries * far)
        d.ccd_found[w] = 0
        if not d.ccd_separated[w] and d.ccd_nsimplex[w] > 1:
            polytope(m, d, w, p)
            epa(m, d, w, p)
        d.ccd_pos2[w] = place
        tries = tries + 1
        if d.ccd_found[w] and d.ccd_dist[w] < -10 * by:
            tries = 2


@ti.func
def deflated(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Puts the corners of the first shape that the simplex has where they are without ccd_inflate1."""
    first = bounded(w * m.nccdvert)
    kind = m.geom_type[m.pair_geom1[p]]
    size = d.ccd_size1[w]
    for k in range(3):
        i = d.ccd_index1[first + k]
        o = vec3(0.0, 0.0, 0.0)
        if kind == CAPSULE:
            o[2] = (2 * i - 1) * size[1]
        if kind == BOX:
            for j in ti.static(range(3)):
                o[j] = size[j] if i >> j & 1 else -size[j]
        if kind == MESH:
            if ti.static(has.hull):
                o = m.hull_vert[i]
        d.ccd_vert1[first + k] = d.ccd_pos1[w] + rotate(d.ccd_quat1[w], o)
        if ti.static(has.hfield):
            if kind == HFIELD:
                d.ccd_vert1[first + k] = d.prism[bounded(w * m.nprism + i)]


@outline("md", "w p", when="convex")
@ti.func
def penetration(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """From the poses in ccd_pos and ccd_quat: ccd_found, whether the shapes are closer than the margin, and then the
    cores' points ccd_x1 and ccd_x2, ccd_n, and the distance of the shapes, ccd_dist."""
    type1 = m.geom_type[m.pair_geom1[p]]
    type2 = m.geom_type[m.pair_geom2[p]]
    s1, r1 = core(type1, m.geom_size[m.pair_geom1[p]])
    s2, r2 = core(type2, m.geom_size[m.pair_geom2[p]])
    reach = r1 + r2 + ti.max(d.found_within[w], 0.0)
    unnamed = 0
    if ti.static(has.hfield):
        if type1 == HFIELD:
            s1 = d.prism[bounded(w * m.nprism + CORNERS)]
            unnamed = ti.cast(reach == 0 and (type2 == BOX or type2 == MESH), ti.i32)
    round1 = type1 == ELLIPSOID or type1 == CYLINDER
    round2 = type2 == ELLIPSOID or type2 == CYLINDER
    corners = ti.cast(not round1 and not round2, ti.i32)
    d.ccd_size1[w] = s1
    d.ccd_size2[w] = s2
    d.ccd_enough[w] = m.ccd_tolerance
    clear = real(CLEAR)
    if not corners:
        clear = ti.max(m.ccd_tolerance, CLEAR)
    searches = 0
    while searches < 2:
        searches = searches + 1
        d.ccd_discrete[w] = corners + unnamed
        d.ccd_inflate1[w] = 0.0
        d.ccd_inflate2[w] = 0.0
        d.ccd_cutoff[w] = reach
        d.ccd_found[w] = 0
        # once as they are, and once inflated
        tries = 0
        while tries < 2:
            far = ti.cast(reach > 0 and tries == 0, ti.i32)
            inflated = tries * reach
            if tries:
                d.ccd_discrete[w] = 0
                if round1 or not round2:
                    d.ccd_inflate1[w] = reach
                else:
                    d.ccd_inflate2[w] = reach
            tries = tries + 1
            gjk(m, d, w, p, far)
            over = not d.ccd_separated[w] and d.ccd_nsimplex[w] > 1 and d.ccd_dist[w] <= m.ccd_tolerance
            if d.ccd_separated[w]:
                tries = 2
            elif far and d.ccd_dist[w] > clear:
                tries = 2
                if d.ccd_dist[w] <= reach:
                    d.ccd_n[w] = (d.ccd_x2[w] - d.ccd_x1[w]) / d.ccd_dist[w]
                    d.ccd_found[w] = 1
            elif far and (not corners or d.ccd_dist[w] > 0):
                # too close to tell, or round: once more, inflated
                over = False
            else:
                if over:
                    polytope(m, d, w, p)
                    epa(m, d, w, p)
                    if d.ccd_count[w] == 0 and not unnamed:
                        nudged(m, d, w, p, far)
                if d.ccd_found[w] and (reach == 0 or inflated > 0 or d.ccd_dist[w] < -CLEAR):
                    tries = 2
                    d.ccd_x1[w] = d.ccd_x1[w] - d.ccd_inflate1[w] * d.ccd_n[w]
                    d.ccd_x2[w] = d.ccd_x2[w] + d.ccd_inflate2[w] * d.ccd_n[w]
                    d.ccd_dist[w] = d.ccd_dist[w] + inflated
                elif reach == 0:
                    tries = 2
                else:
                    d.ccd_found[w] = 0
        # they touch, by less than what a polytope can tell; refine.py can
        inflated = d.ccd_inflate1[w] + d.ccd_inflate2[w]
        touching = not d.ccd_found[w] and not d.ccd_separated[w] and d.ccd_nsimplex[w] < 4
        if touching and not unnamed and d.ccd_dist[w] <= m.ccd_tolerance:
            d.ccd_found[w] = 1
            d.ccd_x1[w] = d.ccd_x1[w] - d.ccd_inflate1[w] * d.ccd_n[w]
            d.ccd_x2[w] = d.ccd_x2[w] + d.ccd_inflate2[w] * d.ccd_n[w]
            d.ccd_dist[w] = d.ccd_dist[w] + inflated
        if d.ccd_found[w]:
            if corners and d.ccd_inflate1[w] > 0:
                deflated(m, d, w, p)
            d.ccd_inflate1[w] = 0.0
            d.ccd_inflate2[w] = 0.0
            if not unnamed:
                refine(m, d, w, p)
            if touching and not (d.ccd_fits[w] > 0 and ti.abs(d.ccd_dist[w] - inflated) < 2 * m.ccd_tolerance):
                d.ccd_found[w] = 0
        deep = d.ccd_found[w] and not touching and not unnamed and d.ccd_dist[w] < 0
        if searches == 1 and deep and not corners and d.ccd_fits[w] <= 0:
            # a polytope that does not come close enough to tell which features meet: once more, closer
            d.ccd_enough[w] = CLOSER * m.ccd_tolerance
        else:
            searches = 2
    if d.ccd_found[w]:
        d.ccd_dist[w] = d.ccd_dist[w] - r1 - r2


@ti.func
def look(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """The search at the poses of pair p within found_within, as `penetration` has it."""
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    look_from(m, d, w, p, x1, q1, x2, q2)


@ti.func
def look_from(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, x1: vec3, q1: vec4, x2: vec3, q2: vec4):
    """The same of the geoms of pair p at these poses."""
    d.ccd_pos1[w] = x1
    d.ccd_pos2[w] = x2
    d.ccd_quat1[w] = q1
    d.ccd_quat2[w] = q2
    d.ccd_near1[w] = -1
    d.ccd_near2[w] = -1
    d.ccd_found[w] = 0
    if not boxes_apart(m, m.pair_geom1[p], x1, q1, m.pair_geom2[p], x2, q2, ti.max(d.found_within[w], 0.0)):
        penetration(m, d, w, p)


@ti.func
def bent(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, side: ti.i32, kind: ti.i32, n: vec3, v: vec3):
    """H v of a side's feature."""
    g = m.pair_geom1[p]
    q = d.ccd_quat1[w]
    dir = n
    if side:
        g = m.pair_geom2[p]
        q = d.ccd_quat2[w]
        dir = -n
    moved = vec3(0.0, 0.0, 0.0)
    if kind == CURVE or kind == SURFACE or (kind == LINE and m.geom_type[g] == CYLINDER):
        moved = bending(m.geom_type[g], q, m.geom_size[g], dir, v)
    return moved


@outline("mdg", "w p", when="convex")
@ti.func
def features_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32):
    """Adjoint of what the search finds, ccd_n, ccd_x1, ccd_x2, with the features' kinds and directions: from
    bar_dist, bar_pos and bar_normal to the poses of the bodies of pair p. Where there is no solution, as of points
    that coincide, the normal is held."""
    n = d.ccd_n[w]
    c1 = d.ccd_x1[w]
    c2 = d.ccd_x2[w]
    L = n.dot(c2 - c1)
    _, r1 = core(m.geom_type[m.pair_geom1[p]], m.geom_size[m.pair_geom1[p]])
    _, r2 = core(m.geom_type[m.pair_geom2[p]], m.geom_size[m.pair_geom2[p]])
    kind1 = d.ccd_kind1[w]
    kind2 = d.ccd_kind2[w]
    a1 = d.ccd_axis1[w]
    a2 = d.ccd_axis2[w]
    p_bar = d.bar_pos[w]
    nb = d.bar_normal[w] + 0.5 * (L + r1 - r2) * p_bar
    # v along an edge, if there is one; u across it
    v = tangent_hint(n)
    v = v - n.dot(v) * n
    if kind2 == LINE:
        v = a2 - n.dot(a2) * n
    if kind1 == LINE:
        v = a1 - n.dot(a1) * n
    v = v / ti.sqrt(v.dot(v))
    u = v.cross(n)
    right = nb + bent(m, d, w, p, 0, kind1, n, p_bar)
    hu = bent(m, d, w, p, 0, kind1, n, u) + bent(m, d, w, p, 1, kind2, n, u) + L * u
    hv = bent(m, d, w, p, 0, kind1, n, v) + bent(m, d, w, p, 1, kind2, n, v) + L * v
    uu = u.dot(hu)
    vv = v.dot(hv)
    uv = u.dot(hv)
    lu = real(0.0)
    lv = real(0.0)
    mu1 = vec3(0.0, 0.0, 0.0)
    mu2 = vec3(0.0, 0.0, 0.0)
    cross = u.dot(a2)
    if kind1 == FACE or kind2 == FACE:
        if kind1 == FACE:
            lu = u.dot(p_bar)
            lv = v.dot(p_bar)
        left = lu * hu + lv * hv - right
        mu = u.dot(left) * u + v.dot(left) * v
        if kind1 == FACE:
            mu1 = mu
        else:
            mu2 = mu
    elif kind1 == LINE and kind2 == LINE and ti.abs(cross) > MINVAL:
        lv = v.dot(p_bar)
        lu = -v.dot(a2) * lv / cross
        left = lu * hu + lv * hv - right
        mu2 = u.dot(left) / cross * a2
        mu1 = v.dot(left - mu2) * v
    elif kind1 == LINE or kind2 == LINE:
        if kind1 == LINE:
            lv = v.dot(p_bar)
        if ti.abs(uu) > MINVAL:
            lu = (u.dot(right) - uv * lv) / uu
        mu = v.dot(lu * hu + lv * hv - right) * v
        if kind1 == LINE:
            mu1 = mu
        else:
            mu2 = mu
    else:
        det = uu * vv - uv * uv
        if ti.abs(det) > MINVAL * MINVAL:
            lu = (vv * u.dot(right) - uv * v.dot(right)) / det
            lv = (uu * v.dot(right) - uv * u.dot(right)) / det
    along = (d.bar_dist[w] + 0.5 * n.dot(p_bar)) * n
    force = lu * u + lv * v + along
    w1 = bent(m, d, w, p, 0, kind1, n, p_bar - force) + mu1
    w2 = mu2 - bent(m, d, w, p, 1, kind2, n, force)
    if ti.static(has.field_leaf):
        if m.nfieldleaf > 0:
            d.field_at[w] = c1
            d.field_force[w] = p_bar - force
            d.field_turn[w] = w1.cross(n)
    add_pose_bar(m, d, g, w, m.geom_bodyid[m.pair_geom1[p]], c1, p_bar - force, w1.cross(n))
    add_pose_bar(m, d, g, w, m.geom_bodyid[m.pair_geom2[p]], c2, force, w2.cross(n))
    tell_pair(
        m, d, g, w, p, c1, p_bar - force, w1.cross(n), r1, c2, force, w2.cross(n), r2, n, d.bar_dist[w], p_bar
    )
