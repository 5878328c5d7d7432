"""Surfaces that move while their geoms stand (MuJoCo's surfacevel): conveyors, treadmills, turntables.

    sigma(x) = R (v + omega x R^T (x - p))      the geom's own v and omega, its orientation R and place p

A contact's J v gains what sigma of geom 2 less that of geom 1 is along the tangents, and omega's about the normal where
the contact has torsional friction: no push along the normal, no rolling.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.rolling import turns
from engine.contact.record import add_pose_bar
from engine.dynamics.frame_leaves import add_geom_bars
from engine.math.index import bounded
from engine.math.quat import rotate, rotate_back
from engine.math.types import real, vec3


@ti.func
def surface_of(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, side: ti.i32):
    """Of contact c's geom 1 (side 0) or 2: its number, that over all worlds, v and omega in the world."""
    geom = m.pair_geom1[d.con_pair[c]]
    if side:
        geom = m.pair_geom2[d.con_pair[c]]
    i = bounded(w * m.ngeom + geom)
    return geom, i, rotate(d.geom_xquat[i], m.surface_lin[geom]), rotate(d.geom_xquat[i], m.surface_ang[geom])


@ti.func
def surface_velocity(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """Of surface 2 against surface 1 at contact c: linear and angular."""
    u = vec3(0.0, 0.0, 0.0)
    omega = vec3(0.0, 0.0, 0.0)
    for side in range(2):
        geom, i, lin, ang = surface_of(m, d, w, c, side)
        sign = 2.0 * ti.cast(side, real) - 1.0
        u = u + sign * (lin + ang.cross(d.con_pos[c] - d.geom_xpos[i]))
        omega = omega + sign * ang
    return u, omega


@ti.func
def surface_slip(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """What it adds to J v of contact c, and to that of its further rows."""
    u, omega = surface_velocity(m, d, w, c)
    slip = vec3(0.0, d.con_tangent1[c].dot(u), d.con_tangent2[c].dot(u))
    return slip, vec3(d.con_normal[c].dot(omega), 0.0, 0.0)


@outline("md", "w", when="surface")
@ti.func
def surface_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    """The contacts' jar, and those of their further rows, gain B times it."""
    for k in range(d.ncon[w]):
        c = bounded(w * m.nconmax + k)
        slip, spin = surface_slip(m, d, w, c)
        d.con_jar[c] = d.con_jar[c] + d.con_bt[c] * slip
        if ti.static(has.rolling):
            if turns(d, c):
                d.turn_jar[c] = d.turn_jar[c] + d.con_bt[c] * spin


@serves("contact_leaf")
@ti.func
def add_surface_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, geom: ti.i32, i: ti.i32,
                     lin_bar: vec3, ang_bar: vec3):  # fmt: skip
    """From the adjoints of v and omega in the world to the geom's own. i: its number over all worlds."""
    if m.at_geom_surfacevel >= 0:
        v_bar = rotate_back(d.geom_xquat[i], lin_bar)
        omega_bar = rotate_back(d.geom_xquat[i], ang_bar)
        for k in ti.static(range(3)):
            g.geom_surfacevel[w, geom, k] = g.geom_surfacevel[w, geom, k] + v_bar[k]
            g.geom_surfacevel[w, geom, 3 + k] = g.geom_surfacevel[w, geom, 3 + k] + omega_bar[k]


@ti.func
def surface_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, e: vec3):
    """From the adjoint e of a contact's J v to the poses of its geoms and the leaves of these and of their surfaces;
    returns those of its place and frame."""
    u, omega = surface_velocity(m, d, w, c)
    force = e[1] * d.con_tangent1[c] + e[2] * d.con_tangent2[c]
    spin = vec3(0.0, 0.0, 0.0)
    n_bar = vec3(0.0, 0.0, 0.0)
    if ti.static(has.rolling):
        if turns(d, c):
            x = d.con_bt[c] * d.turn_ky[c][0]
            spin = x * d.con_normal[c]
            n_bar = x * omega
    p_bar = force.cross(omega)
    for side in range(2):
        geom, i, lin, ang = surface_of(m, d, w, c, side)
        sign = 2.0 * ti.cast(side, real) - 1.0
        ang_bar = spin + (d.con_pos[c] - d.geom_xpos[i]).cross(force)
        turn = sign * (lin.cross(force) + ang.cross(ang_bar))
        body = d.con_body1[c]
        if side == 1:
            body = d.con_body2[c]
        add_pose_bar(m, d, g, w, body, d.geom_xpos[i], -sign * force.cross(ang), turn)
        add_geom_bars(m, d, g, w, geom, -sign * force.cross(ang), turn)
        add_surface_bars(m, d, g, w, geom, i, sign * force, sign * ang_bar)
    return p_bar, n_bar, e[1] * u, e[2] * u
