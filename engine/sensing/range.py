"""Rangefinders: the distance from a site along its z axis, or through each pixel of a camera, to the nearest geom
that can be seen and is on another body, -1 where there is none. From inside of a geom the ray meets it where it leaves.
Where it is asked for (`tell_all`) also the ray's direction, its origin, the point that it meets, the normal there and
the depth along the camera's axis (MuJoCo documentation, XML reference, "rangefinder").

The ray o + x v meets the surface with normal n at P. Where P moves by u as a point of the geom, and by u' as a point
of the site's frame, n . (u - u') = (n . v) dx: two opposite forces at P are the adjoint, for every shape. The normal
turns with the geom, and where that is round with P in its frame (`normal_vjp`).
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.contact.collide import place_geom
from engine.contact.ray import normal_at, normal_vjp, ray_interval
from engine.contact.size_vjp import FRAME_ALONE, add_size_bar, tell_geom
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import EPS, real, vec3, vec4
from engine.model.constants import CAPSULE, HFIELD, MESH, PLANE, SPHERE
from engine.model.sensors import LEVEL
from engine.sensing.frames import add_sensor_bars, sensor_frame
from engine.sensing.hfield import field_hit
from engine.sensing.mesh import mesh_hit
from engine.sensing.points import add_point
from engine.sensing.values import is_asked


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
def may_meet(to: vec3, v: vec3, radius: real, x: real):
    """Whether a ray along v, of length one, may enter a ball before x, or anywhere where that is negative. to: from the
    ray's origin to the ball's centre. Rounding never makes it miss one that it enters."""
    t = to.dot(v)
    past = to - t * v
    r = 1.000001 * radius + 16 * EPS * ti.abs(t)
    return past.dot(past) <= r * r and t >= -r and (x < 0 or t - r <= x)


@ti.func
def place_seen(m: ti.template(), d: ti.template(), w: ti.i32):
    """Poses of all geoms that rays see, those that collide with nothing among them."""
    for g in range(m.ngeom):
        if m.geom_seen[g]:
            place_geom(m, d, w, g)


@ti.func
def nearest(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, o: vec3, v: vec3):
    """Distance, geom (-1 for none) and its normal, not of length one, where a ray from body b ends. Expects
    `place_seen`."""
    x = real(-1.0)
    geom = -1
    n = v
    for g in range(m.ngeom):
        h = bounded(w * m.ngeom + g)
        to = d.geom_xpos[h] - o
        kind = m.geom_type[g]
        tried = m.geom_seen[g] and m.geom_bodyid[g] != b
        # most geoms are nowhere near the ray
        if tried and (kind == PLANE or may_meet(to, v, m.geom_reach[g], x)):
            turn = d.geom_xquat[h]
            p = rotate_back(turn, -to)
            u = rotate_back(turn, v)
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
    return x, geom, n


@ti.func
def rays_of(m: ti.template(), s: ti.i32):
    """How many rays sensor s has."""
    n = 1
    if ti.static(has.range_camera):
        n = ti.max(m.sensor_pixels[s], 1)
    return n


@ti.func
def ray_of(m: ti.template(), s: ti.i32, k: ti.i32):
    """Origin and direction of ray k of sensor s, in its frame; a camera looks along -z, its first row is on top."""
    at = vec3(0.0, 0.0, 0.0)
    v = vec3(0.0, 0.0, 1.0)
    if ti.static(has.range_camera):
        if m.sensor_pixels[s] > 0:
            width = m.sensor_columns[s]
            x = (k % width + 0.5 - m.lens_middle[s, 0]) / m.lens_focal[s, 0]
            y = -(k // width + 0.5 - m.lens_middle[s, 1]) / m.lens_focal[s, 1]
            if m.lens_extent[s] > 0:
                at = m.lens_extent[s] * vec3(x, y, 0.0)
                v = vec3(0.0, 0.0, -1.0)
            else:
                v = vec3(x, y, -1.0) / ti.sqrt(x * x + y * y + 1.0)
    return at, v


@ti.func
def asks_more(m: ti.template(), s: ti.i32):
    """Whether sensor s is asked for more than the distance along one ray."""
    more = False
    if ti.static(has.range_data):
        more = m.sensor_intprm[s, 0] > 0
    if ti.static(has.range_camera):
        more = more or m.sensor_pixels[s] > 0
    return more


@ti.func
def put(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, at: ti.i32, x: real):
    """The sensor's number `at`, at most as large as the cutoff."""
    cutoff = m.sensor_clip[s]
    y = x
    if cutoff > 0:
        y = ti.min(ti.max(y, -cutoff), cutoff)
    d.sensordata[w * m.nsensordata + m.sensor_adr[s] + at] = y


@ti.func
def bar_of(m: ti.template(), r: ti.template(), b: ti.template(), s: ti.i32, row: ti.i32, at: ti.i32):
    """Its cotangent, zero where it was cut off."""
    cutoff = m.sensor_clip[s]
    o = row + m.sensor_adr[s] + at
    x = real(0.0)
    if not (cutoff > 0 and ti.abs(r.traj_sensordata[o]) >= cutoff):
        x = b.cot_sensordata[o]
    return x


@ti.func
def asked_bits(m: ti.template(), s: ti.i32):
    return ti.max(m.sensor_intprm[s, 0], 1)


@serves("range_data")
@ti.func
def tell_all(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, first: ti.i32, x: real, geom: ti.i32, o: vec3,
             v: vec3, n: vec3, share: real):  # fmt: skip
    """What a rangefinder is asked for of a ray, from number `first` on, in MuJoCo's order. Where the ray meets nothing,
    direction, point and normal are zero. share: the depth over the distance."""
    hit = ti.cast(geom >= 0, real)
    at = first
    for k in ti.static(range(6)):
        if asked_bits(m, s) >> k & 1:
            if ti.static(k == 0 or k == 5):
                y = x
                if ti.static(k == 5):
                    if geom >= 0:
                        y = share * x
                put(m, d, w, s, at, y)
                at += 1
            else:
                y = hit * v
                if ti.static(k == 2):
                    y = o
                elif ti.static(k == 3):
                    y = hit * (o + x * v)
                elif ti.static(k == 4):
                    y = (hit / n.norm()) * n
                for i in ti.static(range(3)):
                    put(m, d, w, s, at + i, y[i])
                at += 3


@serves("range_data")
@ti.func
def told_bars(m: ti.template(), r: ti.template(), b: ti.template(), s: ti.i32, row: ti.i32, first: ti.i32,
              share: real):  # fmt: skip
    """Adjoints of the distance, of the direction, of the origin, of the point and of the normal."""
    x_bar = real(0.0)
    v_bar = vec3(0.0, 0.0, 0.0)
    o_bar = vec3(0.0, 0.0, 0.0)
    p_bar = vec3(0.0, 0.0, 0.0)
    n_bar = vec3(0.0, 0.0, 0.0)
    at = first
    for k in ti.static(range(6)):
        if asked_bits(m, s) >> k & 1:
            if ti.static(k == 0 or k == 5):
                y = bar_of(m, r, b, s, row, at)
                if ti.static(k == 5):
                    y = share * y
                x_bar += y
                at += 1
            else:
                for i in ti.static(range(3)):
                    y = bar_of(m, r, b, s, row, at + i)
                    if ti.static(k == 1):
                        v_bar[i] = y
                    elif ti.static(k == 2):
                        o_bar[i] = y
                    elif ti.static(k == 3):
                        p_bar[i] = y
                    else:
                        n_bar[i] = y
                at += 3
    return x_bar, v_bar, o_bar, p_bar, n_bar


@ti.func
def ranges(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them. A cutoff below 1 makes of -1, for none, its negative, as MuJoCo's does."""
    place_seen(m, d, w)
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.range:
            body, place, q = sensor_frame(m, d, w, s)
            rays = rays_of(m, s)
            for k in range(rays):
                at, to = ray_of(m, s, k)
                o = place + rotate(q, at)
                v = rotate(q, to)
                x, geom, n = nearest(m, d, w, body, o, v)
                if asks_more(m, s):
                    tell_all(m, d, w, s, k * (m.sensor_dim[s] // rays), x, geom, o, v, n, ti.abs(to[2]))
                else:
                    put(m, d, w, s, 0, x)


@serves("range_data")
@ti.func
def normal_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, geom: ti.i32, at: vec3, n: vec3,
                n_bar: vec3):  # fmt: skip
    """From the adjoint of the normal where a ray meets a geom to its frame and sizes; returns that of the point as one
    seen from the geom, and the torque on it."""
    h = bounded(w * m.ngeom + geom)
    turn = d.geom_xquat[h]
    p = rotate_back(turn, at - d.geom_xpos[h])
    p_bar, size_bar = normal_vjp(m.geom_type[geom], m.geom_size[geom], p, rotate_back(turn, n_bar))
    y = rotate(turn, p_bar)
    torque = n.cross(n_bar) / n.norm()
    tell_geom(m, d, g, w, geom, at, -1.0 * y, torque, FRAME_ALONE, 0.0)
    add_size_bar(m, g, w, geom, size_bar)
    return y, torque


@ti.func
def ranges_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
               row: ti.i32):  # fmt: skip
    place_seen(m, d, w)
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.range:
            body, place, q = sensor_frame(m, d, w, s)
            rays = rays_of(m, s)
            width = m.sensor_dim[s] // rays
            for k in range(rays):
                if is_asked(b, row + m.sensor_adr[s] + k * width, width):
                    ray_vjp(m, d, r, g, b, w, s, row, k, k * width, body, place, q)


@ti.func
def ray_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
            s: ti.i32, row: ti.i32, k: ti.i32, first: ti.i32, body: ti.i32, place: vec3, q: vec4):  # fmt: skip
    """The adjoint of ray k of sensor s, whose numbers begin at `first`."""
    local, to = ray_of(m, s, k)
    o = place + rotate(q, local)
    v = rotate(q, to)
    x, geom, n = nearest(m, d, w, body, o, v)
    at = o + x * v
    zero = vec3(0.0, 0.0, 0.0)
    bar = real(0.0)
    push = zero  # on the geom at the point, beside that along the normal
    twist = zero
    if asks_more(m, s):
        if ti.static(has.range_data):
            x_bar, v_bar, o_bar, p_bar, n_bar = told_bars(m, r, b, s, row, first, ti.abs(to[2]))
            pull = o_bar
            turn = zero
            if geom >= 0:
                seen = zero
                if n_bar.dot(n_bar) > 0:
                    y, torque = normal_bars(m, d, g, w, geom, at, n, n_bar)
                    seen = y
                    twist = torque
                p_bar += seen
                push = -1.0 * seen
                bar = x_bar + p_bar.dot(v)
                pull = o_bar + p_bar
                turn = v.cross(v_bar + x * p_bar)
            h = bounded(w * m.nbody + body)
            add_point(g.pose_ang, g.pose_lin, h, o - origin(m, d, w, body), pull, turn)
            add_sensor_bars(m, d, g, w, s, 0, pull, turn + (o - place).cross(pull))
    else:
        bar = bar_of(m, r, b, s, row, first)
    if geom >= 0:
        f = (bar / n.dot(v)) * n
        c = m.geom_bodyid[geom]
        arm = at - origin(m, d, w, c)
        add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + c), arm, f + push, twist)
        add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + body), at - origin(m, d, w, body), -1.0 * f, zero)
        add_sensor_bars(m, d, g, w, s, 0, -1.0 * f, (place - at).cross(f))
        unit = n / n.norm()
        radius = real(0.0)
        if m.geom_type[geom] == SPHERE or m.geom_type[geom] == CAPSULE:
            radius = m.geom_size[geom][0]
        tell_geom(m, d, g, w, geom, at - radius * unit, f, zero, radius, f.dot(unit))
