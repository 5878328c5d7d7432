"""Which candidate pairs the broad phase finds (contact/broad.py), and what it reads."""

import numpy as np

from . import constants as c

SLACK = 1.000001  # of radii in the sweep: rounding must not part what is near
SWEPT = 16  # pairs for each of their geoms from which a sweep is faster than trying every pair


def broad_phase(m):
    """What the broad phase reads: the geoms that it sweeps, columns geom, first and end of its partners (n, 3); the
    partners, columns number of the geom among these and of the pair (npartner, 2); and the pairs that are always tried,
    which are those with planes and height fields. All empty where trying each pair is faster.
    """
    geoms = np.stack([m.pair_geom1, m.pair_geom2])
    plane = np.isin(m.geom_type[m.pair_geom1], (c.PLANE, c.HFIELD))
    numbers = np.flatnonzero(~plane)
    swept, places = np.unique(geoms[:, numbers], return_inverse=True)
    if len(numbers) < max(SWEPT * len(swept), 1):
        return np.zeros((0, 3), int), np.zeros((0, 2), int), np.zeros(0, int)
    places = np.sort(places.reshape(2, -1), axis=0)
    order = np.lexsort((numbers, places[1], places[0]))
    first = np.searchsorted(places[0][order], np.arange(len(swept) + 1))
    partners = np.stack([places[1][order], numbers[order]], axis=1)
    return np.stack([swept, first[:-1], first[1:]], axis=1), partners, np.flatnonzero(plane)


def reaches(m):
    """Radius around each geom's centre such that two that come closer than a pair's margin and gap overlap, (ngeom,)
    metres; of a plane how far from it."""
    share = m.geom_margin + m.geom_gap
    own = m.pair_own >= 0
    for side in (m.pair_geom1, m.pair_geom2):
        np.maximum.at(share, side[own], (m.pair_margin + m.pair_gap)[m.pair_own[own]] / 2)
    return np.where(m.geom_type == c.PLANE, 0.0, m.geom_rbound) + share
