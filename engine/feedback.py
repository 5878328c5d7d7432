"""Controllers inside the rollout kernel: parts that add up, with run-time sizes, each beside its adjoint.

Row p of `c.part` is (kind, output, first parameter, first integer, size 1, size 2, 0, 0). A part adds to the control,
or to the target of the next PD part, which uses it up; `size 1` of a PD part is how many of the parts just before it
make its target. Without parts the control is what the host wrote into the trajectory.

    OPEN    u_i += P[t, i]
    SPLINE  u_i += cubic Hermite curve through knots P[k, i], one every `size 2` control steps (Catmull-Rom tangents)
    CPG     u_i += offset_i + amplitude_i sin(omega time + phase_i)            P = omega, amplitude, phase, offset
    PD      u_i += kp_i (target_i - q_i) - kd_i v_i                            P = kp, kd, target
    MLP     u += W_L tanh(... tanh(W_1 o + b_1) ...) + b_L                     o: chosen entries of qpos, qvel, time
    LINEAR  u += clip(u0 + K (x* - x), lo, hi), P a row for every `size 2` control steps        (linear_feedback.py)
    OWN     u += what the user's function `own.act` leaves in scratch                                   (variant.py)
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.variant import own
from engine.dynamics.network import add_qpos_bar, layers, layers_vjp, observation, observation_vjp
from engine.linear_feedback import linear, linear_vjp
from engine.math.types import real
from engine.parts import (
    CPG,
    H_PARAMS,
    H_PARTS,
    H_SCRATCH,
    H_STRIDE,
    LINEAR,
    MLP,
    OPEN,
    OWN,
    PD,
    SPLINE,
    TO_TARGET,
)  # fmt: skip


@ti.func
def spline_weight(x: real, k: ti.i32):
    """Weight of knot k - 1 (k = 0 .. 3) of the Catmull-Rom segment at x in [0, 1]."""
    y = real(0.0)
    if k == 0:
        y = -0.5 * x + x * x - 0.5 * x * x * x
    elif k == 1:
        y = 1.0 - 2.5 * x * x + 1.5 * x * x * x
    elif k == 2:
        y = 0.5 * x + 2.0 * x * x - 1.5 * x * x * x
    else:
        y = -0.5 * x * x + 0.5 * x * x * x
    return y


@ti.func
def knot(i: ti.i32, n: ti.i32):
    return ti.min(ti.max(i, 0), n - 1)


@ti.func
def mlp(m: ti.template(), d: ti.template(), c: ti.template(), w: ti.i32, o: ti.i32, p0: ti.i32, i0: ti.i32):
    """The network's values into scratch[o:], the input first; returns where the output begins."""
    entries = i0 + c.ints[i0] + 2
    for i in range(c.ints[i0 + 1]):
        c.scratch[o + i] = observation(m, d, w, c.ints[entries + 2 * i], c.ints[entries + 2 * i + 1])
    return layers(c.ints, c.params, c.scratch, i0, p0, o)


@ti.func
def act_controller(m: ti.template(), d: ti.template(), c: ti.template(), r: ti.template(), w: ti.i32, nworld: ti.i32,
                   t: ti.i32):  # fmt: skip
    """Control of step t into d.ctrl and the trajectory."""
    nu = m.nu
    out = w * nu
    row = (t * nworld + w) * nu
    if c.ints[H_PARTS] == 0:
        for i in range(nu):
            d.ctrl[out + i] = r.traj_ctrl[row + i]
    elif ti.static(has.part):
        target = w * c.ints[H_SCRATCH]
        for i in range(nu):
            d.ctrl[out + i] = 0.0
            c.scratch[target + i] = 0.0
        for part in range(c.ints[H_PARTS]):
            add_part(m, d, c, w, t, part, target)
        for i in range(nu):
            r.traj_ctrl[row + i] = d.ctrl[out + i]


@serves("part")
@ti.func
def add_part(m: ti.template(), d: ti.template(), c: ti.template(), w: ti.i32, t: ti.i32, part: ti.i32, target: ti.i32):
    nu = m.nu
    kind = c.part_kind[part]
    to_target = c.part_to[part] == TO_TARGET
    p = w * c.ints[H_STRIDE] + c.part_params[part]
    i0 = c.part_ints[part]
    n = c.part_size[part]
    step = c.part_step[part]
    y0 = 0
    if ti.static(has.mlp):
        if kind == MLP:
            y0 = mlp(m, d, c, w, target + nu, p, i0)
    if ti.static(has.linear):
        if kind == LINEAR:
            y0 = linear(m, d, c, w, target + nu, p, i0, ti.min(t // step, n - 1), n)
    if ti.static(has.own):
        if kind == OWN:
            y0 = target + nu
            own.act(m, d, c, w, t, p, i0, y0)
    for i in range(nu):
        u = real(0.0)
        if kind == OPEN:
            if ti.static(has.open):
                u = c.params[p + t * nu + i]
        elif kind == SPLINE:
            if ti.static(has.spline):
                k = t // step
                for e in range(4):
                    u = u + spline_weight((t - k * step) / real(step), e) * c.params[p + knot(k - 1 + e, n) * nu + i]
        elif kind == CPG:
            if ti.static(has.cpg):
                u = c.params[p + 1 + 2 * nu + i] + c.params[p + 1 + i] * ti.sin(
                    c.params[p] * d.time[w] + c.params[p + 1 + nu + i]
                )
        elif kind == PD:
            if ti.static(has.pd):
                goal = c.scratch[target + i] + c.params[p + 2 * nu + i]
                u = c.params[p + i] * (goal - d.qpos[w * m.nq + c.ints[i0 + 2 * i]])
                u = u - c.params[p + nu + i] * d.qvel[w * m.nv + c.ints[i0 + 2 * i + 1]]
                c.scratch[target + i] = 0.0
        else:
            u = c.scratch[y0 + i]
        if to_target:
            c.scratch[target + i] = c.scratch[target + i] + u
        else:
            d.ctrl[w * nu + i] = d.ctrl[w * nu + i] + u


@serves("part")
@ti.func
def act_controller_vjp(m: ti.template(), d: ti.template(), c: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32):
    """From g.ctrl_bar to g.params_bar, g.qpos_bar, g.qvel_bar; d.ctrl does not survive.

    g.scratch_bar: adjoint of the target, of qpos, and of the MLP's values.
    """
    if c.ints[H_PARTS] > 0:
        nu = m.nu
        nq = m.nq
        target = w * c.ints[H_SCRATCH]
        s = w * (c.ints[H_SCRATCH] + nq)
        for i in range(nu + nq):
            g.scratch_bar[s + i] = 0.0
        for k in range(c.ints[H_PARTS]):
            part = c.ints[H_PARTS] - 1 - k
            # the values in scratch once more: the part's own, or for PD its target, made by the parts just before it
            first = part
            end = part + 1
            if c.part_kind[part] == PD:
                first = part - c.part_size[part]
                end = part
                for i in range(nu):
                    c.scratch[target + i] = 0.0
            for again in range(first, end):
                add_part(m, d, c, w, t, again, target)
            add_part_vjp(m, d, c, g, w, t, part, target, s)
        add_qpos_bar(m, d, g, g.scratch_bar, w, s + nu)


@serves("part")
@ti.func
def add_part_vjp(m: ti.template(), d: ti.template(), c: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32,
                 part: ti.i32, target: ti.i32, s: ti.i32):  # fmt: skip
    nu = m.nu
    nq = m.nq
    kind = c.part_kind[part]
    to_target = c.part_to[part] == TO_TARGET
    p = w * c.ints[H_STRIDE] + c.part_params[part]
    pb = w * c.ints[H_PARAMS] + c.part_params[part]
    i0 = c.part_ints[part]
    n = c.part_size[part]
    step = c.part_step[part]
    if ti.static(has.mlp):
        if kind == MLP:
            mlp_vjp(m, d, c, g, w, target + nu, p, pb, i0, s, to_target)
    if ti.static(has.linear or has.own):
        if kind == LINEAR or kind == OWN:
            b = s + nu + nq  # adjoints of the values, laid out as they are
            y = b
            if kind == LINEAR:
                y = b + 2 * m.nv + m.na + nu
            for i in range(nu):
                g.scratch_bar[y + i] = g.ctrl_bar[w * nu + i]
                if to_target:
                    g.scratch_bar[y + i] = g.scratch_bar[s + i]
            if ti.static(has.linear):
                if kind == LINEAR:
                    linear_vjp(m, d, c, g, w, target + nu, p, i0, pb, ti.min(t // step, n - 1), n, b)
            if ti.static(has.own):
                if kind == OWN:
                    own.act_vjp(m, d, c, g, w, t, p, i0, target + nu, pb, s + nu, b)
    for i in range(nu):
        u_bar = g.ctrl_bar[w * nu + i]
        if to_target:
            u_bar = g.scratch_bar[s + i]
        if kind == OPEN:
            if ti.static(has.open):
                k = pb + t * nu + i
                g.params_bar[k] = g.params_bar[k] + u_bar
        elif kind == SPLINE:
            if ti.static(has.spline):
                k = t // step
                for e in range(4):
                    a = pb + knot(k - 1 + e, n) * nu + i
                    g.params_bar[a] = g.params_bar[a] + spline_weight((t - k * step) / real(step), e) * u_bar
        elif kind == CPG:
            if ti.static(has.cpg):
                angle = c.params[p] * d.time[w] + c.params[p + 1 + nu + i]
                slope = u_bar * c.params[p + 1 + i] * ti.cos(angle)
                g.params_bar[pb] = g.params_bar[pb] + slope * d.time[w]
                g.params_bar[pb + 1 + i] = g.params_bar[pb + 1 + i] + u_bar * ti.sin(angle)
                g.params_bar[pb + 1 + nu + i] = g.params_bar[pb + 1 + nu + i] + slope
                g.params_bar[pb + 1 + 2 * nu + i] = g.params_bar[pb + 1 + 2 * nu + i] + u_bar
        elif kind == PD:
            if ti.static(has.pd):
                iq = c.ints[i0 + 2 * i]
                iv = w * m.nv + c.ints[i0 + 2 * i + 1]
                goal = c.scratch[target + i] + c.params[p + 2 * nu + i]
                g.params_bar[pb + i] = g.params_bar[pb + i] + u_bar * (goal - d.qpos[w * nq + iq])
                g.params_bar[pb + nu + i] = g.params_bar[pb + nu + i] - u_bar * d.qvel[iv]
                goal_bar = c.params[p + i] * u_bar
                g.params_bar[pb + 2 * nu + i] = g.params_bar[pb + 2 * nu + i] + goal_bar
                g.scratch_bar[s + i] = goal_bar
                g.scratch_bar[s + nu + iq] = g.scratch_bar[s + nu + iq] - goal_bar
                g.qvel_bar[iv] = g.qvel_bar[iv] - c.params[p + nu + i] * u_bar


@ti.func
def mlp_vjp(m: ti.template(), d: ti.template(), c: ti.template(), g: ti.template(), w: ti.i32, o: ti.i32, p0: ti.i32,
            pb0: ti.i32, i0: ti.i32, s: ti.i32, to_target: ti.i32):  # fmt: skip
    nu = m.nu
    b = s + nu + m.nq  # adjoints of the values, laid out as they are
    y = 0
    for layer in range(c.ints[i0]):
        y = y + c.ints[i0 + 1 + layer]
    for i in range(nu):
        g.scratch_bar[b + y + i] = g.ctrl_bar[w * nu + i]
        if to_target:
            g.scratch_bar[b + y + i] = g.scratch_bar[s + i]
    layers_vjp(c.ints, c.params, c.scratch, g.params_bar, g.scratch_bar, i0, p0, o, pb0, b, y)
    entries = i0 + c.ints[i0] + 2
    for i in range(c.ints[i0 + 1]):
        k = entries + 2 * i
        observation_vjp(m, d, g, g.scratch_bar, w, c.ints[k], c.ints[k + 1], s + nu, g.scratch_bar[b + i])
