"""How arrays over dofs, contacts and pairs of a model are laid out: what depends on its trees and its pairs."""

import numpy as np

from engine import schema as s
from engine.features import SWEPT
from engine.model.constants import PLANE


def tree(model):
    """The kinematic tree over dofs, columns E_... of each (nv, NEI), and the entries of M that it asks for.

    A row has an entry for each ancestor and its own, and begins on a block of four (dynamics/factor.py).
    """
    columns, row = [], 0
    for k, parent in enumerate(model.dof_parentid.tolist()):
        depth = columns[parent][s.E_DEPTH] + 1 if parent >= 0 else 0
        run = columns[parent][s.E_RUN] if parent == k - 1 >= 0 else k
        columns.append((parent, run, depth, row))
        row += depth // 4 + 1
    return np.array(columns, np.int32).reshape(model.nv, s.NEI), 4 * row


def pair_dofs(model):
    """The deepest dofs that move the two bodies of each candidate pair, -1 for the world's: shape (2, npair)."""
    return last_dof(model)[model.geom_bodyid[pair_geoms(model)]]


def longest_chain(model, columns):
    """The most dofs that can move the two bodies of a candidate pair, or a ball joint, against each other."""
    depth = np.append(columns[:, s.E_DEPTH] + 1, 0)
    return max(int(depth[pair_dofs(model)].sum(axis=0).max(initial=0)), 3)


def hessian_entries(model, columns):
    """Entries of the solver's Hessian if all candidate pairs touched at once.

    Trees that pairs couple, or one whose branches they couple, may then have every dof before as an ancestor. This is
    memory at most: rows lie one after the other, so what a state does not ask for is not touched.
    """
    dofs = pair_dofs(model)
    dofs = np.array(np.divmod(np.unique((dofs[0] * model.nv + dofs[1])[(dofs >= 0).all(axis=0)]), model.nv))
    group = np.arange(model.nv)  # of each dof: the first one of those that may be coupled with it
    for k in range(model.nv):
        if columns[k, s.E_PARENT] >= 0:
            group[k] = group[columns[k, s.E_PARENT]]
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
    depth = np.where(dense, depth, columns[:, s.E_DEPTH])
    return int(4 * (depth // 4 + 1).sum())


def last_dof(model):
    """The deepest dof that moves each body, -1 for bodies fixed to the world."""
    last = np.full(model.nbody, -1, np.int32)
    for b in range(1, model.nbody):
        n = model.body_dofnum[b]
        last[b] = model.body_dofadr[b] + n - 1 if n else last[model.body_parentid[b]]
    return last


def pair_geoms(model):
    """The geoms of each candidate pair, (2, npair)."""
    return np.stack([model.pair_geom1, model.pair_geom2])


def pair_types(model):
    """Their types."""
    return model.geom_type[pair_geoms(model)]


def broad_phase(model):
    """What the broad phase reads (contact/broad.py): the geoms that it sweeps, columns K_...; their partners; and the
    pairs that are always tried, which are those with planes. All empty where trying each pair is faster."""
    geoms = pair_geoms(model)
    plane = model.geom_type[geoms[0]] == PLANE
    numbers = np.flatnonzero(~plane)
    swept, slots = np.unique(geoms[:, numbers], return_inverse=True)
    if len(numbers) < max(SWEPT * len(swept), 1):
        return np.zeros((0, s.NKG), int), np.zeros((0, s.NKP), int), np.zeros(0, int)
    slots = np.sort(slots.reshape(2, -1), axis=0)
    order = np.lexsort((numbers, slots[1], slots[0]))
    first = np.searchsorted(slots[0][order], np.arange(len(swept) + 1))
    return (
        np.stack([swept, first[:-1], first[1:]], axis=1),
        np.stack([slots[1][order], numbers[order]], axis=1),
        np.flatnonzero(plane),
    )


def reaches(model, geoms):
    """Radius around each of these geoms' centres such that two that come closer than the margin of a pair overlap."""
    share = np.zeros(model.ngeom)
    for side in pair_geoms(model):
        np.maximum.at(share, side, (model.pair_margin + model.pair_gap) / 2)
    return 1.000001 * (model.geom_rbound + share)[geoms]
