"""The table of sensors: each kind once, with all that the host knows of it. Device code is in `engine/sensing/`.

A row's number is its place in the table, which stored robots name: new rows go to the end. A kernel finds the function
of a sensor by its `level` and in there by its number, `SENS.framepos`. A level is a feature (compiler/features.py): a
robot without sensors of it compiles nothing for it.
"""

from types import SimpleNamespace
from typing import NamedTuple

from .constants import OBJ_ACTUATOR, OBJ_BODY, OBJ_GEOM, OBJ_JOINT, OBJ_NONE, OBJ_SITE, OBJ_XBODY

# What is read by one function, and its feature; first those of vectors that a frame has (sensing/frame.py).
LEVELS = {
    "position": "sensor", "axis": "axis_sensor", "velocity": "velocity_sensor", "acceleration": "acceleration_sensor",
    "orientation": "sensor", "state": "sensor", "subtree": "subtree_sensor", "touch": "touch_sensor",
    "ball": "ball_sensor", "actuator": "actuator_sensor", "limit": "limit_sensor", "wrench": "wrench_sensor",
    "energy": "energy_sensor",
}  # fmt: skip
LEVEL = SimpleNamespace(**{name: k for k, name in enumerate(LEVELS)})

# What a sensor may be attached to: by the word for it, its OBJ_ number.
FRAMES = {"body": OBJ_BODY, "xbody": OBJ_XBODY, "geom": OBJ_GEOM, "site": OBJ_SITE}
_JOINT, _ACTUATOR, _BODY, _SITE = (
    {"joint": OBJ_JOINT}, {"actuator": OBJ_ACTUATOR}, {"body": OBJ_BODY}, {"site": OBJ_SITE}
)  # fmt: skip
_NOTHING = {"none": OBJ_NONE}
_SCALAR, _BALL, _LIMITED = ("slide", "hinge"), ("ball",), ("slide", "hinge", "ball")


class Row(NamedTuple):
    """A kind of sensor. unit: q and tau stand for those of its joint's coordinate and force. joints: allowed types of
    the joint that it is attached to. limited: whether the joint must be. clips: whether it may have a cutoff. relative:
    whether a reference frame may be given. own: it is read in the axes of its own frame."""

    name: str
    level: str
    dim: int
    objects: dict
    unit: str
    joints: tuple = ()
    limited: bool = False
    clips: bool = True
    relative: bool = False
    own: bool = False
    mjsens: str = ""  # end of MuJoCo's word for it, where that is not the name


ROWS = (
    Row("jointpos", "state", 1, _JOINT, "q", joints=_SCALAR),
    Row("jointvel", "state", 1, _JOINT, "q/s", joints=_SCALAR),
    Row("framepos", "position", 3, FRAMES, "m", relative=True),
    Row("framequat", "orientation", 4, FRAMES, "1", clips=False, relative=True),
    Row("framelinvel", "velocity", 3, FRAMES, "m/s", relative=True),
    Row("frameangvel", "velocity", 3, FRAMES, "rad/s", relative=True),
    Row("subtreecom", "subtree", 3, _BODY, "m"),
    Row("subtreelinvel", "subtree", 3, _BODY, "m/s"),
    Row("gyro", "velocity", 3, _SITE, "rad/s", own=True),
    Row("velocimeter", "velocity", 3, _SITE, "m/s", own=True),
    Row("accelerometer", "acceleration", 3, _SITE, "m/s\N{SUPERSCRIPT TWO}", own=True),
    Row("actuatorfrc", "state", 1, _ACTUATOR, "tau"),
    Row("touch", "touch", 1, _SITE, "N"),
    Row("force", "wrench", 3, _SITE, "N"),
    Row("torque", "wrench", 3, _SITE, "N m"),
    Row("framexaxis", "axis", 3, FRAMES, "1", clips=False, relative=True),
    Row("frameyaxis", "axis", 3, FRAMES, "1", clips=False, relative=True),
    Row("framezaxis", "axis", 3, FRAMES, "1", clips=False, relative=True),
    Row("magnetometer", "axis", 3, _SITE, "T", own=True),
    Row("subtreeangmom", "energy", 3, _BODY, "kg m\N{SUPERSCRIPT TWO}/s"),
    Row("jointactuatorfrc", "actuator", 1, _JOINT, "tau", joints=_SCALAR, mjsens="JOINTACTFRC"),
    Row("actuatorpos", "actuator", 1, _ACTUATOR, "q"),
    Row("actuatorvel", "actuator", 1, _ACTUATOR, "q/s"),
    Row("ballquat", "ball", 4, _JOINT, "1", joints=_BALL, clips=False),
    Row("ballangvel", "ball", 3, _JOINT, "rad/s", joints=_BALL),
    Row("jointlimitpos", "limit", 1, _JOINT, "q", joints=_LIMITED, limited=True),
    Row("jointlimitvel", "limit", 1, _JOINT, "q/s", joints=_LIMITED, limited=True),
    Row("jointlimitfrc", "limit", 1, _JOINT, "tau", joints=_LIMITED, limited=True),
    Row("framelinacc", "acceleration", 3, FRAMES, "m/s\N{SUPERSCRIPT TWO}"),
    Row("frameangacc", "acceleration", 3, FRAMES, "rad/s\N{SUPERSCRIPT TWO}"),
    Row("clock", "state", 1, _NOTHING, "s"),
    Row("e_potential", "energy", 1, _NOTHING, "J"),
    Row("e_kinetic", "energy", 1, _NOTHING, "J"),
)
NAMES = tuple(row.name for row in ROWS)
SENS = SimpleNamespace(**{name: k for k, name in enumerate(NAMES)})
BY_NAME = {row.name: row for row in ROWS}


def features_of_sensors(model):
    """The features that the sensors of a Model need."""
    found = {LEVELS[ROWS[kind].level] for kind in model.sensor_type}
    if (model.sensor_refid >= 0).any() or any(ROWS[kind].own for kind in model.sensor_type):
        found.add("local_sensor")
    return found | {"sensor"} if found else found
