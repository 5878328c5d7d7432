"""Tendons: a length that springs, limits, friction and actuators act on. Fixed ones, sums of joints' coordinates."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import SOLIMP, SOLREF, Attribute, ends, flag, number, polynomial, read_attributes
from ..checks import check, ranges, refuse, solref
from ..errors import ModelError
from ..setconst import addresses, trees
from ..tendons import couples, rows, tendon_dofs
from .kind import Kind, boolean, integer, real


def _rest():
    """The lengths between which a spring is at rest: two, or one for both."""

    def read(value):
        low, high = np.broadcast_to(np.asarray(value, float).reshape(-1), 2)
        if not (np.isfinite((low, high)).all() and low <= high):
            raise ValueError
        return np.array([low, high])

    return Attribute(None, read, "one finite number or two, the lower first")


class Tendon(Kind):
    name, plural, named = "tendon", "tendons", "ntendon"
    defaulted = True
    fields = {
        "ntendon": {
            "tendon_adr": integer("its first joint in wrap_objid"),
            "tendon_num": integer("how many joints it has"),
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
            "tendon_actfrclimited": boolean("whether the sum of its actuators' forces is clamped"),
            "tendon_actfrcrange": real("N", "lower and upper end of that sum", 2),
            "tendon_length0": real("m or rad", "length at qpos0"),
            "tendon_invweight0": real("1/kg", "inverse inertia along it at qpos0", least=0),
        },
        "nwrap": {
            "wrap_objid": integer("a joint of a tendon"),
            "wrap_prm": real("1 or m", "length for a unit of its coordinate", differentiable=True),
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
        "actuatorfrcrange": ends(),
        "actuatorfrclimited": flag(),
    }
    stored = {"tendon_solref_lim": "solreflimit", "tendon_solimp_lim": "solimplimit",
              "tendon_solref_fri": "solreffriction", "tendon_solimp_fri": "solimpfriction",
              "tendon_actfrclimited": "actuatorfrclimited", "tendon_actfrcrange": "actuatorfrcrange"}  # fmt: skip
    must_be_zero = (("tendon_springyield", "springyield"),)

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
            a.joints = found
            a.coefs = [number(0.0).read(coef) for coef in joints.values()]
            self._set_limits(who, a, "range", "limited")
            self._set_limits(who, a, "actuatorfrcrange", "actuatorfrclimited")
            return self._add("tendon", name, a)

    def assembled(self, order, m):
        tendons = order.elements["tendon"]
        joints = np.array([order.of(joint) for a in tendons for joint in a.joints], int)
        coefs = np.array([coef for a in tendons for coef in a.coefs], float)
        num = [len(a.joints) for a in tendons]
        at = np.repeat(np.arange(len(num)), num)
        length = np.bincount(at, coefs * m.qpos_spring[m.jnt_qposadr[joints].astype(int)], len(num))
        rest = [(x, x) if a.springlength is None else a.springlength for a, x in zip(tendons, length, strict=True)]
        polynomials = {}
        for word in ("stiffness", "damping"):
            given = np.reshape([getattr(a, word) for a in tendons], (-1, 3))
            polynomials |= {f"tendon_{word}": given[:, 0], f"tendon_{word}poly": given[:, 1:]}
        return self.columns(tendons) | polynomials | {
            "tendon_adr": addresses(num), "tendon_num": num, "tendon_lengthspring": rest, "wrap_objid": joints,
            "wrap_prm": coefs,
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------ the importer

    def read(self, mujoco, mj, m):
        taken = taken_tendons(mujoco, mj)
        wraps = [np.arange(mj.tendon_adr[t], mj.tendon_adr[t] + mj.tendon_num[t]) for t in taken]
        wraps = np.concatenate([*wraps, np.zeros(0, int)]).astype(int)
        arrays = {name: np.array(getattr(mj, name))[taken] for name in self.fields["ntendon"]}
        arrays |= {name: np.array(getattr(mj, name))[wraps] for name in self.fields["nwrap"]}
        return arrays | {"tendon_adr": addresses(arrays["tendon_num"])}

    def names(self, mujoco, mj):
        return [super(Tendon, self).names(mujoco, mj)[t] for t in taken_tendons(mujoco, mj)]

    def refused(self, mujoco, mj):
        taken = set(taken_tendons(mujoco, mj))
        for t in range(mj.ntendon):
            if t not in taken and not _idle(mujoco, mj, t):
                yield f"{self.who(mujoco, mj, t)}: spatial tendon; allowed: fixed, or one that does nothing"
            if np.asarray(getattr(mj, "tendon_plasticadr", np.full(mj.ntendon, -1)))[t] >= 0:
                if not mj.tendon_springyield[t]:  # otherwise named above
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
        bad = (m.wrap_objid < 0) | (m.wrap_objid >= m.njnt)
        check(m, "wrap_objid", bad, f"a joint, 0 to {m.njnt - 1}")
        bad = ~np.isin(m.jnt_type[m.wrap_objid], (c.HINGE, c.SLIDE)) if m.nwrap else []
        check(m, "wrap_objid", bad, "a hinge or a slide")
        for t, dofs in enumerate(tendon_dofs(m)):
            if len(np.unique(dofs)) < len(dofs):
                refuse(m, "tendon_num", t, "that of different joints, of which one stands here twice")

    def check(self, m):
        low, high = m.tendon_range.T
        check(m, "tendon_range", m.tendon_limited & (low > high), "lower end below upper end, or at it")
        ranges(m, ("tendon_actfrclimited", "tendon_actfrcrange"))
        low, high = m.tendon_lengthspring.T
        check(m, "tendon_lengthspring", low > high, "lower end below upper end, or at it")
        solref(m, "tendon_solref_lim", m.tendon_limited)
        solref(m, "tendon_solref_fri", m.tendon_frictionloss > 0)

    def set_const(self, m):
        first = {int(dof): m.jnt_qposadr[m.dof_jntid[dof]] for dof in np.unique(m.jnt_dofadr[m.wrap_objid])}
        m.tendon_length0[:], m.tendon_invweight0[:] = 0, 0
        adr, colind, entry = rows(m)
        coef = np.zeros(m.nwrap)
        coef[entry] = m.wrap_prm
        for t, dofs in enumerate(tendon_dofs(m)):
            own = coef[adr[t] : adr[t] + len(dofs)]
            m.tendon_length0[t] = sum(x * m.qpos0[first[int(dof)]] for x, dof in zip(own, dofs, strict=True))
        for dofs, _, mass in trees(m) if m.ntendon else ():
            for t, moved in enumerate(tendon_dofs(m)):
                here = np.isin(moved, dofs)
                row = np.zeros(len(dofs))
                row[np.searchsorted(dofs, moved[here])] = coef[adr[t] : adr[t] + len(moved)][here]
                m.tendon_invweight0[t] += row @ np.linalg.solve(mass, row)

    def device(self, m):
        adr, colind, entry = rows(m)
        pairs, pairadr, pairnum = couples(m)
        deep, above, at = pairs.T
        return {
            "ten_J_rowadr": adr, "ten_J_rownnz": m.tendon_num, "ten_J_colind": colind, "wrap_entry": entry,
            "wrap_qposadr": m.jnt_qposadr[m.wrap_objid], "tendon_pairadr": pairadr, "tendon_pairnum": pairnum,
            "couple_deep": deep, "couple_above": above, "couple_at": at,
        }  # fmt: skip


def taken_tendons(mujoco, mj):
    """Numbers of the tendons of an MjModel that the engine keeps: the fixed ones that do something."""
    joint = int(mujoco.mjtWrap.mjWRAP_JOINT)
    fixed = [t for t in range(mj.ntendon) if mj.wrap_type[mj.tendon_adr[t]] == joint]
    return [t for t in fixed if not _idle(mujoco, mj, t)]


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
