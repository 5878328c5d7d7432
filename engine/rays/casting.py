"""Where rays meet shapes, how that moves with rays and shapes, and back: three kernels, for any robot.

A ray o + t v meets a shape's surface with normal n at P. Where P moves by u as a point of the shape,
n . u = (n . v) dt, and where the ray moves, n . (do + t dv) = -(n . v) dt: a force along n at P is the adjoint, for
every shape (as in sensing/range.py), and the tangent is n . (u - do - t dv) / (n . v).

With `soft` > 0 shapes are of a medium that takes light: along a chord of length c within a shape it takes the share
1 - exp(-c / soft). A ray then sees what lies in front with its share and what is behind with the rest, and a silhouette
has a derivative, since chords end there at length zero. The distance that is told is the mean over these shares.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import INTS, REALS
from engine.contact.ray import FAR, normal_at, ray_interval
from engine.math.quat import rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, HFIELD, MESH, PLANE, SPHERE
from engine.rays.layout import FACE, GEOM_BAR, KINDS, POSE, RAY, SEEN, TWIST
from engine.sensing.hfield import field_hit
from engine.sensing.mesh import mesh_hit
from engine.sensing.range import plane_distance


@ti.func
def triple(a: ti.template(), i: ti.i32):
    return vec3(a[i], a[i + 1], a[i + 2])


@ti.func
def gain(a: ti.template(), i: ti.i32, x: vec3):
    for k in ti.static(range(3)):
        a[i + k] = a[i + k] + x[k]


@ti.func
def local_ray(pose: ti.template(), at: ti.i32, o: vec3, v: vec3):
    """The ray in the frame of the geom whose numbers begin at `at`; and its turn."""
    turn = vec4(pose[at + 3], pose[at + 4], pose[at + 5], pose[at + 6])
    return rotate_back(turn, o - triple(pose, at)), rotate_back(turn, v), turn


@ti.func
def hull_interval(face: ti.template(), first: ti.i32, end: ti.i32, p: vec3, v: vec3):
    """Where p + t v is behind all planes of a hull: (t0, t1), empty if t0 > t1."""
    t0 = real(-FAR)
    t1 = real(FAR)
    for k in range(first, end):
        n = triple(face, FACE * k)
        above = n.dot(p) - face[FACE * k + 3]
        slope = n.dot(v)
        if ti.abs(slope) < 1e-15:
            if above > 0:
                t0 = FAR
                t1 = -FAR
        elif slope < 0:
            t0 = ti.max(t0, -above / slope)
        else:
            t1 = ti.min(t1, -above / slope)
    return t0, t1


@ti.func
def hull_normal(face: ti.template(), first: ti.i32, end: ti.i32, p: vec3):
    """The normal of the face on which p lies."""
    best = real(-FAR)
    n = vec3(0.0, 0.0, 1.0)
    for k in range(first, end):
        m = triple(face, FACE * k)
        above = m.dot(p) - face[FACE * k + 3]
        if above > best:
            best = above
            n = m
    return n


@serves("field_range")
@ti.func
def field_ray(face: ti.template(), first: ti.i32, p: vec3, v: vec3):
    """`field_hit` of a height field whose numbers begin at row `first`, as caster.py writes them."""
    i = FACE * first
    size = vec4(face[i], face[i + 1], face[i + 2], face[i + 3])
    return field_hit(size, ti.cast(face[i + 4], ti.i32), ti.cast(face[i + 5], ti.i32), face, i + 2 * FACE, p, v)


@ti.func
def interval(kinds: ti.template(), face: ti.template(), pose: ti.template(), g: ti.i32, at: ti.i32, o: vec3, v: vec3):
    """Where a ray is in geom g, whose numbers begin at `at`: (t0, t1), empty if t0 > t1. A plane is seen from its front
    alone, and has no end; nor has a height field, behind where a ray first meets it, nor a mesh that is seen by its
    triangles."""
    t0 = real(FAR)
    t1 = real(-FAR)
    if kinds[KINDS * g + 3] != 0:
        p, u, turn = local_ray(pose, at, o, v)
        kind = kinds[KINDS * g]
        size = triple(pose, at + 7)
        if kind == PLANE:
            t = plane_distance(size, p, u)
            if t >= 0:
                t0 = t
                t1 = FAR
        elif kind == HFIELD:
            if ti.static(has.field_range):
                t, n = field_ray(face, kinds[KINDS * g + 1], p, u)
                if t >= 0:
                    t0 = t
                    t1 = FAR
        elif kind == MESH:
            if ti.static(has.mesh_range):
                t, n = mesh_hit(kinds, face, kinds[KINDS * g + 1], kinds[KINDS * g + 2], p, u)
                if t >= 0:
                    t0 = t
                    t1 = FAR
            else:
                t0, t1 = hull_interval(face, kinds[KINDS * g + 1], kinds[KINDS * g + 2], p, u)
        else:
            t0, t1 = ray_interval(kind, size, p, u)
    return t0, t1


@ti.func
def nearest(kinds: ti.template(), face: ti.template(), pose: ti.template(), w: ti.i32, ngeom: ti.i32, o: vec3, v: vec3):
    """(distance, geom): of the first surface that the ray meets, from inside of a shape where it leaves it; -1, -1."""
    x = real(-1.0)
    geom = -1
    for g in range(ngeom):
        t0, t1 = interval(kinds, face, pose, g, POSE * (w * ngeom + g), o, v)
        if t0 <= t1 and t1 >= 0:
            t = t0 if t0 >= 0 else t1
            if geom < 0 or t < x:
                x = t
                geom = g
    return x, geom


@ti.func
def following(kinds: ti.template(), face: ti.template(), pose: ti.template(), w: ti.i32, ngeom: ti.i32, o: vec3,
              v: vec3, last: real, after: ti.i32):  # fmt: skip
    """(geom, t0, t1) of the next shape along the ray behind that of number `after`, which begins at `last`; geom -1
    where there is none. Those that begin at one place come by their numbers."""
    geom = -1
    a = real(FAR)
    b = real(-FAR)
    for g in range(ngeom):
        t0, t1 = interval(kinds, face, pose, g, POSE * (w * ngeom + g), o, v)
        begin = ti.max(t0, 0.0)
        if t0 <= t1 and t1 > 0 and begin < a and (begin > last or (begin == last and g > after)):
            geom = g
            a = begin
            b = t1
    return geom, a, b


@ti.func
def mixed(kinds: ti.template(), face: ti.template(), pose: ti.template(), w: ti.i32, ngeom: ti.i32, o: vec3, v: vec3,
          soft: real, far: real):  # fmt: skip
    """(mean distance, share of the light that is left) of a ray."""
    value = real(0.0)
    left = real(1.0)
    a = real(-1.0)
    g = -1
    going = True
    while going:
        g, a, b = following(kinds, face, pose, w, ngeom, o, v, a, g)
        if g < 0:
            going = False
        else:
            rest = left * ti.exp(-(b - a) / soft)
            value += (left - rest) * a
            left = rest
            going = left > 0
    return value + left * far, left


@ti.func
def surface_normal(kinds: ti.template(), face: ti.template(), g: ti.i32, kind: ti.i32, size: vec3, p: vec3, v: vec3,
                   y: vec3):  # fmt: skip
    """A normal, of any length, of geom g at its surface's point y, on the ray p + t v, in its own frame."""
    n = vec3(0.0, 0.0, 1.0)
    if kind == MESH:
        if ti.static(has.mesh_range):
            t, m = mesh_hit(kinds, face, kinds[KINDS * g + 1], kinds[KINDS * g + 2], p, v)
            n = m
        else:
            n = hull_normal(face, kinds[KINDS * g + 1], kinds[KINDS * g + 2], y)
    elif kind == HFIELD:
        if ti.static(has.field_range):
            t, m = field_ray(face, kinds[KINDS * g + 1], p, v)
            n = m
    else:
        n = normal_at(kind, size, y)
    return n


@ti.func
def met(kinds: ti.template(), face: ti.template(), pose: ti.template(), g: ti.i32, of: ti.i32, o: vec3, v: vec3,
        t: real):  # fmt: skip
    """The normal where a ray meets geom g at the place t, divided by its slope along the ray, or zero where that is
    none; and the place from the geom's centre."""
    at = POSE * of
    p, u, turn = local_ray(pose, at, o, v)
    n = rotate(turn, surface_normal(kinds, face, g, kinds[KINDS * g], triple(pose, at + 7), p, u, p + t * u))
    slope = n.dot(v)
    if slope != 0:
        n = n / slope
    else:
        n = vec3(0.0, 0.0, 0.0)
    return n, o + t * v - triple(pose, at)


@ti.func
def rate(twist: ti.template(), i: ti.i32, rays_dot: ti.template(), j: ti.i32, n: vec3, arm: vec3, t: real):
    """How fast the place t moves along the ray: the tangent of `tell`'s primal. n, arm: of `met`. i, j: where the
    angular velocity and velocity of the geom's centre begin, and the ray's."""
    moved = triple(twist, i + 3) + triple(twist, i).cross(arm)
    return n.dot(moved - triple(rays_dot, j) - t * triple(rays_dot, j + 3))


@ti.func
def tell(kinds: ti.template(), face: ti.template(), pose: ti.template(), geom_bar: ti.template(),
         ray_bar: ti.template(), g: ti.i32, of: ti.i32, ray: ti.i32, o: vec3, v: vec3, t: real, bar: real):  # fmt: skip
    """The adjoint `bar` of where the ray meets geom g, t, to the ray and to the geom's frame and sizes."""
    at = POSE * of
    p, u, turn = local_ray(pose, at, o, v)
    kind = kinds[KINDS * g]
    size = triple(pose, at + 7)
    y = p + t * u
    n = surface_normal(kinds, face, g, kind, size, p, u, y)
    slope = n.dot(u)
    if slope != 0:
        k = bar / slope
        force = rotate(turn, k * n)
        gain(geom_bar, GEOM_BAR * of, force)
        gain(geom_bar, GEOM_BAR * of + 3, (o + t * v - triple(pose, at)).cross(force))
        gain(geom_bar, GEOM_BAR * of + 6, k * size_slope(kind, size, y, n))
        gain(ray_bar, RAY * ray, -force)
        gain(ray_bar, RAY * ray + 3, -t * force)


@ti.func
def size_slope(kind: ti.i32, size: vec3, p: vec3, n: vec3):
    """How far the surface at its point p moves along n, of the length that normal_at gives, for a unit of each size."""
    s = vec3(0.0, 0.0, 0.0)
    if kind == SPHERE or kind == CAPSULE or kind == CYLINDER:
        s[0] = n[0] * n[0] + n[1] * n[1] + n[2] * n[2]
        s[0] = ti.sqrt(s[0])
        if kind == CYLINDER and n[2] != 0:
            s[0] = 0.0
    if kind == CAPSULE or kind == CYLINDER:
        s[1] = n[2] * ti.math.sign(p[2])
    if kind == BOX:
        for i in ti.static(range(3)):
            s[i] = n[i] * ti.math.sign(p[i])
    if kind == ELLIPSOID:
        s = p * p / (size * size * size)
    return s


@ti.func
def cast_world(kinds: ti.template(), face: ti.template(), pose: ti.template(), rays: ti.template(), seen: ti.template(),
               which: ti.template(), w: ti.i32, ngeom: ti.i32, nray: ti.i32, soft: real, far: real):  # fmt: skip
    for r in range(nray):
        ray = w * nray + r
        o = triple(rays, RAY * ray)
        v = triple(rays, RAY * ray + 3)
        x, geom = nearest(kinds, face, pose, w, ngeom, o, v)
        which[ray] = geom
        left = real(0.0)
        if geom < 0:
            left = 1.0
        if soft > 0:
            x, left = mixed(kinds, face, pose, w, ngeom, o, v, soft, far)
        seen[SEEN * ray] = x
        seen[SEEN * ray + 1] = 1.0 - left


@ti.func
def pull_world(kinds: ti.template(), face: ti.template(), pose: ti.template(), rays: ti.template(), bar: ti.template(),
               geom_bar: ti.template(), ray_bar: ti.template(), w: ti.i32, ngeom: ti.i32, nray: ti.i32, soft: real,
               far: real):  # fmt: skip
    for r in range(nray):
        ray = w * nray + r
        o = triple(rays, RAY * ray)
        v = triple(rays, RAY * ray + 3)
        x_bar = bar[SEEN * ray]
        if soft > 0:
            value, left = mixed(kinds, face, pose, w, ngeom, o, v, soft, far)
            light = real(1.0)
            behind = value
            a = real(-1.0)
            g = -1
            going = True
            while going:
                g, a, b = following(kinds, face, pose, w, ngeom, o, v, a, g)
                if g < 0:
                    going = False
                else:
                    rest = light * ti.exp(-(b - a) / soft)
                    behind -= (light - rest) * a
                    chord_bar = (x_bar * (rest * a - behind) + bar[SEEN * ray + 1] * left) / soft
                    of = w * ngeom + g
                    if a > 0:
                        begin_bar = x_bar * (light - rest) - chord_bar
                        tell(kinds, face, pose, geom_bar, ray_bar, g, of, ray, o, v, a, begin_bar)
                    if b < FAR:
                        tell(kinds, face, pose, geom_bar, ray_bar, g, of, ray, o, v, b, chord_bar)
                    light = rest
                    going = light > 0
        else:
            x, geom = nearest(kinds, face, pose, w, ngeom, o, v)
            if geom >= 0:
                tell(kinds, face, pose, geom_bar, ray_bar, geom, w * ngeom + geom, ray, o, v, x, x_bar)


@ti.func
def push_world(kinds: ti.template(), face: ti.template(), pose: ti.template(), rays: ti.template(),
               twist: ti.template(), rays_dot: ti.template(), dot: ti.template(), w: ti.i32, nworld: ti.i32,
               ngeom: ti.i32, nray: ti.i32, ntangent: ti.i32, soft: real):  # fmt: skip
    """For each of `ntangent` tangents, whose numbers lie one after the other. What a tangent has gathered on the way
    along a ray stands in `dot`: how fast the distance grows, and the light that is left falls."""
    for r in range(nray):
        ray = w * nray + r
        o = triple(rays, RAY * ray)
        v = triple(rays, RAY * ray + 3)
        for k in range(ntangent):
            dot[SEEN * (k * nworld * nray + ray)] = 0.0
            dot[SEEN * (k * nworld * nray + ray) + 1] = 0.0
        if soft > 0:
            left = real(1.0)
            a = real(-1.0)
            g = -1
            going = True
            while going:
                g, a, b = following(kinds, face, pose, w, ngeom, o, v, a, g)
                if g < 0:
                    going = False
                else:
                    of = w * ngeom + g
                    share = ti.exp(-(b - a) / soft)
                    rest = left * share
                    n = vec3(0.0, 0.0, 0.0)
                    arm = n
                    if a > 0:
                        n, arm = met(kinds, face, pose, g, of, o, v, a)
                    end = vec3(0.0, 0.0, 0.0)
                    end_arm = end
                    if b < FAR:
                        end, end_arm = met(kinds, face, pose, g, of, o, v, b)
                    for k in range(ntangent):
                        i = TWIST * (k * nworld * ngeom + of)
                        j = RAY * (k * nworld * nray + ray)
                        to = SEEN * (k * nworld * nray + ray)
                        a_dot = rate(twist, i, rays_dot, j, n, arm, a)
                        chord_dot = real(0.0)
                        if b < FAR:
                            chord_dot = rate(twist, i, rays_dot, j, end, end_arm, b) - a_dot
                        rest_fallen = dot[to + 1] * share + rest * chord_dot / soft
                        dot[to] = dot[to] + (rest_fallen - dot[to + 1]) * a + (left - rest) * a_dot
                        dot[to + 1] = rest_fallen
                    left = rest
                    going = left > 0
        else:
            x, geom = nearest(kinds, face, pose, w, ngeom, o, v)
            if geom >= 0:
                n, arm = met(kinds, face, pose, geom, w * ngeom + geom, o, v, x)
                for k in range(ntangent):
                    i = TWIST * (k * nworld * ngeom + w * ngeom + geom)
                    j = RAY * (k * nworld * nray + ray)
                    dot[SEEN * (k * nworld * nray + ray)] = rate(twist, i, rays_dot, j, n, arm, x)


@ti.func
def push_far(dot: ti.template(), w: ti.i32, nworld: ti.i32, nray: ti.i32, ntangent: ti.i32, soft: real, far: real):
    """What no shape takes of the light is seen far off."""
    if soft > 0:
        for k in range(ntangent):
            for r in range(nray):
                to = SEEN * ((k * nworld + w) * nray + r)
                dot[to] = dot[to] - dot[to + 1] * far


@ti.kernel
def cast_serial(table: INTS, kinds: INTS, face: REALS, pose: REALS, rays: REALS, how: REALS, seen: REALS, which: INTS,
                nworld: ti.i32, ngeom: ti.i32, nray: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        cast_world(kinds, face, pose, rays, seen, which, w, ngeom, nray, how[0], how[1])


@ti.kernel
def cast_parallel(table: INTS, kinds: INTS, face: REALS, pose: REALS, rays: REALS, how: REALS, seen: REALS, which: INTS,
                  nworld: ti.i32, ngeom: ti.i32, nray: ti.i32):  # fmt: skip
    for w in range(nworld):
        cast_world(kinds, face, pose, rays, seen, which, w, ngeom, nray, how[0], how[1])


@ti.kernel
def pull_serial(table: INTS, kinds: INTS, face: REALS, pose: REALS, rays: REALS, how: REALS, bar: REALS,
                geom_bar: REALS, ray_bar: REALS, nworld: ti.i32, ngeom: ti.i32, nray: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        pull_world(kinds, face, pose, rays, bar, geom_bar, ray_bar, w, ngeom, nray, how[0], how[1])


@ti.kernel
def pull_parallel(table: INTS, kinds: INTS, face: REALS, pose: REALS, rays: REALS, how: REALS, bar: REALS,
                  geom_bar: REALS, ray_bar: REALS, nworld: ti.i32, ngeom: ti.i32, nray: ti.i32):  # fmt: skip
    for w in range(nworld):
        pull_world(kinds, face, pose, rays, bar, geom_bar, ray_bar, w, ngeom, nray, how[0], how[1])


@ti.kernel
def push_serial(table: INTS, kinds: INTS, face: REALS, pose: REALS, rays: REALS, how: REALS, twist: REALS,
                rays_dot: REALS, dot: REALS, nworld: ti.i32, ngeom: ti.i32, nray: ti.i32,
                ntangent: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        push_world(kinds, face, pose, rays, twist, rays_dot, dot, w, nworld, ngeom, nray, ntangent, how[0])
        push_far(dot, w, nworld, nray, ntangent, how[0], how[1])


@ti.kernel
def push_parallel(table: INTS, kinds: INTS, face: REALS, pose: REALS, rays: REALS, how: REALS, twist: REALS,
                  rays_dot: REALS, dot: REALS, nworld: ti.i32, ngeom: ti.i32, nray: ti.i32,
                  ntangent: ti.i32):  # fmt: skip
    for w in range(nworld):
        push_world(kinds, face, pose, rays, twist, rays_dot, dot, w, nworld, ngeom, nray, ntangent, how[0])
        push_far(dot, w, nworld, nray, ntangent, how[0], how[1])


CAST = {"serial": cast_serial, "parallel": cast_parallel}
PULL = {"serial": pull_serial, "parallel": pull_parallel}
PUSH = {"serial": push_serial, "parallel": push_parallel}
