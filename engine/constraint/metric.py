"""The metric of the integrator discrete: springs, dampers and servos at the end of the step (MuJoCo documentation,
Computation, "Integrators").

    (M + h D + h^2 K) a = tau - c - h K v + J^T f,      v' = v + h a

D and K: minus the derivatives of the smooth forces by v and q, of each spring, damper and actuator what is not
negative. Those of joints and of a fluid, whose drag alone counts, lie where M has entries: after `metric_terms` d.M is
the metric without tendons and arms (metric_blocks.py), MhD is M, metric_shift is -h K v, metric_diag what the diagonal
has gained, tendons and arms included. M_factored, where the robot has noslip or diagexact, is what MuJoCo factors: of
actuators and tendons it has the diagonal alone. With MuJoCo's solver PGS, which needs that factor, the metric has
nothing of either (bare_metric), and their forces are explicit.

Adjoint of z^T (dK', dD' and their shift), mu^T d(metric) (a_eff - a) and of metric_bar, that of metric_diag, for a
term sigma r^T r of a row r, kappa its shift:

    sigma_bar = (r z)(r a) + (r mu)(r (a_eff - a)) + sum of metric_bar r^2,    kappa_bar = (r z)(r v)
A spring, gain or damping of zero has half of the derivative to the right, which is what a central difference gives;
joint damping, which is never negative, has all of it.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.impedance import is_exact
from engine.constraint.metric_blocks import arm_metric, arm_metric_vjp, tendon_metric, tendon_metric_vjp
from engine.constraint.servo import counted, joint_dofs, servos, servos_vjp
from engine.dynamics.crba import diagonal_at
from engine.dynamics.factor import copy_blocks
from engine.dynamics.implicit import resistance
from engine.dynamics.passive import ball_spring, has_spring, nonlinear_damping, nonlinear_spring
from engine.dynamics.plastic import ball_rest_vjp, spring_rest, spring_rest_vjp
from engine.math.quat import jr_inverse_transpose
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import DISCRETE
from engine.model.coordinates import QUATERNION


@ti.func
def damper_slope(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """b of dof i, whether it counts, and its derivative by v."""
    b = m.dof_damping[i]
    curve = real(0.0)
    if ti.static(has.polynomial):
        _, slope, second = nonlinear_damping(m, d, w, i)
        b = b + slope
        curve = second
    return ti.max(b, 0.0), ti.cast(b >= 0, real), curve


@ti.func
def spring_slope(m: ti.template(), joint: ti.i32, x: real):
    """k of a joint's spring at a stretch x, how far it counts, and its derivative by x."""
    k = m.jnt_stiffness[joint]
    curve = real(0.0)
    if ti.static(has.polynomial):
        more, slope = nonlinear_spring(m, joint, x)
        k = k + more + slope * x
        curve = 2.0 * m.jnt_stiffnesspoly[joint, 0] + 6.0 * m.jnt_stiffnesspoly[joint, 1] * x
    return ti.max(k, 0.0), counted(k), curve


@ti.func
def joint_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """Springs and dampers of joints: d.M and metric_shift gain theirs."""
    nv = m.nv
    h = m.timestep
    for i in range(nv):
        e = diagonal_at(m, w, i)
        b, counts, curve = damper_slope(m, d, w, i)
        d.mass_diag[w, i] = d.M[e]
        d.metric_shift[w, i] = 0.0
        d.untouched[w, i] = 1.0
        d.M[e] = d.M[e] + h * b
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        if has_spring(m, joint):
            q = w * m.nq + m.coord_qposadr[j]
            ref = m.coord_qposadr[j]
            n = 1
            x = real(0.0)
            if m.coord_kind[j] == QUATERNION:
                if ti.static(has.quaternion):
                    x = ball_spring(m, d, w, joint, q, ref).norm()
                    n = 3
            else:
                x = d.qpos[q] - spring_rest(m, d, w, joint, ref)
            k, counts, curve = spring_slope(m, joint, x)
            for i in range(m.coord_dofadr[j], m.coord_dofadr[j] + n):
                e = diagonal_at(m, w, i)
                d.M[e] = d.M[e] + h * h * k
                d.metric_shift[w, i] = d.metric_shift[w, i] - h * k * d.qvel[w * nv + i]


@ti.func
def servo_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """The same of actuators on joints."""
    h = m.timestep
    for u in range(m.nu):
        kp = d.servo_kp[w, u]
        kv = d.servo_kv[w, u]
        velocity = d.servo_velocity[w, u]
        da, n = joint_dofs(m, u)
        if kp + kv > 0:
            for k in range(n):
                c = (h * h * kp + h * kv) * m.actuator_gear[u, k]
                e = diagonal_at(m, w, da + k)
                for i in range(k + 1):
                    d.M[e - i] = d.M[e - i] + c * m.actuator_gear[u, k - i]
                d.metric_shift[w, da + k] = d.metric_shift[w, da + k] - h * kp * velocity * m.actuator_gear[u, k]
                d.untouched[w, da + k] = 0.0


@ti.func
def is_asked(m: ti.template()):
    """Whether anybody asks for M_factored."""
    return m.noslip_iterations > 0 or is_exact(m)


@outline("md", "w", when="backbone")
@ti.func
def keep_factored(m: ti.template(), d: ti.template(), w: ti.i32):
    """M_factored is d.M as it is now."""
    if is_asked(m):
        o = (w * m.nm) >> 2
        copy_blocks(m, d.M_factored, o, d.M, o, m.nm >> 2)


@serves("backbone")
@ti.func
def factored_diagonal(m: ti.template(), d: ti.template(), w: ti.i32):
    """M_factored has the diagonal of all of the metric."""
    if is_asked(m):
        for i in range(m.nv):
            d.M_factored[diagonal_at(m, w, i)] = d.mass_diag[w, i] + d.metric_diag[w, i]


@outline("md", "w", when="discrete")
@ti.func
def metric_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    """The metric; expects M, lengths of tendons, arms, flows, act_rates, and the blocks of constraints, behind which
    its own lie."""
    if m.integrator == DISCRETE:
        o = (w * m.nm) >> 2
        copy_blocks(m, d.MhD, o, d.M, o, m.nm >> 2)
        joint_metric(m, d, w)
        resistance(m, d, w)
        keep_factored(m, d, w)
        if not m.bare_metric:
            servos(m, d, w)
            servo_metric(m, d, w)
        for i in range(m.nv):
            d.metric_diag[w, i] = d.M[diagonal_at(m, w, i)] - d.mass_diag[w, i]
        if not m.bare_metric:
            tendon_metric(m, d, w)
            arm_metric(m, d, w)
        factored_diagonal(m, d, w)


@ti.func
def shift(m: ti.template(), d: ti.template(), w: ti.i32, sign: real):
    """qfrc_smooth gains the shift, which the solver sees and nobody else, or loses it again."""
    for i in range(m.nv):
        d.qfrc_smooth[w, i] = d.qfrc_smooth[w, i] + sign * d.metric_shift[w, i]


# ------------------------------------------------------------------------------------------------ the adjoint


@outline("mdg", "w", when="discrete")
@ti.func
def metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of `metric_terms` but for the fluid's, which is of motions (fluid.py); expects z, mu, metric_bar, and
    a_eff - a in ma."""
    if m.integrator == DISCRETE:
        for u in range(m.nu):
            g.servo_kp_bar[w, u] = 0.0
            g.servo_kv_bar[w, u] = 0.0
        joint_metric_vjp(m, d, g, w)
        if not m.bare_metric:
            servo_metric_vjp(m, d, g, w)
            tendon_metric_vjp(m, d, g, w)
            arm_metric_vjp(m, d, g, w)
            servos_vjp(m, d, g, w)


@ti.func
def products(d: ti.template(), w: ti.i32, i: ti.i32):
    """Of a unit row of dof i sigma_bar and kappa_bar over v."""
    return d.z[w, i] * d.qacc[w, i] + d.mu[w, i] * d.ma[w, i] + d.metric_bar[w, i], d.z[w, i]


@ti.func
def joint_metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    nv = m.nv
    h = m.timestep
    for i in range(nv):
        bar, z = products(d, w, i)
        b, counts, curve = damper_slope(m, d, w, i)
        bar = h * bar * counts
        g.dof_damping[w, i] = g.dof_damping[w, i] + bar
        g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + curve * bar
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        q = w * m.nq + m.coord_qposadr[j]
        ref = m.coord_qposadr[j]
        first = m.coord_dofadr[j]
        n = 1
        x = real(0.0)
        r = vec3(0.0, 0.0, 0.0)
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                r = ball_spring(m, d, w, joint, q, ref)
                x = r.norm()
                n = 3
        else:
            x = d.qpos[q] - spring_rest(m, d, w, joint, ref)
        k, counts, curve = spring_slope(m, joint, x)
        k_bar = real(0.0)
        for i in range(first, first + n):
            bar, z = products(d, w, i)
            k_bar = k_bar + h * h * bar + h * z * d.qvel[w * nv + i]
            g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + h * k * z
        k_bar = k_bar * counts
        g.jnt_stiffness[w, joint] = g.jnt_stiffness[w, joint] + k_bar
        if n == 1:
            g.qpos_bar[w * nv + first] = g.qpos_bar[w * nv + first] + k_bar * curve
            spring_rest_vjp(m, g, w, joint, k_bar * curve)
        else:
            bar = (k_bar * curve / ti.max(x, MINVAL)) * r
            r_bar = jr_inverse_transpose(r, bar)
            ball_rest_vjp(m, d, g, w, joint, r, bar)
            for i in ti.static(range(3)):
                g.qpos_bar[w * nv + first + i] = g.qpos_bar[w * nv + first + i] + r_bar[i]


@ti.func
def servo_metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """That of `servo_metric`."""
    nv = m.nv
    h = m.timestep
    for u in range(m.nu):
        kp = d.servo_kp[w, u]
        kv = d.servo_kv[w, u]
        velocity = d.servo_velocity[w, u]
        da, n = joint_dofs(m, u)
        if n > 0:
            z = real(0.0)
            acc = real(0.0)
            mu = real(0.0)
            more = real(0.0)
            bar = real(0.0)
            for k in range(n):
                i = da + k
                c = m.actuator_gear[u, k]
                z = z + c * d.z[w, i]
                acc = acc + c * d.qacc[w, i]
                mu = mu + c * d.mu[w, i]
                more = more + c * d.ma[w, i]
                bar = bar + c * c * d.metric_bar[w, i]
            bar = bar + z * acc + mu * more
            g.servo_kp_bar[w, u] = h * h * bar + h * z * velocity
            g.servo_kv_bar[w, u] = h * bar
            scale = h * h * kp + h * kv
            for k in range(n):
                i = da + k
                c = m.actuator_gear[u, k]
                c_bar = d.z[w, i] * acc + d.qacc[w, i] * z + d.mu[w, i] * more + d.ma[w, i] * mu
                c_bar = scale * (c_bar + 2.0 * c * d.metric_bar[w, i])
                c_bar = c_bar + h * kp * (d.z[w, i] * velocity + d.qvel[w * nv + i] * z)
                g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] + c_bar
                g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + h * kp * z * c
