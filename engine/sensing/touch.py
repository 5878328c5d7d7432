"""Touch sensors: the sum of the normal forces that pass through a site."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.contact.ray import ray_hits
from engine.math.index import bounded
from engine.math.quat import rotate_back
from engine.math.types import real
from engine.sensing.frames import sensor_frame


@ti.func
def touches(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, s: ti.i32):
    """Whether contact c counts for touch sensor s: on the site's body, its normal force passing through the site."""
    site = m.sensor_objid[s]
    b, p, q = sensor_frame(m, d, w, s)
    hit = False
    if d.con_pair[c] >= 0 and d.con_force[c][0] > 0:
        n = d.con_normal[c]
        if d.con_body2[c] == b:
            n = -1.0 * n
        if d.con_body1[c] == b or d.con_body2[c] == b:
            hit = ray_hits(
                m.site_type[site],
                m.site_size[site],
                rotate_back(q, d.con_pos[c] - p),
                rotate_back(q, n),
            )
    return hit


@ti.func
def touch_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    total = real(0.0)
    if ti.static(has.contact):
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            if touches(m, d, w, c, s):
                total = total + d.con_force[c][0]
    return total


@serves("touch_sensor")
@ti.func
def touch_sensor_vjp(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, bar: real):
    """Expects the law evaluated."""
    if ti.static(has.contact):
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            if touches(m, d, w, c, s):
                d.con_fbar[c][0] = d.con_fbar[c][0] + bar
