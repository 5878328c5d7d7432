"""The arrays of a Model: for each name its leading size, the shape of one entry, and its dtype.

The builder, the importer and the Model's own shape check all read this one table.
"""

import numpy as np

from .errors import ModelError

F, N, B = np.float64, np.int32, np.bool_

_TABLE = {
    "nq": {"qpos0": F, "qpos_spring": F},
    "nbody": {
        "body_parentid": N, "body_rootid": N, "body_weldid": N, "body_jntadr": N, "body_jntnum": N, "body_dofadr": N,
        "body_dofnum": N, "body_pos": (F, 3), "body_quat": (F, 4), "body_ipos": (F, 3), "body_iquat": (F, 4),
        "body_mass": F, "body_inertia": (F, 3), "body_invweight0": (F, 2), "body_subtreemass": F,
    },
    "njnt": {
        "jnt_type": N, "jnt_qposadr": N, "jnt_dofadr": N, "jnt_bodyid": N, "jnt_pos": (F, 3), "jnt_axis": (F, 3),
        "jnt_stiffness": F, "jnt_range": (F, 2), "jnt_limited": B, "jnt_margin": F, "jnt_solref": (F, 2),
        "jnt_solimp": (F, 5),
    },
    "nv": {
        "dof_bodyid": N, "dof_jntid": N, "dof_parentid": N, "dof_armature": F, "dof_damping": F, "dof_frictionloss": F,
        "dof_invweight0": F, "dof_solref": (F, 2), "dof_solimp": (F, 5),
    },
    "ngeom": {
        "geom_type": N, "geom_bodyid": N, "geom_dataid": N, "geom_pos": (F, 3), "geom_quat": (F, 4),
        "geom_size": (F, 3), "geom_rbound": F, "geom_rgba": (F, 4), "geom_group": N, "geom_contype": N,
        "geom_conaffinity": N, "geom_condim": N, "geom_priority": N, "geom_solmix": F, "geom_solref": (F, 2),
        "geom_solimp": (F, 5), "geom_friction": (F, 3), "geom_margin": F, "geom_gap": F,
    },
    "nsite": {
        "site_bodyid": N, "site_pos": (F, 3), "site_quat": (F, 4), "site_type": N, "site_size": (F, 3),
        "site_rgba": (F, 4),
    },
    "nu": {
        "actuator_trnid": N, "actuator_gear": (F, 6), "actuator_dyntype": N, "actuator_dynprm": (F, 3),
        "actuator_gainprm": (F, 3), "actuator_biasprm": (F, 3), "actuator_ctrllimited": B,
        "actuator_ctrlrange": (F, 2), "actuator_forcelimited": B, "actuator_forcerange": (F, 2),
        "actuator_actlimited": B, "actuator_actrange": (F, 2), "actuator_actadr": N,
    },
    "nsensor": {
        "sensor_type": N, "sensor_objtype": N, "sensor_objid": N, "sensor_dim": N, "sensor_adr": N, "sensor_cutoff": F,
    },
    "npair": {
        "pair_geom1": N, "pair_geom2": N, "pair_dim": N, "pair_friction": (F, 5), "pair_solref": (F, 2),
        "pair_solreffriction": (F, 2), "pair_solimp": (F, 5), "pair_margin": F, "pair_gap": F,
    },
}  # fmt: skip

# name -> (leading size, shape of one entry, dtype)
FIELDS = {
    name: (size, (), kind) if not isinstance(kind, tuple) else (size, kind[1:], kind[0])
    for size, group in _TABLE.items()
    for name, kind in group.items()
}
# The array whose length defines each leading size.
SIZED_BY = {size: next(iter(group)) for size, group in _TABLE.items()}


# Of each dtype: what an array may hold, in words, and which kinds of NumPy's dtypes hold nothing else.
HOLDS = {F: ("numbers", "biuf"), N: ("whole numbers", "iu"), B: ("booleans", "b")}


def cast(name, value, dtype):
    """A copy of `value` with a dtype of the table. Raises ModelError where that would change a number, or is none."""
    words = HOLDS[dtype][0]
    try:
        value = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ModelError(f"{name}: {error}; allowed: an array of {words}") from None
    if value.dtype.kind not in "biuf":
        raise ModelError(f"{name} is an array of {value.dtype}; allowed: {words}")
    with np.errstate(invalid="ignore"):
        cast = np.array(value, dtype=dtype, order="C")
    if dtype is not F and not np.array_equal(cast, value):
        bad = value[cast != value].flat[0]
        limits = f" of {np.dtype(dtype).itemsize * 8} bits" if dtype is N else " (0, 1)"
        raise ModelError(f"{name} holds {bad}; allowed: {words}{limits}")
    return cast


def fields_of(size):
    """Names of the arrays with leading size `size`, for example "ngeom"."""
    return tuple(_TABLE[size])
