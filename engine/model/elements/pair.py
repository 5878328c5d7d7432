"""Pairs of geoms that may ever touch, with their contact parameters; pairs.py finds and mixes them."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import CONTACT, read_attributes, vector
from ..broad import broad_phase, reaches
from ..checks import below, check, solref
from ..errors import ModelError
from ..pairs import CONDIMS, PARAMETERS, SUPPORTED, Pair, find_pairs, no_pairs, pair_arrays, pair_refusals
from .kind import Kind, integer, real
from .option import disabled


class PairKind(Kind):
    name = "pair"
    defaulted = True
    fields = {
        "npair": {
            "pair_geom1": integer("the geom of lower type, or number"),
            "pair_geom2": integer("the other, to which the normal points"),
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
        return pair_arrays(find_pairs(m, explicit, [tuple(map(order.of, pair)) for pair in order.builder.excludes]))

    def read(self, mujoco, mj, m):
        if disabled(mujoco, mj, "CONTACT", "CONSTRAINT"):
            return pair_arrays(no_pairs(m))
        explicit = [Pair(**{name: getattr(mj, f"pair_{name}")[i] for name in PARAMETERS}) for i in range(mj.npair)]
        exclude = [(signature >> 16, signature & 0xFFFF) for signature in mj.exclude_signature]
        return pair_arrays(find_pairs(m, explicit, exclude, not disabled(mujoco, mj, "FILTERPARENT")))

    def lacking(self, m):
        return pair_refusals(m, {name: getattr(m, f"pair_{name}") for name in ("geom1", "geom2")})

    def who(self, mujoco, mj, index, element="contact pair"):
        return super().who(mujoco, mj, index, element)

    def changed(self, mujoco, mj):
        weld1, weld2 = (mj.body_weldid[mj.geom_bodyid[geoms]] for geoms in (mj.pair_geom1, mj.pair_geom2))
        if (weld1 == weld2).any():
            yield f"{(weld1 == weld2).sum()} contact pairs of geoms fixed to each other: left out"
        still = (weld1 != weld2) & (mj.body_dofnum[weld1] == 0) & (mj.body_dofnum[weld2] == 0)
        if still.any():
            yield f"{still.sum()} contact pairs of geoms that no force can move: left out"

    def label(self, m, array, index):
        return f"pair of {m.label('geom', m.pair_geom1[index])} and {m.label('geom', m.pair_geom2[index])}"

    def check_indices(self, m):
        for array in ("pair_geom1", "pair_geom2"):
            below(m, array, "ngeom", "geom")
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
        solref(m, "pair_solref", np.ones(m.npair, bool))
        solref(m, "pair_solreffriction", m.pair_solreffriction.any(axis=1))

    def device(self, m):
        b1, b2 = m.geom_bodyid[m.pair_geom1], m.geom_bodyid[m.pair_geom2]
        r1 = np.where(m.geom_type[m.pair_geom1] == c.PLANE, 0.0, m.geom_rbound[m.pair_geom1])
        swept, partners, always = broad_phase(m)
        return {
            "pair_diaga": m.body_invweight0[b1, 0] + m.body_invweight0[b2, 0],
            "pair_rbound": r1 + m.geom_rbound[m.pair_geom2],
            "sweep_geom": swept[:, 0], "sweep_first": swept[:, 1], "sweep_end": swept[:, 2],
            "sweep_radius": reaches(m, swept[:, 0]),
            "partner_other": partners[:, 0], "partner_pair": partners[:, 1], "always": always,
        }  # fmt: skip
