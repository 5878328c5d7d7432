"""What equality constraints tie together, as the kernels read it: places on two bodies, or two coordinates."""

import numpy as np

from . import constants as c
from .tendons import deepest_dofs, tendon_dofs
from .trees import last_dof, pair_dofs

NOTHING = {
    "kind": 0, "body1": 0, "body2": 0, "qposadr1": 0, "qposadr2": 0, "last1": -1, "last2": -1,
    "anchor1": np.zeros(3), "anchor2": np.zeros(3), "quat1": np.array([1.0, 0, 0, 0]),
    "quat2": np.array([1.0, 0, 0, 0]), "solref": np.zeros(2), "solimp": np.zeros(5), "polycoef": np.zeros(5),
    "ref1": 0.0, "ref2": 0.0, "torquescale": 0.0, "diaga": 0.0, "turned": 0.0,
}  # fmt: skip


def _tie(m, e):
    """The constraint numbered e as the kernels read it."""
    tie = {**NOTHING, "kind": m.eq_type[e], "solref": m.eq_solref[e], "solimp": m.eq_solimp[e]}
    first, second, data = m.eq_obj1id[e], m.eq_obj2id[e], m.eq_data[e]
    if m.eq_type[e] == c.EQ_JOINT:
        for k, j in (("1", first), ("2", second)):
            if j >= 0:
                at = m.jnt_qposadr[j]
                tie |= {f"qposadr{k}": at, f"last{k}": m.jnt_dofadr[j], f"ref{k}": m.qpos0[at]}
                tie["diaga"] += m.dof_invweight0[m.jnt_dofadr[j]]
        return tie | {"polycoef": data[:5]}
    if m.eq_type[e] == c.EQ_TENDON:  # lengths in the place of coordinates
        deepest = deepest_dofs(m)
        for k, t in (("1", first), ("2", second)):
            if t >= 0:
                tie |= {f"qposadr{k}": t, f"last{k}": deepest[t], f"ref{k}": m.tendon_length0[t]}
                tie["diaga"] += m.tendon_invweight0[t]
        return tie | {"polycoef": data[:5]}
    weld, last = m.eq_type[e] == c.EQ_WELD, last_dof(m)
    bodies = (first, second)
    if m.eq_objtype[e] == c.OBJ_SITE:
        bodies = m.site_bodyid[[first, second]]
        for k, site in (("1", first), ("2", second)):
            tie |= {f"anchor{k}": m.site_pos[site], f"quat{k}": m.site_quat[site]}
    else:
        one, two = (data[3:6], data[:3]) if weld else (data[:3], data[3:6])
        tie |= {"anchor1": one, "anchor2": two}
        if weld:
            tie["quat1"] = data[6:10]
    for k, b in zip("12", bodies, strict=True):
        tie |= {f"body{k}": b, f"last{k}": last[b]}
        tie["diaga"] += m.body_invweight0[b, 0]
        tie["turned"] += m.body_invweight0[b, 1]
    if _alike(m, tie["last1"], tie["last2"]):
        tie |= {"last1": -1, "last2": -1}
    return tie | {"torquescale": data[10]}


def _alike(m, last1, last2):
    """Whether the same dofs move two bodies, and all of them slide: every row of a constraint between them is exactly
    zero. MuJoCo leaves such a constraint out, and so it has no force for sensors either."""
    dof = last1 if last1 == last2 else -1
    alike = dof >= 0
    while dof >= 0 and alike:
        alike = m.jnt_type[m.dof_jntid[dof]] == c.SLIDE
        dof = m.dof_parentid[dof]
    return bool(alike)


def all_ties(m):
    """Of all constraints, whether or not they act at first: dicts with the names of NOTHING."""
    return [_tie(m, e) for e in range(m.neq)]


def ties(m):
    """Those of the constraints that can move something."""
    return [tie for tie in all_ties(m) if tie["last1"] >= 0 or tie["last2"] >= 0]


def coupled_dofs(m):
    """The deepest dofs that move the two sides of each candidate pair and each tie, -1 for the world's: (2, n). Of a
    tendon, its deepest dof with each of the others."""
    tied = [(tie["last1"], tie["last2"]) for tie in ties(m)]
    tied += [(dofs[-1], dof) for dofs in tendon_dofs(m) for dof in dofs[:-1]]
    return np.concatenate([pair_dofs(m), np.array(tied, int).reshape(-1, 2).T], axis=1)
