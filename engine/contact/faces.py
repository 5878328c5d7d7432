"""Vertices, edges and faces of a box, of a mesh's hull, of a cylinder or a capsule, by their numbers, in the frame of
the geom.

A mesh's are numbers of hull_vert and face_normal. Of a box a vertex has three bits, set where it is on the positive
side, and the faces are +x -x +y -y +z -z. A cylinder's caps +z -z have RING corners, the first along x, as in MuJoCo; a
capsule has the ends of its axis, -z and +z, and an edge.
"""

import taichi as ti

from engine.math.types import real, vec3
from engine.model.constants import BOX, CAPSULE, CYLINDER

RING = 16
# Cosines of the first corners: MuJoCo's numbers, of 15 digits, which decide which four of a ring's corners span most.
COS1, COS2, COS3 = 0.923879532511287, 0.707106781186547, 0.382683432365090

# Corners of a box's faces, clockwise from outside, three bits each.
CORNERS = tuple(sum(v << 3 * k for k, v in enumerate(face)) for face in (
    (7, 3, 1, 5), (2, 6, 4, 0), (2, 3, 7, 6), (4, 5, 1, 0), (6, 7, 5, 4), (3, 2, 0, 1),
))  # fmt: skip


@ti.func
def ring_cos(k: ti.i32):
    """Cosine of k RINGths of a turn, k from 0 on."""
    j = k & 7
    near = ti.min(j, 8 - j)
    x = real(1.0)
    if near == 1:
        x = COS1
    if near == 2:
        x = COS2
    if near == 3:
        x = COS3
    if near == 4:
        x = 0.0
    if (j > 4) != ((k & 8) > 0):
        x = -x
    return x


@ti.func
def place(m: ti.template(), g: ti.i32, v: ti.i32):
    """Vertex v of geom g, in its frame."""
    p = vec3(0.0, 0.0, 0.0)
    if m.geom_type[g] == BOX:
        size = m.geom_size[g]
        for k in ti.static(range(3)):
            p[k] = (2 * ((v >> k) & 1) - 1) * size[k]
    elif m.geom_type[g] == CAPSULE:
        p[2] = (2 * v - 1) * m.geom_size[g][1]
    elif m.geom_type[g] == CYLINDER:
        size = m.geom_size[g]
        p = vec3(size[0] * ring_cos(v), size[0] * ring_cos(v + 12), (1 - 2 * (v // RING)) * size[1])
    else:
        p = m.hull_vert[v]
    return p


@ti.func
def outward(m: ti.template(), g: ti.i32, face: ti.i32):
    """The normal of a face of geom g, in its frame."""
    n = vec3(0.0, 0.0, 0.0)
    if m.geom_type[g] == BOX:
        for k in ti.static(range(3)):
            if face >> 1 == k:
                n[k] = 1 - 2 * (face & 1)
    elif m.geom_type[g] == CYLINDER:
        n[2] = 1 - 2 * face
    else:
        n = m.face_normal[face]
    return n


@ti.func
def sides(m: ti.template(), g: ti.i32, face: ti.i32):
    """Where the corners of a face begin, and how many they are."""
    begin = 0
    count = 4
    if m.geom_type[g] == CYLINDER:
        count = RING
    elif m.geom_type[g] != BOX:
        if face > 0:
            begin = m.face_vertend[face - 1]
        count = m.face_vertend[face] - begin
    return begin, count


@ti.func
def corner_vertex(m: ti.template(), g: ti.i32, face: ti.i32, begin: ti.i32, count: ti.i32, k: ti.i32):
    """The vertex that is corner k of a face, clockwise from outside; after the last comes the first."""
    v = 0
    at = k % count
    if m.geom_type[g] == BOX:
        packed = 0
        for f in ti.static(range(6)):
            if face == f:
                packed = CORNERS[f]
        v = (packed >> (3 * at)) & 7
    elif m.geom_type[g] == CYLINDER:
        v = RING + at if face else (RING - at) % RING
    else:
        v = m.face_vert[begin + count - 1 - at]
    return v


@ti.func
def faces_at(m: ti.template(), g: ti.i32, v: ti.i32):
    """Where the faces that meet in a vertex begin, and how many they are."""
    begin = 0
    count = 3
    if m.geom_type[g] == CAPSULE:
        count = 0
    elif m.geom_type[g] == CYLINDER:
        count = 1
    elif m.geom_type[g] != BOX:
        if v > 0:
            begin = m.hull_faceend[v - 1]
        count = m.hull_faceend[v] - begin
    return begin, count


@ti.func
def face_at(m: ti.template(), g: ti.i32, v: ti.i32, begin: ti.i32, k: ti.i32):
    """Face number k of those that meet in vertex v."""
    face = 2 * k + 1 - ((v >> k) & 1)
    if m.geom_type[g] != BOX:
        face = m.hull_face[begin + k]
    return face


@ti.func
def touches(m: ti.template(), g: ti.i32, face: ti.i32, v: ti.i32):
    """Whether vertex v is one of a face's corners."""
    there = ti.cast((v >> (face >> 1)) & 1 != face & 1, ti.i32)
    if m.geom_type[g] != BOX:
        begin, count = faces_at(m, g, v)
        there = 0
        for k in range(count):
            if m.hull_face[begin + k] == face:
                there = 1
    return there


@ti.func
def edge_end(m: ti.template(), g: ti.i32, dim: ti.i32, v0: ti.i32, v1: ti.i32, begin: ti.i32, k: ti.i32):
    """The other end of edge number k at vertex v0: v1, or of all its edges one."""
    end = v1
    if m.geom_type[g] == CAPSULE:
        end = 1 - v0
    elif dim == 1:
        end = v0 ^ (1 << k)
        if m.geom_type[g] != BOX:
            face = m.hull_face[begin + k]
            start, count = sides(m, g, face)
            before = m.face_vert[start + count - 1]
            for j in range(count):
                if m.face_vert[start + j] == v0:
                    end = before
                before = m.face_vert[start + j]
    return end
