"""Numbers that differ between two models, element by element, found through the table of a Model's arrays."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from engine.model import constants as c
from engine.model.elements.option import Option
from engine.model.fields import FIELDS
from engine.model.rotation import quat_to_mat

# Numbers of other elements, which are compared by what they point at, and what follows from all the others.
_POINTS = {
    "body_parentid": "body", "jnt_bodyid": "body", "geom_bodyid": "body", "site_bodyid": "body",
}  # fmt: skip
_OTHER = (
    *_POINTS, "body_rootid", "body_weldid", "body_jntadr", "body_jntnum", "body_dofadr", "body_dofnum", "body_mocapid",
    "body_invweight0", "body_subtreemass", "body_inertia", "body_iquat",
    "jnt_qposadr", "jnt_dofadr", "dof_bodyid", "dof_jntid", "dof_parentid",
    "dof_invweight0", "geom_dataid", "geom_rbound", "geom_rgba", "geom_group", "site_rgba", "site_type", "site_size",
    "site_targetbodyid", "site_pos0", "site_quat0", "body_asleep0", "dof_length",
    "tendon_adr", "tendon_num", "tendon_rgba", "tendon_width", "tendon_invweight0", "eq_obj1id", "eq_obj2id",
    "actuator_trnid", "actuator_refid", "actuator_actadr", "sensor_objid", "sensor_refid", "sensor_adr",
)  # fmt: skip
# Rotations, of which q and -q are one.
_QUATERNIONS = ("body_quat", "geom_quat", "site_quat")
_SIX = np.array([0, 1, 2, 0, 0, 1]), np.array([0, 1, 2, 1, 2, 2])  # xx yy zz xy xz yz
_KIND_OF = {"nbody": "body", "njnt": "joint", "ngeom": "geom", "nsite": "site", "ntendon": "tendon",
            "neq": "equality", "nu": "actuator", "nsensor": "sensor"}  # fmt: skip
# Whose numbers mean nothing while this is false.
_SWITCHES = {
    "jnt_range": "jnt_limited", "jnt_actfrcrange": "jnt_actfrclimited", "actuator_ctrlrange": "actuator_ctrllimited",
    "actuator_forcerange": "actuator_forcelimited", "actuator_actrange": "actuator_actlimited",
    "tendon_range": "tendon_limited", "tendon_actfrcrange": "tendon_actfrclimited",
}  # fmt: skip


class Number(NamedTuple):
    """array: its name in a Model, or "opt.timestep". element: how messages call it. a, b: its values."""

    array: str
    element: str
    a: object
    b: object

    def __str__(self):
        of = f" of {self.element}" if self.element else ""
        return f"{self.array}{of}: {_plain(self.a)} against {_plain(self.b)}"


def numbers(aligned, tolerance):
    """Every Number that differs by more than `tolerance` of the larger, [Number]: options first."""
    a, b = aligned.models
    found = [
        Number(f"opt.{f.name}", "", x, y)
        for f in fields(Option)
        if not _same(x := getattr(a.opt, f.name), y := getattr(b.opt, f.name), tolerance)
    ]
    for array, (size, _, _) in FIELDS.items():
        if array in _OTHER or not (size in _KIND_OF or size in ("nv", "nq")):
            continue
        found += _of_array(aligned, array, size, tolerance)
    for array, kind in _POINTS.items():
        found += _pointing(aligned, array, kind)
    return [*found, *_inertias(aligned, tolerance), *_drives(aligned), *_hulls(aligned, tolerance)]


def _of_array(aligned, array, size, tolerance):
    a, b = aligned.models
    rows = {"nv": aligned.dofs, "nq": aligned.qpos}.get(size) or aligned[_KIND_OF[size]][:2]
    one, other = (getattr(m, array)[of] for m, of in zip(aligned.models, rows, strict=True))
    if array in _QUATERNIONS:
        other = other * np.where(np.sum(one * other, axis=1, keepdims=True) < 0, -1, 1)
    for k, (i, j) in enumerate(zip(*rows, strict=True)):
        if _same(one[k], other[k], tolerance):
            continue
        if array in _SWITCHES and not (getattr(a, _SWITCHES[array])[i] or getattr(b, _SWITCHES[array])[j]):
            continue
        yield Number(array, _word(a, array, size, i), one[k], other[k])


def _inertias(aligned, tolerance):
    """Bodies whose inertias about their centres of mass are others, in the axes of the body: 3 x 3 matrices, since its
    own axes are not unique."""
    for i, j in zip(*aligned["body"][:2], strict=True):
        full = []
        for m, k in zip(aligned.models, (i, j), strict=True):
            axes = quat_to_mat(m.body_iquat[k])
            full.append(axes @ np.diag(m.body_inertia[k]) @ axes.T)
        if not _same(*full, tolerance):
            yield Number("body_inertia", aligned.models[0].label("body", i), *(x[_SIX] for x in full))


def _word(m, array, size, i):
    if size == "nv":
        return m.label("joint", m.dof_jntid[i])
    if size == "nq":
        return m.label("joint", np.searchsorted(m.jnt_qposadr, i, side="right") - 1)
    return m.label(_KIND_OF[size], i)


def _pointing(aligned, array, kind):
    """Elements that stand on another body in the two models."""
    a, b = aligned.models
    owner = _KIND_OF[FIELDS[array][0]]
    same = dict(zip(*aligned[kind][:2], strict=True))
    for i, j in zip(*aligned[owner][:2], strict=True):
        one, other = int(getattr(a, array)[i]), int(getattr(b, array)[j])
        if (i or owner != "body") and same.get(one) != other:
            yield Number(array, a.label(owner, i), _name(a, kind, one), _name(b, kind, other))


def _drives(aligned):
    """Actuators of the same name that drive something else."""
    a, b = aligned.models
    for i, j in zip(*aligned["actuator"][:2], strict=True):
        words = [_target(m, k) for m, k in ((a, i), (b, j))]
        if a.actuator_trntype[i] == b.actuator_trntype[j] and words[0] != words[1]:
            yield Number("actuator_trnid", a.label("actuator", i), *words)


def _target(m, i):
    return _name(m, c.DRIVEN.get(int(m.actuator_trntype[i]), "joint"), m.actuator_trnid[i])


def _hulls(aligned, tolerance):
    """Geoms whose meshes are others."""
    a, b = aligned.models
    for i, j in zip(*aligned["geom"][:2], strict=True):
        hulls = [_hull(m, k) for m, k in ((a, i), (b, j))]
        if any(h is not None for h in hulls) and not (
            all(h is not None for h in hulls) and hulls[0].shape == hulls[1].shape and _same(*hulls, tolerance)
        ):
            counts = ["no hull" if h is None else f"{len(h)} vertices" for h in hulls]
            yield Number("hull_vert", a.label("geom", i), *counts)


def _hull(m, geom):
    mesh = m.geom_dataid[geom]
    if m.geom_type[geom] != c.MESH or mesh < 0:
        return None
    return m.hull_vert[m.mesh_hulladr[mesh] : m.mesh_hulladr[mesh] + m.mesh_hullnum[mesh]]


def _name(m, kind, i):
    return getattr(m, f"{kind}_names")[i] or f"{kind} {i}"


def _same(x, y, tolerance):
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype.kind != "f":
        return np.array_equal(x, y)
    scale = max(np.abs(x).max(initial=0), np.abs(y).max(initial=0))
    return x.shape == y.shape and bool(np.abs(x - y).max(initial=0) <= tolerance * max(scale, 1e-9))


def _plain(value):
    if isinstance(value, str):
        return value
    value = np.asarray(value)
    return " ".join(f"{x:.6g}" if value.dtype.kind == "f" else str(x) for x in value.ravel())
