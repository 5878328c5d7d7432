"""What constraints of the integrator discrete ask of the metric (constraint/metric.py), and the adjoint, of which that
of rows serves exact diagonals, too (exact.py).

diag, that of J M^-1 J^T, becomes that of the metric by the ratio of what their diagonals make of a row j of J,

    ratio = (sum of j_i^2 / (M_ii + S_ii)) / (sum of j_i^2 / M_ii),      D = D without / ratio

(MuJoCo documentation, Computation, "Parameters"). The row is the constraint's own: of a contact with an elliptic cone
the normal's, of one with a pyramid that of its first edge; an equality has a ratio for each of its rows.

Adjoint: with Y the sum of y f of the rows that share a ratio (blocks.py), -Y d(log D) = Y d(ratio) / ratio goes to
the diagonals, in metric_bar (S) and mass_bar (M), and to the row: of lengths to ten_J_bar, of points in space to the
axes of its dofs, axis_ang and axis_lin in g, which `rnea_vjp` takes up, to the point and to the frame.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.compiler.stages import outline
from engine.constraint.block import TWO_SIDED, chain_mul, is_contact, is_equality, is_metric
from engine.constraint.impedance import is_exact
from engine.constraint.rolling import turn_mul, turns
from engine.constraint.surface import surface_slip
from engine.dynamics.kinematics import origin
from engine.math.index import bounded, vector_at
from engine.math.types import real, vec3
from engine.model.constants import DISCRETE


@ti.func
def mix_of(m: ti.template(), d: ti.template(), c: ti.i32, r: ti.i32):
    """The row of block c that its ratio number r is of, as a sum of its three."""
    mix = vec3(ti.cast(r == 0, real), ti.cast(r == 1, real), ti.cast(r == 2, real))
    if is_contact(d.con_pair[c]) and m.cone == 0 and d.con_dim[c] > 1:
        mix[1] = d.con_mu1[c]
    return mix


@ti.func
def sums(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, mix: vec3):
    """The two sums of a ratio."""
    soft = real(0.0)
    bare = real(0.0)
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        i = d.chain_dof[q]
        x = mix.dot(d.con_J[vector_at(q)])
        bare = bare + x * x / d.mass_diag[w, i]
        soft = soft + x * x / (d.mass_diag[w, i] + d.metric_diag[w, i])
    return soft, bare


@ti.func
def ratio_of(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, r: ti.i32):
    soft, bare = sums(m, d, w, c, mix_of(m, d, c, r))
    ratio = real(1.0)
    if bare > 0:
        ratio = soft / bare
    return ratio


@serves("block")
@ti.func
def block_ratios(m: ti.template(), d: ti.template(), w: ti.i32):
    for k in range(d.nblock[w]):
        c = bounded(w * m.nconmax + k)
        if not is_metric(d.con_pair[c]):
            D = d.con_d[c]
            d.con_vel[c] = chain_mul(m, d, w, c, d.qvel)
            if is_exact(m):
                continue
            if is_equality(d.con_pair[c]):
                x = ratio_of(m, d, w, c, 0)
                y = ratio_of(m, d, w, c, 1)
                d.con_dd[c] = vec3(D / x, D / y, D / ratio_of(m, d, w, c, 2))
            else:
                d.con_d[c] = D / ratio_of(m, d, w, c, 0)
    if ti.static(has.surface):
        for k in range(d.ncon[w]):
            c = bounded(w * m.nconmax + k)
            slip, spin = surface_slip(m, d, w, c)
            d.con_vel[c] = d.con_vel[c] + slip


@outline("md", "w", when="discrete")
@ti.func
def metric_ratios(m: ti.template(), d: ti.template(), w: ti.i32):
    """D of all rows and blocks, whose Jacobians are there, in the metric."""
    if m.integrator == DISCRETE:
        for k in range(d.nrow[w]):
            i = bounded(w * m.nrowmax + k)
            dof = d.row_dof[i]
            M = d.mass_diag[w, dof]
            if not is_exact(m):
                d.row_d[i] = d.row_d[i] * (M + d.metric_diag[w, dof]) / M
            d.row_aref[i] = (
                -d.row_b[i] * d.row_sign[i] * d.qvel[w * m.nv + dof] - d.row_kp[i] * d.row_imp[i] * d.row_dist[i]
            )
        block_ratios(m, d, w)


# ------------------------------------------------------------------------------------------------ the adjoint


@ti.func
def follows_diagonal(m: ti.template()):
    """Whether D follows the inertia of the state, by a ratio or exactly (exact.py)."""
    return m.integrator == DISCRETE or is_exact(m)


@outline("mdg", "w", when="diagonal")
@ti.func
def clear_diagonals(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """No adjoint of any diagonal or axis yet."""
    if follows_diagonal(m):
        for i in range(m.nv):
            if ti.static(has.discrete):
                if m.integrator == DISCRETE:
                    d.metric_bar[w, i] = 0.0
                    d.mass_bar[w, i] = 0.0
            k = bounded(w * m.nv + i)
            g.axis_ang[k] = vec3(0.0, 0.0, 0.0)
            g.axis_lin[k] = vec3(0.0, 0.0, 0.0)


@ti.func
def diagonal_bars(d: ti.template(), w: ti.i32, i: ti.i32, j: real, soft: real, bare: real, bar: real):
    """Of an entry j of a row at dof i, from the adjoint of the logarithm of its ratio: that of j; adds those of the
    diagonals."""
    M = d.mass_diag[w, i]
    all_ = M + d.metric_diag[w, i]
    x = j * j * bar
    d.metric_bar[w, i] = d.metric_bar[w, i] - x / (soft * all_ * all_)
    d.mass_bar[w, i] = d.mass_bar[w, i] - x / (soft * all_ * all_) + x / (bare * M * M)
    return 2.0 * j * bar * (1.0 / (soft * all_) - 1.0 / (bare * M))


@ti.func
def along(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """y f of block c, row by row."""
    y = chain_mul(m, d, w, c, d.z) - d.con_fbar[c]
    x = y * d.con_force[c]
    if not is_equality(d.con_pair[c]):
        x = vec3(x.sum(), 0.0, 0.0)
        if ti.static(has.tendon):
            if d.con_law[c] == TWO_SIDED and d.con_zone[c] > 1:  # dry friction that slides, whatever D is
                x = vec3(0.0, 0.0, 0.0)
        if ti.static(has.rolling):
            if turns(d, c):
                x[0] = x[0] + (turn_mul(m, d, w, c, d.z) - d.turn_fbar[c]).dot(d.turn_force[c])
    return x


@outline("mdg", "w c", when="discrete")
@ti.func
def block_ratio_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From block c's forces to the diagonals; leaves the adjoint of its columns in chain_bar. Nothing where the flag
    diagexact has it there."""
    if not is_exact(m):
        bars = along(m, d, w, c)
        at = c * m.nchain
        for q in range(at, at + d.con_ndof[c]):
            d.chain_bar[vector_at(q)] = vec3(0.0, 0.0, 0.0)
        for r in range(3):
            if bars[r] != 0:
                mix = mix_of(m, d, c, r)
                soft, bare = sums(m, d, w, c, mix)
                if bare > 0:
                    for q in range(at, at + d.con_ndof[c]):
                        k = vector_at(q)
                        j_bar = diagonal_bars(d, w, d.chain_dof[q], mix.dot(d.con_J[k]), soft, bare, bars[r])
                        d.chain_bar[k] = d.chain_bar[k] + j_bar * mix


@ti.func
def entry_bar(m: ti.template(), d: ti.template(), c: ti.i32, i: ti.i32):
    """The adjoint of the first row's entry of dof i, zero where it has none."""
    x = real(0.0)
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        if d.chain_dof[q] == i:
            x = d.chain_bar[vector_at(q)][0]
    return x


@ti.func
def row_ratio_vjp(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, along: real):
    """That of row i, of dry friction or a limit of a dof; along: y f."""
    if d.row_zone[i] <= 1 and not is_exact(m):  # else dry friction that slides, whatever D is
        dof = d.row_dof[i]
        M = d.mass_diag[w, dof]
        diagonal_bars(d, w, dof, 1.0, 1.0 / (M + d.metric_diag[w, dof]), 1.0 / M, along)


@ti.func
def axis_bar(g: ti.template(), s: ti.i32, ang: vec3, lin: vec3):
    """Adds to the adjoint of the axis of dof s."""
    g.axis_ang[s] = g.axis_ang[s] + ang
    g.axis_lin[s] = g.axis_lin[s] + lin


@serves("diagonal")
@ti.func
def contact_diagonal_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From chain_bar of contact c to the axes of its dofs; returns the adjoints of its place, of its frame and of the
    friction of a pyramid's first edge."""
    n = d.con_normal[c]
    t1 = d.con_tangent1[c]
    i2 = d.con_last2[c]
    r1 = d.con_pos[c] - origin(m, d, w, d.con_body1[c])
    r2 = d.con_pos[c] - origin(m, d, w, d.con_body2[c])
    p_bar = vec3(0.0, 0.0, 0.0)
    n_bar = p_bar
    t1_bar = p_bar
    mu_bar = real(0.0)
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        k = d.chain_dof[q]
        e = d.chain_bar[vector_at(q)]
        s = bounded(w * m.nv + k)
        sign = real(-1.0)
        r = r1
        if k == i2:
            sign = 1.0
            r = r2
            i2 = m.tree_parent[k]
        force = sign * (e[0] * n + e[1] * t1)
        u = sign * (d.cdof_lin[s] + d.cdof_ang[s].cross(r))
        axis_bar(g, s, r.cross(force), force)
        p_bar = p_bar + force.cross(d.cdof_ang[s])
        n_bar = n_bar + e[0] * u
        t1_bar = t1_bar + e[1] * u
        mu_bar = mu_bar + e[0] * d.con_J[vector_at(q)][1]
    if m.cone == 1 or d.con_dim[c] == 1:
        mu_bar = 0.0
    return p_bar, n_bar, t1_bar, mu_bar


@ti.func
def tendon_diagonal_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32, t: ti.i32, r: real):
    """Of one tendon of block c, whose row has the factor r; returns the adjoint of r."""
    r_bar = real(0.0)
    if follows_diagonal(m):
        first = m.ten_J_rowadr[t]
        for e in range(first, first + m.ten_J_rownnz[t]):
            bar = entry_bar(m, d, c, m.ten_J_colind[e])
            g.ten_J_bar[w, e] = g.ten_J_bar[w, e] + r * bar
            r_bar = r_bar + bar * d.ten_J[w, e]
    return r_bar
