"""What is implicit in the velocity update of Euler, implicitfast and implicit (MuJoCo documentation, Computation).

    (M + h D) a_eff = M a         D = diag(damping's slope); implicitfast adds the actuators' velocity derivatives,
                                  those of tendons' dampers where M has entries (tendon.py), those of a fluid (fluid.py)
                                  and, for lone free bodies, that of the bias (free_body.py); implicit has the latter,
                                  C, for all (bias_slope.py), and solves with M + h (C + D)
Adjoint: mu = -(M + h D)^-T a_eff_bar,  a_bar = -M mu, and what is left, mu^T dM (a_eff - a) and h mu^T dD a_eff, goes
through rnea_vjp (columns P, Q) and `damping_vjp`.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.actuator_slope import counted_slope, force_slopes, force_slopes_vjp, micro_vjp
from engine.dynamics.bias_slope import add_bias_slopes
from engine.dynamics.crba import diagonal_at
from engine.dynamics.ellipsoid_fluid import add_odd_flows
from engine.dynamics.factor import copy_blocks, factor, solve
from engine.dynamics.fluid import fluid_slopes
from engine.dynamics.free_body import factor_lone, lone_dof, lone_vjp, solve_lone
from engine.dynamics.lu import factor_lu, solve_lu
from engine.dynamics.passive import nonlinear_damping
from engine.dynamics.tendon import add_slopes, add_slopes_vjp, damping_slopes
from engine.dynamics.transmission import ARM, TENDON
from engine.math.types import real
from engine.model.constants import DISCRETE, EULER, IMPLICIT, IMPLICITFAST, TRN_TENDON


@serves("implicitfast")
@ti.func
def has_slopes(m: ti.template()):
    """Whether D has more than the slopes of dofs' own damping."""
    return m.integrator == IMPLICITFAST or m.integrator == IMPLICIT


@ti.func
def has_implicit(m: ti.template()):
    """Whether the velocity update solves with M + h D, and whether its adjoint does. That of Euler's does so also where
    no dof is damped: nothing is implicit there, but the first bit of damping would be."""
    r = 0
    back = 0
    if ti.static(has.implicitfast):
        if has_slopes(m):
            r = 1
    if ti.static(has.lone and has.discrete):
        if m.integrator == DISCRETE:  # of lone free bodies alone
            for j in range(m.njnt):
                if lone_dof(m, j) >= 0:
                    back = 1
    if m.integrator == EULER and m.eulerdamp:
        back = 1
        for i in range(m.nv):
            damped = m.dof_damping[i] > 0
            if ti.static(has.polynomial):
                damped = damped or m.dof_dampingpoly[i, 0] != 0 or m.dof_dampingpoly[i, 1] != 0
            if damped:
                r = 1
                break
    return r, ti.max(r, back)


@outline("md", "w", when="tendon")
@ti.func
def tendon_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD gains h times the velocity slopes of tendons' dampers, less those of actuators on tendons."""
    damping_slopes(m, d, w)
    for u in range(m.nu):
        if m.actuator_trntype[u] == TRN_TENDON:
            by_l, by_v, fs, x, slope, a, kind, t, da, n, velocity = force_slopes(m, d, w, u)
            gear = m.actuator_gear[u, 0]
            s = counted_slope(m, d, w, u, by_v, fs, kind, da)
            d.ten_slope[w, t] = d.ten_slope[w, t] - s * gear * gear
    add_slopes(m, d, w)


@outline("mdg", "w", when="tendon")
@ti.func
def tendon_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds h mu^T d(what those add to D) a_eff."""
    add_slopes_vjp(m, d, g, w)
    for u in range(m.nu):
        if m.actuator_trntype[u] == TRN_TENDON:
            by_l, by_v, fs, x, slope, a, kind, t, da, n, velocity = force_slopes(m, d, w, u)
            bar = -g.ten_slope_bar[w, t] * m.actuator_gear[u, 0]
            s = counted_slope(m, d, w, u, by_v, fs, kind, da)
            g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + 2.0 * bar * s
            force_slopes_vjp(m, d, g, w, u, 0.0, bar * m.actuator_gear[u, 0] * fs, x, slope, a)
            micro_vjp(m, d, g, w, u, kind, da, bar * m.actuator_gear[u, 0])


@serves("implicitfast")
@ti.func
def actuator_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD minus h times the actuators' velocity slopes, but of those on tendons."""
    h = m.timestep
    for u in range(m.nu):
        by_l, by_v, fs, x, slope, a, t, qa, da, n, velocity = force_slopes(m, d, w, u)
        s = counted_slope(m, d, w, u, by_v, fs, t, da)
        if t == ARM:
            if ti.static(has.arm):
                add_arm_slope(m, d, w, da, h * s)
        elif t != TENDON:
            for k in range(n):
                diagonal = diagonal_at(m, w, da + k)
                for i in range(k + 1):
                    e = diagonal - i
                    d.MhD[e] = d.MhD[e] - h * s * m.actuator_gear[u, k] * m.actuator_gear[u, k - i]


@ti.func
def add_arm_slope(m: ti.template(), d: ti.template(), w: ti.i32, row: ti.i32, hs: real):
    """MhD minus hs times the square of an arm's row, where M has entries."""
    for k in range(m.nv):
        c = hs * d.arm_J[row + k]
        if c != 0:
            e = diagonal_at(m, w, k)
            i = k
            while i >= 0:
                d.MhD[e] = d.MhD[e] - c * d.arm_J[row + i]
                e = e - 1
                i = m.tree_parent[i]


@ti.func
def arm_slope_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, row: ti.i32, hs: real):
    """From mu^T (what `add_arm_slope` adds) a_eff to the arm's row; returns it for an hs of minus one."""
    total = real(0.0)
    for k in range(m.nv):
        J = d.arm_J[row + k]
        mu = d.mu[w, k]
        acc = d.qacc_eff[w, k]
        own = 2.0 * J * mu * acc
        total = total + J * J * mu * acc
        i = m.tree_parent[k]
        while i >= 0:
            e = mu * d.qacc_eff[w, i] + acc * d.mu[w, i]
            own = own + d.arm_J[row + i] * e
            total = total + J * d.arm_J[row + i] * e
            g.arm_J_bar[row + i] = g.arm_J_bar[row + i] - hs * J * e
            i = m.tree_parent[i]
        g.arm_J_bar[row + k] = g.arm_J_bar[row + k] - hs * own
    return total


@outline("md", "w", when="fluid")
@ti.func
def resistance(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD, of the integrator discrete M, gains h times the velocity slopes of the fluid's forces."""
    fluid_slopes(m, d, w)


@outline("md", "w", when="implicitfast")
@ti.func
def velocity_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """What implicitfast and implicit add to M and dofs' damping in MhD, but for the slope of the bias force."""
    actuator_slopes(m, d, w)
    tendon_slopes(m, d, w)
    resistance(m, d, w)


@outline("md", "w", when="lone")
@ti.func
def lone_blocks(m: ti.template(), d: ti.template(), w: ti.i32):
    factor_lone(m, d, w)


@outline("md", "w", when="implicit")
@ti.func
def factor_unsymmetric(m: ti.template(), d: ti.template(), w: ti.i32):
    """Factor M + h (C + D), C the slope of the bias force."""
    o = w * m.nm
    copy_blocks(m, d.MhU, o >> 2, d.MhD, o >> 2, m.nm >> 2)
    add_odd_flows(m, d, w)
    add_bias_slopes(m, d, w)
    factor_lu(m, d.MhD, d.MhU, o)
    for k in range(m.nv):
        e = diagonal_at(m, w, k)
        d.MhU[e] = d.MhD[e]


@serves("implicit")
@ti.func
def solve_unsymmetric(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template(), transposed: ti.i32):
    if transposed:
        solve_lu(m, d.MhU, d.MhD, w, x)
    else:
        solve_lu(m, d.MhD, d.MhU, w, x)


@ti.func
def factor_implicit(m: ti.template(), d: ti.template(), w: ti.i32):
    """Factor M + h D or, for `implicit`, M + h (C + D)."""
    nv = m.nv
    h = m.timestep
    o = w * m.nm
    copy_blocks(m, d.MhD, o >> 2, d.M, o >> 2, m.nm >> 2)
    for j in range(nv):
        e = diagonal_at(m, w, j)
        d.MhD[e] = d.MhD[e] + h * m.dof_damping[j]
        if ti.static(has.polynomial):
            b, slope, second = nonlinear_damping(m, d, w, j)
            d.MhD[e] = d.MhD[e] + h * slope
    if ti.static(has.implicitfast):
        if has_slopes(m):
            velocity_slopes(m, d, w)
        if m.integrator == IMPLICITFAST:
            lone_blocks(m, d, w)
    if m.integrator == IMPLICIT:
        factor_unsymmetric(m, d, w)
    else:
        factor(m, d.MhD, o, m, 0)


@ti.func
def solve_implicit(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template(), transposed: ti.i32):
    if m.integrator == IMPLICIT:
        solve_unsymmetric(m, d, w, x, transposed)
    else:
        solve(m, d.MhD, w * m.nm, m, 0, x.array, x.at(w, 0))
    if m.integrator == IMPLICITFAST:
        solve_lone(m, d, w, x, transposed)


@ti.func
def effective_acceleration(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32, free: ti.i32,
                           damped: ti.i32):  # fmt: skip
    """qacc_eff, what the velocity update uses, with `implicit` also its factor, from M. Expects qacc or, where that is
    another (`damped`), M qacc, which is in ma or, where nothing constrains (`free`), in qfrc_smooth."""
    for i in range(m.nv):
        a = d.qacc[w, i]
        if damped:
            a = d.qfrc_smooth[w, i] if free else d.ma[w, i]
        d.qacc_eff[w, i] = a
    if implicit:
        factor_implicit(m, d, w)
    if damped:
        solve_implicit(m, d, w, d.qacc_eff, 0)


@ti.func
def damping_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds h mu^T dD a_eff: damping and, for implicitfast and implicit, what the velocity slopes of actuators and
    tendons depend on. Those of a fluid and of the bias force are about motions of bodies (evaluation.py)."""
    nv = m.nv
    h = m.timestep
    for i in range(nv):
        D_bar = h * d.mu[w, i] * d.qacc_eff[w, i]
        g.dof_damping[w, i] = g.dof_damping[w, i] + D_bar
        if ti.static(has.polynomial):
            b, slope, second = nonlinear_damping(m, d, w, i)
            g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + second * D_bar
    if ti.static(has.implicitfast):
        if m.integrator == IMPLICITFAST:
            lone_vjp(m, d, g, w)
        if has_slopes(m):
            tendon_slopes_vjp(m, d, g, w)
            actuator_slopes_vjp(m, d, g, w)


@outline("mdg", "w", when="implicitfast")
@ti.func
def actuator_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    h = m.timestep
    for u in range(m.nu):
        by_l, by_v, fs, x, slope, a, t, qa, da, n, velocity = force_slopes(m, d, w, u)
        if t == TENDON:  # `tendon_slopes_vjp` has these
            continue
        s = counted_slope(m, d, w, u, by_v, fs, t, da)
        gm = real(0.0)
        ga = real(0.0)
        square = real(0.0)  # mu^T (row^T row) a_eff, where M has entries
        if t == ARM:
            if ti.static(has.arm):
                square = arm_slope_vjp(m, d, g, w, da, h * s)
        else:
            for k in range(n):
                gm = gm + m.actuator_gear[u, k] * d.mu[w, da + k]
                ga = ga + m.actuator_gear[u, k] * d.qacc_eff[w, da + k]
            square = gm * ga
        force_slopes_vjp(m, d, g, w, u, 0.0, -h * square * fs, x, slope, a)
        micro_vjp(m, d, g, w, u, t, da, -h * square)
        if t != ARM:
            for k in range(n):
                g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] - h * s * (
                    d.mu[w, da + k] * ga + d.qacc_eff[w, da + k] * gm
                )
