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

MIN_FRICTION = 1e-5  # MuJoCo's mjMINMU: the cone needs a positive coefficient

_UNMATCHED = {(c.PLANE, c.PLANE), (c.PLANE, c.HFIELD), (c.HFIELD, c.HFIELD)}  # MuJoCo never tests these
_SUPPORTED = {
    (c.PLANE, c.SPHERE), (c.PLANE, c.CAPSULE), (c.PLANE, c.BOX), (c.SPHERE, c.SPHERE), (c.SPHERE, c.CAPSULE),
    (c.SPHERE, c.BOX), (c.CAPSULE, c.CAPSULE), (c.CAPSULE, c.BOX),
}  # fmt: skip
_CONDIMS = (1, 3)


@dataclass
class Pair:
    """One candidate pair; friction is [tangent1, tangent2, spin, roll1, roll2]."""

    geom1: int
    geom2: int
    dim: int
    friction: np.ndarray
    solref: np.ndarray
    solimp: np.ndarray
    margin: float
    gap: float
    solreffriction: np.ndarray | tuple = (0.0, 0.0)
    explicit: bool = False


PARAMETERS = tuple(name for name in Pair.__dataclass_fields__ if name != "explicit")


def find_pairs(m, explicit=(), exclude=(), filterparent=True):
    """All candidate pairs of `m` in MuJoCo's contact order.

    `explicit` are Pairs with their own parameters: they escape every filter but the one for bodies that cannot move
    against each other. `exclude` are pairs of bodies.
    """
    explicit = [_ordered(m, pair) for pair in explicit if _can_move_apart(m, pair.geom1, pair.geom2)]
    taken = {(pair.geom1, pair.geom2) for pair in explicit}
    mixed = [_mix(m, g1, g2) for g1, g2 in _filtered(m, exclude, filterparent) if (g1, g2) not in taken]

    def contact_order(entry):
        number, pair = entry
        bodies = sorted((m.geom_bodyid[pair.geom1], m.geom_bodyid[pair.geom2]))
        return (*bodies, 0, number) if pair.explicit else (*bodies, 1, pair.geom1, pair.geom2)

    return [pair for _, pair in sorted(enumerate(explicit + mixed), key=contact_order)]


def pair_refusals(m, pairs):
    """One line for each pair that the engine cannot collide."""
    refused = []
    for pair in pairs:
        kinds = int(m.geom_type[pair.geom1]), int(m.geom_type[pair.geom2])
        who = f"contact of {_label(m, pair.geom1)} with {_label(m, pair.geom2)}"
        if kinds not in _SUPPORTED:
            allowed = ", ".join("-".join(c.GEOM_NAMES[k] for k in pair) for pair in sorted(_SUPPORTED))
            found = "-".join(c.GEOM_NAMES.get(k, str(k)) for k in kinds)
            refused.append(f"{who}: {found}; allowed are {allowed}; or keep them apart by contype and conaffinity")
        if pair.dim not in _CONDIMS:
            refused.append(f"{who}: condim {pair.dim}; allowed are 1 and 3")
    return refused


def pair_arrays(pairs):
    """The Model's `pair_*` arrays."""
    columns = {name: [getattr(pair, name) for pair in pairs] for name in PARAMETERS}
    columns["friction"] = [np.maximum(friction, MIN_FRICTION) for friction in columns["friction"]]
    return {f"pair_{name}": values for name, values in columns.items()}


def _filtered(m, exclude, filterparent):
    """Pairs of geom numbers, ordered within the pair, that pass MuJoCo's filters for pairs found by the bodies."""
    first, second = np.triu_indices(len(m.geom_type), 1)
    contype, affinity, kind = m.geom_contype, m.geom_conaffinity, m.geom_type
    body1, body2 = m.geom_bodyid[first], m.geom_bodyid[second]
    weld1, weld2 = m.body_weldid[body1], m.body_weldid[body2]
    keep = (contype[first] & affinity[second] | contype[second] & affinity[first]) != 0
    keep &= weld1 != weld2
    if filterparent:
        above = m.body_weldid[m.body_parentid[m.body_weldid]]  # the group that a body's group hangs on
        keep &= (weld1 == 0) | (weld2 == 0) | ((weld1 != above[body2]) & (weld2 != above[body1]))
    for a, b in exclude:
        keep &= ~((body1 == a) & (body2 == b) | (body1 == b) & (body2 == a))
    for g1, g2 in zip(first[keep], second[keep], strict=True):
        g1, g2 = sorted((int(g1), int(g2)), key=lambda g: (kind[g], g))
        if (kind[g1], kind[g2]) not in _UNMATCHED:
            yield g1, g2


def _can_move_apart(m, g1, g2):
    return m.body_weldid[m.geom_bodyid[g1]] != m.body_weldid[m.geom_bodyid[g2]]


def _ordered(m, pair):
    g1, g2 = sorted((pair.geom1, pair.geom2), key=lambda g: (m.geom_type[g], m.geom_bodyid[g], g))
    pair.geom1, pair.geom2, pair.explicit = g1, g2, True
    return pair


def _mix(m, g1, g2):
    """Contact parameters of two geoms: the one of higher priority decides, equals are mixed."""
    margin, gap = m.geom_margin[g1] + m.geom_margin[g2], m.geom_gap[g1] + m.geom_gap[g2]
    priority = m.geom_priority[g1] - m.geom_priority[g2]
    if priority:
        g = g1 if priority > 0 else g2
        dim, friction, solref, solimp = m.geom_condim[g], m.geom_friction[g], m.geom_solref[g], m.geom_solimp[g]
    else:
        share = _solmix_share(m.geom_solmix[g1], m.geom_solmix[g2])
        solref1, solref2 = m.geom_solref[g1], m.geom_solref[g2]
        if solref1[0] > 0 and solref2[0] > 0:
            solref = share * solref1 + (1 - share) * solref2
        else:  # at least one is in the direct format, whose mean with the other format has no meaning
            solref = np.minimum(solref1, solref2)
        solimp = share * m.geom_solimp[g1] + (1 - share) * m.geom_solimp[g2]
        dim = max(m.geom_condim[g1], m.geom_condim[g2])
        friction = np.maximum(m.geom_friction[g1], m.geom_friction[g2])
    return Pair(g1, g2, int(dim), friction[[0, 0, 1, 2, 2]], solref, solimp, margin, gap)


def _solmix_share(mix1, mix2):
    """Weight of the first geom; a vanishing solmix leaves the word to the other geom."""
    if mix1 < MINVAL or mix2 < MINVAL:
        return 0.5 if mix1 < MINVAL and mix2 < MINVAL else float(mix1 >= MINVAL)
    return mix1 / (mix1 + mix2)


def _label(m, g):
    name = m.geom_names[g]
    return f"geom '{name}'" if name else f"geom {g} of body {m.body_names[m.geom_bodyid[g]] or m.geom_bodyid[g]}"
