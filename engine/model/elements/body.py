"""Bodies: the tree of frames that the rest hangs on, their masses and inertias."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import sleeping
from ..attributes import POSE, flag, number, read_attributes, vector
from ..checks import check, follows, one_of, refuse, same_count, unit_quaternions
from ..errors import ModelError
from ..inertia import MINVAL, combine, principal_axes, unit_inertia, volume
from ..same_frames import body_frames
from ..shapes import quat_of
from ..trees import last_dof
from .kind import Kind, integer, real
from .option import disabled, enabled

_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
_INERTIAL = POSE | {"mass": number(None, 0), "diaginertia": vector(None, 3), "fullinertia": vector(None, 6)}


class Body(Kind):
    name, plural, named = "body", "bodies", "nbody"
    fields = {
        "nbody": {
            "body_parentid": integer("the body above; 0, the world, is its own"),
            "body_rootid": integer("the body below the world that it hangs on"),
            "body_weldid": integer("itself where it can move, or else what it is fixed to"),
            "body_jntadr": integer("its first joint, or -1"),
            "body_jntnum": integer("number of joints"),
            "body_dofadr": integer("its first degree of freedom, or -1"),
            "body_dofnum": integer("number of degrees of freedom"),
            "body_pos": real("m", "place in the body above", 3),
            "body_quat": real("1", "orientation in the body above", 4),
            "body_ipos": real("m", "centre of mass in the body", 3),
            "body_iquat": real("1", "principal axes of inertia in the body", 4),
            "body_mass": real("kg", "mass", least=0, differentiable=True),
            "body_inertia": real("kg m^2", "principal moments of inertia", 3, least=0, differentiable=True),
            "body_invweight0": real("1/kg, 1/(kg m^2)", "mean inverse inertia at qpos0: moved, turned", 2, least=0),
            "body_gravcomp": real("1", "share of its weight that is compensated", before=0),
            "body_mocapid": integer("number among mocap bodies, whose poses are inputs, or -1", before=-1, since=2),
            "body_subtreemass": real("kg", "mass of the body and all below it", least=0),
            "body_sleep": integer("of all bodies of a tree whether it may sleep: AUTO_ALLOWED, ... (sleeping.py)",
                                  before=0, since=11),
            "body_asleep0": integer("tree_asleep of its tree at the start", before=sleeping.AWAKE, since=11),
        },
    }  # fmt: skip
    attributes = POSE | {"gravcomp": number(0.0), "mocap": flag(False)}

    class Methods:
        def body(self, name: str, parent: str = "world", **attributes: Any) -> str:
            """A body in the frame of `parent`: pos, and quat or euler; gravcomp, the share of its weight that is
            compensated; mocap, whether its pose is an input (of a child of the world without joints), which pos and
            quat are the first value of."""
            who = f"body {name!r}"
            if not name:
                raise ModelError(f"{who}; allowed: a name (bodies are referred to)")
            self._check_new("body", self.bodies, name)
            above = self._find("body", parent, who)
            a = read_attributes(Body.attributes, who, attributes)
            if a.mocap and above.name != "world":
                raise ModelError(f"{who}: mocap in {parent!r}; allowed: a child of the world")
            self.bodies[name] = _new(name, above, a.pos, quat_of(who, a), a.gravcomp, a.mocap)
            above.children.append(self.bodies[name])
            return name

        def inertial(self, body: str, mass: float, **attributes: Any) -> None:
            """Mass and inertia of a body, instead of its geoms'.

            Attributes: pos, and diaginertia (with quat or euler) or fullinertia,
            which is [Ixx, Iyy, Izz, Ixy, Ixz, Iyz] about the centre of mass, in the body's axes.
            """
            who = f"inertial of body {body!r}"
            target = self._find("body", body, who)
            a = read_attributes(_INERTIAL, who, {"mass": mass, **attributes})
            if target.name == "world" or target.inertial:
                raise ModelError(f"{who}; allowed: one, and none of the world")
            if (a.diaginertia is None) == (a.fullinertia is None):
                raise ModelError(f"{who}: allowed: one of diaginertia, fullinertia")
            quat, inertia = quat_of(who, a), a.diaginertia
            if a.fullinertia is not None:
                if a.quat is not None or a.euler is not None:
                    raise ModelError(f"{who}: fullinertia with quat or euler; allowed: it alone fixes the axes")
                xx, yy, zz, xy, xz, yz = a.fullinertia
                quat, inertia = principal_axes(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
            if (inertia < 0).any():
                raise ModelError(f"{who}: moments of inertia {inertia}; allowed: zero or more")
            target.inertial = (a.mass, a.pos, quat, inertia)

    def start(self):
        return {"bodies": {"world": _new("world", None, np.zeros(3), _IDENTITY.copy())}}

    def ordered(self, builder, bodies):
        return bodies

    def assembled(self, order, m):
        bodies, total = order.bodies, order.builder.settotalmass
        n = len(bodies)
        mass, ipos, iquat, inertia = map(np.array, zip(*(_inertial(body) for body in bodies), strict=True))
        if total is not None and mass.sum() > 0:
            mass, inertia = mass * (total / mass.sum()), inertia * (total / mass.sum())
        return self.columns(bodies) | {
            "body_parentid": [0] + [order.of(body.parent) for body in bodies[1:]],
            "body_mocapid": _numbered([body.mocap for body in bodies]),
            "body_ipos": ipos,
            "body_iquat": iquat,
            "body_mass": mass,
            "body_inertia": inertia,
            "body_sleep": np.zeros(n, int),
            "body_asleep0": np.full(n, sleeping.AWAKE),
        }

    def read(self, mujoco, mj, m):
        own = ("body_sleep", "body_asleep0")
        arrays = {name: np.array(getattr(mj, name)) for name in self.fields["nbody"] if name not in own}
        arrays |= dict(zip(own, _sleep(mujoco, mj), strict=True))
        arrays["body_ipos"], arrays["body_iquat"] = body_frames(mj)
        if _no_gravcomp(mujoco, mj):
            arrays["body_gravcomp"][:] = 0
        return arrays

    def changed(self, mujoco, mj):
        if np.any(mj.body_gravcomp) and _no_gravcomp(mujoco, mj):
            yield f"{_no_gravcomp(mujoco, mj)}: gravcomp set to zero"

    def count(self, m):
        m.nmocap = int(np.count_nonzero(m.body_mocapid >= 0))

    def check_indices(self, m):
        if m.nbody == 0:
            raise ModelError("nbody = 0; allowed: 1 or more, the first being the world")
        parent, number = m.body_parentid, np.arange(m.nbody)
        if parent[0] != 0:
            refuse(m, "body_parentid", 0, "0, since the world has no parent")
        bad = (parent < 0) | (parent >= np.maximum(number, 1))
        check(m, "body_parentid", bad, "a body before it (a tree, parents first)")
        one_of(m, "body_sleep", sleeping.POLICY_NAMES)
        start = m.body_asleep0
        check(m, "body_asleep0", (start < sleeping.AWAKE) | (start >= m.nbody), f"{sleeping.AWAKE} up to a tree")
        follows(m, "body_mocapid", _numbered(m.body_mocapid >= 0), "which bodies are mocap, in their order")
        same_count(m, "nmocap", np.count_nonzero(m.body_mocapid >= 0), "body_mocapid")
        check(m, "body_mocapid", (m.body_mocapid >= 0) & ((parent != 0) | (number == 0)), "-1, or a child of the world")

    def check(self, m):
        check(m, "body_asleep0", ~sleeping.cycles(m), f"{sleeping.AWAKE} to -1, or the next tree of a cycle")
        check(m, "body_mocapid", (m.body_mocapid >= 0) & (m.body_dofnum > 0), "-1, or a body without joints")
        unit_quaternions(m, "body_quat", "body_iquat")
        a, b, d = m.body_inertia.T
        slack = 1e-9 * (a + b + d)
        words = "moments that obey A + B >= C (no mass distribution has others)"
        check(m, "body_inertia", (a + b + slack < d) | (b + d + slack < a) | (a + d + slack < b), words)
        carries = (m.body_mass >= MINVAL) & (m.body_inertia.min(axis=1) >= MINVAL)
        for b in range(m.nbody - 1, 0, -1):
            if carries[b] and m.body_dofnum[b] == 0:  # what is fixed to a body loads it
                carries[m.body_parentid[b]] = True
        for bad in np.flatnonzero((m.body_dofnum > 0) & ~carries):
            raise ModelError(
                f"{m.label('body', bad)} has a joint, mass {m.body_mass[bad]} and inertia {m.body_inertia[bad]}; "
                "allowed: a moving body, or one fixed to it, has positive mass and inertia (add a geom or an inertial)"
            )

    def set_const(self, m):
        m.body_subtreemass[:] = m.body_mass
        for b in range(len(m.body_mass) - 1, 0, -1):
            m.body_subtreemass[m.body_parentid[b]] += m.body_subtreemass[b]

    def device(self, m):
        return {
            **sleeping.device(m),
            "body_lastdof": last_dof(m), "body_turned": _turned(m.body_quat), "body_iturned": _turned(m.body_iquat)
        }  # fmt: skip


def _sleep(mujoco, mj):
    """body_sleep and body_asleep0 of an MjModel."""
    policy, start = np.zeros(mj.nbody, int), np.full(mj.nbody, sleeping.AWAKE)
    if enabled(mujoco, mj, "SLEEP") and mj.ntree:
        moves = mj.body_treeid >= 0
        policy[moves] = mj.tree_sleep_policy[mj.body_treeid[moves]]
        start[moves] = mujoco.MjData(mj).tree_asleep[mj.body_treeid[moves]]
    return policy, start


def _no_gravcomp(mujoco, mj):
    """Why MuJoCo compensates no weight, or ""."""
    if disabled(mujoco, mj, "SPRING") and disabled(mujoco, mj, "DAMPER"):
        return "option flags spring and damper are disabled"
    return "" if mj.flg_gravcomp else "no body has a gravcomp above zero"


def _new(name, parent, pos, quat, gravcomp=0.0, mocap=False):
    """attached: the elements on it, by their kinds' plural."""
    return SimpleNamespace(
        name=name, parent=parent, pos=pos, quat=quat, gravcomp=gravcomp, mocap=mocap, children=[], inertial=None,
        attached=defaultdict(list),
    )  # fmt: skip


def _numbered(chosen):
    """Numbers of the chosen ones in their order; of the others -1."""
    chosen = np.asarray(chosen, bool)
    return np.where(chosen, np.cumsum(chosen) - 1, -1)


def mocap_bodies(m):
    """The mocap bodies of a Model, in the order of `mocap_pos` and `mocap_quat`."""
    return np.flatnonzero(m.body_mocapid >= 0)


def _inertial(body):
    """(mass, ipos, iquat, inertia), the body's own or its geoms'."""
    if body.inertial:
        return body.inertial
    if body.parent is None:
        return 0.0, np.zeros(3), _IDENTITY, np.zeros(3)  # nothing depends on what the world weighs
    parts = []
    for geom in body.attached["geoms"]:
        mass = geom.density * volume(geom.type, geom.size) if geom.mass is None else geom.mass
        parts.append((mass, geom.pos, geom.quat, mass * unit_inertia(geom.type, geom.size)))
    combined = combine(parts)
    # MuJoCo's compiler leaves the body's own pos and quat as the inertial frame of a body without mass; it matters
    # only to body_invweight0 and to sensors of that frame, and there it does.
    return combined if combined[0] else (0.0, body.pos, body.quat, np.zeros(3))


def _turned(quat):
    """Which unit quaternions (n, 4) are a rotation."""
    return (quat[:, 1:] != 0).any(axis=1)
