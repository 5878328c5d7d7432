"""Sensors: what an element measures, and where the numbers lie in `sensordata`. `model/sensors.py` has their kinds."""

import numpy as np

from .. import constants as c
from ..attributes import number, read_attributes
from ..checks import follows, one_of, refuse, same_count
from ..errors import ModelError
from ..sensors import BY_NAME, LEVEL, NAMES, ROWS, SENS
from ..setconst import addresses
from ..shapes import COUNT
from .kind import Kind, integer, real
from .option import disabled

_OBJ_SIZES = {c.OBJ_BODY: "nbody", c.OBJ_XBODY: "nbody", c.OBJ_SITE: "nsite", c.OBJ_GEOM: "ngeom",
              c.OBJ_JOINT: "njnt", c.OBJ_ACTUATOR: "nu"}  # fmt: skip
_OBJ_ARRAYS = {c.OBJ_SITE: "site", c.OBJ_GEOM: "geom"}


class Sensor(Kind):
    name, plural, named = "sensor", "sensors", "nsensor"
    fields = {
        "nsensor": {
            "sensor_type": integer("number in sensors.NAMES"),
            "sensor_objtype": integer("kind of what it is attached to: OBJ_BODY, OBJ_SITE, ..."),
            "sensor_objid": integer("number of what it is attached to"),
            "sensor_dim": integer("how many numbers it gives"),
            "sensor_adr": integer("where they begin in sensordata"),
            "sensor_cutoff": real("of the sensor", "largest magnitude; 0 for none", least=0),
        },
    }
    attributes = {"cutoff": number(0.0, 0)}
    must_be_zero = (("sensor_delay", "delay"), ("sensor_interval", "interval"))

    class Methods:
        def sensor(self, type, name=None, *, objname, objtype=None, cutoff=0.0):
            """A sensor of sensors.NAMES on the element `objname`; frame sensors need an objtype as well."""
            who = f"sensor {name or type!r}"
            if type not in BY_NAME:
                raise ModelError(f"{who}: type {type!r}; allowed: {', '.join(NAMES)}")
            row = BY_NAME[type]
            if objtype is None and len(row.objects) == 1:
                objtype = next(iter(row.objects))
            if objtype not in row.objects:
                raise ModelError(f"{who}: objtype = {objtype!r}; allowed: {', '.join(row.objects)}")
            target = self._find("body" if objtype == "xbody" else objtype, objname, who)
            if row.joints and c.JOINT_NAMES[target.type] not in row.joints:
                found = c.JOINT_NAMES[target.type]
                raise ModelError(f"{who}: joint {objname!r} is {found}; allowed: {', '.join(row.joints)}")
            a = read_attributes(Sensor.attributes, who, {"cutoff": cutoff})
            a.type, a.objtype, a.target = NAMES.index(type), row.objects[objtype], target
            return self._add("sensor", name, a)

    def assembled(self, order, m):
        sensors = order.elements["sensor"]
        dims = [ROWS[sensor.type].dim for sensor in sensors]
        return super().assembled(order, m) | {
            "sensor_type": [sensor.type for sensor in sensors],
            "sensor_objtype": [sensor.objtype for sensor in sensors],
            "sensor_objid": [order.of(sensor.target) for sensor in sensors],
            "sensor_dim": dims,
            "sensor_adr": addresses(dims),
        }

    def read(self, mujoco, mj, m):
        types = [_numbers(mujoco).get(int(kind), -1) for kind in mj.sensor_type]  # -1 is refused below
        objects = [_object(mujoco, t, o) for t, o in zip(types, mj.sensor_objtype, strict=True)]
        return super().read(mujoco, mj, m) | {"sensor_type": types, "sensor_objtype": objects}

    def refused(self, mujoco, mj):
        if mj.nsensor and disabled(mujoco, mj, "SENSOR"):
            yield "option flag sensor = disable; allowed: enable (leave the sensors out)"
        for s in range(mj.nsensor):
            who, kind = self.who(mujoco, mj, s), _numbers(mujoco).get(int(mj.sensor_type[s]))
            if kind is None:
                found = mujoco.mjtSensor(mj.sensor_type[s]).name.removeprefix("mjSENS_").lower()
                yield f"{who}: type {found}; allowed: {', '.join(NAMES)}"
                continue
            if _object(mujoco, kind, mj.sensor_objtype[s]) is None:
                found = mujoco.mjtObj(mj.sensor_objtype[s]).name.removeprefix("mjOBJ_").lower()
                yield f"{who}: objtype = {found}; allowed: {', '.join(ROWS[kind].objects)}"
            if mj.sensor_refid[s] >= 0:
                yield f"{who}: reference frame (reftype, refname); allowed: the world's"
            if mj.sensor_history[s].any() and not mj.sensor_delay[s]:
                yield f"{who}: history of {mj.sensor_history[s, 0]} samples; allowed: none"

    def count(self, m):
        m.nsensordata = int(np.sum(m.sensor_dim))

    def check_indices(self, m):
        one_of(m, "sensor_type", dict(enumerate(NAMES)))
        for i, kind in enumerate(m.sensor_type):
            row = ROWS[kind]
            objtype, objid = int(m.sensor_objtype[i]), int(m.sensor_objid[i])
            if objtype not in row.objects.values():
                words = ", ".join(f"{number} ({word})" for word, number in row.objects.items())
                refuse(m, "sensor_objtype", i, f"{words}, since it is a {row.name}")
            word, size = c.OBJ_NAMES[objtype], getattr(m, _OBJ_SIZES[objtype])
            if not 0 <= objid < size:
                refuse(m, "sensor_objid", i, f"a {word}, 0 to {size - 1}")
            if row.joints and c.JOINT_NAMES[m.jnt_type[objid]] not in row.joints:
                words = f"a {' or '.join(row.joints)} joint, and {m.label('joint', objid)} is "
                refuse(m, "sensor_objid", i, words + ("neither" if len(row.joints) == 2 else "not"))
        dims = np.array([ROWS[kind].dim for kind in m.sensor_type], int)
        follows(m, "sensor_dim", dims, "sensor_type")
        follows(m, "sensor_adr", addresses(dims), "sensor_type")
        same_count(m, "nsensordata", dims.sum(), "sensor_type")

    def check(self, m):
        felt = {kind: c.GEOM_NAMES[kind] for kind in COUNT if kind != c.PLANE}
        touched = m.sensor_objid[m.sensor_type == SENS.touch]
        for bad in touched[~np.isin(m.site_type[touched], list(felt))]:
            found = c.GEOM_NAMES.get(int(m.site_type[bad]), m.site_type[bad])
            raise ModelError(f"{m.label('site', bad)}: {found} of a touch sensor; allowed: {', '.join(felt.values())}")

    def device(self, m):
        frames = [frame(m, *of) for of in zip(m.sensor_objtype, m.sensor_objid, strict=True)]
        cuts = np.array([ROWS[kind].clips for kind in m.sensor_type], float)
        return {
            "sensor_level": [getattr(LEVEL, ROWS[kind].level) for kind in m.sensor_type],
            **columns("sensor_", frames),
            "sensor_cutoff": m.sensor_cutoff * cuts,
        }


def frame(m, objtype, objid):
    """Body of an OBJ_, and place and orientation in it; the world's where it has none."""
    if objtype in _OBJ_ARRAYS:
        word = _OBJ_ARRAYS[objtype]
        return tuple(getattr(m, f"{word}_{name}")[objid] for name in ("bodyid", "pos", "quat"))
    if objtype == c.OBJ_BODY:
        return objid, m.body_ipos[objid], m.body_iquat[objid]
    return objid if objtype == c.OBJ_XBODY else 0, np.zeros(3), np.array([1.0, 0, 0, 0])


def columns(prefix, frames):
    """The columns of frames, one for each sensor."""
    parts = zip(*frames, strict=True) if frames else ((), np.zeros((0, 3)), np.zeros((0, 4)))
    return {f"{prefix}{name}": np.array(part) for name, part in zip(("bodyid", "pos", "quat"), parts, strict=True)}


def _numbers(mujoco):
    """Our number of each of MuJoCo's sensors that the engine has."""
    words = {f"mjSENS_{row.mjsens or row.name.upper()}": k for k, row in enumerate(ROWS)}
    return {int(getattr(mujoco.mjtSensor, word)): k for word, k in words.items() if hasattr(mujoco.mjtSensor, word)}


def _object(mujoco, kind, objtype):
    """Our OBJ_ number of what a sensor of MuJoCo is attached to; None where a frame sensor knows no such thing."""
    objects = ROWS[kind].objects
    if len(objects) == 1:
        return next(iter(objects.values()))
    return {int(getattr(mujoco.mjtObj, f"mjOBJ_{k.upper()}")): v for k, v in objects.items()}.get(int(objtype))
