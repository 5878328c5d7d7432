"""Tendons: a length L(q), its row J = dL/dq, and what acts along it (MuJoCo documentation, XML reference, "tendon").

    fixed     L = sum of coefficient times coordinate,   J: the coefficients
    spatial   L of a path from site to site (path.py)
    spring    -(k + k1 x + k2 x^2) x, x how far L is outside tendon_lengthspring;   damper -(b + b1 |v| + b2 v^2) v
    armature  M gains armature J^T J, where M has entries (model/tendons.py), qfrc_bias armature J^T (dJ/dt v)
Whoever reads a length, its velocity v = J qvel or J adds to their adjoints, g.ten_length_bar, g.ten_velocity_bar and
g.ten_J_bar; `lengths_vjp`, which comes last, knows what a tendon is made of. T below is J^T J where M has entries.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.dynamics.path import path, path_vjp
from engine.dynamics.path_bias import path_bias, path_bias_vjp
from engine.dynamics.plastic import rest_length, rest_length_vjp
from engine.math.types import real
from engine.model.constants import DISCRETE


@ti.func
def lengths(m: ti.template(), d: ti.template(), w: ti.i32):
    """ten_length, ten_J and ten_velocity."""
    for t in range(m.ntendon):
        first = m.tendon_adr[t]
        end = first + m.tendon_num[t]
        length = real(0.0)
        for k in range(first, end):
            d.ten_J[w, m.wrap_entry[k]] = m.wrap_prm[k]
            length = length + m.wrap_prm[k] * d.qpos[w * m.nq + m.wrap_qposadr[k]]
        d.ten_length[w, t] = length
        if ti.static(has.spatial):
            if m.ten_spannum[t] > 0:
                path(m, d, w, t)
        velocity = real(0.0)
        first = m.ten_J_rowadr[t]
        for e in range(first, first + m.ten_J_rownnz[t]):
            velocity = velocity + d.ten_J[w, e] * d.qvel[w * m.nv + m.ten_J_colind[e]]
        d.ten_velocity[w, t] = velocity


@ti.func
def clear_tendons(m: ti.template(), g: ti.template(), w: ti.i32):
    """No adjoint of any tendon yet."""
    for t in range(m.ntendon):
        g.ten_length_bar[w, t] = 0.0
        g.ten_velocity_bar[w, t] = 0.0
    for e in range(m.nJten):
        g.ten_J_bar[w, e] = 0.0


@ti.func
def lengths_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoints of lengths, velocities and rows to those of q, v, coefficients and pulleys."""
    for t in range(m.ntendon):
        v_bar = g.ten_velocity_bar[w, t]
        first = m.ten_J_rowadr[t]
        for e in range(first, first + m.ten_J_rownnz[t]):
            i = w * m.nv + m.ten_J_colind[e]
            g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + v_bar * d.qvel[i]
            g.qvel_bar[i] = g.qvel_bar[i] + v_bar * d.ten_J[w, e]
        l_bar = g.ten_length_bar[w, t]
        first = m.tendon_adr[t]
        for k in range(first, first + m.tendon_num[t]):
            e = m.wrap_entry[k]
            i = w * m.nv + m.ten_J_colind[e]
            q = d.qpos[w * m.nq + m.wrap_qposadr[k]]
            g.qpos_bar[i] = g.qpos_bar[i] + l_bar * m.wrap_prm[k]
            g.wrap_prm[w, k] = g.wrap_prm[w, k] + l_bar * q + g.ten_J_bar[w, e]
        if ti.static(has.spatial):
            if m.ten_spannum[t] > 0:
                path_vjp(m, d, g, w, t)


# ------------------------------------------------------------------------------------------------ springs, dampers


@ti.func
def tendon_stretch(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """How far the length of tendon t is outside the lengths at which its spring is at rest, and beyond which end."""
    length = d.ten_length[w, t]
    low = rest_length(m, d, w, t, 0)
    high = rest_length(m, d, w, t, 1)
    x = real(0.0)
    end = -1
    if length > high:
        end = 1
        x = length - high
    elif length < low:
        end = 0
        x = length - low
    return x, end


@ti.func
def spring_of(m: ti.template(), t: ti.i32, x: real):
    """Force of tendon t's spring over -x, and minus the force's derivative."""
    k1 = m.tendon_stiffnesspoly[t, 0]
    k2 = m.tendon_stiffnesspoly[t, 1]
    k = m.tendon_stiffness[t] + (k1 + k2 * x) * x
    return k, k + (k1 + 2.0 * k2 * x) * x


@ti.func
def damper_of(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """Force of tendon t's damper over -v, minus the force's derivative, and the derivative of that."""
    v = d.ten_velocity[w, t]
    b1 = m.tendon_dampingpoly[t, 0]
    b2 = 3.0 * m.tendon_dampingpoly[t, 1] * v
    b = m.tendon_damping[t]
    second = 2.0 * b1 * ti.math.sign(v) + 2.0 * b2
    return b + b1 * ti.abs(v) + b2 * v / 3.0, b + 2.0 * b1 * ti.abs(v) + b2 * v, second


@ti.func
def pulls(m: ti.template(), d: ti.template(), w: ti.i32):
    """qfrc_passive gains the forces of springs and dampers."""
    for t in range(m.ntendon):
        x, end = tendon_stretch(m, d, w, t)
        k, slope = spring_of(m, t, x)
        b, damping, second = damper_of(m, d, w, t)
        f = -k * x - b * d.ten_velocity[w, t]
        first = m.ten_J_rowadr[t]
        for e in range(first, first + m.ten_J_rownnz[t]):
            i = m.ten_J_colind[e]
            d.qfrc_passive[w, i] = d.qfrc_passive[w, i] + f * d.ten_J[w, e]


@ti.func
def pulls_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds z^T d(-J^T f) of springs and dampers."""
    for t in range(m.ntendon):
        x, end = tendon_stretch(m, d, w, t)
        k, slope = spring_of(m, t, x)
        b, damping, second = damper_of(m, d, w, t)
        v = d.ten_velocity[w, t]
        f = -k * x - b * v
        y = real(0.0)
        first = m.ten_J_rowadr[t]
        for e in range(first, first + m.ten_J_rownnz[t]):
            z = d.z[w, m.ten_J_colind[e]]
            y = y + z * d.ten_J[w, e]
            g.ten_J_bar[w, e] = g.ten_J_bar[w, e] - f * z
        g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + y * slope * ti.cast(end >= 0, real)
        g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + y * damping
        g.tendon_stiffness[w, t] = g.tendon_stiffness[w, t] + y * x
        g.tendon_damping[w, t] = g.tendon_damping[w, t] + y * v
        if end >= 0:
            rest_length_vjp(m, g, w, t, end, -y * slope)


# ------------------------------------------------------------------------------------------------ along the tree


@ti.func
def add_tree(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, A: ti.template(), a: real):
    """The matrices A, which lie as M does, gain a T in world w."""
    first = m.tendon_pairadr[t]
    for p in range(first, first + m.tendon_pairnum[t]):
        e = w * m.nm + m.couple_at[p]
        A[e] = A[e] + a * d.ten_J[w, m.couple_deep[p]] * d.ten_J[w, m.couple_above[p]]


@ti.func
def tree_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, x: ti.template(),
             y: ti.template(), a: real):  # fmt: skip
    """x^T T y of tendon t; the row gains what a times that asks of it. x, y: vectors over the dofs of all worlds."""
    total = real(0.0)
    first = m.tendon_pairadr[t]
    for p in range(first, first + m.tendon_pairnum[t]):
        i = m.couple_deep[p]
        j = m.couple_above[p]
        k = m.ten_J_colind[i]
        n = m.ten_J_colind[j]
        xy = x[w, k] * y[w, n]
        if i != j:
            xy = xy + x[w, n] * y[w, k]
        total = total + xy * d.ten_J[w, i] * d.ten_J[w, j]
        g.ten_J_bar[w, i] = g.ten_J_bar[w, i] + a * xy * d.ten_J[w, j]
        g.ten_J_bar[w, j] = g.ten_J_bar[w, j] + a * xy * d.ten_J[w, i]
    return total


@ti.func
def pulled_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, a: real):
    """The sum of M_bar T of tendon t; the row gains what a times that asks of it."""
    total = real(0.0)
    if d.nblock[w] + d.nrow[w] > 0:
        first = m.tendon_pairadr[t]
        for p in range(first, first + m.tendon_pairnum[t]):
            i = m.couple_deep[p]
            j = m.couple_above[p]
            bar = d.M_bar[w * m.nm + m.couple_at[p]]
            if i != j:
                bar = 2.0 * bar
            total = total + bar * d.ten_J[w, i] * d.ten_J[w, j]
            g.ten_J_bar[w, i] = g.ten_J_bar[w, i] + a * bar * d.ten_J[w, j]
            g.ten_J_bar[w, j] = g.ten_J_bar[w, j] + a * bar * d.ten_J[w, i]
    return total


@ti.func
def armatures(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """M gains the tendons' armature, and qfrc_bias, with `forces`, what it asks where rows turn."""
    for t in range(m.ntendon):
        if m.tendon_armature[t] != 0:
            add_tree(m, d, w, t, d.M, m.tendon_armature[t])
            if ti.static(has.spatial):
                if forces and m.ten_straight[t]:
                    path_bias(m, d, w, t)


@ti.func
def armatures_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """Adds z^T dM a and, with `implicit`, mu^T dM (a_eff - a), which is in ma."""
    for t in range(m.ntendon):
        a = m.tendon_armature[t]
        bar = tree_vjp(m, d, g, w, t, d.z, d.qacc, a)
        if implicit:
            bar = bar + tree_vjp(m, d, g, w, t, d.mu, d.ma, a)
        if ti.static(has.diagexact):
            if m.diagexact:  # of M (constraint/exact.py)
                bar = bar + pulled_vjp(m, d, g, w, t, a)
        if ti.static(has.discrete):
            if m.integrator == DISCRETE and not m.diagexact:  # of the diagonal of M
                first = m.ten_J_rowadr[t]
                for e in range(first, first + m.ten_J_rownnz[t]):
                    x = d.mass_bar[w, m.ten_J_colind[e]] * d.ten_J[w, e]
                    bar = bar + x * d.ten_J[w, e]
                    g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + 2.0 * a * x
        g.tendon_armature[w, t] = g.tendon_armature[w, t] + bar
        if ti.static(has.spatial):
            if m.ten_straight[t]:
                path_bias_vjp(m, d, g, w, t)


@ti.func
def damping_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """ten_slope: minus the derivative of dampers' forces by the velocity, to which actuators add theirs."""
    for t in range(m.ntendon):
        b, damping, second = damper_of(m, d, w, t)
        d.ten_slope[w, t] = damping


@ti.func
def add_slopes(m: ti.template(), d: ti.template(), w: ti.i32):
    """MhD gains h ten_slope T."""
    for t in range(m.ntendon):
        if d.ten_slope[w, t] != 0:
            add_tree(m, d, w, t, d.MhD, m.timestep * d.ten_slope[w, t])


@ti.func
def add_slopes_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Adds h mu^T d(ten_slope T) a_eff of dampers and rows; ten_slope_bar: the adjoint of ten_slope."""
    h = m.timestep
    for t in range(m.ntendon):
        b, damping, second = damper_of(m, d, w, t)
        bar = h * tree_vjp(m, d, g, w, t, d.mu, d.qacc_eff, h * d.ten_slope[w, t])
        g.tendon_damping[w, t] = g.tendon_damping[w, t] + bar
        g.ten_velocity_bar[w, t] = g.ten_velocity_bar[w, t] + second * bar
        g.ten_slope_bar[w, t] = bar


@outline("mdg", "w implicit", when="tendon")
@ti.func
def tendons_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """The adjoint of all tendons, after what else reads them has added to theirs. Expects a_eff - a in ma."""
    pulls_vjp(m, d, g, w)
    armatures_vjp(m, d, g, w, implicit)
    lengths_vjp(m, d, g, w)
