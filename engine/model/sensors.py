"""The table of sensors: each kind once, with all that the host knows of it. Device code is in `engine/sensing/`.

A row's number is its place in the table, which stored robots name: new rows go to the end. A kernel finds the function
of a sensor by its `level` and in there by its number, `SENS.framepos`. A level is a feature (compiler/features.py): a
robot without sensors of it compiles nothing for it.
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from .constants import (
    BOX,
    CAPSULE,
    CYLINDER,
    ELLIPSOID,
    HFIELD,
    MESH,
    OBJ_ACTUATOR,
    OBJ_BODY,
    OBJ_GEOM,
    OBJ_JOINT,
    OBJ_NONE,
    OBJ_SITE,
    OBJ_TENDON,
    OBJ_XBODY,
    PLANE,
    SPHERE,
)  # fmt: skip

# What is read by one function, and its feature. In order: vectors that a frame has (sensing/frame.py), what a sensor
# reads by itself, and from `actuator` on what has stages of its own, as it goes through rows, contacts, bodies or such.
LEVELS = {
    "position": "sensor", "axis": "axis_sensor", "velocity": "velocity_sensor", "acceleration": "acceleration_sensor",
    "orientation": "sensor", "state": "sensor", "subtree": "subtree_sensor", "touch": "touch_sensor",
    "ball": "ball_sensor", "image": "image_sensor", "inside": "inside_sensor",
    "actuator": "actuator_sensor", "tendon": "tendon_sensor", "limit": "limit_sensor",
    "wrench": "wrench_sensor", "energy": "energy_sensor", "contact": "contact_sensor", "range": "range_sensor",
    "distance": "distance_sensor",
}  # fmt: skip
LEVEL = SimpleNamespace(**{name: k for k, name in enumerate(LEVELS)})

# What a sensor may be attached to: by the word for it, its OBJ_ number.
FRAMES = {"body": OBJ_BODY, "xbody": OBJ_XBODY, "geom": OBJ_GEOM, "site": OBJ_SITE}
_JOINT, _ACTUATOR, _BODY, _SITE = (
    {"joint": OBJ_JOINT}, {"actuator": OBJ_ACTUATOR}, {"body": OBJ_BODY}, {"site": OBJ_SITE}
)  # fmt: skip
_MET = {"none": OBJ_NONE, "geom": OBJ_GEOM, "body": OBJ_BODY, "xbody": OBJ_XBODY}
_NOTHING, _TENDON = {"none": OBJ_NONE}, {"tendon": OBJ_TENDON}
_APART = {"geom": OBJ_GEOM, "body": OBJ_BODY}
_SCALAR, _BALL, _LIMITED = ("slide", "hinge"), ("ball",), ("slide", "hinge", "ball")


class Row(NamedTuple):
    """A kind of sensor. unit: q and tau stand for those of its joint's coordinate and force. joints: allowed types of
    the joint that it is attached to. limited: whether what it is attached to must be. clips: whether it may have a
    cutoff. references: what else it may be given, a frame to be measured in or what a contact is with. own: it is read
    in the axes of its own frame."""

    name: str
    level: str
    dim: int
    objects: dict
    unit: str
    joints: tuple = ()
    limited: bool = False
    clips: bool = True
    references: dict = {}
    own: bool = False
    mjsens: str = ""  # end of MuJoCo's word for it, where that is not the name


ROWS = (
    Row("jointpos", "state", 1, _JOINT, "q", joints=_SCALAR),
    Row("jointvel", "state", 1, _JOINT, "q/s", joints=_SCALAR),
    Row("framepos", "position", 3, FRAMES, "m", references=FRAMES),
    Row("framequat", "orientation", 4, FRAMES, "1", clips=False, references=FRAMES),
    Row("framelinvel", "velocity", 3, FRAMES, "m/s", references=FRAMES),
    Row("frameangvel", "velocity", 3, FRAMES, "rad/s", references=FRAMES),
    Row("subtreecom", "subtree", 3, _BODY, "m"),
    Row("subtreelinvel", "subtree", 3, _BODY, "m/s"),
    Row("gyro", "velocity", 3, _SITE, "rad/s", own=True),
    Row("velocimeter", "velocity", 3, _SITE, "m/s", own=True),
    Row("accelerometer", "acceleration", 3, _SITE, "m/s\N{SUPERSCRIPT TWO}", own=True),
    Row("actuatorfrc", "state", 1, _ACTUATOR, "tau"),
    Row("touch", "touch", 1, _SITE, "N"),
    Row("force", "wrench", 3, _SITE, "N"),
    Row("torque", "wrench", 3, _SITE, "N m"),
    Row("framexaxis", "axis", 3, FRAMES, "1", clips=False, references=FRAMES),
    Row("frameyaxis", "axis", 3, FRAMES, "1", clips=False, references=FRAMES),
    Row("framezaxis", "axis", 3, FRAMES, "1", clips=False, references=FRAMES),
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
    Row("contact", "contact", 0, _MET | {"site": OBJ_SITE}, "", references=_MET),
    Row("rangefinder", "range", 1, _SITE, "m"),
    Row("distance", "distance", 1, _APART, "m", references=_APART, mjsens="GEOMDIST"),
    Row("normal", "distance", 3, _APART, "1", references=_APART, mjsens="GEOMNORMAL"),
    Row("fromto", "distance", 6, _APART, "m", references=_APART, mjsens="GEOMFROMTO"),
    Row("tendonpos", "tendon", 1, _TENDON, "m"),
    Row("tendonvel", "tendon", 1, _TENDON, "m/s"),
    Row("tendonactuatorfrc", "tendon", 1, _TENDON, "N", mjsens="TENDONACTFRC"),
    Row("tendonlimitpos", "limit", 1, _TENDON, "m", limited=True),
    Row("tendonlimitvel", "limit", 1, _TENDON, "m/s", limited=True),
    Row("tendonlimitfrc", "limit", 1, _TENDON, "N", limited=True),
    Row("camprojection", "image", 2, _SITE, "px", references=_SITE),
    Row("insidesite", "inside", 1, FRAMES, "", references=_SITE),
)

NEEDING = ("distance", "image", "inside")  # levels that have no sensor without a reference

# Of contact sensors, in MuJoCo's order: what they may give, bits of a number, with size and unit; of which contacts.
CONTACT_FIELDS = {
    "found": (1, "1"), "force": (3, "N"), "torque": (3, "N m"), "dist": (1, "m"), "pos": (3, "m"), "normal": (3, "1"),
    "tangent": (3, "1"), "linvel": (3, "m/s"), "angvel": (3, "rad/s"),
}  # fmt: skip
# What a rangefinder may give of each of its rays, in MuJoCo's order, and its bit in a number, which is 0 for the
# distance alone.
RANGE_FIELDS = {
    "dist": (1, "m"), "dir": (3, "1"), "origin": (3, "m"), "point": (3, "m"), "normal": (3, "1"), "depth": (1, "m")
}  # fmt: skip
RANGE_BITS = {word: 1 << k for k, word in enumerate(RANGE_FIELDS)}
RANGE = SimpleNamespace(**RANGE_BITS)
REDUCES = ("none", "mindist", "maxforce", "netforce")
REDUCE = SimpleNamespace(**{name: k for k, name in enumerate(REDUCES)})


# Shapes that the engine has the distance of, each from each (sensing/distance.py). Two planes have none.
MEASURED = (PLANE, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH)
# Pairs of types, which rise, that have a formula there; the others are sought (sensing/apart.py).
FORMULAS = {(PLANE, kind) for kind in MEASURED[:-1]} | {
    (SPHERE, SPHERE), (SPHERE, CAPSULE), (CAPSULE, CAPSULE), (SPHERE, BOX), (SPHERE, CYLINDER),
}  # fmt: skip


def fields_of_contact(data):
    """The words of CONTACT_FIELDS that a number stands for."""
    return [word for k, word in enumerate(CONTACT_FIELDS) if data >> k & 1]


def fields_of_range(data):
    """The words of RANGE_FIELDS that a number stands for."""
    return [word for word, bit in RANGE_BITS.items() if (data or RANGE.dist) & bit]


def pixels_of(kind, lens):
    """The resolution of a rangefinder's camera, which has a ray for each pixel, from sensor_lens; (0, 0) of others."""
    return tuple(int(x) for x in lens[1:3]) if ROWS[kind].level == "range" else (0, 0)


def dim_of(kind, intprm, lens, forces=1):
    """How many numbers a sensor gives. forces: of an actuator that it is of, how many forces that has."""
    data, _, num = (int(x) for x in intprm)
    if ROWS[kind].level == "range":
        width, height = pixels_of(kind, lens)
        return max(width * height, 1) * sum(RANGE_FIELDS[word][0] for word in fields_of_range(data))
    if ROWS[kind].level == "contact":
        return num * sum(CONTACT_FIELDS[word][0] for word in fields_of_contact(data))
    return ROWS[kind].dim * (forces if ROWS[kind].objects == _ACTUATOR else 1)


NAMES = tuple(row.name for row in ROWS)
APART = [k for k, row in enumerate(ROWS) if row.level == "distance"]
SENS = SimpleNamespace(**{name: k for k, name in enumerate(NAMES)})
BY_NAME = {row.name: row for row in ROWS}


def features_of_sensors(model):
    """The features that the sensors of a Model need."""
    found = {LEVELS[ROWS[kind].level] for kind in model.sensor_type}
    read = [ROWS[kind] for kind in model.sensor_type[model.sensor_refid >= 0]]
    measured = [row.references == FRAMES or row.level in ("image", "inside") for row in read]
    if any(measured) or any(ROWS[kind].own for kind in model.sensor_type):
        found.add("local_sensor")
    if any(model.sensor_intprm[model.sensor_type == SENS.rangefinder, 0]):
        found.add("range_data")
    if model.sensor_lens[model.sensor_type == SENS.rangefinder, 1].any():
        found |= {"range_data", "range_camera"}
    if "distance_sensor" in found:
        sought = apart_pairs(model)[0]
        found |= {"distance_search", "convex"} if len(sought) else set()
        found |= {"hull"} if (model.geom_type[sought] == MESH).any() else set()
    return found | {"sensor"} if found else found


def measured_ends(model, types=APART, geom=OBJ_GEOM):
    """Of each sensor of distances its number and the two arrays of geoms between which it measures. model: a Model, or
    an MjModel with its own numbers of these sensors and of a geom as an object."""
    for s in np.flatnonzero(np.isin(model.sensor_type, types)):
        ends = (model.sensor_objtype[s], model.sensor_objid[s]), (model.sensor_reftype[s], model.sensor_refid[s])
        yield s, [np.array([k]) if kind == geom else np.flatnonzero(model.geom_bodyid == k) for kind, k in ends]


def measured_geoms(model, types=APART, geom=OBJ_GEOM):
    """The geoms that sensors of distances ask for, ascending."""
    geoms = [geoms for _, ends in measured_ends(model, types, geom) for geoms in ends]
    return np.unique(np.concatenate([np.zeros(0, int), *geoms])).astype(int)


def words_of_mujoco(mujoco):
    """What stands for `types` and `geom` in an MjModel."""
    words = [f"mjSENS_{ROWS[k].mjsens or ROWS[k].name.upper()}" for k in APART]
    return [int(getattr(mujoco.mjtSensor, word)) for word in words], int(mujoco.mjtObj.mjOBJ_GEOM)


def apart_pairs(model, types=APART, geom=OBJ_GEOM):
    """The pairs of geoms whose distance is sought, (n, 2), in the order of their types, one after the other as sensors
    ask for them; and of each sensor which of them is its first one, (nsensor,)."""
    pairs, first = [], np.zeros(model.nsensor, int)
    for s, (one, other) in measured_ends(model, types, geom):
        first[s] = len(pairs)
        for i in one.tolist():
            for j in other.tolist():
                pair = (j, i) if model.geom_type[i] > model.geom_type[j] else (i, j)
                kinds = tuple(model.geom_type[list(pair)].tolist())
                if kinds not in FORMULAS and HFIELD not in kinds:
                    pairs.append(pair)
    return np.array(pairs, int).reshape(-1, 2), first
