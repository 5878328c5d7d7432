"""Actuators with an arm of their own (dynamics/arm.py): those on sites and cranks, those of ball and free joints in the
axes of what they turn from, and those that pull bodies at their contacts."""

import numpy as np

from . import constants as c

ON_SITES = (c.TRN_SITE, c.TRN_SLIDERCRANK, c.TRN_SO3)


def arms(m):
    """Numbers of the actuators that have one, of a Model or an MjModel, and of each its first site or joint. Of hinges
    and slides the parent's axes are their own."""
    kind = np.asarray(m.actuator_trntype)
    first = np.asarray(m.actuator_trnid)
    first = first[:, 0] if first.ndim > 1 else first
    turned = np.zeros(len(kind), bool)
    for u in np.flatnonzero(kind == c.TRN_JOINTINPARENT):
        turned[u] = m.jnt_type[first[u]] in (c.BALL, c.FREE)
    found = np.flatnonzero(turned | np.isin(kind, (*ON_SITES, c.TRN_BODY)))
    return found, first[found]


def adhesive(m):
    """Which actuators pull bodies at their contacts, (nu,)."""
    return np.asarray(m.actuator_trntype) == c.TRN_BODY


def muscles(m):
    """Which actuators have anything of a muscle, (nu,)."""
    laws = (m.actuator_gaintype == c.GAIN_MUSCLE) | (m.actuator_biastype == c.BIAS_MUSCLE)
    return laws | (m.actuator_dyntype == c.DYN_MUSCLE)


def arm_columns(m):
    """What the device's arrays hold of them, {column: values}: their sites' bodies (-1: none) and frames there, first
    that which is driven, and the body whose motion both have in common, without a moment (-1: none)."""
    found, _ = arms(m)
    body, pos, quat = np.full((len(found), 2), -1), np.zeros((len(found), 2, 3)), np.zeros((len(found), 2, 4))
    sites = np.full((len(found), 2), -1)
    quat[..., 0] = 1
    common = np.full(len(found), -1)
    number = np.full(len(m.actuator_trnid), -1)
    number[found] = np.arange(len(found))
    for s, u in enumerate(found):
        if m.actuator_trntype[u] not in ON_SITES:
            continue
        for side, site in enumerate((m.actuator_trnid[u], m.actuator_refid[u])):
            if site >= 0:
                sites[s, side] = site
                body[s, side], pos[s, side], quat[s, side] = m.site_bodyid[site], m.site_pos[site], m.site_quat[site]
        if m.actuator_trntype[u] != c.TRN_SLIDERCRANK and body[s, 1] >= 0:
            common[s] = _meeting(m, *body[s])
    return {
        "arm_actuator": found, "arm_common": common, "arm_body": body.ravel(), "arm_site": sites.ravel(),
        "arm_pos": pos.reshape(-1, 3),
        "arm_quat": quat.reshape(-1, 4), "actuator_arm": number,
    }  # fmt: skip


def arm_dofs(m):
    """Of each arm of a Model the dofs that may have a moment, in rising order."""
    found = []
    for u, first in zip(*arms(m), strict=True):
        if m.actuator_trntype[u] == c.TRN_JOINTINPARENT:
            at = m.jnt_dofadr[first]
            found.append(np.arange(at, at + (6 if m.jnt_type[first] == c.FREE else 3)))
        elif m.actuator_trntype[u] != c.TRN_BODY:
            sites = [site for site in (first, m.actuator_refid[u]) if site >= 0]
            found.append(_dofs(m, m.site_bodyid[sites]))
        else:
            one, other = m.geom_bodyid[m.pair_geom1], m.geom_bodyid[m.pair_geom2]
            found.append(_dofs(m, [first, *one[other == first], *other[one == first]]))
    return found


def _dofs(m, bodies):
    """The dofs that move any of these bodies, in rising order."""
    return np.array(sorted({dof for b in bodies for dof in _chain(m, b)}), int)


def _chain(m, b):
    """The dofs that move body b, the last one first."""
    dofs = []
    while b > 0:
        dofs += list(range(m.body_dofadr[b] + m.body_dofnum[b] - 1, m.body_dofadr[b] - 1, -1))
        b = m.body_parentid[b]
    return dofs


def _meeting(m, b1, b2):
    """The body that carries the last dof which moves both, or -1."""
    both = [dof for dof in _chain(m, b1) if dof in set(_chain(m, b2))]
    return m.dof_bodyid[both[0]] if both else -1
