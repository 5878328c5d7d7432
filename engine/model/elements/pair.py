"""Pairs of geoms that may ever touch, and the contact parameters of those that have their own; pairs.py finds them."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import CONTACT, read_attributes, vector
from ..broad import SLACK, broad_phase, reaches
from ..checks import below, check, first, solref
from ..errors import ModelError
from ..pairs import CONDIMS, OWN, SUPPORTED, Pair, contact_parameters, find_pairs, no_pairs, overridden, pair_refusals
from ..sensors import apart_pairs
from .kind import Kind, integer, real
from .option import disabled, enabled


class PairKind(Kind):
    name = "pair"
    defaulted = True
    fields = {
        "npair": {
            "pair_geom1": integer("the geom of lower type, or number"),
            "pair_geom2": integer("the other, to which the normal points"),
            "pair_own": integer("number of its own contact parameters, or -1: mixed from those of its geoms"),
        },
        "nown": {
            "pair_dim": integer("dimensions of the contact"),
            "pair_friction": real("1, m", "two of sliding, spinning, two of rolling", 5, least=0, differentiable=True),
            "pair_solref": real("s, 1", "reference of the normal direction", 2),
            "pair_solreffriction": real("s, 1", "of the tangential directions; zeros: the same", 2),
            "pair_solimp": real("", "impedance", 5),
            "pair_margin": real("m", "distance at which the contact is felt"),
            "pair_gap": real("m", "distance beyond it at which it is found"),
        },
    }
    attributes = {
        **CONTACT,
        "friction": vector((1.0, 1.0, 0.005, 0.0001, 0.0001), 5, partial=True),
        "solreffriction": vector((0.0, 0.0), 2),
    }
    must_be_zero = (("pair_adhesion", "adhesion"),)

    class Methods:
        def pair(self, geom1: str, geom2: str, **attributes: Any) -> None:
            """A contact pair with parameters of its own, whatever contype, conaffinity and exclude say."""
            who = f"pair of geoms {geom1!r} and {geom2!r}"
            geoms = [self._find("geom", geom, who) for geom in (geom1, geom2)]
            a = read_attributes(PairKind.attributes, who, attributes, self._defaults["pair"])
            known = [{id(g) for g in pair.geoms} for pair in self.pairs]
            if geoms[0] is geoms[1] or {id(g) for g in geoms} in known:
                raise ModelError(f"{who}; allowed: two different geoms, each pair once")
            a.geoms = geoms
            self.pairs.append(a)

        def exclude(self, body1: str, body2: str) -> None:
            """No contact between the geoms of two bodies."""
            who = f"exclude of bodies {body1!r} and {body2!r}"
            self.excludes.append(tuple(self._find("body", body, who) for body in (body1, body2)))

    def start(self):
        return {"pairs": [], "excludes": []}

    def assembled(self, order, m):
        explicit = [
            Pair(*map(order.of, a.geoms), a.condim, a.friction, a.solref, a.solimp, a.margin, a.gap, a.solreffriction)
            for a in order.builder.pairs
        ]
        return find_pairs(m, explicit, [tuple(map(order.of, pair)) for pair in order.builder.excludes])

    def read(self, mujoco, mj, m):
        if disabled(mujoco, mj, "CONTACT", "CONSTRAINT"):
            return no_pairs()
        names = ("geom1", "geom2", *OWN)
        explicit = [Pair(**{name: getattr(mj, f"pair_{name}")[i] for name in names}) for i in range(mj.npair)]
        exclude = [(signature >> 16, signature & 0xFFFF) for signature in mj.exclude_signature]
        flags = {name: not disabled(mujoco, mj, name.upper()) for name in ("filterparent", "midphase")}
        pairs = find_pairs(m, explicit, exclude, **flags)
        if enabled(mujoco, mj, "OVERRIDE"):
            given = {name: getattr(mj.opt, f"o_{name}") for name in ("friction", "solref", "solimp", "margin")}
            pairs = overridden(m, pairs, **given)
        return pairs

    def lacking(self, m):
        return pair_refusals(m)

    def who(self, mujoco, mj, index, element="contact pair"):
        return super().who(mujoco, mj, index, element)

    def changed(self, mujoco, mj):
        if enabled(mujoco, mj, "OVERRIDE"):
            yield "option flag override is enabled: every pair of geoms has o_friction, o_solref, o_solimp and o_margin"
        fixed, still = _fixed(mj), _still(mj)
        if fixed.any():
            yield f"{fixed.sum()} contact pairs of geoms fixed to each other: left out"
        if (still & ~fixed).any():
            yield f"{(still & ~fixed).sum()} contact pairs of geoms that no force can move: left out"

    def label(self, m, array, index):
        if array in self.fields["nown"]:
            users = np.flatnonzero(m.pair_own == index)
            if not len(users):
                return f"parameters {index} of no pair"
            index = users[0]
        return f"pair of {m.label('geom', m.pair_geom1[index])} and {m.label('geom', m.pair_geom2[index])}"

    def check_indices(self, m):
        for array in ("pair_geom1", "pair_geom2"):
            below(m, array, "ngeom", "geom")
        below(m, "pair_own", "nown", "pair with parameters of its own", -1)
        check(m, "pair_dim", ~np.isin(m.pair_dim, CONDIMS), ", ".join(map(str, CONDIMS)))
        kinds1, kinds2 = m.geom_type[m.pair_geom1], m.geom_type[m.pair_geom2]
        bad = [kinds not in SUPPORTED for kinds in zip(kinds1.tolist(), kinds2.tolist(), strict=True)]
        words = ", ".join("-".join(c.GEOM_NAMES[k] for k in kinds) for kinds in sorted(SUPPORTED))
        check(
            m, "pair_geom2", bad,
            lambda i: f"a {c.GEOM_NAMES[int(kinds1[i])]} in geom {m.pair_geom1[i]} and a "
            f"{c.GEOM_NAMES[int(kinds2[i])]} do not collide; what does, in this order: {words}",
        )  # fmt: skip
        weld1, weld2 = (m.body_weldid[m.geom_bodyid[geoms]] for geoms in (m.pair_geom1, m.pair_geom2))
        still = (m.body_dofnum[weld1] == 0) & (m.body_dofnum[weld2] == 0)
        check(m, "pair_geom2", (weld1 == weld2) | still, "a geom that can move against the first of the pair")

    def check(self, m):
        check(m, "pair_margin", m.pair_margin + m.pair_gap < 0, "margin + gap of zero or more")
        solref(m, "pair_solref", np.ones(m.nown, bool))
        solref(m, "pair_solreffriction", m.pair_solreffriction.any(axis=1))
        if _two_formats(m.geom_solref).any():  # what is mixed of good ones is good
            values = contact_parameters(m)["solref"]
            pair = first(_two_formats(values))
            if pair is not None:
                raise ModelError(
                    f"{self.label(m, 'pair_geom1', pair)}: solref, mixed of theirs, = {values[pair]}; allowed: both "
                    "positive (time constant, damping ratio) or neither (-stiffness, -damping)"
                )

    def device(self, m):
        swept, partners, always = broad_phase(m)
        reach = reaches(m)
        sought = apart_pairs(m)[0]  # whose distance a sensor asks for: behind the candidates
        return {
            "pair_geom1": np.append(m.pair_geom1, sought[:, 0]), "pair_geom2": np.append(m.pair_geom2, sought[:, 1]),
            "geom_reach": reach, "geom_diaga": m.body_invweight0[m.geom_bodyid, 0],
            "sweep_geom": swept[:, 0], "sweep_first": swept[:, 1], "sweep_end": swept[:, 2],
            "sweep_radius": SLACK * reach[swept[:, 0]],
            "partner_other": partners[:, 0], "partner_pair": partners[:, 1], "always": always,
        }  # fmt: skip


def _two_formats(solref):
    """Where the two numbers of a solref are not of one format."""
    return (solref[:, 0] > 0) != (solref[:, 1] > 0)


def _welds(mj):
    """The bodies of an MjModel that the geoms of its own pairs are fixed to."""
    return (mj.body_weldid[mj.geom_bodyid[geoms]] for geoms in (mj.pair_geom1, mj.pair_geom2))


def _fixed(mj):
    """Which pairs are of geoms that are fixed to each other."""
    weld1, weld2 = _welds(mj)
    return weld1 == weld2


def _still(mj):
    """Which pairs are of geoms that no force can move."""
    weld1, weld2 = _welds(mj)
    return (mj.body_dofnum[weld1] == 0) & (mj.body_dofnum[weld2] == 0)


def pairs_at_rest(mj):
    """How many of an MjModel's own pairs touch without a force, where MuJoCo lists their contacts all the same."""
    return int((_fixed(mj) | _still(mj)).sum())
