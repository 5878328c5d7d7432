"""Numerical integration: semi-implicit Euler with implicit joint damping, implicitfast (MuJoCo documentation,
"Numerical integration"), and the position update shared with RK4.

    (M + h D) a_eff = M a         D = diag(damping); implicitfast adds the actuators' velocity derivatives
                                                       and, for lone free bodies, that of the bias (free_body.py)
    v' = v + h a_eff,  q' = q + h v'
Adjoint of the first line: mu = -(M + h D)^-T a_eff_bar,  a_bar = -M mu, and what is left, mu^T dM (a_eff - a) and
h mu^T dD a_eff, goes through rnea_vjp (columns P, Q) and `damping_vjp`.
"""

import taichi as ti

from engine.dynamics.actuation import (
    act_dot_vjp,
    actuator_input,
    clamped_force,
    next_act,
    transmission,
    unwound,
)  # fmt: skip
from engine.dynamics.crba import mass_mul
from engine.dynamics.factor import factor, solve
from engine.dynamics.free_body import factor_lone, lone_vjp, solve_lone
from engine.dynamics.kinematics import read_quat, read_vec
from engine.math.quat import jr_transpose, quat_exp, quat_mul, quat_normalize, rotate
from engine.math.types import real
from engine.model.constants import BALL, EULER, FREE, IMPLICITFAST
from engine.schema import (
    A_ACTADR,
    A_BAR,
    D_PARENT,
    D_RUN,
    EULERDAMP,
    INTEGRATOR,
    J_DOFADR,
    J_QPOSADR,
    J_TYPE,
    M_M,
    M_MH,
    MA,
    MU,
    NA,
    NAI,
    NDI,
    NJI,
    NJNT,
    NMAT,
    NQ,
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
def integrate_pos(m: ti.template(), d: ti.template(), w: ti.i32, v: ti.template(), vo: ti.i32, h: real):
    """qpos = qpos + h v in place; quaternions by the exponential map."""
    for j in range(m.dims[NJNT]):
        t = m.jnt_i[j * NJI + J_TYPE]
        q = w * m.dims[NQ] + m.jnt_i[j * NJI + J_QPOSADR]
        i = vo + m.jnt_i[j * NJI + J_DOFADR]
        if t == FREE:
            for c in ti.static(range(3)):
                d.qpos[q + c] = d.qpos[q + c] + h * v[i + c]
            q = q + 3
            i = i + 3
        if t == FREE or t == BALL:
            x = quat_normalize(quat_mul(read_quat(d.qpos, q), quat_exp(h * read_vec(v, i))))
            for c in ti.static(range(4)):
                d.qpos[q + c] = x[c]
        else:
            d.qpos[q] = d.qpos[q] + h * v[i]


@ti.func
def integrate_pos_vjp(m: ti.template(), w: ti.i32, v: ti.template(), vo: ti.i32, h: real, q_bar: ti.template(),
                      qo: ti.i32, v_bar: ti.template(), vbo: ti.i32):  # fmt: skip
    """In place: q_bar (tangent) from after the update to before it; adds to v_bar."""
    for j in range(m.dims[NJNT]):
        t = m.jnt_i[j * NJI + J_TYPE]
        i = m.jnt_i[j * NJI + J_DOFADR]
        if t == FREE:
            for c in ti.static(range(3)):
                v_bar[vbo + i + c] = v_bar[vbo + i + c] + h * q_bar[qo + i + c]
            i = i + 3
        if t == FREE or t == BALL:
            r = h * read_vec(v, vo + i)
            x = read_vec(q_bar, qo + i)
            y = rotate(quat_exp(r), x)
            z = h * jr_transpose(r, x)
            for c in ti.static(range(3)):
                q_bar[qo + i + c] = y[c]
                v_bar[vbo + i + c] = v_bar[vbo + i + c] + z[c]
        else:
            v_bar[vbo + i] = v_bar[vbo + i] + h * q_bar[qo + i]


@ti.func
def has_implicit(m: ti.template()):
    """Whether the velocity update solves with M + h D."""
    r = 0
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        r = 1
    if m.dims[INTEGRATOR] == EULER and m.dims[EULERDAMP]:
        for i in range(m.dims[NV]):
            if m.theta[m.dims[T_DAMPING] + i] > 0:
                r = 1
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


@ti.func
def factor_implicit(m: ti.template(), d: ti.template(), w: ti.i32):
    """Factor M + h D into M_MH."""
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    om = w * nv * nv * NMAT + M_M * nv * nv
    oh = w * nv * nv * NMAT + M_MH * nv * nv
    for j in range(nv):
        d.mat[oh + j * nv + j] = d.mat[om + j * nv + j] + h * m.theta[m.dims[T_DAMPING] + j]
        i = m.dof_i[j * NDI + D_PARENT]
        while i >= 0:
            d.mat[oh + j * nv + i] = d.mat[om + j * nv + i]
            i = m.dof_i[i * NDI + D_PARENT]
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        for u in range(m.dims[NU]):
            s, fs, x, slope, a, da, n = actuator_slope(m, d, w, u)
            gear = m.dims[T_GEAR] + 6 * u
            for k in range(n):
                for i in range(k + 1):
                    e = oh + (da + k) * nv + da + i
                    d.mat[e] = d.mat[e] - h * s * m.theta[gear + k] * m.theta[gear + i]
        factor_lone(m, d, w)
    factor(d.mat, oh, nv, m.dof_i, D_PARENT, m.dof_i, D_RUN, NDI)


@ti.func
def solve_implicit(m: ti.template(), d: ti.template(), w: ti.i32, xo: ti.i32, transposed: ti.i32):
    nv = m.dims[NV]
    solve(d.mat, w * nv * nv * NMAT + M_MH * nv * nv, nv, m.dof_i, D_PARENT, m.dof_i, D_RUN, NDI, d.dofr, xo)
    if m.dims[INTEGRATOR] == IMPLICITFAST:
        solve_lone(m, d, w, xo, transposed)


@ti.func
def effective_acceleration(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32):
    """QACC_EFF: what the velocity update uses; expects QACC, M and MA = M QACC."""
    nv = m.dims[NV]
    o = w * nv * NQR
    source = QACC
    if implicit:
        source = MA
    for i in range(nv):
        d.dofr[o + QACC_EFF * nv + i] = d.dofr[o + source * nv + i]
    if implicit:
        factor_implicit(m, d, w)
        solve_implicit(m, d, w, o + QACC_EFF * nv, 0)


@ti.func
def advance(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32):
    """Euler and implicitfast: new act, qvel, qpos from QACC and act_dot."""
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    effective_acceleration(m, d, w, implicit)
    for u in range(m.dims[NU]):
        a = m.act_i[u * NAI + A_ACTADR]
        if a >= 0:
            x, sa, sd = next_act(m, d, w, u, w * m.dims[NA] + a, h)
            d.act[w * m.dims[NA] + a] = x
    for i in range(nv):
        d.qvel[w * nv + i] = d.qvel[w * nv + i] + h * d.dofr[w * nv * NQR + QACC_EFF * nv + i]
    integrate_pos(m, d, w, d.qvel, w * nv, h)


@ti.func
def advance_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """From the adjoints after the step (g.qpos_bar, g.qvel_bar, g.act_bar) to A_BAR, MU and the direct parts before it.

    Expects the state before the step, QACC, M and, with `implicit`, QACC_EFF and its factor.
    """
    nv = m.dims[NV]
    h = m.opt[TIMESTEP]
    o = w * nv * NQR
    # the new velocity, which the position update used, in MA (free here)
    for i in range(nv):
        d.dofr[o + MA * nv + i] = d.qvel[w * nv + i] + h * d.dofr[o + QACC_EFF * nv + i]
    integrate_pos_vjp(m, w, d.dofr, o + MA * nv, h, g.qpos_bar, w * nv, g.qvel_bar, w * nv)
    for i in range(nv):
        d.dofr[o + A_BAR * nv + i] = h * g.qvel_bar[w * nv + i]
        d.dofr[o + MU * nv + i] = 0.0
    for u in range(m.dims[NU]):
        k = m.act_i[u * NAI + A_ACTADR]
        if k >= 0:
            a = w * m.dims[NA] + k
            x, sa, sd = next_act(m, d, w, u, a, h)
            bar = g.act_bar[a]
            g.act_bar[a] = bar * sa
            act_dot_vjp(m, d, g, w, u, a, bar * sd)
    if implicit:
        for i in range(nv):
            d.dofr[o + MU * nv + i] = -d.dofr[o + A_BAR * nv + i]
        solve_implicit(m, d, w, o + MU * nv, 1)
        mass_mul(m, d, w, o + MU * nv, o + A_BAR * nv)
        for i in range(nv):
            d.dofr[o + A_BAR * nv + i] = -d.dofr[o + A_BAR * nv + i]
        damping_vjp(m, d, g, w)
    elif m.dims[EULERDAMP]:
        # without any damping there is nothing implicit, but the first bit of it would be
        for i in range(nv):
            d.dofr[o + MU * nv + i] = -d.dofr[o + A_BAR * nv + i]
        factor_implicit(m, d, w)
        solve_implicit(m, d, w, o + MU * nv, 1)
        damping_vjp(m, d, g, w)
        for i in range(nv):
            d.dofr[o + MU * nv + i] = 0.0


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
