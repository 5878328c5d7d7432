"""What simulators of tests are asked for."""

from engine.leaves import refused
from engine.model.arms import muscles
from engine.model.sensors import ROWS
from engine.schema import LEAF_NAMES


def leaves_of(model):
    """What a simulator can be asked for beyond the parameters that all have, where they decide something."""
    met = model.npair > 0 or bool({ROWS[k].level for k in model.sensor_type} & {"range", "distance"})
    stateful = model.na > 0 or muscles(model).any()
    there = {"body": True, "jnt": model.jnt_limited.any(), "jnt_pos": True, "jnt_axis": True,
             "site": model.nsite > 0, "actuator": stateful}
    why = refused(model)
    return [n for n in LEAF_NAMES if n not in why and there.get(n, there.get(n.partition("_")[0], met))]
