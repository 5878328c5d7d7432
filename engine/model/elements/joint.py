"""Joints, their coordinates (qpos) and their degrees of freedom (dof)."""

from typing import Any

import numpy as np

from engine.words import counted

from .. import constants as c
from ..attributes import SOLIMP, SOLREF, choice, direction, ends, flag, number, polynomial, read_attributes, vector
from ..checks import below, check, follows, one_of, ranges, same_count, solref
from ..coordinates import coordinates
from ..errors import ModelError
from ..plastic import columns, yields
from ..setconst import derived_topology, per_joint, set_invweight0
from ..trees import tree, tree_ids
from .kind import Kind, boolean, integer, real
from .option import enabled

_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


class Joint(Kind):
    name, plural, named = "joint", "joints", "njnt"
    on_bodies = defaulted = True
    fields = {
        "nq": {
            "qpos0": real("m, rad or 1", "coordinates of the robot as it is drawn"),
            "qpos_spring": real("m, rad or 1", "coordinates at which springs are at rest"),
        },
        "njnt": {
            "jnt_type": integer("FREE, BALL, SLIDE, HINGE"),
            "jnt_qposadr": integer("its first coordinate"),
            "jnt_dofadr": integer("its first degree of freedom"),
            "jnt_bodyid": integer("the body that it moves"),
            "jnt_pos": real("m", "place in the body", 3),
            "jnt_axis": real("1", "axis of a slide or hinge in the body", 3),
            "jnt_stiffness": real("N/m or N m/rad", "spring constant", least=0, differentiable=True),
            "jnt_range": real("m or rad", "lower and upper end; of a ball 0 and the largest angle", 2),
            "jnt_limited": boolean("whether the range limits it"),
            "jnt_margin": real("m or rad", "distance from a limit at which it is felt"),
            "jnt_solref": real("s, 1", "reference of a limit", 2),
            "jnt_solimp": real("", "impedance of a limit", 5),
            "jnt_stiffnesspoly": real("N/m^2, N/m^3 or N m/rad^2, ...", "of stretch squared and cubed", 2, before=0),
            "jnt_actfrclimited": boolean("whether the sum of actuator forces on it is clamped", before=0),
            "jnt_actfrcrange": real("N or N m", "lower and upper end of that sum", 2, before=0),
            "jnt_actgravcomp": boolean("whether compensation of gravity is among those forces", before=0),
            "jnt_springyield": real("m or rad", "stretch at which its spring's rest yields; 0: none", least=0, before=0,
                                    since=8),
        },
        "nv": {
            "dof_bodyid": integer("the body that it moves"),
            "dof_jntid": integer("its joint"),
            "dof_parentid": integer("the dof above it in the tree, or -1"),
            "dof_armature": real("kg or kg m^2", "inertia of what drives it", least=0, differentiable=True),
            "dof_damping": real("N s/m or N m s", "viscous damping", least=0, differentiable=True),
            "dof_frictionloss": real("N or N m", "dry friction", least=0, differentiable=True),
            "dof_invweight0": real("1/kg or 1/(kg m^2)", "inverse inertia at qpos0", least=0),
            "dof_solref": real("s, 1", "reference of dry friction", 2),
            "dof_solimp": real("", "impedance of dry friction", 5),
            "dof_dampingpoly": real("N s^2/m^2, ... or N m s^2, ...", "of v |v| and v cubed", 2, before=0),
            "dof_length": real("m or 1", "times its velocity is how fast it is, where trees sleep", before=1, since=11),
        },
    }
    attributes = {
        "type": choice("hinge", {name: kind for kind, name in c.JOINT_NAMES.items()}),
        "pos": vector((0, 0, 0), 3),
        "axis": direction((0, 0, 1), 3, "three finite numbers, not all zero"),
        "stiffness": polynomial(),
        "damping": polynomial(),
        "armature": number(0.0, 0),
        "frictionloss": number(0.0, 0),
        "ref": number(0.0),
        "springref": number(0.0),
        "springyield": number(0.0, 0),
        "range": ends(),
        "limited": flag(),
        "margin": number(0.0),
        "actuatorfrcrange": ends(),
        "actuatorfrclimited": flag(),
        "actuatorgravcomp": flag()._replace(default=False),
        "solreflimit": SOLREF,
        "solimplimit": SOLIMP,
        "solreffriction": SOLREF,
        "solimpfriction": SOLIMP,
    }
    stored = {"jnt_solref": "solreflimit", "jnt_solimp": "solimplimit",
              "dof_solref": "solreffriction", "dof_solimp": "solimpfriction",
              "jnt_actfrclimited": "actuatorfrclimited", "jnt_actfrcrange": "actuatorfrcrange",
              "jnt_actgravcomp": "actuatorgravcomp"}  # fmt: skip

    class Methods:
        def joint(self, body: str, name: str | None = None, **attributes: Any) -> str:
            """A joint between `body` and its parent; several joints of a body act in the order they are added."""
            return self._add_joint(body, name, attributes, self._defaults["joint"])

        def freejoint(self, body: str, name: str | None = None) -> str:
            """A free joint that no default touches, like MJCF's freejoint."""
            return self._add_joint(body, name, {"type": "free"}, {})

        def _add_joint(self, body, name, attributes, defaults):
            who = f"joint {name or ''!r} of body {body!r}"
            target = self._find("body", body, who)
            a = read_attributes(Joint.attributes, who, attributes, defaults)
            if target.name == "world":
                raise ModelError(f"{who}; allowed: a body other than the world")
            if a.type in (c.FREE, c.BALL):
                a.axis = np.array([0.0, 0.0, 1.0])  # has no meaning there; MuJoCo stores this
            if a.type == c.FREE:
                a.pos = np.zeros(3)
                if a.springyield:
                    raise ModelError(f"{who}: springyield = {a.springyield:g}; allowed for a free joint: 0")
            self._set_limits(who, a, "range", "limited")
            self._set_limits(who, a, "actuatorfrcrange", "actuatorfrclimited")
            return self._add("joint", name, a, target)

    def assembled(self, order, m):
        joints = order.elements["joint"]
        m.jnt_type = np.array([joint.type for joint in joints], int)
        m.jnt_bodyid = np.array(order.owners("joints"), int)
        rest = [_rest(joint, order.bodies[b]) for joint, b in zip(joints, m.jnt_bodyid, strict=True)]
        topology = derived_topology(m)
        return (
            self.columns(joints, "njnt")
            | self.columns([joints[j] for j in topology["dof_jntid"]], "nv")
            | _polynomials("jnt_stiffness", [joint.stiffness for joint in joints])
            | _polynomials("dof_damping", [joints[j].damping for j in topology["dof_jntid"]])
            | topology
            | {"jnt_bodyid": m.jnt_bodyid}
            | {"dof_length": np.ones(len(topology["dof_jntid"]))}
            | {"qpos0": np.concatenate([[], *(at for at, _ in rest)])}
            | {"qpos_spring": np.concatenate([[], *(spring for _, spring in rest)])}
        )

    def refused(self, mujoco, mj):
        for j in np.flatnonzero(np.asarray(getattr(mj, "jnt_plasticadr", ())) >= 0):
            if not mj.jnt_springyield[j]:  # set so when it was compiled
                yield f"{self.who(mujoco, mj, j)}: plastic spring; allowed: an elastic one"

    def read(self, mujoco, mj, m):
        names = [array for group in self.fields.values() for array in group if array != "jnt_springyield"]
        arrays = {array: np.array(getattr(mj, array)) for array in names} | {"jnt_springyield": yields(mj, "jnt")}
        arrays["jnt_actfrclimited"] &= ~_idle(mujoco, mj)
        if not enabled(mujoco, mj, "SLEEP"):
            arrays["dof_length"][:] = 1  # which nothing reads
        return arrays

    def lacking(self, m):
        for j in np.flatnonzero((m.jnt_type == c.FREE) & np.any(m.jnt_stiffnesspoly, axis=1)):
            who = f"joint {m.joint_names[j]!r}" if m.joint_names[j] else f"joint {j}"
            yield f"{who}: second and third stiffness of a free joint = {m.jnt_stiffnesspoly[j]}; allowed: 0"

    def changed(self, mujoco, mj):
        idle = np.sum(mj.jnt_actfrclimited & _idle(mujoco, mj))
        if idle:
            yield f"actuatorfrcrange (effort) of {counted(idle, 'joint')} without an actuator: left out"

    def label(self, m, array, index):
        return f"dof {index} of {m.label('joint', m.dof_jntid[index])}"

    def check_indices(self, m):
        one_of(m, "jnt_type", c.JOINT_NAMES)
        below(m, "jnt_bodyid", "nbody", "body", low=1)
        back = np.diff(m.jnt_bodyid.astype(int), prepend=0) < 0
        check(m, "jnt_bodyid", back, "not before the body of the joint before it")
        same_count(m, "nq", per_joint(m, c.NQ).sum(), "jnt_type")
        same_count(m, "nv", per_joint(m, c.NV).sum(), "jnt_type")
        for array, want in derived_topology(m).items():
            follows(m, array, want, "body_parentid, jnt_type and jnt_bodyid")

    def check(self, m):
        low, high = m.jnt_range.T
        check(m, "jnt_range", m.jnt_limited & (low > high), "lower end below upper end, or at it")
        ranges(m, ("jnt_actfrclimited", "jnt_actfrcrange"))
        ball, free = m.jnt_type == c.BALL, m.jnt_type == c.FREE
        single = ~ball & ~free
        check(m, "jnt_actfrclimited", m.jnt_actfrclimited & ~single, "False, since only hinges and slides have it")
        check(m, "jnt_axis", single & (abs(np.linalg.norm(m.jnt_axis, axis=1) - 1) > 1e-6), "a vector of length one")
        check(m, "jnt_limited", m.jnt_limited & free, "False, since a free joint has no limits")
        check(m, "jnt_springyield", (m.jnt_springyield > 0) & free, "0 for a free joint")
        check(m, "jnt_range", m.jnt_limited & ball & (m.jnt_range[:, 0] != 0), "[0, largest angle] for a ball joint")
        for j in np.flatnonzero(~single):
            _check_neighbours(m, j)
        solref(m, "jnt_solref", m.jnt_limited)
        solref(m, "dof_solref", m.dof_frictionloss > 0)

    def set_const(self, m):
        set_invweight0(m)

    def device(self, m):
        dof0 = np.minimum(m.jnt_dofadr, max(m.nv - 1, 0))
        group, turns = _side_by_side(m)
        return {
            "jnt_off": (m.jnt_pos != 0).any(axis=1), "jnt_diaga": m.dof_invweight0[dof0], "dof_diaga": m.dof_invweight0,
            "dof_treeid": tree_ids(m), "dof_group": group, "dof_turns": turns,
            **_columns("coord_kind coord_qposadr coord_dofadr coord_jntid", coordinates(m)),
            **_columns("tree_parent tree_run tree_depth tree_row", tree(m)[0]),
            **columns(m),
        }  # fmt: skip


def _columns(names, rows):
    names = names.split()
    return dict(zip(names, np.array(rows, np.int32).reshape(-1, len(names)).T, strict=True))


def _rest(joint, body):
    """Coordinates of a joint as drawn, and with its spring at rest."""
    if joint.type == c.FREE:
        return (np.concatenate([body.pos, body.quat]),) * 2
    if joint.type == c.BALL:
        return _IDENTITY, _IDENTITY
    return [joint.ref], [joint.springref]


def _polynomials(array, given):
    """{array of first coefficients: (n,), array of the others: (n, 2)}"""
    given = np.reshape(given, (-1, 3))
    return {array: given[:, 0], f"{array}poly": given[:, 1:]}


def _idle(mujoco, mj):
    """(njnt,), at which joints a limit on actuator forces (a URDF's effort) limits none: no actuator acts there."""
    low, high = mj.jnt_actfrcrange.T
    driven = np.zeros(mj.njnt, bool)
    of_joints = np.isin(mj.actuator_trntype, (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT))
    driven[mj.actuator_trnid[of_joints, 0]] = True
    driven |= not of_joints.all()  # others act on joints that they do not name
    compensated = mj.jnt_actgravcomp.astype(bool) & np.any(mj.body_gravcomp)
    return (low <= 0) & (high >= 0) & ~driven & ~compensated | (len(mj.actuator_trntype) == 0)


def _check_neighbours(m, j):
    """Which other joints the body of a free joint or of a ball may have."""
    body, kind = m.jnt_bodyid[j], m.jnt_type[j]
    others = m.jnt_type[(m.jnt_bodyid == body) & (np.arange(m.njnt) != j)]
    if kind == c.FREE and (m.body_parentid[body] != 0 or len(others)):
        raise ModelError(
            f"{m.label('joint', j)} is free in {m.label('body', body)}; allowed: only joint, body under the world"
        )
    if kind == c.BALL and np.isin(others, (c.BALL, c.HINGE)).any():
        raise ModelError(
            f"{m.label('joint', j)} is a ball in {m.label('body', body)}; allowed: no other joint that turns there"
        )


def _side_by_side(m):
    """Of each dof: the first of the triple that acts at once with it, and whether it turns."""
    group = np.arange(m.nv, dtype=np.int32)
    turns = m.jnt_type[m.dof_jntid] != c.SLIDE
    for t, a in zip(m.jnt_type, m.jnt_dofadr, strict=True):
        if t == c.FREE:
            turns[a : a + 3] = False
        if t in (c.FREE, c.BALL):
            group[a : a + c.NV[int(t)]] = np.repeat(np.arange(a, a + c.NV[int(t)], 3), 3)
    return group, turns
