"""Witness: distance, place and normal of a contact of two features, and their adjoint, for every pair of shapes.

The narrow phase (collide.py) chooses. What it leaves of each shape is a *feature*, held from there on, with a radius r:

    POINT   a place c that the body carries
    LINE    the point c of a line that comes nearest to the other feature; a: a vector along the line
    CURVE   the point c of a circle that comes nearest to the other feature; a: its unit tangent there
    SURFACE the point c of a smooth surface that comes nearest to a FACE
    CROSS   the point c where an edge passes through a plane of the other side, which is a FACE
    CORNER  the point c where an edge that the FACE's side carries, along n, passes through a plane
    EDGE    a point c of an edge that crosses one of the other shape, END: where the edge ends
    FACE    a plane: its normal is that of the contact, c any point of it where dist is asked for

    n = (c2 - c1) / |c2 - c1|, or that of the face,  dist = n . (c2 - c1) - r1 - r2,  pos = c1 + (r1 + dist / 2) n

The adjoint of each side is a wrench on what carries the feature: a force at c and a torque. Where c is free to slide
along a line or a circle, |c1 - c2|^2 stays stationary, and its derivative is that of this equation: half the square's
second derivative along a is a . a, and for a circle `bend` more. Nothing here knows a shape.

Against a FACE, dn being how the normal moves, w and u how the other shape turns and how its point c moves against the
FACE's body:

    CURVE    c moves by a2 (a1 . (dn - w x n)) more than its body; it turns about its circle's axis z with the point
             that is lowest on the plane, in the direction e from z: a2 = z x (c - centre), a1 = z x e / (n . e)
    SURFACE  by -(a1 a1^T + a2 a2^T) (dn - w x n) more than its body
    CROSS    by -a1 (a2 . u) more than its body,  CORNER  by a1 (a2 . u) more than the FACE's

Two edges that cross have n along a1 x a2, whatever their distance, and pos midway: `edge_vjp`.
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.quat import rotate
from engine.math.types import MINVAL, real, vec3, vec4

POINT, LINE, FACE, CURVE, SURFACE, EDGE, END, CROSS, CORNER = range(9)
GENERAL = 16  # added to the kinds of features that convex.py differentiates
# those of multicontact.py: a face's corners against a face; a line of a cylinder's side against one
TILTED, RULED = 32, 48
NETTED = 64  # that of corners.py: corners of both shapes


@ti.func
def witness(kind1: ti.i32, c1: vec3, r1: real, quat1: vec4, kind2: ti.i32, c2: vec3, r2: real, quat2: vec4,
            normal: vec3):  # fmt: skip
    """dist, pos, n (from 1 to 2) of features of these kinds, in metres. normal: the contact's, where one is a FACE;
    pos is found from the other one. quat1, quat2: orientations of the shapes, whose z axes span the plane across which
    points that coincide part, as in MuJoCo."""
    n = normal
    delta = c2 - c1
    length = n.dot(delta)
    if kind1 != FACE and kind2 != FACE:
        length = ti.sqrt(delta.dot(delta))
        if length > MINVAL:
            n = delta / length
        else:
            z = vec3(0.0, 0.0, 1.0)
            across = rotate(quat1, z).cross(rotate(quat2, z))
            norm = ti.sqrt(across.dot(across))
            n = vec3(1.0, 0.0, 0.0)
            if norm > MINVAL:
                n = across / norm
    dist = length - r1 - r2
    pos = c1 + (r1 + 0.5 * dist) * n
    if kind1 == FACE:
        pos = c2 - (r2 + 0.5 * dist) * n
    return dist, pos, n


@ti.func
def witness_vjp(kind1: ti.i32, a1: vec3, r1: real, kind2: ti.i32, a2: vec3, r2: real, bend2: real, n: vec3, dist: real,
                dist_bar: real, p_bar: vec3, n_bar: vec3):  # fmt: skip
    """Forces at c1 and c2 and torques on what carries them: (c1_bar, turn1, c2_bar, turn2).

    c1 and c2 are the points that come nearest: pos - (r1 + dist / 2) n and pos + (r2 + dist / 2) n, of a FACE, too.
    """
    along = n.dot(p_bar)
    c2_bar = (dist_bar + 0.5 * along) * n
    nb = n_bar + (r1 + 0.5 * dist) * p_bar
    turn1 = vec3(0.0, 0.0, 0.0)
    turn2 = vec3(0.0, 0.0, 0.0)
    if kind1 == FACE:
        c2_bar = c2_bar + p_bar - along * n
        turn1 = n.cross(n_bar - (r2 + 0.5 * dist) * p_bar)
        if ti.static(has.cylinder or has.distance_sensor):
            if kind2 == CURVE:
                turn2 = a2.dot(c2_bar) * a1.cross(n)
        if ti.static(has.ellipsoid or has.distance_sensor):
            if kind2 == SURFACE:
                turn2 = n.cross(a1.dot(c2_bar) * a1 + a2.dot(c2_bar) * a2)
        turn1 = turn1 - turn2
    elif kind2 == FACE:
        turn2 = n.cross(nb)
    else:
        length = dist + r1 + r2
        if length > MINVAL:
            c2_bar = c2_bar + (nb - n.dot(nb) * n) / length
    c1_bar = p_bar - c2_bar
    if ti.static(has.segment or has.box or has.cylinder or has.distance_sensor):
        if kind1 == LINE or kind2 == LINE or (kind2 == CURVE and kind1 != FACE):
            c1_bar, slide1, slide2 = slide_vjp(kind1, a1, kind2, a2, bend2, -(dist + r1 + r2) * n, c1_bar, c2_bar)
            c2_bar = p_bar - c1_bar
            turn1 = a1.cross(slide1)
            turn2 = a2.cross(slide2)
    if ti.static(has.box_box or has.clipped):
        if kind1 >= CROSS:
            hand = handed(kind1, a1, a2, c1_bar)
            c1_bar = c1_bar - hand
            c2_bar = c2_bar + hand
            turn2 = turn2 - (dist + r1 + r2) * n.cross(hand)
        if kind2 >= CROSS:
            hand = handed(kind2, a1, a2, c2_bar)
            c2_bar = c2_bar - hand
            c1_bar = c1_bar + hand
            turn1 = turn1 + (dist + r1 + r2) * n.cross(hand)
    return c1_bar, turn1, c2_bar, turn2


@ti.func
def handed(kind: ti.i32, a1: vec3, a2: vec3, bar: vec3):
    """What of the force at a CROSS or a CORNER acts on the FACE's body."""
    hand = a1.dot(bar) * a2
    if kind == CORNER:
        hand = bar - hand
    return hand


@ti.func
def edge_vjp(kind1: ti.i32, a1: vec3, kind2: ti.i32, a2: vec3, n: vec3, gap: vec3, dist_bar: real, p_bar: vec3,
             n_bar: vec3):  # fmt: skip
    """The same of two edges (EDGE or END): n = +-a1 x a2 / |a1 x a2|, dist = -n . gap, pos = (c1 + c2) / 2; their
    gap c1 - c2 need not lie along n where an edge ends. c1_bar acts at pos + gap / 2, c2_bar at pos - gap / 2."""
    c1_bar = 0.5 * p_bar - dist_bar * n
    c2_bar = 0.5 * p_bar + dist_bar * n
    nb = n_bar - dist_bar * gap
    wb = (nb - n.dot(nb) * n) / n.dot(a1.cross(a2))
    turn1 = a1.cross(a2.cross(wb))
    turn2 = a2.cross(wb.cross(a1))
    if kind1 == EDGE or kind2 == EDGE:
        line1 = LINE if kind1 == EDGE else POINT
        line2 = LINE if kind2 == EDGE else POINT
        c1_bar, slide1, slide2 = slide_vjp(line1, a1, line2, a2, 0.0, gap, c1_bar, c2_bar)
        c2_bar = p_bar - c1_bar
        turn1 = turn1 + a1.cross(slide1)
        turn2 = turn2 + a2.cross(slide2)
    return c1_bar, turn1, c2_bar, turn2


@ti.func
def slide_vjp(kind1: ti.i32, a1: vec3, kind2: ti.i32, a2: vec3, bend2: real, gap: vec3, c1_bar: vec3, c2_bar: vec3):
    """(c1_bar, a1_bar, a2_bar) where one or both of c1 and c2 slide along a1, a2; gap = c1 - c2. The sum of c1_bar and
    c2_bar stays.

    Both: what moves c1 and c2 along the lines moves the crossing, but for the part w = a1 x a2 of c1_bar across both.
    The determinant of the lines' two equations is w . w, but as a difference of products it loses twice as many digits
    where they are nearly parallel.
    """
    w1 = real(0.0)
    w2 = real(0.0)
    both = c1_bar + c2_bar
    bar = c1_bar
    across = gap
    if kind1 == LINE and kind2 == LINE:
        w = a1.cross(a2)
        ww = w.dot(w)
        sigma = a1.dot(a2)
        w1 = (w.dot(c1_bar.cross(a2)) + sigma * a2.dot(both)) / ww
        w2 = (w.dot(a1.cross(c2_bar)) + sigma * a1.dot(both)) / ww
        # c1_bar + w2 a2 - w1 a1, without the cancelling
        bar = (w.dot(c1_bar) * w - a2.dot(both) * a1.cross(w)) / ww
        # which lies along w, but for rounding
        across = (w.dot(gap) / ww) * w
    elif kind1 == LINE:
        w1 = a1.dot(c1_bar) / a1.dot(a1)
        bar = c1_bar - w1 * a1
    else:
        w2 = a2.dot(c2_bar) / (a2.dot(a2) + bend2)
        bar = c1_bar + w2 * a2
    return bar, -w1 * across, w2 * across
