"""Orientation servos, of a ball joint and between sites (MuJoCo documentation, XML reference, "orientation").

A servo is three actuators, one for each axis of what turns, with the lengths l = log(q) and velocities v; with the
control of a quaternion there is a fourth one behind them, without a force.
    e = log(exp(l)^-1 p),      f = kp e + b - kv v,      |f| no greater than the forcerange
p is what the controls or the states of these actuators stand for: exp(c) of three, c / |c| of the four of a quaternion.
After a step states c beyond half a turn are the same orientation within it,
    c - 2 pi n c / |c|,      n: |c| in whole turns, rounded.

Adjoint: a turn t of p and one s of q about their own axes change e by Jr(e)^-1 t and -Jr(-e)^-1 s (math/quat.py). Where
there is no one derivative it is that of the branch that MuJoCo takes: at an error of half a turn that of the side which
e is on, at a force just as great as its range that of the force within, and a quaternion of zeros, which stands for no
turn, has none.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.dynamics.activation import act_vjp, actuator_input, next_act
from engine.dynamics.transmission import drive_length_vjp, drive_velocity_vjp, transmission
from engine.math.quat import jr_inverse_transpose, jr_transpose, quat_exp, quat_log, quat_mul, quat_normalize, shortest
from engine.math.types import MINVAL, vec3, vec4


@ti.func
def three(x: ti.template(), w: ti.i32, u: ti.i32):
    """Numbers of actuators u to u + 2."""
    return vec3(x[w, u], x[w, u + 1], x[w, u + 2])


@ti.func
def add_three(x: ti.template(), w: ti.i32, u: ti.i32, y: vec3):
    for k in ti.static(range(3)):
        x[w, u + k] = x[w, u + k] + y[k]


@ti.func
def of_quaternion(d: ti.template(), w: ti.i32, u: ti.i32):
    """The four inputs of servo u."""
    x = three(d.so3_input, w, u)
    return vec4(x[0], x[1], x[2], d.so3_input[w, u + 3])


@ti.func
def target(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    """The orientation that servo u is asked for."""
    p = quat_exp(three(d.so3_input, w, u))
    if m.so3_quat[u]:
        p = quat_normalize(of_quaternion(d, w, u))
    return p


@ti.func
def error(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32):
    q = quat_exp(-three(d.so3_length, w, u))
    return quat_log(quat_mul(q, target(m, d, w, u)))


@ti.func
def free_force(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, e: vec3):
    """f before its range, and how large it is."""
    b = m.actuator_biasprm[u, 0]
    f = m.actuator_gainprm[u, 0] * e + vec3(b, b, b) + m.actuator_biasprm[u, 2] * three(d.so3_velocity, w, u)
    return f, ti.sqrt(f.dot(f))


@serves("so3")
@ti.func
def orientations(m: ti.template(), d: ti.template(), w: ti.i32):
    """so3_force of all servos, and so3_free, 0 where a range clamps it, else 1. MuJoCo compares what it has clamped
    with the range once more for that, where rounding decides. Expects lengths of arms and what actuators are given."""
    for u in range(m.nso3):
        if m.so3_first[u] >= 0:
            given, slope, a = actuator_input(m, d, w, u)
            t, qa, da, n, length, velocity = transmission(m, d, w, u)
            d.so3_input[w, u] = given
            d.so3_length[w, u] = length
            d.so3_velocity[w, u] = velocity
            d.so3_force[w, u] = 0.0
            d.so3_free[w, u] = 1.0
    for u in range(m.nso3):
        if m.so3_first[u] == u:
            f, size = free_force(m, d, w, u, error(m, d, w, u))
            most = m.actuator_forcerange[u, 1]
            if m.actuator_forcelimited[u] and size >= most:
                f = (most / size) * f
                for k in ti.static(range(3)):
                    d.so3_free[w, u + k] = 0.0
            for k in ti.static(range(3)):
                d.so3_force[w, u + k] = f[k]


@serves("so3")
@ti.func
def clear_orientations(m: ti.template(), g: ti.template(), w: ti.i32):
    """No adjoint of servos yet."""
    for u in range(m.nso3):
        for x in ti.static((g.so3_force_bar, g.so3_input_bar, g.so3_length_bar, g.so3_velocity_bar)):
            x[w, u] = 0.0


@serves("so3")
@ti.func
def torque_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32):
    """From the adjoint of the force of servo u to its inputs, lengths, velocities and parameters."""
    e = error(m, d, w, u)
    f, size = free_force(m, d, w, u, e)
    f_bar = three(g.so3_force_bar, w, u)
    most = m.actuator_forcerange[u, 1]
    if m.actuator_forcelimited[u] and size > most:
        f_bar = (most / size) * (f_bar - (f.dot(f_bar) / (size * size)) * f)
    v = three(d.so3_velocity, w, u)
    g.actuator_gainprm[w, u, 0] = g.actuator_gainprm[w, u, 0] + e.dot(f_bar)
    g.actuator_biasprm[w, u, 0] = g.actuator_biasprm[w, u, 0] + f_bar[0] + f_bar[1] + f_bar[2]
    g.actuator_biasprm[w, u, 2] = g.actuator_biasprm[w, u, 2] + v.dot(f_bar)
    add_three(g.so3_velocity_bar, w, u, m.actuator_biasprm[u, 2] * f_bar)
    e_bar = m.actuator_gainprm[u, 0] * f_bar
    q_bar = -jr_inverse_transpose(-e, e_bar)
    p_bar = jr_inverse_transpose(e, e_bar)
    add_three(g.so3_length_bar, w, u, jr_transpose(three(d.so3_length, w, u), q_bar))
    if m.so3_quat[u]:
        c = of_quaternion(d, w, u)
        size = ti.sqrt(c.dot(c))
        if size > MINVAL:
            c_bar = (2.0 / (size * size)) * quat_mul(c, vec4(0.0, p_bar[0], p_bar[1], p_bar[2]))
            for k in ti.static(range(4)):
                g.so3_input_bar[w, u + k] = c_bar[k]
    else:
        add_three(g.so3_input_bar, w, u, jr_transpose(three(d.so3_input, w, u), p_bar))


@outline("mdg", "w", when="so3")
@ti.func
def orientations_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints of so3_force, and those that sensors have added to of so3_length and so3_velocity, to states,
    controls, lengths, velocities and parameters."""
    for u in range(m.nso3):
        if m.so3_first[u] == u:
            torque_vjp(m, d, g, w, u)
    for u in range(m.nso3):
        if m.so3_first[u] >= 0:
            t, qa, da, n, length, velocity = transmission(m, d, w, u)
            drive_velocity_vjp(m, d, g, w, u, t, da, n, g.so3_velocity_bar[w, u])
            drive_length_vjp(m, d, g, w, u, t, qa, da, g.so3_length_bar[w, u])
            given, slope, a = actuator_input(m, d, w, u)
            bar = g.so3_input_bar[w, u]
            if a < 0:
                g.ctrl_bar[w * m.nu + u] = g.ctrl_bar[w * m.nu + u] + bar * slope
            if ti.static(has.activation):
                if a >= 0:
                    act_vjp(m, d, g, w, u, a, bar)


@serves("so3")
@ti.func
def within(m: ti.template(), d: ti.template(), w: ti.i32):
    """States of servos after a step, within half a turn."""
    for u in range(m.nso3):
        if m.so3_within[u]:
            a = w * m.na + m.actuator_actadr[u]
            r = vec3(d.act[a], d.act[a + 1], d.act[a + 2])
            x = shortest(r) * r
            for k in ti.static(range(3)):
                d.act[a + k] = x[k]


@outline("mdg", "w", when="so3")
@ti.func
def within_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """g.act_bar, from after `within` to before it. Expects the state before the step, and act_dot."""
    for u in range(m.nso3):
        if m.so3_within[u]:
            a = w * m.na + m.actuator_actadr[u]
            r = vec3(0.0, 0.0, 0.0)
            for k in range(3):
                x, sa, sd = next_act(m, d, w, u + k, a + k, m.timestep)
                for i in ti.static(range(3)):
                    if i == k:
                        r[i] = x
            bar = vec3(g.act_bar[a], g.act_bar[a + 1], g.act_bar[a + 2])
            share = shortest(r)
            if share < 1.0:
                bar = share * bar + ((1.0 - share) * r.dot(bar) / r.dot(r)) * r
            for k in ti.static(range(3)):
                g.act_bar[a + k] = bar[k]
