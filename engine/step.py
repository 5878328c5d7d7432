"""The forward pipeline of a step, and under it the same list reversed for the adjoint.

Sensor cotangents enter the adjoint where their quantity was computed (dynamics/sensors.py).
"""

import taichi as ti

from engine.contact.constraint import constraint, constraint_vjp, evaluate
from engine.contact.solver import acceleration, acceleration_vjp
from engine.dynamics.actuation import actuation, actuation_vjp
from engine.dynamics.applied import smooth_forces, xfrc_vjp
from engine.dynamics.crba import crba
from engine.dynamics.integrate import effective_acceleration
from engine.dynamics.kinematics import kinematics
from engine.dynamics.passive import passive, passive_vjp
from engine.dynamics.rnea import bias, motion, rnea_vjp, rnea_vjp_own, velocity
from engine.math.types import vec3
from engine.schema import (
    AB_ANG, L_ANG, MA, MU, NBAR, NBODY, NQR, NV, P_ANG, Q_ANG, QACC, QACC_EFF, UB_ANG, U_ANG, LB_ANG, VB_ANG, XB_ANG, Z,
)  # fmt: skip


@ti.func
def forward(m: ti.template(), d: ti.template(), w: ti.i32):
    """Everything up to the acceleration QACC, warm-started with d.qacc_warmstart."""
    nv = m.dims[NV]
    for i in range(nv):
        d.dofr[w * nv * NQR + QACC * nv + i] = d.qacc_warmstart[w * nv + i]
    kinematics(m, d, w)
    crba(m, d, w)
    velocity(m, d, w)
    bias(m, d, w)
    passive(m, d, w)
    actuation(m, d, w)
    smooth_forces(m, d, w)
    constraint(m, d, w, d.qacc_warmstart, w * nv)
    acceleration(m, d, w)
    for i in range(nv):
        d.qacc_warmstart[w * nv + i] = d.dofr[w * nv * NQR + QACC * nv + i]


@ti.func
def relinearize(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32):
    """What the adjoint reads, recomputed at the state and the recorded solution QACC, without iterating: the law too."""
    nv = m.dims[NV]
    o = w * nv * NQR
    kinematics(m, d, w)
    crba(m, d, w)
    velocity(m, d, w)
    constraint(m, d, w, d.dofr, o + QACC * nv)
    evaluate(m, d, w, 0.0, o + QACC * nv)
    effective_acceleration(m, d, w, implicit)
    motion(m, d, w, U_ANG, o + QACC * nv)


@ti.func
def forward_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """From A_BAR (and MU with `implicit`) to g.qpos_bar, g.qvel_bar, g.act_bar, g.ctrl_bar, g.theta_bar, which it adds to."""
    nv = m.dims[NV]
    o = w * nv * NQR
    acceleration_vjp(m, d, w)
    motion(m, d, w, L_ANG, o + Z * nv)
    if implicit:
        motion(m, d, w, P_ANG, o + MU * nv)
        for i in range(nv):
            d.dofr[o + MA * nv + i] = d.dofr[o + QACC_EFF * nv + i] - d.dofr[o + QACC * nv + i]
        motion(m, d, w, Q_ANG, o + MA * nv)
    constraint_vjp(m, d, g, w)
    xfrc_vjp(m, d, g, w)
    actuation_vjp(m, d, g, w)
    passive_vjp(m, d, g, w)
    rnea_vjp_own(m, d, g, w, implicit)
    rnea_vjp(m, d, g, w, implicit)


@ti.func
def clear_bodies(m: ti.template(), g: ti.template(), w: ti.i32):
    """Zero the bodies' adjoints that sensors and contact add to."""
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(m.dims[NBODY]):
        h = (w * m.dims[NBODY] + b) * NBAR
        for k in ti.static((LB_ANG, AB_ANG, UB_ANG, VB_ANG, XB_ANG)):
            g.body_bar[h + k] = zero
            g.body_bar[h + k + 1] = zero
