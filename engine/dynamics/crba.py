"""CRBA: joint-space mass matrix by composite rigid bodies (Featherstone 2008, table 6.2), lower triangle of M."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import origin
from engine.dynamics.rnea import moved_inertia
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate_back
from engine.math.spatial import cross_force, inertia_mul, sym_mul
from engine.math.types import real, vec3


@ti.func
def diagonal_at(m: ti.template(), w: ti.i32, j: ti.i32):
    """Where M and M + h D have the diagonal of row j; its ancestors stand before it, the nearest last."""
    return w * m.nm + 4 * m.tree_row[j] + m.tree_depth[j]


@ti.func
def mass_row(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32, sa: vec3, sl: vec3, mass: real,
             h: vec3, idiag: vec3, ioff: vec3):  # fmt: skip
    """Row j of M, of the axis (sa, sl), from the composite that it moves: mass, mass times centre h, inertia."""
    fl = mass * sl + sa.cross(h)
    fa = sym_mul(idiag, ioff, sa) + h.cross(sl)
    e = diagonal_at(m, w, j)
    d.M[e] = sa.dot(fa) + sl.dot(fl) + m.dof_armature[j]
    i = m.tree_parent[j]
    while i >= 0:
        a = bounded(w * m.nv + i)
        e = e - 1
        d.M[e] = fa.dot(d.cdof_ang[a]) + fl.dot(d.cdof_lin[a])
        i = m.tree_parent[i]


@ti.func
def mass_mul(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.template(), y: ti.template()):
    """y = M x of vectors over the dofs of all worlds, by the tree's sparsity."""
    nv = m.nv
    for j in range(nv):
        xj = x[w, j]
        k = diagonal_at(m, w, j)
        yj = d.M[k] * xj
        i = m.tree_parent[j]
        while i >= 0:
            k = k - 1
            e = d.M[k]
            yj = yj + e * x[w, i]
            y[w, i] = y[w, i] + e * xj
            i = m.tree_parent[i]
        y[w, j] = yj


@ti.func
def diagonal_bar(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """The adjoint of the diagonal of M at dof i, as ratios ask it (constraint/discrete.py) or exact diagonals do
    (constraint/exact.py)."""
    bar = real(0.0)
    if m.diagexact:
        if ti.static(has.diagexact):
            bar = d.M_bar[diagonal_at(m, w, i)]
    else:
        if ti.static(has.discrete):
            bar = d.mass_bar[w, i]
    return bar


@ti.func
def pulled_axis(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32, i: ti.i32):
    """The sum of (M_bar)_ij S_j over the dofs j that move body b, of which i is one."""
    ang = vec3(0.0, 0.0, 0.0)
    lin = vec3(0.0, 0.0, 0.0)
    j = m.body_lastdof[b]
    while j >= 0:
        s = bounded(w * m.nv + j)
        bar = d.M_bar[w * m.nm + 4 * m.tree_row[ti.max(i, j)] + m.tree_depth[ti.min(i, j)]]
        ang = ang + bar * d.cdof_ang[s]
        lin = lin + bar * d.cdof_lin[s]
        j = m.tree_parent[j]
    return ang, lin


@ti.func
def entry_bar_above(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32, j: ti.i32):
    """The adjoint of M_ij and M_ji together, j being i or an ancestor of it."""
    bar = d.M_bar[w * m.nm + 4 * m.tree_row[i] + m.tree_depth[j]]
    return bar if i == j else 2.0 * bar


@ti.func
def pulled_above(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """(M_bar)_ii S_i and, twice, the sum of (M_bar)_ij S_j over the ancestors j of dof i: what row i of M asks."""
    ang = vec3(0.0, 0.0, 0.0)
    lin = ang
    j = i
    while j >= 0:
        s = bounded(w * m.nv + j)
        bar = entry_bar_above(m, d, w, i, j)
        ang = ang + bar * d.cdof_ang[s]
        lin = lin + bar * d.cdof_lin[s]
        j = m.tree_parent[j]
    return ang, lin


@ti.func
def pulled_above_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, i: ti.i32, ang: vec3,
                     lin: vec3):  # fmt: skip
    """From the adjoint of that to those of the axes."""
    j = i
    while j >= 0:
        s = bounded(w * m.nv + j)
        bar = entry_bar_above(m, d, w, i, j)
        g.axis_ang[s] = g.axis_ang[s] + bar * ang
        g.axis_lin[s] = g.axis_lin[s] + bar * lin
        j = m.tree_parent[j]


@serves("diagonal")
@ti.func
def mass_entries_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From the adjoint of M, or of its diagonal alone, to those of axes, poses, masses, inertias and armatures: M_ij is
    the sum of S_i . I S_j over the bodies that both dofs move."""
    for i in range(m.nv):
        g.dof_armature[w, i] = g.dof_armature[w, i] + diagonal_bar(m, d, w, i)
    for b in range(1, m.nbody):
        o = bounded(w * m.nbody + b)
        mass = m.body_mass[b]
        r = d.xipos[o] - origin(m, d, w, b)
        idiag = d.inertia_diag[o]
        ioff = d.inertia_off[o]
        q = quat_mul(d.xquat[o], m.body_iquat[b])
        i = m.body_lastdof[b]
        while i >= 0:
            bar = diagonal_bar(m, d, w, i)
            if bar != 0 or m.diagexact:
                s = bounded(w * m.nv + i)
                sa = d.cdof_ang[s]
                sl = d.cdof_lin[s]
                ya = bar * sa
                yl = bar * sl
                if ti.static(has.diagexact):
                    if m.diagexact:
                        ya, yl = pulled_axis(m, d, w, b, i)
                fa, fl = inertia_mul(mass, r, idiag, ioff, ya, yl)
                g.axis_ang[s] = g.axis_ang[s] + 2.0 * fa
                g.axis_lin[s] = g.axis_lin[s] + 2.0 * fl
                pa, pl = cross_force(sa, sl, fa, fl)
                g.pose_ang[o] = g.pose_ang[o] - 2.0 * pa
                g.pose_lin[o] = g.pose_lin[o] - 2.0 * pl
                g.body_mass[w, b] = g.body_mass[w, b] + (sl + sa.cross(r)).dot(yl + ya.cross(r))
                x = rotate_back(q, sa) * rotate_back(q, ya)
                for k in ti.static(range(3)):
                    g.body_inertia[w, b, k] = g.body_inertia[w, b, k] + x[k]
                if ti.static(has.inertia_leaf):
                    place, turn = moved_inertia(mass, r, idiag, ioff, sa, sl, ya, yl)
                    add_inertia_bars(m, d, g, w, b, place, turn)
            i = m.tree_parent[i]
