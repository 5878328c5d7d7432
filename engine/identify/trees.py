"""Which rows of derivatives can be pulled together: those of dofs in trees that share no inertia and no parameter.

A graph colouring of the Jacobian whose structure is known before (Curtis, Powell, Reid 1974): M is block diagonal where
nothing but the world joins two trees of dofs, and so is what each tree's step depends on.
"""

from typing import NamedTuple

import numpy as np

from engine.arrays import theta_layout
from engine.model.constants import RK4, TRN_JOINT
from engine.model.coordinates import QUATERNION, coordinates


class Apart(NamedTuple):
    """groups: units that one pull takes, lists of their numbers. columns: of each unit, which columns are its own."""

    groups: list
    columns: list


def dof_trees(model):
    """The tree of each dof: the first dof of its chain."""
    first = np.arange(model.nv)
    for i in range(model.nv):
        if model.dof_parentid[i] >= 0:
            first[i] = first[model.dof_parentid[i]]
    return first


def body_trees(model):
    """That of each body, -1 where no dof moves it."""
    dofs, found = dof_trees(model), np.full(model.nbody, -1)
    for b in range(1, model.nbody):
        own = model.body_dofnum[b] > 0
        found[b] = dofs[model.body_dofadr[b]] if own else found[model.body_parentid[b]]
    return found


def colours(model, sim, theta):
    """The Apart of a model for these entries of theta, or None where its trees are one or may feel each other."""
    trees = dof_trees(model)
    tied = model.neq or model.ntendon or model.na or model.opt.integrator == RK4 or model.nmocap
    tied = tied or model.nresidual  # whose force on one tree may depend on others
    tied = tied or any(c.kind == QUATERNION for c in coordinates(model))
    tied = tied or (np.asarray(model.actuator_trntype) != TRN_JOINT).any()
    if tied or len(set(trees.tolist())) < 2:
        return None
    actuators = trees[model.jnt_dofadr[model.actuator_trnid]] if model.nu else trees[:0]
    entries = _theta_trees(model, sim, theta, trees, actuators)
    if entries is None:
        return None
    of_column = np.concatenate([trees, trees, actuators, entries])
    numbers = {}
    groups = {}
    for i, tree in enumerate(trees.tolist()):
        number = numbers[tree] = numbers.get(tree, -1) + 1
        groups.setdefault(number, []).append(i)
    return Apart(list(groups.values()), [of_column == tree for tree in trees])


def _theta_trees(model, sim, theta, trees, actuators):
    """The tree that each entry of theta belongs to; None where one belongs to several, as gravity does."""
    of = {"dof": trees, "jnt": trees[model.jnt_dofadr], "body": body_trees(model), "actuator": actuators}
    found = np.full(sim.sizes["ntheta"], -2)
    for name, (at, shape) in theta_layout(model, sim.leaves)[0].items():
        kind = name.partition("_")[0]
        if kind in of and name not in sim.leaves:
            size = int(np.prod(shape))
            found[at : at + size] = np.repeat(of[kind], size // max(shape[0], 1))
    found = found[theta]
    return None if (found == -2).any() else found
