"""What is implicit in the velocity update of Euler and implicitfast (MuJoCo documentation, "Numerical integration").

    (M + h D) a_eff = M a         D = diag(damping); implicitfast adds the actuators' velocity derivatives
                                                       and, for lone free bodies, that of the bias (free_body.py)
Adjoint: mu = -(M + h D)^-T a_eff_bar,  a_bar = -M mu, and what is left, mu^T dM (a_eff - a) and h mu^T dD a_eff, goes
through rnea_vjp (columns P, Q) and `damping_vjp`.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.actuation import actuator_input, clamped_force, transmission, unwound
from engine.dynamics.crba import diagonal_at
from engine.dynamics.factor import copy_blocks, factor, solve
from engine.dynamics.free_body import factor_lone, lone_vjp, solve_lone
from engine.math.types import real
from engine.model.constants import EULER, IMPLICITFAST
from engine.schema import (
    EULERDAMP,
    INTEGRATOR,
    MU,
    NDI,
    NM,
    NQR,
    NTHETA,
    NU,
    NV,
    QACC,
    QACC_EFF,
    T_BIAS,
    T_DAMPING,
    T_GAIN,
    T_GEAR,
    TIMESTEP,
)  # fmt: skip


@ti.func
def has_implicit(m: ti.template(), adjoint: ti.i32):
    """Whether the velocity update solves with M + h D. The adjoint of Euler's does so also where no dof is damped:
    nothing is implicit there, but the first bit of damping would be."""
    r = 0
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        r = 1
    if m.dims[INTEGRATOR] == EULER and m.dims[EULERDAMP]:
        r = adjoint
        for i in range(m.dims[NV]):
            if m.theta[m.dims[T_DAMPING] + i] > 0:
                r = 1
                break
    return r


@ti.func
def actuator_slope(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """d force / d velocity of actuator u (0 while its force is clamped), its input, first dof and number of dofs."""
    t, qa, da, n, length, velocity = transmission(m, d, w, u)
    x, slope, a = actuator_input(m, d, w, u)
    x = unwound(m, u, x, length)
    k = m.dims[T_GAIN] + 3 * u
    b = m.dims[T_BIAS] + 3 * u
    gain = m.theta[k] + m.theta[k + 1] * length + m.theta[k + 2] * velocity
    f, fs = clamped_force(m, u, gain * x + m.theta[b] + m.theta[b + 1] * length + m.theta[b + 2] * velocity)
    return (m.theta[b + 2] + m.theta[k + 2] * x) * fs, fs, x, slope, a, da, n


@serves("implicitfast")
@ti.func
def actuator_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD minus h times the actuators' velocity slopes."""
    h = m.opt[TIMESTEP]
    for u in range(m.dims[NU]):
        s, fs, x, slope, a, da, n = actuator_slope(m, d, w, u)
        gear = m.dims[T_GEAR] + 6 * u
        for k in range(n):
            diagonal = diagonal_at(m, w, da + k)
            for i in range(k + 1):
                e = diagonal - i
                d.MhD[e] = d.MhD[e] - h * s * m.theta[gear + k] * m.theta[gear + k - i]


@ti.func
def factor_implicit(m: ti.template(), d: ti.template(), w: ti.i32):
    """Factor M + h D."""
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    o = w * m.dims[NM]
    copy_blocks(m, d.MhD, o >> 2, d.M, o >> 2, m.dims[NM] >> 2)
    for j in range(nv):
        e = diagonal_at(m, w, j)
        d.MhD[e] = d.MhD[e] + h * m.theta[m.dims[T_DAMPING] + j]
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        actuator_slopes(m, d, w)
        factor_lone(m, d, w)
    factor(m, d.MhD, o, m.dof_i, 0, NDI)


@ti.func
def solve_implicit(m: ti.template(), d: ti.template(), w: ti.i32, xo: ti.i32, transposed: ti.i32):
    solve(m, d.MhD, w * m.dims[NM], m.dof_i, 0, NDI, d.dofr, xo)
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        solve_lone(m, d, w, xo, transposed)


@ti.func
def effective_acceleration(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32, force: ti.i32):
    """QACC_EFF: what the velocity update uses; expects QACC or, with `implicit`, M and M QACC in the column `force`."""
    nv = m.dims[NV]
    o = w * nv * NQR
    source = QACC
    if implicit:
        source = force
    for i in range(nv):
        d.dofr[o + QACC_EFF * nv + i] = d.dofr[o + source * nv + i]
    if implicit:
        factor_implicit(m, d, w)
        solve_implicit(m, d, w, o + QACC_EFF * nv, 0)


@ti.func
def damping_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds h mu^T dD a_eff: damping and, for implicitfast, what the actuators' velocity slopes depend on."""
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    o = w * nv * NQR
    th = w * m.dims[NTHETA]
    for i in range(nv):
        k = th + m.dims[T_DAMPING] + i
        g.theta_bar[k] = g.theta_bar[k] + h * d.dofr[o + MU * nv + i] * d.dofr[o + QACC_EFF * nv + i]
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        lone_vjp(m, d, g, w)
        actuator_slopes_vjp(m, d, g, w)


@serves("implicitfast")
@ti.func
def actuator_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    o = w * nv * NQR
    th = w * m.dims[NTHETA]
    for u in range(m.dims[NU]):
        s, fs, x, slope, a, da, n = actuator_slope(m, d, w, u)
        gear = m.dims[T_GEAR] + 6 * u
        gm = real(0.0)
        ga = real(0.0)
        for k in range(n):
            gm = gm + m.theta[gear + k] * d.dofr[o + MU * nv + da + k]
            ga = ga + m.theta[gear + k] * d.dofr[o + QACC_EFF * nv + da + k]
        s_bar = -h * gm * ga * fs
        kb = th + m.dims[T_BIAS] + 3 * u + 2
        kg = th + m.dims[T_GAIN] + 3 * u + 2
        g.theta_bar[kb] = g.theta_bar[kb] + s_bar
        g.theta_bar[kg] = g.theta_bar[kg] + s_bar * x
        x_bar = s_bar * m.theta[m.dims[T_GAIN] + 3 * u + 2]
        if a >= 0:
            g.act_bar[a] = g.act_bar[a] + x_bar
        else:
            g.ctrl_bar[w * m.dims[NU] + u] = g.ctrl_bar[w * m.dims[NU] + u] + x_bar * slope
        for k in range(n):
            i = th + gear + k
            g.theta_bar[i] = g.theta_bar[i] - h * s * (
                d.dofr[o + MU * nv + da + k] * ga + d.dofr[o + QACC_EFF * nv + da + k] * gm
            )
