"""Equality constraints: two bodies or sites that meet in a point or as a whole, joints or tendons that follow."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import SOLIMP, SOLREF, check_known, flag, number, pose, read_attributes, vector
from ..checks import check, one_of, solref
from ..errors import ModelError
from ..rotation import quat_mul, quat_to_mat
from ..tendons import deepest_dofs
from ..trees import last_dof
from .kind import Kind, boolean, integer, real
from .option import disabled
from .tendon import our_tendon

# What a constraint ties together.
WORDS = {c.OBJ_BODY: "body", c.OBJ_SITE: "site", c.OBJ_JOINT: "joint", c.OBJ_TENDON: "tendon"}
_FOLLOWS = {c.EQ_JOINT: c.OBJ_JOINT, c.EQ_TENDON: c.OBJ_TENDON}

# A tie: what a constraint ties together, as the kernels read it, places on two bodies or two coordinates.
NOTHING = {
    "kind": 0, "body1": 0, "body2": 0, "qposadr1": 0, "qposadr2": -1, "last1": -1, "last2": -1,
    "anchor1": np.zeros(3), "anchor2": np.zeros(3), "quat1": np.array([1.0, 0, 0, 0]),
    "quat2": np.array([1.0, 0, 0, 0]), "site1": -1, "site2": -1,
    "solref": np.zeros(2), "solimp": np.zeros(5), "polycoef": np.zeros(5),
    "ref1": 0.0, "ref2": 0.0, "torquescale": 0.0, "diaga": 0.0, "turned": 0.0,
}  # fmt: skip


class Equality(Kind):
    name, plural, named = "equality", "equalities", "neq"
    defaulted = True
    fields = {
        "neq": {
            "eq_type": integer("kind of constraint"),
            "eq_objtype": integer("what it ties together: bodies, sites, joints, tendons"),
            "eq_obj1id": integer("the first"),
            "eq_obj2id": integer("the second; a joint or tendon without one is held at a constant: -1"),
            "eq_active0": boolean("whether it acts at first; `data.eq_active` is asked in each world"),
            "eq_solref": real("s, 1", "reference", 2),
            "eq_solimp": real("", "impedance", 5),
            "eq_data": real("m, 1, ...", "anchors, relative pose, torquescale, or coefficients", 11),
        },
    }

    attributes = {
        "active": flag(True),
        "solref": SOLREF,
        "solimp": SOLIMP,
        "anchor": vector((0, 0, 0), 3),
        "relpose": pose(),
        "torquescale": number(1.0),
        "polycoef": vector((0, 1, 0, 0, 0), 5, partial=True),
    }
    stored = {"eq_active0": "active"}

    class Methods:
        def equality_connect(
            self, body1: str | None = None, body2: str | None = None, *, site1: str | None = None,
            site2: str | None = None, name: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """Two bodies meet in a point: `anchor` in the frame of body1; or two sites. body2: the world by default."""
            return self._tie(c.EQ_CONNECT, (body1, body2), (site1, site2), name, attributes, {"anchor"})

        def equality_weld(
            self, body1: str | None = None, body2: str | None = None, *, site1: str | None = None,
            site2: str | None = None, name: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """Two bodies keep the pose to each other that they have at qpos0, or `relpose` (position and quaternion of
            body2 in body1); the force acts at `anchor` in the frame of body2. Or two sites keep the same frame."""
            known = {"anchor", "relpose", "torquescale"}
            return self._tie(c.EQ_WELD, (body1, body2), (site1, site2), name, attributes, known)

        def equality_joint(
            self, joint1: str, joint2: str | None = None, *, name: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """A hinge or slide follows another, by the polynomial `polycoef` of its displacement from qpos0."""
            who = f"equality {name or ''!r} of joint {joint1!r}"
            ends = [self._find("joint", joint, who) for joint in (joint1, joint2) if joint is not None]
            for end in ends:
                if end.type not in (c.HINGE, c.SLIDE):
                    raise ModelError(f"{who}: joint {end.name!r} is a {c.JOINT_NAMES[end.type]}; allowed: hinge, slide")
            return self._tied(c.EQ_JOINT, c.OBJ_JOINT, ends, who, name, attributes, {"polycoef"})

        def equality_tendon(
            self, tendon1: str, tendon2: str | None = None, *, name: str | None = None, **attributes: Any,
        ) -> str:  # fmt: skip
            """A tendon's length follows another's, by the polynomial `polycoef` of its change from that at qpos0."""
            who = f"equality {name or ''!r} of tendon {tendon1!r}"
            ends = [self._find("tendon", tendon, who) for tendon in (tendon1, tendon2) if tendon is not None]
            return self._tied(c.EQ_TENDON, c.OBJ_TENDON, ends, who, name, attributes, {"polycoef"})

        def _tie(self, kind, bodies, sites, name, attributes, known):
            word = c.EQUALITY_NAMES[kind]
            who = f"{word} {name or ''!r}"
            if (bodies[0] is None) == (sites[0] is None) or (sites[0] is None) != (sites[1] is None):
                allowed = "body1, with or without body2, or two sites"
                raise ModelError(f"{who}: bodies {bodies}, sites {sites}; allowed: {allowed}")
            if sites[0] is not None:
                ends = [self._find("site", site, who) for site in sites]
                return self._tied(kind, c.OBJ_SITE, ends, who, name, attributes, known - {"anchor", "relpose"})
            ends = [self._find("body", "world" if body is None else body, who) for body in bodies]
            return self._tied(kind, c.OBJ_BODY, ends, who, name, attributes, known)

        def _tied(self, kind, tie, ends, who, name, attributes, known):
            if len(ends) == 2 and ends[0] is ends[1]:
                raise ModelError(f"{who}: {ends[0].name!r} twice; allowed: two different ones")
            check_known(who, attributes, ("active", "solref", "solimp", *sorted(known)))
            a = read_attributes(Equality.attributes, who, attributes, self._defaults["equality"])
            a.kind, a.tie, a.ends = kind, tie, ends
            return self._add("equality", name, a)

    def assembled(self, order, m):
        elements = order.elements[self.name]
        poses = _poses(m)
        return super().assembled(order, m) | {
            "eq_type": [a.kind for a in elements],
            "eq_objtype": [a.tie for a in elements],
            "eq_obj1id": [order.of(a.ends[0]) for a in elements],
            "eq_obj2id": [order.of(a.ends[1]) if len(a.ends) == 2 else -1 for a in elements],
            "eq_data": np.array([_data(order, a, poses) for a in elements]).reshape(-1, 11),
        }

    # ------------------------------------------------------------------------------------------ the importer

    def _taken(self, mujoco, mj):
        """Numbers of those that the engine has, and keeps."""
        if disabled(mujoco, mj, "EQUALITY", "CONSTRAINT"):
            return np.zeros(0, int)
        kinds = [int(getattr(mujoco.mjtEq, f"mjEQ_{name.upper()}")) for name in c.EQUALITY_NAMES.values()]
        return np.flatnonzero([mj.eq_type[e] in kinds for e in range(mj.neq)])

    def read(self, mujoco, mj, m):
        site = int(mujoco.mjtObj.mjOBJ_SITE)
        taken = self._taken(mujoco, mj)
        arrays = {name: np.array(getattr(mj, name))[taken] for name in self.fields["neq"]}
        kinds = np.where(arrays["eq_objtype"] == site, c.OBJ_SITE, c.OBJ_BODY)
        for kind, tie in _FOLLOWS.items():  # which MuJoCo does not say there
            kinds = np.where(arrays["eq_type"] == kind, tie, kinds)
        follows = np.isin(arrays["eq_type"], list(_FOLLOWS))
        for array in ("eq_obj1id", "eq_obj2id"):
            arrays[array] = np.where(kinds == c.OBJ_TENDON, our_tendon(mujoco, mj)[arrays[array] % (mj.ntendon + 1)],
                                     arrays[array])  # fmt: skip
        data = arrays["eq_data"][:, :11]  # 4.0 has one more
        data[follows, 5:] = 0  # what has no meaning there
        data[arrays["eq_type"] == c.EQ_CONNECT, 6:] = 0
        data[kinds == c.OBJ_SITE, :10] = 0
        return arrays | {"eq_objtype": kinds, "eq_data": data}

    def names(self, mujoco, mj):
        return [super(Equality, self).names(mujoco, mj)[e] for e in self._taken(mujoco, mj)]

    def refused(self, mujoco, mj):
        if not disabled(mujoco, mj, "EQUALITY", "CONSTRAINT"):
            for e in np.flatnonzero(mj.eq_active0):
                kind = mujoco.mjtEq(mj.eq_type[e]).name.removeprefix("mjEQ_").lower()
                if kind not in c.EQUALITY_NAMES.values():
                    yield f"{self.who(mujoco, mj, e)}: constraint {kind}; allowed: connect, weld, joint, tendon"

    def changed(self, mujoco, mj):
        left = mj.neq - len(self._taken(mujoco, mj))
        if left:
            yield f"{left} equality constraints are switched off: left out"

    # ------------------------------------------------------------------------------------------ a finished Model

    def check_indices(self, m):
        one_of(m, "eq_type", c.EQUALITY_NAMES)
        joint = m.eq_type == c.EQ_JOINT
        for kind, tie in _FOLLOWS.items():
            words = f"{WORDS[tie]}s where the constraint is one of {WORDS[tie]}s"
            check(m, "eq_objtype", (m.eq_objtype == tie) != (m.eq_type == kind), words)
        one_of(m, "eq_objtype", WORDS)
        for array in ("eq_obj1id", "eq_obj2id"):
            values = getattr(m, array)
            counts = {c.OBJ_BODY: m.nbody, c.OBJ_SITE: m.nsite, c.OBJ_JOINT: m.njnt, c.OBJ_TENDON: m.ntendon}
            for kind, count in counts.items():
                least = -1 if kind in _FOLLOWS.values() and array == "eq_obj2id" else 0
                bad = (m.eq_objtype == kind) & ((values < least) | (values >= count))
                check(m, array, bad, f"a {WORDS[kind]}: {least} to {count - 1}")
        for e in np.flatnonzero(joint):
            for j in (m.eq_obj1id[e], m.eq_obj2id[e]):
                if j >= 0 and m.jnt_type[j] not in (c.HINGE, c.SLIDE):
                    raise ModelError(f"{m.entry('eq_obj1id', e)}: joint {j} is a {c.JOINT_NAMES[int(m.jnt_type[j])]}; "
                                     "allowed: a hinge or a slide")  # fmt: skip

    def check(self, m):
        solref(m, "eq_solref", np.ones(m.neq, bool))
        relative = (m.eq_type == c.EQ_WELD) & (m.eq_objtype == c.OBJ_BODY)
        length = np.linalg.norm(m.eq_data[:, 6:10], axis=1)
        check(m, "eq_data", relative & (abs(length - 1) > 1e-6), "a relative orientation, [6:10], of length one")

    def device(self, m):
        found = all_ties(m)
        columns = {name: np.array([tie[name] for tie in found]) for name in NOTHING}
        return {f"eq_{name}": columns[name].reshape(-1, *np.shape(none)) for name, none in NOTHING.items()}


def _poses(m):
    """Place and orientation of each body where every joint stands as in qpos0."""
    poses = [(np.zeros(3), np.array([1.0, 0, 0, 0]))]
    for b in range(1, len(m.body_parentid)):
        x, q = poses[m.body_parentid[b]]
        poses.append((x + quat_to_mat(q) @ m.body_pos[b], quat_mul(q, m.body_quat[b])))
    return poses


def _data(order, a, poses):
    """eq_data of a builder's element."""
    data = np.zeros(11)
    if a.kind in _FOLLOWS:
        data[:5] = a.polycoef
        return data
    data[10] = a.torquescale if a.kind == c.EQ_WELD else 0.0
    if a.tie == c.OBJ_BODY:
        (x1, q1), (x2, q2) = (poses[order.of(end)] for end in a.ends)
        R1, R2 = quat_to_mat(q1), quat_to_mat(q2)
        data[:3] = a.anchor
        if a.kind == c.EQ_CONNECT:
            data[3:6] = R2.T @ (x1 + R1 @ a.anchor - x2)
        elif a.relpose is not None:
            data[3:10] = a.relpose
        else:
            data[3:6] = R1.T @ (x2 + R2 @ a.anchor - x1)
            data[6:10] = quat_mul(q1 * [1, -1, -1, -1], q2)
    return data


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
            tie |= {f"anchor{k}": m.site_pos[site], f"quat{k}": m.site_quat[site], f"site{k}": site}
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
