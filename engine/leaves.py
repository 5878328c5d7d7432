"""Leaves: parameters of frames, shapes and contacts that have a gradient where a simulator is asked for it.

    sim = engine.Simulator(model, leaves=("geom_size", "geom_solref"))

A robot has many of them, and what follows from their adjoints costs a reverse step that nobody asks for nothing. Their
values stand in theta, behind the others, where people write them. Kernels read them, and what follows from them
(bounding boxes, radii of the broad phase, which geoms are alike), in the model's buffers. The host fills these anew
where a leaf has changed (`Leaves.refresh`). Masses and inertias do not follow from sizes, nor do those of a fluid that
moves along.
"""

import copy
from collections.abc import Iterable

import numpy as np

from engine.arrays import fill_columns, theta_layout
from engine.finite import require_finite
from engine.model import constants as c
from engine.model.arms import muscles
from engine.model.elements import KINDS
from engine.model.elements.geom import bound_fields
from engine.model.reads import told
from engine.model.sensors import ROWS
from engine.schema import MODEL, OWN_LEAVES
from engine.theta import (
    CONTACT_LEAVES,
    DIFFERENTIABLE,
    EQUALITY_LEAVES,
    FIELD_LEAVES,
    INERTIA_LEAVES,
    LEAF_NAMES,
    SHAPE_LEAVES,
    SITE_LEAVES,
    TENDON_LEAVES,
)
from engine.words import meant

# what of the model's buffers follows from them
COLUMNS = {
    "geom_pos", "geom_quat", "geom_size", "geom_center", "geom_half", "geom_reach", "sweep_radius", "geom_solref",
    "geom_solimp", "geom_margin", "geom_gap", "geom_alike", "pair_solref", "pair_solreffriction", "pair_solimp",
    "pair_margin", "pair_gap", "body_pos", "body_quat",
    "body_turned", "body_ipos", "body_iquat", "body_iturned", "jnt_pos", "jnt_axis", "jnt_off", "jnt_range",
    "jnt_margin", "jnt_solref", "jnt_solimp", "actuator_tau", "pid_imax", "pid_slew", "pid_ki", "muscle_dynprm",
    "muscle_gaincurve", "muscle_biascurve", "motor_dyn", "motor_gain", "motor_bias", "dof_solref", "dof_solimp",
    "hfield_data", "hfield_size", "surface_lin", "surface_ang", "flow_area", "flow_moment", "flow_magnus", "flow_kutta",
    "flow_blunt", "flow_slender", "flow_slide", "flow_turn", "flow_by_size",
}  # fmt: skip
_ANCHORS = {"eq_anchor1", "eq_anchor2", "eq_quat1", "eq_quat2"}
_READ = {"sensor_pos", "sensor_quat", "sensor_refpos", "sensor_refquat"}
OF_SITES = _ANCHORS | _READ | {"site_pos", "site_quat", "arm_pos", "arm_quat"}
OF_TENDONS = {
    "tendon_range", "tendon_margin", "tendon_solref_lim", "tendon_solimp_lim", "tendon_solref_fri", "tendon_solimp_fri",
}  # fmt: skip
OF_EQUALITIES = _ANCHORS | {"eq_solref", "eq_solimp", "eq_polycoef", "eq_torquescale"}
SHAPE, CONTACT, SITE, INERTIA, FIELD, TENDON, EQUALITY = (
    tuple(p.name for p in group)
    for group in (
        SHAPE_LEAVES, CONTACT_LEAVES, SITE_LEAVES, INERTIA_LEAVES, FIELD_LEAVES, TENDON_LEAVES, EQUALITY_LEAVES,
    )
)  # fmt: skip
GEOM = next(kind for kind in KINDS if kind.name == "geom")
# Whose buffers follow from which: of all leaves, and of some groups. (What the kind tendon makes, which places it goes
# by, follows from none.)
_ALWAYS = {"body", "joint", "geom", "pair", "actuator"}, COLUMNS
_OF_INERTIAS = {"body"}, {"body_ipos", "body_iquat", "body_iturned"}  # alone: little, which searches fill often
_GROUPS = (
    (SITE, {"site", "sensor", "equality"}, OF_SITES),
    (INERTIA + SHAPE, {"sensor"}, _READ),
    (TENDON, {"tendon"}, OF_TENDONS),
    (EQUALITY, {"equality"}, OF_EQUALITIES),
)


def checked_leaves(model, leaves):
    """The names of leaves in the order of the table. Raises ValueError for one that does not exist, and where something
    of the model would need an adjoint that is not there."""
    if leaves is not None and not isinstance(leaves, Iterable):
        raise TypeError(f"leaves: got {type(leaves).__name__}, allowed: names, as ('geom_size', 'body_pos'), or none")
    leaves = (leaves,) if isinstance(leaves, str) else tuple(leaves or ())
    unknown = [name for name in leaves if name not in LEAF_NAMES]
    if unknown:
        always = [name for name in unknown if name in DIFFERENTIABLE]
        near = meant(unknown[0], LEAF_NAMES)
        near = f" (a simulator has {', '.join(always)} without being asked)" if always else near
        raise ValueError(f"leaves: got {unknown}{near}, allowed: {', '.join(LEAF_NAMES)}")
    why = refused(model)
    for name in leaves:
        if name in why:
            raise ValueError(f"leaves: got {name}, but {why[name]}")
    return tuple(name for name in LEAF_NAMES if name in leaves)


def refused(model):
    """{leaf: why a model has no gradient by it}."""
    found = {}
    for i in measuring(model)[:1]:
        why = f"{model.label('sensor', int(i))} measures along a ray beside a height field; allowed: other sensors"
        found |= dict.fromkeys(FIELD, why)
    if model.opt.integrator == c.DISCRETE and muscles(model).any():
        why = "the integrator discrete takes the stiffness of muscles, which has none by it; allowed: other integrators"
        found |= dict.fromkeys(("actuator_gaincurve", "actuator_biascurve"), why)
    return found


def measuring(model):
    """Numbers of the sensors whose rays may meet a height field."""
    rays = np.array([ROWS[k].level == "range" for k in model.sensor_type], bool)
    return np.flatnonzero(rays & (model.geom_type == c.HFIELD).any())


def _follow(leaves):
    """Names of the kinds of element, and of the columns, that follow from these leaves."""
    names, columns = map(set, _OF_INERTIAS if set(leaves) <= set(INERTIA) else _ALWAYS)
    for group, of, more in _GROUPS:
        if not set(group).isdisjoint(leaves):
            names, columns = names | of, columns | more
    return names, columns if set(FIELD) & set(leaves) else columns - set(FIELD)


def owned_buffers(leaves):
    """The model's buffers that each world needs for itself where it has these leaves of its own."""
    columns = _follow(leaves)[1] if leaves else ()
    return [b.name for b in MODEL if b.name in OWN_LEAVES and any(c.name in columns for c in b.columns.values())]


def unasked(name):
    """What an error about a parameter that is not there adds where a simulator can be asked for it."""
    return f"; a simulator that is asked for it has it: Simulator(model, leaves=[{name!r}])" * (name in LEAF_NAMES)


def held_sizes(model):
    """Geoms whose size nobody may change: vertices say what a mesh is, and no rule says what its size does; of a height
    field nothing reads it."""
    return np.isin(model.geom_type, (c.MESH, c.HFIELD))


def lengths(value):
    """Of quaternions or axes (..., n), (..., 1). What is 1 but for rounding is 1, so that what a model has normalised
    stays as it is."""
    norm = np.linalg.norm(value, axis=-1, keepdims=True)
    return np.where(np.abs(norm - 1.0) <= 64.0 * np.finfo(value.dtype).eps, 1.0, norm)


def relative(model, data):
    """A copy of eq_data in which relative orientations, of any length, have length one."""
    data, turned = data.copy(), (model.eq_type == c.EQ_WELD) & (model.eq_objtype == c.OBJ_BODY)
    norm = lengths(data[turned, 6:10])
    for e in np.flatnonzero(turned)[~(norm[:, 0] > 1e-10)][:1]:
        raise ValueError(f"params.eq_data: {model.label('equality', int(e))} has a quaternion of zeros")
    data[turned, 6:10] /= norm
    return data


class Leaves:
    """The leaves of a model's pack."""

    def __init__(self, model, pack):
        self.model, self.pack = model, pack
        layout = theta_layout(model, pack.leaves)[0]
        self._slots = {n: layout[n] for n in pack.leaves}
        self._rows = pack["theta"].reshape(max(pack.owners, 1), -1)
        start = min((at for at, _ in self._slots.values()), default=self._rows.shape[1])
        self._theta, self._start = self._rows[:, start:], start
        self._theta = self._theta.view(f"u{self._theta.itemsize}")  # bits, of which -0 is not 0 and NaN is itself
        self._read = {}  # of each kind of element: the arrays that its columns were made of

    def _value(self, name, world):
        at, shape = self._slots[name]
        return self._rows[world, at : at + int(np.prod(shape))].reshape(shape)

    def refresh(self):
        """Fill what follows from leaves that have changed. Raises ModelError for one that means nothing."""
        if not self.pack.leaves or (self.pack.filled is not None and (self.pack.filled == self._theta).all()):
            return
        if self.pack.filled is None:
            self.pack.filled = np.full_like(self._theta, np.iinfo(self._theta.dtype).max)  # no number
        if self.pack.owners:
            self._fill_worlds()
        else:
            self._fill(None)

    def _fill_worlds(self):
        """Those whose leaves have changed; worlds with the same ones are filled alike."""
        seen, made = self.pack.filled, {}
        for world in range(self.pack.owners):
            if (seen[world] == self._theta[world]).all():
                continue
            like = made.setdefault(self._theta[world].tobytes(), world)
            if like == world:
                self._fill(world)
                continue
            for name in self.pack.owned:
                rows = self.pack[name].reshape(self.pack.owners, -1)
                rows[world] = rows[like]
            seen[world] = self._theta[world]

    def _changed(self, row):
        """Names of arrays of the Model that are not those that a row's buffers were made of."""
        differ = self.pack.filled[row] != self._theta[row]
        found = set()
        for name, (at, shape) in self._slots.items():
            at -= self._start
            if differ[at : at + int(np.prod(shape))].any():
                found.add(name)
        return found | ({"geom_rbound"} if found & {"geom_size", "hfield_size"} else set())

    def _fill(self, world):
        """What follows from the leaves of a world, or from those that all share, that have changed.

        A kind of element whose columns were made of other arrays alone has the same ones still."""
        row = world or 0
        changed = self._changed(row)
        model = self.changed_model(world)
        names, columns = _follow(self.pack.leaves)
        asked = []
        for kind in KINDS:
            if kind.name in names and not self._read.get(kind.name, changed).isdisjoint({"__dict__", *changed}):
                asked.append((kind, *told(model)))
                kind.check(asked[-1][1])
        derived = {}
        for kind, made, reads in asked:
            derived |= kind.device(made) if kind.name != "tendon" else {}
            self._read[kind.name] = self._read.get(kind.name, set()) | reads
        fill_columns(self.pack, model, derived, columns & (changed | set(derived)), world)
        self.pack.filled[row] = self._theta[row]

    def changed_model(self, world=None):
        """A copy of the model with these leaves, of which it shares all arrays that they do not change. world: where
        each has its own."""
        model = copy.copy(self.model)
        for name in self.pack.leaves:
            value, own = self._value(name, world or 0), getattr(model, name)
            require_finite(f"params.{name}", value)
            changed = value != own.astype(value.dtype)
            if not changed.any():
                continue
            if name.endswith(("quat", "_axis")):
                norm = lengths(value)
                for i in np.flatnonzero(~(norm[:, 0] > 1e-10)):
                    who = model.label(name.partition("_")[0], int(i))
                    what = "an axis" if name.endswith("_axis") else "a quaternion"
                    raise ValueError(f"params.{name}: {who} has {what} of zeros")
                value, changed = value / norm, changed.any(axis=1, keepdims=True)
            if name == "eq_data":
                value = relative(model, value)
                changed[:, 6:10] |= changed[:, 6:10].any(axis=1, keepdims=True)
            if name == "geom_size":
                for geom in np.flatnonzero(changed.any(axis=1) & held_sizes(model)):
                    raise ValueError(
                        f"params.geom_size: {model.label('geom', int(geom))} is a mesh, which has no size to change; "
                        f"allowed: {own[geom]}, as it is"
                    )
            setattr(model, name, np.where(changed, value, own))
        if "geom_size" in self.pack.leaves:
            model.geom_rbound, model.geom_fluid = model.geom_rbound.copy(), model.geom_fluid.copy()
            GEOM.set_const(model)
            model.geom_fluid[:] = self.model.geom_fluid  # masses do not follow
            same = (model.geom_size == self.model.geom_size).all(axis=1)
            model.geom_rbound[same] = self.model.geom_rbound[same]
        if "hfield_size" in self.pack.leaves and (model.hfield_size != self.model.hfield_size).any():
            model.geom_rbound = model.geom_rbound.copy()
            bound_fields(model)
        return model
