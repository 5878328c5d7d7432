"""Rows of tendons' moments, d length / d q, as matrices and constraints need them: which dofs, and which of them share
an entry of the mass matrix.

The row of tendon t lies from `rowadr[t]` on, its dofs rising: those of the joints of a fixed tendon; of a spatial one
those that move the bodies of a span against each other. A tendon couples two of its dofs where one is above the
other in the kinematic tree: the mass matrix has no other entries, and MuJoCo leaves out what armature and implicit
damping of a tendon would add beyond them.
"""

from typing import NamedTuple

import numpy as np

from . import constants as c
from .trees import DEPTH, PARENT, ROW, tree


class Span(NamedTuple):
    """A piece of a spatial tendon, from a site to the next, with the geom that it may go round.

    site1, site2, geom and side, the site on the side of it where the tendon is: their numbers, -1 where there is none.
    pulley: where in wrap_prm its divisor stands, or -1. top: the deepest dof that moves all its bodies.
    """

    site1: int
    site2: int
    geom: int
    side: int
    pulley: int
    bodies: tuple[int, ...]
    top: int


def is_spatial(m):
    """(ntendon,): which tendons go from site to site; the others are fixed."""
    return m.wrap_type[m.tendon_adr] != c.WRAP_JOINT


def spans(m):
    """The spans of each tendon, none of a fixed one, in their order along it."""
    far = is_spatial(m)
    chains = _chains(m) if far.any() else ()
    return [_spans_of(m, t, chains) if far[t] else [] for t in range(len(far))]


def _spans_of(m, t, chains):
    found, pulley = [], -1
    k, end = m.tendon_adr[t], m.tendon_adr[t] + m.tendon_num[t] - 1
    while k < end:
        kinds = m.wrap_type[k : k + 2]
        if c.WRAP_PULLEY in kinds:
            pulley = k if kinds[0] == c.WRAP_PULLEY else pulley
            k += 1
            continue
        geom = side = -1
        ends = [m.wrap_objid[k], m.wrap_objid[k + 1]]
        bodies = list(m.site_bodyid[ends[:1]])
        if kinds[1] != c.WRAP_SITE:
            geom, side, ends[1] = ends[1], round(m.wrap_prm[k + 1]), m.wrap_objid[k + 2]
            bodies.append(m.geom_bodyid[geom])
            k += 1
        bodies.append(m.site_bodyid[ends[1]])
        common = set.intersection(*(set(chains[b]) for b in bodies))
        found.append(Span(*map(int, (*ends, geom, side, pulley)), tuple(map(int, bodies)), max(common, default=-1)))
        k += 1
    return found


def bodies_along(m, t):
    """The bodies that tendon t is attached to: those of its joints, or of its sites and geoms."""
    part = slice(m.tendon_adr[t], m.tendon_adr[t] + m.tendon_num[t])
    found = set()
    for kind, number in zip(m.wrap_type[part], m.wrap_objid[part], strict=True):
        if kind != c.WRAP_PULLEY:
            of = {c.WRAP_JOINT: m.jnt_bodyid, c.WRAP_SITE: m.site_bodyid}.get(kind, m.geom_bodyid)
            found.add(int(of[number]))
    return found


def _chains(m):
    """Of each body the dofs that move it."""
    chains = [()]
    for b in range(1, len(m.body_parentid)):
        own = range(m.body_dofadr[b], m.body_dofadr[b] + m.body_dofnum[b])
        chains.append((*chains[m.body_parentid[b]], *own))
    return chains


def rows(m):
    """rowadr, rownnz (ntendon,), colind (nJten,): the dofs of all rows, entry (nwrap,): where in them joints stand."""
    dofs, entry, begin = [], np.zeros(len(m.wrap_objid), int), []
    far = is_spatial(m)
    along, chains = (spans(m), _chains(m)) if far.any() else (None, None)
    for t, (first, number) in enumerate(zip(m.tendon_adr, m.tendon_num, strict=True)):
        begin.append(sum(map(len, dofs)))
        if far[t]:
            moving = {dof for span in along[t] for b in span.bodies for dof in chains[b] if dof > span.top}
            dofs.append(sorted(moving))
        else:
            part = slice(first, first + number)
            own = m.jnt_dofadr[m.wrap_objid[part]]
            dofs.append(np.sort(own).tolist())
            entry[part] = begin[t] + np.argsort(np.argsort(own))
    number = np.array([len(own) for own in dofs], int)
    return np.array(begin, int), number, np.array([dof for own in dofs for dof in own], int), entry


def tendon_dofs(m):
    """The dofs of each tendon, rising."""
    adr, number, colind, _ = rows(m)
    return [colind[a : a + n] for a, n in zip(adr, number, strict=True)]


def deepest_dofs(m):
    """The last of them, -1 where nothing moves the tendon."""
    return [dofs[-1] if len(dofs) else -1 for dofs in tendon_dofs(m)]


def most_columns(m):
    """The most columns in the Jacobian of a constraint on one tendon or two."""
    return 2 * int(np.max(rows(m)[1], initial=0))


def couples(m):
    """Pairs of entries of a tendon's row whose dofs share an entry of M, as the lower triangle has them.

    Returns rows (n, 3): entry of the deeper dof, of the other (or the same), and where their entry of M lies
    (dynamics/factor.py), and of each tendon where its pairs begin and how many there are.
    """
    found, adr, num = [], [], []
    columns = tree(m)[0] if len(m.tendon_adr) else ()
    first, number, colind, _ = rows(m)
    for a, n in zip(first, number, strict=True):
        adr.append(len(found))
        for i in range(a, a + n):
            above = set()
            k = colind[i]
            while k >= 0:
                above.add(k)
                k = columns[k, PARENT]
            row = 4 * columns[colind[i], ROW]
            found += [(i, j, row + columns[colind[j], DEPTH]) for j in range(a, i + 1) if colind[j] in above]
        num.append(len(found) - adr[-1])
    return np.array(found, np.int32).reshape(-1, 3), np.array(adr, int), np.array(num, int)


def inertia(m, above, moments):
    """Which tendons with armature have two dofs or one in a tree, and what they add to its mass matrix there.

    above {dof: its place in the tree}, moments (nJten,): the rows. Yields (place, place, inertia), each pair of places
    once.
    """
    pairs, adr, num = couples(m)
    colind = rows(m)[2]
    for t in np.flatnonzero(m.tendon_armature):
        for i, j, _ in pairs[adr[t] : adr[t] + num[t]]:
            if colind[i] in above and colind[j] in above:
                yield above[colind[i]], above[colind[j]], m.tendon_armature[t] * moments[i] * moments[j]
