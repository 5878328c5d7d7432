"""What simulators of tests are asked for."""

from zlib import crc32

import numpy as np

from engine.leaves import refused
from engine.model.arms import muscles
from engine.model.constants import HFIELD
from engine.model.sensors import ROWS
from engine.theta import (
    DRIVE_LEAVES,
    EQUALITY_LEAVES,
    INERTIA_LEAVES,
    JOINT_LEAVES,
    LEAF_NAMES,
    SITE_LEAVES,
    TENDON_LEAVES,
)

OF_TREES = {p.name for p in DRIVE_LEAVES + INERTIA_LEAVES + JOINT_LEAVES + SITE_LEAVES}  # which ask nothing of contacts
OF_ROWS = {p.name for p in EQUALITY_LEAVES + TENDON_LEAVES}


def leaves_of(model):
    """What a simulator can be asked for beyond the parameters that all have, where they decide something. Of those with
    contacts a fourth is asked for what contacts do not read, of the others half, of those with tendons and equalities a
    third for what these read: each costs a test tens of rollouts."""
    met = model.npair > 0 or bool({ROWS[k].level for k in model.sensor_type} & {"range", "distance"})
    stateful = model.na > 0 or muscles(model).any()
    fields = (model.geom_type[model.pair_geom1] == HFIELD).any()
    there = {"body": True, "hfield": fields, "jnt": model.jnt_limited.any(), "jnt_pos": True, "jnt_axis": True,
             "site": model.nsite > 0, "actuator": stateful, "dof": model.dof_frictionloss.any(), "eq": model.neq > 0,
             "geom_surfacevel": model.geom_surfacevel.any(),
            "tendon": model.tendon_limited.any() or model.tendon_frictionloss.any()}  # fmt: skip
    why = refused(model).keys() | (OF_TREES if (model.ngeom + model.nv) % (4 if model.npair else 2) else set())
    numbers = np.concatenate([model.eq_data, model.eq_solref, model.tendon_range, model.tendon_solref_fri], axis=None)
    why |= OF_ROWS if crc32(numbers.tobytes()) % 3 else set()
    return [n for n in LEAF_NAMES if n not in why and there.get(n, there.get(n.partition("_")[0], met))]
