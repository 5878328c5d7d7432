"""Sensors: what an element measures, and where the numbers lie in `sensordata`."""

import numpy as np

from .. import constants as c
from ..attributes import number, read_attributes
from ..checks import follows, one_of, refuse, same_count
from ..errors import ModelError
from ..setconst import addresses
from ..shapes import COUNT
from .kind import Kind, integer, real
from .option import disabled

_JOINT_SENSORS = (c.SENS_JOINTPOS, c.SENS_JOINTVEL)
_SUBTREE_SENSORS = (c.SENS_SUBTREECOM, c.SENS_SUBTREELINVEL)
_FRAME_OBJECTS = {"BODY": c.OBJ_BODY, "XBODY": c.OBJ_XBODY, "GEOM": c.OBJ_GEOM, "SITE": c.OBJ_SITE}
_OBJ_SIZES = {c.OBJ_BODY: "nbody", c.OBJ_XBODY: "nbody", c.OBJ_SITE: "nsite", c.OBJ_GEOM: "ngeom",
              c.OBJ_JOINT: "njnt", c.OBJ_ACTUATOR: "nu"}  # fmt: skip


class Sensor(Kind):
    name, plural, named = "sensor", "sensors", "nsensor"
    fields = {
        "nsensor": {
            "sensor_type": integer("number in SENSOR_NAMES"),
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
            """A sensor of constants.SENSOR_NAMES on the element `objname`; frame sensors need an objtype as well."""
            who = f"sensor {name or type!r}"
            if type not in c.SENSOR_OBJECTS:
                raise ModelError(f"{who}: type {type!r}; allowed: {', '.join(c.SENSOR_OBJECTS)}")
            allowed = c.SENSOR_OBJECTS[type]
            if objtype is None and len(allowed) == 1:
                objtype = next(iter(allowed))
            if objtype not in allowed:
                raise ModelError(f"{who}: objtype = {objtype!r}; allowed: {', '.join(allowed)}")
            target = self._find("body" if objtype == "xbody" else objtype, objname, who)
            if type in ("jointpos", "jointvel") and target.type not in (c.SLIDE, c.HINGE):
                raise ModelError(f"{who}: joint {objname!r} is {c.JOINT_NAMES[target.type]}; allowed: slide, hinge")
            a = read_attributes(Sensor.attributes, who, {"cutoff": cutoff})
            a.type, a.objtype, a.target = c.SENSOR_NAMES.index(type), allowed[objtype], target
            return self._add("sensor", name, a)

    def assembled(self, order, m):
        sensors = order.elements["sensor"]
        dims = [c.SENSOR_DIM[sensor.type] for sensor in sensors]
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
                yield f"{who}: type {found}; allowed: {', '.join(c.SENSOR_NAMES)}"
                continue
            if _object(mujoco, kind, mj.sensor_objtype[s]) is None:
                found = mujoco.mjtObj(mj.sensor_objtype[s]).name.removeprefix("mjOBJ_").lower()
                yield f"{who}: objtype = {found}; allowed: body, xbody, geom, site"
            if mj.sensor_refid[s] >= 0:
                yield f"{who}: reference frame (reftype, refname); allowed: the world's"
            if mj.sensor_history[s].any() and not mj.sensor_delay[s]:
                yield f"{who}: history of {mj.sensor_history[s, 0]} samples; allowed: none"

    def count(self, m):
        m.nsensordata = int(np.sum(m.sensor_dim))

    def check_indices(self, m):
        one_of(m, "sensor_type", dict(enumerate(c.SENSOR_NAMES)))
        for i, kind in enumerate(m.sensor_type):
            name = c.SENSOR_NAMES[kind]
            objects = c.SENSOR_OBJECTS[name]
            objtype, objid = int(m.sensor_objtype[i]), int(m.sensor_objid[i])
            if objtype not in objects.values():
                words = ", ".join(f"{number} ({word})" for word, number in objects.items())
                refuse(m, "sensor_objtype", i, f"{words}, since it is a {name}")
            word, size = c.OBJ_NAMES[objtype], getattr(m, _OBJ_SIZES[objtype])
            if not 0 <= objid < size:
                refuse(m, "sensor_objid", i, f"a {word}, 0 to {size - 1}")
            if objtype == c.OBJ_JOINT and m.jnt_type[objid] not in (c.SLIDE, c.HINGE):
                words = f"a slide or hinge joint, and {m.label('joint', objid)} is neither"
                refuse(m, "sensor_objid", i, words)
        dims = np.array([c.SENSOR_DIM[kind] for kind in m.sensor_type], int)
        follows(m, "sensor_dim", dims, "sensor_type")
        follows(m, "sensor_adr", addresses(dims), "sensor_type")
        same_count(m, "nsensordata", dims.sum(), "sensor_type")

    def check(self, m):
        felt = {kind: c.GEOM_NAMES[kind] for kind in COUNT if kind != c.PLANE}
        touched = m.sensor_objid[m.sensor_type == c.SENS_TOUCH]
        for bad in touched[~np.isin(m.site_type[touched], list(felt))]:
            found = c.GEOM_NAMES.get(int(m.site_type[bad]), m.site_type[bad])
            raise ModelError(f"{m.label('site', bad)}: {found} of a touch sensor; allowed: {', '.join(felt.values())}")


def _numbers(mujoco):
    """Our number of each of MuJoCo's sensors that the engine has."""
    return {int(getattr(mujoco.mjtSensor, f"mjSENS_{name.upper()}")): i for i, name in enumerate(c.SENSOR_NAMES)}


def _object(mujoco, kind, objtype):
    """Our OBJ_ number of what a sensor of MuJoCo is attached to; None where a frame sensor knows no such thing."""
    if kind in _JOINT_SENSORS:
        return c.OBJ_JOINT
    if kind == c.SENS_ACTUATORFRC:
        return c.OBJ_ACTUATOR
    if kind in _SUBTREE_SENSORS:
        return c.OBJ_BODY
    return {int(getattr(mujoco.mjtObj, f"mjOBJ_{k}")): v for k, v in _FRAME_OBJECTS.items()}.get(int(objtype))
