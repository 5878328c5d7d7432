"""Broad phase: which candidate pairs are near enough to be tried, by a sweep over the geoms (sort and sweep).

Every step sorts the geoms anew by where they begin along an axis, because a step reads only State, and goes through
those that overlap: of n geoms that lie about, some n^1.5 instead of all pairs. A pair that is near sets a bit at its
number, so contacts come in the order of the pairs, as without the sweep. Each geom counts as a ball, as it does where
a pair is tried; planes have no ball, and their pairs are always tried.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.types import EPS, real, vec3


@ti.func
def centre(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """Of swept geom k."""
    return d.geom_xpos[bounded(w * m.ngeom + m.sweep_geom[k])]


@ti.func
def geom_motion(m: ti.template(), d: ti.template(), w: ti.i32, g: ti.i32):
    """How far geom g's centre moves on in a step, and its body's angular velocity."""
    b = m.geom_bodyid[g]
    h = bounded(w * m.nbody + b)
    ang = d.vel_ang[h]
    arm = d.geom_xpos[bounded(w * m.ngeom + g)] - origin(m, d, w, b)
    return m.timestep * (d.vel_lin[h] + ang.cross(arm)), ang


@ti.func
def radius_of(m: ti.template(), d: ti.template(), w: ti.i32, k: ti.i32):
    """Of swept geom k, with its way in the step where contacts before an impact are looked for."""
    r = m.sweep_radius[k]
    if ti.static(has.speculative):
        if m.speculative:
            dx, _ = geom_motion(m, d, w, m.sweep_geom[k])
            r = r + dx.norm()
    return r


@ti.func
def sweep_axis(m: ti.template(), d: ti.template(), w: ti.i32):
    """The axis along which the fewest of some pairs overlap: those of neighbours and of geoms half the list apart."""
    n = m.nsweep
    over = vec3(0.0, 0.0, 0.0)
    for k in range(n):
        x = centre(m, d, w, k)
        for half in range(2):
            other = (k + 1 + half * (n >> 1)) % n
            apart = ti.abs(x - centre(m, d, w, other))
            reach = m.sweep_radius[k] + m.sweep_radius[other]
            for c in ti.static(range(3)):
                if apart[c] <= reach:
                    over[c] = over[c] + 1
    axis = 0
    if over[1] < over[0]:
        axis = 1
    if over[2] < ti.min(over[0], over[1]):
        axis = 2
    return axis


@ti.func
def sort_sweep(m: ti.template(), d: ti.template(), o: ti.i32):
    """sweep_order[o:] by sweep_low[o:], a heap sort; equal ones in any order."""
    n = m.nsweep
    half = n >> 1
    for t in range(half + n - 1):
        root = half - 1 - t
        end = n
        if t >= half:
            root = 0
            end = n - 1 - (t - half)
        moving = d.sweep_order[o + root]
        if t >= half:
            moving = d.sweep_order[o + end]
            d.sweep_order[o + end] = d.sweep_order[o]
        key = d.sweep_low[o + moving]
        child = 2 * root + 1
        while child < end:
            low = d.sweep_low[o + d.sweep_order[o + child]]
            if child + 1 < end:
                right = d.sweep_low[o + d.sweep_order[o + child + 1]]
                if right > low:
                    low = right
                    child = child + 1
            if low <= key:
                break
            d.sweep_order[o + root] = d.sweep_order[o + child]
            root = child
            child = 2 * root + 1
        d.sweep_order[o + root] = moving


@ti.func
def mark(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    i = w * m.nnear + (p >> 4)
    d.near[i] = d.near[i] | (1 << (p & 15))


@ti.func
def mark_pairs(m: ti.template(), d: ti.template(), w: ti.i32, a: ti.i32, b: ti.i32):
    """The candidate pairs of the swept geoms a < b, if there are any."""
    lo = m.sweep_first[a]
    hi = m.sweep_end[a]
    end = hi
    while lo < hi:
        middle = (lo + hi) >> 1
        if m.partner_other[middle] < b:
            lo = middle + 1
        else:
            hi = middle
    while lo < end:
        if m.partner_other[lo] != b:
            break
        mark(m, d, w, m.partner_pair[lo])
        lo = lo + 1


@ti.func
def sweep(m: ti.template(), d: ti.template(), w: ti.i32):
    """Marks the pairs that may touch."""
    n = m.nsweep
    o = w * n
    for i in range(m.nnear):
        d.near[w * m.nnear + i] = 0
    if n > 0:
        for i in range(m.nalways):
            mark(m, d, w, m.always[i])
        axis = sweep_axis(m, d, w)
        for k in range(n):
            x = centre(m, d, w, k)
            d.sweep_low[o + k] = along(x, axis) - radius_of(m, d, w, k)
            d.sweep_order[o + k] = k
        sort_sweep(m, d, o)
        for i in range(n):
            a = d.sweep_order[o + i]
            x = centre(m, d, w, a)
            # rounding must not part what a pair's own test calls near
            high = d.sweep_low[o + a] + 2 * radius_of(m, d, w, a) + 16 * EPS * ti.abs(along(x, axis))
            j = i + 1
            while j < n:
                b = d.sweep_order[o + j]
                if d.sweep_low[o + b] > high:
                    break
                apart = ti.abs(x - centre(m, d, w, b))
                reach = radius_of(m, d, w, a) + radius_of(m, d, w, b)
                if ti.max(apart[0], apart[1], apart[2]) <= reach:
                    mark_pairs(m, d, w, ti.min(a, b), ti.max(a, b))
                j = j + 1


@ti.func
def along(x: vec3, axis: ti.i32):
    r = x[0]
    if axis == 1:
        r = x[1]
    if axis == 2:
        r = x[2]
    return real(r)


@ti.func
def next_near(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """The first marked pair from p on, or NPAIR; p itself where nothing is swept."""
    q = p
    if m.nsweep > 0:
        o = w * m.nnear
        while q < m.npair:
            bits = d.near[o + (q >> 4)] >> (q & 15)
            if bits == 0:
                q = (q >> 4 << 4) + 16
            elif bits & 1:
                break
            else:
                q = q + 1
        q = ti.min(q, m.npair)
    return q
