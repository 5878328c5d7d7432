"""Triangles of meshes as rays meet them: of each mesh a tree of boxes, in two flat arrays (sensing/mesh.py).

A box holds its triangles, and is halved at the median along the longest side of their middles until few are left. The
boxes of a tree stand in the order in which a ray asks for them, each before its two halves, and each names the one that
is next where the ray misses it, so a kernel needs no stack.
"""

import functools

import numpy as np

from .constants import MESH
from .hulls import runs
from .sensors import SENS

LEAF = 4  # triangles at most in a box that is not halved
NODE = 4  # integers of a box: where to go on where a ray misses it; places of its numbers and its triangles; how many
BOX, CORNERS = 6, 9  # numbers of a box and of a triangle
PAD = 1e-6  # of the longest side of a mesh: no rounding lets a ray pass between a box and what is in it


def ranged(m):
    """Meshes that rangefinders of a Model may see, their numbers; none without rangefinders."""
    if not np.any(np.asarray(m.sensor_type) == SENS.rangefinder):
        return np.zeros(0, int)
    seen = (m.geom_type == MESH) & (m.geom_dataid >= 0) & (m.geom_rgba[:, 3] > 0)
    return np.unique(m.geom_dataid[seen])


def tree_sizes(m, which):
    """(integers, numbers) of the trees of these meshes."""
    faces = [len(m.mesh_face[k]) for k in which]
    boxes = sum(map(boxes_of, faces))
    return NODE * boxes, BOX * boxes + CORNERS * sum(faces)


@functools.cache
def boxes_of(n):
    """How many boxes a tree of n triangles has."""
    return 1 + boxes_of(n // 2) + boxes_of(n - n // 2) if n > LEAF else int(n > 0)


def trees(m, which, node=0, number=0):
    """(integers, numbers, first and end of the integers of each mesh (meshes, 2), the same of those without a tree) of
    the trees of these meshes. What they name are places in arrays in which `node` integers and `number` numbers stand
    before them."""
    nodes, numbers, ends = [np.zeros(0, int)], [np.zeros(0)], np.zeros((len(m.mesh_vert), 2), int)
    for k in which:
        found = _tree(np.asarray(m.mesh_vert[k], float), np.asarray(m.mesh_face[k]), node, number)
        ends[k] = node, node + found[0].size
        node, number = ends[k, 1], number + found[1].size
        nodes.append(found[0])
        numbers.append(found[1])
    return np.concatenate(nodes), np.concatenate(numbers), ends


def _tree(vert, face, node, number):
    corners = vert[face]
    n, total = len(face), boxes_of(len(face))
    nodes, boxes, order, halves = np.zeros((total, NODE), int), np.zeros((total, 2, 3)), np.arange(n), []
    middle = 0.5 * (corners.min(axis=1) + corners.max(axis=1))
    of, first, count = (np.array([k])[:total] for k in (0, 0, n))
    while len(of):  # all boxes of a depth at once
        halved = count > LEAF
        nodes[of, 0] = of + _boxes(count)
        nodes[of, 2], nodes[of, 3] = first, np.where(halved, 0, count)
        of, first, count = of[halved], first[halved], count[halved]
        if len(of):
            place, begin, which = runs(first, count), np.cumsum(count) - count, np.repeat(np.arange(len(of)), count)
            own = middle[order[place]]
            low, high = np.minimum.reduceat(own, begin), np.maximum.reduceat(own, begin)
            axis = np.argmax(high - low, axis=1)
            low, wide = low[np.arange(len(of)), axis], np.ptp([low, high], axis=0).max(axis=1) + 1e-300
            along = (own[np.arange(len(own)), axis[which]] - low[which]) / wide[which]
            order[place] = order[place[np.argsort(which + 0.5 * along)]]
        left = count // 2
        second = of + 1 + _boxes(left)
        halves.append((of, second))
        of, first, count = (
            np.ravel(both, order="F") for both in ((of + 1, second), (first, first + left), (left, count - left))
        )
    corners = corners[order]
    ends = np.flatnonzero(nodes[:, 3])
    if n:
        begin = nodes[ends, 2]  # rises, as the boxes do
        boxes[ends, 0] = np.minimum.reduceat(corners.min(axis=1), begin)
        boxes[ends, 1] = np.maximum.reduceat(corners.max(axis=1), begin)
    for of, second in reversed(halves):
        boxes[of, 0] = np.minimum(boxes[of + 1, 0], boxes[second, 0])
        boxes[of, 1] = np.maximum(boxes[of + 1, 1], boxes[second, 1])
    pad = PAD * np.ptp(vert, axis=0).max(initial=0) if n else 0.0
    boxes += np.array([-pad, pad])[:, None]
    nodes[:, 0] = node + NODE * nodes[:, 0]
    nodes[:, 1] = number + BOX * np.arange(total)
    nodes[:, 2] = number + BOX * total + CORNERS * nodes[:, 2]
    return nodes.ravel(), np.concatenate([boxes.ravel(), corners.ravel()])


def _boxes(counts):
    """boxes_of each; at one depth of a tree counts differ by one at most."""
    known, at = np.unique(counts, return_inverse=True)
    return np.array([boxes_of(k) for k in known.tolist()], int)[at]
