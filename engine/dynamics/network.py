"""A small tanh network of entries of the state, and its adjoint: that of controllers (engine/feedback.py) and of
residuals (residual.py), which keep weights and values in arrays of their own.

The integers of a network are the number of layers L, their sizes n_0 .. n_L, then the input's (kind, index) pairs
(engine/parts.py); its parameters, layer after layer, the rows of W and then b.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import read_quat
from engine.math.quat import quat_mul
from engine.math.types import real, vec4
from engine.model.coordinates import QUATERNION
from engine.parts import (
    OBS_COS,
    OBS_COS_QPOS,
    OBS_QPOS,
    OBS_QUAT,
    OBS_QVEL,
    OBS_SIN,
    OBS_SIN_QPOS,
    OBS_UP,
)


@ti.func
def observation(m: ti.template(), d: ti.template(), w: ti.i32, kind: ti.i32, k: ti.i32):
    """An entry of the state, by its kind and index; the clock's index is its period in microseconds.

    A quaternion is seen normalized, as the dynamics sees it, so that its length never matters.
    """
    x = real(0.0)
    if kind == OBS_QPOS:
        x = d.qpos[w * m.nq + k]
    elif kind == OBS_QVEL:
        x = d.qvel[w * m.nv + k]
    elif kind == OBS_SIN:
        x = ti.sin(6.283185307179586e6 * d.time[w] / k)
    elif kind == OBS_COS:
        x = ti.cos(6.283185307179586e6 * d.time[w] / k)
    elif kind == OBS_SIN_QPOS:
        x = ti.sin(d.qpos[w * m.nq + k])
    elif kind == OBS_COS_QPOS:
        x = ti.cos(d.qpos[w * m.nq + k])
    elif kind >= OBS_UP:
        q = read_quat(d.qpos, w * m.nq + k)
        x = 2.0 * (q[1] * q[3] - q[0] * q[2])
        if kind == OBS_UP + 1:
            x = 2.0 * (q[2] * q[3] + q[0] * q[1])
        elif kind == OBS_UP + 2:
            x = 1.0 - 2.0 * (q[1] * q[1] + q[2] * q[2])
    else:
        o = w * m.nq + k
        for e in ti.static(range(4)):
            x = x + d.qpos[o + e] * d.qpos[o + e]
        x = d.qpos[o + kind - OBS_QUAT] / ti.sqrt(x)
    return x


@ti.func
def observation_vjp(m: ti.template(), d: ti.template(), g: ti.template(), bars: ti.template(), w: ti.i32, kind: ti.i32,
                    k: ti.i32, o: ti.i32, bar: real):  # fmt: skip
    """From the adjoint of an entry to that of qpos, in its own coordinates at bars[o:], and of qvel."""
    i = w * m.nq + k
    if kind == OBS_QPOS:
        bars[o + k] = bars[o + k] + bar
    elif kind == OBS_QVEL:
        v = k + w * m.nv
        g.qvel_bar[v] = g.qvel_bar[v] + bar
    elif kind == OBS_SIN_QPOS:
        bars[o + k] = bars[o + k] + bar * ti.cos(d.qpos[i])
    elif kind == OBS_COS_QPOS:
        bars[o + k] = bars[o + k] - bar * ti.sin(d.qpos[i])
    elif kind >= OBS_UP:
        q = read_quat(d.qpos, i)
        y = vec4(-q[2], q[3], -q[0], q[1])
        if kind == OBS_UP + 1:
            y = vec4(q[1], q[0], q[3], q[2])
        elif kind == OBS_UP + 2:
            y = vec4(0.0, -2.0 * q[1], -2.0 * q[2], 0.0)
        for e in ti.static(range(4)):
            bars[o + k + e] = bars[o + k + e] + 2.0 * bar * y[e]
    elif kind >= OBS_QUAT:
        e = o + k + kind - OBS_QUAT
        bars[e] = bars[e] + bar


@ti.func
def layers(ints: ti.template(), params: ti.template(), values: ti.template(), i0: ti.i32, p0: ti.i32, o: ti.i32):
    """Layers' values into values[o:], where those of the input are; returns where the output begins."""
    count = ints[i0]
    x = o
    p = p0
    for layer in range(count):
        n = ints[i0 + 1 + layer]
        rows = ints[i0 + 2 + layer]
        for r in range(rows):
            y = params[p + rows * n + r]
            for k in range(n):
                y = y + params[p + r * n + k] * values[x + k]
            if layer < count - 1:
                y = ti.tanh(y)
            values[x + n + r] = y
        x = x + n
        p = p + rows * (n + 1)
    return x


@ti.func
def layers_vjp(ints: ti.template(), params: ti.template(), values: ti.template(), params_bar: ti.template(),
               bars: ti.template(), i0: ti.i32, p0: ti.i32, o: ti.i32, pb0: ti.i32, b: ti.i32, y: ti.i32):  # fmt: skip
    """From the adjoint of the output at bars[b + y:] to those of the parameters, params_bar[pb0:], and of the input,
    bars[b:], which is laid out as values[o:]. y: where the output begins among the values."""
    count = ints[i0]
    x = y
    p = 0
    for layer in range(count):
        p = p + ints[i0 + 2 + layer] * (ints[i0 + 1 + layer] + 1)
    for k in range(count):
        layer = count - 1 - k
        n = ints[i0 + 1 + layer]
        rows = ints[i0 + 2 + layer]
        p = p - rows * (n + 1)
        for i in range(n):
            bars[b + x - n + i] = 0.0
        for r in range(rows):
            bar = bars[b + x + r]
            if layer < count - 1:
                z = values[o + x + r]
                bar = bar * (1.0 - z * z)
            e = pb0 + p + rows * n + r
            params_bar[e] = params_bar[e] + bar
            for i in range(n):
                e = pb0 + p + r * n + i
                params_bar[e] = params_bar[e] + bar * values[o + x - n + i]
                bars[b + x - n + i] = bars[b + x - n + i] + bar * params[p0 + p + r * n + i]
        x = x - n


@ti.func
def add_qpos_bar(m: ti.template(), d: ti.template(), g: ti.template(), bars: ti.template(), w: ti.i32, o: ti.i32):
    """g.qpos_bar (tangent) gains the adjoint of qpos at bars[o:], 1/2 Im(q* q_bar) for unit quaternions."""
    for j in range(m.ncoord):
        q = m.coord_qposadr[j]
        v = w * m.nv + m.coord_dofadr[j]
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                x = read_quat(d.qpos, w * m.nq + q)
                i = o + q
                bar = vec4(bars[i], bars[i + 1], bars[i + 2], bars[i + 3])
                y = quat_mul(vec4(x[0], -x[1], -x[2], -x[3]), bar)
                for k in ti.static(range(3)):
                    g.qpos_bar[v + k] = g.qpos_bar[v + k] + 0.5 * y[k + 1]
        else:
            g.qpos_bar[v] = g.qpos_bar[v] + bars[o + q]
