"""The adjoint of a site's frame in its body, where a simulator is asked for it."""

import taichi as ti

from engine.compiler.features import serves
from engine.math.index import bounded
from engine.math.quat import quat_bar, quat_mul, rotate_back
from engine.math.types import vec3, vec4


@serves("site_leaf")
@ti.func
def add_site_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, site: ti.i32, force: vec3,
                  torque: vec3):  # fmt: skip
    """From the adjoints of a site's place and of its turn about itself, in world axes; site -1: none of it."""
    if m.nsiteleaf > 0 and site >= 0:
        quat = d.xquat[bounded(w * m.nbody + m.site_bodyid[site])]
        if m.at_site_pos >= 0:
            x = rotate_back(quat, force)
            for k in ti.static(range(3)):
                g.site_pos[w, site, k] = g.site_pos[w, site, k] + x[k]
        if m.at_site_quat >= 0:
            t = rotate_back(quat_mul(quat, m.site_quat[site]), torque)
            i = m.at_site_quat + 4 * site
            y = quat_bar(vec4(m.theta[i], m.theta[i + 1], m.theta[i + 2], m.theta[i + 3]), t)
            for k in ti.static(range(4)):
                g.site_quat[w, site, k] = g.site_quat[w, site, k] + y[k]
