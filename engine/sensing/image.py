"""Where a camera sees a site, in pixels, and whether a frame lies within a site (MuJoCo documentation, XML reference,
"camprojection" and "insidesite").

With y, the site's place in the camera's axes, which looks along -z, focal lengths f and the image's middle c, in pixels
    x = (c_0 - f_0 y_0 / y_2,  c_1 + f_1 y_1 / y_2)
A camera is a site, and behind it there are pixels, too. What lies within a site changes at once: no derivative.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.contact.ray import inside
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import MINVAL, real, vec3, vec4
from engine.sensing.frames import add_sensor_bars, reading_frame, sensor_frame
from engine.sensing.points import add_point


@ti.func
def depth_of(z: real):
    """What divides, kept from zero, and its derivative by z."""
    x = z
    slope = real(1.0)
    if ti.abs(z) < MINVAL:
        slope = 0.0
        x = MINVAL
        if z < 0:
            x = -MINVAL
    return x, slope


@serves("image_sensor")
@ti.func
def image_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    b, p, q = sensor_frame(m, d, w, s)
    c, p0, q0 = reading_frame(m, d, w, s)
    y = rotate_back(q0, p - p0)
    z, slope = depth_of(y[2])
    return vec4(
        m.lens_middle[s, 0] - m.lens_focal[s, 0] * y[0] / z, m.lens_middle[s, 1] + m.lens_focal[s, 1] * y[1] / z,
        0.0, 0.0,
    )  # fmt: skip


@serves("image_sensor")
@ti.func
def image_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec4):
    b, p, q = sensor_frame(m, d, w, s)
    c, p0, q0 = reading_frame(m, d, w, s)
    way = p - p0
    y = rotate_back(q0, way)
    z, slope = depth_of(y[2])
    x0 = -m.lens_focal[s, 0] * bar[0] / z
    x1 = m.lens_focal[s, 1] * bar[1] / z
    f = rotate(q0, vec3(x0, x1, -slope * (x0 * y[0] + x1 * y[1]) / z))
    zero = vec3(0.0, 0.0, 0.0)
    add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + b), p - origin(m, d, w, b), f, zero)
    add_sensor_bars(m, d, g, w, s, 0, f, zero)
    turn = f.cross(way)
    add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + c), p0 - origin(m, d, w, c), -1.0 * f, turn)
    add_sensor_bars(m, d, g, w, s, 1, -1.0 * f, turn)


@serves("inside_sensor")
@ti.func
def inside_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    b, p, q = sensor_frame(m, d, w, s)
    c, p0, q0 = reading_frame(m, d, w, s)
    site = m.sensor_refid[s]
    return ti.cast(inside(m.site_type[site], m.site_size[site], rotate_back(q0, p - p0)), real)
