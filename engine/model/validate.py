"""What every Model must satisfy, whoever made it: the door's last check, by name."""

import numpy as np

from . import constants as c
from .elements.kind import HOLDS
from .errors import ModelError
from .fields import FIELDS
from .indices import check_indices
from .inertia import MINVAL
from .setconst import trees

_KIND = {"body": "body", "jnt": "joint", "dof": "dof", "geom": "geom", "site": "site", "actuator": "actuator",
         "sensor": "sensor", "pair": "pair"}  # fmt: skip
_NOT_NEGATIVE = (
    "body_mass", "body_inertia", "jnt_stiffness", "dof_armature", "dof_damping", "dof_frictionloss", "geom_friction",
    "geom_solmix", "sensor_cutoff", "pair_friction", "body_invweight0", "body_subtreemass", "dof_invweight0",
    "geom_rbound",
)  # fmt: skip
_LIMITS = (
    ("jnt_limited", "jnt_range"), ("actuator_ctrllimited", "actuator_ctrlrange"),
    ("actuator_forcelimited", "actuator_forcerange"), ("actuator_actlimited", "actuator_actrange"),
)  # fmt: skip
# What the mass matrix at qpos0 depends on; all else about the tree follows from the first three.
_INERTIAL = (
    "body_parentid", "jnt_type", "jnt_bodyid", "body_pos", "body_quat", "body_ipos", "body_iquat", "body_mass",
    "body_inertia", "jnt_pos", "jnt_axis", "dof_armature",
)  # fmt: skip
_USED_SIZES = {c.SPHERE: 1, c.CAPSULE: 2, c.ELLIPSOID: 3, c.CYLINDER: 2, c.BOX: 3}


def validate(m):
    """Raise ModelError at the first thing in Model `m` that no robot can have; return `m`."""
    for check in (
        _shapes, check_indices, _numbers, _options, _quaternions, _masses, _joints, _geoms, _solver_parameters,
        _actuators, _sensors, _regular,
    ):  # fmt: skip
        check(m)
    return m


def element(m, array, index):
    """How messages call the entry `index` of an array: "joint 'knee'"."""
    kind = _KIND[array.split("_")[0]]
    if kind == "dof":
        return f"dof {index} of {m.label('joint', m.dof_jntid[index])}"
    if kind == "pair":
        return f"pair of {m.label('geom', m.pair_geom1[index])} and {m.label('geom', m.pair_geom2[index])}"
    return m.label(kind, index)


def _refuse(m, array, index, allowed):
    value = getattr(m, array)[index]
    raise ModelError(f"{element(m, array, index)}: {array} = {np.array2string(np.asarray(value))}; allowed: {allowed}")


def _first(mask):
    """Index of the first entity with a true entry, or None."""
    mask = np.asarray(mask)
    rows = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1)) if mask.size else ()
    return int(rows[0]) if len(rows) else None


def _shapes(m):
    for array, (size, entry, dtype) in FIELDS.items():
        value, want = getattr(m, array), (getattr(m, size), *entry)
        words, kinds = HOLDS[dtype]
        if not isinstance(value, np.ndarray):
            raise ModelError(f"{array} is a {type(value).__name__}; allowed: a NumPy array of shape {want}")
        if value.shape != want or value.dtype.kind not in kinds:
            raise ModelError(f"{array} has shape {value.shape} of {value.dtype}; allowed: {words} of shape {want}")


def _numbers(m):
    for array, (_, _, dtype) in FIELDS.items():
        value = getattr(m, array)
        if dtype is np.float64 and not np.isfinite(value).all():
            if array.startswith("qpos"):
                raise ModelError(f"{array} = {value.tolist()}; allowed: finite numbers")
            _refuse(m, array, _first(~np.isfinite(value)), "finite numbers")
        if array in _NOT_NEGATIVE and (value < 0).any():
            _refuse(m, array, _first(value < 0), "zero or more")
    for name in ("key_qpos", "key_qvel", "key_act", "key_ctrl"):
        bad = _first(~np.isfinite(getattr(m, name)))
        if bad is not None:
            raise ModelError(f"{m.label('key', bad)}: {name} = {getattr(m, name)[bad]}; allowed: finite numbers")


def _options(m):
    opt = m.opt
    for name, good, allowed in (
        ("timestep", lambda x: x > 0, "more than zero"),
        ("impratio", lambda x: x > 0, "more than zero"),
        ("iterations", _counts, "more than zero, whole"),
        ("ls_iterations", _counts, "more than zero, whole"),
        ("tolerance", lambda x: x >= 0, "zero or more"),
        ("eulerdamp", lambda x: x in (0, 1), "True, False"),
        ("refsafe", lambda x: x in (0, 1), "True, False"),
    ):
        value = getattr(opt, name)
        if not (_finite(value, ()) and good(value)):
            raise ModelError(f"option {name} = {value}; allowed: {allowed}")
    if not _finite(opt.gravity, (3,)):
        raise ModelError(f"option gravity = {opt.gravity}; allowed: three finite numbers")
    integrators = (c.EULER, c.RK4, c.IMPLICITFAST)
    for name, allowed, names in (
        ("integrator", integrators, c.INTEGRATOR_NAMES),
        ("cone", (c.PYRAMIDAL, c.ELLIPTIC), c.CONE_NAMES),
    ):
        if getattr(opt, name) not in allowed:
            words = ", ".join(f"{k} ({names[k]})" for k in allowed)
            raise ModelError(f"option {name} = {getattr(opt, name)}; allowed: {words}")


def _finite(value, shape):
    value = np.asarray(value)
    return value.dtype.kind in "biuf" and value.shape == shape and bool(np.isfinite(value).all())


def _counts(value):
    return 0 < value < 2**31 and value == int(value)


def _quaternions(m):
    for array in ("body_quat", "body_iquat", "geom_quat", "site_quat"):
        norm = np.linalg.norm(getattr(m, array), axis=1)
        bad = _first(abs(norm - 1) > 1e-6)
        if bad is not None:
            _refuse(m, array, bad, "a quaternion of length one")


def _masses(m):
    a, b, d = m.body_inertia.T
    slack = 1e-9 * (a + b + d)
    bad = _first((a + b + slack < d) | (b + d + slack < a) | (a + d + slack < b))
    if bad is not None:
        _refuse(m, "body_inertia", bad, "moments that obey A + B >= C (no mass distribution has others)")
    carries = (m.body_mass >= MINVAL) & (m.body_inertia.min(axis=1) >= MINVAL)
    for b in range(m.nbody - 1, 0, -1):
        if carries[b] and m.body_dofnum[b] == 0:  # what is fixed to a body loads it
            carries[m.body_parentid[b]] = True
    bad = _first((m.body_dofnum > 0) & ~carries)
    if bad is not None:
        raise ModelError(
            f"{m.label('body', bad)} has a joint, mass {m.body_mass[bad]} and inertia {m.body_inertia[bad]}; allowed: "
            "a moving body, or one fixed to it, has positive mass and inertia (add a geom or an inertial)"
        )


def _joints(m):
    for limited, array in _LIMITS:
        low, high = getattr(m, array).T
        bad = _first(getattr(m, limited) & (low >= high))
        if bad is not None:
            _refuse(m, array, bad, "lower end below upper end")
    axis = np.linalg.norm(m.jnt_axis, axis=1)
    single = (m.jnt_type == c.SLIDE) | (m.jnt_type == c.HINGE)
    bad = _first(single & (abs(axis - 1) > 1e-6))
    if bad is not None:
        _refuse(m, "jnt_axis", bad, "a vector of length one")
    bad = _first(m.jnt_limited & (m.jnt_type == c.FREE))
    if bad is not None:
        _refuse(m, "jnt_limited", bad, "False, since a free joint has no limits")
    bad = _first(m.jnt_limited & (m.jnt_type == c.BALL) & (m.jnt_range[:, 0] != 0))
    if bad is not None:
        _refuse(m, "jnt_range", bad, "[0, largest angle] for a ball joint")
    for j in range(m.njnt):
        _joints_of_one_body(m, j)


def _joints_of_one_body(m, j):
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


def _geoms(m):
    for kind, used in _USED_SIZES.items():
        bad = _first((m.geom_type == kind)[:, None] & (m.geom_size[:, :used] <= 0))
        if bad is not None:
            _refuse(m, "geom_size", bad, f"{used} positive number(s) for a {c.GEOM_NAMES[kind]}")
    moving_plane = (m.geom_type == c.PLANE) & (m.body_weldid[m.geom_bodyid] != 0)
    if moving_plane.any():
        geom = _first(moving_plane)
        body = m.label("body", m.geom_bodyid[geom])
        raise ModelError(f"{m.label('geom', geom)} is a plane on {body}; allowed: on the world and what is fixed to it")
    for array in ("geom_margin", "pair_margin"):  # a negative margin shrinks the shape, within what is looked for
        bad = _first(getattr(m, array) + getattr(m, array.replace("margin", "gap")) < 0)
        if bad is not None:
            _refuse(m, array, bad, "margin + gap of zero or more")


def _solver_parameters(m):
    used = {"jnt_solref": m.jnt_limited, "dof_solref": m.dof_frictionloss > 0, "pair_solref": np.ones(m.npair, bool),
            "pair_solreffriction": m.pair_solreffriction.any(axis=1)}  # fmt: skip
    for array, rows in used.items():
        first, second = getattr(m, array).T
        bad = _first(rows & ((first > 0) != (second > 0)))
        if bad is not None:
            _refuse(m, array, bad, "both positive (time constant, damping ratio) or neither (-stiffness, -damping)")


def _actuators(m):
    filtered = np.isin(m.actuator_dyntype, (c.DYN_FILTER, c.DYN_FILTEREXACT))
    bad = _first(filtered & (m.actuator_dynprm[:, 0] <= 0))
    if bad is not None:
        _refuse(m, "actuator_dynprm", bad, "a positive time constant first")


def _sensors(m):
    touched = m.sensor_objid[m.sensor_type == c.SENS_TOUCH]
    bad = touched[~np.isin(m.site_type[touched], list(_USED_SIZES))]
    if len(bad):
        allowed = ", ".join(c.GEOM_NAMES[kind] for kind in _USED_SIZES)
        found = c.GEOM_NAMES.get(int(m.site_type[bad[0]]), m.site_type[bad[0]])
        raise ModelError(f"{m.label('site', bad[0])}: {found} of a touch sensor; allowed: {allowed}")


def _regular(m):
    """Refuse joints that move the same bodies in the same way: nothing decides which of them moves."""
    found = tuple(part for array in _INERTIAL for part in (getattr(m, array).dtype.str, getattr(m, array).tobytes()))
    if m.regular == found:  # asked before, and nothing that the answer depends on has changed
        return
    for dofs, _, mass in trees(m) if m.nv else ():
        scale = 1 / np.sqrt(np.diag(mass))
        values, vectors = np.linalg.eigh(mass * np.outer(scale, scale))
        if values[0] < 1e-13:
            same = dofs[abs(vectors[:, 0]) > 0.1]
            names = ", ".join(dict.fromkeys(m.label("joint", m.dof_jntid[dof]) for dof in same))
            raise ModelError(
                f"mass matrix singular at qpos0: {names} do the same; allowed: independent joints or armature"
            )
    m.regular = found
