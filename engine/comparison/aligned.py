"""Which element of one model is which of another: by name, and where there is none by what it belongs to."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from engine.model import constants as c
from engine.model.coordinates import coordinates
from engine.model.delays import joined

KINDS = ("body", "joint", "geom", "site", "tendon", "equality", "actuator", "sensor")


class Matched(NamedTuple):
    """first, second: numbers of the elements that are the same, in the first model's order. missing, added: numbers of
    those that the first model alone has, and the second alone."""

    first: np.ndarray
    second: np.ndarray
    missing: list
    added: list

    @property
    def reordered(self):
        """Whether they stand in another order."""
        return bool((np.diff(self.second) < 0).any())


class Aligned:
    """Two models' elements side by side: `aligned["joint"]` is a Matched; qpos, dofs, act and mocap are pairs of
    places in the arrays of the two models.

    A body is that of the same name, else that which a joint of both models moves, else the same child of the same
    body. Of other elements those without names are counted along what they are on, or drive.
    """

    def __init__(self, a, b):
        self.models = a, b
        self._of = {"joint": _matched(a.joint_names, b.joint_names)}
        self._of["body"] = self._bodies()
        token = {b: i for i, b in zip(*self["body"][:2], strict=True)}
        self._tokens = dict(enumerate(range(a.nbody))), {i: token.get(i, ("second", i)) for i in range(b.nbody)}
        for kind in KINDS:
            if kind != "body":
                keys = (self._keys(kind, m, t) for m, t in zip(self.models, self._tokens, strict=True))
                self._of[kind] = _matched(*keys)
        same = a.jnt_type[self["joint"].first] == b.jnt_type[self["joint"].second]
        joints = [of[same].tolist() for of in self["joint"][:2]]
        self.qpos, self.dofs = (
            tuple(
                np.array([i for j in js for i in _entries(m, j)[k]], int)
                for m, js in zip(self.models, joints, strict=True)
            )
            for k in (0, 1)
        )
        self.act = tuple(_matched(*(_counted(joined(m)) for m in self.models))[:2])
        self.mocap = self._mocap()

    def __getitem__(self, kind):
        return self._of[kind]

    def _bodies(self):
        a, b = self.models
        found = {0: 0}
        names = {name: i for i, name in enumerate(b.body_names) if name and i}
        found |= {i: names[name] for i, name in enumerate(a.body_names) if i and name in names}
        for i, j in zip(*self["joint"][:2], strict=True):
            one, other = int(a.jnt_bodyid[i]), int(b.jnt_bodyid[j])
            if one not in found and other not in found.values():
                found[one] = other
        for one in range(1, a.nbody):  # parents come before their children
            parent = found.get(int(a.body_parentid[one]))
            if one in found or parent is None:
                continue
            taken = set(found.values())
            free = [j for j in range(1, b.nbody) if b.body_parentid[j] == parent and j not in taken]
            free = [j for j in free if not (a.body_names[one] and b.body_names[j])]
            if free:
                found[one] = free[0]
        first = np.array(sorted(found), int)
        second = np.array([found[i] for i in first], int)
        missing, added = (sorted(set(range(m.nbody)) - set(of)) for m, of in ((a, first), (b, second)))
        return Matched(first, second, missing, added)

    def _keys(self, kind, m, token):
        """What each element of a model is known by: its name, or its place among those without. A geom that is only
        drawn is none."""
        keys = [name or self._place(kind, m, i, token) for i, name in enumerate(getattr(m, f"{kind}_names"))]
        if kind == "geom":
            solid = set(m.pair_geom1.tolist()) | set(m.pair_geom2.tolist())
            keys = [key if i in solid else None for i, key in enumerate(keys)]
        return _counted(keys)

    def _place(self, kind, m, i, token):
        if kind == "geom":
            return kind, int(m.geom_type[i]), token[int(m.geom_bodyid[i])]
        if kind in ("joint", "site"):
            return kind, token[int(getattr(m, f"{kind}_bodyid")[i])]
        if kind == "actuator":
            target = c.DRIVEN.get(int(m.actuator_trntype[i]), "joint")
            return kind, target, m.label(target, m.actuator_trnid[i])
        return (kind, int(m.sensor_type[i]), int(m.sensor_objtype[i])) if kind == "sensor" else (kind,)

    def _mocap(self):
        first, second = self["body"][:2]
        a, b = (m.body_mocapid[of] for m, of in zip(self.models, (first, second), strict=True))
        both = (a >= 0) & (b >= 0)
        return a[both], b[both]


def _entries(m, joint):
    """Places of a joint in qpos and in qvel."""
    own = [k for k in coordinates(m) if k.joint == joint]
    qpos = [k.qposadr + n for k in own for n in range(4 if k.kind else 1)]
    return qpos, [k.dofadr + n for k in own for n in range(3 if k.kind else 1)]


def _counted(keys):
    """The same keys with how often each came before; None stays."""
    seen, counted = Counter(), []
    for key in keys:
        counted.append(None if key is None else (key, seen[key]))
        seen[key] += 1
    return counted


def _matched(a, b):
    """Those with the same keys; what has none is neither missing nor added."""
    where = {key: j for j, key in enumerate(b) if key}
    pairs = [(i, where[key]) for i, key in enumerate(a) if key and key in where]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    known = set(a)
    missing = [i for i, key in enumerate(a) if key and key not in where]
    return Matched(first, second, missing, [j for j, key in enumerate(b) if key and key not in known])
