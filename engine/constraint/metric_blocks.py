"""What tendons and actuators with arms of their own add to the metric of the integrator discrete (metric.py): terms
sigma J^T J over any dofs, a block of the solver that always holds, with D = sigma and aref = -(kappa / sigma) J v.

Of a tendon sigma is ten_scale = h^2 k + h b and kappa is ten_shift = h k, of its spring, its damper and the servos on
it; of an arm those of its own servo.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.block import ALWAYS, METRIC, SCATTERED, is_metric, new_block, write_column
from engine.constraint.servo import counted
from engine.constraint.tendon import on_tendons, tendon_columns
from engine.dynamics.plastic import rest_length_vjp
from engine.dynamics.tendon import damper_of, spring_of, tendon_stretch
from engine.math.index import bounded
from engine.math.types import real, vec3
from engine.model.constants import TRN_TENDON


@ti.func
def write_term(d: ti.template(), c: ti.i32, sigma: real, kappa: real):
    """Block c is the term sigma J^T J with the shift kappa J v."""
    rate = kappa / sigma
    d.con_b[c] = rate
    d.con_bt[c] = rate
    d.con_kp[c] = 0.0
    d.con_imp[c] = 1.0
    d.con_impp[c] = 0.0
    d.con_d[c] = sigma
    d.con_dd[c] = vec3(sigma, 0.0, 0.0)
    d.con_x[c] = 0.0


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
        if m.actuator_trntype[u] == TRN_TENDON:
            t = m.actuator_trnid[u]
            kp = d.servo_kp[w, u]
            kv = d.servo_kv[w, u]
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
                write_term(d, c, scale, d.ten_shift[w, t])


@outline("md", "w", when="arm")
@ti.func
def arm_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """The blocks of actuators with arms; their dofs from the deepest on."""
    h = m.timestep
    for s in range(m.narm):
        u = m.arm_actuator[s]
        kp = d.servo_kp[w, u]
        scale = h * h * kp + h * d.servo_kv[w, u]
        row = (w * m.narm + s) * m.nv
        c = -1
        if scale > 0:
            c = new_block(m, d, w, METRIC - m.ntendon - s, ALWAYS, 1)
        if c >= 0:
            d.con_last1[c] = SCATTERED
            q = c * m.nchain
            for back in range(m.nv):
                i = m.nv - 1 - back
                J = d.arm_J[row + i]
                if J != 0:
                    d.metric_diag[w, i] = d.metric_diag[w, i] + scale * J * J
                    write_column(m, d, w, q, i, vec3(J, 0.0, 0.0))
                    q = q + 1
            d.con_ndof[c] = q - c * m.nchain
            write_term(d, c, scale, h * kp)


@ti.func
def without_metric(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_constraint loses what the blocks of tendons' metric have in it."""
    if ti.static(has.tendon or has.arm):
        for k in range(d.ncon[w], d.nblock[w]):
            c = bounded(w * m.nconmax + k)
            if is_metric(d.con_pair[c]):
                at = c * m.nchain
                for q in range(at, at + d.con_ndof[c]):
                    i = d.chain_dof[q]
                    j = d.con_J[bounded(q)][0]
                    d.qfrc_constraint[w, i] = d.qfrc_constraint[w, i] - j * d.con_force[c][0]


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
            rest_length_vjp(m, g, w, t, side, -x_bar)
        b_bar = h * bar * counted(b)
        g.tendon_damping[w, t] = g.tendon_damping[w, t] + b_bar
        g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + second * b_bar
        # for the actuators on it; nobody else reads these two now
        g.ten_slope_bar[w, t] = bar
        d.ten_slope[w, t] = rate_bar
    for u in range(m.nu):
        if m.actuator_trntype[u] == TRN_TENDON:
            t = m.actuator_trnid[u]
            kp = d.servo_kp[w, u]
            kv = d.servo_kv[w, u]
            bar = g.ten_slope_bar[w, t]
            rate_bar = d.ten_slope[w, t]
            gear = m.actuator_gear[u, 0]
            l_bar = h * h * bar + h * rate_bar
            g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + 2.0 * gear * (kp * l_bar + kv * h * bar)
            g.servo_kp_bar[w, u] = gear * gear * l_bar
            g.servo_kv_bar[w, u] = gear * gear * h * bar


@outline("mdg", "w", when="arm")
@ti.func
def arm_metric_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the terms of arms to gains, velocities and arm_J_bar, which arm.py takes up. They touch their dofs, so mu,
    which is of untouched ones, asks nothing of them."""
    nv = m.nv
    h = m.timestep
    for s in range(m.narm):
        u = m.arm_actuator[s]
        row = (w * m.narm + s) * nv
        kp = d.servo_kp[w, u]
        velocity = d.servo_velocity[w, u]
        z = real(0.0)
        acc = real(0.0)
        bar = real(0.0)
        for k in range(nv):
            J = d.arm_J[row + k]
            z = z + J * d.z[w, k]
            acc = acc + J * d.qacc[w, k]
            bar = bar + J * J * d.metric_bar[w, k]
        bar = bar + z * acc
        g.servo_kp_bar[w, u] = h * h * bar + h * z * velocity
        g.servo_kv_bar[w, u] = h * bar
        scale = h * h * kp + h * d.servo_kv[w, u]
        for k in range(nv):
            J = d.arm_J[row + k]
            J_bar = d.z[w, k] * acc + d.qacc[w, k] * z + 2.0 * J * d.metric_bar[w, k]
            J_bar = scale * J_bar + h * kp * (d.z[w, k] * velocity + d.qvel[w * nv + k] * z)
            g.arm_J_bar[row + k] = g.arm_J_bar[row + k] + J_bar
            g.qvel_bar[w * nv + k] = g.qvel_bar[w * nv + k] + h * kp * z * J
