"""Cameras as MJCF has them: one for each site that is a camera, with what sensors see through it, and one more where
sensors see through others, or through a site that is none."""

import numpy as np

from . import constants as c
from .sensors import ROWS
from .written import text_of, unique_names

_PREFIX = "camera "  # of the names that sites of cameras have (elements/site.py)


class Cameras:
    """of: {sensor: the name of the camera that it sees through}. at: {site: its name} of those that are cameras.
    elements: of each camera its site and its attributes."""

    def __init__(self, m, call):
        lenses = []  # (site, numbers of the lens, of the view) of each camera; None: of no sensor yet
        lenses += [(int(k), None, None) for k in np.flatnonzero(m.site_camera)]
        seen = {}
        for s in sorted(_seeing(m), key=lambda s: ROWS[m.sensor_type[s]].level == "image"):  # which has no view
            site = int(m.sensor_refid[s] if ROWS[m.sensor_type[s]].level == "image" else m.sensor_objid[s])
            lens, view = (tuple(x.tolist()) for x in (m.sensor_lens[s], m.sensor_view[s]))
            image = ROWS[m.sensor_type[s]].level == "image"
            fits = [at == site and (of is None or of == lens and (image or v == view)) for at, of, v in lenses]
            seen[s] = fits.index(True) if any(fits) else len(lenses)
            if not any(fits):
                lenses.append((site, lens, view))
            elif lenses[seen[s]][1] is None:
                lenses[seen[s]] = site, lens, view
        names = unique_names("camera", [m.site_names[site].removeprefix(_PREFIX) for site, _, _ in lenses])
        self.of = {s: names[k] for s, k in seen.items()}
        self.at = {site: names[k] for k, (site, _, _) in reversed(list(enumerate(lenses))) if m.site_camera[site]}
        self.elements = [(site, {"name": n} | _moves(m, site, call) | _optics(lens, view))
                         for n, (site, lens, view) in zip(names, lenses, strict=True)]  # fmt: skip


def _seeing(m):
    """Numbers of the sensors that see through a camera."""
    levels = [ROWS[kind].level for kind in m.sensor_type]
    return [s for s, level in enumerate(levels) if level == "image" or level == "range" and m.sensor_lens[s].any()]


def _moves(m, site, call):
    """How a camera moves; a site that is none stands still on its body. call: names a body that it looks at."""
    mode, given = int(m.site_camera[site]), {}
    if mode > c.CAM_FIXED:
        given["mode"] = c.CAMERA_NAMES[mode]
    if mode >= c.CAM_TARGETBODY:
        given["target"] = call(int(m.site_targetbodyid[site]))
    return given | {"pos": text_of(m.site_pos[site]), "quat": text_of(m.site_quat[site])}


def _optics(lens, view):
    """The attributes of a lens: sensor_lens and sensor_view."""
    if lens is None:
        return {}
    fovy, width, height, *sensor = lens
    given = {"resolution": text_of([int(width), int(height)])}
    if view[0]:
        return given | {"projection": "orthographic", "fovy": text_of(fovy)}
    if all(sensor[:2]):
        more = dict(zip(("sensorsize", "focal", "principal"), (sensor[:2], sensor[2:], view[1:]), strict=True))
        return given | {name: text_of(value) for name, value in more.items()}
    return given | {"fovy": text_of(fovy)}
