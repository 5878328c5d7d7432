"""Dry friction that falls with speed and grows with load: what it holds with beyond dof_frictionloss.

    B = S exp(-(v / c)^2) + L |sum of gear force|

S: what friction has at rest beyond its own at speed, c: the speed at which that is gone (Stribeck 1902; Armstrong-
Helouvry, Dupont, Canudas de Wit 1994, eq. 5, with the exponent 2). L: the share of what the joint's own actuators
exert, as of gears. A dof of a `residuals.Friction` has these three numbers. B is that of the state in which a step
begins; the row of friction.py then holds with it, so a joint sticks and slides as with any dry friction.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.compiler.stages import outline
from engine.dynamics.activation import clamped_ctrl
from engine.dynamics.actuation import clamped_force
from engine.dynamics.gain_bias import affine, affine_vjp
from engine.math.types import MINVAL, real
from engine.parts import RESIDUAL_FRICTION


@ti.func
def peak(m: ti.template(), c: ti.i32, v: real):
    """exp(-(v / c)^2), and its derivatives by v and c, which is parameter `c`."""
    speed = ti.max(m.residual_prm[c], MINVAL)
    x = v / speed
    e = ti.exp(-x * x)
    return e, -2.0 * x / speed * e, 2.0 * x * x / speed * e


@ti.func
def drive(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """Force of actuator u of a scalar joint, without an activation; its input, gain, length and velocity, and the
    slopes of the ranges of force and control."""
    j = m.actuator_trnid[u]
    gear = m.actuator_gear[u, 0]
    length = gear * d.qpos[w * m.nq + m.jnt_qposadr[j]]
    velocity = gear * d.qvel[w * m.nv + m.jnt_dofadr[j]]
    x, by_ctrl = clamped_ctrl(m, d, w, u)
    gain = affine(m.actuator_gainprm, u, length, velocity)
    f, by_force = clamped_force(m, u, gain * x + affine(m.actuator_biasprm, u, length, velocity))
    return f, x, gain, length, velocity, by_force, by_ctrl


@ti.func
def load_of(m: ti.template(), d: ti.template(), w: ti.i32, first: ti.i32, count: ti.i32):
    """What the actuators residual_int[first : first + count] exert on their joint."""
    load = real(0.0)
    for k in range(count):
        u = m.residual_int[first + k]
        f, x, gain, length, velocity, by_force, by_ctrl = drive(m, d, w, u)
        load = load + m.actuator_gear[u, 0] * f
    return load


@outline("md", "w", when="friction_law")
@ti.func
def rubs(m: ti.template(), d: ti.template(), w: ti.i32):
    """B of all dofs, zero of those without a law. A law has its n dofs, how many drives each one has, and these; of its
    numbers all S come first, then all c, then all L."""
    for i in range(m.nrub):
        d.rub[w, i] = 0.0
    for k in range(m.nresidual):
        if m.residual_kind[k] == RESIDUAL_FRICTION:
            n = m.residual_num[k]
            p = m.residual_prmadr[k]
            a = m.residual_intadr[k]
            first = a + 2 * n
            for i in range(n):
                dof = m.residual_int[a + i]
                count = m.residual_int[a + n + i]
                e, by_v, by_c = peak(m, p + n + i, d.qvel[w * m.nv + dof])
                load = ti.abs(load_of(m, d, w, first, count))
                d.rub[w, dof] = d.rub[w, dof] + m.residual_prm[p + i] * e + m.residual_prm[p + 2 * n + i] * load
                first = first + count


@serves("friction_law")
@ti.func
def clear_rubs(m: ti.template(), g: ti.template(), w: ti.i32):
    for i in range(m.nrub):
        g.rub_bar[w, i] = 0.0


@outline("mdg", "w", when="friction_law")
@ti.func
def rubs_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From g.rub_bar, to which the rows have added, to the state, the controls and the parameters."""
    for k in range(m.nresidual):
        if m.residual_kind[k] == RESIDUAL_FRICTION:
            n = m.residual_num[k]
            p = m.residual_prmadr[k]
            a = m.residual_intadr[k]
            first = a + 2 * n
            for i in range(n):
                dof = m.residual_int[a + i]
                count = m.residual_int[a + n + i]
                bar = g.rub_bar[w, dof]
                size = m.residual_prm[p + i]
                e, by_v, by_c = peak(m, p + n + i, d.qvel[w * m.nv + dof])
                load = load_of(m, d, w, first, count)
                g.qvel_bar[w * m.nv + dof] = g.qvel_bar[w * m.nv + dof] + bar * size * by_v
                g.residual_prm[w, p + i] = g.residual_prm[w, p + i] + bar * e
                if m.residual_prm[p + n + i] > MINVAL:
                    g.residual_prm[w, p + n + i] = g.residual_prm[w, p + n + i] + bar * size * by_c
                g.residual_prm[w, p + 2 * n + i] = g.residual_prm[w, p + 2 * n + i] + bar * ti.abs(load)
                bar = bar * m.residual_prm[p + 2 * n + i] * ti.math.sign(load)
                for j in range(count):
                    drive_vjp(m, d, g, w, m.residual_int[first + j], bar)
                first = first + count


@ti.func
def drive_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, load_bar: real):
    """From the adjoint of the load to what makes the force of actuator u."""
    f, x, gain, length, velocity, by_force, by_ctrl = drive(m, d, w, u)
    gear = m.actuator_gear[u, 0]
    j = m.actuator_trnid[u]
    k = w * m.nv + m.jnt_dofadr[j]
    bar = load_bar * gear * by_force
    g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + bar * gain * by_ctrl
    l_bar, v_bar = affine_vjp(m, g, w, u, length, velocity, bar * x, bar)
    g.qpos_bar[k] = g.qpos_bar[k] + gear * l_bar
    g.qvel_bar[k] = g.qvel_bar[k] + gear * v_bar
    q = d.qpos[w * m.nq + m.jnt_qposadr[j]]
    g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + load_bar * f + l_bar * q + v_bar * d.qvel[k]
