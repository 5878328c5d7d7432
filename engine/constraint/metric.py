"""The metric of the integrator discrete: springs, dampers and servos at the end of the step (MuJoCo documentation,
Computation, "Integrators").

    (M + h D + h^2 K) a = tau - c - h K v + J^T f,      v' = v + h a

D and K: minus the derivatives of the smooth forces by v and q, of each spring, damper and actuator what is not
negative. Those of joints and of a fluid lie where M has entries: after `metric_terms` d.M is the metric without
tendons, MhD is M, metric_shift is -h K v, metric_diag what the diagonal has gained, tendons included. Tendons and the
actuators on them add sigma J^T J over any dofs: a block of the solver that always holds, with D = sigma and
aref = -(kappa / sigma) J v (ten_scale sigma = h^2 k + h b, ten_shift kappa = h k).

Adjoint of z^T (dK', dD' and their shift), mu^T d(metric) (a_eff - a) and of metric_bar, that of metric_diag, for a
term sigma r^T r of a row r, kappa its shift:

    sigma_bar = (r z)(r a) + (r mu)(r (a_eff - a)) + sum of metric_bar r^2,    kappa_bar = (r z)(r v)
A spring, gain or damping of zero has half of the derivative to the right, which is what a central difference gives;
joint damping, which is never negative, has all of it.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.block import ALWAYS, METRIC, is_metric, new_block
from engine.constraint.tendon import on_tendons, tendon_columns
from engine.dynamics.activation import act_vjp, actuator_input
from engine.dynamics.actuation import clamped_force
from engine.dynamics.crba import diagonal_at, mass_mul
from engine.dynamics.factor import copy_blocks
from engine.dynamics.free_body import factor_lone, lone_vjp, solve_lone, turned_dof
from engine.dynamics.gain_bias import raw_force
from engine.dynamics.implicit import unlimited
from engine.dynamics.joint_force import force_slope
from engine.dynamics.passive import ball_spring, has_spring, nonlinear_damping, nonlinear_spring
from engine.dynamics.tendon import damper_of, spring_of, tendon_stretch
from engine.dynamics.transmission import ARM, TENDON, transmission
from engine.math.index import bounded
from engine.math.quat import jr_inverse_transpose
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import DISCRETE
from engine.model.coordinates import QUATERNION


@ti.func
def counted(x: real):
    """Of max(0, x) the derivative by x, half of it at zero."""
    return 0.5 * (ti.cast(x >= 0, real) + ti.cast(x > 0, real))


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
def servo(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Of actuator u minus the derivatives of its force by length and velocity, where they are not negative; how far
    each counts; its input, what `actuator_input` says of it, and what it is on (`transmission`). Nothing while its
    force, or the sum on its joint or tendon, is clamped."""
    t, qa, da, n, length, velocity = transmission(m, d, w, u)
    given, slope, a = actuator_input(m, d, w, u)
    force, x, gain = raw_force(m, d, w, u, given, length, velocity)
    f, fs = clamped_force(m, u, force)
    if ti.static(has.actfrc):
        if t != TENDON and t != ARM:
            fs = fs * force_slope(m, d, w, da)
    fs = fs * unlimited(m, d, w, u)
    by_l = -fs * (m.actuator_biasprm[u, 1] + m.actuator_gainprm[u, 1] * x)
    by_v = -fs * (m.actuator_biasprm[u, 2] + m.actuator_gainprm[u, 2] * x)
    return (
        ti.max(by_l, 0.0), ti.max(by_v, 0.0), fs * counted(by_l), fs * counted(by_v), x, slope, a, t, qa, da, n,
        velocity,
    )  # fmt: skip


@ti.func
def servo_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, l_bar: real, v_bar: real,
              x: real, slope: real, a: ti.i32):  # fmt: skip
    """From the adjoints of those two derivatives, before they are clamped, to gains and input."""
    g.actuator_biasprm[w, u, 1] = g.actuator_biasprm[w, u, 1] - l_bar
    g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] - v_bar
    g.actuator_gainprm[w, u, 1] = g.actuator_gainprm[w, u, 1] - l_bar * x
    g.actuator_gainprm[w, u, 2] = g.actuator_gainprm[w, u, 2] - v_bar * x
    bar = -l_bar * m.actuator_gainprm[u, 1] - v_bar * m.actuator_gainprm[u, 2]
    if a < 0:
        g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + bar * slope
    if ti.static(has.activation):
        if a >= 0:
            act_vjp(m, d, g, w, u, a, bar)


@ti.func
def joint_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """Springs, dampers and actuators of joints: d.M and metric_shift gain theirs."""
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
                    x = ball_spring(m, d, q, ref).norm()
                    n = 3
            else:
                x = d.qpos[q] - m.qpos_spring[ref]
            k, counts, curve = spring_slope(m, joint, x)
            for i in range(m.coord_dofadr[j], m.coord_dofadr[j] + n):
                e = diagonal_at(m, w, i)
                d.M[e] = d.M[e] + h * h * k
                d.metric_shift[w, i] = d.metric_shift[w, i] - h * k * d.qvel[w * nv + i]
    for u in range(m.nu):
        kp, kv, kp_counts, kv_counts, x, slope, a, t, qa, da, n, velocity = servo(m, d, w, u)
        if t < TENDON and kp + kv > 0:
            for k in range(n):
                c = (h * h * kp + h * kv) * m.actuator_gear[u, k]
                e = diagonal_at(m, w, da + k)
                for i in range(k + 1):
                    d.M[e - i] = d.M[e - i] + c * m.actuator_gear[u, k - i]
                d.metric_shift[w, da + k] = d.metric_shift[w, da + k] - h * kp * velocity * m.actuator_gear[u, k]
                d.untouched[w, da + k] = 0.0


@outline("md", "w", when="tendon")
@ti.func
def tendon_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """ten_scale, ten_shift and, of tendons that have any, the block."""
    h = m.timestep
    for t in range(m.ntendon):
        stretch, end = tendon_stretch(m, d, w, t)
        force, k = spring_of(m, t, stretch)
        damping, b, second = damper_of(m, d, w, t)
        if end < 0:
            k = 0.0
        d.ten_scale[w, t] = h * h * ti.max(k, 0.0) + h * ti.max(b, 0.0)
        d.ten_shift[w, t] = h * ti.max(k, 0.0)
    for u in range(m.nu):
        kp, kv, kp_counts, kv_counts, x, slope, a, kind, t, da, n, velocity = servo(m, d, w, u)
        if kind == TENDON:
            square = m.actuator_gear[u, 0] * m.actuator_gear[u, 0]
            d.ten_scale[w, t] = d.ten_scale[w, t] + square * (h * h * kp + h * kv)
            d.ten_shift[w, t] = d.ten_shift[w, t] + square * h * kp
    for t in range(m.ntendon):
        scale = d.ten_scale[w, t]
        if scale > 0:
            first = m.ten_J_rowadr[t]
            for e in range(first, first + m.ten_J_rownnz[t]):
                i = m.ten_J_colind[e]
                d.metric_diag[w, i] = d.metric_diag[w, i] + scale * d.ten_J[w, e] * d.ten_J[w, e]
            c = new_block(m, d, w, METRIC - t, ALWAYS, 1)
            if c >= 0:
                on_tendons(m, d, c, t, 1.0, -1, 0.0)
                tendon_columns(m, d, w, c)
                rate = d.ten_shift[w, t] / scale
                d.con_b[c] = rate
                d.con_bt[c] = rate
                d.con_kp[c] = 0.0
                d.con_imp[c] = 1.0
                d.con_impp[c] = 0.0
                d.con_d[c] = scale
                d.con_dd[c] = vec3(scale, 0.0, 0.0)
                d.con_x[c] = 0.0


@outline("md", "w", when="discrete")
@ti.func
def metric_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    """The metric; expects M, lengths of tendons, act_rates, and the blocks of constraints, behind which its own lie."""
    if m.integrator == DISCRETE:
        o = (w * m.nm) >> 2
        copy_blocks(m, d.MhD, o, d.M, o, m.nm >> 2)
        joint_metric(m, d, w)
        for i in range(m.nv):
            d.metric_diag[w, i] = d.M[diagonal_at(m, w, i)] - d.mass_diag[w, i]
        tendon_metric(m, d, w)


@ti.func
def shift(m: ti.template(), d: ti.template(), w: ti.i32, sign: real):
    """qfrc_smooth gains the shift, which the solver sees and nobody else, or loses it again."""
    for i in range(m.nv):
        d.qfrc_smooth[w, i] = d.qfrc_smooth[w, i] + sign * d.metric_shift[w, i]


@ti.func
def without_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_constraint loses what the blocks of tendons' metric have in it."""
    if ti.static(has.tendon):
        for k in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            if is_metric(d.con_pair[c]):
                at = c * m.nchain
                for q in range(at, at + d.con_ndof[c]):
                    i = d.chain_dof[q]
                    j = d.con_J[bounded(q)][0]
                    d.qfrc_constraint[w, i] = d.qfrc_constraint[w, i] - j * d.con_force[c][0]


# ------------------------------------------------------------------------------------------------ lone free bodies


@serves("lone")
@ti.func
def touch(m: ti.template(), d: ti.template(), w: ti.i32):
    """Which dofs no constraint touches; servos have marked theirs."""
    for k in range(d.nrow[w]):
        d.untouched[w, d.row_dof[bounded(w * m.nrowmax + k)]] = 0.0
    if ti.static(has.block):
        for k in range(d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            for q in range(c * m.nchain, c * m.nchain + d.con_ndof[c]):
                d.untouched[w, d.chain_dof[q]] = 0.0


@outline("md", "w", when="discrete")
@ti.func
def turned_acceleration(m: ti.template(), d: ti.template(), w: ti.i32):
    """qacc_eff from qacc: of lone free bodies that nothing touches, whose bias has its slope, too, (metric + h C)^-1
    metric a."""
    for i in range(m.nv):
        d.qacc_eff[w, i] = d.qacc[w, i]
    if ti.static(has.lone):
        touch(m, d, w)
        mass_mul(m, d, w, d.qacc, d.search)
        for j in range(m.njnt):
            first = turned_dof(m, d, w, j)
            if first >= 0:
                for i in range(first, first + 6):
                    d.qacc_eff[w, i] = d.search[w, i]
        factor_lone(m, d, w)
        solve_lone(m, d, w, d.qacc_eff, 0)


@serves("lone")
@ti.func
def turned_acceleration_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From a_bar, there that of a_eff, to mu, a_bar and what the slope depends on. Of the motion U, which sensors have
    read with a_eff, the difference to that of a."""
    for j in range(m.njnt):
        first = turned_dof(m, d, w, j)
        if first >= 0:
            for i in range(first, first + 6):
                d.mu[w, i] = -d.a_bar[w, i]
    solve_lone(m, d, w, d.mu, 1)
    mass_mul(m, d, w, d.mu, d.search)
    for j in range(m.njnt):
        first = turned_dof(m, d, w, j)
        if first >= 0:
            ang = vec3(0.0, 0.0, 0.0)
            lin = vec3(0.0, 0.0, 0.0)
            for b in range(m.jnt_bodyid[j], m.nbody):
                if m.body_rootid[b] != m.jnt_bodyid[j]:
                    break
                o = bounded(w * m.nbody + b)
                ang = ang + g.u_ang[o]
                lin = lin + g.u_lin[o]
            for i in range(first, first + 6):
                d.a_bar[w, i] = -d.search[w, i]
                s = bounded(w * m.nv + i)
                more = d.qacc_eff[w, i] - d.qacc[w, i]
                g.axis_ang[s] = g.axis_ang[s] + more * ang
                g.axis_lin[s] = g.axis_lin[s] + more * lin
    lone_vjp(m, d, g, w)


# ------------------------------------------------------------------------------------------------ the adjoint


@outline("mdg", "w", when="discrete")
@ti.func
def metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of `metric_terms`; expects z, mu, metric_bar, and a_eff - a in ma."""
    if m.integrator == DISCRETE:
        joint_metric_vjp(m, d, g, w)
        servo_metric_vjp(m, d, g, w)
        tendon_metric_vjp(m, d, g, w)


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
                r = ball_spring(m, d, q, ref)
                x = r.norm()
                n = 3
        else:
            x = d.qpos[q] - m.qpos_spring[ref]
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
        else:
            r_bar = jr_inverse_transpose(r, (k_bar * curve / ti.max(x, MINVAL)) * r)
            for i in ti.static(range(3)):
                g.qpos_bar[w * nv + first + i] = g.qpos_bar[w * nv + first + i] + r_bar[i]


@ti.func
def servo_metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """What `joint_metric` makes of actuators."""
    nv = m.nv
    h = m.timestep
    for u in range(m.nu):
        kp, kv, kp_counts, kv_counts, x, slope, a, t, qa, da, n, velocity = servo(m, d, w, u)
        if t < TENDON:
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
            servo_vjp(
                m, d, g, w, u, kp_counts * (h * h * bar + h * z * velocity), kv_counts * h * bar, x, slope, a
            )
            scale = h * h * kp + h * kv
            for k in range(n):
                i = da + k
                c = m.actuator_gear[u, k]
                c_bar = d.z[w, i] * acc + d.qacc[w, i] * z + d.mu[w, i] * more + d.ma[w, i] * mu
                c_bar = scale * (c_bar + 2.0 * c * d.metric_bar[w, i])
                c_bar = c_bar + h * kp * (d.z[w, i] * velocity + d.qvel[w * nv + i] * z)
                g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] + c_bar
                g.qvel_bar[w * nv + i] = g.qvel_bar[w * nv + i] + h * kp * z * c


@outline("mdg", "w", when="tendon")
@ti.func
def tendon_metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    h = m.timestep
    for t in range(m.ntendon):
        z = real(0.0)
        acc = real(0.0)
        mu = real(0.0)
        more = real(0.0)
        bar = real(0.0)
        first = m.ten_J_rowadr[t]
        end = first + m.ten_J_rownnz[t]
        for e in range(first, end):
            i = m.ten_J_colind[e]
            c = d.ten_J[w, e]
            z = z + c * d.z[w, i]
            acc = acc + c * d.qacc[w, i]
            mu = mu + c * d.mu[w, i]
            more = more + c * d.ma[w, i]
            bar = bar + c * c * d.metric_bar[w, i]
        bar = bar + z * acc + mu * more
        rate_bar = z * d.ten_velocity[w, t]
        scale = d.ten_scale[w, t]
        rate = d.ten_shift[w, t]
        for e in range(first, end):
            i = m.ten_J_colind[e]
            c_bar = d.z[w, i] * acc + d.qacc[w, i] * z + d.mu[w, i] * more + d.ma[w, i] * mu
            c_bar = scale * (c_bar + 2.0 * d.ten_J[w, e] * d.metric_bar[w, i])
            g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + c_bar + rate * d.z[w, i] * d.ten_velocity[w, t]
        g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + rate * z
        stretch, side = tendon_stretch(m, d, w, t)
        force, k = spring_of(m, t, stretch)
        damping, b, second = damper_of(m, d, w, t)
        if side >= 0:
            k_bar = (h * h * bar + h * rate_bar) * counted(k)
            x_bar = k_bar * (2.0 * m.tendon_stiffnesspoly[t, 0] + 6.0 * m.tendon_stiffnesspoly[t, 1] * stretch)
            g.tendon_stiffness[w, t] = g.tendon_stiffness[w, t] + k_bar
            g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + x_bar
            g.tendon_lengthspring[w, t, side] = g.tendon_lengthspring[w, t, side] - x_bar
        b_bar = h * bar * counted(b)
        g.tendon_damping[w, t] = g.tendon_damping[w, t] + b_bar
        g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + second * b_bar
        # for the actuators on it; nobody else reads these two now
        g.ten_slope_bar[w, t] = bar
        d.ten_slope[w, t] = rate_bar
    for u in range(m.nu):
        kp, kv, kp_counts, kv_counts, x, slope, a, kind, t, da, n, velocity = servo(m, d, w, u)
        if kind == TENDON:
            bar = g.ten_slope_bar[w, t]
            rate_bar = d.ten_slope[w, t]
            gear = m.actuator_gear[u, 0]
            l_bar = h * h * bar + h * rate_bar
            g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + 2.0 * gear * (kp * l_bar + kv * h * bar)
            servo_vjp(
                m, d, g, w, u, kp_counts * gear * gear * l_bar, kv_counts * gear * gear * h * bar, x, slope, a
            )
