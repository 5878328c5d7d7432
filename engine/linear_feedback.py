"""The part LINEAR of a controller: u = clip(u0 + K (x* - x), lo, hi), gains constant or a row for every few steps.

x* - x lies in the tangent space: (dq, dv, dact) with dq = log(q^-1 q*) for the quaternions of ball and free joints (a
rotation vector in the joint's own axes, as in `linearize`). P holds row after row K (nu x nx), x* = (qpos, qvel, act),
u0, and behind the last row lo and hi, which count for the controls whose integer is not 0; nx = 2 nv + na.
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import read_quat
from engine.math.quat import jr_inverse_transpose, quat_log, quat_mul
from engine.math.types import vec3, vec4
from engine.model.coordinates import QUATERNION


@ti.func
def rotation_between(d: ti.template(), c: ti.template(), i: ti.i32, k: ti.i32):
    """log(q^-1 q*), rad: q at qpos[i:], q* at params[k:]; the shorter way round."""
    x = read_quat(d.qpos, i)
    return quat_log(quat_mul(vec4(x[0], -x[1], -x[2], -x[3]), read_quat(c.params, k)))


@ti.func
def linear(m: ti.template(), d: ti.template(), c: ti.template(), w: ti.i32, o: ti.i32, p0: ti.i32, i0: ti.i32,
           row: ti.i32, rows: ti.i32):  # fmt: skip
    """x* - x, the controls before and after clipping into scratch[o:]; returns where the last ones begin."""
    nu = m.nu
    nq = m.nq
    nv = m.nv
    na = m.na
    nx = 2 * nv + na
    width = nu * (nx + 1) + nq + nv + na
    p = p0 + row * width
    goal = p + nu * nx
    for j in range(m.ncoord):
        q = m.coord_qposadr[j]
        v = m.coord_dofadr[j]
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                phi = rotation_between(d, c, w * nq + q, goal + q)
                for k in ti.static(range(3)):
                    c.scratch[o + v + k] = phi[k]
        else:
            c.scratch[o + v] = c.params[goal + q] - d.qpos[w * nq + q]
    for k in range(nv):
        c.scratch[o + nv + k] = c.params[goal + nq + k] - d.qvel[w * nv + k]
    for k in range(na):
        c.scratch[o + 2 * nv + k] = c.params[goal + nq + nv + k] - d.act[w * na + k]
    for i in range(nu):
        u = c.params[goal + nq + nv + na + i]
        for k in range(nx):
            u = u + c.params[p + i * nx + k] * c.scratch[o + k]
        c.scratch[o + nx + i] = u
        lo = c.params[p0 + rows * width + i]
        hi = c.params[p0 + rows * width + nu + i]
        if c.ints[i0 + i] != 0:
            u = ti.min(ti.max(u, lo), hi)
        c.scratch[o + nx + nu + i] = u
    return o + nx + nu


@ti.func
def linear_vjp(m: ti.template(), d: ti.template(), c: ti.template(), g: ti.template(), w: ti.i32, o: ti.i32,
               p0: ti.i32, i0: ti.i32, pb0: ti.i32, row: ti.i32, rows: ti.i32, b: ti.i32):  # fmt: skip
    """From the adjoint of the clipped controls at g.scratch_bar[b + nx + nu:] to params_bar and the state's adjoints.

    g.scratch_bar[b:] is laid out as scratch[o:], which `linear` has filled.
    """
    nu = m.nu
    nq = m.nq
    nv = m.nv
    na = m.na
    nx = 2 * nv + na
    width = nu * (nx + 1) + nq + nv + na
    p = p0 + row * width
    pb = pb0 + row * width
    goal = p + nu * nx
    goalb = pb + nu * nx
    for k in range(nx):
        g.scratch_bar[b + k] = 0.0
    for i in range(nu):
        u_bar = g.scratch_bar[b + nx + nu + i]
        u = c.scratch[o + nx + i]
        end = rows * width + i
        lo = c.params[p0 + end]
        hi = c.params[p0 + end + nu]
        limited = c.ints[i0 + i] != 0
        if limited and u < lo:
            g.params_bar[pb0 + end] = g.params_bar[pb0 + end] + u_bar
        elif limited and u > hi:
            g.params_bar[pb0 + end + nu] = g.params_bar[pb0 + end + nu] + u_bar
        else:
            k0 = goalb + nq + nv + na + i
            g.params_bar[k0] = g.params_bar[k0] + u_bar
            for k in range(nx):
                g.params_bar[pb + i * nx + k] = g.params_bar[pb + i * nx + k] + u_bar * c.scratch[o + k]
                g.scratch_bar[b + k] = g.scratch_bar[b + k] + u_bar * c.params[p + i * nx + k]
    for k in range(nv):
        x_bar = g.scratch_bar[b + nv + k]
        g.params_bar[goalb + nq + k] = g.params_bar[goalb + nq + k] + x_bar
        g.qvel_bar[w * nv + k] = g.qvel_bar[w * nv + k] - x_bar
    for k in range(na):
        x_bar = g.scratch_bar[b + 2 * nv + k]
        g.params_bar[goalb + nq + nv + k] = g.params_bar[goalb + nq + nv + k] + x_bar
        g.act_bar[w * na + k] = g.act_bar[w * na + k] - x_bar
    for j in range(m.ncoord):
        q = m.coord_qposadr[j]
        v = m.coord_dofadr[j]
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                rotation_vjp(d, c, g, w * nq + q, goal + q, b + v, goalb + q, w * nv + v)
        else:
            x_bar = g.scratch_bar[b + v]
            g.params_bar[goalb + q] = g.params_bar[goalb + q] + x_bar
            g.qpos_bar[w * nv + v] = g.qpos_bar[w * nv + v] - x_bar


@ti.func
def rotation_vjp(d: ti.template(), c: ti.template(), g: ti.template(), i: ti.i32, k: ti.i32, b: ti.i32, kb: ti.i32,
                 v: ti.i32):  # fmt: skip
    """The adjoint of `rotation_between`, at g.scratch_bar[b:], to qpos_bar[v:] (tangent) and params_bar[kb:] (q*).

    Turning q by e in its own axes changes phi by -J_r(-phi)^-1 e, turning q* by J_r(phi)^-1 e. In coordinates of q*,
    which may have any length: 2 q* (0, e_bar) / |q*|^2.
    """
    phi = rotation_between(d, c, i, k)
    bar = vec3(g.scratch_bar[b], g.scratch_bar[b + 1], g.scratch_bar[b + 2])
    q_bar = jr_inverse_transpose(-phi, bar)
    goal_bar = jr_inverse_transpose(phi, bar)
    y = vec4(c.params[k], c.params[k + 1], c.params[k + 2], c.params[k + 3])
    y = quat_mul(y, vec4(0.0, goal_bar[0], goal_bar[1], goal_bar[2])) * (
        2.0 / (y[0] * y[0] + y[1] * y[1] + y[2] * y[2] + y[3] * y[3])
    )
    for e in ti.static(range(3)):
        g.qpos_bar[v + e] = g.qpos_bar[v + e] - q_bar[e]
    for e in ti.static(range(4)):
        g.params_bar[kb + e] = g.params_bar[kb + e] + y[e]
