"""What equalities ask of the numbers that say what they tie together, where a simulator is asked for these: eq_data
and, where sites are tied, the frames of the sites.

eq_data holds what MuJoCo has there: the five coefficients of the polynomial of what follows; of bodies that meet the
anchor in the first and in the second; of a weld the anchor in the second, the relative pose, whose quaternion counts
normalised, and torquescale, the last of the eleven.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.frame_leaves import add_site_bars
from engine.math.index import bounded
from engine.math.quat import quat_bar, quat_mul, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import EQ_WELD


@serves("equality_leaf")
@ti.func
def add_polynomial_bars(m: ti.template(), g: ti.template(), w: ti.i32, e: ti.i32, u: real, p_bar: real,
                        slope_bar: real):  # fmt: skip
    """From the adjoints of the polynomial of constraint e and of its slope, at u, to the coefficients."""
    if m.nequalityleaf > 0 and m.at_eq_data >= 0:
        power = real(1.0)
        below = real(0.0)
        for k in ti.static(range(5)):
            g.eq_data[w, e, k] = g.eq_data[w, e, k] + p_bar * power + k * below * slope_bar
            below = power
            power = power * u


@ti.func
def add_data(g: ti.template(), w: ti.i32, e: ti.i32, first: ti.i32, x: vec3):
    for k in ti.static(range(3)):
        g.eq_data[w, e, first + k] = g.eq_data[w, e, first + k] + x[k]


@serves("equality_leaf")
@ti.func
def add_tie_bars(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, e: ti.i32, x1_bar: vec3, x2_bar: vec3,
                 turn: vec3, scale_bar: real):  # fmt: skip
    """From the adjoints of both anchors, of a turn of the first frame against the second, and of torquescale."""
    if m.nequalityleaf > 0 and m.at_eq_data >= 0:
        if m.eq_kind[e] == EQ_WELD:
            g.eq_data[w, e, 10] = g.eq_data[w, e, 10] + scale_bar
        if m.eq_site1[e] < 0:
            b1 = d.xquat[bounded(w * m.nbody + m.eq_body1[e])]
            a1 = rotate_back(b1, x1_bar)
            a2 = rotate_back(d.xquat[bounded(w * m.nbody + m.eq_body2[e])], x2_bar)
            if m.eq_kind[e] == EQ_WELD:
                add_data(g, w, e, 0, a2)
                add_data(g, w, e, 3, a1)
                i = m.at_eq_data + 11 * e + 6
                t = rotate_back(quat_mul(b1, m.eq_quat1[e]), turn)
                q = quat_bar(vec4(m.theta[i], m.theta[i + 1], m.theta[i + 2], m.theta[i + 3]), t)
                for k in ti.static(range(4)):
                    g.eq_data[w, e, 6 + k] = g.eq_data[w, e, 6 + k] + q[k]
            else:
                add_data(g, w, e, 0, a1)
                add_data(g, w, e, 3, a2)


@ti.func
def add_tied_sites(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, e: ti.i32, x1_bar: vec3,
                   x2_bar: vec3, turn1: vec3, turn2: vec3):  # fmt: skip
    """The same to the frames of two sites."""
    add_site_bars(m, d, g, w, m.eq_site1[e], x1_bar, turn1)
    add_site_bars(m, d, g, w, m.eq_site2[e], x2_bar, turn2)
