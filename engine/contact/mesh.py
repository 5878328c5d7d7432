"""The convex hull of a mesh against a plane, as a stage of its own.

The vertex that lies lowest is found by climbing along the hull's edges. Of the faces that meet there the one that looks
at the plane most gives the contacts: its corners that are near enough and not above the centre. Of more than four
corners those of a large quadrilateral are taken: from the lowest one and the three that follow, the last, the third and
the second corner are moved on while the area grows. These are MuJoCo's rules.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.record import add_contact, pair_poses
from engine.contact.support import farthest
from engine.contact.witness import FACE, POINT, witness
from engine.math.quat import rotate, rotate_back
from engine.math.types import real, vec3


@ti.func
def corner(m: ti.template(), begin: ti.i32, count: ti.i32, k: ti.i32):
    """Corner k of a face, a vertex; after the last comes the first."""
    return m.face_vert[begin + k % count]


@ti.func
def area(m: ti.template(), begin: ti.i32, count: ti.i32, a: ti.i32, b: ti.i32, c: ti.i32, d: ti.i32):
    """Twice the area of four corners, from their diagonals."""
    one = m.hull_vert[corner(m, begin, count, c)] - m.hull_vert[corner(m, begin, count, a)]
    other = m.hull_vert[corner(m, begin, count, d)] - m.hull_vert[corner(m, begin, count, b)]
    return ti.sqrt(one.cross(other).dot(one.cross(other)))


@ti.func
def quadrilateral(m: ti.template(), begin: ti.i32, count: ti.i32, a: ti.i32):
    """Three more of a face's corners, which are more than four: see the file's text."""
    b = a + 1
    c = a + 2
    d = a + 3
    most = area(m, begin, count, a, b, c, d)
    grown = True
    while grown:
        x = area(m, begin, count, a, b, c, d + 1)
        grown = x > most
        if grown:
            most = x
            d = d + 1
            more = True
            while more:
                x = area(m, begin, count, a, b, c + 1, d)
                more = x > most
                if more:
                    most = x
                    c = c + 1
            more = True
            while more:
                x = area(m, begin, count, a, b + 1, c, d)
                more = x > most
                if more:
                    most = x
                    b = b + 1
    return b, c, d


@outline("md", "w p", when="mesh")
@ti.func
def mesh_contacts(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p, of a plane and a mesh."""
    x1, q1, x2, q2 = pair_poses(m, d, w, p)
    n = rotate(q1, vec3(0.0, 0.0, 1.0))
    down = rotate_back(q2, -n)
    low = farthest(m, m.geom_dataid[m.pair_geom2[p]], -1, down, 0.0)
    face = -1
    most = real(-2.0)
    begin = 0
    if low > 0:
        begin = m.hull_faceend[low - 1]
    for k in range(begin, m.hull_faceend[low]):
        f = m.hull_face[k]
        x = down.dot(m.face_normal[f])
        if x > most:
            most = x
            face = f
    begin = 0
    count = 1
    a = 0
    if face >= 0:
        if face > 0:
            begin = m.face_vertend[face - 1]
        count = m.face_vertend[face] - begin
        for k in range(count):
            if m.face_vert[begin + k] == low:
                a = k
    b = a + 1
    c = a + 2
    e = a + 3
    if count > 4:
        b, c, e = quadrilateral(m, begin, count, a)
    ncon = d.ncon[w]
    margin = d.felt_within[w]
    zero = vec3(0.0, 0.0, 0.0)
    for k in range(ti.min(count, 4)):
        number = a
        if k == 1:
            number = b
        if k == 2:
            number = c
        if k == 3:
            number = e
        vertex = low
        if face >= 0:
            vertex = corner(m, begin, count, number)
        o = rotate(q2, m.hull_vert[vertex])
        dist, pos, normal = witness(FACE, x1, 0.0, q1, POINT, x2 + o, 0.0, q2, n)
        if n.dot(o) <= 0 and dist < margin:
            ncon = add_contact(m, d, w, p, ncon, dist, pos, normal, zero, FACE, zero, 0.0, POINT, zero, 0.0)
    d.ncon[w] = ncon
