"""The path of a spatial tendon in NumPy, for what is asked once: lengths and moments at qpos0, rest lengths, pictures.

dynamics/path.py and dynamics/wrapping.py have the same for the kernels, with the formulas explained.
"""

from typing import NamedTuple

import numpy as np

from . import constants as c
from .inertia import MINVAL
from .rotation import quat_mul, quat_to_mat
from .tendons import Span, spans

_PLACES = 20  # of an arc, for pictures


class Leg(NamedTuple):
    """A straight piece: the bodies and places (3,) of its two ends, and what its length is divided by."""

    body1: int
    body2: int
    place1: np.ndarray
    place2: np.ndarray
    divisor: float


class Course(NamedTuple):
    """A span in the world: its straight pieces, the way on its geom, m, and places (n, 3) along all of it."""

    legs: list
    arc: float
    places: np.ndarray


def courses(m, xpos, xquat):
    """The spans of each tendon where the bodies are at xpos (nbody, 3), xquat (nbody, 4): a list of Course for each."""
    return [[_course(m, span, xpos, xquat) for span in own] for own in spans(m)]


def length(along):
    """Length of a tendon with these courses, m."""
    return sum(
        sum(np.linalg.norm(leg.place2 - leg.place1) for leg in course.legs) / course.legs[0].divisor
        + course.arc / course.legs[0].divisor
        for course in along
    )


def moment(along, jacobian, nv):
    """(nv,): d length / d q. jacobian(body, place): (3, nv), of the velocity of a place on a body."""
    row = np.zeros(nv)
    for leg in (leg for course in along for leg in course.legs if leg.body1 != leg.body2):
        move = jacobian(leg.body2, leg.place2) - jacobian(leg.body1, leg.place1)
        row += _unit(leg.place2 - leg.place1)[0] @ move / leg.divisor
    return row


def _course(m, span: Span, xpos, xquat):
    def at(body, place):
        return xpos[body] + quat_to_mat(xquat[body]) @ place

    divisor = m.wrap_prm[span.pulley] if span.pulley >= 0 else 1.0
    x1, x2 = (at(m.site_bodyid[s], m.site_pos[s]) for s in (span.site1, span.site2))
    b1, b2 = span.bodies[0], span.bodies[-1]
    if span.geom >= 0:
        g, body = span.geom, m.geom_bodyid[span.geom]
        centre, turn = at(body, m.geom_pos[g]), quat_to_mat(quat_mul(xquat[body], m.geom_quat[g]))
        side = None if span.side < 0 else turn.T @ (at(m.site_bodyid[span.side], m.site_pos[span.side]) - centre)
        found = wrap(m.geom_type[g] == c.CYLINDER, turn.T @ (x1 - centre), turn.T @ (x2 - centre),
                     m.geom_size[g, 0], side)  # fmt: skip
        if found is not None:
            way, arc = centre + found[0] @ turn.T, found[1]
            legs = [Leg(b1, body, x1, way[0], divisor), Leg(body, b2, way[-1], x2, divisor)]
            return Course(legs, arc, np.vstack([x1, way, x2]))
    return Course([Leg(b1, b2, x1, x2, divisor)], 0.0, np.stack([x1, x2]))


def wrap(cylinder, x1, x2, radius, side=None):
    """Places (n, 3) of a tendon from x1 to x2 on a sphere or a cylinder about the z axis, and the length of its way
    there; None where it passes by. All in the geom's frame; side (3,): a place where the tendon is."""
    if min(np.linalg.norm(x1), np.linalg.norm(x2)) < MINVAL:
        return None
    if cylinder:
        a, b = np.eye(3)[:2]
    else:
        a = _unit(x1)[0]
        n, size = _unit(np.cross(x1, x2))
        if size < MINVAL:
            other = np.ones(3)
            other[np.argmax(abs(a))] = 0
            n = _unit(np.cross(a, other))[0]
        b = np.cross(n, a)
    plane = np.stack([a, b])
    ends = plane @ x1, plane @ x2
    if side is not None and np.linalg.norm(side) < radius:
        found = _inside(*ends, radius)
    else:
        found = _round(*ends, radius, None if side is None else _unit(plane @ side)[0])
    if found is None:
        return None
    flat, arc = found
    way = flat @ plane
    if cylinder:
        first, last = np.linalg.norm(ends[0] - flat[0]), np.linalg.norm(ends[1] - flat[-1])
        rise = (x2[2] - x1[2]) / (first + arc + last)
        way[:, 2] = x1[2] + rise * (first + np.linspace(0, arc, len(way)))
        arc = np.hypot(arc, rise * arc)
    return way, arc


def _round(x1, x2, r, side):
    """Round a circle on the shorter way, or on that over `side` (2,)."""
    if min(x1 @ x1, x2 @ x2) < r * r or r < MINVAL:
        return None
    turn = _angle(x1, x2) if side is None else _angle(x1, side) + _angle(side, x2)
    free = [np.arctan2(np.sqrt(x @ x - r * r), r) for x in (x1, x2)]
    angle, sense = abs(turn) - sum(free), 1 if turn >= 0 else -1
    if angle <= 0:
        return None
    start = np.arctan2(x1[1], x1[0]) + sense * free[0]
    places = start + sense * np.linspace(0, angle, _PLACES)
    return r * np.stack([np.cos(places), np.sin(places)], axis=1), r * angle


def _angle(a, b):
    return np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)


def _inside(x1, x2, r):
    """To a place on a circle from within and on, where the path is shortest."""
    len1, len2, d = np.linalg.norm(x1), np.linalg.norm(x2), x2 - x1
    if min(len1, len2) <= r or r < MINVAL:
        return None
    if d @ d > MINVAL:
        a = -(d @ x1) / (d @ d)
        if 0 < a < 1 and np.linalg.norm(x1 + a * d) <= r:
            return None
    middle = r * _unit(x1 + x2)[0]
    A, B, cos = r / len1, r / len2, x1 @ x2 / (len1 * len2)
    if cos < -1 + MINVAL:
        return None
    if cos > 1 - MINVAL:
        return middle[None], 0.0

    G = np.arccos(cos)
    u, f, turns = np.pi / 2, np.arcsin(A) + np.arcsin(B) - np.pi + G, 0
    while f < -1e-15 and turns < 60:
        slope = np.cos(u) * sum(k / np.sqrt(1 - (k * np.sin(u)) ** 2) for k in (A, B)) - 2
        u = max(u + f / max(-slope, MINVAL), 0.0)
        f = np.arcsin(A * np.sin(u)) + np.arcsin(B * np.sin(u)) - 2 * u + G
        turns += 1
    first = x1[0] * x2[1] - x1[1] * x2[0] > 0
    e = x1 / len1 if first else x2 / len2
    angle = u - np.arcsin((A if first else B) * np.sin(u))
    p = r * (np.cos(angle) * e + np.sin(angle) * np.array([-e[1], e[0]]))
    return p[None], 0.0


def _unit(x):
    """x at length 1, along the first axis where it has none, and its length."""
    size = np.linalg.norm(x)
    return (x / size if size >= MINVAL else np.eye(len(x))[0]), size
