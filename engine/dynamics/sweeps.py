"""The two sweeps over the bodies that every step makes: kinematics and velocities outwards, forces and M inwards.

Each algorithm's part of a body stands in its own file; sweeping once for all of them keeps what they share in
registers.
"""

import taichi as ti

from engine.dynamics.crba import mass_row
from engine.dynamics.kinematics import half_angles, place, place_world
from engine.dynamics.rnea import own_force, still_world, velocity
from engine.math.index import bounded
from engine.math.spatial import point_inertia
from engine.schema import (
    B_DOFADR,
    B_DOFNUM,
    B_PARENT,
    B_ROOT,
    F_ANG,
    F_LIN,
    H_COM,
    ID_COM,
    ID_CRB,
    IO_COM,
    IO_CRB,
    NBI,
    NBODY,
    NQR,
    NSV_DOF,
    NV,
    NXV,
    QFRC_BIAS,
    S_ANG,
    S_LIN,
    T_MASS,
)  # fmt: skip


@ti.func
def outwards(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Base to tip: pose, S, V and the bias part of A; each body's own inertia; with `forces` its own force. Unless
    `forces` is 1 derivatives are asked for: then its inertia about the centre of mass, and G, are kept, too."""
    ob = w * m.dims[NBODY]
    half_angles(m, d, w)
    place_world(d, ob)
    still_world(m, d, w)
    for k in range(1, m.dims[NBODY]):
        b = bounded(k)
        o = bounded(ob + b)
        c, r, idiag, ioff = place(m, d, w, b)
        mass = m.theta[m.dims[T_MASS] + b]
        d.crb_mass[o] = mass
        d.body[o * NXV + H_COM] = mass * r
        pdiag, poff = point_inertia(mass, r)
        d.body[o * NXV + ID_CRB] = idiag + pdiag
        d.body[o * NXV + IO_CRB] = ioff + poff
        va, vl, aa, al = velocity(m, d, w, b, c, forces != 1)
        if forces:
            fa, fl = own_force(mass, r, idiag, ioff, va, vl, aa, al)
            d.body[o * NXV + F_ANG] = fa
            d.body[o * NXV + F_LIN] = fl
        if forces != 1:
            d.body[o * NXV + ID_COM] = idiag
            d.body[o * NXV + IO_COM] = ioff


@ti.func
def inwards(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Tip to base: M from the composite inertias and, with `forces`, qfrc_bias = c(q, v) from the bodies' own forces,
    all of which it sums."""
    nbody = m.dims[NBODY]
    nv = m.dims[NV]
    for k in range(1, nbody):
        b = bounded(nbody - k)
        o = bounded(w * nbody + b)
        mass = d.crb_mass[o]
        h = d.body[o * NXV + H_COM]
        idiag = d.body[o * NXV + ID_CRB]
        ioff = d.body[o * NXV + IO_CRB]
        fa = d.body[o * NXV + F_ANG]
        fl = d.body[o * NXV + F_LIN]
        j0 = m.body_i[b * NBI + B_DOFADR]
        for i in range(j0, j0 + m.body_i[b * NBI + B_DOFNUM]):
            j = bounded(i)
            s = bounded(w * nv + j) * NSV_DOF
            sa = d.dof[s + S_ANG]
            sl = d.dof[s + S_LIN]
            mass_row(m, d, w, j, sa, sl, mass, h, idiag, ioff)
            if forces:
                d.dofr[w * nv * NQR + QFRC_BIAS * nv + j] = fa.dot(sa) + fl.dot(sl)
        if b != m.body_i[b * NBI + B_ROOT]:
            p = bounded(w * nbody + m.body_i[b * NBI + B_PARENT])
            d.crb_mass[p] = d.crb_mass[p] + mass
            d.body[p * NXV + H_COM] = d.body[p * NXV + H_COM] + h
            d.body[p * NXV + ID_CRB] = d.body[p * NXV + ID_CRB] + idiag
            d.body[p * NXV + IO_CRB] = d.body[p * NXV + IO_CRB] + ioff
            if forces:
                d.body[p * NXV + F_ANG] = d.body[p * NXV + F_ANG] + fa
                d.body[p * NXV + F_LIN] = d.body[p * NXV + F_LIN] + fl
