"""Candidate contact pairs: which geoms may ever touch, and with which mixed parameters.

The rules are MuJoCo's (documentation: Computation/Collision/Selection and Modeling/Contact parameters). Here they run
once, when the model is made, because everything they read is constant; MuJoCo applies them at run time.

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
SUPPORTED = {
    (c.PLANE, c.SPHERE), (c.PLANE, c.CAPSULE), (c.PLANE, c.ELLIPSOID), (c.PLANE, c.CYLINDER), (c.PLANE, c.BOX),
    (c.PLANE, c.MESH), (c.SPHERE, c.SPHERE), (c.SPHERE, c.CAPSULE), (c.SPHERE, c.CYLINDER), (c.SPHERE, c.BOX),
    (c.CAPSULE, c.CAPSULE), (c.CAPSULE, c.BOX), (c.BOX, c.BOX),
}  # fmt: skip
SUPPORTED |= {  # by a search between convex shapes
    (c.SPHERE, c.ELLIPSOID), (c.SPHERE, c.MESH), (c.CAPSULE, c.ELLIPSOID), (c.CAPSULE, c.CYLINDER), (c.CAPSULE, c.MESH),
    (c.ELLIPSOID, c.ELLIPSOID), (c.ELLIPSOID, c.CYLINDER), (c.ELLIPSOID, c.BOX), (c.ELLIPSOID, c.MESH),
    (c.CYLINDER, c.CYLINDER), (c.CYLINDER, c.BOX), (c.CYLINDER, c.MESH), (c.BOX, c.MESH), (c.MESH, c.MESH),
}  # fmt: skip
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


PARAMETERS = tuple(Pair.__dataclass_fields__)


def find_pairs(m, explicit=(), exclude=(), filterparent=True, midphase=True):
    """All candidate pairs of `m` in MuJoCo's contact order: {parameter of a Pair: array, one entry for each pair}.

    `explicit` are Pairs with their own parameters: they escape every filter but the one for bodies that cannot move
    against each other. `exclude` are pairs of bodies. filterparent, midphase: flags; the latter decides the order.
    """
    own = [_ordered(m, pair) for pair in explicit if _can_move_apart(m, pair.geom1, pair.geom2)]
    geom1, geom2 = _filtered(m, exclude, filterparent)
    n = len(m.geom_type)
    free = ~np.isin(geom1 * n + geom2, [pair.geom1 * n + pair.geom2 for pair in own])
    mixed = _mix(m, geom1[free], geom2[free])
    pairs = {}
    for name, values in mixed.items():
        first = np.array([getattr(pair, name) for pair in own], values.dtype).reshape(-1, *values.shape[1:])
        pairs[name] = np.concatenate([first, values])
    bodies = np.sort([m.geom_bodyid[pairs["geom1"]], m.geom_bodyid[pairs["geom2"]]], axis=0)
    found = np.arange(len(bodies[0])) >= len(own)  # after the explicit pairs of the same bodies, which keep their order
    first, second = pairs["geom1"], pairs["geom2"]
    if not midphase:  # as they are numbered, whatever their types
        first, second = np.sort([first, second], axis=0)
    order = np.lexsort((second * found, first * found, found, bodies[1], bodies[0]))
    return {name: values[order] for name, values in pairs.items()}


def no_pairs(m):
    """What `find_pairs` returns where nothing touches."""
    none = np.zeros(0, int)
    return _mix(m, none, none)


def pair_refusals(m, pairs):
    """A Refusal for each kind of pair that the engine cannot collide, by their types."""
    geom1, geom2 = pairs["geom1"], pairs["geom2"]
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


def pair_arrays(pairs):
    """The Model's `pair_*` arrays."""
    return {f"pair_{name}": values for name, values in pairs.items()} | {
        "pair_friction": np.maximum(pairs["friction"], MIN_FRICTION)
    }


def _filtered(m, exclude, filterparent):
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
    values["friction"] = values["friction"][:, [0, 0, 1, 2, 2]]
    sums = {name: getattr(m, f"geom_{name}")[g1] + getattr(m, f"geom_{name}")[g2] for name in ("margin", "gap")}
    pairs = {"geom1": g1, "geom2": g2, "solreffriction": np.zeros((len(g1), 2)), **values, **sums}
    return {name: pairs[name] for name in PARAMETERS}


def _solmix_share(mix1, mix2):
    """Weights of the first geoms; a vanishing solmix leaves the word to the other geom."""
    none1, none2 = mix1 < MINVAL, mix2 < MINVAL
    share = mix1 / np.where(none1 | none2, 1.0, mix1 + mix2)
    return np.where(none1 | none2, np.where(none1 & none2, 0.5, ~none1), share)


def _label(m, g):
    name = m.geom_names[g]
    return f"geom '{name}'" if name else f"geom {g} of body {m.body_names[m.geom_bodyid[g]] or m.geom_bodyid[g]}"
