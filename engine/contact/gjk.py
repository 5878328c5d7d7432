"""Distance of two convex shapes by their support points (Gilbert, Johnson, Keerthi), in two stages of their own.

x is the point nearest to the origin of what is known of the first shape less the second (their Minkowski difference): a
simplex of up to four vertices, which lie in slots 0 to 3. A new vertex is that which lies farthest along -x; of the
simplex the vertices are kept that x is made of (signed volumes: Montanari, Petrinic and Barbieri, ACM Transactions on
Graphics 36(3), 2017). Where only whether shapes overlap matters, a tetrahedron instead moves over the origin.

What is asked is in `ccd_*` of the world: poses, sizes, by how much each shape is inflated, how far to look. The order
of decisions, where the search begins and when it ends are MuJoCo's, so that a tie is decided as there.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.prism import prism_support
from engine.contact.support import support
from engine.math.index import bounded
from engine.math.quat import rotate
from engine.math.types import EPS, HUGE, MINVAL, real, vec3, vec4
from engine.model.constants import CAPSULE, HFIELD, SPHERE

TRIED = 4  # slot of a vertex that only is looked at
FEATURE = 4  # first slot of the vertices that make each shape's feature (feature.py)
POLYTOPE = 8  # first slot of the polytope's vertices (epa.py)
APART, UNCLEAR, OVER = -1, 0, 1  # ccd_inside
TIE = 64 * EPS  # relative to the shapes (support.py)
LONG = 1e6  # the square of an edge along which x is made exact: shares times corners far away have no digits there


@ti.func
def copy_vertex(d: ti.template(), a: ti.i32, b: ti.i32):
    """Slot a receives what is in slot b."""
    d.ccd_vert[a] = d.ccd_vert[b]
    d.ccd_vert1[a] = d.ccd_vert1[b]
    d.ccd_vert2[a] = d.ccd_vert2[b]
    d.ccd_index1[a] = d.ccd_index1[b]
    d.ccd_index2[a] = d.ccd_index2[b]


@ti.func
def swap_vertices(d: ti.template(), a: ti.i32, b: ti.i32):
    one = d.ccd_vert[a]
    d.ccd_vert[a] = d.ccd_vert[b]
    d.ccd_vert[b] = one
    one = d.ccd_vert1[a]
    d.ccd_vert1[a] = d.ccd_vert1[b]
    d.ccd_vert1[b] = one
    one = d.ccd_vert2[a]
    d.ccd_vert2[a] = d.ccd_vert2[b]
    d.ccd_vert2[b] = one
    index = d.ccd_index1[a]
    d.ccd_index1[a] = d.ccd_index1[b]
    d.ccd_index1[b] = index
    index = d.ccd_index2[a]
    d.ccd_index2[a] = d.ccd_index2[b]
    d.ccd_index2[b] = index


@outline("md", "w p slot", when="convex")
@ti.func
def ccd_support(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, slot: ti.i32):
    """The vertices of both shapes along ccd_dir, a unit vector from the first to the second, into this slot."""
    k = bounded(w * m.nccdvert + slot)
    for side in range(2):
        g = m.pair_geom1[p]
        x = d.ccd_pos1[w]
        q = d.ccd_quat1[w]
        size = d.ccd_size1[w]
        dir = d.ccd_dir[w]
        near = d.ccd_near1[w]
        more = d.ccd_inflate1[w]
        if side:
            g = m.pair_geom2[p]
            x = d.ccd_pos2[w]
            q = d.ccd_quat2[w]
            size = d.ccd_size2[w]
            dir = -dir
            near = d.ccd_near2[w]
            more = d.ccd_inflate2[w]
        tie = real(0.0)
        if ti.static(has.hfield):
            if d.ccd_discrete[w] > 1:
                tie = TIE
        point, vertex = support(m, g, x, q, size, dir, near, tie)
        if ti.static(has.hfield):
            if m.geom_type[g] == HFIELD:
                point, vertex = prism_support(m, d, w, dir, tie)
        if m.geom_type[g] == SPHERE:
            vertex = 0
        if m.geom_type[g] == CAPSULE:
            vertex = ti.cast(rotate(q, vec3(0.0, 0.0, 1.0)).dot(point - x) > 0, ti.i32)
        point = point + more * dir
        if side:
            d.ccd_near2[w] = vertex
            d.ccd_vert2[k] = point
            d.ccd_index2[k] = vertex
        else:
            d.ccd_near1[w] = vertex
            d.ccd_vert1[k] = point
            d.ccd_index1[k] = vertex
    d.ccd_vert[k] = d.ccd_vert1[k] - d.ccd_vert2[k]


@ti.func
def segment_shares(a: vec3, b: vec3):
    """Shares of a and b in the point of their segment that is nearest to the origin; b alone beyond both ends."""
    along = b - a
    s = b.dot(along) / along.dot(along)
    inside = ti.cast(s > 0 and s < 1, ti.i32)
    if not inside:
        s = 0.0
    return s, 1 - s


@ti.func
def triangle_shares(a: vec3, b: vec3, c: vec3):
    """The same of a triangle."""
    share = vec3(0.0, 0.0, 0.0)
    n = (b - a).cross(c - a)
    volume = vec3(n.dot(b.cross(c)), n.dot(c.cross(a)), n.dot(a.cross(b)))
    nn = n.dot(n)
    if nn > 0 and volume[0] > 0 and volume[1] > 0 and volume[2] > 0:
        share = volume / nn
    else:
        best = real(HUGE)
        for side in range(3):
            # a flat one is the segment of its first two corners
            if (nn > 0 and ((side == 0 and volume[0] <= 0) or (side == 1 and volume[1] <= 0))) or (
                side == 2 and (nn <= 0 or volume[2] <= 0)
            ):
                one = a
                other = b
                if side == 0:
                    one = b
                    other = c
                if side == 1:
                    other = c
                s, t = segment_shares(one, other)
                x = s * one + t * other
                if x.dot(x) < best:
                    best = x.dot(x)
                    share = vec3(s, t, 0.0)
                    if side == 0:
                        share = vec3(0.0, s, t)
                    if side == 1:
                        share = vec3(s, 0.0, t)
    return share


@ti.func
def nearest_shares(d: ti.template(), first: ti.i32, n: ti.i32):
    """ccd_share of the n vertices of the simplex."""
    v0 = d.ccd_vert[first]
    v1 = d.ccd_vert[first + 1]
    v2 = d.ccd_vert[first + 2]
    v3 = d.ccd_vert[first + 3]
    share = vec4(1.0, 0.0, 0.0, 0.0)
    if n == 2:
        s, t = segment_shares(v0, v1)
        share = vec4(s, t, 0.0, 0.0)
    if n > 2:
        open0 = 0
        open1 = 0
        open2 = 0
        open3 = 1
        if n == 4:
            volume = vec4(-v1.dot(v2.cross(v3)), v0.dot(v2.cross(v3)), -v0.dot(v1.cross(v3)), v0.dot(v1.cross(v2)))
            whole = volume[0] + volume[1] + volume[2] + volume[3]
            open0 = 1 - same_sign(whole, volume[0])
            open1 = 1 - same_sign(whole, volume[1])
            open2 = 1 - same_sign(whole, volume[2])
            open3 = 1 - same_sign(whole, volume[3])
            share = volume / whole
        best = real(HUGE)
        for face in range(4):
            if (face == 0 and open0) or (face == 1 and open1) or (face == 2 and open2) or (face == 3 and open3):
                a = v0
                b = v1
                c = v2
                if face == 0:
                    a = v1
                if face <= 1:
                    b = v2
                if face <= 2:
                    c = v3
                r = triangle_shares(a, b, c)
                x = r[0] * a + r[1] * b + r[2] * c
                if x.dot(x) < best:
                    best = x.dot(x)
                    share = vec4(r[0], r[1], r[2], 0.0)
                    if face == 0:
                        share = vec4(0.0, r[0], r[1], r[2])
                    if face == 1:
                        share = vec4(r[0], 0.0, r[1], r[2])
                    if face == 2:
                        share = vec4(r[0], r[1], 0.0, r[2])
    for i in ti.static(range(4)):
        d.ccd_share[first + i] = share[i] if i < n else real(0.0)


@ti.func
def same_sign(a: real, b: real):
    return ti.cast((a > 0 and b > 0) or (a < 0 and b < 0), ti.i32)


@ti.func
def kept(d: ti.template(), first: ti.i32):
    """Leaves out the vertices of the simplex without a share; returns how many stay."""
    n = 0
    for i in range(4):
        share = d.ccd_share[first + i]
        if share != 0:
            if n < i:
                copy_vertex(d, first + n, first + i)
                d.ccd_share[first + n] = share
            n = n + 1
    return n


@ti.func
def across_longest(d: ti.template(), first: ti.i32, n: ti.i32, x: vec3):
    """x of a simplex of two or three vertices, across its longest edge, where that is LONG."""
    edge = d.ccd_vert[first + 1] - d.ccd_vert[first]
    if n == 3:
        for i in ti.static(range(2)):
            other = d.ccd_vert[first + 2] - d.ccd_vert[first + i]
            if other.dot(other) > edge.dot(edge):
                edge = other
    good = x
    if edge.dot(edge) > LONG:
        good = x - x.dot(edge) / edge.dot(edge) * edge
    return good


@outline("md", "w p far", when="convex")
@ti.func
def gjk(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, far: ti.i32):
    """ccd_dist and the points ccd_x1, ccd_x2, where the shapes are nearer than ccd_cutoff; without `far` only whether
    they overlap. ccd_separated: a plane parts them, by as much as they are looked for. The simplex stays, and in ccd_n
    the last direction."""
    first = bounded(w * m.nccdvert)
    enough = 0.5 * m.ccd_tolerance * m.ccd_tolerance
    least = m.ccd_tolerance
    if d.ccd_discrete[w]:
        enough = 0.0
        least = MINVAL
    d.ccd_separated[w] = 0
    d.ccd_x1[w] = d.ccd_pos1[w]
    d.ccd_x2[w] = d.ccd_pos2[w]
    x = d.ccd_x1[w] - d.ccd_x2[w]
    norm = ti.sqrt(x.dot(x))
    if norm < least:
        # centres in one place: any direction to begin with
        x = vec3(1.0, 0.0, 0.0)
        norm = 1.0
    before = real(0.0)
    n = 0
    over = 0
    doubt = far
    k = 0
    while k < m.ccd_iterations:
        if norm < least or ti.abs(before - norm) < MINVAL:
            break
        d.ccd_dir[w] = -x / norm
        d.ccd_n[w] = d.ccd_dir[w]
        ccd_support(m, d, w, p, n)
        s = d.ccd_vert[first + n]
        lower = x.dot(s)
        if x.dot(x - s) < enough:
            break
        if lower > 0 and (far == 0 or lower >= d.ccd_cutoff[w] * norm):
            d.ccd_separated[w] = 1
            break
        if n == 3 and not doubt:
            d.ccd_count[w] = k
            overlap(m, d, w, p)
            k = d.ccd_count[w]
            if d.ccd_inside[w] == APART:
                d.ccd_separated[w] = 1
                break
            if d.ccd_inside[w] == OVER:
                over = 1
                break
            doubt = 1
        nearest_shares(d, first, n + 1)
        n = kept(d, first)
        if n < 1:
            d.ccd_separated[w] = 1
            break
        # the first length, that between the centres, is of no simplex: that it stays the same says nothing
        if k > 0:
            before = norm
        x = vec3(0.0, 0.0, 0.0)
        for i in range(n):
            x = x + d.ccd_share[first + i] * d.ccd_vert[first + i]
        if n == 2 or n == 3:
            x = across_longest(d, first, n, x)
        norm = ti.sqrt(x.dot(x))
        if n == 4:
            break
        k = k + 1
    d.ccd_nsimplex[w] = 4 if over else n
    d.ccd_dist[w] = 0.0
    if not over and not d.ccd_separated[w]:
        if n > 0:
            x1 = vec3(0.0, 0.0, 0.0)
            x2 = vec3(0.0, 0.0, 0.0)
            for i in range(n):
                x1 = x1 + d.ccd_share[first + i] * d.ccd_vert1[first + i]
                x2 = x2 + d.ccd_share[first + i] * d.ccd_vert2[first + i]
            d.ccd_x1[w] = x1
            d.ccd_x2[w] = x2
        parted = 0
        if norm > 0:
            d.ccd_dir[w] = -x / norm
            ccd_support(m, d, w, p, TRIED)
            parted = ti.cast(x.dot(d.ccd_vert[first + TRIED]) > 0, ti.i32)
        # of those that are to be told apart only
        if parted:
            d.ccd_separated[w] = 1 - far
        if parted or n < 4:
            d.ccd_dist[w] = norm


@ti.func
def overlap_normal(d: ti.template(), at: ti.i32, face: ti.i32):
    """Of a tetrahedron's face, across from its vertex: how far the origin lies within it and the inward normal."""
    a = at
    b = at + 1
    c = at + 3
    if face == 0:
        a = at + 2
    if face == 1:
        b = at + 2
    if face == 2:
        a = at + 1
        b = at
    if face == 3:
        c = at + 2
    v = d.ccd_vert[a]
    n = (d.ccd_vert[c] - v).cross(d.ccd_vert[b] - v)
    nn = n.dot(n)
    dist = real(HUGE)
    if nn > MINVAL * MINVAL:
        n = n / ti.sqrt(nn)
        dist = n.dot(v)
    return dist, n


@outline("md", "w p", when="convex")
@ti.func
def overlap(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """ccd_inside: whether a tetrahedron, at first the simplex, comes to lie over the origin (OVER, and it becomes the
    simplex), a face of it parts the shapes (APART), or neither is found (UNCLEAR)."""
    first = bounded(w * m.nccdvert)
    at = first + POLYTOPE
    for i in range(4):
        copy_vertex(d, at + i, first + i)
    d.ccd_inside[w] = UNCLEAR
    # whose normals point outwards; else the other way round
    v = d.ccd_vert[at]
    if (d.ccd_vert[at + 2] - v).cross(d.ccd_vert[at + 1] - v).dot(d.ccd_vert[at + 3] - v) > 0:
        swap_vertices(d, at, at + 1)
    k = d.ccd_count[w]
    while k < m.ccd_iterations:
        best = real(HUGE)
        face = 3
        normal = vec3(0.0, 0.0, 0.0)
        flat = 0
        for f in range(4):
            dist, n = overlap_normal(d, at, f)
            if dist == 0:
                flat = 1
            if dist <= best:
                best = dist
                face = f
                normal = n
        if flat:
            break
        if best > 0:
            for i in range(4):
                copy_vertex(d, first + i, at + i)
            d.ccd_inside[w] = OVER
            break
        d.ccd_dir[w] = normal
        ccd_support(m, d, w, p, POLYTOPE + face)
        if normal.dot(d.ccd_vert[at + face]) < 0:
            d.ccd_inside[w] = APART
            break
        # the other way round, so that the normals still point inwards
        swap_vertices(d, at + ((face + 1) & 3), at + ((face + 2) & 3))
        k = k + 1
    d.ccd_count[w] = k
