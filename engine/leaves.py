"""Leaves: parameters of frames, shapes and contacts that have a gradient where a simulator is asked for it.

    sim = engine.Simulator(model, leaves=("geom_size", "geom_solref"))

A robot has many of them, and what follows from their adjoints costs a reverse step that nobody asks for nothing. Their
values stand in theta, behind the others, where people write them. Kernels read them, and what follows from them
(bounding boxes, radii of the broad phase, which geoms are alike), in the model's buffers. The host fills these anew
where a leaf has changed (`Leaves.refresh`). Masses and inertias do not follow from sizes.
"""

import copy

import numpy as np

from engine.arrays import fill_columns, theta_layout
from engine.finite import require_finite
from engine.model import constants as c
from engine.model.arms import muscles
from engine.model.elements import KINDS
from engine.model.elements.geom import bound_fields
from engine.model.flows import in_flow
from engine.model.sensors import ROWS
from engine.theta import (
    BODY_LEAVES,
    CONTACT_LEAVES,
    FIELD_LEAVES,
    INERTIA_LEAVES,
    JOINT_LEAVES,
    LEAF_NAMES,
    SHAPE_LEAVES,
    SITE_LEAVES,
)

# what of the model's buffers follows from them
COLUMNS = {
    "geom_pos", "geom_quat", "geom_size", "geom_center", "geom_half", "geom_reach", "sweep_radius", "geom_solref",
    "geom_solimp", "geom_margin", "geom_gap", "geom_alike", "pair_solref", "pair_solreffriction", "pair_solimp",
    "pair_margin", "pair_gap", "body_pos", "body_quat",
    "body_turned", "body_ipos", "body_iquat", "body_iturned", "jnt_pos", "jnt_axis", "jnt_off", "jnt_range",
    "jnt_margin", "jnt_solref", "jnt_solimp", "actuator_tau", "pid_imax", "pid_slew", "pid_ki", "muscle_dynprm",
    "muscle_gaincurve", "muscle_biascurve", "motor_dyn", "motor_gain", "motor_bias",
    "hfield_data", "hfield_size",
}  # fmt: skip
OF_SITES = {
    "site_pos", "site_quat", "sensor_pos", "sensor_quat", "sensor_refpos", "sensor_refquat", "arm_pos", "arm_quat",
}  # fmt: skip
BODY, SHAPE, CONTACT, JOINT, SITE, INERTIA, FIELD = (
    tuple(p.name for p in group)
    for group in (
        BODY_LEAVES, SHAPE_LEAVES, CONTACT_LEAVES, JOINT_LEAVES, SITE_LEAVES, INERTIA_LEAVES, FIELD_LEAVES,
    )
)  # fmt: skip
GEOM = next(kind for kind in KINDS if kind.name == "geom")
_KINDS = tuple(kind for kind in KINDS if kind.name in ("body", "joint", "geom", "pair", "actuator"))
_SITE_KINDS = tuple(kind for kind in KINDS if kind.name in ("site", "sensor", "actuator"))


def checked_leaves(model, leaves):
    """The names of leaves in the order of the table. Raises ValueError for one that does not exist, and where something
    of the model would need an adjoint that is not there."""
    leaves = (leaves,) if isinstance(leaves, str) else tuple(leaves)
    unknown = [name for name in leaves if name not in LEAF_NAMES]
    if unknown:
        raise ValueError(f"leaves: got {unknown}, allowed: {', '.join(LEAF_NAMES)}")
    why = refused(model)
    for name in leaves:
        if name in why:
            raise ValueError(f"leaves: got {name}, but {why[name]}")
    return tuple(name for name in LEAF_NAMES if name in leaves)


def refused(model):
    """{leaf: why a model has no gradient by it}."""
    body, joint, shape, contact, frame = BODY, JOINT, SHAPE, CONTACT, ("geom_pos", "geom_quat")
    found = {}
    for names, kind, elements, what in (
        (frame, "sensor", frame_sensors(model), "reads the frame of a geom; allowed: a site in its place"),
        (body + joint + INERTIA, "body", np.flatnonzero(model.body_gravcomp), "has its weight compensated; allowed: 0"),
        (body, "body", carried(model), "is fixed to a free body alone in its tree; allowed: Euler, RK4, implicit"),
        (INERTIA, "sensor", weighing(model), "reads where mass is; allowed: sensors of sites and joints"),
        (INERTIA, "joint", lone_joints(model), "frees a body alone in its tree; allowed: Euler, RK4"),
        (SITE, "sensor", zones(model), "reads more of a site than its frame; allowed: sensors of frames"),
        (body + joint + shape + SITE, "tendon", _paths(model), "goes through space; allowed: fixed tendons"),
        (shape, "geom", np.flatnonzero(in_flow(model)), "is an ellipsoid in a fluid; allowed: fluidshape none"),
        (FIELD, "sensor", measuring(model), "measures along a ray beside a height field; allowed: other sensors"),
        (shape + contact, "geom", _moving_surfaces(model), "has a surface that moves; allowed: surfacevel 0"),
    ):
        for i in elements[:1]:
            found = dict.fromkeys(names, f"{model.label(kind, int(i))} {what}") | found
    if model.opt.density > 0 or model.opt.viscosity > 0:
        found |= dict.fromkeys(INERTIA, "a fluid takes bodies for boxes of their inertia; allowed: none")
    if model.opt.integrator in (c.IMPLICIT, c.DISCRETE):
        word = c.INTEGRATOR_NAMES[int(model.opt.integrator)]
        found |= dict.fromkeys(INERTIA, f"the integrator {word} has none by it; allowed: Euler, implicitfast, RK4")
    if model.opt.integrator == c.DISCRETE and muscles(model).any():
        why = "the integrator discrete takes the stiffness of muscles, which has none by it; allowed: other integrators"
        found |= dict.fromkeys(("actuator_gaincurve", "actuator_biascurve"), why)
    return found


def frame_sensors(model):
    """Numbers of the sensors that read the frame of a geom, or read in one."""
    frames = np.array([ROWS[k].level in ("position", "axis", "velocity", "acceleration", "orientation")
                       for k in model.sensor_type], bool)  # fmt: skip
    geoms = (model.sensor_objtype == c.OBJ_GEOM) | (model.sensor_refid >= 0) & (model.sensor_reftype == c.OBJ_GEOM)
    return np.flatnonzero(frames & geoms)


def zones(model):
    """Numbers of the sensors that read more of a site than how its frame moves."""
    more = np.array([ROWS[k].level in ("touch", "wrench", "range", "contact") for k in model.sensor_type], bool)
    return np.flatnonzero(more & (model.sensor_objtype == c.OBJ_SITE))


def measuring(model):
    """Numbers of the sensors whose rays may meet a height field."""
    rays = np.array([ROWS[k].level == "range" for k in model.sensor_type], bool)
    return np.flatnonzero(rays & (model.geom_type == c.HFIELD).any())


def weighing(model):
    """Numbers of the sensors that read where mass is: of subtrees, energies, forces between bodies, inertial frames."""
    levels = np.array([ROWS[k].level in ("subtree", "energy", "wrench") for k in model.sensor_type], bool)
    frames = (model.sensor_objtype == c.OBJ_BODY) | (model.sensor_refid >= 0) & (model.sensor_reftype == c.OBJ_BODY)
    return np.flatnonzero(levels | frames)


def lone_joints(model):
    """Free joints of bodies alone in their tree, whose bias has a slope of its own in implicitfast."""
    dofs = np.bincount(model.body_rootid, model.body_dofnum, model.nbody)
    lone = (model.jnt_type == c.FREE) & (dofs[model.jnt_bodyid] == 6)
    return np.flatnonzero(lone & (model.opt.integrator == c.IMPLICITFAST))


def carried(model):
    """Bodies that are fixed to a free body alone in its tree, whose bias has a slope of its own in implicitfast and
    discrete."""
    if model.opt.integrator not in (c.IMPLICITFAST, c.DISCRETE):
        return ()
    dofs = np.bincount(model.body_rootid, model.body_dofnum, model.nbody)
    lone = (dofs == 6) & np.isin(np.arange(model.nbody), model.jnt_bodyid[model.jnt_type == c.FREE])
    return np.flatnonzero(lone[model.body_rootid] & (model.body_dofnum == 0))


# What has adjoints that go to joints directly, or reads the geoms: of arrays that a Model may lack.


def _paths(model):
    kind = np.asarray(getattr(model, "wrap_type", ()))
    parts = (kind[a : a + n] for a, n in zip(model.tendon_adr, model.tendon_num, strict=True))
    return [t for t, part in enumerate(parts) if (part != c.WRAP_JOINT).any()]


def _moving_surfaces(model):
    return np.flatnonzero(np.any(getattr(model, "geom_surfacevel", np.zeros((0, 6))), axis=1))


def unasked(name):
    """What an error about a parameter that is not there adds where a simulator can be asked for it."""
    return f"; a simulator that is asked for it has it: Simulator(model, leaves=[{name!r}])" * (name in LEAF_NAMES)


def held_sizes(model):
    """Geoms whose size nobody may change: vertices say what a mesh is, and no rule says what its size does; of a height
    field nothing reads it."""
    return np.isin(model.geom_type, (c.MESH, c.HFIELD))


class Leaves:
    """The leaves of a model's pack."""

    def __init__(self, model, pack):
        self.model, self.pack = model, pack
        layout = theta_layout(model, pack.leaves)[0]
        self._slots = {n: layout[n] for n in pack.leaves}
        start = min((at for at, _ in self._slots.values()), default=len(pack["theta"]))
        self._theta = pack["theta"][start:]

    def _value(self, name):
        at, shape = self._slots[name]
        return self.pack["theta"][at : at + int(np.prod(shape))].reshape(shape)

    def refresh(self):
        """Fill what follows from leaves that have changed. Raises ModelError for one that means nothing."""
        if not self.pack.leaves or self.pack.filled == self._theta.tobytes():
            return
        model = self.changed_model()
        sites = any(name in SITE for name in self.pack.leaves)
        kinds, columns = (_KINDS + _SITE_KINDS, COLUMNS | OF_SITES) if sites else (_KINDS, COLUMNS)
        for kind in kinds:
            kind.check(model)
        fill_columns(self.pack, model, kinds, columns)
        self.pack.filled = self._theta.tobytes()

    def changed_model(self):
        """A copy of the model with these leaves, of which it shares all arrays that they do not change."""
        model = copy.copy(self.model)
        for name in self.pack.leaves:
            value, own = self._value(name), getattr(model, name)
            require_finite(f"params.{name}", value)
            changed = value != own.astype(value.dtype)
            if name.endswith(("quat", "_axis")):
                norm = np.linalg.norm(value, axis=1, keepdims=True)
                for i in np.flatnonzero(~(norm[:, 0] > 1e-10)):
                    who = model.label(name.partition("_")[0], int(i))
                    what = "an axis" if name.endswith("_axis") else "a quaternion"
                    raise ValueError(f"params.{name}: {who} has {what} of zeros")
                value, changed = value / norm, changed.any(axis=1, keepdims=True)
            if name == "geom_size":
                for geom in np.flatnonzero(changed.any(axis=1) & held_sizes(model)):
                    raise ValueError(
                        f"params.geom_size: {model.label('geom', int(geom))} is a mesh, which has no size to change; "
                        f"allowed: {own[geom]}, as it is"
                    )
            setattr(model, name, np.where(changed, value, own))
        if "geom_size" in self.pack.leaves:
            model.geom_rbound = model.geom_rbound.copy()
            GEOM.set_const(model)
            same = (model.geom_size == self.model.geom_size).all(axis=1)
            model.geom_rbound[same] = self.model.geom_rbound[same]
        if "hfield_size" in self.pack.leaves and (model.hfield_size != self.model.hfield_size).any():
            model.geom_rbound = model.geom_rbound.copy()
            bound_fields(model)
        return model

