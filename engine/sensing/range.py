"""Rangefinders: the distance from a site along its z axis to the nearest geom that can be seen and is on another body,
-1 where there is none. From inside of a geom the ray meets it where it leaves.

The ray o + x v meets the surface with normal n at P. Where P moves by u as a point of the geom, and by u' as a point
of the site's frame, n . (u - u') = (n . v) dx: two opposite forces at P are the adjoint, for every shape.
"""

import taichi as ti

from engine.compiler.features import has
from engine.contact.size_vjp import tell_geom
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import CAPSULE, HFIELD, MESH, PLANE, SPHERE
from engine.model.sensors import LEVEL
from engine.sensing.frames import add_point, add_sensor_bars, sensor_frame
from engine.sensing.hfield import field_hit
from engine.sensing.mesh import mesh_hit
from engine.sensing.ray import normal_at, ray_interval
from engine.sensing.values import cotangent, write_sensor


@ti.func
def plane_distance(size: vec3, p: vec3, v: vec3):
    """Along the ray to a plane's front, whose sizes are zero where it is infinite; -1 where the ray misses it."""
    x = real(-1.0)
    if v[2] < -1e-15 and p[2] >= 0:
        t = -p[2] / v[2]
        y = p + t * v
        if (size[0] <= 0 or ti.abs(y[0]) <= size[0]) and (size[1] <= 0 or ti.abs(y[1]) <= size[1]):
            x = t
    return x


@ti.func
def nearest(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Distance, geom (-1 for none) and its normal, not of length one, where the ray of sensor s ends; the ray."""
    b, o, q = sensor_frame(m, d, w, s)
    v = rotate(q, vec3(0.0, 0.0, 1.0))
    x = real(-1.0)
    geom = -1
    n = v
    for g in range(m.ngeom):
        c = m.geom_bodyid[g]
        if m.geom_seen[g] and c != b:
            h = bounded(w * m.nbody + c)
            turn = quat_mul(d.xquat[h], m.geom_quat[g])
            p = rotate_back(turn, o - d.xpos[h] - rotate(d.xquat[h], m.geom_pos[g]))
            u = rotate_back(turn, v)
            kind = m.geom_type[g]
            size = m.geom_size[g]
            t = real(-1.0)
            normal = vec3(0.0, 0.0, 0.0)
            if kind == PLANE:
                t = plane_distance(size, p, u)
            elif kind == HFIELD:
                if ti.static(has.field_range):
                    f = m.geom_dataid[g]
                    shape = vec4(m.hfield_size[f, 0], m.hfield_size[f, 1], m.hfield_size[f, 2], m.hfield_size[f, 3])
                    at = m.hfield_adr[f]
                    t, normal = field_hit(shape, m.hfield_nrow[f], m.hfield_ncol[f], m.hfield_data, at, p, u)
            elif kind == MESH:
                if ti.static(has.mesh_range):
                    k = m.geom_dataid[g]
                    t, normal = mesh_hit(m.ray_node, m.ray_number, m.mesh_node[k], m.mesh_nodeend[k], p, u)
            else:
                t0, t1 = ray_interval(kind, size, p, u)
                if t0 <= t1 and t1 >= 0:
                    t = t0 if t0 >= 0 else t1
            if t >= 0 and (geom < 0 or t < x):
                x = t
                geom = g
                if kind != HFIELD and kind != MESH:
                    normal = normal_at(kind, size, p + t * u)
                n = rotate(turn, normal)
    return x, geom, n, o, v


@ti.func
def ranges(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them. A cutoff below 1 makes of -1, for none, its negative, as MuJoCo's does."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.range:
            x, geom, n, o, v = nearest(m, d, w, s)
            write_sensor(m, d, w, s, vec4(x, 0.0, 0.0, 0.0))


@ti.func
def ranges_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
               row: ti.i32):  # fmt: skip
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.range:
            bar = cotangent(m, r, b, s, row)[0]
            x, geom, n, o, v = nearest(m, d, w, s)
            if geom >= 0:
                body = m.sensor_bodyid[s]
                f = (bar / n.dot(v)) * n
                at = o + x * v
                zero = vec3(0.0, 0.0, 0.0)
                c = m.geom_bodyid[geom]
                add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + c), at - origin(m, d, w, c), f, zero)
                add_point(
                    g.pose_ang, g.pose_lin, bounded(w * m.nbody + body), at - origin(m, d, w, body), -1.0 * f, zero
                )
                add_sensor_bars(m, d, g, w, s, 0, -1.0 * f, (o - at).cross(f))
                unit = n / ti.sqrt(n.dot(n))
                radius = real(0.0)
                if m.geom_type[geom] == SPHERE or m.geom_type[geom] == CAPSULE:
                    radius = m.geom_size[geom][0]
                tell_geom(m, d, g, w, geom, at - radius * unit, f, zero, radius, f.dot(unit))
