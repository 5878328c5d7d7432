"""Kernels that run the engine's functions on plain vectors, primal and adjoint side by side, for many inputs at once.

Each takes a table of inputs x (n, width in), of cotangents bar (n, width out) and integers k (n, anything), and fills
y (n, width out) and x_bar (n, width in). `check` compares x_bar with differences of y.
"""

import numpy as np
import taichi as ti

from engine.constraint.cones import contact_law, friction_vjp
from engine.constraint.impedance import impedance, impedance_vjp, reference, reference_vjp
from engine.constraint.rolling_cone import rolling_friction_vjp, rolling_law
from engine.constraint.row import row_law
from engine.contact.box import FIXED, NEAREST, box_feature, capsule_box_params, param_size_vjp, param_vjp
from engine.contact.cylinder import ball_cylinder, plane_rim
from engine.contact.ellipsoid import plane_point
from engine.contact.frame import contact_frame, contact_frame_vjp
from engine.contact.plane import plane_offset
from engine.contact.segment import segment_params
from engine.contact.size_vjp import radius_bars, size_vjp
from engine.contact.witness import FACE, POINT, SURFACE, slide_vjp, witness, witness_vjp
from engine.math.quat import (
    jr_inverse_slope,
    jr_inverse_transpose,
    jr_transpose,
    quat_exp,
    quat_log,
    quat_mul,
)  # fmt: skip
from engine.math.spatial import sym_mul
from engine.math.types import real, vec3, vec4
from engine.model.constants import CYLINDER, ELLIPSOID
from tests.kernels import kernel

Table = ti.types.ndarray(dtype=real, ndim=2)
Integers = ti.types.ndarray(dtype=ti.i32, ndim=2)


@ti.func
def read(a: ti.template(), i: ti.i32, k: ti.i32):
    return vec3(a[i, k], a[i, k + 1], a[i, k + 2])


@ti.func
def write(a: ti.template(), i: ti.i32, k: ti.i32, x: vec3):
    for e in ti.static(range(3)):
        a[i, k + e] = x[e]


@kernel
def frame(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """n, y -> t1, t2"""
    for i in range(x.shape[0]):
        n = read(x, i, 0)
        hint = read(x, i, 3)
        t1, t2 = contact_frame(n, hint)
        write(y, i, 0, t1)
        write(y, i, 3, t2)
        n_bar, y_bar = contact_frame_vjp(n, hint, t1, vec3(0.0, 0.0, 0.0), read(bar, i, 0), read(bar, i, 3))
        write(x_bar, i, 0, n_bar)
        write(x_bar, i, 3, y_bar)


@kernel
def plane(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """v, x1, c -> dist, pos, n = v / |v|; radius 0.3"""
    for i in range(x.shape[0]):
        v = read(x, i, 0)
        norm = ti.sqrt(v.dot(v))
        z = v / norm
        x1 = read(x, i, 3)
        c = read(x, i, 6)
        turn = vec4(1.0, 0.0, 0.0, 0.0)
        dist, pos, n = witness(FACE, x1, 0.0, turn, POINT, c, 0.3, turn, z)
        y[i, 0] = dist
        write(y, i, 1, pos)
        write(y, i, 4, n)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            FACE, z, 0.0, POINT, z, 0.3, 0.0, n, dist, bar[i, 0], read(bar, i, 1), read(bar, i, 4)
        )
        # the plane's force acts where the point's foot is
        write(x_bar, i, 0, (turn1 + (pos - 0.5 * dist * n - x1).cross(c1_bar)).cross(z) / norm)
        write(x_bar, i, 3, c1_bar)
        write(x_bar, i, 6, c2_bar)


@kernel
def spheres(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """c1, c2 -> dist, pos, n; radii 0.3 and 0.2"""
    for i in range(x.shape[0]):
        c1 = read(x, i, 0)
        c2 = read(x, i, 3)
        z = vec3(0.0, 0.0, 1.0)
        turn = vec4(1.0, 0.0, 0.0, 0.0)
        half = ti.sqrt(real(0.5))  # the second's z axis is x
        dist, pos, n = witness(POINT, c1, 0.3, turn, POINT, c2, 0.2, vec4(half, 0.0, half, 0.0), z)
        y[i, 0] = dist
        write(y, i, 1, pos)
        write(y, i, 4, n)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            POINT, z, 0.3, POINT, z, 0.2, 0.0, n, dist, bar[i, 0], read(bar, i, 1), read(bar, i, 4)
        )
        write(x_bar, i, 0, c1_bar)
        write(x_bar, i, 3, c2_bar)


@kernel
def segments(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """x1, s1, x2, s2 -> c1, c2 of candidate k[0]; k[1:] receives both kinds of features and how many candidates"""
    for i in range(x.shape[0]):
        x1 = read(x, i, 0)
        s1 = read(x, i, 3)
        x2 = read(x, i, 6)
        s2 = read(x, i, 9)
        t1, t2, kind1, kind2, n = segment_params(x1, s1, x2, s2, k[i, 0])
        c1 = x1 + t1 * s1
        c2 = x2 + t2 * s2
        write(y, i, 0, c1)
        write(y, i, 3, c2)
        k[i, 1] = kind1
        k[i, 2] = kind2
        k[i, 3] = n
        c1_bar = read(bar, i, 0)
        c2_bar = read(bar, i, 3)
        slide1 = vec3(0.0, 0.0, 0.0)
        slide2 = vec3(0.0, 0.0, 0.0)
        if kind1 != POINT or kind2 != POINT:
            both = c1_bar + c2_bar
            c1_bar, slide1, slide2 = slide_vjp(kind1, s1, kind2, s2, 0.0, c1 - c2, c1_bar, c2_bar)
            c2_bar = both - c1_bar
        write(x_bar, i, 0, c1_bar)
        write(x_bar, i, 3, t1 * c1_bar + slide1)
        write(x_bar, i, 6, c2_bar)
        write(x_bar, i, 9, t2 * c2_bar + slide2)


@kernel
def ball_and_box(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """q -> dist, pos, n in the frame of a box of half size (.5, .4, .3); radius 0.1; k receives the kind of feature"""
    for i in range(x.shape[0]):
        q = read(x, i, 0)
        size = vec3(0.5, 0.4, 0.3)
        turn = vec4(1.0, 0.0, 0.0, 0.0)
        kind, c, v = box_feature(q, size)
        k[i, 0] = kind
        dist, pos, n = witness(POINT, q, 0.1, turn, kind, c, 0.0, turn, v)
        y[i, 0] = dist
        write(y, i, 1, pos)
        write(y, i, 4, n)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            POINT, v, 0.1, kind, v, 0.0, 0.0, n, dist, bar[i, 0], read(bar, i, 1), read(bar, i, 4)
        )
        write(x_bar, i, 0, c1_bar)


@kernel
def ball_and_cylinder(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """q -> dist, pos, n in the frame of a cylinder of radius .4 and half length .3; ball's radius 0.1; k receives the
    kind of feature"""
    for i in range(x.shape[0]):
        q = read(x, i, 0)
        turn = vec4(1.0, 0.0, 0.0, 0.0)
        kind, c, r, v, bend = ball_cylinder(q, turn, vec3(0.4, 0.3, 0.0))
        k[i, 0] = kind
        dist, pos, n = witness(POINT, q, 0.1, turn, kind, c, r, turn, v)
        y[i, 0] = dist
        write(y, i, 1, pos)
        write(y, i, 4, n)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            POINT, v, 0.1, kind, v, r, bend, n, dist, bar[i, 0], read(bar, i, 1), read(bar, i, 4)
        )
        write(x_bar, i, 0, c1_bar)


@kernel
def plane_and_cylinder(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """v, c, r -> dist, pos, n = v / |v| of candidate k[0] of a cylinder at c, turned by r from lying along z at r = 0,
    where alone r has an adjoint; k[1] receives the kind of feature"""
    for i in range(x.shape[0]):
        v = read(x, i, 0)
        norm = ti.sqrt(v.dot(v))
        n0 = v / norm
        c = read(x, i, 3)
        q = quat_exp(read(x, i, 6))
        kind, o, a1, a2 = plane_rim(n0, q, vec3(0.4, 0.3, 0.0), k[i, 0])
        k[i, 1] = kind
        origin = vec3(0.0, 0.0, 0.0)
        dist, pos, n = witness(FACE, origin, 0.0, q, kind, c + o, 0.0, q, n0)
        y[i, 0] = dist
        write(y, i, 1, pos)
        write(y, i, 4, n)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            FACE, a1, 0.0, kind, a2, 0.0, 0.0, n, dist, bar[i, 0], read(bar, i, 1), read(bar, i, 4)
        )
        write(x_bar, i, 0, (turn1 + (pos - 0.5 * dist * n).cross(c1_bar)).cross(n) / norm)
        write(x_bar, i, 3, c2_bar)
        write(x_bar, i, 6, turn2 + o.cross(c2_bar))


@kernel
def plane_and_ellipsoid(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """v, c, r -> dist, pos, n = v / |v| of an ellipsoid of half axes .4, .3, .2 at c, turned by r from r = 0, where
    alone r has an adjoint"""
    for i in range(x.shape[0]):
        v = read(x, i, 0)
        norm = ti.sqrt(v.dot(v))
        n0 = v / norm
        c = read(x, i, 3)
        q = quat_exp(read(x, i, 6))
        o, a1, a2 = plane_point(n0, q, vec3(0.4, 0.3, 0.2))
        origin = vec3(0.0, 0.0, 0.0)
        dist, pos, n = witness(FACE, origin, 0.0, q, SURFACE, c + o, 0.0, q, n0)
        y[i, 0] = dist
        write(y, i, 1, pos)
        write(y, i, 4, n)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            FACE, a1, 0.0, SURFACE, a2, 0.0, 0.0, n, dist, bar[i, 0], read(bar, i, 1), read(bar, i, 4)
        )
        write(x_bar, i, 0, (turn1 + (pos - 0.5 * dist * n).cross(c1_bar)).cross(n) / norm)
        write(x_bar, i, 3, c2_bar)
        write(x_bar, i, 6, turn2 + o.cross(c2_bar))


@kernel
def sizes(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """size, v, c -> dist, pos of candidate k[1] of a geom of type k[0] at c, with the world's axes, against the plane
    through the origin across v or, with k[2], a ball of radius .1 there; only the size has an adjoint; k[3] receives
    the kind of feature"""
    for i in range(x.shape[0]):
        size = read(x, i, 0)
        v = read(x, i, 3)
        place = read(x, i, 6)
        turn = vec4(1.0, 0.0, 0.0, 0.0)
        origin = vec3(0.0, 0.0, 0.0)
        n = v / ti.sqrt(v.dot(v))
        type2 = k[i, 0]
        kind1 = FACE
        kind2 = POINT
        r1 = real(0.0)
        o, r2 = plane_offset(type2, size, k[i, 1])
        a1 = origin
        a2 = origin
        bend = real(0.0)
        if type2 == CYLINDER:
            kind2, o, a1, a2 = plane_rim(n, turn, size, k[i, 1])
        if type2 == ELLIPSOID:
            kind2 = SURFACE
            o, a1, a2 = plane_point(n, turn, size)
        if k[i, 2]:
            kind1 = POINT
            r1 = 0.1
            r2 = 0.0
            if type2 == CYLINDER:
                kind2, o, r2, n, bend = ball_cylinder(-place, turn, size)
            else:
                kind2, o, n = box_feature(-place, size)
            a2 = n
        k[i, 3] = kind2
        dist, pos, n = witness(kind1, origin, r1, turn, kind2, place + o, r2, turn, n)
        y[i, 0] = dist
        write(y, i, 1, pos)
        p_bar = read(bar, i, 1)
        c1_bar, turn1, c2_bar, turn2 = witness_vjp(
            kind1, a1, r1, kind2, a2, r2, bend, n, dist, bar[i, 0], p_bar, origin
        )
        r1_bar, r2_bar = radius_bars(n, bar[i, 0], p_bar)
        c2 = pos + (r2 + 0.5 * dist) * n
        write(x_bar, i, 0, size_vjp(type2, size, c2 - place, c2_bar, r2, r2_bar))


@kernel
def capsule_and_box(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """q, a, size -> t of the first and of the second point; k receives (near, kind of the second, its axis)"""
    for i in range(x.shape[0]):
        q = read(x, i, 0)
        a = read(x, i, 3)
        size = read(x, i, 6)
        t1, near, t2, kind, axis = capsule_box_params(q, a, size)
        y[i, 0] = t1
        y[i, 1] = t2
        k[i, 0] = near
        k[i, 1] = kind
        k[i, 2] = axis
        first = FIXED
        if near >= 0:
            first = NEAREST
        q_bar, a_bar = param_vjp(q, a, size, t1, first, 0, t1, near, bar[i, 0])
        size_bar = param_size_vjp(q, a, size, t1, first, 0, t1, near, bar[i, 0])
        if kind >= 0:
            q2, a2 = param_vjp(q, a, size, t2, kind, axis, t1, near, bar[i, 1])
            q_bar = q_bar + q2
            a_bar = a_bar + a2
            size_bar = size_bar + param_size_vjp(q, a, size, t2, kind, axis, t1, near, bar[i, 1])
        else:
            y[i, 1] = 0.0
        write(x_bar, i, 0, q_bar)
        write(x_bar, i, 3, a_bar)
        write(x_bar, i, 6, size_bar)


@kernel
def law(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """jar, fr0, fr1, D, impratio -> force; k: condim, elliptic, and receives the zone"""
    for i in range(x.shape[0]):
        jar = read(x, i, 0)
        f, kd, ko, zone = contact_law(jar, k[i, 0], k[i, 1], x[i, 5], x[i, 3], x[i, 4], x[i, 6])
        write(y, i, 0, f)
        k[i, 2] = zone
        f_bar = read(bar, i, 0)
        write(x_bar, i, 0, -sym_mul(kd, ko, f_bar))
        x_bar[i, 3] = 0.0
        x_bar[i, 4] = 0.0
        if k[i, 0] > 1:
            b0, b1 = friction_vjp(jar, f_bar, k[i, 1], x[i, 5], x[i, 3], x[i, 4], x[i, 6])
            x_bar[i, 3] = b0
            x_bar[i, 4] = b1
        x_bar[i, 5] = f.dot(f_bar) / x[i, 5]


@kernel
def rolling(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """jar, jar of the further rows, five friction coefficients, D, impratio -> force, torque; k: as of `law`"""
    for i in range(x.shape[0]):
        jar = read(x, i, 0)
        turn = read(x, i, 3)
        fr = read(x, i, 8)
        f, torque, kd, ko, kd2, ko2, p, q, zone = rolling_law(
            jar, turn, k[i, 0], k[i, 1], x[i, 11], x[i, 6], x[i, 7], fr, x[i, 12]
        )
        write(y, i, 0, f)
        write(y, i, 3, torque)
        k[i, 2] = zone
        f_bar = read(bar, i, 0)
        t_bar = read(bar, i, 3)
        write(x_bar, i, 0, -sym_mul(kd, ko, f_bar) - q.dot(t_bar) * p)
        write(x_bar, i, 3, -sym_mul(kd2, ko2, t_bar) - p.dot(f_bar) * q)
        b0, b1, b = rolling_friction_vjp(
            jar, turn, f_bar, t_bar, k[i, 0], k[i, 1], x[i, 11], x[i, 6], x[i, 7], fr, x[i, 12]
        )
        x_bar[i, 6] = b0
        x_bar[i, 7] = b1
        write(x_bar, i, 8, b)
        x_bar[i, 11] = (f.dot(f_bar) + torque.dot(t_bar)) / x[i, 11]


@kernel
def scalar_row(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """jar, D, floss -> force; k: kind (0 dry friction, 1 limit), and receives the zone"""
    for i in range(x.shape[0]):
        f, stiffness, zone = row_law(k[i, 0], x[i, 0], x[i, 1], x[i, 2])
        y[i, 0] = f
        k[i, 1] = zone
        x_bar[i, 0] = -stiffness * bar[i, 0]


@kernel
def impedances(a: Table, x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """penetration -> impedance, with solimp a[0]"""
    for i in range(x.shape[0]):
        imp, slope = impedance(a, 0, x[i, 0])
        y[i, 0] = imp
        x_bar[i, 0] = slope * bar[i, 0]


@kernel
def impedance_parameters(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """solimp, violation -> impedance; the violation has no adjoint"""
    for i in range(x.shape[0]):
        imp, slope = impedance(x, i, x[i, 5])
        y[i, 0] = imp
        b0, b1, b2, b3, b4 = impedance_vjp(x, i, x[i, 5], bar[i, 0])
        for e, b in ti.static(enumerate((b0, b1, b2, b3, b4))):
            x_bar[i, e] = b


@kernel
def reference_parameters(a: Table, x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """solref -> stiffness, damping with solimp a[i]; or where k says so solimp -> the same with solref a[i]. Steps of
    .004, of which refsafe asks for two."""
    for i in range(x.shape[0]):
        stiffness = real(0.0)
        damping = real(0.0)
        b0 = real(0.0)
        b1 = real(0.0)
        b2 = real(0.0)
        if k[i, 0]:
            stiffness, damping = reference(a, x, i, 0.004, 1.0)
            b0, b1, b2 = reference_vjp(a, x, i, 0.004, 1.0, bar[i, 0], bar[i, 1])
            x_bar[i, 1] = b2
        else:
            stiffness, damping = reference(x, a, i, 0.004, 1.0)
            b0, b1, b2 = reference_vjp(x, a, i, 0.004, 1.0, bar[i, 0], bar[i, 1])
            x_bar[i, 0] = b0
            x_bar[i, 1] = b1
        y[i, 0] = stiffness
        y[i, 1] = damping


@kernel
def exponential(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """r -> rotation vector from exp(r at the first row of its group) to exp(r): jr_transpose"""
    for i in range(x.shape[0]):
        r = read(x, i, 0)
        base = quat_exp(read(x, i - k[i, 0], 0))
        write(y, i, 0, quat_log(quat_mul(vec4(base[0], -base[1], -base[2], -base[3]), quat_exp(r))))
        write(x_bar, i, 0, jr_transpose(r, read(bar, i, 0)))


@kernel
def logarithm(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """r, delta -> log(exp(r) exp(delta)) at delta = 0: jr_inverse_transpose"""
    for i in range(x.shape[0]):
        r = read(x, i, 0)
        write(y, i, 0, quat_log(quat_mul(quat_exp(r), quat_exp(read(x, i, 3)))))
        write(x_bar, i, 3, jr_inverse_transpose(r, read(bar, i, 0)))


@kernel
def tangent_map(x: Table, bar: Table, k: Integers, y: Table, x_bar: Table):
    """r, v -> Jr(r)^-1 v: jr_inverse_slope for r, jr_inverse_transpose for v"""
    for i in range(x.shape[0]):
        r = read(x, i, 0)
        v = read(x, i, 3)
        y_bar = read(bar, i, 0)
        write(y, i, 0, jr_inverse_transpose(-r, v))
        write(x_bar, i, 0, jr_inverse_slope(r, v, y_bar))
        write(x_bar, i, 3, jr_inverse_transpose(r, y_bar))


STENCIL = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12


def run(kernel, x, bar, k, *before):
    """(y, x_bar, k)"""
    y, x_bar, k = np.full(bar.shape, np.nan), np.zeros(x.shape), np.array(k, np.int32)
    kernel(*before, np.ascontiguousarray(x), np.ascontiguousarray(bar), k, y, x_bar)
    return y, x_bar, k


def check(kernel, x, width, k=None, columns=None, h=1e-4, side=0, tolerance=1e-8, before=(), group=None):
    """Compare the adjoint with fourth-order differences of the primal, one input column at a time.

    x: (n, inputs); width: number of outputs; k: (n, integers); columns: inputs that have an adjoint, default all.
    side: 1 or -1 for differences to that side. group: (column of k) receives how far a row is from its group's first.
    Rows whose integers (which the kernel fills in) change within the stencil are left out. Returns their mask and k.
    """
    x = np.atleast_2d(np.asarray(x, float))
    n, inputs = x.shape
    k = np.zeros((n, 4), np.int32) if k is None else np.atleast_2d(np.asarray(k, np.int32))
    bar = np.random.default_rng(1).normal(size=(n, width))
    y, x_bar, filled = run(kernel, x, bar, k, *before)
    steps, weights = (np.arange(5.0) * side, np.array([-25, 48, -36, 16, -3]) / 12 * side) if side else STENCIL
    smooth = np.ones(n, bool)
    found = np.zeros(x.shape)
    columns = list(range(inputs)) if columns is None else list(columns)
    for column in columns:
        moved = np.repeat(x[None], len(steps) + 1, axis=0)
        moved[1:, :, column] += h * steps[:, None]
        kk = np.repeat(k[None], len(steps) + 1, axis=0)
        if group is not None:
            kk[:, :, group] = np.arange(len(steps) + 1)[:, None] * n
        out, _, after = run(kernel, moved.reshape(-1, inputs), np.tile(bar, (len(steps) + 1, 1)),
                            kk.reshape(-1, k.shape[1]), *before)  # fmt: skip
        out = out.reshape(len(steps) + 1, n, width)[1:]
        if group is None:
            smooth &= (after.reshape(len(steps) + 1, n, -1) == filled).all(axis=(0, 2))
        found[:, column] = np.einsum("s,snw,nw->n", weights, out, bar) / h
    assert np.isfinite(y).all()
    assert np.isfinite(x_bar[:, columns]).all()
    scale = np.maximum(np.abs(found).max(axis=1, keepdims=True), np.abs(bar).max(axis=1, keepdims=True))
    error = (np.abs(found - x_bar) / scale)[:, columns]
    bad = smooth & (error > tolerance).any(axis=1)
    assert not bad.any(), (kernel.__name__, x[bad][0], filled[bad][0], found[bad][0], x_bar[bad][0])
    return smooth, filled
