"""Rows of tendons' moments, d length / d q, as matrices and constraints need them: which dofs, and which of them share
an entry of the mass matrix.

The row of tendon t lies from `rowadr[t]` on, its dofs rising. A tendon couples two of its dofs where one is above the
other in the kinematic tree: the mass matrix has no other entries, and MuJoCo leaves out what armature and implicit
damping would add beyond them.
"""

import numpy as np

from .trees import DEPTH, PARENT, ROW, tree


def rows(m):
    """rowadr (ntendon,), colind (nwrap,): the dofs of all rows, entry (nwrap,): where in them a joint stands."""
    colind, entry = np.zeros(len(m.wrap_objid), int), np.zeros(len(m.wrap_objid), int)
    for first, number in zip(m.tendon_adr, m.tendon_num, strict=True):
        part = slice(first, first + number)
        dofs = m.jnt_dofadr[m.wrap_objid[part]]
        colind[part] = np.sort(dofs)
        entry[part] = first + np.argsort(np.argsort(dofs))
    return np.array(m.tendon_adr), colind, entry


def tendon_dofs(m):
    """The dofs of each tendon, rising."""
    adr, colind, _ = rows(m)
    return [colind[a : a + n] for a, n in zip(adr, m.tendon_num, strict=True)]


def deepest_dofs(m):
    """The last of them."""
    return [dofs[-1] for dofs in tendon_dofs(m)]


def most_columns(m):
    """The most columns in the Jacobian of a constraint on one tendon or two."""
    return 2 * int(np.max(m.tendon_num, initial=0))


def couples(m):
    """Pairs of entries of a tendon's row whose dofs share an entry of M, as the lower triangle has them.

    Returns rows (n, 3): entry of the deeper dof, of the other (or the same), and where their entry of M lies
    (dynamics/factor.py), and of each tendon where its pairs begin and how many there are.
    """
    found, adr, num = [], [], []
    columns = tree(m)[0] if len(m.tendon_adr) else ()
    first, colind, _ = rows(m)
    for a, n in zip(first, m.tendon_num, strict=True):
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


def inertia(m, above):
    """Which tendons with armature have two dofs or one in a tree, and what they add to its mass matrix there.

    above {dof: its place in the tree}. Yields (place, place, inertia), each pair of places once.
    """
    pairs, adr, num = couples(m)
    _, _, entry = rows(m)
    colind = rows(m)[1]
    coef = np.zeros(len(entry))
    coef[entry] = m.wrap_prm
    for t in np.flatnonzero(m.tendon_armature):
        for i, j, _ in pairs[adr[t] : adr[t] + num[t]]:
            if colind[i] in above and colind[j] in above:
                yield above[colind[i]], above[colind[j]], m.tendon_armature[t] * coef[i] * coef[j]
