"""The table of sensors: each kind once, with all that the host knows of it. Device code is in `engine/sensing/`.

A row's number is its place in the table, which stored robots name: new rows go to the end. A kernel finds the function
of a sensor by its `level` and in there by its number, `SENS.framepos`. A level is a feature (compiler/features.py): a
robot without sensors of it compiles nothing for it.
"""

from types import SimpleNamespace
from typing import NamedTuple

from .constants import OBJ_ACTUATOR, OBJ_BODY, OBJ_GEOM, OBJ_JOINT, OBJ_SITE, OBJ_XBODY

# What is read by one function, and its feature.
LEVELS = {
    "state": "sensor", "position": "sensor", "velocity": "velocity_sensor", "acceleration": "acceleration_sensor",
    "subtree": "subtree_sensor", "touch": "touch_sensor",
}  # fmt: skip
LEVEL = SimpleNamespace(**{name: k for k, name in enumerate(LEVELS)})

# What a sensor may be attached to: by the word for it, its OBJ_ number.
FRAMES = {"body": OBJ_BODY, "xbody": OBJ_XBODY, "geom": OBJ_GEOM, "site": OBJ_SITE}
_JOINT, _ACTUATOR, _BODY, _SITE = (
    {"joint": OBJ_JOINT}, {"actuator": OBJ_ACTUATOR}, {"body": OBJ_BODY}, {"site": OBJ_SITE}
)  # fmt: skip
_SCALAR, _BALL = ("slide", "hinge"), ("ball",)


class Row(NamedTuple):
    """A kind of sensor. unit: q and tau stand for those of its joint's coordinate and force. joints: allowed types of
    the joint that it is attached to. clips: whether it may have a cutoff."""

    name: str
    level: str
    dim: int
    objects: dict
    unit: str
    joints: tuple = ()
    clips: bool = True
    mjsens: str = ""  # end of MuJoCo's word for it, where that is not the name


ROWS = (
    Row("jointpos", "state", 1, _JOINT, "q", joints=_SCALAR),
    Row("jointvel", "state", 1, _JOINT, "q/s", joints=_SCALAR),
    Row("framepos", "position", 3, FRAMES, "m"),
    Row("framequat", "position", 4, FRAMES, "1", clips=False),
    Row("framelinvel", "velocity", 3, FRAMES, "m/s"),
    Row("frameangvel", "velocity", 3, FRAMES, "rad/s"),
    Row("subtreecom", "subtree", 3, _BODY, "m"),
    Row("subtreelinvel", "subtree", 3, _BODY, "m/s"),
    Row("gyro", "velocity", 3, _SITE, "rad/s"),
    Row("velocimeter", "velocity", 3, _SITE, "m/s"),
    Row("accelerometer", "acceleration", 3, _SITE, "m/s\N{SUPERSCRIPT TWO}"),
    Row("actuatorfrc", "state", 1, _ACTUATOR, "tau"),
    Row("touch", "touch", 1, _SITE, "N"),
)
NAMES = tuple(row.name for row in ROWS)
SENS = SimpleNamespace(**{name: k for k, name in enumerate(NAMES)})
BY_NAME = {row.name: row for row in ROWS}


def features_of_sensors(model):
    """The features that the sensors of a Model need."""
    found = {LEVELS[ROWS[kind].level] for kind in model.sensor_type}
    return found | {"sensor"} if found else found
