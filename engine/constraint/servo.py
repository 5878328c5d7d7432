"""Actuators as springs and dampers: what of their forces' derivatives the metric of the integrator discrete takes."""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.dynamics.activation import actuator_input
from engine.dynamics.actuator_slope import force_slopes, force_slopes_vjp, let_through
from engine.dynamics.dcmotor import S1, micro_damping
from engine.dynamics.drive_leaves import add_rest
from engine.math.types import real
from engine.model.constants import BALL, FREE, GAIN_DCMOTOR, TRN_TENDON


@ti.func
def counted(x: real):
    """Of max(0, x) the derivative by x, half of it at zero."""
    return 0.5 * (ti.cast(x >= 0, real) + ti.cast(x > 0, real))


@outline("md", "w", when="discrete")
@ti.func
def servos(m: ti.template(), d: ti.template(), w: ti.i32):
    """Of all actuators minus the derivatives of their forces by length and velocity, where they are not negative
    (servo_kp, servo_kv), how far each counts (servo_kp_more, servo_kv_more: what no range of a motor clamps), their
    input and velocity."""
    for u in range(m.nu):
        by_l, by_v, fs, x, slope, a, t, qa, da, n, velocity = force_slopes(m, d, w, u)
        by_l = -fs * by_l
        by_v = -fs * by_v
        if ti.static(has.dcmotor):
            if m.actuator_gaintype[u] == GAIN_DCMOTOR:
                through = let_through(m, d, w, u, t, da)
                by_l = by_l - through * d.motor_wave[w, u]
                by_v = by_v + through * micro_damping(m, u)
                d.servo_kp_more[w, u] = through * counted(by_l)
                d.servo_kv_more[w, u] = through * counted(by_v)
        d.servo_kp[w, u] = ti.max(by_l, 0.0)
        d.servo_kv[w, u] = ti.max(by_v, 0.0)
        d.servo_kp_counts[w, u] = fs * counted(by_l)
        d.servo_kv_counts[w, u] = fs * counted(by_v)
        d.servo_input[w, u] = x
        d.servo_velocity[w, u] = velocity


@outline("mdg", "w", when="discrete")
@ti.func
def servos_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints of servo_kp and servo_kv, servo_kp_bar and servo_kv_bar, to gains and inputs."""
    for u in range(m.nu):
        given, slope, a = actuator_input(m, d, w, u)
        l_bar = -d.servo_kp_counts[w, u] * g.servo_kp_bar[w, u]
        v_bar = -d.servo_kv_counts[w, u] * g.servo_kv_bar[w, u]
        force_slopes_vjp(m, d, g, w, u, l_bar, v_bar, d.servo_input[w, u], slope, a)
        if ti.static(has.dcmotor):
            if m.actuator_gaintype[u] == GAIN_DCMOTOR:
                wave_bar = -d.servo_kp_more[w, u] * g.servo_kp_bar[w, u]
                g.motor_wave_bar[w, u] = g.motor_wave_bar[w, u] + wave_bar
                if ti.static(has.drive_leaf):
                    add_rest(m, g, w, u, S1, d.servo_kv_more[w, u] * g.servo_kv_bar[w, u])


@ti.func
def joint_dofs(m: ti.template(), u: ti.i32):
    """First dof and number of dofs of actuator u, of one that is on no joint, or has an arm, none."""
    first = 0
    n = 0
    if m.actuator_trntype[u] != TRN_TENDON:
        n = 1
        if ti.static(has.arm):
            if m.actuator_arm[u] >= 0:
                n = 0
    if n == 1:
        j = m.actuator_trnid[u]
        first = m.jnt_dofadr[j]
        if m.jnt_type[j] == FREE:
            n = 6
        elif m.jnt_type[j] == BALL:
            n = 3
    return first, n
