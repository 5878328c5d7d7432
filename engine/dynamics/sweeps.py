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


@ti.func
def outwards(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Base to tip: pose, S, V and the bias part of A; each body's own inertia; with `forces` its own force. Unless
    `forces` is 1 derivatives are asked for: then its inertia about the centre of mass, and G, are kept, too."""
    ob = w * m.nbody
    half_angles(m, d, w)
    place_world(d, ob)
    still_world(m, d, w)
    for k in range(1, m.nbody):
        b = bounded(k)
        o = bounded(ob + b)
        c, r, idiag, ioff = place(m, d, w, b)
        mass = m.body_mass[b]
        d.crb_mass[o] = mass
        d.crb_com[o] = mass * r
        pdiag, poff = point_inertia(mass, r)
        d.crb_diag[o] = idiag + pdiag
        d.crb_off[o] = ioff + poff
        va, vl, aa, al = velocity(m, d, w, b, c, forces != 1)
        if forces:
            fa, fl = own_force(mass, r, idiag, ioff, va, vl, aa, al)
            d.force_ang[o] = fa
            d.force_lin[o] = fl
        if forces != 1:
            d.inertia_diag[o] = idiag
            d.inertia_off[o] = ioff


@ti.func
def inwards(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Tip to base: M from the composite inertias and, with `forces`, qfrc_bias = c(q, v) from the bodies' own forces,
    all of which it sums."""
    nbody = m.nbody
    nv = m.nv
    for k in range(1, nbody):
        b = bounded(nbody - k)
        o = bounded(w * nbody + b)
        mass = d.crb_mass[o]
        h = d.crb_com[o]
        idiag = d.crb_diag[o]
        ioff = d.crb_off[o]
        fa = d.force_ang[o]
        fl = d.force_lin[o]
        j0 = m.body_dofadr[b]
        for i in range(j0, j0 + m.body_dofnum[b]):
            j = bounded(i)
            s = bounded(w * nv + j)
            sa = d.cdof_ang[s]
            sl = d.cdof_lin[s]
            mass_row(m, d, w, j, sa, sl, mass, h, idiag, ioff)
            if forces:
                d.qfrc_bias[w, j] = fa.dot(sa) + fl.dot(sl)
        if b != m.body_rootid[b]:
            p = bounded(w * nbody + m.body_parentid[b])
            d.crb_mass[p] = d.crb_mass[p] + mass
            d.crb_com[p] = d.crb_com[p] + h
            d.crb_diag[p] = d.crb_diag[p] + idiag
            d.crb_off[p] = d.crb_off[p] + ioff
            if forces:
                d.force_ang[p] = d.force_ang[p] + fa
                d.force_lin[p] = d.force_lin[p] + fl
