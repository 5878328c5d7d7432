"""CRBA: joint-space mass matrix by composite rigid bodies (Featherstone 2008, table 6.2), lower triangle of M."""

import taichi as ti

from engine.dynamics.factor import clear_row, matrix_at
from engine.dynamics.kinematics import origin
from engine.math.spatial import point_inertia
from engine.schema import (
    B_DOFADR,
    B_DOFNUM,
    B_PARENT,
    B_ROOT,
    D_PARENT,
    H_COM,
    I_COM,
    I_CRB,
    LD,
    M_M,
    NBI,
    NBODY,
    NDI,
    NSV_DOF,
    NV,
    NXM,
    NXV,
    S_ANG,
    S_LIN,
    T_ARMATURE,
    T_MASS,
    X_IPOS,
)  # fmt: skip


@ti.func
def crba(m: ti.template(), d: ti.template(), w: ti.i32):
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    ob = w * nbody
    od = w * nv
    ld = m.dims[LD]
    om = matrix_at(m, w, M_M)
    for b in range(1, nbody):
        mass = m.theta[m.dims[T_MASS] + b]
        r = d.body[(ob + b) * NXV + X_IPOS] - origin(m, d, w, b)
        d.crb_mass[ob + b] = mass
        d.body[(ob + b) * NXV + H_COM] = mass * r
        d.inertia[(ob + b) * NXM + I_CRB] = d.inertia[(ob + b) * NXM + I_COM] + point_inertia(mass, r)
    for k in range(1, nbody):
        b = nbody - k
        mass = d.crb_mass[ob + b]
        h = d.body[(ob + b) * NXV + H_COM]
        J = d.inertia[(ob + b) * NXM + I_CRB]
        j0 = m.body_i[b * NBI + B_DOFADR]
        for j in range(j0, j0 + m.body_i[b * NBI + B_DOFNUM]):
            sa = d.dof[(od + j) * NSV_DOF + S_ANG]
            sl = d.dof[(od + j) * NSV_DOF + S_LIN]
            fl = mass * sl + sa.cross(h)
            fa = J @ sa + h.cross(sl)
            clear_row(m, d.mat, om, j)
            d.mat[om + j * (ld + 1)] = sa.dot(fa) + sl.dot(fl) + m.theta[m.dims[T_ARMATURE] + j]
            i = m.dof_i[j * NDI + D_PARENT]
            while i >= 0:
                a = (od + i) * NSV_DOF
                d.mat[om + j * ld + i] = fa.dot(d.dof[a + S_ANG]) + fl.dot(d.dof[a + S_LIN])
                i = m.dof_i[i * NDI + D_PARENT]
        if b != m.body_i[b * NBI + B_ROOT]:
            p = ob + m.body_i[b * NBI + B_PARENT]
            d.crb_mass[p] = d.crb_mass[p] + mass
            d.body[p * NXV + H_COM] = d.body[p * NXV + H_COM] + h
            d.inertia[p * NXM + I_CRB] = d.inertia[p * NXM + I_CRB] + J


@ti.func
def mass_mul(m: ti.template(), d: ti.template(), w: ti.i32, src: ti.i32, dst: ti.i32):
    """dofr[dst] = M dofr[src] (positions of the first element), by the tree's sparsity."""
    nv = m.dims[NV]
    ld = m.dims[LD]
    om = matrix_at(m, w, M_M)
    for j in range(nv):
        x = d.dofr[src + j]
        y = d.mat[om + j * (ld + 1)] * x
        i = m.dof_i[j * NDI + D_PARENT]
        while i >= 0:
            e = d.mat[om + j * ld + i]
            y = y + e * d.dofr[src + i]
            d.dofr[dst + i] = d.dofr[dst + i] + e * x
            i = m.dof_i[i * NDI + D_PARENT]
        d.dofr[dst + j] = y
