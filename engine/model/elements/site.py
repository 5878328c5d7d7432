"""Sites: places on bodies that sensors are attached to."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import POSE, RGBA, choice, read_attributes, vector
from ..checks import below, one_of, unit_quaternions
from ..same_frames import frames_on
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
        arrays = super().read(mujoco, mj, m)
        arrays["site_pos"], arrays["site_quat"] = frames_on(mj, "site")
        cameras = sensed_cameras(mujoco, mj)
        if cameras:
            given = {f"site_{name}": getattr(mj, f"cam_{name}")[cameras] for name in ("bodyid", "pos", "quat")}
            given |= {"site_type": [c.SPHERE], "site_size": [[0.005] * 3], "site_rgba": [[0.5, 0.5, 0.5, 1]]}
            for array, value in given.items():
                rows = np.broadcast_to(value, (len(cameras), *arrays[array].shape[1:]))
                arrays[array] = np.concatenate([arrays[array], rows])
        return arrays

    def names(self, mujoco, mj):
        return super().names(mujoco, mj) + [_camera(mujoco, mj, k) for k in sensed_cameras(mujoco, mj)]

    def changed(self, mujoco, mj):
        for k in sensed_cameras(mujoco, mj):
            yield f"{_camera(mujoco, mj, k)}: a site in its place, of that name, for the sensors that read its frame"

    def assembled(self, order, m):
        return super().assembled(order, m) | {"site_bodyid": order.owners(self.plural)}

    def check_indices(self, m):
        one_of(m, "site_type", c.GEOM_NAMES)
        below(m, "site_bodyid", "nbody", "body")

    def check(self, m):
        unit_quaternions(m, "site_quat")
