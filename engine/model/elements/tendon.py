"""Tendons: a length that springs, limits, friction and actuators act on. Fixed ones are sums of joints' coordinates,
spatial ones paths from site to site."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import RGBA, SOLIMP, SOLREF, Attribute, ends, flag, number, polynomial, read_attributes
from ..checks import check, one_of, ranges, refuse, solref
from ..errors import ModelError
from ..plastic import yields
from ..setconst import addresses, lengths_at, tendons0, trees
from ..tendons import couples, is_spatial, rows, spans, tendon_dofs
from .kind import Kind, boolean, integer, real


def _rest():
    """The lengths between which a spring is at rest: two, or one for both."""

    def read(value):
        low, high = np.broadcast_to(np.asarray(value, float).reshape(-1), 2)
        if not (np.isfinite((low, high)).all() and low <= high):
            raise ValueError
        return np.array([low, high])

    return Attribute(None, read, "one finite number or two, the lower first")


WRAPS = {c.WRAP_JOINT: "joint", c.WRAP_PULLEY: "pulley", c.WRAP_SITE: "site", c.WRAP_SPHERE: "sphere",
         c.WRAP_CYLINDER: "cylinder"}  # fmt: skip


class Tendon(Kind):
    name, plural, named = "tendon", "tendons", "ntendon"
    defaulted = True
    fields = {
        "ntendon": {
            "tendon_adr": integer("its first joint, or place of its path, in wrap_objid"),
            "tendon_num": integer("how many of them it has"),
            "tendon_limited": boolean("whether the range limits its length"),
            "tendon_range": real("m or rad", "lower and upper end of the length", 2),
            "tendon_margin": real("m or rad", "distance from a limit at which it is felt"),
            "tendon_solref_lim": real("s, 1", "reference of a limit", 2),
            "tendon_solimp_lim": real("1, m", "impedance of a limit", 5),
            "tendon_solref_fri": real("s, 1", "reference of dry friction", 2),
            "tendon_solimp_fri": real("1, m", "impedance of dry friction", 5),
            "tendon_stiffness": real("N/m", "spring constant", least=0, differentiable=True),
            "tendon_stiffnesspoly": real("N/m^2, N/m^3", "of stretch squared and cubed", 2),
            "tendon_damping": real("N s/m", "viscous damping", least=0, differentiable=True),
            "tendon_dampingpoly": real("N s^2/m^2, ...", "of v |v| and v cubed", 2),
            "tendon_armature": real("kg", "inertia of changes in length", least=0, differentiable=True),
            "tendon_frictionloss": real("N", "dry friction", least=0, differentiable=True),
            "tendon_lengthspring": real("m", "lengths between which its spring is at rest", 2, differentiable=True),
            "tendon_springyield": real("m", "stretch at which its spring's rest yields; 0: none", least=0, before=0,
                                       since=8),
            "tendon_actfrclimited": boolean("whether the sum of its actuators' forces is clamped"),
            "tendon_actfrcrange": real("N", "lower and upper end of that sum", 2),
            "tendon_width": real("m", "radius of what is drawn", least=0, before=0, since=4),
            "tendon_rgba": real("1", "colour", 4, before=0, since=4),
            "tendon_length0": real("m or rad", "length at qpos0"),
            "tendon_invweight0": real("1/kg", "inverse inertia along it at qpos0", least=0),
        },
        "nwrap": {
            "wrap_objid": integer("a joint, site or geom; -1 for a pulley"),
            "wrap_type": integer("which of them: WRAP_JOINT, WRAP_SITE, ...", before=c.WRAP_JOINT, since=4),
            "wrap_prm": real("1 or m", "length for a unit of a joint's coordinate; a pulley's divisor; the site at a "
                             "geom's side, or -1", differentiable=True),
        },
    }
    attributes = {
        "limited": flag(),
        "range": ends(),
        "margin": number(0.0),
        "solreflimit": SOLREF,
        "solimplimit": SOLIMP,
        "solreffriction": SOLREF,
        "solimpfriction": SOLIMP,
        "stiffness": polynomial(),
        "damping": polynomial(),
        "armature": number(0.0, 0),
        "frictionloss": number(0.0, 0),
        "springlength": _rest(),
        "springyield": number(0.0, 0),
        "actuatorfrcrange": ends(),
        "actuatorfrclimited": flag(),
        "width": number(0.003, 0),
        "rgba": RGBA,
    }
    stored = {"tendon_solref_lim": "solreflimit", "tendon_solimp_lim": "solimplimit",
              "tendon_solref_fri": "solreffriction", "tendon_solimp_fri": "solimpfriction",
              "tendon_actfrclimited": "actuatorfrclimited", "tendon_actfrcrange": "actuatorfrcrange"}  # fmt: skip

    class Methods:
        def tendon_fixed(self, joints: dict[str, float], name: str | None = None, **attributes: Any) -> str:
            """A tendon whose length is the sum of coefficient times coordinate over hinges and slides.

            joints: {name: coefficient}. Its spring is at rest at `springlength`, one length or two with nothing in
            between; by default where all joints' springs are.
            """
            who = f"tendon {name or ''!r}"
            if not joints:
                raise ModelError(f"{who}: joints = {joints!r}; allowed: at least one, {{name: coefficient}}")
            found = [self._find("joint", joint, who) for joint in joints]
            for joint in found:
                if joint.type not in (c.HINGE, c.SLIDE):
                    kind = c.JOINT_NAMES[joint.type]
                    raise ModelError(f"{who}: joint {joint.name!r} is a {kind}; allowed: hinge, slide")
            a = read_attributes(Tendon.attributes, who, attributes, self._defaults["tendon"])
            coefs = [number(0.0).read(coef) for coef in joints.values()]
            a.path = [(c.WRAP_JOINT, joint, coef) for joint, coef in zip(found, coefs, strict=True)]
            return self._add_tendon(who, name, a)

        def tendon_spatial(self, path: Sequence[Any], name: str | None = None, **attributes: Any) -> str:
            """A tendon as long as its path: names of sites, between them geoms that it goes round, (name, site on the
            side where it is or None), and where pulleys divide what follows numbers, their divisors.

            Its spring is at rest at `springlength`; by default where all joints' springs are.
            """
            who = f"tendon {name or ''!r}"
            a = read_attributes(Tendon.attributes, who, attributes, self._defaults["tendon"])
            a.path = [self._place(who, place) for place in path]
            if len(a.path) < 2:
                raise ModelError(f"{who}: path = {path!r}; allowed: two sites or more")
            return self._add_tendon(who, name, a)

        def _place(self, who, place):
            if isinstance(place, str):
                return c.WRAP_SITE, self._find("site", place, who), 0.0
            if isinstance(place, tuple) and len(place) == 2:
                geom = self._find("geom", place[0], who)
                kind = {c.SPHERE: c.WRAP_SPHERE, c.CYLINDER: c.WRAP_CYLINDER}.get(geom.type)
                if kind is None:
                    found = c.GEOM_NAMES[geom.type]
                    raise ModelError(f"{who}: geom {place[0]!r} is a {found}; allowed: sphere, cylinder")
                return kind, geom, -1.0 if place[1] is None else self._find("site", place[1], who)
            if isinstance(place, bool) or not np.isscalar(place) or not 0 < place < np.inf:
                allowed = "a site's name, (geom, site or None), a pulley's divisor of more than zero"
                raise ModelError(f"{who}: {place!r} in the path; allowed: {allowed}")
            return c.WRAP_PULLEY, None, float(place)

        def _add_tendon(self, who, name, a):
            self._set_limits(who, a, "range", "limited")
            self._set_limits(who, a, "actuatorfrcrange", "actuatorfrclimited")
            return self._add("tendon", name, a)

    def assembled(self, order, m):
        tendons = order.elements["tendon"]
        places = [place for a in tendons for place in a.path]
        num = np.array([len(a.path) for a in tendons], int)
        path = {
            "tendon_adr": addresses(num), "tendon_num": num,
            "wrap_type": np.array([kind for kind, _, _ in places], int),
            "wrap_objid": np.array([-1 if element is None else order.of(element) for _, element, _ in places], int),
            "wrap_prm": np.array([prm if np.isscalar(prm) else order.of(prm) for _, _, prm in places], float),
        }  # fmt: skip
        length = lengths_at(SimpleNamespace(**vars(m) | path), m.qpos_spring)
        rest = [(x, x) if a.springlength is None else a.springlength for a, x in zip(tendons, length, strict=True)]
        polynomials = {}
        for word in ("stiffness", "damping"):
            given = np.reshape([getattr(a, word) for a in tendons], (-1, 3))
            polynomials |= {f"tendon_{word}": given[:, 0], f"tendon_{word}poly": given[:, 1:]}
        return self.columns(tendons) | polynomials | path | {"tendon_lengthspring": rest}

    # ------------------------------------------------------------------------------------------ the importer

    def read(self, mujoco, mj, m):
        taken = taken_tendons(mujoco, mj)
        wraps = [np.arange(mj.tendon_adr[t], mj.tendon_adr[t] + mj.tendon_num[t]) for t in taken]
        wraps = np.concatenate([*wraps, np.zeros(0, int)]).astype(int)
        yielding = {"tendon_springyield": yields(mj, "tendon")[taken]}
        arrays = {name: np.array(getattr(mj, name))[taken] for name in self.fields["ntendon"] if name not in yielding}
        arrays |= {name: np.array(getattr(mj, name))[wraps] for name in self.fields["nwrap"]}
        return arrays | yielding | {"tendon_adr": addresses(arrays["tendon_num"])}

    def names(self, mujoco, mj):
        return [super(Tendon, self).names(mujoco, mj)[t] for t in taken_tendons(mujoco, mj)]

    def refused(self, mujoco, mj):
        for t in range(mj.ntendon):
            if np.asarray(getattr(mj, "tendon_plasticadr", np.full(mj.ntendon, -1)))[t] >= 0:
                if not mj.tendon_springyield[t]:  # set so when it was compiled
                    yield f"{self.who(mujoco, mj, t)}: plastic spring; allowed: an elastic one"

    def changed(self, mujoco, mj):
        for t in sorted(set(range(mj.ntendon)) - set(taken_tendons(mujoco, mj))):
            yield f"{self.who(mujoco, mj, t)} exerts no force and nobody uses it: left out"

    # ------------------------------------------------------------------------------------------ a finished Model

    def label(self, m, array, index):
        if array.startswith("wrap_"):
            return m.label("tendon", int(np.searchsorted(m.tendon_adr, index, "right")) - 1)
        return super().label(m, array, index)

    def check_indices(self, m):
        check(m, "tendon_num", m.tendon_num < 1, "one joint or more")
        want = addresses(m.tendon_num)
        check(m, "tendon_adr", m.tendon_adr != want, lambda i: f"{want[i]}, which follows from tendon_num")
        if m.nwrap != np.sum(m.tendon_num):
            raise ModelError(f"nwrap = {m.nwrap}; allowed: {np.sum(m.tendon_num)}, which follows from tendon_num")
        one_of(m, "wrap_type", WRAPS)
        _check_paths(m)
        joint = m.wrap_type == c.WRAP_JOINT
        bad = joint & ~np.isin(m.jnt_type[np.where(joint, m.wrap_objid, 0)], (c.HINGE, c.SLIDE)) if m.njnt else joint
        check(m, "wrap_objid", bad, "a hinge or a slide")
        for t in np.flatnonzero(~is_spatial(m)):
            joints = m.wrap_objid[m.tendon_adr[t] : m.tendon_adr[t] + m.tendon_num[t]]
            if len(np.unique(joints)) < len(joints):
                refuse(m, "tendon_num", t, "that of different joints, of which one stands here twice")

    def check(self, m):
        low, high = m.tendon_range.T
        check(m, "tendon_range", m.tendon_limited & (low > high), "lower end below upper end, or at it")
        ranges(m, ("tendon_actfrclimited", "tendon_actfrcrange"))
        low, high = m.tendon_lengthspring.T
        check(m, "tendon_lengthspring", low > high, "lower end below upper end, or at it")
        solref(m, "tendon_solref_lim", m.tendon_limited)
        solref(m, "tendon_solref_fri", m.tendon_frictionloss > 0)
        check(m, "wrap_prm", (m.wrap_type == c.WRAP_PULLEY) & (m.wrap_prm <= 0), "a divisor of more than zero")
        round_geoms = [any(span.geom >= 0 for span in own) for own in spans(m)]
        bad = np.array(round_geoms, bool) & (m.tendon_armature != 0)
        check(m, "tendon_armature", bad, "0 for a tendon that goes round geoms")

    def set_const(self, m):
        m.tendon_length0[:], m.tendon_invweight0[:] = 0, 0
        if m.ntendon:
            adr = rows(m)[0]
            m.tendon_length0[:], moments = tendons0(m)
        for dofs, _, mass in trees(m) if m.ntendon and m.nv else ():
            for t, moved in enumerate(tendon_dofs(m)):
                here = np.isin(moved, dofs)
                row = np.zeros(len(dofs))
                row[np.searchsorted(dofs, moved[here])] = moments[adr[t] : adr[t] + len(moved)][here]
                m.tendon_invweight0[t] += row @ np.linalg.solve(mass, row)

    def device(self, m):
        adr, number, colind, entry = rows(m)
        pairs, pairadr, pairnum = couples(m)
        deep, above, at = pairs.T
        along = spans(m)
        count = np.array([len(own) for own in along], int)
        joints = np.where(m.wrap_type == c.WRAP_JOINT, m.wrap_objid, 0)
        table = np.array([(s.site1, s.site2, s.geom, s.side, s.pulley, s.top) for own in along for s in own], int)
        columns = zip(("site1", "site2", "geom", "side", "pulley", "top"), table.reshape(-1, 6).T, strict=True)
        return {f"span_{name}": column for name, column in columns} | {
            "ten_spanadr": np.cumsum(count) - count, "ten_spannum": count,
            "ten_straight": [bool(own) and all(s.geom < 0 for s in own) for own in along],
            "tendon_num": np.where(count > 0, 0, m.tendon_num),  # of those that are sums of joints' coordinates
            "ten_J_rowadr": adr, "ten_J_rownnz": number, "ten_J_colind": colind, "wrap_entry": entry,
            "wrap_qposadr": m.jnt_qposadr[joints] if m.njnt else joints, "tendon_pairadr": pairadr,
            "tendon_pairnum": pairnum, "couple_deep": deep, "couple_above": above, "couple_at": at,
        }  # fmt: skip


def _check_paths(m):
    """Refuse places that are not there, and paths that MuJoCo does not know."""
    counts = {c.WRAP_JOINT: m.njnt, c.WRAP_SITE: m.nsite, c.WRAP_SPHERE: m.ngeom, c.WRAP_CYLINDER: m.ngeom}
    for kind, count in counts.items():
        bad = (m.wrap_type == kind) & ((m.wrap_objid < 0) | (m.wrap_objid >= count))
        word = {c.WRAP_JOINT: "joint", c.WRAP_SITE: "site"}.get(kind, "geom")
        check(m, "wrap_objid", bad, f"a {word}, 0 to {count - 1}")
    for kind, shape in ((c.WRAP_SPHERE, c.SPHERE), (c.WRAP_CYLINDER, c.CYLINDER)):
        geoms = np.where(m.wrap_type == kind, m.wrap_objid, 0)
        bad = (m.wrap_type == kind) & (m.geom_type[geoms] != shape if m.ngeom else False)
        check(m, "wrap_objid", bad, f"a {c.GEOM_NAMES[shape]}")
        bad = (m.wrap_type == kind) & ~np.isin(m.wrap_prm, np.arange(-1, m.nsite))
        check(m, "wrap_prm", bad, f"a site, 0 to {m.nsite - 1}, or -1")
    for t in range(m.ntendon):
        kinds = m.wrap_type[m.tendon_adr[t] : m.tendon_adr[t] + m.tendon_num[t]].tolist()
        for k, kind in enumerate(kinds):
            near = [kinds[i] if 0 <= i < len(kinds) else c.WRAP_PULLEY for i in (k - 1, k + 1)]
            good = {
                c.WRAP_JOINT: set(kinds) == {c.WRAP_JOINT},
                c.WRAP_SITE: near != [c.WRAP_PULLEY] * 2,
                c.WRAP_PULLEY: c.WRAP_PULLEY not in (near[0] if k else 0, near[1]),
            }.get(kind, near == [c.WRAP_SITE] * 2)
            if not good:
                allowed = "joints alone, or sites with geoms and pulleys between them"
                refuse(m, "wrap_type", m.tendon_adr[t] + k, allowed)


def taken_tendons(mujoco, mj):
    """Numbers of the tendons of an MjModel that the engine keeps: those that do something."""
    return [t for t in range(mj.ntendon) if not _idle(mujoco, mj, t)]


def our_tendon(mujoco, mj):
    """(ntendon + 1,): our number of each tendon of an MjModel, -1 for those left out and, last, for none."""
    number = np.full(mj.ntendon + 1, -1)
    taken = taken_tendons(mujoco, mj)
    number[taken] = np.arange(len(taken))
    return number


def _idle(mujoco, mj, t):
    """Whether tendon `t` exerts no force, has no inertia and nobody reads it: leaving it out changes nothing."""
    forces = ("stiffness", "stiffnesspoly", "damping", "dampingpoly", "armature", "frictionloss", "limited")
    if any(np.any(getattr(mj, f"tendon_{name}")[t]) for name in forces):
        return False
    driven = mj.actuator_trnid[mj.actuator_trntype == int(mujoco.mjtTrn.mjTRN_TENDON), 0]
    tied = mj.eq_type == int(mujoco.mjtEq.mjEQ_TENDON)
    tendon = int(mujoco.mjtObj.mjOBJ_TENDON)
    sensed = mj.sensor_objid[mj.sensor_objtype == tendon]
    return t not in {*driven, *mj.eq_obj1id[tied], *mj.eq_obj2id[tied], *sensed}
