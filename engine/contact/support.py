"""Support points: the point of a convex shape that lies farthest along a direction, for every shape.

A hull's vertex is found by climbing along its edges, from the better of a vertex seen before and of that which lies
farthest along the nearest of 27 directions; of a mesh of few vertices, by trying each. Where several lie equally far,
the first that is met stays, as in MuJoCo: which one it is decides which faces two shapes touch with.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.quat import rotate, rotate_back
from engine.math.types import MINVAL, real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH


@ti.func
def farthest(m: ti.template(), mesh: ti.i32, near: ti.i32, v: vec3, tie: real):
    """The hull's vertex that lies farthest along v, in the frame of the mesh. near: a vertex to begin with, or -1. tie:
    by how much more is still equally far."""
    best = near
    count = m.mesh_tried[mesh]
    if count > 0:
        first = m.mesh_hulladr[mesh]
        if best < 0:
            best = first
        most = v.dot(m.hull_vert[best])
        for i in range(first, first + count):
            x = v.dot(m.hull_vert[i])
            if x > most + tie:
                most = x
                best = i
    else:
        grid = 0
        for k in ti.static(range(3)):
            side = 1
            if v[k] > 0.4:
                side = 2
            if v[k] < -0.4:
                side = 0
            grid = 3 * grid + side
        best = m.mesh_extrema[mesh, grid]
        most = v.dot(m.hull_vert[best])
        # planes search once in each mesh
        if ti.static(has.hull):
            if near >= 0:
                x = v.dot(m.hull_vert[near])
                if x >= most:
                    most = x
                    best = near
        before = -1
        while before != best:
            before = best
            begin = 0
            if before > 0:
                begin = m.hull_edgeend[before - 1]
            for e in range(begin, m.hull_edgeend[before]):
                x = v.dot(m.hull_vert[m.hull_edge[e]])
                if x > most + tie:
                    most = x
                    best = m.hull_edge[e]
    return best


@ti.func
def support(m: ti.template(), g: ti.i32, x: vec3, q: vec4, size: vec3, dir: vec3, near: ti.i32, tie: real):
    """(point, vertex): the point of geom g, at x and turned by q, that lies farthest along dir, in the world.

    dir is a unit vector. size is that of the geom, or less: without its radius a sphere is a point, a capsule a line.
    vertex: of a mesh its number in hull_vert; of a box three bits, set where the corner is on the positive side; else
    -1. near: the vertex that the last search in this geom found, or -1. tie: of corners that are equally far but for so
    much, a share of the geom's size, the first is taken; 0 but where it must not be rounding that decides (corners.py).
    """
    v = rotate_back(q, dir)
    o = size[0] * v
    vertex = -1
    kind = m.geom_type[g]
    up = real(1.0) if v[2] >= 0 else real(-1.0)
    if kind == CAPSULE:
        o[2] = o[2] + up * size[1]
    elif kind == CYLINDER:
        across = v[0] * v[0] + v[1] * v[1]
        r = size[0] / ti.sqrt(across) if across >= MINVAL * MINVAL else real(0.0)
        o = vec3(r * v[0], r * v[1], up * size[1])
    elif kind == ELLIPSOID:
        s = v * size
        norm = ti.sqrt(s.dot(s))
        o = s * size / norm if norm >= MINVAL else vec3(size[0], 0.0, 0.0)
    elif kind == BOX:
        vertex = 0
        for k in ti.static(range(3)):
            o[k] = size[k] if v[k] >= -tie else -size[k]
            if v[k] >= -tie:
                vertex = vertex + ti.static(1 << k)
    elif kind == MESH:
        if ti.static(has.hull):
            vertex = farthest(m, m.geom_dataid[g], near, v, tie * m.geom_reach[g])
            o = m.hull_vert[vertex]
    return x + rotate(q, o), vertex
