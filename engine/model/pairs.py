"""Candidate contact pairs: which geoms may ever touch, and with which parameters.

The rules are MuJoCo's (documentation: Computation/Collision/Selection and Modeling/Contact parameters). Which pairs
there are is found once, when the model is made, because all that this depends on is constant. Parameters are mixed
where a contact is made (contact/mixing.py, of which `contact_parameters` is the twin on the host).

    weld group   bodies rigidly joined to each other (`body_weldid`); group 0 is the world and what is fixed to it
    geom 1, 2    ordered by geom type, then by number; the contact normal points from 1 to 2
"""

from dataclasses import dataclass

import numpy as np

from . import constants as c
from .inertia import MINVAL
from .report import SHOWN, Refusal, shown

MIN_FRICTION = 1e-5  # MuJoCo's mjMINMU: the cone needs a positive coefficient

_UNMATCHED = {(c.PLANE, c.PLANE), (c.PLANE, c.HFIELD), (c.HFIELD, c.HFIELD)}  # MuJoCo never tests these
CLOSED = {  # pairs whose contacts have a formula, and how many they can make at most
    (c.PLANE, c.SPHERE): 1, (c.PLANE, c.CAPSULE): 2, (c.PLANE, c.ELLIPSOID): 1, (c.PLANE, c.CYLINDER): 4,
    (c.PLANE, c.BOX): 4, (c.PLANE, c.MESH): 4, (c.SPHERE, c.SPHERE): 1, (c.SPHERE, c.CAPSULE): 2,
    (c.SPHERE, c.CYLINDER): 1, (c.SPHERE, c.BOX): 1, (c.CAPSULE, c.CAPSULE): 2, (c.CAPSULE, c.BOX): 2,
    (c.BOX, c.BOX): 8,
}  # fmt: skip
SUPPORTED = {*CLOSED} | {  # by a search between convex shapes
    (c.SPHERE, c.ELLIPSOID), (c.SPHERE, c.MESH), (c.CAPSULE, c.ELLIPSOID), (c.CAPSULE, c.CYLINDER), (c.CAPSULE, c.MESH),
    (c.ELLIPSOID, c.ELLIPSOID), (c.ELLIPSOID, c.CYLINDER), (c.ELLIPSOID, c.BOX), (c.ELLIPSOID, c.MESH),
    (c.CYLINDER, c.CYLINDER), (c.CYLINDER, c.BOX), (c.CYLINDER, c.MESH), (c.BOX, c.MESH), (c.MESH, c.MESH),
    # of each prism of a height field
    (c.HFIELD, c.SPHERE), (c.HFIELD, c.CAPSULE), (c.HFIELD, c.ELLIPSOID), (c.HFIELD, c.CYLINDER), (c.HFIELD, c.BOX),
    (c.HFIELD, c.MESH),
}  # fmt: skip
MOST_OF_FIELD = 50  # contacts of a geom with a height field; MuJoCo's mjMAXCONPAIR
CONDIMS = (1, 3, 4, 6)


@dataclass
class Pair:
    """A candidate pair with parameters of its own; friction is [tangent1, tangent2, spin, roll1, roll2]."""

    geom1: int
    geom2: int
    dim: int
    friction: np.ndarray
    solref: np.ndarray
    solimp: np.ndarray
    margin: float
    gap: float
    solreffriction: np.ndarray | tuple = (0.0, 0.0)


OWN = {"dim": (), "friction": (5,), "solref": (2,), "solreffriction": (2,), "solimp": (5,), "margin": (), "gap": ()}


def find_pairs(m, explicit=(), exclude=(), filterparent=True, midphase=True):
    """All candidate pairs of `m` in MuJoCo's contact order, with the parameters of those that have their own: the
    Model's `pair_*` arrays.

    `explicit` are Pairs with their own parameters: they escape every filter but the one for bodies that cannot move
    against each other. `exclude` are pairs of bodies. filterparent, midphase: flags; the latter decides the order.
    """
    own = [_ordered(m, pair) for pair in explicit if _can_move_apart(m, pair.geom1, pair.geom2)]
    geom1, geom2 = filtered_pairs(m, exclude, filterparent)
    n = len(m.geom_type)
    free = ~np.isin(geom1 * n + geom2, [pair.geom1 * n + pair.geom2 for pair in own])
    geom1 = np.concatenate([np.array([pair.geom1 for pair in own], int), geom1[free]])
    geom2 = np.concatenate([np.array([pair.geom2 for pair in own], int), geom2[free]])
    found = np.arange(len(geom1)) >= len(own)  # after the explicit pairs of the same bodies, which keep their order
    bodies = np.sort([m.geom_bodyid[geom1], m.geom_bodyid[geom2]], axis=0)
    first, second = geom1, geom2
    if not midphase:  # as they are numbered, whatever their types
        first, second = np.sort([geom1, geom2], axis=0)
    order = np.lexsort((second * found, first * found, found, bodies[1], bodies[0]))
    numbers = np.where(found, -1, np.arange(len(geom1)))
    return {"pair_geom1": geom1[order], "pair_geom2": geom2[order], "pair_own": numbers[order]} | _own_arrays(own)


def no_pairs():
    """What `find_pairs` returns where nothing touches."""
    return {name: np.zeros(0, int) for name in ("pair_geom1", "pair_geom2", "pair_own")} | _own_arrays([])


def _own_arrays(own):
    arrays = {f"pair_{name}": np.reshape([getattr(pair, name) for pair in own], (len(own), *shape))
              for name, shape in OWN.items()}  # fmt: skip
    return arrays | {
        "pair_dim": arrays["pair_dim"].astype(int),
        "pair_friction": np.maximum(arrays["pair_friction"], MIN_FRICTION),
    }


def pair_refusals(m):
    """A Refusal for each kind of pair that the engine cannot collide, by their types."""
    geom1, geom2 = m.pair_geom1, m.pair_geom2
    collides = np.zeros((max(c.GEOM_NAMES) + 1,) * 2, bool)
    collides[tuple(np.transpose(sorted(SUPPORTED)))] = True
    kinds = m.geom_type[geom1] * len(collides) + m.geom_type[geom2]
    fits = collides[m.geom_type[geom1], m.geom_type[geom2]]
    types = ", ".join("-".join(c.GEOM_NAMES[k] for k in kinds) for kinds in sorted(SUPPORTED))
    allowed = f"allowed are {types}; or keep them apart by contype and conaffinity"
    for kind in dict.fromkeys(kinds[~fits].tolist()):
        what = "-".join(c.GEOM_NAMES[k] for k in divmod(kind, len(collides)))
        yield _refusal(m, geom1, geom2, np.flatnonzero(kinds == kind), what, allowed)


def _refusal(m, geom1, geom2, pairs, what, allowed):
    n = len(pairs)
    whose = [f"{_label(m, geom1[i])} with {_label(m, geom2[i])}" for i in pairs[:SHOWN]]
    times = f"{n} times " * (n > 1)
    return Refusal(f"{times}contact of {shown(whose, n)}: {what}; {allowed}", f"contact: {what}", n)


def contact_parameters(m):
    """{parameter of a Pair: (npair, ...)}: what a contact of each candidate pair of Model `m` has."""
    values = _mix(m, m.pair_geom1, m.pair_geom2)
    own = m.pair_own >= 0
    for name, mixed in values.items():
        mixed[own] = getattr(m, f"pair_{name}")[m.pair_own[own]]
    return values


def condims(m):
    """How many dimensions the contacts of each candidate pair have, (npair,)."""
    g1, g2 = m.pair_geom1, m.pair_geom2
    first = m.geom_priority[g1] > m.geom_priority[g2]
    second = m.geom_priority[g1] < m.geom_priority[g2]
    dim1, dim2 = m.geom_condim[g1], m.geom_condim[g2]
    dims = np.where(first, dim1, np.where(second, dim2, np.maximum(dim1, dim2)))
    own = m.pair_own >= 0
    dims[own] = m.pair_dim[m.pair_own[own]]
    return dims


def filtered_pairs(m, exclude, filterparent):
    """The geoms 1 and the geoms 2 of all pairs that pass MuJoCo's filters for pairs found by the bodies."""
    first, second = np.triu_indices(len(m.geom_type), 1)
    contype, affinity, kind = m.geom_contype, m.geom_conaffinity, m.geom_type
    keep = (contype[first] & affinity[second] | contype[second] & affinity[first]) != 0
    first, second = first[keep], second[keep]
    body1, body2 = m.geom_bodyid[first], m.geom_bodyid[second]
    weld1, weld2 = m.body_weldid[body1], m.body_weldid[body2]
    keep = (weld1 != weld2) & ((m.body_dofnum[weld1] > 0) | (m.body_dofnum[weld2] > 0))
    if filterparent:
        above = m.body_weldid[m.body_parentid[m.body_weldid]]  # the group that a body's group hangs on
        keep &= (weld1 == 0) | (weld2 == 0) | ((weld1 != above[body2]) & (weld2 != above[body1]))
    for a, b in exclude:
        keep &= ~((body1 == a) & (body2 == b) | (body1 == b) & (body2 == a))
    for one, other in _UNMATCHED:
        keep &= ~((kind[first] == one) & (kind[second] == other) | (kind[first] == other) & (kind[second] == one))
    first, second = first[keep], second[keep]
    swap = kind[first] > kind[second]
    return np.where(swap, second, first), np.where(swap, first, second)


def _can_move_apart(m, g1, g2):
    weld1, weld2 = m.body_weldid[m.geom_bodyid[g1]], m.body_weldid[m.geom_bodyid[g2]]
    return weld1 != weld2 and (m.body_dofnum[weld1] > 0 or m.body_dofnum[weld2] > 0)


def _ordered(m, pair):
    g1, g2 = sorted((pair.geom1, pair.geom2), key=lambda g: (m.geom_type[g], m.geom_bodyid[g], g))
    pair.geom1, pair.geom2 = int(g1), int(g2)
    return pair


def _mix(m, g1, g2):
    """Contact parameters of pairs of geoms: the one of higher priority decides, equals are mixed."""
    share = _solmix_share(m.geom_solmix[g1], m.geom_solmix[g2])[:, None]
    solref1, solref2 = m.geom_solref[g1], m.geom_solref[g2]
    # where at least one is in the direct format, a mean with the other format has no meaning
    standard = ((solref1[:, 0] > 0) & (solref2[:, 0] > 0))[:, None]
    values = {
        "dim": np.maximum(m.geom_condim[g1], m.geom_condim[g2]),
        "friction": np.maximum(m.geom_friction[g1], m.geom_friction[g2]),
        "solref": np.where(standard, share * solref1 + (1 - share) * solref2, np.minimum(solref1, solref2)),
        "solimp": share * m.geom_solimp[g1] + (1 - share) * m.geom_solimp[g2],
    }
    priority1, priority2 = m.geom_priority[g1], m.geom_priority[g2]
    for stronger, geoms in ((priority1 > priority2, g1), (priority2 > priority1, g2)):
        for name, mixed in values.items():
            array = "geom_condim" if name == "dim" else f"geom_{name}"
            mixed[stronger] = getattr(m, array)[geoms[stronger]]
    values["friction"] = np.maximum(values["friction"][:, [0, 0, 1, 2, 2]], MIN_FRICTION)
    values |= {name: getattr(m, f"geom_{name}")[g1] + getattr(m, f"geom_{name}")[g2] for name in ("margin", "gap")}
    return values | {"solreffriction": np.zeros((len(g1), 2))}


def _solmix_share(mix1, mix2):
    """Weights of the first geoms; a vanishing solmix leaves the word to the other geom."""
    none1, none2 = mix1 < MINVAL, mix2 < MINVAL
    share = mix1 / np.where(none1 | none2, 1.0, mix1 + mix2)
    return np.where(none1 | none2, np.where(none1 & none2, 0.5, ~none1), share)


def _label(m, g):
    name = m.geom_names[g]
    return f"geom '{name}'" if name else f"geom {g} of body {m.body_names[m.geom_bodyid[g]] or m.geom_bodyid[g]}"
