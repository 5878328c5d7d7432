"""The kinematic tree over dofs, and what matrices and contacts take in memory along it (dynamics/factor.py)."""

import numpy as np

PARENT, RUN, DEPTH, ROW = range(4)  # columns of a tree, as E_... in the schema


def last_dof(m):
    """The deepest dof that moves each body, -1 for bodies fixed to the world."""
    last = np.full(m.nbody, -1, np.int32)
    for b in range(1, m.nbody):
        n = m.body_dofnum[b]
        last[b] = m.body_dofadr[b] + n - 1 if n else last[m.body_parentid[b]]
    return last


def tree(model):
    """The kinematic tree over dofs, columns parent, run, depth, row (nv, 4), and the entries of M that it asks
    for.

    A row has an entry for each ancestor and its own, and begins on a block of four (dynamics/factor.py).
    """
    columns, row = [], 0
    for k, parent in enumerate(model.dof_parentid.tolist()):
        depth = columns[parent][DEPTH] + 1 if parent >= 0 else 0
        run = columns[parent][RUN] if parent == k - 1 >= 0 else k
        columns.append((parent, run, depth, row))
        row += depth // 4 + 1
    return np.array(columns, np.int32).reshape(model.nv, 4), 4 * row


def tree_ids(model):
    """Of each dof the number of its kinematic tree, in order of the trees' first dofs."""
    ids = []
    for parent in model.dof_parentid.tolist():
        ids.append(ids[parent] if parent >= 0 else max(ids, default=-1) + 1)
    return np.array(ids, np.int32)


def strays(model):
    """Whether dofs do not come depth first: one is neither led to by the dof before nor by what leads there."""
    path = []
    for k, parent in enumerate(model.dof_parentid.tolist()):
        while path and path[-1] != parent:
            path.pop()
        if parent >= 0 and not path:
            return True
        path.append(k)
    return False


def pair_dofs(model):
    """The deepest dofs that move the two bodies of each candidate pair, -1 for the world's: shape (2, npair)."""
    return last_dof(model)[model.geom_bodyid[np.stack([model.pair_geom1, model.pair_geom2])]]


def longest_chain(columns, coupled):
    """The most dofs in a block: those that can move the two sides of what is `coupled` (2, n), or a ball joint's."""
    depth = np.append(columns[:, DEPTH] + 1, 0)
    return max(int(depth[coupled].sum(axis=0).max(initial=0)), 3)


def hessian_entries(model, columns, coupled):
    """Entries of the solver's Hessian if all that may be `coupled` (2, n) were so at once.

    Trees that pairs couple, or one whose branches they couple, may then have every dof before as an ancestor. This is
    memory at most: rows lie one after the other, so what a state does not ask for is not touched.
    """
    dofs = np.array(np.divmod(np.unique((coupled[0] * model.nv + coupled[1])[(coupled >= 0).all(axis=0)]), model.nv))
    group = np.arange(model.nv)  # of each dof: the first one of those that may be coupled with it
    for k in range(model.nv):
        if columns[k, PARENT] >= 0:
            group[k] = group[columns[k, PARENT]]
    root = group.copy()
    coupled = root[dofs]
    while (group[coupled[0]] != group[coupled[1]]).any():
        least = group[coupled].min(axis=0)
        for side in coupled:
            np.minimum.at(group, group[side], least)
            np.minimum.at(group, side, least)
        group = group[group]
    group = group[root]
    dense = np.isin(group, group[dofs])
    order = np.argsort(group, kind="stable")
    depth = np.empty(model.nv, int)
    depth[order] = np.arange(model.nv) - np.searchsorted(group[order], group[order])
    depth = np.where(dense, depth, columns[:, DEPTH])
    return int(4 * (depth // 4 + 1).sum())
