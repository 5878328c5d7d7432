"""What the slopes of a fluid's forces on ellipsoids leave to velocities, and what these forces and slopes do to frames
of geoms, where a simulator is asked for these (ellipsoid_fluid.py; ellipsoid_sizes.py has what they do to sizes)."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.ellipsoid_fluid import (
    drag_slope,
    ellipsoid_force,
    ellipsoid_slope,
    ellipsoid_slope_vjp,
    flow_frame,
    pair_in,
    seen_by,
    unit,
    whole_slope,
)
from engine.dynamics.ellipsoid_sizes import flow_sizes_vjp
from engine.dynamics.frame_leaves import add_geom_bars, moved_frame
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE


@ti.func
def ellipsoid_slope_back(m: ti.template(), e: ti.i32, omega: vec3, u: vec3, pa: vec3, pl: vec3):
    """The gradient by (ang, lin) of (pa, pl) . what `ellipsoid_slope` gives."""
    ang = vec3(0.0, 0.0, 0.0)
    lin = vec3(0.0, 0.0, 0.0)
    for i in range(6):
        torque, force = ellipsoid_slope(m, e, omega, u, unit(i), unit(i - 3))
        x = pa.dot(torque) + pl.dot(force)
        ang = ang + x * unit(i)
        lin = lin + x * unit(i - 3)
    return ang, lin


@ti.func
def frame_bars(q: ti.template(), r: vec3, ang: vec3, lin: vec3, ang_bar: vec3, lin_bar: vec3):
    """From the adjoint, in the axes q of a frame at r, of the motion (ang, lin) about the origin to the frame's place
    and turn."""
    f = rotate(q, lin_bar)
    return moved_frame(r, ang, lin, rotate(q, ang_bar) + r.cross(f), f)


@outline("mdg", "w b", when="shape_leaf")
@ti.func
def flow_frames_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32):
    """Adds -sum of L . dF to the frames and sizes of body b's geoms, where a simulator is asked for these."""
    if ti.static(has.ellipsoid_fluid):
        for e in range(m.nflow):
            if m.flow_body[e] == b and m.nshapeleaf > 0:
                k = bounded(w * m.nbody + b)
                q, r = flow_frame(m, d, w, e)
                v_ang, v_lin, omega, u = seen_by(m, d, w, b, q, r)
                la = rotate_back(q, d.l_ang[k])
                ll = rotate_back(q, d.l_lin[k] + d.l_ang[k].cross(r))
                torque, force = ellipsoid_force(m, e, omega, u)
                ba, bl = ellipsoid_slope_back(m, e, omega, u, la, ll)
                x1, t1 = frame_bars(q, r, d.l_ang[k], d.l_lin[k], -1.0 * torque, -1.0 * force)
                x2, t2 = frame_bars(q, r, v_ang, v_lin, -1.0 * ba, -1.0 * bl)
                add_geom_bars(m, d, g, w, m.flow_geom[e], x1 + x2, t1 + t2)
        flow_sizes_vjp(m, d, g, w, b, -1)


@outline("mdg", "w e", when="shape_leaf")
@ti.func
def slope_frames_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, e: ti.i32):
    """From P . D E of geom e of the table to the geom's frame. P and E, and the gradient of that by omega and u, are in
    leaf_pa, leaf_pl, leaf_ea, leaf_el, leaf_omega and leaf_u."""
    if ti.static(has.ellipsoid_fluid):
        if e >= 0:
            b = m.flow_body[e]
            q, r = flow_frame(m, d, w, e)
            v_ang, v_lin, omega, u = seen_by(m, d, w, b, q, r)
            place, turn = frame_bars(q, r, v_ang, v_lin, d.leaf_omega[w], d.leaf_u[w])
            xa, xl, ya, yl = d.leaf_pa[w], d.leaf_pl[w], d.leaf_ea[w], d.leaf_el[w]
            for side in range(2):  # of P, to which D E is given, then of E, to which D^T P
                ang = rotate_back(q, ya)
                lin = rotate_back(q, yl + ya.cross(r))
                a, l = drag_slope(m, e, omega, u, ang, lin)
                if m.integrator != DISCRETE:
                    a, l = ellipsoid_slope(m, e, omega, u, ang, lin)
                    ta, tl = ellipsoid_slope_back(m, e, omega, u, ang, lin)
                    share = real(0.5)  # of the symmetric part
                    if whole_slope(m, b):
                        share = ti.cast(side, real)
                    a = (share - 1.0) * a - share * ta
                    l = (share - 1.0) * l - share * tl
                p, t = frame_bars(q, r, xa, xl, a, l)
                place = place + p
                turn = turn + t
                xa, xl, ya, yl = d.leaf_ea[w], d.leaf_el[w], d.leaf_pa[w], d.leaf_pl[w]
            add_geom_bars(m, d, g, w, m.flow_geom[e], place, turn)


@serves("shape_leaf")
@ti.func
def ask_slope_frames(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, e: ti.i32, pa: vec3, pl: vec3,
                     ea: vec3, el: vec3, omega_bar: vec3, u_bar: vec3):  # fmt: skip
    """The same of what is given, and to the geom's size, where a simulator is asked for shapes."""
    if m.nshapeleaf > 0:
        d.leaf_pa[w] = pa
        d.leaf_pl[w] = pl
        d.leaf_ea[w] = ea
        d.leaf_el[w] = el
        d.leaf_omega[w] = omega_bar
        d.leaf_u[w] = u_bar
        slope_frames_vjp(m, d, g, w, e)
        flow_sizes_vjp(m, d, g, w, m.flow_body[e], e)


@ti.func
def ellipsoid_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, b: ti.i32, wind: vec3,
                         pa: vec3, pl: vec3, ea: vec3, el: vec3):  # fmt: skip
    """The gradient of (pa, pl) . D (ea, el) of body b by V, of what the integrator takes of D; that by frames of geoms
    goes to them."""
    k = bounded(w * m.nbody + b)
    va = vec3(0.0, 0.0, 0.0)
    vl = vec3(0.0, 0.0, 0.0)
    ways = 2
    whole = real(1.0)
    if m.integrator == DISCRETE:
        whole = 0.0
    elif whole_slope(m, b):
        ways = 1
    for e in range(m.nflow):
        if m.flow_body[e] == b:
            q, r = flow_frame(m, d, w, e)
            omega = rotate_back(q, d.vel_ang[k])
            u = rotate_back(q, d.vel_lin[k] + d.vel_ang[k].cross(r) - wind)
            xa, xl, ya, yl = pair_in(q, r, pa, pl, ea, el)
            omega_bar = vec3(0.0, 0.0, 0.0)
            u_bar = vec3(0.0, 0.0, 0.0)
            for _ in range(ways):
                ta, tl = ellipsoid_slope_vjp(m, e, omega, u, xa, xl, ya, yl, whole)
                omega_bar = omega_bar - ta / ways
                u_bar = u_bar - tl / ways
                za = xa
                zl = xl
                xa = ya
                xl = yl
                ya = za
                yl = zl
            f = rotate(q, u_bar)
            va = va + rotate(q, omega_bar) + r.cross(f)
            vl = vl + f
            ask_slope_frames(m, d, g, w, e, pa, pl, ea, el, omega_bar, u_bar)
    return va, vl
