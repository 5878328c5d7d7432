"""Sites: places on bodies that sensors are attached to."""

from typing import Any

import numpy as np

from .. import cameras
from .. import constants as c
from ..attributes import POSE, RGBA, choice, read_attributes, vector
from ..checks import below, check, one_of, refuse, unit_quaternions
from ..same_frames import frames_on
from ..sensors import FRAMES, ROWS
from ..shapes import place
from .geom import SHAPES
from .kind import Kind, integer, real


def sensed_cameras(mujoco, mj):
    """Numbers of the cameras whose frames a sensor reads; the engine has a site for each, behind the file's own."""
    camera, found = int(mujoco.mjtObj.mjOBJ_CAMERA), set()
    for word in ("obj", "ref"):
        found |= set(getattr(mj, f"sensor_{word}id")[getattr(mj, f"sensor_{word}type") == camera].tolist())
    return sorted(found)


def _camera(mujoco, mj, k):
    return f"camera {mujoco.mj_id2name(mj, mujoco.mjtObj.mjOBJ_CAMERA, k) or k}"


class Site(Kind):
    name, plural, named = "site", "sites", "nsite"
    on_bodies = defaulted = True
    fields = {
        "nsite": {
            "site_bodyid": integer("the body that it is on"),
            "site_pos": real("m", "place in the body", 3),
            "site_quat": real("1", "orientation in the body", 4),
            "site_type": integer("shape, a geom_type: where a touch sensor feels"),
            "site_size": real("m", "of the shape", 3),
            "site_rgba": real("1", "colour", 4),
            "site_camera": integer("whether it is a camera, and how it moves: CAM_FIXED, ...", before=0, since=11),
            "site_targetbodyid": integer("the body that the camera looks at, or -1", before=-1, since=11),
            "site_pos0": real("m", "of a camera that follows, its place at qpos0 from what it follows, in world axes",
                              3, before=0, since=11),
            "site_quat0": real("1", "and its orientation there", 4, before=0, since=11),
        },
    }
    attributes = {
        **POSE,
        "type": choice("sphere", {name: kind for name, kind in SHAPES.items() if kind != c.PLANE}),
        "size": vector((0.005, 0.005, 0.005), 3, partial=True),
        "fromto": vector(None, 6),
        "rgba": RGBA,
    }

    class Methods:
        def site(self, body: str, name: str | None = None, **attributes: Any) -> str:
            """A place on a body, for sensors."""
            who = f"site {name or ''!r} of body {body!r}"
            target = self._find("body", body, who)
            a = read_attributes(Site.attributes, who, attributes, self._defaults["site"])
            a.pos, a.quat, a.size = place(who, a, attributes)
            return self._add("site", name, a, target)

    def read(self, mujoco, mj, m):
        arrays = {name: np.array(getattr(mj, name)) for name in ("site_bodyid", "site_type", "site_size", "site_rgba")}
        arrays["site_pos"], arrays["site_quat"] = frames_on(mj, "site")
        arrays |= {"site_camera": np.zeros(mj.nsite, int), "site_targetbodyid": np.full(mj.nsite, -1)}
        arrays |= {"site_pos0": np.zeros((mj.nsite, 3)), "site_quat0": np.zeros((mj.nsite, 4))}
        sensed = sensed_cameras(mujoco, mj)
        if sensed:
            given = {f"site_{name}": getattr(mj, f"cam_{name}")[sensed] for name in ("bodyid", "pos", "quat")}
            given |= {"site_type": [c.SPHERE], "site_size": [[0.005] * 3], "site_rgba": [[0.5, 0.5, 0.5, 1]]}
            for array, value in (given | _following(mj, sensed)).items():
                rows = np.broadcast_to(value, (len(sensed), *arrays[array].shape[1:]))
                arrays[array] = np.concatenate([arrays[array], rows])
        return arrays

    def names(self, mujoco, mj):
        return super().names(mujoco, mj) + [_camera(mujoco, mj, k) for k in sensed_cameras(mujoco, mj)]

    def changed(self, mujoco, mj):
        for k in sensed_cameras(mujoco, mj):
            yield f"{_camera(mujoco, mj, k)}: a site in its place, of that name, for the sensors that read its frame"

    def assembled(self, order, m):
        n = len(order.elements["site"])
        return super().assembled(order, m) | {
            "site_bodyid": order.owners(self.plural), "site_camera": np.zeros(n, int),
            "site_targetbodyid": np.full(n, -1),
        }  # fmt: skip

    def check_indices(self, m):
        one_of(m, "site_type", c.GEOM_NAMES)
        below(m, "site_bodyid", "nbody", "body")
        below(m, "site_targetbodyid", "nbody", "body", low=-1)
        one_of(m, "site_camera", c.CAMERA_NAMES)
        looks = m.site_camera >= c.CAM_TARGETBODY
        check(m, "site_targetbodyid", looks & (m.site_targetbodyid < 0), "a body, since the camera looks at one")

    def check(self, m):
        unit_quaternions(m, "site_quat")
        tracks = np.isin(m.site_camera, (c.CAM_TRACK, c.CAM_TRACKCOM))
        bad = abs(np.linalg.norm(m.site_quat0, axis=1) - 1) > 1e-6
        check(m, "site_quat0", tracks & bad, "a quaternion of length one")
        for k in cameras.followers(m):
            other = _others(m, k)
            if other:
                refuse(m, "site_camera", k, f"{c.CAM_NONE} or {c.CAM_FIXED}, since {other} reads it")

    def set_const(self, m):
        m.site_pos0[:], m.site_quat0[:] = cameras.at_rest(m)

    def device(self, m):
        k = cameras.followers(m)
        return {
            "cam_siteid": k, "cam_mode": m.site_camera[k], "cam_targetbodyid": m.site_targetbodyid[k],
            "cam_pos0": m.site_pos0[k], "cam_quat0": m.site_quat0[k],
        }  # fmt: skip


def _following(mj, sensed):
    """{array: values} of how cameras move. One that has no target does not turn to it."""
    mode, target = np.array(mj.cam_mode)[sensed] + c.CAM_FIXED, np.array(mj.cam_targetbodyid)[sensed]
    mode = np.where((mode >= c.CAM_TARGETBODY) & (target < 0), c.CAM_FIXED, mode)
    pos0 = np.where((mode == c.CAM_TRACK)[:, None], mj.cam_pos0[sensed], mj.cam_poscom0[sensed])
    tracks = ((mode == c.CAM_TRACK) | (mode == c.CAM_TRACKCOM))[:, None]
    return {
        "site_camera": mode, "site_targetbodyid": np.where(mode >= c.CAM_TARGETBODY, target, -1),
        "site_pos0": np.where(tracks, pos0, 0.0),
        "site_quat0": np.where(tracks, cameras.quaternions(np.reshape(mj.cam_mat0, (-1, 9))[sensed]), 0.0),
    }  # fmt: skip


def _others(m, site):
    """What reads the frame of a site as one that is fixed to its body, or ""."""
    ends = np.asarray(m.eq_objtype) == c.OBJ_SITE
    if (ends & ((m.eq_obj1id == site) | (m.eq_obj2id == site))).any():
        return "an equality"
    along = (m.wrap_type == c.WRAP_SITE) & (m.wrap_objid == site)
    aside = (m.wrap_type > c.WRAP_SITE) & (m.wrap_prm == site)
    if along.any() or aside.any():
        return "a tendon"
    at = np.isin(m.actuator_trntype, (c.TRN_SITE, c.TRN_SLIDERCRANK))
    if (at & ((m.actuator_trnid == site) | (m.actuator_refid == site))).any():
        return "an actuator"
    for s, kind in enumerate(m.sensor_type):
        row = ROWS[kind]
        read = m.sensor_objtype[s] == c.OBJ_SITE and m.sensor_objid[s] == site
        if read and row.references != FRAMES and row.objects != FRAMES and row.level != "range":
            return f"a {row.name}"
        if row.level == "inside" and m.sensor_refid[s] == site:
            return "an insidesite"
    return ""
