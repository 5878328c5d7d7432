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


@serves("discrete")
@ti.func
def mass_diag_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From mass_bar, the adjoint of the diagonal of M, which is the sum of S . I S over the bodies that a dof moves, to
    those of axes, poses, masses, inertias and armatures."""
    for i in range(m.nv):
        g.dof_armature[w, i] = g.dof_armature[w, i] + d.mass_bar[w, i]
    for b in range(1, m.nbody):
        o = bounded(w * m.nbody + b)
        mass = m.body_mass[b]
        r = d.xipos[o] - origin(m, d, w, b)
        idiag = d.inertia_diag[o]
        ioff = d.inertia_off[o]
        q = quat_mul(d.xquat[o], m.body_iquat[b])
        i = m.body_lastdof[b]
        while i >= 0:
            bar = d.mass_bar[w, i]
            if bar != 0:
                s = bounded(w * m.nv + i)
                sa = d.cdof_ang[s]
                sl = d.cdof_lin[s]
                fa, fl = inertia_mul(mass, r, idiag, ioff, sa, sl)
                g.axis_ang[s] = g.axis_ang[s] + 2.0 * bar * fa
                g.axis_lin[s] = g.axis_lin[s] + 2.0 * bar * fl
                pa, pl = cross_force(sa, sl, fa, fl)
                g.pose_ang[o] = g.pose_ang[o] - 2.0 * bar * pa
                g.pose_lin[o] = g.pose_lin[o] - 2.0 * bar * pl
                u = sl + sa.cross(r)
                g.body_mass[w, b] = g.body_mass[w, b] + bar * u.dot(u)
                x = rotate_back(q, sa)
                for k in ti.static(range(3)):
                    g.body_inertia[w, b, k] = g.body_inertia[w, b, k] + bar * x[k] * x[k]
                if ti.static(has.inertia_leaf):
                    place, turn = moved_inertia(mass, r, idiag, ioff, sa, sl, sa, sl)
                    add_inertia_bars(m, d, g, w, b, bar * place, bar * turn)
            i = m.tree_parent[i]
