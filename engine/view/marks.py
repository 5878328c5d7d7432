"""Lines that show what has no shape: equality constraints that act, and the frames of mocap bodies."""

from typing import Any

import numpy as np

from engine.model import Model, require_model
from engine.model.constants import EQ_JOINT, EQ_TENDON, EQ_WELD
from engine.model.elements.body import mocap_bodies
from engine.model.elements.equality import all_ties
from engine.model.rotation import quat_mul, quat_to_mat
from engine.view.extent import robot_size

VIOLET = np.array([0.482, 0.247, 0.627])
_CROSS, _AXIS, _HAND = 0.03, 0.06, 0.12  # half a cross, a weld's axis and a mocap body's, in robots' lengths

_FOLLOWS = (EQ_JOINT, EQ_TENDON)


def tie_lines(model: Model, seen: Any) -> Any:
    """Lines (rows, n, 2, 3) in the world, m, for the pictures of a Replay: `marks` of each row."""
    size = robot_size(require_model(model, like="geom_type"))
    return np.stack([marks(model, size, *pose, seen.eq_active) for pose in zip(seen.xpos, seen.xquat, strict=True)])


def marks(model, size, xpos, xquat, eq_active=None):
    """Lines (n, 2, 3) of one instant: of two points that are to meet a cross at each and the gap between them, of two
    frames their axes and the gap, of a mocap body its axes.

    xpos (nbody, 3), xquat (nbody, 4): the bodies' poses. eq_active (neq,): which equality constraints act; by default
    those that act at first. size: the robot's, m. Joints and tendons that follow others have no
    lines.
    """
    lines = []
    active = model.eq_active0 if eq_active is None else eq_active
    for tie in (tie for tie, acts in zip(all_ties(model), active, strict=True) if acts and tie["kind"] not in _FOLLOWS):
        ends = []
        for side in "12":
            body = tie[f"body{side}"]
            at = xpos[body] + quat_to_mat(xquat[body]) @ tie[f"anchor{side}"]
            if tie["kind"] == EQ_WELD:
                axes = quat_to_mat(quat_mul(xquat[body], tie[f"quat{side}"])).T * _AXIS * size
                lines += [(at, at + axis) for axis in axes]
            else:
                lines += [(at - arm, at + arm) for arm in np.eye(3) * _CROSS * size]
            ends.append(at)
        lines.append(ends)
    for body in mocap_bodies(model):
        lines += [(xpos[body], xpos[body] + axis) for axis in quat_to_mat(xquat[body]).T * _HAND * size]
    return np.array(lines, float).reshape(-1, 2, 3)
