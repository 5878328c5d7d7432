"""Sensors: what an element measures, and where the numbers lie in `sensordata`. `model/sensors.py` has their kinds."""

import functools

import numpy as np
from numpy.typing import ArrayLike

from engine.words import counted

from .. import constants as c
from ..attributes import choice, number, read_attributes, vector, whole
from ..cameras import followers
from ..checks import check, follows, one_of, refuse, same_count
from ..delays import INTERPOLATIONS, clocks, late, sensor_columns
from ..errors import ModelError
from ..orientations import behind_first, first_of, forces_of
from ..sensors import (
    BY_NAME,
    CONTACT_FIELDS,
    FRAMES,
    LEVEL,
    MEASURED,
    NAMES,
    NEEDING,
    RANGE,
    RANGE_BITS,
    RANGE_FIELDS,
    REDUCES,
    ROWS,
    SENS,
    apart_pairs,
    dim_of,
    measured_ends,
    pixels_of,
)  # fmt: skip
from ..servos import first_rows
from ..setconst import addresses
from ..shapes import COUNT
from ..tendons import bodies_along, is_spatial
from .kind import Kind, integer, real
from .option import disabled
from .pair import pairs_at_rest
from .site import sensed_cameras
from .tendon import our_tendon

_OBJ_SIZES = {c.OBJ_BODY: "nbody", c.OBJ_XBODY: "nbody", c.OBJ_SITE: "nsite", c.OBJ_GEOM: "ngeom",
              c.OBJ_JOINT: "njnt", c.OBJ_ACTUATOR: "nu", c.OBJ_TENDON: "ntendon"}  # fmt: skip
MOST = 1000  # contacts that a sensor gives
MOST_RAYS = 1 << 20  # of a camera
_OBJ_ARRAYS = {c.OBJ_SITE: "site", c.OBJ_GEOM: "geom"}


class Sensor(Kind):
    name, plural, named = "sensor", "sensors", "nsensor"
    fields = {
        "nsensor": {
            "sensor_type": integer("number in sensors.NAMES"),
            "sensor_objtype": integer("kind of what it is attached to: OBJ_BODY, OBJ_SITE, ..."),
            "sensor_objid": integer("number of what it is attached to, -1 for nothing"),
            "sensor_reftype": integer("kind of what it is measured against, OBJ_NONE: the world", before=c.OBJ_NONE),
            "sensor_refid": integer("number of what it is measured against, -1 for the world", before=-1),
            "sensor_intprm": integer("of contact sensors: bits of CONTACT_FIELDS, number in REDUCES, num; of "
                                     "rangefinders: bits of RANGE_BITS, 0 for the distance alone", 3, before=0),
            "sensor_dim": integer("how many numbers it gives"),
            "sensor_adr": integer("where they begin in sensordata"),
            "sensor_cutoff": real("of the sensor", "largest magnitude; 0 for none", least=0),
            "sensor_delay": real("s", "how old what it tells is", least=0, before=0, since=7),
            "sensor_history": integer("its values of the past, and how they are read", 2, before=0, since=7),
            "sensor_lens": real("deg, px, m, m", "of a camprojection, or of a rangefinder whose site is a camera, the "
                                "camera's fovy, resolution, sensorsize and focal lengths, which count where there is a "
                                "sensorsize", 7, before=0, since=9),
            "sensor_view": real("1, m, m", "of the latter: 1 where there is no perspective, and the fovy is the height "
                                "in m; where the axis meets the sensor", 3, before=0, since=10),
            "sensor_interval": real("s", "time between values that it takes, or 0; when the last one before the start, "
                                    "0: as long before", 2, before=0, since=9),
        },
    }
    attributes = {
        "cutoff": number(0.0, 0), "delay": number(0.0, 0), "nsample": whole(0), "interp": choice("zoh", INTERPOLATIONS),
        "interval": vector((0.0, 0.0), 2, partial=True),
    }  # fmt: skip

    class Methods:
        def sensor(
            self, type: str, name: str | None = None, *, objname: str | None = None, objtype: str | None = None,
            reftype: str | None = None, refname: str | None = None, cutoff: float = 0.0, data: str | None = None,
            reduce: str = "none", num: int = 1, delay: float = 0.0, nsample: int = 0, interp: str = "zoh",
            interval: ArrayLike = 0.0, fovy: float = 45.0, resolution: ArrayLike | None = None,
        ) -> str:  # fmt: skip
            """A sensor of sensors.NAMES on the element `objname`; frame sensors need an objtype as well, and may be
            measured in the frame of another element, `refname` of the kind `reftype`.

            A contact sensor gives `data`, words of CONTACT_FIELDS ("found"), of `num` contacts between the first
            element and the second, either of which may be left out; an xbody stands for all below it, too. reduce: one
            of REDUCES. A rangefinder's `data` are words of RANGE_FIELDS ("dist").
            delay: s, how old what it tells is, read by `interp` from its `nsample` last values. interval: s, the time
            between them, 0 for each step, and when it took the last one before the start. fovy (deg, of the height) and
            resolution (px): of the camera at the site `refname` in whose image a camprojection has the site `objname`;
            of one at the site of a rangefinder, which then has a ray for each pixel, row by row. They look along -z.
            """
            who = f"sensor {name or type!r}"
            if type not in BY_NAME:
                raise ModelError(f"{who}: type {type!r}; allowed: {', '.join(NAMES)}")
            row = BY_NAME[type]
            if objtype is None and (len(row.objects) == 1 or objname is None and "none" in row.objects):
                objtype = next(iter(row.objects))
            given = {"cutoff": cutoff, "delay": delay, "nsample": nsample, "interp": interp, "interval": interval}
            a = read_attributes(Sensor.attributes, who, given)
            a.history = a.nsample, a.interp
            if (a.nsample > 0) != (a.delay > 0 or a.interval[0] > 0) or a.nsample < 0:
                allowed = "one or more with a delay or an interval, 0 without"
                raise ModelError(f"{who}: nsample = {a.nsample}; allowed: {allowed}")
            if a.cutoff and not row.clips:
                raise ModelError(f"{who}: cutoff = {cutoff!r}; allowed: 0, since it is a {type}")
            a.type = NAMES.index(type)
            a.objtype, a.target = self._sensed(who, "obj", row.objects, objtype, objname)
            a.reftype, a.reference = c.OBJ_NONE, None
            if reftype is not None or refname is not None:
                if not row.references:
                    raise ModelError(f"{who}: reftype = {reftype!r}; allowed: none, since it is a {type}")
                a.reftype, a.reference = self._sensed(who, "ref", row.references, reftype, refname)
            if row.level in NEEDING and a.reference is None:
                raise ModelError(f"{who}: reftype = None; allowed: {', '.join(row.references)}, with a refname")
            if row.joints and c.JOINT_NAMES[a.target.type] not in row.joints:
                found = c.JOINT_NAMES[a.target.type]
                raise ModelError(f"{who}: joint {objname!r} is {found}; allowed: {', '.join(row.joints)}")
            if row.limited and not a.target.limited:
                raise ModelError(f"{who}: {objtype} {objname!r} has no limit; allowed: one with a range")
            a.lens = np.zeros(7)
            if row.level == "image" or row.level == "range" and resolution is not None:
                a.lens[0], a.lens[1:3] = fovy, 1.0 if resolution is None else resolution
            a.intprm = (0, 0, 0)
            if row.level == "contact":
                a.intprm = _intprm(who, "found" if data is None else data, reduce, num)
            elif row.level == "range":
                bits = sum(RANGE_BITS[word] for word in _words(who, "dist" if data is None else data, RANGE_FIELDS))
                a.intprm = (0 if bits == RANGE.dist else bits, 0, 0)
            return self._add("sensor", name, a)

        def _sensed(self, who, word, objects, objtype, name):
            """The OBJ_ number and the element that a sensor is attached to or measured against."""
            if objtype not in objects:
                raise ModelError(f"{who}: {word}type = {objtype!r}; allowed: {', '.join(objects)}")
            if objects[objtype] == c.OBJ_NONE:
                if name is not None:
                    raise ModelError(f"{who}: {word}name = {name!r}; allowed: none")
                return c.OBJ_NONE, None
            return objects[objtype], self._find("body" if objtype == "xbody" else objtype, name, who)

    def assembled(self, order, m):
        sensors = order.elements["sensor"]
        dims = [dim_of(sensor.type, sensor.intprm, sensor.lens, forces_of(sensor.target)) for sensor in sensors]
        return super().assembled(order, m) | {
            "sensor_type": [sensor.type for sensor in sensors],
            "sensor_objtype": [sensor.objtype for sensor in sensors],
            "sensor_objid": [-1 if sensor.target is None else order.of(sensor.target) for sensor in sensors],
            "sensor_reftype": [sensor.reftype for sensor in sensors],
            "sensor_refid": [-1 if sensor.reference is None else order.of(sensor.reference) for sensor in sensors],
            "sensor_intprm": [sensor.intprm for sensor in sensors],
            "sensor_lens": np.reshape([sensor.lens for sensor in sensors], (-1, 7)),
            "sensor_view": np.zeros((len(sensors), 3)),
            "sensor_history": np.reshape([sensor.history for sensor in sensors], (-1, 2)),
            "sensor_dim": dims,
            "sensor_adr": addresses(dims),
        }

    def names(self, mujoco, mj):
        return [] if disabled(mujoco, mj, "SENSOR") else super().names(mujoco, mj)

    def refusals(self, mujoco, mj):
        return () if disabled(mujoco, mj, "SENSOR") else super().refusals(mujoco, mj)

    def changed(self, mujoco, mj):
        if mj.nsensor and disabled(mujoco, mj, "SENSOR"):
            who = counted(mj.nsensor, "sensor")
            yield f"option flag sensor is disabled: {who} left out, whose data MuJoCo leaves at zero"
        unread = np.count_nonzero((mj.sensor_history[:, 0] > 0) & ~late(mj)) if mj.nsensor else 0
        if unread:
            who = counted(unread, "sensor")
            yield f"nsample: left out of {who} without a delay or an interval, which do not read it"

    def read(self, mujoco, mj, m):
        if disabled(mujoco, mj, "SENSOR"):
            return {name: np.zeros((0, *field.shape), field.dtype) for name, field in self.fields["nsensor"].items()}
        types = [_numbers(mujoco).get(int(kind), -1) for kind in mj.sensor_type]  # -1 is refused below
        objects = [_object(mujoco, ROWS[t].objects, o) for t, o in zip(types, mj.sensor_objtype, strict=True)]
        measured = zip(types, mj.sensor_reftype, mj.sensor_refid, strict=True)
        references = [c.OBJ_NONE if k < 0 else _object(mujoco, ROWS[t].references, o) for t, o, k in measured]
        own = [[ROWS[t].level == "contact"] for t in types]
        intprm = np.reshape(mj.sensor_intprm, (-1, 3)) * np.reshape(own, (-1, 1))
        told = np.reshape(mj.sensor_intprm, (-1, 3))[:, 0]
        more = [ROWS[t].level == "range" and b != RANGE.dist for t, b in zip(types, told, strict=True)]
        intprm[:, 0] = np.where(np.array(more, bool), told, intprm[:, 0])
        new = {"sensor_type": types, "sensor_objtype": objects, "sensor_reftype": references, "sensor_intprm": intprm}
        cameras = {k: mj.nsite + i for i, k in enumerate(sensed_cameras(mujoco, mj))}
        of_tendons = mj.sensor_objtype == int(mujoco.mjtObj.mjOBJ_TENDON)
        for word in ("obj", "ref"):
            is_camera = getattr(mj, f"sensor_{word}type") == int(mujoco.mjtObj.mjOBJ_CAMERA)
            ids = getattr(mj, f"sensor_{word}id")
            new[f"sensor_{word}id"] = [cameras[k] if there else k for k, there in zip(ids, is_camera, strict=True)]
        ours = our_tendon(mujoco, mj)[np.where(of_tendons, mj.sensor_objid, -1)]
        new["sensor_objid"] = np.where(of_tendons, ours, new["sensor_objid"])
        of_actuators = mj.sensor_objtype == int(mujoco.mjtObj.mjOBJ_ACTUATOR)
        first = np.append(first_rows(mj), -1)[np.where(of_actuators, mj.sensor_objid, -1)]
        new["sensor_objid"] = np.where(of_actuators, first, new["sensor_objid"])
        camera = int(mujoco.mjtObj.mjOBJ_CAMERA)
        seen = [mj.sensor_refid[s] if ROWS[t].level == "image" else mj.sensor_objid[s] if ROWS[t].level == "range"
                and mj.sensor_objtype[s] == camera else -1 for s, t in enumerate(types)]  # fmt: skip
        new["sensor_lens"] = np.reshape([_lens(mj, k) for k in seen], (-1, 7))
        new["sensor_view"] = np.reshape([
            _view(mj, k if ROWS[t].level == "range" else -1) for t, k in zip(types, seen, strict=True)
        ], (-1, 3))  # fmt: skip
        new["sensor_history"] = np.where(late(mj)[:, None], np.reshape(mj.sensor_history, (-1, 2)), 0)
        new["sensor_interval"] = np.where(clocks(mj)[:, None], np.reshape(mj.sensor_interval, (-1, 2)), 0)
        known = [name for name in self.fields["nsensor"] if name not in new]
        return {name: np.array(getattr(mj, name)) for name in known} | new

    def refused(self, mujoco, mj):
        still = pairs_at_rest(mj)
        if still and np.any(mj.sensor_type == int(getattr(mujoco.mjtSensor, "mjSENS_CONTACT", -1))):
            yield f"contact sensors beside {still} pairs of geoms that no force can move; allowed: pairs of others"
        for s in range(mj.nsensor):
            who, kind = self.who(mujoco, mj, s), _numbers(mujoco).get(int(mj.sensor_type[s]))
            if kind is None:
                found = mujoco.mjtSensor(mj.sensor_type[s]).name.removeprefix("mjSENS_").lower()
                yield f"{who}: type {found}; allowed: {', '.join(NAMES)}"
                continue
            row, no_reference = ROWS[kind], mj.sensor_refid[s] < 0
            for word, objects in (("obj", row.objects), ("ref", row.references)):
                objtype = getattr(mj, f"sensor_{word}type")[s]
                if _object(mujoco, objects, objtype) is None and not (word == "ref" and no_reference):
                    found = mujoco.mjtObj(objtype).name.removeprefix("mjOBJ_").lower()
                    yield f"{who}: {word}type = {found}; allowed: {', '.join(objects)}"
            body = mj.sensor_objtype[s] == int(mujoco.mjtObj.mjOBJ_BODY) and mj.sensor_objid[s]
            if row.level == "inside" and body and mj.body_mass[body] < 1e-15:
                yield f"{who}: objname of a body without mass; allowed: objtype = xbody"
            if row.level == "wrench" and mj.site_bodyid[mj.sensor_objid[s]] == 0:
                yield f"{who}: on a site of the world, which has no parent; allowed: one of a body"

    def lacking(self, m):
        known = (*COUNT, c.HFIELD, c.MESH)
        unseen = np.isin(m.geom_type, known, invert=True) & (np.asarray(m.geom_rgba)[:, 3] > 0)
        if np.any(np.asarray(m.sensor_type) == SENS.rangefinder) and unseen.any():
            words = ", ".join(c.GEOM_NAMES[kind] for kind in known)
            yield f"rangefinders beside {unseen.sum()} visible geoms of other shapes than {words}; allowed: these"
        yield from _pulled(m)

        yield from _far(m)

    def count(self, m):
        m.nsensordata = int(np.sum(m.sensor_dim))

    def check_indices(self, m):
        one_of(m, "sensor_type", dict(enumerate(NAMES)))
        for i, kind in enumerate(m.sensor_type):
            row = ROWS[kind]
            objid = m.sensor_objid[i]
            _check_object(m, "obj", i, row.objects, f", since it is a {row.name}")
            measured = {"none": c.OBJ_NONE} | row.references
            _check_object(m, "ref", i, measured, f" of a {row.name}")
            if row.level in NEEDING and m.sensor_refid[i] < 0:
                refuse(m, "sensor_refid", i, f"a {' or a '.join(row.references)}, without which there is no {row.name}")
            fovy, width, height, *_ = m.sensor_lens[i]
            view = row.level == "image" or row.level == "range" and m.sensor_lens[i].any()
            wide = fovy < 180 or m.sensor_view[i, 0]
            if view and not (0 < fovy and wide and width > 0 and height > 0):
                refuse(m, "sensor_lens", i, "an angle above 0 and below 180, and pixels")
            if row.level == "range" and (width * height > MOST_RAYS or width % 1 or height % 1):
                refuse(m, "sensor_lens", i, f"whole pixels, at most {MOST_RAYS}")
            if row.joints and c.JOINT_NAMES[m.jnt_type[objid]] not in row.joints:
                words = f"a {' or '.join(row.joints)} joint, and {m.label('joint', objid)} is "
                refuse(m, "sensor_objid", i, words + ("neither" if len(row.joints) > 1 else "not"))
            _check_intprm(m, i, row)
            if m.sensor_objtype[i] == c.OBJ_ACTUATOR and behind_first(m)[objid]:
                refuse(m, "sensor_objid", i, "the first actuator of an orientation servo, of whose three it tells")
        whole = [m.sensor_objtype[i] == c.OBJ_ACTUATOR and first_of(m)[k] >= 0 for i, k in enumerate(m.sensor_objid)]
        told = zip(m.sensor_type, m.sensor_intprm, m.sensor_lens, 1 + 2 * np.array(whole, int), strict=True)
        dims = np.array([dim_of(*of) for of in told], int)
        follows(m, "sensor_dim", dims, "sensor_type and what actuators it is of")
        follows(m, "sensor_adr", addresses(dims), "sensor_type")
        n, interp = m.sensor_history.T
        check(m, "sensor_history", (n < 0) | (interp < 0) | (interp > 2), "samples of zero or more, and 0, 1 or 2")
        check(m, "sensor_history", (n > 0) != late(m), "samples where there is a delay or an interval, else none")
        period, phase = m.sensor_interval.T
        check(m, "sensor_interval", (period < 0) | (phase > 0) | (phase <= -period) & (phase != 0),
              "a period of zero or more, and a phase above minus it and at most zero")  # fmt: skip
        same_count(m, "nsensordata", dims.sum(), "sensor_type")

    def check(self, m):
        felt = {kind: c.GEOM_NAMES[kind] for kind in COUNT if kind != c.PLANE}
        feels = (m.sensor_type == SENS.touch) | (m.sensor_type == SENS.contact) & (m.sensor_objtype == c.OBJ_SITE)
        for kind, bad in zip(m.sensor_type[feels], m.sensor_objid[feels], strict=True):
            if m.site_type[bad] not in felt:
                found, allowed = c.GEOM_NAMES.get(int(m.site_type[bad]), m.site_type[bad]), ", ".join(felt.values())
                raise ModelError(f"{m.label('site', bad)}: {found} of a {NAMES[kind]} sensor; allowed: {allowed}")
        for i, row in enumerate(ROWS[kind] for kind in m.sensor_type):
            if row.level == "wrench" and m.site_bodyid[m.sensor_objid[i]] == 0:
                refuse(m, "sensor_objid", i, "a site of a body, since the world has no parent")
            if m.sensor_cutoff[i] and not row.clips:
                refuse(m, "sensor_cutoff", i, f"0, since it is a {row.name}")

    def device(self, m):
        rows = [ROWS[kind] for kind in m.sensor_type]
        read = [frame(m, *of) for of in zip(m.sensor_objtype, m.sensor_objid, strict=True)]
        measured = [frame(m, *of) for of in zip(m.sensor_reftype, m.sensor_refid, strict=True)]
        axes = [a if row.own else b for row, a, b in zip(rows, read, measured, strict=True)]
        pixels = np.reshape([pixels_of(*of) for of in zip(m.sensor_type, m.sensor_lens, strict=True)], (-1, 2))
        return {
            "sensor_pixels": pixels.prod(axis=1), "sensor_columns": pixels[:, 0],
            "sensor_level": [getattr(LEVEL, row.level) for row in rows], "sensor_relative": m.sensor_refid >= 0,
            "sensor_clip": np.where(late(m), 0.0, m.sensor_cutoff), "sensor_pair": m.npair + apart_pairs(m)[1],
            "sensor_camera": _cameras(m, "obj"), "sensor_refcamera": _cameras(m, "ref"),
            **lenses(m), **columns("sensor_", read), **columns("sensor_ref", axes), **sensor_columns(m),
        }  # fmt: skip


def _lens(mj, camera):
    """The numbers of sensor_lens, of a camera or of none, -1."""
    if camera < 0:
        return np.zeros(7)
    sizes = mj.cam_resolution[camera], mj.cam_sensorsize[camera], mj.cam_intrinsic[camera, :2]
    return np.concatenate([[mj.cam_fovy[camera]], *sizes]).astype(float)


def _view(mj, camera):
    """The numbers of sensor_view."""
    if camera < 0:
        return np.zeros(3)
    return np.concatenate([[mj.cam_projection[camera] == 1], mj.cam_intrinsic[camera, 2:]]).astype(float)


def _cameras(m, word):
    """Of each sensor which of the cameras that follow or target something it reads, -1: none."""
    which = np.full(m.nsite + 1, -1)
    which[followers(m)] = np.arange(len(followers(m)))
    sites = getattr(m, f"sensor_{word}type") == c.OBJ_SITE
    return which[np.where(sites, getattr(m, f"sensor_{word}id"), m.nsite)]


def lenses(m):
    """What the device's arrays hold of cameras, {column: values}."""
    ranging = m.sensor_type == SENS.rangefinder
    size = m.nsensor * bool((m.sensor_lens[:, 0] != 0).any())
    lens = np.where(m.sensor_lens[:size, :1] > 0, m.sensor_lens[:size], [90.0, 1, 1, 0, 0, 0, 0])
    fovy, resolution, sensor, focal = np.split(lens, (1, 3, 5), axis=1)
    view, ranging = m.sensor_view[:size], ranging[:size, None]
    flat = view[:, :1] != 0
    measured = (sensor > 0).all(axis=1, keepdims=True)
    seen = 0.5 / np.tan(np.radians(np.where(flat, 90.0, fovy) / 2)) * resolution[:, 1:]

    def share(x):  # of the sensor, in pixels, with MuJoCo's precision
        return np.float32(x) / np.where(measured, np.float32(sensor), np.float32(1)) * np.float32(resolution)

    return {
        "lens_focal": np.where(flat, resolution / 2, np.where(measured, share(focal), seen)),
        "lens_middle": np.where(measured & ranging & ~flat, share(view[:, 1:]), resolution / 2),
        "lens_extent": np.where(flat, fovy / 2, 0.0)[:, 0],
    }


def _pulled(m):
    """Lines: force and torque sensors of bodies that a spatial tendon pulls at from outside, which MuJoCo 4.0 adds."""
    wrenches = [k for k, kind in enumerate(m.sensor_type) if kind >= 0 and ROWS[kind].level == "wrench"]
    tendons = np.flatnonzero(is_spatial(m)) if wrenches else ()
    for k in wrenches:
        below = {int(m.site_bodyid[m.sensor_objid[k]])}
        for b, parent in enumerate(np.asarray(m.body_parentid).tolist()):
            below |= {b} if parent in below else set()
        for t in tendons:
            if 0 < len(bodies_along(m, t) & below) < len(bodies_along(m, t)):
                who, tendon = (f"{word} {name!r}" if name else f"{word} {i}" for word, i, name in (
                    ("sensor", k, m.sensor_names[k]), ("tendon", t, m.tendon_names[t])))  # fmt: skip
                yield f"{who}: {ROWS[m.sensor_type[k]].name} where {tendon} pulls from outside; allowed: fixed tendons"
                break


def _far(m):
    """Lines: shapes that a sensor asks for and whose distance the engine lacks."""
    for s, ends in measured_ends(m):
        kinds = np.setdiff1d(m.geom_type[np.concatenate(ends)], MEASURED)
        if len(kinds):
            who = f"sensor {m.sensor_names[s]!r}" if m.sensor_names[s] else f"sensor {s}"
            found, allowed = (", ".join(c.GEOM_NAMES[k] for k in group) for group in (kinds.tolist(), MEASURED))
            yield f"{who}: {NAMES[m.sensor_type[s]]} of {found}; allowed: {allowed}"


def _check_object(m, word, i, objects, why):
    """Refuse entry i of sensor_objtype and _objid, or _reftype and _refid, where they name no element of `objects`."""
    objtype, objid = int(getattr(m, f"sensor_{word}type")[i]), int(getattr(m, f"sensor_{word}id")[i])
    if objtype not in objects.values():
        refuse(m, f"sensor_{word}type", i, ", ".join(f"{k} ({name})" for name, k in objects.items()) + why)
    if objtype == c.OBJ_NONE:
        if objid != -1:
            refuse(m, f"sensor_{word}id", i, "-1, for none")
        return
    size = getattr(m, _OBJ_SIZES[objtype])
    if not 0 <= objid < size:
        refuse(m, f"sensor_{word}id", i, f"a {c.OBJ_NAMES[objtype]}, 0 to {size - 1}")


def _intprm(who, data, reduce, num):
    """The numbers of a contact sensor from words."""
    words = _words(who, data, CONTACT_FIELDS)
    if reduce not in REDUCES:
        raise ModelError(f"{who}: reduce = {reduce!r}; allowed: {', '.join(REDUCES)}")
    if not isinstance(num, int) or num < 1:
        raise ModelError(f"{who}: num = {num!r}; allowed: a whole number, 1 or more")
    if reduce == "netforce" and (num > 1 or {"linvel", "angvel"} & set(words)):
        raise ModelError(f"{who}: num = {num}, data = {data!r}; allowed with netforce: 1, no linvel or angvel")
    return sum(1 << k for k, word in enumerate(CONTACT_FIELDS) if word in words), REDUCES.index(reduce), num


def _words(who, data, fields):
    words = data.split() if isinstance(data, str) else list(data)
    if not words or words != [word for word in fields if word in words]:
        raise ModelError(f"{who}: data = {data!r}; allowed: some of {', '.join(fields)}, in this order")
    return words


def _check_intprm(m, i, row):
    data, reduce, num = (int(x) for x in m.sensor_intprm[i])
    if row.level == "range":
        if data < 0 or data & ~sum(RANGE_BITS.values()) or data == RANGE.dist or (reduce, num) != (0, 0):
            refuse(m, "sensor_intprm", i, f"bits of {sum(RANGE_BITS.values())} but not {RANGE.dist} alone, 0, 0")
    elif row.level != "contact":
        if (data, reduce, num) != (0, 0, 0):
            refuse(m, "sensor_intprm", i, f"[0 0 0], since it is a {row.name}")
    elif not (0 < data < 1 << len(CONTACT_FIELDS) and 0 <= reduce < len(REDUCES) and 0 < num < MOST):
        most = (1 << len(CONTACT_FIELDS)) - 1, len(REDUCES) - 1, MOST - 1
        refuse(m, "sensor_intprm", i, "1 to {}, 0 to {}, 1 to {}".format(*most))


def frame(m, objtype, objid):
    """Body of an OBJ_, and place and orientation in it; -1 and nothing for what has no frame."""
    if objtype in _OBJ_ARRAYS:
        word = _OBJ_ARRAYS[objtype]
        return tuple(getattr(m, f"{word}_{name}")[objid] for name in ("bodyid", "pos", "quat"))
    if objtype == c.OBJ_BODY:
        return objid, m.body_ipos[objid], m.body_iquat[objid]
    return objid if objtype == c.OBJ_XBODY else -1, np.zeros(3), np.array([1.0, 0, 0, 0])


def columns(prefix, frames):
    """The columns of frames, one for each sensor."""
    parts = zip(*frames, strict=True) if frames else ((), np.zeros((0, 3)), np.zeros((0, 4)))
    return {f"{prefix}{name}": np.array(part) for name, part in zip(("bodyid", "pos", "quat"), parts, strict=True)}


@functools.cache
def _numbers(mujoco):
    """Our number of each of MuJoCo's sensors that the engine has."""
    words = {f"mjSENS_{row.mjsens or row.name.upper()}": k for k, row in enumerate(ROWS)}
    return {int(getattr(mujoco.mjtSensor, word)): k for word, k in words.items() if hasattr(mujoco.mjtSensor, word)}


def _object(mujoco, objects, objtype):
    """Our OBJ_ number of what a sensor of MuJoCo is attached to; None where that is none of several `objects`."""
    if len(objects) == 1:
        return next(iter(objects.values()))
    words = {k.upper().replace("NONE", "UNKNOWN"): v for k, v in objects.items()}
    if objects == FRAMES:
        words["CAMERA"] = c.OBJ_SITE  # made for it (site.py)
    return {int(getattr(mujoco.mjtObj, f"mjOBJ_{k}")): v for k, v in words.items()}.get(int(objtype))
